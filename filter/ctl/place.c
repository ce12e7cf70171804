#include "filter/ctl/place.h"

#include "filter/base/ip.h"

/*
 * Addresses of a milter. Nothing is looked up: names of hosts and ports compare
 * as text, but for those of this machine.
 */

static bool
take(struct span *text, struct span prefix)
{
	if (!span_casestarts(*text, prefix))
		return false;
	*text = span_skip(*text, prefix.len);
	return true;
}

struct place
place_of_libmilter(struct span text)
{
	struct place p = {0};

	text = span_trim(text);
	if (take(&text, SPAN("fd:"))) {
		p.kind = PLACE_FD;
		p.port = text;
	} else if (take(&text, SPAN("inet:")) || take(&text, SPAN("inet6:"))) {
		p.kind = PLACE_INET;
		p.port = span_cut(&text, '@');
		p.host = text;
	} else if (take(&text, SPAN("unix:")) || take(&text, SPAN("local:")) ||
		   span_starts(text, SPAN("/"))) {
		p.kind = PLACE_UNIX;
		p.path = text;
	}
	return p;
}

struct place
place_of_postfix(struct span text)
{
	struct place p = {0};

	text = span_trim(text);
	if (take(&text, SPAN("unix:"))) {
		p.kind = PLACE_UNIX;
		p.path = text;
		return p;
	}
	if (!take(&text, SPAN("inet:")))
		return p;
	size_t colon = span_rfind_char(text, ':');
	p.kind = PLACE_INET;
	p.host = colon == SPAN_NPOS ? SPAN_NONE : span_head(text, colon);
	p.port = colon == SPAN_NPOS ? text : span_skip(text, colon + 1);
	if (span_starts(p.host, SPAN("[")) && span_ends(p.host, SPAN("]")))
		p.host = span_head(span_skip(p.host, 1), p.host.len - 2);
	return p;
}

bool
place_is_loopback(struct span host)
{
	struct ip ip;

	if (span_caseis(host, "localhost") ||
	    span_caseis(host, "ip6-localhost"))
		return true;
	return ip_parse(host, &ip) == 0 && ip_is_loopback(&ip);
}

/* No host, or the address that stands for all of them. */
static bool
is_any(struct span host)
{
	return host.len == 0 || span_is(host, "0.0.0.0") || span_is(host, "::");
}

bool
place_is_public(const struct place *place)
{
	return place->kind == PLACE_INET && !place_is_loopback(place->host);
}

/* --- paths -------------------------------------------------------------------- */

/* The next name of a path, "." passed over; false at the end. */
static bool
next_name(struct span *path, struct span *ret)
{
	while (path->len) {
		*ret = span_cut(path, '/');
		if (ret->len && !span_is(*ret, "."))
			return true;
	}
	return false;
}

bool
place_same_path(struct span a, struct span b)
{
	struct span x, y;

	if (span_starts(a, SPAN("/")) != span_starts(b, SPAN("/")))
		return false;
	for (;;) {
		bool more_a = next_name(&a, &x), more_b = next_name(&b, &y);
		if (more_a != more_b)
			return false;
		if (!more_a)
			return true;
		if (!span_eq(x, y))
			return false;
	}
}

bool
place_meets(const struct place *theirs, const struct place *ours)
{
	if (theirs->kind != ours->kind)
		return false;
	if (ours->kind == PLACE_UNIX)
		return place_same_path(theirs->path, ours->path);
	if (ours->kind != PLACE_INET || !span_eq(theirs->port, ours->port))
		return false;
	return span_caseeq(theirs->host, ours->host) ||
	       (place_is_loopback(theirs->host) &&
		   (is_any(ours->host) || place_is_loopback(ours->host)));
}

struct span
place_join(struct span folder, struct span path, struct arena *arena)
{
	struct span name, parts[2] = {folder, path};
	struct buf b;

	buf_init(&b, arena, folder.len + path.len + 4);
	for (size_t i = 0; i < 2; i++)
		while (next_name(&parts[i], &name)) {
			buf_add_char(&b, '/');
			buf_add_span(&b, name);
		}
	return b.len ? buf_span(&b) : SPAN("/");
}

struct span
place_below(struct span path, struct span folder, struct arena *arena)
{
	struct span whole = place_join(SPAN_NONE, path, arena);
	struct span top = place_join(SPAN_NONE, folder, arena);

	if (top.len < 2 || whole.len <= top.len || !span_starts(whole, top) ||
	    whole.p[top.len] != '/')
		return SPAN_NONE;
	return span_skip(whole, top.len + 1);
}
