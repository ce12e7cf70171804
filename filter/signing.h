#ifndef FILTER_SIGNING_H
#define FILTER_SIGNING_H

#include "filter/fields.h"
#include "filter/sign.h"

/*
 * Signing one message: decided at the end of the headers, where the body's hash
 * must be planned, and done when it is known which fields will leave.
 */
struct signing;

struct signing_request {
	const struct settings *settings;
	const struct keyring *keyring;
	struct scan *scan;
	bool inet; /* the MTA reached us over TCP */
	const char *ref;
};

/*
 * After SCAN_EOH, before the body. NULL: the message goes out unsigned; why
 * stands in the log, once a minute for each reason.
 * Memory: the scan's arena.
 */
struct signing *signing_plan(const struct signing_request *request);

/*
 * Puts DKIM-Signature on top of the fields to add, one for each key, made over
 * the header as `fields` leaves it. What cannot be signed leaves unsigned.
 * Memory: request->arena.
 */
void signing_add(const struct signing *signing,
    const struct fields_request *request, struct fields *fields);

#endif
