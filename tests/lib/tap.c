#include "tests/lib/tap.h"

#include <stdio.h>

/* One case at a time; its line is printed when the next one begins. */

static char current[256]; /* a copy: claims may be made on the stack */
static unsigned number, failed;
static bool good_so_far;

static void
finish(void)
{
	if (!current[0])
		return;
	number++;
	if (!good_so_far)
		failed++;
	printf("%s %u - %s\n", good_so_far ? "ok" : "not ok", number, current);
	fflush(stdout);
}

void
tap_case(const char *claim)
{
	finish();
	(void)span_copy(span_of(claim), current, sizeof current);
	good_so_far = true;
}

void
tap_skip(const char *claim, const char *why)
{
	finish();
	current[0] = '\0';
	number++;
	printf("ok %u - %s # SKIP %s\n", number, claim, why);
}

int
tap_done(void)
{
	finish();
	printf("1..%u\n", number);
	return failed ? 1 : 0;
}

bool
tap_check(const char *file, int line, bool good, const char *text)
{
	if (!good) {
		good_so_far = false;
		printf("# %s:%d: failed: %s\n", file, line, text);
	}
	return good;
}

bool
tap_int(const char *file, int line, int64_t got, int64_t want, const char *text)
{
	if (got == want)
		return true;
	good_so_far = false;
	printf("# %s:%d: %s: want %lld, got %lld\n", file, line, text,
	    (long long)want, (long long)got);
	return false;
}

static void
show(const char *label, struct span s)
{
	printf("#   %s (%zu): ", label, s.len);
	for (size_t i = 0; i < s.len && i < 500; i++) {
		char c = s.p[i];
		if (c == '\n')
			fputs("\\n", stdout);
		else if (c == '\r')
			fputs("\\r", stdout);
		else if (ascii_is_control(c) || ascii_is_8bit(c))
			printf("\\x%02x", (unsigned char)c);
		else
			putchar(c);
	}
	putchar('\n');
}

bool
tap_span(const char *file, int line, struct span got, struct span want,
    const char *text)
{
	if (span_eq(got, want))
		return true;
	good_so_far = false;
	printf("# %s:%d: %s differs\n", file, line, text);
	show("want", want);
	show("got ", got);
	return false;
}
