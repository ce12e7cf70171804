/*
 * The store in front of its backends: keys, queue, breaker, thread, over a
 * backend that does what the test says. What is stored where is the contract
 * test's.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "filter/base/clock.h"
#include "filter/store/store_cache.h"
#include "filter/store/store_internal.h"
#include "tests/lib/tap.h"

#define LONG_MS 30000 /* for what comes, however busy the machine is */
#define SHORT_MS 100  /* for what does not come */

/* --- a backend ------------------------------------------------------------------- */

struct fake {
	struct store_backend backend; /* first */
	struct lock lock;
	struct lock_cond cond;
	/* Under the lock: */
	int get_rc, apply_rc;
	const char *text; /* of a failure */
	struct seen {
		unsigned gets, applies, sweeps;
		size_t writes, largest; /* taken; of one call */
		int64_t sum; /* of all additions taken, first counts */
	} seen;
	bool closed;
};

static struct fake *
fake_of(struct store_backend *backend)
{
	return (struct fake *)(void *)backend;
}

static int
fake_get(struct store_backend *backend, const struct span *keys, size_t n,
    int64_t now, int64_t deadline, struct store_counts *ret, struct err *err)
{
	struct fake *fake = fake_of(backend);

	(void)keys;
	(void)now;
	(void)deadline;
	lock_take(&fake->lock);
	fake->seen.gets++;
	int rc = fake->get_rc;
	lock_broadcast(&fake->cond);
	lock_drop(&fake->lock);
	for (size_t i = 0; i < n; i++)
		ret[i] = (struct store_counts){{1, 1}};
	return rc ? err_set(err, rc, "the fake's") : 0;
}

static int
fake_get_value(struct store_backend *backend, struct span key, int64_t now,
    int64_t deadline, struct arena *arena, struct span *ret, struct err *err)
{
	(void)backend;
	(void)key;
	(void)now;
	(void)deadline;
	(void)arena;
	(void)err;
	*ret = SPAN_NONE;
	return 0;
}

static int
fake_apply(struct store_backend *backend, const struct store_write *writes,
    size_t n, int64_t now, int64_t deadline, struct err *err)
{
	struct fake *fake = fake_of(backend);

	(void)now;
	(void)deadline;
	lock_take(&fake->lock);
	fake->seen.applies++;
	int rc = fake->apply_rc;
	/* What has timed out may have been done. */
	if (rc == 0 || rc == ERR_TIMEOUT || rc == ERR_IO) {
		fake->seen.writes += n;
		if (n > fake->seen.largest)
			fake->seen.largest = n;
		for (size_t i = 0; i < n; i++)
			fake->seen.sum += writes[i].add.v[0];
	}
	lock_broadcast(&fake->cond);
	lock_drop(&fake->lock);
	return rc ? err_set(err, rc, "%s", fake->text) : 0;
}

static bool
fake_sweep(struct store_backend *backend, int64_t now)
{
	struct fake *fake = fake_of(backend);

	(void)now;
	lock_take(&fake->lock);
	bool more = ++fake->seen.sweeps < 3;
	lock_broadcast(&fake->cond);
	lock_drop(&fake->lock);
	return more;
}

static void
fake_close(struct store_backend *backend)
{
	fake_of(backend)->closed = true;
}

static const struct store_backend_class local_class = {
    .name = "fake",
    .degraded = "store",
    .get = fake_get,
    .get_value = fake_get_value,
    .apply = fake_apply,
    .sweep = fake_sweep,
    .close = fake_close,
};

static const struct store_backend_class remote_class = {
    .name = "fake",
    .degraded = "redis",
    .remote = true,
    .get = fake_get,
    .get_value = fake_get_value,
    .apply = fake_apply,
    .close = fake_close,
};

static void
fake_init(struct fake *fake, bool remote)
{
	*fake = (struct fake){.text = "the fake's"};
	fake->backend.class = remote ? &remote_class : &local_class;
	lock_init(&fake->lock, LOCK_STORE);
	lock_cond_init(&fake->cond);
}

static struct seen
seen(struct fake *fake)
{
	lock_take(&fake->lock);
	struct seen copy = fake->seen;
	lock_drop(&fake->lock);
	return copy;
}

