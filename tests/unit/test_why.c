#include "filter/ctl/why.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "filter/base/codec.h"
#include "tests/lib/tap.h"
#include "tests/unit/recordkit.h"

static struct ref_key key = {{1, 2, 3}};
static struct arena *arena;

/* --- what would have changed it ---------------------------------------------- */

static void
test_actions(void)
{
	struct record r = kit_record();

	TAP_CASE("the record's thresholds are asked as the policy asks them")
	CHECK_INT(why_action_at(&r, 4999), ACTION_ACCEPT);
	CHECK_INT(why_action_at(&r, 5000), ACTION_TAG);
	CHECK_INT(why_action_at(&r, 14999), ACTION_TAG);
	CHECK_INT(why_action_at(&r, 15000), ACTION_REJECT);
	r.quarantine_milli = 8000;
	CHECK_INT(why_action_at(&r, 8000), ACTION_QUARANTINE);
	r.reject_milli = INT64_MAX;
	CHECK_INT(why_action_at(&r, INT64_MAX - 1), ACTION_QUARANTINE);

	TAP_CASE("outgoing mail is never tagged")
	r = kit_record();
	r.dir = SPAN("out");
	CHECK_INT(why_action_at(&r, 14999), ACTION_ACCEPT);
	CHECK_INT(why_action_at(&r, 15000), ACTION_REJECT);
}

static void
test_turn(void)
{
	struct record r = kit_record();
	struct why_turn turn;

	TAP_CASE("any symbol heavier than the distance turns it")
	why_turn(&r, arena, &turn);
	CHECK(turn.by_sum);
	CHECK_INT(turn.action, ACTION_REJECT);
	CHECK_INT(turn.above_milli, 900);
	CHECK_INT(turn.below_milli, -1);
	CHECK_INT(turn.any.n, 5); /* all but the negative one */
	CHECK_STR(turn.any.v[0].symbol->name, "BAYES_999");
	CHECK_INT(turn.any.v[0].score_milli, 10400);
	CHECK_INT(turn.any.v[0].action, ACTION_TAG);
	CHECK_INT(turn.all.n, 0);

	TAP_CASE("one as heavy as the distance does not: a threshold counts")
	r.score_milli = 16000;
	why_turn(&r, arena, &turn);
	CHECK_INT(turn.any.n, 4);

	TAP_CASE("where no one is enough the fewest together are named")
	r.score_milli = 25000;
	why_turn(&r, arena, &turn);
	CHECK_INT(turn.any.n, 0);
	CHECK_INT(turn.all.n, 3);
	CHECK_INT(turn.all.v[2].score_milli, 25000 - 5500 - 4000 - 3900);
	CHECK_INT(turn.all.v[2].action, ACTION_TAG);

	TAP_CASE("where all together are not enough nothing is named")
	r.score_milli = 60000;
	why_turn(&r, arena, &turn);
	CHECK_INT(turn.any.n + turn.all.n, 0);

	TAP_CASE("a negative symbol turns it to the harder side")
	r.score_milli = 4500;
	r.action = r.would = SPAN("accept");
	why_turn(&r, arena, &turn);
	CHECK(turn.by_sum);
	CHECK_INT(turn.above_milli, -1);
	CHECK_INT(turn.below_milli, 500);
	CHECK_INT(turn.next, ACTION_TAG);
	CHECK_INT(turn.any.n, 1);
	CHECK_STR(turn.any.v[0].symbol->name, "RCVD_IN_DNSWL_LOW");
	CHECK_INT(turn.any.v[0].score_milli, 5500);
	CHECK_INT(turn.any.v[0].action, ACTION_TAG);

	TAP_CASE("in observe what enforce would do is explained")
	r = kit_record();
	r.action = SPAN("accept");
	why_turn(&r, arena, &turn);
	CHECK(turn.by_sum);

	TAP_CASE("DMARC, failures and merged policies are not the sum's doing")
	r = kit_record();
	r.by = SPAN("dmarc");
	why_turn(&r, arena, &turn);
	CHECK(!turn.by_sum);
	r = kit_record();
	r.action = r.would = SPAN("tag");
	why_turn(&r, arena, &turn);
	CHECK(!turn.by_sum);

	TAP_CASE("absurd numbers do no harm")
	r = kit_hostile();
	why_turn(&r, arena, &turn);
	r.score_milli = INT64_MAX;
	why_turn(&r, arena, &turn);
	r = (struct record){0};
	why_turn(&r, arena, &turn);
	CHECK(!turn.by_sum);
}

