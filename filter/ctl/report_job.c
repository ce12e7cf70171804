#include "filter/ctl/report_job.h"

#include <stdlib.h>

#include "filter/base/clock.h"
#include "filter/ctl/report_make.h"
#include "filter/ctl/sendmail.h"
#include "filter/report.h"

/*
 * One domain's reports of a day. Who gets them is asked of DNS now, not of the
 * day: a record that is gone asks for nothing.
 *
 * Sent once: a mail's mark is set from what was read to "handing" before
 * sendmail is called, and by one process alone. If that process is killed
 * then, the mark stays: whether the mail went out is not known, and one report
 * less is better than the same twice. There is no lease to run out.
 */

#define DAY_S INT64_C(86400)
#define DNS_QUESTIONS 200
/* For one domain, and what is left once so much of a part of a day was lost
 * to domains whose DNS is silent: they shall not keep the others waiting. */
#define DNS_MS 30000
#define DNS_HASTE_MS 1000
#define DNS_LOST_MS 120000
/* Longer than sendmail may take: whoever began before then is gone. */
#define HANDING_S (2 * SENDMAIL_SECONDS)

struct job {
	struct report_run *run;
	int64_t day;
	const struct report_day_domain *domain;
	struct arena *arena;
	struct report_targets targets; /* that may be sent to */
	bool later;                    /* something is not decided today */
};

/* --- what is said ------------------------------------------------------------------- */

static void
print_day(int64_t day)
{
	time_t t = (time_t)(day * DAY_S);
	struct tm tm;

	if (gmtime_r(&t, &tm))
		printf("%04d-%02d-%02d", tm.tm_year + 1900, tm.tm_mon + 1,
		    tm.tm_mday);
}

/* "DAY DOMAIN[ to ADDRESS]: TEXT" */
static void
say(const struct job *job, struct span address, const char *text,
    const char *detail)
{
	print_day(job->day);
	putchar(' ');
	ctl_print_safe(stdout, job->domain->domain);
	if (address.len) {
		fputs(" to ", stdout);
		ctl_print_safe(stdout, address);
	}
	printf(": %s", text);
	if (detail && *detail) {
		fputs(": ", stdout);
		ctl_print_safe(stdout, span_of(detail));
	}
	putchar('\n');
}

/* --- to whom ------------------------------------------------------------------------- */

static bool
is_target(const struct report_targets *targets, struct span address)
{
	for (size_t i = 0; i < targets->v.n; i++)
		if (span_caseeq(targets->v.v[i].address, address))
			return true;
	return false;
}

static void
add_targets(struct job *job, const struct report_targets *from)
{
	for (size_t i = 0; i < from->v.n; i++) {
		const struct report_target *target = &from->v.v[i];
		if (is_target(&job->targets, target->address) ||
		    job->targets.v.n == REPORT_TARGETS_MAX)
			continue;
		struct report_target *to =
		    VEC_PUSH(job->arena, &job->targets.v);
		if (to)
			*to = *target;
	}
}

static void
ask_targets(
    struct job *job, const struct report_targets *asked, struct dns_batch *dns)
{
	for (size_t i = 0; i < asked->v.n; i++) {
		const struct report_target *target = &asked->v.v[i];
		struct report_targets allowed;
		switch (report_target_allowed(
		    job->domain->domain, target, dns, job->arena, &allowed)) {
		case REPORT_YES:
			add_targets(job, &allowed);
			break;
		case REPORT_NO:
			say(job, target->address,
			    "not sent, that domain does not ask for it", NULL);
			break;
		case REPORT_LATER:
			say(job, target->address, "later, DNS does not answer",
			    NULL);
			job->later = true;
		}
	}
}

static int64_t
patience(const struct report_run *run)
{
	if (run->lost_ms < DNS_LOST_MS)
		return DNS_MS;
	return run->lost_ms < 2 * DNS_LOST_MS ? DNS_HASTE_MS : 0;
}

