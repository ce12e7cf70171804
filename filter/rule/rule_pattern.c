#include "filter/rule/rule_pattern.h"

/*
 * A pattern's frame: delimiters and modifiers, and what lint doubts about it.
 */

static bool
is_word(char c)
{
	return ascii_is_alnum(c) || c == '_';
}

static char
closing_of(char open)
{
	switch (open) {
	case '{':
		return '}';
	case '(':
		return ')';
	case '<':
		return '>';
	case '[':
		return ']';
	default:
		return open;
	}
}

static int
read_flags(struct span mods, unsigned *ret, struct err *err)
{
	unsigned flags = 0;

	for (size_t i = 0; i < mods.len; i++) {
		switch (mods.p[i]) {
		case 'i':
			flags |= PATTERN_CASELESS;
			break;
		case 'm':
			flags |= PATTERN_MULTILINE;
			break;
		case 's':
			flags |= PATTERN_DOTALL;
			break;
		case 'x':
			flags |= flags & PATTERN_EXTENDED ? PATTERN_EXTENDED2
							  : PATTERN_EXTENDED;
			break;
		case 'n':
			flags |= PATTERN_NO_CAPTURE;
			break;
		case 'a': /* always so */
		case 'p': /* nothing to do in Perl either */
			break;
		default:
			return err_set(err, ERR_SYNTAX,
			    "modifier \"%c\" is not one of imsxnap",
			    ascii_is_alnum(mods.p[i]) ? mods.p[i] : '?');
		}
	}
	*ret = flags;
	return 0;
}

/* An unescaped `c` in the text. A brace is also a quantifier: not looked for. */
static bool
has_bare(struct span text, char c)
{
	if (c == '}')
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (text.p[i] == '\\')
			i++;
		else if (text.p[i] == c)
			return true;
	}
	return false;
}

int
pattern_split(struct span text, struct span *ret_pattern, unsigned *ret_flags,
    struct err *err)
{
	size_t open = text.len && text.p[0] == '/'    ? 0
		      : span_starts(text, SPAN("m"))  ? 1
		      : span_starts(text, SPAN("qr")) ? 2
						      : SPAN_NPOS;

	if (open >= text.len || is_word(text.p[open]) ||
	    ascii_is_space(text.p[open]) || text.p[open] == '\\')
		return err_set(err, ERR_SYNTAX,
		    "not a pattern: /.../, m{...} or qr{...} expected");
	char close = closing_of(text.p[open]);
	size_t end = text.len;
	while (end > open + 1 && ascii_is_alpha(text.p[end - 1]))
		end--;
	if (end <= open + 1 || text.p[end - 1] != close)
		return err_set(err, ERR_SYNTAX,
		    "pattern does not end with its delimiter \"%c\"", close);
	struct span pattern = span_make(text.p + open + 1, end - open - 2);
	if (has_bare(pattern, close))
		return err_set(err, ERR_SYNTAX,
		    "delimiter \"%c\" inside the pattern needs a \\ before it",
		    close);
	int rc = read_flags(span_skip(text, end), ret_flags, err);
	if (rc == 0)
		*ret_pattern = pattern;
	return rc;
}

const char *
pattern_doubt(struct span pattern)
{
	bool before_bar = true; /* nothing stands before a | here */

	if (pattern.len == 0)
		return "an empty pattern hits everything";
	for (size_t i = 0; i < pattern.len; i++) {
		if (pattern.p[i] == '\\') {
			i++;
			before_bar = false;
		} else if (pattern.p[i] == '|') {
			if (before_bar || i + 1 == pattern.len)
				return "an empty alternative hits everything";
			before_bar = true;
		} else {
			before_bar = false;
		}
	}
	return NULL;
}
