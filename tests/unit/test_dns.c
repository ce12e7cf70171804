/*
 * Batches, cache, waiting and parsed forms, over a resolver that answers when
 * the test says so.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "filter/base/clock.h"
#include "filter/dns/cache.h"
#include "filter/dns/draft.h"
#include "filter/dns/resolver.h"
#include "tests/lib/tap.h"

#define ASKED_MAX 10000

/* A resolver that keeps what it is asked. */
struct script {
	struct resolver resolver;
	struct lock lock;
	struct lock_cond cond;
	struct dns_query *asked[ASKED_MAX];
	size_t n, answered;
	bool stop;
};

static void
script_ask(struct resolver *resolver, struct dns_query *query)
{
	struct script *s = (struct script *)(void *)resolver;

	lock_take(&s->lock);
	if (s->n == ASKED_MAX)
		abort();
	s->asked[s->n++] = query;
	lock_broadcast(&s->cond);
	lock_drop(&s->lock);
}

static struct answer *
make_answer(const struct dns_query *q, enum dns_status status, const char *txt)
{
	struct answer_draft draft;

	answer_draft_init(&draft);
	if (txt)
		(void)answer_draft_add(&draft, span_of(txt), 0);
	struct answer *a = answer_new(query_name(q), q->type, status, &draft);
	answer_draft_done(&draft);
	return a;
}

/* Answers the i-th question and gives it up. */
static void
script_answer(struct script *s, size_t i, enum dns_status status,
    const char *txt, int64_t ttl_s)
{
	lock_take(&s->lock);
	struct dns_query *q = s->asked[i];
	s->asked[i] = NULL;
	lock_drop(&s->lock);
	query_done(q, make_answer(q, status, txt), ttl_s);
	query_unref(q);
}

static void
script_close(struct resolver *resolver)
{
	struct script *s = (struct script *)(void *)resolver;

	for (size_t i = 0; i < s->n; i++)
		if (s->asked[i]) {
			query_done(s->asked[i], NULL, 0);
			query_unref(s->asked[i]);
		}
	lock_cond_done(&s->cond);
	lock_done(&s->lock);
	free(s);
}

static struct dns *
open_script(int64_t timeout_ms, size_t entries, struct script **ret)
{
	struct script *s = calloc(1, sizeof *s);
	struct dns_options options = {
	    .timeout_ms = timeout_ms, .cache_entries = entries};
	struct dns *dns;

	if (!s)
		abort();
	s->resolver =
	    (struct resolver){.ask = script_ask, .close = script_close};
	/* Above all ranks that its callers may hold: none. */
	lock_init(&s->lock, LOCK_QUEUE);
	lock_cond_init(&s->cond);
	if (dns_open_on(&s->resolver, &options, &dns, NULL))
		abort();
	*ret = s;
	return dns;
}

