#include "filter/auth/bodyscan.h"

#include <stdint.h>
#include <string.h>

#include "filter/base/span.h"

/*
 * Finds white space that the relaxed body canonicalisation changes: a tab, a
 * space before white space or a line end, a CR that is no line end, a line end
 * before white space or another CR. A single space in a line, and a line end
 * before text, stay; so most of a mail body is a few long runs.
 *
 * The scan looks at eight places at once, each with the byte behind it, in
 * plain 64-bit arithmetic that says which bytes are equal to a constant.
 */

#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

/* 0x80 in each byte of `word` that equals `byte`: exact, no carries. */
static inline uint64_t
equal(uint64_t word, uint64_t byte)
{
	uint64_t x = word ^ EACH(byte);

	return ~(((x & EACH(0x7f)) + EACH(0x7f)) | x | EACH(0x7f));
}

static inline uint64_t
load(const char *p)
{
	uint64_t word;

	memcpy(&word, p, sizeof word);
	return word;
}

/* True when one of the eight bytes at `p` may change; reads nine. */
static inline bool
may_change(const char *p)
{
	uint64_t here = load(p), next = load(p + 1);
	uint64_t space = equal(here, ' ');
	uint64_t stop = equal(here, '\t') | equal(here, '\r');
	uint64_t before =
	    equal(next, ' ') | equal(next, '\t') | equal(next, '\r');

	return (stop | (space & before)) != 0;
}

/* The byte at `p` ends a run; a line end in front of text does not. */
static inline bool
changes(const char *p, const char *end)
{
	if (*p == '\t')
		return true;
	if (*p == ' ')
		return end - p < 2 || ascii_is_blank(p[1]) || p[1] == '\r';
	if (*p == '\r')
		return end - p < 3 || p[1] != '\n' || p[2] == '\r' ||
		       ascii_is_blank(p[2]);
	return false;
}

const char *
bodyscan_run(const char *p, const char *end)
{
	while (p < end) {
		while (end - p > 8 && !may_change(p))
			p += 8;
		for (int i = 0; i < 8 && p < end; i++, p++)
			if (changes(p, end))
				return p;
	}
	return p;
}
