#include "filter/log/log_sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "filter/log/log_day.h"
#include "filter/log/log_sqlite_common.h"
#include "filter/log/log_sqlite_file.h"
#include "filter/log/log_text.h"

/*
 * Opening a day's file for the writer, and the schema of format 1. What exists
 * is looked at before it is touched, and what is not ours stays as it was. The
 * queue id's is the only index: each more costs as much as all the rest.
 *
 * WAL with synchronous=NORMAL: a commit is a write() without fsync; it
 * survives the death of the process, and a power cut costs the last seconds.
 */

#define FILE_MODE 0640
#define BUSY_MS 1000

/* --- the schema ---------------------------------------------------------------------- */

static const char create_tables[] =
    "CREATE TABLE name(name_id INTEGER PRIMARY KEY, name TEXT NOT NULL,"
    " origin TEXT);"
    "CREATE TABLE rcpt(id INTEGER NOT NULL, n INTEGER NOT NULL, addr TEXT,"
    " action TEXT, PRIMARY KEY(id, n)) WITHOUT ROWID;"
    "CREATE TABLE symbol(id INTEGER NOT NULL, n INTEGER NOT NULL,"
    " name_id INTEGER NOT NULL, count NUMERIC, score_milli INTEGER,"
    " evidence TEXT, PRIMARY KEY(id, n)) WITHOUT ROWID;"
    "CREATE INDEX message_queue_id ON message(queue_id);"
    /* For people with the sqlite3 shell. */
    "CREATE VIEW recipients AS SELECT m.id, datetime(m.time, 'unixepoch') AS"
    " time, m.queue_id, m.mail_from, r.addr AS recipient, r.action, m.action"
    " AS message_action, m.score_milli / 1000.0 AS score FROM message m JOIN"
    " rcpt r ON r.id = m.id;"
    "CREATE VIEW symbols AS SELECT m.id, datetime(m.time, 'unixepoch') AS time,"
    " m.queue_id, n.name AS symbol, s.count, s.score_milli / 1000.0 AS score,"
    " s.evidence, n.origin, m.action FROM message m JOIN symbol s ON s.id ="
    " m.id JOIN name n ON n.name_id = s.name_id;";

static void
add_column(struct buf *sql, const struct record_field *f)
{
	log_sqlite_add_name(sql, f);
	buf_add_str(sql, f->type == RECORD_TEXT ? " TEXT" : " INTEGER");
}

static void
add_message_table(struct buf *sql)
{
	buf_add_str(sql, "CREATE TABLE message(id INTEGER PRIMARY KEY");
	for (const struct record_field *f = record_fields; f->name; f++) {
		buf_add_char(sql, ',');
		add_column(sql, f);
	}
	buf_add_str(sql, ");");
}

static void
add_message_view(struct buf *sql)
{
	buf_add_str(sql, "CREATE VIEW messages AS SELECT id");
	for (const struct record_field *f = record_fields; f->name; f++)
		if (strcmp(f->name, "time") == 0)
			buf_add_str(
			    sql, ",datetime(time, 'unixepoch') AS time");
		else if (f->type == RECORD_MILLI)
			buf_printf(
			    sql, ",%s_milli / 1000.0 AS %s", f->name, f->name);
		else
			buf_printf(sql, ",\"%s\"", f->name);
	buf_add_str(sql, " FROM message;");
}

/* In one transaction with a rollback journal: after a crash the file is empty
 * or whole. WAL comes after it, so that the version stands in the file. */
static int
create(struct log_file *file)
{
	struct buf sql;

	buf_init(&sql, NULL, LOG_SQL_MAX);
	buf_add_str(&sql, "BEGIN IMMEDIATE;");
	add_message_table(&sql);
	buf_add_str(&sql, create_tables);
	add_message_view(&sql);
	buf_printf(&sql, "PRAGMA user_version=%d;COMMIT", LOG_FORMAT);
	int rc = buf_failed(&sql)
		     ? SQLITE_NOMEM
		     : sqlite3_exec(file->db, buf_str(&sql), NULL, NULL, NULL);
	buf_done(&sql);
	return rc;
}

/* --- opening ------------------------------------------------------------------------- */

static int
refuse(struct err *err, int code, const char *path, const char *why)
{
	return err_set(err, code, "%s: %s", path, why);
}

