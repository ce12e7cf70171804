#ifndef FILTER_BASE_CLOCK_H
#define FILTER_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

/*
 * Monotonic time for waiting, wall time for what people and protocols read.
 * Thread: any. A test sets the wall time with clock_set_wall(), before it
 * starts threads.
 */

/* Milliseconds since some start; never runs back. */
int64_t clock_mono_ms(void);
int64_t clock_mono_us(void);

/* CPU time of the calling thread, in microseconds. */
int64_t clock_cpu_us(void);

/* Unix time in seconds. */
int64_t clock_wall(void);

/* Freezes the wall clock at `unix_time`; a negative value lets it run again. */
void clock_set_wall(int64_t unix_time);

#define CLOCK_NEVER INT64_MAX

/* A deadline `ms` from now, in clock_mono_ms() terms. */
int64_t clock_deadline(int64_t ms);
/* Milliseconds left until `deadline`, 0 when it has passed. */
int64_t clock_left(int64_t deadline);
/* The earlier of two deadlines. */
int64_t clock_min(int64_t a, int64_t b);

/* For pthread_cond_timedwait on a condition that uses CLOCK_MONOTONIC. */
struct timespec clock_timespec(int64_t deadline);

#endif
