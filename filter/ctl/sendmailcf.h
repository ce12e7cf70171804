#ifndef FILTER_CTL_SENDMAILCF_H
#define FILTER_CTL_SENDMAILCF_H

#include "filter/base/arena.h"
#include "filter/base/span.h"
#include "filter/base/vec.h"

/*
 * The milters of a Sendmail configuration: the X lines and InputMailFilters of
 * sendmail.cf, or the macros of sendmail.mc. Memory: arena; spans point into
 * it or the text.
 */
struct sendmail_filter {
	struct span name;
	struct span socket;   /* S= */
	struct span flags;    /* F=; p NULL when it is not there */
	struct span timeouts; /* T= */
	unsigned line;
	bool called; /* stands in InputMailFilters */
};

struct sendmail_conf {
	struct arena *arena;
	struct sendmail_filters VEC(struct sendmail_filter) filters;
	struct span input;   /* InputMailFilters */
	unsigned input_line; /* 0: none */
};

void sendmail_read_cf(
    struct span text, struct arena *arena, struct sendmail_conf *ret);
void sendmail_read_mc(
    struct span text, struct arena *arena, struct sendmail_conf *ret);

/*
 * One of C, S, R, E out of "C:30s;S:30s;R:30s;E:5m", or Sendmail's default, in
 * ms. ERR_SYNTAX when it is no time.
 */
int sendmail_timeout(
    struct span timeouts, char which, int64_t *ret_ms) MUST_USE;

#endif