static void
test_sharing(void)
{
	struct script *s;
	struct dns *dns = open_script(5000, 0, &s);
	struct arena *arena = arena_new(0), *arena2 = arena_new(0);
	struct dns_batch *b = dns_batch_new(dns, arena, 1000, 100);
	struct dns_batch *b2 = dns_batch_new(dns, arena2, 1000, 100);

	TAP_CASE("a name is asked once, by two batches and in any case")
	dns_want(b, SPAN("A.example"), DNS_TXT);
	dns_want(b, SPAN("a.EXAMPLE."), DNS_TXT);
	dns_want(b2, SPAN("a.example"), DNS_TXT);
	CHECK_INT(s->n, 1);

	TAP_CASE("another type is another question")
	dns_want(b, SPAN("a.example"), DNS_MX);
	CHECK_INT(s->n, 2);

	TAP_CASE("both batches get the same answer")
	script_answer(s, 0, DNS_OK, "one", 60);
	const struct dns_answer *a = dns_get(b, SPAN("a.example"), DNS_TXT);
	CHECK_INT(a->status, DNS_OK);
	CHECK_STR(a->records[0].data, "one");
	CHECK(dns_get(b2, SPAN("a.example"), DNS_TXT) == a);
	CHECK(dns_get(b, SPAN("A.example."), DNS_TXT) == a);

	TAP_CASE("a third finds it in the cache")
	struct arena *arena3 = arena_new(0);
	struct dns_batch *b3 = dns_batch_new(dns, arena3, 1000, 100);
	CHECK(dns_get(b3, SPAN("a.example"), DNS_TXT) == a);
	CHECK_INT(s->n, 2);
	CHECK_INT(dns_batch_waited_ms(b3), 0);

	TAP_CASE("questions are listed once, as first asked")
	const struct dns_questions *q = dns_batch_questions(b);
	CHECK_INT(q->n, 2);
	CHECK_STR(q->v[0].name, "a.example");
	CHECK_INT(q->v[0].type, DNS_TXT);
	CHECK(q->v[0].answer == a);
	CHECK_INT(q->v[1].type, DNS_MX);
	CHECK(q->v[1].answer == NULL);

	TAP_CASE("counts tell hits, misses and entries")
	struct dns_counts c;
	dns_counts(dns, &c);
	CHECK_INT(c.hits, 1);
	CHECK_INT(c.misses, 3);
	CHECK_INT(c.entries, 1);

	TAP_CASE("a batch may go while its question is under way")
	arena_reset(arena);
	script_answer(s, 1, DNS_NODATA, NULL, 60);
	CHECK_INT(dns_get(b3, SPAN("a.example"), DNS_MX)->status, DNS_NODATA);

	TAP_CASE("questions left at the end are given up")
	dns_want(b3, SPAN("left.example"), DNS_A);
	arena_free(arena);
	arena_free(arena2);
	arena_free(arena3);
	dns_close(dns);
}

static void
test_limits(void)
{
	struct script *s;
	struct dns *dns = open_script(5000, 0, &s);
	struct arena *arena = arena_new(0);

	TAP_CASE("past questions_max nothing is asked")
	struct dns_batch *b = dns_batch_new(dns, arena, 10000, 2);
	dns_want(b, SPAN("1.example"), DNS_A);
	dns_want(b, SPAN("2.example"), DNS_A);
	dns_want(b, SPAN("3.example"), DNS_A);
	CHECK_INT(s->n, 2);
	CHECK(!dns_batch_timed_out(b));
	CHECK_INT(dns_get(b, SPAN("3.example"), DNS_A)->status, DNS_TIMEOUT);
	CHECK(dns_batch_timed_out(b));
	CHECK_INT(dns_batch_questions(b)->n, 2);

	TAP_CASE("a bad name is no question")
	b = dns_batch_new(dns, arena, 10000, 2);
	dns_want(b, SPAN("a..b"), DNS_A);
	dns_want(b, SPAN_NONE, DNS_A);
	CHECK_INT(dns_get(b, SPAN("a..b"), DNS_A)->status, DNS_NXDOMAIN);
	CHECK_INT(dns_get(b, SPAN(""), DNS_A)->status, DNS_NXDOMAIN);
	CHECK_INT(dns_batch_questions(b)->n, 0);
	CHECK_INT(s->n, 2);

	TAP_CASE("a batch without DNS times out at once and asks nothing")
	b = dns_batch_new(NULL, arena, 10000, 10);
	dns_want(b, SPAN("1.example"), DNS_A);
	CHECK_INT(dns_get(b, SPAN("1.example"), DNS_A)->status, DNS_TIMEOUT);
	CHECK(!dns_batch_timed_out(b));
	CHECK_INT(dns_batch_questions(b)->n, 1);

	TAP_CASE("no batch at all answers like one without DNS")
	dns_batch_no_wait(NULL);
	dns_batch_on_wait(NULL, NULL, NULL, NULL);
	dns_want(NULL, SPAN("1.example"), DNS_A);
	CHECK_INT(dns_get(NULL, SPAN("1.example"), DNS_A)->status, DNS_TIMEOUT);
	CHECK_INT(dns_batch_questions(NULL)->n, 0);

	TAP_CASE("an arena that is full gives timeouts, not crashes")
	struct arena *tight = arena_new(3000);
	b = dns_batch_new(dns, tight, 10000, 1000000);
	char name[32];
	for (int i = 0; i < 200; i++) {
		snprintf(name, sizeof name, "t%d.example", i);
		dns_want(b, span_of(name), DNS_A);
	}
	CHECK(arena_failed(tight));
	CHECK_INT(dns_get(b, span_of(name), DNS_A)->status, DNS_TIMEOUT);
	arena_free(tight);

	TAP_CASE("a thousand questions keep their answers apart")
	b = dns_batch_new(dns, arena, 10000, 1000);
	size_t from = s->n;
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof name, "q%d.example", i);
		dns_want(b, span_of(name), DNS_TXT);
	}
	CHECK_INT(s->n - from, 1000);
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof name, "q%d.example", i);
		script_answer(s, from + (size_t)i, DNS_OK, name, 60);
	}
	bool same = true;
	for (int i = 999; i >= 0; i--) {
		snprintf(name, sizeof name, "q%d.example", i);
		const struct dns_answer *a = dns_get(b, span_of(name), DNS_TXT);
		same &= a->n == 1 && span_is(a->records[0].data, name);
	}
	CHECK(same);

	TAP_CASE("past 4096 questions under way new ones time out")
	from = s->n;
	b = dns_batch_new(dns, arena, 10000, 5000);
	for (int i = 0; i < 4200; i++) {
		snprintf(name, sizeof name, "f%d.example", i);
		dns_want(b, span_of(name), DNS_TXT);
	}
	CHECK(s->n - from < 4096);
	CHECK_INT(dns_get(b, span_of(name), DNS_TXT)->status, DNS_TIMEOUT);
	CHECK_INT(dns_batch_waited_ms(b), 0);
	arena_free(arena);
	dns_close(dns);
}

