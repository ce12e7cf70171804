#ifndef FILTER_ENACT_H
#define FILTER_ENACT_H

#include "filter/fields.h"
#include "filter/mta.h"
#include "filter/reply.h"

/* What a callback of the MTA is answered. */
enum answer { ANSWER_CONTINUE, ANSWER_ACCEPT, ANSWER_REJECT, ANSWER_TEMPFAIL };

/*
 * Carries a verdict out at end of message: fields, hold, reply.
 *
 * fields   scan NULL: the message could not be looked at, no field is touched.
 * verdict  its action becomes what was done: an MTA that cannot hold gets the
 *          message tagged instead.
 * ret      what came of it.
 */
struct enacted {
	enum answer answer;
	unsigned missed; /* edits that the MTA refused */
	bool replied;    /* `reply` was given */
	struct reply reply;
};
void enact_verdict(const struct mta *mta, const struct fields_request *fields,
    struct verdict *verdict, struct enacted *ret);

/* A refusal before the end of a message; sets the reply. */
enum answer enact_refusal(const struct mta *mta, enum reply_class class,
    const struct policy_settings *policy, const char *ref);

#endif