static int
make(const char *path, struct err *err)
{
	char beside[LOG_PATH_SIZE + 8];

	/* Left of a file that somebody removed: not of the new one. */
	snprintf(beside, sizeof beside, "%s-wal", path);
	(void)unlink(beside);
	snprintf(beside, sizeof beside, "%s-shm", path);
	(void)unlink(beside);
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
	    FILE_MODE);
	if (fd < 0 || fchmod(fd, FILE_MODE) != 0) {
		int code = errno == EACCES ? ERR_ACCESS : ERR_IO;
		err_set_errno(err, errno, "%s", path);
		if (err)
			err->code = code;
		if (fd >= 0)
			(void)close(fd);
		return code;
	}
	(void)close(fd);
	return 0;
}

/* No descriptor of a file that exists is opened: closing it would drop the
 * locks that a reader in this process may hold. */
static int
examine(struct log_file *file, struct err *err)
{
	const char *path = file->path;
	struct stat st;

	int rc = lstat(path, &st);
	if (rc != 0 && errno == ENOENT) {
		rc = make(path, err);
		if (rc)
			return rc;
		rc = lstat(path, &st);
	}
	if (rc != 0)
		return err_set_errno(err, errno, "%s", path);
	if (!S_ISREG(st.st_mode))
		return refuse(err, ERR_INVALID, path, "is no regular file");
	if (st.st_uid != geteuid())
		return err_set(err, ERR_ACCESS,
		    "%s: belongs to user %u, we are %u", path,
		    (unsigned)st.st_uid, (unsigned)geteuid());
	if (!(st.st_mode & S_IWUSR))
		return refuse(err, ERR_ACCESS, path, "is read-only");
	file->device = st.st_dev;
	file->inode = st.st_ino;
	return 0;
}

