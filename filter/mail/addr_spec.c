#include "filter/mail/addr_spec.h"

/*
 * One address, put together word by word for addr.c. It knows how words of an
 * address join and notes what is odd about them; what stands around the
 * address is addr.c's.
 */

void
addr_spec_reset(struct addr_spec *sp)
{
	buf_truncate(&sp->text, 0);
	buf_truncate(&sp->local, 0);
	sp->at = SPAN_NPOS;
	sp->words = 0;
	sp->quoted = sp->many = sp->over = sp->odd = false;
}

void
addr_spec_init(struct addr_spec *sp, struct arena *arena)
{
	buf_init(&sp->text, arena, SIZE_MAX);
	buf_init(&sp->local, arena, SIZE_MAX);
}

static bool
ends_in(const struct buf *buf, char c)
{
	return buf->len && buf->p[buf->len - 1] == c;
}

/* Adds a word as it is written; quotes are made anew. */
static void
spec_text(struct addr_spec *sp, const struct addr_token *t)
{
	if (t->kind != ADDR_TOKEN_QUOTED) {
		buf_add_span(&sp->text, t->text);
		return;
	}
	buf_add_char(&sp->text, '"');
	for (size_t i = 0; i < t->text.len; i++) {
		char c = t->text.p[i];
		if (c == '"' || c == '\\')
			buf_add_char(&sp->text, '\\');
		buf_add_char(&sp->text, c);
	}
	buf_add_char(&sp->text, '"');
	sp->quoted = true;
	if (span_find_any(t->text, "@<>,") != SPAN_NPOS)
		sp->odd = true;
}

bool
addr_spec_word(struct addr_spec *sp, const struct addr_token *t)
{
	bool joins = !t->spaced || ends_in(&sp->text, '.') ||
		     span_starts(t->text, SPAN("."));

	if (sp->over)
		return false;
	if (sp->words && !joins) {
		if (sp->at != SPAN_NPOS) {
			sp->over = true;
			return false;
		}
		addr_spec_reset(sp);
	}
	/* Legal with blanks about dots and `@`, and read in many ways. */
	if (t->spaced && sp->text.len)
		sp->odd = true;
	sp->words++;
	spec_text(sp, t);
	if (sp->at == SPAN_NPOS)
		buf_add_span(&sp->local, t->text);
	return sp->words == 1 && sp->at == SPAN_NPOS;
}

void
addr_spec_at(struct addr_spec *sp, bool spaced)
{
	sp->many = sp->at != SPAN_NPOS;
	if (sp->text.len == 0 || spaced || sp->many)
		sp->odd = true;
	sp->at = sp->text.len;
	sp->words = 0;
	buf_add_char(&sp->text, '@');
}

struct span
addr_spec_span(const struct addr_spec *sp)
{
	struct span text = buf_span(&sp->text);

	if (sp->at != SPAN_NPOS && text.len > sp->at + 1 &&
	    ends_in(&sp->text, '.'))
		text.len--;
	return text;
}
