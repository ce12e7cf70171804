#ifndef FILTER_CTL_WHEN_H
#define FILTER_CTL_WHEN_H

#include <stdint.h>

#include "filter/base/err.h"
#include "filter/base/span.h"

/*
 * Points in time as people write them on a command line, and as they are shown
 * to them. Where no zone is written it is the local one (TZ).
 */

/*
 * `now`; `today`, `yesterday` (the midnight that the day began with); `90s`,
 * `5m`, `12h`, `7d`, `2w` ago; a date `2026-11-24` (its midnight) or a
 * date-time of RFC 3339: `2026-11-24T10:31`, a blank for the T, seconds with
 * or without a fraction (dropped), `Z` or `+01:00`, or no zone.
 *
 * ERR_SYNTAX: none of these, or no such day. `now` is Unix time.
 */
int when_parse(
    struct span text, int64_t now, int64_t *ret, struct err *err) MUST_USE;

#define WHEN_TEXT_SIZE 40

/* "2026-11-24 10:31:07", local. */
void when_local(int64_t time, char text[WHEN_TEXT_SIZE]);
/* "2026-11-24 10:31:07 +0100", local. */
void when_local_zone(int64_t time, char text[WHEN_TEXT_SIZE]);
/* "2026-11-24T10:31:07+01:00": RFC 3339, local. */
void when_rfc3339(int64_t time, char text[WHEN_TEXT_SIZE]);

#endif
