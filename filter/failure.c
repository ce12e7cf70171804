#include "filter/failure.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "filter/auth/report_row.h"
#include "filter/mail/authres.h"
#include "filter/mail/domain.h"
#include "filter/mail/fieldtext.h"

/*
 * A failure report tells the owner of a domain about one message of, it may
 * be, somebody else, to somebody else. So what is in it is chosen field by field
 * (nothing is taken over whole), no local part is shown, and recipients, text,
 * subject, and the way through our machines are not in it at all.
 *
 * Messages that fail alike (failure_name) are one entry: the last one stands
 * for them, a count beside it says how many there were.
 */

#define FIELD_MAX 1024
#define AUTHORS_MAX 3
#define SIGNATURES_MAX 5
#define SPF_RECORD_MAX 450
#define HOUR_S 3600
#define DOMAIN_SLOTS 1024 /* a power of two */

struct failure_gate {
	_Atomic int64_t hour; /* that the rest speaks of */
	_Atomic unsigned noted;
	_Atomic uint16_t domains[DOMAIN_SLOTS];
};

struct failure_gate *
failure_gate_new(void)
{
	return calloc(1, sizeof(struct failure_gate));
}

void
failure_gate_free(struct failure_gate *gate)
{
	free(gate);
}

/* --- whether to tell -------------------------------------------------------------- */

static bool
fo_is_valid(struct span fo)
{
	bool good = fo.len > 0;

	while (fo.p) {
		struct span word = span_trim(span_cut(&fo, ':'));
		good = good && word.len == 1 &&
		       span_find_char(SPAN("01ds"), word.p[0]) != SPAN_NPOS;
	}
	return good;
}

static bool
has_failed_signature(struct scan *scan)
{
	const struct dkim_facts *dkim = scan_dkim(scan)->dkim;

	for (size_t i = 0; dkim && i < dkim->n; i++)
		if (dkim->signatures[i].result == DKIM_FAIL)
			return true;
	return false;
}

/* The tag fo (RFC 9989 section 4.7) of a message that failed: 0 and 1 mean it
 * in any case. */
static bool
asks(const struct dmarc_record *record, struct scan *scan)
{
	struct span fo = record->fo;
	enum spf_result spf = scan_spf(scan)->mail.result;

	if (!fo_is_valid(fo) || span_find_char(fo, '0') != SPAN_NPOS ||
	    span_find_char(fo, '1') != SPAN_NPOS)
		return true;
	if (span_find_char(fo, 'd') != SPAN_NPOS && has_failed_signature(scan))
		return true;
	return span_find_char(fo, 's') != SPAN_NPOS &&
	       (spf == SPF_FAIL || spf == SPF_SOFTFAIL);
}

static bool
is_to(const struct envelope *envelope, struct span address)
{
	for (size_t i = 0; address.len && i < envelope->rcpts.n; i++)
		if (span_caseeq(envelope->rcpts.v[i], address))
			return true;
	return false;
}

/* Reports about reports would go round for ever. */
static bool
is_report(const struct report_settings *settings, struct scan *scan)
{
	const struct envelope *envelope = scan->envelope;
	const struct mime_tree *tree = message_tree(scan->message);

	return !envelope->mail_from_known || !envelope->mail_from.len ||
	       !tree->root ||
	       span_is(tree->root->ctype.type, "multipart/report") ||
	       span_is(tree->root->ctype.declared, "multipart/report") ||
	       is_to(envelope, settings->from) ||
	       is_to(envelope, settings->bounces);
}

static bool
is_excluded(const struct report_settings *settings, struct span domain)
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
	const struct report_settings *report = &settings->report;

	if (!report->failures || scan->direction == DIRECTION_OUT ||
	    verdict->action == ACTION_TEMPFAIL || !scan->client.ip.family)
		return false;
	const struct scan_dmarc_facts *facts = scan_dmarc(scan);
	const struct dmarc_facts *dmarc = &facts->dmarc;
	/* RFC 9991 section 2: not for a public suffix. */
	return facts->state == FACT_DONE && dmarc->result == DMARC_FAIL &&
	       dmarc->record.ruf.len && dmarc->record.psd != 'y' &&
	       report_domain_valid(dmarc->record_domain) &&
	       report_domain_valid(dmarc->from_domain) &&
	       !is_excluded(report, dmarc->record_domain) &&
	       !is_report(report, scan) && asks(&dmarc->record, scan);
}

