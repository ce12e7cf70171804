#ifndef FILTER_CONTROL_ANSWER_H
#define FILTER_CONTROL_ANSWER_H

#include <sys/types.h>

#include "filter/daemon.h"
#include "filter/learn/bayes.h"
#include "filter/report_mark.h"

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
	CONTROL_MARK,  /* of reports */
};
/* What came with it. */
struct control_args {
	enum bayes_class class;  /* of CONTROL_LEARN */
	struct report_mark mark; /* of CONTROL_MARK */
};
enum control_request control_parse(struct span line,
    const struct control_peer *peer, struct control_args *ret_args);

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

/* What became of a mark. */
struct control_marking {
	bool good; /* false: see `err` */
	bool done; /* false: it was not as expected */
	struct err err;
};

/* How a request went; only its own field is looked at. */
struct control_outcome {
	bool good; /* of a reload: it succeeded */
	struct control_errors errors;
	struct control_training training;
	struct control_marking marking;
};

/* One line of JSON with its newline; heap, for free(). NULL: no memory. */
char *control_reply(struct daemon *daemon, enum control_request request,
    const struct control_outcome *outcome);

#endif
