#include "filter/mail/view.h"

#include "filter/base/buf.h"
#include "filter/mail/message_internal.h"
#include "filter/mail/text.h"

/*
 * The texts that rules match, made as SpamAssassin makes them (rule language,
 * sections 5.2 to 5.4 and 11); body is view_body.c. Pieces are views into one
 * buffer per kind.
 */

#define VIEW_URIS_MAX 40000
#define RAWBODY_PART_BYTES 500000
#define CUT_LOOKAHEAD 1024 /* on to a better place to cut */
#define RAWBODY_SHORT 2048
#define RAWBODY_LONG 4096

void
view_push(struct message *m, struct view_list *list, struct span piece)
{
	struct span *to = VEC_PUSH(m->arena, list);

	if (to)
		*to = piece;
}

size_t
view_cut(struct span text, size_t at, const char *set)
{
	struct span ahead = span_head(span_skip(text, at), CUT_LOOKAHEAD + 1);

	for (; *set; set++) {
		size_t found = span_find_char(ahead, *set);
		if (found != SPAN_NPOS)
			return at + found + 1;
	}
	return at;
}

/* --- rawbody ----------------------------------------------------------------------- */

static bool
in_rawbody(const struct mime_part *part)
{
	if (!part->leaf || span_is(part->ctype.type, "text/calendar"))
		return false;
	return text_is_html(part) ||
	       span_starts(part->ctype.type, SPAN("text/")) ||
	       span_starts(part->ctype.type, SPAN("message/"));
}

/* How much of a text longer than RAWBODY_LONG is its next paragraph. */
static size_t
paragraph_len(struct span text)
{
	static const char ends[] = {'\n', '>', ' '};
	struct span window = span_head(
	    span_skip(text, RAWBODY_SHORT), RAWBODY_LONG - RAWBODY_SHORT);

	for (size_t i = 0; i < sizeof ends; i++) {
		size_t found = span_find_char(window, ends[i]);
		if (found != SPAN_NPOS)
			return RAWBODY_SHORT + found + 1;
	}
	return RAWBODY_SHORT + 1;
}

static void
split_rawbody(struct message *m, struct span text)
{
	while (text.len > RAWBODY_LONG) {
		size_t n = paragraph_len(text);
		view_push(m, &m->view_rawbody, span_head(text, n));
		text = span_skip(text, n);
	}
	view_push(m, &m->view_rawbody, text);
}

const struct view_list *
view_rawbody(struct message *m)
{
	const struct mime_tree *tree;
	size_t total = 0;

	if (m->rawbody_done)
		return &m->view_rawbody;
	m->rawbody_done = true;
	tree = message_tree(m);
	for (size_t i = 0; i < tree->parts.n; i++) {
		struct mime_part *part = tree->parts.v[i];
		if (!in_rawbody(part))
			continue;
		struct span text = message_part_decoded(m, part);
		size_t room = m->options.text_max - total;
		size_t end = text.len;
		if (end > RAWBODY_PART_BYTES)
			end = view_cut(text, RAWBODY_PART_BYTES, "\n> ");
		if (end > room)
			end = room;
		if (end < text.len)
			m->lacks |= MESSAGE_LACK_TEXT;
		split_rawbody(m, span_head(text, end));
		total += end;
	}
	return &m->view_rawbody;
}

/* --- full -------------------------------------------------------------------------- */

static void
add_lf(struct buf *out, struct span text)
{
	while (text.len) {
		size_t cr = span_find_char(text, '\r');
		if (cr == SPAN_NPOS) {
			buf_add_span(out, text);
			return;
		}
		bool crlf = cr + 1 < text.len && text.p[cr + 1] == '\n';
		buf_add(out, text.p, crlf ? cr : cr + 1);
		text = span_skip(text, cr + 1);
	}
}

