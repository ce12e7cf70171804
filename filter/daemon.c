#include "filter/daemon.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "filter/base/clock.h"
#include "filter/base/log.h"

/*
 * The process-long things in one place, and the change of snapshots: a new one
 * is built beside the old and put in force under a lock held for a pointer's
 * length; sessions drop the old one with their message.
 */

#define STATE_MODE 0750

/* The state folder, made when it is missing. NULL: none can be used. */
static char *
open_state(const struct settings *settings)
{
	char *path = malloc(settings->state.len + 1);

	if (!path)
		return NULL;
	(void)span_copy(settings->state, path, settings->state.len + 1);
	if ((mkdir(path, STATE_MODE) != 0 && errno != EEXIST) ||
	    access(path, W_OK | X_OK) != 0) {
		log_warn("state=%s error=%s, going on without: refs change"
			 " their key at each start, bodies stay in memory",
		    path, errno == ENOENT ? "missing" : "not-writable");
		free(path);
		return NULL;
	}
	return path;
}

static int
open_refs(struct daemon *daemon, struct err *err)
{
	struct ref_key key;
	int rc = daemon->spool ? ref_key_load(daemon->spool, &key, err)
			       : ref_key_random(&key, err);

	if (rc == 0)
		ref_source_init(&daemon->refs, &key, 0, clock_wall());
	return rc;
}

static int
open_parts(
    struct daemon *daemon, const struct settings *settings, struct err *err)
{
	int rc = dkim_setup(err);

	if (rc == 0)
		rc = open_refs(daemon, err);
	if (rc == 0)
		rc = dns_open(&settings->dns, &daemon->dns, err);
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
	};
	lock_init(&daemon->lock, LOCK_SNAPSHOT);
	registry_init(&daemon->registry);
	stats_init(&daemon->stats, clock_wall());
	snapshot->number = 1;
	if (settings->dns.zone)
		log_warn("dns.zone=%s: all DNS answers come from this file",
		    settings->dns.zone);
	daemon->spool = open_state(settings);
	if (open_parts(daemon, settings, err)) {
		int rc = err->code;
		daemon_close(daemon);
		return rc;
	}
	return 0;
}

void
daemon_close(struct daemon *daemon)
{
	scan_slots_free(daemon->slots);
	dns_close(daemon->dns);
	dkim_teardown();
	snapshot_unref(daemon->snapshot);
	free(daemon->spool);
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
