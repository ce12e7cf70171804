#include "filter/watch.h"

#include "filter/base/clock.h"
#include "filter/base/log.h"

/*
 * A failure is said once when it begins and once when it ends; losses at most
 * once a minute, with their number.
 */

#define LOST_PAUSE_MS 60000

/* True when it is the other way round than it was. */
static bool
changed(bool *was, bool is)
{
	bool change = *was != is;

	*was = is;
	return change;
}

static void
look_at_store(struct watch *watch, struct daemon *daemon, uint64_t *ret_lost)
{
	struct store_status s;

	store_status(daemon->store, &s);
	*ret_lost = s.dropped;
	if (!changed(&watch->store_down, !s.open))
		return;
	if (s.open)
		log_info("store=%s: works again", s.backend);
	else
		log_error(
		    "store=%s: %s; mail goes on without", s.backend, s.problem);
}

static void
look_at_log(struct watch *watch, struct daemon *daemon, uint64_t *ret_lost)
{
	struct verdictlog_status s;

	verdictlog_status(daemon->log, &s);
	*ret_lost = s.dropped + s.failed;
	if (!changed(&watch->log_down, !s.good))
		return;
	if (s.good)
		log_info("verdicts: written again");
	else
		log_error(
		    "verdicts: %s; records wait, mail goes on", s.problem);
}

static void
say_lost(const char *what, uint64_t lost, uint64_t *said)
{
	if (lost > *said)
		log_error("%s: lost %llu, %llu since the start", what,
		    (unsigned long long)(lost - *said),
		    (unsigned long long)lost);
	*said = lost;
}

void
watch_look(struct watch *watch, struct daemon *daemon)
{
	uint64_t store_lost = 0, log_lost = 0;

	if (daemon->store)
		look_at_store(watch, daemon, &store_lost);
	if (daemon->log)
		look_at_log(watch, daemon, &log_lost);
	if (clock_mono_ms() < watch->next_lost_ms ||
	    (store_lost == watch->store_lost && log_lost == watch->log_lost))
		return;
	watch->next_lost_ms = clock_deadline(LOST_PAUSE_MS);
	say_lost("store: changes", store_lost, &watch->store_lost);
	say_lost("verdicts: records", log_lost, &watch->log_lost);
}
