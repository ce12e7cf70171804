#include "filter/auth/dmarc.h"

#include "filter/auth/dmarc_internal.h"
#include "filter/mail/domain.h"

/*
 * DMARC (RFC 9989): the record that applies to a From domain, whether what SPF
 * and DKIM have authenticated is aligned with it, and what its owner asks for
 * when nothing is. Each From domain is judged by itself; the worst outcome is
 * the message's. An answer of DNS that did not come makes a temperror where it
 * could have changed the outcome, never a pass and never a fail.
 */

struct judge {
	const struct dmarc_request *request;
	struct dns_batch *dns;
	struct arena *arena;
	struct dmarc_walk walk;           /* of the From domain */
	const struct dmarc_step *applied; /* whose record applies */
	struct dmarc_facts facts;         /* of the From domain */
	bool unsure; /* something that might align was not decided */
};

const char *
dmarc_result_name(enum dmarc_result result)
{
	static const char *const names[] = {
	    [DMARC_NONE] = "none",
	    [DMARC_PASS] = "pass",
	    [DMARC_FAIL] = "fail",
	    [DMARC_TEMPERROR] = "temperror",
	    [DMARC_PERMERROR] = "permerror",
	};

	return names[result];
}

const char *
dmarc_policy_name(enum dmarc_policy policy)
{
	static const char *const names[] = {
	    [DMARC_POLICY_NONE] = "none",
	    [DMARC_POLICY_QUARANTINE] = "quarantine",
	    [DMARC_POLICY_REJECT] = "reject",
	    [DMARC_POLICY_UNKNOWN] = "unknown",
	};

	return names[policy];
}

static void
conclude(
    struct dmarc_facts *facts, enum dmarc_result result, const char *problem)
{
	facts->result = result;
	facts->problem = span_of(problem);
	facts->disposition =
	    result == DMARC_PASS ? DMARC_POLICY_NONE : DMARC_POLICY_UNKNOWN;
}

/* --- alignment (section 4.10.2) ---------------------------------------------------- */

enum aligned { ALIGNED_NO, ALIGNED_YES, ALIGNED_UNSURE };

/*
 * Relaxed: the same organisational domain. Such a domain is the name itself or
 * above it, so a name that is not below the author's needs no walk: who signs
 * with many domains cannot make us ask for all of them. `name` is normal.
 */
static enum aligned
aligned_relaxed(struct judge *j, struct span name)
{
	struct span author = j->facts.from_domain;
	struct dmarc_walk walk;

	/* Whose organisation the author is of is not known: no two top-level
	 * domains are of one. */
	if (j->walk.broken)
		return domain_is_below(name, domain_suffix(author, 1))
			   ? ALIGNED_UNSURE
			   : ALIGNED_NO;
	if (!domain_is_below(name, j->walk.org))
		return ALIGNED_NO;
	dmarc_walk(&walk, name, j->dns, j->arena);
	if (walk.broken)
		return ALIGNED_UNSURE;
	return span_eq(walk.org, j->walk.org) ? ALIGNED_YES : ALIGNED_NO;
}

/*
 * Whether one of the domains is aligned, and which: one that is the author's
 * own is found before DNS is asked about others.
 */
static enum aligned
any_aligned(struct judge *j, const struct span *domains, size_t n, bool strict,
    struct span *ret)
{
	enum aligned best = ALIGNED_NO;
	struct span name;

	for (size_t i = 0; i < n; i++) {
		if (domain_normalise(domains[i], j->arena, &name) == 0 &&
		    span_eq(name, j->facts.from_domain)) {
			*ret = name;
			return ALIGNED_YES;
		}
	}
	for (size_t i = 0; !strict && i < n; i++) {
		if (domain_normalise(domains[i], j->arena, &name))
			continue;
		enum aligned is = aligned_relaxed(j, name);
		if (is == ALIGNED_YES) {
			*ret = name;
			return is;
		}
		if (is == ALIGNED_UNSURE)
			best = is;
	}
	return best;
}

