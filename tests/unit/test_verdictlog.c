/* The verdict log: what is written is read, by day, order and filter. */
#include "filter/log/verdictlog.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>

#include "tests/unit/logkit.h"

#define DAY 86400

/* --- one record ------------------------------------------------------------------------ */

struct want {
	const struct record *record;
	unsigned n;
};

static bool
compare(void *arg, const struct record *got)
{
	struct want *w = arg;
	const struct record *want = w->record;

	w->n++;
	CHECK_INT(got->id, want->id);
	for (const struct record_field *f = record_fields; f->name; f++) {
		bool good =
		    f->type != RECORD_TEXT
			? CHECK_INT(record_int(got, f), record_int(want, f))
			: CHECK_SPAN(record_text(got, f), record_text(want, f));
		if (f->type == RECORD_TEXT)
			good = CHECK(!record_text(got, f).p ==
				     !record_text(want, f).p) &&
			       good;
		if (!good)
			printf("# field %s\n", f->name);
	}
	if (CHECK_INT(got->rcpts.n, want->rcpts.n))
		for (size_t i = 0; i < got->rcpts.n; i++) {
			CHECK_SPAN(got->rcpts.v[i].addr, want->rcpts.v[i].addr);
			CHECK_SPAN(
			    got->rcpts.v[i].action, want->rcpts.v[i].action);
		}
	if (CHECK_INT(got->symbols.n, want->symbols.n))
		for (size_t i = 0; i < got->symbols.n; i++) {
			const struct record_symbol *a = &got->symbols.v[i];
			const struct record_symbol *b = &want->symbols.v[i];
			CHECK_SPAN(a->name, b->name);
			CHECK_SPAN(a->evidence, b->evidence);
			CHECK_SPAN(a->origin, b->origin);
			CHECK(!a->origin.p == !b->origin.p);
			CHECK_INT(a->count_milli, b->count_milli);
			CHECK_INT(a->score_milli, b->score_milli);
		}
	return true;
}

static void
round_trip(struct kit *kit, const struct record *record)
{
	struct want want = {record, 0};
	struct verdictlog_query query = {.id = record->id};
	struct verdictlog *log = kit_open(kit);

	CHECK(verdictlog_append(log, record));
	CHECK_INT(kit_flush(log), 0);
	CHECK_INT(
	    verdictlog_read(kit->folder, &query, compare, &want, NULL), 0);
	CHECK_INT(want.n, 1);
	verdictlog_close(log);
}

static void
test_round_trip(void)
{
	struct kit kit;
	struct record r = kit_record(UINT64_C(0x12345678abcd), NOON);
	struct record bare = {.id = 2, .time = NOON};

	kit_init(&kit);
	TAP_CASE("a record comes back whole");
	round_trip(&kit, &r);

	TAP_CASE("what is not known stays not known");
	round_trip(&kit, &bare);

	TAP_CASE("numbers at their ends come back");
	r.id = 3;
	r.score_milli = INT64_MIN;
	r.size = INT64_MAX;
	r.tag_milli = r.reject_milli = INT64_MAX;
	round_trip(&kit, &r);
	kit_done(&kit);
}

static void
test_hostile_bytes(void)
{
	/* Row 67: what senders choose: quotes, escapes, NUL, no UTF-8. */
	static const struct span hostile[] = {
	    SPAN("'); DROP TABLE message; --"),
	    SPAN("\"x\" '' `y` %s %n ? ?1 :a"),
	    SPAN("\x1b]0;title\x07\x1b[2J\x7f\xc2\x9b"),
	    SPAN("a\0b\0"),
	    SPAN("\0"),
	    SPAN("\xff\xfe\x80 \xc3"),
	    SPAN("line\r\nX-Injected: 1\r\n"),
	    SPAN("\\x41\\\\ \\"),
	    SPAN("=cmd|' /C calc'!A0"),
	    SPAN("\xe2\x80\xae"
		 "gpj.exe"),
	};
	struct kit kit;

	TAP_CASE("whatever bytes come back as they were");
	kit_init(&kit);
	for (size_t i = 0; i < sizeof hostile / sizeof *hostile; i++) {
		struct record_rcpt rcpt = {hostile[i], hostile[i]};
		struct record_symbol symbol = {
		    hostile[i], 1000, 1, hostile[i], hostile[i]};
		struct record r = {.id = i + 1, .time = NOON};
		for (const struct record_field *f = record_fields; f->name; f++)
			if (f->type == RECORD_TEXT)
				record_set_text(&r, f, hostile[i]);
		r.rcpts.v = &rcpt;
		r.symbols.v = &symbol;
		r.rcpts.n = r.symbols.n = 1;
		round_trip(&kit, &r);
		/* And is found. */
		struct verdictlog_query query = {.queue_id = hostile[i],
		    .message_id = hostile[i],
		    .symbol = hostile[i],
		    .to = hostile[i]};
		struct kit_ids ids = kit_read(&kit, &query);
		CHECK_INT(ids.n, 1);
		CHECK_INT(ids.first, i + 1);
	}
	kit_done(&kit);
}

