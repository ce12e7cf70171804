#ifndef FILTER_REPORT_MARK_H
#define FILTER_REPORT_MARK_H

#include "filter/auth/report_mail.h"
#include "filter/store/store.h"

/*
 * What was done with reports, as small texts in the store that change only by
 * comparing and setting: of two who want the same, one gets it.
 *
 *	"s:HANDLE"	a mail: "STATE TIME TRIES DOMAIN ADDRESS"; HANDLE is of
 *			filter/auth/report_mail.h and begins with the day
 *	"d:DAY.DDDD"	a domain's reports of a day: "done TIME"
 *	"b:ADDRESS"	a digest of an address that bounces: "N TIME ADDRESS"
 *	"secret"	64 hexadecimal digits, see struct report_secret
 */
#define REPORT_MARK_NAME_MAX 128
#define REPORT_MARK_VALUE_MAX 640 /* a state, domain and address, all longest */

struct report_mark {
	char name[REPORT_MARK_NAME_MAX + 1];
	bool had; /* false: it was not there; `from` is empty */
	char from[REPORT_MARK_VALUE_MAX + 1];
	char to[REPORT_MARK_VALUE_MAX + 1];
	int64_t expires; /* 0: never, where it is new */
};

/*
 * Sets a mark that is as `had` and `from` say. *ret_done is false when it is
 * not. Errors as store_apply().
 */
int report_mark_set(struct store *store, const struct report_mark *mark,
    int64_t now, bool *ret_done, struct err *err) MUST_USE;

enum report_state {
	REPORT_HANDING, /* given to sendmail, which did not yet say anything */
	REPORT_SENT,
	REPORT_WAITING, /* sendmail did not take it for now */
	REPORT_REFUSED, /* sendmail refused it for good */
	REPORT_BOUNCED, /* it came back */
};
struct report_sent {
	enum report_state state;
	int64_t time;
	uint64_t tries;
	struct span domain, address;
};
/* ERR_SYNTAX. Texts are views. */
int report_sent_read(struct report_sent *ret, struct span value) MUST_USE;
void report_sent_write(
    const struct report_sent *sent, char ret[REPORT_MARK_VALUE_MAX + 1]);

struct report_bounces {
	uint64_t n;
	int64_t time; /* of the last */
	struct span address;
};
int report_bounces_read(struct report_bounces *ret, struct span value) MUST_USE;
void report_bounces_write(
    const struct report_bounces *bounces, char ret[REPORT_MARK_VALUE_MAX + 1]);

#define REPORT_BOUNCES_MAX 2  /* an address that bounced so often is skipped, */
#define REPORT_BOUNCE_DAYS 30 /* so long after the last one */
#define REPORT_MARK_DAYS 10   /* what is known of mails and days is kept */

#endif
