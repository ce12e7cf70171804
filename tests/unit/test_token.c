/* A message becomes tokens: each once, marked by where it stands, bounded, and
 * never what somebody wrote as a verdict. */
#include "filter/learn/token.h"

#include <stdlib.h>

#include "filter/base/buf.h"
#include "filter/learn/token_words.h"
#include "tests/lib/tap.h"

static struct arena *arena;

static const struct token_list *
read_message(struct span text)
{
	struct message_options options = message_options_default();
	struct token_list *list = arena_zalloc(arena, sizeof *list);

	options.memory_max = SIZE_MAX / 2;
	struct message *m = message_new(arena, &options);
	CHECK_INT(message_read(m, text), 0);
	CHECK_INT(token_read(m, arena, list), 0);
	return list;
}

static int
count(const struct token_list *list, const char *token)
{
	int n = 0;

	for (size_t i = 0; i < list->n; i++)
		n += span_is(list->v[i], token);
	return n;
}

static int
count_starting(const struct token_list *list, const char *prefix)
{
	int n = 0;

	for (size_t i = 0; i < list->n; i++)
		n += span_starts(list->v[i], span_of(prefix));
	return n;
}

/* --- words ----------------------------------------------------------------------- */

/* The words of a text with "|" behind each. */
static struct span
words_of(struct span text, bool fold)
{
	struct token_words words;
	struct span word;
	struct buf buf;

	buf_init(&buf, arena, SIZE_MAX / 2);
	token_words_init(&words, text, fold);
	while (token_words_next(&words, &word)) {
		buf_add_span(&buf, word);
		buf_add_char(&buf, '|');
	}
	return buf_span(&buf);
}

