#include "filter/store/store_redis.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "filter/base/clock.h"
#include "filter/base/ip.h"

/*
 * Where the server is. getaddrinfo() waits as long as the system's resolver
 * likes, longer than a session may: a thread of its own, which lives for one
 * look-up, asks it. Sessions use what is known, however old, and wait (until
 * their deadline) only for the very first answer.
 *
 * The look-up may outlive the store, so what it writes to is counted.
 */

#define REFRESH_MS 60000 /* look again though all is well */
#define AGAIN_MS 1000    /* and when no address answered */
#define HOST_SIZE 256

struct redis_name {
	char host[HOST_SIZE]; /* "" for a fixed address */
	unsigned port;
	struct lock lock;
	struct lock_cond known;
	/* By the lock: */
	unsigned owners;
	bool asking, failed;
	int64_t looked_up; /* clock_mono_ms() of the last answer, or start */
	int64_t look_up_at;
	struct redis_address addresses[REDIS_ADDRESSES_MAX];
	size_t n;
};

/* --- addresses that need no look-up ------------------------------------------- */

static int
fixed_path(struct redis_name *name, struct span path, struct err *err)
{
	struct redis_address *a = &name->addresses[0];

	if (path.len >= sizeof a->u.un.sun_path)
		return err_set(err, ERR_SYNTAX,
		    "a socket's path has at most %zu bytes",
		    sizeof a->u.un.sun_path - 1);
	if (!span_copy(path, a->u.un.sun_path, sizeof a->u.un.sun_path))
		return err_set(err, ERR_SYNTAX, "a NUL in a socket's path");
	a->u.un.sun_family = AF_UNIX;
	a->len = sizeof a->u.un;
	name->n = 1;
	return 0;
}

static void
fixed_ip(struct redis_name *name, const struct ip *ip)
{
	struct redis_address *a = &name->addresses[0];
	in_port_t port = htons((uint16_t)name->port);

	if (ip->family == 4) {
		struct sockaddr_in to = {
		    .sin_family = AF_INET, .sin_port = port};
		memcpy(&to.sin_addr, ip->bytes, sizeof to.sin_addr);
		memcpy(&a->u.any, &to, sizeof to);
		a->len = sizeof to;
	} else {
		struct sockaddr_in6 to = {
		    .sin6_family = AF_INET6, .sin6_port = port};
		memcpy(&to.sin6_addr, ip->bytes, sizeof to.sin6_addr);
		memcpy(&a->u.any, &to, sizeof to);
		a->len = sizeof to;
	}
	name->n = 1;
}

static bool
is_host_name(struct span host)
{
	for (size_t i = 0; i < host.len; i++)
		if (!ascii_is_alnum(host.p[i]) && host.p[i] != '-' &&
		    host.p[i] != '.' && host.p[i] != '_')
			return false;
	return host.len > 0 && host.len < HOST_SIZE;
}

/* --- the look-up --------------------------------------------------------------- */

static void
drop_owner(struct redis_name *name)
{
	lock_take(&name->lock);
	bool last = --name->owners == 0;
	lock_drop(&name->lock);
	if (!last)
		return;
	lock_cond_done(&name->known);
	lock_done(&name->lock);
	free(name);
}

/* Keeps the old answer when there is no new one. */
static void
keep_answer(struct redis_name *name, const struct addrinfo *list)
{
	lock_take(&name->lock);
	name->asking = false;
	name->failed = list == NULL;
	name->looked_up = clock_mono_ms();
	name->look_up_at = name->looked_up + (list ? REFRESH_MS : AGAIN_MS);
	if (list)
		name->n = 0;
	for (; list && name->n < REDIS_ADDRESSES_MAX; list = list->ai_next) {
		struct redis_address *a = &name->addresses[name->n];
		if (list->ai_addrlen > sizeof a->u.any)
			continue;
		memcpy(&a->u.any, list->ai_addr, list->ai_addrlen);
		a->len = list->ai_addrlen;
		name->n++;
	}
	lock_broadcast(&name->known);
	lock_drop(&name->lock);
}

