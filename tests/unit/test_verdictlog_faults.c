/* The verdict log when something is wrong: files that are not ours, readers
 * without rights, a killed writer, a full disk. */
#include "filter/log/verdictlog.h"

#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "tests/unit/logkit.h"

#define TODAY "2026-11-24.db"

static int64_t
number_of(struct kit *kit, const char *sql)
{
	sqlite3 *db = NULL;
	sqlite3_stmt *stmt = NULL;
	int64_t value = -1;

	if (sqlite3_open_v2(
		kit_path(kit, TODAY), &db, SQLITE_OPEN_READONLY, NULL) == 0 &&
	    sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == 0 &&
	    sqlite3_step(stmt) == SQLITE_ROW)
		value = sqlite3_column_int64(stmt, 0);
	else
		printf("# %s: %s\n", kit->path, sqlite3_errmsg(db));
	sqlite3_finalize(stmt);
	sqlite3_close(db);
	return value;
}

static bool
is_sound(struct kit *kit)
{
	return number_of(kit, "SELECT count(*) FROM pragma_quick_check WHERE"
			      " quick_check = 'ok'") == 1;
}

/* --- row 65: files that are not ours ----------------------------------------------------- */

static void
write_file(const char *path, struct span bytes)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0640);

	if (fd < 0 || write(fd, bytes.p, bytes.len) != (ssize_t)bytes.len)
		abort();
	close(fd);
}

static struct span
read_file(const char *path, char *room, size_t size)
{
	int fd = open(path, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, room, size);

	if (fd >= 0)
		close(fd);
	return n < 0 ? SPAN_NONE : span_make(room, (size_t)n);
}

static void
make_database(const char *path, const char *sql)
{
	sqlite3 *db = NULL;

	if (sqlite3_open(path, &db) || sqlite3_exec(db, sql, NULL, NULL, NULL))
		abort();
	sqlite3_close(db);
}

static void
make_text(const char *path)
{
	write_file(path, SPAN("this is no database, it only lies there\n"));
}

static void
make_junk(const char *path)
{
	char bytes[8192];

	memset(bytes, 0xa5, sizeof bytes);
	memcpy(bytes, "SQLite format 3", 16);
	write_file(path, span_make(bytes, sizeof bytes));
}

static void
make_later_version(const char *path)
{
	make_database(path, "PRAGMA journal_mode=WAL; CREATE TABLE message(x);"
			    "INSERT INTO message VALUES(1);"
			    "PRAGMA user_version=2");
}

static void
make_foreign(const char *path)
{
	make_database(path, "CREATE TABLE mine(x); INSERT INTO mine VALUES(1)");
}

static void
make_other_tables(const char *path)
{
	make_database(path, "CREATE TABLE message(id); PRAGMA user_version=1");
}

/* A day that was ours, cut in its middle. */
static void
make_truncated(const char *path)
{
	struct kit kit;
	char to[KIT_PATH];

	snprintf(kit.folder, sizeof kit.folder, "%s", path);
	*strrchr(kit.folder, '/') = '\0';
	struct verdictlog *log = kit_open(&kit);
	for (uint64_t i = 1; i < 100; i++)
		kit_append(log, i, NOON);
	CHECK_INT(kit_flush(log), 0);
	verdictlog_close(log);
	if (truncate(path, 12288))
		abort();
	snprintf(to, sizeof to, "%.400s-wal", path);
	unlink(to);
	snprintf(to, sizeof to, "%.400s-shm", path);
	unlink(to);
}

static void
make_folder(const char *path)
{
	if (mkdir(path, 0700))
		abort();
}

static void
make_link(const char *path)
{
	if (symlink("/dev/null", path))
		abort();
}

