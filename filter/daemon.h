#ifndef FILTER_DAEMON_H
#define FILTER_DAEMON_H

#include "filter/base/buf.h"
#include "filter/base/lock.h"
#include "filter/dns/dns.h"
#include "filter/failure.h"
#include "filter/ref.h"
#include "filter/registry.h"
#include "filter/report.h"
#include "filter/scan/slots.h"
#include "filter/settings.h"
#include "filter/state.h"
#include "filter/stats.h"

/*
 * What all sessions of a process share. Made once, before threads, ended
 * after them. Everything is immutable or guards itself but the snapshot in
 * force, which the lock guards.
 */
struct daemon {
	struct settings_source source; /* where a reload reads from */
	struct lock lock;
	struct snapshot *snapshot; /* in force; guarded by lock */
	unsigned sessions_limit;   /* limits.sessions of the start */
	bool inet;                 /* MTAs come over TCP; set before them */
	struct dns *dns;
	struct scan_slots *slots;
	struct ref_source refs;
	struct registry registry;
	struct stats stats;
	_Atomic int64_t body_memory;   /* bytes of bodies of all sessions */
	char *spool;                   /* the state folder, or NULL: none */
	int state_lock;                /* of that folder, or -1 */
	struct store *store;           /* or NULL: none can be had */
	struct verdictlog *log;        /* or NULL: no state folder */
	struct report_gather *reports; /* of this process's day */
	struct failure_gate *failures; /* of this process's hour */
};

/*
 * Opens what a snapshot names: resolver, slots, key, spool. Takes over the
 * caller's reference of `snapshot`, also on failure. Starts the resolver's
 * thread: call it after the last fork.
 */
int daemon_open(struct daemon *daemon, const struct settings_source *source,
    struct snapshot *snapshot, struct err *err) MUST_USE;
/* Only when no session can be in a callback any more. */
void daemon_close(struct daemon *daemon);
/*
 * Writes what waits to be written, some seconds at most, at the end of the
 * process.
 *
 * quiet  no callback runs nor will: store and log are closed.
 */
void daemon_save(struct daemon *daemon, bool quiet);

/* The snapshot in force, with a reference for the caller. */
struct snapshot *daemon_snapshot(struct daemon *daemon);

/*
 * Loads configuration and rules anew. On failure the old ones stay in force;
 * errors go to `report` (and are the caller's to log). Options that only a
 * restart changes keep their values; their names go to `ret_restart`
 * ("section.key, ..."). One caller at a time. Returns 0 or ERR_SYNTAX.
 */
int daemon_reload(struct daemon *daemon, settings_report_fn *report, void *arg,
    struct buf *ret_restart) MUST_USE;

#endif
