#ifndef FILTER_BASE_LOG_H
#define FILTER_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "filter/base/err.h"
#include "filter/base/span.h"

/*
 * The operator's log. Lines are `key=value` text made by the caller; what
 * came from the network goes through buf_add_coded() first. Layers 0 to 4 do
 * not log, they return errors. Thread: any.
 */
enum log_level {
	LOG_LEVEL_ERROR, /* somebody must act */
	LOG_LEVEL_WARN,  /* degraded, and we go on */
	LOG_LEVEL_INFO,  /* the journal, start, stop, reload */
	LOG_LEVEL_DEBUG,
};

/* Where lines go; `line` has no newline. Called with the log's lock held. */
typedef void log_sink_fn(void *arg, enum log_level level, const char *line);

/*
 * Sends lines of `level` and more urgent ones to a sink. At start lines of
 * info and above go to standard error.
 */
void log_to(enum log_level level, log_sink_fn *sink, void *arg);
log_sink_fn log_stderr; /* `arg`: the program's name, or NULL */
log_sink_fn log_syslog; /* openlog() was called; facility mail */
/* Opens syslog for log_syslog: `ident` stays referenced. */
void log_open_syslog(const char *ident);

bool log_wants(enum log_level level);
void log_error(const char *fmt, ...) PRINTF(1, 2);
void log_warn(const char *fmt, ...) PRINTF(1, 2);
void log_info(const char *fmt, ...) PRINTF(1, 2);
void log_debug(const char *fmt, ...) PRINTF(1, 2);

/*
 * For faults that can repeat with every message: true when the line should be
 * written now, at most once in 60 s per `limit`; `ret_missed` is how many were
 * held back since. A zeroed struct is ready.
 */
struct log_limit {
	_Atomic int64_t next_ms;
	_Atomic uint64_t missed;
};
bool log_limited(struct log_limit *limit, uint64_t *ret_missed);

#endif
