#ifndef FILTER_CTL_SENDMAIL_H
#define FILTER_CTL_SENDMAIL_H

#include "filter/base/err.h"
#include "filter/base/span.h"

/*
 * Hands a mail to sendmail(1): PROGRAM -i -f SENDER -- RECIPIENT, without a
 * shell, with a clean environment, the mail on standard input.
 */
enum sendmail_result {
	SENDMAIL_TAKEN,
	SENDMAIL_LATER,   /* exit status that says so, or it was not started */
	SENDMAIL_REFUSED, /* the recipient will not do, now or later */
	SENDMAIL_WRONG,   /* usage, configuration: no mail will do */
	SENDMAIL_UNKNOWN, /* killed, by us after SENDMAIL_SECONDS or others */
};

#define SENDMAIL_SECONDS 120

struct sendmail_request {
	struct span program; /* a path */
	struct span sender;  /* "<>" or an address */
	struct span recipient;
	struct span mail; /* lines end in LF */
};

/* `why` tells what it said (may be empty) where it is not TAKEN. */
enum sendmail_result sendmail_hand(
    const struct sendmail_request *request, struct err *why);

#endif
