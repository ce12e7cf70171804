#ifndef FILTER_SCAN_SCAN_LIST_H
#define FILTER_SCAN_SCAN_LIST_H

#include "filter/scan/scan.h"

/* For scan.c: the lists' part of a scan's stages. */

struct list_run;

struct scan_list_runs {
	struct dns_batch *dns; /* the lists' own */
	struct list_run *v;    /* as many as config->lists.n */
};

/* NULL when no list is in use, without a network, or for want of memory. */
struct scan_list_runs *scan_lists_new(struct scan *scan, struct dns *dns);
/* After the authentication has asked its questions. Never waits. */
void scan_lists_stage(struct scan *scan, enum scan_stage stage);

#endif