static void
count_up(void *arg)
{
	++*(int *)arg;
}

static void
test_waiting(void)
{
	struct script *s;
	struct dns *dns = open_script(40, 0, &s);
	struct arena *arena = arena_new(0);
	int waits = 0;

	TAP_CASE("without waiting only what is there is taken")
	struct dns_batch *b = dns_batch_new(dns, arena, 10000, 10);
	dns_batch_on_wait(b, count_up, count_up, &waits);
	dns_want(b, SPAN("there.example"), DNS_TXT);
	script_answer(s, 0, DNS_OK, "x", 60);
	dns_batch_no_wait(b);
	CHECK_INT(dns_get(b, SPAN("there.example"), DNS_TXT)->status, DNS_OK);
	CHECK(!dns_batch_timed_out(b));
	CHECK_INT(
	    dns_get(b, SPAN("not.example"), DNS_TXT)->status, DNS_TIMEOUT);
	CHECK(dns_batch_timed_out(b));
	CHECK_INT(waits, 0);
	CHECK_INT(dns_batch_waited_ms(b), 0);

	TAP_CASE("an answer once given stays, though a better one came")
	script_answer(s, 1, DNS_OK, "x", 60);
	CHECK_INT(
	    dns_get(b, SPAN("not.example"), DNS_TXT)->status, DNS_TIMEOUT);

	TAP_CASE("a name times out, and the hooks surround the wait")
	b = dns_batch_new(dns, arena, 10000, 10);
	dns_batch_on_wait(b, count_up, count_up, &waits);
	int64_t start = clock_mono_ms();
	CHECK_INT(
	    dns_get(b, SPAN("slow.example"), DNS_TXT)->status, DNS_TIMEOUT);
	CHECK(clock_mono_ms() - start >= 39);
	CHECK_INT(waits, 2);
	CHECK(dns_batch_waited_ms(b) >= 39);
	CHECK(dns_batch_timed_out(b));

	TAP_CASE("a timeout is kept for others for a moment")
	struct dns_batch *b2 = dns_batch_new(dns, arena, 10000, 10);
	CHECK_INT(
	    dns_get(b2, SPAN("slow.example"), DNS_TXT)->status, DNS_TIMEOUT);
	CHECK_INT(dns_batch_waited_ms(b2), 0);
	CHECK(dns_batch_timed_out(b2));

	TAP_CASE("a late answer warms the cache")
	script_answer(s, 2, DNS_OK, "late", 60);
	struct dns_batch *b3 = dns_batch_new(dns, arena, 10000, 10);
	CHECK_STR(dns_get(b3, SPAN("slow.example"), DNS_TXT)->records[0].data,
	    "late");
	CHECK_INT(s->n, 3);

	TAP_CASE("a name that nobody awaited times out for the next one")
	dns_want(b3, SPAN("stale.example"), DNS_TXT);
	(void)dns_get(b3, SPAN("pause.example"), DNS_TXT);
	b = dns_batch_new(dns, arena, 10000, 10);
	CHECK_INT(
	    dns_get(b, SPAN("stale.example"), DNS_TXT)->status, DNS_TIMEOUT);
	CHECK_INT(dns_batch_waited_ms(b), 0);
	CHECK_INT(s->n, 5);

	TAP_CASE("names that time out are counted once")
	struct dns_counts c;
	dns_counts(dns, &c);
	CHECK_INT(c.timeouts, 3);
	arena_free(arena);
	dns_close(dns);
}

