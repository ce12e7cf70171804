#include "filter/mail/view.h"

#include "filter/base/buf.h"
#include "filter/mail/message_internal.h"
#include "filter/mail/text.h"

/*
 * The texts that rules match, made as SpamAssassin makes them (rule language,
 * sections 5.2 to 5.4 and 11); body is view_body.c. Pieces are views into one
 * buffer per kind.
 */

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
	buf_add_span(&out, headers);
	buf_add_char(&out, '\n');
	if (m->body.len > max)
		m->lacks |= MESSAGE_LACK_TEXT;
	add_lf(&out, span_head(m->body, max));
	m->view_full = buf_span(&out);
	return m->view_full;
}

/* --- uri --------------------------------------------------------------------------- */

static void
add_forms(struct message *m, struct map *seen, struct span url)
{
	struct url_forms forms = {0};

	url_forms(&forms, span_head(url, URL_LEN_MAX), m->arena);
	for (size_t i = 0; i < forms.n; i++) {
		if (map_get(seen, forms.v[i]))
			continue;
		if (map_put(seen, forms.v[i], m)) {
			arena_fail(m->arena);
			return;
		}
		view_push(m, &m->view_uri, forms.v[i]);
	}
}

const struct view_list *
view_uri(struct message *m)
{
	const struct view_list *body;
	const struct mime_tree *tree;
	struct url_list found = {0};
	struct map seen;

	if (m->uri_done)
		return &m->view_uri;
	m->uri_done = true;
	body = view_body(m);
	tree = message_tree(m);
	map_init(&seen, m->arena, false);
	for (size_t i = 0; i < body->n && found.n < URL_MAX; i++)
		url_find(&found, body->v[i], m->arena);
	for (size_t i = 0; i < found.n && i < URL_MAX; i++)
		add_forms(m, &seen, found.v[i].text);
	for (size_t i = 0; i < tree->parts.n; i++) {
		const struct html *html =
		    message_part_html(m, tree->parts.v[i]);
		for (size_t k = 0; html && k < html->links.n; k++)
			add_forms(m, &seen, html->links.v[k].target);
	}
	return &m->view_uri;
}
