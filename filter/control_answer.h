#ifndef FILTER_CONTROL_ANSWER_H
#define FILTER_CONTROL_ANSWER_H

#include <sys/types.h>

#include "filter/daemon.h"

/* What a request on the control socket means, and the JSON of its answer. */
struct control_peer {
	uid_t uid;
	bool may_read, may_change;
};

enum control_request {
	CONTROL_BAD, /* no JSON object with a "request" */
	CONTROL_UNKNOWN,
	CONTROL_DENIED, /* known, but not for this peer */
	CONTROL_STATUS,
	CONTROL_RELOAD,
};
enum control_request control_parse(
    struct span line, const struct control_peer *peer);

/* Errors and warnings of a reload, for its answer; zeroed is empty. */
struct control_errors {
	void *errors, *warnings; /* JSON arrays, or NULL */
	void *restart;           /* JSON string, or NULL */
};
void control_errors_add(
    struct control_errors *errors, bool warning, const char *text);
/* Names of options that only a restart changes. */
void control_errors_restart(struct control_errors *errors, const char *names);
void control_errors_done(struct control_errors *errors);

/*
 * One line of JSON with its newline; heap, for free(). NULL: no memory.
 *
 * good    of a reload: it succeeded.
 */
char *control_reply(struct daemon *daemon, enum control_request request,
    bool good, const struct control_errors *errors);

#endif
