#ifndef FILTER_CONTROL_H
#define FILTER_CONTROL_H

#include "filter/daemon.h"

/*
 * The control socket: one line of JSON in, one out. Anybody may connect (mode
 * 0666); each request is judged by the peer's credentials. The same thread
 * carries out reloads, whoever asks for them, so there is never more than one
 * at a time, and a storm of requests ends in one or two.
 *
 *	{"request": "status"}  root, assay, the daemon's user, group adm
 *	{"request": "reload"}  root, assay, the daemon's user
 *	{"request": "learn", "class": "spam", "ham" or "forget"}, and the message
 *	    as a descriptor (SCM_RIGHTS): the same, and learn.trainers
 *	{"request": "mark", "name", "from" or null, "to", "expires"}  root,
 *	    assay, the daemon's user: report_mark_set()
 *
 * Answers: {"ok": true, ...} or {"ok": false, "error": "...", "errors": []}.
 */
struct control;

/* Opens the socket; may need rights. A `path` that cannot be used is an
 * error that the daemon survives: pass NULL then. */
int control_listen(const char *path, int *ret_fd, struct err *err) MUST_USE;

/*
 * Starts the thread. `fd` is taken over; -1: no socket, reloads only.
 * `reloaded` is called in the thread after each reload that succeeded.
 */
int control_start(struct daemon *daemon, int fd,
    void (*reloaded)(const struct settings *settings), struct control **ret,
    struct err *err) MUST_USE;
/* clock_mono_ms() of the thread's last turn, which it takes each second;
 * CLOCK_NEVER while it reads rules or trains, which may take long on a busy
 * disk and is no reason to end a daemon whose mail flows. */
int64_t control_beat(const struct control *control);
/* Asks for a reload; returns at once. */
void control_reload(struct control *control);
/* Ends the thread, waiting for a reload that runs. Accepts NULL. */
void control_stop(struct control *control);

#endif
