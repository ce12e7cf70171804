#include "filter/mail/html_internal.h"

/*
 * Relative links against a base: RFC 3986 section 5.2, loosely as
 * SpamAssassin does it: a link with the base's own scheme is relative too, and
 * one without any scheme gets "http:" before "//www." only.
 */

struct pieces {
	/* p NULL: not there; without their delimiters */
	struct span scheme, authority, path, query, fragment;
};

/* Cuts `*url` at the first of `ends`; what stands before it is returned. */
static struct span
take(struct span *url, const char *ends)
{
	struct span head = span_head(*url, span_find_any(*url, ends));

	*url = span_skip(*url, head.len);
	return head;
}

/* RFC 3986 appendix B. */
static void
take_apart(struct span url, struct pieces *ret)
{
	struct span rest = url;
	struct span scheme = take(&rest, ":/?#");

	*ret = (struct pieces){0};
	if (scheme.len && span_starts(rest, SPAN(":"))) {
		ret->scheme = scheme;
		url = span_skip(rest, 1);
	}
	if (span_starts(url, SPAN("//"))) {
		url = span_skip(url, 2);
		ret->authority = take(&url, "/?#");
	}
	ret->path = take(&url, "?#");
	if (span_starts(url, SPAN("?"))) {
		url = span_skip(url, 1);
		ret->query = take(&url, "#");
	}
	if (span_starts(url, SPAN("#")))
		ret->fragment = span_head(
		    span_skip(url, 1), span_find_char(span_skip(url, 1), '\n'));
}

/* True for `dots` at the start of `path` as a whole segment. */
static bool
is_segment(struct span path, struct span dots)
{
	return span_starts(path, dots) &&
	       (path.len == dots.len || path.p[dots.len] == '/');
}

/* Takes the last segment with its slash off the path that begins at `start`. */
static void
drop_segment(struct buf *out, size_t start)
{
	size_t len = out->len;

	while (len > start && out->p[len - 1] != '/')
		len--;
	buf_truncate(out, len > start ? len - 1 : start);
}

/* Adds a path without "." and ".." segments (section 5.2.4). */
static void
add_path(struct buf *out, struct span path)
{
	size_t start = out->len;

	if (span_starts(path, SPAN("../")))
		path = span_skip(path, 2);
	else if (span_starts(path, SPAN("./")))
		path = span_skip(path, 1);
	while (path.len) {
		bool up = is_segment(path, SPAN("/.."));
		if (up || is_segment(path, SPAN("/."))) {
			size_t n = up ? 3 : 2;
			if (up)
				drop_segment(out, start);
			path = path.len > n ? span_skip(path, n) : SPAN("/");
			continue;
		}
		size_t slash = span_find_char(span_skip(path, 1), '/');
		size_t n = slash == SPAN_NPOS ? path.len : slash + 1;
		buf_add(out, path.p, n);
		path = span_skip(path, n);
	}
}

/* Section 5.2.3. */
static void
add_merged(struct buf *out, const struct pieces *base, struct span path)
{
	size_t slash = span_rfind_char(base->path, '/');
	struct buf merged;

	buf_init(&merged, out->arena, HTML_URL_MAX * 2 + 1);
	if (base->authority.p && !base->path.len)
		buf_add_char(&merged, '/');
	else if (slash != SPAN_NPOS)
		buf_add_span(&merged, span_head(base->path, slash + 1));
	buf_add_span(&merged, path);
	add_path(out, buf_span(&merged));
}

/* "www." or "www2." at the start. */
static bool
has_prefix(struct span authority, struct span word)
{
	size_t n = word.len;

	if (!span_casestarts(authority, word))
		return false;
	while (n < authority.len && ascii_is_digit(authority.p[n]))
		n++;
	return n < authority.len && authority.p[n] == '.';
}

static void
add_start(struct buf *out, struct span scheme, struct span authority)
{
	if (scheme.len) {
		buf_add_span(out, scheme);
		buf_add_char(out, ':');
	} else if (authority.p && has_prefix(authority, SPAN("www"))) {
		buf_add_str(out, "http:");
	} else if (authority.p && has_prefix(authority, SPAN("ftp"))) {
		buf_add_str(out, "ftp:");
	}
	if (authority.p) {
		buf_add_str(out, "//");
		buf_add_span(out, authority);
	}
}

struct span
html_resolve(struct span base_text, struct span url, struct arena *arena)
{
	static const char *const kept[] = {
	    "data:", "mailto:", "file:", "cid:", "tel:"};
	struct pieces base, ref;
	struct buf out;

	for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
		if (span_casestarts(url, span_of(kept[i])))
			return url;
	take_apart(base_text, &base);
	take_apart(url, &ref);
	if (ref.scheme.p && base.scheme.p && span_eq(ref.scheme, base.scheme))
		ref.scheme = SPAN_NONE;
	buf_init(&out, arena, HTML_URL_MAX * 3);
	bool own = ref.scheme.p || ref.authority.p;
	add_start(&out, ref.scheme.p ? ref.scheme : base.scheme,
	    own ? ref.authority : base.authority);
	struct span query = ref.query;
	if (own || span_starts(ref.path, SPAN("/"))) {
		add_path(&out, ref.path);
	} else if (ref.path.len) {
		add_merged(&out, &base, ref.path);
	} else {
		buf_add_span(&out, base.path);
		query = ref.query.p ? ref.query : base.query;
	}
	if (query.p) {
		buf_add_char(&out, '?');
		buf_add_span(&out, query);
	}
	if (ref.fragment.p) {
		buf_add_char(&out, '#');
		buf_add_span(&out, ref.fragment);
	}
	return buf_span(&out);
}
