/*
 * The Redis backend against a mock server that answers what no real one would:
 * junk, halves, floods, silence, refusals. That it works with a real one is
 * shown by tests/contract/test_store.c and tests/milter/test_redis.py.
 */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "filter/base/clock.h"
#include "filter/store/backend.h"
#include "tests/lib/fake_redis.h"
#include "tests/lib/tap.h"

#define SHORT_MS 150  /* for calls that are to run into their deadline */
#define LONG_MS 10000 /* for all others */
#define SLACK_MS 1000 /* what a loaded machine may add */
#define GROWTH_MAX (64 * 1024) /* KiB; 512 MB would show */

#define NONE "*3\r\n$-1\r\n$-1\r\n$-1\r\n"
#define COUNTS "*3\r\n$-1\r\n$1\r\n3\r\n$2\r\n-4\r\n"
#define NO_VALUE "*2\r\n$-1\r\n$-1\r\n"
#define SECRET "hunter2"

static const int64_t now = 1000000;

static struct store_backend *
open_at(const char *url_text, const char *password_file)
{
	struct store_options options = {.password_file = password_file};
	struct store_backend *backend = NULL;
	struct store_url url;
	struct err err;

	if (store_url_parse(span_of(url_text), &url, &err) ||
	    store_open_redis(&options, &url, &backend, &err)) {
		printf("# %s: %s\n", url_text, err.text);
		abort();
	}
	return backend;
}

static struct store_backend *
open_fake(struct fake_redis *fake, const char *user, const char *db,
    const char *password_file)
{
	char url[128];

	snprintf(
	    url, sizeof url, "redis://%s127.0.0.1:%u%s", user, fake->port, db);
	return open_at(url, password_file);
}

/* A server that answers the first command with `step`. */
static struct store_backend *
start(struct fake_redis *fake, struct fake_step step)
{
	const struct fake_step steps[] = {step, {0}};

	*fake = (struct fake_redis){0};
	fake_redis_script(fake, steps);
	fake_redis_start(fake, NULL);
	return open_fake(fake, "", "", NULL);
}

static void
stop(struct fake_redis *fake, struct store_backend *backend)
{
	backend->class->close(backend);
	fake_redis_stop(fake);
}

static int
get_one(struct store_backend *backend, int64_t ms, struct store_counts *ret,
    struct err *err)
{
	struct span key = SPAN("n\0s\0" SECRET);

	return backend->class->get(
	    backend, &key, 1, now, clock_deadline(ms), ret, err);
}

/* --- hostile replies ---------------------------------------------------------- */

struct hostile {
	const char *claim;
	struct span bytes;
	enum fake_then then;
	int want;
};

#define H(claim, bytes, then, want)                                            \
	{                                                                      \
		claim, SPAN(bytes), then, want                                 \
	}

static const struct hostile hostile_counts[] = {
    H("an error", "-ERR with args beginning with: " SECRET "\r\n", FAKE_GO_ON,
	ERR_INVALID),
    H("a wrong type", "-WRONGTYPE Operation against a key " SECRET "\r\n",
	FAKE_GO_ON, ERR_INVALID),
    H("an error that looks like a code", "-" SECRET "\r\n", FAKE_GO_ON,
	ERR_INVALID),
    H("no password", "-NOAUTH Authentication required.\r\n", FAKE_GO_ON,
	ERR_ACCESS),
    H("loading", "-LOADING Redis is loading\r\n", FAKE_GO_ON, ERR_STATE),
    H("too many clients, and the end", "-ERR max number of clients reached\r\n",
	FAKE_HANG_UP, ERR_STATE),
    H("nil", "$-1\r\n", FAKE_GO_ON, ERR_SYNTAX),
    H("a nil array", "*-1\r\n", FAKE_GO_ON, ERR_SYNTAX),
    H("a status", "+OK\r\n", FAKE_GO_ON, ERR_SYNTAX),
    H("an integer", ":3\r\n", FAKE_GO_ON, ERR_SYNTAX),
    H("too few fields", "*2\r\n$-1\r\n$-1\r\n", FAKE_GO_ON, ERR_SYNTAX),
    H("no field", "*0\r\n", FAKE_GO_ON, ERR_SYNTAX),
    H("too many fields", "*4\r\n$-1\r\n$-1\r\n$-1\r\n$-1\r\n", FAKE_GO_ON,
	ERR_LIMIT),
    H("integers as fields", "*3\r\n:1\r\n:1\r\n:1\r\n", FAKE_GO_ON, ERR_SYNTAX),
    H("an array as a field", "*3\r\n*1\r\n:1\r\n$-1\r\n$-1\r\n", FAKE_GO_ON,
	ERR_LIMIT),
    H("deep nesting", "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n",
	FAKE_GO_ON, ERR_LIMIT),
    H("a count that is no number", "*3\r\n$-1\r\n$1\r\nx\r\n$-1\r\n",
	FAKE_GO_ON, ERR_INVALID),
    H("a count past 64 bits",
	"*3\r\n$-1\r\n$20\r\n99999999999999999999\r\n$-1\r\n", FAKE_GO_ON,
	ERR_INVALID),
    H("an empty count", "*3\r\n$-1\r\n$0\r\n\r\n$-1\r\n", FAKE_GO_ON,
	ERR_INVALID),
    H("half a reply, and the end", "*3\r\n$-1\r\n$1", FAKE_HANG_UP, ERR_IO),
    H("half a reply, and silence", "*3\r\n$-1\r\n$1", FAKE_GO_ON, ERR_TIMEOUT),
    H("silence", "", FAKE_GO_ON, ERR_TIMEOUT),
    H("the end", "", FAKE_HANG_UP, ERR_IO),
    H("an array of a billion", "*1000000000\r\n:1\r\n", FAKE_FLOOD, ERR_LIMIT),
    H("an array of 2^31 - 1", "*2147483647\r\n", FAKE_FLOOD, ERR_LIMIT),
    H("an array of 2^64", "*18446744073709551616\r\n", FAKE_GO_ON, ERR_SYNTAX),
    H("a string of 512 MB", "*3\r\n$536870912\r\n", FAKE_FLOOD, ERR_LIMIT),
    H("a string of 2^63 - 1", "*3\r\n$9223372036854775807\r\n", FAKE_FLOOD,
	ERR_LIMIT),
    H("a line without an end", "+", FAKE_FLOOD, ERR_LIMIT),
    H("a negative length", "*3\r\n$-2\r\n", FAKE_GO_ON, ERR_SYNTAX),
    H("a push of the newer protocol", ">2\r\n+message\r\n+x\r\n" NONE,
	FAKE_GO_ON, ERR_SYNTAX),
    H("one reply too many", COUNTS "+OK\r\n", FAKE_GO_ON, ERR_SYNTAX),
    H("half a reply too many", COUNTS "$", FAKE_GO_ON, ERR_SYNTAX),
    H("another protocol", "HTTP/1.1 400 Bad Request\r\n\r\n", FAKE_GO_ON,
	ERR_SYNTAX),
    H("NUL bytes", "\0\0\0\0", FAKE_GO_ON, ERR_SYNTAX),
    H("an empty line", "\r\n", FAKE_GO_ON, ERR_SYNTAX),
};

