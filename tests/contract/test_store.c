/*
 * All stores behave alike: one suite, asked of the memory, of LMDB in a folder
 * of its own and of a real redis-server on a socket there.
 */
#include <ftw.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "filter/base/clock.h"
#include "filter/store/store.h"
#include "tests/lib/tap.h"

#define LONG_MS 30000 /* for what is to be answered, however busy the machine */
#define CLAIM_MAX 160

static char scratch[64];    /* folder of this run */
static struct arena *arena; /* of this run */
static const char *backend; /* under test */
static char url[128];       /* its */
static unsigned namespaces; /* each case has its own */
static char namespace[16];
static char claim_text[CLAIM_MAX];

static void
begin(const char *claim)
{
	snprintf(claim_text, sizeof claim_text, "%s: %s", backend, claim);
	tap_case(arena_cstr(arena, span_of(claim_text)));
}

static struct store *
open_as(const char *as, bool read_only)
{
	struct store_options options = {
	    .url = span_of(url),
	    .namespace = span_of(as),
	    .folder = span_of(scratch),
	    .timeout_ms = LONG_MS,
	    .queue_max = 16 << 20,
	    .readers = 64,
	    .read_only = read_only,
	};
	struct store *store = NULL;
	struct err err = {0};

	if (!CHECK_INT(store_open(&options, &store, &err), 0)) {
		printf("# %s\n", err.text);
		exit(1);
	}
	return store;
}

static struct store *
begin_open(const char *claim)
{
	begin(claim);
	snprintf(namespace, sizeof namespace, "case%u", ++namespaces);
	return open_as(namespace, false);
}

static int64_t
soon(void)
{
	return clock_deadline(LONG_MS);
}

/* --- shorthands ------------------------------------------------------------------ */

static struct store_op
add_op(enum store_kind kind, struct span name, int64_t a, int64_t b)
{
	return (struct store_op){
	    .verb = STORE_ADD, .key = {kind, name}, .add = {{a, b}}};
}

static struct store_op
value_op(enum store_verb verb, struct span name, struct span value)
{
	return (struct store_op){
	    .verb = verb, .key = {STORE_TRAINED, name}, .value = value};
}

static int
apply(struct store *store, const struct store_op *ops, size_t n)
{
	struct err err = {0};
	int rc = store_apply(store, ops, n, clock_wall(), soon(), &err);

	if (rc && rc != ERR_LIMIT && !span_is(span_of(err.text), "check"))
		printf("# apply: %s\n", err.text);
	return rc;
}

static int
add(struct store *store, struct span name, int64_t a, int64_t b)
{
	struct store_op op = add_op(STORE_TOKEN, name, a, b);

	return apply(store, &op, 1);
}

static int
put(struct store *store, struct span name, struct span value)
{
	struct store_op op = value_op(STORE_PUT, name, value);

	return apply(store, &op, 1);
}

static struct store_counts
counts_of(struct store *store, enum store_kind kind, struct span name)
{
	struct store_key key = {kind, name};
	struct store_counts counts = {{-1, -1}};
	struct err err = {0};

	if (!CHECK_INT(store_get(store, &key, 1, clock_wall(), soon(), NULL,
			   &counts, &err),
		0))
		printf("# get: %s\n", err.text);
	return counts;
}

static void
check_counts(struct store *store, struct span name, int64_t a, int64_t b)
{
	struct store_counts counts = counts_of(store, STORE_TOKEN, name);

	CHECK_INT(counts.v[0], a);
	CHECK_INT(counts.v[1], b);
}

static struct span
value_of(struct store *store, struct span name)
{
	struct store_key key = {STORE_TRAINED, name};
	struct span value = SPAN("failed");
	struct err err = {0};

	if (!CHECK_INT(store_get_value(store, &key, clock_wall(), soon(), arena,
			   &value, &err),
		0))
		printf("# get_value: %s\n", err.text);
	return value;
}

