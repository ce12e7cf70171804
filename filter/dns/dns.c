#include "filter/dns/dns.h"

#include <assert.h>
#include <stdlib.h>

#include "filter/base/clock.h"
#include "filter/dns/cache.h"
#include "filter/dns/dnslist.h"
#include "filter/dns/resolver.h"

/*
 * The process's side of DNS: a cache, one resolver behind it, and the table
 * of questions under way, so that a name is asked once however many messages
 * want it. An answer goes into the cache before its question leaves the table;
 * who finds neither looks at the cache again under the table's lock, and may
 * then ask. Deadlines are kept by those who wait: a resolver that never
 * answers costs nobody more than the time of a name, and what it says too
 * late still warms the cache. Batches are batch.c's.
 */

#define TIMEOUT_MS_DEFAULT 5000
#define IN_FLIGHT_MAX 4096
#define BUCKETS 1024 /* a power of two */

struct dns {
	struct cache *cache;
	struct resolver *resolver;
	int64_t timeout_ms;
	struct lock lock; /* guards the table and waiting */
	size_t in_flight;
	struct dns_query *buckets[BUCKETS];
	_Atomic uint64_t timeouts, servfails;
	struct dnslist_table lists;
};

int
dns_open_on(struct resolver *resolver, const struct dns_options *options,
    struct dns **ret, struct err *err)
{
	struct dns *dns = calloc(1, sizeof *dns);

	if (dns)
		dns->cache = cache_new(options->cache_entries);
	if (!dns || !dns->cache) {
		resolver->close(resolver);
		free(dns);
		return err_set(err, ERR_NOMEM, "out of memory");
	}
	dns->resolver = resolver;
	dns->timeout_ms =
	    options->timeout_ms > 0 ? options->timeout_ms : TIMEOUT_MS_DEFAULT;
	lock_init(&dns->lock, LOCK_DNS);
	dnslist_table_init(&dns->lists);
	*ret = dns;
	return 0;
}

int
dns_open(const struct dns_options *options, struct dns **ret, struct err *err)
{
	struct resolver *resolver;
	int rc = options->zone
		     ? resolver_open_zone(options->zone, &resolver, err)
		     : resolver_open_unbound(options, &resolver, err);

	return rc ? rc : dns_open_on(resolver, options, ret, err);
}

void
dns_close(struct dns *dns)
{
	if (!dns)
		return;
	dns->resolver->close(dns->resolver);
	assert(dns->in_flight == 0);
	cache_free(dns->cache);
	dnslist_table_done(&dns->lists);
	lock_done(&dns->lock);
	free(dns);
}

void
dns_counts(struct dns *dns, struct dns_counts *ret)
{
	struct cache_counts cache;

	cache_counts(dns->cache, &cache);
	*ret = (struct dns_counts){
	    .hits = cache.hits,
	    .misses = cache.misses,
	    .timeouts = atomic_load(&dns->timeouts),
	    .servfails = atomic_load(&dns->servfails),
	    .entries = cache.entries,
	};
}

struct dnslist_table *
dns_lists(struct dns *dns)
{
	return &dns->lists;
}

int64_t
dns_beat(const struct dns *dns)
{
	const struct resolver *resolver = dns->resolver;

	return resolver->beat ? resolver->beat(resolver) : CLOCK_NEVER;
}

/* --- a question under way ------------------------------------------------------- */

static struct dns_query *
query_new(
    struct dns *dns, struct span folded, enum dns_type type, uint64_t hash)
{
	struct dns_query *q = calloc(1, sizeof *q + folded.len);

	if (!q)
		return NULL;
	q->dns = dns;
	atomic_init(&q->refs, 1);
	q->hash = hash;
	q->type = type;
	q->deadline = clock_deadline(dns->timeout_ms);
	lock_cond_init(&q->cond);
	q->name_len = folded.len;
	memcpy(q->name, folded.p, folded.len);
	return q;
}

void
query_ref(struct dns_query *query)
{
	atomic_fetch_add_explicit(&query->refs, 1, memory_order_relaxed);
}

void
query_unref(struct dns_query *query)
{
	if (!query)
		return;
	if (atomic_fetch_sub_explicit(&query->refs, 1, memory_order_acq_rel) >
	    1)
		return;
	answer_unref(query->answer);
	lock_cond_done(&query->cond);
	free(query);
}

