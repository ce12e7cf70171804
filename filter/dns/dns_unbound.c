#include "filter/dns/resolver.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unbound.h>
#include <unistd.h>

#include "filter/base/clock.h"
#include "filter/dns/draft.h"
#include "filter/dns/name.h"

/*
 * The resolver of production: one libunbound context with its thread, and one
 * thread of ours that feeds it and takes its answers. Sessions only put a
 * query into a list and, when that was empty, ring an eventfd.
 *
 * libunbound needs up to 17 s to give a dead server up. Those who wait do not
 * wait that long (dns.c); the query stays with libunbound all the same, since
 * there is no way to stop it there: ub_cancel() only hides the answer. So we
 * keep counting it, which bounds the memory of what is under way, and let a
 * late answer warm the cache.
 */

#define UNDER_WAY_MAX 8192 /* queries inside libunbound, late ones too */
#define SOCKETS_MAX 1024   /* that it may open for asking */
#define BEAT_MS 1000       /* the thread wakes at least that often */
#define ROOT_KEY "/usr/share/dns/root.key" /* of Debian's dns-root-data */

struct dns_unbound {
	struct resolver resolver; /* first */
	struct ub_ctx *ctx;
	int event; /* eventfd: the list is not empty, or stop */
	pthread_t thread;
	bool thread_runs;
	struct lock lock;
	struct dns_query *first, *last; /* to be asked; under the lock */
	bool stop;                      /* under the lock */
	_Atomic size_t under_way;       /* in the list or inside libunbound */
	_Atomic int64_t beat;           /* of the thread; clock_mono_ms() */
	/* The thread's own: what libunbound has. */
	struct dns_query *inside;
	bool broken; /* libunbound's thread is gone */
};

/* --- settings ------------------------------------------------------------------ */

static int
ub_failed(struct err *err, int code, const char *what)
{
	return err_set(err, code == UB_NOMEM ? ERR_NOMEM : ERR_INVALID,
	    "dns: %s: %s", what, ub_strerror(code));
}

static int
set_options(struct ub_ctx *ctx, struct err *err)
{
	/*
	 * It would answer NXDOMAIN for private and documentation networks by
	 * itself, and refuse servers on loopback. Its cache only has to hold
	 * delegations and keys: answers are in ours.
	 */
	static const char *const options[][2] = {
	    {"unblock-lan-zones:", "yes"},
	    {"insecure-lan-zones:", "yes"},
	    {"do-not-query-localhost:", "no"},
	    {"infra-keep-probing:", "yes"},
	    {"outgoing-num-tcp:", "32"},
	    {"num-queries-per-thread:", "4096"},
	    {"msg-cache-size:", "4m"},
	    {"rrset-cache-size:", "8m"},
	};
	struct rlimit files = {.rlim_cur = 1024};
	char range[24];

	for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
		int rc = ub_ctx_set_option(ctx, options[i][0], options[i][1]);
		if (rc)
			return ub_failed(err, rc, options[i][0]);
	}
	/* A socket a query: as many as the process can spare. */
	(void)getrlimit(RLIMIT_NOFILE, &files);
	rlim_t n = files.rlim_cur / 4;
	if (n > SOCKETS_MAX)
		n = SOCKETS_MAX;
	snprintf(range, sizeof range, "%u", n < 16 ? 16 : (unsigned)n);
	int rc = ub_ctx_set_option(ctx, "outgoing-range:", range);
	return rc ? ub_failed(err, rc, "outgoing-range") : 0;
}

static int
set_servers(
    struct ub_ctx *ctx, const struct dns_options *options, struct err *err)
{
	char text[128];

	if (options->recursive)
		return 0;
	/*
	 * What it knows of a server it forgets soon: else it goes on for
	 * minutes to answer SERVFAIL by itself, with the server back again
	 * after an outage of 20 s.
	 */
	int rc = ub_ctx_set_option(ctx, "infra-host-ttl:", "10");
	if (rc)
		return ub_failed(err, rc, "infra-host-ttl");
	for (size_t i = 0; i < options->n_nameservers; i++) {
		rc = UB_SYNTAX;
		if (span_copy(options->nameservers[i], text, sizeof text))
			rc = ub_ctx_set_fwd(ctx, text);
		if (rc)
			return err_set(err, ERR_INVALID,
			    "dns: bad address of a name server: %s", text);
	}
	if (options->n_nameservers)
		return 0;
	rc = ub_ctx_resolvconf(ctx, NULL);
	return rc ? ub_failed(err, rc, "/etc/resolv.conf") : 0;
}

