#include "filter/policy.h"

/*
 * From facts to a verdict, purely. The order is the contract's: DMARC, then
 * the score; a check that could not run speaks last and only where less was
 * decided. A relay of ours is neither refused nor put off: it would send the
 * bounce to somebody who never wrote. Recipients' votes are merged leniently: one message has one answer
 * and one set of fields.
 */

const char *
action_name(enum action action)
{
	static const char *const names[] = {
	    [ACTION_ACCEPT] = "accept",
	    [ACTION_TAG] = "tag",
	    [ACTION_QUARANTINE] = "quarantine",
	    [ACTION_REJECT] = "reject",
	    [ACTION_TEMPFAIL] = "tempfail",
	};

	return names[action];
}

/* --- facts ---------------------------------------------------------------------- */

/* Names whose refusals have codes of their own (RFC 7372). */
static enum reply_class
class_of(const struct symbol *symbol)
{
	if (symbol->kind != SYMBOL_NATIVE)
		return REPLY_CONTENT;
	if (span_starts(symbol->name, SPAN("DMARC_")))
		return REPLY_DMARC;
	if (span_starts(symbol->name, SPAN("SPF_")))
		return REPLY_SPF;
	if (span_starts(symbol->name, SPAN("DKIM_")))
		return REPLY_DKIM;
	return REPLY_CONTENT;
}

void
policy_facts_of(struct scan *scan, const struct examination *examination,
    struct policy_facts *ret)
{
	const struct scan_dmarc_facts *dmarc = scan_dmarc(scan);

	*ret = (struct policy_facts){
	    .direction = scan->direction,
	    .score_milli = examination->score_milli,
	    .dmarc_fail =
		dmarc->state == FACT_DONE && dmarc->dmarc.result == DMARC_FAIL,
	    .disposition = dmarc->dmarc.disposition,
	    .list = scan_is_list(scan),
	    .degraded = scan->degraded.v,
	    .n_degraded = scan->degraded.n,
	    .heaviest = REPLY_CONTENT,
	};
	/* By weight: the first that adds points is what weighs most. */
	for (size_t i = 0; i < examination->hits.n; i++) {
		const struct symbol_hit *hit = &examination->hits.v[i];
		if (hit->score_milli > 0) {
			ret->heaviest = class_of(hit->symbol);
			break;
		}
	}
}

/* --- one policy ------------------------------------------------------------------ */

/* How much an action takes from the sender: what the merge compares. */
static unsigned
severity(enum action action)
{
	static const unsigned severities[] = {
	    [ACTION_ACCEPT] = 0,
	    [ACTION_TAG] = 1,
	    [ACTION_QUARANTINE] = 2,
	    [ACTION_TEMPFAIL] = 3,
	    [ACTION_REJECT] = 4,
	};

	return severities[action];
}

/*
 * RFC 9989 section 7.4: a reject policy alone is not reason enough for a
 * receiver to refuse; mail of lists fails for reasons that are no forgery.
 */
static void
decide_dmarc(const struct settings *settings, const struct policy_facts *facts,
    struct verdict *v)
{
	bool reject = facts->disposition == DMARC_POLICY_REJECT;

	if (!facts->dmarc_fail || facts->direction == DIRECTION_OUT ||
	    settings->dmarc == DMARC_MODE_SCORE)
		return;
	if (!reject && facts->disposition != DMARC_POLICY_QUARANTINE)
		return;
	v->by = "dmarc";
	v->reply = REPLY_DMARC;
	v->would = ACTION_TAG;
	if (!reject)
		return;
	if (facts->list)
		v->dmarc_reason = "mailing_list";
	else if (settings->dmarc != DMARC_MODE_REJECT)
		v->dmarc_reason = "local_policy";
	else
		v->would = ACTION_REJECT;
}

static bool
reaches(int64_t score_milli, int64_t threshold_milli)
{
	return threshold_milli != OPTION_OFF && score_milli >= threshold_milli;
}

static enum action
action_of_score(
    const struct policy_settings *policy, const struct policy_facts *facts)
{
	if (reaches(facts->score_milli, policy->reject))
		return ACTION_REJECT;
	if (reaches(facts->score_milli, policy->quarantine))
		return ACTION_QUARANTINE;
	/* Mail that leaves is never tagged. */
	if (facts->direction != DIRECTION_OUT &&
	    reaches(facts->score_milli, policy->tag))
		return ACTION_TAG;
	return ACTION_ACCEPT;
}

static void
decide_score(const struct policy_facts *facts, struct verdict *v)
{
	enum action action = action_of_score(v->policy, facts);

	if (severity(action) <= severity(v->would))
		return;
	v->would = action;
	v->by = "score";
	v->reply = facts->heaviest;
	v->dmarc_reason = NULL;
}

/* What on_failure says of a name: a rule for it, else for its kind ("dnsbl"
 * of "dnsbl:zen"). Among equals the last one stands. */
