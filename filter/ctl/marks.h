#ifndef FILTER_CTL_MARKS_H
#define FILTER_CTL_MARKS_H

#include "filter/base/map.h"
#include "filter/ctl/ctl.h"
#include "filter/report_mark.h"

/*
 * Marks of reports for commands: read from the store itself, changed by assayd
 * while it runs, else by ourselves under the state folder's lock. Nothing stays
 * open between two calls, so a run of minutes keeps nobody from the store.
 */
struct marks {
	const struct ctl *ctl;
	const struct settings *settings;
};

/* EX_OK, or the error was printed. */
int marks_set(
    const struct marks *marks, const struct report_mark *mark, bool *ret_done);

/* Adds all marks whose name begins so to `ret`: name to the value, a `struct
 * span`. EX_OK, or the error was printed; no store yet has none. */
int marks_read(const struct marks *marks, struct span prefix,
    struct arena *arena, struct map *ret);
/* One of them; p NULL when it is not there. */
struct span marks_get(const struct map *map, struct span name);

/* The site's secret; where there is none it is made, or, without `make`, is
 * random and of this call alone. */
int marks_secret(const struct marks *marks, bool make, struct arena *arena,
    struct report_secret *ret);

/* One more bounce of an address. `ret_n`: so many now. */
int marks_bounce(const struct marks *marks, struct span address,
    struct arena *arena, int64_t now, uint64_t *ret_n);

/* Opens the store for reading: 0, or an error that was printed; *ret is NULL
 * where there is none yet. */
int marks_open_store(const struct marks *marks, struct store **ret);

#define MARKS_STORE_MS 60000 /* for listing what is in the store */

#endif
