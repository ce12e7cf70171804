#include "filter/ctl/ctl.h"

#include <signal.h>
#include <stdlib.h>

#include "filter/base/clock.h"
#include "filter/ctl/log_format.h"
#include "filter/ctl/verdicts.h"
#include "filter/ctl/when.h"
#include "filter/policy.h"

/*
 * assay log: the messages of a time, oldest first, that all given options
 * match. Rows are printed as they are read; with --limit, which keeps the
 * newest ones, they are held as copies until they can be turned round.
 */

#define LIMIT_MAX 100000 /* copies in memory */
#define ROW_MAX ((size_t)64 << 20)

enum {
	OPT_SINCE,
	OPT_UNTIL,
	OPT_FROM,
	OPT_TO,
	OPT_ACTION,
	OPT_SYMBOL,
	OPT_DEGRADED,
	OPT_LIMIT,
	OPT_FORMAT,
	OPT_RCPT,
};

static const struct ctl_option options[] = {
    [OPT_SINCE] = {"since", 0, "TIME", "7d, today, 2026-11-24T10:31"},
    [OPT_UNTIL] = {"until", 0, "TIME", "before that time"},
    [OPT_FROM] = {"from", 0, "WHO", "sender: address, @domain, .domain"},
    [OPT_TO] = {"to", 0, "WHO", "recipient: the same forms"},
    [OPT_ACTION] = {"action", 0, "ACTION", "done, or would be in observe"},
    [OPT_SYMBOL] = {"symbol", 0, "NAME", "which hit"},
    [OPT_DEGRADED] = {"degraded", 0, "NAME",
	"a check that did not run, or any"},
    [OPT_LIMIT] = {"limit", 'n', "N", "the newest N messages only"},
    [OPT_FORMAT] = {"format", 0, "FORM", "text, json or csv"},
    [OPT_RCPT] = {"rcpt", 0, NULL, "a line for each recipient"},
    {0},
};

struct log {
	const struct ctl *ctl;
	struct verdictlog_query query;
	struct log_view view;
	bool any_degraded;
	uint64_t limit;
	struct record **kept; /* newest first, `limit` of them at most */
	size_t n, size;
	struct buf out;
	int status;
};

/* --- options ----------------------------------------------------------------- */

static int
take_time(const struct log *log, const char *value, int64_t *ret)
{
	struct err err;

	if (when_parse(span_of(value), clock_wall(), ret, &err) == 0)
		return EX_OK;
	return ctl_fail(log->ctl, EX_USAGE, "%s", err.text);
}

static int
take_action(struct log *log, const char *value)
{
	for (int i = ACTION_ACCEPT; i <= ACTION_TEMPFAIL; i++) {
		if (strcmp(value, action_name((enum action)i)) == 0) {
			log->query.action = span_of(value);
			return EX_OK;
		}
	}
	return ctl_fail(log->ctl, EX_USAGE,
	    "no action: %s; accept, tag, quarantine, reject or tempfail",
	    value);
}

static int
take_limit(struct log *log, const char *value)
{
	if (span_to_u64(span_of(value), &log->limit) == 0 && log->limit > 0 &&
	    log->limit <= LIMIT_MAX)
		return EX_OK;
	return ctl_fail(log->ctl, EX_USAGE, "--limit is 1 to %d", LIMIT_MAX);
}