static void
align(struct judge *j, const struct dmarc_record *record)
{
	const struct dmarc_request *r = j->request;
	struct dmarc_facts *facts = &j->facts;
	struct span by_dkim, by_spf;
	enum aligned dkim = any_aligned(
	    j, r->dkim_domains, r->n_dkim, record->adkim_strict, &by_dkim);
	enum aligned spf = any_aligned(
	    j, r->spf_domains, r->n_spf, record->aspf_strict, &by_spf);

	j->unsure = dkim == ALIGNED_UNSURE || spf == ALIGNED_UNSURE;
	facts->dkim_aligned = dkim == ALIGNED_YES;
	facts->spf_aligned = spf == ALIGNED_YES;
	if (facts->dkim_aligned)
		facts->aligned_domain = by_dkim;
	else if (facts->spf_aligned)
		facts->aligned_domain = by_spf;
}

/* Something not decided now could make it pass later. */
static bool
might_align(struct judge *j, const struct dmarc_record *record)
{
	const struct dmarc_request *r = j->request;
	struct span which;

	return j->unsure || r->spf_temperror || r->dkim_temperror ||
	       any_aligned(j, r->unsure_dkim, r->n_unsure_dkim,
		   record->adkim_strict, &which) != ALIGNED_NO ||
	       any_aligned(j, r->unsure_spf, r->n_unsure_spf,
		   record->aspf_strict, &which) != ALIGNED_NO;
}

/* --- the policy that applies (section 4.10.1) ---------------------------------------- */

/* Whether the From domain exists: NXDOMAIN and nothing else says no (appendix
 * A.4). False when the answer did not come. */
static bool
author_exists(struct judge *j, bool *ret)
{
	const struct dns_answer *answer =
	    dns_get(j->dns, j->facts.from_domain, DNS_A);

	*ret = answer->status != DNS_NXDOMAIN;
	return answer->status != DNS_TIMEOUT && answer->status != DNS_SERVFAIL;
}

/* UNKNOWN when it hangs on an answer that did not come. */
static enum dmarc_policy
published_policy(struct judge *j)
{
	const struct dmarc_record *record = &j->applied->form->record;
	bool exists = true;

	if (j->applied == j->walk.steps)
		return record->p;
	if (record->np != record->sp && !author_exists(j, &exists))
		return DMARC_POLICY_UNKNOWN;
	return exists ? record->sp : record->np;
}

/* t=y: one step less than asked for. */
static enum dmarc_policy
tested(enum dmarc_policy policy, bool testing)
{
	if (!testing)
		return policy;
	return policy == DMARC_POLICY_REJECT ? DMARC_POLICY_QUARANTINE
					     : DMARC_POLICY_NONE;
}

/*
 * The author's own record, else that of its organisation, else that of the
 * public suffix. NULL: none.
 */
static const struct dmarc_step *
applied_step(const struct dmarc_walk *walk)
{
	if (walk->n && walk->steps[0].form)
		return &walk->steps[0];
	return walk->org_step ? walk->org_step : walk->psd_step;
}

/* --- one From domain ------------------------------------------------------------------- */

static void
apply(struct judge *j)
{
	const struct dmarc_record *record = &j->applied->form->record;
	struct dmarc_facts *facts = &j->facts;

	align(j, record);
	facts->published = published_policy(j);
	if (facts->dkim_aligned || facts->spf_aligned) {
		conclude(facts, DMARC_PASS, NULL);
	} else if (might_align(j, record)) {
		conclude(
		    facts, DMARC_TEMPERROR, "what could align is not decided");
	} else if (facts->published == DMARC_POLICY_UNKNOWN) {
		conclude(facts, DMARC_TEMPERROR,
		    "whether the From domain exists is not known");
	} else {
		conclude(facts, DMARC_FAIL, "nothing is aligned");
		facts->disposition = tested(facts->published, record->testing);
	}
}

