#ifndef FILTER_AUTH_REPORT_MAIL_H
#define FILTER_AUTH_REPORT_MAIL_H

#include "filter/auth/report.h"

/*
 * The mail that carries an aggregate report (RFC 9990 section 3.5), and the
 * names in it by which it, and a bounce of it, are known again.
 */

/* Makes names that others cannot make. One for all nodes that share a store. */
#define REPORT_SECRET_SIZE 32
struct report_secret {
	uint8_t bytes[REPORT_SECRET_SIZE];
};

/*
 * Which mail: "DAY.DDDDDDDDDDDDDDDD.TTTT...", digests of the domain and of the
 * address. The part before the second dot is the domain's on that day.
 */
#define REPORT_HANDLE_SIZE 80
void report_handle(int64_t day, struct span domain, struct span address,
    char ret[REPORT_HANDLE_SIZE]);
/* The last part of it: what an address is known by. */
#define REPORT_ADDRESS_SIZE 33
void report_address_name(struct span address, char ret[REPORT_ADDRESS_SIZE]);

/* Hexadecimal digits that tell reports about one domain and day by different
 * sites with one name apart; the same each time. */
#define REPORT_UNIQUE_SIZE 17
void report_unique(const struct report_secret *secret, int64_t day,
    struct span domain, char ret[REPORT_UNIQUE_SIZE]);

/* "HANDLE.MAC", the left part of our Message-ID. */
#define REPORT_TOKEN_SIZE 128
void report_token(const struct report_secret *secret, const char *handle,
    char ret[REPORT_TOKEN_SIZE]);
/*
 * The handle in a Message-ID (with or without brackets and host) that we
 * made; ERR_SYNTAX: it has no such form; ERR_ACCESS: the MAC is not ours.
 */
int report_token_read(const struct report_secret *secret,
    struct span message_id, char ret[REPORT_HANDLE_SIZE]) MUST_USE;

struct report_mail {
	struct span from, to;  /* plain addresses: no quoting, no controls */
	struct span submitter; /* domain of `from` */
	struct span domain;    /* that the report is about */
	struct span report_id; /* of the XML, without brackets */
	const char *unique, *token;
	int64_t begin, end; /* as in the XML */
	int64_t date;
	struct span packed; /* the XML in gzip */
};

/* A field with a time as RFC 5322 writes it, UTC. */
void report_add_date(struct buf *out, const char *name, int64_t time);

/* RECEIVER!DOMAIN!BEGIN!END!UNIQUE.xml.gz */
void report_mail_filename(const struct report_mail *mail, struct buf *out);
/* The whole mail, lines end in LF as sendmail(1) wants them. ERR_LIMIT when
 * `out` is full. */
int report_mail_write(const struct report_mail *mail, struct buf *out) MUST_USE;

/* The bytes in gzip, without a time in them: the same each time. ERR_LIMIT
 * when `out` is full; ERR_NOMEM. */
int report_pack(struct span text, struct buf *out) MUST_USE;

/* What a bounce says. */
struct report_bounce {
	bool permanent;         /* Action: failed with a status 5.x.x */
	struct span status;     /* the first such; p NULL: none */
	struct span message_id; /* of the mail that came back; p NULL */
};

/*
 * Reads a delivery status notification (RFC 3464). ERR_SYNTAX with a text: it
 * is none. Memory: arena.
 */
int report_bounce_read(struct report_bounce *ret, struct span text,
    struct arena *arena, struct err *err) MUST_USE;

#endif
