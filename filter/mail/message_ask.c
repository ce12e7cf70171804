#include "filter/mail/message_internal.h"
#include "filter/mail/text.h"
#include "filter/mail/word.h"

/*
 * The questions about a message, answered when first asked and kept: text of
 * headers, tree, decoded parts, HTML, links. What is decoded stays within a
 * budget that all parts share.
 */

unsigned
message_lacks(const struct message *m)
{
	return m->lacks;
}

const struct header_list *
message_headers(const struct message *m)
{
	return &m->headers;
}

struct span
message_body_bytes(const struct message *m)
{
	return m->body;
}

size_t
message_size(const struct message *m)
{
	return m->size;
}

size_t
message_body_size(const struct message *m)
{
	return m->body_size;
}

struct span
message_header_text(struct message *m, const struct header *h)
{
	struct span key = span_make((const char *)&h, sizeof h);
	struct span *text = map_get(&m->header_texts, key);

	if (text)
		return *text;
	text = arena_alloc(m->arena, sizeof *text);
	key = arena_span(m->arena, key);
	if (!text || !key.p)
		return SPAN_NONE;
	struct span line = header_unfold(h->raw, m->arena);
	*text = word_decode(line, m->arena);
	if (map_put(&m->header_texts, key, text))
		arena_fail(m->arena);
	return *text;
}

const struct addr_list *
message_from(struct message *m)
{
	struct addr_list *all = &m->from;

	if (m->from_done)
		return all;
	m->from_done = true;
	for (size_t i = 0; i < m->headers.fields.n; i++) {
		const struct header *h = &m->headers.fields.v[i];
		struct addr_list one;
		if (!span_caseis(span_trim(h->name), "From"))
			continue;
		addr_parse(&one, h->raw, m->arena);
		all->ambiguous |=
		    one.ambiguous || h->name.len != span_trim(h->name).len;
		all->group |= one.group;
		all->truncated |= one.truncated;
		for (size_t k = 0; k < one.items.n; k++) {
			struct addr *to = VEC_PUSH(m->arena, &all->items);
			if (to)
				*to = one.items.v[k];
		}
	}
	return all;
}

const struct mime_tree *
message_tree(struct message *m)
{
	if (!m->tree_done) {
		m->tree_done = true;
		(void)mime_walk(&m->tree, &m->headers, m->body, m->arena);
	}
	return &m->tree;
}

/* How much of a part may be decoded: all texts of a message share one budget,
 * all other parts another. */
static size_t *
decode_budget(struct message *m, const struct mime_part *part)
{
	struct span type = part->ctype.type;

	if (part->html_name || span_starts(type, SPAN("text/")) ||
	    span_starts(type, SPAN("message/")))
		return &m->text_left;
	return &m->other_left;
}

struct span
message_part_decoded(struct message *m, struct mime_part *part)
{
	if (part->decoded_done)
		return part->decoded;
	part->decoded_done = true;
	size_t *left = decode_budget(m, part);
	part->decoded = mime_decode(&m->tree, part, *left, m->arena);
	if (part->decoded.len == *left && part->body.len)
		m->lacks |= MESSAGE_LACK_TEXT;
	*left -= part->decoded.len;
	return part->decoded;
}

struct span
message_part_text(struct message *m, struct mime_part *part)
{
	if (!part->text_done) {
		struct span decoded = message_part_decoded(m, part);
		part->text_done = true;
		part->text =
		    text_utf8(part, decoded, m->options.text_max, m->arena);
	}
	return part->text;
}

const struct html *
message_part_html(struct message *m, struct mime_part *part)
{
	if (!part->leaf || !text_is_html(part))
		return NULL;
	if (!part->html_done) {
		struct span text = message_part_text(m, part);
		part->html_done = true;
		part->html = html_parse(text, m->arena);
	}
	return part->html;
}

static void
add_html_links(struct message *m, const struct html *html)
{
	for (size_t i = 0; html && i < html->links.n; i++) {
		const struct html_link *link = &html->links.v[i];
		struct url url;
		if (m->urls.n >= URL_MAX ||
		    !url_parse(&url, link->target, m->arena))
			continue;
		url.from_html = true;
		url.anchor = link->text;
		struct url *to = VEC_PUSH(m->arena, &m->urls);
		if (to)
			*to = url;
	}
}

const struct url_list *
message_urls(struct message *m)
{
	const struct mime_tree *tree = message_tree(m);

	if (m->urls_done)
		return &m->urls;
	m->urls_done = true;
	const struct url_list *found = view_found(m);
	for (size_t i = 0; i < found->n; i++) {
		struct url *to =
		    found->v[i].host.len ? VEC_PUSH(m->arena, &m->urls) : NULL;
		if (to)
			*to = found->v[i];
	}
	for (size_t i = 0; i < tree->parts.n; i++)
		add_html_links(m, message_part_html(m, tree->parts.v[i]));
	return &m->urls;
}

void
message_set_envelope_from(struct message *m, struct span from)
{
	m->envelope_from = from.p ? arena_span(m->arena, from) : SPAN_NONE;
}

struct span
message_envelope_from(const struct message *m)
{
	return m->envelope_from;
}
