#ifndef FILTER_AUTH_REPORT_FAILURE_H
#define FILTER_AUTH_REPORT_FAILURE_H

#include "filter/base/buf.h"
#include "filter/base/ip.h"
#include "filter/base/span.h"

/*
 * DMARC failure reports (RFC 9991, in the format of RFC 5965 and 6591) as they
 * wait to be sent, and the mail made of one. What is in it was redacted before
 * it was kept (RFC 6590): no body, no recipient, no local part as it was.
 */
struct report_failure {
	struct span domain;      /* where the policy record stands */
	struct span from_domain; /* Reported-Domain */
	struct ip ip;
	int64_t time; /* of the message */
	/* Header fields, printable ASCII, folded by LF and a tab, each with
	 * its LF: of message/feedback-report, and of the message. */
	struct span feedback, headers;
};

#define REPORT_FAILURE_MAX 4096 /* bytes as kept */

/* The form that is kept. ERR_LIMIT: larger than that. */
int report_failure_write(
    const struct report_failure *failure, struct buf *out) MUST_USE;
/* ERR_SYNTAX. Texts are views of `value`. */
int report_failure_read(struct report_failure *ret, struct span value) MUST_USE;

/*
 * What stands for a local part: digits of a keyed hash, the same for the same
 * local part at the same domain (ASCII case ignored), so that reports of one
 * site about one mailbox can be told to belong together, and no more.
 */
#define REPORT_REDACTED_SIZE 25
void report_redact(struct span key, struct span local, struct span domain,
    char ret[REPORT_REDACTED_SIZE]);

/* What tells failures apart: where the record stands, From, client, and which
 * domains did not authenticate. */
#define REPORT_FAILURE_NAME_SIZE 33
void report_failure_name(const struct report_failure *failure,
    struct span dkim_domain, struct span spf_domain,
    char ret[REPORT_FAILURE_NAME_SIZE]);

struct report_failure_mail {
	struct span from, to;  /* plain addresses */
	struct span submitter; /* domain of `from` */
	struct span unique; /* letters and digits, for Message-ID, boundary */
	uint64_t incidents; /* messages that this one stands for */
	int64_t date;
	const struct report_failure *failure;
};

/* The whole mail, lines end in LF. ERR_LIMIT when `out` is full. */
int report_failure_mail_write(
    const struct report_failure_mail *mail, struct buf *out) MUST_USE;

#endif
