#include "filter/auth/macro.h"

#include "filter/base/buf.h"
#include "filter/mail/domain.h"

/*
 * SPF macro strings (RFC 7208 section 7): `%{` letter [digits] [r]
 * [delimiters] `}`, and %%, %_, %-. A macro's value is split at the
 * delimiters, perhaps reversed, cut to its right-hand parts and joined by
 * dots; capital letters ask for URL escapes.
 */

#define EXPANDED_MAX ((size_t)64 * 1024)
#define PARTS_MAX 128 /* a name has at most 127 labels */
#define DELIMITERS ".-+,/_="

struct macro {
	char letter;     /* lower case */
	bool escape;     /* the letter was a capital */
	unsigned digits; /* 0: all parts */
	bool reverse;
	struct span delimiters; /* empty: "." */
};

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
	if (!ret->letter ||
	    !strchr(explanation ? "slodiphcrtv" : "slodiphv", ret->letter))
		return 0;
	bool any = i < text.len && ascii_is_digit(text.p[i]);
	for (; i < text.len && ascii_is_digit(text.p[i]); i++)
		if (digits < 1000)
			digits = digits * 10 + (unsigned)(text.p[i] - '0');
	if (any && digits == 0)
		return 0; /* section 7.1: the number must not be zero */
	ret->digits = digits;
	ret->reverse = i < text.len && ascii_lower(text.p[i]) == 'r';
	i += ret->reverse;
	size_t start = i;
	while (i < text.len && text.p[i] && strchr(DELIMITERS, text.p[i]))
		i++;
	ret->delimiters = span_make(text.p + start, i - start);
	return i < text.len && text.p[i] == '}' ? i + 1 : 0;
}

/* Length of the macro or escape at text[0] == '%', 0 when it is none. */
static size_t
escape_len(struct span text, bool explanation)
{
	struct macro macro;

	if (text.len < 2)
		return 0;
	if (text.p[1] == '%' || text.p[1] == '_' || text.p[1] == '-')
		return 2;
	if (text.p[1] != '{')
		return 0;
	size_t n = parse_macro(span_skip(text, 2), explanation, &macro);
	return n ? n + 2 : 0;
}

bool
macro_valid(struct span text, bool explanation)
{
	for (size_t i = 0; i < text.len;) {
		char c = text.p[i];
		size_t n = 1;
		if (c == '%')
			n = escape_len(span_skip(text, i), explanation);
		else if (c < 0x21 || c > 0x7e)
			n = explanation && c == ' ';
		if (n == 0)
			return false;
		i += n;
	}
	return true;
}

/* --- values ------------------------------------------------------------------------ */

/* %{i}: dotted quad, or nibbles with dots. */
static struct span
address_dotted(const struct ip *ip, struct arena *arena)
{
	static const char hex[] = "0123456789abcdef";
	char text[IP_TEXT_SIZE];
	struct buf out;

	if (ip->family == 4) {
		ip_format(ip, text);
		return arena_span(arena, span_of(text));
	}
	buf_init(&out, arena, 64);
	for (int i = 0; i < 16; i++) {
		char two[4] = {
		    hex[ip->bytes[i] >> 4], '.', hex[ip->bytes[i] & 15], '.'};
		buf_add(&out, two, i < 15 ? 4 : 3);
	}
	return buf_span(&out);
}

static struct span
value_of(const struct macro_context *c, char letter, struct arena *arena)
{
	char text[IP_TEXT_SIZE];

	switch (letter) {
	case 's':
		return arena_printf(arena, "%.*s@%.*s",
		    SPAN_ARG(c->sender_local), SPAN_ARG(c->sender_domain));
	case 'l':
		return c->sender_local;
	case 'o':
		return c->sender_domain;
	case 'd':
		return c->domain;
	case 'i':
		return address_dotted(&c->ip, arena);
	case 'p':
		return c->validated_name ? c->validated_name(c->arg)
					 : SPAN("unknown");
	case 'v':
		return c->ip.family == 6 ? SPAN("ip6") : SPAN("in-addr");
	case 'h':
		return c->helo;
	case 'c':
		ip_format(&c->ip, text);
		return arena_span(arena, span_of(text));
	case 'r':
		return c->receiver.len ? c->receiver : SPAN("unknown");
	default: /* 't' */
		return arena_printf(arena, "%lld", (long long)c->time);
	}
}

/* --- transformation ---------------------------------------------------------------- */

static size_t
split(struct span value, struct span delimiters, struct span parts[PARTS_MAX])
{
	size_t n = 0, start = 0;

	for (size_t i = 0; i <= value.len; i++) {
		bool end = i == value.len ||
			   span_find_char(delimiters, value.p[i]) != SPAN_NPOS;
		if (!end)
			continue;
		/* Past the table's end the rest stays in one part. */
		if (n == PARTS_MAX - 1 && i < value.len)
			continue;
		parts[n++] = span_make(value.p + start, i - start);
		start = i + 1;
	}
	return n;
}

static void
add_escaped(struct buf *out, struct span text)
{
	static const char hex[] = "0123456789ABCDEF";

	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.p[i];
		if (ascii_is_alnum(text.p[i]) ||
		    (c && strchr("-._~", text.p[i]))) {
			buf_add_char(out, text.p[i]);
		} else {
			char b[3] = {'%', hex[c >> 4], hex[c & 15]};
			buf_add(out, b, sizeof b);
		}
	}
}

static void
add_value(struct buf *out, const struct macro *macro, struct span value)
{
	struct span parts[PARTS_MAX];
	bool whole =
	    !macro->digits && !macro->reverse && !macro->delimiters.len;

	if (whole) {
		if (macro->escape)
			add_escaped(out, value);
		else
			buf_add_span(out, value);
		return;
	}
	size_t n = split(value,
	    macro->delimiters.len ? macro->delimiters : SPAN("."), parts);
	size_t keep = macro->digits && macro->digits < n ? macro->digits : n;
	for (size_t i = n - keep; i < n; i++) {
		struct span part = parts[macro->reverse ? n - 1 - i : i];
		if (i > n - keep)
			buf_add_char(out, '.');
		if (macro->escape)
			add_escaped(out, part);
		else
			buf_add_span(out, part);
	}
}

/* --- strings ----------------------------------------------------------------------- */

/* The escape at text[0] == '%'; its length, 0 when it is bad. */
static size_t
expand_one(const struct macro_context *context, struct span text,
    bool explanation, struct buf *out)
{
	struct macro macro;

	if (text.len < 2)
		return 0;
	switch (text.p[1]) {
	case '%':
		buf_add_char(out, '%');
		return 2;
	case '_':
		buf_add_char(out, ' ');
		return 2;
	case '-':
		buf_add_str(out, "%20");
		return 2;
	case '{':
		break;
	default:
		return 0;
	}
	size_t n = parse_macro(span_skip(text, 2), explanation, &macro);
	if (n == 0)
		return 0;
	add_value(out, &macro, value_of(context, macro.letter, out->arena));
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
	struct buf out;

	buf_init(&out, arena, EXPANDED_MAX);
	while (text.len) {
		size_t percent = span_find_char(text, '%');
		buf_add_span(&out, span_head(text, percent));
		if (percent == SPAN_NPOS)
			break;
		text = span_skip(text, percent);
		size_t n = expand_one(context, text, explanation, &out);
		if (n == 0)
			return ERR_SYNTAX;
		text = span_skip(text, n);
	}
	if (buf_failed(&out))
		return arena_failed(arena) ? ERR_NOMEM : ERR_LIMIT;
	*ret = explanation ? buf_span(&out) : truncate_name(buf_span(&out));
	return 0;
}
