#ifndef FILTER_CTL_FAILURE_LIST_H
#define FILTER_CTL_FAILURE_LIST_H

#include "filter/auth/report_failure.h"
#include "filter/base/vec.h"
#include "filter/ctl/marks.h"

/* What was noted of failures and waits in the store. */
struct noted {
	struct span name; /* of the entry */
	struct report_failure failure;
	uint64_t count; /* messages that it stands for */
};
struct noted_list VEC(struct noted);

#define FAILURE_LIST_MAX 20000

/*
 * Reads FAILURE_LIST_MAX of them at most, the most frequent first. EX_OK, or
 * the error was printed; none without a store. Memory: arena.
 */
int failure_list_read(const struct marks *marks, int64_t now,
    struct arena *arena, struct noted_list *ret);

#endif
