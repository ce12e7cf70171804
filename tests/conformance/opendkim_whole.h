#ifndef TESTS_CONFORMANCE_OPENDKIM_WHOLE_H
#define TESTS_CONFORMANCE_OPENDKIM_WHOLE_H

#include "filter/dns/dns.h"
#include "filter/mail/header.h"

/*
 * libopendkim alone and whole, as a milter would use it: the second opinion of
 * the tests and what the benchmark compares with. It gets its keys from our
 * DNS; nothing else of ours is in it.
 */
enum whole_result {
	WHOLE_ABSENT, /* the library refused the field */
	WHOLE_PASS,
	WHOLE_FAIL, /* body or signature do not match */
	WHOLE_PERMERROR,
	WHOLE_TEMPERROR,
};

struct whole_verdict {
	enum whole_result result;
	int error; /* DKIM_SIGERROR_* */
	const struct header *field;
};

#define WHOLE_SIGNATURES_MAX 200

struct whole {
	int at_headers, at_end; /* DKIM_STAT_* of dkim_eoh() and dkim_eom() */
	size_t n; /* one for each DKIM-Signature field, in order */
	struct whole_verdict verdicts[WHOLE_SIGNATURES_MAX];
};

const char *whole_result_name(enum whole_result result);

/* Once; ends the program when it fails. */
void whole_open(void);
void whole_close(void);

/* Judges a message. False when the library gave up on it as a whole. */
bool whole_verify(const struct header_list *headers, struct span body,
    struct dns_batch *dns, struct arena *arena, struct whole *ret);

#endif
