#ifndef FILTER_DNS_DNS_H
#define FILTER_DNS_DNS_H

#include <stdbool.h>
#include <stdint.h>

#include "filter/base/arena.h"
#include "filter/base/err.h"
#include "filter/base/span.h"
#include "filter/base/vec.h"

/*
 * Names to answers. One `struct dns` per process: an answer cache with parsed
 * forms in front of one resolver (libunbound, or a zone file). Each message
 * has one batch: dns_want() early, dns_get() late. A name is asked once per
 * process at a time, and once per batch.
 */
enum dns_type {
	DNS_A = 1,
	DNS_NS = 2,
	DNS_CNAME = 5,
	DNS_SOA = 6,
	DNS_PTR = 12,
	DNS_MX = 15,
	DNS_TXT = 16,
	DNS_AAAA = 28,
};

enum dns_status {
	DNS_OK,
	DNS_NXDOMAIN,
	DNS_NODATA,
	DNS_TIMEOUT, /* no answer until the deadline, or batch over its limits */
	DNS_SERVFAIL, /* an answer that is no answer */
};

struct dns_record {
	/*
	 * A 4 and AAAA 16 bytes. TXT: its strings joined, may hold NUL. MX, NS,
	 * CNAME, PTR: the name, lower case, without final dot ("" is the root);
	 * in its labels dots, backslashes and bytes outside 0x21-0x7e are
	 * \DDD. SOA: two names and five numbers, as in a zone file.
	 */
	struct span data;
	uint16_t preference; /* MX */
};

/* Counted, immutable, shared by all threads; lives while cached or held. */
struct dns_answer {
	enum dns_status status;
	bool secure; /* DNSSEC-validated */
	size_t n;
	struct dns_record *records; /* in the order of the answer */
};

struct dns_options {
	const char *zone; /* zone file: answers come from there alone */
	const struct span *nameservers; /* "ADDRESS" or "ADDRESS@PORT" */
	size_t n_nameservers;           /* 0: /etc/resolv.conf */
	bool recursive;                 /* own recursion, no nameservers */
	bool dnssec;
	int64_t timeout_ms;   /* a name: 5 s */
	size_t cache_entries; /* 0: 65536 */
};

struct dns;
struct dns_batch;

/* Opens the resolver and starts its thread (none for a zone file). */
int dns_open(const struct dns_options *options, struct dns **ret,
    struct err *err) MUST_USE;
/* Ends the thread. No batch may be in use. Accepts NULL. */
void dns_close(struct dns *dns);

/*
 * A batch for one message. `dns` NULL: every answer is DNS_TIMEOUT and nothing
 * is asked. Answers got from it live until the arena is reset.
 *
 * total_ms   time that the message may wait for DNS in all (10 s).
 * questions_max  past it answers are DNS_TIMEOUT without asking.
 */
struct dns_batch *dns_batch_new(struct dns *dns, struct arena *arena,
    int64_t total_ms, unsigned questions_max);

/* From now on dns_get() takes only what is there: DNS_TIMEOUT at once else. */
void dns_batch_no_wait(struct dns_batch *batch);

/*
 * Called around real waiting (not for warm names): for giving back what others
 * can use meanwhile. Both may be NULL.
 */
void dns_batch_on_wait(struct dns_batch *batch, void (*before)(void *arg),
    void (*after)(void *arg), void *arg);

/* Begins to ask; never waits. Bad names are ignored. */
void dns_want(struct dns_batch *batch, struct span name, enum dns_type type);

/*
 * The answer; waits up to the name's timeout or the batch's remaining time.
 * Never NULL: a bad name (over 253 bytes, empty or long label) is
 * DNS_NXDOMAIN. CNAMEs are followed. Names compare with ASCII case folded; a
 * final dot is ignored.
 */
const struct dns_answer *dns_get(
    struct dns_batch *batch, struct span name, enum dns_type type);

/*
 * The same with a deadline of the caller's (clock_mono_ms; 0: do not wait)
 * instead of the batch's time: for questions that must not take it from
 * others. NULL when nobody gave an answer by then, or the question could not
 * be asked; what is under way stays open, ask again later.
 */
const struct dns_answer *dns_get_by(struct dns_batch *batch, struct span name,
    enum dns_type type, int64_t deadline);

/* Every question of the batch once, in the order first asked. */
struct dns_question {
	struct span name; /* lower case, no final dot */
	enum dns_type type;
	const struct dns_answer *answer; /* NULL: wanted, not yet got */
};
struct dns_questions VEC(struct dns_question);
const struct dns_questions *dns_batch_questions(const struct dns_batch *batch);
/* Milliseconds spent waiting; true when any answer was missed by time. */
int64_t dns_batch_waited_ms(const struct dns_batch *batch);
bool dns_batch_timed_out(const struct dns_batch *batch);

/*
 * A parsed form that hangs on the answer: made once by `make` (under no lock;
 * two threads may both make it, one is thrown away with `drop`), shared
 * read-only, freed with the answer. NULL when `make` gives NULL, which is not
 * kept. `kind` is the address of a constant that names the form.
 */
typedef void *dns_make_fn(const struct dns_answer *answer, void *arg);
typedef void dns_drop_fn(void *form);
const void *dns_parsed(const struct dns_answer *answer, const void *kind,
    dns_make_fn *make, dns_drop_fn *drop, void *arg);

const char *dns_type_name(enum dns_type type);
/* DNS_A .. by name in any case; 0 when unknown. */
enum dns_type dns_type_of(struct span name);
const char *dns_status_name(enum dns_status status); /* "NXDOMAIN" ... */

struct dns_counts {
	uint64_t hits, misses, timeouts, servfails;
	size_t entries;
};
void dns_counts(struct dns *dns, struct dns_counts *ret);

/*
 * clock_mono_ms() at which the resolver's thread last took a turn: at least
 * each second, as long as it can answer. CLOCK_NEVER without a thread (zone
 * file). Thread: any.
 */
int64_t dns_beat(const struct dns *dns);

#endif