/* Writes `r`; the value of `sql` on its day, as text. */
static void
check_sql(struct kit *kit, const char *sql, const char *want)
{
	sqlite3 *db = NULL;
	sqlite3_stmt *stmt = NULL;

	CHECK_INT(sqlite3_open_v2(kit_path(kit, "2026-11-24.db"), &db,
		      SQLITE_OPEN_READONLY, NULL),
	    0);
	CHECK_INT(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), 0);
	CHECK_INT(sqlite3_step(stmt), SQLITE_ROW);
	const void *text = sqlite3_column_text(stmt, 0);
	if (!CHECK_STR(span_of(text), want))
		printf("# %s\n", sql);
	sqlite3_finalize(stmt);
	sqlite3_close(db);
}

static void
test_tools(void)
{
	static const char *const cases[][2] = {
	    {"PRAGMA user_version", "1"},
	    {"PRAGMA quick_check", "ok"},
	    {"SELECT score FROM messages", "6.4"},
	    {"SELECT typeof(score) FROM messages", "real"},
	    {"SELECT time FROM messages", "2026-11-24 12:00:00"},
	    {"SELECT quarantine_at IS NULL FROM messages", "1"},
	    {"SELECT reject_at FROM messages", "15.0"},
	    {"SELECT helo FROM messages", "\\x1b[2J\\x00"},
	    {"SELECT group_concat(recipient || '=' || action) FROM recipients",
		"anna@example.org=tag,ben@Sub.example.net=accept"},
	    {"SELECT group_concat(symbol || ':' || score || ':' || count)"
	     " FROM symbols",
		"BAYES_99:3.5:1,PDF_LINK_ONLY:3.9:0.5,"
		"RCVD_IN_DNSWL_LOW:-1.0:2"},
	    {"SELECT origin FROM symbols WHERE symbol = 'PDF_LINK_ONLY'",
		"/etc/assay/rules.d/local.cf:41"},
	    /* The contract of product.md. */
	    {"SELECT count(*) FROM (SELECT m.id, r.id, r.n, r.addr, r.action,"
	     " s.id, s.name_id, s.count, s.score_milli, s.evidence, n.name_id,"
	     " n.name FROM message m, rcpt r, symbol s, name n)",
		"18"},
	    {"SELECT group_concat(name) FROM sqlite_schema WHERE type ="
	     " 'index' AND sql IS NOT NULL",
		"message_queue_id"},
	};
	struct kit kit;
	struct record r = kit_record(1, NOON);

	kit_init(&kit);
	r.helo = SPAN("\x1b[2J\0");
	TAP_CASE("the sqlite3 shell sees views with points and times");
	struct verdictlog *log = kit_open(&kit);
	CHECK(verdictlog_append(log, &r));
	CHECK_INT(kit_flush(log), 0);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		check_sql(&kit, cases[i][0], cases[i][1]);
	verdictlog_close(log);
	kit_done(&kit);
}