static void
fake_set(struct fake *fake, int get_rc, int apply_rc)
{
	lock_take(&fake->lock);
	fake->get_rc = get_rc;
	fake->apply_rc = apply_rc;
	lock_drop(&fake->lock);
}

static struct store *
open_fake(struct fake *fake, bool remote, size_t queue_max)
{
	struct store_options options = {
	    .timeout_ms = 1000, .queue_max = queue_max};
	struct store *store = NULL;

	fake_init(fake, remote);
	CHECK_INT(store_open_on(&fake->backend, &options, &store, NULL), 0);
	return store;
}

static void
later(struct store *store, int64_t number, size_t n)
{
	struct store_op ops[16];

	for (size_t i = 0; i < n; i++)
		ops[i] = (struct store_op){.verb = STORE_ADD,
		    .key = {STORE_TOKEN, SPAN("k")},
		    .add = {{number, 0}}};
	store_later(store, ops, n);
}

static int
get(struct store *store, int64_t ms)
{
	struct store_key key = {STORE_TOKEN, SPAN("k")};
	struct store_counts counts;

	return store_get(
	    store, &key, 1, 0, clock_deadline(ms), NULL, &counts, NULL);
}

static int
flush(struct store *store, int64_t ms)
{
	return store_flush(store, clock_deadline(ms));
}

static struct store_status
status_of(struct store *store)
{
	struct store_status status;

	store_status(store, &status);
	return status;
}

/* --- keys ---------------------------------------------------------------------------- */

static struct span
whole_key(const char *namespace, enum store_kind kind, struct span name)
{
	static char room[STORE_KEY_MAX];
	struct store_keys keys;
	struct store_key key = {kind, name};

	if (!CHECK_INT(store_keys_init(&keys, span_of(namespace), NULL), 0))
		return SPAN_NONE;
	size_t len = store_key_write(&keys, key, room);
	CHECK_INT(store_key_len(&keys, key), len);
	CHECK(len <= STORE_KEY_MAX);
	return span_make(room, len);
}

static void
test_keys(void)
{
	static char many[300], other[300];
	struct store_keys keys;

	tap_case("keys are namespace, kind, version, name");
	CHECK_SPAN(whole_key("site", STORE_TOKEN, SPAN("a\0b")),
	    SPAN("site\0t1\0a\0b"));
	CHECK_SPAN(whole_key("x", STORE_CORPUS, SPAN_NONE), SPAN("x\0c1\0"));
	CHECK_SPAN(
	    whole_key("", STORE_TRAINED, SPAN("n")), SPAN("assay\0m1\0n"));
	CHECK_SPAN(whole_key("x", STORE_REPUTE, SPAN("n")), SPAN("x\0r1\0n"));

	tap_case("a long name is its beginning and its SHA-256");
	memset(many, 'a', sizeof many);
	CHECK_INT(
	    whole_key("x", STORE_TOKEN, span_make(many, 128)).len, 5 + 128);
	struct span key = whole_key("x", STORE_TOKEN, span_make(many, 129));
	CHECK_INT(key.len, 5 + 129);
	CHECK_SPAN(span_head(span_skip(key, 5), STORE_NAME_KEPT),
	    span_make(many, STORE_NAME_KEPT));

	tap_case("it is the same in every process and on every machine");
	CHECK_SPAN(span_skip(whole_key("x", STORE_TOKEN, span_make(many, 200)),
		       5 + STORE_NAME_KEPT),
	    SPAN("\xc2\xa9\x08\xd9\x8f\x5d\xf9\x87\xad\xe4\x1b\x5f\xce\x21"
		 "\x30\x67\xef\xbc\xc2\x1e\xf2\x24\x02\x12\xa4\x1e\x54\xb5"
		 "\xe7\xc2\x8a\xe5"));

	tap_case("long names that begin alike are apart");
	memcpy(other, many, sizeof many);
	other[299] = 'b';
	char first[STORE_KEY_MAX];
	key = whole_key("x", STORE_TOKEN, span_make(many, 300));
	memcpy(first, key.p, key.len);
	CHECK(!span_eq(span_make(first, key.len),
	    whole_key("x", STORE_TOKEN, span_make(other, 300))));

	tap_case("a namespace is at most 64 bytes, none of them NUL");
	memset(many, 'n', 65);
	CHECK_INT(
	    store_keys_init(&keys, span_make(many, 65), NULL), ERR_INVALID);
	CHECK_INT(store_keys_init(&keys, span_make(many, 64), NULL), 0);
	CHECK_INT(store_keys_init(&keys, SPAN("a\0b"), NULL), ERR_INVALID);
	struct store_options options = {
	    .url = SPAN("memory:"), .namespace = SPAN("a\0b")};
	struct store *store;
	CHECK_INT(store_open(&options, &store, NULL), ERR_INVALID);
	options = (struct store_options){.url = SPAN("mysql://x")};
	CHECK_INT(store_open(&options, &store, NULL), ERR_SYNTAX);
}

