#include "filter/mail/url.h"

#include "filter/base/buf.h"
#include "filter/mail/domain.h"

/*
 * The set of strings that uri rules see for one link (rule language, section
 * 5.4): as found, and each form that a mail program or browser may make of it.
 * One step after the other changes the text; every change is kept. Links
 * inside a link's path are taken in turn, a bounded number of them.
 */

#define FORMS_MAX 40
#define INNER_MAX 5

static void
keep(struct url_forms *list, size_t from, struct span form, struct arena *arena)
{
	if (!form.len || list->n - from >= FORMS_MAX)
		return;
	for (size_t i = from; i < list->n; i++)
		if (span_eq(list->v[i], form))
			return;
	struct span *to = VEC_PUSH(arena, list);
	if (to)
		*to = form;
}

typedef struct span step_fn(struct span url, struct arena *arena);

/* --- steps on the whole text ------------------------------------------------------- */

static struct span
no_newlines(struct span url, struct arena *arena)
{
	struct buf out;

	if (span_find_any(url, "\r\n") == SPAN_NPOS)
		return url;
	buf_init(&out, arena, URL_LEN_MAX * 4);
	for (size_t i = 0; i < url.len; i++)
		if (url.p[i] != '\r' && url.p[i] != '\n')
			buf_add_char(&out, url.p[i]);
	return buf_span(&out);
}

static struct span
slashes(struct span url, struct arena *arena)
{
	struct buf out;

	if (span_find_char(url, '\\') == SPAN_NPOS)
		return url;
	buf_init(&out, arena, URL_LEN_MAX * 4);
	for (size_t i = 0; i < url.len; i++)
		buf_add_char(&out, url.p[i] == '\\' ? '/' : url.p[i]);
	return buf_span(&out);
}

/* Length of "http:" or "https:", 0 for others. */
static size_t
http_len(struct span url)
{
	if (span_casestarts(url, SPAN("http:")))
		return 5;
	return span_casestarts(url, SPAN("https:")) ? 6 : 0;
}

static bool
has_scheme(struct span url)
{
	size_t n = 0;

	while (n < url.len &&
	       (ascii_is_alnum(url.p[n]) || url.p[n] == '+' || url.p[n] == '-'))
		n++;
	return n > 0 && n < url.len && url.p[n] == ':';
}

/* "http:/x", "http:x" and "http:////x" to "http://x". */
static struct span
two_slashes(struct span url, struct arena *arena)
{
	size_t n = http_len(url), k = n;

	while (n && k < url.len && url.p[k] == '/')
		k++;
	if (!n || k - n == 2 || k == url.len)
		return url;
	return arena_printf(arena, "%.*s//%.*s", SPAN_ARG(span_head(url, n)),
	    SPAN_ARG(span_skip(url, k)));
}

static struct span
add_scheme(struct span url, struct arena *arena)
{
	const char *scheme = "http://";

	if (has_scheme(url))
		return url;
	if (span_casestarts(url, SPAN("ftp.")))
		scheme = "ftp://";
	else if (span_starts(url, SPAN("//")))
		scheme = "http:";
	return arena_printf(arena, "%s%.*s", scheme, SPAN_ARG(url));
}

static struct span
percent_decoded(struct span url, struct arena *arena)
{
	struct buf out;

	if (span_find_char(url, '%') == SPAN_NPOS)
		return url;
	buf_init(&out, arena, URL_LEN_MAX * 4);
	for (size_t i = 0; i < url.len; i++) {
		int high = i + 2 < url.len ? ascii_hex(url.p[i + 1]) : -1;
		int low = i + 2 < url.len ? ascii_hex(url.p[i + 2]) : -1;
		if (url.p[i] == '%' && high >= 0 && low >= 0) {
			buf_add_char(&out, (char)(high << 4 | low));
			i += 2;
		} else {
			buf_add_char(&out, url.p[i]);
		}
	}
	return buf_span(&out);
}

/* &#NN; references of printable characters. */
static struct span
entities_decoded(struct span url, struct arena *arena)
{
	struct buf out;

	if (span_find(url, SPAN("&#"), 0) == SPAN_NPOS)
		return url;
	buf_init(&out, arena, URL_LEN_MAX * 4);
	for (size_t i = 0; i < url.len; i++) {
		struct span rest = span_skip(url, i);
		size_t n = 2;
		uint64_t code = 0;
		if (!span_starts(rest, SPAN("&#"))) {
			buf_add_char(&out, url.p[i]);
			continue;
		}
		while (n < rest.len && n < 6 && ascii_is_digit(rest.p[n]))
			n++;
		if (span_to_u64(span_make(rest.p + 2, n - 2), &code) ||
		    code < 33 || code > 126) {
			buf_add_char(&out, url.p[i]);
			continue;
		}
		buf_add_char(&out, (char)code);
		i += n - (n < rest.len && rest.p[n] == ';' ? 0 : 1);
	}
	return buf_span(&out);
}

/* --- steps on the host ------------------------------------------------------------- */

struct split {
	struct span scheme; /* with "//" */
	struct span authority;
	struct span rest;
};

static bool
split_http(struct span url, struct split *ret)
{
	size_t n = http_len(url);

	if (!n || !span_starts(span_skip(url, n), SPAN("//")))
		return false;
	ret->scheme = span_head(url, n + 2);
	url = span_skip(url, n + 2);
	ret->authority = span_head(url, span_find_any(url, "/?#"));
	ret->rest = span_skip(url, ret->authority.len);
	return true;
}