static enum failure_action
failure_of(const struct settings *settings, const char *degraded)
{
	enum failure_action action = FAILURE_ACCEPT;
	struct span name = span_of(degraded), kind = name;
	bool exact = false;

	kind = span_cut(&kind, ':');
	for (size_t i = 0; i < settings->n_failures; i++) {
		const struct failure_rule *rule = &settings->failures[i];
		bool same = span_eq(rule->name, name);
		if (!same && (exact || !span_eq(rule->name, kind)))
			continue;
		action = rule->action;
		exact = same;
	}
	return action;
}

static enum reply_class
class_of_failure(const char *degraded)
{
	if (strcmp(degraded, "dns") == 0)
		return REPLY_DNS;
	if (strcmp(degraded, "memory") == 0 ||
	    strcmp(degraded, "sessions") == 0)
		return REPLY_OVERLOAD;
	return REPLY_FAILURE;
}

/* Which action a failure asks for here. */
static enum action
action_of_failure(enum failure_action wanted, const struct policy_facts *facts)
{
	if (wanted == FAILURE_TEMPFAIL && !facts->defer_over)
		return ACTION_TEMPFAIL;
	if (wanted == FAILURE_TAG && facts->direction != DIRECTION_OUT)
		return ACTION_TAG;
	return ACTION_ACCEPT;
}

static void
decide_failures(const struct settings *settings,
    const struct policy_facts *facts, struct verdict *v)
{
	for (size_t i = 0; i < facts->n_degraded; i++) {
		enum action action = action_of_failure(
		    failure_of(settings, facts->degraded[i]), facts);
		if (severity(action) <= severity(v->would))
			continue;
		v->would = action;
		v->by = "failure";
		v->failure = facts->degraded[i];
		v->reply = class_of_failure(facts->degraded[i]);
		v->dmarc_reason = NULL;
	}
}

/* What may become of an action that a policy asks for. */
static enum action
permitted(enum action action, enum direction direction)
{
	if (direction == DIRECTION_RELAY &&
	    (action == ACTION_REJECT || action == ACTION_TEMPFAIL))
		return ACTION_TAG;
	return action;
}

/* Whether the fields say that it is spam. Mail that leaves is never tagged. */
static bool
is_tagged(const struct verdict *v, enum direction direction)
{
	enum action action = permitted(v->would, direction);

	return direction != DIRECTION_OUT &&
	       (action == ACTION_TAG || action == ACTION_QUARANTINE);
}

void
policy_decide(const struct settings *settings,
    const struct policy_settings *policy, const struct policy_facts *facts,
    struct verdict *ret)
{
	*ret = (struct verdict){
	    .would = ACTION_ACCEPT,
	    .by = "score",
	    .reply = REPLY_CONTENT,
	    .policy = policy,
	    .score_milli = facts->score_milli,
	    .threshold_milli = policy->reject,
	};
	decide_dmarc(settings, facts, ret);
	decide_score(facts, ret);
	decide_failures(settings, facts, ret);
	ret->action = policy->mode == MODE_ENFORCE
			  ? permitted(ret->would, facts->direction)
			  : ACTION_ACCEPT;
	ret->tag_headers = is_tagged(ret, facts->direction);
}

/* --- all recipients ---------------------------------------------------------------- */

/* Keeps the message from the recipient, for now or for good. */
static bool
withholds(enum action action)
{
	return severity(action) >= severity(ACTION_QUARANTINE);
}

/*
 * The milder of two votes for one message. Where some withhold it and some do
 * not, all get it, tagged: to let it pass unmarked would be worse than either
 * policy. A recipient who only observes votes for delivery.
 */
static void
merge_action(enum action *action, enum action vote, enum direction direction)
{
	enum action soft =
	    direction == DIRECTION_OUT ? ACTION_ACCEPT : ACTION_TAG;

	if (withholds(*action) && withholds(vote)) {
		if (severity(vote) < severity(*action))
			*action = vote;
		return;
	}
	if (withholds(*action))
		*action = soft;
	if (withholds(vote))
		vote = soft;
	if (severity(vote) > severity(*action))
		*action = vote;
}

/* Takes over why the vote was cast where it decided. */
static void
merge_vote(
    struct verdict *v, const struct verdict *vote, enum direction direction)
{
	enum action action = v->action, would = v->would;

	merge_action(&action, vote->action, direction);
	merge_action(&would, vote->would, direction);
	/* The vote that says more explains the message; between equals one
	 * that is enforced. */
	if (severity(vote->action) > severity(v->action) ||
	    (vote->action == v->action &&
		severity(vote->would) > severity(v->would)))
		*v = *vote;
	v->action = action;
	v->would = would;
}

void
policy_merge(const struct settings *settings, const size_t *policies, size_t n,
    const struct policy_facts *facts, struct verdict *ret)
{
	size_t fallback = facts->direction == DIRECTION_OUT ? POLICY_OUTBOUND
							    : POLICY_DEFAULT;

	policy_decide(settings, &settings->policies[n ? policies[0] : fallback],
	    facts, ret);
	for (size_t i = 1; i < n; i++) {
		struct verdict vote;
		policy_decide(
		    settings, &settings->policies[policies[i]], facts, &vote);
		merge_vote(ret, &vote, facts->direction);
	}
	ret->tag_headers = is_tagged(ret, facts->direction);
}