static void
test_foreign_files(void)
{
	static const struct {
		const char *claim;
		void (*make)(const char *path);
		const char *why;
	} cases[] = {
	    {"text is refused at start", make_text, "not a database"},
	    {"junk is refused at start", make_junk, ""},
	    {"a later version is refused at start", make_later_version,
		"version 2"},
	    {"a foreign database is refused at start", make_foreign,
		"version 0"},
	    {"other tables are refused at start", make_other_tables,
		"its tables are not"},
	    {"a truncated file is refused at start", make_truncated,
		"malformed"},
	    {"a folder is refused at start", make_folder, "no regular file"},
	    {"a link is refused at start", make_link, "no regular file"},
	};
	static char before[65536], after[65536];

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct kit kit;
		struct err err = {0};
		struct verdictlog *log = NULL;
		kit_init(&kit);
		struct verdictlog_options options = {
		    kit.folder, 30, 1 << 30, 1 << 20};
		TAP_CASE(cases[i].claim);
		mkdir(kit.folder, 0750);
		cases[i].make(kit_path(&kit, TODAY));
		struct span old =
		    read_file(kit_path(&kit, TODAY), before, sizeof before);
		CHECK_INT(verdictlog_open(&options, &log, &err), ERR_INVALID);
		CHECK(!log);
		if (!CHECK(strstr(err.text, "/" TODAY ": ")) ||
		    !CHECK(strstr(err.text, cases[i].why)))
			printf("# %s\n", err.text);
		CHECK_SPAN(
		    read_file(kit_path(&kit, TODAY), after, sizeof after), old);
		rmdir(kit_path(&kit, TODAY));
		kit_done(&kit);
	}
}

/* --- a tree that goes round --------------------------------------------------------- */

#define PAGE 4096
#define LEVELS 12
#define CHILDREN 120

static void
put(uint8_t *p, unsigned bytes, uint32_t value)
{
	while (bytes--) {
		p[bytes] = (uint8_t)value;
		value >>= 8;
	}
}

/* An inner page of a table, all of whose children are the same one. */
static void
make_inner(uint8_t page[PAGE], uint32_t child)
{
	memset(page, 0, PAGE);
	page[0] = 5;
	put(page + 3, 2, CHILDREN);
	put(page + 5, 2, PAGE - CHILDREN * 5);
	put(page + 8, 4, child);
	for (unsigned i = 0; i < CHILDREN; i++) {
		unsigned at = PAGE - (i + 1) * 5;
		put(page + 12 + 2 * i, 2, at);
		put(page + at, 4, child);
		page[at + 4] = (uint8_t)(i + 1); /* the largest id below */
	}
}

/* Puts LEVELS such pages above the leaf of the message table. */
static void
make_endless(const char *path, uint32_t root)
{
	static uint8_t file[PAGE * 64], leaf[PAGE];
	struct span old = read_file(path, (char *)file, sizeof file);
	uint32_t pages = (uint32_t)(old.len / PAGE);

	if (old.len % PAGE || pages + LEVELS > 64 || root > pages)
		abort();
	memcpy(leaf, file + (root - 1) * PAGE, PAGE);
	make_inner(file + (root - 1) * PAGE, pages + 1);
	for (uint32_t i = 1; i < LEVELS; i++)
		make_inner(file + (pages + i - 1) * PAGE, pages + i + 1);
	memcpy(file + (pages + LEVELS - 1) * PAGE, leaf, PAGE);
	put(file + 28, 4, pages + LEVELS);
	write_file(path, span_make((char *)file, (pages + LEVELS) * PAGE));
}

static void
test_endless(void)
{
	struct verdictlog_query query = {.action = SPAN("discard")};
	struct kit kit;
	struct kit_ids ids = {0};
	struct err err = {0};

	kit_init(&kit);
	struct verdictlog *log = kit_open(&kit);
	kit_append(log, 1, NOON);
	CHECK_INT(kit_flush(log), 0);
	verdictlog_close(log);
	TAP_CASE("a damaged file of 120^12 rows is given up in SQL");
	int64_t root = number_of(
	    &kit, "SELECT rootpage FROM sqlite_schema WHERE name = 'message'");
	make_endless(kit_path(&kit, TODAY), (uint32_t)root);
	CHECK_INT(verdictlog_read(kit.folder, &query, kit_take_id, &ids, &err),
	    ERR_INVALID);
	CHECK(strstr(err.text, "/" TODAY ": is damaged"));
	CHECK_STR(span_of(ids.text), "");

	TAP_CASE("and its rows, out of order, are not shown twice");
	CHECK_INT(verdictlog_read(kit.folder, &(struct verdictlog_query){0},
		      kit_take_id, &ids, NULL),
	    ERR_INVALID);
	CHECK_STR(span_of(ids.text), "1");
	kit_done(&kit);
}