static long
memory_most(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_maxrss;
}

static void
check_hostile(const struct hostile *h)
{
	struct fake_redis fake;
	struct store_backend *backend =
	    start(&fake, (struct fake_step){1, h->bytes, h->then});
	struct store_counts counts = {{7, 7}};
	struct err err = {0};
	char claim[128];
	bool waits = h->want == ERR_TIMEOUT;
	int64_t begin = clock_mono_ms();

	snprintf(claim, sizeof claim, "instead of counts: %s", h->claim);
	tap_case(claim);
	int rc = get_one(backend, waits ? SHORT_MS : LONG_MS, &counts, &err);
	CHECK_INT(rc, h->want);
	CHECK_INT(err.code, h->want);
	CHECK(err.text[0] != '\0');
	CHECK(strstr(err.text, SECRET) == NULL);
	CHECK(strchr(err.text, '\r') == NULL);
	CHECK(
	    clock_mono_ms() - begin < (waits ? SHORT_MS : LONG_MS) + SLACK_MS);
	stop(&fake, backend);
}

static void
test_hostile(void)
{
	long before = memory_most();

	for (size_t i = 0; i < sizeof hostile_counts / sizeof *hostile_counts;
	     i++)
		check_hostile(&hostile_counts[i]);
	TAP_CASE("none of them cost memory")
	CHECK(memory_most() - before < GROWTH_MAX);
}

static void
test_good(void)
{
	struct fake_redis fake;
	struct store_backend *backend;
	struct store_counts counts;
	struct err err;

	TAP_CASE("counts come as they are, also byte by byte")
	static const enum fake_then how[] = {FAKE_GO_ON, FAKE_DRIBBLE};
	for (size_t i = 0; i < 2; i++) {
		backend =
		    start(&fake, (struct fake_step){1, SPAN(COUNTS), how[i]});
		CHECK_INT(get_one(backend, LONG_MS, &counts, &err), 0);
		CHECK_INT(counts.v[0], 3);
		CHECK_INT(counts.v[1], -4);
		stop(&fake, backend);
	}

	TAP_CASE("what has ended is not there, whatever the server thinks")
	backend = start(
	    &fake, (struct fake_step){1,
		       SPAN("*3\r\n$7\r\n1000000\r\n$1\r\n3\r\n$1\r\n4\r\n"),
		       FAKE_GO_ON});
	CHECK_INT(get_one(backend, LONG_MS, &counts, &err), 0);
	CHECK_INT(counts.v[0], 0);
	CHECK_INT(counts.v[1], 0);
	stop(&fake, backend);

	TAP_CASE("a key is one word on the wire, whatever its bytes")
	struct span key = SPAN("a b\r\nFLUSHALL\r\n\0*1\r\n$1\r\nx");
	backend = start(&fake, (struct fake_step){1, SPAN(NONE), FAKE_GO_ON});
	CHECK_INT(backend->class->get(backend, &key, 1, now,
		      clock_deadline(LONG_MS), &counts, &err),
	    0);
	CHECK_SPAN(fake_redis_received(&fake),
	    SPAN("*5\r\n$5\r\nHMGET\r\n$25\r\n"
		 "a b\r\nFLUSHALL\r\n\0*1\r\n$1\r\nx"
		 "\r\n$1\r\ne\r\n$1\r\na\r\n$1\r\nb\r\n"));
	stop(&fake, backend);
}

/* --- values ------------------------------------------------------------------------ */

