#ifndef FILTER_BASE_SPAN_H
#define FILTER_BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "filter/base/err.h"

/*
 * A view of bytes that somebody else owns. Not terminated; may hold NUL.
 * `p` may be NULL only when `len` is 0; NULL then means "not there".
 */
struct span {
	const char *p;
	size_t len;
};

#define SPAN(literal) ((struct span){"" literal, sizeof(literal) - 1})
#define SPAN_NONE ((struct span){NULL, 0})

/* For printf's "%.*s". The text is cut at INT_MAX. */
#define SPAN_ARG(s)                                                            \
	((s).len > 0x7fffffff ? 0x7fffffff : (int)(s).len), ((s).p ? (s).p : "")

static inline struct span
span_of(const char *cstr)
{
	return (struct span){cstr, cstr ? strlen(cstr) : 0};
}

static inline struct span
span_make(const char *p, size_t len)
{
	return (struct span){p, len};
}

/* --- classes of ASCII characters; the locale is never asked -------------- */

static inline bool
ascii_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static inline bool
ascii_is_alpha(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static inline bool
ascii_is_alnum(char c)
{
	return ascii_is_digit(c) || ascii_is_alpha(c);
}

/* Space, tab, LF, VT, FF, CR. */
static inline bool
ascii_is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Space or tab. */
static inline bool
ascii_is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static inline bool
ascii_is_control(char c)
{
	return (unsigned char)c < 0x20 || c == 0x7f;
}

static inline bool
ascii_is_8bit(char c)
{
	return (unsigned char)c >= 0x80;
}

static inline char
ascii_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static inline char
ascii_upper(char c)
{
	return c >= 'a' && c <= 'z' ? (char)(c - 32) : c;
}

/* Value of a hexadecimal digit, or -1. */
static inline int
ascii_hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* --- looking at spans ------------------------------------------------------ */

bool span_eq(struct span a, struct span b);
bool span_caseeq(struct span a, struct span b); /* folds ASCII only */
bool span_is(struct span a, const char *cstr);
bool span_caseis(struct span a, const char *cstr);
bool span_starts(struct span s, struct span prefix);
bool span_casestarts(struct span s, struct span prefix);
bool span_ends(struct span s, struct span suffix);
bool span_caseends(struct span s, struct span suffix);

/* Order by bytes, a prefix first: <0, 0, >0. */
int span_cmp(struct span a, struct span b);
/* The same with ASCII letters folded. */
int span_casecmp(struct span a, struct span b);

#define SPAN_NPOS SIZE_MAX

/* Offset of the first (last) `c`, or SPAN_NPOS. */
size_t span_find_char(struct span s, char c);
size_t span_rfind_char(struct span s, char c);
/* Offset of the first `needle` at or after `from`, or SPAN_NPOS. */
size_t span_find(struct span s, struct span needle, size_t from);
size_t span_casefind(struct span s, struct span needle, size_t from);
/* The first byte that is (not) one of `set`, or SPAN_NPOS. */
size_t span_find_any(struct span s, const char *set);

/* --- taking spans apart ---------------------------------------------------- */

/* Without the first `n` bytes; empty when there are fewer. */
struct span span_skip(struct span s, size_t n);
/* At most the first `n` bytes. */
struct span span_head(struct span s, size_t n);
/* Without white space (ascii_is_space) at both ends. */
struct span span_trim(struct span s);
struct span span_trim_left(struct span s);
struct span span_trim_right(struct span s);

/*
 * Cuts at the first `c`: the bytes before it are returned, `*s` becomes the
 * bytes after it. Without a `c` all is returned and `*s` becomes SPAN_NONE.
 * Loop: while (rest.p) { part = span_cut(&rest, ','); ... }
 */
struct span span_cut(struct span *s, char c);

/* The next run of bytes that are not white space; empty at the end. */
struct span span_word(struct span *s);

/* The next line without its LF or CRLF; false at the end. */
bool span_line(struct span *s, struct span *ret_line);

/*
 * Whole span as a decimal number: digits only (one leading '-' for i64).
 * ERR_SYNTAX when it is no number, ERR_LIMIT when it does not fit.
 */
int span_to_u64(struct span s, uint64_t *ret) MUST_USE;
int span_to_i64(struct span s, int64_t *ret) MUST_USE;

/*
 * Copies to a C string of `size` bytes, cut to fit, terminated; false when it
 * was cut or holds a NUL byte (then cut there).
 */
bool span_copy(struct span s, char *to, size_t size);

/* A keyed hash (SipHash-1-3) of the bytes; the key is random per process. */
uint64_t span_hash(struct span s);
/* The same with ASCII letters folded. */
uint64_t span_casehash(struct span s);

/* Length of the well-formed UTF-8 sequence at p (1..4), 0 when there is none. */
unsigned span_utf8_len(const char *p, size_t left);
bool span_is_utf8(struct span s);
bool span_is_ascii(struct span s);

#endif