/* --- counts and values ------------------------------------------------------------- */

static void
test_counts(void)
{
	struct store *store = begin_open("what was never written is zero");
	check_counts(store, SPAN("never"), 0, 0);
	CHECK(!value_of(store, SPAN("never")).p);

	begin("additions add up");
	CHECK_INT(add(store, SPAN("a"), 1, 0), 0);
	CHECK_INT(add(store, SPAN("a"), 2, 5), 0);
	CHECK_INT(add(store, SPAN("a"), 0, -1), 0);
	check_counts(store, SPAN("a"), 3, 4);

	begin("additions of one call to one key add up");
	struct store_op ops[] = {
	    add_op(STORE_TOKEN, SPAN("b"), 1, 0),
	    add_op(STORE_TOKEN, SPAN("b"), 1, 7),
	    add_op(STORE_TOKEN, SPAN("c"), INT64_C(1) << 60, -5),
	};
	CHECK_INT(apply(store, ops, 3), 0);
	check_counts(store, SPAN("b"), 2, 7);
	check_counts(store, SPAN("c"), INT64_C(1) << 60, -5);

	begin("what was taken away again is zero");
	CHECK_INT(add(store, SPAN("b"), -2, -7), 0);
	check_counts(store, SPAN("b"), 0, 0);
	CHECK_INT(add(store, SPAN("b"), 0, 1), 0);
	check_counts(store, SPAN("b"), 0, 1);

	begin("kinds are apart");
	check_counts(store, SPAN("a"), 3, 4);
	CHECK_INT(counts_of(store, STORE_REPUTE, SPAN("a")).v[0], 0);
	CHECK_INT(counts_of(store, STORE_CORPUS, SPAN("a")).v[0], 0);

	begin("many keys are read in their order");
	struct store_key keys[] = {{STORE_TOKEN, SPAN("c")},
	    {STORE_TOKEN, SPAN("none")}, {STORE_TOKEN, SPAN("a")},
	    {STORE_TOKEN, SPAN("a")}, {STORE_CORPUS, SPAN("")}};
	struct store_counts got[5];
	CHECK_INT(
	    store_get(store, keys, 5, clock_wall(), soon(), arena, got, NULL),
	    0);
	CHECK_INT(got[0].v[1], -5);
	CHECK_INT(got[1].v[1], 0);
	CHECK_INT(got[2].v[1], 4);
	CHECK_INT(got[3].v[0], 3);
	CHECK_INT(got[4].v[0], 0);
	store_close(store);
}

static void
test_values(void)
{
	static char every[256], most[STORE_VALUE_MAX + 1];
	struct store *store =
	    begin_open("a value is put, replaced and removed");
	CHECK_INT(put(store, SPAN("k"), SPAN("spam")), 0);
	CHECK_STR(value_of(store, SPAN("k")), "spam");
	CHECK_INT(put(store, SPAN("k"), SPAN("ham!!")), 0);
	struct span kept = value_of(store, SPAN("k"));
	CHECK_INT(put(store, SPAN("k"), SPAN_NONE), 0);
	CHECK(!value_of(store, SPAN("k")).p);
	CHECK_STR(kept, "ham!!");
	CHECK_INT(put(store, SPAN("k"), SPAN_NONE), 0);

	begin("an empty value is not none");
	CHECK_INT(put(store, SPAN("e"), SPAN("")), 0);
	struct span empty = value_of(store, SPAN("e"));
	CHECK(empty.p && empty.len == 0);

	begin("values hold any bytes, up to the limit");
	for (size_t i = 0; i < sizeof every; i++)
		every[i] = (char)i;
	for (size_t i = 0; i < sizeof most; i++)
		most[i] = (char)(i * 7);
	struct span bytes = span_make(every, sizeof every);
	struct span large = span_make(most, STORE_VALUE_MAX);
	CHECK_INT(put(store, SPAN("x"), bytes), 0);
	CHECK_SPAN(value_of(store, SPAN("x")), bytes);
	CHECK_INT(put(store, SPAN("x"), large), 0);
	CHECK_SPAN(value_of(store, SPAN("x")), large);
	CHECK_INT(
	    put(store, SPAN("x"), span_make(most, sizeof most)), ERR_LIMIT);
	CHECK_SPAN(value_of(store, SPAN("x")), large);
	store_close(store);
}

