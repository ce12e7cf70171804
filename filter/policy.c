#include "filter/policy.h"

/*
 * From facts to a verdict, purely. The order is the contract's: DMARC, then
 * the score; a check that could not run speaks last and only where less was
 * decided. A relay of ours is neither refused nor put off: it would send the
 * bounce to somebody who never wrote. Recipients' votes are merged leniently:
 * one message has one answer and one set of fields.
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
 * Why a reject policy is not followed, or NULL. RFC 9989 section 7.4: it alone
 * is not reason enough for a receiver to refuse; mail of lists and forwarders
 * fails for reasons that are no forgery.
 */
static const char *
excuse(const struct settings *settings, const struct policy_facts *facts,
    const char **ret_comment)
{
	if (facts->list)
		return "mailing_list";
	if (facts->forwarder)
		return "trusted_forwarder";
	*ret_comment = facts->seal ? facts->seal : facts->signer;
	if (*ret_comment || settings->dmarc != DMARC_MODE_REJECT)
		return "local_policy";
	return NULL;
}

static void
decide_dmarc(const struct settings *settings, const struct policy_facts *facts,
    struct verdict *v)
{
	bool reject = facts->disposition == DMARC_POLICY_REJECT;

	if (!facts->dmarc_fail || facts->direction == DIRECTION_OUT)
		return;
	if (!reject && facts->disposition != DMARC_POLICY_QUARANTINE)
		return;
	if (facts->rescue) {
		v->dmarc_reason = "local_policy";
		v->dmarc_comment = facts->rescue;
		return;
	}
	if (reject)
		v->dmarc_reason = excuse(settings, facts, &v->dmarc_comment);
	else if (settings->dmarc == DMARC_MODE_SCORE)
		v->dmarc_reason = "local_policy";
	if (settings->dmarc == DMARC_MODE_SCORE)
		return;
	v->by = "dmarc";
	v->reply = REPLY_DMARC;
	v->would = reject && !v->dmarc_reason ? ACTION_REJECT : ACTION_TAG;
	if (v->would == ACTION_REJECT && facts->direction == DIRECTION_RELAY) {
		v->dmarc_reason = "local_policy";
		v->dmarc_comment = "relays of ours are never refused";
	}
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
	}
}

/*
 * What happens of what enforce would do. A relay of ours is neither refused nor
 * put off: a check that could not run leaves it to what else was decided.
 */
static enum action
action_of(enum action would, enum action without_failures,
    enum policy_mode mode, enum direction direction)
{
	if (mode != MODE_ENFORCE)
		return ACTION_ACCEPT;
	if (direction != DIRECTION_RELAY)
		return would;
	if (would == ACTION_TEMPFAIL)
		would = without_failures;
	return would == ACTION_REJECT ? ACTION_TAG : would;
}

/* What is delivered and ought not to have been, or not unmarked. */
static bool
tags_headers(const struct verdict *v, enum direction direction)
{
	if (direction == DIRECTION_OUT)
		return false;
	return v->action == ACTION_TAG || v->would == ACTION_TAG ||
	       v->would == ACTION_QUARANTINE ||
	       (v->would == ACTION_REJECT && v->action != ACTION_REJECT);
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
	enum action without_failures = ret->would;
	decide_failures(settings, facts, ret);
	ret->action = action_of(
	    ret->would, without_failures, policy->mode, facts->direction);
	ret->tag_headers = tags_headers(ret, facts->direction);
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
	ret->tag_headers = tags_headers(ret, facts->direction);
}
