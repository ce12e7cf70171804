#include "filter/control.h"

#include <errno.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "filter/base/clock.h"
#include "filter/base/log.h"
#include "filter/control_answer.h"
#include "filter/service.h"
#include "filter/socket.h"
#include "filter/train.h"

/*
 * One thread polls the listener and a handful of connections, none of which
 * can hold it: reads and writes do not block, lines and times are bounded.
 * What a request means is control_answer.c's.
 *
 * Anybody can put descriptors into a connection, and the last close of one may
 * wait for as long as its sender likes (SO_LINGER, FUSE). So who may nothing
 * is answered unread, and what comes from others than root and the daemon's
 * user is closed by a thread of its own; its place stays taken so long.
 */

#define CLIENTS_MAX 16
#define LINE_MAX_BYTES 4096
#define CLIENT_MS 5000
#define SOCKET_MODE 0666
#define GROUPS_MAX 256
#define BEAT_MS 1000 /* the thread takes a turn at least that often */
#define FILES_MAX 4  /* descriptors that may come with one piece */

struct client {
	int fd; /* -1: free */
	int64_t deadline;
	struct control_peer peer;
	char line[LINE_MAX_BYTES];
	size_t len;
	int file;    /* that came with the line, or -1 */
	char *reply; /* heap, or NULL while reading */
	size_t reply_len, sent;
	_Atomic bool closing; /* a thread closes what stands in `gone` */
	int gone[2];
};

struct control {
	struct daemon *daemon;
	void (*reloaded)(const struct settings *settings);
	int listener; /* -1: none */
	int wake;     /* eventfd */
	pthread_t thread;
	_Atomic bool reload_wanted, stop;
	_Atomic int64_t beat; /* of the last turn; see control_beat() */
	struct client clients[CLIENTS_MAX]; /* of the thread */
};

/* --- who asks ------------------------------------------------------------------------ */

static bool
in_group(struct span name, gid_t gid, const gid_t *groups, size_t n)
{
	char room[16384], text[256];
	struct group group, *found = NULL;

	if (!span_copy(name, text, sizeof text))
		return false;
	(void)getgrnam_r(text, &group, room, sizeof room, &found);
	if (!found)
		return false;
	for (size_t i = 0; i < n; i++)
		if (groups[i] == found->gr_gid)
			return true;
	return gid == found->gr_gid;
}

static bool
is_user(struct span name, uid_t uid)
{
	char room[16384], text[256];
	struct passwd pw, *found = NULL;

	if (!span_copy(name, text, sizeof text))
		return false;
	(void)getpwnam_r(text, &pw, room, sizeof room, &found);
	return found && found->pw_uid == uid;
}

static bool
is_trainer(const struct settings *settings, const struct ucred *cred,
    const gid_t *groups, size_t n)
{
	for (size_t i = 0; i < settings->n_trainers; i++) {
		struct span name = settings->trainers[i];
		if (span_starts(name, SPAN("@"))
			? in_group(span_skip(name, 1), cred->gid, groups, n)
			: is_user(name, cred->uid))
			return true;
	}
	return false;
}

static struct control_peer
judge_peer(struct daemon *daemon, int fd)
{
	struct control_peer peer = {0};
	struct ucred cred;
	gid_t groups[GROUPS_MAX];
	socklen_t len = sizeof cred, groups_len = sizeof groups;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) != 0)
		return peer;
#ifdef SO_PEERGROUPS
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &groups_len))
		groups_len = 0;
#else
	groups_len = 0;
#endif
	size_t n_groups = groups_len / sizeof(gid_t);
	peer.uid = cred.uid;
	peer.may_change = cred.uid == 0 || cred.uid == geteuid() ||
			  is_user(SPAN(ASSAY_USER), cred.uid);
	peer.may_read = peer.may_change ||
			in_group(SPAN("adm"), cred.gid, groups, n_groups);
	struct snapshot *snapshot = daemon_snapshot(daemon);
	peer.may_train = peer.may_change || is_trainer(&snapshot->settings,
						&cred, groups, n_groups);
	snapshot_unref(snapshot);
	return peer;
}

/* --- reload --------------------------------------------------------------------------- */

struct reload_report {
	struct control_errors *errors; /* of the asker, or NULL */
};

static void
on_report(void *arg, bool warning, const char *text)
{
	struct reload_report *report = arg;

	if (warning)
		log_warn("reload: %s", text);
	else
		log_error("reload: %s", text);
	if (report->errors)
		control_errors_add(report->errors, warning, text);
}

