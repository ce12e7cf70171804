#include "filter/base/buf.h"
#include "filter/mail/domain.h"
#include "filter/mail/url.h"

/*
 * Links in plain text (rule language, section 5.4). Text is cut into runs at
 * the bytes that end every link; a run without '.', '@' and ':' holds none. In
 * the others each position where a link may begin is tried: a known scheme, an
 * address, a bare host. All three end at fixed points of the run, so that the
 * search is linear.
 */

#define REST_MAX 2048 /* bytes behind a scheme or a bare host's '/' */
#define MAIL_MAX 251  /* bytes on each side of the '@' */
#define HOST_LONGEST 252
#define PORT_DIGITS 5

enum class {
	ENDS = 1,      /* ends every link */
	ENDS_MAIL = 2, /* ends an address */
	STARTS = 4,    /* a link may begin behind it */
	STARTS_HOST = 8,
	HOST = 16,
	HINT = 32, /* no link without one of them */
	WORD = 64,
};

static uint8_t
class_of(char c)
{
	unsigned char u = (unsigned char)c;
	uint8_t class = 0;

	if (ascii_is_alnum(c))
		return HOST | WORD;
	if (u >= 0x80)
		class |= ENDS_MAIL;
	if (u == 0x1b || u == 0xa0 || ascii_is_space(c))
		return class | ENDS | ENDS_MAIL | STARTS | STARTS_HOST;
	if (u < 0x20 || u >= 0x7f)
		return class;
	if (strchr("><\"`{[|", c))
		class |= ENDS | ENDS_MAIL | STARTS;
	if (strchr("}]", c))
		class |= ENDS | ENDS_MAIL;
	if (strchr("'(,", c))
		class |= ENDS_MAIL | STARTS;
	if (strchr("-._", c))
		class |= HOST;
	if (strchr(".@:", c))
		class |= HINT;
	if (c == '_')
		class |= WORD;
	if (strchr("!\"#$&'()*+,/:;<=>?@[\\]^`{|}~", c))
		class |= STARTS_HOST;
	return class;
}

struct scan {
	struct url_finder *finder;
	struct span text; /* the whole piece */
	size_t end;       /* of the run */
	size_t mail_end;  /* of the run without what ends addresses */
	size_t at; /* of the first '@' in it; its end when there is none */
	const uint8_t *class;
};

static bool
is(const struct scan *s, size_t at, unsigned class)
{
	return (s->class[(unsigned char)s->text.p[at]] & class) != 0;
}

static struct span
from(const struct scan *s, size_t at)
{
	return span_make(s->text.p + at, s->end - at);
}

/* --- what was found ------------------------------------------------------------------- */

enum kind { KIND_SCHEME, KIND_MAIL, KIND_HOST };

/* A ')' ends what has no '(' before it; final punctuation goes. */
static struct span
trim_end(struct span raw)
{
	struct span before = span_head(raw, span_find_char(raw, '('));
	size_t close = span_rfind_char(before, ')');

	if (close != SPAN_NPOS)
		raw = span_head(raw, close);
	while (raw.len && memchr("-~!@#^&*()_+=:;'?,.", raw.p[raw.len - 1], 19))
		raw.len--;
	return raw;
}

/* "scheme:", "scheme:/" or "scheme://" and nothing more. */
static bool
is_empty(struct span raw)
{
	struct span scheme = span_cut(&raw, ':');

	for (size_t i = 0; i < scheme.len; i++)
		if (!ascii_is_alnum(scheme.p[i]) && scheme.p[i] != '_')
			return false;
	return scheme.len && raw.p &&
	       (raw.len == 0 || span_is(raw, "/") || span_is(raw, "//"));
}

/* "www" and up to two digits and a dot. */
static size_t
www_len(struct span s)
{
	size_t n = 3;

	if (!span_casestarts(s, SPAN("www")))
		return 0;
	while (n < s.len && n < 5 && ascii_is_digit(s.p[n]))
		n++;
	return n < s.len && s.p[n] == '.' ? n + 1 : 0;
}

/* "skype:", "email:", "e-mail:", "mail:" or ":" before an address. */
static struct span
without_label(struct span raw)
{
	static const char *const labels[] = {
	    "skype", "e-mail", "email", "-mail", "mail", ""};

	for (size_t i = 0; i < sizeof labels / sizeof *labels; i++) {
		struct span label = span_of(labels[i]);
		struct span rest = span_skip(raw, label.len);
		if (!span_casestarts(raw, label) ||
		    !span_starts(rest, SPAN(":")))
			continue;
		while (span_starts(rest, SPAN(":")))
			rest = span_skip(rest, 1);
		return rest;
	}
	return raw;
}