/* --- texts ------------------------------------------------------------------------ */

struct making {
	struct scan *scan;
	const struct settings *settings;
	const struct ref_key *key;
	const struct dmarc_facts *dmarc;
	struct buf feedback, headers;
};

static void
add_field(struct buf *to, const char *name, struct span value)
{
	if (!value.len)
		return;
	buf_printf(to, "%s: ", name);
	buf_add_span(to, value);
	buf_add_char(to, '\n');
}

/* Text of strangers in one field. */
static void
add_text(struct making *m, struct buf *to, const char *name, struct span text)
{
	struct fieldtext ft;

	fieldtext_init(&ft, m->scan->arena, name, FIELD_MAX);
	fieldtext_text(&ft, span_head(text, FIELD_MAX / 2));
	add_field(to, name, buf_span(&ft.out));
}

/* local@domain with the local part redacted; empty for what is no address. */
static struct span
redacted(struct making *m, struct span local, struct span domain)
{
	struct arena *arena = m->scan->arena;
	char digits[REPORT_REDACTED_SIZE];
	struct span name;

	if (!domain.len || domain_normalise(domain, arena, &name) ||
	    !report_domain_valid(name))
		return SPAN("");
	if (!local.len)
		return arena_printf(arena, "@%.*s", SPAN_ARG(name));
	report_redact(
	    span_make((const char *)m->key->bytes, sizeof m->key->bytes), local,
	    name, digits);
	return arena_printf(arena, "%s@%.*s", digits, SPAN_ARG(name));
}

static struct span
redacted_address(struct making *m, struct span address)
{
	size_t at = span_rfind_char(address, '@');

	if (at == SPAN_NPOS)
		return SPAN("");
	return redacted(m, span_head(address, at), span_skip(address, at + 1));
}

/* --- the report's fields ---------------------------------------------------------- */

static void
add_authres(struct making *m)
{
	const struct spf_facts *spf = scan_spf(m->scan);
	const struct dkim_facts *dkim = scan_dkim(m->scan)->dkim;
	struct authres ar;

	authres_begin(&ar, m->scan->arena, m->settings->authserv_id);
	authres_result(
	    &ar, "spf", spf_result_name(spf->mail.result), spf->mail.problem);
	if (spf->of_helo)
		authres_prop(&ar, "smtp.helo", spf->mail.domain);
	else
		authres_prop(&ar, "smtp.mailfrom",
		    redacted_address(m, m->scan->envelope->mail_from));
	for (size_t i = 0; dkim && i < dkim->n && i < SIGNATURES_MAX; i++) {
		const struct dkim_signature *s = &dkim->signatures[i];
		authres_result(
		    &ar, "dkim", dkim_result_name(s->result), s->problem);
		authres_prop(&ar, "header.d", s->domain);
		authres_prop(&ar, "header.s", s->selector);
		authres_prop(&ar, "header.a", s->algorithm);
	}
	if (!dkim || dkim->n == 0)
		authres_result(&ar, "dkim", "none", SPAN_NONE);
	authres_result(&ar, "dmarc", dmarc_result_name(m->dmarc->result),
	    arena_printf(m->scan->arena, "p=%s",
		dmarc_policy_name(m->dmarc->published)));
	authres_prop(&ar, "header.from", m->dmarc->from_domain);
	add_field(&m->feedback, "Authentication-Results", authres_end(&ar));
}

/* Of the author's organisation: what should have been aligned. */
static bool
is_theirs(const struct making *m, struct span domain)
{
	struct span org = m->dmarc->org_domain;

	return domain.len &&
	       domain_is_below(domain, org.len ? org : m->dmarc->from_domain);
}

/* A signature of theirs that does not hold; NULL: none. */
static const struct dkim_signature *
failed_signature(const struct making *m)
{
	const struct dkim_facts *dkim = scan_dkim(m->scan)->dkim;

	for (size_t i = 0; dkim && i < dkim->n; i++)
		if (dkim->signatures[i].result != DKIM_PASS &&
		    is_theirs(m, dkim->signatures[i].domain))
			return &dkim->signatures[i];
	return NULL;
}