static int
take(void *arg, int index, const char *value)
{
	struct log *log = arg;

	switch (index) {
	case OPT_SINCE:
		return take_time(log, value, &log->query.since);
	case OPT_UNTIL:
		return take_time(log, value, &log->query.until);
	case OPT_FROM:
		log->query.from = span_of(value);
		return EX_OK;
	case OPT_TO:
		log->query.to = span_of(value);
		return EX_OK;
	case OPT_ACTION:
		return take_action(log, value);
	case OPT_SYMBOL:
		log->query.symbol = span_of(value);
		return EX_OK;
	case OPT_DEGRADED:
		log->any_degraded = strcmp(value, "any") == 0;
		log->query.degraded =
		    log->any_degraded ? SPAN_NONE : span_of(value);
		return EX_OK;
	case OPT_LIMIT:
		return take_limit(log, value);
	case OPT_RCPT:
		log->view.per_rcpt = true;
		return EX_OK;
	default:
		if (log_form_of(value, &log->view.form) == 0)
			return EX_OK;
		return ctl_fail(log->ctl, EX_USAGE,
		    "no form: %s; text, json or csv", value);
	}
}

/* --- rows -------------------------------------------------------------------- */

/* False when nobody reads any more, or memory ended. */
static bool
print(struct log *log, const struct record *r)
{
	buf_truncate(&log->out, 0);
	arena_reset(log->view.arena);
	log_format(&log->out, &log->view, r);
	if (buf_failed(&log->out) || arena_failed(log->view.arena)) {
		log->status = ctl_fail(log->ctl, EX_OSERR, "out of memory");
		return false;
	}
	return fwrite(buf_str(&log->out), 1, log->out.len, stdout) ==
	       log->out.len;
}

static bool
keep(struct log *log, const struct record *r)
{
	if (log->n == log->size) {
		size_t size = log->size ? log->size * 2 : 64;
		struct record **kept = realloc(log->kept, size * sizeof *kept);
		if (!kept) {
			log->status =
			    ctl_fail(log->ctl, EX_OSERR, "out of memory");
			return false;
		}
		log->kept = kept;
		log->size = size;
	}
	log->kept[log->n] = record_copy(r);
	if (!log->kept[log->n]) {
		log->status = ctl_fail(log->ctl, EX_OSERR, "out of memory");
		return false;
	}
	return ++log->n < log->limit;
}

static bool
take_row(void *arg, const struct record *r)
{
	struct log *log = arg;

	if (log->any_degraded && r->degraded.len == 0)
		return true;
	return log->limit ? keep(log, r) : print(log, r);
}

static void
print_kept(struct log *log)
{
	for (size_t i = log->n; i-- > 0;) {
		if (log->status == EX_OK && !print(log, log->kept[i]))
			break;
	}
}

static int
read_log(const struct ctl *ctl, struct log *log)
{
	struct verdicts v;
	int status = verdicts_open(ctl, false, &v);

	if (status == EX_OK) {
		if (!v.key)
			(void)ctl_fail(ctl, EX_OK, "refs are not shown: %s",
			    v.key_err.text);
		log->view.key = v.key;
		log->query.newest_first = log->limit > 0;
		log_format_head(&log->out, &log->view);
		fputs(buf_str(&log->out), stdout);
		status = verdicts_read(ctl, &v, &log->query, take_row, log);
		print_kept(log);
	}
	verdicts_close(&v);
	return status ? status : log->status;
}

static int
run(struct ctl *ctl, int argc, char **argv)
{
	struct log log = {.ctl = ctl, .view.arena = arena_new(0)};
	int status;

	if (!log.view.arena)
		return ctl_fail(ctl, EX_OSERR, "out of memory");
	buf_init(&log.out, NULL, ROW_MAX);
	int n = ctl_options(ctl, argc, argv, take, &log, &status);
	if (n > 1) {
		status = ctl_usage(ctl);
	} else if (n == 1) {
		/* As other filters end when `head` has seen enough. */
		signal(SIGPIPE, SIG_DFL);
		status = read_log(ctl, &log);
	}
	for (size_t i = 0; i < log.n; i++)
		free(log.kept[i]);
	free(log.kept);
	buf_done(&log.out);
	arena_free(log.view.arena);
	return status;
}

const struct ctl_command ctl_log_command = {
    .name = "log",
    .args = "",
    .help = "what was decided: messages of the verdict log",
    .options = options,
    .run = run,
};
