#ifndef FILTER_SERVICE_H
#define FILTER_SERVICE_H

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

/* Threads that the service may have (TasksMax); INT64_MAX: no limit known. */
int64_t service_tasks_max(void);

#endif
