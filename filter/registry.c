#include "filter/registry.h"

#include <stdatomic.h>

/*
 * A ring of links that stand inside the sessions, and counters beside it: the
 * admission of a connection takes no lock.
 */

void
registry_init(struct registry *registry)
{
	lock_init(&registry->lock, LOCK_REGISTRY);
	registry->all.next = registry->all.prev = &registry->all;
}

void
registry_done(struct registry *registry)
{
	lock_done(&registry->lock);
}

void
registry_add(struct registry *registry, struct registry_link *link)
{
	lock_take(&registry->lock);
	link->next = &registry->all;
	link->prev = registry->all.prev;
	link->prev->next = link;
	registry->all.prev = link;
	lock_drop(&registry->lock);
}

void
registry_remove(struct registry *registry, struct registry_link *link)
{
	lock_take(&registry->lock);
	link->prev->next = link->next;
	link->next->prev = link->prev;
	lock_drop(&registry->lock);
}

bool
registry_empty(struct registry *registry)
{
	bool empty;

	lock_take(&registry->lock);
	empty = registry->all.next == &registry->all;
	lock_drop(&registry->lock);
	return empty;
}

static void
note_max(struct registry *registry, unsigned n)
{
	unsigned max = atomic_load(&registry->sessions_max);

	while (n > max &&
	       !atomic_compare_exchange_weak(&registry->sessions_max, &max, n))
		;
}

bool
registry_admit(struct registry *registry, unsigned limit)
{
	unsigned n = atomic_fetch_add(&registry->sessions, 1) + 1;

	if (n > limit) {
		atomic_fetch_sub(&registry->sessions, 1);
		atomic_fetch_add(&registry->turned_away, 1);
		return false;
	}
	atomic_fetch_add(&registry->admitted, 1);
	note_max(registry, n);
	return true;
}

void
registry_leave(struct registry *registry)
{
	atomic_fetch_sub(&registry->sessions, 1);
}
