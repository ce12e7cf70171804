/* Links: found in text, taken apart as one, and all their forms. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "filter/mail/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_forms(const struct url_forms *forms)
{
	for (size_t i = 0; i < forms->n; i++) {
		assert(forms->v[i].len <= URL_LEN_MAX);
		for (size_t k = 0; k < i; k++)
			assert(!span_eq(forms->v[i], forms->v[k]));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = span_make((const char *)data, size);
	struct arena *arena = arena_new(0);
	struct url_finder finder;
	struct url_forms forms = {0};
	struct url url;

	assert(arena);
	if (url_parse(&url, text, arena)) {
		assert(url.host.len > 0);
		for (size_t i = 0; i < url.host.len; i++)
			assert(!ascii_is_space(url.host.p[i]) &&
			       url.host.p[i] != '\0');
	}
	if (size <= URL_LEN_MAX) {
		url_forms(&forms, text, arena);
		assert(forms.n >= 1 && forms.n < 200);
		check_forms(&forms);
	}
	url_finder_init(&finder, arena);
	url_find(&finder, text);
	assert(finder.list.n <= URL_MAX);
	for (size_t i = 0; i < finder.list.n; i++) {
		assert(finder.list.v[i].text.len > 3);
		assert(finder.list.v[i].forms.n >= 1);
		check_forms(&finder.list.v[i].forms);
	}
	assert(!arena_failed(arena));
	arena_free(arena);
	return 0;
}
