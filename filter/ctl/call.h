#ifndef FILTER_CTL_CALL_H
#define FILTER_CTL_CALL_H

#include <jansson.h>

#include "filter/ctl/ctl.h"

/*
 * Requests to the running daemon over its control socket: one line of JSON
 * goes in, one comes out; a message goes with it as an open file.
 */

/*
 * Asks. `request` is one line with its newline; `fd` goes with it unless -1.
 * On EX_OK *ret is the answer, which the caller frees; else the error was
 * printed. With `quiet` not when nobody listens: EX_UNAVAILABLE.
 */
int call_daemon(const struct ctl *ctl, struct span control_path,
    const char *request, int fd, bool quiet, json_t **ret);

/* The same for the path of the configuration that `ctl` names. */
int call_configured(const struct ctl *ctl, const char *request, json_t **ret);

/* An answer with "error" is one: prints it; EX_NOPERM, EX_CONFIG or
 * EX_UNAVAILABLE. */
int call_error(const struct ctl *ctl, const json_t *reply);

/* The bytes as an open file for `fd`, at its start; -1 and `err`. */
int call_file(struct span text, struct err *err);

#endif
