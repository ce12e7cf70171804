#ifndef FILTER_RULE_RULE_MATCH_H
#define FILTER_RULE_RULE_MATCH_H

#include "filter/rule/rule_impl.h"

/*
 * One regex rule against its texts (rule language, section 5.5): which texts,
 * how often, and the limits. Folder-private.
 */
struct match_job {
	const struct rule_body *body;
	const struct symbol *symbol;
	struct rule_slot *slot;
	unsigned match_limit;
	int64_t until_us; /* clock_mono_us(): the rule's time is over */
	/* Asked now and then in long ones; false: stop. */
	bool (*alive)(void *arg);
	void *arg;
	/* results */
	int64_t count;
	bool limited;      /* a limit ended it: not a match */
	struct span first; /* text of the first match */
	unsigned work;     /* until the clock is looked at */
};

/* False: stop, nothing more can change the count. */
bool match_text(struct match_job *job, struct span text);

#endif
