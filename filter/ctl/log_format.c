#include "filter/ctl/log_format.h"

#include <stdlib.h>

#include "filter/ctl/ctl.h"
#include "filter/ctl/json.h"
#include "filter/ctl/when.h"

/*
 * The form for people, one line a message, and what the forms share. All
 * texts of a record come from the network: they pass ctl_add_safe().
 */

#define ACTION_WIDTH 15 /* "accept (reject)" */
#define SCORE_WIDTH 8
#define SYMBOLS_SHOWN 6
#define INDENT 21 /* under the ref */

int
log_form_of(const char *word, enum log_form *ret)
{
	static const char *const words[] = {"text", "json", "csv"};

	for (unsigned i = 0; i < sizeof words / sizeof *words; i++) {
		if (strcmp(word, words[i]) == 0) {
			*ret = (enum log_form)i;
			return 0;
		}
	}
	return ERR_NOTFOUND;
}

/* --- shared ------------------------------------------------------------------ */

void
log_ref(const struct log_view *view, uint64_t id, char text[REF_TEXT_SIZE])
{
	if (view->key && id)
		ref_format(view->key, id, text);
	else
		memcpy(text, "-", 2);
}

/* Of any number, the smallest one too. */
static uint64_t
magnitude(int64_t value)
{
	return value < 0 ? -(uint64_t)value : (uint64_t)value;
}

void
log_add_milli(struct buf *out, int64_t milli)
{
	uint64_t size = magnitude(milli);

	if (milli == OPTION_OFF) {
		buf_add_str(out, "off");
		return;
	}
	buf_printf(out, "%s%llu.%03llu", milli < 0 ? "-" : "",
	    (unsigned long long)(size / 1000),
	    (unsigned long long)(size % 1000));
}

static struct span
decode(struct span coded, struct arena *arena)
{
	struct buf out;

	buf_init(&out, arena, coded.len);
	for (size_t i = 0; i < coded.len; i++) {
		int high = -1, low = -1;
		if (coded.p[i] == '%' && i + 2 < coded.len) {
			high = ascii_hex(coded.p[i + 1]);
			low = ascii_hex(coded.p[i + 2]);
		}
		if (high < 0 || low < 0) {
			buf_add_char(&out, coded.p[i]);
			continue;
		}
		buf_add_char(&out, (char)(high << 4 | low));
		i += 2;
	}
	return buf_span(&out);
}

bool
log_next_signature(
    struct span *rest, struct arena *arena, struct log_signature *ret)
{
	if (!rest->p || rest->len == 0 || span_is(*rest, "none"))
		return false;
	struct span one = span_cut(rest, ';');
	ret->result = decode(span_cut(&one, ':'), arena);
	ret->domain = decode(span_cut(&one, ':'), arena);
	ret->selector = decode(span_cut(&one, ':'), arena);
	ret->problem = decode(one, arena);
	return true;
}

static int
by_weight(const void *a, const void *b)
{
	const struct record_symbol *const *x = a, *const *y = b;
	uint64_t p = magnitude((*x)->score_milli);
	uint64_t q = magnitude((*y)->score_milli);

	if (p != q)
		return p < q ? 1 : -1;
	return span_cmp((*x)->name, (*y)->name);
}

const struct record_symbol **
log_symbols(const struct record *r, struct arena *arena)
{
	size_t n = r->symbols.n;
	const struct record_symbol **sorted =
	    n ? arena_calloc(arena, n, sizeof *sorted) : NULL;

	for (size_t i = 0; sorted && i < n; i++)
		sorted[i] = &r->symbols.v[i];
	if (sorted)
		qsort(sorted, n, sizeof *sorted, by_weight);
	return sorted;
}

bool
log_rcpts_differ(const struct record *r)
{
	for (size_t i = 1; i < r->rcpts.n; i++)
		if (!span_eq(r->rcpts.v[i].action, r->rcpts.v[0].action))
			return true;
	return false;
}

/* --- text -------------------------------------------------------------------- */

static void
pad(struct buf *out, size_t start, size_t width)
{
	while (out->len < start + width)
		buf_add_char(out, ' ');
}

static void
add_action(struct buf *out, const struct record *r, struct span action)
{
	size_t start = out->len;

	ctl_add_safe(out, action.len ? action : SPAN("-"));
	if (r->would.len && !span_eq(r->would, r->action)) {
		buf_add_str(out, " (");
		ctl_add_safe(out, r->would);
		buf_add_char(out, ')');
	}
	pad(out, start, ACTION_WIDTH);
}