static void
ask_domain(struct job *job, struct dns_batch *dns)
{
	struct dmarc_record record;
	struct report_targets asked;
	enum report_answer found = dns ? report_find_record(job->domain->domain,
					     dns, job->arena, &record)
				       : REPORT_LATER;

	if (found == REPORT_LATER) {
		say(job, SPAN_NONE, "later, DNS does not answer", NULL);
		job->later = true;
		return;
	}
	if (found == REPORT_NO || !record.rua.len) {
		say(job, SPAN_NONE, "not sent, nobody asks for it any more",
		    NULL);
		return;
	}
	report_targets_parse(&asked, record.rua, job->arena);
	if (asked.ignored)
		say(job, SPAN_NONE, "rua= names what is no address", NULL);
	if (asked.beyond)
		say(job, SPAN_NONE, "rua= names too many addresses", NULL);
	ask_targets(job, &asked, dns);
}

static void
find_targets(struct job *job)
{
	struct dns_batch *dns = dns_batch_new(
	    job->run->dns, job->arena, patience(job->run), DNS_QUESTIONS);

	ask_domain(job, dns);
	if (dns && job->later)
		job->run->lost_ms += dns_batch_waited_ms(dns);
}

/* --- marks --------------------------------------------------------------------------- */

static void
mail_name(const struct job *job, struct span address,
    char ret[REPORT_MARK_NAME_MAX + 1])
{
	char handle[REPORT_HANDLE_SIZE];

	report_handle(job->day, job->domain->domain, address, handle);
	snprintf(ret, REPORT_MARK_NAME_MAX + 1, "s:%s", handle);
}

static void
day_name(const struct job *job, char ret[REPORT_MARK_NAME_MAX + 1])
{
	mail_name(job, SPAN("-"), ret);
	ret[0] = 'd';
	char *dot = strrchr(ret, '.');
	if (dot)
		*dot = '\0';
}

static int64_t
mark_expires(const struct job *job)
{
	return job->run->now + REPORT_MARK_DAYS * DAY_S;
}

static int
set_mail(struct job *job, struct span address, struct span before,
    const struct report_sent *sent, struct span *ret_now, bool *ret_done)
{
	struct report_mark mark = {
	    .had = before.p != NULL, .expires = mark_expires(job)};

	mail_name(job, address, mark.name);
	(void)span_copy(before, mark.from, sizeof mark.from);
	report_sent_write(sent, mark.to);
	*ret_now = arena_span(job->arena, span_of(mark.to));
	return marks_set(&job->run->marks, &mark, ret_done);
}

static bool
bounces(const struct job *job, struct span address)
{
	char name[REPORT_ADDRESS_SIZE + 2] = "b:";
	struct report_bounces known;

	report_address_name(address, name + 2);
	struct span value = marks_get(&job->run->bounces, span_of(name));
	return value.p && report_bounces_read(&known, value) == 0 &&
	       known.n >= REPORT_BOUNCES_MAX;
}

/* --- sending ------------------------------------------------------------------------- */

/* What sendmail's answer makes of the mark and of the run. */
static int
take_result(struct job *job, const struct report_target *target,
    enum sendmail_result result, const struct err *why,
    struct report_sent *sent)
{
	uint64_t n;

	switch (result) {
	case SENDMAIL_TAKEN:
		sent->state = REPORT_SENT;
		job->run->sent++;
		say(job, target->address, "sent", NULL);
		return EX_OK;
	case SENDMAIL_REFUSED:
		sent->state = REPORT_REFUSED;
		job->run->refused++;
		say(job, target->address, "refused", why->text);
		return marks_bounce(&job->run->marks, target->address,
		    job->arena, job->run->now, &n);
	case SENDMAIL_UNKNOWN:
		job->run->unknown++;
		say(job, target->address,
		    "not known whether it was sent, not sent again", why->text);
		return EX_OK;
	case SENDMAIL_WRONG:
		job->run->stop = true;
		/* FALLTHROUGH */
	case SENDMAIL_LATER:
		break;
	}
	sent->state = REPORT_WAITING;
	job->run->waiting++;
	job->later = true;
	say(job, target->address, "later", why->text);
	return EX_OK;
}

static int
hand_over(struct job *job, const struct report_target *target,
    const struct report_made *made, struct report_sent *sent,
    struct span before)
{
	const struct report_settings *settings = &job->run->settings->report;
	struct sendmail_request request = {
	    .program = settings->sendmail,
	    .sender = settings->bounces.len ? settings->bounces : SPAN("<>"),
	    .recipient = target->address,
	    .mail = buf_span(&made->mail),
	};
	struct err why = {0};
	struct span handing, after;
	bool done;

