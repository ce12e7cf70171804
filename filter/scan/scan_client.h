#ifndef FILTER_SCAN_SCAN_CLIENT_H
#define FILTER_SCAN_SCAN_CLIENT_H

#include "filter/scan/scan.h"

/* For scan.c: whose client counts. */

/* At SCAN_EOH, before anything is asked about the client. */
void scan_client_find(struct scan *scan);

#endif