static void
test_not_writable(void)
{
	struct kit kit;
	struct verdictlog_status status;

	kit_init(&kit);
	struct verdictlog *log = kit_open(&kit);
	kit_append(log, 1, NOON);
	CHECK_INT(kit_flush(log), 0);
	verdictlog_close(log);

	TAP_CASE("a read-only file is told, and waited for");
	CHECK_INT(chmod(kit_path(&kit, TODAY), 0440), 0);
	log = kit_open(&kit);
	verdictlog_status(log, &status);
	CHECK(!status.good);
	CHECK(strstr(status.problem, "/" TODAY ": is read-only"));
	kit_append(log, 2, NOON);
	CHECK_INT(verdictlog_flush(log, clock_deadline(50)), ERR_TIMEOUT);
	CHECK_IDS(&kit, &(struct verdictlog_query){0}, "1");
	CHECK_INT(chmod(kit_path(&kit, TODAY), 0640), 0);
	CHECK_INT(kit_flush(log), 0);
	CHECK_IDS(&kit, &(struct verdictlog_query){0}, "1 2");
	verdictlog_status(log, &status);
	CHECK(status.good);
	CHECK_INT(status.failed + status.dropped, 0);
	verdictlog_close(log);

	if (geteuid() != 0) {
		tap_skip("a file of another user is told, until it is ours",
		    "not root");
		kit_done(&kit);
		return;
	}
	TAP_CASE("a file of another user is told, until it is ours");
	CHECK_INT(chown(kit_path(&kit, TODAY), 4321, (gid_t)-1), 0);
	log = kit_open(&kit);
	verdictlog_status(log, &status);
	CHECK(strstr(status.problem, "/" TODAY ": belongs to user 4321"));
	CHECK_INT(chown(kit_path(&kit, TODAY), 0, (gid_t)-1), 0);
	int64_t deadline = clock_deadline(20000);
	do
		verdictlog_status(log, &status);
	while (!status.good && clock_left(deadline));
	CHECK(status.good);
	verdictlog_close(log);
	kit_done(&kit);
}

static void
test_unusable_folder(void)
{
	struct kit kit;
	struct verdictlog *log = NULL;
	struct verdictlog_status status;

	kit_init(&kit);
	struct verdictlog_options options = {kit.folder, 30, 1 << 30, 100000};
	write_file(kit.folder, SPAN("in the way"));
	TAP_CASE(
	    "records wait for a folder, beyond the bound they are dropped");
	CHECK_INT(verdictlog_open(&options, &log, NULL), 0);
	uint64_t taken = 0;
	while (kit_append(log, taken + 1, NOON))
		taken++;
	CHECK(taken > 20 && taken < 200);
	CHECK(!kit_append(log, 1000, NOON));
	CHECK_INT(verdictlog_flush(log, clock_deadline(50)), ERR_TIMEOUT);
	verdictlog_status(log, &status);
	CHECK(!status.good);
	CHECK(strstr(status.problem, kit.folder));
	CHECK_INT(status.queued, taken);
	CHECK_INT(status.dropped, 2);
	CHECK_INT(status.written + status.failed, 0);

	TAP_CASE("it goes on by itself when there is one");
	CHECK_INT(unlink(kit.folder), 0);
	int64_t deadline = clock_deadline(20000);
	do
		verdictlog_status(log, &status);
	while (status.queued && clock_left(deadline));
	CHECK_INT(status.written, taken);
	CHECK(status.good);
	CHECK(kit_append(log, 2000, NOON));
	CHECK_INT(kit_flush(log), 0);
	CHECK_INT(kit_read(&kit, &(struct verdictlog_query){0}).n, taken + 1);
	verdictlog_close(log);
	kit_done(&kit);

	TAP_CASE("the end does not wait for ever");
	kit_init(&kit);
	write_file(kit.folder, SPAN("in the way"));
	log = kit_open(&kit);
	kit_append(log, 1, NOON);
	deadline = clock_deadline(15000);
	verdictlog_close(log);
	CHECK(clock_left(deadline) > 0);
	unlink(kit.folder);
	kit_done(&kit);
}

/* --- readers with rights to read only --------------------------------------------------------- */

#define READER_UID 54321
#define READER_GID 54322