static const struct hostile hostile_values[] = {
    H("nil", "$-1\r\n", FAKE_GO_ON, ERR_SYNTAX),
    H("an error", "-WRONGTYPE x\r\n", FAKE_GO_ON, ERR_INVALID),
    H("an integer", "*2\r\n$-1\r\n:5\r\n", FAKE_GO_ON, ERR_SYNTAX),
    H("a time that is no number", "*2\r\n$1\r\nx\r\n$1\r\nv\r\n", FAKE_GO_ON,
	ERR_INVALID),
    H("512 MB", "*2\r\n$-1\r\n$536870912\r\n", FAKE_FLOOD, ERR_LIMIT),
};

static int
get_value(struct store_backend *backend, struct arena *arena, struct span *ret,
    struct err *err)
{
	return backend->class->get_value(
	    backend, SPAN("k"), now, clock_deadline(LONG_MS), arena, ret, err);
}

static void
test_value(void)
{
	struct arena *arena = arena_new(0);
	struct fake_redis fake;
	struct store_backend *backend;
	struct span value = SPAN("before");
	struct err err;
	char claim[128];

	for (size_t i = 0; i < sizeof hostile_values / sizeof *hostile_values;
	     i++) {
		const struct hostile *h = &hostile_values[i];
		snprintf(
		    claim, sizeof claim, "instead of a value: %s", h->claim);
		tap_case(claim);
		backend =
		    start(&fake, (struct fake_step){1, h->bytes, h->then});
		CHECK_INT(get_value(backend, arena, &value, &err), h->want);
		CHECK_STR(value, "before");
		stop(&fake, backend);
	}

	TAP_CASE("an empty value is there, a missing one is not")
	backend = start(&fake,
	    (struct fake_step){1, SPAN("*2\r\n$-1\r\n$0\r\n\r\n"), FAKE_GO_ON});
	CHECK_INT(get_value(backend, arena, &value, &err), 0);
	CHECK(value.p != NULL && value.len == 0);
	stop(&fake, backend);
	backend =
	    start(&fake, (struct fake_step){1, SPAN(NO_VALUE), FAKE_GO_ON});
	CHECK_INT(get_value(backend, arena, &value, &err), 0);
	CHECK(value.p == NULL);
	stop(&fake, backend);
	arena_free(arena);
}

/* --- each --------------------------------------------------------------------------- */

static bool
count_entry(void *arg, struct span key, const struct store_entry *entry)
{
	(void)key;
	*(int64_t *)arg += entry->counts.v[0];
	return true;
}

static int
each(struct store_backend *backend, int64_t ms, int64_t *ret_sum,
    struct err *err)
{
	*ret_sum = 0;
	return backend->class->each(backend, SPAN("p*"), true, now,
	    clock_deadline(ms), count_entry, ret_sum, err);
}

static const struct hostile hostile_scans[] = {
    H("no array", "+OK\r\n", FAKE_GO_ON, ERR_SYNTAX),
    H("no keys", "*1\r\n$1\r\n0\r\n", FAKE_GO_ON, ERR_SYNTAX),
    H("no cursor", "*2\r\n*0\r\n*0\r\n", FAKE_GO_ON, ERR_SYNTAX),
    H("a cursor with other bytes", "*2\r\n$3\r\n1\r\n\r\n*0\r\n", FAKE_GO_ON,
	ERR_SYNTAX),
    H("a cursor past 64 bits", "*2\r\n$20\r\n99999999999999999999\r\n*0\r\n",
	FAKE_GO_ON, ERR_SYNTAX),
    H("integers as keys", "*2\r\n$1\r\n0\r\n*1\r\n:1\r\n", FAKE_GO_ON,
	ERR_SYNTAX),
    H("a million keys", "*2\r\n$1\r\n0\r\n*1000000\r\n", FAKE_FLOOD, ERR_LIMIT),
    H("a key of 512 MB", "*2\r\n$1\r\n0\r\n*1\r\n$536870912\r\n", FAKE_FLOOD,
	ERR_LIMIT),
};

static void
test_each(void)
{
	struct fake_redis fake;
	struct store_backend *backend;
	struct err err;
	char claim[128];
	int64_t sum;

	for (size_t i = 0; i < sizeof hostile_scans / sizeof *hostile_scans;
	     i++) {
		const struct hostile *h = &hostile_scans[i];
		snprintf(claim, sizeof claim, "instead of keys: %s", h->claim);
		tap_case(claim);
		backend =
		    start(&fake, (struct fake_step){1, h->bytes, h->then});
		CHECK_INT(each(backend, LONG_MS, &sum, &err), h->want);
		stop(&fake, backend);
	}

	TAP_CASE("keys that were not asked for are left out")
	const struct fake_step steps[] = {
	    {1,
		SPAN("*2\r\n$1\r\n0\r\n*3\r\n$1\r\nq\r\n$3\r\np*a\r\n"
		     "$3\r\npxa\r\n"),
		FAKE_GO_ON},
	    {2, SPAN(COUNTS), FAKE_GO_ON}, {0}};
	fake = (struct fake_redis){0};
	fake_redis_script(&fake, steps);
	fake_redis_start(&fake, NULL);
	backend = open_fake(&fake, "", "", NULL);
	CHECK_INT(each(backend, LONG_MS, &sum, &err), 0);
	CHECK_INT(sum, 3);
	CHECK_INT(fake_redis_commands(&fake), 2);
	TAP_CASE("the prefix is no pattern")
	CHECK(span_find(fake_redis_received(&fake),
		  SPAN("MATCH\r\n$4\r\np\\**\r\n"), 0) != SPAN_NPOS);
	stop(&fake, backend);

	TAP_CASE("a cursor that never ends is left at the deadline")
	backend = start(&fake,
	    (struct fake_step){1, SPAN("*2\r\n$1\r\n7\r\n*0\r\n"), FAKE_GO_ON});
	CHECK_INT(each(backend, SHORT_MS, &sum, &err), ERR_TIMEOUT);
	stop(&fake, backend);
}