static void
test_id_twice(void)
{
	struct kit kit;
	struct record other = kit_record(1, NOON);

	kit_init(&kit);
	TAP_CASE("the first record of an id stays");
	struct verdictlog *log = kit_open(&kit);
	kit_append(log, 1, NOON);
	other.queue_id = SPAN("OTHER");
	CHECK(verdictlog_append(log, &other));
	kit_append(log, 2, NOON);
	CHECK_INT(kit_flush(log), 0);
	CHECK_IDS(&kit, &(struct verdictlog_query){0}, "1 2");
	check_sql(&kit, "SELECT queue_id FROM message", "4Xh2Qk3b9Yz");
	check_sql(&kit, "SELECT count(*) FROM symbol", "6");
	verdictlog_close(log);
	kit_done(&kit);
}

static void
run_sql(struct kit *kit, const char *sql)
{
	sqlite3 *db = NULL;

	CHECK_INT(sqlite3_open(kit_path(kit, "2026-11-24.db"), &db), 0);
	CHECK_INT(sqlite3_exec(db, sql, NULL, NULL, NULL), 0);
	sqlite3_close(db);
}

static void
test_other_release(void)
{
	struct kit kit;

	kit_init(&kit);
	struct verdictlog *log = kit_open(&kit);
	kit_append(log, 1, NOON);
	CHECK_INT(kit_flush(log), 0);
	verdictlog_close(log);
	run_sql(&kit, "DROP VIEW messages; ALTER TABLE message DROP COLUMN arc;"
		      "ALTER TABLE message DROP COLUMN tag_at_milli;"
		      "ALTER TABLE message ADD COLUMN of_tomorrow TEXT");
	TAP_CASE("a file of fewer fields, or of more, is read");
	CHECK_IDS(&kit, &(struct verdictlog_query){0}, "1");

	TAP_CASE("and written on, with all of ours");
	struct record r = kit_record(2, NOON);
	round_trip(&kit, &r);
	CHECK_IDS(&kit, &(struct verdictlog_query){0}, "1 2");
	kit_done(&kit);
}

/* --- days and order ----------------------------------------------------------------------- */

static void
test_order(void)
{
	struct kit kit;
	struct verdictlog *log;

	kit_init(&kit);
	TAP_CASE("a folder that is not there has no records");
	CHECK_IDS(&kit, &(struct verdictlog_query){0}, "");
	log = kit_open(&kit);
	/* Two days around midnight, mixed; and an old one, late. */
	int64_t midnight = NOON + DAY / 2;
	kit_append(log, 11, midnight - 1);
	kit_append(log, 13, midnight);
	kit_append(log, 12, midnight - 1);
	kit_append(log, 14, midnight + 1);
	kit_append(log, 1, NOON - 3 * DAY);
	CHECK_INT(kit_flush(log), 0);

	TAP_CASE("the record's own time picks the day, at midnight UTC");
	struct stat st;
	CHECK_INT(stat(kit_path(&kit, "2026-11-21.db"), &st), 0);
	CHECK_INT(stat(kit_path(&kit, "2026-11-24.db"), &st), 0);
	CHECK_INT(stat(kit_path(&kit, "2026-11-25.db"), &st), 0);
	CHECK_INT(st.st_mode & 07777, 0640);
	CHECK_INT(stat(kit.folder, &st), 0);
	CHECK_INT(st.st_mode & 07777, 0750);
	check_sql(&kit, "SELECT group_concat(id) FROM message", "11,12");

	TAP_CASE("oldest first, newest first, some");
	CHECK_IDS(&kit, &(struct verdictlog_query){0}, "1 11 12 13 14");
	CHECK_IDS(&kit, (&(struct verdictlog_query){.newest_first = true}),
	    "14 13 12 11 1");
	CHECK_IDS(&kit, (&(struct verdictlog_query){.limit = 3}), "1 11 12");
	CHECK_IDS(&kit,
	    (&(struct verdictlog_query){.newest_first = true, .limit = 3}),
	    "14 13 12");

	TAP_CASE("since counts in, until does not");
	CHECK_IDS(
	    &kit, (&(struct verdictlog_query){.since = midnight}), "13 14");
	CHECK_IDS(
	    &kit, (&(struct verdictlog_query){.until = midnight}), "1 11 12");
	CHECK_IDS(&kit,
	    (&(struct verdictlog_query){
		.since = midnight - 1, .until = midnight + 1}),
	    "11 12 13");
	CHECK_IDS(&kit,
	    (&(struct verdictlog_query){
		.since = midnight + 2, .until = midnight + 1}),
	    "");

	TAP_CASE("a day outside of the time is not opened");
	FILE *f = fopen(kit_path(&kit, "2026-11-20.db"), "w");
	fputs("no database", f);
	fclose(f);
	CHECK_IDS(
	    &kit, (&(struct verdictlog_query){.since = NOON}), "11 12 13 14");

	TAP_CASE("a damaged day is named, and hides no other");
	struct err err = {0};
	struct kit_ids ids = {0};
	CHECK_INT(verdictlog_read(kit.folder, &(struct verdictlog_query){0},
		      kit_take_id, &ids, &err),
	    ERR_INVALID);
	CHECK(strstr(err.text, "/2026-11-20.db: ") != NULL);
	CHECK_STR(span_of(ids.text), "1 11 12 13 14");
	verdictlog_close(log);
	kit_done(&kit);
}