/* --- checks ------------------------------------------------------------------------- */

static void
test_checks(void)
{
	struct store *store = begin_open("a check that holds lets all be done");
	struct err err = {0};
	struct store_op first[] = {
	    value_op(STORE_CHECK, SPAN("m"), SPAN_NONE),
	    value_op(STORE_PUT, SPAN("m"), SPAN("spam")),
	    add_op(STORE_TOKEN, SPAN("t"), 1, 0),
	    add_op(STORE_CORPUS, SPAN(""), 1, 0),
	};
	CHECK_INT(apply(store, first, 4), 0);
	CHECK_STR(value_of(store, SPAN("m")), "spam");
	check_counts(store, SPAN("t"), 1, 0);

	begin("a check that fails leaves nothing done, and says so");
	CHECK_INT(store_apply(store, first, 4, clock_wall(), soon(), &err),
	    ERR_STATE);
	CHECK_STR(span_of(err.text), "check");
	check_counts(store, SPAN("t"), 1, 0);
	CHECK_INT(counts_of(store, STORE_CORPUS, SPAN("")).v[0], 1);

	begin("one failed check among good ones, behind what it guards");
	struct store_op mixed[] = {
	    add_op(STORE_TOKEN, SPAN("t"), 1, 0),
	    value_op(STORE_PUT, SPAN("n"), SPAN("new")),
	    value_op(STORE_CHECK, SPAN("m"), SPAN("spam")),
	    value_op(STORE_CHECK, SPAN("m"), SPAN("spa")),
	};
	CHECK_INT(apply(store, mixed, 4), ERR_STATE);
	check_counts(store, SPAN("t"), 1, 0);
	CHECK(!value_of(store, SPAN("n")).p);
	CHECK_INT(apply(store, mixed, 3), 0);
	CHECK_STR(value_of(store, SPAN("n")), "new");

	begin("checks look at what was before the call");
	struct store_op before[] = {
	    value_op(STORE_PUT, SPAN("m"), SPAN("ham")),
	    value_op(STORE_CHECK, SPAN("m"), SPAN("spam")),
	};
	CHECK_INT(apply(store, before, 2), 0);
	CHECK_STR(value_of(store, SPAN("m")), "ham");
	CHECK_INT(apply(store, before, 2), ERR_STATE);

	begin("an empty value is told from none by a check");
	struct store_op empty[] = {
	    value_op(STORE_CHECK, SPAN("m"), SPAN("")),
	    value_op(STORE_CHECK, SPAN("gone"), SPAN("")),
	    value_op(STORE_CHECK, SPAN("gone"), SPAN_NONE),
	};
	CHECK_INT(apply(store, &empty[0], 1), ERR_STATE);
	CHECK_INT(apply(store, &empty[1], 1), ERR_STATE);
	CHECK_INT(apply(store, &empty[2], 1), 0);
	store_close(store);
}

/* --- expiry -------------------------------------------------------------------------- */

