#include "filter/recorder.h"

/*
 * Texts are cut and otherwise taken as they are: the database binds them and
 * who shows them escapes them. What a recipient's policy asked for is computed
 * once for each policy, not for each recipient.
 */

#define LIST_MAX ((size_t)4096) /* bytes of a joined list */

static struct span
cut(struct span text)
{
	return span_head(text, RECORDER_TEXT_MAX);
}

static struct span
ip_text(const struct ip *ip, struct arena *arena)
{
	char text[IP_TEXT_SIZE];

	if (!ip->family)
		return SPAN_NONE;
	ip_format(ip, text);
	return arena_span(arena, span_of(text));
}

/* --- authentication --------------------------------------------------------------- */

static void
take_spf(const struct spf_facts *spf, struct arena *arena, struct record *r)
{
	if (!spf || spf->state == FACT_OFF || spf->state == FACT_BROKEN)
		return;
	r->spf = span_of(spf_result_name(spf->mail.result));
	r->spf_domain = cut(spf->mail.domain);
	r->spf_detail = cut(
	    spf->mail.mechanism.p ? spf->mail.mechanism : spf->mail.problem);
	if (spf->of_helo)
		r->spf_detail =
		    arena_printf(arena, "helo %.*s", SPAN_ARG(r->spf_detail));
}

static void
add_part(struct buf *out, struct span text)
{
	buf_add_char(out, ':');
	for (size_t i = 0; i < text.len && i < RECORDER_TEXT_MAX; i++) {
		char c = text.p[i];
		/* The two separators are coded beside what the log codes. */
		if (c == ':' || c == ';')
			buf_printf(out, "%%%02X", (unsigned)c);
		else if (c == ' ')
			buf_add_char(out, ' ');
		else
			buf_add_coded(out, span_make(&c, 1), 1);
	}
}

static void
take_dkim(
    const struct scan_dkim_facts *facts, struct arena *arena, struct record *r)
{
	struct buf out;

	if (!facts || facts->state == FACT_OFF || !facts->dkim)
		return;
	buf_init(&out, arena, LIST_MAX);
	for (size_t i = 0; i < facts->dkim->n; i++) {
		const struct dkim_signature *s = &facts->dkim->signatures[i];
		size_t before = out.len;
		buf_printf(
		    &out, "%s%s", i ? ";" : "", dkim_result_name(s->result));
		add_part(&out, s->domain);
		add_part(&out, s->selector);
		add_part(&out, s->problem);
		if (out.failed) {
			out.failed = false;
			buf_truncate(&out, before);
			break;
		}
	}
	r->dkim = facts->dkim->n ? buf_span(&out) : SPAN("none");
}

static void
take_dmarc(const struct journal_entry *e, struct record *r)
{
	const struct scan_dmarc_facts *facts = e->dmarc;

	if (!facts || facts->state == FACT_OFF || facts->state == FACT_BROKEN)
		return;
	const struct dmarc_facts *d = &facts->dmarc;
	r->dmarc = span_of(dmarc_result_name(d->result));
	if (d->published != DMARC_POLICY_UNKNOWN)
		r->dmarc_policy = span_of(dmarc_policy_name(d->published));
	if (d->spf_aligned && d->dkim_aligned)
		r->dmarc_aligned = SPAN("spf,dkim");
	else
		r->dmarc_aligned = d->spf_aligned    ? SPAN("spf")
				   : d->dkim_aligned ? SPAN("dkim")
						     : SPAN("");
	r->dmarc_domain = cut(d->aligned_domain);
	r->dmarc_reason = span_of(e->verdict->dmarc_reason);
	r->dmarc_comment = cut(span_of(e->verdict->dmarc_comment));
}

static void
take_arc(const struct scan_arc_facts *facts, struct record *r)
{
	if (facts && facts->arc)
		r->arc = span_of(arc_result_name(facts->arc->result));
}

/* --- the rest ------------------------------------------------------------------------ */

static void
take_envelope(
    const struct journal_entry *e, struct arena *arena, struct record *r)
{
	const struct envelope *envelope = e->envelope;

	r->queue_id = cut(envelope->queue_id);
	r->mta = cut(envelope->mta_name);
	r->client_ip = ip_text(&envelope->client_ip, arena);
	r->client_name = cut(envelope->client_name);
	r->helo = cut(envelope->helo);
	r->auth = cut(envelope->auth_user);
	r->tls = cut(envelope->tls_version);
	r->mail_from =
	    envelope->mail_from.p ? cut(envelope->mail_from) : SPAN("");
	r->nrcpt = (int64_t)e->n_rcpts;
}

