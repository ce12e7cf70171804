/* Messages with ARC chains against a zone with their keys, and sealing what
 * came of it: fields of which no line can be taken for another field. */
#include <stdio.h>
#include <stdlib.h>

#include "filter/auth/arc_seal.h"
#include "filter/mail/authres.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ZONE ASSAY_SRCDIR "/tests/fuzz/arc.zone"
#define NOW 1600000000

static struct dns *dns;
static struct sign_key *key;

static void
set_up(void)
{
	struct dns_options options = {.zone = ZONE};
	struct err err = {.text = ""};

	if (dns_open(&options, &dns, &err) ||
	    sign_key_make(SIGN_ED25519_SHA256, 0, &key, &err)) {
		fprintf(stderr, "%s\n", err.text);
		abort();
	}
}

/* All lines but the first begin with a blank. */
static void
check_value(struct span value)
{
	for (size_t i = 0; i < value.len; i++) {
		char c = value.p[i];
		if (c == '\r' && (i + 2 >= value.len || value.p[i + 1] != '\n'))
			abort();
		if (c == '\n' &&
		    (i + 1 == value.len || !ascii_is_blank(value.p[i + 1])))
			abort();
		if (ascii_is_control(c) && !strchr("\r\n\t", c))
			abort();
	}
}

/* The results of all fields that there are, whosever they are. */
static struct span
results_of(const struct header_list *headers, struct arena *arena)
{
	struct span id, rest, result, word;
	struct buf out;

	buf_init(&out, arena, 1 << 20);
	for (size_t i = 0; i < headers->fields.n; i++) {
		const struct header *h = &headers->fields.v[i];
		if (!authres_split(h->raw, arena, &id, &rest))
			continue;
		while (authres_next(&rest, &result)) {
			if (authres_of(result, "arc", &word) && !word.len)
				abort();
			buf_add_span(&out, result);
			buf_add_char(&out, ';');
		}
	}
	return buf_span(&out);
}

static void
check_seal(const struct arc_facts *facts, const struct header_list *headers,
    const struct bodyhash_value *body, struct arena *arena)
{
	struct arc_seal_request request = {
	    .key = key,
	    .domain = SPAN("a.example"),
	    .selector = SPAN("s"),
	    .authserv_id = SPAN("mx.a.example"),
	    .results = results_of(headers, arena),
	    .chain = facts->result,
	    .facts = facts,
	    .headers = headers,
	    .time = NOW,
	    .body = body,
	};
	struct arc_seal set;

	arc_seal_make(&request, arena, &set);
	if (!set.seal.p != (set.reason != NULL))
		abort();
	if (set.seal.p && (facts->closed || facts->instances >= ARC_SETS_MAX))
		abort();
	check_value(set.seal);
	check_value(set.ams);
	check_value(set.aar);
}

static const struct arc_facts *
validate(struct span text, size_t chunk, bool seal, struct arena *arena)
{
	struct header_list headers;

	header_init(&headers, arena);
	struct span body = span_skip(text, header_parse(&headers, text));
	struct bodyhash_set *hashes = bodyhash_new(arena);
	struct arc *arc = arc_begin(
	    &headers, dns_batch_new(dns, arena, 1000, 200), hashes, NOW, arena);
	int job = bodyhash_add(
	    hashes, BODYHASH_RELAXED, BODYHASH_SHA256, BODYHASH_NO_LIMIT);
	for (; body.len; body = span_skip(body, chunk))
		bodyhash_update(hashes, span_head(body, chunk));
	bodyhash_final(hashes);
	const struct arc_facts *facts = arc_end(arc, arena);
	if (seal)
		check_seal(facts, &headers, bodyhash_value(hashes, job), arena);
	return facts;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new(0);
	struct span text = span_make((const char *)data, size);

	if (!dns)
		set_up();
	const struct arc_facts *whole = validate(text, SIZE_MAX, true, arena);
	const struct arc_facts *pieces = validate(text, 3, false, arena);
	if (whole->result != pieces->result ||
	    whole->instances != pieces->instances ||
	    whole->oldest_pass != pieces->oldest_pass)
		abort();
	if ((whole->result == ARC_FAIL || whole->result == ARC_TEMPERROR) !=
	    (whole->problem.p != NULL))
		abort();
	if (whole->result == ARC_PASS &&
	    (!whole->sets || !whole->instances ||
		!whole->sets[whole->instances - 1].domain.len))
		abort();
	arena_free(arena);
	return 0;
}
