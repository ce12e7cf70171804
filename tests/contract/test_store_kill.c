/*
 * A process that writes to the embedded store is killed again and again, at
 * any moment: what it was told to be written is there, and each step is there
 * whole or not at all.
 */
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "filter/base/clock.h"
#include "filter/store/store.h"
#include "tests/lib/tap.h"

#define ROUNDS 50
#define WINDOW 12 /* values that are there at a time */
#define VALUE 3000

static char scratch[64];

static struct store *
open_store(void)
{
	struct store_options options = {
	    .url = SPAN("lmdb:"),
	    .folder = span_of(scratch),
	    .timeout_ms = 200,
	    .queue_max = 1 << 20,
	    .readers = 8,
	};
	struct store *store = NULL;
	struct err err = {0};

	if (store_open(&options, &store, &err) != 0)
		printf("# open: %s\n", err.text);
	return store;
}

static struct span
number_name(uint64_t i, char room[24])
{
	int len = snprintf(room, 24, "%llu", (unsigned long long)i);

	return span_make(room, (size_t)len);
}

/* Step i: one more in the corpus, its value put, an old one removed. */
static int
step(struct store *store, uint64_t i)
{
	static char value[VALUE];
	char name[24], old[24];
	struct store_key this = {STORE_TRAINED, number_name(i, name)};
	struct store_op ops[] = {
	    {.verb = STORE_CHECK, .key = this},
	    {.verb = STORE_ADD,
		.key = {STORE_CORPUS, SPAN("")},
		.add = {{1, 3}}},
	    {.verb = STORE_PUT, .key = this, .value = {value, sizeof value}},
	    {.verb = STORE_PUT,
		.key = {STORE_TRAINED, number_name(i - WINDOW, old)}},
	};

	memset(value, (int)('a' + i % 26), sizeof value);
	return store_apply(
	    store, ops, i < WINDOW ? 3 : 4, clock_wall(), CLOCK_NEVER, NULL);
}

/* Additions in the background that have ended at once, for the sweep. */
static void
step_later(struct store *store, uint64_t i)
{
	char name[24];
	struct store_op op = {
	    .verb = STORE_ADD,
	    .key = {STORE_REPUTE, number_name(i, name)},
	    .add = {{1, 1}},
	    .expires = 1,
	};

	for (unsigned n = 0; n < 20; n++)
		store_later(store, &op, 1);
}

/* The process that is killed: writes from step `i` on, says what is done. */
static void
write_for_ever(int told, uint64_t i)
{
	struct store *store = open_store();

	if (!store)
		_exit(1);
	for (; step(store, i) == 0; i++) {
		if (write(told, &i, sizeof i) != sizeof i)
			break;
		step_later(store, i);
	}
	_exit(2);
}

static int64_t
corpus(struct store *store, int64_t *ret_second)
{
	struct store_key key = {STORE_CORPUS, SPAN("")};
	struct store_counts counts = {{-1, -1}};

	CHECK_INT(store_get(store, &key, 1, clock_wall(), CLOCK_NEVER, NULL,
		      &counts, NULL),
	    0);
	*ret_second = counts.v[1];
	return counts.v[0];
}

struct seen {
	int64_t n, broken;
	uint64_t begin, end; /* the values that have to be there */
};

static bool
look(void *arg, const struct store_entry *entry)
{
	struct seen *seen = arg;
	uint64_t i;

	seen->n++;
	if (span_to_u64(entry->name, &i) != 0 || i < seen->begin ||
	    i >= seen->end || entry->value.len != VALUE ||
	    entry->value.p[0] != (char)('a' + i % 26) ||
	    entry->value.p[VALUE - 1] != entry->value.p[0])
		seen->broken++;
	return true;
}

/* Opens what was left; returns the number of steps that are in it. */
static uint64_t
examine(uint64_t acknowledged)
{
	struct store *store = open_store();
	int64_t second;

	if (!CHECK(store != NULL))
		exit(1);
	int64_t steps = corpus(store, &second);
	CHECK_INT(second, 3 * steps);
	/* The last step may be there without having been told. */
	CHECK(steps == (int64_t)acknowledged ||
	      steps == (int64_t)acknowledged + 1);
	struct seen seen = {.end = (uint64_t)steps};
	seen.begin = seen.end > WINDOW ? seen.end - WINDOW : 0;
	CHECK_INT(store_each(store, STORE_TRAINED, SPAN_NONE, clock_wall(),
		      CLOCK_NEVER, look, &seen, NULL),
	    0);
	CHECK_INT(seen.n, seen.end - seen.begin);
	CHECK_INT(seen.broken, 0);
	store_close(store);
	return (uint64_t)steps;
}

/* Kills a writer after some steps, somewhere within the next. */
static uint64_t
round_of(uint64_t begin)
{
	uint64_t acknowledged = begin, told;
	int fds[2], status;

	if (pipe(fds) != 0)
		exit(1);
	pid_t pid = fork();
	if (pid == 0) {
		close(fds[0]);
		write_for_ever(fds[1], begin);
	}
	close(fds[1]);
	for (int n = rand() % 15; n >= 0; n--)
		if (read(fds[0], &told, sizeof told) == sizeof told)
			acknowledged = told + 1;
	struct timespec t = {.tv_nsec = rand() % 4000000};
	nanosleep(&t, NULL);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	while (read(fds[0], &told, sizeof told) == sizeof told)
		acknowledged = told + 1;
	close(fds[0]);
	return acknowledged;
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
main(void)
{
	const char *tmp = getenv("TMPDIR");
	uint64_t steps = 0;

	snprintf(
	    scratch, sizeof scratch, "%.40s/assay-XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(scratch))
		return 1;
	srand((unsigned)clock_mono_us());
	tap_case("50 times killed: nothing told is missing, nothing is half");
	for (unsigned i = 0; i < ROUNDS; i++)
		steps = examine(round_of(steps));
	CHECK(steps >= ROUNDS);
	printf("# %llu steps\n", (unsigned long long)steps);
	nftw(scratch, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	return tap_done();
}
