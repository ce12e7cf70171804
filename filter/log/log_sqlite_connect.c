#include "filter/log/log_sqlite_connect.h"

#include <sqlite3.h>
#include <stdio.h>
#include <sys/stat.h>

#include "filter/log/log_day.h"

/*
 * How a reader comes to a day's file: beside a writer or after it, with rights
 * to write or without. Nothing in the file may run: its tables must be plain
 * ones, and a bound of steps ends a damaged tree that goes round.
 */

#define BUSY_MS 2000
#define STEPS_EACH 10000 /* of the virtual machine, between two looks */
#define STEPS_FREE INT64_C(2000000)
#define STEPS_PER_BYTE 8 /* a record takes about one for two bytes */

static int
on_steps(void *arg)
{
	struct log_connection *c = arg;

	return c->steps_left-- <= 0;
}

static int64_t
size_beside(struct log_connection *c, const char *suffix)
{
	char path[LOG_PATH_SIZE + 8];
	struct stat st;

	(void)snprintf(path, sizeof path, "%s%s", c->path, suffix);
	return lstat(path, &st) == 0 ? (int64_t)st.st_size : -1;
}

static void
bound_steps(struct log_connection *c)
{
	int64_t file = size_beside(c, ""), wal = size_beside(c, "-wal");
	int64_t bytes = (file > 0 ? file : 0) + (wal > 0 ? wal : 0);

	c->steps_left = (STEPS_FREE + bytes * STEPS_PER_BYTE) / STEPS_EACH;
	sqlite3_progress_handler(c->db, STEPS_EACH, on_steps, c);
}

static int
connect_to(struct log_connection *c, const char *name, int flags)
{
	int64_t tables = 0;

	(void)sqlite3_close_v2(c->db);
	c->db = NULL;
	int rc = sqlite3_open_v2(name, &c->db,
	    flags | SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX |
		SQLITE_OPEN_PRIVATECACHE,
	    NULL);
	if (rc)
		return rc;
	log_sqlite_harden(c->db);
	(void)sqlite3_busy_timeout(c->db, BUSY_MS);
	/* With root's rights it could, as the last one, tidy up. */
	(void)sqlite3_db_config(
	    c->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	bound_steps(c);
	/* The first look at the file. */
	return log_sqlite_number(
	    c->db, "SELECT count(*) FROM sqlite_schema", &tables);
}

/* "file:PATH?immutable=1" */
static int
connect_immutable(struct log_connection *c)
{
	struct buf uri;

	buf_init(&uri, NULL, LOG_PATH_SIZE * 4);
	buf_add_str(&uri, "file:");
	for (const char *p = c->path; *p; p++)
		if (ascii_is_alnum(*p) || *p == '/' || *p == '-' || *p == '.')
			buf_add_char(&uri, *p);
		else
			buf_printf(&uri, "%%%02x", (unsigned char)*p);
	buf_add_str(&uri, "?immutable=1");
	int rc = buf_failed(&uri)
		     ? SQLITE_NOMEM
		     : connect_to(c, buf_str(&uri), SQLITE_OPEN_URI);
	buf_done(&uri);
	return rc;
}

/*
 * A writer that is there has both files beside the database. Without the right
 * to make them a reader cannot do without; but where they are not (a copy, a
 * read-only disk) the database is whole by itself.
 */
static bool
stands_alone(struct log_connection *c)
{
	int64_t wal = size_beside(c, "-wal");

	return wal < 0 || (wal == 0 && size_beside(c, "-shm") < 0);
}

static int
connect_file(struct log_connection *c)
{
	int rc = connect_to(c, c->path, 0);
	int primary = rc & 0xff;

	if ((primary == SQLITE_CANTOPEN || primary == SQLITE_READONLY) &&
	    stands_alone(c))
		return connect_immutable(c);
	return rc;
}

/* Views and virtual tables of these names would run what a file says. */
static int
check_tables(struct log_connection *c, struct err *err)
{
	int64_t tables = 0;

	int rc = log_sqlite_number(c->db,
	    "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name"
	    " IN ('message', 'rcpt', 'symbol', 'name') AND sql LIKE"
	    " 'CREATE TABLE%'",
	    &tables);
	if (!rc && tables != 4)
		rc = SQLITE_ERROR;
	return rc ? log_sqlite_error(c->db, rc, c->path, err) : 0;
}

int
log_sqlite_connect(struct log_connection *c, bool *ret_empty, struct err *err)
{
	int rc = connect_file(c);

	if (rc)
		return log_sqlite_error(c->db, rc, c->path, err);
	rc = log_sqlite_version(c->db, c->path, ret_empty, err);
	return rc || *ret_empty ? rc : check_tables(c, err);
}

void
log_sqlite_disconnect(struct log_connection *c)
{
	(void)sqlite3_close_v2(c->db);
	c->db = NULL;
}
