#ifndef FILTER_CTL_VERDICTS_H
#define FILTER_CTL_VERDICTS_H

#include "filter/ctl/ctl.h"
#include "filter/log/verdictlog.h"
#include "filter/ref.h"

/* The site's verdict log as `log` and `why` read it: no daemon is asked, only
 * the right to read the state folder is needed. */
struct verdicts {
	struct snapshot *snapshot;
	struct arena *arena;       /* lives as long as this */
	const char *folder;        /* of the days */
	const struct ref_key *key; /* NULL: no readable one */
	struct ref_key key_room;
	struct err key_err; /* why */
	bool told;          /* what cannot be read: once is enough */
};

/* EX_OK, or the error was printed. verdicts_close() in any case. */
int verdicts_open(const struct ctl *ctl, bool rules, struct verdicts *ret);
void verdicts_close(struct verdicts *v);

/* verdictlog_read(); EX_OK, or the error was printed, the first time only:
 * EX_NOPERM, EX_DATAERR (damaged, another version), EX_IOERR. */
int verdicts_read(const struct ctl *ctl, struct verdicts *v,
    const struct verdictlog_query *query, verdictlog_fn *fn, void *arg);

#endif
