#include "filter/ctl/ctl.h"

#include <signal.h>

#include "filter/ctl/verdicts.h"
#include "filter/ctl/when.h"
#include "filter/ctl/why.h"
#include "filter/examine.h"

/*
 * assay why: finds a message in the verdict log by ref, queue id or
 * Message-ID, or by what a bounce on standard input says of it, and prints
 * why it was judged as it was.
 */

#define BOUNCE_MAX ((size_t)1 << 20)
#define TEXT_MAX ((size_t)16 << 20)
#define SHOWN_MAX 200 /* messages of one queue id or Message-ID */

enum { OPT_JSON };

static const struct ctl_option options[] = {
    [OPT_JSON] = {"json", 0, NULL, "one object a line, as log --format=json"},
    {0},
};

struct why {
	const struct ctl *ctl;
	struct verdicts v;
	struct arena *arena; /* of one record */
	bool as_json;
	size_t n;
	struct buf out;
	bool failed;
};

static int
take(void *arg, int index, const char *value)
{
	(void)index;
	(void)value;
	((struct why *)arg)->as_json = true;
	return EX_OK;
}

/* --- printing ---------------------------------------------------------------- */

static struct span
describe(void *arg, struct span name)
{
	const struct why *why = arg;
	struct engine *engine = why->v.snapshot->engine;
	const struct symbol *symbol =
	    engine ? symbol_find(rule_set_symbols(engine_rules(engine)), name)
		   : NULL;

	return symbol ? symbol->describe : SPAN_NONE;
}

static void
add_json(struct why *why, const struct record *r)
{
	struct log_view view = {
	    .form = LOG_JSON, .key = why->v.key, .arena = why->arena};

	log_format(&why->out, &view, r);
}

static bool
print(void *arg, const struct record *r)
{
	struct why *why = arg;
	struct why_view view = {why->v.key, why->arena, describe, why};

	arena_reset(why->arena);
	buf_truncate(&why->out, 0);
	if (why->as_json) {
		add_json(why, r);
	} else {
		if (why->n)
			buf_add_char(&why->out, '\n');
		why_text(&why->out, &view, r);
	}
	why->failed =
	    buf_failed(&why->out) || arena_failed(why->arena) ||
	    fwrite(buf_str(&why->out), 1, why->out.len, stdout) != why->out.len;
	return (why->n++, !why->failed);
}

/* --- searching --------------------------------------------------------------- */

static struct verdictlog_query
query_of(const struct why_term *term)
{
	struct verdictlog_query query = {
	    .newest_first = true, .limit = SHOWN_MAX};

	switch (term->kind) {
	case WHY_REF:
		query.id = term->id;
		break;
	case WHY_QUEUE_ID:
		query.queue_id = term->text;
		break;
	case WHY_MESSAGE_ID:
		query.message_id = term->text;
		break;
	}
	return query;
}

/*
 * The first term that finds something is meant; of refs all. A day that cannot
 * be read is told once, the others are searched.
 */
static int
search(struct why *why, const struct why_terms *terms)
{
	int status = EX_OK;

	for (size_t i = 0; i < terms->n; i++) {
		const struct why_term *term = &terms->v[i];
		if (why->n && term->kind != WHY_REF)
			break;
		struct verdictlog_query query = query_of(term);
		int rc = verdicts_read(why->ctl, &why->v, &query, print, why);
		status = rc ? rc : status;
		if (why->failed)
			return ctl_fail(why->ctl, EX_OSERR, "cannot print");
	}
	return status;
}

/* --- not found --------------------------------------------------------------- */

static bool
oldest(void *arg, const struct record *r)
{
	*(int64_t *)arg = r->time;
	return false;
}

