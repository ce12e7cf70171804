#include "filter/report.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "filter/mail/domain.h"

/*
 * From a scan and its verdict to a row of an aggregate report. The session
 * reads nothing: it writes the row's description over and over, with the time
 * in it, and adds one to its count; equal rows have equal names.
 *
 * Whether a row is new is asked of a table of hashes in memory. It forgets
 * where two share a slot, so rows are counted rather too high than too low.
 */

#define DAY_S 86400
#define SEEN_SLOTS 65536 /* powers of two */
#define DOMAIN_SLOTS 4096

struct report_gather {
	_Atomic int64_t day; /* that the rest speaks of */
	_Atomic unsigned fresh;
	_Atomic uint64_t left_out;
	_Atomic uint32_t seen[SEEN_SLOTS];
	_Atomic uint16_t domains[DOMAIN_SLOTS];
};

_Static_assert(REPORT_FRESH_DOMAIN_MAX < UINT16_MAX, "the counters' type");

struct report_gather *
report_gather_new(void)
{
	return calloc(1, sizeof(struct report_gather));
}

void
report_gather_free(struct report_gather *gather)
{
	free(gather);
}

uint64_t
report_gather_left_out(const struct report_gather *gather)
{
	return atomic_load(&gather->left_out);
}

/* --- what was done -------------------------------------------------------------- */

/*
 * What was done with the message, up to what the policy asks for: that it fared
 * worse for its content is no business of the domain's owner.
 */
static enum dmarc_policy
applied(const struct dmarc_facts *dmarc, enum action action)
{
	enum dmarc_policy done = DMARC_POLICY_NONE;

	if (action == ACTION_REJECT)
		done = DMARC_POLICY_REJECT;
	else if (action == ACTION_QUARANTINE || action == ACTION_TAG)
		done = DMARC_POLICY_QUARANTINE;
	return done < dmarc->disposition ? done : dmarc->disposition;
}

static void
add_reason(struct report_row *row, struct arena *arena, const char *type,
    const char *comment)
{
	struct report_reason *reason = VEC_PUSH(arena, &row->reasons);

	if (reason)
		*reason =
		    (struct report_reason){span_of(type), span_of(comment)};
}

/* RFC 9990: where the policy applied is not the one published, say why. */
static void
set_disposition(struct report_row *row, const struct dmarc_facts *dmarc,
    const struct verdict *verdict, struct arena *arena)
{
	if (dmarc->result == DMARC_PASS) {
		bool enforcing = dmarc->published == DMARC_POLICY_QUARANTINE ||
				 dmarc->published == DMARC_POLICY_REJECT;
		row->disposition = enforcing ? SPAN("pass") : SPAN("none");
		return;
	}
	enum dmarc_policy done = applied(dmarc, verdict->action);
	row->disposition = span_of(dmarc_policy_name(done));
	if (dmarc->record.testing && dmarc->published > dmarc->disposition)
		add_reason(row, arena, "policy_test_mode", NULL);
	if (done == dmarc->disposition)
		return;
	bool observed = verdict->action != verdict->would;
	if (verdict->dmarc_reason)
		add_reason(
		    row, arena, verdict->dmarc_reason, verdict->dmarc_comment);
	else
		add_reason(row, arena, "local_policy",
		    observed ? "observed only, not applied" : NULL);
}

/* --- who sent it ------------------------------------------------------------------ */

static struct span
envelope_domain(const struct envelope *envelope, struct arena *arena)
{
	struct span from = envelope->mail_from, domain;
	size_t at = span_rfind_char(from, '@');

	if (!envelope->mail_from_known)
		return SPAN_NONE;
	if (from.len == 0)
		return SPAN("");
	if (at == SPAN_NPOS ||
	    domain_normalise(span_skip(from, at + 1), arena, &domain))
		return SPAN_NONE;
	return domain;
}