static void
test_deadline(void)
{
	struct script *s;
	struct dns *dns = open_script(60000, 0, &s);
	struct arena *arena = arena_new(0);
	/* The batch itself has no time at all. */
	struct dns_batch *b = dns_batch_new(dns, arena, 0, 3);
	int waits = 0;

	dns_batch_on_wait(b, count_up, count_up, &waits);
	TAP_CASE("a deadline of 0 takes what is there and does not wait")
	CHECK(!dns_get_by(b, SPAN("a.example"), DNS_TXT, 0));
	CHECK_INT(waits, 0);
	CHECK_INT(s->n, 1);
	TAP_CASE("the question stays open, and its answer is taken later")
	CHECK(!dns_batch_questions(b)->v[0].answer);
	script_answer(s, 0, DNS_OK, "x", 60);
	CHECK_STR(
	    dns_get_by(b, SPAN("a.example"), DNS_TXT, 0)->records[0].data, "x");
	CHECK_INT(s->n, 1);
	TAP_CASE("a deadline is kept, whatever time the batch has")
	int64_t start = clock_mono_ms();
	CHECK(!dns_get_by(b, SPAN("b.example"), DNS_TXT, clock_deadline(500)));
	CHECK(clock_mono_ms() - start >= 499);
	CHECK_INT(waits, 2);
	/* Less than the deadline where this thread had to wait for its turn. */
	CHECK(dns_batch_waited_ms(b) > 0);
	CHECK(!dns_batch_timed_out(b));
	TAP_CASE("one that has passed costs nothing")
	CHECK(!dns_get_by(b, SPAN("b.example"), DNS_TXT, start));
	CHECK_INT(waits, 2);
	TAP_CASE("what was missed by a deadline is asked without one again")
	CHECK_INT(dns_get(b, SPAN("b.example"), DNS_TXT)->status, DNS_TIMEOUT);
	TAP_CASE("a crowd does not wait for a deadline either")
	dns_batch_no_wait(b);
	CHECK(
	    !dns_get_by(b, SPAN("c.example"), DNS_TXT, clock_deadline(60000)));
	CHECK_INT(waits, 2);
	TAP_CASE(
	    "past questions_max there is no answer, and no timeout of a name")
	CHECK(!dns_get_by(b, SPAN("d.example"), DNS_TXT, 0));
	CHECK_INT(s->n, 3);
	TAP_CASE("a bad name is no name; no batch, no DNS: no answer")
	CHECK_INT(
	    dns_get_by(b, SPAN("a..b"), DNS_TXT, 0)->status, DNS_NXDOMAIN);
	CHECK(!dns_get_by(NULL, SPAN("a.example"), DNS_TXT, 0));
	b = dns_batch_new(NULL, arena, 0, 3);
	CHECK(!dns_get_by(b, SPAN("a.example"), DNS_TXT, CLOCK_NEVER));
	arena_free(arena);
	dns_close(dns);
}

