#ifndef FILTER_BASE_IP_H
#define FILTER_BASE_IP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "filter/base/buf.h"
#include "filter/base/err.h"
#include "filter/base/span.h"

/* An address. IPv4-mapped IPv6 is always turned into IPv4. */
struct ip {
	uint8_t family;    /* 0 none, 4, 6 */
	uint8_t bytes[16]; /* network order; 4 or 16 are used, the rest zero */
};

struct ip_net {
	struct ip ip;
	uint8_t bits; /* 0..32 or 0..128 */
};

#define IP_TEXT_SIZE 46    /* longest text form with its NUL */
#define IP_REVERSE_SIZE 74 /* longest reversed name with its NUL */

/*
 * Dotted quad or RFC 4291 text, the whole span; a scope ("%eth0") and an
 * "IPv6:" tag are accepted and dropped. ERR_SYNTAX otherwise.
 */
int ip_parse(struct span text, struct ip *ret) MUST_USE;
/* "a.b.c.d/n", "x::/n", or an address alone (then all its bits). */
int ip_net_parse(struct span text, struct ip_net *ret) MUST_USE;
/* From a socket address; anything but inet and inet6 gives family 0. */
struct ip ip_from_sockaddr(const struct sockaddr *sa);

void ip_format(const struct ip *ip, char text[IP_TEXT_SIZE]);
/*
 * Labels in reverse order for PTR and DNS lists, without a suffix:
 * "1.2.0.192" or 32 nibbles.
 */
void ip_reverse(const struct ip *ip, char text[IP_REVERSE_SIZE]);

bool ip_eq(const struct ip *a, const struct ip *b);
bool ip_in_net(const struct ip *ip, const struct ip_net *net);
bool ip_is_loopback(const struct ip *ip);
/* Not routable on the Internet: RFC 1918, 6598, 4193, link-local, loopback. */
bool ip_is_private(const struct ip *ip);

#endif
