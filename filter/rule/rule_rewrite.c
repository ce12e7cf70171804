#include "filter/rule/rule_pattern.h"

/*
 * One pass over the pattern, token by token; what both dialects read alike is
 * copied. It does not check the syntax: PCRE2 does, and its message is better.
 *
 * Subjects are bytes. Perl accepts a code point above 0xFF in a pattern and
 * lets it match nothing; PCRE2's byte mode refuses it. So such an escape
 * becomes a class that matches nothing, and inside a class it goes away.
 */

/* No byte is in it. */
#define NOTHING "[^\\x00-\\xff]"
/* The same, as a member of a class. */
#define NOTHING_IN_CLASS "\\P{Any}"

struct rewriter {
	struct span s;
	size_t i;
	bool extended;
	bool bad_range; /* in a class: from above 0xFF down to a byte */
	struct buf *out;
	struct err *err;
};

/* --- looking ahead ---------------------------------------------------------- */

static char
peek(const struct rewriter *w, size_t ahead)
{
	size_t at = w->i + ahead;

	return at < w->s.len ? w->s.p[at] : '\0';
}

static void
copy(struct rewriter *w, size_t n)
{
	struct span part = span_head(span_skip(w->s, w->i), n);

	buf_add_span(w->out, part);
	w->i += part.len;
}

static void
skip_blanks(struct span s, size_t *i)
{
	while (*i < s.len && ascii_is_blank(s.p[*i]))
		++*i;
}

static struct span
digits_at(struct span s, size_t *i)
{
	size_t from = *i;

	while (*i < s.len && ascii_is_digit(s.p[*i]))
		++*i;
	return span_make(s.p + from, *i - from);
}

/*
 * A {n}, {n,}, {n,m} or {,m} at offset `at`, blanks allowed as in Perl 5.34.
 * Returns its length, or 0: the brace is a literal one.
 */
static size_t
braces_at(struct span s, size_t at, struct span *ret_min, struct span *ret_max,
    bool *ret_comma)
{
	size_t i = at + 1;

	if (at >= s.len || s.p[at] != '{')
		return 0;
	skip_blanks(s, &i);
	*ret_min = digits_at(s, &i);
	skip_blanks(s, &i);
	*ret_comma = i < s.len && s.p[i] == ',';
	*ret_max = SPAN_NONE;
	if (*ret_comma) {
		i++;
		skip_blanks(s, &i);
		*ret_max = digits_at(s, &i);
		skip_blanks(s, &i);
	}
	if (i >= s.len || s.p[i] != '}' || !(ret_min->len + ret_max->len))
		return 0;
	return i + 1 - at;
}

static bool
quantifier_at(const struct rewriter *w, size_t at)
{
	struct span min, max;
	bool comma;

	if (at >= w->s.len)
		return false;
	char c = w->s.p[at];
	return c == '*' || c == '+' || c == '?' ||
	       braces_at(w->s, at, &min, &max, &comma) > 0;
}

/* The text in the braces at `at`; its length with braces, or 0. */
static size_t
braced(struct span s, size_t at, struct span *ret_inner)
{
	struct span rest = span_skip(s, at);
	size_t end = span_find_char(rest, '}');

	if (rest.len == 0 || rest.p[0] != '{' || end == SPAN_NPOS)
		return 0;
	*ret_inner = span_trim(span_skip(span_head(rest, end), 1));
	return end + 1;
}

/* --- escapes ---------------------------------------------------------------- */

#define POINT_MAX 0x10ffffffu

static bool
number(struct span text, uint32_t base, uint32_t *ret)
{
	uint32_t value = 0;

	for (size_t i = 0; i < text.len; i++) {
		int digit = ascii_hex(text.p[i]);
		if (text.p[i] == '_')
			continue;
		if (digit < 0 || (uint32_t)digit >= base)
			return false;
		if (value < POINT_MAX)
			value = value * base + (uint32_t)digit;
	}
	*ret = value;
	return text.len > 0;
}

/*
 * \x{...}, \o{...} or \N{U+...} at offset `at`: the length and the code
 * point; 0 when it is none of them.
 */
static size_t
point_escape(struct span s, size_t at, uint32_t *ret)
{
	struct span inner;
	char c = at + 1 < s.len ? s.p[at + 1] : '\0';
	size_t n = braced(s, at + 2, &inner);

	if (n == 0)
		return 0;
	if (c == 'N' && span_starts(inner, SPAN("U+")))
		return number(span_skip(inner, 2), 16, ret) ? n + 2 : 0;
	if ((c == 'x' && number(inner, 16, ret)) ||
	    (c == 'o' && number(inner, 8, ret)))
		return n + 2;
	return 0;
}

static void
add_point(struct rewriter *w, uint32_t point)
{
	buf_printf(w->out, "\\x{%02x}", (unsigned)point);
}

/* Escaped letters that mean something in PCRE2 outside (inside) a class. */
#define LETTERS "aAbBcCdDefgGhHkKnNopPrRsStvVwWxXzZ"
#define CLASS_LETTERS "abcdDefhHnNopPrsStvVwWx"
/* Those of a class that are a set, not a character. */
#define CLASS_SETS "dDhHsSvVwWpP"