/* Reads as another user of the files' group; the number of records or < 0. */
static int
read_as_other(struct kit *kit)
{
	pid_t pid = fork();
	int status = 0;

	if (pid == 0) {
		struct kit_ids ids = {0};
		struct err err = {0};
		gid_t none = READER_GID;
		if (setgroups(1, &none) || setgid(READER_GID) ||
		    setuid(READER_UID))
			_exit(200);
		int rc = verdictlog_read(kit->folder,
		    &(struct verdictlog_query){0}, kit_take_id, &ids, &err);
		if (rc && rc != ERR_ACCESS)
			printf("# %d %s\n", rc, err.text);
		fflush(stdout);
		_exit(rc == ERR_ACCESS ? 201 : rc ? 202 : (int)ids.n);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

static void
give_to_group(struct kit *kit)
{
	char above[KIT_PATH];
	DIR *dir = opendir(kit->folder);

	snprintf(above, sizeof above, "%s", kit->folder);
	*strrchr(above, '/') = '\0';
	CHECK_INT(chmod(above, 0755), 0);
	for (struct dirent *e; dir && (e = readdir(dir));)
		if (*e->d_name != '.')
			CHECK_INT(
			    chown(kit_path(kit, e->d_name), 0, READER_GID), 0);
	closedir(dir);
	CHECK_INT(chown(kit->folder, 0, READER_GID), 0);
}

static void
test_group_reader(void)
{
	struct kit kit;

	if (geteuid() != 0) {
		tap_skip("the group reads without rights to write", "not root");
		return;
	}
	kit_init(&kit);
	struct verdictlog *log = kit_open(&kit);
	kit_append(log, 1, NOON);
	CHECK_INT(kit_flush(log), 0);
	give_to_group(&kit);
	TAP_CASE("the group reads while the writer is open");
	CHECK_INT(read_as_other(&kit), 1);
	for (uint64_t i = 2; i <= 20; i++) {
		kit_append(log, i, NOON);
		CHECK_INT(kit_flush(log), 0);
		CHECK_INT(read_as_other(&kit), i);
	}

	TAP_CASE("the group reads after a clean stop");
	verdictlog_close(log);
	struct stat st;
	CHECK_INT(stat(kit_path(&kit, TODAY "-wal"), &st), 0);
	CHECK_INT(st.st_size, 0);
	CHECK_INT(read_as_other(&kit), 20);

	TAP_CASE("the group reads a database that stands alone");
	CHECK_INT(unlink(kit_path(&kit, TODAY "-wal")), 0);
	CHECK_INT(read_as_other(&kit), 20);
	CHECK_INT(unlink(kit_path(&kit, TODAY "-shm")), 0);
	CHECK_INT(read_as_other(&kit), 20);
	write_file(kit_path(&kit, TODAY "-wal"), SPAN(""));
	CHECK_INT(read_as_other(&kit), 20);

	TAP_CASE("the writer goes on after that");
	log = kit_open(&kit);
	kit_append(log, 21, NOON);
	CHECK_INT(kit_flush(log), 0);
	verdictlog_close(log);
	CHECK_INT(kit_read(&kit, &(struct verdictlog_query){0}).n, 21);

	TAP_CASE("without rights it is told");
	CHECK_INT(chmod(kit_path(&kit, TODAY), 0600), 0);
	CHECK_INT(read_as_other(&kit), 201);
	kit_done(&kit);
}

/* A reader leaves no file behind that the writer could not write. */
static void
test_root_reader(void)
{
	struct kit kit;
	static char before[65536], after[65536];

	kit_init(&kit);
	struct verdictlog *log = kit_open(&kit);
	kit_append(log, 1, NOON);
	CHECK_INT(kit_flush(log), 0);
	verdictlog_close(log);
	TAP_CASE("reading changes nothing of a file");
	struct span old =
	    read_file(kit_path(&kit, TODAY), before, sizeof before);
	CHECK_IDS(&kit, &(struct verdictlog_query){0}, "1");
	CHECK_SPAN(read_file(kit_path(&kit, TODAY), after, sizeof after), old);
	struct stat st;
	CHECK_INT(stat(kit_path(&kit, TODAY "-wal"), &st), 0);
	kit_done(&kit);
}

/* --- SIGKILL --------------------------------------------------------------------------------------- */

#define KILLS 50
#define IDS_EACH 1000000

/* Writes until it is killed; says each id that is acknowledged. */
static void
write_for_ever(struct kit *kit, uint64_t first, int say)
{
	struct verdictlog *log = kit_open(kit);

	for (uint64_t id = first;; id++) {
		if (!kit_append(log, id, NOON))
			_exit(1);
		if (id % 7 != 0)
			continue;
		if (kit_flush(log))
			_exit(1);
		if (write(say, &id, sizeof id) != sizeof id)
			_exit(1);
	}
}

/* The last acknowledged id before the kill, or first - 1. */
static uint64_t
kill_writer(struct kit *kit, uint64_t first, int after_ms, bool after_ack)
{
	int ends[2];
	uint64_t id = first - 1, next;

	if (pipe(ends))
		abort();
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		close(ends[0]);
		write_for_ever(kit, first, ends[1]);
	}
	close(ends[1]);
	struct pollfd waits = {.fd = ends[0], .events = POLLIN};
	if (after_ack)
		(void)poll(&waits, 1, 20000);
	int64_t deadline = clock_deadline(after_ms);
	while (clock_left(deadline))
		if (poll(&waits, 1, (int)clock_left(deadline)) == 1 &&
		    read(ends[0], &next, sizeof next) == sizeof next)
			id = next;
	kill(pid, SIGKILL);
	while (read(ends[0], &next, sizeof next) == sizeof next)
		id = next;
	close(ends[0]);
	int status = 0;
	CHECK_INT(waitpid(pid, &status, 0), pid);
	CHECK(WIFSIGNALED(status));
	return id;
}

static void
test_kill(void)
{
	struct kit kit;
	uint64_t acknowledged = 0;
	unsigned busy = 0;

	kit_init(&kit);
	TAP_CASE("50 kills while it writes: sound, nothing acknowledged lost");
	for (unsigned n = 0; n < KILLS; n++) {
		uint64_t first = 1 + n * IDS_EACH;
		uint64_t last =
		    kill_writer(&kit, first, (int)(n * 7 % 23), n % 4 != 0);
		char sql[160];
		if (last >= first) {
			busy++;
			acknowledged += last + 1 - first;
			snprintf(sql, sizeof sql,
			    "SELECT count(*) FROM message WHERE id BETWEEN"
			    " %llu AND %llu",
			    (unsigned long long)first,
			    (unsigned long long)last);
			CHECK_INT(number_of(&kit, sql), last + 1 - first);
		}
		if (busy && !CHECK(is_sound(&kit)))
			break;
	}
	CHECK(busy >= KILLS / 2);

	TAP_CASE("every record has its recipients and symbols");
	CHECK_INT(number_of(&kit, "SELECT count(*) FROM message m WHERE 2 <>"
				  " (SELECT count(*) FROM rcpt r WHERE r.id ="
				  " m.id) OR 3 <> (SELECT count(*) FROM symbol"
				  " s JOIN name USING(name_id) WHERE s.id ="
				  " m.id)"),
	    0);
	CHECK(kit_read(&kit, &(struct verdictlog_query){0}).n >= acknowledged);
	kit_done(&kit);

	TAP_CASE("killed while it makes the file: the next one finishes it");
	for (int n = 0; n < 10; n++) {
		kit_init(&kit);
		(void)kill_writer(&kit, 1, n, false);
		struct verdictlog *log = kit_open(&kit);
		kit_append(log, IDS_EACH, NOON);
		CHECK_INT(kit_flush(log), 0);
		verdictlog_close(log);
		CHECK(is_sound(&kit));
		CHECK_INT(kit_read(&kit, &(struct verdictlog_query){0}).last,
		    IDS_EACH);
		kit_done(&kit);
	}
}

/* --- row 66: no room -------------------------------------------------------------------------------- */

static void
limit_files(rlim_t bytes)
{
	struct rlimit limit;

	getrlimit(RLIMIT_FSIZE, &limit);
	limit.rlim_cur = bytes;
	setrlimit(RLIMIT_FSIZE, &limit);
}

/*
 * No file may pass `limit` while `n` records are written; then it may. 0 when
 * all are there in the end. In a process of its own.
 */
static int
write_limited(struct kit *kit, rlim_t limit, uint64_t n, bool *ret_hit)
{
	struct verdictlog_options options = {
	    kit->folder, 30, INT64_C(1) << 40, (size_t)256 << 20};
	struct verdictlog *log = NULL;
	struct verdictlog_status status;

	limit_files(limit);
	if (verdictlog_open(&options, &log, NULL))
		return 1;
	for (uint64_t id = 1; id <= n; id++)
		if (!kit_append(log, id, NOON))
			return 2;
	int rc = verdictlog_flush(log, clock_deadline(100 + (int64_t)n / 2));
	if (rc && rc != ERR_TIMEOUT)
		return 3;
	/* On a slow machine the time was over before the limit was met. */
	int64_t patience = clock_deadline(60000);
	do
		verdictlog_status(log, &status);
	while (rc && status.good && clock_left(patience) && status.queued &&
	       verdictlog_flush(log, clock_deadline(20)));
	*ret_hit = !status.good;
	limit_files(RLIM_INFINITY);
	if (kit_flush(log))
		return 4;
	verdictlog_status(log, &status);
	if (!status.good || status.written != n || status.failed)
		return 5;
	verdictlog_close(log);
	if (number_of(kit, "SELECT count(*) FROM message") != (int64_t)n)
		return 6;
	return is_sound(kit) ? 0 : 7;
}

/* Its result; whether the limit was reached is counted. */
static int
fork_limited(struct kit *kit, rlim_t limit, uint64_t n, unsigned *hits)
{
	int status = 0;

	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		bool hit = false;
		signal(SIGXFSZ, SIG_IGN);
		int rc = write_limited(kit, limit, n, &hit);
		fflush(stdout);
		_exit(rc | (hit ? 64 : 0));
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -1;
	*hits += WEXITSTATUS(status) & 64 ? 1 : 0;
	return WEXITSTATUS(status) & 63;
}

static void
test_no_room(void)
{
	static const struct {
		rlim_t limit;
		uint64_t n;
	} cases[] = {{0, 5}, {1, 5}, {600, 5}, {4096, 5}, {8192, 5}, {20000, 5},
	    {24576, 5}, {28672, 5}, {32768, 30}, {37000, 30}, {45056, 200},
	    {65536, 200}, {131072, 400}, {4400000, 14000}};
	unsigned hits = 0;

	TAP_CASE("no room at any write: nothing lost once there is some");
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct kit kit;
		kit_init(&kit);
		if (!CHECK_INT(
			fork_limited(&kit, cases[i].limit, cases[i].n, &hits),
			0))
			printf("# limit %lld\n", (long long)cases[i].limit);
		kit_done(&kit);
	}
	CHECK_INT(hits, sizeof cases / sizeof *cases);
}