static void
test_total_time(void)
{
	struct script *s;
	struct dns *dns = open_script(60000, 0, &s);
	struct arena *arena = arena_new(0);

	TAP_CASE("a message's time is for all names together")
	struct dns_batch *b = dns_batch_new(dns, arena, 30, 10);
	int64_t start = clock_mono_ms();
	CHECK_INT(dns_get(b, SPAN("1.example"), DNS_TXT)->status, DNS_TIMEOUT);
	CHECK_INT(dns_get(b, SPAN("2.example"), DNS_TXT)->status, DNS_TIMEOUT);
	CHECK_INT(dns_get(b, SPAN("3.example"), DNS_TXT)->status, DNS_TIMEOUT);
	CHECK(clock_mono_ms() - start < 30000);
	CHECK(dns_batch_waited_ms(b) >= 29);

	TAP_CASE("a name's time runs from the first who wanted it")
	struct script *s2;
	struct dns *dns2 = open_script(1000, 0, &s2);
	struct dns_batch *first = dns_batch_new(dns2, arena, 700, 10);
	struct dns_batch *second = dns_batch_new(dns2, arena, 10000, 10);
	dns_want(first, SPAN("shared.example"), DNS_TXT);
	(void)dns_get(first, SPAN("shared.example"), DNS_TXT);
	start = clock_mono_ms();
	CHECK_INT(dns_get(second, SPAN("shared.example"), DNS_TXT)->status,
	    DNS_TIMEOUT);
	CHECK(clock_mono_ms() - start < 999);
	CHECK_INT(s2->n, 1);

	TAP_CASE("a name that one message gave up is still asked for others")
	struct dns_batch *b2 = dns_batch_new(dns, arena, 10000, 10);
	dns_want(b2, SPAN("1.example"), DNS_TXT);
	CHECK_INT(s->n, 3);
	script_answer(s, 0, DNS_OK, "one", 60);
	CHECK_STR(
	    dns_get(b2, SPAN("1.example"), DNS_TXT)->records[0].data, "one");
	arena_free(arena);
	dns_close(dns);
	dns_close(dns2);
}

/* --- several threads ----------------------------------------------------------- */

#define THREADS 6
#define NAMES 200
#define ROUNDS 5

struct worker {
	pthread_t thread;
	struct dns *dns;
	unsigned good;
};

static void
drop_form(void *form)
{
	free(form);
}

static void *
make_form(const struct dns_answer *answer, void *arg)
{
	char *copy = malloc(64);

	(void)arg;
	if (copy)
		span_copy(answer->records[0].data, copy, 64);
	return copy;
}

static const char form_kind;

static void *
work(void *arg)
{
	struct worker *w = arg;
	struct arena *arena = arena_new(0);
	char name[32];

	for (unsigned round = 0; round < ROUNDS; round++) {
		struct dns_batch *b =
		    dns_batch_new(w->dns, arena, 60000, NAMES);
		for (unsigned i = 0; i < NAMES; i++) {
			snprintf(name, sizeof name, "n%u.example", i);
			dns_want(b, span_of(name), DNS_TXT);
		}
		for (unsigned i = 0; i < NAMES; i++) {
			snprintf(name, sizeof name, "n%u.example", i);
			const struct dns_answer *a =
			    dns_get(b, span_of(name), DNS_TXT);
			const char *form = a->status == DNS_OK
					       ? dns_parsed(a, &form_kind,
						     make_form, drop_form, NULL)
					       : NULL;
			w->good += form && span_is(span_of(form), name);
		}
		arena_reset(arena);
	}
	arena_free(arena);
	return NULL;
}

/* Answers each question with its own name, until the test has ended. */
static void *
answer_all(void *arg)
{
	struct script *s = arg;
	int64_t until = clock_deadline(60000);

	lock_take(&s->lock);
	while (!s->stop) {
		if (s->answered == s->n) {
			if (!lock_wait(&s->cond, &s->lock, until))
				abort();
			continue;
		}
		size_t i = s->answered++;
		char name[32];
		span_copy(query_name(s->asked[i]), name, sizeof name);
		lock_drop(&s->lock);
		script_answer(s, i, DNS_OK, name, 60);
		lock_take(&s->lock);
	}
	lock_drop(&s->lock);
	return NULL;
}