static bool
stop_at_two(void *arg, const struct record *record)
{
	unsigned *n = arg;

	(void)record;
	return ++*n < 2;
}

static void
test_end(void)
{
	struct kit kit;
	unsigned n = 0;

	kit_init(&kit);
	struct verdictlog *log = kit_open(&kit);
	for (uint64_t i = 1; i <= 4; i++)
		kit_append(log, i, NOON + (i > 2 ? DAY : 0));
	CHECK_INT(kit_flush(log), 0);
	TAP_CASE("the function ends the reading");
	CHECK_INT(verdictlog_read(kit.folder, &(struct verdictlog_query){0},
		      stop_at_two, &n, NULL),
	    0);
	CHECK_INT(n, 2);
	verdictlog_close(log);
	kit_done(&kit);
}

/* --- filters --------------------------------------------------------------------------------- */

static struct verdictlog *
write_filtered(struct kit *kit)
{
	struct verdictlog *log = kit_open(kit);
	struct record r = kit_record(1, NOON);
	struct record_symbol symbol = {
	    SPAN("BAYES_99"), 1000, 1, SPAN(""), SPAN("other:9")};

	CHECK(verdictlog_append(log, &r));
	r.id = 2;
	r.queue_id = SPAN("4xh2qk3B9yZ");
	r.mail_from = SPAN("");
	r.action = r.would = SPAN("reject");
	r.degraded = SPAN("");
	r.symbols.v = &symbol;
	r.symbols.n = 1;
	CHECK(verdictlog_append(log, &r));
	r.id = 3;
	r.mode = SPAN("observe");
	r.action = SPAN("accept");
	r.message_id = SPAN("other@example.com");
	r.symbols.n = 0;
	r.rcpts.n = 1;
	CHECK(verdictlog_append(log, &r));
	r.id = 4;
	r.mode = SPAN("enforce");
	r.action = SPAN("tag"); /* a relay: would be rejected, is not */
	CHECK(verdictlog_append(log, &r));
	CHECK_INT(kit_flush(log), 0);
	return log;
}