static bool
reload(struct control *control, struct control_errors *errors)
{
	struct reload_report report = {errors};
	struct buf restart;

	atomic_store(&control->beat, CLOCK_NEVER);
	buf_init(&restart, NULL, 4096);
	service_reloading();
	int rc = daemon_reload(control->daemon, on_report, &report, &restart);
	if (restart.len)
		log_warn("reload: only a restart changes %s; the old values"
			 " stay in force",
		    buf_str(&restart));
	if (restart.len && errors)
		control_errors_restart(errors, buf_str(&restart));
	if (rc == 0) {
		struct snapshot *s = daemon_snapshot(control->daemon);
		control->reloaded(&s->settings);
		log_info("reload: done, configuration=%llu",
		    (unsigned long long)s->number);
		snapshot_unref(s);
	} else {
		log_error("reload: failed, the old configuration stays in"
			  " force");
	}
	service_ready();
	buf_done(&restart);
	return rc == 0;
}

/* --- connections ------------------------------------------------------------------------ */

static void *
close_gone(void *arg)
{
	struct client *c = arg;

	for (size_t i = 0; i < 2; i++)
		if (c->gone[i] >= 0)
			close(c->gone[i]);
	atomic_store(&c->closing, false);
	return NULL;
}

static void
drop_client(struct client *c)
{
	pthread_t thread;

	if (c->fd < 0)
		return;
	c->gone[0] = c->fd;
	c->gone[1] = c->file;
	c->fd = c->file = -1;
	free(c->reply);
	c->reply = NULL;
	atomic_store(&c->closing, true);
	if (c->peer.may_change ||
	    pthread_create(&thread, NULL, close_gone, c) != 0)
		(void)close_gone(c);
	else
		(void)pthread_detach(thread);
}

static struct client *
free_client(struct control *control)
{
	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		struct client *c = &control->clients[i];
		if (c->fd < 0 && !atomic_load(&c->closing))
			return c;
	}
	return NULL;
}

static void
accept_client(struct control *control)
{
	struct client *c = free_client(control);
	int fd = c ? accept4(control->listener, NULL, NULL,
			 SOCK_CLOEXEC | SOCK_NONBLOCK)
		   : -1;

	if (fd < 0)
		return;
	c->fd = fd;
	c->deadline = clock_deadline(CLIENT_MS);
	c->peer = judge_peer(control->daemon, fd);
	c->file = -1;
	c->len = c->reply_len = c->sent = 0;
}

static void
train(struct daemon *daemon, int file, enum bayes_class class,
    struct control_training *ret)
{
	enum bayes_change change;

	if (!daemon->store)
		err_set(&ret->err, ERR_STATE, "there is no store");
	else if (file < 0)
		err_set(&ret->err, ERR_INVALID, "no message came with it");
	else if (train_file(daemon->store, file, class, clock_wall(), &change,
		     &ret->err) == 0)
		ret->change = train_change_name(change);
}

static void
mark(struct daemon *daemon, const struct report_mark *wanted,
    struct control_marking *ret)
{
	if (!daemon->store)
		err_set(&ret->err, ERR_STATE, "there is no store");
	else
		ret->good = report_mark_set(daemon->store, wanted, clock_wall(),
				&ret->done, &ret->err) == 0;
}

static void
answer(struct control *control, struct client *c, enum control_request request,
    const struct control_args *args)
{
	struct control_outcome outcome = {0};

	/* Those who ask meanwhile are served by this same reload. */
	if (request == CONTROL_RELOAD) {
		atomic_store(&control->reload_wanted, false);
		outcome.good = reload(control, &outcome.errors);
	}
	if (request == CONTROL_LEARN || request == CONTROL_MARK)
		atomic_store(&control->beat, CLOCK_NEVER);
	if (request == CONTROL_LEARN)
		train(control->daemon, c->file, args->class, &outcome.training);
	if (request == CONTROL_MARK)
		mark(control->daemon, &args->mark, &outcome.marking);
	c->reply = control_reply(control->daemon, request, &outcome);
	control_errors_done(&outcome.errors);
	c->reply_len = c->reply ? strlen(c->reply) : 0;
	c->deadline = clock_deadline(CLIENT_MS);
	if (!c->reply)
		drop_client(c);
}

/* Reads more of the line, and the descriptor that may come with it: the first
 * is kept, others are closed. */
static ssize_t
receive(struct client *c)
{
	union {
		char room[CMSG_SPACE(FILES_MAX * sizeof(int))];
		struct cmsghdr align;
	} space;
	struct iovec iov = {c->line + c->len, sizeof c->line - c->len};
	struct msghdr m = {
	    .msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = space.room,
	    .msg_controllen = sizeof space.room,
	};
	ssize_t n = recvmsg(c->fd, &m, MSG_CMSG_CLOEXEC);

	if (n < 0)
		return n;
	for (struct cmsghdr *h = CMSG_FIRSTHDR(&m); h; h = CMSG_NXTHDR(&m, h)) {
		if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
			continue;
		size_t count = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < count; i++) {
			int fd;
			memcpy(&fd, CMSG_DATA(h) + i * sizeof fd, sizeof fd);
			if (c->file < 0)
				c->file = fd;
			else
				close(fd);
		}
	}
	return n;
}

