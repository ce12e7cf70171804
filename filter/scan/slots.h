#ifndef FILTER_SCAN_SLOTS_H
#define FILTER_SCAN_SLOTS_H

#include "filter/base/err.h"
#include "filter/rule/rule.h"

/*
 * The pool of slots (2 x cores): what the CPU part of a scan needs and only
 * one may use at a time. A scan takes one before it matches and gives it back
 * while it waits for DNS or Redis, so that waiting costs no slot.
 */
struct scan_slots;
/*
 * n            0: twice the number of cores.
 * waiting_max  scans that may wait for DNS at once (limits.waiting).
 */
int scan_slots_new(
    unsigned n, unsigned waiting_max, struct scan_slots **ret) MUST_USE;
void scan_slots_free(struct scan_slots *slots);
/* Waits for a free one. */
struct rule_slot *scan_slots_take(struct scan_slots *slots);
void scan_slots_give(struct scan_slots *slots, struct rule_slot *slot);

/* Counts a scan that begins (ends) to wait for DNS. */
void scan_slots_waiting(struct scan_slots *slots, int change);
/* True when no more scans may begin to wait. */
bool scan_slots_crowded(const struct scan_slots *slots);

#endif