static void
test_words(void)
{
	static const struct {
		const char *claim, *text, *want;
	} cases[] = {
	    {"blanks and marks end words", "Buy now! (really)",
		"buy|now|really|"},
	    {"single marks inside a word are of it",
		"don't e-mail me@example.com 1,000 $9.99 foo_bar",
		"don't|e-mail|me@example.com|1,000|$9.99|foo_bar|"},
	    {"marks at the ends and double ones are not",
		"-a- .b. c--d e... 'f'", "a|b|c|d|e|f|"},
	    {"letters are folded: ASCII, Latin, Greek, Cyrillic",
		"ABC \xc3\x84\xc3\x96 \xce\x91\xce\xa9 \xd0\x90\xd0\xaf \xd0\x81",
		"abc|\xc3\xa4\xc3\xb6|\xce\xb1\xcf\x89|\xd0\xb0\xd1\x8f|"
		"\xd1\x91|"},
	    {"letters of full width are letters",
		"\xef\xbc\xb6\xef\xbd\x89\xef\xbd\x81", "via|"},
	    {"what has no width hides nothing",
		"vi\xe2\x80\x8b"
		"ag\xc2\xad"
		"ra",
		"viagra|"},
	    {"a typographic apostrophe is one", "don\xe2\x80\x99t", "don't|"},
	    {"Han and Thai letters are words by themselves",
		"\xe4\xb8\xad\xe6\x96\x87 a\xe0\xb8\x81",
		"\xe4\xb8\xad|\xe6\x96\x87|a|\xe0\xb8\x81|"},
	    {"no-break spaces and dashes end words",
		"a\xc2\xa0"
		"b\xe2\x80\x94"
		"c",
		"a|b|c|"},
	    {"links are passed over", "see http://a.example/b?c=d now",
		"see|now|"},
	    {"a scheme that nothing follows ends the text", "x ftp://", "x|"},
	    {"long numbers are known by their digits",
		"1234 12345 1234567 192.0.2.1", "1234|#5|#7|192.0.2.1|"},
	    {"long words are known by their length",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa "
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa|~64|"},
	    {"bytes that are no UTF-8 end words",
		"a\xff"
		"b\xc3",
		"a|b|"},
	    {"nothing has no words", "", ""},
	    {"marks alone are no words", "-- ... !?", ""},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		TAP_CASE(cases[i].claim)
		CHECK_STR(
		    words_of(span_of(cases[i].text), true), cases[i].want);
	}
	TAP_CASE("header words keep their case")
	CHECK_STR(words_of(SPAN("PHPMailer ABC"), false), "PHPMailer|ABC|");
	TAP_CASE("NUL ends a word")
	CHECK_STR(words_of(SPAN("a\0b"), false), "a|b|");
}

/* --- messages ---------------------------------------------------------------------- */

static void
test_fields(void)
{
	const struct token_list *list = read_message(
	    SPAN("Received: from mx.example.net (mx.example.net [192.0.2.77])\n"
		 "\tby us.example.org (Postfix) with ESMTP id 4XyZ\n"
		 "\tfor <me@example.org>; Tue, 24 Nov 2026 10:00:00 +0100\n"
		 "Received: from [IPv6:2001:db8:1:2::3] by x.example.com\n"
		 "From: \"A Person\" <a.person@example.com>\n"
		 "Subject: =?utf-8?q?Cheap_Watches?=\n"
		 "Date: Tue, 24 Nov 2026 10:00:00 +0800\n"
		 "Message-ID: <20261124.abc.99@host.example>\n"
		 "DKIM-Signature: v=1; d=example.com; s=sel; b=AAAABBBB\n"
		 "X-Mailer: PHPMailer\n\nhello\n"));

	TAP_CASE("words of a field are marked with its name")
	CHECK_INT(count(list, "hdr:x-mailer=PHPMailer"), 1);
	CHECK_INT(count(list, "hdr:from=a.person@example.com"), 1);
	CHECK_INT(count(list, "hdr:from=@example.com"), 1);
	TAP_CASE("encoded words are read, pairs are made of the subject")
	CHECK_INT(count(list, "hdr:subject=Cheap"), 1);
	CHECK_INT(count(list, "hdr:subject=Cheap Watches"), 1);
	TAP_CASE("that a field is there is a token")
	CHECK_INT(count(list, "hdr:x-mailer"), 1);
	TAP_CASE("addresses of relays are known with their networks")
	CHECK_INT(count(list, "hdr:received=192.0.2.77"), 1);
	CHECK_INT(count(list, "hdr:received=192.0.2.0/24"), 1);
	CHECK_INT(count(list, "hdr:received=192.0.0.0/16"), 1);
	CHECK_INT(count(list, "hdr:received=2001:db8:1:2::/64"), 1);
	CHECK_INT(count(list, "hdr:received=.example.net"), 1);
	TAP_CASE("queue ids, recipients and times of relays are not read")
	CHECK_INT(count(list, "hdr:received=4XyZ"), 0);
	CHECK_INT(count(list, "hdr:received=me@example.org"), 0);
	CHECK_INT(count(list, "hdr:received=Nov"), 0);
	TAP_CASE("of a date the zone is read, of an id its shape and host")
	CHECK_INT(count(list, "hdr:date=+0800"), 1);
	CHECK_INT(count(list, "hdr:date=2026"), 0);
	CHECK_INT(count(list, "hdr:message-id=<0.a.0"), 1);
	CHECK_INT(count(list, "hdr:message-id=host.example"), 1);
	TAP_CASE("of a signature the domain and selector are read")
	CHECK_INT(count(list, "hdr:dkim-signature=example.com"), 1);
	CHECK_INT(count(list, "hdr:dkim-signature=sel"), 1);
	CHECK_INT(count(list, "hdr:dkim-signature=AAAABBBB"), 0);
}

static void
test_verdicts(void)
{
	static const char *const names[] = {"X-Spam-Status", "X-Spam-Flag",
	    "x-spam", "X-Assay-Score", "X-Virus-Scanned", "X-Virus-Status",
	    "X-Bogosity", "X-Rspamd-Score", "X-Rspam-User",
	    "X-MailScanner-From", "X-Barracuda-Spam-Score", "X-DSPAM-Result",
	    "X-Proofpoint-Spam-Details", "X-Amavis-Alert",
	    "X-Forefront-Antispam-Report", "X-MS-Exchange-Organization-SCL",
	    "X-Antispam", "X-Ham-Report", "X-IronPort-AV", "X-Phishing",
	    "Authentication-Results", "ARC-Authentication-Results", "ARC-Seal",
	    "Received-SPF", "Status", "X-Status", "X-Keywords", "X-UID",
	    "X-Mozilla-Status", "X-Evolution", "X-Gmail-Labels", "Return-Path",
	    "Delivered-To", "X-Original-To", "Envelope-To", "Content-Length",
	    "Lines"};

	TAP_CASE("verdicts and marks of mailboxes never are tokens")
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		struct span text = arena_printf(arena,
		    "%s: sentinel\nSubject: x\n%s : sentinel\n\nbody\n",
		    names[i], names[i]);
		const struct token_list *list = read_message(text);
		struct span name =
		    arena_lower(arena, arena_printf(arena, "hdr:%s", names[i]));
		CHECK_INT(count_starting(list, arena_cstr(arena, name)), 0);
	}
	TAP_CASE("a message is the same tokens with and without them")
	const struct token_list *with = read_message(
	    SPAN("X-Spam-Status: Yes\nReturn-Path: <a@example.com>\n"
		 "Subject: x\n\nbody\n"));
	const struct token_list *without =
	    read_message(SPAN("Subject: x\n\nbody\n"));
	CHECK_INT(with->n, without->n);
	for (size_t i = 0; i < with->n && i < without->n; i++)
		CHECK_SPAN(with->v[i], without->v[i]);
}