/* --- finding ----------------------------------------------------------------- */

/* Looks in a text for the ref of KIT_ID; "%s" stands for how it is written. */
static bool
finds(const char *form, const char *written)
{
	struct why_terms terms;
	struct buf out;

	buf_init(&out, arena, 1 << 20);
	buf_add_str(&out, "Subject: x\r\n\r\n");
	const char *at = strstr(form, "%s");
	buf_add(&out, form, (size_t)(at - form));
	buf_add_str(&out, written);
	buf_add_str(&out, at + 2);
	why_terms_in(buf_span(&out), &key, arena, &terms);
	for (size_t i = 0; i < terms.n; i++)
		if (terms.v[i].kind == WHY_REF && terms.v[i].id == KIT_ID)
			return true;
	return false;
}

static void
test_refs_in(void)
{
	char ref[REF_TEXT_SIZE], other[2 * REF_TEXT_SIZE];
	size_t n = 0;

	ref_format(&key, KIT_ID, ref);
	TAP_CASE("a ref is found in any place of a text")
	CHECK(finds("%s", ref));
	CHECK(finds("550 5.7.1 refused (ref %s) https://x.example/", ref));
	CHECK(finds("see https://mail.example.org/refused/%s.", ref));
	CHECK(finds("X-Assay-Ref: %s\r\n", ref));
	CHECK(finds("said: 550 (ref\r\n    %s)\r\n", ref));
	CHECK(finds("id=%s&x", ref));
	CHECK(finds("7K3M-9QXD-2T5V %s", ref));

	TAP_CASE("not inside of another word")
	CHECK(!finds("A%s", ref));
	CHECK(!finds("%sA", ref));

	TAP_CASE("in lower case, without dashes, with others, with blanks")
	for (n = 0; ref[n]; n++)
		other[n] = ascii_lower(ref[n]);
	other[n] = '\0';
	CHECK(finds("(ref %s)", other));
	n = 0;
	for (size_t i = 0; ref[i]; i++)
		if (ref[i] != '-')
			other[n++] = ref[i];
	other[n] = '\0';
	CHECK(finds("(ref %s)", other));
	for (n = 0; ref[n]; n++)
		other[n] = ref[n] == '-' ? ' ' : ref[n];
	other[n] = '\0';
	CHECK(finds("the number was %s, she said", other));
	snprintf(other, sizeof other, "%.4s\xe2\x80\x91%.4s\xe2\x80\x93%.4s",
	    ref, ref + 5, ref + 10);
	CHECK(finds("(ref %s)", other));

	TAP_CASE("over a line that quoted-printable cut")
	snprintf(other, sizeof other, "%.6s=\r\n%s", ref, ref + 6);
	CHECK(finds("(ref %s)", other));
	snprintf(other, sizeof other, "%.2s=\n%s", ref, ref + 2);
	CHECK(finds("(ref %s)", other));

	TAP_CASE("a wrong character is no find")
	snprintf(other, sizeof other, "%s", ref);
	other[0] = other[0] == 'A' ? 'B' : 'A';
	CHECK(!finds("(ref %s)", other));
}