static bool
among(char c, const char *letters)
{
	return span_find_char(span_of(letters), c) != SPAN_NPOS;
}

/* An escape that asserts a place; Perl lets a quantifier stand behind it. */
static void
add_assertion(struct rewriter *w, size_t n)
{
	bool quantified = quantifier_at(w, w->i + n);

	if (quantified)
		buf_add_str(w->out, "(?:");
	copy(w, n);
	if (quantified)
		buf_add_char(w->out, ')');
}

static int
rewrite_escape(struct rewriter *w)
{
	uint32_t point;
	struct span inner;
	char c = peek(w, 1);
	size_t n = point_escape(w->s, w->i, &point);

	if (n) {
		w->i += n;
		if (point > 0xff)
			buf_add_str(w->out, NOTHING);
		else
			add_point(w, point);
		return 0;
	}
	n = braced(w->s, w->i + 2, &inner);
	if ((c == 'b' || c == 'B') && n)
		return err_set(w->err, ERR_SYNTAX,
		    "\\%c{...} (Unicode boundary) is not supported", c);
	if (among(c, "bBAzZG")) {
		add_assertion(w, 2);
	} else if (among(c, "pPgk") && n) {
		copy(w, n + 2);
	} else if (ascii_is_alpha(c) && !among(c, LETTERS)) {
		/* Perl takes what it does not know literally; so \Q and \E,
		 * which only its own string parser knows. */
		buf_add_char(w->out, c);
		w->i += 2;
	} else {
		copy(w, c == 'c' ? 3 : 2);
	}
	return 0;
}

/* --- classes ---------------------------------------------------------------- */

struct member {
	struct span text; /* as to be written */
	bool set;         /* \d, [:alpha:]: cannot end a range */
	bool dead;        /* a code point above 0xFF */
	char literal[16];
};

/* [:name:] at the current place: its length, or 0. */
static size_t
posix_class(const struct rewriter *w)
{
	if (peek(w, 0) != '[' || peek(w, 1) != ':')
		return 0;
	size_t i = peek(w, 2) == '^' ? 3 : 2;
	while (ascii_is_alpha(peek(w, i)))
		i++;
	return peek(w, i) == ':' && peek(w, i + 1) == ']' ? i + 2 : 0;
}

static void
set_literal(struct member *m, const char *text)
{
	size_t n = strlen(text);

	memcpy(m->literal, text, n);
	m->text = span_make(m->literal, n);
}

static void
escape_member(struct rewriter *w, struct member *m)
{
	uint32_t point;
	struct span inner;
	char c = peek(w, 1);
	size_t n = point_escape(w->s, w->i, &point);

	if (n) {
		m->dead = point > 0xff;
		if (!m->dead) {
			char hex[8] = "\\x00";
			hex[2] = "0123456789abcdef"[point >> 4];
			hex[3] = "0123456789abcdef"[point & 15];
			set_literal(m, hex);
		}
		w->i += n;
		return;
	}
	if (ascii_is_alpha(c) && !among(c, CLASS_LETTERS)) {
		char letter[2] = {c, '\0'};
		set_literal(m, letter);
		w->i += 2;
		return;
	}
	n = 2;
	if (among(c, "pP") && braced(w->s, w->i + 2, &inner))
		n = braced(w->s, w->i + 2, &inner) + 2;
	else if (among(c, "pPc"))
		n = 3;
	m->set = among(c, CLASS_SETS);
	m->text = span_head(span_skip(w->s, w->i), n);
	w->i += m->text.len;
	/* \x41 and \012 are longer: the digits belong to the character. */
	size_t most = c == 'x' ? 2 : c >= '0' && c <= '7' ? 2 : 0;
	for (; most && ascii_hex(peek(w, 0)) >= 0 &&
	       (c == 'x' || (peek(w, 0) >= '0' && peek(w, 0) <= '7'));
	     most--) {
		m->text.len++;
		w->i++;
	}
}

static void
read_member(struct rewriter *w, struct member *m)
{
	size_t n = posix_class(w);

	*m = (struct member){.set = n > 0};
	if (n) {
		m->text = span_head(span_skip(w->s, w->i), n);
		w->i += n;
	} else if (peek(w, 0) == '\\' && w->i + 1 < w->s.len) {
		escape_member(w, m);
	} else if (peek(w, 0) == '-' || peek(w, 0) == '^') {
		/* What stood before it may be gone, and it would mean more. */
		set_literal(m, peek(w, 0) == '-' ? "\\-" : "\\^");
		w->i++;
	} else {
		m->text = span_head(span_skip(w->s, w->i), 1);
		w->i++;
	}
}

