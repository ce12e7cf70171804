#include "filter/policy.h"

#include "tests/lib/tap.h"

/* Pure tables: settings and facts made by hand. */

#define OFF OPTION_OFF

static struct policy_settings policies[] = {
    {.title = {"default", 7},
	.mode = MODE_ENFORCE,
	.tag = 5000,
	.quarantine = OFF,
	.reject = 15000},
    {.title = {"outbound", 8},
	.mode = MODE_ENFORCE,
	.tag = OFF,
	.quarantine = OFF,
	.reject = OFF},
    {.title = {"strict", 6},
	.mode = MODE_ENFORCE,
	.tag = 2000,
	.quarantine = 6000,
	.reject = 8000},
    {.title = {"watching", 8},
	.mode = MODE_OBSERVE,
	.tag = 5000,
	.quarantine = OFF,
	.reject = 15000},
    {.title = {"holding", 7},
	.mode = MODE_ENFORCE,
	.tag = 2000,
	.quarantine = 6000,
	.reject = OFF},
};
enum { DEFAULT, OUTBOUND, STRICT, WATCHING, HOLDING };

static const struct failure_rule rules[] = {
    {{"memory", 6}, FAILURE_TEMPFAIL},
    {{"dns", 3}, FAILURE_TEMPFAIL},
    {{"dnsbl", 5}, FAILURE_TAG},
    {{"dnsbl:zen", 9}, FAILURE_ACCEPT},
    {{"clamav", 6}, FAILURE_TEMPFAIL},
};

static const struct settings settings = {
    .dmarc = DMARC_MODE_REJECT,
    .policies = policies,
    .n_policies = 5,
    .failures = rules,
    .n_failures = 5,
};

static struct policy_facts
facts_of(int64_t score_milli)
{
	return (struct policy_facts){
	    .direction = DIRECTION_IN,
	    .score_milli = score_milli,
	    .disposition = DMARC_POLICY_UNKNOWN,
	    .heaviest = REPLY_CONTENT,
	};
}

static struct verdict
decide(size_t policy, const struct policy_facts *facts)
{
	struct verdict v;

	policy_decide(&settings, &policies[policy], facts, &v);
	return v;
}

static void
check_score(size_t policy, int64_t score_milli, enum action want)
{
	struct policy_facts facts = facts_of(score_milli);
	struct verdict v = decide(policy, &facts);

	CHECK_INT(v.would, want);
	CHECK(strcmp(v.by, "score") == 0);
	CHECK_INT(
	    v.tag_headers, want == ACTION_TAG || want == ACTION_QUARANTINE);
}

static void
test_score(void)
{
	TAP_CASE("a threshold is reached by equality, to the thousandth")
	check_score(DEFAULT, 4999, ACTION_ACCEPT);
	check_score(DEFAULT, 5000, ACTION_TAG);
	check_score(DEFAULT, 14999, ACTION_TAG);
	check_score(DEFAULT, 15000, ACTION_REJECT);
	check_score(DEFAULT, -100000, ACTION_ACCEPT);

	TAP_CASE("quarantine stands between tag and reject, and can be off")
	check_score(STRICT, 5999, ACTION_TAG);
	check_score(STRICT, 6000, ACTION_QUARANTINE);
	check_score(STRICT, 8000, ACTION_REJECT);

	TAP_CASE("observe says what it would do and does nothing")
	struct policy_facts facts = facts_of(20000);
	struct verdict v = decide(WATCHING, &facts);
	CHECK_INT(v.action, ACTION_ACCEPT);
	CHECK_INT(v.would, ACTION_REJECT);
	CHECK_INT(v.threshold_milli, 15000);

	TAP_CASE("the heaviest symbol gives the class of the reply")
	facts.heaviest = REPLY_SPF;
	v = decide(DEFAULT, &facts);
	CHECK_INT(v.reply, REPLY_SPF);
}

static void
test_outgoing(void)
{
	struct policy_facts facts = facts_of(100000);
	struct policy_settings was = policies[OUTBOUND];

	TAP_CASE("outgoing mail is left alone by default")
	facts.direction = DIRECTION_OUT;
	facts.dmarc_fail = true;
	facts.disposition = DMARC_POLICY_REJECT;
	struct verdict v = decide(OUTBOUND, &facts);
	CHECK_INT(v.would, ACTION_ACCEPT);
	CHECK(!v.tag_headers);

	TAP_CASE("it is never tagged, whatever the policy says")
	policies[OUTBOUND].tag = 5000;
	v = decide(OUTBOUND, &facts);
	CHECK_INT(v.would, ACTION_ACCEPT);

	TAP_CASE("it is refused where the policy says so")
	policies[OUTBOUND].reject = 12000;
	v = decide(OUTBOUND, &facts);
	CHECK_INT(v.action, ACTION_REJECT);
	policies[OUTBOUND] = was;

	TAP_CASE("without recipients the direction's policy decides")
	facts.score_milli = 100000;
	policy_merge(&settings, NULL, 0, &facts, &v);
	CHECK(v.policy == &policies[OUTBOUND]);
	facts.direction = DIRECTION_IN;
	facts.dmarc_fail = false;
	policy_merge(&settings, NULL, 0, &facts, &v);
	CHECK(v.policy == &policies[DEFAULT]);
	CHECK_INT(v.action, ACTION_REJECT);
}

