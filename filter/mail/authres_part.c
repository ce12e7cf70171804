#include "filter/mail/authres.h"

#include "filter/mail/header.h"

/*
 * The results of an Authentication-Results field as pieces of text, for those
 * who hand them on (ARC-Authentication-Results) and for one word of them. What
 * a piece says is not judged: a field of our own id is the only one that is
 * read, and it is passed on as it stands.
 */

/* Where `c` stands outside of comments and quoted strings, or SPAN_NPOS. */
static size_t
find_outside(struct span s, char c)
{
	unsigned depth = 0;
	bool quoted = false;

	for (size_t i = 0; i < s.len; i++) {
		char at = s.p[i];
		if (at == '\\' && (quoted || depth))
			i++;
		else if (at == '"' && !depth)
			quoted = !quoted;
		else if (quoted)
			continue;
		else if (at == '(')
			depth++;
		else if (at == ')' && depth)
			depth--;
		else if (at == c && !depth)
			return i;
	}
	return SPAN_NPOS;
}

bool
authres_split(struct span value, struct arena *arena, struct span *ret_id,
    struct span *ret_results)
{
	struct span s = header_unfold(value, arena);

	if (!authres_id(s, arena, ret_id))
		return false;
	size_t end = find_outside(s, ';');
	*ret_results =
	    end == SPAN_NPOS ? SPAN("") : span_trim(span_skip(s, end + 1));
	return true;
}

bool
authres_next(struct span *rest, struct span *ret)
{
	while (rest->len) {
		size_t end = find_outside(*rest, ';');
		*ret =
		    span_trim(end == SPAN_NPOS ? *rest : span_head(*rest, end));
		*rest =
		    end == SPAN_NPOS ? SPAN_NONE : span_skip(*rest, end + 1);
		if (ret->len && !span_caseis(*ret, "none"))
			return true;
	}
	return false;
}

/* Letters, digits, '-' and '_': what methods and their results are made of. */
static struct span
take_word(struct span *s)
{
	size_t n = 0;

	while (n < s->len &&
	       (ascii_is_alnum(s->p[n]) || s->p[n] == '-' || s->p[n] == '_'))
		n++;
	struct span word = span_head(*s, n);
	*s = span_skip(*s, n);
	return word;
}

/* `[CFWS] method [CFWS "/" CFWS version] [CFWS] "=" [CFWS] result` */
bool
authres_of(struct span result, const char *method, struct span *ret_word)
{
	struct span s = result;

	if (!authres_skip_cfws(&s) || !span_caseis(take_word(&s), method) ||
	    !authres_skip_cfws(&s))
		return false;
	if (s.len && s.p[0] == '/') {
		s = span_skip(s, 1);
		if (!authres_skip_cfws(&s) || !take_word(&s).len ||
		    !authres_skip_cfws(&s))
			return false;
	}
	if (!s.len || s.p[0] != '=')
		return false;
	s = span_skip(s, 1);
	if (!authres_skip_cfws(&s))
		return false;
	*ret_word = take_word(&s);
	return ret_word->len > 0;
}
