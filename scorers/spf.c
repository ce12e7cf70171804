#include "scorers/scorer.h"

/* SPF results as symbols. Names that SpamAssassin has keep its meaning:
 * SPF_x speaks of MAIL FROM, SPF_HELO_x of HELO where MAIL FROM is empty. */

static int64_t
result_is(struct scan *scan, enum spf_result result, bool helo)
{
	const struct spf_facts *spf = scan_spf(scan);

	if ((spf->state != FACT_DONE && spf->state != FACT_LATER) ||
	    spf->of_helo != helo || spf->mail.result != result)
		return 0;
	scan_evidence(scan, "%.*s %.*s", SPAN_ARG(spf->mail.domain),
	    SPAN_ARG(spf->mail.mechanism.len ? spf->mail.mechanism
					     : spf->mail.problem));
	return 1;
}

#define RESULT(name, result, helo)                                             \
	static int64_t name(                                                   \
	    const void *state, struct scan *scan, const struct args *args)     \
	{                                                                      \
		(void)state;                                                   \
		(void)args;                                                    \
		return result_is(scan, result, helo);                          \
	}

RESULT(spf_pass, SPF_PASS, false)
RESULT(spf_fail, SPF_FAIL, false)
RESULT(spf_softfail, SPF_SOFTFAIL, false)
RESULT(spf_neutral, SPF_NEUTRAL, false)
RESULT(spf_none, SPF_NONE, false)
RESULT(spf_permerror, SPF_PERMERROR, false)
RESULT(spf_temperror, SPF_TEMPERROR, false)
RESULT(helo_pass, SPF_PASS, true)
RESULT(helo_fail, SPF_FAIL, true)
RESULT(helo_softfail, SPF_SOFTFAIL, true)

static const struct symbol_def symbols[] = {
    {"SPF_PASS", "The sender's domain allows this client", -1, spf_pass,
	RULE_NETWORK},
    {"SPF_FAIL", "The sender's domain forbids this client", 3000, spf_fail,
	RULE_NETWORK},
    {"SPF_SOFTFAIL", "The sender's domain says: probably not this client", 1000,
	spf_softfail, RULE_NETWORK},
    {"SPF_NEUTRAL", "The sender's domain says nothing of this client", 1,
	spf_neutral, RULE_NETWORK},
    {"SPF_NONE", "The sender's domain publishes no SPF record", 1, spf_none,
	RULE_NETWORK},
    {"SPF_PERMERROR", "The sender's SPF record is in error", 500, spf_permerror,
	RULE_NETWORK},
    {"SPF_TEMPERROR", "The sender's SPF record could not be had now", 1,
	spf_temperror, RULE_NETWORK},
    {"SPF_HELO_PASS", "A bounce: the HELO name allows this client", -1,
	helo_pass, RULE_NETWORK},
    {"SPF_HELO_FAIL", "A bounce: the HELO name forbids this client", 2000,
	helo_fail, RULE_NETWORK},
    {"SPF_HELO_SOFTFAIL", "A bounce: the HELO name says: probably not", 500,
	helo_softfail, RULE_NETWORK},
    {0},
};

const struct scorer scorer_spf = {
    .name = "spf",
    .help = "SPF results (RFC 7208)",
    .symbols = symbols,
};