/* --- apply --------------------------------------------------------------------------- */

/* Two counts and an end: MULTI, four commands, EXEC. */
static const struct store_write add_both = {
    .verb = STORE_ADD, .key = {"k", 1}, .add = {{1, 2}}, .expires = 2000000};
static const struct store_write add_one = {
    .verb = STORE_ADD, .key = {"k", 1}, .add = {{1, 0}}};
static const struct store_write guarded[] = {
    {.verb = STORE_CHECK, .key = {"t", 1}, .value = {"old", 3}},
    {.verb = STORE_PUT, .key = {"t", 1}, .value = {"new", 3}},
};

#define QUEUED_4 "+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n"
#define WATCHED "+OK\r\n*2\r\n$-1\r\n$3\r\nold\r\n"
#define CHANGED "+OK\r\n*2\r\n$-1\r\n$3\r\nnew\r\n"

struct applied {
	const char *claim;
	const struct store_write *writes;
	size_t n;
	struct fake_step steps[FAKE_STEPS_MAX];
	int want;
	size_t commands; /* that came in */
};

static const struct applied applies[] = {
    {"a transaction that is done", &add_both, 1,
	{{6, SPAN("+OK\r\n" QUEUED_4 "*4\r\n:1\r\n:2\r\n:1\r\n:1\r\n"),
	    FAKE_GO_ON}},
	0, 6},
    {"one command needs no transaction", &add_one, 1,
	{{1, SPAN(":1\r\n"), FAKE_GO_ON}}, 0, 1},
    {"one command refused for now", &add_one, 1,
	{{1, SPAN("-OOM command not allowed\r\n"), FAKE_GO_ON}}, ERR_STATE, 1},
    {"a replica", &add_one, 1,
	{{1, SPAN("-READONLY You can't write\r\n"), FAKE_GO_ON}}, ERR_STATE, 1},
    {"a transaction refused for now", &add_both, 1,
	{{6,
	    SPAN("+OK\r\n-OOM x\r\n-OOM x\r\n-OOM x\r\n-OOM x\r\n"
		 "-EXECABORT x\r\n"),
	    FAKE_GO_ON}},
	ERR_STATE, 6},
    {"no right to write", &add_both, 1,
	{{6,
	    SPAN("+OK\r\n-NOPERM x\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n"
		 "-EXECABORT x\r\n"),
	    FAKE_GO_ON}},
	ERR_ACCESS, 6},
    {"sent, and the end: nobody knows", &add_both, 1,
	{{6, SPAN(""), FAKE_HANG_UP}}, ERR_IO, 6},
    {"queued, and the end: nobody knows", &add_both, 1,
	{{6, SPAN("+OK\r\n" QUEUED_4), FAKE_HANG_UP}}, ERR_IO, 6},
    {"sent, and silence: nobody knows", &add_both, 1,
	{{6, SPAN("+OK\r\n"), FAKE_GO_ON}}, ERR_TIMEOUT, 6},
    {"junk instead of EXEC's answer: nobody knows", &add_both, 1,
	{{6, SPAN("+OK\r\n" QUEUED_4 "junk\r\n"), FAKE_GO_ON}}, ERR_IO, 6},
    {"a flood instead of EXEC's answer: nobody knows", &add_both, 1,
	{{6, SPAN("+OK\r\n" QUEUED_4 "*2000000000\r\n"), FAKE_FLOOD}}, ERR_IO,
	6},
    {"done but for one command: not to be done again", &add_both, 1,
	{{6,
	    SPAN("+OK\r\n" QUEUED_4 "*4\r\n:1\r\n-WRONGTYPE x\r\n:1\r\n:1\r\n"),
	    FAKE_GO_ON}},
	ERR_IO, 6},
    {"MULTI refused and the rest done: not to be done again", &add_both, 1,
	{{6,
	    SPAN("-NOPERM x\r\n:1\r\n:2\r\n:1\r\n:1\r\n"
		 "-ERR EXEC without MULTI\r\n"),
	    FAKE_GO_ON}},
	ERR_IO, 6},
    {"a check that fits", guarded, 2,
	{{2, SPAN(WATCHED), FAKE_GO_ON},
	    {5, SPAN("+OK\r\n+QUEUED\r\n*1\r\n:0\r\n"), FAKE_GO_ON}},
	0, 5},
    {"a check that does not", guarded, 2,
	{{2, SPAN(CHANGED), FAKE_GO_ON}, {3, SPAN("+OK\r\n"), FAKE_GO_ON}},
	ERR_STATE, 3},
    {"changed before EXEC: looked at again", guarded, 2,
	{{2, SPAN(WATCHED), FAKE_GO_ON},
	    {5, SPAN("+OK\r\n+QUEUED\r\n*-1\r\n"), FAKE_GO_ON},
	    {7, SPAN(CHANGED), FAKE_GO_ON}, {8, SPAN("+OK\r\n"), FAKE_GO_ON}},
	ERR_STATE, 8},
    {"changed once, then done", guarded, 2,
	{{2, SPAN(WATCHED), FAKE_GO_ON},
	    {5, SPAN("+OK\r\n+QUEUED\r\n*-1\r\n"), FAKE_GO_ON},
	    {7, SPAN(WATCHED), FAKE_GO_ON},
	    {10, SPAN("+OK\r\n+QUEUED\r\n*1\r\n:0\r\n"), FAKE_GO_ON}},
	0, 10},
    {"the end at the check: nothing was done", guarded, 2,
	{{2, SPAN(""), FAKE_HANG_UP}}, ERR_STATE, 2},
    {"silence at the check: nothing was done", guarded, 2,
	{{2, SPAN("+OK\r\n"), FAKE_GO_ON}}, ERR_STATE, 2},
    {"an error at the check: nothing was done", guarded, 2,
	{{2, SPAN("+OK\r\n-WRONGTYPE x\r\n"), FAKE_GO_ON}}, ERR_INVALID, 2},
};

