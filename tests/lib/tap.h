#ifndef TESTS_LIB_TAP_H
#define TESTS_LIB_TAP_H

#include <stdbool.h>
#include <stdint.h>

#include "filter/base/span.h"

/*
 * Test Anything Protocol for unit tests. Cases are named by their claim. A
 * failing check prints file:line, want and got, and the case goes on.
 *
 *	int main(void) { TAP_CASE("folds keep their white space") { ... } ...
 *		return tap_done(); }
 */
void tap_case(const char *claim);
int tap_done(void); /* prints the plan; the exit status */
void tap_skip(const char *claim, const char *why);

#define TAP_CASE(claim) tap_case(claim);

bool tap_check(const char *file, int line, bool good, const char *text);
bool tap_int(
    const char *file, int line, int64_t got, int64_t want, const char *text);
bool tap_span(const char *file, int line, struct span got, struct span want,
    const char *text);

#define CHECK(cond) tap_check(__FILE__, __LINE__, (cond), #cond)
#define CHECK_INT(got, want)                                                   \
	tap_int(__FILE__, __LINE__, (int64_t)(got), (int64_t)(want), #got)
#define CHECK_SPAN(got, want) tap_span(__FILE__, __LINE__, (got), (want), #got)
/* `want` is a C string without NUL bytes. */
#define CHECK_STR(got, want)                                                   \
	tap_span(__FILE__, __LINE__, (got), span_of(want), #got)

#endif
