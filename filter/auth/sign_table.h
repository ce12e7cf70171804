#ifndef FILTER_AUTH_SIGN_TABLE_H
#define FILTER_AUTH_SIGN_TABLE_H

#include "filter/base/arena.h"
#include "filter/base/map.h"
#include "filter/base/span.h"
#include "filter/base/vec.h"

/*
 * The text of OpenDKIM's KeyTable and SigningTable files (opendkim(8) "DATA
 * SETS", opendkim.conf(5)): a key, blanks, a value whose parts are divided by
 * colons; `#` begins a comment. Of `file:` keys are exact, of `refile:` they
 * are patterns with `*` for any text, tried in the order of the file. ASCII
 * case is folded in keys.
 */
#define SIGN_TABLE_PARTS 3
#define SIGN_TABLE_ROWS_MAX 1000000

struct sign_row {
	struct span key;
	struct span parts[SIGN_TABLE_PARTS]; /* p NULL: not there */
	unsigned line;
	struct sign_row *same; /* the next row with this key, or NULL */
	struct sign_row *tail; /* of the first one: the last */
	void *use;             /* the reader's; NULL at first */
};

struct sign_table {
	const char *path; /* for messages */
	bool patterns;
	struct sign_rows VEC(struct sign_row *) rows; /* each key once */
	struct map exact; /* key to its first row; not of patterns */
};

/* Called for each error: "PATH:LINE: text". */
typedef void sign_table_report_fn(void *arg, bool warning, const char *text);

struct sign_table_request {
	const char *path;
	bool patterns;
	unsigned parts_min, parts_max; /* of a value; the last takes the rest */
	sign_table_report_fn *report;
	void *arg;
};

/*
 * Reads the text of a table. All errors are reported; 0, ERR_SYNTAX when there
 * were any, or ERR_NOMEM. `text` must live as long as the table.
 */
int sign_table_parse(struct sign_table *ret, struct span text,
    const struct sign_table_request *request, struct arena *arena) MUST_USE;

/* The first row whose key is, or matches, `name`; NULL. Linear in the rows
 * for patterns. */
struct sign_row *sign_table_find(
    const struct sign_table *table, struct span name);

/*
 * The row of a sender, `local`@`domain`. Patterns match the whole address.
 * Else in OpenDKIM's order: user@host, host, user@.parent for each parent,
 * .parent for each parent, user@*, *. NULL also without memory.
 */
struct sign_row *sign_table_sender(const struct sign_table *table,
    struct span local, struct span domain, struct arena *arena);

/* True when `text` is what `pattern` says, `*` standing for any text. */
bool sign_table_match(struct span pattern, struct span text);

#endif
