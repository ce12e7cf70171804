#ifndef FILTER_BASE_BUF_H
#define FILTER_BASE_BUF_H

#include "filter/base/arena.h"
#include "filter/base/span.h"

/*
 * Bytes that grow, with a limit of their own. A failure (limit, memory)
 * sticks: later calls do nothing, buf_failed() tells once at the end. Always
 * terminated by a NUL that `len` does not count. Memory is the arena's, or the
 * heap's when `arena` is NULL (then buf_done() frees it).
 */
struct buf {
	char *p;
	size_t len;
	size_t size;  /* bytes allocated */
	size_t limit; /* most bytes of `len` */
	struct arena *arena;
	bool failed;
};

void buf_init(struct buf *buf, struct arena *arena, size_t limit);
void buf_done(struct buf *buf);

/* Makes room for `more` bytes; false on failure. */
bool buf_reserve(struct buf *buf, size_t more);
void buf_add(struct buf *buf, const void *p, size_t len);
void buf_add_span(struct buf *buf, struct span s);
void buf_add_str(struct buf *buf, const char *cstr);
void buf_add_char(struct buf *buf, char c);
void buf_add_lower(struct buf *buf, struct span s); /* ASCII folded */
void buf_add_u64(struct buf *buf, uint64_t value);
void buf_add_utf8(struct buf *buf, uint32_t code_point);
void buf_printf(struct buf *buf, const char *fmt, ...) PRINTF(2, 3);

/*
 * Adds `s` so that it is safe in one line of a log: every byte outside
 * 0x21-0x7E, and `"`, `,` and `%`, is written %XX. At most `max` bytes of `s`
 * are read; a cut is not marked.
 */
void buf_add_coded(struct buf *buf, struct span s, size_t max);

void buf_truncate(struct buf *buf, size_t len);
struct span buf_span(const struct buf *buf);
/* The text as a C string, never NULL ("" when nothing was added). */
const char *buf_str(const struct buf *buf);
bool buf_failed(const struct buf *buf);

#endif
