/*
 * What only the embedded store has: files that are cut off, foreign, of another
 * version or another's; rights; a full disk; readers beside a writer; the
 * sweep (rows 65 and 66 of the hostile inputs). What could end the process is
 * done in a child.
 */
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "filter/base/clock.h"
#include "filter/base/file.h"
#include "filter/store/store_lmdb_file.h"
#include "tests/lib/tap.h"

#define NOBODY 65534
#define ENTRIES 400
#define PAGE 4096

static char scratch[64];
static struct arena *arena;

/* --- folders, files, children -------------------------------------------------------- */

/* Each case has a folder of its own. */
static const char *
new_folder(void)
{
	static char folder[96];
	static unsigned number;

	snprintf(folder, sizeof folder, "%s/%u", scratch, ++number);
	if (mkdir(folder, 0755) != 0)
		exit(1);
	return folder;
}

static const char *
path_in(const char *folder, const char *name)
{
	return arena_cstr(
	    arena, arena_printf(arena, "%s/store/%s", folder, name));
}

static struct store_options
options_for(const char *folder, bool read_only)
{
	return (struct store_options){
	    .url = SPAN("lmdb:"),
	    .folder = span_of(folder),
	    .timeout_ms = 1000,
	    .queue_max = 1 << 20,
	    .readers = 300,
	    .read_only = read_only,
	};
}

static int
try_open(
    const char *folder, bool read_only, struct store **ret, struct err *err)
{
	struct store_options options = options_for(folder, read_only);

	*err = (struct err){0};
	return store_open(&options, ret, err);
}

static struct store *
must_open(const char *folder, bool read_only)
{
	struct store *store = NULL;
	struct err err;

	if (!CHECK_INT(try_open(folder, read_only, &store, &err), 0)) {
		printf("# %s\n", err.text);
		exit(1);
	}
	return store;
}

static int
add(struct store *store, unsigned i, size_t value_len)
{
	static char value[STORE_VALUE_MAX];
	char name[16];
	int len = snprintf(name, sizeof name, "%u", i);
	struct span key = {name, (size_t)len};
	struct store_op ops[] = {
	    {.verb = STORE_ADD, .key = {STORE_TOKEN, key}, .add = {{1, i}}},
	    {.verb = STORE_PUT,
		.key = {STORE_TRAINED, key},
		.value = {value, value_len}},
	};

	return store_apply(store, ops, 2, 0, CLOCK_NEVER, NULL);
}

static bool
count_one(void *arg, const struct store_entry *entry)
{
	unsigned *n = arg;

	*n += entry->counts.v[0] == 1 || entry->value.len > 0;
	return true;
}

static unsigned
count(struct store *store, enum store_kind kind)
{
	unsigned n = 0;

	if (store_each(store, kind, SPAN_NONE, 0, CLOCK_NEVER, count_one, &n,
		NULL) != 0)
		return UINT32_MAX;
	return n;
}

/* Adds to all the entries without values, in one step. */
static void
add_all(struct store *store, int64_t number)
{
	struct store_op ops[ENTRIES];
	char names[ENTRIES][16];
	for (unsigned i = 0; i < ENTRIES; i++) {
		int len = snprintf(names[i], sizeof names[i], "%u", i);
		ops[i] = (struct store_op){.verb = STORE_ADD,
		    .key = {STORE_REPUTE, {names[i], (size_t)len}},
		    .add = {{number, 0}}};
	}
	CHECK_INT(store_apply(store, ops, ENTRIES, 0, CLOCK_NEVER, NULL), 0);
}

/* A store with values of all sizes, closed again. */
static const char *
filled_folder(void)
{
	const char *folder = new_folder();
	struct store *store = must_open(folder, false);

	for (unsigned i = 0; i < ENTRIES / 10; i++)
		CHECK_INT(add(store, i, 1 + i * 97 % STORE_VALUE_MAX), 0);
	add_all(store, 1);
	store_close(store);
	return folder;
}

static struct span
read_whole(const char *path)
{
	struct span bytes = SPAN_NONE;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || file_read_fd(fd, 1 << 28, arena, &bytes, NULL) != 0)
		exit(1);
	close(fd);
	return bytes;
}

static void
write_whole(const char *path, struct span bytes)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);

	if (fd < 0 || write(fd, bytes.p, bytes.len) != (ssize_t)bytes.len)
		exit(1);
	close(fd);
}

