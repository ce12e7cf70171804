/*
 * What state costs a message with the embedded store: 300 token counts, four
 * subjects of reputation in nine periods, four queued additions. Prints
 * microseconds of CPU a message, the session's and the store thread's apart.
 *
 *	bench_store [FOLDER [TOKENS [THREADS]]]
 *
 * Tokens are asked for as mail has them (words and pairs of 3,000 messages of
 * list mail): half are common, a third was never seen, the rest is rare.
 */
#include <ftw.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "filter/base/clock.h"
#include "filter/store/store.h"

#define MESSAGES 20000 /* of all threads together */
#define READS 300
#define SUBJECTS 4
#define PERIODS 9
#define SENDERS 20000
#define COMMON 5000
#define NAME 48
#define THREADS_MAX 64

struct worker {
	pthread_t thread;
	struct store *store;
	uint64_t random;
	unsigned tokens, messages;
	int64_t cpu_us, reads_us, later_us;
};

static uint64_t
next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static int64_t
process_cpu_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void
fail(const char *what, const struct err *err)
{
	fprintf(stderr, "bench_store: %s: %s\n", what, err->text);
	exit(1);
}

/* Token i; spread over the tree as words are. */
static struct span
token(uint64_t i, char room[NAME])
{
	uint64_t mixed = i * UINT64_C(0x9e3779b97f4a7c15);
	int len = snprintf(room, NAME, "%s%.*llx",
	    i % 3 ? "" : "Subject:", 6 + (int)(i % 5),
	    (unsigned long long)mixed);

	return span_make(room, (size_t)len);
}

static struct span
subject(uint64_t sender, unsigned which, unsigned period, char room[NAME])
{
	int len = snprintf(room, NAME, "%csender%llu.example.org/%u",
	    "apsd"[which], (unsigned long long)sender, 2900 + period);

	return span_make(room, (size_t)len);
}

static void
fill(struct store *store, unsigned tokens)
{
	static struct store_op ops[8192];
	static char names[8192][NAME];
	struct err err;

	for (unsigned i = 0; i < tokens;) {
		unsigned n = 0;
		for (; n < 8192 && i < tokens; n++, i++)
			ops[n] = (struct store_op){.verb = STORE_ADD,
			    .key = {STORE_TOKEN, token(i, names[n])},
			    .add = {{i % 7, i % 5 + 1}}};
		if (store_apply(store, ops, n, 0, CLOCK_NEVER, &err) != 0)
			fail("apply", &err);
	}
}

/* The keys a message asks for; half of the tokens are common, a third new. */
static void
make_keys(struct worker *w, struct store_key *keys, char (*names)[NAME],
    uint64_t *ret_sender)
{
	uint64_t sender = next(&w->random) % SENDERS;
	unsigned n = 0;

	for (; n < READS; n++) {
		uint64_t r = next(&w->random);
		uint64_t range = n % 2   ? COMMON
				 : n % 6 ? w->tokens * 1000ull
					 : w->tokens;
		keys[n] =
		    (struct store_key){STORE_TOKEN, token(r % range, names[n])};
	}
	for (unsigned s = 0; s < SUBJECTS; s++)
		for (unsigned p = 0; p < PERIODS; p++, n++)
			keys[n] = (struct store_key){
			    STORE_REPUTE, subject(sender, s, p, names[n])};
	*ret_sender = sender;
}

static void
one_message(struct worker *w, struct arena *arena)
{
	struct store_key keys[READS + SUBJECTS * PERIODS];
	struct store_counts counts[READS + SUBJECTS * PERIODS];
	char names[READS + SUBJECTS * PERIODS][NAME];
	struct store_op ops[SUBJECTS];
	struct err err;
	uint64_t sender;

	make_keys(w, keys, names, &sender);
	int64_t t0 = clock_cpu_us();
	if (store_get(w->store, keys, READS, 1000, clock_deadline(1000), arena,
		counts, &err) != 0 ||
	    store_get(w->store, keys + READS, SUBJECTS * PERIODS, 1000,
		clock_deadline(1000), arena, counts + READS, &err) != 0)
		fail("get", &err);
	int64_t t1 = clock_cpu_us();
	for (unsigned s = 0; s < SUBJECTS; s++)
		ops[s] = (struct store_op){.verb = STORE_ADD,
		    .key = keys[READS + s * PERIODS + PERIODS - 1],
		    .add = {{1, 0}},
		    .expires = 1000000};
	store_later(w->store, ops, SUBJECTS);
	int64_t t2 = clock_cpu_us();
	w->reads_us += t1 - t0;
	w->later_us += t2 - t1;
}

static void *
work(void *arg)
{
	struct worker *w = arg;
	struct arena *arena = arena_new(0);

	if (!arena)
		abort();
	int64_t begun = clock_cpu_us();
	for (unsigned i = 0; i < w->messages; i++) {
		one_message(w, arena);
		arena_reset(arena);
	}
	w->cpu_us = clock_cpu_us() - begun;
	arena_free(arena);
	return NULL;
}

static void
run(struct store *store, unsigned tokens, unsigned threads)
{
	static struct worker workers[THREADS_MAX];
	int64_t reads = 0, later = 0, session = 0;
	int64_t begun = process_cpu_us();

	for (unsigned i = 0; i < threads; i++) {
		workers[i] = (struct worker){.store = store,
		    .random = 88172645463325252ull + i,
		    .tokens = tokens,
		    .messages = MESSAGES / threads};
		if (pthread_create(
			&workers[i].thread, NULL, work, &workers[i]) != 0)
			abort();
	}
	for (unsigned i = 0; i < threads; i++) {
		pthread_join(workers[i].thread, NULL);
		reads += workers[i].reads_us;
		later += workers[i].later_us;
		session += workers[i].cpu_us;
	}
	if (store_flush(store, clock_deadline(60000)) != 0)
		fprintf(stderr, "bench_store: not all was written\n");
	int64_t writer = process_cpu_us() - begun - session;
	struct store_status status;
	store_status(store, &status);
	printf("%u tokens, %u threads: us a message: reads %.1f, queueing %.1f,"
	       " store thread %.1f, together %.1f; dropped %llu\n",
	    tokens, threads, (double)reads / MESSAGES, (double)later / MESSAGES,
	    (double)writer / MESSAGES,
	    (double)(reads + later + writer) / MESSAGES,
	    (unsigned long long)status.dropped);
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *place)
{
	(void)st;
	(void)type;
	(void)place;
	return remove(path);
}

int
main(int argc, char **argv)
{
	char folder[256];
	uint64_t tokens = 200000, threads = 1;
	struct store *store;
	struct err err;

	snprintf(folder, sizeof folder, "%.200s/assay-bench-XXXXXX",
	    argc > 1 ? argv[1] : "/tmp");
	if (argc > 2 && span_to_u64(span_of(argv[2]), &tokens) != 0)
		return 64;
	if (argc > 3 && (span_to_u64(span_of(argv[3]), &threads) != 0 ||
			    threads == 0 || threads > THREADS_MAX))
		return 64;
	if (!mkdtemp(folder))
		return 1;
	struct store_options options = {.url = SPAN("lmdb:"),
	    .folder = span_of(folder),
	    .timeout_ms = 1000,
	    .queue_max = 16 << 20,
	    .readers = 200};
	if (store_open(&options, &store, &err) != 0)
		fail("open", &err);
	fill(store, (unsigned)tokens);
	run(store, (unsigned)tokens, (unsigned)threads);
	run(store, (unsigned)tokens, (unsigned)threads);
	store_close(store);
	nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	return 0;
}
