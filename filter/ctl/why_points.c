#include "filter/ctl/why.h"

#include "filter/ctl/ctl.h"

/*
 * Points: the sum beside its thresholds, each symbol with why it hit and where
 * its rule stands, and what decided, with what would have changed it.
 */

#define NAME_WIDTH_MAX 32
#define EVIDENCE_WIDTH 40 /* the place of the rule stands behind it */
#define CHANGES_SHOWN 8

/* A threshold as people set it: 5, 4.500. */
static void
add_threshold(struct buf *out, int64_t milli)
{
	log_add_milli(out, milli);
	if (span_ends(buf_span(out), SPAN(".000")))
		buf_truncate(out, out->len - 4);
}

static void
add_thresholds(struct buf *out, const struct record *r)
{
	const struct {
		const char *name;
		int64_t milli;
	} all[] = {
	    {"tag", r->tag_milli},
	    {"quarantine", r->quarantine_milli},
	    {"reject", r->reject_milli},
	};

	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		buf_printf(out, "%s%s ", i ? ", " : "   ", all[i].name);
		add_threshold(out, all[i].milli);
	}
	buf_add_char(out, '\n');
}

/* --- symbols ----------------------------------------------------------------- */

static size_t
name_width(const struct record *r)
{
	size_t width = 0;

	for (size_t i = 0; i < r->symbols.n; i++)
		if (r->symbols.v[i].name.len > width)
			width = r->symbols.v[i].name.len;
	return width > NAME_WIDTH_MAX ? NAME_WIDTH_MAX : width;
}

static void
pad(struct buf *out, size_t start, size_t width)
{
	while (out->len < start + width)
		buf_add_char(out, ' ');
}

static void
add_milli_right(struct buf *out, int64_t milli, int width)
{
	struct buf text;

	buf_init(&text, NULL, 64);
	log_add_milli(&text, milli);
	buf_printf(out, "%*s", width, buf_str(&text));
	buf_done(&text);
}

/* How often it hit. Of a meta it is a value: not said where it is broken. */
static void
add_count(struct buf *out, int64_t milli)
{
	if (milli > 1000 && milli % 1000 == 0)
		buf_printf(out, "%lld times  ", (long long)(milli / 1000));
}

static void
add_symbol(struct buf *out, const struct why_view *view,
    const struct record_symbol *s, size_t width)
{
	struct span text = s->evidence;
	size_t start;

	if (!text.len && view->describe)
		text = view->describe(view->describe_arg, s->name);
	add_milli_right(out, s->score_milli, 10);
	buf_add_str(out, "  ");
	start = out->len;
	ctl_add_safe(out, s->name);
	pad(out, start, width);
	buf_add_str(out, "  ");
	start = out->len;
	add_count(out, s->count_milli);
	ctl_add_safe(out, text);
	if (s->origin.len) {
		pad(out, start, EVIDENCE_WIDTH);
		buf_add_str(out, "  ");
		ctl_add_safe(out, s->origin);
	}
	while (out->len && out->p[out->len - 1] == ' ')
		buf_truncate(out, out->len - 1);
	buf_add_char(out, '\n');
}

/* --- the decision ------------------------------------------------------------ */

static void
add_distance(struct buf *out, const struct why_turn *turn)
{
	const char *next = action_name(turn->next);

	if (turn->action != ACTION_ACCEPT && turn->above_milli >= 0) {
		buf_add_str(out, ", ");
		log_add_milli(out, turn->above_milli);
		buf_printf(out, " above %s", action_name(turn->action));
	}
	if (turn->below_milli >= 0) {
		buf_add_str(out, ", ");
		log_add_milli(out, turn->below_milli);
		buf_printf(out, " below %s", next);
	}
	buf_add_str(out, ".\n");
}

