#ifndef FILTER_JOURNAL_H
#define FILTER_JOURNAL_H

#include "filter/policy.h"

/*
 * The one line per message, as plain data to text: fields and their order are
 * product.md's.
 */
#define JOURNAL_LINE_MAX 900
#define JOURNAL_VALUE_MAX 256 /* bytes of a value from the network */

struct journal_entry {
	struct span queue_id; /* empty: NOQUEUE */
	const char *ref;
	const struct verdict *verdict;
	enum direction direction;
	const struct envelope *envelope;
	struct span first_rcpt;
	size_t n_rcpts;
	struct span from_domain; /* of the From field */
	struct span message_id;  /* without brackets */
	size_t size;
	/* p == NULL stands for "-": not asked, does not apply */
	const struct spf_facts *spf;          /* or NULL */
	const struct scan_dkim_facts *dkim;   /* or NULL */
	const struct scan_dmarc_facts *dmarc; /* or NULL */
	const struct scan_arc_facts *arc;     /* or NULL */
	const char *const *degraded;
	size_t n_degraded;
	int64_t ms;
	const struct symbol_hits *hits; /* by weight; or NULL */
};

/*
 * Writes the line, without newline. Never longer than JOURNAL_LINE_MAX: long
 * values from the network are cut evenly, then symbols are left out and
 * counted ("+N").
 */
void journal_format(
    const struct journal_entry *entry, char line[JOURNAL_LINE_MAX + 1]);

/* Formats and logs it at level info. */
void journal_write(const struct journal_entry *entry);

#endif
