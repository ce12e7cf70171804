#ifndef FILTER_RECORDER_H
#define FILTER_RECORDER_H

#include "filter/journal.h"
#include "filter/log/record.h"
#include "filter/reply.h"

/*
 * From a judged message to its record for the verdict log: the same facts as
 * the journal line, in full.
 */
struct recorder_request {
	const struct journal_entry *entry;
	const struct settings *settings;
	const struct policy_facts *facts;
	const struct reply *reply; /* that was given; NULL: none */
	uint64_t id;               /* clear number of the ref */
	int64_t time;              /* Unix time */
	struct scan *scan;         /* NULL: memory ended */
};

#define RECORDER_RCPTS_MAX 1000 /* rows for recipients of one message */
#define RECORDER_TEXT_MAX 512   /* bytes of a text from the network */

/*
 * Fills `ret`, whose spans point into the request's things and `arena`. Each
 * recipient gets the action that its own policy asked for. False: no memory.
 */
bool recorder_make(const struct recorder_request *request, struct arena *arena,
    struct record *ret);

#endif
