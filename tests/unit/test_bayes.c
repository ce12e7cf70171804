/* The classic learner: counts, exact unlearning, once per message, and the
 * arithmetic of combining. */
#include "filter/learn/bayes.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>

#include "filter/base/buf.h"
#include "filter/base/clock.h"
#include "filter/learn/digest.h"
#include "filter/learn/fisher.h"
#include "tests/lib/tap.h"

#define NOW 1795000000

static struct arena *arena;
static struct store *store;

static void
fresh_store(void)
{
	const struct store_options options = {
	    .url = SPAN("memory:"), .timeout_ms = 1000};
	struct err err;

	store_close(store);
	store = NULL;
	CHECK_INT(store_open(&options, &store, &err), 0);
}

static struct message *
message_of(struct span text)
{
	struct message_options options = message_options_default();

	options.memory_max = SIZE_MAX / 2;
	struct message *m = message_new(arena, &options);
	CHECK_INT(message_read(m, text), 0);
	return m;
}

/* A message with these words and an id of its own. */
static struct message *
mail(int id, const char *words)
{
	return message_of(arena_printf(arena,
	    "From: a@example.com\nMessage-ID: <%d@example.com>\n"
	    "Subject: hello\n\n%s\n",
	    id, words));
}

static enum bayes_change
train(struct message *m, enum bayes_class class)
{
	enum bayes_change change = BAYES_UNKNOWN;
	struct err err;

	CHECK_INT(bayes_train(
		      store, m, class, NOW, CLOCK_NEVER, arena, &change, &err),
	    0);
	return change;
}

static struct bayes_result
judge(struct message *m, int64_t min)
{
	const struct bayes_config config = {min, min};
	struct bayes_result result = {0};
	struct err err;

	CHECK_INT(bayes_judge(store, &config, m, NOW, CLOCK_NEVER, arena,
		      &result, &err),
	    0);
	return result;
}

static struct store_counts
counts_of(enum store_kind kind, struct span name)
{
	const struct store_key key = {kind, name};
	struct store_counts counts = {{-99, -99}};
	struct err err;

	CHECK_INT(
	    store_get(store, &key, 1, NOW, CLOCK_NEVER, NULL, &counts, &err),
	    0);
	return counts;
}

static void
check_corpus(int64_t spam, int64_t ham)
{
	int64_t got_spam, got_ham;
	struct err err;

	CHECK_INT(
	    bayes_corpus(store, NOW, CLOCK_NEVER, &got_spam, &got_ham, &err),
	    0);
	CHECK_INT(got_spam, spam);
	CHECK_INT(got_ham, ham);
}

/* --- everything in the store that is not zero, as numbers that do not depend on
 * the order of entries ------------------------------------------------------------ */

struct sum {
	size_t n;
	uint64_t hash;
};

static bool
add_entry(void *arg, const struct store_entry *entry)
{
	struct sum *sum = arg;

	if (entry->counts.v[0] == 0 && entry->counts.v[1] == 0 &&
	    !entry->value.p)
		return true;
	sum->n++;
	sum->hash +=
	    span_hash(entry->name) * (uint64_t)(entry->counts.v[0] * 31 +
						entry->counts.v[1] * 17 + 1) +
	    span_hash(entry->value);
	return true;
}

static struct sum
sum_of_store(void)
{
	static const enum store_kind kinds[] = {
	    STORE_CORPUS, STORE_TOKEN, STORE_TRAINED};
	struct sum sum = {0};
	struct err err;

	for (size_t i = 0; i < 3; i++)
		CHECK_INT(store_each(store, kinds[i], SPAN(""), NOW,
			      CLOCK_NEVER, add_entry, &sum, &err),
		    0);
	return sum;
}

static void
check_same(struct sum a, struct sum b)
{
	CHECK_INT(a.n, b.n);
	CHECK(a.hash == b.hash);
}

/* --- training ----------------------------------------------------------------------- */