static struct dns_query **
bucket_of(struct dns *dns, uint64_t hash)
{
	return &dns->buckets[(size_t)hash & (BUCKETS - 1)];
}

static struct dns_query *
table_find(
    struct dns *dns, struct span folded, enum dns_type type, uint64_t hash)
{
	struct dns_query *q = *bucket_of(dns, hash);

	while (q && !(q->hash == hash && q->type == type &&
			span_eq(query_name(q), folded)))
		q = q->chain;
	return q;
}

static void
table_remove(struct dns *dns, struct dns_query *query)
{
	struct dns_query **at = bucket_of(dns, query->hash);

	while (*at != query)
		at = &(*at)->chain;
	*at = query->chain;
	dns->in_flight--;
}

static void
count(struct dns *dns, const struct answer *answer)
{
	enum dns_status status = answer ? answer->pub.status : DNS_TIMEOUT;

	if (status == DNS_TIMEOUT)
		atomic_fetch_add(&dns->timeouts, 1);
	if (status == DNS_SERVFAIL)
		atomic_fetch_add(&dns->servfails, 1);
}

void
query_done(struct dns_query *query, struct answer *answer, int64_t ttl_s)
{
	struct dns *dns = query->dns;
	bool first = !atomic_exchange(&query->claimed, true);

	if (answer) {
		int64_t now = clock_mono_ms();
		cache_put(dns->cache, answer, now,
		    now + cache_ttl_ms(answer->pub.status, ttl_s));
	}
	if (!first) {
		answer_unref(answer);
		return;
	}
	count(dns, answer);
	lock_take(&dns->lock);
	query->answer = answer;
	atomic_store_explicit(&query->done, true, memory_order_release);
	table_remove(dns, query);
	lock_broadcast(&query->cond);
	lock_drop(&dns->lock);
}

/* Ends a query that took too long. */
static void
query_expire(struct dns_query *query)
{
	query_done(query,
	    answer_new(query_name(query), query->type, DNS_TIMEOUT, NULL), 0);
}

void
query_wait(struct dns_query *query, int64_t until)
{
	struct dns *dns = query->dns;

	until = clock_min(until, query->deadline);
	lock_blocking();
	lock_take(&dns->lock);
	while (!atomic_load_explicit(&query->done, memory_order_acquire))
		if (!lock_wait(&query->cond, &dns->lock, until))
			break;
	lock_drop(&dns->lock);
	if (!atomic_load_explicit(&query->done, memory_order_acquire) &&
	    clock_left(query->deadline) == 0)
		query_expire(query);
}

/*
 * Under the lock: joins or makes the query. True when it is new and has to be
 * given to the resolver.
 */
static bool
join(struct dns *dns, struct span folded, enum dns_type type, uint64_t hash,
    struct dns_query **ret)
{
	struct dns_query *q = table_find(dns, folded, type, hash);

	*ret = q;
	if (q) {
		query_ref(q);
		return false;
	}
	if (dns->in_flight >= IN_FLIGHT_MAX)
		return false;
	q = query_new(dns, folded, type, hash);
	*ret = q;
	if (!q)
		return false;
	query_ref(q); /* one for the resolver, one for the batch */
	q->chain = *bucket_of(dns, hash);
	*bucket_of(dns, hash) = q;
	dns->in_flight++;
	return true;
}

struct answer *
query_begin(struct dns *dns, struct span folded, enum dns_type type,
    uint64_t hash, int64_t now_ms, struct dns_query **ret_query)
{
	bool is_new = false;

	*ret_query = NULL;
	struct answer *answer =
	    cache_get(dns->cache, folded, type, hash, now_ms, true);
	if (answer)
		return answer;
	lock_take(&dns->lock);
	if (!table_find(dns, folded, type, hash))
		answer = cache_get(
		    dns->cache, folded, type, hash, clock_mono_ms(), false);
	if (!answer)
		is_new = join(dns, folded, type, hash, ret_query);
	lock_drop(&dns->lock);
	struct dns_query *q = *ret_query;
	if (is_new)
		dns->resolver->ask(dns->resolver, q);
	else if (q && clock_left(q->deadline) == 0 &&
		 !atomic_load_explicit(&q->done, memory_order_acquire))
		query_expire(q);
	return answer;
}
