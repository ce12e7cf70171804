#ifndef FILTER_CONF_CONF_H
#define FILTER_CONF_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "filter/base/arena.h"
#include "filter/base/err.h"
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
 * Top-level keys (outside any section) are entries of the section "".
 */
struct conf_where {
	const char
	    *file; /* or "-o" for the command line; lives with the tree */
	unsigned line, column; /* from 1 */
};

struct conf_entry {
	struct span key;
	struct span
	    *items; /* one for a word or string, any number for a list */
	size_t n;
	bool list;       /* written with braces */
	struct span raw; /* -o only: the value before its commas split it */
	struct conf_where where; /* of the key */
	struct conf_where value_where;
	const struct conf_entry
	    *replaced; /* an earlier file's value, or NULL */
};

struct conf_section {
	struct span name;
	struct span title; /* empty when there is none */
	struct conf_where where;
	struct conf_entries VEC(struct conf_entry) entries;
};

struct conf_error {
	struct conf_where where;
	const char *text;
};

struct conf {
	struct arena *arena;
	struct conf_sections VEC(struct conf_section *) sections;
	struct conf_errors VEC(struct conf_error) errors;
};

#define CONF_FILE_SIZE_MAX (1024 * 1024)
#define CONF_INCLUDE_DEPTH 8

/* An empty tree; conf_free() frees it with all it holds. NULL: no memory. */
struct conf *conf_new(void);
void conf_free(struct conf *conf);

/*
 * Reads a file and what it includes into the tree. A later file may replace a
 * value of an earlier one; within one file a key may stand once per section.
 * Files that others than root, the calling user and `owner` can write are
 * refused. Errors are added to conf->errors; 0 when none was added, else the
 * code of the first.
 *
 * must_exist  false: a missing file is no error.
 */
int conf_read(struct conf *conf, const char *path, bool must_exist) MUST_USE;

/* Text instead of a file; `name` stands in the errors. For tests and fuzzing. */
int conf_read_text(
    struct conf *conf, const char *name, struct span text) MUST_USE;

/* Reads *.conf of a folder in byte order; a missing folder is no error. */
int conf_read_folder(struct conf *conf, const char *path) MUST_USE;

/*
 * "section.key=value", "section.title.key=value" or "key=value", as -o takes
 * it; a list is separated by commas.
 */
int conf_set(struct conf *conf, const char *assignment) MUST_USE;

/* Adds an error at a place; for option.c and those who check meanings. */
void conf_fail(struct conf *conf, struct conf_where where, const char *fmt, ...)
    PRINTF(3, 4);

/* NULL when there is none. A title of SPAN_NONE asks for the untitled one. */
const struct conf_section *conf_find(
    const struct conf *conf, struct span name, struct span title);

/* "file:line:column: text" of an error, one line. */
struct span conf_error_text(
    const struct conf_error *error, struct arena *arena);

#endif