static void
test_apply(void)
{
	for (size_t i = 0; i < sizeof applies / sizeof *applies; i++) {
		const struct applied *a = &applies[i];
		struct fake_redis fake = {0};
		struct err err = {0};
		char claim[128];
		snprintf(claim, sizeof claim, "writing: %s", a->claim);
		tap_case(claim);
		fake_redis_script(&fake, a->steps);
		fake_redis_start(&fake, NULL);
		struct store_backend *backend = open_fake(&fake, "", "", NULL);
		bool silent = strstr(a->claim, "silence") != NULL;
		int rc = backend->class->apply(backend, a->writes, a->n, now,
		    clock_deadline(silent ? SHORT_MS : LONG_MS), &err);
		CHECK_INT(rc, a->want);
		CHECK_INT(rc ? err.code : 0, a->want);
		CHECK_INT(fake_redis_commands(&fake), a->commands);
		bool checked = strcmp(err.text, STORE_CHECK_FAILED) == 0;
		CHECK_INT(checked, strstr(a->claim, "does not") ||
				       strstr(a->claim, "looked at again"));
		stop(&fake, backend);
	}

	TAP_CASE("what is always changed by others is left in the end")
	struct fake_redis fake = {0};
	struct err err = {0};
	struct fake_step steps[] = {{2, SPAN(WATCHED), FAKE_GO_ON},
	    {5, SPAN("+OK\r\n+QUEUED\r\n*-1\r\n"), FAKE_HANG_UP}, {0}};
	fake_redis_script(&fake, steps);
	fake_redis_start(&fake, NULL);
	struct store_backend *backend = open_fake(&fake, "", "", NULL);
	int rc = backend->class->apply(
	    backend, guarded, 2, now, clock_deadline(LONG_MS), &err);
	CHECK_INT(rc, ERR_STATE);
	CHECK(strcmp(err.text, STORE_CHECK_FAILED) != 0);
	stop(&fake, backend);
}

/* --- connections -------------------------------------------------------------------- */

static const struct fake_step answer_one[] = {
    {1, SPAN(COUNTS), FAKE_HANG_UP}, {0}};
static const struct fake_step hang_up_at_second[] = {
    {1, SPAN(COUNTS), FAKE_GO_ON}, {2, SPAN(""), FAKE_HANG_UP}, {0}};
static const struct fake_step speak_unasked[] = {
    {1, SPAN(COUNTS), FAKE_GO_ON}, {1, SPAN("+LATE\r\n"), FAKE_GO_ON}, {0}};
static const struct fake_step answer_three[] = {{1, SPAN(COUNTS), FAKE_GO_ON},
    {2, SPAN(COUNTS), FAKE_GO_ON}, {3, SPAN(COUNTS), FAKE_GO_ON}, {0}};

static struct store_backend *
start_two(struct fake_redis *fake, const struct fake_step *first,
    const struct fake_step *second)
{
	*fake = (struct fake_redis){0};
	fake_redis_script(fake, first);
	fake_redis_script(fake, second);
	fake_redis_start(fake, NULL);
	return open_fake(fake, "", "", NULL);
}