static void
test_training(void)
{
	fresh_store();
	TAP_CASE("a message that was never trained is unknown")
	CHECK_INT(train(mail(1, "cheap watches"), BAYES_FORGET), BAYES_UNKNOWN);
	CHECK_INT(sum_of_store().n, 0);

	TAP_CASE("the first training counts each token once")
	CHECK_INT(
	    train(mail(1, "cheap cheap watches"), BAYES_SPAM), BAYES_LEARNED);
	check_corpus(1, 0);
	CHECK_INT(counts_of(STORE_TOKEN, SPAN("cheap")).v[0], 1);
	CHECK_INT(counts_of(STORE_TOKEN, SPAN("cheap watches")).v[0], 1);
	CHECK_INT(counts_of(STORE_TOKEN, SPAN("cheap")).v[1], 0);

	TAP_CASE("training the same message 1,000 times counts once (row 71)")
	struct sum before = sum_of_store();
	for (int i = 0; i < 1000; i++)
		if (train(mail(1, "cheap cheap watches"), BAYES_SPAM) !=
		    BAYES_KNOWN)
			CHECK(false);
	check_same(sum_of_store(), before);

	TAP_CASE("training it as the other class moves it (row 71)")
	CHECK_INT(
	    train(mail(1, "cheap cheap watches"), BAYES_HAM), BAYES_RELEARNED);
	check_corpus(0, 1);
	CHECK_INT(counts_of(STORE_TOKEN, SPAN("cheap")).v[0], 0);
	CHECK_INT(counts_of(STORE_TOKEN, SPAN("cheap")).v[1], 1);

	TAP_CASE("half spam, half ham of one message leaves one, not both")
	for (int i = 0; i < 99; i++)
		(void)train(mail(1, "cheap cheap watches"),
		    i % 2 ? BAYES_HAM : BAYES_SPAM);
	check_corpus(1, 0);
	CHECK_INT(counts_of(STORE_TOKEN, SPAN("watches")).v[0], 1);
	CHECK_INT(counts_of(STORE_TOKEN, SPAN("watches")).v[1], 0);
}

static void
test_forgetting(void)
{
	fresh_store();
	for (int i = 0; i < 10; i++)
		(void)train(mail(i, "wire transfer now"),
		    i % 2 ? BAYES_HAM : BAYES_SPAM);
	struct sum before = sum_of_store();

	TAP_CASE("forgetting takes away exactly what training added")
	CHECK_INT(
	    train(mail(50, "wire money please"), BAYES_SPAM), BAYES_LEARNED);
	CHECK(sum_of_store().n > before.n);
	CHECK_INT(train(mail(50, "wire money please"), BAYES_FORGET),
	    BAYES_FORGOTTEN);
	check_same(sum_of_store(), before);

	TAP_CASE("so it does after it was moved")
	(void)train(mail(50, "wire money please"), BAYES_HAM);
	(void)train(mail(50, "wire money please"), BAYES_SPAM);
	(void)train(mail(50, "wire money please"), BAYES_FORGET);
	check_same(sum_of_store(), before);

	TAP_CASE("forgetting twice is once")
	CHECK_INT(
	    train(mail(50, "wire money please"), BAYES_FORGET), BAYES_UNKNOWN);
	check_same(sum_of_store(), before);
}

/* What an earlier version left: a note of it, and its counts. */
static void
test_versions(void)
{
	char digest[DIGEST_SIZE];
	struct message *m = mail(1, "alpha beta");
	struct err err;

	fresh_store();
	digest_message(m, digest);
	const struct store_op ops[] = {
	    {.verb = STORE_PUT,
		.key = {STORE_TRAINED, span_make(digest, sizeof digest)},
		.value = SPAN("spam 0")},
	    {.verb = STORE_ADD,
		.key = {STORE_CORPUS, BAYES_CORPUS},
		.add = {{1, 0}}},
	};
	CHECK_INT(store_apply(store, ops, 2, NOW, CLOCK_NEVER, &err), 0);

	TAP_CASE("what an older tokeniser trained is known by its class")
	CHECK_INT(train(m, BAYES_SPAM), BAYES_KNOWN);
	TAP_CASE("of it no tokens are taken back that were never added")
	CHECK_INT(train(m, BAYES_HAM), BAYES_RELEARNED);
	check_corpus(0, 1);
	CHECK_INT(counts_of(STORE_TOKEN, SPAN("alpha")).v[0], 0);
	CHECK_INT(counts_of(STORE_TOKEN, SPAN("alpha")).v[1], 1);

	TAP_CASE("counts below zero are read as zero")
	const struct store_op below = {.verb = STORE_ADD,
	    .key = {STORE_CORPUS, BAYES_CORPUS},
	    .add = {{-5, -5}}};
	CHECK_INT(store_apply(store, &below, 1, NOW, CLOCK_NEVER, &err), 0);
	check_corpus(0, 0);
	CHECK(!judge(m, 0).trained);
}

/* --- many at once ----------------------------------------------------------------------- */

