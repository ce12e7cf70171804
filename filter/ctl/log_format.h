#ifndef FILTER_CTL_LOG_FORMAT_H
#define FILTER_CTL_LOG_FORMAT_H

#include <jansson.h>

#include "filter/base/buf.h"
#include "filter/log/record.h"
#include "filter/ref.h"

/*
 * The forms of a record of the verdict log. `json` and `csv` are read by
 * programs and are stable; `text` is for people.
 */
enum log_form { LOG_TEXT, LOG_JSON, LOG_CSV };

struct log_view {
	enum log_form form;
	bool per_rcpt;             /* text, csv: a line for each recipient */
	const struct ref_key *key; /* NULL: refs cannot be shown */
	struct arena *arena;       /* scratch for one record */
};

/* "text", "json", "csv"; ERR_NOTFOUND. */
int log_form_of(const char *word, enum log_form *ret) MUST_USE;

/* What stands above all records: the header line of csv. */
void log_format_head(struct buf *out, const struct log_view *view);
void log_format(
    struct buf *out, const struct log_view *view, const struct record *r);

/* --- shared by the forms, and by `assay why` --------------------------------- */

/* The record as one object, with the fields of `check --format json` and all
 * of record_fields. The caller owns it. */
json_t *log_json(const struct log_view *view, const struct record *r);
void log_csv_head(struct buf *out, const struct log_view *view);
void log_csv(
    struct buf *out, const struct log_view *view, const struct record *r);

/* The ref as shown; "-" without a key or number. */
void log_ref(
    const struct log_view *view, uint64_t id, char text[REF_TEXT_SIZE]);

/* "-1.250"; "off" for INT64_MAX. */
void log_add_milli(struct buf *out, int64_t milli);

/* One signature of record.dkim, decoded into `arena`. */
struct log_signature {
	struct span result, domain, selector, problem; /* may be empty */
};
/* Loop: rest = r->dkim; while (log_next_signature(&rest, ...)). "none" is no
 * signature. */
bool log_next_signature(
    struct span *rest, struct arena *arena, struct log_signature *ret);

/* Symbols that scored or hit, heaviest first: positive and negative by size,
 * then by name. NULL when there are none, or no memory. */
const struct record_symbol **log_symbols(
    const struct record *r, struct arena *arena);

/* True when recipients' policies asked for different actions. */
bool log_rcpts_differ(const struct record *r);

#endif