static void
test_expiry(void)
{
	struct store *store = begin_open("what has ended is not there");
	int64_t past = clock_wall() - 10, later = clock_wall() + 1000;
	struct store_op op = add_op(STORE_TOKEN, SPAN("t"), 5, 5);
	op.expires = past;
	CHECK_INT(apply(store, &op, 1), 0);
	check_counts(store, SPAN("t"), 0, 0);
	struct store_op value = value_op(STORE_PUT, SPAN("v"), SPAN("x"));
	value.expires = past;
	CHECK_INT(apply(store, &value, 1), 0);
	CHECK(!value_of(store, SPAN("v")).p);
	struct store_op none = value_op(STORE_CHECK, SPAN("v"), SPAN_NONE);
	CHECK_INT(apply(store, &none, 1), 0);

	begin("additions to what has ended begin anew");
	op.add = (struct store_counts){{1, 2}};
	op.expires = later;
	CHECK_INT(apply(store, &op, 1), 0);
	check_counts(store, SPAN("t"), 1, 2);

	begin("an addition without an end leaves the end that is there");
	op.expires = 0;
	CHECK_INT(apply(store, &op, 1), 0);
	check_counts(store, SPAN("t"), 2, 4);
	op.expires = past;
	CHECK_INT(apply(store, &op, 1), 0);
	check_counts(store, SPAN("t"), 0, 0);

	begin("a value put anew without an end keeps its end");
	value.expires = later;
	CHECK_INT(apply(store, &value, 1), 0);
	CHECK_INT(put(store, SPAN("v"), SPAN("y")), 0);
	CHECK_STR(value_of(store, SPAN("v")), "y");
	value.expires = past;
	CHECK_INT(apply(store, &value, 1), 0);
	CHECK(!value_of(store, SPAN("v")).p);
	store_close(store);
}

static void
test_expiry_in_time(void)
{
	struct store *store = begin_open("an entry ends when its time comes");
	struct store_op ops[] = {
	    add_op(STORE_TOKEN, SPAN("t"), 5, 5),
	    value_op(STORE_PUT, SPAN("v"), SPAN("x")),
	    add_op(STORE_TOKEN, SPAN("stays"), 1, 1),
	};
	int64_t end = clock_wall() + 2;
	ops[0].expires = ops[1].expires = end;
	CHECK_INT(apply(store, ops, 3), 0);
	/* Counted from its own clock by a server: a little later is enough. */
	while (clock_wall() <= end)
		poll(NULL, 0, 50);
	check_counts(store, SPAN("t"), 0, 0);
	check_counts(store, SPAN("stays"), 1, 1);
	CHECK(!value_of(store, SPAN("v")).p);
	store_close(store);
}

/* --- names (row 63 of hostile inputs) ------------------------------------------------- */

static struct span
repeat(char c, size_t n)
{
	char *p = arena_alloc(arena, n);

	memset(p, c, n);
	return span_make(p, n);
}

static struct span
joined(struct span a, struct span b)
{
	char *p = arena_alloc(arena, a.len + b.len);

	memcpy(p, a.p, a.len);
	memcpy(p + a.len, b.p, b.len);
	return span_make(p, a.len + b.len);
}

struct collected {
	unsigned n, with_name;
	struct span name;
	int64_t sum;
};

static bool
collect(void *arg, const struct store_entry *entry)
{
	struct collected *c = arg;

	c->n++;
	c->sum += entry->counts.v[0] + (int64_t)entry->value.len;
	if (span_eq(entry->name, c->name))
		c->with_name++;
	return true;
}

static struct collected
each(struct store *store, enum store_kind kind, struct span prefix,
    struct span name)
{
	struct collected c = {.name = name};
	struct err err = {0};

	if (!CHECK_INT(store_each(store, kind, prefix, clock_wall(), soon(),
			   collect, &c, &err),
		0))
		printf("# each: %s\n", err.text);
	return c;
}