static void
read_client(struct control *control, struct client *c)
{
	struct control_args args;
	const struct control_peer *peer = &c->peer;
	struct span line;

	if (!peer->may_read && !peer->may_train && !peer->may_change) {
		answer(control, c, CONTROL_DENIED, &args);
		return;
	}
	ssize_t n = receive(c);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		drop_client(c);
		return;
	}
	c->len += (size_t)n;
	line = span_make(c->line, c->len);
	size_t end = span_find_char(line, '\n');
	if (end != SPAN_NPOS) {
		enum control_request request =
		    control_parse(span_head(line, end), peer, &args);
		answer(control, c, request, &args);
		return;
	}
	if (c->len == sizeof c->line)
		drop_client(c);
}

static void
write_client(struct client *c)
{
	ssize_t n = send(
	    c->fd, c->reply + c->sent, c->reply_len - c->sent, MSG_NOSIGNAL);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0)
		c->sent += (size_t)n;
	if (n <= 0 || c->sent == c->reply_len)
		drop_client(c);
}

static void
serve_client(struct control *control, struct client *c, short events)
{
	if (c->fd < 0)
		return;
	if (events && c->reply)
		write_client(c);
	else if (events)
		read_client(control, c);
	/* Looked at last: a reload or a training may have kept us from a line
	 * that came in time. */
	if (c->fd >= 0 && clock_left(c->deadline) == 0)
		drop_client(c);
}

/* --- the thread ---------------------------------------------------------------------------- */

/* Fills the poll set: wake, listener, clients. Returns the timeout. */
static int
prepare(struct control *control, struct pollfd fds[CLIENTS_MAX + 2])
{
	int64_t next = CLOCK_NEVER;

	fds[0] = (struct pollfd){.fd = control->wake, .events = POLLIN};
	/* Without a place they wait in the socket's queue. */
	fds[1] = (struct pollfd){
	    .fd = free_client(control) ? control->listener : -1,
	    .events = POLLIN,
	};
	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		const struct client *c = &control->clients[i];
		fds[i + 2] = (struct pollfd){
		    .fd = c->fd,
		    .events = c->reply ? POLLOUT : POLLIN,
		};
		if (c->fd >= 0)
			next = clock_min(next, c->deadline);
	}
	int64_t left = clock_left(next);
	return left < BEAT_MS ? (int)left + 1 : BEAT_MS;
}

static void
turn(struct control *control)
{
	struct pollfd fds[CLIENTS_MAX + 2];
	uint64_t count;
	int timeout = prepare(control, fds);

	atomic_store(&control->beat, clock_mono_ms());
	if (poll(fds, CLIENTS_MAX + 2, timeout) < 0)
		return;
	if (fds[0].revents && read(control->wake, &count, sizeof count) < 0)
		return;
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		serve_client(control, &control->clients[i], fds[i + 2].revents);
	if (fds[1].revents)
		accept_client(control);
	if (atomic_exchange(&control->reload_wanted, false))
		(void)reload(control, NULL);
}

static void *
run(void *arg)
{
	struct control *control = arg;
	sigset_t all;

	/* Signals are for the main thread. */
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, NULL);
	while (!atomic_load(&control->stop))
		turn(control);
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		drop_client(&control->clients[i]);
	return NULL;
}

int
control_listen(const char *path, int *ret_fd, struct err *err)
{
	return socket_listen(path, SOCKET_MODE, ret_fd, err);
}

int
control_start(struct daemon *daemon, int fd,
    void (*reloaded)(const struct settings *settings), struct control **ret,
    struct err *err)
{
	struct control *control = calloc(1, sizeof *control);

	if (!control)
		return err_set(err, ERR_NOMEM, "out of memory");
	control->daemon = daemon;
	control->reloaded = reloaded;
	control->listener = fd;
	atomic_init(&control->beat, clock_mono_ms());
	control->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		control->clients[i].fd = -1;
	int rc = control->wake < 0
		     ? errno
		     : pthread_create(&control->thread, NULL, run, control);
	if (rc) {
		if (control->wake >= 0)
			close(control->wake);
		free(control);
		return err_set_errno(err, rc, "control thread");
	}
	(void)pthread_setname_np(control->thread, "control");
	*ret = control;
	return 0;
}

static void
wake(struct control *control)
{
	uint64_t one = 1;

	/* It fails only when the counter is full: then the thread wakes
	 * anyway. */
	if (write(control->wake, &one, sizeof one) < 0)
		return;
}

int64_t
control_beat(const struct control *control)
{
	return atomic_load(&control->beat);
}

void
control_reload(struct control *control)
{
	atomic_store(&control->reload_wanted, true);
	wake(control);
}

void
control_stop(struct control *control)
{
	if (!control)
		return;
	atomic_store(&control->stop, true);
	wake(control);
	(void)pthread_join(control->thread, NULL);
	if (control->listener >= 0)
		close(control->listener);
	close(control->wake);
	/* A descriptor may still be closing: the end of the process ends it. */
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		if (atomic_load(&control->clients[i].closing))
			return;
	free(control);
}