	sent->state = REPORT_HANDING;
	sent->time = clock_wall();
	int status =
	    set_mail(job, target->address, before, sent, &handing, &done);
	if (status || !done) {
		job->later = true;
		if (!status)
			say(job, target->address, "skipped, another run has it",
			    NULL);
		return status;
	}
	/* What was said so far is not lost with us. */
	fflush(stdout);
	enum sendmail_result result = sendmail_hand(&request, &why);
	status = take_result(job, target, result, &why, sent);
	int set = set_mail(job, target->address, handing, sent, &after, &done);
	return status ? status : set;
}

static void
print_dry(const struct job *job, const struct report_target *target,
    const struct report_made *made)
{
	print_day(job->day);
	putchar(' ');
	ctl_print_safe(stdout, job->domain->domain);
	fputs(" to ", stdout);
	ctl_print_safe(stdout, target->address);
	printf(": %zu of %zu records, %llu messages, a mail of %zu bytes\n",
	    made->rows, job->domain->n,
	    (unsigned long long)job->domain->messages, made->mail.len);
	/* What strangers wrote in it was cleaned for XML, not for terminals. */
	for (struct span rest = buf_span(&made->xml), line;
	     span_line(&rest, &line);) {
		ctl_print_safe(stdout, line);
		putchar('\n');
	}
}

/* Another run is at it now, or was killed then. */
static void
look_at_handing(struct job *job, const struct report_sent *sent)
{
	if (sent->state != REPORT_HANDING)
		return;
	if (sent->time + HANDING_S > clock_wall()) {
		job->later = true;
		return;
	}
	job->run->unknown++;
	say(job, sent->address, "not known whether it was sent, not sent again",
	    NULL);
}

static int
send_to(struct job *job, const struct report_target *target)
{
	char name[REPORT_MARK_NAME_MAX + 1];
	struct report_sent sent;
	struct report_made made;

	struct report_making making = {
	    .settings = &job->run->settings->report,
	    .secret = &job->run->secret,
	    .submitter = job->run->submitter,
	    .day = job->day,
	    .now = job->run->now,
	    .domain = job->domain,
	};

	mail_name(job, target->address, name);
	struct span before = marks_get(&job->run->mails, span_of(name));
	if (!before.p || report_sent_read(&sent, before))
		sent = (struct report_sent){.state = REPORT_WAITING};
	if (sent.state != REPORT_WAITING && !job->run->dry) {
		look_at_handing(job, &sent);
		return EX_OK;
	}
	if (bounces(job, target->address)) {
		job->run->skipped++;
		say(job, target->address, "skipped, it bounces", NULL);
		return EX_OK;
	}
	int rc = report_make(&making, target, &made);
	if (rc == ERR_LIMIT || rc == ERR_NOTFOUND) {
		say(job, target->address,
		    "skipped, no record of it fits the size", NULL);
		return EX_OK;
	}
	if (rc)
		return ctl_fail(job->run->ctl, EX_OSERR, "out of memory");
	sent.tries++;
	sent.domain = job->domain->domain;
	sent.address = target->address;
	int status = EX_OK;
	if (job->run->dry)
		print_dry(job, target, &made);
	else
		status = hand_over(job, target, &made, &sent, before);
	report_made_done(&made);
	return status;
}

static int
finish(struct job *job)
{
	struct report_mark mark = {.expires = mark_expires(job)};
	bool done;

	if (job->later || job->run->dry || job->run->stop)
		return EX_OK;
	day_name(job, mark.name);
	snprintf(
	    mark.to, sizeof mark.to, "done %lld", (long long)job->run->now);
	return marks_set(&job->run->marks, &mark, &done);
}

int
report_job(struct report_run *run, int64_t day,
    const struct report_day_domain *domain, struct arena *arena)
{
	struct job job = {
	    .run = run, .day = day, .domain = domain, .arena = arena};
	char name[REPORT_MARK_NAME_MAX + 1];
	int status = EX_OK;

	day_name(&job, name);
	if (!run->dry && marks_get(&run->days, span_of(name)).p)
		return EX_OK;
	if (report_is_excluded(&run->settings->report, domain->domain))
		say(&job, SPAN_NONE, "not sent, report.exclude names it", NULL);
	else
		find_targets(&job);
	for (size_t i = 0; i < job.targets.v.n && status == EX_OK && !run->stop;
	     i++)
		status = send_to(&job, &job.targets.v.v[i]);
	return status == EX_OK ? finish(&job) : status;
}