static void
test_names(void)
{
	struct span names[] = {SPAN(""), SPAN(" "), SPAN("a b"), SPAN("\0"),
	    SPAN("\0\0"), SPAN("a\0b"), SPAN("a\0"), SPAN("a"),
	    SPAN("a\r\nDEL x\r\n"), SPAN("*3\r\n$3\r\nSET\r\n"), SPAN("*"),
	    SPAN("?"), SPAN("[a-z]"), SPAN("\\"), SPAN("\""), SPAN("{x}"),
	    SPAN("%s%n"), SPAN("\x80\xff\xfe"), SPAN("../../etc/passwd"),
	    SPAN("\xf0\x9f\x92\xa9"), repeat('n', 127), repeat('n', 128),
	    repeat('n', 129), repeat('n', 130), repeat('n', 1000),
	    repeat('n', 1 << 20), joined(repeat('n', 1 << 20), SPAN("x")),
	    joined(repeat('n', 200), SPAN("\r\nDEL")),
	    joined(repeat('n', 200), SPAN("\0"))};
	size_t n = sizeof names / sizeof *names;
	struct store *store =
	    begin_open("names hold any bytes and never meet each other");

	for (size_t i = 0; i < n; i++) {
		CHECK_INT(add(store, names[i], (int64_t)i + 1, 1), 0);
		CHECK_INT(
		    put(store, names[i],
			names[i].len < 99 ? names[i] : span_head(names[i], i)),
		    0);
	}
	for (size_t i = 0; i < n; i++) {
		check_counts(store, names[i], (int64_t)i + 1, 1);
		CHECK_SPAN(value_of(store, names[i]),
		    names[i].len < 99 ? names[i] : span_head(names[i], i));
	}

	begin("each gives names as they were, up to the limit");
	for (size_t i = 0; i < n; i++)
		if (names[i].len <= STORE_NAME_MAX)
			CHECK_INT(each(store, STORE_TOKEN, SPAN_NONE, names[i])
				      .with_name,
			    1);
	CHECK_INT(each(store, STORE_TOKEN, SPAN_NONE, SPAN("x")).n, n);
	store_close(store);
}

/* --- each ----------------------------------------------------------------------------- */

static bool
stop_at_two(void *arg, const struct store_entry *entry)
{
	unsigned *n = arg;

	(void)entry;
	return ++*n < 2;
}

static void
test_each(void)
{
	static const struct {
		struct span prefix;
		unsigned n;
	} cases[] = {{SPAN(""), 9}, {SPAN("a"), 4}, {SPAN("ab"), 3},
	    {SPAN("abc"), 1}, {SPAN("abcd"), 0}, {SPAN("*"), 1}, {SPAN("["), 1},
	    {SPAN("?"), 0}, {SPAN("z\0"), 2}, {SPAN("\\"), 1}, {SPAN("z"), 2}};
	struct span names[] = {SPAN("a"), SPAN("ab"), SPAN("ab*"), SPAN("abc"),
	    SPAN("*"), SPAN("[a]"), SPAN("\\"), SPAN("z\0a"), SPAN("z\0")};
	struct store *store = begin_open("each finds what begins so");
	struct store_op op;

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		CHECK_INT(add(store, names[i], 1, 0), 0);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		CHECK_INT(
		    each(store, STORE_TOKEN, cases[i].prefix, SPAN("x")).n,
		    cases[i].n);

	begin("each keeps to its kind, and to values and counts");
	op = add_op(STORE_REPUTE, SPAN("ab"), 40, 0);
	CHECK_INT(apply(store, &op, 1), 0);
	CHECK_INT(put(store, SPAN("ab"), SPAN("12345")), 0);
	CHECK_INT(each(store, STORE_TOKEN, SPAN("ab"), SPAN("x")).sum, 3);
	CHECK_INT(each(store, STORE_REPUTE, SPAN("ab"), SPAN("x")).sum, 40);
	CHECK_INT(each(store, STORE_TRAINED, SPAN("ab"), SPAN("ab")).sum, 5);
	CHECK_INT(each(store, STORE_CORPUS, SPAN(""), SPAN("x")).n, 0);

	begin("each passes over what has ended and what is zero");
	op = add_op(STORE_TOKEN, SPAN("ab"), 1, 0);
	op.expires = clock_wall() - 5;
	CHECK_INT(apply(store, &op, 1), 0);
	CHECK_INT(add(store, SPAN("abc"), -1, 0), 0);
	CHECK_INT(each(store, STORE_TOKEN, SPAN("ab"), SPAN("ab*")).n, 1);

	begin("each ends when it is told to");
	unsigned n = 0;
	CHECK_INT(store_each(store, STORE_TOKEN, SPAN(""), clock_wall(), soon(),
		      stop_at_two, &n, NULL),
	    0);
	CHECK_INT(n, 2);
	store_close(store);
}