static void
add_score(struct buf *out, int64_t milli)
{
	struct buf text;

	buf_init(&text, NULL, 64);
	log_add_milli(&text, milli);
	buf_printf(out, " %*s  ", SCORE_WIDTH, buf_str(&text));
	buf_done(&text);
}

static void
add_client(struct buf *out, const struct record *r)
{
	if (!r->client_ip.len && !r->client_name.len)
		return;
	buf_add_str(out, "  ");
	ctl_add_safe(out, r->client_name);
	if (r->client_ip.len) {
		buf_add_char(out, '[');
		ctl_add_safe(out, r->client_ip);
		buf_add_char(out, ']');
	}
}

static void
add_symbols(
    struct buf *out, const struct log_view *view, const struct record *r)
{
	const struct record_symbol **sorted = log_symbols(r, view->arena);
	size_t shown = 0;

	for (; sorted && shown < r->symbols.n && shown < SYMBOLS_SHOWN;
	     shown++) {
		buf_add_str(out, shown ? " " : "  ");
		ctl_add_safe(out, sorted[shown]->name);
	}
	if (shown < r->symbols.n)
		buf_printf(out, " +%zu", r->symbols.n - shown);
}

/* `rcpt` NULL: the first one and how many more. */
static void
add_line(struct buf *out, const struct log_view *view, const struct record *r,
    const struct record_rcpt *rcpt)
{
	char when[WHEN_TEXT_SIZE], ref[REF_TEXT_SIZE];
	const struct record_rcpt *shown =
	    rcpt ? rcpt : (r->rcpts.n ? &r->rcpts.v[0] : NULL);
	size_t more = !rcpt && r->nrcpt > 1 ? (size_t)r->nrcpt - 1 : 0;

	when_local(r->time, when);
	log_ref(view, r->id, ref);
	buf_printf(out, "%s  %-*s  ", when, REF_TEXT_SIZE - 1, ref);
	add_action(out, r, rcpt ? rcpt->action : r->action);
	add_score(out, r->score_milli);
	buf_add_char(out, '<');
	ctl_add_safe(out, r->mail_from);
	buf_add_str(out, "> -> ");
	if (shown) {
		buf_add_char(out, '<');
		ctl_add_safe(out, shown->addr);
		buf_add_char(out, '>');
	} else {
		buf_add_char(out, '-');
	}
	if (more)
		buf_printf(out, " +%zu", more);
	add_client(out, r);
	if (r->by.len && !span_is(r->by, "score")) {
		buf_add_str(out, "  by=");
		ctl_add_safe(out, r->by);
	}
	if (r->degraded.len) {
		buf_add_str(out, "  degraded=");
		ctl_add_safe(out, r->degraded);
	}
	add_symbols(out, view, r);
	buf_add_char(out, '\n');
}

/* The recipients, where their policies asked for different things. */
static void
add_rcpts(struct buf *out, const struct record *r)
{
	for (size_t i = 0; i < r->rcpts.n; i++) {
		size_t start;
		buf_printf(out, "%*s", INDENT, "");
		start = out->len;
		ctl_add_safe(out, r->rcpts.v[i].action);
		pad(out, start, REF_TEXT_SIZE + 1);
		buf_add_str(out, "for <");
		ctl_add_safe(out, r->rcpts.v[i].addr);
		buf_add_str(out, ">\n");
	}
}

static void
format_text(
    struct buf *out, const struct log_view *view, const struct record *r)
{
	if (view->per_rcpt && r->rcpts.n) {
		for (size_t i = 0; i < r->rcpts.n; i++)
			add_line(out, view, r, &r->rcpts.v[i]);
		return;
	}
	add_line(out, view, r, NULL);
	if (log_rcpts_differ(r))
		add_rcpts(out, r);
}

/* --- all forms --------------------------------------------------------------- */

void
log_format_head(struct buf *out, const struct log_view *view)
{
	if (view->form == LOG_CSV)
		log_csv_head(out, view);
}

void
log_format(struct buf *out, const struct log_view *view, const struct record *r)
{
	json_t *object;
	char *line;

	switch (view->form) {
	case LOG_TEXT:
		format_text(out, view, r);
		break;
	case LOG_JSON:
		object = log_json(view, r);
		line = json_line(object);
		buf_printf(out, "%s\n", line);
		free(line);
		json_decref(object);
		break;
	case LOG_CSV:
		log_csv(out, view, r);
		break;
	}
}