static void
test_threads(void)
{
	struct script *s;
	/* Few places, so that answers are thrown out while others hold them. */
	struct dns *dns = open_script(60000, 64, &s);
	struct worker workers[THREADS] = {0};
	pthread_t answerer;
	unsigned good = 0;

	TAP_CASE("threads share questions, answers and forms")
	if (pthread_create(&answerer, NULL, answer_all, s))
		abort();
	for (unsigned i = 0; i < THREADS; i++) {
		workers[i].dns = dns;
		if (pthread_create(&workers[i].thread, NULL, work, &workers[i]))
			abort();
	}
	for (unsigned i = 0; i < THREADS; i++) {
		pthread_join(workers[i].thread, NULL);
		good += workers[i].good;
	}
	lock_take(&s->lock);
	s->stop = true;
	lock_broadcast(&s->cond);
	lock_drop(&s->lock);
	pthread_join(answerer, NULL);
	CHECK_INT(good, THREADS * ROUNDS * NAMES);
	dns_close(dns);
}

/* --- the cache alone -------------------------------------------------------------- */

static struct answer *
txt_answer(const char *name, enum dns_status status, size_t bytes)
{
	static char big[60000];
	struct answer_draft draft;

	answer_draft_init(&draft);
	(void)answer_draft_add(&draft, span_make(big, bytes), 0);
	struct answer *a = answer_new(span_of(name), DNS_TXT, status, &draft);
	answer_draft_done(&draft);
	if (!a)
		abort();
	return a;
}

/* Puts a new answer, which the cache alone holds then. */
static void
put(struct cache *cache, const char *name, enum dns_status status,
    int64_t now_ms, int64_t expires_ms, size_t bytes)
{
	struct answer *a = txt_answer(name, status, bytes);

	cache_put(cache, a, now_ms, expires_ms);
	answer_unref(a);
}

/* The status that is there for a name, or -1. */
static int
look(struct cache *cache, const char *name, int64_t now_ms)
{
	struct span s = span_of(name);
	struct answer *a =
	    cache_get(cache, s, DNS_TXT, answer_hash(s, DNS_TXT), now_ms, true);
	int status = a ? (int)a->pub.status : -1;

	answer_unref(a);
	return status;
}

static void
test_cache(void)
{
	struct cache *cache = cache_new(8);
	struct cache_counts c;
	char name[32];

	TAP_CASE("an answer lives until its time")
	put(cache, "a.example", DNS_OK, 0, 1000, 10);
	CHECK_INT(look(cache, "a.example", 999), DNS_OK);
	CHECK_INT(look(cache, "a.example", 1000), -1);

	TAP_CASE("a failure does not replace a fresh answer")
	put(cache, "a.example", DNS_TIMEOUT, 500, 3000, 0);
	CHECK_INT(look(cache, "a.example", 600), DNS_OK);
	put(cache, "a.example", DNS_TIMEOUT, 1000, 3000, 0);
	CHECK_INT(look(cache, "a.example", 1001), DNS_TIMEOUT);
	put(cache, "a.example", DNS_NODATA, 1002, 9000, 0);
	CHECK_INT(look(cache, "a.example", 1003), DNS_NODATA);

	TAP_CASE("no more entries than places, the latest used stay")
	for (int i = 0; i < 20; i++) {
		snprintf(name, sizeof name, "n%d.example", i);
		put(cache, name, DNS_OK, 2000, 9000, 10);
		CHECK_INT(look(cache, "a.example", 2000), DNS_NODATA);
		CHECK_INT(look(cache, name, 2000), DNS_OK);
	}
	cache_counts(cache, &c);
	CHECK_INT(c.entries, 8);
	CHECK_INT(look(cache, "n5.example", 2000), -1);

	TAP_CASE("what has expired goes before what has not")
	put(cache, "short.example", DNS_OK, 2000, 2001, 10);
	put(cache, "n30.example", DNS_OK, 3000, 9000, 10);
	CHECK_INT(look(cache, "a.example", 3000), DNS_NODATA);
	CHECK_INT(look(cache, "n19.example", 3000), DNS_OK);
	cache_free(cache);

	TAP_CASE("large answers do not fill the memory")
	cache = cache_new(0);
	for (int i = 0; i < 4000; i++) {
		snprintf(name, sizeof name, "n%d.example", i);
		put(cache, name, DNS_OK, 0, 1000, 60000);
	}
	cache_counts(cache, &c);
	CHECK(c.entries > 500);
	CHECK(c.entries * 60000 <= (size_t)64 << 20);
	CHECK_INT(look(cache, "n3999.example", 0), DNS_OK);
	cache_free(cache);

	static const struct {
		const char *claim;
		enum dns_status status;
		int64_t ttl_s, want_ms;
	} ttls[] = {
	    {"a TTL of 0 is 5 s", DNS_OK, 0, 5000},
	    {"a negative TTL too", DNS_OK, -5, 5000},
	    {"a TTL is a TTL", DNS_OK, 77, 77000},
	    {"an hour is the most", DNS_OK, 86400, 3600000},
	    {"ten minutes for no such name", DNS_NXDOMAIN, 86400, 600000},
	    {"ten minutes for no data", DNS_NODATA, 3600, 600000},
	    {"at least 5 s for no data", DNS_NODATA, 0, 5000},
	    {"3 s for a timeout", DNS_TIMEOUT, 3600, 3000},
	    {"3 s for a failure", DNS_SERVFAIL, 0, 3000},
	};
	for (size_t i = 0; i < sizeof ttls / sizeof *ttls; i++) {
		TAP_CASE(ttls[i].claim)
		CHECK_INT(cache_ttl_ms(ttls[i].status, ttls[i].ttl_s),
		    ttls[i].want_ms);
	}
}

