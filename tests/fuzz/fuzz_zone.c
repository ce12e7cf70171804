/*
 * Zone files: whatever the text, loading ends with a zone or a fault with its
 * place; and a zone's answers are well-formed records.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "filter/dns/draft.h"
#include "filter/dns/name.h"
#include "filter/dns/zone.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Each type of one name, decoded. */
static void
look_up(const struct zone *zone, struct span wire)
{
	static const enum dns_type types[] = {DNS_A, DNS_NS, DNS_CNAME, DNS_SOA,
	    DNS_PTR, DNS_MX, DNS_TXT, DNS_AAAA};

	for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
		const struct zone_record *r = NULL;
		struct answer_draft draft;
		if (zone_find(zone, wire, types[i], &r) != DNS_OK)
			continue;
		assert(r->type == types[i] || r->type == DNS_CNAME);
		answer_draft_init(&draft);
		for (; r; r = zone_next(r)) {
			bool added =
			    answer_draft_rdata(&draft, r->type, r->rdata);
			/* Only a limit keeps what we made ourselves out. */
			assert(
			    added || draft.n == ANSWER_RECORDS_MAX ||
			    draft.bytes.len + 2 * NAME_TEXT_MAX + r->rdata.len >
				ANSWER_BYTES_MAX);
		}
		answer_draft_done(&draft);
	}
}

/* Asks for every word of the text. */
static void
look_up_all(const struct zone *zone, struct span text)
{
	for (struct span word = span_word(&text); word.len;
	     word = span_word(&text)) {
		char folded[NAME_FOLDED_MAX];
		uint8_t wire[NAME_WIRE_MAX];
		size_t len = name_fold(word, folded);
		if (len == 0)
			continue;
		size_t n = name_to_wire(span_make(folded, len), wire);
		char shown[NAME_TEXT_MAX];
		size_t shown_len;
		assert(name_to_text(
			   span_make((char *)wire, n), shown, &shown_len) == n);
		look_up(zone, span_make((char *)wire, n));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = span_make((const char *)data, size);
	struct zone *zone = NULL;
	struct err err = {0};
	int rc = zone_parse(text, "zone", &zone, &err);

	if (rc) {
		assert(rc == ERR_SYNTAX);
		assert(span_starts(span_of(err.text), SPAN("zone:")));
		assert(!zone);
		return 0;
	}
	look_up_all(zone, text);
	zone_free(zone);
	return 0;
}
