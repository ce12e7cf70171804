#include "filter/base/buf.h"
#include "filter/mail/url_internal.h"

/*
 * The set of strings that uri rules see for one link (rule language, section
 * 5.4): as found, and each form that a mail program or browser may make of it.
 * A link inside a link's path is taken in turn, a bounded number of them.
 */

#define INNER_MAX 10 /* links inside links */

struct work {
	struct url_forms *list;
	size_t from; /* of the forms of this link */
	struct span inner[INNER_MAX + 1];
	size_t n;
	struct arena *arena;
};

static void
keep(struct work *w, struct span form)
{
	form = span_head(form, URL_LEN_MAX);
	for (size_t i = w->from; i < w->list->n; i++)
		if (span_eq(w->list->v[i], form))
			return;
	struct span *to = VEC_PUSH(w->arena, w->list);
	if (to)
		*to = form;
}

/* --- the host ------------------------------------------------------------------------- */

struct split {
	struct span scheme; /* with "//" */
	struct span auth;   /* with '@' */
	struct span host;
	struct span rest;
};

static bool
split_http(struct span url, struct split *ret)
{
	size_t n = url_http_slashes_len(url);

	if (!n)
		return false;
	ret->scheme = span_head(url, n);
	url = span_skip(url, n);
	struct span user = span_head(url, span_find_any(url, "@/?#"));
	ret->auth = SPAN("");
	if (user.len < url.len && url.p[user.len] == '@' &&
	    user.len + 1 < url.len && !memchr("/?#:", url.p[user.len + 1], 4)) {
		ret->auth = span_head(url, user.len + 1);
		url = span_skip(url, user.len + 1);
	}
	ret->host = span_head(url, span_find_any(url, "/?#:"));
	ret->rest = span_skip(url, ret->host.len);
	return ret->host.len > 0;
}

static void
keep_host(struct work *w, const struct split *s, struct span host)
{
	keep(w, arena_printf(w->arena, "%.*s%.*s%.*s", SPAN_ARG(s->scheme),
		    SPAN_ARG(host), SPAN_ARG(s->rest)));
}

/* ":80" behind http, ":443" behind https. True when there is no port. */
static bool
port_forms(struct work *w, const struct split *s)
{
	bool plain = s->scheme.len == 7;
	struct span port = plain ? SPAN(":80") : SPAN(":443");
	struct span rest = s->rest;
	size_t n = 1;

	while (n < rest.len && ascii_is_digit(rest.p[n]))
		n++;
	if (!span_starts(rest, SPAN(":")) || n == 1)
		return true;
	rest = span_skip(rest, port.len);
	bool ends =
	    !rest.len || !(ascii_is_alnum(rest.p[0]) || rest.p[0] == '_');
	if (span_starts(s->rest, port) && ends)
		keep(w,
		    arena_printf(w->arena, "%.*s%.*s%.*s", SPAN_ARG(s->scheme),
			SPAN_ARG(s->host), SPAN_ARG(rest)));
	return false;
}

static struct span
without_controls(struct span host, struct arena *arena)
{
	struct buf out;

	buf_init(&out, arena, host.len);
	for (size_t i = 0; i < host.len; i++)
		if ((unsigned char)host.p[i] > ' ')
			buf_add_char(&out, host.p[i]);
	return buf_span(&out);
}

/* The link inside the rest of a link is taken as one of its own. */
static void
find_inner(struct work *w, struct span rest)
{
	size_t at = span_casefind(rest, SPAN("http"), 0);

	for (; at != SPAN_NPOS;
	     at = span_casefind(rest, SPAN("http"), at + 4)) {
		struct span inner = span_skip(rest, at);
		size_t n = url_http_len(inner);
		struct span body = span_skip(inner, n);
		if (!n || !body.len || body.p[0] == '&' || body.p[0] == '#')
			continue;
		inner = span_head(inner, span_find_any(inner, "&#"));
		if (w->n <= INNER_MAX &&
		    span_find_char(inner, '.') != SPAN_NPOS)
			w->inner[w->n++] = inner;
		return;
	}
}

