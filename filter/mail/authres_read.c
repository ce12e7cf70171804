#include "filter/mail/authres.h"

#include "filter/mail/domain.h"
#include "filter/mail/header.h"
#include "filter/mail/word.h"

/*
 * Whose Authentication-Results is this? A field that says it is ours and came
 * from outside must go (RFC 8601 section 5), and the reader that it could fool
 * need not be as strict as we are. So: one strict reading, which well-formed
 * fields of others pass; for the rest, our id anywhere before or between what
 * other programs may take for the end of it. Where in doubt a field is ours: to
 * lose a malformed field of others costs nothing.
 */

/* The id in the form in which ids are compared; text that is no domain is
 * only folded. */
static struct span
normal_id(struct span id, struct arena *arena)
{
	struct span ret;

	while (id.len && id.p[id.len - 1] == '.')
		id.len--;
	while (id.len && id.p[0] == '.')
		id = span_skip(id, 1);
	if (domain_normalise(id, arena, &ret))
		ret = arena_lower(arena, id);
	return ret;
}

bool
authres_skip_cfws(struct span *s)
{
	unsigned depth = 0;
	size_t i = 0;

	for (; i < s->len; i++) {
		char c = s->p[i];
		if (c == '(')
			depth++;
		else if (depth == 0 && !ascii_is_space(c))
			break;
		else if (c == '\\' && depth)
			i++;
		else if (c == ')' && depth)
			depth--;
	}
	*s = span_skip(*s, i);
	return depth == 0;
}

static bool
take_quoted(struct span *s, struct arena *arena, struct span *ret)
{
	struct buf out;
	size_t i = 1;

	buf_init(&out, arena, s->len);
	for (; i < s->len && s->p[i] != '"'; i++) {
		if (s->p[i] == '\\' && i + 1 < s->len)
			i++;
		buf_add_char(&out, s->p[i]);
	}
	if (i >= s->len || buf_failed(&out))
		return false;
	*ret = buf_span(&out);
	*s = span_skip(*s, i + 1);
	return true;
}

static bool
is_token(char c)
{
	return !ascii_is_control(c) && c != ' ' &&
	       !strchr("()<>@,;:\\\"/[]?=", c);
}

static struct span
take_token(struct span *s)
{
	struct span all = *s;
	size_t n = 0;

	while (n < all.len && is_token(all.p[n]))
		n++;
	*s = span_skip(all, n);
	return span_head(all, n);
}

/* `[CFWS] authserv-id [CFWS version] [CFWS]`; `ret_strict`: and then `;` or
 * the end. */
static bool
take_id(struct span s, struct arena *arena, struct span *ret, bool *ret_strict)
{
	*ret_strict = false;
	if (!authres_skip_cfws(&s))
		return false;
	if (s.len && s.p[0] == '"') {
		if (!take_quoted(&s, arena, ret))
			return false;
	} else {
		*ret = take_token(&s);
	}
	if (ret->len == 0)
		return false;
	if (!authres_skip_cfws(&s))
		return true;
	while (s.len && ascii_is_digit(s.p[0]))
		s = span_skip(s, 1);
	*ret_strict = authres_skip_cfws(&s) && (s.len == 0 || s.p[0] == ';');
	return true;
}

bool
authres_id(struct span value, struct arena *arena, struct span *ret_id)
{
	struct span id;
	bool strict;

	if (!take_id(header_unfold(value, arena), arena, &id, &strict))
		return false;
	*ret_id = normal_id(id, arena);
	return ret_id->len > 0;
}

/* --- lenient readers ------------------------------------------------------ */

static bool
is_host(char c)
{
	return ascii_is_alnum(c) || ascii_is_8bit(c) || c == '-' || c == '.' ||
	       c == '_';
}

/* Names in UTF-8 cost a library call each; a field with so many of them is
 * nobody's honest one. */
#define WIDE_WORDS_MAX 64

/* True when one of the words that a host name could be is our id. */
static bool
has_id_word(struct span s, struct span our, struct arena *arena)
{
	unsigned wide = 0;

	for (size_t i = 0; i < s.len; i++) {
		size_t from = i;
		while (i < s.len && is_host(s.p[i]))
			i++;
		struct span word = span_make(s.p + from, i - from);
		/* Shorter it can only be in UTF-8 against A-labels. */
		if (word.len < our.len / 4 || word.len == 0 ||
		    word.len > 4 * our.len + DOMAIN_MAX)
			continue;
		if (!span_is_ascii(word) && ++wide > WIDE_WORDS_MAX)
			return true;
		if (span_eq(normal_id(word, arena), our))
			return true;
	}
	return false;
}

/*
 * What is left of the text up to `;` for a reader that knows no comments,
 * quotes and blanks. Comments are left out where `comments` says so.
 */
static struct span
squeeze(struct span s, bool comments, struct arena *arena)
{
	unsigned depth = 0;
	struct buf out;

	buf_init(&out, arena, s.len);
	for (size_t i = 0; i < s.len; i++) {
		char c = s.p[i];
		if (comments && c == '(')
			depth++;
		else if (comments && c == ')' && depth)
			depth--;
		else if (depth)
			continue;
		else if (c == ';' && out.len)
			break;
		else if (is_host(c))
			buf_add_char(&out, c);
	}
	return buf_span(&out);
}

static bool
is_squeezed_id(struct span s, struct span our, struct arena *arena)
{
	for (int comments = 0; comments < 2; comments++) {
		struct span text = squeeze(s, comments, arena);
		if (span_eq(normal_id(text, arena), our))
			return true;
	}
	return false;
}

static bool
has_control(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (ascii_is_control(s.p[i]) && s.p[i] != '\t')
			return true;
	return false;
}

bool
authres_claims(struct span value, struct span our_id, struct arena *arena)
{
	struct span s = header_unfold(value, arena);
	struct span our = normal_id(span_trim(our_id), arena);
	struct span id = SPAN_NONE, decoded;
	bool strict;

	if (arena_failed(arena)) /* nobody can tell */
		return true;
	if (our.len == 0)
		return false;
	bool found = take_id(s, arena, &id, &strict);
	if (found && span_eq(normal_id(id, arena), our))
		return true;
	if (is_squeezed_id(s, our, arena))
		return true;
	if (!found || !strict || has_control(s))
		if (has_id_word(s, our, arena))
			return true;
	/* Encoded words stand for nothing here, and some decode them first. */
	decoded = word_decode(s, arena);
	if (span_eq(decoded, s))
		return arena_failed(arena);
	return is_squeezed_id(decoded, our, arena) ||
	       has_id_word(span_cut(&decoded, ';'), our, arena) ||
	       arena_failed(arena);
}
