#include "filter/auth/macro.h"

#include <stdio.h>

#include "filter/base/buf.h"
#include "filter/mail/domain.h"

/*
 * SPF macro strings (RFC 7208 section 7): `%{` letter [digits] [r]
 * [delimiters] `}`, and %%, %_, %-. A macro's value is split at the
 * delimiters, perhaps reversed, cut to its right-hand parts and joined by
 * dots; capital letters ask for URL escapes. No table of parts is made: the
 * wanted ones are neighbours in the value, so it is cut first and then copied
 * forwards or backwards.
 */

#define EXPANDED_MAX ((size_t)64 * 1024)
#define DIGITS_MAX 100000 /* larger numbers are this one: all parts */
#define SMALL_SIZE 64     /* 32 nibbles with their dots, or a number */

struct macro {
	char letter;     /* lower case */
	bool escape;     /* the letter was a capital */
	unsigned digits; /* 0: all parts */
	bool reverse;
	struct span delimiters; /* empty: "." */
};

/* One call of macro_expand(): what it writes and values made only once. */
struct expansion {
	const struct macro_context *context;
	struct buf out;
	struct span sender, name; /* %{s}, %{p}; p NULL: not made yet */
	char small[SMALL_SIZE];
};

/* --- grammar ------------------------------------------------------------------ */

/* strchr() that does not find the NUL. */
static bool
is_one_of(char c, const char *set)
{
	return c && strchr(set, c);
}

/* Reads the macro behind "%{"; its length with "}", or 0. */
static size_t
parse_macro(struct span text, bool explanation, struct macro *ret)
{
	size_t i = 1;
	unsigned digits = 0;

	if (!text.len)
		return 0;
	ret->letter = ascii_lower(text.p[0]);
	ret->escape = ret->letter != text.p[0];
	if (!is_one_of(ret->letter, explanation ? "slodiphcrtv" : "slodiphv"))
		return 0;
	for (; i < text.len && ascii_is_digit(text.p[i]); i++)
		if (digits < DIGITS_MAX)
			digits = digits * 10 + (unsigned)(text.p[i] - '0');
	if (i > 1 && digits == 0)
		return 0; /* section 7.1: the number must not be zero */
	ret->digits = digits;
	ret->reverse = i < text.len && ascii_lower(text.p[i]) == 'r';
	i += ret->reverse;
	size_t start = i;
	while (i < text.len && is_one_of(text.p[i], ".-+,/_="))
		i++;
	ret->delimiters = span_make(text.p + start, i - start);
	return i < text.len && text.p[i] == '}' ? i + 1 : 0;
}

/* Length of the macro or escape at text[0] == '%', 0 when it is none. */
static size_t
expand_len(struct span text, bool explanation)
{
	struct macro macro;

	if (text.len < 2)
		return 0;
	if (is_one_of(text.p[1], "%_-"))
		return 2;
	if (text.p[1] != '{')
		return 0;
	size_t n = parse_macro(span_skip(text, 2), explanation, &macro);
	return n ? n + 2 : 0;
}

/* macro_valid(), and where the literal text behind the last macro begins. */
static bool
check_string(struct span text, bool explanation, size_t *ret_tail)
{
	*ret_tail = 0;
	for (size_t i = 0; i < text.len;) {
		char c = text.p[i];
		if (c != '%') {
			if ((c < 0x21 || c > 0x7e) &&
			    !(explanation && c == ' '))
				return false;
			i++;
			continue;
		}
		size_t n = expand_len(span_skip(text, i), explanation);
		if (n == 0)
			return false;
		i += n;
		*ret_tail = i;
	}
	return true;
}

bool
macro_valid(struct span text, bool explanation)
{
	size_t tail;

	return check_string(text, explanation, &tail);
}

/* toplabel: letters, digits and inner hyphens, not digits alone. */
static bool
is_toplabel(struct span label)
{
	bool digits_only = true;

	if (!label.len || label.p[0] == '-' || label.p[label.len - 1] == '-')
		return false;
	for (size_t i = 0; i < label.len; i++) {
		if (!ascii_is_alnum(label.p[i]) && label.p[i] != '-')
			return false;
		digits_only &= ascii_is_digit(label.p[i]);
	}
	return !digits_only;
}

