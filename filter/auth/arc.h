#ifndef FILTER_AUTH_ARC_H
#define FILTER_AUTH_ARC_H

#include "filter/auth/bodyhash.h"
#include "filter/base/arena.h"
#include "filter/base/span.h"
#include "filter/dns/dns.h"
#include "filter/mail/header.h"

/* ARC chains (RFC 8617). */
enum arc_result {
	ARC_NONE, /* no ARC field at all */
	ARC_PASS,
	ARC_FAIL,
	ARC_TEMPERROR, /* a key that is needed could not be had now */
};
const char *arc_result_name(enum arc_result result);

/* One ARC set; the spans are views into the fields or copies in the arena. */
struct arc_set {
	unsigned instance;         /* 1.. */
	const struct header *aar;  /* ARC-Authentication-Results */
	const struct header *ams;  /* ARC-Message-Signature */
	const struct header *seal; /* ARC-Seal */
	struct span results;       /* the AAR behind "i=N;" */
	struct span domain;        /* d= of the seal, A-labels */
	struct span selector;      /* s= of the seal */
	struct span ams_domain;    /* d= of the AMS, A-labels */
	struct span cv;            /* as written: none, pass, fail */
};

struct arc_facts {
	enum arc_result result;
	unsigned
	    instances; /* ARC sets found; of a broken chain the highest i= */
	/* In order of instance, `instances` of them; NULL when the structure of
	 * the chain is broken (RFC 8617 section 5.2 step 3). */
	struct arc_set *sets;
	struct span problem; /* why not pass, for people; p == NULL */
	/* The newest seal said cv=fail: a chain that nobody goes on with. */
	bool closed;
	/* The lowest instance whose AMS still verifies (section 5.2 step 5);
	 * 0: all of them do, or not a pass. */
	unsigned oldest_pass;
	/* A field that may stand only once and that the newest AMS covers less
	 * often than it stands there: the chain says nothing of what people
	 * see (RFC 6376 section 8.15). p == NULL: none. */
	struct span multiplied;
};

#define ARC_SETS_MAX 50       /* RFC 8617 section 4.2.1 */
#define ARC_RESULTS_MAX 65536 /* bytes of an ARC-Authentication-Results */
/* Of the other two fields, of keys and names the limits of DKIM hold. */
/* Bytes of fields that older AMS may have hashed for oldest_pass. */
#define ARC_OLDER_BYTES ((size_t)1 << 20)

/*
 * Validation of a chain (RFC 8617 section 5.2). arc_begin() after the last
 * header field: reads the fields, wants the keys, adds body hash jobs to
 * `hashes`, which the caller feeds the body. arc_end() after the body: judges.
 *
 * Memory: arena. Thread: one at a time; arc_end() may block on DNS.
 */
struct arc;
struct arc *arc_begin(const struct header_list *headers, struct dns_batch *dns,
    struct bodyhash_set *hashes, int64_t now, struct arena *arena);
/* What the form of the fields says, before arc_end(): result is ARC_NONE, or
 * ARC_FAIL where that is decided, else ARC_PASS. */
const struct arc_facts *arc_form(const struct arc *arc);
/* `arc` NULL (out of memory): temperror. Never NULL unless the arena failed. */
const struct arc_facts *arc_end(struct arc *arc, struct arena *arena);

#endif