/* --- queue ---------------------------------------------------------------------------- */

static void
put(struct store_queue *queue, size_t n, int64_t number)
{
	struct queue_group *group = queue_group_new(n, 8);

	for (size_t i = 0; i < n; i++)
		queue_group_writes(group)[i] =
		    (struct store_write){.expires = number};
	memset(queue_group_room(group, 8), 0, 8);
	queue_put(queue, group);
}

static void
test_queue(void)
{
	const struct store_write *writes;
	struct store_queue queue;
	uint64_t dropped;
	size_t bytes;

	tap_case("a batch has whole groups, in order");
	queue_init(&queue, 1 << 20);
	CHECK_INT(queue_batch(&queue, &writes), 0);
	put(&queue, 300, 1);
	put(&queue, 212, 2);
	put(&queue, 1, 3);
	put(&queue, 600, 4);
	put(&queue, 1, 5);
	CHECK_INT(queue_batch(&queue, &writes), 512);
	CHECK_INT(writes[299].expires, 1);
	CHECK_INT(writes[300].expires, 2);

	tap_case("what was not released comes again");
	CHECK_INT(queue_batch(&queue, &writes), 512);
	CHECK_INT(writes[0].expires, 1);
	queue_release(&queue, true);
	CHECK_INT(queue_batch(&queue, &writes), 1);
	CHECK_INT(writes[0].expires, 3);
	queue_release(&queue, true);

	tap_case("a group larger than a batch goes alone");
	CHECK_INT(queue_batch(&queue, &writes), 600);
	CHECK_INT(writes[599].expires, 4);

	tap_case("what is added meanwhile is not released");
	put(&queue, 7, 6);
	queue_release(&queue, false);
	CHECK_INT(queue_batch(&queue, &writes), 8);
	CHECK_INT(writes[7].expires, 6);
	queue_numbers(&queue, &bytes, &dropped);
	CHECK_INT(dropped, 600);
	CHECK(bytes > 0);
	queue_release(&queue, true);
	queue_numbers(&queue, &bytes, &dropped);
	CHECK_INT(bytes, 0);

	tap_case("the writer waits for time, for many, for a flush");
	CHECK_INT(queue_wait(&queue, false, clock_deadline(1)), QUEUE_TIME);
	put(&queue, QUEUE_BATCH - 1, 1);
	CHECK_INT(queue_wait(&queue, false, clock_deadline(1)), QUEUE_TIME);
	put(&queue, 1, 1);
	CHECK_INT(queue_wait(&queue, false, CLOCK_NEVER), QUEUE_WORK);
	CHECK_INT(queue_wait(&queue, true, clock_deadline(1)), QUEUE_TIME);
	CHECK_INT(queue_flush(&queue, clock_deadline(1)), ERR_TIMEOUT);
	CHECK_INT(queue_wait(&queue, true, CLOCK_NEVER), QUEUE_WORK);
	CHECK_INT(queue_wait(&queue, true, clock_deadline(1)), QUEUE_TIME);
	queue_stop(&queue);
	CHECK_INT(queue_wait(&queue, true, CLOCK_NEVER), QUEUE_STOP);
	queue_done(&queue);

	tap_case("its bytes are bounded, and what does not fit is counted");
	queue_init(&queue, 20000);
	for (unsigned i = 0; i < 100; i++)
		put(&queue, 10, i);
	queue_numbers(&queue, &bytes, &dropped);
	CHECK(bytes <= 20000);
	CHECK(bytes > 20000 - 10 * 120);
	CHECK_INT(dropped % 10, 0);
	CHECK(dropped > 0);
	size_t kept = 0, n;
	while ((n = queue_batch(&queue, &writes)) != 0) {
		kept += n;
		queue_release(&queue, true);
	}
	CHECK_INT(kept + dropped, 1000);
	put(&queue, 10, 0);
	CHECK_INT(queue_batch(&queue, &writes), 10);
	queue_done(&queue);
}

