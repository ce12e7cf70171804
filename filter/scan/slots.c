#include "filter/scan/slots.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "filter/base/clock.h"
#include "filter/base/lock.h"

/*
 * A stack of free slots behind one lock. The one used last is lent first: its
 * JIT stack and match data are warm.
 */

struct scan_slots {
	struct lock lock;
	struct lock_cond free_cond;
	unsigned n, n_free;       /* n_free guarded by lock */
	struct rule_slot **slots; /* the first n_free are free; guarded */
	_Atomic int waiting;      /* scans that wait for DNS now */
	int waiting_max;          /* immutable */
};

int
scan_slots_new(unsigned n, unsigned waiting_max, struct scan_slots **ret)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	struct scan_slots *slots = calloc(1, sizeof *slots);

	if (!slots)
		return ERR_NOMEM;
	lock_init(&slots->lock, LOCK_SLOTS);
	lock_cond_init(&slots->free_cond);
	slots->waiting_max = (int)waiting_max;
	if (n == 0)
		n = 2 * (unsigned)(cores > 0 ? cores : 1);
	slots->slots = calloc(n, sizeof(struct rule_slot *));
	for (slots->n = 0; slots->slots && slots->n < n; slots->n++) {
		slots->slots[slots->n] = rule_slot_new();
		if (!slots->slots[slots->n])
			break;
	}
	slots->n_free = slots->n;
	if (slots->n < n) {
		scan_slots_free(slots);
		return ERR_NOMEM;
	}
	*ret = slots;
	return 0;
}

void
scan_slots_free(struct scan_slots *slots)
{
	if (!slots)
		return;
	for (unsigned i = 0; i < slots->n_free; i++)
		rule_slot_free(slots->slots[i]);
	free(slots->slots);
	lock_cond_done(&slots->free_cond);
	lock_done(&slots->lock);
	free(slots);
}

struct rule_slot *
scan_slots_take(struct scan_slots *slots)
{
	struct rule_slot *slot;

	lock_take(&slots->lock);
	while (slots->n_free == 0)
		(void)lock_wait(&slots->free_cond, &slots->lock, CLOCK_NEVER);
	slot = slots->slots[--slots->n_free];
	lock_drop(&slots->lock);
	return slot;
}

void
scan_slots_give(struct scan_slots *slots, struct rule_slot *slot)
{
	lock_take(&slots->lock);
	slots->slots[slots->n_free++] = slot;
	lock_signal(&slots->free_cond);
	lock_drop(&slots->lock);
}

void
scan_slots_waiting(struct scan_slots *slots, int change)
{
	atomic_fetch_add_explicit(
	    &slots->waiting, change, memory_order_relaxed);
}

bool
scan_slots_crowded(const struct scan_slots *slots)
{
	return atomic_load_explicit(&slots->waiting, memory_order_relaxed) >=
	       slots->waiting_max;
}
