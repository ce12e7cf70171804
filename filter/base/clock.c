#include "filter/base/clock.h"

#include <stdatomic.h>

/* Times and deadlines. Deadlines are milliseconds of the monotonic clock. */

static _Atomic int64_t frozen = -1; /* wall time set by a test, or negative */

static int64_t
read_us(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t
clock_mono_us(void)
{
	return read_us(CLOCK_MONOTONIC);
}

int64_t
clock_mono_ms(void)
{
	return clock_mono_us() / 1000;
}

int64_t
clock_cpu_us(void)
{
	return read_us(CLOCK_THREAD_CPUTIME_ID);
}

int64_t
clock_wall(void)
{
	int64_t t = atomic_load_explicit(&frozen, memory_order_relaxed);

	return t >= 0 ? t : read_us(CLOCK_REALTIME) / 1000000;
}

void
clock_set_wall(int64_t unix_time)
{
	atomic_store(&frozen, unix_time);
}

int64_t
clock_deadline(int64_t ms)
{
	int64_t at;

	if (__builtin_add_overflow(clock_mono_ms(), ms, &at))
		return CLOCK_NEVER;
	return at;
}

int64_t
clock_left(int64_t deadline)
{
	int64_t now = clock_mono_ms();

	return deadline > now ? deadline - now : 0;
}

int64_t
clock_min(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

struct timespec
clock_timespec(int64_t deadline)
{
	struct timespec t;

	/* A wait of more than a year is a wait for ever. */
	int64_t most = clock_mono_ms() + (int64_t)366 * 86400 * 1000;
	int64_t at = deadline < most ? deadline : most;
	t.tv_sec = (time_t)(at / 1000);
	t.tv_nsec = (at % 1000) * 1000000;
	return t;
}
