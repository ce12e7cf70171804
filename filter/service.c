#include "filter/service.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "filter/base/clock.h"
#include "filter/base/span.h"

#if HAVE_SYSTEMD
#	include <systemd/sd-daemon.h>
#endif

/*
 * Readiness, reload, watchdog and inherited sockets by systemd's protocol, and
 * the limit on threads of the control group: a thread that cannot be made hangs
 * a session of libmilter for ever, so the daemon says at start when it has too
 * few.
 */

#define BEATS 3    /* in the time that the watchdog waits */
#define FIRST_FD 3 /* systemd's SD_LISTEN_FDS_START */

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
	us /= 1000 * BEATS;
	return us > 0 ? (int64_t)us : 1;
}

/* Names and number of the descriptors; the caller frees both. */
static int
take_listeners(char ***ret_names)
{
	*ret_names = NULL;
	return sd_listen_fds_with_names(1, ret_names);
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

static int
take_listeners(char ***ret_names)
{
	*ret_names = NULL;
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

const struct service_thread *
service_stuck(const struct service_thread *threads, size_t n, int64_t beat_ms,
    int64_t now)
{
	int64_t limit = beat_ms > SERVICE_STUCK_MS / BEATS ? beat_ms * BEATS
							   : SERVICE_STUCK_MS;

	for (size_t i = 0; i < n; i++)
		if (threads[i].beat != CLOCK_NEVER &&
		    now - threads[i].beat > limit)
			return &threads[i];
	return NULL;
}

/* --- inherited sockets ----------------------------------------------------- */

static bool
is_listener(int fd)
{
	int on = 0, type = 0;
	socklen_t len = sizeof on;

	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &len) != 0 || !on)
		return false;
	len = sizeof type;
	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 &&
	       type == SOCK_STREAM;
}

int
service_listener(void)
{
	char **names;
	int n = take_listeners(&names);
	int found = -1;

	for (int i = 0; i < n; i++) {
		bool named = names && names[i] &&
			     span_eq(span_of(names[i]), SPAN("milter"));
		if (is_listener(FIRST_FD + i) && (found < 0 || named))
			found = FIRST_FD + i;
		if (named && found == FIRST_FD + i)
			break;
	}
	for (int i = 0; names && i < n; i++)
		free(names[i]);
	free(names);
	return found;
}

/* --- control groups ---------------------------------------------------------- */

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
	char group[1024], path[1100];
	/* Version 2 of control groups alone: "0::/system.slice/..." */
	struct span line = read_line("/proc/self/cgroup", group, sizeof group);

	if (!span_starts(line, SPAN("0::")))
		return INT64_MAX;
	line = span_skip(line, 3);
	snprintf(path, sizeof path, "/sys/fs/cgroup%.*s", SPAN_ARG(line));
	return service_tasks_max_of(path);
}

int64_t
service_tasks_max_of(const char *folder)
{
	char path[1200], number[32];
	uint64_t max;

	snprintf(path, sizeof path, "%s/pids.max", folder);
	struct span line = read_line(path, number, sizeof number);
	if (span_to_u64(line, &max) || max > INT64_MAX)
		return INT64_MAX;
	return (int64_t)max;
}