bool
macro_is_domain_spec(struct span text)
{
	size_t start;

	if (!text.len || !check_string(text, false, &start))
		return false;
	if (start == text.len)
		return true;
	struct span tail = span_skip(text, start);
	if (span_ends(tail, SPAN(".")))
		tail.len--;
	size_t dot = span_rfind_char(tail, '.');
	return dot != SPAN_NPOS && is_toplabel(span_skip(tail, dot + 1));
}

/* --- values ------------------------------------------------------------------- */

static struct span
small_text(struct expansion *x)
{
	return span_make(x->small, strlen(x->small));
}

/*
 * %{i}: dotted quad, or nibbles with dots. Names compare without case; in an
 * explanation the suite of RFC 7208 wants capitals.
 */
static struct span
address_dotted(struct expansion *x)
{
	static const char hex[] = "0123456789ABCDEF";
	const struct ip *ip = &x->context->ip;

	_Static_assert(SMALL_SIZE >= IP_TEXT_SIZE, "an address fits");
	if (ip->family == 4) {
		ip_format(ip, x->small);
		return small_text(x);
	}
	for (int i = 0; i < 32; i++) {
		int byte = ip->bytes[i / 2];
		x->small[2 * i] = hex[i % 2 ? byte & 15 : byte >> 4];
		x->small[2 * i + 1] = '.';
	}
	return span_make(x->small, 63);
}

static struct span
sender(struct expansion *x)
{
	const struct macro_context *c = x->context;
	struct buf text;

	if (x->sender.p)
		return x->sender;
	buf_init(&text, x->out.arena, EXPANDED_MAX);
	buf_add_span(&text, c->sender_local);
	buf_add_char(&text, '@');
	buf_add_span(&text, c->sender_domain);
	if (buf_failed(&text))
		x->out.failed = true;
	x->sender = buf_span(&text);
	return x->sender;
}

static struct span
validated_name(struct expansion *x)
{
	const struct macro_context *c = x->context;

	if (!x->name.p && c->validated_name)
		x->name = c->validated_name(c->arg);
	if (!x->name.len)
		x->name = SPAN("unknown");
	return x->name;
}

static struct span
value_of(struct expansion *x, char letter)
{
	const struct macro_context *c = x->context;

	switch (letter) {
	case 's':
		return sender(x);
	case 'l':
		return c->sender_local;
	case 'o':
		return c->sender_domain;
	case 'd':
		return c->domain;
	case 'i':
		return address_dotted(x);
	case 'p':
		return validated_name(x);
	case 'v':
		return c->ip.family == 6 ? SPAN("ip6") : SPAN("in-addr");
	case 'h':
		return c->helo;
	case 'c':
		ip_format(&c->ip, x->small);
		return small_text(x);
	case 'r':
		return c->receiver.len ? c->receiver : SPAN("unknown");
	default: /* 't' */
		snprintf(x->small, sizeof x->small, "%lld", (long long)c->time);
		return small_text(x);
	}
}

/* --- transformation ----------------------------------------------------------- */

static bool
is_delimiter(const struct macro *macro, char c)
{
	if (!macro->delimiters.len)
		return c == '.';
	return span_find_char(macro->delimiters, c) != SPAN_NPOS;
}

/* The last `digits` parts of the value, delimiters between them included. */
static struct span
last_parts(const struct macro *macro, struct span value)
{
	unsigned left = macro->digits;

	for (size_t i = value.len; i > 0; i--)
		if (is_delimiter(macro, value.p[i - 1]) && --left == 0)
			return span_skip(value, i);
	return value;
}

/* The first ones: reversed, they are the last. */
static struct span
first_parts(const struct macro *macro, struct span value)
{
	unsigned left = macro->digits;

	for (size_t i = 0; i < value.len; i++)
		if (is_delimiter(macro, value.p[i]) && --left == 0)
			return span_head(value, i);
	return value;
}

