#include "tests/lib/fake_redis.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "filter/base/clock.h"

/* One thread accepts, one plays each connection's script. */

#define RECEIVED_MAX (64u * 1024 * 1024)
#define WAIT_MS 10000

struct player {
	struct fake_redis *fake;
	const struct fake_script *script;
	int fd;
	unsigned nth;
	struct buf in;
	size_t at, commands;
};

void
fake_redis_script(struct fake_redis *fake, const struct fake_step *steps)
{
	assert(fake->n_scripts < FAKE_SCRIPTS_MAX);
	struct fake_script *script = &fake->scripts[fake->n_scripts++];

	for (script->n = 0; steps[script->n].commands; script->n++) {
		assert(script->n < FAKE_STEPS_MAX);
		script->steps[script->n] = steps[script->n];
	}
}

/* "*3\r\n" or "$12\r\n" at `at`: its number, and where the line ends. */
static bool
length_line(struct span all, size_t at, uint64_t *ret, size_t *ret_next)
{
	size_t end = span_find(all, SPAN("\r\n"), at);

	if (end == SPAN_NPOS)
		return false;
	int rc = span_to_u64(span_make(all.p + at + 1, end - at - 1), ret);
	assert(rc == 0);
	*ret_next = end + 2;
	return true;
}

/* Counts the commands that are whole. */
static void
count_commands(struct player *player)
{
	struct span all = buf_span(&player->in);

	for (;;) {
		uint64_t words, len;
		size_t at = player->at;
		if (at >= all.len || !length_line(all, at, &words, &at))
			return;
		for (uint64_t i = 0; i < words; i++) {
			if (at >= all.len || !length_line(all, at, &len, &at) ||
			    at + len + 2 > all.len)
				return;
			at += len + 2;
		}
		player->at = at;
		player->commands++;
		lock_take(&player->fake->lock);
		player->fake->commands++;
		lock_drop(&player->fake->lock);
	}
}

static bool
read_some(struct player *player)
{
	char chunk[65536];
	ssize_t n = recv(player->fd, chunk, sizeof chunk, 0);

	if (n <= 0)
		return false;
	buf_add(&player->in, chunk, (size_t)n);
	lock_take(&player->fake->lock);
	buf_add(&player->fake->received, chunk, (size_t)n);
	lock_drop(&player->fake->lock);
	count_commands(player);
	return true;
}

static bool
send_all(int fd, struct span bytes)
{
	while (bytes.len) {
		ssize_t n = send(fd, bytes.p, bytes.len, MSG_NOSIGNAL);
		if (n <= 0)
			return false;
		bytes = span_skip(bytes, (size_t)n);
	}
	return true;
}

static bool
play_step(struct player *player, const struct fake_step *step)
{
	static const char letters[16384] = {'a', 'a', 'a', 'a'};

	if (step->then == FAKE_DRIBBLE) {
		for (size_t i = 0; i < step->bytes.len; i++)
			if (!send_all(
				player->fd, span_make(step->bytes.p + i, 1)))
				return false;
		return true;
	}
	if (!send_all(player->fd, step->bytes))
		return false;
	while (step->then == FAKE_FLOOD)
		if (!send_all(player->fd, span_make(letters, sizeof letters)))
			return false;
	return step->then != FAKE_HANG_UP;
}

static void
play(struct player *player)
{
	for (size_t i = 0; i < player->script->n; i++) {
		const struct fake_step *step = &player->script->steps[i];
		while (player->commands < step->commands)
			if (!read_some(player))
				return;
		if (!play_step(player, step))
			return;
	}
	while (read_some(player))
		;
}

static void *
player_run(void *arg)
{
	struct player *player = arg;
	struct fake_redis *fake = player->fake;

	play(player);
	lock_take(&fake->lock);
	fake->fds[player->nth] = -1;
	close(player->fd);
	fake->open--;
	lock_broadcast(&fake->changed);
	lock_drop(&fake->lock);
	buf_done(&player->in);
	free(player);
	return NULL;
}