/* --- many ----------------------------------------------------------------------------- */

static void
test_limits(void)
{
	static struct store_op ops[STORE_OPS_MAX + 1];
	static struct store_key keys[STORE_OPS_MAX + 1];
	static struct store_counts got[STORE_OPS_MAX + 1];
	static char names[STORE_OPS_MAX + 1][8];
	struct store *store = begin_open("a call takes as many as the limit");
	int64_t wrong = 0;

	for (size_t i = 0; i < STORE_OPS_MAX + 1; i++) {
		int len = snprintf(names[i], sizeof names[i], "%zu", i);
		keys[i] = (struct store_key){
		    STORE_TOKEN, span_make(names[i], (size_t)len)};
		ops[i] =
		    add_op(STORE_TOKEN, keys[i].name, (int64_t)i, -(int64_t)i);
	}
	CHECK_INT(apply(store, ops, STORE_OPS_MAX), 0);
	CHECK_INT(store_get(store, keys, STORE_OPS_MAX, clock_wall(), soon(),
		      NULL, got, NULL),
	    0);
	for (size_t i = 0; i < STORE_OPS_MAX; i++)
		wrong +=
		    got[i].v[0] != (int64_t)i || got[i].v[1] != -(int64_t)i;
	CHECK_INT(wrong, 0);

	begin("and no more");
	CHECK_INT(store_apply(store, ops, STORE_OPS_MAX + 1, clock_wall(),
		      soon(), NULL),
	    ERR_LIMIT);
	CHECK_INT(store_get(store, keys, STORE_OPS_MAX + 1, clock_wall(),
		      soon(), NULL, got, NULL),
	    ERR_LIMIT);
	check_counts(store, SPAN("1"), 1, -1);

	begin("a call of nothing does nothing");
	CHECK_INT(apply(store, NULL, 0), 0);
	CHECK_INT(store_get(store, NULL, 0, 0, soon(), NULL, NULL, NULL), 0);
	store_close(store);
}

#define THREADS 8
#define LATER 400 /* of each thread */
#define NOW 20
#define SHARED 10 /* keys */

struct adder {
	pthread_t thread;
	struct store *store;
	unsigned number, failed, wins;
};

static const char *const shared[SHARED] = {
    "k0", "k1", "k2", "k3", "k4", "k5", "k6", "k7", "k8", "k9"};

static void *
add_much(void *arg)
{
	struct adder *a = arg;
	struct store_counts counts[SHARED];
	struct store_key keys[SHARED];
	struct store_op ops[SHARED];

	for (size_t i = 0; i < SHARED; i++) {
		ops[i] = add_op(STORE_TOKEN, span_of(shared[i]), 1, 2);
		keys[i] = ops[i].key;
	}
	for (unsigned i = 0; i < LATER; i++) {
		store_later(a->store, &ops[(i + a->number) % SHARED], 1);
		a->failed += store_get(a->store, keys, SHARED, 0, soon(), NULL,
				 counts, NULL) != 0;
	}
	for (unsigned i = 0; i < NOW; i++)
		a->failed +=
		    store_apply(a->store, ops, SHARED, 0, soon(), NULL) != 0;
	return NULL;
}

/* All want to be the first for each of some names. */
static void *
race(void *arg)
{
	struct adder *a = arg;

	for (size_t i = 0; i < SHARED; i++) {
		struct store_op ops[] = {
		    value_op(STORE_CHECK, span_of(shared[i]), SPAN_NONE),
		    value_op(STORE_PUT, span_of(shared[i]), SPAN("won")),
		    add_op(STORE_CORPUS, span_of(shared[i]), 1, 0),
		};
		int rc = store_apply(a->store, ops, 3, 0, soon(), NULL);
		a->wins += rc == 0;
		a->failed += rc != 0 && rc != ERR_STATE;
	}
	return NULL;
}

