#include <inttypes.h>

#include "filter/auth/report_rua.h"
#include "filter/base/clock.h"
#include "filter/ctl/failure_list.h"
#include "filter/ctl/report_from.h"
#include "filter/ctl/sendmail.h"
#include "filter/failure.h"

/*
 * assay report failures: DMARC failure reports of what was noted since the run
 * before. A failure is claimed by setting its mark, "f:NAME" to "TIME COUNT",
 * before sendmail is called, and by one run alone: sent at most once. It is
 * told anew when it has gone on and AGAIN_S have passed; Incidents says how
 * many messages there were since. The envelope sender is <>: nothing comes
 * back, and no report about a report can follow.
 */

#define AGAIN_S (6 * 3600)
#define MARK_KEEP_S (INT64_C(2) * 86400)
#define RUN_DOMAIN_MAX 4 /* failures of one policy domain in a run */
#define LIST_BUDGET ((size_t)256 << 20)
#define MAIL_MAX 65536
#define DNS_MS 30000
#define DNS_QUESTIONS 200

enum { OPT_DRY_RUN };

static const struct ctl_option options[] = {
    [OPT_DRY_RUN] = {"dry-run", 'n', NULL, "print what would be sent"},
    {0},
};

/* Who gets reports about a policy domain; asked once in a run. */
struct destination {
	struct report_targets targets;
	size_t failures; /* told so far */
	bool later;
};

struct run {
	struct ctl *ctl;
	bool dry;
	const struct settings *settings;
	struct marks marks;
	struct dns *dns;
	struct arena *arena;
	struct span submitter;
	int64_t now;
	struct noted_list noted;
	struct map told, bounces; /* marks */
	struct map destinations;  /* policy domain to struct destination */
	size_t sent, waiting, refused;
	bool stop; /* nothing that follows would fare better */
};

static int
take(void *arg, int index, const char *value)
{
	(void)index;
	(void)value;
	((struct run *)arg)->dry = true;
	return 0;
}

