#include "filter/dns/draft.h"

#include "filter/dns/name.h"

/*
 * Records from their wire form. Whatever a server sends, an answer holds
 * well-formed records only: the others are left out, as if they had not been
 * sent, and so are those past the limits. Nothing is added before it has been
 * checked to its end.
 */

void
answer_draft_init(struct answer_draft *draft)
{
	buf_init(&draft->bytes, NULL, ANSWER_BYTES_MAX);
	draft->n = 0;
}

void
answer_draft_done(struct answer_draft *draft)
{
	buf_done(&draft->bytes);
}

bool
answer_draft_add(
    struct answer_draft *draft, struct span data, uint16_t preference)
{
	size_t at = draft->bytes.len;

	/* Looked at before adding, since the buffer's failure is for good. */
	if (draft->n == ANSWER_RECORDS_MAX || data.len > ANSWER_BYTES_MAX - at)
		return false;
	buf_add_span(&draft->bytes, data);
	if (buf_failed(&draft->bytes))
		return false;
	draft->record[draft->n].at = at;
	draft->record[draft->n].len = data.len;
	draft->record[draft->n++].preference = preference;
	return true;
}

/* RFC 1035 section 3.3.14: one or more strings, joined as RFC 7208 3.3 asks. */
static bool
add_txt(struct answer_draft *draft, struct span rdata)
{
	size_t at = draft->bytes.len;

	/* The lengths are checked before anything is added. */
	size_t i = 0, n = 0;
	for (; i < rdata.len; n++)
		i += (size_t)1 + (uint8_t)rdata.p[i];
	if (n == 0 || i != rdata.len)
		return false;
	if (rdata.len - n > ANSWER_BYTES_MAX - at ||
	    !answer_draft_add(draft, SPAN_NONE, 0))
		return false;
	for (i = 0; i < rdata.len;) {
		size_t len = (uint8_t)rdata.p[i++];
		buf_add(&draft->bytes, rdata.p + i, len);
		i += len;
	}
	if (buf_failed(&draft->bytes)) {
		draft->n--;
		return false;
	}
	draft->record[draft->n - 1].len = rdata.len - n;
	return true;
}

/* A name that is all of the record. */
static bool
add_name(struct answer_draft *draft, struct span rdata, uint16_t preference)
{
	char text[NAME_TEXT_MAX];
	size_t len;

	if (rdata.len == 0 || name_to_text(rdata, text, &len) != rdata.len)
		return false;
	return answer_draft_add(draft, span_make(text, len), preference);
}

static uint32_t
u32_at(const char *p)
{
	const uint8_t *b = (const uint8_t *)p;

	return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 |
	       (uint32_t)b[2] << 8 | b[3];
}

/* RFC 1035 section 3.3.13. Its presentation form: nobody computes with it. */
static bool
add_soa(struct answer_draft *draft, struct span rdata)
{
	char text[2 * NAME_TEXT_MAX + 64], rname[NAME_TEXT_MAX];
	size_t len, rname_len;
	size_t mname_took = name_to_text(rdata, text, &len);

	if (mname_took == 0)
		return false;
	struct span rest = span_skip(rdata, mname_took);
	size_t rname_took = name_to_text(rest, rname, &rname_len);
	rest = span_skip(rest, rname_took);
	if (rname_took == 0 || rest.len != 20)
		return false;
	struct buf line;
	buf_init(&line, NULL, sizeof text);
	buf_add(&line, text, len);
	buf_add_char(&line, ' ');
	buf_add(&line, rname, rname_len);
	for (size_t i = 0; i < 20; i += 4) {
		buf_add_char(&line, ' ');
		buf_add_u64(&line, u32_at(rest.p + i));
	}
	bool good =
	    !buf_failed(&line) && answer_draft_add(draft, buf_span(&line), 0);
	buf_done(&line);
	return good;
}

static bool
add_mx(struct answer_draft *draft, struct span rdata)
{
	if (rdata.len < 3)
		return false;
	return add_name(draft, span_skip(rdata, 2),
	    (uint16_t)((uint8_t)rdata.p[0] << 8 | (uint8_t)rdata.p[1]));
}

bool
answer_draft_rdata(
    struct answer_draft *draft, enum dns_type type, struct span rdata)
{
	switch (type) {
	case DNS_A:
		return rdata.len == 4 && answer_draft_add(draft, rdata, 0);
	case DNS_AAAA:
		return rdata.len == 16 && answer_draft_add(draft, rdata, 0);
	case DNS_NS:
	case DNS_CNAME:
	case DNS_PTR:
		return add_name(draft, rdata, 0);
	case DNS_SOA:
		return add_soa(draft, rdata);
	case DNS_MX:
		return add_mx(draft, rdata);
	case DNS_TXT:
		return add_txt(draft, rdata);
	}
	return false;
}
