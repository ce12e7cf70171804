#include "filter/ctl/why.h"

#include "filter/ctl/ctl.h"
#include "filter/mail/domain.h"

/*
 * What was found out about the sender, in words, and what could not be: one
 * line for each mechanism. The results are RFC 8601's words, kept as they are:
 * people search for them.
 */

#define RESULT_WIDTH 9

void
why_label(struct buf *out, const char *name)
{
	buf_printf(out, "  %-9s ", name);
}

static void
add_result(struct buf *out, const char *label, struct span result)
{
	size_t start;

	why_label(out, label);
	start = out->len;
	ctl_add_safe(out, result.len ? result : SPAN("none"));
	while (out->len < start + RESULT_WIDTH)
		buf_add_char(out, ' ');
	buf_add_char(out, ' ');
}

/* --- words ------------------------------------------------------------------- */

struct word {
	const char *name, *text;
};

static const char *
word_for(const struct word *words, struct span name)
{
	for (; words->name; words++)
		if (span_is(name, words->name))
			return words->text;
	return NULL;
}

static const struct word policies[] = {
    {"none", "publishes p=none: nothing follows"},
    {"quarantine", "publishes p=quarantine: such mail is suspicious"},
    {"reject", "publishes p=reject: such mail shall be refused"},
    {NULL, NULL},
};

static const struct word reasons[] = {
    {"mailing_list", "not refused for it: it came over a mailing list"},
    {"trusted_forwarder", "not refused for it: a trusted forwarder sent it"},
    {"local_policy", "nothing harder is done about it: auth.dmarc says so"},
    {NULL, NULL},
};

static const struct word lacks[] = {
    {"dns", "DNS gave no answer in time"},
    {"time", "limits.message_time was used up"},
    {"size", "larger than what is kept or read of a message"},
    {"memory", "memory was short"},
    {"disk", "the state folder could not be written"},
    {"sessions", "too many sessions"},
    {"store", "the store gave no answer"},
    {"redis", "Redis gave no answer"},
    {"relay", "the relay's Received field could not be read"},
    {"dnsbl", "the list refused to answer, or gave none"},
    {"urlbl", "the list refused to answer, or gave none"},
    {NULL, NULL},
};

/* --- the mechanisms ---------------------------------------------------------- */

static bool
is_aligned(const struct record *r, const char *with)
{
	struct span rest = r->dmarc_aligned;

	while (rest.len)
		if (span_is(span_cut(&rest, ','), with))
			return true;
	return false;
}

/* Without a policy nobody looked whether domains are aligned. */
static bool
alignment_known(const struct record *r)
{
	return span_is(r->dmarc, "pass") || span_is(r->dmarc, "fail");
}

/* "; not aligned with DOMAIN", where a pass is worth nothing for DMARC. */
static void
add_alignment(struct buf *out, const struct record *r, const char *with)
{
	if (!alignment_known(r) || !r->from_domain.len)
		return;
	buf_add_str(out,
	    is_aligned(r, with) ? "; aligned with " : "; not aligned with ");
	ctl_add_safe(out, r->from_domain);
}

static void
add_spf(struct buf *out, const struct record *r)
{
	bool pass = span_is(r->spf, "pass");

	if (!r->spf.len)
		return;
	add_result(out, "SPF", r->spf);
	ctl_add_safe(out, r->spf_domain);
	if (r->spf_detail.len) {
		buf_add_str(out, pass ? " by " : ": ");
		ctl_add_safe(out, r->spf_detail);
	}
	if (pass)
		add_alignment(out, r, "spf");
	buf_add_char(out, '\n');
}

/*
 * "; aligned" behind a signature that passes. Where one is aligned, others of
 * the same organisation were not looked at: nothing is said of them.
 */
static void
add_signature_alignment(
    struct buf *out, const struct record *r, struct span domain)
{
	struct span org = domain_registrable(r->from_domain);

	if (!alignment_known(r) || !domain.len || !r->from_domain.len)
		return;
	if (is_aligned(r, "dkim") && span_caseeq(domain, r->dmarc_domain))
		buf_add_str(out, "; aligned");
	else if (!is_aligned(r, "dkim") || !org.len ||
		 !domain_is_below(domain, org))
		buf_add_str(out, "; not aligned");
}

static void
add_dkim(struct buf *out, struct arena *arena, const struct record *r)
{
	struct span rest = r->dkim;
	struct log_signature s;
	const char *label = "DKIM";

	if (span_is(r->dkim, "none"))
		buf_add_str(out, "  DKIM      none      no signature\n");
	while (log_next_signature(&rest, arena, &s)) {
		add_result(out, label, s.result);
		label = "";
		ctl_add_safe(out, s.domain);
		if (s.selector.len) {
			buf_add_str(out, " (");
			ctl_add_safe(out, s.selector);
			buf_add_char(out, ')');
		}
		if (s.problem.len) {
			buf_add_str(out, ": ");
			ctl_add_safe(out, s.problem);
		}
		if (span_is(s.result, "pass"))
			add_signature_alignment(out, r, s.domain);
		buf_add_char(out, '\n');
	}
}

/* Why less was done than the policy asks for. */
static void
add_reason(struct buf *out, const struct record *r)
{
	const char *reason = word_for(reasons, r->dmarc_reason);

	if (!r->dmarc_reason.len)
		return;
	buf_add_str(out, "; ");
	if (r->dmarc_comment.len) {
		buf_add_str(out, "spared: ");
		ctl_add_safe(out, r->dmarc_comment);
	} else if (reason) {
		buf_add_str(out, reason);
	} else {
		ctl_add_safe(out, r->dmarc_reason);
	}
}

static void
add_dmarc(struct buf *out, const struct record *r)
{
	const char *policy = word_for(policies, r->dmarc_policy);

	if (!r->dmarc.len)
		return;
	add_result(out, "DMARC", r->dmarc);
	ctl_add_safe(out, r->from_domain);
	if (span_is(r->dmarc, "fail") && policy)
		buf_printf(out, " %s", policy);
	else if (r->dmarc_policy.len) {
		buf_add_str(out, " publishes p=");
		ctl_add_safe(out, r->dmarc_policy);
	} else if (span_is(r->dmarc, "none"))
		buf_add_str(out, " publishes no policy");
	add_reason(out, r);
	buf_add_char(out, '\n');
}

static void
add_arc(struct buf *out, const struct record *r)
{
	if (!r->arc.len)
		return;
	add_result(out, "ARC", r->arc);
	while (out->len && out->p[out->len - 1] == ' ')
		buf_truncate(out, out->len - 1);
	buf_add_char(out, '\n');
}

static void
add_degraded(struct buf *out, const struct record *r)
{
	struct span rest = r->degraded;
	const char *label = "Not run";

	while (rest.len) {
		struct span name = span_cut(&rest, ','), kind = name;
		const char *text = word_for(lacks, span_cut(&kind, ':'));
		why_label(out, label);
		label = "";
		ctl_add_safe(out, name);
		if (text)
			buf_printf(out, ": %s", text);
		buf_add_char(out, '\n');
	}
}

void
why_facts(struct buf *out, const struct why_view *view, const struct record *r)
{
	add_spf(out, r);
	add_dkim(out, view->arena, r);
	add_dmarc(out, r);
	add_arc(out, r);
	add_degraded(out, r);
}
