#include "filter/service.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "filter/base/clock.h"
#include "filter/base/span.h"

#if HAVE_SYSTEMD
#	include <systemd/sd-daemon.h>
#endif

/*
 * Readiness, reload and watchdog by systemd's protocol, and the limit on
 * threads of the control group: a thread that cannot be made hangs a session
 * of libmilter for ever, so the daemon says at start when it has too few.
 */

#if HAVE_SYSTEMD

static void
tell(const char *state)
{
	(void)sd_notify(0, state);
}

int64_t
service_beat_ms(void)
{
	uint64_t us = 0;

	if (sd_watchdog_enabled(0, &us) <= 0)
		return 0;
	return us / 3000 > 0 ? (int64_t)(us / 3000) : 1;
}

#else

static void
tell(const char *state)
{
	(void)state;
}

int64_t
service_beat_ms(void)
{
	return 0;
}

#endif

void
service_ready(void)
{
	tell("READY=1");
}

void
service_reloading(void)
{
	char text[80];

	/* Type=notify-reload wants the time; Type=notify ignores it. */
	snprintf(text, sizeof text, "RELOADING=1\nMONOTONIC_USEC=%lld",
	    (long long)clock_mono_us());
	tell(text);
}

void
service_stopping(void)
{
	tell("STOPPING=1");
}

void
service_beat(void)
{
	tell("WATCHDOG=1");
}

/* The first line of a small file. */
static struct span
read_line(const char *path, char *to, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, to, size) : -1;
	struct span text = span_make(to, n > 0 ? (size_t)n : 0);

	if (fd >= 0)
		close(fd);
	return span_cut(&text, '\n');
}

int64_t
service_tasks_max(void)
{
	char group[1024], path[1200], number[32];
	uint64_t max;
	/* Version 2 of control groups alone: "0::/system.slice/..." */
	struct span line = read_line("/proc/self/cgroup", group, sizeof group);

	if (!span_starts(line, SPAN("0::")))
		return INT64_MAX;
	line = span_skip(line, 3);
	snprintf(
	    path, sizeof path, "/sys/fs/cgroup%.*s/pids.max", SPAN_ARG(line));
	line = read_line(path, number, sizeof number);
	if (span_to_u64(line, &max) || max > INT64_MAX)
		return INT64_MAX;
	return (int64_t)max;
}