static int
configure(
    struct ub_ctx *ctx, const struct dns_options *options, struct err *err)
{
	(void)ub_ctx_debugout(ctx, NULL);
	(void)ub_ctx_async(ctx, 1);
	int rc = set_options(ctx, err);
	if (!rc)
		rc = set_servers(ctx, options, err);
	if (rc)
		return rc;
	if (options->dnssec) {
		rc = access(ROOT_KEY, R_OK) ? UB_READFILE
					    : ub_ctx_add_ta_file(ctx, ROOT_KEY);
		if (rc)
			return ub_failed(
			    err, rc, ROOT_KEY " (package dns-root-data)");
	}
	/* The last, since it ends configuring; with servers, theirs to say. */
	if (!options->recursive)
		(void)ub_ctx_zone_remove(ctx, "test.");
	return 0;
}

/* --- answers ------------------------------------------------------------------- */

static struct answer *
answer_of(const struct dns_query *query, const struct ub_result *result)
{
	enum dns_status status = DNS_SERVFAIL;
	struct answer_draft draft;

	answer_draft_init(&draft);
	if (result->bogus || (result->rcode != 0 && result->rcode != 3)) {
		status = DNS_SERVFAIL;
	} else if (result->nxdomain || result->rcode == 3) {
		status = DNS_NXDOMAIN;
	} else if (!result->havedata) {
		status = DNS_NODATA;
	} else {
		for (size_t i = 0; result->data[i]; i++)
			if (result->len[i] >= 0)
				(void)answer_draft_rdata(&draft, query->type,
				    span_make(result->data[i],
					(size_t)result->len[i]));
		if (draft.n)
			status = DNS_OK;
	}
	struct answer *answer =
	    answer_new(query_name(query), query->type, status, &draft);
	if (answer)
		answer->pub.secure = result->secure && !result->bogus;
	answer_draft_done(&draft);
	return answer;
}

static void
finish(struct dns_unbound *u, struct dns_query *query, struct answer *answer,
    int64_t ttl_s)
{
	query_done(query, answer, ttl_s);
	atomic_fetch_sub(&u->under_way, 1);
	query_unref(query);
}

static struct answer *
no_answer(const struct dns_query *query)
{
	return answer_new(query_name(query), query->type, DNS_SERVFAIL, NULL);
}

static void
inside_add(struct dns_unbound *u, struct dns_query *query)
{
	query->prev = NULL;
	query->next = u->inside;
	if (u->inside)
		u->inside->prev = query;
	u->inside = query;
}

static void
inside_remove(struct dns_unbound *u, struct dns_query *query)
{
	if (query->prev)
		query->prev->next = query->next;
	else
		u->inside = query->next;
	if (query->next)
		query->next->prev = query->prev;
}

/* Called by ub_process(), so in our thread. */
static void
on_result(void *arg, int code, struct ub_result *result)
{
	struct dns_query *query = arg;
	struct dns_unbound *u = (struct dns_unbound *)(void *)query->resolver;
	struct answer *answer =
	    code || !result ? no_answer(query) : answer_of(query, result);

	inside_remove(u, query);
	finish(u, query, answer, result ? result->ttl : 0);
	ub_resolve_free(result);
}

/* --- the thread ------------------------------------------------------------------ */

/* Gives a query to libunbound, whose names take \DDD as our texts have it. */
static void
start_query(struct dns_unbound *u, struct dns_query *query)
{
	uint8_t wire[NAME_WIRE_MAX];
	char text[NAME_TEXT_MAX + 1];
	size_t len, wire_len = name_to_wire(query_name(query), wire);
	int code = UB_PIPE;

	if (name_to_text(span_make((const char *)wire, wire_len), text, &len) ==
	    0)
		len = 0; /* cannot be: the name was checked */
	text[len] = '\0';
	inside_add(u, query);
	if (!u->broken)
		code = ub_resolve_async(
		    u->ctx, text, (int)query->type, 1, query, on_result, NULL);
	if (code == 0)
		return;
	inside_remove(u, query);
	finish(u, query, no_answer(query), 0);
}

/* Takes the list over; false when the thread shall end. */
static bool
take_queries(struct dns_unbound *u, struct dns_query **ret_first)
{
	lock_take(&u->lock);
	bool go_on = !u->stop;
	*ret_first = go_on ? u->first : NULL;
	if (go_on)
		u->first = u->last = NULL;
	lock_drop(&u->lock);
	return go_on;
}

