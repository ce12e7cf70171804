#include "filter/journal.h"

#include "filter/base/log.h"

/*
 * The line is built with ever smaller shares for values from the network until
 * the fixed part leaves room for symbols; symbols then fill what is left,
 * heaviest first.
 */

#define SYMBOLS_ROOM 120 /* least room for symbols */
#define VALUE_MIN 8
#define SIGNATURES_SHOWN 6
#define DEGRADED_SHOWN 8
#define MORE_ROOM 8 /* ",+10000" */

/* Points as people write them: 15, 5.5, -1.25. */
static void
add_points(struct buf *out, int64_t milli)
{
	uint64_t value = milli < 0 ? (uint64_t)-milli : (uint64_t)milli;
	uint64_t rest = value % 1000;
	unsigned width = 3;

	if (milli < 0)
		buf_add_char(out, '-');
	buf_add_u64(out, value / 1000);
	if (rest == 0)
		return;
	while (rest % 10 == 0) {
		rest /= 10;
		width--;
	}
	buf_printf(out, ".%0*llu", (int)width, (unsigned long long)rest);
}

/* The sum, always with three decimals. */
static void
add_score(struct buf *out, const struct verdict *v)
{
	int64_t score = v->score_milli;
	uint64_t value = score < 0 ? (uint64_t)-score : (uint64_t)score;

	buf_printf(out, ", score=%s%llu.%03llu/", score < 0 ? "-" : "",
	    (unsigned long long)(value / 1000),
	    (unsigned long long)(value % 1000));
	if (v->threshold_milli == OPTION_OFF)
		buf_add_str(out, "off");
	else
		add_points(out, v->threshold_milli);
}

static void
add_value(struct buf *out, const char *name, struct span value, size_t max)
{
	buf_printf(out, ", %s=", name);
	if (value.len)
		buf_add_coded(out, value, max);
	else
		buf_add_char(out, '-');
}

static void
add_bracketed(struct buf *out, const char *name, struct span value, size_t max)
{
	buf_printf(out, ", %s=<", name);
	buf_add_coded(out, value, max);
	buf_add_char(out, '>');
}

static void
add_client(struct buf *out, const struct envelope *envelope, size_t max)
{
	char ip[IP_TEXT_SIZE];

	if (!envelope->has_client) {
		buf_add_str(out, ", client=local");
		return;
	}
	buf_add_str(out, ", client=");
	if (envelope->client_name.len)
		buf_add_coded(out, envelope->client_name, max);
	else
		buf_add_str(out, "unknown");
	if (envelope->client_ip.family) {
		ip_format(&envelope->client_ip, ip);
		buf_printf(out, "[%s]", ip);
	} else {
		buf_add_str(out, "[unknown]");
	}
}

static void
add_dkim(struct buf *out, const struct scan_dkim_facts *facts, size_t max)
{
	const struct dkim_facts *dkim =
	    facts && facts->state != FACT_OFF ? facts->dkim : NULL;

	buf_add_str(out, ", dkim=");
	if (!dkim) {
		buf_add_char(out, '-');
		return;
	}
	if (dkim->n == 0)
		buf_add_str(out, "none");
	for (size_t i = 0; i < dkim->n && i < SIGNATURES_SHOWN; i++) {
		const struct dkim_signature *s = &dkim->signatures[i];
		buf_printf(
		    out, "%s%s:", i ? ";" : "", dkim_result_name(s->result));
		buf_add_coded(out, s->domain.len ? s->domain : SPAN("-"), max);
	}
	if (dkim->n > SIGNATURES_SHOWN)
		buf_printf(out, ";+%zu", dkim->n - SIGNATURES_SHOWN);
}

static void
add_authentication(struct buf *out, const struct journal_entry *e, size_t max)
{
	const struct scan_dmarc_facts *dmarc = e->dmarc;

	buf_printf(out, ", spf=%s",
	    e->spf && e->spf->state != FACT_OFF
		? spf_result_name(e->spf->mail.result)
		: "-");
	add_dkim(out, e->dkim, max);
	if (!dmarc || dmarc->state == FACT_OFF) {
		buf_add_str(out, ", dmarc=-");
	} else {
		bool policy = dmarc->dmarc.published != DMARC_POLICY_UNKNOWN;
		buf_printf(out, ", dmarc=%s/%s",
		    dmarc_result_name(dmarc->dmarc.result),
		    policy ? dmarc_policy_name(dmarc->dmarc.published) : "-");
		if (e->verdict->dmarc_reason)
			buf_printf(out, "(%s)", e->verdict->dmarc_reason);
	}
	buf_printf(out, ", arc=%s",
	    e->arc && e->arc->arc ? arc_result_name(e->arc->arc->result) : "-");
}