/* --- breaker ---------------------------------------------------------------------------- */

static void
fail(struct breaker *b, enum breaker_outcome outcome, int64_t begun)
{
	CHECK(breaker_enter(b, begun));
	breaker_leave(b, outcome, begun, begun + 10);
}

static void
test_breaker(void)
{
	struct breaker b;

	tap_case("a few failures in a row open the breaker");
	breaker_init(&b);
	fail(&b, BREAKER_FAILED, 0);
	fail(&b, BREAKER_FAILED, 10);
	fail(&b, BREAKER_GOOD, 20);
	fail(&b, BREAKER_FAILED, 30);
	fail(&b, BREAKER_FAILED, 40);
	CHECK(breaker_is_closed(&b));
	CHECK_INT(breaker_due(&b), CLOCK_NEVER);
	fail(&b, BREAKER_FAILED, 50);
	CHECK(!breaker_is_closed(&b));
	CHECK(!breaker_enter(&b, 61));
	CHECK_INT(breaker_due(&b), 60 + BREAKER_PAUSE_FIRST_MS);

	tap_case("after the pause one tries, the others wait");
	int64_t at = breaker_due(&b);
	CHECK(!breaker_enter(&b, at - 1));
	CHECK(breaker_enter(&b, at));
	CHECK(!breaker_enter(&b, at));
	CHECK(!breaker_enter(&b, at + 100000));

	tap_case("late failures of before do not end the trial");
	breaker_leave(&b, BREAKER_FAILED, 0, at + 1);
	breaker_leave(&b, BREAKER_UNKNOWN, 0, at + 1);
	CHECK(!breaker_enter(&b, at + 2));

	tap_case("a failed trial doubles the pause, up to a limit");
	breaker_leave(&b, BREAKER_FAILED, at, at + 10);
	CHECK_INT(breaker_due(&b), at + 10 + 2 * BREAKER_PAUSE_FIRST_MS);
	for (unsigned i = 0; i < 20; i++) {
		at = breaker_due(&b);
		fail(&b, BREAKER_FAILED, at);
	}
	CHECK_INT(breaker_due(&b), at + 10 + BREAKER_PAUSE_MAX_MS);

	tap_case("a trial that tells nothing leaves it to the next");
	at = breaker_due(&b);
	fail(&b, BREAKER_UNKNOWN, at);
	CHECK(breaker_enter(&b, at + 10));

	tap_case("a good trial closes it, and the pause is short again");
	breaker_leave(&b, BREAKER_GOOD, at + 10, at + 20);
	CHECK(breaker_is_closed(&b));
	for (unsigned i = 0; i < BREAKER_FAILURES; i++)
		fail(&b, BREAKER_FAILED, at + 30);
	CHECK_INT(breaker_due(&b), at + 40 + BREAKER_PAUSE_FIRST_MS);
	breaker_done(&b);

	tap_case("silence opens it at once");
	breaker_init(&b);
	CHECK(breaker_enter(&b, 1000));
	breaker_leave(&b, BREAKER_SILENT, 1000, 1200);
	CHECK(!breaker_enter(&b, 1201));
	breaker_done(&b);

	tap_case("but not while others are answered");
	breaker_init(&b);
	CHECK(breaker_enter(&b, 1000));
	fail(&b, BREAKER_GOOD, 1100);
	breaker_leave(&b, BREAKER_SILENT, 1000, 1200);
	CHECK(breaker_is_closed(&b));
	breaker_done(&b);
}