/* Runs `fn` in a child; its exit status, or -1 when a signal ended it. */
static int
in_child(int (*fn)(const char *), const char *folder, uid_t as)
{
	int status;

	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		if (as && (setgid(as) != 0 || setuid(as) != 0))
			_exit(99);
		_exit(fn(folder));
	}
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int
open_writing(const char *folder)
{
	struct store *store = NULL;
	struct err err;
	int rc = try_open(folder, false, &store, &err);

	store_close(store);
	return -rc;
}

static int
open_reading(const char *folder)
{
	struct store *store = NULL;
	struct err err;
	int rc = try_open(folder, true, &store, &err);

	store_close(store);
	return -rc;
}

static unsigned values; /* that filled folders have */

/* Opens, reads and changes all; 0, 7 (ERR_INVALID), or something worse. */
static int
use_all(const char *folder)
{
	struct store *store = NULL;
	struct err err;
	int rc = try_open(folder, false, &store, &err);

	if (rc)
		return -rc;
	if (count(store, STORE_REPUTE) != ENTRIES ||
	    count(store, STORE_TRAINED) != values)
		return 50;
	for (unsigned i = 0; i < 5; i++)
		if (add(store, 1000 + i, 2000) != 0)
			return 51;
	store_close(store);
	if (try_open(folder, false, &store, &err) != 0 ||
	    count(store, STORE_TRAINED) != values + 5)
		return 52;
	store_close(store);
	return 0;
}

/* --- rights ---------------------------------------------------------------------------- */

static unsigned
mode_of(const char *path)
{
	struct stat st = {0};

	CHECK_INT(stat(path, &st), 0);
	return st.st_mode & 07777;
}

static void
test_rights(void)
{
	tap_case("files have their rights, whatever the mask");
	mode_t mask = umask(0);
	const char *folder = filled_folder();
	CHECK_INT(mode_of(path_in(folder, ".")), 0750);
	CHECK_INT(mode_of(path_in(folder, "data.mdb")), 0640);
	CHECK_INT(mode_of(path_in(folder, "lock.mdb")), 0660);
	umask(0777);
	folder = new_folder();
	chmod(folder, 0755);
	struct store *store = must_open(folder, false);
	umask(mask);
	CHECK_INT(mode_of(path_in(folder, ".")), 0750);
	CHECK_INT(mode_of(path_in(folder, "data.mdb")), 0640);
	CHECK_INT(mode_of(path_in(folder, "lock.mdb")), 0660);
	store_close(store);

	tap_case("read-only makes nothing where nothing is");
	folder = new_folder();
	CHECK_INT(open_reading(folder), -ERR_NOTFOUND);
	CHECK_INT(rmdir(folder), 0);
	CHECK_INT(open_reading(folder), -ERR_NOTFOUND);
	CHECK(open_writing(folder) != 0);
}

static void
test_others(void)
{
	if (geteuid() != 0) {
		tap_skip("another's store is refused", "not root");
		return;
	}
	tap_case("another's store is refused, and left as it is");
	const char *folder = filled_folder();
	const char *data = path_in(folder, "data.mdb");
	struct span before = read_whole(data);
	CHECK_INT(chown(data, NOBODY, NOBODY), 0);
	CHECK_INT(open_writing(folder), -ERR_ACCESS);
	CHECK_SPAN(read_whole(data), before);

	tap_case("without the right to write, it is not opened for writing");
	CHECK_INT(chown(path_in(folder, "."), NOBODY, NOBODY), 0);
	CHECK_INT(chown(path_in(folder, "lock.mdb"), NOBODY, NOBODY), 0);
	CHECK_INT(chmod(data, 0440), 0);
	CHECK_INT(chmod(scratch, 0755), 0);
	CHECK_INT(in_child(open_writing, folder, NOBODY), -ERR_ACCESS);
	CHECK_INT(in_child(open_reading, folder, NOBODY), 0);
	CHECK_INT(chmod(data, 0640), 0);
	CHECK_INT(in_child(open_writing, folder, NOBODY), 0);
	CHECK_INT(chmod(path_in(folder, "lock.mdb"), 0600), 0);
	CHECK_INT(in_child(open_writing, folder, NOBODY), 0);
	CHECK_INT(mode_of(path_in(folder, "lock.mdb")), LMDB_LOCK_MODE);

	tap_case("who may not enter himself as a reader is told so");
	folder = filled_folder();
	CHECK_INT(chmod(path_in(folder, "."), 0755), 0);
	CHECK_INT(chmod(path_in(folder, "data.mdb"), 0644), 0);
	CHECK_INT(in_child(open_reading, folder, NOBODY), -ERR_ACCESS);

	tap_case("root leaves no lock file that the owner cannot open");
	folder = filled_folder();
	CHECK_INT(chown(path_in(folder, "."), NOBODY, NOBODY), 0);
	CHECK_INT(chown(path_in(folder, "data.mdb"), NOBODY, NOBODY), 0);
	CHECK_INT(unlink(path_in(folder, "lock.mdb")), 0);
	(void)open_reading(folder);
	CHECK_INT(in_child(open_writing, folder, NOBODY), 0);
	CHECK_INT(in_child(open_reading, folder, NOBODY), 0);
}