/* The domain of theirs that SPF was asked of in vain; empty: none. */
static struct span
failed_spf(const struct making *m)
{
	const struct spf_facts *spf = scan_spf(m->scan);

	return spf->state == FACT_DONE && spf->mail.result != SPF_PASS &&
		       is_theirs(m, spf->mail.domain)
		   ? spf->mail.domain
		   : SPAN("");
}

static void
add_dkim(struct making *m, const struct dkim_signature *s)
{
	if (!s)
		return;
	add_text(m, &m->feedback, "DKIM-Domain", s->domain);
	add_field(
	    &m->feedback, "DKIM-Identity", redacted_address(m, s->identity));
	add_text(m, &m->feedback, "DKIM-Selector", s->selector);
}

/* Never asks: the answer is there since SPF was checked. */
static struct span
spf_record(const struct scan *scan, struct span domain)
{
	const struct dns_questions *all =
	    scan->dns ? dns_batch_questions(scan->dns) : NULL;

	for (size_t i = 0; all && i < all->n; i++) {
		const struct dns_question *q = &all->v[i];
		if (q->type != DNS_TXT || !q->answer ||
		    !span_caseeq(q->name, domain))
			continue;
		for (size_t k = 0; k < q->answer->n; k++)
			if (span_casestarts(
				q->answer->records[k].data, SPAN("v=spf1")))
				return q->answer->records[k].data;
	}
	return SPAN_NONE;
}

/* RFC 6591 section 3.2.5: "txt" : domain : quoted string. */
static void
add_spf(struct making *m, struct span domain)
{
	struct span record = spf_record(m->scan, domain);
	struct fieldtext ft;

	if (!domain.len || !record.len)
		return;
	fieldtext_init(&ft, m->scan->arena, "SPF-DNS", FIELD_MAX);
	fieldtext_str(&ft, "txt : ");
	fieldtext_text(&ft, domain);
	fieldtext_str(&ft, " :");
	fieldtext_fold(&ft);
	fieldtext_quoted(&ft, span_head(record, SPF_RECORD_MAX));
	add_field(&m->feedback, "SPF-DNS", buf_span(&ft.out));
}

/* RFC 6591 section 3.2.2: as far as we can say. */
static const char *
delivery(enum action action)
{
	switch (action) {
	case ACTION_ACCEPT:
		return "delivered";
	case ACTION_TAG:
		return "spam";
	case ACTION_QUARANTINE:
		return "policy";
	case ACTION_REJECT:
		return "reject";
	case ACTION_TEMPFAIL:
		break;
	}
	return "other";
}

static void
add_feedback(struct making *m, const struct report_failure *failure,
    const struct verdict *verdict)
{
	struct buf *to = &m->feedback;
	char ip[IP_TEXT_SIZE];

	buf_add_str(to, "Feedback-Type: auth-failure\nVersion: 1\n"
			"User-Agent: Assay/" PACKAGE_VERSION "\n"
			"Auth-Failure: dmarc\n");
	/* What failed to authenticate an aligned identity: of a message that
	 * failed, both. */
	buf_add_str(to, "Identity-Alignment: dkim, spf\n");
	ip_format(&failure->ip, ip);
	add_field(to, "Source-IP", span_of(ip));
	add_field(to, "Reported-Domain", failure->from_domain);
	add_field(to, "Delivery-Result", span_of(delivery(verdict->action)));
	add_field(to, "Original-Mail-From",
	    redacted_address(m, m->scan->envelope->mail_from));
	add_authres(m);
	add_dkim(m, failed_signature(m));
	add_spf(m, failed_spf(m));
}

/* --- the message's fields --------------------------------------------------------- */

/* Addresses without names. */
static void
add_addresses(
    struct making *m, const char *name, const struct addr_list *addresses)
{
	struct fieldtext ft;
	size_t n = 0;

	fieldtext_init(&ft, m->scan->arena, name, FIELD_MAX);
	for (size_t i = 0; i < addresses->items.n && n < AUTHORS_MAX; i++) {
		const struct addr *a = &addresses->items.v[i];
		struct span text = redacted(m, a->local, a->domain);
		if (!a->local.len || !text.len)
			continue;
		if (n++) {
			fieldtext_char(&ft, ',');
			fieldtext_gap(&ft, text.len + 2);
		}
		fieldtext_char(&ft, '<');
		fieldtext_text(&ft, text);
		fieldtext_char(&ft, '>');
	}
	add_field(&m->headers, name, buf_span(&ft.out));
}

