#ifndef FILTER_LOG_RECORD_H
#define FILTER_LOG_RECORD_H

#include <stdint.h>

#include "filter/base/span.h"
#include "filter/base/vec.h"

/*
 * One message's record as plain data: no pointer into engines. Texts are bytes
 * as they came from the network: who shows them escapes them for the place.
 * An empty text with p == NULL is "not known" and NULL in the database.
 */
struct record_rcpt {
	struct span addr;
	struct span action; /* of this recipient's policy */
};

struct record_symbol {
	struct span name;
	int64_t count_milli; /* times hit, in thousandths: a meta may give .5 */
	int64_t score_milli;
	struct span evidence;
	struct span origin; /* file:line of a rule; p NULL: built in */
};

struct record {
	uint64_t id;                     /* clear number of the ref */
	int64_t time;                    /* Unix time, s */
	struct span node, queue_id, mta; /* j */
	struct span dir, mode;           /* "in"; "observe", "enforce" */
	struct span action, would, by;
	struct span policy; /* title of the one that decided */
	int64_t score_milli;
	/* of that policy; INT64_MAX: off */
	int64_t tag_milli, quarantine_milli, reject_milli;
	struct span client_ip, client_name, helo, auth, tls;
	/* Behind a relay of ours: who handed it the message; "" unknown. */
	struct span judged_ip, judged_name;
	struct span mail_from;   /* without brackets; "" is <> */
	struct span header_from; /* decoded From field, cut */
	struct span from_domain; /* A-labels */
	struct span message_id;  /* without brackets */
	int64_t size, nrcpt;
	struct span spf, spf_domain, spf_detail; /* result; whose; why */
	/* "RESULT:DOMAIN:SELECTOR:PROBLEM" joined by ";", values %XX-coded */
	struct span dkim;
	/* result; published policy; "spf" "dkim" "spf,dkim" or ""; the domain
	 * that was aligned, of DKIM before SPF */
	struct span dmarc, dmarc_policy, dmarc_aligned, dmarc_domain;
	/* why less was done than the policy asks for; more about it */
	struct span dmarc_reason, dmarc_comment;
	struct span arc;
	struct span degraded; /* names joined by "," */
	int64_t ms;
	struct span reply; /* "550 5.7.1 text" as sent; p NULL: none */
	struct record_rcpts VEC(struct record_rcpt) rcpts;
	struct record_symbols VEC(struct record_symbol) symbols;
};

/*
 * The fields of a message's row in order: the one table from which database
 * columns, JSON, CSV and the man page's list are made. A column of RECORD_MILLI
 * is named NAME_milli and holds thousandths; INT64_MAX (off) is NULL there.
 */
enum record_type { RECORD_INT, RECORD_MILLI, RECORD_TEXT };
struct record_field {
	const char *name;
	enum record_type type;
	size_t offset; /* in struct record: int64_t or struct span */
};
/* Ends with a NULL name. `id`, rcpts and symbols are not in it. */
extern const struct record_field record_fields[];

int64_t record_int(const struct record *r, const struct record_field *f);
struct span record_text(const struct record *r, const struct record_field *f);
void record_set_int(
    struct record *r, const struct record_field *f, int64_t value);
void record_set_text(
    struct record *r, const struct record_field *f, struct span text);

/* What a copy keeps: longer texts are cut, further items left out. */
#define RECORD_TEXT_MAX ((size_t)4096)
#define RECORD_RCPTS_MAX ((size_t)10000)
#define RECORD_SYMBOLS_MAX ((size_t)10000)

/* A deep copy in one block, freed by free(). NULL: no memory. */
struct record *record_copy(const struct record *r);
/* Bytes of that block. */
size_t record_bytes(const struct record *r);
/* The copy in `block` of record_bytes(r) bytes, aligned as by malloc(). */
struct record *record_copy_to(void *block, const struct record *r);

#endif