/* What a link without a scheme gets; p NULL: it is none. */
static struct span
with_scheme(struct span raw, struct arena *arena)
{
	size_t at = span_rfind_char(raw, '@');
	size_t slash = span_find_char(raw, '/');
	const char *scheme = "http://";

	if (span_casestarts(raw, SPAN("ftp."))) {
		scheme = "ftp://";
	} else if (at != SPAN_NPOS && !www_len(raw) &&
		   !(slash != SPAN_NPOS && slash + 1 < at)) {
		/* An address; without a dot behind it, none. */
		struct span host = span_skip(raw, span_find_char(raw, '@') + 1);
		if (span_find_char(span_skip(host, 1), '.') == SPAN_NPOS ||
		    span_find(raw, SPAN("&nbsp;"), 0) != SPAN_NPOS)
			return SPAN_NONE;
		raw = without_label(raw);
		scheme = "mailto:";
	} else if (span_find_char(raw, '.') == SPAN_NPOS) {
		return SPAN_NONE;
	}
	return arena_printf(arena, "%s%.*s", scheme, SPAN_ARG(raw));
}

/* The domain of a mailto is one under a known top-level domain. */
static bool
is_mail_valid(struct span url)
{
	size_t at = span_find_char(url, '@');

	if (at == SPAN_NPOS)
		return false;
	struct span host = span_skip(url, at + 1);
	host = span_head(host, span_find_any(host, "?&>"));
	while (span_ends(host, SPAN("%20")))
		host = span_head(host, host.len - 3);
	return span_find_any(host, " \t\r\n\f\v") == SPAN_NPOS &&
	       url_known_tld(host);
}

static void
add(struct url_finder *finder, struct span text, bool schemeless)
{
	struct url_forms forms = {0};
	struct url url;
	bool valid = false;

	url_forms(&forms, text, finder->arena);
	for (size_t i = 0; i < forms.n && !valid; i++)
		valid = url_has_domain(forms.v[i]);
	if (!valid)
		return;
	if (!url_parse(&url, span_head(text, URL_LEN_MAX), finder->arena))
		url = (struct url){0};
	url.text = text;
	url.schemeless = schemeless;
	url.forms = forms;
	struct url *to = VEC_PUSH(finder->arena, &finder->list);
	if (to)
		*to = url;
}

static void
take(struct url_finder *finder, struct span raw, enum kind kind)
{
	struct span url;

	raw = trim_end(raw);
	if (!raw.len || map_get(&finder->seen, raw))
		return;
	if (finder->list.n >= URL_MAX || finder->seen.n >= 4 * URL_MAX ||
	    arena_used(finder->arena) - finder->start > URL_MEMORY_MAX) {
		finder->truncated = true;
		return;
	}
	if (map_put(&finder->seen, raw, finder)) {
		arena_fail(finder->arena);
		return;
	}
	if (kind == KIND_MAIL && span_find_char(raw, '@') == SPAN_NPOS)
		return;
	if (span_casestarts(raw, SPAN("cid:")) ||
	    span_casestarts(raw, SPAN("mid:")) || is_empty(raw))
		return;
	bool schemeless = !span_casestarts(raw, SPAN("http:")) &&
			  !span_casestarts(raw, SPAN("https:")) &&
			  !span_casestarts(raw, SPAN("ftp:")) &&
			  !span_casestarts(raw, SPAN("mailto:"));
	url = schemeless ? with_scheme(raw, finder->arena) : raw;
	if (!url.p)
		return;
	if (span_casestarts(url, SPAN("mailto:"))) {
		url = url_decode(url, finder->arena);
		if (!is_mail_valid(url))
			return;
	}
	add(finder, url, schemeless);
}

/* --- where links stand ---------------------------------------------------------------- */

static bool
may_begin(const struct scan *s, size_t at)
{
	const char *p = s->text.p;

	if (at == 0)
		return is(s, at, WORD);
	if (is(s, at - 1, STARTS) || is(s, at - 1, WORD) != is(s, at, WORD))
		return true;
	/* Behind a shift of ISO 2022: ESC ( and a letter. */
	return at >= 3 && p[at - 3] == '\x1b' && p[at - 2] == '(';
}

