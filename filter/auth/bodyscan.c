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
 * The scan looks at sixteen places at once, each with the two bytes behind it,
 * in the compiler's own vectors, and at single bytes only where one of them may
 * change and near the end.
 */

#define STEP 16
#define REACH (STEP + 2) /* bytes that a step reads */

typedef unsigned char bytes __attribute__((vector_size(STEP)));
typedef uint64_t words __attribute__((vector_size(STEP)));

static inline bytes
load(const char *p)
{
	bytes b;

	memcpy(&b, p, sizeof b);
	return b;
}

/* True when one of the bytes at `p` may change. */
static inline bool
may_change(const char *p)
{
	bytes here = load(p), next = load(p + 1), after = load(p + 2);
	bytes kept = (bytes)(here == ' ') &
		     ~(bytes)((next == ' ') | (next == '\t') | (next == '\r'));
	bytes line =
	    (bytes)((here == '\r') & (next == '\n')) &
	    ~(bytes)((after == ' ') | (after == '\t') | (after == '\r'));
	bytes special =
	    (bytes)((here == ' ') | (here == '\t') | (here == '\r'));
	words bad = (words)(special & ~(kept | line));

	return (bad[0] | bad[1]) != 0;
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
		while (end - p >= REACH && !may_change(p))
			p += STEP;
		for (int i = 0; i < STEP && p < end; i++, p++)
			if (changes(p, end))
				return p;
	}
	return p;
}
