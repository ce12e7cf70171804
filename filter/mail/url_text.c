#include "filter/base/buf.h"
#include "filter/mail/url_internal.h"

/*
 * What mail programs and browsers do to a link before they look at its host
 * (rule language, section 5.4): one function for each change. Each gives back
 * its argument where nothing changes.
 */

struct span
url_without_newlines(struct span url, struct arena *arena)
{
	struct buf out;

	if (span_find_char(url, '\r') == SPAN_NPOS &&
	    span_find_char(url, '\n') == SPAN_NPOS)
		return span_trim(url);
	buf_init(&out, arena, url.len);
	for (size_t i = 0; i < url.len; i++)
		if (url.p[i] != '\r' && url.p[i] != '\n')
			buf_add_char(&out, url.p[i]);
	return span_trim(buf_span(&out));
}

struct span
url_slashes(struct span url, struct arena *arena)
{
	struct buf out;

	if (span_find_char(url, '\\') == SPAN_NPOS)
		return url;
	buf_init(&out, arena, url.len);
	for (size_t i = 0; i < url.len; i++)
		buf_add_char(&out, url.p[i] == '\\' ? '/' : url.p[i]);
	return buf_span(&out);
}

/* Length of "http:" or "https:", 0 for others. */
size_t
url_http_len(struct span url)
{
	if (span_casestarts(url, SPAN("http:")))
		return 5;
	return span_casestarts(url, SPAN("https:")) ? 6 : 0;
}

/* Length of "http://" or "https://", 0 for others. */
size_t
url_http_slashes_len(struct span url)
{
	size_t n = url_http_len(url);

	return n && span_starts(span_skip(url, n), SPAN("//")) ? n + 2 : 0;
}

/* "http:x" and "http:/x" to "http://x". */
struct span
url_two_slashes(struct span url, struct arena *arena)
{
	size_t n = url_http_len(url), k = n;

	while (n && k < url.len && k < n + 2 && url.p[k] == '/')
		k++;
	if (!n || k == n + 2)
		return url;
	return arena_printf(arena, "%.*s//%.*s", SPAN_ARG(span_head(url, n)),
	    SPAN_ARG(span_skip(url, k)));
}

/* The byte of a %XX at the front; -1 when there is none. */
static int
percent(struct span s)
{
	int high = s.len > 2 ? ascii_hex(s.p[1]) : -1;
	int low = s.len > 2 ? ascii_hex(s.p[2]) : -1;

	return s.len > 2 && s.p[0] == '%' && high >= 0 && low >= 0
		   ? high << 4 | low
		   : -1;
}

static bool
has_percent(struct span url)
{
	size_t at = 0, more;

	while ((more = span_find_char(span_skip(url, at), '%')) != SPAN_NPOS) {
		at += more;
		if (percent(span_skip(url, at)) >= 0)
			return true;
		at++;
	}
	return false;
}

struct span
url_decode(struct span url, struct arena *arena)
{
	struct buf out;

	if (!has_percent(url))
		return url;
	buf_init(&out, arena, URL_LEN_MAX * 4);
	for (size_t i = 0; i < url.len; i++) {
		unsigned char u = (unsigned char)url.p[i];
		int byte = percent(span_skip(url, i));
		if (byte > 0x20 && byte < 0x7f) {
			buf_add_char(&out, (char)byte);
			i += 2;
		} else if (byte >= 0) {
			buf_add(&out, url.p + i, 3);
			i += 2;
		} else if (u <= ' ' || u >= 0x7f || u == '"' || u == '%' ||
			   u == '<' || u == '>') {
			buf_printf(&out, "%%%02x", u);
		} else {
			buf_add_char(&out, url.p[i]);
		}
	}
	return buf_span(&out);
}

/* "xyz:" of letters, digits, '-' and '_'. */
static bool
has_scheme(struct span url)
{
	size_t n = 0;

	while (n < url.len &&
	       (ascii_is_alnum(url.p[n]) || url.p[n] == '_' || url.p[n] == '-'))
		n++;
	return n > 0 && n < url.len && url.p[n] == ':';
}

struct span
url_add_scheme(struct span url, struct arena *arena)
{
	if (has_scheme(url))
		return url;
	return arena_printf(arena, "%s://%.*s",
	    span_starts(url, SPAN("ftp.")) ? "ftp" : "http", SPAN_ARG(url));
}

/* '?' or '#' right behind the host gets a '/'. */
struct span
url_slash_after_host(struct span url, struct arena *arena)
{
	size_t n = url_http_slashes_len(url);
	size_t end = n + span_head(span_skip(url, n),
			     span_find_any(span_skip(url, n), "/?#"))
			     .len;

	if (!n || end == n || end == url.len || url.p[end] == '/')
		return url;
	return arena_printf(arena, "%.*s/%.*s", SPAN_ARG(span_head(url, end)),
	    SPAN_ARG(span_skip(url, end)));
}

/* The character of "&#NN;" at the front that is printable ASCII or one of the
 * dots of other scripts; 0 for others. */
static char
printable_reference(struct span s, size_t *ret_len)
{
	static const uint32_t dots[] = {0x2e, 0x3002, 0xff0e, 0xff61};
	bool hex = s.len > 2 && (s.p[2] | 0x20) == 'x';
	size_t n = hex ? 3 : 2, start = n;
	uint32_t code = 0;

	if (!span_starts(s, SPAN("&#")))
		return '\0';
	for (; n < s.len && code < 0x10000; n++) {
		int digit = ascii_hex(s.p[n]);
		if (digit < 0 || (!hex && digit > 9))
			break;
		code = code * (hex ? 16 : 10) + (uint32_t)digit;
	}
	if (n == start || n >= s.len || s.p[n] != ';')
		return '\0';
	*ret_len = n + 1;
	for (size_t i = 0; i < sizeof dots / sizeof *dots; i++)
		if (code == dots[i])
			return '.';
	return code > ' ' && code < 0x7f ? (char)code : '\0';
}

struct span
url_references(struct span url, struct arena *arena)
{
	struct buf out;

	if (span_find(url, SPAN("&#"), 0) == SPAN_NPOS)
		return url;
	buf_init(&out, arena, url.len);
	for (size_t i = 0; i < url.len; i++) {
		size_t n = 1;
		char c = printable_reference(span_skip(url, i), &n);
		buf_add_char(&out, c ? c : url.p[i]);
		i += c ? n - 1 : 0;
	}
	return buf_span(&out);
}
