/* HTML to text and links: bounds, well-formed output, no growth without end. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "filter/mail/html.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new(0);
	struct span text = span_make((const char *)data, size);
	struct html *html = arena ? html_parse(text, arena) : NULL;

	assert(html);
	/* A reference is no shorter than its character; a tag of four bytes
	 * makes two newlines at most. */
	assert(html->text.len <= 2 * size + 16);
	assert(html->links.n <= HTML_LINKS_MAX);
	for (size_t i = 0; i < html->links.n; i++) {
		const struct html_link *link = &html->links.v[i];
		assert(link->url.len > 0 && link->url.len <= HTML_URL_MAX);
		assert(link->target.len <= 3 * HTML_URL_MAX);
		assert(link->tag.len > 0);
	}
	if (span_is_utf8(text))
		assert(span_is_utf8(html->text) && span_is_utf8(html->visible));
	if (html->narrow)
		for (size_t i = 0; i < html->text.len; i++)
			assert((unsigned char)html->text.p[i] < 0xc4);
	assert(!arena_failed(arena));
	arena_free(arena);
	return 0;
}
