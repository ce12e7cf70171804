#ifndef FILTER_DNS_DNSLIST_H
#define FILTER_DNS_DNSLIST_H

#include "filter/base/buf.h"
#include "filter/base/ip.h"
#include "filter/base/lock.h"
#include "filter/dns/dns.h"

/*
 * DNS lists (RFC 5782): what one list is, the names it is asked by, what its
 * answers mean, and whether it can be believed now. Who asks and when is the
 * scan's.
 */
#define DNSLIST_NAME_MAX 40    /* bytes of a list's name */
#define DNSLIST_ZONE_MAX 180   /* leaves room for a reversed IPv6 address */
#define DNSLIST_SYMBOLS_MAX 32 /* symbols of one list: a set is a word */
#define DNSLIST_QUESTION_MAX 253

enum dnslist_kind { DNSLIST_ADDRESS, DNSLIST_DOMAIN, DNSLIST_BOTH };
enum dnslist_families {
	DNSLIST_ANY_FAMILY,
	DNSLIST_IPV4,
	DNSLIST_IPV6,
};

/* Answers: every octet within its range, and all bits of `mask` set. */
struct dnslist_pattern {
	uint8_t low[4], high[4];
	uint32_t mask;
};

/* A symbol that a list can give. A scorer knows it by its two numbers: they
 * stay, whatever is made anew. */
struct dnslist_symbol {
	unsigned list, index; /* of the lists in use, and in the list */
	const char *name, *describe;
	int32_t score_milli;
};

struct dnslist_code {
	struct dnslist_pattern pattern;
	unsigned symbol; /* index */
};

/* Immutable; part of a snapshot. */
struct dnslist {
	unsigned index;       /* of the lists in use */
	struct span name;     /* a-z, digits, "-_." */
	struct span zone;     /* A-labels, no final dot */
	const char *degraded; /* "dnsbl:NAME" */
	enum dnslist_kind kind;
	enum dnslist_families families;
	bool of_links;   /* it is asked about links, else about clients */
	bool whole_host; /* a link's whole host, else its registrable domain */
	const struct dnslist_code *codes;
	size_t n_codes;
	struct dnslist_symbol *symbols;
	size_t n_symbols;
	const struct dnslist_pattern *refused; /* answers that are no answer */
	size_t n_refused;
	/* Test points as whole names; empty: the list has none. */
	struct span test_listed, test_clean;
	int64_t timeout_ms;
	int64_t retry_ms; /* how long it is off the first time */
};

/*
 * "127.0.0.2", "127.0.0.4-7", "127.0.*.3", "127.255.255.*"; or "&8", "&0x40":
 * 127/8 with these bits set in the last three octets. ERR_SYNTAX, also for
 * what is outside 127/8.
 */
int dnslist_pattern_parse(
    struct span text, struct dnslist_pattern *ret) MUST_USE;

/*
 * The name that asks about an address or a domain, in `to` (not terminated).
 * Returns its length; 0 when the list does not have such, or the name would be
 * too long.
 */
size_t dnslist_ask_address(const struct dnslist *list, const struct ip *ip,
    char to[DNSLIST_QUESTION_MAX]);
size_t dnslist_ask_domain(const struct dnslist *list, struct span domain,
    char to[DNSLIST_QUESTION_MAX]);

/*
 * The name of a test point: of an address, reversed, or of a domain, before
 * the zone. With an empty `point` that of RFC 5782 section 5 for the kind and
 * families: 127.0.0.2 or ::FFFF:7F00:2 or TEST `listed`, 127.0.0.1 or
 * ::FFFF:7F00:1 or INVALID not. p NULL when it would be too long. Memory:
 * arena.
 */
struct span dnslist_test_name(const struct dnslist *list, struct span point,
    bool listed, struct arena *arena);

enum dnslist_verdict {
	DNSLIST_CLEAN,   /* not listed */
	DNSLIST_LISTED,  /* an answer in 127/8, of a known code or not */
	DNSLIST_REFUSED, /* "we do not answer you" as an address */
	DNSLIST_FOREIGN, /* addresses, none in 127/8: somebody else answered */
	DNSLIST_FAILED,  /* timeout, SERVFAIL */
};
enum dnslist_verdict dnslist_judge(
    const struct dnslist *list, const struct dns_answer *answer);
/* The first record that means the symbol; NULL when none does. */
const struct dns_record *dnslist_record(const struct dnslist *list,
    const struct dns_answer *answer, unsigned symbol);

/* --- health ------------------------------------------------------------------ */

/*
 * Whether a list can be believed: one state for each name and zone in a
 * `struct dns`, so that it outlives reloads. A list that refuses, lists
 * everything or fails three times in a row is off for retry_ms, then twice as
 * long each time, up to four hours. It comes back when its test points say
 * what they should; one without test points is simply tried again.
 *
 * `now` is clock_mono_ms(). Thread: any; a lock for a few instructions.
 */
struct dnslist_health;

/* The state of the list, made at first sight; lives as long as `dns`. NULL
 * when memory is short. */
struct dnslist_health *dnslist_health(
    struct dns *dns, const struct dnslist *list);

struct dnslist_turn {
	bool ask;  /* questions about the message may be asked */
	bool test; /* the test points shall be asked, beside or instead */
};
struct dnslist_turn dnslist_begin(struct dnslist_health *health, int64_t now);

enum dnslist_event {
	DNSLIST_EVENT_GOOD,       /* it answered */
	DNSLIST_EVENT_FAILED,     /* no answer in time, or SERVFAIL */
	DNSLIST_EVENT_TEST_GOOD,  /* test points are as they should be */
	DNSLIST_EVENT_REFUSED,    /* this and the rest turn it off at once */
	DNSLIST_EVENT_EVERYTHING, /* what must not be listed is */
	DNSLIST_EVENT_NOTHING,    /* what must be listed is not */
	DNSLIST_EVENT_FOREIGN,
};
/* Returns for how many milliseconds this turned the list off, 0 if it did
 * not. */
int64_t dnslist_tell(
    struct dnslist_health *health, enum dnslist_event event, int64_t now);

/* "refused", "lists-everything", ... for a line of the log. */
const char *dnslist_event_name(enum dnslist_event event);

/* What people want to see of it. */
struct dnslist_state {
	char name[DNSLIST_NAME_MAX + 1];
	int64_t off_ms;           /* it stays off so long; 0: it is on */
	enum dnslist_event cause; /* of being off */
};
/* All lists seen so far; returns how many were written, `max` at most. */
size_t dnslist_states(
    struct dns *dns, int64_t now, struct dnslist_state *ret, size_t max);

/* --- for dns.c --------------------------------------------------------------- */

struct dnslist_table {
	struct lock lock; /* guards everything below, and the states */
	struct dnslist_health *first;
};
void dnslist_table_init(struct dnslist_table *table);
void dnslist_table_done(struct dnslist_table *table);
/* dns.c: the table of a process. */
struct dnslist_table *dns_lists(struct dns *dns);

#endif
