#include "filter/reply.h"

/*
 * Replies. The texts are ours; of the sender's there is only the domain and what
 * its SPF record has to say, and every byte that is not printable ASCII becomes
 * "?". The ref and the help address are never cut: what stands before them is,
 * when the line gets long.
 */

#define DOMAIN_SHOWN 120 /* bytes of a domain */
#define URL_SHOWN 200
#define RULES_SHOWN 12
#define EXPLANATION_LEAST 16 /* bytes; less is not worth its frame */

struct class_text {
	const char *code, *status;
	const char *named;   /* with the sender's domain as %s */
	const char *unnamed; /* without */
};

static const struct class_text refusals[] = {
    [REPLY_CONTENT] = {"550", "5.7.1", "Message from %s refused as likely spam",
	"Message refused as likely spam"},
    [REPLY_DMARC] = {"550", "5.7.26",
	"Message refused: it does not pass the DMARC policy of %s",
	"Message refused: it does not pass DMARC"},
    [REPLY_SPF] = {"550", "5.7.23",
	"Message refused: the SPF record of %s does not allow this client",
	"Message refused: SPF does not allow this client"},
    [REPLY_DKIM] = {"550", "5.7.20",
	"Message from %s refused: no acceptable DKIM signature",
	"Message refused: no acceptable DKIM signature"},
    [REPLY_DNS] = {"451", "4.4.3",
	"DNS gives no answer about %s, please try again later",
	"DNS gives no answer, please try again later"},
    [REPLY_FAILURE] = {"451", "4.3.0", NULL,
	"Message could not be checked now, please try again later"},
    [REPLY_OVERLOAD] = {"421", "4.3.2", NULL,
	"Too busy now, please try again later"},
    [REPLY_SPLIT] = {"452", "4.5.3", NULL,
	"Recipient has a policy of its own, please send separately"},
};

/* A temporary refusal of a class that has permanent ones only. */
static const struct class_text temporary = {"451", "4.3.0", NULL,
    "Message could not be checked now, please try again later"};

/* One printable line. */
static void
add_clean(struct buf *out, struct span text, size_t max)
{
	text = span_head(text, max);
	for (size_t i = 0; i < text.len; i++) {
		char c = text.p[i];
		buf_add_char(
		    out, ascii_is_control(c) || ascii_is_8bit(c) ? '?' : c);
	}
}

static void
add_reason(struct buf *out, const struct class_text *class, struct span domain)
{
	const char *at = class->named ? strstr(class->named, "%s") : NULL;

	if (!at || domain.len == 0) {
		buf_add_str(out, class->unnamed);
		return;
	}
	buf_add(out, class->named, (size_t)(at - class->named));
	add_clean(out, domain, DOMAIN_SHOWN);
	buf_add_str(out, at + 2);
}

static void
add_url(struct buf *out, struct span url, const char *ref)
{
	static const struct span mark = {"%{ref}", 6};
	size_t at = span_find(url, mark, 0);

	buf_add_char(out, ' ');
	if (at == SPAN_NPOS) {
		add_clean(out, url, URL_SHOWN);
		return;
	}
	add_clean(out, span_head(url, at), URL_SHOWN);
	buf_add_str(out, ref);
	add_clean(out, span_skip(url, at + mark.len), URL_SHOWN);
}

/* The end of the line, which must survive whole. */
static void
add_tail(struct buf *out, const struct reply_request *request)
{
	if (*request->ref)
		buf_printf(out, " (ref %s)", request->ref);
	if (request->help_url.len)
		add_url(out, request->help_url, request->ref);
}

static void
add_rules(struct buf *out, const struct symbol_hits *hits)
{
	size_t shown = 0;

	for (size_t i = 0; hits && i < hits->n && shown < RULES_SHOWN; i++) {
		if (hits->v[i].score_milli <= 0)
			continue;
		buf_add_str(out, shown++ ? "," : ": ");
		add_clean(out, hits->v[i].symbol->name, SYMBOL_NAME_MAX);
	}
}

/*
 * RFC 7208 section 6.2: it must be clear that the text is that of the domain.
 * So it stands between quotes, has none of its own, and is cut to the `room`
 * that the line has left.
 */
static void
add_explanation(
    struct buf *out, const struct reply_request *request, size_t room)
{
	static const char said[] = " explained: \"";
	struct span domain = span_head(request->domain, DOMAIN_SHOWN);
	struct span text = span_trim(request->explanation);
	size_t frame = sizeof "; " - 1 + domain.len + sizeof said; /* and " */

	if (request->class != REPLY_SPF || !domain.len || !text.len ||
	    out->len + frame + EXPLANATION_LEAST > room)
		return;
	buf_add_str(out, "; ");
	add_clean(out, domain, DOMAIN_SHOWN);
	buf_add_str(out, said);
	text = span_head(text, room - out->len - 1);
	for (size_t i = 0; i < text.len; i++)
		add_clean(out,
		    text.p[i] == '"' ? SPAN("'") : span_make(text.p + i, 1), 1);
	buf_add_char(out, '"');
}

void
reply_make(const struct reply_request *request, struct reply *ret)
{
	const struct class_text *class = &refusals[request->class];
	struct buf head, tail;

	if (request->temporary && class->code[0] == '5')
		class = &temporary;
	*ret = (struct reply){.code = class->code, .status = class->status};
	buf_init(&head, NULL, 4096);
	buf_init(&tail, NULL, 4096);
	add_reason(&head, class, request->domain);
	add_tail(&tail, request);
	struct span end = span_head(buf_span(&tail), REPLY_TEXT_MAX);
	if (class->code[0] == '5') {
		add_rules(&head, request->hits);
		add_explanation(&head, request, REPLY_TEXT_MAX - end.len);
	}
	struct span begin =
	    span_head(buf_span(&head), REPLY_TEXT_MAX - end.len);
	if (begin.len)
		memcpy(ret->text, begin.p, begin.len);
	if (end.len)
		memcpy(ret->text + begin.len, end.p, end.len);
	ret->text[begin.len + end.len] = '\0';
	/* Out of memory is what some of these replies are about. */
	if (begin.len == 0)
		(void)span_copy(
		    span_of(class->unnamed), ret->text, sizeof ret->text);
	buf_done(&head);
	buf_done(&tail);
}

void
reply_escape(const char *text, char *to, size_t size)
{
	size_t n = 0;

	for (; *text && n + 3 <= size; text++) {
		if (*text == '%')
			to[n++] = '%';
		to[n++] = *text;
	}
	to[n] = '\0';
}
