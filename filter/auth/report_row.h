#ifndef FILTER_AUTH_REPORT_ROW_H
#define FILTER_AUTH_REPORT_ROW_H

#include "filter/auth/report.h"

/*
 * What the store keeps of messages that a row of an aggregate report counts:
 * everything but their number. The same messages make the same bytes.
 */
struct report_entry {
	/* policy_published: domain, p, sp, np, adkim, aspf, fo, testing */
	struct report policy;  /* the other fields are empty */
	struct report_row row; /* `count` is 0 */
	int64_t seen;          /* Unix time of the last of them; not hashed */
};

#define REPORT_ENTRY_MAX 4096 /* bytes: STORE_VALUE_MAX */
#define REPORT_ENTRY_HUMAN_MAX 120
#define REPORT_ENTRY_REASONS_MAX 4

/*
 * The name of an entry: "DAY:" and 33 hexadecimal digits, the first of the
 * policy domain's digest, so that one of REPORT_PARTS parts of a day can be
 * read by its prefix with all rows of a domain in it; the others of a digest
 * of all but `seen`.
 */
#define REPORT_PARTS 16
#define REPORT_ENTRY_NAME_MAX 64

/* Lower-case letters, digits, hyphens and underscores in labels: what may stand
 * in file names, subjects and questions that we make of strangers' domains. */
bool report_domain_valid(struct span domain);

/*
 * Writes the entry. Texts are cut to what a report can hold of them, and DKIM
 * results that do not fit are left out from the end.
 *
 * day        days since 1970 (UTC).
 * ret_name   room of REPORT_ENTRY_NAME_MAX bytes.
 * ret_value  room of REPORT_ENTRY_MAX bytes.
 */
void report_entry_write(const struct report_entry *entry, int64_t day,
    char *ret_name, size_t *ret_name_len, char *ret_value,
    size_t *ret_value_len);
/* What a day's names of a part (0..REPORT_PARTS-1) begin with. */
size_t report_entry_prefix(
    int64_t day, unsigned part, char room[REPORT_ENTRY_NAME_MAX]);

/*
 * Reads one back; texts are views. ERR_SYNTAX: not of this form (the store may
 * be anybody's), ERR_NOMEM. Memory: arena.
 */
int report_entry_read(
    struct report_entry *ret, struct span value, struct arena *arena) MUST_USE;

#endif