/* --- the thread, in front of a local backend ---------------------------------------------- */

/* Waits until the fake has been asked to write so often. */
static bool
await_applies(struct fake *fake, unsigned n)
{
	int64_t until = clock_deadline(LONG_MS);
	bool in_time = true;

	lock_take(&fake->lock);
	while (fake->seen.applies < n && in_time)
		in_time = lock_wait(&fake->cond, &fake->lock, until);
	bool good = fake->seen.applies >= n;
	lock_drop(&fake->lock);
	return good;
}

static void
test_thread(void)
{
	struct fake fake;
	struct store *store;

	tap_case("what is queued is written soon, without being asked for");
	store = open_fake(&fake, false, 1 << 20);
	later(store, 3, 2);
	CHECK(await_applies(&fake, 1));
	CHECK_INT(flush(store, LONG_MS), 0);
	CHECK_INT(seen(&fake).sum, 6);
	CHECK_INT(status_of(store).writes, 2);

	tap_case("a call's operations are written together, calls in batches");
	for (unsigned i = 0; i < 400; i++)
		later(store, 1, 10);
	CHECK_INT(flush(store, LONG_MS), 0);
	CHECK_INT(seen(&fake).sum, 4006);
	CHECK_INT(seen(&fake).writes, 4002);
	CHECK_INT(seen(&fake).writes % 10, 2);
	CHECK(seen(&fake).largest <= QUEUE_BATCH);
	CHECK_INT(status_of(store).queued_bytes, 0);

	tap_case("a flush of nothing returns at once");
	CHECK_INT(flush(store, 0), 0);

	tap_case("it beats when there is nothing to do");
	int64_t beat = store_beat(store), until = clock_deadline(LONG_MS);
	while (store_beat(store) == beat && clock_left(until))
		poll(NULL, 0, 10);
	CHECK(store_beat(store) > beat);
	CHECK(store_beat(store) <= clock_mono_ms());

	tap_case("closing writes what is queued");
	later(store, 100, 5);
	store_close(store);
	CHECK_INT(seen(&fake).sum, 4506);
	CHECK(fake.closed);
}

static void
test_local_failures(void)
{
	struct fake fake;
	struct store *store = NULL;

	tap_case("a full disk keeps the queue, and nothing is written twice");
	store = open_fake(&fake, false, 1 << 20);
	fake_set(&fake, 0, ERR_NOMEM);
	later(store, 1, 3);
	CHECK_INT(flush(store, SHORT_MS), ERR_TIMEOUT);
	CHECK(status_of(store).queued_bytes > 0);
	CHECK(status_of(store).errors > 0);
	CHECK_STR(span_of(status_of(store).problem), "the fake's");
	CHECK(status_of(store).open);
	later(store, 1, 1);
	fake_set(&fake, 0, 0);
	CHECK_INT(flush(store, LONG_MS), 0);
	CHECK_INT(seen(&fake).sum, 4);
	CHECK_INT(status_of(store).dropped, 0);

	tap_case("a problem that is over is no longer told");
	CHECK_STR(span_of(status_of(store).problem), "");

	tap_case("reads that fail are counted and never kept away");
	unsigned gets = seen(&fake).gets;
	fake_set(&fake, ERR_IO, 0);
	for (unsigned i = 0; i < 10; i++)
		CHECK_INT(get(store, LONG_MS), ERR_IO);
	CHECK_INT(seen(&fake).gets, gets + 10);
	later(store, 0, 1);
	CHECK_INT(flush(store, LONG_MS), 0);
	CHECK_STR(span_of(status_of(store).problem), "the fake's");
	fake_set(&fake, 0, 0);
	CHECK_INT(get(store, LONG_MS), 0);
	CHECK_STR(span_of(status_of(store).problem), "");
	CHECK_STR(span_of(store_degraded(store)), "store");

	tap_case("what is refused for good is dropped after some tries");
	fake_set(&fake, 0, ERR_INVALID);
	unsigned applies = seen(&fake).applies;
	later(store, 1000, 2);
	int rc = ERR_TIMEOUT;
	for (unsigned i = 0; i < 20 && rc == ERR_TIMEOUT; i++)
		rc = flush(store, 2 * SHORT_MS);
	CHECK_INT(rc, ERR_IO);
	CHECK_INT(status_of(store).dropped, 2);
	CHECK_INT(seen(&fake).applies, applies + 5);
	CHECK_INT(seen(&fake).sum, 4);

	tap_case("a queue that nobody takes stays within its bytes");
	fake_set(&fake, 0, ERR_STATE);
	for (unsigned i = 0; i < 3000; i++)
		later(store, 1, 10);
	CHECK(status_of(store).queued_bytes <= 1 << 20);
	CHECK(status_of(store).dropped > 2);

	tap_case("closing gives up what is not taken");
	int64_t begun = clock_mono_ms();
	store_close(store);
	CHECK(clock_mono_ms() - begun < LONG_MS);
	CHECK(fake.closed);
}

