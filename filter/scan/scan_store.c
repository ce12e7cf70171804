#include "filter/scan/scan.h"

#include "filter/base/clock.h"

/*
 * What a message may take of the store's time: store_ms in all. A store that
 * does not answer costs that once, then the breaker costs nothing.
 */

int64_t
scan_store_begin(struct scan *scan)
{
	int64_t left_us = scan->config->store_ms * 1000 - scan->store_us;
	int64_t ms = left_us > 0 ? (left_us + 999) / 1000 : 0;

	scan->store_us -= clock_mono_us();
	return clock_min(clock_deadline(ms), scan->deadline);
}

void
scan_store_end(struct scan *scan, int rc)
{
	scan->store_us += clock_mono_us();
	if (rc)
		scan_degrade(scan, store_degraded(scan->store));
}
