#include "filter/scan/scan.h"

#include "filter/base/clock.h"
#include "filter/scan/slots.h"

/*
 * What a message may take of the store's time: store_ms in all. A store that
 * does not answer costs that once, then the breaker costs nothing. While a scan
 * waits for a server its slot is lent to others: else they would wait for it,
 * and then for the server too.
 */

static void
lend_slot(struct scan *scan)
{
	if (!scan->slot || !store_is_remote(scan->store))
		return;
	scan_slots_give(scan->slots, scan->slot);
	scan->slot = NULL;
}

int64_t
scan_store_begin(struct scan *scan)
{
	int64_t left_us = scan->config->store_ms * 1000 - scan->store_us;
	int64_t ms = left_us > 0 ? (left_us + 999) / 1000 : 0;

	lend_slot(scan);
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
