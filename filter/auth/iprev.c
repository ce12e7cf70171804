#include "filter/auth/iprev.h"

/*
 * The client's name by PTR, confirmed by its addresses (RFC 8601 sections 3
 * and 2.7.3). The first name in the answer's order that leads back wins; one
 * whose addresses do not come makes the result temporary only when no other
 * confirms. Of many names ten are looked at, so that a client cannot choose
 * how much is asked.
 */

const char *
iprev_result_name(enum iprev_result result)
{
	static const char *const names[] = {
	    [IPREV_PASS] = "pass",
	    [IPREV_FAIL] = "fail",
	    [IPREV_TEMPERROR] = "temperror",
	    [IPREV_PERMERROR] = "permerror",
	};

	return names[result];
}

struct span
iprev_reverse(const struct ip *ip, char name[IPREV_REVERSE_SIZE])
{
	bool six = ip->family == 6;

	ip_reverse(ip, name);
	size_t n = strlen(name);
	memcpy(name + n, six ? ".ip6.arpa" : ".in-addr.arpa",
	    six ? sizeof ".ip6.arpa" : sizeof ".in-addr.arpa");
	return span_of(name);
}

static enum dns_type
address_type(const struct ip *ip)
{
	return ip->family == 6 ? DNS_AAAA : DNS_A;
}

bool
iprev_confirms(const struct dns_answer *answer, const struct ip *ip)
{
	size_t size = ip->family == 6 ? 16 : 4;

	for (size_t i = 0; i < answer->n; i++)
		if (answer->records[i].data.len == size &&
		    memcmp(answer->records[i].data.p, ip->bytes, size) == 0)
			return true;
	return false;
}

static size_t
names_looked_at(const struct dns_answer *ptr)
{
	return ptr->n < IPREV_NAMES_MAX ? ptr->n : IPREV_NAMES_MAX;
}

static bool
failed(const struct dns_answer *answer)
{
	return !answer || answer->status == DNS_TIMEOUT ||
	       answer->status == DNS_SERVFAIL;
}

static const struct dns_answer *
ask_names(const struct ip *ip, struct dns_batch *dns, int64_t deadline)
{
	char name[IPREV_REVERSE_SIZE];

	return dns_get_by(dns, iprev_reverse(ip, name), DNS_PTR, deadline);
}

static void
want_addresses(
    const struct ip *ip, const struct dns_answer *ptr, struct dns_batch *dns)
{
	for (size_t i = 0; i < names_looked_at(ptr); i++)
		dns_want(dns, ptr->records[i].data, address_type(ip));
}

void
iprev_want(const struct ip *ip, struct dns_batch *dns)
{
	const struct dns_answer *ptr;

	if (!ip->family)
		return;
	ptr = ask_names(ip, dns, 0);
	if (ptr)
		want_addresses(ip, ptr, dns);
}

void
iprev_check(const struct ip *ip, struct dns_batch *dns, int64_t deadline,
    struct iprev_answer *ret)
{
	bool unsure = false;

	*ret = (struct iprev_answer){.result = IPREV_PERMERROR};
	if (!ip->family)
		return;
	const struct dns_answer *ptr = ask_names(ip, dns, deadline);
	if (failed(ptr))
		ret->result = IPREV_TEMPERROR;
	if (failed(ptr) || ptr->n == 0)
		return;
	ret->name = ptr->records[0].data;
	want_addresses(ip, ptr, dns);
	for (size_t i = 0; i < names_looked_at(ptr); i++) {
		struct span name = ptr->records[i].data;
		const struct dns_answer *answer =
		    dns_get_by(dns, name, address_type(ip), deadline);
		if (failed(answer)) {
			unsure = true;
		} else if (iprev_confirms(answer, ip)) {
			*ret = (struct iprev_answer){IPREV_PASS, name};
			return;
		}
	}
	ret->result = unsure ? IPREV_TEMPERROR : IPREV_FAIL;
}