static void
add_spf(struct report_row *row, struct scan *scan)
{
	const struct spf_facts *facts = scan_spf(scan);
	const struct spf_answer *spf = &facts->mail;

	if (facts->state == FACT_OFF || spf->domain.len == 0)
		return;
	struct report_spf *to = VEC_PUSH(scan->arena, &row->spf_results);
	if (to)
		*to = (struct report_spf){
		    .domain = spf->domain,
		    .result = span_of(spf_result_name(spf->result)),
		    .human = spf->problem,
		};
}

/* In which order signatures are wanted (RFC 9990, "DKIM Signatures in
 * Aggregate Reports"). */
static unsigned
rank(const struct dkim_signature *s, const struct dmarc_facts *dmarc)
{
	if (s->result != DKIM_PASS)
		return 3;
	if (span_caseeq(s->domain, dmarc->from_domain))
		return 0;
	return dmarc->org_domain.len &&
		       domain_is_below(s->domain, dmarc->org_domain)
		   ? 1
		   : 2;
}

static void
add_dkim(
    struct report_row *row, struct scan *scan, const struct dmarc_facts *dmarc)
{
	const struct scan_dkim_facts *facts = scan_dkim(scan);

	for (unsigned wanted = 0; facts->dkim && wanted < 4; wanted++) {
		for (size_t i = 0; i < facts->dkim->n; i++) {
			const struct dkim_signature *s =
			    &facts->dkim->signatures[i];
			if (!s->domain.p || rank(s, dmarc) != wanted)
				continue;
			struct report_dkim *to =
			    VEC_PUSH(scan->arena, &row->dkim_results);
			if (!to)
				return;
			*to = (struct report_dkim){
			    .domain = s->domain,
			    .selector = s->selector.p ? s->selector : SPAN(""),
			    .result = span_of(dkim_result_name(s->result)),
			    .human = s->problem,
			};
		}
	}
}

/* --- the row --------------------------------------------------------------------- */

/* The value of fo=, or its default where it has anything else in it. */
static struct span
fo_of(const struct dmarc_record *record)
{
	for (size_t i = 0; i < record->fo.len; i++)
		if (span_find_char(SPAN("01ds:"), record->fo.p[i]) == SPAN_NPOS)
			return SPAN("0");
	return record->fo.len && record->fo.len < 8 ? record->fo : SPAN("0");
}

static void
set_policy(struct report *policy, const struct dmarc_facts *dmarc)
{
	const struct dmarc_record *record = &dmarc->record;

	policy->domain = dmarc->record_domain;
	policy->p = span_of(dmarc_policy_name(record->p));
	policy->sp = span_of(dmarc_policy_name(record->sp));
	policy->np = span_of(dmarc_policy_name(record->np));
	policy->adkim = record->adkim_strict ? SPAN("s") : SPAN("r");
	policy->aspf = record->aspf_strict ? SPAN("s") : SPAN("r");
	policy->fo = fo_of(record);
	policy->testing = record->testing ? SPAN("y") : SPAN("n");
}

bool
report_is_excluded(const struct report_settings *settings, struct span domain)
{
	for (size_t i = 0; i < settings->n_exclude; i++)
		if (domain_is_below(domain, settings->exclude[i]))
			return true;
	return false;
}

static bool
wants_report(const struct settings *settings, struct scan *scan,
    const struct verdict *verdict)
{
	if (!settings->report.dmarc || scan->direction == DIRECTION_OUT ||
	    verdict->action == ACTION_TEMPFAIL || !scan->client.ip.family)
		return false;
	const struct scan_dmarc_facts *facts = scan_dmarc(scan);
	const struct dmarc_facts *dmarc = &facts->dmarc;
	return facts->state == FACT_DONE &&
	       (dmarc->result == DMARC_PASS || dmarc->result == DMARC_FAIL) &&
	       dmarc->record.rua.len &&
	       report_domain_valid(dmarc->record_domain) &&
	       !report_is_excluded(&settings->report, dmarc->record_domain);
}

static struct span
passed(bool pass)
{
	return pass ? SPAN("pass") : SPAN("fail");
}

bool
report_entry_of(struct report_entry *ret, const struct settings *settings,
    struct scan *scan, const struct verdict *verdict)
{
	struct arena *arena = scan->arena;
	char ip[IP_TEXT_SIZE];

