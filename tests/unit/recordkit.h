#ifndef TESTS_UNIT_RECORDKIT_H
#define TESTS_UNIT_RECORDKIT_H

#include "filter/log/record.h"

/* Records of the verdict log for tests: the message of the man page's example,
 * and one whose every text is hostile. */

#define KIT_TIME INT64_C(1795516267) /* 2026-11-24T10:31:07Z */
#define KIT_ID ((uint64_t)(KIT_TIME - INT64_C(1735689600)) << 24 | 3 << 8)

static struct record_rcpt kit_rcpts[] = {
    {{"anna@example.org", 16}, {"reject", 6}},
    {{"bert@example.org", 16}, {"reject", 6}},
};

/* Heaviest first, as the recorder writes them. */
static struct record_symbol kit_symbols[] = {
    {SPAN("BAYES_999"), 1000, 5500, SPAN("99.97 %"), SPAN_NONE},
    {SPAN("URIBL_DBL_SPAM"), 1000, 4000, SPAN("bit.example is listed"),
	SPAN_NONE},
    {SPAN("PDF_LINK_ONLY"), 2500, 3900, SPAN(""),
	SPAN("/etc/assay/rules.d/local.cf:41")},
    {SPAN("REPLYTO_DIFFERS"), 3000, 2500, SPAN("Reply-To x@free.example"),
	SPAN_NONE},
    {SPAN("FIRST_CONTACT"), 1000, 1000, SPAN_NONE, SPAN_NONE},
    {SPAN("RCVD_IN_DNSWL_LOW"), 1000, -1000, SPAN("203.0.113.9"), SPAN_NONE},
};

static inline struct record
kit_record(void)
{
	return (struct record){
	    .id = KIT_ID,
	    .time = KIT_TIME,
	    .node = SPAN("mx1"),
	    .queue_id = SPAN("4Xh2Qk3b9Yz"),
	    .mta = SPAN("mx.example.org"),
	    .dir = SPAN("in"),
	    .mode = SPAN("enforce"),
	    .action = SPAN("reject"),
	    .would = SPAN("reject"),
	    .by = SPAN("score"),
	    .policy = SPAN("default"),
	    .score_milli = 15900,
	    .tag_milli = 5000,
	    .quarantine_milli = INT64_MAX,
	    .reject_milli = 15000,
	    .client_ip = SPAN("203.0.113.9"),
	    .client_name = SPAN("out7.mailer.example"),
	    .helo = SPAN("out7.mailer.example"),
	    .tls = SPAN("TLSv1.3"),
	    .mail_from = SPAN("bounce-17@mailer.example"),
	    .header_from = SPAN("\"Muster\" <invoice@muster.example>"),
	    .from_domain = SPAN("muster.example"),
	    .message_id = SPAN("20261124.93@mailer.example"),
	    .size = 217088,
	    .nrcpt = 2,
	    .spf = SPAN("pass"),
	    .spf_domain = SPAN("mailer.example"),
	    .spf_detail = SPAN("ip4:203.0.113.0/24"),
	    .dkim = SPAN("fail:muster.example:k1:body%20hash differs%3B no"
			 ";pass:mailer.example:s2:"),
	    .dmarc = SPAN("fail"),
	    .dmarc_policy = SPAN("none"),
	    .dmarc_aligned = SPAN(""),
	    .degraded = SPAN("dnsbl:spamhaus-zen,time"),
	    .ms = 212,
	    .reply = SPAN("550 5.7.1 Refused as likely spam"),
	    .rcpts = {kit_rcpts, 2, 2},
	    .symbols = {kit_symbols, 6, 6},
	};
}

/* ESC, DEL, C1, CR LF, NUL, quotes, bytes that are no UTF-8, a right-to-left mark. */
#define KIT_HOSTILE                                                            \
	"=cmd|' /C calc'!A0\x1b[2J\xc2\x9b\r\n\"x\",\x00\xff\x7f\xe2\x80\xae"

static struct record_rcpt kit_hostile_rcpt[] = {
    {SPAN(KIT_HOSTILE), SPAN(KIT_HOSTILE)},
    {SPAN("@SUM(1)"), SPAN("-2+3")},
};
static struct record_symbol kit_hostile_symbol[] = {
    {SPAN(KIT_HOSTILE), INT64_MAX, INT64_MIN, SPAN(KIT_HOSTILE),
	SPAN(KIT_HOSTILE)},
    {SPAN("@SUM(1)"), INT64_MIN, INT64_MAX, SPAN(""), SPAN_NONE},
};

static inline struct record
kit_hostile(void)
{
	struct record r = {
	    .id = UINT64_MAX,
	    .time = INT64_MAX,
	    .score_milli = INT64_MIN,
	    .tag_milli = INT64_MIN,
	    .quarantine_milli = INT64_MAX,
	    .reject_milli = INT64_MAX,
	    .size = INT64_MAX,
	    .nrcpt = -1,
	    .rcpts = {kit_hostile_rcpt, 2, 2},
	    .symbols = {kit_hostile_symbol, 2, 2},
	};
	static const struct span text = SPAN(KIT_HOSTILE);

	for (const struct record_field *f = record_fields; f->name; f++)
		if (f->type == RECORD_TEXT)
			memcpy((char *)&r + f->offset, &text, sizeof text);
	return r;
}

#endif
