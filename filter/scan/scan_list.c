#include "filter/scan/scan_list.h"

#include <assert.h>
#include <stdlib.h>

#include "filter/base/clock.h"
#include "filter/base/map.h"
#include "filter/mail/domain.h"

/*
 * What DNS lists say of a message: of its client, asked at MAIL FROM (behind a
 * relay of ours at the end of the header, which names it), and of the domains in its links, asked when the body has come, all at once. Lists
 * have a batch of their own and a deadline each, counted from the question, so
 * that they never take time or questions from SPF, DKIM and DMARC.
 *
 * Of many domains domains_max are asked: those behind a text that people click
 * on first, and among equals a choice that the sender cannot foresee.
 *
 * A list that fails says so (degraded=dnsbl:NAME). What it listed before it
 * failed counts, unless it turned out to refuse or to list everything.
 */

/* One thing that a list is asked about. */
struct list_ask {
	struct span key;  /* for people: address or domain */
	struct span name; /* what is asked */
};
struct list_asks VEC(struct list_ask);

struct list_run {
	const struct dnslist *list;
	struct dnslist_health *health;
	struct dnslist_turn turn;
	bool failed; /* told so: once for a message */
	int64_t deadline;
	struct list_asks asks;
	struct list_facts *facts;
};

/* A host in a link. */
struct link_host {
	struct span host, registrable;
	struct ip ip;    /* family 0: a name */
	bool shown;      /* behind a text */
	uint64_t chance; /* keyed hash */
};
struct link_hosts VEC(struct link_host);

static const struct list_facts facts_off = {.state = FACT_OFF};

/* --- what is asked ------------------------------------------------------------------ */

struct scan_list_runs *
scan_lists_new(struct scan *scan, struct dns *dns)
{
	const struct scan_lists *lists = &scan->config->lists;
	int64_t now = clock_mono_ms();

	if (lists->n == 0 || !dns || !scan->config->network)
		return NULL;
	struct scan_list_runs *runs = arena_zalloc(scan->arena, sizeof *runs);
	if (!runs)
		return NULL;
	runs->v = arena_calloc(scan->arena, lists->n, sizeof *runs->v);
	/* Room for each domain in each list, the client, two test points. */
	runs->dns = dns_batch_new(dns, scan->arena, CLOCK_NEVER / 1000,
	    (unsigned)lists->n * (lists->domains_max + 3));
	if (!runs->v || !runs->dns)
		return NULL;
	for (size_t i = 0; i < lists->n; i++) {
		struct list_run *run = &runs->v[i];
		run->list = &lists->v[i];
		run->health = dnslist_health(dns, run->list);
		if (run->health)
			run->turn = dnslist_begin(run->health, now);
	}
	return runs;
}

/* Notes a question, and begins to ask it where the list is on. */
static void
ask(struct scan *scan, struct list_run *run, struct span key, const char *name,
    size_t len)
{
	struct list_ask *to = len ? VEC_PUSH(scan->arena, &run->asks) : NULL;

	if (!to)
		return;
	to->key = key;
	to->name = arena_span(scan->arena, span_make(name, len));
	if (!run->turn.ask)
		return;
	dns_want(scan->lists->dns, to->name, DNS_A);
	if (!run->deadline)
		run->deadline = clock_deadline(run->list->timeout_ms);
}

static void
ask_tests(struct scan *scan, const struct list_run *run)
{
	if (!run->turn.test)
		return;
	dns_want(scan->lists->dns, run->list->test_listed, DNS_A);
	dns_want(scan->lists->dns, run->list->test_clean, DNS_A);
}

static void
ask_client(struct scan *scan, struct list_run *run)
{
	const struct ip *ip = &scan->client.ip;
	char name[DNSLIST_QUESTION_MAX], text[IP_TEXT_SIZE];

	if (run->list->of_links || ip->family == 0 ||
	    scan->direction == DIRECTION_OUT || ip_is_private(ip))
		return;
	ip_format(ip, text);
	ask(scan, run, arena_span(scan->arena, span_of(text)), name,
	    dnslist_ask_address(run->list, ip, name));
}

/* --- links -------------------------------------------------------------------------- */

static bool
is_skipped(const struct scan_lists *lists, const struct url *url)
{
	if (url->ip.family)
		return ip_is_private(&url->ip);
	for (size_t i = 0; i < lists->n_skip; i++)
		if (domain_is_below(url->host, lists->skip[i]))
			return true;
	return url->registrable.len == 0;
}

