#ifndef FILTER_AUTH_BODYSCAN_H
#define FILTER_AUTH_BODYSCAN_H

/*
 * Where the relaxed canonicalisation (RFC 6376 section 3.4.4) leaves bytes as
 * they are: the end of the longest run from `p` that is its own canonical form
 * whatever follows it. `*p` is no white space and no CR; `p` < `end`, and the
 * result is behind `p`.
 */
const char *bodyscan_run(const char *p, const char *end);

#endif
