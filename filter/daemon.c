#include "filter/daemon.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "filter/base/clock.h"
#include "filter/base/log.h"

/*
 * The process-long things in one place, and the change of snapshots: a new one
 * is built beside the old and put in force under a lock held for a pointer's
 * length; sessions drop the old one with their message.
 */

#define LOCK_WAIT_MS 15000 /* a restart overlaps with the old one's end */
#define SAVE_MS 3000       /* where a session is still busy */
#define LOG_QUEUE_MAX ((size_t)32 << 20)

/* The state folder, made when it is missing, and its lock. Without a folder
 * that can be used mail goes on; one that another process writes refuses the
 * start. */
static int
open_state(
    struct daemon *daemon, const struct settings *settings, struct err *err)
{
	struct err why;

	daemon->state_lock = -1;
	int rc = state_make(settings, &why);
	if (rc == 0)
		rc = state_lock(
		    settings, LOCK_WAIT_MS, &daemon->state_lock, &why);
	if (rc == ERR_STATE)
		return err_set(err, rc, "%s", why.text);
	if (rc) {
		log_warn("%s, going on without: no store, no verdict log, refs"
			 " change their key at each start, bodies stay in"
			 " memory",
		    why.text);
		return 0;
	}
	daemon->spool = malloc(settings->state.len + 1);
	if (!daemon->spool)
		return err_set(err, ERR_NOMEM, "out of memory");
	(void)span_copy(
	    settings->state, daemon->spool, settings->state.len + 1);
	return 0;
}

/* A store on this machine needs the folder, one elsewhere does not. */
static int
open_store(
    struct daemon *daemon, const struct settings *settings, struct err *err)
{
	if (!daemon->spool && span_is(settings->store.url, "lmdb:"))
		return 0;
	return state_open_store(settings, false, &daemon->store, err);
}

static int
open_log(
    struct daemon *daemon, const struct settings *settings, struct err *err)
{
	struct verdictlog_options options = {
	    .retain_days = settings->log_retain_days,
	    .max_size = settings->log_max_size,
	    .queue_max = LOG_QUEUE_MAX,
	};
	struct arena *arena;
	int rc;

	if (!daemon->spool)
		return 0;
	arena = arena_new(0);
	options.folder =
	    arena ? state_path(settings, STATE_VERDICTS, arena) : NULL;
	rc = options.folder ? verdictlog_open(&options, &daemon->log, err)
			    : err_set(err, ERR_NOMEM, "out of memory");
	arena_free(arena);
	return rc;
}

static int
open_refs(struct daemon *daemon, struct err *err)
{
	struct ref_key key;
	int rc = daemon->spool ? ref_key_load(daemon->spool, &key, err)
			       : ref_key_random(&key, err);

	int64_t now = clock_wall();

	if (daemon->state_lock >= 0)
		now = state_start(daemon->state_lock, now);
	if (rc == 0)
		ref_source_init(&daemon->refs, &key, 0, now);
	return rc;
}

static int
open_parts(
    struct daemon *daemon, const struct settings *settings, struct err *err)
{
	int rc = dkim_setup(err);

	if (rc == 0)
		rc = open_state(daemon, settings, err);
	if (rc == 0)
		rc = open_refs(daemon, err);
	if (rc == 0)
		rc = open_store(daemon, settings, err);
	if (rc == 0)
		rc = open_log(daemon, settings, err);
	if (rc == 0)
		rc = dns_open(&settings->dns, &daemon->dns, err);
	daemon->reports = report_gather_new();
	daemon->failures = failure_gate_new();
	if (rc == 0 && (!daemon->reports || !daemon->failures))
		rc = err_set(err, ERR_NOMEM, "out of memory");
	if (rc == 0)
		scan_lists_start(&daemon->snapshot->scan.lists, daemon->dns);
	if (rc == 0 &&
	    (rc = scan_slots_new(0, settings->waiting, &daemon->slots)))
		err_set(err, rc, "out of memory");
	return rc;
}

int
daemon_open(struct daemon *daemon, const struct settings_source *source,
    struct snapshot *snapshot, struct err *err)
{
	const struct settings *settings = &snapshot->settings;

	*daemon = (struct daemon){
	    .source = *source,
	    .snapshot = snapshot,
	    .sessions_limit = settings->sessions,
	    .state_lock = -1,
	};
	lock_init(&daemon->lock, LOCK_SNAPSHOT);
	registry_init(&daemon->registry);
	stats_init(&daemon->stats, clock_wall());
	snapshot->number = 1;
	if (settings->dns.zone)
		log_warn("dns.zone=%s: all DNS answers come from this file",
		    settings->dns.zone);
	if (open_parts(daemon, settings, err)) {
		int rc = err->code;
		daemon_close(daemon);
		return rc;
	}
	return 0;
}

void
daemon_save(struct daemon *daemon, bool quiet)
{
	if (!quiet) {
		int64_t deadline = clock_deadline(SAVE_MS);
		if ((daemon->store && store_flush(daemon->store, deadline)) ||
		    (daemon->log && verdictlog_flush(daemon->log, deadline)))
			log_warn("stop: not all that waited was written");
		return;
	}
	store_close(daemon->store);
	verdictlog_close(daemon->log);
	daemon->store = NULL;
	daemon->log = NULL;
}

void
daemon_close(struct daemon *daemon)
{
	scan_slots_free(daemon->slots);
	dns_close(daemon->dns);
	store_close(daemon->store);
	verdictlog_close(daemon->log);
	if (daemon->state_lock >= 0)
		close(daemon->state_lock);
	dkim_teardown();
	snapshot_unref(daemon->snapshot);
	free(daemon->spool);
	report_gather_free(daemon->reports);
	failure_gate_free(daemon->failures);
	stats_done(&daemon->stats);
	registry_done(&daemon->registry);
	lock_done(&daemon->lock);
}

struct snapshot *
daemon_snapshot(struct daemon *daemon)
{
	struct snapshot *snapshot;

	lock_take(&daemon->lock);
	snapshot = snapshot_ref(daemon->snapshot);
	lock_drop(&daemon->lock);
	return snapshot;
}

/* --- reload ------------------------------------------------------------------------ */

/* Only the caller changes daemon->snapshot, so it may be read without lock. */
static void
keep_restart_only(
    struct daemon *daemon, struct snapshot *fresh, struct buf *ret_names)
{
	struct arena *arena = arena_new(0);

	if (arena)
		buf_add_span(ret_names,
		    snapshot_keep_restart_only(daemon->snapshot, fresh, arena));
	arena_free(arena);
}

int
daemon_reload(struct daemon *daemon, settings_report_fn *report, void *arg,
    struct buf *ret_restart)
{
	struct snapshot *old = daemon->snapshot;
	struct snapshot *fresh = snapshot_load(&daemon->source, report, arg);

	if (!fresh) {
		atomic_fetch_add(&daemon->stats.reloads_failed, 1);
		return ERR_SYNTAX;
	}
	keep_restart_only(daemon, fresh, ret_restart);
	fresh->number = old->number + 1;
	lock_take(&daemon->lock);
	daemon->snapshot = fresh;
	lock_drop(&daemon->lock);
	snapshot_unref(old);
	atomic_fetch_add(&daemon->stats.reloads, 1);
	return 0;
}
