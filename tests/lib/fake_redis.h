#ifndef TESTS_LIB_FAKE_REDIS_H
#define TESTS_LIB_FAKE_REDIS_H

#include "filter/base/buf.h"
#include "filter/base/lock.h"

/*
 * A mock of a Redis server, for what a real one cannot be made to do: junk,
 * halves of replies, floods, silence. It plays a script on each connection:
 * when so many commands have come in all, it sends the step's bytes.
 */
enum fake_then {
	FAKE_GO_ON, /* to the next step; behind the last one: silence */
	FAKE_HANG_UP,
	FAKE_FLOOD,  /* sends letters until the other side is gone */
	FAKE_DRIBBLE /* as GO_ON, the bytes one by one */
};

struct fake_step {
	size_t commands; /* of this connection, since its begin */
	struct span bytes;
	enum fake_then then;
};

#define FAKE_STEPS_MAX 8
#define FAKE_SCRIPTS_MAX 8
#define FAKE_CONNECTIONS_MAX 1024

/* One connection's. */
struct fake_script {
	struct fake_step steps[FAKE_STEPS_MAX];
	size_t n;
};

struct fake_redis {
	int listener;
	unsigned port; /* of TCP */
	/* The n-th connection plays the n-th script, later ones the last. */
	struct fake_script scripts[FAKE_SCRIPTS_MAX];
	size_t n_scripts;
	pthread_t thread;
	struct lock lock;
	struct lock_cond changed;
	/* By the lock: */
	unsigned accepted, open, open_most;
	size_t commands;     /* of all connections */
	struct buf received; /* their bytes, in order of arrival */
	bool stop;
	int fds[FAKE_CONNECTIONS_MAX];
};

/* Adds a connection's script; `steps` end with commands == 0. */
void fake_redis_script(struct fake_redis *fake, const struct fake_step *steps);
/* where: NULL (127.0.0.1), "::1" or a Unix socket's path; false: it is not to
 * be had here. */
bool fake_redis_start(struct fake_redis *fake, const char *where);
void fake_redis_stop(struct fake_redis *fake);
/* All that was received so far. */
struct span fake_redis_received(struct fake_redis *fake);
size_t fake_redis_commands(struct fake_redis *fake);
/* Waits (for 10 s at most) until so many connections have ended. */
void fake_redis_wait_closed(struct fake_redis *fake, unsigned n);

#endif