static void
add_degraded(struct buf *out, const struct journal_entry *e, size_t max)
{
	buf_add_str(out, ", degraded=");
	if (e->n_degraded == 0)
		buf_add_char(out, '-');
	for (size_t i = 0; i < e->n_degraded && i < DEGRADED_SHOWN; i++) {
		if (i)
			buf_add_char(out, ',');
		buf_add_coded(out, span_of(e->degraded[i]), max);
	}
	if (e->n_degraded > DEGRADED_SHOWN)
		buf_printf(out, ",+%zu", e->n_degraded - DEGRADED_SHOWN);
}

static void
add_fixed(struct buf *out, const struct journal_entry *e, size_t max)
{
	const struct envelope *envelope = e->envelope;
	const struct verdict *v = e->verdict;

	if (e->queue_id.len)
		buf_add_coded(out, e->queue_id, max < 40 ? max : 40);
	else
		buf_add_str(out, "NOQUEUE");
	buf_printf(out, ": ref=%s, action=%s, by=%s", e->ref,
	    action_name(v->action), v->by);
	if (v->would != v->action)
		buf_printf(out, ", would=%s", action_name(v->would));
	add_score(out, v);
	buf_printf(out, ", dir=%s", direction_name(e->direction));
	add_client(out, envelope, max);
	add_value(out, "helo", envelope->helo, max);
	add_value(out, "auth", envelope->auth_user, max);
	add_bracketed(out, "from", envelope->mail_from, max);
	add_bracketed(out, "to", e->first_rcpt, max);
	buf_printf(out, ", nrcpt=%zu", e->n_rcpts);
	add_value(out, "hfrom", e->from_domain, max);
	add_bracketed(out, "msgid", e->message_id, max);
	buf_printf(out, ", size=%zu", e->size);
	add_authentication(out, e, max);
	add_degraded(out, e, max);
	buf_printf(out, ", ms=%lld, symbols=", (long long)e->ms);
}

static void
add_symbols(struct buf *out, const struct symbol_hits *hits)
{
	size_t n = hits ? hits->n : 0;

	if (n == 0)
		buf_add_char(out, '-');
	for (size_t i = 0; i < n; i++) {
		size_t before = out->len;
		if (i)
			buf_add_char(out, ',');
		buf_add_span(out, hits->v[i].symbol->name);
		buf_add_char(out, ':');
		add_points(out, hits->v[i].score_milli);
		/* Room for the count, unless this was the last one. */
		if (out->len + (i + 1 < n ? MORE_ROOM : 0) <= JOURNAL_LINE_MAX)
			continue;
		buf_truncate(out, before);
		buf_printf(out, "%s+%zu", i ? "," : "", n - i);
		return;
	}
}

void
journal_format(
    const struct journal_entry *entry, char line[JOURNAL_LINE_MAX + 1])
{
	size_t max = JOURNAL_VALUE_MAX;
	struct buf out;

	buf_init(&out, NULL, (size_t)64 * 1024);
	add_fixed(&out, entry, max);
	while (out.len > JOURNAL_LINE_MAX - SYMBOLS_ROOM && max > VALUE_MIN) {
		max = max * 3 / 4;
		buf_truncate(&out, 0);
		add_fixed(&out, entry, max);
	}
	add_symbols(&out, entry->hits);
	/* What no cut of values could bring below the limit. */
	(void)span_copy(buf_span(&out), line, JOURNAL_LINE_MAX + 1);
	buf_done(&out);
}

void
journal_write(const struct journal_entry *entry)
{
	char line[JOURNAL_LINE_MAX + 1];

	if (!log_wants(LOG_LEVEL_INFO))
		return;
	journal_format(entry, line);
	log_info("%s", line);
}
