#ifndef FILTER_CONF_CONF_H
#define FILTER_CONF_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "filter/base/arena.h"
#include "filter/base/err.h"
#include "filter/base/map.h"
#include "filter/base/span.h"
#include "filter/base/vec.h"

/*
 * Configuration text to a tree: sections with an optional title, values with
 * the file, line and column they stand at. Knows no option; option.h gives the
 * tree its types. All errors of a run are collected.
 *
 *	section [title] { key = word   key = "string"   key = { a, b } }
 *	include("conf.d")	# comment
 *
 * A word holds anything but blanks, `"`, `{`, `}`, `,`, `=` and `#`. A string
 * knows \" \\ \n \t and ends on its line. Text is UTF-8 without control
 * characters. Nothing is expanded, least of all the environment.
 *
 * Top-level keys (outside any section) are entries of the section "".
 * Thread: a tree is built by one thread and read by any.
 */
struct conf_where {
	/* Lives with the tree; "-o" for the command line, NULL for no place. */
	const char *file;
	unsigned line, column; /* from 1, columns in bytes; 0 where none is */
};

struct conf_entry {
	struct span key;
	struct span *items; /* one for a word or string, any for a list */
	size_t n;
	bool list;       /* written with braces */
	struct span raw; /* -o only: the value before its commas split it */
	struct conf_where where; /* of the key */
	struct conf_where value_where;
	/* What this one replaced, newest first: an earlier file's value, or a
	 * file's under -o. NULL: nothing. */
	const struct conf_entry *replaced;
	bool told; /* an error about its key was added already */
};

struct conf_section {
	struct span name;
	struct span title;       /* empty when there is none */
	struct conf_where where; /* where it was opened first */
	struct conf_entries VEC(struct conf_entry) entries;
};

struct conf_error {
	struct conf_where where;
	const char *text;
	int code; /* ERR_* */
};

struct conf {
	struct arena *arena;
	struct conf_sections VEC(struct conf_section *) sections;
	struct conf_errors VEC(struct conf_error) errors;
	struct map index; /* internal: sections by name and title */
	unsigned files;   /* read so far */
};

#define CONF_FILE_SIZE_MAX (1024 * 1024)
#define CONF_INCLUDE_DEPTH 8
#define CONF_FILES_MAX 1000  /* of one tree, so that includes end */
#define CONF_ERRORS_MAX 100  /* then "too many errors" */
#define CONF_NAME_MAX 200    /* bytes of a key, a section's name or title */
#define CONF_ENTRIES_MAX 500 /* keys of one section */

/* An empty tree; conf_free() frees it with all it holds. NULL: no memory. */
struct conf *conf_new(void);
void conf_free(struct conf *conf);

/*
 * Reads a file and what it includes into the tree. A later file may replace a
 * value of an earlier one; within one file a key may stand once per section.
 * Files that others than root, ASSAY_USER and the calling user can write are
 * refused (file.h). After a mistake reading goes on at the next entry.
 *
 * include() stands outside of sections and takes a file, or a folder whose
 * *.conf are read in byte order (hidden ones are not); a relative path starts
 * at the including file's folder. Without a path it is "conf.d", which may be
 * missing.
 *
 * path        a file, or a folder as include() takes it.
 * must_exist  false: a missing file is no error.
 *
 * Returns 0, ERR_NOMEM, or the code of the first error that it added to
 * conf->errors. Thread: blocks on disk.
 */
int conf_read(struct conf *conf, const char *path, bool must_exist) MUST_USE;

/*
 * Text instead of a file; `name` stands in the errors. include() is an error
 * there. For tests and for text of other origin.
 */
int conf_read_text(
    struct conf *conf, const char *name, struct span text) MUST_USE;

/* Reads *.conf of a folder in byte order; a missing folder is no error. */
int conf_read_folder(struct conf *conf, const char *path) MUST_USE;

/*
 * "section.key=value", "section.title.key=value" or "key=value", as -o takes
 * it; a title may have dots. A list is separated by commas, or written as in a
 * file. It wins over all files, whatever is read first; of two for one key the
 * last one wins. Errors and `where` name "-o" and no line.
 */
int conf_set(struct conf *conf, const char *assignment) MUST_USE;

/*
 * Adds an error at a place; for option.c and those who check meanings. What
 * would not be one line of text is written as `?`.
 */
void conf_fail(struct conf *conf, struct conf_where where, const char *fmt, ...)
    PRINTF(3, 4);

/* NULL when there is none. A title of SPAN_NONE asks for the untitled one. */
const struct conf_section *conf_find(
    const struct conf *conf, struct span name, struct span title);

/* "file:line:column: text" of an error, one line. */
struct span conf_error_text(
    const struct conf_error *error, struct arena *arena);

/* "file:line:column", "-o", or "default" where there is no place. */
struct span conf_where_text(
    const struct conf_where *where, struct arena *arena);

#endif