#define WATCHED 60
static _Atomic int64_t acknowledged;

/* The first adds, the others look that they are never behind. */
static void *
watch(void *arg)
{
	struct adder *a = arg;
	struct store_op op = add_op(STORE_TOKEN, SPAN("watched"), 1, 1);
	struct store_counts counts;

	if (a->number == 0) {
		for (int64_t i = 1; i <= WATCHED; i++) {
			a->failed +=
			    store_apply(a->store, &op, 1, 0, soon(), NULL) != 0;
			atomic_store(&acknowledged, i);
		}
		return NULL;
	}
	for (int64_t seen = 0; seen < WATCHED;) {
		seen = atomic_load(&acknowledged);
		a->failed += store_get(a->store, &op.key, 1, 0, soon(), NULL,
				 &counts, NULL) != 0 ||
			     counts.v[0] < seen || counts.v[1] != counts.v[0];
	}
	return NULL;
}

static void
run_threads(struct store *store, void *(*run)(void *), struct adder *adders)
{
	for (unsigned i = 0; i < THREADS; i++) {
		adders[i] = (struct adder){.store = store, .number = i};
		if (pthread_create(&adders[i].thread, NULL, run, &adders[i]))
			abort();
	}
	for (unsigned i = 0; i < THREADS; i++) {
		pthread_join(adders[i].thread, NULL);
		CHECK_INT(adders[i].failed, 0);
	}
}

static void
test_threads(void)
{
	struct store *store =
	    begin_open("many threads that add at once add up exactly");
	struct adder adders[THREADS];
	unsigned wins = 0;

	run_threads(store, add_much, adders);
	CHECK_INT(store_flush(store, soon()), 0);
	for (size_t i = 0; i < SHARED; i++)
		check_counts(store, span_of(shared[i]),
		    THREADS * (LATER / SHARED + NOW),
		    2 * THREADS * (LATER / SHARED + NOW));

	begin("of many threads that check and put, one wins");
	run_threads(store, race, adders);
	for (unsigned i = 0; i < THREADS; i++)
		wins += adders[i].wins;
	CHECK_INT(wins, SHARED);
	for (size_t i = 0; i < SHARED; i++)
		CHECK_INT(
		    counts_of(store, STORE_CORPUS, span_of(shared[i])).v[0], 1);

	begin("what was acknowledged is seen by all who read after it");
	atomic_store(&acknowledged, 0);
	run_threads(store, watch, adders);
	CHECK_INT(atomic_load(&acknowledged), WATCHED);

	begin("nothing was dropped, and the status counts it");
	struct store_status status;
	store_status(store, &status);
	CHECK_STR(span_of(status.backend), backend);
	CHECK(status.open);
	CHECK_INT(status.dropped, 0);
	CHECK_INT(status.errors, 0);
	CHECK_INT(status.queued_bytes, 0);
	CHECK(status.writes >= THREADS * (LATER + NOW * SHARED));
	CHECK_STR(span_of(status.problem), "");
	store_close(store);
}

/* --- more than one opening --------------------------------------------------------------- */

static void
test_namespaces(void)
{
	begin("namespaces are apart, also when one begins with the other");
	struct store *store = open_as("site", false);
	CHECK_INT(add(store, SPAN("x"), 1, 0), 0);
	CHECK_INT(put(store, SPAN("x"), SPAN("one")), 0);
	store_close(store);
	store = open_as("sit", false);
	CHECK_INT(each(store, STORE_TOKEN, SPAN_NONE, SPAN("x")).n, 0);
	CHECK_INT(add(store, SPAN("x"), 2, 0), 0);
	store_close(store);
	store = open_as("sites", false);
	check_counts(store, SPAN("x"), 0, 0);
	CHECK(!value_of(store, SPAN("x")).p);
	store_close(store);
	store = open_as("site", false);
	check_counts(store, SPAN("x"), 1, 0);
	store_close(store);
}