/* The hosts of all links, each once, as they come. */
static void
gather_hosts(struct scan *scan, struct link_hosts *hosts)
{
	const struct url_list *urls = message_urls(scan->message);
	struct map seen;

	map_init(&seen, scan->arena, false);
	for (size_t i = 0; i < urls->n; i++) {
		struct url *url = &urls->v[i];
		bool shown = span_trim(url->anchor).len != 0;
		if (!url->host.len || span_is(url->scheme, "mailto"))
			continue;
		size_t at = (size_t)(uintptr_t)map_get(&seen, url->host);
		if (at) {
			hosts->v[at - 1].shown |= shown;
			continue;
		}
		if (is_skipped(&scan->config->lists, url))
			continue;
		struct link_host *host = VEC_PUSH(scan->arena, hosts);
		if (!host)
			return;
		/* Hosts of one domain stand together. */
		*host = (struct link_host){url->host, url->registrable, url->ip,
		    shown,
		    span_hash(url->ip.family ? url->host : url->registrable)};
		if (map_put(&seen, url->host, (void *)(uintptr_t)hosts->n))
			return;
	}
}

static int
by_worth(const void *a, const void *b)
{
	const struct link_host *x = a, *y = b;

	if (x->shown != y->shown)
		return x->shown ? -1 : 1;
	if (x->chance != y->chance)
		return x->chance < y->chance ? -1 : 1;
	return span_cmp(x->host, y->host);
}

static void
ask_host(struct scan *scan, struct list_run *run, struct map *seen,
    const struct link_host *host)
{
	char name[DNSLIST_QUESTION_MAX], text[IP_TEXT_SIZE];
	struct span key =
	    run->list->whole_host ? host->host : host->registrable;
	size_t len;

	if (host->ip.family) {
		ip_format(&host->ip, text);
		key = arena_span(scan->arena, span_of(text));
		len = dnslist_ask_address(run->list, &host->ip, name);
	} else {
		len = dnslist_ask_domain(run->list, key, name);
	}
	if (!key.p || map_get(seen, key) || map_put(seen, key, run))
		return;
	ask(scan, run, key, name, len);
}

static void
ask_links(struct scan *scan)
{
	const struct scan_lists *lists = &scan->config->lists;
	struct link_hosts hosts = {0};
	bool gathered = false;

	for (size_t i = 0; i < lists->n; i++) {
		struct list_run *run = &scan->lists->v[i];
		struct map seen;
		if (!run->list->of_links)
			continue;
		if (!gathered) {
			gather_hosts(scan, &hosts);
			if (hosts.n > lists->domains_max)
				qsort(hosts.v, hosts.n, sizeof *hosts.v,
				    by_worth);
			gathered = true;
		}
		map_init(&seen, scan->arena, false);
		for (size_t k = 0;
		     k < hosts.n && run->asks.n < lists->domains_max; k++)
			ask_host(scan, run, &seen, &hosts.v[k]);
	}
}

void
scan_lists_stage(struct scan *scan, enum scan_stage stage)
{
	if (!scan->lists)
		return;
	if (stage == SCAN_EOM)
		ask_links(scan);
	bool relayed = scan->direction == DIRECTION_RELAY;
	bool known = stage == (relayed ? SCAN_EOH : SCAN_MAIL);
	for (size_t i = 0; i < scan->config->lists.n; i++) {
		if (known)
			ask_client(scan, &scan->lists->v[i]);
		if (stage == SCAN_MAIL)
			ask_tests(scan, &scan->lists->v[i]);
	}
}

void
scan_lists_start(const struct scan_lists *lists, struct dns *dns)
{
	struct arena *arena = arena_new(0);
	struct dns_batch *batch = NULL;

	if (arena)
		batch = dns_batch_new(dns, arena, 0, 2 * (unsigned)lists->n);
	for (size_t i = 0; i < lists->n; i++) {
		dns_want(batch, lists->v[i].test_listed, DNS_A);
		dns_want(batch, lists->v[i].test_clean, DNS_A);
	}
	/* The answers come into the cache without us. */
	arena_free(arena);
}

/* --- what is answered ---------------------------------------------------------------- */

/* Tells the list's state; a list that this turned off is news for the log. */
static void
tell(struct scan *scan, struct list_run *run, enum dnslist_event event)
{
	if (event == DNSLIST_EVENT_FAILED && run->failed)
		return;
	run->failed |= event == DNSLIST_EVENT_FAILED;
	int64_t off_ms = dnslist_tell(run->health, event, clock_mono_ms());
	struct list_news *news =
	    off_ms ? VEC_PUSH(scan->arena, &scan->list_news) : NULL;

	if (news)
		*news = (struct list_news){run->list, event, off_ms};
}

/* Where there was something to ask, it was not answered. */
static void
give_up(struct scan *scan, struct list_run *run)
{
	if (run->asks.n == 0)
		return;
	run->facts->state = FACT_LATER;
	scan_degrade(scan, run->list->degraded);
}

/* A list that cannot be believed: what it said before neither. */
static void
distrust(struct scan *scan, struct list_run *run, enum dnslist_event event)
{
	tell(scan, run, event);
	give_up(scan, run);
	run->facts->hits.n = 0;
}

static void
add_hits(struct scan *scan, struct list_run *run, const struct list_ask *from,
    const struct dns_answer *answer)
{
	struct list_facts *facts = run->facts;

	for (unsigned s = 0; s < run->list->n_symbols; s++) {
		const struct dns_record *record =
		    dnslist_record(run->list, answer, s);
		struct list_hit *hit =
		    record ? VEC_PUSH(scan->arena, &facts->hits) : NULL;
		if (!hit)
			continue;
		hit->symbol = s;
		hit->key = from->key;
		memcpy(hit->answer, record->data.p, sizeof hit->answer);
	}
}