/* "DOMAIN from IP[ to ADDRESS]: TEXT" */
static void
say(const struct noted *n, struct span address, const char *text,
    const char *detail)
{
	char ip[IP_TEXT_SIZE];

	ip_format(&n->failure.ip, ip);
	ctl_print_safe(stdout, n->failure.from_domain);
	printf(" from %s", ip);
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

/* --- marks --------------------------------------------------------------------------- */

struct told {
	int64_t time;
	uint64_t count;
};

static struct told
told_of(const struct run *run, const struct noted *n, struct report_mark *ret)
{
	struct told told = {0, 0};

	*ret = (struct report_mark){.expires = run->now + MARK_KEEP_S};
	snprintf(ret->name, sizeof ret->name, "f:%.*s", SPAN_ARG(n->name));
	struct span value = marks_get(&run->told, span_of(ret->name)), rest;
	ret->had = value.p != NULL;
	(void)span_copy(value, ret->from, sizeof ret->from);
	rest = value;
	if (value.p && (span_to_i64(span_cut(&rest, ' '), &told.time) ||
			   !rest.p || span_to_u64(rest, &told.count)))
		told = (struct told){0, 0};
	return told;
}

/* Messages that were not told of yet; 0: nothing to tell now. */
static uint64_t
fresh(const struct run *run, const struct noted *n, struct told told)
{
	if (told.time + AGAIN_S > run->now || n->count == told.count)
		return 0;
	/* Counts end a day after the last message, and begin anew. */
	return n->count > told.count ? n->count - told.count : n->count;
}

/* --- to whom ------------------------------------------------------------------------- */

static bool
bounces(const struct run *run, struct span address)
{
	char name[REPORT_ADDRESS_SIZE + 2] = "b:";
	struct report_bounces known;

	report_address_name(address, name + 2);
	struct span value = marks_get(&run->bounces, span_of(name));
	return value.p && report_bounces_read(&known, value) == 0 &&
	       known.n >= REPORT_BOUNCES_MAX;
}

static void
add_targets(
    struct run *run, struct destination *to, const struct report_targets *from)
{
	for (size_t i = 0; i < from->v.n; i++) {
		struct report_target target = from->v.v[i];
		if (bounces(run, target.address) ||
		    to->targets.v.n == REPORT_TARGETS_MAX)
			continue;
		struct report_target *entry =
		    VEC_PUSH(run->arena, &to->targets.v);
		if (entry)
			*entry = target;
	}
}

static void
ask_targets(struct run *run, const struct noted *n, struct span ruf,
    struct dns_batch *dns, struct destination *to)
{
	struct report_targets asked, allowed;

	report_targets_parse(&asked, ruf, run->arena);
	for (size_t i = 0; i < asked.v.n; i++) {
		const struct report_target *target = &asked.v.v[i];
		switch (report_failure_target_allowed(
		    n->failure.domain, target, dns, run->arena, &allowed)) {
		case REPORT_YES:
			add_targets(run, to, &allowed);
			break;
		case REPORT_NO:
			say(n, target->address,
			    "not sent, that domain does not ask for it", NULL);
			break;
		case REPORT_LATER:
			to->later = true;
		}
	}
}

/* Asked of DNS now: a record that is gone asks for nothing. */
static struct destination *
find_destination(struct run *run, const struct noted *n)
{
	struct span domain = n->failure.domain;
	struct destination *to = map_get(&run->destinations, domain);
	struct dmarc_record record;

	if (to)
		return to;
	to = arena_zalloc(run->arena, sizeof *to);
	struct dns_batch *dns =
	    dns_batch_new(run->dns, run->arena, DNS_MS, DNS_QUESTIONS);
	if (!to || !dns || map_put(&run->destinations, domain, to))
		return NULL;
	switch (report_find_record(domain, dns, run->arena, &record)) {
	case REPORT_YES:
		if (record.psd != 'y')
			ask_targets(run, n, record.ruf, dns, to);
		break;
	case REPORT_NO:
		break;
	case REPORT_LATER:
		to->later = true;
	}
	if (to->later)
		say(n, SPAN_NONE, "later, DNS does not answer", NULL);
	else if (!to->targets.v.n)
		say(n, SPAN_NONE, "not sent, nobody there asks for it", NULL);
	return to;
}

/* --- sending ------------------------------------------------------------------------- */

static int
make(const struct run *run, const struct noted *n, uint64_t incidents,
    struct span address, struct buf *out)
{
	struct span unique = arena_printf(
	    run->arena, "%lld.%.*s", (long long)run->now, SPAN_ARG(n->name));
	struct report_failure_mail mail = {
	    .from = run->settings->report.from,
	    .to = address,
	    .submitter = run->submitter,
	    .unique = unique,
	    .incidents = incidents,
	    .date = run->now,
	    .failure = &n->failure,
	};

	buf_init(out, run->arena, MAIL_MAX);
	return unique.p ? report_failure_mail_write(&mail, out) : ERR_NOMEM;
}

static void
print_mail(const struct noted *n, struct span address, struct span mail)
{
	struct span line;

	say(n, address, "would be sent", NULL);
	while (span_line(&mail, &line)) {
		ctl_print_safe(stdout, line);
		putchar('\n');
	}
}

/* True when it is to be tried again. */
static bool
hand_over(struct run *run, const struct noted *n, struct span address,
    struct span mail)
{
	struct sendmail_request request = {
	    .program = run->settings->report.sendmail,
	    .sender = SPAN("<>"),
	    .recipient = address,
	    .mail = mail,
	};
	struct err why = {0};

	fflush(stdout);
	switch (sendmail_hand(&request, &why)) {
	case SENDMAIL_TAKEN:
		run->sent++;
		say(n, address, "sent", NULL);
		return false;
	case SENDMAIL_REFUSED:
		run->refused++;
		say(n, address, "refused", why.text);
		return false;
	case SENDMAIL_UNKNOWN:
		say(n, address, "not known whether it was sent", why.text);
		return false;
	case SENDMAIL_WRONG:
		run->stop = true;
		break;
	case SENDMAIL_LATER:
		break;
	}
	run->waiting++;
	say(n, address, "later", why.text);
	return true;
}

/* To all who ask. What not one of them could be given is told by a later run;
 * else, who got nothing this time waits for the next failure. */
static bool
send_all(struct run *run, const struct noted *n, uint64_t incidents,
    const struct destination *to)
{
	bool all_later = true;

	for (size_t i = 0; i < to->targets.v.n && !run->stop; i++) {
		struct span address = to->targets.v.v[i].address;
		struct buf mail;
		if (make(run, n, incidents, address, &mail)) {
			say(n, address, "not sent, it cannot be made", NULL);
			all_later = false;
		} else if (run->dry) {
			print_mail(n, address, buf_span(&mail));
		} else if (!hand_over(run, n, address, buf_span(&mail))) {
			all_later = false;
		}
	}
	return all_later;
}

/* Gives the failure back, as it was before. */
static int
unclaim(struct run *run, struct report_mark *mark, struct told told)
{
	bool done;

	memcpy(mark->from, mark->to, sizeof mark->from);
	mark->had = true;
	snprintf(mark->to, sizeof mark->to, "%lld %" PRIu64,
	    (long long)told.time, told.count);
	return marks_set(&run->marks, mark, &done);
}

static int
tell(struct run *run, const struct noted *n)
{
	struct report_mark mark;
	struct told told = told_of(run, n, &mark);
	uint64_t incidents = fresh(run, n, told);
	bool done = false;

	if (!incidents)
		return EX_OK;
	struct destination *to = find_destination(run, n);
	if (!to)
		return ctl_fail(run->ctl, EX_OSERR, "out of memory");
	run->waiting += to->later;
	if (to->later || !to->targets.v.n || to->failures == RUN_DOMAIN_MAX)
		return EX_OK;
	to->failures++;
	if (run->dry) {
		(void)send_all(run, n, incidents, to);
		return EX_OK;
	}
	snprintf(mark.to, sizeof mark.to, "%lld %" PRIu64, (long long)run->now,
	    n->count);
	int status = marks_set(&run->marks, &mark, &done);
	if (status || !done)
		return status;
	return send_all(run, n, incidents, to) ? unclaim(run, &mark, told)
					       : EX_OK;
}

/* --- the run ------------------------------------------------------------------------- */

static int
finish(const struct run *run)
{
	if (!run->dry)
		printf("%zu sent, %zu later, %zu refused\n", run->sent,
		    run->waiting, run->refused);
	if (run->stop)
		return ctl_fail(run->ctl, EX_CONFIG,
		    "%.*s cannot be used as it is",
		    SPAN_ARG(run->settings->report.sendmail));
	return run->waiting ? EX_TEMPFAIL : EX_OK;
}

static int
run_all(struct run *run, const struct snapshot *snapshot)
{
	map_init(&run->told, run->arena, false);
	map_init(&run->bounces, run->arena, false);
	map_init(&run->destinations, run->arena, false);
	int status = report_from_read(
	    run->ctl, run->settings, run->arena, &run->submitter);
	if (status == EX_OK && !run->dry)
		status = report_from_signed(
		    run->ctl, snapshot, run->submitter, run->arena);
	if (status == EX_OK)
		status = failure_list_read(
		    &run->marks, run->now, run->arena, &run->noted);
	if (status == EX_OK)
		status =
		    marks_read(&run->marks, SPAN("f:"), run->arena, &run->told);
	if (status == EX_OK)
		status = marks_read(
		    &run->marks, SPAN("b:"), run->arena, &run->bounces);
	for (size_t i = 0; i < run->noted.n && status == EX_OK && !run->stop;
	     i++)
		status = tell(run, &run->noted.v[i]);
	return status == EX_OK ? finish(run) : status;
}

static int
open_and_run(struct run *run, const struct snapshot *snapshot)
{
	struct err err;
	int status;

	run->settings = &snapshot->settings;
	run->marks = (struct marks){run->ctl, run->settings};
	run->now = clock_wall();
	run->arena = arena_new(LIST_BUDGET);
	if (!run->arena)
		return ctl_fail(run->ctl, EX_OSERR, "out of memory");
	if (dns_open(&run->settings->dns, &run->dns, &err))
		status = ctl_fail(run->ctl, EX_CONFIG, "%s", err.text);
	else
		status = run_all(run, snapshot);
	dns_close(run->dns);
	arena_free(run->arena);
	return status;
}

static int
run_failures(struct ctl *ctl, int argc, char **argv)
{
	struct settings_source source = ctl_source(ctl);
	struct run run = {.ctl = ctl};
	int status;
	int n = ctl_options(ctl, argc, argv, take, &run, &status);

	if (n < 0)
		return status;
	if (n > 1)
		return ctl_usage(ctl);
	source.no_rules = true;
	source.keys = !run.dry;
	struct snapshot *snapshot = snapshot_load(&source, ctl_report, NULL);
	if (!snapshot)
		return EX_CONFIG;
	status = open_and_run(&run, snapshot);
	snapshot_unref(snapshot);
	return status;
}

const struct ctl_command ctl_report_failures_command = {"failures", "",
    "send reports about messages that failed DMARC", options, run_failures,
    NULL};
