#ifndef FILTER_CTL_CHECK_FORMAT_H
#define FILTER_CTL_CHECK_FORMAT_H

#include "filter/base/buf.h"
#include "filter/examine.h"
#include "filter/policy.h"

/* What `assay check` prints for one message. */
enum check_form { CHECK_TEXT, CHECK_JSON, CHECK_HITS, CHECK_MAIL };

struct check_report {
	const char *name;
	const struct snapshot *snapshot;
	struct span text; /* the message as read */
	struct scan *scan;
	struct examination examination;
	struct verdict verdict;
	int64_t us;
};

int check_form_of(const char *word, enum check_form *ret) MUST_USE;

/* Fills report->verdict: what enforce would do for the envelope's recipient. */
void check_judge(struct check_report *report);

void check_format(struct buf *out, enum check_form form, bool verbose,
    const struct check_report *report);

#endif