#define WORKERS 4
#define MAILS 10
#define ROUNDS 30

/* Trains all messages over and over; the number of failures. */
static void *
work(void *arg)
{
	struct arena *own = arena_new(0);
	int *failed = arg;

	for (int i = 0; i < MAILS * ROUNDS; i++) {
		struct message_options options = message_options_default();
		struct message *m = message_new(own, &options);
		struct span text = arena_printf(own,
		    "Message-ID: <%d>\n\nsame own%d\n", i % MAILS, i % MAILS);
		enum bayes_change change;
		struct err err;
		if (message_read(m, text) ||
		    bayes_train(store, m, i % 3 ? BAYES_SPAM : BAYES_HAM, NOW,
			CLOCK_NEVER, own, &change, &err))
			++*failed;
		arena_reset(own);
	}
	arena_free(own);
	return NULL;
}

static void
test_threads(void)
{
	pthread_t threads[WORKERS];
	int failed[WORKERS] = {0};
	int64_t spam, ham;
	struct err err;

	fresh_store();
	TAP_CASE("several that train the same messages count each of them once")
	for (int i = 0; i < WORKERS; i++)
		CHECK_INT(
		    pthread_create(&threads[i], NULL, work, &failed[i]), 0);
	for (int i = 0; i < WORKERS; i++) {
		CHECK_INT(pthread_join(threads[i], NULL), 0);
		CHECK_INT(failed[i], 0);
	}
	CHECK_INT(bayes_corpus(store, NOW, CLOCK_NEVER, &spam, &ham, &err), 0);
	CHECK_INT(spam + ham, MAILS);
	struct store_counts same = counts_of(STORE_TOKEN, SPAN("same"));
	CHECK_INT(same.v[0], spam);
	CHECK_INT(same.v[1], ham);
	for (int i = 0; i < MAILS; i++) {
		struct store_counts own =
		    counts_of(STORE_TOKEN, arena_printf(arena, "own%d", i));
		CHECK_INT(own.v[0] + own.v[1], 1);
	}
}

/* --- the digest ----------------------------------------------------------------------- */

static bool
same_digest(struct span a, struct span b)
{
	char x[DIGEST_SIZE], y[DIGEST_SIZE];

	digest_message(message_of(a), x);
	digest_message(message_of(b), y);
	return memcmp(x, y, sizeof x) == 0;
}

static void
test_digest(void)
{
	static const struct {
		const char *claim, *text;
		bool same;
	} cases[] = {
	    {"with CRLF",
		"From: a@example.com\r\nSubject: s\r\n\r\nbody\r\ntext\r\n",
		true},
	    {"with what delivery adds",
		"Return-Path: <a@example.com>\nReceived: by x\nX-Spam: yes\n"
		"From: a@example.com\nSubject: s\n\nbody\ntext\n",
		true},
	    {"with a marked subject",
		"From: a@example.com\nSubject: [SPAM] s\n\nbody\ntext\n", true},
	    {"from an mbox, with its empty line",
		"From x Tue Nov 24 10:00:00 2026\n"
		"From: a@example.com\nSubject: s\n\nbody\ntext\n\n",
		true},
	    {"with a field folded",
		"From:\n  a@example.com\nSubject: s\n\nbody\ntext\n", true},
	    {"another body", "From: a@example.com\nSubject: s\n\nbody\ntexts\n",
		false},
	    {"another sender",
		"From: b@example.com\nSubject: s\n\nbody\ntext\n", false},
	    {"what was in one field is in another",
		"To: a@example.com\nSubject: s\n\nbody\ntext\n", false},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		tap_case(cases[i].claim);
		CHECK(
		    same_digest(
			SPAN("From: a@example.com\nSubject: s\n\nbody\ntext\n"),
			span_of(cases[i].text)) == cases[i].same);
	}
}

/* --- judging ---------------------------------------------------------------------------- */