static void
test_gone(void)
{
	struct fake_redis fake;
	struct store_backend *backend;
	struct store_counts counts;
	struct err err;

	TAP_CASE("a connection that was closed while idle is replaced")
	backend = start_two(&fake, answer_one, answer_three);
	CHECK_INT(get_one(backend, LONG_MS, &counts, &err), 0);
	fake_redis_wait_closed(&fake, 1);
	CHECK_INT(get_one(backend, LONG_MS, &counts, &err), 0);
	CHECK_INT(fake.accepted, 2);
	stop(&fake, backend);

	TAP_CASE("a question that went down with an idle one is asked again")
	backend = start_two(&fake, hang_up_at_second, answer_three);
	CHECK_INT(get_one(backend, LONG_MS, &counts, &err), 0);
	CHECK_INT(get_one(backend, LONG_MS, &counts, &err), 0);
	CHECK_INT(fake_redis_commands(&fake), 3);
	stop(&fake, backend);

	TAP_CASE("but only once")
	backend = start_two(&fake, hang_up_at_second,
	    (const struct fake_step[]){{1, SPAN(""), FAKE_HANG_UP}, {0}});
	CHECK_INT(get_one(backend, LONG_MS, &counts, &err), 0);
	CHECK_INT(get_one(backend, LONG_MS, &counts, &err), ERR_IO);
	CHECK_INT(fake_redis_commands(&fake), 3);
	stop(&fake, backend);

	TAP_CASE("a write that went down with it is not sent again")
	backend = start_two(&fake, hang_up_at_second, answer_three);
	CHECK_INT(get_one(backend, LONG_MS, &counts, &err), 0);
	CHECK_INT(backend->class->apply(
		      backend, &add_one, 1, now, clock_deadline(LONG_MS), &err),
	    ERR_IO);
	CHECK_INT(fake_redis_commands(&fake), 2);
	stop(&fake, backend);

	TAP_CASE("bytes that nobody asked for are no answer")
	backend = start_two(&fake, speak_unasked, answer_three);
	int rc = 0;
	/* They are seen with the answer, before the next question, or (when
	 * they are slow) in place of its answer. */
	for (int i = 0; i < 2 && rc == 0; i++)
		rc = get_one(backend, LONG_MS, &counts, &err);
	CHECK(rc == 0 || rc == ERR_SYNTAX);
	CHECK_INT(get_one(backend, LONG_MS, &counts, &err), 0);
	CHECK_INT(counts.v[0], 3);
	CHECK_INT(fake.accepted, 2);
	stop(&fake, backend);

	TAP_CASE("a late answer is not taken for the next one's")
	backend = start_two(&fake,
	    (const struct fake_step[]){{2, SPAN(COUNTS NONE), FAKE_GO_ON}, {0}},
	    answer_three);
	CHECK_INT(get_one(backend, SHORT_MS, &counts, &err), ERR_TIMEOUT);
	CHECK_INT(get_one(backend, LONG_MS, &counts, &err), 0);
	CHECK_INT(counts.v[0], 3);
	CHECK_INT(fake.accepted, 2);
	stop(&fake, backend);
}

static void
test_refused(void)
{
	struct sockaddr_in in = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof in;
	int taken = socket(AF_INET, SOCK_STREAM, 0);
	struct store_counts counts;
	struct store_backend *backend;
	struct err err = {0};
	char url[128];

	TAP_CASE("nobody there: reading and writing say that nothing was done")
	/* Bound, so nobody else's; it does not listen, so it refuses. */
	CHECK_INT(bind(taken, (struct sockaddr *)&in, sizeof in), 0);
	CHECK_INT(getsockname(taken, (struct sockaddr *)&in, &len), 0);
	snprintf(url, sizeof url, "redis://127.0.0.1:%u", ntohs(in.sin_port));
	backend = open_at(url, NULL);
	CHECK_INT(get_one(backend, LONG_MS, &counts, &err), ERR_STATE);
	CHECK(strstr(err.text, "redis at 127.0.0.1:") == err.text);
	CHECK_INT(backend->class->apply(
		      backend, &add_one, 1, now, clock_deadline(LONG_MS), &err),
	    ERR_STATE);
	backend->class->close(backend);
	close(taken);

	TAP_CASE("no socket at a path")
	backend = open_at("redis+unix:/nonexistent/socket", NULL);
	CHECK_INT(get_one(backend, LONG_MS, &counts, &err), ERR_STATE);
	backend->class->close(backend);
}

