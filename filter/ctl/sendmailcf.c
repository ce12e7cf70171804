#include "filter/ctl/sendmailcf.h"

#include "filter/base/buf.h"
#include "filter/ctl/postconf.h"

/*
 * Sendmail's milters. Of sendmail.mc three macros are read, with m4's quotes
 * and dnl; what other macros make of them is not known here, sendmail.cf says
 * it.
 */

#define NAME_INPUT "InputMailFilters"

/* --- what both forms share ------------------------------------------------------ */

/* "S=unix:/x, F=T, T=C:30s;R:30s" */
static void
take_equates(struct sendmail_filter *filter, struct span text)
{
	while (text.p) {
		struct span value = span_trim(span_cut(&text, ','));
		char letter = value.len ? value.p[0] : '\0';
		struct span rest = span_trim_left(span_skip(value, 1));
		if (!span_starts(rest, SPAN("=")))
			continue;
		rest = span_trim(span_skip(rest, 1));
		if (letter == 'S')
			filter->socket = rest;
		else if (letter == 'F')
			filter->flags = rest;
		else if (letter == 'T')
			filter->timeouts = rest;
	}
}

static struct sendmail_filter *
add_filter(struct sendmail_conf *conf, struct span name, unsigned line)
{
	struct sendmail_filter *filter = VEC_PUSH(conf->arena, &conf->filters);

	if (filter)
		*filter = (struct sendmail_filter){
		    .name = span_trim(name), .line = line};
	return filter;
}

/* Marks those that stand in InputMailFilters. */
static void
mark_called(struct sendmail_conf *conf)
{
	struct span rest = conf->input;

	while (rest.p) {
		struct span name = span_trim(span_cut(&rest, ','));
		for (size_t i = 0; i < conf->filters.n; i++)
			if (span_eq(conf->filters.v[i].name, name))
				conf->filters.v[i].called = true;
	}
}

int
sendmail_timeout(struct span timeouts, char which, int64_t *ret_ms)
{
	static const struct {
		char which;
		int64_t ms;
	} defaults[] = {
	    {'C', 300000}, {'S', 10000}, {'R', 10000}, {'E', 300000}};

	for (size_t i = 0; i < sizeof defaults / sizeof *defaults; i++)
		if (defaults[i].which == which)
			*ret_ms = defaults[i].ms;
	while (timeouts.p) {
		struct span value = span_trim(span_cut(&timeouts, ';'));
		if (value.len < 2 || value.p[0] != which || value.p[1] != ':')
			continue;
		if (postconf_time(span_skip(value, 2), ret_ms))
			return ERR_SYNTAX;
	}
	return 0;
}

/* --- sendmail.cf ------------------------------------------------------------------ */

/* "Xname, S=..." */
static void
read_filter_line(struct sendmail_conf *conf, struct span line, unsigned number)
{
	struct span rest = span_skip(line, 1);
	struct span name = span_cut(&rest, ',');
	struct sendmail_filter *filter = add_filter(conf, name, number);

	if (filter)
		take_equates(filter, rest);
}

/* "O InputMailFilters=a, b" */
static void
read_option_line(struct sendmail_conf *conf, struct span line, unsigned number)
{
	struct span rest = span_skip(line, 1);
	struct span name = span_trim(span_cut(&rest, '='));

	if (!rest.p || !span_caseis(name, NAME_INPUT))
		return;
	conf->input = span_trim(rest);
	conf->input_line = number;
}

static void
read_cf_line(struct sendmail_conf *conf, struct span line, unsigned number)
{
	if (span_starts(line, SPAN("X")))
		read_filter_line(conf, line, number);
	else if (span_starts(line, SPAN("O ")))
		read_option_line(conf, line, number);
}

void
sendmail_read_cf(
    struct span text, struct arena *arena, struct sendmail_conf *ret)
{
	unsigned number = 0, first = 0;
	struct span line, whole = SPAN_NONE;
	struct buf joined = {0};