	if (!wants_report(settings, scan, verdict))
		return false;
	const struct dmarc_facts *dmarc = &scan_dmarc(scan)->dmarc;
	*ret = (struct report_entry){.seen = scan->now};
	set_policy(&ret->policy, dmarc);
	ip_format(&scan->client.ip, ip);
	ret->row.source_ip = arena_span(arena, span_of(ip));
	ret->row.dkim = passed(dmarc->dkim_aligned);
	ret->row.spf = passed(dmarc->spf_aligned);
	ret->row.header_from = dmarc->from_domain;
	ret->row.envelope_from = envelope_domain(scan->envelope, arena);
	set_disposition(&ret->row, dmarc, verdict, arena);
	add_spf(&ret->row, scan);
	add_dkim(&ret->row, scan, dmarc);
	return !arena_failed(arena);
}

/* --- limits ------------------------------------------------------------------------ */

/*
 * A new day: all is forgotten. A message that is judged just then may be
 * counted to either; one of the day before, begun before midnight, turns
 * nothing back, or a sender could open the limits anew with each. Further back
 * is a clock that was set.
 */
static void
turn_day(struct report_gather *g, int64_t day)
{
	int64_t before = atomic_load(&g->day);

	if (before == day || before == day + 1 ||
	    !atomic_compare_exchange_strong(&g->day, &before, day))
		return;
	atomic_store(&g->fresh, 0);
	for (size_t i = 0; i < SEEN_SLOTS; i++)
		atomic_store_explicit(&g->seen[i], 0, memory_order_relaxed);
	for (size_t i = 0; i < DOMAIN_SLOTS; i++)
		atomic_store_explicit(&g->domains[i], 0, memory_order_relaxed);
}

bool
report_gather_room(
    struct report_gather *g, int64_t day, struct span name, struct span domain)
{
	uint64_t hash = span_hash(name);
	uint32_t mark = (uint32_t)(hash >> 32) | 1;
	_Atomic uint32_t *slot = &g->seen[hash & (SEEN_SLOTS - 1)];
	_Atomic uint16_t *count =
	    &g->domains[span_hash(domain) & (DOMAIN_SLOTS - 1)];

	turn_day(g, day);
	if (atomic_load_explicit(slot, memory_order_relaxed) == mark)
		return true;
	if (atomic_load(&g->fresh) >= REPORT_FRESH_MAX ||
	    atomic_load(count) >= REPORT_FRESH_DOMAIN_MAX) {
		atomic_fetch_add(&g->left_out, 1);
		return false;
	}
	atomic_fetch_add(&g->fresh, 1);
	atomic_fetch_add(count, 1);
	atomic_store_explicit(slot, mark, memory_order_relaxed);
	return true;
}

void
report_note(struct report_gather *gather, const struct settings *settings,
    struct scan *scan, const struct verdict *verdict)
{
	char name[REPORT_ENTRY_NAME_MAX], value[REPORT_ENTRY_MAX];
	struct report_entry entry;
	size_t name_len, value_len;

	if (!scan->store || !report_entry_of(&entry, settings, scan, verdict))
		return;
	int64_t day = scan->now / DAY_S;
	report_entry_write(&entry, day, name, &name_len, value, &value_len);
	struct span key = span_make(name, name_len);
	/* Not the policy's domain: whoever has a domain has its subdomains, with
	 * as many records as he likes. */
	struct span org = scan_dmarc(scan)->dmarc.org_domain;
	if (!report_gather_room(
		gather, day, key, org.len ? org : entry.policy.domain))
		return;
	int64_t expires = (day + 1 + REPORT_KEEP_DAYS) * DAY_S;
	struct store_op ops[] = {
	    {
		.verb = STORE_PUT,
		.key = {STORE_REPORT, key},
		.value = span_make(value, value_len),
		.expires = expires,
	    },
	    {
		.verb = STORE_ADD,
		.key = {STORE_REPORTED, key},
		.add = {{1, 0}},
		.expires = expires,
	    },
	};
	store_later(scan->store, ops, sizeof ops / sizeof *ops);
}
