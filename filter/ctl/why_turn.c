#include "filter/ctl/why.h"

/*
 * What would have changed a verdict, from the record alone: thresholds and
 * scores stand in it. The policy itself is asked, with the record's
 * thresholds, so that both agree. That a meta falls with its parts is not
 * known here: the sums are those without the one symbol.
 */

static const enum action ladder[] = {
    ACTION_TAG, ACTION_QUARANTINE, ACTION_REJECT};
#define RUNGS (sizeof ladder / sizeof *ladder)

enum action
why_action_at(const struct record *r, int64_t score_milli)
{
	struct settings settings = {.dmarc = DMARC_MODE_SCORE};
	struct policy_settings policy = {
	    .mode = MODE_ENFORCE,
	    .tag = r->tag_milli,
	    .quarantine = r->quarantine_milli,
	    .reject = r->reject_milli,
	};
	struct policy_facts facts = {
	    .direction = span_is(r->dir, "out") ? DIRECTION_OUT : DIRECTION_IN,
	    .score_milli = score_milli,
	};
	struct verdict verdict;

	policy_decide(&settings, &policy, &facts, &verdict);
	return verdict.would;
}

static int64_t
threshold_of(const struct record *r, enum action action)
{
	switch (action) {
	case ACTION_TAG:
		return span_is(r->dir, "out") ? OPTION_OFF : r->tag_milli;
	case ACTION_QUARANTINE:
		return r->quarantine_milli;
	case ACTION_REJECT:
		return r->reject_milli;
	case ACTION_ACCEPT:
	case ACTION_TEMPFAIL:
		break;
	}
	return OPTION_OFF;
}

/* The nearest threshold above the sum. */
static void
find_next(const struct record *r, struct why_turn *turn)
{
	turn->below_milli = -1;
	for (size_t i = 0; i < RUNGS; i++) {
		int64_t at = threshold_of(r, ladder[i]), distance;
		if (at == OPTION_OFF || at <= r->score_milli ||
		    __builtin_sub_overflow(at, r->score_milli, &distance))
			continue;
		if (turn->below_milli < 0 || distance <= turn->below_milli) {
			turn->below_milli = distance;
			turn->next = ladder[i];
		}
	}
}

static void
add(struct why_changes *list, struct arena *arena,
    const struct record_symbol *symbol, int64_t score_milli, enum action action)
{
	struct why_change *change = VEC_PUSH(arena, list);

	if (change)
		*change = (struct why_change){symbol, score_milli, action};
}

/* The heaviest ones until the action changes: no smaller set does it. */
static void
find_set(const struct record *r, const struct record_symbol **sorted,
    struct arena *arena, struct why_turn *turn)
{
	int64_t sum = r->score_milli;

	for (size_t i = 0; i < r->symbols.n; i++) {
		if (sorted[i]->score_milli <= 0)
			continue;
		if (__builtin_sub_overflow(sum, sorted[i]->score_milli, &sum))
			break;
		enum action action = why_action_at(r, sum);
		add(&turn->all, arena, sorted[i], sum, action);
		if (action != turn->action)
			return;
	}
	turn->all.n = 0; /* not even all together */
}

void
why_turn(const struct record *r, struct arena *arena, struct why_turn *ret)
{
	const struct record_symbol **sorted = log_symbols(r, arena);
	struct why_turn turn = {.action = why_action_at(r, r->score_milli)};
	bool milder = turn.action == ACTION_ACCEPT;
	int64_t at = threshold_of(r, turn.action);

	turn.by_sum = span_is(r->by, "score") &&
		      span_is(r->would.len ? r->would : r->action,
			  action_name(turn.action));
	if (at == OPTION_OFF ||
	    __builtin_sub_overflow(r->score_milli, at, &turn.above_milli))
		turn.above_milli = -1;
	find_next(r, &turn);
	for (size_t i = 0; sorted && i < r->symbols.n; i++) {
		int64_t sum;
		if (__builtin_sub_overflow(
			r->score_milli, sorted[i]->score_milli, &sum))
			continue;
		enum action action = why_action_at(r, sum);
		if (action == turn.action)
			continue;
		add(&turn.any, arena, sorted[i], sum, action);
		milder = milder || sorted[i]->score_milli > 0;
	}
	if (!milder && sorted)
		find_set(r, sorted, arena, &turn);
	*ret = turn;
}