/* --- parsed forms --------------------------------------------------------------------- */

static int made, dropped;

static void *
count_make(const struct dns_answer *answer, void *arg)
{
	(void)answer;
	made++;
	return arg;
}

static void
count_drop(void *form)
{
	(void)form;
	dropped++;
}

static void
test_parsed(void)
{
	static const char kind1, kind2;
	struct script *s;
	struct dns *dns = open_script(5000, 0, &s);
	struct arena *arena = arena_new(0);
	struct dns_batch *b = dns_batch_new(dns, arena, 1000, 10);
	int one, two;

	dns_want(b, SPAN("a.example"), DNS_TXT);
	script_answer(s, 0, DNS_OK, "x", 60);
	const struct dns_answer *a = dns_get(b, SPAN("a.example"), DNS_TXT);

	TAP_CASE("a form is made once per kind")
	CHECK(dns_parsed(a, &kind1, count_make, count_drop, &one) == &one);
	CHECK(dns_parsed(a, &kind1, count_make, count_drop, &two) == &one);
	CHECK(dns_parsed(a, &kind2, count_make, count_drop, &two) == &two);
	CHECK(dns_parsed(a, &kind1, count_make, count_drop, &two) == &one);
	CHECK_INT(made, 2);

	TAP_CASE("a form that could not be made is not kept")
	static const char kind3;
	CHECK(!dns_parsed(a, &kind3, count_make, count_drop, NULL));
	CHECK(!dns_parsed(a, &kind3, count_make, count_drop, NULL));
	CHECK_INT(made, 4);

	TAP_CASE("a timeout takes forms that die with the batch")
	dns_batch_no_wait(b);
	a = dns_get(b, SPAN("none.example"), DNS_TXT);
	CHECK_INT(a->status, DNS_TIMEOUT);
	CHECK(dns_parsed(a, &kind1, count_make, count_drop, &one) == &one);
	CHECK_INT(dropped, 0);
	arena_reset(arena);
	CHECK_INT(dropped, 1);

	TAP_CASE("forms of a cached answer die with it")
	arena_free(arena);
	CHECK_INT(dropped, 1);
	dns_close(dns);
	CHECK_INT(dropped, 3);

	TAP_CASE("the answer of no batch keeps no forms")
	a = dns_get(NULL, SPAN("a.example"), DNS_TXT);
	CHECK(!dns_parsed(a, &kind1, count_make, count_drop, &one));
}

/* --- wire data ----------------------------------------------------------------------- */

#define WIRE(literal)                                                          \
	{                                                                      \
		literal, sizeof(literal) - 1                                   \
	}
#define OCTETS5 "\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4\377\377\377\377"