static void
test_parts(void)
{
	char ref[REF_TEXT_SIZE];
	struct buf text;
	struct why_terms terms;
	struct span line;

	TAP_CASE("a ref is found in a base64 part")
	ref_format(&key, KIT_ID, ref);
	line = arena_printf(arena, "Refused (ref %s)\r\n", ref);
	buf_init(&text, arena, 4096);
	buf_add_str(&text,
	    "From: MAILER-DAEMON@x.example\nMIME-Version: 1.0\n"
	    "Content-Type: multipart/report; boundary=b\n\n--b\n"
	    "Content-Type: text/plain\nContent-Transfer-Encoding: base64\n\n");
	codec_base64_encode(&text, line);
	buf_add_str(&text, "\n--b--\n");
	why_terms_in(buf_span(&text), &key, arena, &terms);
	CHECK(terms.n > 0 && terms.v[0].kind == WHY_REF &&
	      terms.v[0].id == KIT_ID);
}

static bool
has_term(const struct why_terms *terms, enum why_kind kind, const char *text)
{
	for (size_t i = 0; i < terms->n; i++)
		if (terms->v[i].kind == kind && span_is(terms->v[i].text, text))
			return true;
	return false;
}

static void
test_others_in(void)
{
	struct why_terms terms;
	static const char bounce[] =
	    "Message-ID: <dsn@mx.example.org>\r\n"
	    "In-Reply-To:\r\n <reply@x.example>\r\n\r\n"
	    "X-Postfix-Queue-ID: 4Xh2Qk3b9Yz\r\n"
	    "said: 250 2.0.0 Ok: queued as 4XabcDEF\r\n"
	    "Received: from a by b with ESMTP id 7F00AA1122;\r\n"
	    "message-id: <orig@mailer.example>\r\n";

	TAP_CASE("queue ids and Message-IDs are found, the last one first")
	why_terms_in(span_of(bounce), &key, arena, &terms);
	CHECK(has_term(&terms, WHY_QUEUE_ID, "4Xh2Qk3b9Yz"));
	CHECK(has_term(&terms, WHY_QUEUE_ID, "4XabcDEF"));
	CHECK(has_term(&terms, WHY_QUEUE_ID, "7F00AA1122"));
	CHECK(has_term(&terms, WHY_MESSAGE_ID, "reply@x.example"));
	size_t first = 0;
	while (first < terms.n && terms.v[first].kind != WHY_MESSAGE_ID)
		first++;
	CHECK(first < terms.n &&
	      span_is(terms.v[first].text, "orig@mailer.example"));
	CHECK(has_term(&terms, WHY_MESSAGE_ID, "dsn@mx.example.org"));

	TAP_CASE("each thing is looked up once, and not without end")
	struct buf many;
	buf_init(&many, arena, 1 << 20);
	for (int i = 0; i < 10000; i++)
		buf_printf(&many,
		    "id 4Xh2Qk3b9Yz id Q%05d Message-ID: <%d@x.example>\n", i,
		    i);
	why_terms_in(buf_span(&many), &key, arena, &terms);
	CHECK_INT(terms.n, 2 * WHY_TERMS_MAX);
	CHECK(has_term(&terms, WHY_MESSAGE_ID, "9999@x.example"));

	TAP_CASE("nothing is found in nothing")
	why_terms_in(SPAN(""), &key, arena, &terms);
	CHECK_INT(terms.n, 0);
	why_terms_in(SPAN("=\0=\n\xff id"), NULL, arena, &terms);
	CHECK_INT(terms.n, 0);
}