static void
test_sweep(void)
{
	struct fake fake;
	struct store *store = open_fake(&fake, false, 1 << 20);

	tap_case("a sweep goes on, a piece a turn, until it is through");
	int64_t until = clock_deadline(LONG_MS);
	while (seen(&fake).sweeps < 3 && clock_left(until)) {
		later(store, 1, 1);
		CHECK_INT(flush(store, LONG_MS), 0);
	}
	for (unsigned i = 0; i < 10; i++) {
		later(store, 1, 1);
		CHECK_INT(flush(store, LONG_MS), 0);
	}
	store_close(store);
	CHECK_INT(seen(&fake).sweeps, 3);
}

/* --- in front of a server -------------------------------------------------------------------- */

/* Waits until the breaker is as wanted. */
static bool
await_open(struct store *store, bool open)
{
	int64_t until = clock_deadline(LONG_MS);

	while (status_of(store).open != open && clock_left(until))
		poll(NULL, 0, 5);
	return status_of(store).open == open;
}

static void
test_server(void)
{
	struct fake fake;
	struct store *store = open_fake(&fake, true, 1 << 20);

	tap_case("while the breaker is open, calls cost nothing");
	fake_set(&fake, ERR_STATE, ERR_STATE);
	for (unsigned i = 0; i < BREAKER_FAILURES; i++)
		CHECK_INT(get(store, LONG_MS), ERR_STATE);
	CHECK(!status_of(store).open);
	CHECK_STR(span_of(store_degraded(store)), "redis");
	unsigned gets = seen(&fake).gets;
	for (unsigned i = 0; i < 100; i++)
		CHECK_INT(get(store, LONG_MS), ERR_STATE);
	CHECK(seen(&fake).gets < gets + 50); /* trials */

	tap_case("what is queued meanwhile is kept, and written once");
	for (unsigned i = 0; i < 50; i++)
		later(store, 1, 4);
	CHECK_INT(flush(store, SHORT_MS), ERR_TIMEOUT);
	CHECK_INT(status_of(store).dropped, 0);
	CHECK(status_of(store).queued_bytes > 0);

	tap_case("the thread tries, without a message that waits");
	fake_set(&fake, 0, 0);
	CHECK(await_open(store, true));
	CHECK_INT(flush(store, LONG_MS), 0);
	CHECK_INT(seen(&fake).sum, 200);
	CHECK_INT(status_of(store).dropped, 0);

	tap_case("a write that may have been done is not sent again");
	fake_set(&fake, 0, ERR_TIMEOUT);
	later(store, 1000, 3);
	CHECK_INT(flush(store, LONG_MS), ERR_IO);
	CHECK_INT(seen(&fake).sum, 3200);
	CHECK_INT(status_of(store).dropped, 3);
	fake_set(&fake, 0, 0);
	CHECK(await_open(store, true));
	later(store, 1, 1);
	CHECK_INT(flush(store, LONG_MS), 0);
	CHECK_INT(seen(&fake).sum, 3201);

	tap_case("a failed check is an answer");
	fake.text = STORE_CHECK_FAILED;
	fake_set(&fake, 0, ERR_STATE);
	struct store_op op = {
	    .verb = STORE_CHECK, .key = {STORE_TRAINED, SPAN("m")}};
	uint64_t errors = status_of(store).errors;
	for (unsigned i = 0; i < 10; i++)
		CHECK_INT(store_apply(
			      store, &op, 1, 0, clock_deadline(LONG_MS), NULL),
		    ERR_STATE);
	CHECK(status_of(store).open);
	CHECK_INT(status_of(store).errors, errors);
	fake_set(&fake, 0, 0);

	tap_case("a caller out of time asks nobody");
	gets = seen(&fake).gets;
	CHECK_INT(get(store, 0), ERR_TIMEOUT);
	CHECK_INT(seen(&fake).gets, gets);

	tap_case("silence within a short time of one's own proves nothing");
	fake_set(&fake, ERR_TIMEOUT, 0);
	CHECK_INT(get(store, 100), ERR_TIMEOUT);
	CHECK(status_of(store).open);
	CHECK_INT(get(store, LONG_MS), ERR_TIMEOUT);
	CHECK(!status_of(store).open);
	fake_set(&fake, 0, 0);
	CHECK(await_open(store, true));
	store_close(store);
}