static void
test_body(void)
{
	const struct token_list *list = read_message(
	    SPAN("Subject: x\nMIME-Version: 1.0\n"
		 "Content-Type: multipart/mixed; boundary=b\n\n"
		 "--b\nContent-Type: text/plain; charset=utf-8\n"
		 "Content-Transfer-Encoding: base64\n\n"
		 "V2lyZSB0cmFuc2ZlciBub3csIHdpcmUgdHJhbnNmZXIgbm93\n"
		 "--b\nContent-Type: text/html\n\n"
		 "<p>Click <a href=\"http://www.bit.example/win/now?id=1\">"
		 "here</a><span style=\"display:none\">secretword</span>\n"
		 "--b\nContent-Type: application/zip; name=\"Invoice.ZIP\"\n"
		 "Content-Transfer-Encoding: base64\n\nUEsDBA==\n--b--\n"));

	TAP_CASE("each token stands once")
	CHECK_INT(count(list, "wire"), 1);
	CHECK_INT(count(list, "wire transfer"), 1);
	CHECK_INT(count(list, "now wire"), 1);
	TAP_CASE("text that nobody sees is not read, that there is some is")
	CHECK_INT(count(list, "click"), 1);
	CHECK_INT(count(list, "secretword"), 0);
	CHECK_INT(count(list, "html:hidden"), 1);
	TAP_CASE("links are known by host, domain and words of their path")
	CHECK_INT(count(list, "url:www.bit.example"), 1);
	CHECK_INT(count(list, "url:bit.example"), 1);
	CHECK_INT(count(list, "path:win"), 1);
	TAP_CASE("structure: types, character sets, names of files")
	CHECK_INT(count(list, "mime:multipart/mixed"), 1);
	CHECK_INT(count(list, "mime:application/zip"), 1);
	CHECK_INT(count(list, "charset:utf-8"), 1);
	CHECK_INT(count(list, "encoding:base64"), 1);
	CHECK_INT(count(list, "file:Invoice.ZIP"), 1);
	CHECK_INT(count(list, "file:.zip"), 1);
}

static bool
well_formed(const struct token_list *list)
{
	for (size_t i = 0; i < list->n; i++) {
		struct span t = list->v[i];
		if (t.len == 0 || t.len > 48 + 2 * TOKEN_MAX_BYTES + 1)
			return false;
		for (size_t k = 0; k < t.len; k++)
			if (ascii_is_control(t.p[k]))
				return false;
	}
	return true;
}

static void
test_hostile(void)
{
	struct buf buf;

	TAP_CASE("tokens hold no controls, whatever fields and names hold")
	const struct token_list *list = read_message(
	    SPAN("X-A\1B: c\x1b[31m\0d\n"
		 "Content-Type: text/\x1bplain; name=\"a\x1b\r.exe\"\n"
		 "Message-ID: <\x1b\2\3>\nDate: +\x1b[0m\n\n\x1b[2J x\n"));
	CHECK(well_formed(list));

	TAP_CASE("padding of the text leaves room for what else there is")
	buf_init(&buf, arena, SIZE_MAX / 2);
	buf_add_str(&buf, "Subject: offer\n\nhttp://pay.example.com/ ");
	for (int i = 0; i < 60000; i++)
		buf_printf(&buf, "word%c%d ", 'a' + i % 26, i);
	list = read_message(buf_span(&buf));
	CHECK(list->n > 1000 && list->n < 2500);
	CHECK_INT(count(list, "hdr:subject=offer"), 1);
	CHECK_INT(count(list, "mime:text/plain"), 1);
	CHECK_INT(count(list, "url:pay.example.com"), 1);

	TAP_CASE("many fields and many words in one are bounded")
	buf_init(&buf, arena, SIZE_MAX / 2);
	for (int i = 0; i < 9000; i++)
		buf_printf(&buf, "X-Field-%d: a%d b%d c%d\n", i, i, i, i);
	buf_add_str(&buf, "Subject: behind them\n\nbody words\n");
	list = read_message(buf_span(&buf));
	CHECK_INT(count(list, "hdr:subject=behind"), 1);
	CHECK(list->n < 2000);
	CHECK_INT(count(list, "body"), 1);
	CHECK(well_formed(list));

	TAP_CASE("an empty message has few tokens and no failure")
	list = read_message(SPAN(""));
	CHECK(list->n < 10);

	TAP_CASE("without memory it says so")
	struct arena *small = arena_new(20000);
	struct message_options options = message_options_default();
	struct message *m = message_new(small, &options);
	struct token_list tokens;
	CHECK_INT(message_read(m, SPAN("Subject: a b c\n\nd e f\n")), 0);
	arena_fail(small);
	CHECK_INT(token_read(m, small, &tokens), ERR_NOMEM);
	arena_free(small);
}

int
main(void)
{
	arena = arena_new(0);
	test_words();
	test_fields();
	test_verdicts();
	test_body();
	test_hostile();
	arena_free(arena);
	return tap_done();
}