static void
serve(struct fake_redis *fake, int fd)
{
	struct player *player = calloc(1, sizeof *player);
	pthread_attr_t attr;
	pthread_t thread;

	assert(
	    player && fake->accepted < FAKE_CONNECTIONS_MAX && fake->n_scripts);
	lock_take(&fake->lock);
	unsigned nth = fake->accepted++;
	fake->fds[nth] = fd;
	fake->open++;
	if (fake->open > fake->open_most)
		fake->open_most = fake->open;
	lock_drop(&fake->lock);
	size_t which = nth < fake->n_scripts ? nth : fake->n_scripts - 1;
	*player = (struct player){.fake = fake,
	    .script = &fake->scripts[which],
	    .fd = fd,
	    .nth = nth};
	buf_init(&player->in, NULL, RECEIVED_MAX);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	int rc = pthread_create(&thread, &attr, player_run, player);
	assert(rc == 0);
	pthread_attr_destroy(&attr);
}

static void *
accept_run(void *arg)
{
	struct fake_redis *fake = arg;
	int fd;

	while ((fd = accept(fake->listener, NULL, NULL)) >= 0)
		serve(fake, fd);
	return NULL;
}

static int
listen_at(struct fake_redis *fake, const char *where)
{
	struct sockaddr_in in = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_in6 in6 = {
	    .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	struct sockaddr *sa = (struct sockaddr *)&in;
	socklen_t len = sizeof in;

	if (where && strcmp(where, "::1") == 0) {
		sa = (struct sockaddr *)&in6;
		len = sizeof in6;
	} else if (where) {
		span_copy(span_of(where), un.sun_path, sizeof un.sun_path);
		sa = (struct sockaddr *)&un;
		len = sizeof un;
	}
	fake->listener = socket(sa->sa_family, SOCK_STREAM, 0);
	if (fake->listener < 0 || bind(fake->listener, sa, len) ||
	    getsockname(fake->listener, sa, &len) || listen(fake->listener, 64))
		return -1;
	fake->port =
	    ntohs(sa->sa_family == AF_INET ? in.sin_port : in6.sin6_port);
	return 0;
}

bool
fake_redis_start(struct fake_redis *fake, const char *where)
{
	if (listen_at(fake, where)) {
		if (fake->listener >= 0)
			close(fake->listener);
		return false;
	}
	lock_init(&fake->lock, LOCK_LOG);
	lock_cond_init(&fake->changed);
	buf_init(&fake->received, NULL, RECEIVED_MAX);
	int rc = pthread_create(&fake->thread, NULL, accept_run, fake);
	assert(rc == 0);
	return true;
}

void
fake_redis_stop(struct fake_redis *fake)
{
	shutdown(fake->listener, SHUT_RDWR);
	pthread_join(fake->thread, NULL);
	close(fake->listener);
	lock_take(&fake->lock);
	for (unsigned i = 0; i < fake->accepted; i++)
		if (fake->fds[i] >= 0)
			shutdown(fake->fds[i], SHUT_RDWR);
	while (fake->open)
		lock_wait(&fake->changed, &fake->lock, CLOCK_NEVER);
	lock_drop(&fake->lock);
	buf_done(&fake->received);
	lock_cond_done(&fake->changed);
	lock_done(&fake->lock);
	*fake = (struct fake_redis){0};
}

struct span
fake_redis_received(struct fake_redis *fake)
{
	lock_take(&fake->lock);
	struct span all = buf_span(&fake->received);
	lock_drop(&fake->lock);
	return all;
}

size_t
fake_redis_commands(struct fake_redis *fake)
{
	lock_take(&fake->lock);
	size_t n = fake->commands;
	lock_drop(&fake->lock);
	return n;
}

void
fake_redis_wait_closed(struct fake_redis *fake, unsigned n)
{
	int64_t deadline = clock_deadline(WAIT_MS);

	lock_take(&fake->lock);
	while (fake->accepted - fake->open < n &&
	       lock_wait(&fake->changed, &fake->lock, deadline))
		;
	lock_drop(&fake->lock);
}
