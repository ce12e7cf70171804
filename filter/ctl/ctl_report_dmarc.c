#include "filter/base/clock.h"
#include "filter/base/file.h"
#include "filter/ctl/report_from.h"
#include "filter/ctl/report_job.h"
#include "filter/ctl/when.h"
#include "filter/mail/domain.h"

/*
 * assay report dmarc: the aggregate reports of the days that are over. Several
 * runs, here and on other machines that share the store, may overlap; what one
 * could not hand over the next takes again, until it is too old.
 */

#define DAY_S INT64_C(86400)
#define DAYS 5      /* after so many a report is given up */
#define GRACE_S 900 /* for messages under way at midnight */
#define PART_BUDGET ((size_t)1 << 30)

enum { OPT_DAY, OPT_DOMAIN, OPT_DRY_RUN };

static const struct ctl_option options[] = {
    [OPT_DAY] = {"day", 0, "DATE", "this day alone (UTC), as 2026-11-23"},
    [OPT_DOMAIN] = {"domain", 0, "NAME", "this policy domain alone"},
    [OPT_DRY_RUN] = {"dry-run", 'n', NULL,
	"print what would be sent, also what was"},
    {0},
};

struct dmarc {
	struct ctl *ctl;
	const char *day, *domain;
	bool dry;
};

static int
take(void *arg, int index, const char *value)
{
	struct dmarc *d = arg;

	if (index == OPT_DAY)
		d->day = value;
	else if (index == OPT_DOMAIN)
		d->domain = value;
	else
		d->dry = true;
	return 0;
}

/* --- days ---------------------------------------------------------------------------- */

static int
read_marks(struct report_run *run, int64_t day, struct arena *arena)
{
	char mails[32], days[32];

	map_init(&run->mails, arena, false);
	map_init(&run->days, arena, false);
	map_init(&run->bounces, arena, false);
	snprintf(mails, sizeof mails, "s:%lld.", (long long)day);
	snprintf(days, sizeof days, "d:%lld.", (long long)day);
	int status =
	    marks_read(&run->marks, span_of(mails), arena, &run->mails);
	if (status == EX_OK)
		status =
		    marks_read(&run->marks, span_of(days), arena, &run->days);
	if (status == EX_OK)
		status =
		    marks_read(&run->marks, SPAN("b:"), arena, &run->bounces);
	return status;
}

static void
say_lack(const struct report_run *run, const struct report_day_part *part)
{
	if (part->left_out)
		ctl_fail(run->ctl, EX_OK,
		    "%llu records of the day were left out, it has too many",
		    (unsigned long long)part->left_out);
	if (part->damaged)
		ctl_fail(run->ctl, EX_OK, "%llu records are damaged",
		    (unsigned long long)part->damaged);
}

static int
run_part(struct report_run *run, int64_t day, unsigned number, struct span only,
    struct arena *arena)
{
	struct report_day_part part;
	int status =
	    report_day_read(&run->marks, day, number, only, arena, &part);

	if (status)
		return status;
	say_lack(run, &part);
	run->lost_ms = 0;
	for (size_t i = 0; i < part.domains.n && !run->stop; i++) {
		struct arena *own = arena_new(PART_BUDGET);
		status = own ? report_job(run, day, &part.domains.v[i], own)
			     : ctl_fail(run->ctl, EX_OSERR, "out of memory");
		arena_free(own);
		if (status)
			return status;
	}
	return EX_OK;
}

static int
run_day(struct report_run *run, int64_t day, struct span only)
{
	struct arena *arena = arena_new(0), *rows = arena_new(PART_BUDGET);
	int status = arena && rows
			 ? read_marks(run, day, arena)
			 : ctl_fail(run->ctl, EX_OSERR, "out of memory");

	for (unsigned i = 0; i < REPORT_PARTS && status == EX_OK && !run->stop;
	     i++) {
		status = run_part(run, day, i, only, rows);
		arena_reset(rows);
	}
	arena_free(rows);
	arena_free(arena);
	return status;
}

