#ifndef FILTER_SERVICE_H
#define FILTER_SERVICE_H

#include <stddef.h>
#include <stdint.h>

/*
 * What a service manager is told, and what it limits. Without systemd, or not
 * started by it, all of these do nothing. Thread: any.
 */
void service_ready(void);
void service_reloading(void);
void service_stopping(void);
/* How often service_beat() is due in ms; 0: nobody watches. */
int64_t service_beat_ms(void);
void service_beat(void);

/* A thread that takes a turn at least each second while it is well. */
struct service_thread {
	const char *name;
	int64_t beat; /* clock_mono_ms() of its last turn; CLOCK_NEVER: there is
		       * none, or it may take its time now */
};
/*
 * The first thread that has taken no turn for longer than the watchdog waits
 * for us (`beat_ms` is service_beat_ms(), a third of that), but at least
 * SERVICE_STUCK_MS; NULL: all are alive, and the service may beat. Pure.
 */
#define SERVICE_STUCK_MS 3000
const struct service_thread *service_stuck(const struct service_thread *threads,
    size_t n, int64_t beat_ms, int64_t now);

/*
 * The listening stream socket that systemd hands over (assayd.socket), or -1.
 * Of several the one that FileDescriptorName= calls "milter", else the first.
 * Call it once, before threads and forks: the environment that tells about it
 * is cleared.
 */
int service_listener(void);

/* Threads that the service may have (TasksMax); INT64_MAX: no limit known. */
int64_t service_tasks_max(void);
/* The same of another service: the folder of its control group. */
int64_t service_tasks_max_of(const char *folder);

#endif
