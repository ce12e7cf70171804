#ifndef FILTER_CTL_REPORT_FROM_H
#define FILTER_CTL_REPORT_FROM_H

#include "filter/ctl/ctl.h"

/*
 * Whether reports may leave as report.from. What returns a status returns
 * EX_OK, or the error was printed.
 */

/* report.from and report.bounces are plain addresses; the domain of the first
 * (A-labels) to `ret`. */
int report_from_read(const struct ctl *ctl, const struct settings *settings,
    struct arena *arena, struct span *ret);

/*
 * What leaves with it is signed for `domain`: reports pass DMARC themselves
 * (RFC 9990, RFC 9991). The snapshot was loaded with its keys.
 */
int report_from_signed(const struct ctl *ctl, const struct snapshot *snapshot,
    struct span domain, struct arena *arena);

/* Warns when assayd does not run: who signs then, we do not know. */
void report_from_look(const struct ctl *ctl, const struct settings *settings);

#endif
