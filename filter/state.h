#ifndef FILTER_STATE_H
#define FILTER_STATE_H

#include "filter/log/verdictlog.h"
#include "filter/settings.h"
#include "filter/store/store.h"

/*
 * The state folder: site key, spool, store, verdicts. One process at a time
 * writes there, the holder of `state.lock`: a running assayd, else a command
 * that changes something while none runs.
 */
#define STATE_MODE 0750
#define STATE_VERDICTS "verdicts"

/* FOLDER/NAME in `arena`, terminated; NULL: no memory. */
char *state_path(
    const struct settings *settings, const char *name, struct arena *arena);

/*
 * Makes the folder where it is missing. ERR_NOTFOUND, ERR_ACCESS: it cannot be
 * used for writing.
 */
int state_make(const struct settings *settings, struct err *err) MUST_USE;

/*
 * Takes the lock, waiting up to `wait_ms` for another holder: ERR_STATE. The
 * caller closes the descriptor.
 */
int state_lock(const struct settings *settings, int64_t wait_ms, int *ret_fd,
    struct err *err) MUST_USE;

/*
 * The time of a start as refs count it: `now`, or a second after the start
 * before it, so that two starts within one second make no ref twice. Kept in
 * the lock's file. For the holder of the lock.
 */
int64_t state_start(int lock_fd, int64_t now);

/* Opens the store that the settings name; errors as store_open(). */
int state_open_store(const struct settings *settings, bool read_only,
    struct store **ret, struct err *err) MUST_USE;

#endif