static void
take_verdict(const struct recorder_request *request, struct record *r)
{
	const struct verdict *v = request->entry->verdict;
	const struct policy_settings *policy = v->policy;

	r->action = span_of(action_name(v->action));
	r->would = span_of(action_name(v->would));
	r->by = span_of(v->by);
	r->score_milli = v->score_milli;
	r->policy = policy->title;
	r->mode = span_of(policy->mode == MODE_ENFORCE ? "enforce" : "observe");
	r->tag_milli = policy->tag;
	r->quarantine_milli = policy->quarantine;
	r->reject_milli = policy->reject;
}

static void
take_message(struct scan *scan, struct record *r)
{
	if (!scan)
		return;
	const struct header *from =
	    header_first(message_headers(scan->message), SPAN("From"));
	if (from)
		r->header_from = cut(message_header_text(scan->message, from));
}

/* Behind a relay "" says that its header did not tell. */
static void
take_judged(struct scan *scan, struct arena *arena, struct record *r)
{
	if (!scan || scan->direction != DIRECTION_RELAY)
		return;
	r->judged_ip = SPAN("");
	if (scan->client.ip.family)
		r->judged_ip = ip_text(&scan->client.ip, arena);
	r->judged_name = cut(scan->client.name);
}

static void
take_degraded(
    const struct journal_entry *e, struct arena *arena, struct record *r)
{
	struct buf out;

	buf_init(&out, arena, LIST_MAX);
	for (size_t i = 0; i < e->n_degraded; i++)
		buf_printf(&out, "%s%s", i ? "," : "", e->degraded[i]);
	r->degraded = e->n_degraded ? buf_span(&out) : SPAN("");
}

static struct span
origin_of(const struct symbol *symbol, struct arena *arena)
{
	if (!symbol->line)
		return SPAN_NONE;
	return arena_printf(
	    arena, "%.*s:%u", SPAN_ARG(symbol->file), symbol->line);
}

static void
take_symbols(
    const struct symbol_hits *hits, struct arena *arena, struct record *r)
{
	for (size_t i = 0; hits && i < hits->n; i++) {
		const struct symbol_hit *hit = &hits->v[i];
		struct record_symbol *s = VEC_PUSH(arena, &r->symbols);
		if (!s)
			return;
		*s = (struct record_symbol){
		    .name = hit->symbol->name,
		    .count_milli = symbol_hit_count_milli(hit),
		    .score_milli = hit->score_milli,
		    .evidence = cut(hit->evidence),
		    .origin = origin_of(hit->symbol, arena),
		};
	}
}

/* --- recipients ------------------------------------------------------------------------ */

static bool
take_rcpts(const struct recorder_request *request, struct arena *arena,
    struct record *r)
{
	const struct settings *settings = request->settings;
	const struct envelope *envelope = request->entry->envelope;
	struct span *actions =
	    arena_calloc(arena, settings->n_policies, sizeof *actions);

	if (!actions)
		return false;
	for (size_t i = 0; i < envelope->rcpts.n && i < RECORDER_RCPTS_MAX;
	     i++) {
		size_t p = settings_policy_of(
		    settings, request->facts->direction, envelope->rcpts.v[i]);
		struct record_rcpt *rcpt = VEC_PUSH(arena, &r->rcpts);
		struct verdict own;
		if (!rcpt)
			return false;
		if (!actions[p].p) {
			policy_decide(settings, &settings->policies[p],
			    request->facts, &own);
			actions[p] = span_of(action_name(own.action));
		}
		*rcpt =
		    (struct record_rcpt){cut(envelope->rcpts.v[i]), actions[p]};
	}
	return true;
}

bool
recorder_make(const struct recorder_request *request, struct arena *arena,
    struct record *ret)
{
	const struct journal_entry *e = request->entry;
	struct record r = {
	    .id = request->id,
	    .time = request->time,
	    .node = request->settings->node,
	    .dir = span_of(direction_name(e->direction)),
	    .from_domain = cut(e->from_domain),
	    .message_id = cut(e->message_id),
	    .size = (int64_t)e->size,
	    .ms = e->ms,
	};

	take_verdict(request, &r);
	take_envelope(e, arena, &r);
	take_message(request->scan, &r);
	take_judged(request->scan, arena, &r);
	take_spf(e->spf, arena, &r);
	take_dkim(e->dkim, arena, &r);
	take_dmarc(e, &r);
	take_arc(e->arc, &r);
	take_degraded(e, arena, &r);
	take_symbols(e->hits, arena, &r);
	if (request->reply)
		r.reply = arena_printf(arena, "%s %s %s", request->reply->code,
		    request->reply->status, request->reply->text);
	if (!take_rcpts(request, arena, &r) || arena_failed(arena))
		return false;
	*ret = r;
	return true;
}
