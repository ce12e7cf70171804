#ifndef FILTER_SCAN_SCAN_ARC_H
#define FILTER_SCAN_SCAN_ARC_H

#include "filter/scan/scan.h"

/* Inside of the scan: at SCAN_EOH, behind what DKIM and DMARC want. */
void scan_arc_begin(struct scan *scan);

#endif
