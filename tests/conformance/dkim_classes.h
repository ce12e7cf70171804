#ifndef TESTS_CONFORMANCE_DKIM_CLASSES_H
#define TESTS_CONFORMANCE_DKIM_CLASSES_H

#include "filter/auth/dkim.h"
#include "filter/auth/dkim_internal.h"
#include "tests/conformance/opendkim_whole.h"

/* The known ways in which libopendkim, alone, differs from Assay. */

/* One signature as both judged it. */
struct dkim_pair {
	const struct dkim_signature *ours;
	const struct whole_verdict *theirs;
	const struct whole *whole;
	bool gave_up; /* the library: no result for this message */
	const struct header_list *headers;
	struct span body;
	struct dns_batch *dns;
	struct arena *arena;
	struct dkim_tags tags; /* set by dkim_classes_take() */
};

/* Counts agreement or the difference's class. False: no class takes it. */
bool dkim_classes_take(struct dkim_pair *pair);

/* True when the message must not be shown to the library, which would leave
 * its memory on one of the signatures; counts it. */
bool dkim_classes_guarded(
    const struct header_list *headers, struct arena *arena);

/* How often each was met, as comments of TAP. */
void dkim_classes_print(void);

#endif