static bool
on_event(struct dns_unbound *u)
{
	struct dns_query *q;
	uint64_t n;

	if (read(u->event, &n, sizeof n) < 0 && errno != EAGAIN &&
	    errno != EINTR)
		return false;
	if (!take_queries(u, &q))
		return false;
	while (q) {
		struct dns_query *next = q->next;
		start_query(u, q);
		q = next;
	}
	return true;
}

static void *
run(void *arg)
{
	struct dns_unbound *u = arg;
	struct pollfd fds[] = {
	    {.fd = ub_fd(u->ctx), .events = POLLIN},
	    {.fd = u->event, .events = POLLIN},
	};

	for (;;) {
		/* A resolver that cannot answer any more must not look alive. */
		if (!u->broken)
			atomic_store(&u->beat, clock_mono_ms());
		if (poll(fds, 2, BEAT_MS) < 0) {
			if (errno == EINTR)
				continue;
			break;
		}
		if (fds[1].revents && !on_event(u))
			break;
		if (fds[0].revents && ub_process(u->ctx)) {
			/* All that is asked from now on is SERVFAIL. */
			u->broken = true;
			fds[0].fd = -1;
		}
	}
	return NULL;
}

static void
ring(struct dns_unbound *u)
{
	const uint64_t one = 1;
	ssize_t n;

	do
		n = write(u->event, &one, sizeof one);
	while (n < 0 && errno == EINTR);
}

static void
unbound_ask(struct resolver *resolver, struct dns_query *query)
{
	struct dns_unbound *u = (struct dns_unbound *)(void *)resolver;

	query->resolver = resolver;
	if (atomic_fetch_add(&u->under_way, 1) >= UNDER_WAY_MAX) {
		finish(u, query, NULL, 0);
		return;
	}
	query->next = NULL;
	lock_take(&u->lock);
	bool was_empty = !u->first;
	if (was_empty)
		u->first = query;
	else
		u->last->next = query;
	u->last = query;
	lock_drop(&u->lock);
	if (was_empty)
		ring(u);
}

/* --- opening and closing ------------------------------------------------------------ */

static int64_t
unbound_beat(const struct resolver *resolver)
{
	const struct dns_unbound *u =
	    (const struct dns_unbound *)(const void *)resolver;

	return atomic_load(&u->beat);
}

static void
end_all(struct dns_unbound *u, struct dns_query *first)
{
	while (first) {
		struct dns_query *next = first->next;
		finish(u, first, NULL, 0);
		first = next;
	}
}

static void
unbound_close(struct resolver *resolver)
{
	struct dns_unbound *u = (struct dns_unbound *)(void *)resolver;

	if (u->thread_runs) {
		lock_take(&u->lock);
		u->stop = true;
		lock_drop(&u->lock);
		ring(u);
		pthread_join(u->thread, NULL);
	}
	/* Ends libunbound's thread; no callback comes any more. */
	if (u->ctx)
		ub_ctx_delete(u->ctx);
	end_all(u, u->inside);
	end_all(u, u->first);
	if (u->event >= 0)
		close(u->event);
	lock_done(&u->lock);
	free(u);
}

/* Our thread, and with it libunbound's, shall get no signals. */
static int
start_thread(struct dns_unbound *u, struct err *err)
{
	sigset_t all, old;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	int rc = pthread_create(&u->thread, NULL, run, u);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (rc)
		return err_set_errno(err, rc, "dns: thread");
	u->thread_runs = true;
	(void)pthread_setname_np(u->thread, "dns");
	return 0;
}

int
resolver_open_unbound(
    const struct dns_options *options, struct resolver **ret, struct err *err)
{
	struct dns_unbound *u = calloc(1, sizeof *u);
	int rc;

	if (!u)
		return err_set(err, ERR_NOMEM, "out of memory");
	u->resolver =
	    (struct resolver){unbound_ask, unbound_close, unbound_beat};
	atomic_init(&u->beat, clock_mono_ms());
	lock_init(&u->lock, LOCK_DNS);
	u->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	u->ctx = ub_ctx_create();
	if (u->event < 0)
		rc = err_set_errno(err, errno, "dns: eventfd");
	else if (!u->ctx)
		rc = err_set(err, ERR_NOMEM, "dns: libunbound: no context");
	else
		rc = configure(u->ctx, options, err);
	if (!rc)
		rc = start_thread(u, err);
	if (rc) {
		unbound_close(&u->resolver);
		return rc;
	}
	*ret = &u->resolver;
	return 0;
}