/* One number of an address, "0x" or "0" first; false when it is none. */
static bool
octet(struct span s, uint64_t *ret)
{
	unsigned base = 10;
	uint64_t value = 0;

	if (!s.len)
		return false;
	if (span_casestarts(s, SPAN("0x")) && s.len > 2) {
		base = 16;
		s = span_skip(s, 2);
	} else if (s.p[0] == '0') {
		while (s.len && s.p[0] == '0')
			s = span_skip(s, 1);
		base = s.len <= 3 ? 8 : 10;
		for (size_t i = 0; i < s.len; i++)
			if (s.p[i] > '7')
				base = 10;
		/* Three digits are octal up to 377. */
		if (s.len == 3 && s.p[0] > '3')
			base = 10;
	}
	for (size_t i = 0; i < s.len; i++) {
		int digit = ascii_hex(s.p[i]);
		if (digit < 0 || (unsigned)digit >= base)
			return false;
		if (value <= UINT32_MAX)
			value = value * base + (unsigned)digit;
	}
	*ret = value;
	return true;
}

/* Four numbers with dots, as decimal ones; a zero vanishes. */
static bool
dotted_form(struct work *w, const struct split *s, struct span host)
{
	struct span parts[4], rest = host;
	struct buf out;
	uint64_t value;
	size_t n = 0;

	while (rest.p && n < 4) {
		parts[n] = span_cut(&rest, '.');
		if (!octet(parts[n++], &value))
			return false;
	}
	if (n != 4 || rest.p)
		return false;
	buf_init(&out, w->arena, URL_LEN_MAX);
	for (size_t i = 0; i < 4; i++) {
		(void)octet(parts[i], &value);
		if (i)
			buf_add_char(&out, '.');
		if (value)
			buf_add_u64(&out, value);
	}
	keep_host(w, s, buf_span(&out));
	return true;
}

/* "0x7f000001" and "2130706433". */
static bool
number_form(struct work *w, const struct split *s, struct span host)
{
	bool hex = span_casestarts(host, SPAN("0x")) && host.len > 2;
	uint64_t value = 0;

	if (!host.len)
		return false;
	for (size_t i = hex ? 2 : 0; i < host.len; i++) {
		int digit = ascii_hex(host.p[i]);
		if (digit < 0 || (!hex && digit > 9))
			return false;
		/* Of hexadecimal the last eight digits count. */
		if (hex)
			value = (value << 4 | (unsigned)digit) & UINT32_MAX;
		else if (value < UINT64_MAX / 16)
			value = value * 10 + (unsigned)digit;
	}
	while (value > UINT32_MAX)
		value >>= 4;
	keep_host(w, s,
	    arena_printf(w->arena, "%u.%u.%u.%u", (unsigned)(value >> 24),
		(unsigned)(value >> 16 & 255), (unsigned)(value >> 8 & 255),
		(unsigned)(value & 255)));
	return true;
}

/* "http://label/" to "http://www.label.com/", as a browser tries. */
static void
label_form(struct work *w, const struct split *s, struct span host)
{
	struct span label = host;

	if (span_casestarts(label, SPAN("www.")) && label.len > 4)
		label = span_skip(label, 4);
	if (!span_is(s->scheme, "http://") || s->auth.len || !label.len ||
	    span_find_char(label, '.') != SPAN_NPOS ||
	    span_caseis(host, "localhost") || url_known_tld(host))
		return;
	struct span name = arena_lower(w->arena, label);
	keep_host(w, s, arena_printf(w->arena, "www.%.*s.com", SPAN_ARG(name)));
}

