#include "filter/auth/report_mail.h"
#include "filter/mail/message.h"

/*
 * Delivery status notifications (RFC 3464) of reports that we sent. What is
 * believed of one is the Message-ID that it brings back, since only who got
 * the mail, or carried it, knows that; the rest says whether the failure is
 * for good.
 */

#define FIELDS_MAX 1000 /* of a status part; a mail to one has ten */

static bool
is_type(const struct mime_part *part, const char *type)
{
	return span_caseis(part->ctype.declared, type);
}

/* The word of a field "NAME: word ..." or "NAME: type; word". */
static struct span
field_word(struct span line, const char *name)
{
	struct span value = line;
	struct span found = span_cut(&value, ':');

	if (!value.p || !span_caseis(span_trim(found), name))
		return SPAN_NONE;
	return span_word(&value);
}

/* Groups of fields, one for each recipient; we wrote to one. */
static void
read_status(struct span text, struct report_bounce *ret)
{
	bool failed = false;
	struct span line;

	for (int i = 0; i < FIELDS_MAX && span_line(&text, &line); i++) {
		struct span action = field_word(line, "Action");
		struct span status = field_word(line, "Status");
		failed = failed || span_caseis(action, "failed");
		if (status.p && !ret->status.p)
			ret->status = status;
	}
	ret->permanent = failed && span_starts(ret->status, SPAN("5."));
}

/* Of headers alone, or of a message inside. */
static struct span
id_of(const struct header_list *headers, struct arena *arena)
{
	const struct header *h = header_first(headers, SPAN("Message-ID"));

	return h ? span_trim(header_unfold(h->raw, arena)) : SPAN_NONE;
}

static void
read_returned(struct message *m, struct mime_part *part, struct arena *arena,
    struct report_bounce *ret)
{
	struct header_list headers;

	if (part->child) {
		ret->message_id = id_of(&part->child->headers, arena);
		return;
	}
	header_init(&headers, arena);
	(void)header_parse(&headers, message_part_decoded(m, part));
	ret->message_id = id_of(&headers, arena);
}

int
report_bounce_read(struct report_bounce *ret, struct span text,
    struct arena *arena, struct err *err)
{
	struct message_options options = message_options_default();
	struct message *m = message_new(arena, &options);
	bool status = false;

	*ret = (struct report_bounce){0};
	if (!m || message_read(m, text))
		return err_set(err, ERR_NOMEM, "out of memory");
	const struct mime_tree *tree = message_tree(m);
	for (size_t i = 0; i < tree->parts.n; i++) {
		struct mime_part *part = tree->parts.v[i];
		if (is_type(part, "message/delivery-status") ||
		    is_type(part, "message/global-delivery-status")) {
			status = true;
			read_status(message_part_decoded(m, part), ret);
		} else if (status && !ret->message_id.p &&
			   (is_type(part, "message/rfc822") ||
			       is_type(part, "message/global") ||
			       is_type(part, "message/global-headers") ||
			       is_type(part, "text/rfc822-headers"))) {
			read_returned(m, part, arena, ret);
		}
	}
	if (!status)
		return err_set(err, ERR_SYNTAX,
		    "no delivery status notification (RFC 3464)");
	return 0;
}