/* A listener that takes no connection, and whose queue is full. */
static void
test_full(void)
{
	struct sockaddr_in in = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof in;
	int waiting[4];
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	struct store_counts counts;
	struct err err;
	char url[128];

	TAP_CASE("a connection that does not come up ends at the deadline")
	CHECK_INT(bind(listener, (struct sockaddr *)&in, sizeof in), 0);
	CHECK_INT(getsockname(listener, (struct sockaddr *)&in, &len), 0);
	CHECK_INT(listen(listener, 0), 0);
	for (size_t i = 0; i < sizeof waiting / sizeof *waiting; i++) {
		waiting[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		(void)connect(waiting[i], (struct sockaddr *)&in, sizeof in);
	}
	snprintf(url, sizeof url, "redis://127.0.0.1:%u", ntohs(in.sin_port));
	struct store_backend *backend = open_at(url, NULL);
	int64_t begin = clock_mono_ms();
	CHECK_INT(get_one(backend, SHORT_MS, &counts, &err), ERR_TIMEOUT);
	CHECK(clock_mono_ms() - begin < SHORT_MS + SLACK_MS);
	TAP_CASE("and a write says that nothing was done")
	CHECK_INT(backend->class->apply(backend, &add_one, 1, now,
		      clock_deadline(SHORT_MS), &err),
	    ERR_STATE);
	backend->class->close(backend);
	for (size_t i = 0; i < sizeof waiting / sizeof *waiting; i++)
		close(waiting[i]);
	close(listener);
}

#define MANY 20000

static void
test_unread(void)
{
	struct store_write *writes = calloc(MANY, sizeof *writes);
	struct fake_redis fake;
	struct err err;

	TAP_CASE("a large transaction that is not taken was not done")
	struct store_backend *backend =
	    start(&fake, (struct fake_step){1, SPAN("+OK\r\n"), FAKE_GO_ON});
	for (size_t i = 0; writes && i < MANY; i++)
		writes[i] = add_both;
	CHECK_INT(backend->class->apply(backend, writes, MANY, now,
		      clock_deadline(SHORT_MS), &err),
	    ERR_STATE);
	CHECK(span_find(fake_redis_received(&fake), SPAN("EXEC"), 0) ==
	      SPAN_NPOS);
	stop(&fake, backend);
	free(writes);
}

static void
test_places(void)
{
	char path[64];
	char folder[] = "/tmp/assay-redis-XXXXXX";
	struct fake_redis fake = {0};
	struct store_backend *backend;
	struct store_counts counts;
	struct err err;
	char url[128];

	TAP_CASE("a Unix socket")
	CHECK(mkdtemp(folder) != NULL);
	snprintf(path, sizeof path, "%s/s", folder);
	snprintf(url, sizeof url, "redis+unix:%s", path);
	fake_redis_script(&fake, answer_three);
	fake_redis_start(&fake, path);
	backend = open_at(url, NULL);
	CHECK_INT(get_one(backend, LONG_MS, &counts, &err), 0);
	stop(&fake, backend);
	unlink(path);
	rmdir(folder);

	static const char claim[] = "an IPv6 address";
	fake = (struct fake_redis){0};
	fake_redis_script(&fake, answer_three);
	if (fake_redis_start(&fake, "::1")) {
		tap_case(claim);
		snprintf(url, sizeof url, "redis://[::1]:%u", fake.port);
		backend = open_at(url, NULL);
		CHECK_INT(get_one(backend, LONG_MS, &counts, &err), 0);
		stop(&fake, backend);
	} else {
		tap_skip(claim, "no IPv6 here");
	}

	TAP_CASE("a name is looked up")
	fake = (struct fake_redis){0};
	fake_redis_script(&fake, answer_three);
	fake_redis_start(&fake, NULL);
	snprintf(url, sizeof url, "redis://localhost:%u", fake.port);
	backend = open_at(url, NULL);
	CHECK_INT(get_one(backend, LONG_MS, &counts, &err), 0);
	CHECK_INT(get_one(backend, LONG_MS, &counts, &err), 0);
	stop(&fake, backend);

	TAP_CASE("a name that is none fails in time")
	backend = open_at("redis://name.invalid:6379", NULL);
	int64_t begin = clock_mono_ms();
	int rc = get_one(backend, SHORT_MS, &counts, &err);
	CHECK(rc == ERR_STATE || rc == ERR_TIMEOUT);
	CHECK(clock_mono_ms() - begin < SHORT_MS + SLACK_MS);
	backend->class->close(backend);

	TAP_CASE("what cannot be a place is refused at open")
	static const char *const bad[] = {"redis://a%20b:1", "redis://a b",
	    "redis+unix:/0123456789012345678901234567890123456789012345678901"
	    "2345678901234567890123456789012345678901234567890123456789"};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct store_options options = {0};
		struct store_url where;
		CHECK_INT(store_url_parse(span_of(bad[i]), &where, &err), 0);
		CHECK_INT(store_open_redis(&options, &where, &backend, &err),
		    ERR_SYNTAX);
	}
}

/* --- login ---------------------------------------------------------------------------- */

static void
write_file(const char *path, const char *text, mode_t mode)
{
	FILE *f = fopen(path, "w");

	if (!f || fputs(text, f) < 0 || fclose(f) || chmod(path, mode))
		abort();
}

static void
check_login(const char *user, const char *db, const char *file,
    struct span answer, struct span want)
{
	struct fake_redis fake = {0};
	struct store_counts counts;
	struct err err;
	size_t n = (file ? 1U : 0U) + (db[0] ? 1U : 0U);
	const struct fake_step steps[] = {
	    {n, answer, FAKE_GO_ON}, {n + 1, SPAN(COUNTS), FAKE_GO_ON}, {0}};

	fake_redis_script(&fake, steps);
	fake_redis_start(&fake, NULL);
	struct store_backend *backend = open_fake(&fake, user, db, file);
	CHECK_INT(get_one(backend, LONG_MS, &counts, &err), 0);
	CHECK_SPAN(span_head(fake_redis_received(&fake), want.len), want);
	stop(&fake, backend);
}

static void
check_refused_login(const char *file, struct span answer, int want)
{
	struct store_counts counts;
	struct err err = {0};
	struct fake_redis fake;
	struct store_backend *backend =
	    start(&fake, (struct fake_step){1, answer, FAKE_GO_ON});

	backend->class->close(backend);
	backend = open_fake(&fake, "", "", file);
	CHECK_INT(get_one(backend, LONG_MS, &counts, &err), want);
	CHECK(strstr(err.text, SECRET) == NULL);
	stop(&fake, backend);
}