/* One member or range. Returns whether anything was written. */
static bool
rewrite_member(struct rewriter *w)
{
	struct member low, high;

	read_member(w, &low);
	if (peek(w, 0) != '-' || peek(w, 1) == ']' || w->i + 1 >= w->s.len) {
		if (!low.dead)
			buf_add_span(w->out, low.text);
		return !low.dead;
	}
	w->i++;
	read_member(w, &high);
	if (low.set || high.set) {
		/* No range: the hyphen is a literal one. */
		if (!low.dead)
			buf_add_span(w->out, low.text);
		buf_add_str(w->out, "\\-");
		if (!high.dead)
			buf_add_span(w->out, high.text);
		return true;
	}
	if (low.dead) {
		w->bad_range |= !high.dead;
		return false;
	}
	buf_add_span(w->out, low.text);
	buf_add_char(w->out, '-');
	if (high.dead)
		buf_add_str(w->out, "\\xff");
	else
		buf_add_span(w->out, high.text);
	return true;
}

static void
rewrite_class(struct rewriter *w)
{
	bool any = false, first = true;

	copy(w, 1);
	if (peek(w, 0) == '^')
		copy(w, 1);
	while (w->i < w->s.len && (first || peek(w, 0) != ']')) {
		any |= rewrite_member(w);
		first = false;
	}
	if (!any)
		buf_add_str(w->out, NOTHING_IN_CLASS);
	copy(w, 1);
}

/* --- groups ------------------------------------------------------------------ */

/* (?flags) and (?flags:...): without `a` and `p`, which change nothing here. */
static void
rewrite_flags(struct rewriter *w)
{
	size_t n = 2;

	while (ascii_is_alpha(peek(w, n)) || peek(w, n) == '^' ||
	       peek(w, n) == '-')
		n++;
	if (n == 2 || (peek(w, n) != ')' && peek(w, n) != ':') ||
	    (peek(w, 2) == 'R' || peek(w, 2) == 'P')) {
		copy(w, 2);
		return;
	}
	for (size_t k = 0; k < n; k++) {
		char c = peek(w, k);
		if (c != 'a' && c != 'p')
			buf_add_char(w->out, c);
	}
	w->i += n;
}

static int
rewrite_group(struct rewriter *w)
{
	struct span rest = span_skip(w->s, w->i);

	if (span_starts(rest, SPAN("(?{")) || span_starts(rest, SPAN("(??{")) ||
	    span_starts(rest, SPAN("(?p{")))
		return err_set(w->err, ERR_SYNTAX,
		    "code in a pattern, (?{...}), is refused");
	if (span_starts(rest, SPAN("(?#"))) {
		size_t end = span_find_char(rest, ')');
		copy(w, end == SPAN_NPOS ? rest.len : end + 1);
	} else if (span_starts(rest, SPAN("(?"))) {
		rewrite_flags(w);
	} else {
		/* A verb at the very start would set PCRE2's own options. */
		if (w->i == 0 && span_starts(rest, SPAN("(*")))
			buf_add_str(w->out, "(?:)");
		copy(w, 1);
	}
	return 0;
}

static void
rewrite_braces(struct rewriter *w)
{
	struct span min, max;
	bool comma;
	size_t n = braces_at(w->s, w->i, &min, &max, &comma);

	if (n == 0) {
		copy(w, 1);
		return;
	}
	buf_add_char(w->out, '{');
	if (min.len)
		buf_add_span(w->out, min);
	else
		buf_add_char(w->out, '0');
	if (comma)
		buf_add_char(w->out, ',');
	buf_add_span(w->out, max);
	buf_add_char(w->out, '}');
	w->i += n;
}

static int
rewrite_token(struct rewriter *w)
{
	size_t eol;

	switch (peek(w, 0)) {
	case '\\':
		return rewrite_escape(w);
	case '(':
		return rewrite_group(w);
	case '[':
		rewrite_class(w);
		if (w->bad_range)
			return err_set(w->err, ERR_SYNTAX,
			    "range out of order in character class");
		return 0;
	case '^':
	case '$':
		add_assertion(w, 1);
		return 0;
	case '{':
		rewrite_braces(w);
		return 0;
	case '#':
		eol = span_find_char(span_skip(w->s, w->i), '\n');
		copy(w, !w->extended ? 1 : eol == SPAN_NPOS ? w->s.len : eol);
		return 0;
	default:
		copy(w, 1);
		return 0;
	}
}

/* %{NAME} or %{NAME(args)}; %{2} is a quantifier. */
static bool
has_capture_use(struct span s)
{
	size_t at = 0;

	while ((at = span_find(s, SPAN("%{"), at)) != SPAN_NPOS) {
		at += 2;
		if (at < s.len && (ascii_is_alpha(s.p[at]) || s.p[at] == '_'))
			return true;
	}
	return false;
}

int
pattern_rewrite(
    struct span pattern, unsigned flags, struct buf *out, struct err *err)
{
	struct rewriter w = {.s = pattern,
	    .extended = flags & PATTERN_EXTENDED,
	    .out = out,
	    .err = err};
	int rc = 0;

	if (has_capture_use(pattern))
		return err_set(err, ERR_SYNTAX,
		    "captured values, %%{NAME}, are not supported");
	while (rc == 0 && w.i < w.s.len)
		rc = rewrite_token(&w);
	if (rc == 0 && buf_failed(out))
		rc = err_set(err, ERR_LIMIT, "pattern is too long");
	return rc;
}