/* What speaks for an indirect flow, in the cases below. */
enum { NOBODY, LIST, FORWARDER, RESCUE, SEAL, SIGNER };

static void
set_witness(struct policy_facts *facts, int witness)
{
	facts->list = witness == LIST;
	facts->forwarder = witness == FORWARDER;
	facts->rescue = witness == RESCUE ? "arc=pass" : NULL;
	facts->seal = witness == SEAL ? "arc: not now" : NULL;
	facts->signer = witness == SIGNER ? "dkim: known" : NULL;
}

static void
check_reason(const struct verdict *v, const char *reason, const char *comment)
{
	CHECK_STR(span_of(v->dmarc_reason), reason ? reason : "");
	CHECK_STR(span_of(v->dmarc_comment), comment ? comment : "");
}

#define SCORE DMARC_MODE_SCORE
#define TAG DMARC_MODE_TAG
#define REJECT DMARC_MODE_REJECT
#define P_NONE DMARC_POLICY_NONE
#define P_QUARANTINE DMARC_POLICY_QUARANTINE
#define P_REJECT DMARC_POLICY_REJECT

static const struct dmarc_case {
	const char *claim;
	enum dmarc_mode mode;
	enum dmarc_policy disposition;
	int witness;
	enum action want;
	const char *reason, *comment;
} dmarc_cases[] = {
    {"reject is obeyed where the site says so", REJECT, P_REJECT, NOBODY,
	ACTION_REJECT, NULL, NULL},
    {"a mailing list is spared", REJECT, P_REJECT, LIST, ACTION_TAG,
	"mailing_list", NULL},
    {"a forwarder is spared", REJECT, P_REJECT, FORWARDER, ACTION_TAG,
	"trusted_forwarder", NULL},
    {"a trusted seal makes up for the failure", REJECT, P_REJECT, RESCUE,
	ACTION_ACCEPT, "local_policy", "arc=pass"},
    {"in tag mode too", TAG, P_REJECT, RESCUE, ACTION_ACCEPT, "local_policy",
	"arc=pass"},
    {"and for quarantine", REJECT, P_QUARANTINE, RESCUE, ACTION_ACCEPT,
	"local_policy", "arc=pass"},
    {"a seal that cannot be checked now is no reason to refuse", REJECT,
	P_REJECT, SEAL, ACTION_TAG, "local_policy", "arc: not now"},
    {"a signer of good reputation is spared", REJECT, P_REJECT, SIGNER,
	ACTION_TAG, "local_policy", "dkim: known"},
    {"tag mode makes reject a tag", TAG, P_REJECT, NOBODY, ACTION_TAG,
	"local_policy", NULL},
    {"whatever else there is", TAG, P_REJECT, LIST, ACTION_TAG, "mailing_list",
	NULL},
    {"p=quarantine means tag", REJECT, P_QUARANTINE, NOBODY, ACTION_TAG, NULL,
	NULL},
    {"which is no less than it asks for", REJECT, P_QUARANTINE, LIST,
	ACTION_TAG, NULL, NULL},
    {"p=none means nothing", REJECT, P_NONE, NOBODY, ACTION_ACCEPT, NULL, NULL},
    {"score mode leaves it to the sum, and says so", SCORE, P_REJECT, NOBODY,
	ACTION_ACCEPT, "local_policy", NULL},
    {"of quarantine too", SCORE, P_QUARANTINE, NOBODY, ACTION_ACCEPT,
	"local_policy", NULL},
};