static const struct {
	const char *claim;
	enum dns_type type;
	struct span rdata;
	bool good;
	struct span want;
} wires[] = {
    {"A of 4 bytes", DNS_A, WIRE("\300\0\2\1"), true, WIRE("\300\0\2\1")},
    {"A of 3 bytes", DNS_A, WIRE("\300\0\2"), false, {0}},
    {"A of 5 bytes", DNS_A, WIRE("\300\0\2\1\1"), false, {0}},
    {"A of nothing", DNS_A, WIRE(""), false, {0}},
    {"AAAA of 4 bytes", DNS_AAAA, WIRE("\300\0\2\1"), false, {0}},
    {"NS", DNS_NS, WIRE("\2Ns\7eXample\0"), true, WIRE("ns.example")},
    {"a name with a tail", DNS_PTR, WIRE("\1a\0\0"), false, {0}},
    {"a name without root", DNS_CNAME, WIRE("\1a"), false, {0}},
    {"a name that is a pointer", DNS_CNAME, WIRE("\300\14"), false, {0}},
    {"a name of nothing", DNS_NS, WIRE(""), false, {0}},
    {"controls in a name", DNS_PTR, WIRE("\4a\r\nb\0"), true,
	WIRE("a\\013\\010b")},
    {"MX", DNS_MX, WIRE("\1\2\1a\0"), true, WIRE("a")},
    {"the null MX (RFC 7505)", DNS_MX, WIRE("\0\0\0"), true, WIRE("")},
    {"MX without a name", DNS_MX, WIRE("\0\12"), false, {0}},
    {"MX of one byte", DNS_MX, WIRE("\0"), false, {0}},
    {"TXT of two strings", DNS_TXT, WIRE("\2ab\1c"), true, WIRE("abc")},
    {"TXT with NUL", DNS_TXT, WIRE("\3a\0b"), true, WIRE("a\0b")},
    {"TXT with empty strings", DNS_TXT, WIRE("\0\0\1x\0"), true, WIRE("x")},
    {"TXT of nothing", DNS_TXT, WIRE(""), false, {0}},
    {"TXT with a string past the end", DNS_TXT, WIRE("\2ab\2c"), false, {0}},
    {"SOA", DNS_SOA, WIRE("\1a\0\1b\0" OCTETS5), true,
	WIRE("a b 1 2 3 4 4294967295")},
    {"SOA cut", DNS_SOA, WIRE("\1a\0\1b\0\0\0\0\1"), false, {0}},
    {"SOA with a tail", DNS_SOA, WIRE("\1a\0\1b\0" OCTETS5 "x"), false, {0}},
    {"SOA of one name", DNS_SOA, WIRE("\1a\0"), false, {0}},
    {"a type we do not know", (enum dns_type)99, WIRE("\1a"), false, {0}},
};

static void
test_wire(void)
{
	for (size_t i = 0; i < sizeof wires / sizeof *wires; i++) {
		struct answer_draft draft;
		/* A copy of the exact size lets ASan see a read past it. */
		size_t len = wires[i].rdata.len;
		char *exact = malloc(len ? len : 1);
		if (!exact)
			abort();
		memcpy(exact, wires[i].rdata.p, len);
		TAP_CASE(wires[i].claim)
		answer_draft_init(&draft);
		CHECK_INT(answer_draft_rdata(
			      &draft, wires[i].type, span_make(exact, len)),
		    wires[i].good);
		CHECK_INT(draft.n, wires[i].good);
		CHECK_SPAN(buf_span(&draft.bytes), wires[i].want);
		answer_draft_done(&draft);
		free(exact);
	}
}

static void
test_words(void)
{
	TAP_CASE("types have names in any case")
	CHECK_INT(dns_type_of(SPAN("aaaa")), DNS_AAAA);
	CHECK_INT(dns_type_of(SPAN("SPF")), 0);
	CHECK_INT(dns_type_of(SPAN_NONE), 0);
	CHECK_STR(span_of(dns_type_name(DNS_PTR)), "PTR");
	CHECK_STR(span_of(dns_type_name((enum dns_type)99)), "?");
	CHECK_STR(span_of(dns_status_name(DNS_OK)), "OK");
	CHECK_STR(span_of(dns_status_name(DNS_SERVFAIL)), "SERVFAIL");
}

int
main(void)
{
	test_sharing();
	test_limits();
	test_waiting();
	test_deadline();
	test_total_time();
	test_threads();
	test_cache();
	test_parsed();
	test_wire();
	test_words();
	return tap_done();
}
