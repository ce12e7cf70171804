#include "filter/dns/zone_lex.h"

/*
 * The lexer of zone files. It looks at each byte once and keeps slices of the
 * text; what a slice means is the parser's matter.
 */

void
zone_lex_init(struct zone_lex *lex, struct span text)
{
	*lex = (struct zone_lex){
	    .rest = text, .line = 1, .token_line = 1, .token = ZONE_END};
}

bool
zone_lex_more(struct zone_lex *lex, bool *ret_blank)
{
	if (lex->rest.len == 0)
		return false;
	*ret_blank = ascii_is_blank(lex->rest.p[0]);
	return true;
}

void
zone_lex_skip_line(struct zone_lex *lex)
{
	/* Also SPAN_NONE counts as a rest of nothing. */
	(void)span_cut(&lex->rest, '\n');
	lex->line++;
	lex->inside = 0;
	lex->token = ZONE_END;
}

static enum zone_token
fault(struct zone_lex *lex, const char *what)
{
	lex->fault = what;
	return lex->token = ZONE_FAULT;
}

/*
 * A line's end: true when it ends the entry. Inside of parentheses it is a
 * blank.
 */
static bool
take_newline(struct zone_lex *lex)
{
	lex->rest = span_skip(lex->rest, 1);
	lex->line++;
	return !lex->inside;
}

static void
skip_comment(struct zone_lex *lex)
{
	size_t n = span_find_char(lex->rest, '\n');

	lex->rest = span_skip(lex->rest, n == SPAN_NPOS ? lex->rest.len : n);
}

/* The text up to `stop`; escaped bytes do not stop. NPOS: bad or no end. */
static size_t
scan(struct span s, const char *stop, bool to_end)
{
	struct span stops = span_of(stop);

	for (size_t i = 0; i < s.len; i++) {
		if (span_find_char(stops, s.p[i]) != SPAN_NPOS)
			return i;
		if (s.p[i] == '\\' && ++i < s.len && s.p[i] == '\n')
			return SPAN_NPOS;
	}
	return to_end ? s.len : SPAN_NPOS;
}

static enum zone_token
take_string(struct zone_lex *lex)
{
	struct span s = span_skip(lex->rest, 1);
	size_t n = scan(s, "\"\n", false);

	if (n == SPAN_NPOS || s.p[n] == '\n')
		return fault(lex, "a quoted string without its end");
	lex->text = span_head(s, n);
	lex->rest = span_skip(s, n + 1);
	return lex->token = ZONE_STRING;
}

static enum zone_token
take_word(struct zone_lex *lex)
{
	size_t n = scan(lex->rest, " \t\r\n;\"()", true);

	if (n == SPAN_NPOS)
		return fault(lex, "a backslash at the end of a line");
	lex->text = span_head(lex->rest, n);
	lex->rest = span_skip(lex->rest, n);
	return lex->token = ZONE_WORD;
}

enum zone_token
zone_lex_next(struct zone_lex *lex)
{
	lex->text = SPAN_NONE;
	while (lex->rest.len) {
		char c = lex->rest.p[0];
		lex->token_line = lex->line;
		switch (c) {
		case ' ':
		case '\t':
		case '\r':
			lex->rest = span_skip(lex->rest, 1);
			break;
		case '\n':
			if (take_newline(lex))
				return lex->token = ZONE_END;
			break;
		case ';':
			skip_comment(lex);
			break;
		case '(':
		case ')':
			if ((lex->inside != 0) == (c == '('))
				return fault(lex, "parentheses do not pair");
			lex->inside = c == '(' ? lex->line : 0;
			lex->rest = span_skip(lex->rest, 1);
			break;
		case '"':
			return take_string(lex);
		default:
			return take_word(lex);
		}
	}
	if (lex->inside) {
		lex->token_line = lex->inside;
		return fault(lex, "parentheses do not pair");
	}
	return lex->token = ZONE_END;
}

bool
zone_lex_byte(struct span *text, char *ret, bool *ret_escaped)
{
	struct span s = *text;

	if (s.len == 0)
		return false;
	*ret_escaped = s.p[0] == '\\';
	if (!*ret_escaped) {
		*ret = s.p[0];
		*text = span_skip(s, 1);
		return true;
	}
	if (s.len < 2)
		return false;
	if (!ascii_is_digit(s.p[1])) {
		*ret = s.p[1];
		*text = span_skip(s, 2);
		return true;
	}
	uint64_t value;
	if (s.len < 4 || span_to_u64(span_make(s.p + 1, 3), &value) ||
	    value > 255)
		return false;
	*ret = (char)(unsigned char)value;
	*text = span_skip(s, 4);
	return true;
}