static struct span
unfolded(struct making *m, const char *name)
{
	const struct header *h =
	    header_first(message_headers(m->scan->message), span_of(name));

	return h ? header_unfold(h->raw, m->scan->arena) : SPAN_NONE;
}

static void
add_headers(struct making *m)
{
	struct span id = span_trim(unfolded(m, "Message-ID"));
	struct addr_list sender;

	add_addresses(m, "From", message_from(m->scan->message));
	addr_parse(&sender, unfolded(m, "Sender"), m->scan->arena);
	add_addresses(m, "Sender", &sender);
	add_text(m, &m->headers, "Date", span_trim(unfolded(m, "Date")));
	if (span_starts(id, SPAN("<")) && span_ends(id, SPAN(">"))) {
		id = redacted_address(m, span_make(id.p + 1, id.len - 2));
		if (id.len)
			buf_printf(
			    &m->headers, "Message-ID: <%.*s>\n", SPAN_ARG(id));
	}
}

bool
failure_of(struct report_failure *ret, char ret_name[REPORT_FAILURE_NAME_SIZE],
    const struct settings *settings, const struct ref_key *key,
    struct scan *scan, const struct verdict *verdict)
{
	struct making m = {.scan = scan, .settings = settings, .key = key};

	if (!wants_report(settings, scan, verdict))
		return false;
	m.dmarc = &scan_dmarc(scan)->dmarc;
	buf_init(&m.feedback, scan->arena, REPORT_FAILURE_MAX);
	buf_init(&m.headers, scan->arena, REPORT_FAILURE_MAX);
	*ret = (struct report_failure){
	    .domain = m.dmarc->record_domain,
	    .from_domain = m.dmarc->from_domain,
	    .ip = scan->client.ip,
	    .time = scan->now,
	};
	const struct dkim_signature *signature = failed_signature(&m);
	report_failure_name(ret, signature ? signature->domain : SPAN(""),
	    failed_spf(&m), ret_name);
	add_feedback(&m, ret, verdict);
	add_headers(&m);
	ret->feedback = buf_span(&m.feedback);
	ret->headers = buf_span(&m.headers);
	return !buf_failed(&m.feedback) && !buf_failed(&m.headers) &&
	       !arena_failed(scan->arena);
}

/* --- limits ----------------------------------------------------------------------- */

static bool
has_room(struct failure_gate *g, int64_t now, struct span organisation)
{
	int64_t hour = now / HOUR_S, before = atomic_load(&g->hour);
	_Atomic uint16_t *count =
	    &g->domains[span_casehash(organisation) & (DOMAIN_SLOTS - 1)];

	if (before != hour &&
	    atomic_compare_exchange_strong(&g->hour, &before, hour)) {
		atomic_store(&g->noted, 0);
		for (size_t i = 0; i < DOMAIN_SLOTS; i++)
			atomic_store_explicit(
			    &g->domains[i], 0, memory_order_relaxed);
	}
	if (atomic_load(&g->noted) >= FAILURE_HOUR_MAX ||
	    atomic_load(count) >= FAILURE_HOUR_DOMAIN_MAX)
		return false;
	atomic_fetch_add(&g->noted, 1);
	atomic_fetch_add(count, 1);
	return true;
}

void
failure_note(struct failure_gate *gate, const struct settings *settings,
    const struct ref_key *key, struct scan *scan, const struct verdict *verdict)
{
	char name[REPORT_FAILURE_NAME_SIZE];
	struct report_failure failure;
	struct buf value;

	if (!scan->store ||
	    !failure_of(&failure, name, settings, key, scan, verdict))
		return;
	struct span org = scan_dmarc(scan)->dmarc.org_domain;
	buf_init(&value, scan->arena, REPORT_FAILURE_MAX);
	if (!has_room(gate, scan->now, org.len ? org : failure.domain) ||
	    report_failure_write(&failure, &value))
		return;
	int64_t expires = scan->now + FAILURE_KEEP_S;
	struct store_op ops[] = {
	    {
		.verb = STORE_PUT,
		.key = {STORE_FAILURE, span_of(name)},
		.value = buf_span(&value),
		.expires = expires,
	    },
	    {
		.verb = STORE_ADD,
		.key = {STORE_FAILURES, span_of(name)},
		.add = {{1, 0}},
		.expires = expires,
	    },
	};
	store_later(scan->store, ops, sizeof ops / sizeof *ops);
}
