#ifndef FILTER_CTL_SOURCE_H
#define FILTER_CTL_SOURCE_H

#include "filter/base/arena.h"
#include "filter/base/err.h"
#include "filter/base/span.h"
#include "filter/base/vec.h"

/*
 * Messages from files, folders, Maildirs, mboxes and standard input, as a list
 * of names and byte ranges that threads can read.
 */
struct source_item {
	const char *name; /* as printed: FILE, FOLDER/NAME, MBOX:N */
	const char *path; /* to open; NULL: the bytes are `text` */
	struct span text;
};

struct source_list {
	struct arena *arena;
	size_t size_max; /* of an mbox, of standard input; 0: SOURCE_SIZE_MAX */
	struct source_items VEC(struct source_item) items;
};

#define SOURCE_SIZE_MAX ((size_t)2 << 30)

/*
 * Adds what a path names: "-" is standard input, a folder gives its files in
 * byte order (with cur/ and new/ of a Maildir), a file that begins with "From "
 * and has another such line after an empty one is an mbox. Errors name it.
 */
int source_add(
    struct source_list *list, const char *path, struct err *err) MUST_USE;

/* The bytes of an item, in `arena`. */
int source_read(const struct source_item *item, struct arena *arena,
    struct span *ret, struct err *err) MUST_USE;
/* The same, ERR_LIMIT when it has more than `max` bytes. */
int source_read_max(const struct source_item *item, size_t max,
    struct arena *arena, struct span *ret, struct err *err) MUST_USE;

#endif