static void
test_dmarc(void)
{
	for (size_t i = 0; i < sizeof dmarc_cases / sizeof *dmarc_cases; i++) {
		const struct dmarc_case *c = &dmarc_cases[i];
		struct settings s = settings;
		struct policy_facts facts = facts_of(0);
		struct verdict v;
		TAP_CASE(c->claim)
		s.dmarc = c->mode;
		facts.dmarc_fail = true;
		facts.disposition = c->disposition;
		set_witness(&facts, c->witness);
		policy_decide(&s, &policies[DEFAULT], &facts, &v);
		CHECK_INT(v.action, c->want);
		CHECK(strcmp(v.by,
			  c->want == ACTION_ACCEPT ? "score" : "dmarc") == 0);
		check_reason(&v, c->reason, c->comment);
		CHECK_INT(v.tag_headers, c->want == ACTION_TAG);
		if (v.action == ACTION_REJECT)
			CHECK_INT(v.reply, REPLY_DMARC);
		facts.dmarc_fail = false;
		policy_decide(&s, &policies[DEFAULT], &facts, &v);
		CHECK_INT(v.action, ACTION_ACCEPT);
		check_reason(&v, NULL, NULL);
	}

	TAP_CASE("the score refuses what DMARC only tags")
	struct policy_facts facts = facts_of(16000);
	facts.dmarc_fail = true;
	facts.disposition = DMARC_POLICY_QUARANTINE;
	struct verdict v = decide(DEFAULT, &facts);
	CHECK_INT(v.action, ACTION_REJECT);
	CHECK(strcmp(v.by, "score") == 0);
	CHECK_INT(v.reply, REPLY_CONTENT);

	TAP_CASE("which does not change why DMARC did less")
	facts.disposition = DMARC_POLICY_REJECT;
	facts.list = true;
	v = decide(DEFAULT, &facts);
	CHECK(strcmp(v.by, "score") == 0);
	check_reason(&v, "mailing_list", NULL);
}

/* --- relays of ours ----------------------------------------------------------------- */

static struct policy_facts
relayed(int64_t score_milli)
{
	struct policy_facts facts = facts_of(score_milli);

	facts.direction = DIRECTION_RELAY;
	return facts;
}

static void
test_relay(void)
{
	static const size_t all[] = {DEFAULT, STRICT};
	const char *degraded[] = {"dns"};
	struct policy_facts facts = relayed(20000);
	struct verdict v = decide(DEFAULT, &facts);

	TAP_CASE("what a relay brings is tagged where it would be refused")
	CHECK_INT(v.action, ACTION_TAG);
	CHECK_INT(v.would, ACTION_REJECT);
	CHECK(v.tag_headers);
	TAP_CASE("by every recipient's policy")
	policy_merge(&settings, all, 2, &facts, &v);
	CHECK_INT(v.action, ACTION_TAG);
	CHECK_INT(v.would, ACTION_REJECT);
	CHECK(v.tag_headers);
	TAP_CASE("the sum tags as of mail that comes straight")
	facts = relayed(5000);
	v = decide(DEFAULT, &facts);
	CHECK_INT(v.action, ACTION_TAG);
	facts = relayed(4999);
	CHECK_INT(decide(DEFAULT, &facts).action, ACTION_ACCEPT);
	TAP_CASE("it may be held")
	facts = relayed(6000);
	CHECK_INT(decide(STRICT, &facts).action, ACTION_QUARANTINE);
	TAP_CASE("DMARC refuses none of it, and says why")
	facts = relayed(0);
	facts.dmarc_fail = true;
	facts.disposition = DMARC_POLICY_REJECT;
	v = decide(DEFAULT, &facts);
	CHECK_INT(v.action, ACTION_TAG);
	CHECK_INT(v.would, ACTION_REJECT);
	CHECK(strcmp(v.by, "dmarc") == 0);
	check_reason(&v, "local_policy", "relays of ours are never refused");
	TAP_CASE("a check that could not run does not defer it")
	facts = relayed(6000);
	facts.degraded = degraded;
	facts.n_degraded = 1;
	v = decide(DEFAULT, &facts);
	CHECK_INT(v.action, ACTION_TAG);
	CHECK_INT(v.would, ACTION_TEMPFAIL);
	CHECK(v.tag_headers);
	facts.score_milli = 0;
	v = decide(DEFAULT, &facts);
	CHECK_INT(v.action, ACTION_ACCEPT);
	CHECK_INT(v.would, ACTION_TEMPFAIL);
	CHECK(!v.tag_headers);
	TAP_CASE("observe does nothing to it")
	facts = relayed(20000);
	v = decide(WATCHING, &facts);
	CHECK_INT(v.action, ACTION_ACCEPT);
	CHECK_INT(v.would, ACTION_REJECT);
}

/* --- what is delivered and ought not to be ------------------------------------------ */

