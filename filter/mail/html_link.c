#include "filter/mail/html_internal.h"

/* Relative links against a base (RFC 3986 section 5.2). */

struct pieces {
	struct span scheme, authority, path, query; /* p NULL: not there;
						       query with its '?' */
};

static bool
has_scheme(struct span url, size_t *ret_len)
{
	size_t n = 0;

	if (!url.len || !ascii_is_alpha(url.p[0]))
		return false;
	while (n < url.len && (ascii_is_alnum(url.p[n]) || url.p[n] == '+' ||
				  url.p[n] == '-' || url.p[n] == '.'))
		n++;
	*ret_len = n;
	return n < url.len && url.p[n] == ':';
}

static void
take_apart(struct span url, struct pieces *ret)
{
	size_t n;

	*ret = (struct pieces){0};
	if (has_scheme(url, &n)) {
		ret->scheme = span_head(url, n);
		url = span_skip(url, n + 1);
	}
	if (span_starts(url, SPAN("//"))) {
		struct span rest = span_skip(url, 2);
		n = span_find_any(rest, "/?#");
		ret->authority = span_head(rest, n);
		url = n == SPAN_NPOS ? SPAN("") : span_skip(rest, n);
	}
	n = span_find_any(url, "?#");
	ret->path = span_head(url, n);
	ret->query = n == SPAN_NPOS ? SPAN_NONE : span_skip(url, n);
}

/* Where the last segment of [start, len) begins, its slash included. */
static size_t
last_segment(const struct buf *out, size_t start)
{
	size_t len = out->len;

	if (len > start && out->p[len - 1] == '/')
		len--;
	while (len > start && out->p[len - 1] != '/')
		len--;
	return len;
}

/* Adds a path without "." and ".." segments (section 5.2.4). */
static void
add_path(struct buf *out, struct span path)
{
	bool absolute = span_starts(path, SPAN("/"));
	struct span rest = absolute ? span_skip(path, 1) : path;
	size_t start;

	if (absolute)
		buf_add_char(out, '/');
	start = out->len;
	while (rest.p) {
		struct span segment = span_cut(&rest, '/');
		if (span_is(segment, "..")) {
			buf_truncate(out, last_segment(out, start));
		} else if (!span_is(segment, ".")) {
			buf_add_span(out, segment);
			if (rest.p)
				buf_add_char(out, '/');
		}
	}
}

static void
add_merged(struct buf *out, const struct pieces *base, struct span path)
{
	size_t slash = span_rfind_char(base->path, '/');
	struct buf merged;

	buf_init(&merged, out->arena, HTML_URL_MAX * 2);
	if (base->authority.p && !base->path.len)
		buf_add_char(&merged, '/');
	else if (slash != SPAN_NPOS)
		buf_add_span(&merged, span_head(base->path, slash + 1));
	buf_add_span(&merged, path);
	add_path(out, buf_span(&merged));
}

struct span
html_resolve(struct span base_text, struct span url, struct arena *arena)
{
	static const char *const kept[] = {
	    "data:", "mailto:", "file:", "cid:", "tel:"};
	struct pieces base, ref;
	struct buf out;
	size_t n;

	for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
		if (span_casestarts(url, span_of(kept[i])))
			return url;
	if (has_scheme(url, &n) || !base_text.len)
		return url;
	take_apart(base_text, &base);
	take_apart(url, &ref);
	buf_init(&out, arena, HTML_URL_MAX * 2);
	if (base.scheme.p) {
		buf_add_span(&out, base.scheme);
		buf_add_char(&out, ':');
	}
	struct span authority =
	    ref.authority.p ? ref.authority : base.authority;
	if (authority.p) {
		buf_add_str(&out, "//");
		buf_add_span(&out, authority);
	}
	if (ref.authority.p || span_starts(ref.path, SPAN("/")))
		add_path(&out, ref.path);
	else if (ref.path.len)
		add_merged(&out, &base, ref.path);
	else
		buf_add_span(&out, base.path);
	buf_add_span(
	    &out, ref.query.p || ref.path.len ? ref.query : base.query);
	return span_head(buf_span(&out), HTML_URL_MAX);
}