static void
test_login(void)
{
	char file[] = "/tmp/assay-redis-XXXXXX";
	struct fake_redis fake = {0};
	struct store_backend *backend;
	struct store_counts counts;
	struct err err;

	close(mkstemp(file));
	write_file(file, SECRET " x\r\nsecond line\n", 0640);

	TAP_CASE("the password is the first line of the file")
	check_login("", "", file, SPAN("+OK\r\n"),
	    SPAN("*2\r\n$4\r\nAUTH\r\n$9\r\n" SECRET " x\r\n*5\r\n"));

	TAP_CASE("a user goes with it")
	check_login("me@", "/3", file, SPAN("+OK\r\n+OK\r\n"),
	    SPAN("*3\r\n$4\r\nAUTH\r\n$2\r\nme\r\n$9\r\n" SECRET " x\r\n"
		 "*2\r\n$6\r\nSELECT\r\n$1\r\n3\r\n*5\r\n"));

	TAP_CASE("a database is chosen")
	check_login("", "/12", NULL, SPAN("+OK\r\n"),
	    SPAN("*2\r\n$6\r\nSELECT\r\n$2\r\n12\r\n*5\r\n"));

	TAP_CASE("a refused password is said, and is not repeated")
	check_refused_login(file, SPAN("-WRONGPASS invalid\r\n"), ERR_ACCESS);
	check_refused_login(file,
	    SPAN("-ERR unknown command 'AUTH', beginning with: '" SECRET
		 " x'\r\n"),
	    ERR_ACCESS);
	check_refused_login(file, SPAN("-LOADING x\r\n"), ERR_STATE);
	check_refused_login(file, SPAN(SECRET), ERR_STATE);

	TAP_CASE("a password that was changed is read again")
	fake_redis_script(
	    &fake, (const struct fake_step[]){
		       {1, SPAN("-WRONGPASS x\r\n"), FAKE_GO_ON}, {0}});
	fake_redis_script(
	    &fake, (const struct fake_step[]){{1, SPAN("+OK\r\n"), FAKE_GO_ON},
		       {2, SPAN(COUNTS), FAKE_GO_ON}, {0}});
	fake_redis_start(&fake, NULL);
	backend = open_fake(&fake, "", "", file);
	write_file(file, "changed\n", 0640);
	CHECK_INT(get_one(backend, LONG_MS, &counts, &err), ERR_ACCESS);
	CHECK_INT(get_one(backend, LONG_MS, &counts, &err), 0);
	CHECK(span_find(fake_redis_received(&fake), SPAN("$7\r\nchanged\r\n"),
		  0) != SPAN_NPOS);
	stop(&fake, backend);

	TAP_CASE("a password file that is of no use is refused at open")
	struct store_options options = {.password_file = file};
	struct store_url url;
	CHECK_INT(store_url_parse(SPAN("redis://127.0.0.1"), &url, &err), 0);
	write_file(file, "\nsecond\n", 0600);
	CHECK_INT(
	    store_open_redis(&options, &url, &backend, &err), ERR_INVALID);
	write_file(file, "x\n", 0666);
	CHECK_INT(store_open_redis(&options, &url, &backend, &err), ERR_ACCESS);
	unlink(file);
	CHECK_INT(
	    store_open_redis(&options, &url, &backend, &err), ERR_NOTFOUND);
}

/* --- many at once ---------------------------------------------------------------------- */

#define THREADS 48
#define ROUNDS 20

struct worker {
	pthread_t thread;
	struct store_backend *backend;
	int failed;
	int64_t ms;
};

static void *
work(void *arg)
{
	struct worker *worker = arg;

	for (int i = 0; i < ROUNDS; i++) {
		struct store_counts counts = {{0, 0}};
		if (get_one(worker->backend, LONG_MS, &counts, NULL) ||
		    counts.v[0] != 3)
			worker->failed++;
	}
	return NULL;
}

static void
test_pool(void)
{
	struct worker workers[THREADS] = {0};
	struct fake_redis fake;
	/* Each connection answers three calls, then it hangs up. */
	struct fake_step steps[] = {{1, SPAN(COUNTS), FAKE_GO_ON},
	    {2, SPAN(COUNTS), FAKE_DRIBBLE}, {3, SPAN(COUNTS), FAKE_HANG_UP},
	    {0}};
	int failed = 0;

	TAP_CASE("many threads share a bounded number of connections")
	fake = (struct fake_redis){0};
	fake_redis_script(&fake, steps);
	fake_redis_start(&fake, NULL);
	struct store_backend *backend = open_fake(&fake, "", "", NULL);
	for (size_t i = 0; i < THREADS; i++) {
		workers[i].backend = backend;
		CHECK_INT(
		    pthread_create(&workers[i].thread, NULL, work, &workers[i]),
		    0);
	}
	for (size_t i = 0; i < THREADS; i++) {
		pthread_join(workers[i].thread, NULL);
		failed += workers[i].failed;
	}
	CHECK_INT(failed, 0);
	CHECK(fake.open_most <= 33); /* one may not have noticed yet */
	stop(&fake, backend);
}

static void *
wait_in_vain(void *arg)
{
	struct worker *worker = arg;
	struct store_counts counts;
	int64_t begin = clock_mono_ms();

	worker->failed = get_one(worker->backend, SHORT_MS, &counts, NULL);
	worker->ms = clock_mono_ms() - begin;
	return NULL;
}

static void
test_pool_silent(void)
{
	struct worker workers[THREADS] = {0};
	struct fake_redis fake;
	unsigned timeouts = 0, refused = 0;

	TAP_CASE("with all connections stuck nobody waits past its deadline")
	struct store_backend *backend =
	    start(&fake, (struct fake_step){1, SPAN(""), FAKE_GO_ON});
	for (size_t i = 0; i < THREADS; i++) {
		workers[i].backend = backend;
		CHECK_INT(pthread_create(&workers[i].thread, NULL, wait_in_vain,
			      &workers[i]),
		    0);
	}
	for (size_t i = 0; i < THREADS; i++) {
		pthread_join(workers[i].thread, NULL);
		timeouts += workers[i].failed == ERR_TIMEOUT;
		refused += workers[i].failed == ERR_STATE;
		CHECK(workers[i].ms < SHORT_MS + SLACK_MS);
	}
	CHECK_INT(timeouts + refused, THREADS);
	CHECK(timeouts > 0);
	stop(&fake, backend);
}

int
main(void)
{
	test_good();
	test_hostile();
	test_value();
	test_each();
	test_apply();
	test_gone();
	test_refused();
	test_full();
	test_unread();
	test_places();
	test_login();
	test_pool();
	test_pool_silent();
	return tap_done();
}
