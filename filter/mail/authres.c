#include "filter/mail/authres.h"

#include "filter/mail/domain.h"

/*
 * Writing Authentication-Results (RFC 8601 section 2.2). Everything goes out
 * through four small writers (token, quoted string, comment, fold), and none
 * of them passes a byte that is not printable ASCII: what a sender chose cannot
 * end the field, open a comment or start a result. Lines break between
 * results, properties and words of comments. Reading is authres_read.c's.
 */

#define COLUMN_MAX 78
#define COLUMN_FIRST 24 /* behind "Authentication-Results: " */
#define COLUMN_FOLD 8
#define REASON_MAX 120
#define VALUE_MAX 320 /* local part of 64, `@`, domain of 255 */
#define FIELD_MAX ((size_t)64 * 1024)
#define REPLACED '?'

/* A character of an RFC 2045 token. */
static bool
is_token(char c)
{
	return ascii_is_alnum(c) || (c && strchr("!#$%&'*+-.^_`{|}~", c));
}

static bool
is_token_text(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!is_token(s.p[i]))
			return false;
	return s.len > 0;
}

/* What may stand without quotes as a value: a token, or an address of such
 * (RFC 8601 section 2.2, pvalue; the local part may be missing). */
static bool
is_plain_value(struct span s)
{
	struct span domain = s, local = span_cut(&domain, '@');

	if (!domain.p)
		return is_token_text(s);
	return is_token_text(domain) && (!local.len || is_token_text(local));
}

static char
printable(char c)
{
	return ascii_is_control(c) || ascii_is_8bit(c) ? REPLACED : c;
}

/* A blank before `len` more columns, or a fold where they do not fit. */
static void
add_gap(struct authres *ar, size_t len)
{
	if (ar->column + 1 + len <= COLUMN_MAX) {
		buf_add_char(&ar->out, ' ');
		ar->column++;
	} else {
		buf_add_str(&ar->out, "\n\t");
		ar->column = COLUMN_FOLD;
	}
}

static void
add_text(struct authres *ar, struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		buf_add_char(&ar->out, printable(s.p[i]));
	ar->column += s.len;
}

static void
add_char(struct authres *ar, char c)
{
	buf_add_char(&ar->out, c);
	ar->column++;
}

/* Our own words (methods, results, names), kept to token characters. */
static void
add_token(struct authres *ar, struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		add_char(ar, is_token(s.p[i]) ? s.p[i] : '-');
}

static void
add_value(struct authres *ar, struct span s)
{
	if (is_plain_value(s)) {
		add_text(ar, s);
		return;
	}
	add_char(ar, '"');
	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] == '"' || s.p[i] == '\\')
			add_char(ar, '\\');
		add_char(ar, printable(s.p[i]));
	}
	add_char(ar, '"');
}

/* A comment, which may break at its blanks. */
static void
add_comment(struct authres *ar, struct span s)
{
	struct span rest = s;
	struct span word = span_word(&rest);

	add_gap(ar, word.len + 2);
	add_char(ar, '(');
	while (word.len) {
		for (size_t i = 0; i < word.len; i++) {
			if (strchr("()\\", word.p[i]) && word.p[i])
				add_char(ar, '\\');
			add_char(ar, printable(word.p[i]));
		}
		word = span_word(&rest);
		if (word.len)
			add_gap(ar, word.len + 1);
	}
	add_char(ar, ')');
}

/* Text of the wire in the form that is written: cut, domains as A-labels. */
static struct span
wire_form(struct authres *ar, struct span s)
{
	struct span domain;
	size_t at = span_rfind_char(s, '@');
	size_t from = at == SPAN_NPOS ? 0 : at + 1;

	s = span_head(s, VALUE_MAX);
	if (span_is_ascii(s) || from >= s.len)
		return s;
	if (domain_normalise(span_skip(s, from), ar->out.arena, &domain))
		return s;
	return arena_printf(ar->out.arena, "%.*s%.*s",
	    SPAN_ARG(span_head(s, from)), SPAN_ARG(domain));
}

void
authres_begin(struct authres *ar, struct arena *arena, struct span authserv_id)
{
	*ar = (struct authres){.column = COLUMN_FIRST};
	buf_init(&ar->out, arena, FIELD_MAX);
	add_value(ar, wire_form(ar, authserv_id));
}

void
authres_result(struct authres *ar, const char *method, const char *result,
    struct span reason)
{
	buf_add_str(&ar->out, ";\n\t");
	ar->column = COLUMN_FOLD;
	ar->any = true;
	add_token(ar, span_of(method));
	add_char(ar, '=');
	add_token(ar, span_of(result));
	reason = span_trim(span_head(reason, REASON_MAX));
	if (reason.len)
		add_comment(ar, reason);
}

void
authres_prop(struct authres *ar, const char *name, struct span value)
{
	if (value.len == 0)
		return;
	value = wire_form(ar, value);
	add_gap(ar, strlen(name) + 1 + value.len);
	add_token(ar, span_of(name));
	add_char(ar, '=');
	add_value(ar, value);
}

struct span
authres_end(struct authres *ar)
{
	if (!ar->any)
		buf_add_str(&ar->out, "; none");
	return buf_failed(&ar->out) ? SPAN_NONE : buf_span(&ar->out);
}
