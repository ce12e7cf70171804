#include "filter/service.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "filter/base/clock.h"
#include "tests/lib/tap.h"

#define NOW 1000000

static const char *
stuck(int64_t dns, int64_t store, int64_t beat_ms)
{
	const struct service_thread threads[] = {
	    {"dns", dns}, {"control", NOW - 100}, {"store", store}};
	const struct service_thread *found =
	    service_stuck(threads, 3, beat_ms, NOW);

	return found ? found->name : "none";
}

static void
test_stuck(void)
{
	static const struct {
		const char *claim;
		int64_t dns, store, beat_ms;
		const char *want;
	} cases[] = {
	    {"all have just taken a turn", NOW, NOW - 999, 10000, "none"},
	    {"a turn as old as the watchdog's time will do", NOW - 30000, NOW,
		10000, "none"},
	    {"one older than that does not", NOW - 30001, NOW, 10000, "dns"},
	    {"every thread counts, not only the first", NOW, NOW - 30001, 10000,
		"store"},
	    {"the first of several is named", NOW - 40000, NOW - 50000, 10000,
		"dns"},
	    {"no thread, or one that may take its time", CLOCK_NEVER,
		CLOCK_NEVER, 10000, "none"},
	    {"a thread that is not there hides none behind it", CLOCK_NEVER,
		NOW - 30001, 10000, "store"},
	    {"a turn each second is enough for a hasty watchdog", NOW - 1100,
		NOW - 1000, 1, "none"},
	    {"a hasty watchdog finds a stuck thread in 3 s", NOW - 3001, NOW, 1,
		"dns"},
	    {"a turn in the future is no fault", NOW + 5, NOW, 10000, "none"},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		TAP_CASE(cases[i].claim)
		CHECK_STR(span_of(stuck(
			      cases[i].dns, cases[i].store, cases[i].beat_ms)),
		    cases[i].want);
	}
}

static int64_t
tasks(const char *folder, const char *text)
{
	char path[256];

	snprintf(path, sizeof path, "%s/pids.max", folder);
	FILE *f = fopen(path, "w");
	if (!f)
		return -1;
	fputs(text, f);
	fclose(f);
	int64_t max = service_tasks_max_of(folder);
	unlink(path);
	return max;
}

static void
test_tasks(void)
{
	char folder[] = "/tmp/assay-service-XXXXXX";

	TAP_CASE("TasksMax is read from the control group")
	if (!CHECK(mkdtemp(folder) != NULL))
		return;
	CHECK_INT(tasks(folder, "4096\n"), 4096);
	CHECK_INT(tasks(folder, "1"), 1);
	TAP_CASE("no limit, an unreadable one or none at all: no limit known")
	CHECK_INT(tasks(folder, "max\n"), INT64_MAX);
	CHECK_INT(tasks(folder, ""), INT64_MAX);
	CHECK_INT(tasks(folder, "99999999999999999999\n"), INT64_MAX);
	CHECK_INT(service_tasks_max_of("/nonexistent"), INT64_MAX);
	rmdir(folder);
}

int
main(void)
{
	test_stuck();
	test_tasks();
	TAP_CASE("without systemd there is no watchdog and no inherited socket")
	unsetenv("WATCHDOG_USEC");
	unsetenv("LISTEN_FDS");
	CHECK_INT(service_beat_ms(), 0);
	CHECK_INT(service_listener(), -1);
	return tap_done();
}