static void
test_argument(void)
{
	struct why_terms terms;
	char ref[REF_TEXT_SIZE];

	TAP_CASE("an argument is a ref, a queue id or a Message-ID")
	ref_format(&key, KIT_ID, ref);
	why_terms_of(span_of(ref), &key, arena, &terms);
	CHECK(terms.n == 1 && terms.v[0].kind == WHY_REF &&
	      terms.v[0].id == KIT_ID);
	why_terms_of(SPAN("4Xh2Qk3b9Yz"), &key, arena, &terms);
	CHECK(terms.n == 1 && has_term(&terms, WHY_QUEUE_ID, "4Xh2Qk3b9Yz"));
	why_terms_of(SPAN(" <a@x.example> "), &key, arena, &terms);
	CHECK(terms.n == 1 && has_term(&terms, WHY_MESSAGE_ID, "a@x.example"));
	why_terms_of(SPAN("a@x.example"), &key, arena, &terms);
	CHECK(terms.n == 1 && has_term(&terms, WHY_MESSAGE_ID, "a@x.example"));
	why_terms_of(SPAN("<noat>"), &key, arena, &terms);
	CHECK(has_term(&terms, WHY_MESSAGE_ID, "noat"));
	why_terms_of(SPAN(""), &key, arena, &terms);
	CHECK_INT(terms.n, 0);

	TAP_CASE("without dashes a ref may be a queue id too: the ref is first")
	char bare[REF_TEXT_SIZE];
	size_t n = 0;
	for (size_t i = 0; ref[i]; i++)
		if (ref[i] != '-')
			bare[n++] = ref[i];
	why_terms_of(span_make(bare, n), &key, arena, &terms);
	CHECK(terms.n == 2 && terms.v[0].kind == WHY_REF &&
	      terms.v[1].kind == WHY_QUEUE_ID);

	TAP_CASE("a misread ref is called so, and nothing else")
	ref[3] = ref[3] == 'A' ? 'B' : 'A';
	CHECK(why_is_misread_ref(span_of(ref), &key));
	why_terms_of(span_of(ref), &key, arena, &terms);
	CHECK_INT(terms.n, 0);
	CHECK(!why_is_misread_ref(SPAN("4Xh2Qk3b9Yz"), &key));
	CHECK(!why_is_misread_ref(SPAN(""), &key));
}

/* --- words ------------------------------------------------------------------- */

static struct span
describe(void *arg, struct span name)
{
	(void)arg;
	return span_is(name, "FIRST_CONTACT")
		   ? SPAN("never wrote here \x1b[2J before")
		   : SPAN_NONE;
}

static const char *
text_of(const struct record *r)
{
	struct why_view view = {&key, arena, describe, NULL};
	struct buf out;

	buf_init(&out, arena, 1 << 20);
	why_text(&out, &view, r);
	CHECK(!buf_failed(&out));
	return buf_str(&out);
}

static bool
has(const char *text, const char *part)
{
	if (strstr(text, part))
		return true;
	printf("# no \"%s\" in:\n# %s\n", part, text);
	return false;
}

static void
test_refused(void)
{
	struct record r = kit_record();
	const char *text = text_of(&r);

	TAP_CASE("a refused message is explained in words")
	CHECK(has(text, "  REFUSED (content)   2026-11-24 10:31:07 +0000   mx1"
			"   queue id 4Xh2Qk3b9Yz   policy default\n"));
	CHECK(has(text, "  From      \"Muster\" <invoice@muster.example>    "
			"envelope <bounce-17@mailer.example>\n"));
	CHECK(has(text, "  To        <anna@example.org>, <bert@example.org>    "
			"Message-ID <20261124.93@mailer.example>    212 KB\n"));
	CHECK(has(text, "  Client    out7.mailer.example [203.0.113.9], "));
	CHECK(has(text, "  SPF       pass      mailer.example by "
			"ip4:203.0.113.0/24; not aligned with muster.example"));
	CHECK(has(text, "  DKIM      fail      muster.example (k1): body hash "
			"differs; no\n"));
	CHECK(has(text, "            pass      mailer.example (s2); not "));
	CHECK(has(text, "muster.example publishes p=none: nothing follows"));
	CHECK(has(text, "  Not run   dnsbl:spamhaus-zen: "));
	CHECK(
	    has(text, "  Points    15.900   tag 5, quarantine off, reject 15"));
	CHECK(has(text, "\n     5.500  BAYES_999          99.97 %\n"));
	CHECK(has(text, "\n    -1.000  RCVD_IN_DNSWL_LOW  203.0.113.9\n"));
	CHECK(has(text, "  /etc/assay/rules.d/local.cf:41\n"));
	CHECK(has(text, "Decided   by the sum, 0.900 above reject.\n"));
	CHECK(has(text, "Any one of these turns it into tag: no BAYES_999 "
			"(10.400), no URIBL_DBL_SPAM (11.900), "));
	CHECK(has(text, "  Replied   550 5.7.1 Refused as likely spam\n"));
	CHECK(!strstr(text, "Observed"));

	TAP_CASE("a symbol that hit often says how often; a fraction does not")
	CHECK(has(text, "REPLYTO_DIFFERS    3 times  Reply-To x@free"));
	CHECK(has(text, "PDF_LINK_ONLY                 "));

	TAP_CASE("a symbol without evidence is described, escaped")
	CHECK(has(text, "FIRST_CONTACT      never wrote here \\x1b[2J before"));
}

