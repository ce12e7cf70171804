#include "tests/conformance/driver.h"

#include <stdio.h>
#include <stdlib.h>

#define CACHE_ENTRIES 1024 /* zones are small, and opened often */

/* What the drivers of the suites share. */

struct dns *
driver_open_zone(struct span path)
{
	char text[4096];
	struct err err = {0};
	struct dns *dns = NULL;

	if (!span_copy(path, text, sizeof text))
		abort();
	struct dns_options options = {
	    .zone = text, .cache_entries = CACHE_ENTRIES};
	if (dns_open(&options, &dns, &err)) {
		fprintf(stderr, "%s\n", err.text);
		exit(1);
	}
	return dns;
}
