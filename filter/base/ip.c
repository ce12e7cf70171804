#include "filter/base/ip.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>

/* Addresses and networks; IPv4-mapped IPv6 never leaves this file. */

static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static struct ip
from_v4(const void *bytes)
{
	struct ip ip = {.family = 4};

	memcpy(ip.bytes, bytes, 4);
	return ip;
}

static struct ip
from_v6(const uint8_t *bytes)
{
	struct ip ip = {.family = 6};

	if (memcmp(bytes, mapped, sizeof mapped) == 0)
		return from_v4(bytes + 12);
	memcpy(ip.bytes, bytes, 16);
	return ip;
}

int
ip_parse(struct span text, struct ip *ret)
{
	char cstr[IP_TEXT_SIZE];
	uint8_t bytes[16];

	if (span_casestarts(text, SPAN("IPv6:")))
		text = span_skip(text, 5);
	size_t scope = span_find_char(text, '%');
	if (scope != SPAN_NPOS && span_find_char(text, ':') != SPAN_NPOS)
		text = span_head(text, scope);
	if (text.len == 0 || !span_copy(text, cstr, sizeof cstr))
		return ERR_SYNTAX;
	if (inet_pton(AF_INET, cstr, bytes) == 1)
		*ret = from_v4(bytes);
	else if (inet_pton(AF_INET6, cstr, bytes) == 1)
		*ret = from_v6(bytes);
	else
		return ERR_SYNTAX;
	return 0;
}

int
ip_net_parse(struct span text, struct ip_net *ret)
{
	struct span rest = text;
	struct span addr = span_cut(&rest, '/');
	struct ip_net net;
	uint64_t bits;
	bool was_v6 = span_find_char(addr, ':') != SPAN_NPOS;

	if (ip_parse(addr, &net.ip))
		return ERR_SYNTAX;
	unsigned most = net.ip.family == 4 ? 32 : 128;
	if (!rest.p) {
		net.bits = (uint8_t)most;
		*ret = net;
		return 0;
	}
	if (span_to_u64(rest, &bits))
		return ERR_SYNTAX;
	if (was_v6 && net.ip.family == 4) {
		if (bits < 96)
			return ERR_INVALID;
		bits -= 96;
	}
	if (bits > most)
		return ERR_INVALID;
	net.bits = (uint8_t)bits;
	*ret = net;
	return 0;
}

struct ip
ip_from_sockaddr(const struct sockaddr *sa)
{
	struct sockaddr_in in;
	struct sockaddr_in6 in6;

	if (sa && sa->sa_family == AF_INET) {
		memcpy(&in, sa, sizeof in);
		return from_v4(&in.sin_addr);
	}
	if (sa && sa->sa_family == AF_INET6) {
		memcpy(&in6, sa, sizeof in6);
		return from_v6(in6.sin6_addr.s6_addr);
	}
	return (struct ip){0};
}

void
ip_format(const struct ip *ip, char text[IP_TEXT_SIZE])
{
	int family = ip->family == 4 ? AF_INET : AF_INET6;

	if (ip->family == 0 ||
	    !inet_ntop(family, ip->bytes, text, IP_TEXT_SIZE))
		snprintf(text, IP_TEXT_SIZE, "unknown");
}

void
ip_reverse(const struct ip *ip, char text[IP_REVERSE_SIZE])
{
	static const char hex[] = "0123456789abcdef";
	char *to = text;

	if (ip->family == 4) {
		snprintf(text, IP_REVERSE_SIZE, "%u.%u.%u.%u", ip->bytes[3],
		    ip->bytes[2], ip->bytes[1], ip->bytes[0]);
		return;
	}
	for (int i = 15; ip->family == 6 && i >= 0; i--) {
		*to++ = hex[ip->bytes[i] & 15];
		*to++ = '.';
		*to++ = hex[ip->bytes[i] >> 4];
		if (i)
			*to++ = '.';
	}
	*to = '\0';
}

bool
ip_eq(const struct ip *a, const struct ip *b)
{
	return a->family == b->family &&
	       memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

bool
ip_in_net(const struct ip *ip, const struct ip_net *net)
{
	size_t whole = net->bits / 8;
	unsigned rest = net->bits % 8;

	if (ip->family == 0 || ip->family != net->ip.family ||
	    memcmp(ip->bytes, net->ip.bytes, whole) != 0)
		return false;
	if (rest == 0)
		return true;
	unsigned mask = 0xff00u >> rest & 0xffu;
	return (ip->bytes[whole] & mask) == (net->ip.bytes[whole] & mask);
}

bool
ip_is_loopback(const struct ip *ip)
{
	static const struct ip one = {.family = 6, .bytes = {[15] = 1}};

	return (ip->family == 4 && ip->bytes[0] == 127) || ip_eq(ip, &one);
}

bool
ip_is_private(const struct ip *ip)
{
	static const struct ip_net nets[] = {
	    {{4, {10}}, 8},
	    {{4, {127}}, 8},
	    {{4, {169, 254}}, 16},
	    {{4, {172, 16}}, 12},
	    {{4, {192, 168}}, 16},
	    {{4, {100, 64}}, 10},
	    {{6, {[15] = 1}}, 128},
	    {{6, {0xfe, 0x80}}, 10},
	    {{6, {0xfc}}, 7},
	};

	for (size_t i = 0; i < sizeof nets / sizeof *nets; i++)
		if (ip_in_net(ip, &nets[i]))
			return true;
	return false;
}