/* --- files that are not whole ------------------------------------------------------------- */

/* Cuts a file off at each page in turn; returns how often it was refused. */
static size_t
cut_everywhere(const char *folder, size_t *ret_pages)
{
	const char *data = path_in(folder, "data.mdb");
	struct span whole = read_whole(data);
	size_t pages = whole.len / PAGE, refused = 0, bad = 0;

	for (size_t n = 0; n <= pages; n++) {
		struct span cut = span_head(whole, n * PAGE + (n % 3) * 100);
		write_whole(data, cut);
		int rc = in_child(use_all, folder, 0);
		if (rc == -ERR_INVALID) {
			refused++;
			bad += !span_eq(read_whole(data), cut);
		} else if (rc != 0) {
			printf("# %zu pages of %zu: %d\n", n, pages, rc);
			bad++;
		}
	}
	CHECK_INT(bad, 0);
	write_whole(data, whole);
	*ret_pages = pages;
	return refused;
}

static void
test_cut_off(void)
{
	const char *folder = filled_folder();
	size_t pages;

	tap_case(
	    "a file cut off anywhere is refused or whole, and never fatal");
	values = ENTRIES / 10;
	size_t refused = cut_everywhere(folder, &pages);
	CHECK(pages > 40);
	CHECK(refused >= pages / 2);

	tap_case("put back, it is what it was");
	struct span whole = read_whole(path_in(folder, "data.mdb"));
	CHECK_INT(in_child(use_all, folder, 0), 0);

	tap_case("read-only refuses it as well");
	write_whole(path_in(folder, "data.mdb"), span_head(whole, 5 * PAGE));
	CHECK_INT(in_child(open_reading, folder, 0), -ERR_INVALID);

	tap_case("a file that only lacks pages without use is whole");
	folder = filled_folder();
	struct store *store = must_open(folder, false);
	for (unsigned i = 0; i < values; i++) {
		char name[16];
		int len = snprintf(name, sizeof name, "%u", i);
		struct store_op op = {.verb = STORE_PUT,
		    .key = {STORE_TRAINED, {name, (size_t)len}}};
		CHECK_INT(store_apply(store, &op, 1, 0, CLOCK_NEVER, NULL), 0);
	}
	/* What is in use moves to the pages that have become free. */
	for (unsigned i = 0; i < 4; i++)
		add_all(store, 0);
	store_close(store);
	values = 0;
	refused = cut_everywhere(folder, &pages);
	CHECK(refused > 2);
	CHECK(refused + 3 < pages);
}

/* Puts `to` in place of the first `from`, or all of them. */
static struct span
patched(struct span bytes, struct span from, struct span to, bool all)
{
	struct span copy = arena_span(arena, bytes);
	size_t at = 0;

	while ((at = span_find(copy, from, at)) != SPAN_NPOS) {
		memcpy((char *)(uintptr_t)copy.p + at, to.p, to.len);
		at += from.len;
		if (!all)
			break;
	}
	CHECK(!span_eq(copy, bytes));
	return copy;
}