static void
test_full_disk(void)
{
	struct kit kit;
	struct verdictlog *log = NULL;
	struct verdictlog_status status;
	uint64_t taken = 0, dropped = 0;

	kit_init(&kit);
	struct verdictlog_options options = {
	    kit.folder, 30, INT64_C(1) << 40, 1 << 20};
	mkdir(kit.folder, 0750);
	if (mount("tmpfs", kit.folder, "tmpfs", 0, "size=600k,mode=750")) {
		tap_skip("a full disk", "no right to mount one");
		kit_done(&kit);
		return;
	}
	TAP_CASE("a full disk: records wait, then are dropped and counted");
	CHECK_INT(verdictlog_open(&options, &log, NULL), 0);
	int64_t deadline = clock_deadline(60000);
	do {
		while (kit_append(log, taken + 1, NOON))
			taken++;
		dropped++;
		/* While there is room the thread empties the queue. */
		do
			verdictlog_status(log, &status);
		while (status.good && status.queued && clock_left(deadline));
	} while (status.good && clock_left(deadline));
	CHECK(!status.good);
	CHECK(strstr(status.problem, "full"));
	while (kit_append(log, taken + 1, NOON))
		taken++;
	dropped++;
	verdictlog_status(log, &status);
	CHECK_INT(status.dropped, dropped);
	CHECK_INT(status.failed, 0);
	CHECK_INT(status.written + status.queued, taken);
	CHECK(status.written > 0);

	TAP_CASE("what was written before is read meanwhile");
	CHECK_INT(
	    kit_read(&kit, &(struct verdictlog_query){0}).n, status.written);

	TAP_CASE("with room again all that waited is written");
	CHECK_INT(
	    mount("tmpfs", kit.folder, "tmpfs", MS_REMOUNT, "size=8m"), 0);
	CHECK_INT(kit_flush(log), 0);
	verdictlog_status(log, &status);
	CHECK(status.good);
	CHECK_INT(status.written, taken);
	CHECK(is_sound(&kit));
	CHECK_INT(number_of(&kit, "SELECT count(*) FROM message"), taken);
	verdictlog_close(log);
	CHECK_INT(umount(kit.folder), 0);
	kit_done(&kit);
}

int
main(void)
{
	clock_set_wall(NOON);
	test_foreign_files();
	test_endless();
	test_not_writable();
	test_unusable_folder();
	test_group_reader();
	test_root_reader();
	test_kill();
	test_no_room();
	test_full_disk();
	return tap_done();
}