static void
test_filters(void)
{
	static const struct {
		const char *claim;
		struct verdictlog_query query;
		const char *want;
	} cases[] = {
	    {"by id", {.id = 3}, "3"},
	    {"by an id that is not there", {.id = 99}, ""},
	    {"by queue id, its case too", {.queue_id = SPAN("4Xh2Qk3b9Yz")},
		"1"},
	    {"by message id", {.message_id = SPAN("OTHER@example.com")}, "3 4"},
	    {"by sender", {.from = SPAN("@mailer.example")}, "1"},
	    {"by empty sender", {.from = SPAN("<>")}, "2 3 4"},
	    {"by From field", {.from = SPAN("invoice@muster.example")},
		"1 2 3 4"},
	    {"by recipient", {.to = SPAN("ben@sub.EXAMPLE.net")}, "1 2"},
	    {"by recipients' domain", {.to = SPAN(".example.net")}, "1 2"},
	    {"by what was done, or would be in observe",
		{.action = SPAN("Reject")}, "2 3"},
	    {"by action tag", {.action = SPAN("tag")}, "1 4"},
	    {"by symbol, whatever its origin", {.symbol = SPAN("bayes_99")},
		"1 2"},
	    {"by a symbol that is not there", {.symbol = SPAN("BAYES_9")}, ""},
	    {"by degraded", {.degraded = SPAN("dnsbl")}, "1"},
	    {"all at once",
		{.from = SPAN("<>"),
		    .to = SPAN("@example.org"),
		    .action = SPAN("reject"),
		    .symbol = SPAN("BAYES_99"),
		    .since = NOON,
		    .until = NOON + 1},
		"2"},
	    {"newest first with a filter in C",
		{.from = SPAN("<>"), .newest_first = true, .limit = 2}, "4 3"},
	};
	struct kit kit;

	kit_init(&kit);
	struct verdictlog *log = write_filtered(&kit);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		TAP_CASE(cases[i].claim);
		CHECK_IDS(&kit, &cases[i].query, cases[i].want);
	}

	TAP_CASE("a queue id is found by the index, in order of ids");
	check_sql(&kit, "SELECT 1", "1"); /* opens */
	sqlite3 *db = NULL;
	sqlite3_stmt *stmt = NULL;
	CHECK_INT(sqlite3_open(kit_path(&kit, "2026-11-24.db"), &db), 0);
	CHECK_INT(sqlite3_prepare_v2(db,
		      "EXPLAIN QUERY PLAN SELECT * FROM message WHERE id <= ?1"
		      " AND queue_id = ?4 ORDER BY id DESC",
		      -1, &stmt, NULL),
	    0);
	CHECK_INT(sqlite3_step(stmt), SQLITE_ROW);
	const char *plan = (const char *)sqlite3_column_text(stmt, 3);
	CHECK(plan && strstr(plan, "USING INDEX message_queue_id"));
	CHECK_INT(sqlite3_step(stmt), SQLITE_DONE); /* no sorting */
	sqlite3_finalize(stmt);
	sqlite3_close(db);
	verdictlog_close(log);
	kit_done(&kit);
}

/* --- the folder --------------------------------------------------------------------------------- */

static void
test_odd_entries(void)
{
	struct kit kit;
	char to[KIT_PATH];

	kit_init(&kit);
	struct verdictlog *log = kit_open(&kit);
	kit_append(log, 1, NOON);
	CHECK_INT(kit_flush(log), 0);
	TAP_CASE("links, folders and other names are passed over");
	snprintf(to, sizeof to, "%s", kit_path(&kit, "2026-11-24.db"));
	CHECK_INT(symlink(to, kit_path(&kit, "2026-11-23.db")), 0);
	CHECK_INT(symlink("/dev/zero", kit_path(&kit, "2026-11-22.db")), 0);
	CHECK_INT(mkfifo(kit_path(&kit, "2026-11-21.db"), 0600), 0);
	CHECK_INT(mkdir(kit_path(&kit, "2026-11-20.db"), 0700), 0);
	FILE *f = fopen(kit_path(&kit, "2026-11-24.db.bak"), "w");
	fclose(f);
	CHECK_IDS(&kit, &(struct verdictlog_query){0}, "1");
	rmdir(kit_path(&kit, "2026-11-20.db"));
	verdictlog_close(log);
	kit_done(&kit);
}

static bool
is_there(struct kit *kit, const char *name)
{
	struct stat st;

	return lstat(kit_path(kit, name), &st) == 0;
}

/* Files of days of one record each. */
static void
write_days(struct kit *kit, int64_t first, int n)
{
	struct verdictlog *log = kit_open(kit);

	for (int i = 0; i < n; i++)
		kit_append(log, (uint64_t)i + 1, first + i * DAY);
	CHECK_INT(kit_flush(log), 0);
	verdictlog_close(log);
}