/* Section 7.3: all but "unreserved" of RFC 3986 is written %XX. */
static void
add_text(struct buf *out, const struct macro *macro, struct span text)
{
	static const char hex[] = "0123456789ABCDEF";

	if (!macro->escape) {
		buf_add_span(out, text);
		return;
	}
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.p[i];
		if (ascii_is_alnum(text.p[i]) || is_one_of(text.p[i], "-._~")) {
			buf_add_char(out, text.p[i]);
		} else {
			char coded[3] = {'%', hex[c >> 4], hex[c & 15]};
			buf_add(out, coded, sizeof coded);
		}
	}
}

static void
add_forwards(struct buf *out, const struct macro *macro, struct span value)
{
	size_t start = 0;

	for (size_t i = 0; i < value.len; i++) {
		if (!is_delimiter(macro, value.p[i]))
			continue;
		add_text(out, macro, span_make(value.p + start, i - start));
		buf_add_char(out, '.');
		start = i + 1;
	}
	add_text(out, macro, span_skip(value, start));
}

static void
add_backwards(struct buf *out, const struct macro *macro, struct span value)
{
	size_t end = value.len;

	for (size_t i = value.len; i > 0; i--) {
		if (!is_delimiter(macro, value.p[i - 1]))
			continue;
		add_text(out, macro, span_make(value.p + i, end - i));
		buf_add_char(out, '.');
		end = i - 1;
	}
	add_text(out, macro, span_head(value, end));
}

static void
add_value(struct buf *out, const struct macro *macro, struct span value)
{
	if (macro->reverse) {
		if (macro->digits)
			value = first_parts(macro, value);
		add_backwards(out, macro, value);
	} else {
		if (macro->digits)
			value = last_parts(macro, value);
		add_forwards(out, macro, value);
	}
}

/* --- strings ------------------------------------------------------------------ */

/* The macro or escape at text[0] == '%'; its length, 0 when it is bad. */
static size_t
expand_one(struct expansion *x, struct span text, bool explanation)
{
	struct macro macro;

	if (text.len < 2)
		return 0;
	switch (text.p[1]) {
	case '%':
		buf_add_char(&x->out, '%');
		return 2;
	case '_':
		buf_add_char(&x->out, ' ');
		return 2;
	case '-':
		buf_add_str(&x->out, "%20");
		return 2;
	case '{':
		break;
	default:
		return 0;
	}
	size_t n = parse_macro(span_skip(text, 2), explanation, &macro);
	if (n == 0)
		return 0;
	add_value(&x->out, &macro, value_of(x, macro.letter));
	return n + 2;
}

/* A name of at most 253 bytes: labels go from the left (section 7.3). */
static struct span
truncate_name(struct span name)
{
	if (name.len && name.p[name.len - 1] == '.')
		name.len--;
	while (name.len > DOMAIN_MAX) {
		size_t dot = span_find_char(name, '.');
		if (dot == SPAN_NPOS)
			break;
		name = span_skip(name, dot + 1);
	}
	return name;
}

int
macro_expand(const struct macro_context *context, struct span text,
    bool explanation, struct arena *arena, struct span *ret)
{
	struct expansion x = {.context = context};

	buf_init(&x.out, arena, EXPANDED_MAX);
	while (text.len && !buf_failed(&x.out)) {
		size_t percent = span_find_char(text, '%');
		buf_add_span(&x.out, span_head(text, percent));
		if (percent == SPAN_NPOS)
			break;
		text = span_skip(text, percent);
		size_t n = expand_one(&x, text, explanation);
		if (n == 0)
			return ERR_SYNTAX;
		text = span_skip(text, n);
	}
	if (buf_failed(&x.out))
		return arena_failed(arena) ? ERR_NOMEM : ERR_LIMIT;
	*ret = explanation ? buf_span(&x.out) : truncate_name(buf_span(&x.out));
	return 0;
}
