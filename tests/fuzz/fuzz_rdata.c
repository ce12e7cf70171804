/*
 * Records as a resolver hands them over: the first byte chooses the type, the
 * rest is the wire data. What is taken is well-formed.
 */
#include <assert.h>
#include <stdint.h>

#include "filter/dns/draft.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Names show nothing that could break a line or forge a label. */
static void
check_text(struct span text)
{
	for (size_t i = 0; i < text.len; i++)
		assert(text.p[i] > 0x1f && text.p[i] < 0x7f);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum dns_type types[] = {DNS_A, DNS_NS, DNS_CNAME, DNS_SOA,
	    DNS_PTR, DNS_MX, DNS_TXT, DNS_AAAA};
	struct answer_draft draft;

	if (size == 0)
		return 0;
	enum dns_type type = types[data[0] % (sizeof types / sizeof *types)];
	struct span rdata = span_make((const char *)data + 1, size - 1);
	answer_draft_init(&draft);
	bool good = answer_draft_rdata(&draft, type, rdata);
	assert(draft.n == good);
	struct span text = buf_span(&draft.bytes);
	if (!good)
		assert(text.len == 0);
	else if (type == DNS_A || type == DNS_AAAA)
		assert(span_eq(text, rdata));
	else if (type == DNS_TXT)
		assert(text.len < rdata.len);
	else
		check_text(text);
	answer_draft_done(&draft);
	return 0;
}
