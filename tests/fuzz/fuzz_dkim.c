/* Messages with signatures, against the zone of the unit tests. */
#include <stdio.h>
#include <stdlib.h>

#include "filter/auth/dkim.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ZONE ASSAY_SRCDIR "/tests/data/dkim/zone"
#define NOW 1600000100

static struct dns *dns;

static void
set_up(void)
{
	struct dns_options options = {.zone = ZONE};
	struct err err = {.text = ""};

	if (dkim_setup(&err) || dns_open(&options, &dns, &err)) {
		fprintf(stderr, "%s\n", err.text);
		abort();
	}
}

static const struct dkim_facts *
verify(struct span text, size_t chunk, struct arena *arena)
{
	struct header_list headers;

	header_init(&headers, arena);
	struct span body = span_skip(text, header_parse(&headers, text));
	struct bodyhash_set *hashes = bodyhash_new(arena);
	struct dkim *dkim = dkim_begin(
	    &headers, dns_batch_new(dns, arena, 1000, 100), hashes, NOW, arena);
	for (; body.len; body = span_skip(body, chunk))
		bodyhash_update(hashes, span_head(body, chunk));
	bodyhash_final(hashes);
	return dkim_end(dkim, arena);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new(0);
	struct span text = span_make((const char *)data, size);

	if (!dns)
		set_up();
	const struct dkim_facts *whole = verify(text, SIZE_MAX, arena);
	const struct dkim_facts *pieces = verify(text, 3, arena);
	if (whole->n != pieces->n || whole->result != pieces->result)
		abort();
	for (size_t i = 0; i < whole->n; i++) {
		const struct dkim_signature *s = &whole->signatures[i];
		if (s->result != pieces->signatures[i].result)
			abort();
		if ((s->result == DKIM_PASS) != (s->problem.p == NULL))
			abort();
		if (s->result == DKIM_PASS && !s->domain.len)
			abort();
	}
	arena_free(arena);
	return 0;
}
