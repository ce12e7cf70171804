#ifndef FILTER_MAIL_URL_H
#define FILTER_MAIL_URL_H

#include "filter/base/arena.h"
#include "filter/base/ip.h"
#include "filter/base/span.h"
#include "filter/base/vec.h"

/* Links found in text and their normal forms (rule language, section 5.4). */
struct url {
	struct span text;   /* as found (scheme added where it had none) */
	struct span scheme; /* lower case: http, https, ftp, mailto ... */
	struct span host;   /* as a browser reads it: decoded, A-labels, lower
				case; empty for mailto without domain */
	struct ip ip;       /* when the host is an address in any notation */
	struct span registrable; /* of the host; empty for addresses */
	bool from_html;
	bool schemeless;
	bool userinfo;      /* had user@ before the host */
	struct span anchor; /* anchor text, html only */
};

struct url_list VEC(struct url);

#define URL_MAX 10000 /* links kept per message */
#define URL_LEN_MAX 8192

/* Finds links in one piece of plain text and appends them. Linear. */
void url_find(struct url_list *list, struct span text, struct arena *arena);

/* Takes apart one URL as a browser does (WHATWG): tabs and newlines out,
 * backslashes, missing slashes, userinfo, numeric and percent-encoded hosts.
 * False when there is no host (mailto: host is the domain). */
bool url_parse(struct url *ret, struct span text, struct arena *arena);

/*
 * The set of strings that uri rules see for one URL: itself and each changed
 * form. Appends spans to `list`, without duplicates among the new ones.
 */
struct url_forms VEC(struct span);
void url_forms(struct url_forms *list, struct span url, struct arena *arena);

#endif
