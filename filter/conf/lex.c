#include "filter/conf/lex.h"

/*
 * One pass over the text, a token at a time. What is wrong becomes a token of
 * its own, so that the parser reports mistakes in the order of the file and
 * each of them once, however often it looks ahead.
 */

struct lexer {
	const char *p, *end;
	const char *line_start;
	unsigned line;
	bool in_parens; /* between `include(` and `)` */
	struct arena *arena;
};

bool
lex_is_word_byte(char c)
{
	return !ascii_is_control(c) && c != ' ' && c != '"' && c != '{' &&
	       c != '}' && c != ',' && c != '=' && c != '#';
}

/* Bytes of the character at `p`; 0 for one that no text should hold. */
static unsigned
clean_len(const char *p, const char *end)
{
	unsigned n = span_utf8_len(p, (size_t)(end - p));

	if (n == 1 && ascii_is_control(*p))
		return 0;
	/* U+0080 to U+009F: the other control characters. */
	if (n == 2 && p[0] == '\xc2' && (unsigned char)p[1] < 0xa0)
		return 0;
	return n;
}

size_t
lex_find_unclean(struct span text)
{
	for (size_t i = 0; i < text.len;) {
		unsigned n = clean_len(text.p + i, text.p + text.len);
		if (n == 0)
			return i;
		i += n;
	}
	return SPAN_NPOS;
}

static struct lex_token
token_at(const struct lexer *lex, enum lex_kind kind, const char *p)
{
	return (struct lex_token){.kind = kind,
	    .line = lex->line,
	    .column = (unsigned)(p - lex->line_start) + 1};
}

static struct lex_token
bad_at(const struct lexer *lex, const char *p, struct span why)
{
	struct lex_token token = token_at(lex, LEX_BAD, p);

	token.text = why;
	return token;
}

/* For a byte that clean_len() refuses. */
static struct span
why_unclean(const char *p)
{
	if (*p == '\0')
		return SPAN("a NUL byte");
	if (*p == '\t')
		return SPAN("a raw tab in a string; write \\t");
	if (!ascii_is_8bit(*p) || *p == '\xc2')
		return SPAN("a control character");
	return SPAN("text that is not UTF-8");
}

static bool
is_blank(const struct lexer *lex, const char *p)
{
	if (*p == '\r')
		return p + 1 == lex->end || p[1] == '\n';
	return *p == ' ' || *p == '\t' || *p == '\n';
}

static void
skip_blanks(struct lexer *lex)
{
	for (; lex->p < lex->end && is_blank(lex, lex->p); lex->p++) {
		if (*lex->p != '\n')
			continue;
		lex->line++;
		lex->line_start = lex->p + 1;
		lex->in_parens = false;
	}
}

/* From `#` to the line's end; true when it holds what it should not. */
static bool
skip_comment(struct lexer *lex, struct lex_token *ret_bad)
{
	const char *bad = NULL;

	for (; lex->p < lex->end && *lex->p != '\n'; lex->p++)
		if (!bad && ascii_is_control(*lex->p) && !is_blank(lex, lex->p))
			bad = lex->p;
	if (bad)
		*ret_bad = bad_at(lex, bad, why_unclean(bad));
	return bad != NULL;
}

static bool
in_word(const struct lexer *lex, const char *start, const char *p)
{
	if (p == lex->end || !lex_is_word_byte(*p))
		return false;
	if (*p == '(')
		return !span_is(
		    span_make(start, (size_t)(p - start)), "include");
	return *p != ')' || !lex->in_parens;
}

static struct lex_token
lex_word(struct lexer *lex)
{
	const char *start = lex->p;
	const char *p = start;

	while (in_word(lex, start, p))
		p++;
	lex->p = p;
	struct span word = span_make(start, (size_t)(p - start));
	size_t unclean = lex_find_unclean(word);
	if (unclean != SPAN_NPOS)
		return bad_at(
		    lex, start + unclean, why_unclean(start + unclean));
	/* Taken as a comment it would cut a URL silently. */
	if (p < lex->end && *p == '#')
		return bad_at(lex, p,
		    SPAN("\"#\" in a word; put a blank before a comment, or "
			 "quotes around a value that holds \"#\""));
	if (p < lex->end && *p == '"')
		return bad_at(
		    lex, p, SPAN("a quote in a word; write \\\" in a string"));
	struct lex_token token = token_at(lex, LEX_WORD, start);
	token.text = word;
	return token;
}

static char
unescape(char c)
{
	switch (c) {
	case 'n':
		return '\n';
	case 't':
		return '\t';
	case '"':
	case '\\':
		return c;
	default:
		return '\0';
	}
}

/*
 * The closing quote of a string whose inside begins at `p`, or the end of its
 * line. `ret_bad` is the first thing inside that must not stand there.
 */