static int
connect_file(struct log_file *file, struct err *err)
{
	int on = 1;
	bool fresh = false;

	int rc = sqlite3_open_v2(file->path, &file->db,
	    SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX |
		SQLITE_OPEN_PRIVATECACHE,
	    NULL);
	if (rc)
		return log_sqlite_error(file->db, rc, file->path, err);
	log_sqlite_harden(file->db);
	(void)sqlite3_busy_timeout(file->db, BUSY_MS);
	(void)sqlite3_file_control(
	    file->db, "main", SQLITE_FCNTL_PERSIST_WAL, &on);
	/* Until it is known to be ours, nothing of it changes. */
	(void)sqlite3_db_config(
	    file->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	if (sqlite3_db_readonly(file->db, "main") == 1)
		return refuse(err, ERR_ACCESS, file->path, "cannot be written");
	rc = log_sqlite_version(file->db, file->path, &fresh, err);
	if (rc)
		return rc;
	rc = fresh ? create(file) : 0;
	return rc ? log_sqlite_error(file->db, rc, file->path, err) : 0;
}

static int
expect_wal(void *arg, int n, char **values, char **names)
{
	bool *wal = arg;

	(void)names;
	*wal = n == 1 && values[0] && strcmp(values[0], "wal") == 0;
	return 0;
}

static int
configure(struct log_file *file, struct err *err)
{
	bool wal = false;

	int rc = sqlite3_exec(
	    file->db, "PRAGMA journal_mode=WAL", expect_wal, &wal, NULL);
	if (!rc)
		rc = sqlite3_exec(file->db,
		    "PRAGMA synchronous=NORMAL;"
		    "PRAGMA journal_size_limit=4194304",
		    NULL, NULL, NULL);
	if (rc)
		return log_sqlite_error(file->db, rc, file->path, err);
	if (!wal)
		return refuse(err, ERR_IO, file->path,
		    "SQLite cannot use a write-ahead log there");
	return 0;
}

/* What this release has and the one that began the file had not. */
static int
add_missing(struct log_file *file)
{
	int rc = SQLITE_OK;

	for (const struct record_field *f = record_fields; f->name && !rc;
	     f++) {
		struct buf sql;
		bool there = false;
		rc = log_sqlite_has_field(file->db, f, &there);
		if (rc || there)
			continue;
		buf_init(&sql, NULL, LOG_SQL_MAX);
		buf_add_str(&sql, "ALTER TABLE message ADD COLUMN ");
		add_column(&sql, f);
		rc = sqlite3_exec(file->db, buf_str(&sql), NULL, NULL, NULL);
		buf_done(&sql);
	}
	return rc;
}

static int
prepare_message(struct log_file *file)
{
	struct buf sql;

	buf_init(&sql, NULL, LOG_SQL_MAX);
	buf_add_str(&sql, "INSERT OR IGNORE INTO message(id");
	for (const struct record_field *f = record_fields; f->name; f++) {
		buf_add_char(&sql, ',');
		log_sqlite_add_name(&sql, f);
	}
	buf_add_str(&sql, ") VALUES(?");
	for (const struct record_field *f = record_fields; f->name; f++)
		buf_add_str(&sql, ",?");
	buf_add_char(&sql, ')');
	int rc = buf_failed(&sql) ? SQLITE_NOMEM
				  : log_sqlite_prepare(file->db, buf_str(&sql),
					&file->message);
	buf_done(&sql);
	return rc;
}

/* Other tables than ours are noticed before anything is added. */
static int
prepare(struct log_file *file)
{
	sqlite3 *db = file->db;
	const struct {
		const char *sql;
		sqlite3_stmt **stmt;
	} all[] = {
	    {"BEGIN IMMEDIATE", &file->begin},
	    {"COMMIT", &file->commit},
	    {"INSERT INTO rcpt(id,n,addr,action) VALUES(?,?,?,?)", &file->rcpt},
	    {"INSERT INTO symbol(id,n,name_id,count,score_milli,evidence)"
	     " VALUES(?,?,?,?/1000.0,?,?)",
		&file->symbol},
	    {"INSERT INTO name(name,origin) VALUES(?,?)", &file->name},
	};
	int rc = SQLITE_OK;

	for (size_t i = 0; i < sizeof all / sizeof *all && !rc; i++)
		rc = log_sqlite_prepare(db, all[i].sql, all[i].stmt);
	if (!rc)
		rc = add_missing(file);
	return rc ? rc : prepare_message(file);
}

/* --- numbers of names ---------------------------------------------------------------- */

void
log_file_remember(struct log_file *file, struct span key, int64_t number)
{
	if (file->names.n >= LOG_NAMES_MAX)
		return;
	struct span kept = arena_span(file->arena, key);
	int64_t *value = arena_alloc(file->arena, sizeof *value);
	if (!kept.p || !value)
		return;
	*value = number;
	if (map_put(&file->names, kept, value))
		return; /* it is stored again at its next use */
}

static struct span
column_text(sqlite3_stmt *stmt, int column)
{
	const void *p = sqlite3_column_text(stmt, column);

	return span_make(p, (size_t)sqlite3_column_bytes(stmt, column));
}

static int
load_names(struct log_file *file)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite3_prepare_v2(
	    file->db, "SELECT name_id,name,origin FROM name", -1, &stmt, NULL);

	/* A longer one cannot be ours: what fails sticks until the end. */
	while (!rc && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		buf_truncate(&file->key, 0);
		log_text_decode(&file->key, column_text(stmt, 1));
		buf_add_char(&file->key, '\0');
		log_text_decode(&file->key, column_text(stmt, 2));
		if (!buf_failed(&file->key))
			log_file_remember(file, buf_span(&file->key),
			    sqlite3_column_int64(stmt, 0));
		rc = SQLITE_OK;
	}
	(void)sqlite3_finalize(stmt);
	if (rc == SQLITE_DONE && buf_failed(&file->key))
		return SQLITE_CORRUPT;
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

int
log_file_open(const char *path, struct log_file **ret, struct err *err)
{
	struct log_file *file = calloc(1, sizeof *file);

	if (!file || !(file->arena = arena_new(0))) {
		free(file);
		return err_set(err, ERR_NOMEM, "%s: out of memory", path);
	}
	map_init(&file->names, NULL, false);
	buf_init(&file->coded, NULL, LOG_CODED_MAX);
	buf_init(&file->key, NULL, 4 * RECORD_TEXT_MAX);
	(void)snprintf(file->path, sizeof file->path, "%s", path);
	int rc = examine(file, err);
	if (!rc)
		rc = connect_file(file, err);
	if (!rc) {
		int code = prepare(file);
		if (!code)
			code = load_names(file);
		if (code)
			rc = log_sqlite_error(file->db, code, path, err);
	}
	/* Last, since it changes the file. */
	if (!rc)
		rc = configure(file, err);
	if (rc) {
		log_file_close(file);
		return rc;
	}
	(void)sqlite3_db_config(
	    file->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
	*ret = file;
	return 0;
}

void
log_file_close(struct log_file *file)
{
	if (!file)
		return;
	sqlite3_stmt *all[] = {file->begin, file->commit, file->message,
	    file->rcpt, file->symbol, file->name};
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		(void)sqlite3_finalize(all[i]);
	(void)sqlite3_close_v2(file->db);
	map_done(&file->names);
	buf_done(&file->coded);
	buf_done(&file->key);
	arena_free(file->arena);
	free(file);
}

bool
log_file_is_there(const struct log_file *file)
{
	struct stat st;

	return lstat(file->path, &st) == 0 && st.st_dev == file->device &&
	       st.st_ino == file->inode;
}