/* "http://", "ftp://", "www." and more of the run behind it. */
static bool
is_scheme(struct span rest)
{
	static const char *const starts[] = {
	    "http://", "https://", "ftp://", "ftp."};
	size_t n = www_len(rest);

	for (size_t i = 0; n == 0 && i < sizeof starts / sizeof *starts; i++)
		if (span_casestarts(rest, span_of(starts[i])))
			n = strlen(starts[i]);
	return n && rest.len > n && rest.len - n <= REST_MAX;
}

/* Notes where an address at `at` would end and where its '@' is. */
static void
look_ahead(struct scan *s, size_t at)
{
	if (at >= s->mail_end) {
		s->mail_end = at;
		while (s->mail_end < s->end && !is(s, s->mail_end, ENDS_MAIL))
			s->mail_end++;
		s->at = at;
	}
	while (s->at < s->mail_end && (s->at <= at || s->text.p[s->at] != '@'))
		s->at++;
}

static bool
is_mail(struct scan *s, size_t at)
{
	look_ahead(s, at);
	struct span rest = span_make(s->text.p + at, s->mail_end - at);
	if (span_casestarts(rest, SPAN("mailto:")) && rest.len > 7 &&
	    rest.len - 7 <= REST_MAX)
		return true;
	if (s->at >= s->mail_end || s->text.p[at] == '@')
		return false;
	size_t behind = s->mail_end - s->at - 1;
	return s->at - at <= MAIL_MAX && behind >= 1 && behind <= MAIL_MAX;
}

/* A port and a path behind a bare host, up to the end of the run. */
static bool
is_host_rest(struct span rest)
{
	if (span_starts(rest, SPAN(":"))) {
		size_t n = 1;
		while (n < rest.len && n <= PORT_DIGITS &&
		       ascii_is_digit(rest.p[n]))
			n++;
		if (n == 1)
			return false;
		rest = span_skip(rest, n);
	}
	if (rest.len == 0)
		return true;
	return rest.p[0] == '/' && rest.len > 1 && rest.len - 1 <= REST_MAX;
}

/* A bare host at `at`; `ret_valid` says whether it is one that counts. */
static bool
is_host(const struct scan *s, size_t at, bool *ret_valid)
{
	size_t n = at;

	if (at > 0 && !is(s, at - 1, STARTS_HOST))
		return false;
	if (!ascii_is_alnum(s->text.p[at]))
		return false;
	while (n < s->end && is(s, n, HOST))
		n++;
	struct span host = span_make(s->text.p + at, n - at);
	if (!is_host_rest(from(s, n)))
		return false;
	if (span_ends(host, SPAN(".")))
		host.len--;
	size_t dot = span_rfind_char(host, '.');
	if (dot == SPAN_NPOS || dot == 0 || dot > HOST_LONGEST ||
	    !url_known_tld(host))
		return false;
	*ret_valid = url_valid_host(host);
	return true;
}

static void
look_at_run(struct scan *s, size_t start)
{
	bool valid;

	s->mail_end = s->at = start;
	for (size_t at = start; at < s->end;) {
		if (!may_begin(s, at)) {
			at++;
		} else if (is_scheme(from(s, at))) {
			take(s->finder, from(s, at), KIND_SCHEME);
			return;
		} else if (is_mail(s, at)) {
			take(s->finder,
			    span_make(s->text.p + at, s->mail_end - at),
			    KIND_MAIL);
			at = s->mail_end;
		} else if (is_host(s, at, &valid)) {
			if (valid)
				take(s->finder, from(s, at), KIND_HOST);
			return;
		} else {
			at++;
		}
	}
}

void
url_finder_init(struct url_finder *finder, struct arena *arena)
{
	*finder =
	    (struct url_finder){.arena = arena, .start = arena_used(arena)};
	map_init(&finder->seen, arena, false);
	for (unsigned i = 0; i < 256; i++)
		finder->class[i] = class_of((char)i);
}

void
url_find(struct url_finder *finder, struct span text)
{
	struct scan s = {
	    .finder = finder, .text = text, .class = finder->class};

	for (size_t i = 0; i < text.len;) {
		size_t start = i;
		unsigned seen = 0;
		for (; i < text.len && !is(&s, i, ENDS); i++)
			seen |= s.class[(unsigned char)text.p[i]];
		s.end = i++;
		if (seen & HINT)
			look_at_run(&s, start);
	}
}