static void
test_others(void)
{
	struct record r = kit_record();

	TAP_CASE("in observe it says what enforce would have done")
	r.action = SPAN("accept");
	r.mode = SPAN("observe");
	r.reply = SPAN_NONE;
	const char *text = text_of(&r);
	CHECK(has(text, "  ACCEPTED, would be REFUSED (content)   "));
	CHECK(has(text, "Observed  nothing was done; mode = enforce would "
			"have refused it\n"));

	TAP_CASE("mail of a relay: who it was judged by, why not refused")
	r = kit_record();
	r.dir = SPAN("relay");
	r.action = SPAN("tag");
	r.reply = SPAN_NONE;
	r.judged_ip = SPAN("198.51.100.7");
	r.judged_name = SPAN("c.example");
	text = text_of(&r);
	CHECK(has(text, "[203.0.113.9], TLSv1.3; a relay of ours\n"));
	CHECK(has(text, "  Judged by c.example [198.51.100.7]\n"));
	CHECK(has(text, "  Kept back a relay is never refused: from another "
			"client it would have been refused\n"));
	r.judged_ip = r.judged_name = SPAN("");
	CHECK(has(text_of(&r), "  Judged by nobody's address: the relay's "
			       "Received field names none\n"));
	r.judged_ip = SPAN_NONE;
	CHECK(!strstr(text_of(&r), "Judged by"));
	r.mode = SPAN("observe");
	r.action = SPAN("accept");
	CHECK(has(text_of(&r), "nothing was done; from another client mode = "
			       "enforce would have refused it\n"));

	TAP_CASE("DMARC decided: what it says, what the sum says")
	r = kit_record();
	r.by = SPAN("dmarc");
	r.dmarc_policy = SPAN("reject");
	r.score_milli = 6000;
	r.reply = SPAN("550 5.7.26 x");
	text = text_of(&r);
	CHECK(has(text, "  REFUSED (DMARC)   "));
	CHECK(has(text, "publishes p=reject: such mail shall be refused"));
	CHECK(has(text, "by DMARC (auth.dmarc); the sum alone asks for tag."));
	CHECK(has(text, "SPF or DKIM passing for muster.example turns it."));

	TAP_CASE("a message that a list forwarded: why it was not refused")
	r.action = r.would = SPAN("tag");
	r.dmarc_reason = SPAN("mailing_list");
	r.reply = SPAN_NONE;
	text = text_of(&r);
	CHECK(has(text, "TAGGED (DMARC)"));
	CHECK(has(text, "; not refused for it: it came over a mailing list"));

	TAP_CASE("what a comment says of the reason stands in its place")
	r.dmarc_reason = SPAN("local_policy");
	r.dmarc_comment = SPAN("arc=pass as[1].d=\x1b[2J.example");
	text = text_of(&r);
	CHECK(has(text, "; spared: arc=pass as[1].d=\\x1b[2J.example\n"));
	r.dmarc_comment = SPAN_NONE;
	text = text_of(&r);
	CHECK(has(text, "nothing harder is done about it: auth.dmarc says so"));

	TAP_CASE("of several signatures that pass the aligned one is named")
	r = kit_record();
	r.dmarc = SPAN("pass");
	r.dmarc_aligned = SPAN("dkim");
	r.dmarc_domain = SPAN("news.muster.example");
	r.dkim = SPAN("pass:news.muster.example:a:;pass:notmuster.example:b:");
	text = text_of(&r);
	CHECK(has(text, "news.muster.example (a); aligned\n"));
	CHECK(has(text, "notmuster.example (b); not aligned\n"));
	r.dkim = SPAN("pass:muster.example:a:;pass:news.muster.example:b:");
	text = text_of(&r);
	CHECK(has(text, "news.muster.example (b); aligned\n"));
	CHECK(has(text, "  muster.example (a)\n"));
	r.dkim = SPAN("pass:news.muster.example:a:;pass:x.example:b:");
	r.from_domain = SPAN("www.muster.example");
	text = text_of(&r);
	CHECK(has(text, "news.muster.example (a); aligned\n"));

	TAP_CASE("recipients of different policies are listed")
	r = kit_record();
	r.action = r.would = SPAN("tag");
	kit_rcpts[1].action = SPAN("tag");
	text = text_of(&r);
	CHECK(has(text, "  Policies  <anna@example.org> asks for reject\n"));
	CHECK(has(text, "            <bert@example.org> asks for tag\n"));
	CHECK(has(text, "by the policies of several recipients; "));
	kit_rcpts[1].action = SPAN("reject");

	TAP_CASE("accepted mail says what is between it and a tag")
	r = kit_record();
	r.action = r.would = SPAN("accept");
	r.score_milli = 4500;
	r.reply = SPAN_NONE;
	text = text_of(&r);
	CHECK(has(text, "  ACCEPTED   2026"));
	CHECK(has(text, "by the sum, 0.500 below tag.\n"));
	CHECK(has(text, "This alone turns it into tag: no RCVD_IN_DNSWL_LOW"));

	TAP_CASE(
	    "an early refusal has no message: no line for what is not there")
	r = (struct record){.id = KIT_ID,
	    .action = SPAN("tempfail"),
	    .would = SPAN("tempfail"),
	    .by = SPAN("failure"),
	    .reject_milli = INT64_MAX,
	    .tag_milli = INT64_MAX,
	    .quarantine_milli = INT64_MAX,
	    .reply = SPAN("421 4.3.2 Too busy")};
	text = text_of(&r);
	CHECK(has(text, "  DEFERRED (overload)   "));
	CHECK(!strstr(text, "SPF") && !strstr(text, "DKIM") &&
	      !strstr(text, "DMARC"));

	TAP_CASE("nothing hostile reaches the terminal")
	r = kit_hostile();
	struct span shown = span_of(text_of(&r));
	CHECK(span_is_utf8(shown));
	for (size_t i = 0; i < shown.len; i++)
		if (ascii_is_control(shown.p[i]) && shown.p[i] != '\n')
			CHECK(!"a control");
	CHECK(span_find(shown, SPAN("\xc2\x9b"), 0) == SPAN_NPOS);
	CHECK(span_find(shown, SPAN("\xe2\x80\xae"), 0) == SPAN_NPOS);
	CHECK(has(shown.p, "\\x1b[2J\\xc2\\x9b\\x0d\\x0a"));
}

int
main(void)
{
	setenv("TZ", "UTC0", 1);
	tzset();
	arena = arena_new(0);
	test_actions();
	test_turn();
	test_refs_in();
	test_parts();
	test_others_in();
	test_argument();
	test_refused();
	test_others();
	arena_free(arena);
	return tap_done();
}
