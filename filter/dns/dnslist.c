#include "filter/dns/dnslist.h"

/*
 * The names a DNS list is asked by and the meaning of what it answers. An
 * answer is a set of addresses in 127/8; which address says what is the
 * list's own business and stands in the configuration. Whatever is outside
 * 127/8 was not said by a list (RFC 5782 section 2.1), but by a provider that
 * sells search pages or by whoever owns the zone's name now.
 */

#define LISTS_NET 127 /* first octet of every answer of a list */

/* ::FFFF:7F00:1 and :2 without their first nibble, the last of the address. */
#define MAPPED_LOOPBACK "0.0.0.0.0.0.f.7.f.f.f.f"
#define ZERO_NIBBLES "0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0"

/* --- patterns -------------------------------------------------------------------- */

static int
octet_parse(struct span text, uint8_t *ret)
{
	uint64_t n;

	if (text.len > 3 || span_to_u64(text, &n) || n > 255)
		return ERR_SYNTAX;
	*ret = (uint8_t)n;
	return 0;
}

static int
range_parse(struct span text, uint8_t *ret_low, uint8_t *ret_high)
{
	struct span rest = text;

	if (span_is(text, "*")) {
		*ret_low = 0;
		*ret_high = 255;
		return 0;
	}
	struct span low = span_cut(&rest, '-');
	if (octet_parse(low, ret_low) ||
	    octet_parse(rest.p ? rest : low, ret_high))
		return ERR_SYNTAX;
	return *ret_low <= *ret_high ? 0 : ERR_SYNTAX;
}

static int
mask_parse(struct span text, uint32_t *ret)
{
	uint64_t n = 0;

	if (!span_casestarts(text, SPAN("0x"))) {
		if (span_to_u64(text, &n))
			return ERR_SYNTAX;
	} else {
		text = span_skip(text, 2);
		if (text.len == 0 || text.len > 6)
			return ERR_SYNTAX;
		for (size_t i = 0; i < text.len; i++) {
			int digit = ascii_hex(text.p[i]);
			if (digit < 0)
				return ERR_SYNTAX;
			n = n << 4 | (uint64_t)digit;
		}
	}
	if (n == 0 || n > 0xffffff)
		return ERR_SYNTAX;
	*ret = (uint32_t)n;
	return 0;
}

int
dnslist_pattern_parse(struct span text, struct dnslist_pattern *ret)
{
	struct dnslist_pattern p = {
	    {LISTS_NET, 0, 0, 0}, {LISTS_NET, 255, 255, 255}, 0};

	if (span_starts(text, SPAN("&"))) {
		if (mask_parse(span_skip(text, 1), &p.mask))
			return ERR_SYNTAX;
	} else {
		for (int i = 0; i < 4; i++) {
			if (!text.p || range_parse(span_cut(&text, '.'),
					   &p.low[i], &p.high[i]))
				return ERR_SYNTAX;
		}
		if (text.p || p.low[0] != LISTS_NET || p.high[0] != LISTS_NET)
			return ERR_SYNTAX;
	}
	*ret = p;
	return 0;
}

static bool
matches(const struct dnslist_pattern *p, const uint8_t octet[4])
{
	uint32_t bits =
	    (uint32_t)octet[1] << 16 | (uint32_t)octet[2] << 8 | octet[3];

	for (int i = 0; i < 4; i++)
		if (octet[i] < p->low[i] || octet[i] > p->high[i])
			return false;
	return (bits & p->mask) == p->mask;
}

/* --- questions ------------------------------------------------------------------- */

static size_t
join(struct span left, struct span zone, char to[DNSLIST_QUESTION_MAX])
{
	size_t len = left.len + 1 + zone.len;

	if (left.len == 0 || len > DNSLIST_QUESTION_MAX)
		return 0;
	memcpy(to, left.p, left.len);
	to[left.len] = '.';
	memcpy(to + left.len + 1, zone.p, zone.len);
	return len;
}

size_t
dnslist_ask_address(const struct dnslist *list, const struct ip *ip,
    char to[DNSLIST_QUESTION_MAX])
{
	char reversed[IP_REVERSE_SIZE];

	if (list->kind == DNSLIST_DOMAIN || ip->family == 0 ||
	    (ip->family == 6 && list->families == DNSLIST_IPV4) ||
	    (ip->family == 4 && list->families == DNSLIST_IPV6))
		return 0;
	ip_reverse(ip, reversed);
	return join(span_of(reversed), list->zone, to);
}

size_t
dnslist_ask_domain(const struct dnslist *list, struct span domain,
    char to[DNSLIST_QUESTION_MAX])
{
	if (list->kind == DNSLIST_ADDRESS)
		return 0;
	return join(domain, list->zone, to);
}

struct span
dnslist_test_name(const struct dnslist *list, struct span point, bool listed,
    struct arena *arena)
{
	char reversed[IP_REVERSE_SIZE], name[DNSLIST_QUESTION_MAX];
	struct ip ip;

	if (point.len && ip_parse(point, &ip) == 0) {
		ip_reverse(&ip, reversed);
		point = span_of(reversed);
	} else if (point.len == 0 && list->kind == DNSLIST_DOMAIN) {
		point = listed ? SPAN("test") : SPAN("invalid");
	} else if (point.len == 0 && list->families == DNSLIST_IPV6) {
		point = listed ? SPAN("2." MAPPED_LOOPBACK "." ZERO_NIBBLES)
			       : SPAN("1." MAPPED_LOOPBACK "." ZERO_NIBBLES);
	} else if (point.len == 0) {
		point = listed ? SPAN("2.0.0.127") : SPAN("1.0.0.127");
	}
	size_t len = join(point, list->zone, name);
	return len ? arena_span(arena, span_make(name, len)) : SPAN_NONE;
}

/* --- answers ---------------------------------------------------------------------- */

static const uint8_t *
octets_of(const struct dns_record *record)
{
	const uint8_t *octet = (const uint8_t *)record->data.p;

	return record->data.len == 4 && octet[0] == LISTS_NET ? octet : NULL;
}

static bool
is_refused(const struct dnslist *list, const uint8_t octet[4])
{
	for (size_t i = 0; i < list->n_refused; i++)
		if (matches(&list->refused[i], octet))
			return true;
	return false;
}

enum dnslist_verdict
dnslist_judge(const struct dnslist *list, const struct dns_answer *answer)
{
	enum dnslist_verdict verdict = DNSLIST_FOREIGN;

	if (answer->status == DNS_NXDOMAIN || answer->status == DNS_NODATA)
		return DNSLIST_CLEAN;
	if (answer->status != DNS_OK)
		return DNSLIST_FAILED;
	for (size_t i = 0; i < answer->n; i++) {
		const uint8_t *octet = octets_of(&answer->records[i]);
		if (!octet)
			continue;
		if (is_refused(list, octet))
			return DNSLIST_REFUSED;
		verdict = DNSLIST_LISTED;
	}
	return verdict;
}

const struct dns_record *
dnslist_record(const struct dnslist *list, const struct dns_answer *answer,
    unsigned symbol)
{
	for (size_t i = 0; i < answer->n; i++) {
		const uint8_t *octet = octets_of(&answer->records[i]);
		for (size_t k = 0; octet && k < list->n_codes; k++)
			if (list->codes[k].symbol == symbol &&
			    matches(&list->codes[k].pattern, octet))
				return &answer->records[i];
	}
	return NULL;
}
