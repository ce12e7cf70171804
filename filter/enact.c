#include "filter/enact.h"

/*
 * From a verdict to calls of the MTA. A refused message gets no edits: nobody
 * would see them. An edit that fails is counted and the rest goes on: a field
 * less is better than mail lost.
 */

static void
edit_fields(const struct mta *mta, const struct fields_request *request,
    unsigned *missed)
{
	struct fields fields;

	if (!(mta->can & (MTA_ADD_HEADER | MTA_CHANGE_HEADER)))
		return;
	if (!fields_make(request, &fields)) {
		(*missed)++;
		return;
	}
	bool change = mta->can & MTA_CHANGE_HEADER;
	bool add = mta->can & MTA_ADD_HEADER;
	for (size_t i = 0; change && i < fields.removals.n; i++) {
		const struct field_removal *r = &fields.removals.v[i];
		char *name = arena_cstr(request->arena, r->name);
		if (!name || mta->change_header(mta->ctx, name, r->nth, NULL))
			(*missed)++;
	}
	if (change && fields.subject && fields.has_subject &&
	    mta->change_header(mta->ctx, "Subject", 1, fields.subject))
		(*missed)++;
	/* Each one on top of the one before: the last is put first. */
	for (size_t i = fields.additions.n; add && i > 0; i--) {
		const struct field *f = &fields.additions.v[i - 1];
		if (mta->insert_header(mta->ctx, f->name, f->value))
			(*missed)++;
	}
	if (add && fields.subject && !fields.has_subject &&
	    mta->insert_header(mta->ctx, "Subject", fields.subject))
		(*missed)++;
}

static bool
hold(const struct mta *mta, const char *ref)
{
	char reason[64];
	struct buf out;

	if (!(mta->can & MTA_QUARANTINE))
		return false;
	buf_init(&out, NULL, sizeof reason - 1);
	buf_printf(&out, "assay: likely spam, ref %s", ref);
	(void)span_copy(buf_span(&out), reason, sizeof reason);
	buf_done(&out);
	return mta->quarantine(mta->ctx, reason) == 0;
}

/* The domain that a refusal may name: the one that the sender claims. */
static struct span
sender_domain(const struct fields_request *fields, enum reply_class class)
{
	struct scan *scan = fields->scan;
	struct span from;
	size_t at;

	if (!scan)
		return SPAN_NONE;
	if (class == REPLY_DMARC)
		return scan_dmarc(scan)->dmarc.from_domain;
	from = scan->envelope->mail_from;
	if (class == REPLY_SPF)
		return scan_spf(scan)->mail.domain;
	at = span_rfind_char(from, '@');
	if (at != SPAN_NPOS)
		return span_skip(from, at + 1);
	return class == REPLY_CONTENT ? scan_from_domain(scan) : SPAN_NONE;
}

static enum answer
refuse(const struct mta *mta, const struct fields_request *fields,
    const struct verdict *verdict, struct reply *reply)
{
	struct reply_request request = {
	    .class = verdict->reply,
	    .temporary = verdict->action == ACTION_TEMPFAIL,
	    .domain = sender_domain(fields, verdict->reply),
	    .ref = fields->ref,
	    .help_url = verdict->policy->help_url,
	};

	if (verdict->reply == REPLY_SPF && fields->scan)
		request.explanation = scan_spf(fields->scan)->mail.explanation;
	if (verdict->policy->reply_rules && fields->scan)
		request.hits = &fields->examination->hits;
	reply_make(&request, reply);
	/* Without our text the MTA uses its own: the refusal stands. */
	(void)mta->set_reply(mta->ctx, reply->code, reply->status, reply->text);
	return request.temporary ? ANSWER_TEMPFAIL : ANSWER_REJECT;
}

void
enact_verdict(const struct mta *mta, const struct fields_request *fields,
    struct verdict *verdict, struct enacted *ret)
{
	ret->answer = ANSWER_CONTINUE;
	ret->missed = 0;
	ret->replied = verdict->action == ACTION_REJECT ||
		       verdict->action == ACTION_TEMPFAIL;
	if (ret->replied) {
		ret->answer = refuse(mta, fields, verdict, &ret->reply);
		return;
	}
	if (verdict->action == ACTION_QUARANTINE && !hold(mta, fields->ref)) {
		verdict->action = ACTION_TAG;
		/* That it cannot was said at the negotiation. */
		ret->missed += (mta->can & MTA_QUARANTINE) != 0;
	}
	if (fields->scan)
		edit_fields(mta, fields, &ret->missed);
}

enum answer
enact_refusal(const struct mta *mta, enum reply_class class,
    const struct policy_settings *policy, const char *ref)
{
	struct reply_request request = {
	    .class = class,
	    .ref = ref,
	    .help_url = policy->help_url,
	};
	struct reply reply;

	reply_make(&request, &reply);
	(void)mta->set_reply(mta->ctx, reply.code, reply.status, reply.text);
	return reply.code[0] == '5' ? ANSWER_REJECT : ANSWER_TEMPFAIL;
}