static void
test_judging(void)
{
	fresh_store();
	TAP_CASE("an untrained store says nothing")
	struct bayes_result r = judge(mail(0, "cheap watches"), 1);
	CHECK(!r.trained && r.n_clues == 0 && r.log_odds == 0);

	for (int i = 0; i < 5; i++)
		(void)train(mail(i, "cheap watches offer"), BAYES_SPAM);
	TAP_CASE("nor one that knows one class only, whatever is configured")
	CHECK(!judge(mail(90, "cheap watches"), 0).trained);
	for (int i = 10; i < 15; i++)
		(void)train(mail(i, "meeting minutes agenda"), BAYES_HAM);
	TAP_CASE("nor one below what is configured")
	CHECK(!judge(mail(90, "cheap watches"), 6).trained);

	TAP_CASE("what is like spam is spam, what is like ham is ham")
	r = judge(mail(90, "cheap watches offer"), 5);
	CHECK(r.trained && r.n_spam == 5 && r.n_ham == 5);
	CHECK(r.probability > 0.9 && r.log_odds > 0);
	CHECK(judge(mail(91, "meeting minutes agenda"), 5).probability < 0.1);
	TAP_CASE("clues are there, strongest first, each on its side")
	CHECK(r.n_clues > 0 && r.clues[0].probability > 0.9);
	for (size_t i = 1; i < r.n_clues; i++)
		CHECK(fabs(r.clues[i].probability - 0.5) <=
		      fabs(r.clues[i - 1].probability - 0.5));
	TAP_CASE("what was never seen is undecided")
	r = judge(message_of(SPAN("X-New: y\n\nnever seen before\n")), 5);
	CHECK(r.trained && fabs(r.probability - 0.5) < 0.2);
	TAP_CASE("judging changes nothing")
	check_corpus(5, 5);
}

static void
test_monotone(void)
{
	double last = -1;

	TAP_CASE("the more often a word was spam, the more it says so")
	for (int spam = 0; spam <= 10; spam++) {
		fresh_store();
		for (int i = 0; i < 10; i++) {
			(void)train(
			    mail(i, i < spam ? "tell" : "other"), BAYES_SPAM);
			(void)train(mail(100 + i, i >= spam ? "tell" : "other"),
			    BAYES_HAM);
		}
		double p =
		    judge(message_of(SPAN("X: y\n\ntell\n")), 1).probability;
		CHECK(p >= last);
		last = p;
	}
	CHECK(last > 0.9);

	TAP_CASE("more spam than ham does not make a word spam")
	fresh_store();
	for (int i = 0; i < 100; i++)
		(void)train(mail(i, "common"), BAYES_SPAM);
	for (int i = 0; i < 5; i++)
		(void)train(mail(200 + i, "common"), BAYES_HAM);
	CHECK(fabs(judge(mail(999, "common"), 1).probability - 0.5) < 0.1);
}

static void
test_fisher(void)
{
	struct fisher none = {0}, even = {0}, spam = {0}, ham = {0};
	double last = 0;

	TAP_CASE("no evidence and even evidence are undecided")
	CHECK(fisher_log_odds(&none) == 0);
	fisher_add(&even, 0.9);
	fisher_add(&even, 0.1);
	CHECK(fabs(fisher_log_odds(&even)) < 1e-9);

	TAP_CASE("one probability is itself, twice its weight")
	fisher_add(&spam, 0.8);
	fisher_add(&spam, 0.8);
	/* Two of weight one half: chi-square of two degrees, S = p, H = 1-p. */
	CHECK(fabs(fisher_probability(fisher_log_odds(&spam)) - 0.8) < 1e-9);

	TAP_CASE("ever more evidence gives ever more, without end")
	spam = (struct fisher){0};
	for (int i = 0; i < 400; i++) {
		fisher_add(&spam, 0.999999);
		fisher_add(&spam, 0.999999);
		double odds = fisher_log_odds(&spam);
		if (!(odds > last) || isinf(odds))
			CHECK(false);
		last = odds;
	}
	CHECK(last > 500);

	TAP_CASE("spam and ham are mirrored to the bit's noise")
	spam = (struct fisher){0};
	for (int i = 1; i < 60; i++) {
		fisher_add(&spam, (double)i / 60);
		fisher_add(&ham, 1 - (double)i / 60);
		fisher_add(&spam, 0.97);
		fisher_add(&ham, 0.03);
	}
	CHECK(fabs(fisher_log_odds(&spam) + fisher_log_odds(&ham)) <
	      1e-6 * fisher_log_odds(&spam));

	TAP_CASE("probabilities stay within 0 and 1")
	CHECK(fisher_probability(1e6) == 1);
	CHECK(fisher_probability(-1e6) == 0);
	CHECK(fisher_probability(0) == 0.5);
}

int
main(void)
{
	arena = arena_new(0);
	test_training();
	test_forgetting();
	test_versions();
	test_threads();
	test_digest();
	test_judging();
	test_monotone();
	test_fisher();
	store_close(store);
	arena_free(arena);
	return tap_done();
}
