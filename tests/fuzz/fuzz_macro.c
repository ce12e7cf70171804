/*
 * SPF macro strings: the first byte chooses the client and the use, then local
 * part, domain and text, parted by line feeds.
 */
#include <assert.h>

#include "filter/auth/macro.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct span
client_name(void *arg)
{
	(void)arg;
	return SPAN("mx.example.org");
}

static void
check(const struct macro_context *context, struct span text, bool explanation,
    struct arena *arena)
{
	struct span out = SPAN_NONE;
	bool valid = macro_valid(text, explanation);
	int rc = macro_expand(context, text, explanation, arena, &out);

	assert(rc == 0 || rc == ERR_SYNTAX || rc == ERR_LIMIT);
	assert(!valid || rc != ERR_SYNTAX);
	if (rc || explanation)
		return;
	assert(out.len <= 253 || span_find_char(out, '.') == SPAN_NPOS);
	/* What a transformer takes away does not come back. */
	if (span_is(text, "%{d1}"))
		assert(out.len <= context->domain.len);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new(0);
	struct macro_context context = {
	    .helo = SPAN("helo.example.com"), .validated_name = client_name};
	uint8_t first = size ? data[0] : 0;
	struct span rest =
	    span_skip(span_make((const char *)data, size), size ? 1 : 0);

	context.ip.family = first & 1 ? 6 : 4;
	context.ip.bytes[0] = first;
	context.time = first;
	context.sender_local = span_cut(&rest, '\n');
	context.sender_domain = span_cut(&rest, '\n');
	context.domain = context.sender_domain;
	check(&context, rest, false, arena);
	check(&context, rest, true, arena);
	bool spec = macro_is_domain_spec(rest);
	assert(!spec || macro_valid(rest, false));
	arena_free(arena);
	return 0;
}