static void
test_retention(void)
{
	struct kit kit;
	struct verdictlog *log = NULL;

	kit_init(&kit);
	TAP_CASE("days beyond retention are removed with all their files");
	write_days(&kit, NOON - 9 * DAY, 10);
	CHECK(is_there(&kit, "2026-11-16.db-wal"));
	struct verdictlog_options options = {
	    kit.folder, 7, INT64_C(1) << 40, 1 << 20};
	CHECK_INT(verdictlog_open(&options, &log, NULL), 0);
	CHECK_IDS(&kit, &(struct verdictlog_query){0}, "3 4 5 6 7 8 9 10");
	CHECK(!is_there(&kit, "2026-11-16.db"));
	CHECK(!is_there(&kit, "2026-11-16.db-wal"));
	CHECK(!is_there(&kit, "2026-11-16.db-shm"));
	verdictlog_close(log);

	TAP_CASE("past max_size the oldest days go, today's stays");
	int64_t one = log_day_size(kit.folder, log_day_of(NOON));
	CHECK(one > 20000);
	options.max_size = one * 3 + one / 2;
	CHECK_INT(verdictlog_open(&options, &log, NULL), 0);
	CHECK_IDS(&kit, &(struct verdictlog_query){0}, "8 9 10");
	verdictlog_close(log);
	kit_done(&kit);
}

static void
test_max_size_of_a_day(void)
{
	struct kit kit;
	struct verdictlog_options options = {kit.folder, 30, 300000, 16 << 20};
	struct verdictlog *log = NULL;
	struct verdictlog_status status;

	kit_init(&kit);
	options.folder = kit.folder;
	write_days(&kit, NOON - DAY, 1);
	TAP_CASE("one day alone stops at max_size; what is there stays");
	CHECK_INT(verdictlog_open(&options, &log, NULL), 0);
	uint64_t id = 100;
	do {
		for (int i = 0; i < 100; i++)
			CHECK(kit_append(log, id++, NOON));
		(void)!kit_flush(log);
		verdictlog_status(log, &status);
	} while (status.good && id < 100000);
	CHECK(!status.good);
	CHECK(strstr(status.problem, "max_size") != NULL);
	CHECK(status.failed > 0);
	CHECK(!is_there(&kit, "2026-11-23.db"));
	struct kit_ids ids = kit_read(&kit, &(struct verdictlog_query){0});
	CHECK_INT(ids.n, status.written);
	CHECK_INT(ids.first, 100);
	/* The file, the index of its log and a checkpoint's worth of log. */
	CHECK(log_day_size(kit.folder, log_day_of(NOON)) < 1500000);

	TAP_CASE("the next day goes on");
	clock_set_wall(NOON + DAY);
	CHECK(kit_append(log, 100000, NOON + DAY));
	CHECK_INT(kit_flush(log), 0);
	CHECK_IDS(
	    &kit, (&(struct verdictlog_query){.since = NOON + DAY}), "100000");
	clock_set_wall(NOON);
	verdictlog_close(log);
	kit_done(&kit);
}

static void
test_removed_file(void)
{
	struct kit kit;
	static const char *const files[] = {
	    "2026-11-24.db", "2026-11-24.db-wal", "2026-11-24.db-shm"};

	for (size_t n = 1; n <= 3; n += 2) {
		kit_init(&kit);
		struct verdictlog *log = kit_open(&kit);
		kit_append(log, 1, NOON);
		CHECK_INT(kit_flush(log), 0);
		TAP_CASE(n == 1 ? "a removed file is made anew"
				: "and so are all three");
		for (size_t i = 0; i < n; i++)
			CHECK_INT(unlink(kit_path(&kit, files[i])), 0);
		kit_append(log, 2, NOON);
		CHECK_INT(kit_flush(log), 0);
		kit_append(log, 3, NOON);
		CHECK_INT(kit_flush(log), 0);
		CHECK_IDS(&kit, &(struct verdictlog_query){0}, "2 3");
		check_sql(&kit, "PRAGMA integrity_check", "ok");
		verdictlog_close(log);
		CHECK_IDS(&kit, &(struct verdictlog_query){0}, "2 3");
		kit_done(&kit);
	}
}