static void
test_foreign(void)
{
	const char *folder = filled_folder();
	const char *data = path_in(folder, "data.mdb");
	struct span whole = read_whole(data);
	struct span magic = SPAN("\xde\xc0\xef\xbe\x01\0\0\0");
	struct {
		const char *claim, *says;
		struct span bytes;
	} cases[] = {
	    {"a text is no store", "not a file of LMDB",
		arena_printf(arena, "%0*d", 2 * PAGE, 1)},
	    {"nor is an SQLite file", "not a file of LMDB",
		arena_printf(arena, "SQLite format 3%*s", 8192, "")},
	    {"LMDB's next format is refused", "another version of LMDB",
		patched(
		    whole, magic, SPAN("\xde\xc0\xef\xbe\x02\0\0\0"), true)},
	    {"a damaged second meta page is refused", "damaged",
		span_make(whole.p, whole.len)},
	    {"another format of ours is refused", "another version",
		patched(
		    whole, SPAN("assay store 1"), SPAN("assay store 2"), true)},
	    {"LMDB files of others are refused", "not a store of assay",
		patched(whole, SPAN("\0format"), SPAN("\0foRMat"), true)},
	    {"an empty file is refused", "empty", SPAN("")},
	};
	struct store *store = NULL;
	struct err err;

	char *second = arena_alloc(arena, whole.len);
	memcpy(second, whole.p, whole.len);
	memset(second + PAGE + 16, 0xff, 8);
	cases[3].bytes = span_make(second, whole.len);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		tap_case(cases[i].claim);
		write_whole(data, cases[i].bytes);
		CHECK_INT(try_open(folder, false, &store, &err), ERR_INVALID);
		if (!CHECK(strstr(err.text, cases[i].says) != NULL))
			printf("# %s\n", err.text);
		CHECK(strstr(err.text, "data.mdb") != NULL ||
		      strstr(err.text, "/store: ") != NULL);
		CHECK_INT(try_open(folder, true, &store, &err), ERR_INVALID);
		CHECK_SPAN(read_whole(data), cases[i].bytes);
	}

	tap_case("a folder in the file's place is refused");
	CHECK_INT(unlink(data), 0);
	CHECK_INT(mkdir(data, 0755), 0);
	CHECK(open_writing(folder) != 0);
	CHECK(open_reading(folder) != 0);
}

/* --- a full disk ---------------------------------------------------------------------------- */

static int
fill_disk(const char *folder)
{
	struct rlimit limit = {.rlim_cur = 600000, .rlim_max = RLIM_INFINITY};
	struct store *store = NULL;
	struct err err;
	unsigned n = 0;

	signal(SIGXFSZ, SIG_IGN);
	if (try_open(folder, false, &store, &err) != 0)
		return 50;
	setrlimit(RLIMIT_FSIZE, &limit);
	int rc = 0;
	while (n < 1000 && (rc = add(store, n, 3000)) == 0)
		n++;
	if (rc != ERR_IO || n < 20)
		return 51;
	/* Nothing of the failed call is there, all else is. */
	if (count(store, STORE_TRAINED) != n || count(store, STORE_TOKEN) != n)
		return 52;
	struct store_op op = {.verb = STORE_ADD,
	    .key = {STORE_CORPUS, SPAN("queued")},
	    .add = {{1, 1}}};
	store_later(store, &op, 1);
	/* A place is found: it goes on. */
	limit.rlim_cur = RLIM_INFINITY;
	setrlimit(RLIMIT_FSIZE, &limit);
	if (add(store, n, 3000) != 0 ||
	    store_flush(store, clock_deadline(30000)) != 0)
		return 53;
	if (count(store, STORE_TRAINED) != n + 1)
		return 54;
	store_close(store);
	store = must_open(folder, false);
	if (count(store, STORE_TRAINED) != n + 1 ||
	    count(store, STORE_CORPUS) != 1)
		return 55;
	store_close(store);
	return 0;
}

/* --- readers ---------------------------------------------------------------------------------- */

#define READERS 200 /* more than LMDB's usual 126 */

struct crowd {
	struct store *store;
	pthread_barrier_t barrier;
	atomic_uint failed;
};

static bool
wait_for_all(void *arg, const struct store_entry *entry)
{
	struct crowd *crowd = arg;

	(void)entry;
	pthread_barrier_wait(&crowd->barrier);
	return false;
}

static void *
read_with_all(void *arg)
{
	struct crowd *crowd = arg;

	if (store_each(crowd->store, STORE_TOKEN, SPAN_NONE, 0, CLOCK_NEVER,
		wait_for_all, crowd, NULL) != 0)
		abort(); /* the others would wait for ever */
	return NULL;
}

/* Reads in a child beside the writer, when told to. */
static int
read_beside(const char *folder, int go)
{
	char c;

	if (read(go, &c, 1) != 1)
		return 60;
	struct store *store = NULL;
	struct err err;
	if (try_open(folder, true, &store, &err) != 0)
		return 61;
	unsigned n = count(store, STORE_TOKEN);
	store_close(store);
	return n == 2 ? 0 : 62;
}

/* Afresh, as LMDB knows its files by process: 0 when it is refused. */
static int
write_beside(const char *folder)
{
	struct store *store;
	struct err err = {0};

	return try_open(folder, false, &store, &err) == ERR_STATE ? 0 : 1;
}

