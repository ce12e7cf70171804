/*
 * A whole message and every question about it: the walk, decoding, HTML, links
 * and all views. Read at once and fed in pieces, both must agree.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "filter/mail/view.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const names[] = {"ALL", "ToCc", "MESSAGEID", "EnvelopeFrom",
    "Subject", "From", "Content-Type"};

static void
ask_headers(struct message *m)
{
	struct span value;

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		for (unsigned flags = 0; flags < 32; flags++) {
			bool there =
			    view_header(m, span_of(names[i]), flags, &value);
			assert(there || value.len == 0);
		}
	const struct header_list *list = message_headers(m);
	for (size_t i = 0; i < list->fields.n && i < 20; i++)
		(void)message_header_text(m, &list->fields.v[i]);
	(void)message_from(m);
}

static void
check_tree(struct message *m)
{
	const struct mime_tree *tree = message_tree(m);

	assert(tree->root && tree->parts.n >= 1);
	assert(tree->parts.n <= MIME_PARTS_MAX);
	for (size_t i = 0; i < tree->parts.n; i++) {
		struct mime_part *part = tree->parts.v[i];
		assert(part->index == i);
		assert(part->depth <= MIME_DEPTH_MAX);
		assert(!part->parent || part->depth == part->parent->depth + 1);
		assert(!part->leaf || !part->child);
		assert(part->ctype.type.len > 0);
		(void)message_part_decoded(m, part);
		(void)message_part_text(m, part);
		const struct html *html = message_part_html(m, part);
		assert(!html || html->links.n <= HTML_LINKS_MAX);
	}
}

static void
check_views(struct message *m)
{
	const struct view_list *body = view_body(m);

	assert(body->n >= 1);
	for (size_t i = 0; i < body->n; i++)
		assert(body->v[i].len <= 2048 || i == 0);
	const struct view_list *raw = view_rawbody(m);
	for (size_t i = 0; i < raw->n; i++)
		assert(raw->v[i].len <= 4096);
	const struct view_list *uri = view_uri(m);
	for (size_t i = 0; i < uri->n; i++)
		assert(uri->v[i].len <= URL_LEN_MAX);
	const struct url_list *urls = message_urls(m);
	for (size_t i = 0; i < urls->n; i++)
		assert(urls->v[i].host.len > 0);
	(void)view_full(m);
}

static struct message *
read_in_pieces(struct arena *arena, const struct message *whole, size_t step)
{
	struct message_options options = message_options_default();
	struct message *m = message_new(arena, &options);
	const struct header_list *headers = message_headers(whole);
	struct span body = message_body_bytes(whole);

	assert(m);
	for (size_t i = 0; i < headers->fields.n; i++)
		message_header(
		    m, headers->fields.v[i].name, headers->fields.v[i].raw);
	message_headers_done(m);
	while (body.len) {
		assert(message_body(m, span_head(body, step)) == 0);
		body = span_skip(body, step);
	}
	message_done(m);
	return m;
}

static void
check_same(const struct view_list *a, const struct view_list *b)
{
	assert(a->n == b->n);
	for (size_t i = 0; i < a->n; i++)
		assert(span_eq(a->v[i], b->v[i]));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new((size_t)256 << 20);
	struct message_options options = message_options_default();
	struct message *m = arena ? message_new(arena, &options) : NULL;

	assert(m);
	assert(message_read(m, span_make((const char *)data, size)) == 0);
	ask_headers(m);
	check_tree(m);
	check_views(m);
	struct message *again = read_in_pieces(arena, m, 1 + size % 7);
	check_tree(again);
	check_same(view_body(m), view_body(again));
	check_same(view_rawbody(m), view_rawbody(again));
	assert(message_tree(m)->flags == message_tree(again)->flags);
	assert(!arena_failed(arena));
	arena_free(arena);
	return 0;
}
