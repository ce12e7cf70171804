#include "filter/mail/authres.h"

/*
 * Writing Authentication-Results (RFC 8601 section 2.2). Everything goes out
 * through fieldtext.c's writers: what a sender chose cannot end the field, open
 * a comment or start a result. Lines break between results, properties and words
 * of comments. Reading is authres_read.c's.
 */

#define REASON_MAX 120
#define FIELD_MAX ((size_t)64 * 1024)

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

/* Our own words (methods, results, names), kept to token characters. */
static void
add_token(struct authres *ar, struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		fieldtext_char(&ar->text, is_token(s.p[i]) ? s.p[i] : '-');
}

static void
add_value(struct authres *ar, struct span s)
{
	if (is_plain_value(s))
		fieldtext_text(&ar->text, s);
	else
		fieldtext_quoted(&ar->text, s);
}

void
authres_begin(struct authres *ar, struct arena *arena, struct span authserv_id)
{
	ar->any = false;
	fieldtext_init(&ar->text, arena, "Authentication-Results", FIELD_MAX);
	add_value(ar, fieldtext_ascii(&ar->text, authserv_id));
}

void
authres_result(struct authres *ar, const char *method, const char *result,
    struct span reason)
{
	fieldtext_char(&ar->text, ';');
	fieldtext_fold(&ar->text);
	ar->any = true;
	add_token(ar, span_of(method));
	fieldtext_char(&ar->text, '=');
	add_token(ar, span_of(result));
	fieldtext_comment(&ar->text, span_head(reason, REASON_MAX));
}

void
authres_prop(struct authres *ar, const char *name, struct span value)
{
	if (value.len == 0)
		return;
	value = fieldtext_ascii(&ar->text, value);
	fieldtext_gap(&ar->text, strlen(name) + 1 + value.len);
	add_token(ar, span_of(name));
	fieldtext_char(&ar->text, '=');
	add_value(ar, value);
}

struct span
authres_end(struct authres *ar)
{
	if (!ar->any)
		buf_add_str(&ar->text.out, "; none");
	return buf_failed(&ar->text.out) ? SPAN_NONE : buf_span(&ar->text.out);
}