static void
judge_domain(struct judge *j, struct span domain)
{
	struct dmarc_facts *facts = &j->facts;

	*facts = (struct dmarc_facts){
	    .disposition = DMARC_POLICY_UNKNOWN,
	    .published = DMARC_POLICY_UNKNOWN,
	    .from_domain = SPAN(""),
	};
	if (dmarc_author_domain(domain, j->arena, &facts->from_domain)) {
		conclude(
		    facts, DMARC_PERMERROR, "the From domain is not valid");
		return;
	}
	dmarc_walk(&j->walk, facts->from_domain, j->dns, j->arena);
	facts->org_domain = j->walk.org;
	j->applied = applied_step(&j->walk);
	if (!j->applied && j->walk.broken) {
		conclude(facts, DMARC_TEMPERROR,
		    "the DMARC record cannot be looked up");
		return;
	}
	if (!j->applied) {
		conclude(facts, DMARC_NONE, NULL);
		return;
	}
	facts->record_domain = j->applied->domain;
	facts->record = j->applied->form->record;
	if (!j->applied->form->usable)
		conclude(facts, DMARC_NONE, "the record has no valid policy");
	else
		apply(j);
}

/* --- all of them --------------------------------------------------------------------------- */

/* How bad an outcome is: what one From domain must not hide of another. */
static int
severity(const struct dmarc_facts *facts)
{
	static const int of[] = {
	    [DMARC_PASS] = 0,
	    [DMARC_NONE] = 1,
	    [DMARC_PERMERROR] = 2,
	    [DMARC_TEMPERROR] = 3,
	    [DMARC_FAIL] = 4,
	};
	int policy = facts->result == DMARC_FAIL ? (int)facts->disposition : 0;

	return of[facts->result] + policy;
}

static void
take_worse(
    struct judge *j, struct span domain, bool first, struct dmarc_facts *ret)
{
	judge_domain(j, domain);
	if (first || severity(&j->facts) > severity(ret))
		*ret = j->facts;
}

/* Different domains, at most DMARC_DOMAINS_MAX; false when there are more. */
static bool
from_domains(const struct addr_list *from, struct span *domains, size_t *ret_n)
{
	size_t n = 0;

	for (size_t i = 0; i < from->items.n; i++) {
		struct span domain = from->items.v[i].domain;
		size_t k = 0;
		while (k < n && !span_caseeq(domains[k], domain))
			k++;
		if (k < n)
			continue;
		if (n == DMARC_DOMAINS_MAX) {
			*ret_n = n;
			return false;
		}
		domains[n++] = domain;
	}
	*ret_n = n;
	return !from->truncated;
}

/* Why a pass, or that nobody asks for anything, would not be of the From that
 * people are shown, or NULL. A message with such a From is outside of DMARC
 * (section 4.4). */
static const char *
from_problem(const struct dmarc_request *request, bool complete)
{
	if (request->from_fields > 1)
		return "several From fields";
	if (request->from_lookalike)
		return "a field looks like a second From";
	if (request->from->ambiguous)
		return "From can be read in several ways";
	return complete ? NULL : "too many domains in From";
}

void
dmarc_check(const struct dmarc_request *request, struct dns_batch *dns,
    struct arena *arena, struct dmarc_facts *ret)
{
	struct judge j = {.request = request, .dns = dns, .arena = arena};
	struct span domains[DMARC_DOMAINS_MAX] = {request->from_domain};
	bool complete = true;
	size_t n = 1;

	if (!request->from_domain.p)
		complete = from_domains(request->from, domains, &n);
	*ret = (struct dmarc_facts){.from_domain = SPAN(""),
	    .disposition = DMARC_POLICY_UNKNOWN,
	    .published = DMARC_POLICY_UNKNOWN};
	if (n == 0) {
		conclude(ret, DMARC_PERMERROR, "From has no domain");
		return;
	}
	for (size_t i = 0; i < n; i++)
		take_worse(&j, domains[i], i == 0, ret);
	if (request->from_domain.p ||
	    (ret->result != DMARC_PASS && ret->result != DMARC_NONE))
		return;
	const char *problem = from_problem(request, complete);
	if (problem)
		conclude(ret, DMARC_PERMERROR, problem);
}
