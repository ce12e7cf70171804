#ifndef TESTS_LIB_SCENARIO_STATE_H
#define TESTS_LIB_SCENARIO_STATE_H

#include "filter/daemon.h"

/*
 * What a scenario puts into the daemon's memory and finds there. Functions that
 * check return false and say why in `why`.
 */
struct scenario_why {
	char text[512];
};

/* `record FIELD TEXT`, `rcpt ADDRESS ACTION` or `symbol NAME TEXT` of the
 * newest record; `records N`: how many there are. */
bool scenario_record(struct daemon *daemon, const char *folder,
    struct span what, struct span args, struct scenario_why *why);

/* `marks KEY BAD GOOD` of this week. */
bool scenario_marks(
    struct daemon *daemon, struct span args, struct scenario_why *why);
/* `mark KEY BAD GOOD`: adds them. */
bool scenario_mark(
    struct daemon *daemon, struct span args, struct scenario_why *why);
/* `reported TEXT`: a row gathered for DMARC reports is like that (see
 * describe_row()); `reports N`: how many rows there are. */
bool scenario_reported(struct daemon *daemon, struct span what,
    struct span args, struct scenario_why *why);
/* Trains with a message N times over, each with a body line of its own. */
bool scenario_train(struct daemon *daemon, struct span class, uint64_t times,
    struct span text, struct scenario_why *why);

/* `key DOMAIN/SELECTOR KIND` (rsa or ed25519): a new private key below
 * `folder`/keys. */
bool scenario_key(
    const char *folder, struct span args, struct scenario_why *why);

#endif
