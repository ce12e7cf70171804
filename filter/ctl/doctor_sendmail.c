#include "filter/ctl/doctor.h"
#include "filter/ctl/place.h"
#include "filter/ctl/sendmailcf.h"

/*
 * Sendmail: is our filter defined and called, does it name our socket, does F=
 * fit the mode, and are the times of T= longer than ours?
 */

#define SPARE_MS 5000 /* on top of limits.message_time */

struct look {
	struct doctor *d;
	const char *file;
	struct sendmail_conf conf;
};

static struct span
our_line(const struct look *l)
{
	return arena_printf(l->d->arena,
	    "INPUT_MAIL_FILTER(`assay', `S=%.*s, F=%s,"
	    " T=C:30s;S:30s;R:30s;E:5m')dnl\n",
	    SPAN_ARG(l->d->settings->socket), doctor_enforces(l->d) ? "T" : "");
}

static struct finding *
say(const struct look *l, enum doctor_level level, const char *check,
    unsigned line, struct span text)
{
	struct finding *f = doctor_add(l->d, level, check,
	    (struct doctor_where){l->file, line}, "%.*s", SPAN_ARG(text));

	if (level == DOCTOR_PROBLEM) {
		f->into = "sendmail.mc (then run make there)";
		f->paste = our_line(l);
	}
	return f;
}

static void
check_flags(const struct look *l, const struct sendmail_filter *x)
{
	bool enforce = doctor_enforces(l->d);
	/* 4 answers 421 to the client: as good as T. */
	bool defers = span_is(x->flags, "T") || span_is(x->flags, "4");
	bool refuses = span_is(x->flags, "R");
	const char *mode = enforce ? "enforce" : "observe";
	struct finding *f;

	if (!refuses && defers == enforce) {
		doctor_add(l->d, DOCTOR_OK, "sendmail.default_action",
		    (struct doctor_where){l->file, x->line},
		    "F=%.*s fits mode = %s", SPAN_ARG(x->flags), mode);
		return;
	}
	f = say(l, DOCTOR_PROBLEM, "sendmail.default_action", x->line,
	    arena_printf(l->d->arena, "F=%.*s does not fit mode = %s",
		SPAN_ARG(x->flags), mode));
	f->why = refuses   ? "while assayd does not run, all mail is refused"
			     " for good"
		 : enforce ? "while assayd does not run, all mail passes"
			     " unchecked"
			   : "while assayd does not run, mail is deferred,"
			     " though it only observes";
}

static void
check_times(const struct look *l, const struct sendmail_filter *x)
{
	static const char letters[] = {'R', 'E'};
	int64_t least = l->d->settings->message_ms + SPARE_MS, ms;

	for (size_t i = 0; i < sizeof letters; i++) {
		int rc = sendmail_timeout(x->timeouts, letters[i], &ms);
		if (rc == 0 && ms >= least)
			continue;
		struct finding *f = say(l, DOCTOR_PROBLEM, "sendmail.timeouts",
		    x->line,
		    rc ? arena_printf(l->d->arena, "T=%.*s is not understood",
			     SPAN_ARG(x->timeouts))
		       : arena_printf(l->d->arena,
			     "T= gives %c:%llds, limits.message_time is"
			     " %llds",
			     letters[i], (long long)(ms / 1000),
			     (long long)(l->d->settings->message_ms / 1000)));
		f->why = "Sendmail gives up before the answer comes, and F="
			 " decides";
	}
}

/* False: it is not ours. */
static bool
check_filter(const struct look *l, const struct sendmail_filter *x)
{
	struct place ours = place_of_libmilter(l->d->settings->socket);
	struct place theirs = place_of_libmilter(x->socket);
	bool meets = place_meets(&theirs, &ours);
	struct finding *f;

	if (!meets && ours.kind == PLACE_FD &&
	    span_casefind(x->name, SPAN("assay"), 0) != SPAN_NPOS)
		meets = true;
	if (!meets && !span_caseis(x->name, "assay"))
		return false;
	if (!meets) {
		f = say(l, DOCTOR_PROBLEM, "sendmail.milters", x->line,
		    arena_printf(l->d->arena,
			"S=%.*s, but milter.socket is %.*s",
			SPAN_ARG(x->socket), SPAN_ARG(l->d->settings->socket)));
		f->why = "nobody of ours listens there: F= decides on all"
			 " mail";
	} else if (!x->called) {
		f = say(l, DOCTOR_PROBLEM, "sendmail.milters",
		    l->conf.input_line ? l->conf.input_line : x->line,
		    arena_printf(l->d->arena,
			"filter %.*s is defined, but InputMailFilters does not"
			" call it",
			SPAN_ARG(x->name)));
		f->why = "no mail is examined";
	} else {
		say(l, DOCTOR_OK, "sendmail.milters", x->line,
		    arena_printf(l->d->arena, "filter %.*s names %.*s",
			SPAN_ARG(x->name), SPAN_ARG(x->socket)));
	}
	check_flags(l, x);
	check_times(l, x);
	return true;
}

void
doctor_sendmail(struct doctor *doctor, const char *file)
{
	struct look l = {.d = doctor, .file = file};
	struct span text;
	struct err err;
	bool found = false;

	if (doctor_read(doctor, file, &text, &err)) {
		doctor_add(doctor, DOCTOR_PROBLEM, "sendmail.files",
		    (struct doctor_where){file, 0}, "cannot be read: %s",
		    err.text);
		return;
	}
	if (span_ends(span_of(file), SPAN(".mc")))
		sendmail_read_mc(text, doctor->arena, &l.conf);
	else
		sendmail_read_cf(text, doctor->arena, &l.conf);
	for (size_t i = 0; i < l.conf.filters.n; i++)
		found |= check_filter(&l, &l.conf.filters.v[i]);
	if (!found)
		say(&l, DOCTOR_PROBLEM, "sendmail.milters", 0,
		    SPAN("no mail filter names assayd's socket"))
		    ->why = "no mail is examined";
}