static void
add_searched(struct buf *out, const struct why_terms *terms)
{
	static const char *const kinds[] = {
	    [WHY_REF] = "ref",
	    [WHY_QUEUE_ID] = "queue id",
	    [WHY_MESSAGE_ID] = "Message-ID",
	};
	char when[WHEN_TEXT_SIZE];

	for (size_t i = 0; i < terms->n && i < 8; i++) {
		const struct why_term *t = &terms->v[i];
		buf_printf(out, "%s%s ", i ? ", " : "", kinds[t->kind]);
		buf_add_span(out, t->text);
		if (t->kind != WHY_REF)
			continue;
		when_local_zone(ref_time(t->id), when);
		buf_printf(out, " (made %s)", when);
	}
	if (terms->n > 8)
		buf_printf(out, ", +%zu", terms->n - 8);
}

/* Says what was looked for, what could not be, and how far the log reaches. */
static int
not_found(struct why *why, const struct why_terms *terms, struct span arg)
{
	struct verdictlog_query query = {0};
	char when[WHEN_TEXT_SIZE];
	int64_t first = -1;
	struct buf text;
	int status = verdicts_read(why->ctl, &why->v, &query, oldest, &first);

	if (status)
		return status;
	buf_init(&text, why->v.arena, 8192);
	if (terms->n) {
		buf_add_str(&text, "not in the log: ");
		add_searched(&text, terms);
	} else if (arg.p && why->v.key && why_is_misread_ref(arg, why->v.key)) {
		buf_printf(&text, "no ref: a character of %.*s is wrong",
		    SPAN_ARG(arg));
	} else {
		buf_add_str(&text, "nothing there that could name a message");
	}
	if (!why->v.key)
		buf_printf(&text, "; refs were not looked for: %s",
		    why->v.key_err.text);
	if (first >= 0) {
		when_local_zone(first, when);
		buf_printf(&text, "; the log reaches back to %s", when);
	} else {
		buf_printf(&text, "; the log is empty (%s)", why->v.folder);
	}
	return ctl_fail(why->ctl, EX_NOINPUT, "%s", buf_str(&text));
}

/* --- the command ------------------------------------------------------------- */

/* Reads at most BOUNCE_MAX bytes; what comes after says nothing new. */
static struct span
read_bounce(struct arena *arena)
{
	char *text = arena_alloc(arena, BOUNCE_MAX);

	if (!text)
		return SPAN_NONE;
	size_t n = fread(text, 1, BOUNCE_MAX, stdin);
	return span_make(text, n);
}

static int
explain(struct why *why, const char *arg)
{
	struct why_terms terms;
	struct span text = SPAN_NONE;
	int status = verdicts_open(why->ctl, !why->as_json, &why->v);

	if (status)
		return status;
	if (strcmp(arg, "-") == 0) {
		struct span bounce = read_bounce(why->v.arena);
		if (!bounce.p || ferror(stdin))
			return ctl_fail(
			    why->ctl, EX_NOINPUT, "cannot read standard input");
		why_terms_in(bounce, why->v.key, why->v.arena, &terms);
	} else {
		text = span_of(arg);
		why_terms_of(text, why->v.key, why->v.arena, &terms);
	}
	status = search(why, &terms);
	if (status == EX_OK && why->n == 0)
		return not_found(why, &terms, text);
	return status;
}

static int
run(struct ctl *ctl, int argc, char **argv)
{
	struct why why = {.ctl = ctl, .arena = arena_new(0)};
	int status;

	if (!why.arena)
		return ctl_fail(ctl, EX_OSERR, "out of memory");
	buf_init(&why.out, NULL, TEXT_MAX);
	int n = ctl_options(ctl, argc, argv, take, &why, &status);
	if (n == 2) {
		/* As other filters end when `head` has seen enough. */
		signal(SIGPIPE, SIG_DFL);
		status = explain(&why, argv[1]);
	} else if (n >= 0) {
		status = ctl_usage(ctl);
	}
	verdicts_close(&why.v);
	buf_done(&why.out);
	arena_free(why.arena);
	return status;
}

const struct ctl_command ctl_why_command = {
    .name = "why",
    .args = "REF|QUEUE-ID|MESSAGE-ID|-",
    .help = "why a message was judged as it was",
    .options = options,
    .run = run,
};
