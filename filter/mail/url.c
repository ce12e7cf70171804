#include "filter/mail/url.h"

#include "filter/base/buf.h"
#include "filter/mail/domain.h"

/*
 * Links in plain text, and one link taken apart as a browser would. Text is
 * cut into runs without blanks, quotes and brackets; each run is looked at
 * once, so the search is linear.
 */

#define HOST_MAX 1024 /* bytes of a host as written */

static bool
ends_run(char c)
{
	unsigned char u = (unsigned char)c;

	return u <= ' ' || u == 0x7f || c == '<' || c == '>' || c == '"' ||
	       c == '`' || c == '{' || c == '}' || c == '[' || c == ']' ||
	       c == '|';
}

static bool
is_host_char(char c)
{
	return ascii_is_alnum(c) || c == '-' || c == '.' || c == '_' ||
	       ascii_is_8bit(c);
}

static bool
is_local_char(char c)
{
	return ascii_is_alnum(c) || (c && strchr("!#$%&*+-./=?^_~", c));
}

/* Without final punctuation; a ')' ends what has no '('. */
static struct span
trim_end(struct span url)
{
	struct span s = url;
	size_t close = span_find_char(s, ')');

	if (close != SPAN_NPOS &&
	    span_find_char(span_head(s, close), '(') == SPAN_NPOS)
		s = span_head(s, close);
	while (s.len && strchr("-~!@#^&*()_+=:;'?,.", s.p[s.len - 1]))
		s.len--;
	return s;
}

/* --- what a run holds ----------------------------------------------------------- */

static void
add_url(struct url_list *list, struct span text, bool schemeless,
    struct arena *arena)
{
	struct url url;

	text = span_head(text, URL_LEN_MAX);
	if (list->n >= URL_MAX || !url_parse(&url, text, arena))
		return;
	if (!url.registrable.len && !url.ip.family)
		return;
	url.schemeless = schemeless;
	struct url *to = VEC_PUSH(arena, list);
	if (to)
		*to = url;
}

/* Offset of "http://", "https://" or "ftp://" in a run, or SPAN_NPOS. */
static size_t
find_scheme(struct span run)
{
	static const char *const schemes[] = {"https", "http", "ftp"};
	size_t at = 0;

	while ((at = span_find(run, SPAN("://"), at)) != SPAN_NPOS) {
		for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
			struct span s = span_of(schemes[i]);
			if (span_caseends(span_head(run, at), s))
				return at - s.len;
		}
		at += 3;
	}
	return SPAN_NPOS;
}

static void
add_mail(struct url_list *list, struct span run, size_t at, struct arena *arena)
{
	size_t start = at, end = at + 1;

	while (start > 0 && is_local_char(run.p[start - 1]))
		start--;
	while (end < run.len && is_host_char(run.p[end]) &&
	       !ascii_is_8bit(run.p[end]))
		end++;
	struct span mail = trim_end(span_make(run.p + start, end - start));
	if (start == at || mail.len <= at - start + 1)
		return;
	struct span url = arena_printf(arena, "mailto:%.*s", SPAN_ARG(mail));
	add_url(list, url, true, arena);
}

/* A host without a scheme at the start of a run, with port and path. */
static void
add_bare(struct url_list *list, struct span run, struct arena *arena)
{
	size_t n = 0;

	while (run.len && strchr("'\\,(", run.p[0]))
		run = span_skip(run, 1);
	while (n < run.len && is_host_char(run.p[n]))
		n++;
	struct span host = trim_end(span_head(run, n));
	if (n > DOMAIN_MAX + 1 || !domain_is_fqdn(host) ||
	    !domain_registrable(host).len)
		return;
	if (n < run.len && host.len == n && strchr(":/?#", run.p[n]))
		host = trim_end(run);
	bool ftp = span_casestarts(host, SPAN("ftp."));
	struct span url = arena_printf(
	    arena, "%s://%.*s", ftp ? "ftp" : "http", SPAN_ARG(host));
	add_url(list, url, true, arena);
}

static void
look_at_run(struct url_list *list, struct span run, struct arena *arena)
{
	size_t at;

	if (run.len < 4 || run.len > URL_LEN_MAX * 4)
		run = span_head(run, URL_LEN_MAX);
	if (span_find_char(run, '.') == SPAN_NPOS)
		return;
	at = find_scheme(run);
	if (at != SPAN_NPOS) {
		add_url(list, trim_end(span_skip(run, at)), false, arena);
		return;
	}
	at = span_casefind(run, SPAN("mailto:"), 0);
	if (at != SPAN_NPOS) {
		add_url(list, trim_end(span_skip(run, at)), false, arena);
		return;
	}
	at = span_find_char(run, '@');
	if (at != SPAN_NPOS)
		add_mail(list, run, at, arena);
	else
		add_bare(list, run, arena);
}

void
url_find(struct url_list *list, struct span text, struct arena *arena)
{
	size_t i = 0;

	while (i < text.len && list->n < URL_MAX) {
		size_t start;
		while (i < text.len && ends_run(text.p[i]))
			i++;
		start = i;
		while (i < text.len && !ends_run(text.p[i]))
			i++;
		look_at_run(list, span_make(text.p + start, i - start), arena);
	}
}

/* --- one link ---------------------------------------------------------------------- */

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
