#include "filter/base/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <syslog.h>

#include "filter/base/clock.h"
#include "filter/base/lock.h"

/*
 * One sink at a time, behind one lock of the highest rank. Lines are made
 * outside of the lock; debug lines cost one comparison when they are off.
 */

#define LINE_SIZE 2048

static struct lock log_lock = {PTHREAD_MUTEX_INITIALIZER, LOCK_LOG};
static log_sink_fn *log_sink = log_stderr;   /* guarded by log_lock */
static void *log_arg;                        /* guarded by log_lock */
static _Atomic int log_max = LOG_LEVEL_INFO; /* most talkative level */

void
log_to(enum log_level level, log_sink_fn *sink, void *arg)
{
	lock_take(&log_lock);
	log_sink = sink;
	log_arg = arg;
	atomic_store(&log_max, (int)level);
	lock_drop(&log_lock);
}

void
log_stderr(void *arg, enum log_level level, const char *line)
{
	static const char *const names[] = {
	    "error: ", "warning: ", "", "debug: "};
	const char *program = arg;

	fprintf(stderr, "%s%s%s%s\n", program ? program : "",
	    program ? ": " : "", names[level], line);
}

void
log_open_syslog(const char *ident)
{
	openlog(ident, LOG_PID | LOG_NDELAY, LOG_MAIL);
}

void
log_syslog(void *arg, enum log_level level, const char *line)
{
	static const int priorities[] = {
	    LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG};

	(void)arg;
	syslog(priorities[level], "%s", line);
}

bool
log_wants(enum log_level level)
{
	return (int)level <=
	       atomic_load_explicit(&log_max, memory_order_relaxed);
}

PRINTF(2, 0)
static void
log_write(enum log_level level, const char *fmt, va_list ap)
{
	char line[LINE_SIZE];

	vsnprintf(line, sizeof line, fmt, ap);
	lock_take(&log_lock);
	log_sink(log_arg, level, line);
	lock_drop(&log_lock);
}

#define LOG_FUNCTION(name, level)                                              \
	void name(const char *fmt, ...)                                        \
	{                                                                      \
		va_list ap;                                                    \
                                                                               \
		if (!log_wants(level))                                         \
			return;                                                \
		va_start(ap, fmt);                                             \
		log_write(level, fmt, ap);                                     \
		va_end(ap);                                                    \
	}

LOG_FUNCTION(log_error, LOG_LEVEL_ERROR)
LOG_FUNCTION(log_warn, LOG_LEVEL_WARN)
LOG_FUNCTION(log_info, LOG_LEVEL_INFO)
LOG_FUNCTION(log_debug, LOG_LEVEL_DEBUG)

bool
log_limited(struct log_limit *limit, uint64_t *ret_missed)
{
	int64_t now = clock_mono_ms();
	int64_t next = atomic_load(&limit->next_ms);

	if (now < next || !atomic_compare_exchange_strong(
			      &limit->next_ms, &next, now + 60000)) {
		atomic_fetch_add(&limit->missed, 1);
		return false;
	}
	*ret_missed = atomic_exchange(&limit->missed, 0);
	return true;
}