/* The test points' answers, where they have come by now. */
static bool
test_says(struct scan *scan, const struct list_run *run, bool listed,
    enum dnslist_event *ret)
{
	static const enum dnslist_event events[] = {
	    [DNSLIST_CLEAN] = DNSLIST_EVENT_NOTHING,
	    [DNSLIST_LISTED] = DNSLIST_EVENT_EVERYTHING,
	    [DNSLIST_REFUSED] = DNSLIST_EVENT_REFUSED,
	    [DNSLIST_FOREIGN] = DNSLIST_EVENT_FOREIGN,
	    [DNSLIST_FAILED] = DNSLIST_EVENT_FAILED,
	};
	struct span name =
	    listed ? run->list->test_listed : run->list->test_clean;
	const struct dns_answer *answer =
	    name.len ? dns_get_by(scan->lists->dns, name, DNS_A, 0) : NULL;

	*ret = DNSLIST_EVENT_TEST_GOOD;
	if (!answer)
		return name.len == 0;
	enum dnslist_verdict verdict = dnslist_judge(run->list, answer);
	if (verdict != (listed ? DNSLIST_LISTED : DNSLIST_CLEAN))
		*ret = events[verdict];
	return true;
}

/*
 * Looks at the test points, without waiting. What is not known yet stands as
 * good. One that got no answer says nothing of what the list said.
 */
static void
look_at_tests(struct scan *scan, struct list_run *run)
{
	enum dnslist_event listed, clean;

	if (!run->turn.test)
		return;
	bool know_listed = test_says(scan, run, true, &listed);
	bool know_clean = test_says(scan, run, false, &clean);
	if (clean > DNSLIST_EVENT_TEST_GOOD)
		distrust(scan, run, clean);
	else if (listed > DNSLIST_EVENT_TEST_GOOD)
		distrust(scan, run, listed);
	else if (clean != listed || clean == DNSLIST_EVENT_FAILED)
		tell(scan, run, DNSLIST_EVENT_FAILED);
	else if (know_listed && know_clean)
		tell(scan, run, DNSLIST_EVENT_TEST_GOOD);
}

/*
 * The answers to all questions about the message. Time is over for all at
 * once, and counts against the list once.
 */
static void
collect(struct scan *scan, struct list_run *run)
{
	int64_t deadline = clock_min(run->deadline, scan->deadline);
	bool failed = false;

	for (size_t i = 0; i < run->asks.n; i++) {
		const struct list_ask *from = &run->asks.v[i];
		const struct dns_answer *answer =
		    dns_get_by(scan->lists->dns, from->name, DNS_A, deadline);
		enum dnslist_verdict verdict =
		    answer ? dnslist_judge(run->list, answer) : DNSLIST_FAILED;
		if (verdict == DNSLIST_REFUSED || verdict == DNSLIST_FOREIGN) {
			distrust(scan, run,
			    verdict == DNSLIST_REFUSED ? DNSLIST_EVENT_REFUSED
						       : DNSLIST_EVENT_FOREIGN);
			return;
		}
		if (verdict == DNSLIST_LISTED)
			add_hits(scan, run, from, answer);
		if (verdict != DNSLIST_FAILED)
			continue;
		give_up(scan, run);
		/* Without an answer it is the list's fault only when it had
		 * its time. */
		failed |= answer || clock_left(run->deadline) == 0;
	}
	if (failed)
		tell(scan, run, DNSLIST_EVENT_FAILED);
	else if (run->asks.n && run->facts->state == FACT_DONE)
		tell(scan, run, DNSLIST_EVENT_GOOD);
}

const struct list_facts *
scan_list(struct scan *scan, unsigned list)
{
	if (!scan->lists)
		return &facts_off;
	assert(list < scan->config->lists.n);
	struct list_run *run = &scan->lists->v[list];
	if (run->facts)
		return run->facts;
	struct list_facts *facts = arena_zalloc(scan->arena, sizeof *facts);
	if (!facts || !run->health)
		return &facts_off;
	run->facts = facts;
	facts->state = run->asks.n ? FACT_DONE : FACT_OFF;
	if (run->turn.ask)
		collect(scan, run);
	else
		give_up(scan, run);
	look_at_tests(scan, run);
	return facts;
}

const struct list_hit *
scan_listed(struct scan *scan, const struct dnslist_symbol *symbol)
{
	const struct list_facts *facts = scan_list(scan, symbol->list);

	for (size_t i = 0; i < facts->hits.n; i++)
		if (facts->hits.v[i].symbol == symbol->index)
			return &facts->hits.v[i];
	return NULL;
}

int64_t
scan_lists_waited_ms(const struct scan *scan)
{
	return scan->lists ? dns_batch_waited_ms(scan->lists->dns) : 0;
}
