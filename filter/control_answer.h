#ifndef FILTER_CONTROL_ANSWER_H
#define FILTER_CONTROL_ANSWER_H

#include <sys/types.h>

#include "filter/daemon.h"
#include "filter/learn/bayes.h"

/* What a request on the control socket means, and the JSON of its answer. */
struct control_peer {
	uid_t uid;
	bool may_read, may_change, may_train;
};

enum control_request {
	CONTROL_BAD, /* no JSON object with a "request" */
	CONTROL_UNKNOWN,
	CONTROL_DENIED, /* known, but not for this peer */
	CONTROL_STATUS,
	CONTROL_RELOAD,
	CONTROL_LEARN, /* with the message as an open file */
};
enum control_request control_parse(struct span line,
    const struct control_peer *peer, enum bayes_class *ret_class);

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

/* What a training did: a word of train.h, or why it failed. */
struct control_training {
	const char *change; /* NULL: it failed */
	struct err err;
};

/*
 * One line of JSON with its newline; heap, for free(). NULL: no memory.
 *
 * good      of a reload: it succeeded.
 * training  of CONTROL_LEARN.
 */
char *control_reply(struct daemon *daemon, enum control_request request,
    bool good, const struct control_errors *errors,
    const struct control_training *training);

#endif