static void
test_reopening(void)
{
	struct store *store = begin_open("what was written outlives closing");
	struct store_op op = add_op(STORE_TOKEN, SPAN("later"), 3, 4);
	struct store_status status;

	CHECK_INT(add(store, SPAN("a"), 1, 2), 0);
	CHECK_INT(put(store, SPAN("v"), SPAN("x")), 0);
	store_close(store);
	store = open_as(namespace, false);
	check_counts(store, SPAN("a"), 1, 2);
	CHECK_STR(value_of(store, SPAN("v")), "x");

	begin("what was queued is written by closing");
	for (unsigned i = 0; i < 1000; i++)
		store_later(store, &op, 1);
	store_close(store);
	store = open_as(namespace, true);
	check_counts(store, SPAN("later"), 3000, 4000);

	begin("a read-only store reads, and writes nothing");
	check_counts(store, SPAN("a"), 1, 2);
	CHECK_INT(store_apply(store, &op, 1, 0, soon(), NULL), ERR_ACCESS);
	store_later(store, &op, 1);
	CHECK_INT(store_flush(store, soon()), 0);
	check_counts(store, SPAN("later"), 3000, 4000);
	store_status(store, &status);
	CHECK_INT(status.dropped, 1);
	CHECK(store_beat(store) == CLOCK_NEVER);
	store_close(store);
}

static void
suite(const char *name, const char *where)
{
	backend = name;
	snprintf(url, sizeof url, "%s", where);
	test_counts();
	test_values();
	test_checks();
	test_expiry();
	test_expiry_in_time();
	test_names();
	test_each();
	test_limits();
	test_threads();
	if (span_is(span_of(name), "memory"))
		return;
	test_namespaces();
	test_reopening();
}

/* --- a server --------------------------------------------------------------------------- */

static bool
answers(const char *path)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(to.sun_path, sizeof to.sun_path, "%s", path);
	bool good =
	    fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to) == 0;
	if (fd >= 0)
		close(fd);
	return good;
}

/* The server's process, or -1 when none is installed. */
static pid_t
start_redis(const char *path)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		if (!freopen("/dev/null", "w", stdout))
			_exit(127);
		execlp("redis-server", "redis-server", "--port", "0",
		    "--unixsocket", path, "--save", "", "--appendonly", "no",
		    "--dir", scratch, (char *)NULL);
		_exit(127);
	}
	int64_t until = soon();
	while (pid > 0 && !answers(path)) {
		if (waitpid(pid, &status, WNOHANG) == pid ||
		    clock_left(until) == 0)
			return -1;
		poll(NULL, 0, 20);
	}
	return pid;
}

static void
suite_redis(void)
{
	char path[96], where[128];

	snprintf(path, sizeof path, "%s/redis", scratch);
	snprintf(where, sizeof where, "redis+unix:%s?3", path);
	pid_t pid = start_redis(path);
	if (pid < 0) {
		tap_skip("redis: all", "no redis-server");
		return;
	}
	suite("redis", where);
	kill(pid, SIGTERM);
	waitpid(pid, NULL, 0);
}

/* --- the run ----------------------------------------------------------------------------- */

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *place)
{
	(void)st;
	(void)type;
	(void)place;
	return remove(path);
}

int
main(void)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(
	    scratch, sizeof scratch, "%.40s/assay-XXXXXX", tmp ? tmp : "/tmp");
	arena = arena_new(0);
	if (!arena || !mkdtemp(scratch))
		return 1;
	suite("memory", "memory:");
	suite("lmdb", "lmdb:");
	suite_redis();
	nftw(scratch, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	arena_free(arena);
	return tap_done();
}