/* "no NAME (sum), no NAME (sum)" of those that lead to `action`. */
static void
add_changes(struct buf *out, const struct why_changes *list, enum action action)
{
	size_t shown = 0, n = 0;

	for (size_t i = 0; i < list->n; i++) {
		const struct why_change *c = &list->v[i];
		if (c->action != action)
			continue;
		if (++n > CHANGES_SHOWN)
			continue;
		buf_add_str(out, shown++ ? ", no " : "no ");
		ctl_add_safe(out, c->symbol->name);
		buf_add_str(out, " (");
		log_add_milli(out, c->score_milli);
		buf_add_char(out, ')');
	}
	if (n > shown)
		buf_printf(out, ", +%zu", n - shown);
	buf_add_char(out, '\n');
}

static void
add_turns(struct buf *out, const struct why_turn *turn)
{
	static const enum action order[] = {
	    ACTION_ACCEPT, ACTION_TAG, ACTION_QUARANTINE, ACTION_REJECT};

	for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
		size_t n = 0;
		for (size_t k = 0; k < turn->any.n; k++)
			n += turn->any.v[k].action == order[i];
		if (n == 0)
			continue;
		why_label(out, "");
		buf_printf(out, "%s turns it into %s: ",
		    n > 1 ? "Any one of these" : "This alone",
		    action_name(order[i]));
		add_changes(out, &turn->any, order[i]);
	}
}

/* Where it takes several symbols. */
static void
add_set(struct buf *out, const struct why_turn *turn)
{
	size_t n = turn->all.n;

	if (n == 0)
		return;
	const struct why_change *last = &turn->all.v[n - 1];
	why_label(out, "");
	buf_printf(
	    out, "No single symbol turns it; these %zu together make it ", n);
	buf_printf(out, "%s (", action_name(last->action));
	log_add_milli(out, last->score_milli);
	buf_add_str(out, "): ");
	for (size_t i = 0; i < n; i++) {
		buf_add_str(out, i ? ", no " : "no ");
		ctl_add_safe(out, turn->all.v[i].symbol->name);
	}
	buf_add_char(out, '\n');
}

/* Something else than the sum decided: what, and what the sum says. */
static void
add_other(struct buf *out, const struct record *r, const struct why_turn *turn)
{
	if (span_is(r->by, "dmarc"))
		buf_add_str(out, "by DMARC (auth.dmarc)");
	else if (span_is(r->by, "failure"))
		buf_add_str(out, "by a check that did not run "
				 "(policy.on_failure)");
	else if (span_is(r->by, "score"))
		buf_add_str(out, r->nrcpt > 1
				     ? "by the policies of several recipients"
				     : "by the policy");
	else {
		buf_add_str(out, "by ");
		ctl_add_safe(out, r->by.len ? r->by : SPAN("-"));
	}
	buf_printf(
	    out, "; the sum alone asks for %s.\n", action_name(turn->action));
	if (span_is(r->by, "dmarc")) {
		why_label(out, "");
		buf_add_str(out, "SPF or DKIM passing for ");
		ctl_add_safe(out,
		    r->from_domain.len ? r->from_domain : SPAN("its From"));
		buf_add_str(out, " turns it.\n");
	}
}

static void
add_decision(
    struct buf *out, const struct why_view *view, const struct record *r)
{
	struct why_turn turn;

	why_turn(r, view->arena, &turn);
	why_label(out, "Decided");
	if (!turn.by_sum) {
		add_other(out, r, &turn);
		return;
	}
	buf_add_str(out, "by the sum");
	add_distance(out, &turn);
	add_turns(out, &turn);
	add_set(out, &turn);
}

void
why_points(struct buf *out, const struct why_view *view, const struct record *r)
{
	const struct record_symbol **sorted = log_symbols(r, view->arena);
	size_t width = name_width(r);

	buf_add_char(out, '\n');
	why_label(out, "Points");
	log_add_milli(out, r->score_milli);
	add_thresholds(out, r);
	for (size_t i = 0; sorted && i < r->symbols.n; i++)
		add_symbol(out, view, sorted[i], width);
	add_decision(out, view, r);
}
