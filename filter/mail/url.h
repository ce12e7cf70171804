#ifndef FILTER_MAIL_URL_H
#define FILTER_MAIL_URL_H

#include "filter/base/arena.h"
#include "filter/base/ip.h"
#include "filter/base/map.h"
#include "filter/base/span.h"
#include "filter/base/vec.h"

/* Links found in text and their normal forms (rule language, section 5.4). */

struct url_forms VEC(struct span);

struct url {
	struct span text;   /* as found (scheme added where it had none) */
	struct span scheme; /* lower case: http, https, ftp, mailto ... */
	struct span host;   /* as a browser reads it: decoded, A-labels, lower
				case; empty for mailto without domain, and for
				links of url_find() that browsers cannot read */
	struct ip ip;       /* when the host is an address in any notation */
	struct span registrable; /* of the host; empty for addresses */
	bool from_html;
	bool schemeless;
	bool userinfo;          /* had user@ before the host */
	struct span anchor;     /* anchor text, html only */
	struct url_forms forms; /* of url_find(): what uri rules see */
};

struct url_list VEC(struct url);

#define URL_MAX 10000 /* links kept per message */
#define URL_LEN_MAX 8192
#define URL_MEMORY_MAX ((size_t)16 << 20) /* bytes of all their forms */

/* The links of several texts, each once. */
struct url_finder {
	struct url_list list;
	struct arena *arena;
	struct map seen;
	size_t start;       /* of the arena's use */
	bool truncated;     /* more than URL_MAX, or too large */
	uint8_t class[256]; /* of bytes, see url_find.c */
};

void url_finder_init(struct url_finder *finder, struct arena *arena);

/*
 * Finds links in one piece of plain text as SpamAssassin does: known schemes,
 * "www.", addresses, and bare host names under a known top-level domain. Kept
 * are those that have a domain or an address in one of their forms. Linear.
 */
void url_find(struct url_finder *finder, struct span text);

/* Takes apart one URL as a browser does (WHATWG): tabs and newlines out,
 * backslashes, missing slashes, userinfo, numeric and percent-encoded hosts.
 * False when there is no host (mailto: host is the domain). */
bool url_parse(struct url *ret, struct span text, struct arena *arena);

/*
 * The set of strings that uri rules see for one URL: itself and each changed
 * form. Appends spans to `list`, without duplicates among the new ones.
 */
void url_forms(struct url_forms *list, struct span url, struct arena *arena);

/* Whether SpamAssassin sees a valid domain or an address in the URL. */
bool url_has_domain(struct span url);
/* A host name that counts there. */
bool url_valid_host(struct span host);

/* Whether the last label of a name with a dot is a known top-level domain. */
bool url_known_tld(struct span host);

/*
 * %XX of printable ASCII decoded, and what must not stand in a URL encoded:
 * what SpamAssassin does to all that have a %XX. `url` itself without one.
 */
struct span url_decode(struct span url, struct arena *arena);

#endif
