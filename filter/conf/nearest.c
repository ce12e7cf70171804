#include "filter/conf/option.h"

/*
 * The known name that a misspelled one was meant to be, by the number of
 * edits between them: insert, delete, replace a letter, swap two neighbours
 * (Damerau and Levenshtein, no letter edited twice). Case does not count.
 */

#define COMPARED_MAX 64 /* longer words have no neighbours */
#define EDITS_MIN 2     /* allowed whatever the length */
#define EDITS_SHARE 3   /* or a third of the letters */

static bool
same(struct span a, size_t i, struct span b, size_t j)
{
	return ascii_lower(a.p[i]) == ascii_lower(b.p[j]);
}

/* SIZE_MAX for words that are too long to compare. */
static size_t
distance(struct span a, struct span b)
{
	size_t rows[3][COMPARED_MAX + 1];

	if (a.len > COMPARED_MAX || b.len > COMPARED_MAX)
		return SIZE_MAX;
	for (size_t j = 0; j <= b.len; j++)
		rows[0][j] = j;
	for (size_t i = 1; i <= a.len; i++) {
		size_t *row = rows[i % 3];
		const size_t *up = rows[(i + 2) % 3], *up2 = rows[(i + 1) % 3];
		row[0] = i;
		for (size_t j = 1; j <= b.len; j++) {
			size_t best = up[j - 1] + !same(a, i - 1, b, j - 1);
			if (up[j] + 1 < best)
				best = up[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			if (i > 1 && j > 1 && same(a, i - 1, b, j - 2) &&
			    same(a, i - 2, b, j - 1) && up2[j - 2] + 1 < best)
				best = up2[j - 2] + 1;
			row[j] = best;
		}
	}
	return rows[a.len % 3][b.len];
}

const char *
option_nearest(struct span word, const char *const *names, size_t n)
{
	size_t share = word.len / EDITS_SHARE;
	size_t best_edits = share > EDITS_MIN ? share : EDITS_MIN;
	const char *best = NULL;

	for (size_t i = 0; i < n; i++) {
		size_t edits = distance(word, span_of(names[i]));
		/* A letter must stay: any two-letter word is near "ab". */
		if (edits >= word.len || edits > best_edits ||
		    (best && edits == best_edits))
			continue;
		best = names[i];
		best_edits = edits;
	}
	return best;
}
