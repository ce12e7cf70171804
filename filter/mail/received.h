#ifndef FILTER_MAIL_RECEIVED_H
#define FILTER_MAIL_RECEIVED_H

#include "filter/base/arena.h"
#include "filter/base/ip.h"
#include "filter/base/span.h"

/* One Received field (RFC 5321 4.4): from, by, with, time. Empty = unknown. */
struct received {
	struct span helo, rdns, by, with, id, envelope_from;
	struct ip ip; /* family 0 when none was found */
	struct span ident;
	bool forged; /* `rdns` may be: Sendmail says so */
	/* `ip` could be another's: there are several, or a second `by`, or a
	 * comment that does not end, or only the client's greeting says it. */
	bool unsure;
	bool auth; /* with ESMTPA, ESMTPSA, or "authenticated" */
	bool tls;
	int64_t time; /* Unix time, -1 when unreadable */
};

/* False when the field names no client that handed the message over. Reads
 * the forms of Postfix, Sendmail, Exim, qmail, Exchange, Gmail. */
bool received_parse(
    struct received *ret, struct span value, struct arena *arena);

/* An RFC 5322 date-time to Unix time; -1 when unreadable. */
int64_t received_date(struct span text);

#endif
