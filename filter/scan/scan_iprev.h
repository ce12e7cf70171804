#ifndef FILTER_SCAN_SCAN_IPREV_H
#define FILTER_SCAN_SCAN_IPREV_H

#include "filter/scan/scan.h"

/* Each stage: asks for the client's names, then for their addresses, where a
 * header field will show the result. Never waits. */
void scan_iprev_stage(struct scan *scan);

#endif
