#include "filter/mail/url.h"

#include "filter/base/buf.h"
#include "filter/mail/domain.h"

/*
 * One link taken apart as a browser would (WHATWG URL): what host it would
 * ask, whatever the sender did to hide it.
 */

#define HOST_MAX 1024 /* bytes of a host as written */

/* Tabs, newlines and the blanks around are not part of a link. */
static struct span
clean(struct span text, struct arena *arena)
{
	struct buf out;

	text = span_trim(text);
	if (span_find_any(text, "\t\r\n") == SPAN_NPOS)
		return text;
	buf_init(&out, arena, URL_LEN_MAX * 4);
	for (size_t i = 0; i < text.len; i++)
		if (text.p[i] != '\t' && text.p[i] != '\r' && text.p[i] != '\n')
			buf_add_char(&out, text.p[i]);
	return buf_span(&out);
}

static struct span
percent_decode(struct span text, struct arena *arena)
{
	struct buf out;

	if (span_find_char(text, '%') == SPAN_NPOS)
		return text;
	buf_init(&out, arena, HOST_MAX);
	for (size_t i = 0; i < text.len; i++) {
		int high = i + 2 < text.len ? ascii_hex(text.p[i + 1]) : -1;
		int low = i + 2 < text.len ? ascii_hex(text.p[i + 2]) : -1;
		if (text.p[i] == '%' && high >= 0 && low >= 0) {
			buf_add_char(&out, (char)(high << 4 | low));
			i += 2;
		} else {
			buf_add_char(&out, text.p[i]);
		}
	}
	return buf_span(&out);
}

/* One number of an address: decimal, 0 octal or 0x hexadecimal. */
static bool
address_number(struct span text, uint64_t *ret)
{
	unsigned base = 10;
	uint64_t value = 0;

	if (!text.len)
		return false;
	if (span_casestarts(text, SPAN("0x"))) {
		base = 16;
		text = span_skip(text, 2);
	} else if (text.len > 1 && text.p[0] == '0') {
		base = 8;
	}
	for (size_t i = 0; i < text.len; i++) {
		int digit = ascii_hex(text.p[i]);
		if (digit < 0 || (unsigned)digit >= base || value > UINT32_MAX)
			return false;
		value = value * base + (unsigned)digit;
	}
	*ret = value;
	return true;
}

/* 1 to 4 numbers as browsers read them: "3405803777", "0xcb.0.0161.1". */
static bool
numeric_host(struct span host, struct ip *ret)
{
	uint64_t parts[4], all = 0;
	size_t n = 0;
	struct span rest = host;

	while (rest.p) {
		struct span one = span_cut(&rest, '.');
		if (n && !one.len && !rest.p)
			break; /* a final dot */
		if (n == 4 || !address_number(one, &parts[n]))
			return false;
		n++;
	}
	for (size_t i = 0; i + 1 < n; i++) {
		if (parts[i] > 255)
			return false;
		all |= parts[i] << (24 - 8 * i);
	}
	if (n == 0 || parts[n - 1] >= (uint64_t)1 << (8 * (5 - n)))
		return false;
	all |= parts[n - 1];
	*ret = (struct ip){.family = 4,
	    .bytes = {(uint8_t)(all >> 24), (uint8_t)(all >> 16),
		(uint8_t)(all >> 8), (uint8_t)all}};
	return true;
}

static bool
set_host(struct url *url, struct span host, struct arena *arena)
{
	if (span_starts(host, SPAN("["))) {
		struct span inner = span_skip(host, 1);
		size_t close = span_find_char(inner, ']');
		url->host = host;
		return close != SPAN_NPOS &&
		       ip_parse(span_head(inner, close), &url->ip) == 0;
	}
	host = percent_decode(span_head(host, HOST_MAX), arena);
	if (numeric_host(host, &url->ip)) {
		char text[IP_TEXT_SIZE];
		ip_format(&url->ip, text);
		url->host = arena_span(arena, span_of(text));
		return true;
	}
	if (domain_normalise(host, arena, &url->host))
		return false;
	url->registrable = domain_registrable(url->host);
	return true;
}

/* The authority of a link: user part and port away. */
static bool
set_authority(struct url *url, struct span text, struct arena *arena)
{
	struct span authority = span_head(text, span_find_any(text, "/\\?#"));
	size_t at = span_rfind_char(authority, '@');

	if (at != SPAN_NPOS) {
		url->userinfo = true;
		authority = span_skip(authority, at + 1);
	}
	size_t bracket = span_rfind_char(authority, ']');
	size_t colon = span_rfind_char(authority, ':');
	if (colon != SPAN_NPOS && (bracket == SPAN_NPOS || colon > bracket))
		authority = span_head(authority, colon);
	return set_host(url, authority, arena);
}

static bool
set_mailto(struct url *url, struct span text, struct arena *arena)
{
	struct span address = span_head(text, span_find_any(text, "?&>"));
	size_t at = span_rfind_char(address, '@');

	return at != SPAN_NPOS &&
	       set_host(url, span_skip(address, at + 1), arena);
}

static size_t
scheme_len(struct span text)
{
	size_t n = 0;

	if (!text.len || !ascii_is_alpha(text.p[0]))
		return 0;
	while (n < text.len && (ascii_is_alnum(text.p[n]) || text.p[n] == '+' ||
				   text.p[n] == '-' || text.p[n] == '.'))
		n++;
	return n < text.len && text.p[n] == ':' ? n : 0;
}

bool
url_parse(struct url *ret, struct span text, struct arena *arena)
{
	struct span rest;

	*ret = (struct url){0};
	text = clean(text, arena);
	ret->text = text;
	size_t n = scheme_len(text);
	/* "host.example:8080/x" has no scheme, whatever it looks like. */
	if (n && span_find_char(span_head(text, n), '.') != SPAN_NPOS)
		n = 0;
	ret->scheme = n ? arena_lower(arena, span_head(text, n)) : SPAN("");
	rest = n ? span_skip(text, n + 1) : text;
	if (span_is(ret->scheme, "mailto"))
		return set_mailto(ret, rest, arena);
	if (n && !span_is(ret->scheme, "http") &&
	    !span_is(ret->scheme, "https") && !span_is(ret->scheme, "ftp") &&
	    !span_starts(rest, SPAN("//")))
		return false;
	size_t slashes = 0;
	while (slashes < rest.len &&
	       (rest.p[slashes] == '/' || rest.p[slashes] == '\\'))
		slashes++;
	if (n == 0 && slashes == 1)
		return false; /* a path */
	if (n == 0) {
		ret->schemeless = true;
		ret->scheme = SPAN("http");
	}
	return set_authority(ret, span_skip(rest, slashes), arena);
}
