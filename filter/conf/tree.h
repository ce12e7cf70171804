#ifndef FILTER_CONF_TREE_H
#define FILTER_CONF_TREE_H

#include <stdarg.h>
#include <sys/types.h>

#include "filter/conf/conf.h"

/*
 * How the files of this folder fill a tree together. Internal to it.
 */

/* A text that is being parsed, and the files that include it. */
struct conf_source {
	const struct conf_source *from; /* the including one, or NULL */
	const char *name;               /* lives with the tree */
	unsigned depth;                 /* of include(), 0 for the first */
	bool is_file;                   /* else include() is refused */
	dev_t dev;                      /* of a file: which one it is */
	ino_t ino;
};

/* conf.c: like conf_fail() with a code; returns the code. */
int conf_fail_code(struct conf *conf, struct conf_where where, int code,
    const char *fmt, ...) PRINTF(4, 5);

/* The result of a public call that began with `before` errors. */
int conf_result(const struct conf *conf, size_t before) MUST_USE;

/* The section of that name and title, made when it is new. NULL: no memory. */
struct conf_section *conf_open_section(struct conf *conf, struct span name,
    struct span title, struct conf_where where);

/* Adds an entry or replaces one; errors are noted. */
void conf_put_entry(struct conf *conf, struct conf_section *section,
    const struct conf_entry *entry);

/* parse.c: a text that lives with the tree; errors are noted. */
void conf_parse(
    struct conf *conf, const struct conf_source *source, struct span text);

/*
 * One value as a file would write it, into `items`, `n` and `list` of `ret`.
 * ERR_SYNTAX, ERR_NOMEM. Memory: arena, and `text`.
 */
int conf_parse_value(
    struct arena *arena, struct span text, struct conf_entry *ret) MUST_USE;

/*
 * read.c: include() at `where` of `source`; errors are noted.
 *
 * path  SPAN_NONE: the default folder, which may be missing.
 */
void conf_include(struct conf *conf, const struct conf_source *source,
    struct conf_where where, struct span path);

#endif