static void
host_forms(struct work *w, struct span url)
{
	struct split s;

	if (!split_http(url, &s))
		return;
	bool no_port = port_forms(w, &s);
	struct span first = s.host;
	struct span host = without_controls(s.host, w->arena);
	if (host.len != s.host.len)
		keep_host(w, &s, host);
	find_inner(w, s.rest);
	size_t at = span_rfind_char(host, '@');
	if (at != SPAN_NPOS && at > 0) {
		host = span_skip(host, at + 1);
		keep_host(w, &s, host);
	}
	size_t len = host.len;
	while (host.len && !ascii_is_alnum(host.p[host.len - 1]))
		host.len--;
	if (host.len != len)
		keep_host(w, &s, host);
	if (!dotted_form(w, &s, host) && !number_form(w, &s, host) && no_port)
		label_form(w, &s, first);
}

/* --- mailto --------------------------------------------------------------------------- */

/* "x@y" at the front up to one of `ends`, which must follow unless `open`. */
static struct span
mail_until(struct span s, const char *ends, bool open)
{
	size_t at = span_find_char(s, '@');

	if (at == SPAN_NPOS || at == 0)
		return SPAN_NONE;
	struct span behind = span_skip(s, at + 1);
	size_t n = span_find_any(behind, ends);
	if (n == 0 || (n == SPAN_NPOS && !open) || !behind.len)
		return SPAN_NONE;
	return span_head(s, at + 1 + span_head(behind, n).len);
}

static void
keep_mail(struct work *w, struct span address)
{
	if (address.p)
		keep(w,
		    arena_printf(w->arena, "mailto:%.*s", SPAN_ARG(address)));
}

static void
mail_forms(struct work *w, struct span url)
{
	struct span short_url = mail_until(url, "?", false);
	struct span s = url;

	if (short_url.p)
		keep(w, short_url);
	short_url = mail_until(url, "?&", false);
	if (short_url.p && url.p[short_url.len] == '&')
		keep(w, short_url);
	if (span_find(url, SPAN("%20"), 0) != SPAN_NPOS) {
		if (span_casestarts(s, SPAN("mailto:")))
			s = span_skip(s, 7);
		while (span_starts(s, SPAN("%20")))
			s = span_skip(s, 3);
		keep_mail(w, mail_until(s, "?&%", true));
	}
	/* mailto:"Foo Bar"<foo.bar@example.com> */
	struct span head = span_head(url, span_find_any(url, "?&"));
	size_t open = span_rfind_char(head, '<');
	if (open == SPAN_NPOS)
		return;
	s = span_skip(url, open + 1);
	size_t close = span_find_char(s, '>');
	size_t at = span_find_char(s, '@');
	if (close != SPAN_NPOS && at != SPAN_NPOS && at > 0 && at + 1 < close)
		keep_mail(w, span_head(s, close));
}

static bool
is_mail(struct span url)
{
	struct span head = span_head(url, span_find_char(url, ':'));

	return span_casestarts(url, SPAN("mailto:")) ||
	       span_find_char(head, '@') != SPAN_NPOS;
}

/* --- all ------------------------------------------------------------------------------ */

static void
add_forms(struct work *w, struct span found)
{
	struct span url = found;

	if (url.len < 2 || memchr("#?&", url.p[0], 3) ||
	    (url.p[0] == '/' && url.p[1] != '/'))
		return;
	if (is_mail(url)) {
		mail_forms(w, url);
		return;
	}
	url = url_slashes(url, w->arena);
	url = url_two_slashes(url, w->arena);
	url = url_decode(url, w->arena);
	url = url_add_scheme(url, w->arena);
	url = url_slash_after_host(url, w->arena);
	url = url_references(url, w->arena);
	keep(w, url);
	host_forms(w, url);
}

void
url_forms(struct url_forms *list, struct span url, struct arena *arena)
{
	struct work w = {.list = list, .from = list->n, .arena = arena};

	w.inner[w.n++] = url;
	for (size_t i = 0; i < w.n; i++) {
		struct span one = url_without_newlines(w.inner[i], arena);
		keep(&w, one);
		add_forms(&w, one);
	}
}
