/* Bounces of reports, which anybody can send. */
#include <stdlib.h>

#include "filter/auth/report_mail.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct report_secret secret = {{7}};
	struct arena *arena = arena_new(0);
	struct report_bounce bounce;
	char handle[REPORT_HANDLE_SIZE];

	int rc = report_bounce_read(
	    &bounce, span_make((const char *)data, size), arena, NULL);
	if (rc && rc != ERR_SYNTAX)
		abort();
	/* A MAC that holds is not to be found by chance. */
	if (rc == 0 &&
	    report_token_read(&secret, bounce.message_id, handle) == 0)
		abort();
	if (rc == 0 && bounce.permanent && !bounce.status.len)
		abort();
	arena_free(arena);
	return 0;
}
