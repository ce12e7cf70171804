#include "filter/ctl/log_format.h"

#include "filter/conf/option.h"
#include "filter/ctl/ctl.h"
#include "filter/ctl/when.h"

/*
 * Verdicts as CSV (RFC 4180): lines end in CRLF, texts stand in quotes,
 * numbers do not, what is not known is empty.
 *
 * Spreadsheets run a cell that begins like a formula, whoever wrote it: such
 * texts get an apostrophe in front. All texts are quoted, since a program that
 * separates by semicolon or tab would find a formula behind one. Controls are
 * written \xNN as on a terminal, so that a record stays one line.
 */

/* What begins a formula; the wide forms count where programs fold them. */
static bool
is_formula(struct span text)
{
	static const struct span wide[] = {
	    {"\xef\xbc\x9d", 3}, /* = */
	    {"\xef\xbc\x8b", 3}, /* + */
	    {"\xef\xbc\x8d", 3}, /* - */
	    {"\xef\xbc\xa0", 3}, /* @ */
	};

	if (text.len &&
	    (text.p[0] == '\t' || text.p[0] == '\r' || text.p[0] == '\n'))
		return true;
	text = span_trim_left(text);
	if (text.len && text.p[0] != '\0' && strchr("=+-@", text.p[0]))
		return true;
	for (size_t i = 0; i < sizeof wide / sizeof *wide; i++)
		if (span_starts(text, wide[i]))
			return true;
	return false;
}

static void
add_text(struct buf *out, struct span text)
{
	bool formula = is_formula(text);

	if (text.len == 0)
		return;
	buf_add_str(out, formula ? "\"'" : "\"");
	while (text.len) {
		size_t at = span_find_char(text, '"');
		ctl_add_safe(out, span_head(text, at));
		if (at == SPAN_NPOS)
			break;
		buf_add_str(out, "\"\"");
		text = span_skip(text, at + 1);
	}
	buf_add_char(out, '"');
}

static void
add_field(struct buf *out, const struct record_field *f, const struct record *r)
{
	switch (f->type) {
	case RECORD_INT:
		buf_printf(out, "%lld", (long long)record_int(r, f));
		break;
	case RECORD_MILLI:
		/* A threshold that is off: a number column has no word. */
		if (record_int(r, f) != OPTION_OFF)
			log_add_milli(out, record_int(r, f));
		break;
	case RECORD_TEXT:
		add_text(out, record_text(r, f));
		break;
	}
}

static void
add_recipients(
    struct buf *out, const struct log_view *view, const struct record *r)
{
	struct buf list;

	buf_init(&list, view->arena, SIZE_MAX / 2);
	for (size_t i = 0; i < r->rcpts.n; i++) {
		buf_add_str(&list, i ? ", " : "");
		buf_add_span(&list, r->rcpts.v[i].addr);
	}
	add_text(out, buf_span(&list));
}

static void
add_symbols(
    struct buf *out, const struct log_view *view, const struct record *r)
{
	const struct record_symbol **sorted = log_symbols(r, view->arena);
	struct buf list;

	buf_init(&list, view->arena, SIZE_MAX / 2);
	for (size_t i = 0; sorted && i < r->symbols.n; i++) {
		buf_add_str(&list, i ? ", " : "");
		buf_add_span(&list, sorted[i]->name);
		buf_add_char(&list, ':');
		log_add_milli(&list, sorted[i]->score_milli);
	}
	add_text(out, buf_span(&list));
}

static void
add_row(struct buf *out, const struct log_view *view, const struct record *r,
    const struct record_rcpt *rcpt)
{
	char ref[REF_TEXT_SIZE], when[WHEN_TEXT_SIZE];

	log_ref(view, r->id, ref);
	when_rfc3339(r->time, when);
	if (view->key && r->id)
		add_text(out, span_of(ref));
	buf_printf(out, ",%s", when);
	for (const struct record_field *f = record_fields; f->name; f++) {
		buf_add_char(out, ',');
		add_field(out, f, r);
	}
	buf_add_char(out, ',');
	if (view->per_rcpt) {
		add_text(out, rcpt ? rcpt->addr : SPAN_NONE);
		buf_add_char(out, ',');
		add_text(out, rcpt ? rcpt->action : SPAN_NONE);
	} else {
		add_recipients(out, view, r);
	}
	buf_add_char(out, ',');
	add_symbols(out, view, r);
	buf_add_str(out, "\r\n");
}

void
log_csv_head(struct buf *out, const struct log_view *view)
{
	buf_add_str(out, "ref,date");
	for (const struct record_field *f = record_fields; f->name; f++)
		buf_printf(out, ",%s", f->name);
	buf_printf(out, ",%s,symbols\r\n",
	    view->per_rcpt ? "recipient,recipient_action" : "recipients");
}

void
log_csv(struct buf *out, const struct log_view *view, const struct record *r)
{
	if (!view->per_rcpt || r->rcpts.n == 0) {
		add_row(out, view, r, NULL);
		return;
	}
	for (size_t i = 0; i < r->rcpts.n; i++)
		add_row(out, view, r, &r->rcpts.v[i]);
}