/* --- the cache in front of LMDB ----------------------------------------------------------- */

static void
test_cache(void)
{
	struct store_cache *cache = store_cache_new();
	uint64_t a = store_cache_hash(SPAN("a"));
	uint64_t b = a + STORE_CACHE_SLOTS; /* in the same slot */
	struct store_counts counts = {{-1, -1}};
	int64_t expires = -1;

	tap_case("what was read is known, until it is written");
	CHECK(!store_cache_get(cache, a, &counts, &expires));
	store_cache_put(cache, a, (struct store_counts){{1, 2}}, 3, 10);
	CHECK(store_cache_get(cache, a, &counts, &expires));
	CHECK_INT(counts.v[0], 1);
	CHECK_INT(counts.v[1], 2);
	CHECK_INT(expires, 3);
	store_cache_drop(cache, a, 11);
	CHECK(!store_cache_get(cache, a, &counts, &expires));

	tap_case("what was read before the write comes too late");
	store_cache_put(cache, a, (struct store_counts){{1, 2}}, 3, 10);
	CHECK(!store_cache_get(cache, a, &counts, &expires));
	store_cache_put(cache, a, (struct store_counts){{5, 6}}, 0, 11);
	CHECK(store_cache_get(cache, a, &counts, &expires));
	CHECK_INT(counts.v[0], 5);
	CHECK_INT(expires, 0);

	tap_case("keys that share a place are not taken for each other");
	CHECK(!store_cache_get(cache, b, &counts, &expires));
	store_cache_put(cache, b, (struct store_counts){{7, 8}}, 0, 12);
	CHECK(!store_cache_get(cache, a, &counts, &expires));
	store_cache_drop(cache, a, 13);
	CHECK(store_cache_get(cache, b, &counts, &expires));
	CHECK_INT(counts.v[1], 8);
	store_cache_free(cache);
	store_cache_free(NULL);
}

static void
test_memory(void)
{
	struct store_options options = {.url = SPAN("memory:")};
	struct store_op op = {.verb = STORE_ADD,
	    .key = {STORE_TOKEN, SPAN("a")},
	    .add = {{2, 3}}};
	struct store_counts counts;
	struct store *store;

	tap_case("the store in memory adds at once and has no thread");
	CHECK_INT(store_open(&options, &store, NULL), 0);
	store_later(store, &op, 1);
	CHECK_INT(
	    store_get(store, &op.key, 1, 0, CLOCK_NEVER, NULL, &counts, NULL),
	    0);
	CHECK_INT(counts.v[0], 2);
	CHECK_INT(counts.v[1], 3);
	CHECK_INT(store_flush(store, 0), 0);
	CHECK_INT(store_beat(store), CLOCK_NEVER);
	store_close(store);
	store_close(NULL);
}

int
main(void)
{
	test_keys();
	test_queue();
	test_breaker();
	test_thread();
	test_local_failures();
	test_sweep();
	test_server();
	test_cache();
	test_memory();
	return tap_done();
}
