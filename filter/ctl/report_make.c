#include "filter/ctl/report_make.h"

/*
 * From a domain's rows to the mail for one address: XML, gzip, mail, and again
 * with fewer rows until it fits.
 */

#define DAY_S INT64_C(86400)
#define ROWS_MAX 10000 /* of a report */
#define XML_MAX ((size_t)64 << 20)
#define SHRINKS_MAX 12 /* each leaves out a fifth or more */

static void
complete(const struct report_making *job, struct report *report,
    const char *unique, struct arena *arena)
{
	const struct report_settings *settings = job->settings;

	report->org_name =
	    settings->org_name.len ? settings->org_name : job->submitter;
	report->email = settings->from;
	if (settings->contact.len)
		report->extra_contact = settings->contact;
	report->report_id = arena_printf(arena, "%lld.%s.%.*s@%.*s",
	    (long long)(job->day * DAY_S), unique,
	    SPAN_ARG(job->domain->domain), SPAN_ARG(job->submitter));
	report->generator = SPAN("Assay " PACKAGE_VERSION);
	report->begin = job->day * DAY_S;
	report->end = report->begin + DAY_S - 1;
}

void
report_made_done(struct report_made *made)
{
	buf_done(&made->xml);
	buf_done(&made->packed);
	buf_done(&made->mail);
}

static int
make_mail(const struct report_making *job, const struct report_target *target,
    const struct report *report, const char *unique, struct report_made *ret)
{
	char token[REPORT_TOKEN_SIZE], handle[REPORT_HANDLE_SIZE];
	struct report_mail mail = {
	    .from = job->settings->from,
	    .to = target->address,
	    .submitter = job->submitter,
	    .domain = job->domain->domain,
	    .report_id = report->report_id,
	    .unique = unique,
	    .token = token,
	    .begin = report->begin,
	    .end = report->end,
	    .date = job->now,
	};

	report_handle(job->day, job->domain->domain, target->address, handle);
	report_token(job->secret, handle, token);
	int rc = report_write(report, &ret->xml);
	if (rc == 0)
		rc = report_pack(buf_span(&ret->xml), &ret->packed);
	mail.packed = buf_span(&ret->packed);
	return rc ? rc : report_mail_write(&mail, &ret->mail);
}

/* In memory of its own: a large report may be made many times. */
static int
make(const struct report_making *job, const struct report_target *target,
    size_t rows_max, struct report_made *ret)
{
	struct arena *arena = arena_new(0);
	char unique[REPORT_UNIQUE_SIZE];
	struct report report;

	buf_init(&ret->xml, NULL, XML_MAX);
	buf_init(&ret->packed, NULL, XML_MAX);
	buf_init(&ret->mail, NULL, 2 * XML_MAX);
	int rc = arena
		     ? report_day_report(job->domain, rows_max, arena, &report)
		     : ERR_NOMEM;
	if (rc == 0) {
		ret->rows = report.rows.n; /* also when it does not fit */
		report_unique(
		    job->secret, job->day, job->domain->domain, unique);
		complete(job, &report, unique, arena);
		rc = make_mail(job, target, &report, unique, ret);
	}
	arena_free(arena);
	return rc;
}

/* As many rows as the sizes allow, the ones with most messages. */
int
report_make(const struct report_making *job, const struct report_target *target,
    struct report_made *ret)
{
	size_t max = job->settings->max_size, rows = ROWS_MAX;

	if (target->max_size && target->max_size < max)
		max = (size_t)target->max_size;
	for (int i = 0; i < SHRINKS_MAX && rows; i++) {
		int rc = make(job, target, rows, ret);
		if (rc == 0 && ret->mail.len <= max)
			return 0;
		uint64_t size = rc == 0 ? ret->mail.len : (uint64_t)2 * max;
		report_made_done(ret);
		if (rc && rc != ERR_LIMIT)
			return rc;
		/* A fifth less than the proportion says. */
		rows = (size_t)((uint64_t)ret->rows * max / size * 4 / 5);
	}
	return ERR_LIMIT;
}