static void *
look_up(void *arg)
{
	struct redis_name *name = arg;
	struct addrinfo hints = {.ai_family = AF_UNSPEC,
	    .ai_socktype = SOCK_STREAM,
	    .ai_flags = AI_NUMERICSERV};
	struct addrinfo *list = NULL;
	char port[8];
	struct buf text;

	buf_init(&text, NULL, sizeof port);
	buf_add_u64(&text, name->port);
	span_copy(buf_span(&text), port, sizeof port);
	buf_done(&text);
	lock_blocking();
	if (getaddrinfo(name->host, port, &hints, &list))
		list = NULL;
	keep_answer(name, list);
	if (list)
		freeaddrinfo(list);
	drop_owner(name);
	return NULL;
}

/* Our threads take no signals. */
static int
start_thread(struct redis_name *name)
{
	pthread_attr_t attr;
	pthread_t thread;
	sigset_t all, before;

	if (pthread_attr_init(&attr))
		return ERR_NOMEM;
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int rc = pthread_create(&thread, &attr, look_up, name);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	return rc ? ERR_NOMEM : 0;
}

/* Has a look-up started when one is due; called and left with the lock. */
static void
look_up_when_due(struct redis_name *name)
{
	if (!name->host[0] || name->asking ||
	    (name->n && clock_mono_ms() < name->look_up_at) ||
	    (name->failed && clock_mono_ms() < name->look_up_at))
		return;
	name->asking = true;
	name->owners++;
	if (start_thread(name) == 0)
		return;
	name->asking = false;
	name->failed = true;
	name->owners--;
	name->look_up_at = clock_deadline(AGAIN_MS);
}

/* --- the calls ------------------------------------------------------------------ */

int
redis_name_open(
    const struct store_url *url, struct redis_name **ret, struct err *err)
{
	struct redis_name *name = calloc(1, sizeof *name);
	struct ip ip;
	int rc = 0;

	if (!name)
		return err_set(err, ERR_NOMEM, "out of memory");
	name->port = url->port;
	name->owners = 1;
	if (url->scheme == STORE_REDIS_UNIX)
		rc = fixed_path(name, url->path, err);
	else if (ip_parse(url->host, &ip) == 0)
		fixed_ip(name, &ip);
	else if (is_host_name(url->host))
		span_copy(url->host, name->host, sizeof name->host);
	else
		rc = err_set(err, ERR_SYNTAX, "no address or name of a host");
	if (rc) {
		free(name);
		return rc;
	}
	lock_init(&name->lock, LOCK_STORE);
	lock_cond_init(&name->known);
	lock_take(&name->lock);
	look_up_when_due(name);
	lock_drop(&name->lock);
	*ret = name;
	return 0;
}

int
redis_name_get(struct redis_name *name, int64_t deadline,
    struct redis_address ret[REDIS_ADDRESSES_MAX], size_t *ret_n,
    struct err *err)
{
	bool in_time = true;

	lock_take(&name->lock);
	look_up_when_due(name);
	while (name->n == 0 && name->asking && in_time)
		in_time = lock_wait(&name->known, &name->lock, deadline);
	size_t n = name->n;
	memcpy(ret, name->addresses, n * sizeof *ret);
	lock_drop(&name->lock);
	if (n == 0 && !in_time)
		return err_set(err, ERR_TIMEOUT, "its name is being looked up");
	if (n == 0)
		return err_set(err, ERR_STATE, "no address for its name");
	*ret_n = n;
	return 0;
}

static bool
is_same(const struct redis_address *a, const struct redis_address *b)
{
	return a->len == b->len && memcmp(&a->u, &b->u, a->len) == 0;
}

void
redis_name_tell(struct redis_name *name, const struct redis_address *good)
{
	lock_take(&name->lock);
	if (!good && name->host[0])
		name->look_up_at =
		    clock_min(name->look_up_at, name->looked_up + AGAIN_MS);
	for (size_t i = 1; good && i < name->n; i++) {
		if (!is_same(good, &name->addresses[i]))
			continue;
		name->addresses[i] = name->addresses[0];
		name->addresses[0] = *good;
		break;
	}
	lock_drop(&name->lock);
}

void
redis_name_close(struct redis_name *name)
{
	if (name)
		drop_owner(name);
}
