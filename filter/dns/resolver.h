#ifndef FILTER_DNS_RESOLVER_H
#define FILTER_DNS_RESOLVER_H

#include "filter/base/lock.h"
#include "filter/dns/answer.h"

struct resolver;

/*
 * What a resolver is to the rest of this folder, and what a question under
 * way is to both.
 */
struct dns_query {
	struct dns *dns;
	_Atomic uint32_t refs;   /* each waiting batch and the resolver */
	struct dns_query *chain; /* in-flight table; guarded by its lock */
	uint64_t hash;
	enum dns_type type;
	int64_t deadline;          /* when waiting for it ends; clock_mono_ms */
	atomic_bool claimed;       /* somebody brings the answer */
	atomic_bool done;          /* `answer` is there, for ever */
	struct answer *answer;     /* NULL: none, and not to be kept */
	struct lock_cond cond;     /* with the in-flight lock */
	struct resolver *resolver; /* this and the links are the resolver's */
	struct dns_query *prev, *next;
	size_t name_len;
	char name[]; /* folded */
};

static inline struct span
query_name(const struct dns_query *query)
{
	return span_make(query->name, query->name_len);
}

struct resolver {
	/*
	 * Begins to ask and never waits. Takes over one reference of `query`,
	 * which it drops after query_done(); that call may come before this
	 * one returns, or any time later, also after the deadline.
	 */
	void (*ask)(struct resolver *resolver, struct dns_query *query);
	/* Ends its thread; every query has been done when it returns. */
	void (*close)(struct resolver *resolver);
	/* See dns_beat(); NULL: no thread of its own. */
	int64_t (*beat)(const struct resolver *resolver);
};

/*
 * The answer to a query, whose reference is taken over. The first call
 * counts; after it only the cache may still profit. NULL: no answer, and it
 * may be asked again at once. No lock may be held.
 */
void query_done(struct dns_query *query, struct answer *answer, int64_t ttl_s);
void query_ref(struct dns_query *query);
void query_unref(struct dns_query *query);

/* --- for batches -------------------------------------------------------------- */

/*
 * The cached answer, with a reference; or NULL and in `*ret_query` (with a
 * reference) the question under way, begun here unless it was. Both NULL when
 * too many are under way or memory is short.
 */
struct answer *query_begin(struct dns *dns, struct span folded,
    enum dns_type type, uint64_t hash, int64_t now_ms,
    struct dns_query **ret_query);
/*
 * Waits until the query is done or `until`. A query whose own deadline has
 * passed ends here, for everybody, with DNS_TIMEOUT.
 */
void query_wait(struct dns_query *query, int64_t until);

/* dns_open() on a resolver that is there already; it is owned from now on. */
int dns_open_on(struct resolver *resolver, const struct dns_options *options,
    struct dns **ret, struct err *err) MUST_USE;

/* --- the resolvers ------------------------------------------------------------- */

int resolver_open_unbound(const struct dns_options *options,
    struct resolver **ret, struct err *err) MUST_USE;
int resolver_open_zone(
    const char *path, struct resolver **ret, struct err *err) MUST_USE;

#endif