static void
test_replaced_folder(void)
{
	struct kit kit;
	char aside[KIT_PATH + 8];

	kit_init(&kit);
	struct verdictlog *log = kit_open(&kit);
	kit_append(log, 1, NOON);
	CHECK_INT(kit_flush(log), 0);
	TAP_CASE("a folder moved away is made anew");
	snprintf(aside, sizeof aside, "%s.old", kit.folder);
	CHECK_INT(rename(kit.folder, aside), 0);
	kit_append(log, 2, NOON);
	CHECK_INT(kit_flush(log), 0);
	CHECK_IDS(&kit, &(struct verdictlog_query){0}, "2");
	verdictlog_close(log);
	struct kit old = kit;
	snprintf(old.folder, sizeof old.folder, "%.500s", aside);
	CHECK_IDS(&old, &(struct verdictlog_query){0}, "1");
	kit_done(&old);
	kit_done(&kit);
}

/* --- the thread ------------------------------------------------------------------------------------ */

static void
test_by_itself(void)
{
	struct kit kit;
	struct verdictlog_status status;
	int64_t deadline = clock_deadline(20000);

	kit_init(&kit);
	struct verdictlog *log = kit_open(&kit);
	TAP_CASE("a record is written without a flush");
	kit_append(log, 1, NOON);
	do
		verdictlog_status(log, &status);
	while (!status.written && clock_left(deadline));
	CHECK_INT(status.written, 1);
	CHECK_IDS(&kit, &(struct verdictlog_query){0}, "1");

	TAP_CASE("the thread beats while it has nothing to do");
	int64_t beat = verdictlog_beat(log);
	deadline = clock_deadline(20000);
	while (verdictlog_beat(log) == beat && clock_left(deadline))
		continue;
	CHECK(verdictlog_beat(log) > beat);

	TAP_CASE("closing writes what is queued");
	for (uint64_t i = 2; i < 3000; i++)
		kit_append(log, i, NOON);
	verdictlog_close(log);
	CHECK_INT(kit_read(&kit, &(struct verdictlog_query){0}).n, 2999);
	verdictlog_close(NULL);
	kit_done(&kit);
}

struct load {
	struct verdictlog *log;
	uint64_t first;
	_Atomic unsigned *left;
};

#define LOAD_RECORDS 4000
#define LOAD_THREADS 3

static void *
write_load(void *arg)
{
	struct load *load = arg;

	for (uint64_t i = 0; i < LOAD_RECORDS; i++)
		if (!kit_append(load->log, load->first + i, NOON))
			abort();
	if (kit_flush(load->log))
		abort();
	atomic_fetch_sub(load->left, 1);
	return NULL;
}

static void
test_threads(void)
{
	struct kit kit;
	pthread_t threads[LOAD_THREADS];
	struct load loads[LOAD_THREADS];
	_Atomic unsigned left = LOAD_THREADS;
	struct verdictlog_query query = {.newest_first = true};
	bool rising = true;
	size_t before = 0;

	kit_init(&kit);
	TAP_CASE("many write, one reads meanwhile");
	struct verdictlog *log = kit_open(&kit);
	for (unsigned i = 0; i < LOAD_THREADS; i++) {
		loads[i] = (struct load){log, 1 + i * LOAD_RECORDS, &left};
		pthread_create(&threads[i], NULL, write_load, &loads[i]);
	}
	while (atomic_load(&left)) {
		struct kit_ids ids = kit_read(&kit, &query);
		rising = rising && ids.n >= before;
		before = ids.n;
	}
	for (unsigned i = 0; i < LOAD_THREADS; i++)
		pthread_join(threads[i], NULL);
	CHECK(rising);
	CHECK_INT(kit_read(&kit, &query).n, LOAD_THREADS * LOAD_RECORDS);
	check_sql(&kit, "PRAGMA quick_check", "ok");
	verdictlog_close(log);
	kit_done(&kit);
}

int
main(void)
{
	clock_set_wall(NOON);
	test_round_trip();
	test_hostile_bytes();
	test_tools();
	test_id_twice();
	test_other_release();
	test_order();
	test_end();
	test_filters();
	test_odd_entries();
	test_retention();
	test_max_size_of_a_day();
	test_removed_file();
	test_replaced_folder();
	test_by_itself();
	test_threads();
	return tap_done();
}
