#include "tests/conformance/driver.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

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

struct span
driver_load(struct span path, struct arena *arena)
{
	struct stat st;
	int fd = open(arena_cstr(arena, path), O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st))
		abort();
	size_t size = (size_t)st.st_size;
	char *p = arena_alloc(arena, size);
	if (!p || read(fd, p, size) != st.st_size)
		abort();
	close(fd);
	return span_make(p, size);
}