static void
test_marks(void)
{
	static const size_t both[] = {DEFAULT, WATCHING};
	struct policy_facts facts = facts_of(20000);
	struct verdict v = decide(DEFAULT, &facts);

	TAP_CASE("what is refused needs no mark, what is only observed does")
	CHECK(!v.tag_headers);
	CHECK(decide(WATCHING, &facts).tag_headers);
	TAP_CASE("what some would refuse and one observes is marked")
	policy_merge(&settings, both, 2, &facts, &v);
	CHECK_INT(v.action, ACTION_TAG);
	CHECK(v.tag_headers);
}

static struct verdict
decide_degraded(const char *name, int64_t score_milli, bool over)
{
	const char *degraded[] = {name};
	struct policy_facts facts = facts_of(score_milli);

	facts.degraded = degraded;
	facts.n_degraded = 1;
	facts.defer_over = over;
	return decide(DEFAULT, &facts);
}

static void
test_failures(void)
{
	struct verdict v;

	TAP_CASE("a failure without a rule is accepted")
	v = decide_degraded("time", 0, false);
	CHECK_INT(v.action, ACTION_ACCEPT);
	CHECK(v.failure == NULL);

	TAP_CASE("a failure defers where the site says so")
	v = decide_degraded("clamav", 0, false);
	CHECK_INT(v.action, ACTION_TEMPFAIL);
	CHECK_INT(v.reply, REPLY_FAILURE);
	CHECK(strcmp(v.by, "failure") == 0);
	CHECK(strcmp(v.failure, "clamav") == 0);

	TAP_CASE("DNS and overload have replies of their own")
	CHECK_INT(decide_degraded("dns", 0, false).reply, REPLY_DNS);
	CHECK_INT(decide_degraded("memory", 0, false).reply, REPLY_OVERLOAD);

	TAP_CASE("what is refused anyway is not deferred")
	CHECK_INT(decide_degraded("dns", 15000, false).action, ACTION_REJECT);

	TAP_CASE("what would be tagged is deferred")
	CHECK_INT(decide_degraded("dns", 6000, false).action, ACTION_TEMPFAIL);

	TAP_CASE("past defer_max it is let through, with what is known")
	CHECK_INT(decide_degraded("dns", 0, true).action, ACTION_ACCEPT);
	CHECK_INT(decide_degraded("dns", 6000, true).action, ACTION_TAG);

	TAP_CASE("a rule for a kind holds for its members, one by name first")
	CHECK_INT(decide_degraded("dnsbl:other", 0, false).action, ACTION_TAG);
	CHECK_INT(decide_degraded("dnsbl:zen", 0, false).action, ACTION_ACCEPT);
	CHECK_INT(decide_degraded("dnsblx", 0, false).action, ACTION_ACCEPT);
}

static void
test_merge(void)
{
	static const struct {
		const char *claim;
		int64_t score_milli;
		size_t n, policies[3];
		enum action action, would;
	} cases[] = {
	    {"refused when all refuse", 20000, 2, {DEFAULT, STRICT},
		ACTION_REJECT, ACTION_REJECT},
	    {"one who would take it saves all, tagged", 9000, 2,
		{STRICT, DEFAULT}, ACTION_TAG, ACTION_TAG},
	    {"the order of recipients does not matter", 9000, 2,
		{DEFAULT, STRICT}, ACTION_TAG, ACTION_TAG},
	    {"tagged when any tags", 3000, 2, {DEFAULT, STRICT}, ACTION_TAG,
		ACTION_TAG},
	    {"held only when all would hold or refuse", 7000, 2,
		{DEFAULT, STRICT}, ACTION_TAG, ACTION_TAG},
	    {"reject and hold give hold", 16000, 2, {DEFAULT, HOLDING},
		ACTION_QUARANTINE, ACTION_QUARANTINE},
	    {"an observer's vote is delivery", 20000, 2, {DEFAULT, WATCHING},
		ACTION_TAG, ACTION_REJECT},
	    {"three policies, the middle one mild", 9000, 3,
		{STRICT, DEFAULT, STRICT}, ACTION_TAG, ACTION_TAG},
	    {"observers alone change nothing", 20000, 1, {WATCHING},
		ACTION_ACCEPT, ACTION_REJECT},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct policy_facts facts = facts_of(cases[i].score_milli);
		struct verdict v;
		TAP_CASE(cases[i].claim)
		policy_merge(
		    &settings, cases[i].policies, cases[i].n, &facts, &v);
		CHECK_INT(v.action, cases[i].action);
		CHECK_INT(v.would, cases[i].would);
		CHECK(v.policy != NULL);
	}
}

int
main(void)
{
	test_score();
	test_outgoing();
	test_dmarc();
	test_relay();
	test_marks();
	test_failures();
	test_merge();
	return tap_done();
}
