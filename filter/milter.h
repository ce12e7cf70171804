#ifndef FILTER_MILTER_H
#define FILTER_MILTER_H

#include "filter/daemon.h"

/*
 * The milter protocol by libmilter, which has no argument for its callbacks:
 * there is one milter in a process. Order: milter_listen() (may need rights),
 * milter_start(), milter_stop().
 */

/*
 * Opens the socket that settings name. A Unix socket gets its mode and group;
 * one left over by a dead process is replaced, one that somebody answers on
 * is not, nor any file that is no socket.
 *
 * inherited  a listener to serve in place of it, or -1.
 */
int milter_listen(
    const struct settings *settings, int inherited, struct err *err) MUST_USE;

/* Starts serving in a thread of its own. `on_end` is called in it when
 * libmilter gives up or was stopped. */
int milter_start(struct daemon *daemon, void (*on_end)(void *arg), void *arg,
    struct err *err) MUST_USE;

/*
 * To be called every second or so. libmilter's pool counts a worker as idle
 * until it has looked at its socket; a session that comes in that moment waits
 * for the next event of any socket, 30 s on a quiet site. A connection to
 * ourselves is such an event. Never waits.
 */
void milter_nudge(void);

/*
 * Takes no more connections from a listener that was inherited: they wait in
 * its queue for the process that serves it next. Open sessions go on. False for
 * a listener of our own, where connections would be refused instead.
 */
bool milter_leave(void);

/*
 * Ends serving: no new connections, and waits at most `wait_ms` until no
 * callback runs. False when one still does: nothing may be freed then.
 */
bool milter_stop(int64_t wait_ms);

#endif