/* The first and the last day to look at. */
static int
choose_days(const struct dmarc *d, int64_t now, int64_t *first, int64_t *last)
{
	struct err err;
	int64_t when;

	*last = (now - GRACE_S) / DAY_S - 1;
	*first = *last - DAYS + 1;
	if (!d->day)
		return EX_OK;
	struct buf text;
	buf_init(&text, NULL, 64);
	buf_printf(&text, "%.10sT00:00:00Z", d->day);
	int rc = strlen(d->day) == 10
		     ? when_parse(buf_span(&text), now, &when, &err)
		     : ERR_SYNTAX;
	buf_done(&text);
	if (rc)
		return ctl_fail(d->ctl, EX_USAGE, "--day: no date: %s", d->day);
	if (when / DAY_S > *last)
		return ctl_fail(
		    d->ctl, EX_USAGE, "--day: %s is not over", d->day);
	*first = *last = when / DAY_S;
	return EX_OK;
}

static int
finish(const struct report_run *run)
{
	if (!run->dry)
		printf("%zu sent, %zu later, %zu refused, %zu skipped,"
		       " %zu unknown\n",
		    run->sent, run->waiting, run->refused, run->skipped,
		    run->unknown);
	if (run->stop)
		return ctl_fail(run->ctl, EX_CONFIG,
		    "%.*s cannot be used as it is",
		    SPAN_ARG(run->settings->report.sendmail));
	return run->waiting ? EX_TEMPFAIL : EX_OK;
}

static int
run_all(const struct dmarc *d, const struct snapshot *snapshot,
    struct report_run *run, struct arena *arena)
{
	struct span only = SPAN_NONE;
	int64_t first, last;
	int status = choose_days(d, run->now, &first, &last);

	if (status == EX_OK && d->domain &&
	    domain_normalise(span_of(d->domain), arena, &only))
		status = ctl_fail(
		    d->ctl, EX_USAGE, "--domain: no domain: %s", d->domain);
	if (status == EX_OK)
		status = report_from_read(
		    d->ctl, run->settings, arena, &run->submitter);
	if (status == EX_OK && !run->dry)
		status =
		    report_from_signed(d->ctl, snapshot, run->submitter, arena);
	if (status == EX_OK)
		status =
		    marks_secret(&run->marks, !run->dry, arena, &run->secret);
	if (status == EX_OK && !run->dry)
		report_from_look(d->ctl, run->settings);
	for (int64_t day = first; status == EX_OK && day <= last && !run->stop;
	     day++)
		status = run_day(run, day, only);
	return status == EX_OK ? finish(run) : status;
}

static int
open_and_run(const struct dmarc *d, struct snapshot *snapshot)
{
	const struct settings *settings = &snapshot->settings;
	struct report_run run = {
	    .ctl = d->ctl,
	    .settings = settings,
	    .marks = {d->ctl, settings},
	    .dry = d->dry,
	    .now = clock_wall(),
	};
	struct arena *arena = arena_new(0);
	struct err err;
	int status;

	if (!arena)
		return ctl_fail(d->ctl, EX_OSERR, "out of memory");
	if (dns_open(&settings->dns, &run.dns, &err))
		status = ctl_fail(d->ctl, EX_CONFIG, "%s", err.text);
	else
		status = run_all(d, snapshot, &run, arena);
	dns_close(run.dns);
	arena_free(arena);
	return status;
}

static int
run_dmarc(struct ctl *ctl, int argc, char **argv)
{
	struct settings_source source = ctl_source(ctl);
	struct dmarc d = {.ctl = ctl};
	int status;
	int n = ctl_options(ctl, argc, argv, take, &d, &status);

	if (n < 0)
		return status;
	if (n > 1)
		return ctl_usage(ctl);
	source.no_rules = true;
	source.keys = !d.dry;
	struct snapshot *snapshot = snapshot_load(&source, ctl_report, NULL);
	if (!snapshot)
		return EX_CONFIG;
	status = open_and_run(&d, snapshot);
	snapshot_unref(snapshot);
	return status;
}

const struct ctl_command ctl_report_dmarc_command = {"dmarc", "",
    "send the aggregate reports of days that are over", options, run_dmarc,
    NULL};
