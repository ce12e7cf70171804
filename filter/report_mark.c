#include "filter/report_mark.h"

#include <stdio.h>

#include "filter/base/clock.h"

/* Marks of reports: coding, and the one way to change them. */

#define MARK_MS 10000

static const char *const states[] = {
    [REPORT_HANDING] = "handing",
    [REPORT_SENT] = "sent",
    [REPORT_WAITING] = "waiting",
    [REPORT_REFUSED] = "refused",
    [REPORT_BOUNCED] = "bounced",
};
#define STATES (sizeof states / sizeof *states)

int
report_mark_set(struct store *store, const struct report_mark *mark,
    int64_t now, bool *ret_done, struct err *err)
{
	struct store_key key = {STORE_MARK, span_of(mark->name)};
	struct err own = {0};
	struct store_op ops[] = {
	    {
		.verb = STORE_CHECK,
		.key = key,
		.value = mark->had ? span_of(mark->from) : SPAN_NONE,
	    },
	    {
		.verb = STORE_PUT,
		.key = key,
		.value = span_of(mark->to),
		.expires = mark->expires,
	    },
	};
	int rc = store_apply(store, ops, sizeof ops / sizeof *ops, now,
	    clock_deadline(MARK_MS), &own);

	*ret_done = rc == 0;
	if (rc == ERR_STATE && strcmp(own.text, "check") == 0)
		return 0;
	if (rc && err)
		*err = own;
	return rc;
}

int
report_sent_read(struct report_sent *ret, struct span value)
{
	struct span rest = value, word = span_cut(&rest, ' ');
	size_t i = 0;

	while (i < STATES && !span_is(word, states[i]))
		i++;
	if (i == STATES)
		return ERR_SYNTAX;
	ret->state = (enum report_state)i;
	if (span_to_i64(span_cut(&rest, ' '), &ret->time) ||
	    span_to_u64(span_cut(&rest, ' '), &ret->tries))
		return ERR_SYNTAX;
	ret->domain = span_cut(&rest, ' ');
	ret->address = rest;
	return ret->domain.len && ret->address.len ? 0 : ERR_SYNTAX;
}

void
report_sent_write(
    const struct report_sent *sent, char ret[REPORT_MARK_VALUE_MAX + 1])
{
	snprintf(ret, REPORT_MARK_VALUE_MAX + 1, "%s %lld %llu %.*s %.*s",
	    states[sent->state], (long long)sent->time,
	    (unsigned long long)sent->tries, SPAN_ARG(sent->domain),
	    SPAN_ARG(sent->address));
}

int
report_bounces_read(struct report_bounces *ret, struct span value)
{
	struct span rest = value;

	if (span_to_u64(span_cut(&rest, ' '), &ret->n) ||
	    span_to_i64(span_cut(&rest, ' '), &ret->time))
		return ERR_SYNTAX;
	ret->address = rest;
	return rest.len ? 0 : ERR_SYNTAX;
}

void
report_bounces_write(
    const struct report_bounces *bounces, char ret[REPORT_MARK_VALUE_MAX + 1])
{
	snprintf(ret, REPORT_MARK_VALUE_MAX + 1, "%llu %lld %.*s",
	    (unsigned long long)bounces->n, (long long)bounces->time,
	    SPAN_ARG(bounces->address));
}