	*ret = (struct sendmail_conf){.arena = arena};
	while (span_line(&text, &line)) {
		number++;
		if (line.len && ascii_is_blank(line.p[0]) && whole.p) {
			/* The line goes on; the first time it is copied. */
			if (whole.p != joined.p) {
				buf_init(&joined, arena, SIZE_MAX / 2);
				buf_add_span(&joined, whole);
			}
			buf_add_span(&joined, line);
			whole = buf_span(&joined);
			continue;
		}
		read_cf_line(ret, whole, first);
		whole = line;
		first = number;
		buf_init(&joined, arena, SIZE_MAX / 2);
	}
	read_cf_line(ret, whole, first);
	mark_called(ret);
}

/* --- sendmail.mc ------------------------------------------------------------------ */

struct m4 {
	struct span rest;
	unsigned line;
};

static void
advance(struct m4 *m, size_t n)
{
	for (size_t i = 0; i < n; i++)
		m->line += m->rest.p[i] == '\n';
	m->rest = span_skip(m->rest, n);
}

static bool
is_name_char(char c)
{
	return ascii_is_alnum(c) || c == '_';
}

/* The word at the front; what is none is passed over. */
static struct span
next_name(struct m4 *m)
{
	size_t n = 0;

	while (m->rest.len && !is_name_char(m->rest.p[0])) {
		if (m->rest.p[0] == '#') {
			size_t end = span_find_char(m->rest, '\n');
			advance(m, end == SPAN_NPOS ? m->rest.len : end);
		} else {
			advance(m, 1);
		}
	}
	while (n < m->rest.len && is_name_char(m->rest.p[n]))
		n++;
	struct span name = span_head(m->rest, n);
	advance(m, n);
	return name;
}

/* The next argument without its quotes; false when there was the last. */
static bool
next_argument(struct m4 *m, struct buf *ret)
{
	size_t quotes = 0;

	while (m->rest.len) {
		char c = m->rest.p[0];
		advance(m, 1);
		if (c == '`' && quotes++ == 0)
			continue;
		if (c == '\'' && quotes && --quotes == 0)
			continue;
		if (!quotes && (c == ',' || c == ')'))
			return c == ',';
		buf_add_char(ret, c);
	}
	return false;
}

static void
add_input(struct sendmail_conf *conf, struct span name, unsigned line)
{
	conf->input = conf->input.len
			  ? arena_printf(conf->arena, "%.*s,%.*s",
				SPAN_ARG(conf->input), SPAN_ARG(name))
			  : name;
	conf->input_line = line;
}

/* Carries out one of the macros that are known, at its opening bracket. */
static void
read_macro(
    struct sendmail_conf *conf, struct m4 *m, struct span macro, unsigned line)
{
	struct buf a, b;

	buf_init(&a, conf->arena, SIZE_MAX / 2);
	buf_init(&b, conf->arena, SIZE_MAX / 2);
	advance(m, 1);
	if (!next_argument(m, &a))
		return;
	(void)next_argument(m, &b);
	struct span name = span_trim(buf_span(&a));
	struct span value = span_trim(buf_span(&b));
	if (span_is(macro, "define")) {
		if (span_is(name, "confINPUT_MAIL_FILTERS")) {
			conf->input = value;
			conf->input_line = line;
		}
		return;
	}
	struct sendmail_filter *filter = add_filter(conf, name, line);
	if (filter)
		take_equates(filter, value);
	if (span_is(macro, "INPUT_MAIL_FILTER"))
		add_input(conf, name, line);
}

void
sendmail_read_mc(
    struct span text, struct arena *arena, struct sendmail_conf *ret)
{
	struct m4 m = {text, 1};

	*ret = (struct sendmail_conf){.arena = arena};
	for (;;) {
		struct span name = next_name(&m);
		if (!name.len)
			break;
		if (span_is(name, "dnl")) {
			size_t end = span_find_char(m.rest, '\n');
			advance(&m, end == SPAN_NPOS ? m.rest.len : end);
		} else if (span_starts(m.rest, SPAN("(")) &&
			   (span_is(name, "define") ||
			       span_is(name, "MAIL_FILTER") ||
			       span_is(name, "INPUT_MAIL_FILTER"))) {
			read_macro(ret, &m, name, m.line);
		}
	}
	mark_called(ret);
}
