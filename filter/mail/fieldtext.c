#include "filter/mail/fieldtext.h"

#include "filter/mail/domain.h"

/*
 * Structured header fields, built through a few small writers, none of which
 * passes a byte that is not printable ASCII: what a sender chose cannot end the
 * field, a quoted string or a comment. What is a token, and what may stand
 * without quotes, differs from field to field and is the caller's business.
 */

#define COLUMN_MAX 78
#define COLUMN_FOLD 8
#define REPLACED '?'
#define VALUE_MAX 320 /* local part of 64, `@`, domain of 255 */

void
fieldtext_init(
    struct fieldtext *ft, struct arena *arena, const char *name, size_t max)
{
	*ft = (struct fieldtext){.column = strlen(name) + sizeof ": " - 1};
	buf_init(&ft->out, arena, max);
}

void
fieldtext_fold(struct fieldtext *ft)
{
	buf_add_str(&ft->out, "\n\t");
	ft->column = COLUMN_FOLD;
}

void
fieldtext_gap(struct fieldtext *ft, size_t len)
{
	if (ft->column + 1 + len <= COLUMN_MAX)
		fieldtext_char(ft, ' ');
	else
		fieldtext_fold(ft);
}

void
fieldtext_char(struct fieldtext *ft, char c)
{
	buf_add_char(
	    &ft->out, ascii_is_control(c) || ascii_is_8bit(c) ? REPLACED : c);
	ft->column++;
}

void
fieldtext_text(struct fieldtext *ft, struct span text)
{
	for (size_t i = 0; i < text.len; i++)
		fieldtext_char(ft, text.p[i]);
}

struct span
fieldtext_ascii(struct fieldtext *ft, struct span text)
{
	struct span domain;

	/* Of names the end tells whose they are: without it the name in front
	 * would be shown as if it were the domain that was proved. */
	if (text.len > VALUE_MAX)
		text = span_skip(text, text.len - VALUE_MAX);
	size_t at = span_rfind_char(text, '@');
	size_t from = at == SPAN_NPOS ? 0 : at + 1;
	if (span_is_ascii(text) || from >= text.len ||
	    domain_normalise(span_skip(text, from), ft->out.arena, &domain))
		return text;
	return arena_printf(ft->out.arena, "%.*s%.*s",
	    SPAN_ARG(span_head(text, from)), SPAN_ARG(domain));
}

void
fieldtext_str(struct fieldtext *ft, const char *text)
{
	fieldtext_text(ft, span_of(text));
}

/* Text with a backslash before each character of `special`. */
static void
add_escaped(struct fieldtext *ft, struct span text, const char *special)
{
	for (size_t i = 0; i < text.len; i++) {
		if (text.p[i] && strchr(special, text.p[i]))
			fieldtext_char(ft, '\\');
		fieldtext_char(ft, text.p[i]);
	}
}

void
fieldtext_quoted(struct fieldtext *ft, struct span text)
{
	fieldtext_char(ft, '"');
	add_escaped(ft, text, "\"\\");
	fieldtext_char(ft, '"');
}

void
fieldtext_comment(struct fieldtext *ft, struct span text)
{
	struct span word = span_word(&text);

	if (!word.len)
		return;
	fieldtext_gap(ft, word.len + 2);
	fieldtext_char(ft, '(');
	while (word.len) {
		add_escaped(ft, word, "()\\");
		word = span_word(&text);
		if (word.len)
			fieldtext_gap(ft, word.len + 1);
	}
	fieldtext_char(ft, ')');
}