struct span
view_full(struct message *m)
{
	struct buf out;
	struct span headers;
	size_t max = m->options.text_max;

	if (m->full_done)
		return m->view_full;
	m->full_done = true;
	buf_init(&out, m->arena, SIZE_MAX / 4);
	(void)view_header(m, SPAN("ALL"), VIEW_RAW, &headers);
	(void)buf_reserve(
	    &out, headers.len + 1 + (m->body.len < max ? m->body.len : max));
	buf_add_span(&out, headers);
	buf_add_char(&out, '\n');
	if (m->body.len > max)
		m->lacks |= MESSAGE_LACK_TEXT;
	add_lf(&out, span_head(m->body, max));
	m->view_full = buf_span(&out);
	return m->view_full;
}

/* --- uri --------------------------------------------------------------------------- */

const struct url_list *
view_found(struct message *m)
{
	const struct view_list *body = view_body(m);

	if (!m->found_done) {
		m->found_done = true;
		url_finder_init(&m->found, m->arena);
		for (size_t i = 0; i < body->n; i++)
			url_find(&m->found, body->v[i]);
		if (m->found.truncated)
			m->lacks |= MESSAGE_LACK_TEXT;
	}
	return &m->found.list;
}

static void
add_forms(struct message *m, struct map *seen, const struct url_forms *forms)
{
	for (size_t i = 0; i < forms->n; i++) {
		if (map_get(seen, forms->v[i]))
			continue;
		if (map_put(seen, forms->v[i], m)) {
			arena_fail(m->arena);
			return;
		}
		view_push(m, &m->view_uri, forms->v[i]);
	}
}

/* UTF-8 of characters up to U+00FF as the single bytes that Perl has. */
static struct span
narrow(struct span text, struct arena *arena)
{
	struct buf out;

	if (span_is_ascii(text))
		return text;
	buf_init(&out, arena, text.len);
	for (size_t i = 0; i < text.len; i++) {
		unsigned char u = (unsigned char)text.p[i];
		if (u < 0xc2 || u > 0xc3 || i + 1 == text.len) {
			buf_add_char(&out, text.p[i]);
			continue;
		}
		i++;
		buf_add_char(&out,
		    (char)((u & 3u) << 6 | ((unsigned char)text.p[i] & 63u)));
	}
	return buf_span(&out);
}

/* The forms of one link of HTML, if it is new. */
static void
add_html_uri(struct message *m, struct map *seen, struct span url)
{
	struct url_forms forms = {0};

	if (m->view_uri.n > VIEW_URIS_MAX ||
	    arena_used(m->arena) - m->uris_start > URL_MEMORY_MAX) {
		m->lacks |= MESSAGE_LACK_TEXT;
		return;
	}
	if (map_get(&m->uris_seen, url))
		return;
	if (map_put(&m->uris_seen, url, m)) {
		arena_fail(m->arena);
		return;
	}
	url_forms(&forms, url, m->arena);
	add_forms(m, seen, &forms);
}

static void
add_html_uris(struct message *m, struct map *seen, const struct html *html)
{
	for (size_t i = 0; html && i < html->links.n; i++) {
		const struct html_link *link = &html->links.v[i];
		struct span target = span_head(link->target, URL_LEN_MAX);
		struct span url = link->url;
		if (link->odd)
			continue;
		if (link->narrow) {
			target = narrow(target, m->arena);
			url = narrow(url, m->arena);
		}
		if (target.len)
			add_html_uri(m, seen, target);
		/* Its text is noted under what the <a> says: seen, too. */
		if (link->anchor)
			add_html_uri(m, seen, url);
	}
	if (html && html->bare_anchor)
		add_html_uri(m, seen, SPAN(""));
}

const struct view_list *
view_uri(struct message *m)
{
	const struct url_list *found;
	const struct mime_tree *tree;
	struct map seen;

	if (m->uri_done)
		return &m->view_uri;
	m->uri_done = true;
	found = view_found(m);
	tree = message_tree(m);
	map_init(&seen, m->arena, false);
	map_init(&m->uris_seen, m->arena, false);
	m->uris_start = arena_used(m->arena);
	for (size_t i = 0; i < found->n; i++)
		add_forms(m, &seen, &found->v[i].forms);
	for (size_t i = 0; i < tree->parts.n; i++)
		add_html_uris(m, &seen, message_part_html(m, tree->parts.v[i]));
	return &m->view_uri;
}
