#include <stdlib.h>
#include <unistd.h>

#include "filter/base/clock.h"
#include "filter/base/file.h"
#include "filter/ctl/marks.h"
#include "filter/ctl/when.h"

/*
 * assay report bounce: takes a delivery status notification of a report from
 * standard input. Anybody can send us one, so only what brings back a
 * Message-ID that we made counts, once for each mail: who has it got the
 * report, and can silence the reports to himself alone. assay report bounced
 * lists who is skipped.
 */

#define DSN_MAX ((size_t)1 << 20)
#define DAY_S INT64_C(86400)

static int
no_option(void *arg, int index, const char *value)
{
	(void)arg;
	(void)index;
	(void)value;
	return EX_USAGE;
}

static int
find_mail(const struct marks *marks, struct span message_id,
    struct arena *arena, struct report_mark *mark, struct report_sent *sent)
{
	char handle[REPORT_HANDLE_SIZE];
	struct report_secret secret;
	struct map map;
	int status = marks_secret(marks, false, arena, &secret);

	if (status)
		return status;
	if (report_token_read(&secret, message_id, handle))
		return ctl_fail(marks->ctl, EX_DATAERR,
		    "what came back is no report of ours");
	snprintf(mark->name, sizeof mark->name, "s:%s", handle);
	map_init(&map, arena, false);
	status = marks_read(marks, span_of(mark->name), arena, &map);
	struct span value = marks_get(&map, span_of(mark->name));
	if (status == EX_OK && (!value.p || report_sent_read(sent, value)))
		status = ctl_fail(marks->ctl, EX_DATAERR,
		    "the report that came back is too old to be known");
	mark->had = true;
	(void)span_copy(value, mark->from, sizeof mark->from);
	return status;
}

static int
note_bounce(
    const struct marks *marks, struct span message_id, struct arena *arena)
{
	struct report_mark mark = {0};
	struct report_sent sent;
	int64_t now = clock_wall();
	uint64_t n;
	bool done;
	int status = find_mail(marks, message_id, arena, &mark, &sent);

	if (status)
		return status;
	struct span address = sent.address;
	if (sent.state == REPORT_BOUNCED) {
		puts("known");
		return EX_OK;
	}
	sent.state = REPORT_BOUNCED;
	report_sent_write(&sent, mark.to);
	mark.expires = now + REPORT_MARK_DAYS * DAY_S;
	status = marks_set(marks, &mark, &done);
	if (status == EX_OK && !done)
		status = ctl_fail(marks->ctl, EX_TEMPFAIL,
		    "somebody else changes the mark of that report");
	if (status == EX_OK)
		status = marks_bounce(marks, address, arena, now, &n);
	if (status == EX_OK) {
		ctl_print_safe(stdout, address);
		printf(": bounced %llu of %d times\n", (unsigned long long)n,
		    REPORT_BOUNCES_MAX);
	}
	return status;
}

static int
read_bounce(const struct marks *marks, struct arena *arena)
{
	struct report_bounce bounce;
	struct span text;
	struct err err;

	if (file_read_fd(STDIN_FILENO, DSN_MAX, arena, &text, &err))
		return ctl_fail(marks->ctl, EX_NOINPUT, "%s", err.text);
	if (report_bounce_read(&bounce, text, arena, &err))
		return ctl_fail(marks->ctl, EX_DATAERR, "%s", err.text);
	if (!bounce.permanent) {
		puts("not for good");
		return EX_OK;
	}
	if (!bounce.message_id.p)
		return ctl_fail(marks->ctl, EX_DATAERR,
		    "it does not bring back a Message-ID");
	return note_bounce(marks, bounce.message_id, arena);
}

/* --- bounced -------------------------------------------------------------------------- */

static int
compare_bounces(const void *a, const void *b)
{
	const struct report_bounces *x = a, *y = b;

	return span_cmp(x->address, y->address);
}

static int
list_bounced(const struct marks *marks, struct arena *arena)
{
	struct report_bounces_list VEC(struct report_bounces) list = {0};
	struct map map;

	map_init(&map, arena, false);
	int status = marks_read(marks, SPAN("b:"), arena, &map);
	MAP_EACH(s, &map)
	{
		struct report_bounces *to = VEC_PUSH(arena, &list);
		const struct span *value = s->value;
		if (to && report_bounces_read(to, *value))
			list.n--;
	}
	if (list.n)
		qsort(list.v, list.n, sizeof *list.v, compare_bounces);
	for (size_t i = 0; i < list.n; i++) {
		const struct report_bounces *b = &list.v[i];
		char last[WHEN_TEXT_SIZE], until[WHEN_TEXT_SIZE];
		when_local(b->time, last);
		when_local(b->time + REPORT_BOUNCE_DAYS * DAY_S, until);
		ctl_print_safe(stdout, b->address);
		printf(": %llu, the last %s, %s until %s\n",
		    (unsigned long long)b->n, last,
		    b->n >= REPORT_BOUNCES_MAX ? "skipped" : "remembered",
		    until);
	}
	return status;
}

/* --- both ------------------------------------------------------------------------------ */

static int
with_marks(struct ctl *ctl, int argc, char **argv,
    int (*run)(const struct marks *marks, struct arena *arena))
{
	struct settings_source source = ctl_source(ctl);
	int status;
	int n = ctl_options(ctl, argc, argv, no_option, NULL, &status);

	if (n < 0)
		return status;
	if (n > 1)
		return ctl_usage(ctl);
	source.no_rules = true;
	struct snapshot *snapshot = snapshot_load(&source, ctl_report, NULL);
	if (!snapshot)
		return EX_CONFIG;
	struct marks marks = {ctl, &snapshot->settings};
	struct arena *arena = arena_new(0);
	status = arena ? run(&marks, arena)
		       : ctl_fail(ctl, EX_OSERR, "out of memory");
	arena_free(arena);
	snapshot_unref(snapshot);
	return status;
}

static int
run_bounce(struct ctl *ctl, int argc, char **argv)
{
	return with_marks(ctl, argc, argv, read_bounce);
}

static int
run_bounced(struct ctl *ctl, int argc, char **argv)
{
	return with_marks(ctl, argc, argv, list_bounced);
}

const struct ctl_command ctl_report_bounce_command = {"bounce", "",
    "take a bounce of a report from standard input", NULL, run_bounce, NULL};
const struct ctl_command ctl_report_bounced_command = {"bounced", "",
    "addresses whose reports came back", NULL, run_bounced, NULL};