static const char *
string_end(const struct lexer *lex, const char *p, const char **ret_bad)
{
	const char *bad = NULL;

	while (p < lex->end && *p != '\n' && *p != '"') {
		unsigned n = clean_len(p, lex->end);
		bool good = n != 0;
		if (*p == '\\' && p + 1 < lex->end && p[1] != '\n') {
			good = unescape(p[1]) != '\0';
			/* What is escaped may be a character of several bytes. */
			n = 1 + clean_len(p + 1, lex->end);
		}
		if (!good && !bad)
			bad = p;
		p += n ? n : 1;
	}
	*ret_bad = bad;
	return p;
}

static struct span
unescape_all(struct arena *arena, struct span text)
{
	char *to;
	size_t n = 0;

	if (span_find_char(text, '\\') == SPAN_NPOS)
		return text;
	to = arena_alloc(arena, text.len);
	if (!to)
		return SPAN_NONE;
	for (size_t i = 0; i < text.len; i++)
		to[n++] = text.p[i] == '\\' ? unescape(text.p[++i]) : text.p[i];
	return span_make(to, n);
}

static struct lex_token
lex_string(struct lexer *lex)
{
	const char *start = lex->p;
	const char *bad;
	const char *end = string_end(lex, start + 1, &bad);
	struct span inside = span_make(start + 1, (size_t)(end - start - 1));

	if (end == lex->end || *end == '\n') {
		struct lex_token token = bad_at(lex, start,
		    SPAN("a quote that opens here is not closed on its line"));
		token.hides = span_find_any(inside, "{}") != SPAN_NPOS;
		lex->p = end;
		return token;
	}
	lex->p = end + 1;
	if (bad)
		return bad_at(lex, bad,
		    *bad == '\\' ? SPAN("an unknown escape; known are \\\" "
					"\\\\ \\n \\t")
				 : why_unclean(bad));
	struct lex_token token = token_at(lex, LEX_STRING, start);
	token.text = unescape_all(lex->arena, inside);
	return token;
}

static enum lex_kind
punctuation(char c)
{
	switch (c) {
	case '{':
		return LEX_OPEN;
	case '}':
		return LEX_CLOSE;
	case '=':
		return LEX_EQUALS;
	case ',':
		return LEX_COMMA;
	case '(':
		return LEX_PAREN_OPEN;
	case ')':
		return LEX_PAREN_CLOSE;
	default:
		return LEX_END;
	}
}

/* A run of control characters is one mistake. */
static struct lex_token
lex_control(struct lexer *lex)
{
	struct lex_token token = bad_at(lex, lex->p, why_unclean(lex->p));

	while (lex->p < lex->end && ascii_is_control(*lex->p) &&
	       !is_blank(lex, lex->p))
		lex->p++;
	return token;
}

static struct lex_token
next_token(struct lexer *lex, const struct lex_token *last)
{
	struct lex_token bad;

	for (;;) {
		skip_blanks(lex);
		if (lex->p == lex->end)
			return token_at(lex, LEX_END, lex->p);
		if (*lex->p != '#')
			break;
		if (skip_comment(lex, &bad))
			return bad;
	}
	char c = *lex->p;
	enum lex_kind kind = punctuation(c);
	if (c == '"')
		return lex_string(lex);
	if (!lex_is_word_byte(c) && kind == LEX_END)
		return lex_control(lex);
	if (c == '(')
		lex->in_parens = last && last->kind == LEX_WORD &&
				 last->line == lex->line &&
				 span_is(last->text, "include");
	if (kind == LEX_END || ((c == '(' || c == ')') && !lex->in_parens))
		return lex_word(lex);
	struct lex_token token = token_at(lex, kind, lex->p);
	token.text = span_make(lex->p++, 1);
	if (c == ')')
		lex->in_parens = false;
	return token;
}

int
lex_text(struct span text, struct arena *arena, struct arena *scratch,
    struct lex_tokens *ret)
{
	struct lex_tokens all = {0};
	struct lex_token *to;
	static const char bom[] = "\xef\xbb\xbf";

	if (span_starts(text, span_of(bom)))
		text = span_skip(text, sizeof bom - 1);
	if (!text.p)
		text = SPAN("");
	struct lexer lex = {.p = text.p,
	    .end = text.p + text.len,
	    .line_start = text.p,
	    .line = 1,
	    .arena = arena};
	do {
		struct lex_token token =
		    next_token(&lex, all.n ? &all.v[all.n - 1] : NULL);
		to = VEC_PUSH(scratch, &all);
		if (!to || (token.kind == LEX_STRING && !token.text.p))
			return ERR_NOMEM;
		*to = token;
	} while (to->kind != LEX_END);
	*ret = all;
	return 0;
}
