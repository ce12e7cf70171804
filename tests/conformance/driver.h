#ifndef TESTS_CONFORMANCE_DRIVER_H
#define TESTS_CONFORMANCE_DRIVER_H

#include "filter/dns/dns.h"

/* What the drivers of the suites share. */

/* DNS that answers from a zone file; a bad one ends the program. The caller
 * closes. */
struct dns *driver_open_zone(struct span path);
/* A file, whole; the program ends where it cannot be read. */
struct span driver_load(struct span path, struct arena *arena);

#endif