static struct span
join(const struct split *s, struct span authority, struct arena *arena)
{
	return arena_printf(arena, "%.*s%.*s%.*s", SPAN_ARG(s->scheme),
	    SPAN_ARG(authority), SPAN_ARG(s->rest));
}

/* '?' or '#' right behind the host gets a '/'. */
static struct span
slash_after_host(struct span url, struct arena *arena)
{
	struct split s;

	if (!split_http(url, &s) || !s.rest.len || s.rest.p[0] == '/')
		return url;
	return arena_printf(arena, "%.*s%.*s/%.*s", SPAN_ARG(s.scheme),
	    SPAN_ARG(s.authority), SPAN_ARG(s.rest));
}

static struct span
no_userinfo(struct span url, struct arena *arena)
{
	struct split s;

	if (!split_http(url, &s))
		return url;
	size_t at = span_rfind_char(s.authority, '@');
	if (at == SPAN_NPOS)
		return url;
	return join(&s, span_skip(s.authority, at + 1), arena);
}

static struct span
no_default_port(struct span url, struct arena *arena)
{
	struct split s;

	if (!split_http(url, &s))
		return url;
	bool secure = s.scheme.len == 8;
	struct span port = secure ? SPAN(":443") : SPAN(":80");
	if (!span_ends(s.authority, port))
		return url;
	return join(
	    &s, span_head(s.authority, s.authority.len - port.len), arena);
}

/* Control characters, and what cannot end a host name, go. */
static struct span
clean_host(struct span url, struct arena *arena)
{
	struct split s;
	struct buf out;

	if (!split_http(url, &s))
		return url;
	buf_init(&out, arena, URL_LEN_MAX * 4);
	for (size_t i = 0; i < s.authority.len; i++)
		if (!ascii_is_control(s.authority.p[i]))
			buf_add_char(&out, s.authority.p[i]);
	struct span host = buf_span(&out);
	while (host.len && !ascii_is_alnum(host.p[host.len - 1]) &&
	       !ascii_is_8bit(host.p[host.len - 1]) &&
	       host.p[host.len - 1] != ']')
		host.len--;
	if (host.len == s.authority.len)
		return url;
	return join(&s, host, arena);
}

/* A-labels, and addresses as dotted quads. */
static struct span
plain_host(struct span url, struct arena *arena)
{
	struct split s;
	struct url parsed;

	if (!split_http(url, &s) || !url_parse(&parsed, url, arena) ||
	    parsed.userinfo)
		return url;
	struct span host = s.authority;
	size_t colon = span_rfind_char(host, ':');
	struct span port = SPAN("");
	if (colon != SPAN_NPOS && host.p[0] != '[') {
		port = span_skip(host, colon);
		host = span_head(host, colon);
	}
	if (span_caseeq(host, parsed.host))
		return url;
	struct span full = arena_printf(
	    arena, "%.*s%.*s", SPAN_ARG(parsed.host), SPAN_ARG(port));
	return join(&s, full, arena);
}

/* "http://label/" to "http://www.label.com/". */
static struct span
one_label(struct span url, struct arena *arena)
{
	struct split s;

	if (!split_http(url, &s) || !s.authority.len ||
	    span_find_any(s.authority, ".:[@") != SPAN_NPOS)
		return url;
	struct span host =
	    arena_printf(arena, "www.%.*s.com", SPAN_ARG(s.authority));
	return join(&s, host, arena);
}

static step_fn *const steps[] = {no_newlines, slashes, entities_decoded,
    add_scheme, two_slashes, percent_decoded, slash_after_host, no_userinfo,
    clean_host, no_default_port, plain_host, one_label};

/* --- mailto ------------------------------------------------------------------------ */

static void
mailto_forms(
    struct url_forms *list, size_t from, struct span url, struct arena *arena)
{
	struct span address = span_skip(url, 7);
	size_t open = span_find_char(address, '<');
	size_t close = span_rfind_char(address, '>');

	keep(list, from, span_head(url, span_find_any(url, "?")), arena);
	keep(list, from, span_head(url, span_find_any(url, "&")), arena);
	if (open != SPAN_NPOS && close != SPAN_NPOS && close > open)
		keep(list, from,
		    arena_printf(arena, "mailto:%.*s",
			SPAN_ARG(
			    span_make(address.p + open + 1, close - open - 1))),
		    arena);
}

/* --- all --------------------------------------------------------------------------- */

/* The next link inside the text behind its own scheme. */
static struct span
inner_link(struct span url)
{
	size_t at = span_casefind(url, SPAN("http"), 1);

	while (at != SPAN_NPOS) {
		struct span rest = span_skip(url, at);
		size_t n = http_len(rest);
		if (n && span_starts(span_skip(rest, n), SPAN("//")))
			return rest;
		at = span_casefind(url, SPAN("http"), at + 4);
	}
	return SPAN_NONE;
}

static struct span
all_steps(
    struct url_forms *list, size_t from, struct span url, struct arena *arena)
{
	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		url = span_head(steps[i](url, arena), URL_LEN_MAX);
		keep(list, from, url, arena);
	}
	return url;
}

void
url_forms(struct url_forms *list, struct span url, struct arena *arena)
{
	size_t from = list->n;

	keep(list, from, url, arena);
	if (url.len < 2 || strchr("/#?&", url.p[0]))
		return;
	if (span_casestarts(url, SPAN("mailto:"))) {
		mailto_forms(list, from, url, arena);
		return;
	}
	if (has_scheme(url) && !http_len(url) &&
	    !span_casestarts(url, SPAN("ftp:")))
		return;
	for (int i = 0; i < INNER_MAX && url.p; i++)
		url = inner_link(all_steps(list, from, url, arena));
}