static void
test_readers(void)
{
	const char *folder = new_folder();
	struct crowd crowd = {0};
	pthread_t threads[READERS];
	int go[2], status;

	tap_case("another process reads beside the writer");
	CHECK_INT(pipe(go), 0);
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0)
		_exit(read_beside(folder, go[0]));
	crowd.store = must_open(folder, false);
	CHECK_INT(add(crowd.store, 1, 10), 0);
	CHECK_INT(add(crowd.store, 2, 10), 0);
	CHECK_INT(write(go[1], "x", 1), 1);
	waitpid(pid, &status, 0);
	CHECK(WIFEXITED(status));
	CHECK_INT(WEXITSTATUS(status), 0);

	tap_case("another process does not write beside it");
	fflush(stdout);
	pid = fork();
	if (pid == 0)
		_exit(write_beside(folder));
	waitpid(pid, &status, 0);
	CHECK(WIFEXITED(status));
	CHECK_INT(WEXITSTATUS(status), 0);

	tap_case("as many read at once as sessions may");
	pthread_barrier_init(&crowd.barrier, NULL, READERS);
	for (unsigned i = 0; i < READERS; i++)
		if (pthread_create(&threads[i], NULL, read_with_all, &crowd))
			exit(1);
	for (unsigned i = 0; i < READERS; i++)
		pthread_join(threads[i], NULL);
	CHECK_INT(add(crowd.store, 3, 10), 0);
	CHECK_INT(count(crowd.store, STORE_TOKEN), 3);
	store_close(crowd.store);
	pthread_barrier_destroy(&crowd.barrier);
}

/* --- the sweep ---------------------------------------------------------------------------------- */

static bool
count_key(void *arg, struct span key, const struct store_entry *entry)
{
	unsigned *n = arg;

	(void)key;
	(void)entry;
	++*n;
	return true;
}

/* All that is stored, ended or not: at the second 0 nothing has ended. */
static unsigned
stored(struct store_backend *backend)
{
	struct err err = {0};
	unsigned n = 0;

	CHECK_INT(backend->class->each(backend, SPAN("k"), true, 0, CLOCK_NEVER,
		      count_key, &n, &err),
	    0);
	return n;
}

static void
test_sweep(void)
{
	enum { MANY = 12000, LIVES = 3 };
	static struct store_write writes[MANY];
	static char names[MANY][8];
	struct store_options options = options_for(new_folder(), false);
	struct store_url url = {.scheme = STORE_LMDB};
	struct store_backend *backend = NULL;
	struct err err = {0};
	unsigned pieces = 1;

	tap_case("the sweep removes what has ended, in bounded pieces");
	CHECK_INT(store_open_lmdb(&options, &url, &backend, &err), 0);
	for (unsigned i = 0; i < MANY; i++) {
		int len = snprintf(names[i], 8, "k%u", i);
		writes[i] = (struct store_write){.verb = STORE_ADD,
		    .key = {names[i], (size_t)len},
		    .add = {{1, 1}},
		    .expires = i % (MANY / LIVES) ? 100 : 300};
	}
	writes[0].expires = 0;
	CHECK_INT(
	    backend->class->apply(backend, writes, MANY, 50, CLOCK_NEVER, &err),
	    0);
	CHECK_INT(stored(backend), MANY);
	CHECK(backend->class->sweep(backend, 200));
	CHECK(stored(backend) >= MANY - 512);
	while (backend->class->sweep(backend, 200))
		pieces++;
	CHECK_INT(stored(backend), LIVES);
	CHECK(pieces >= MANY / 512);

	tap_case("nothing else is touched by it");
	CHECK(!backend->class->sweep(backend, 200));
	CHECK_INT(stored(backend), LIVES);
	CHECK(!backend->class->sweep(backend, INT64_MAX));
	CHECK_INT(stored(backend), 1);
	backend->class->close(backend);
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

	snprintf(
	    scratch, sizeof scratch, "%.40s/assay-XXXXXX", tmp ? tmp : "/tmp");
	arena = arena_new(0);
	if (!arena || !mkdtemp(scratch))
		return 1;
	test_rights();
	test_others();
	test_cut_off();
	test_foreign();
	tap_case("a full disk fails calls, loses nothing, and is got over");
	CHECK_INT(in_child(fill_disk, new_folder(), 0), 0);
	test_sweep();
	test_readers();
	nftw(scratch, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	arena_free(arena);
	return tap_done();
}
