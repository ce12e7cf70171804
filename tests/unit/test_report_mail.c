/* The mail that carries a report, its names, gzip, and bounces of it. */
#include "filter/auth/report_mail.h"

#include <stdlib.h>

#include "tests/lib/tap.h"

static const struct report_secret secret = {{1, 2, 3}};
static const struct report_secret other = {{1, 2, 4}};

static void
test_names(void)
{
	char one[REPORT_HANDLE_SIZE], two[REPORT_HANDLE_SIZE];
	char unique[REPORT_UNIQUE_SIZE], again[REPORT_UNIQUE_SIZE];

	TAP_CASE("a handle is of day, domain and address, in any case");
	report_handle(20000, SPAN("example.com"), SPAN("d@example.com"), one);
	report_handle(20000, SPAN("EXAMPLE.com"), SPAN("D@example.com"), two);
	CHECK_STR(span_of(one), two);
	CHECK(span_starts(span_of(one), SPAN("20000.")));
	report_handle(20001, SPAN("example.com"), SPAN("d@example.com"), two);
	CHECK(!span_is(span_of(one), two));
	report_handle(20000, SPAN("example.org"), SPAN("d@example.com"), two);
	CHECK(!span_is(span_of(one), two));
	report_handle(20000, SPAN("example.com"), SPAN("e@example.com"), two);
	CHECK(!span_is(span_of(one), two));

	TAP_CASE("two sites tell their reports apart, one says the same again");
	report_unique(&secret, 20000, SPAN("example.com"), unique);
	CHECK_INT(strlen(unique), 16);
	report_unique(&secret, 20000, SPAN("example.com"), again);
	CHECK_STR(span_of(again), unique);
	report_unique(&other, 20000, SPAN("example.com"), again);
	CHECK(!span_is(span_of(again), unique));
}

static void
test_hmac(void)
{
	/* RFC 4231 has keys of other lengths; this is Python's hmac.new(
	 * bytes([1, 2, 3]) + bytes(29), b"20000.x.y", "sha256"). */
	char token[REPORT_TOKEN_SIZE];

	TAP_CASE(
	    "the MAC is the HMAC-SHA-256 of the handle, its first 96 bits");
	report_token(&secret, "20000.x.y", token);
	CHECK_STR(span_of(token), "20000.x.y.c8666cd8b7743962774bfcb4");
}

static void
test_tokens(struct arena *a)
{
	char handle[REPORT_HANDLE_SIZE], token[REPORT_TOKEN_SIZE];
	char got[REPORT_HANDLE_SIZE];
	struct span id;

	report_handle(
	    20000, SPAN("example.com"), SPAN("d@example.com"), handle);
	report_token(&secret, handle, token);
	TAP_CASE("our Message-ID is known again, with brackets and without");
	id = arena_printf(a, "<%s@mx.example.org>", token);
	CHECK_INT(report_token_read(&secret, id, got), 0);
	CHECK_STR(span_of(got), handle);
	CHECK_INT(report_token_read(&secret, span_of(token), got), 0);
	id = arena_printf(a, " <%s@other.example> ", token);
	CHECK_INT(report_token_read(&secret, id, got), 0);

	TAP_CASE("one made under another secret is refused");
	CHECK_INT(report_token_read(&other, id, got), ERR_ACCESS);

	TAP_CASE("one with a byte changed is refused, wherever");
	for (size_t i = 0; token[i]; i++) {
		char was = token[i];
		token[i] = was == '1' ? '2' : '1';
		if (!CHECK(
			report_token_read(&secret, span_of(token), got) != 0))
			break;
		token[i] = was;
	}
	TAP_CASE("one that is cut off is refused, wherever");
	for (size_t n = 0; n < strlen(token); n++)
		if (!CHECK(report_token_read(
			       &secret, span_make(token, n), got) != 0))
			break;
	TAP_CASE("other Message-IDs have no such form");
	CHECK_INT(report_token_read(&secret, SPAN("<x@y>"), got), ERR_SYNTAX);
	CHECK_INT(report_token_read(&secret, SPAN("<>"), got), ERR_SYNTAX);
	CHECK_INT(report_token_read(&secret, SPAN_NONE, got), ERR_SYNTAX);
	CHECK_INT(report_token_read(&secret, SPAN("."), got), ERR_SYNTAX);
	struct buf large;
	buf_init(&large, a, 70000);
	for (int i = 0; i < 60000; i++)
		buf_add_char(&large, '1');
	buf_add_str(&large, ".2");
	CHECK_INT(
	    report_token_read(&secret, buf_span(&large), got), ERR_SYNTAX);
}

static const char mail_want[] =
    "Date: Tue, 24 Nov 2026 00:30:00 +0000\n"
    "From: reports@mx.example.org\n"
    "To: d@example.com\n"
    "Subject: Report Domain: example.com\n"
    "\tSubmitter: mx.example.org\n"
    "\tReport-ID: <1.u.example.com@mx.example.org>\n"
    "Message-ID: <h.m@mx.example.org>\n"
    "Auto-Submitted: auto-generated\n"
    "MIME-Version: 1.0\n"
    "Content-Type: multipart/mixed; boundary=\"=_u\"\n"
    "\n";
static const char part_want[] =
    "--=_u\n"
    "Content-Type: application/gzip; "
    "name=\"mx.example.org!example.com!1763856000!1763942399!u.xml.gz\"\n"
    "Content-Transfer-Encoding: base64\n"
    "Content-Disposition: attachment;\n"
    "\tfilename=\"mx.example.org!example.com!1763856000!1763942399!u"
    ".xml.gz\"\n"
    "\n";

static void
test_mail(struct arena *a)
{
	char bytes[100] = {0};
	struct report_mail mail = {
	    .from = SPAN("reports@mx.example.org"),
	    .to = SPAN("d@example.com"),
	    .submitter = SPAN("mx.example.org"),
	    .domain = SPAN("example.com"),
	    .report_id = SPAN("1.u.example.com@mx.example.org"),
	    .unique = "u",
	    .token = "h.m",
	    .begin = 1763856000,
	    .end = 1763942399,
	    .date = 1795480200,
	    .packed = {bytes, sizeof bytes},
	};
	struct buf out;

	TAP_CASE("the mail is the one of RFC 9990 section 3.5.2");
	buf_init(&out, a, 65536);
	CHECK_INT(report_mail_write(&mail, &out), 0);
	CHECK_SPAN(span_head(buf_span(&out), sizeof mail_want - 1),
	    span_of(mail_want));
	CHECK(span_find(buf_span(&out), span_of(part_want), 0) != SPAN_NPOS);
	CHECK(span_ends(buf_span(&out), SPAN("\n--=_u--\n")));
	TAP_CASE("no line of it is longer than 78 columns but file names");
	struct span rest = buf_span(&out), line;
	while (span_line(&rest, &line))
		CHECK(line.len <= 78 ||
		      span_find(line, SPAN("name="), 0) != SPAN_NPOS);
	TAP_CASE("a mail that does not fit is ERR_LIMIT");
	buf_init(&out, a, 500);
	CHECK_INT(report_mail_write(&mail, &out), ERR_LIMIT);
}

static void
test_pack(struct arena *a)
{
	struct report_texts texts = {0};
	struct buf text, one, two;
	struct err err;

	TAP_CASE("gzip of a text is read back, and is the same each time");
	buf_init(&text, a, 1 << 20);
	buf_add_str(&text, "<feedback>");
	for (int i = 0; i < 20000; i++)
		buf_printf(&text, "%d ", i * 7919);
	buf_init(&one, a, 1 << 20);
	buf_init(&two, a, 1 << 20);
	CHECK_INT(report_pack(buf_span(&text), &one), 0);
	CHECK_INT(report_pack(buf_span(&text), &two), 0);
	CHECK_SPAN(buf_span(&one), buf_span(&two));
	CHECK(one.len < text.len / 2);
	CHECK_SPAN(
	    span_skip(span_head(buf_span(&one), 8), 4), SPAN("\0\0\0\0"));
	CHECK_INT(report_unpack(&texts, buf_span(&one), a, &err), 0);
	if (CHECK_INT(texts.n, 1))
		CHECK_SPAN(texts.v[0], buf_span(&text));
	TAP_CASE("gzip that does not fit is ERR_LIMIT");
	buf_init(&one, a, 100);
	CHECK_INT(report_pack(buf_span(&text), &one), ERR_LIMIT);
}

/* --- bounces -------------------------------------------------------------------- */

#define HEAD                                                                   \
	"From: MAILER-DAEMON@x.example\nMIME-Version: 1.0\n"                   \
	"Content-Type: multipart/report; report-type=delivery-status;"         \
	" boundary=b\n\n--b\nContent-Type: text/plain\n\nSorry.\n"
#define STATUS(fields)                                                         \
	"--b\nContent-Type: message/delivery-status\n\n"                       \
	"Reporting-MTA: dns; x.example\n\n" fields "\n"
#define RETURNED                                                               \
	"--b\nContent-Type: text/rfc822-headers\n\n"                           \
	"From: reports@mx.example.org\nMessage-ID:\n <1.2.3.4@x>\n\n"
#define FAILED "Final-Recipient: rfc822; d@x\nAction: failed\nStatus: 5.1.1\n"

static const struct {
	const char *claim;
	struct span text;
	int rc;
	bool permanent;
	const char *message_id;
} bounces[] = {
    {"a failure for good", SPAN(HEAD STATUS(FAILED) RETURNED "--b--\n"), 0,
	true, "<1.2.3.4@x>"},
    {"with the whole mail",
	SPAN(HEAD STATUS(FAILED) "--b\nContent-Type: message/rfc822\n\n"
				 "Message-ID: <1.2.3.4@x>\n\nbody\n--b--\n"),
	0, true, "<1.2.3.4@x>"},
    {"fields in any case, with comments",
	SPAN(HEAD STATUS("ACTION: Failed (sorry)\nSTATUS: 5.1.1 (no user)\n")
		RETURNED "--b--\n"),
	0, true, "<1.2.3.4@x>"},
    {"a delay",
	SPAN(
	    HEAD STATUS("Action: delayed\nStatus: 4.4.1\n") RETURNED "--b--\n"),
	0, false, "<1.2.3.4@x>"},
    {"a failure with a temporary status",
	SPAN(HEAD STATUS("Action: failed\nStatus: 4.4.7\n") RETURNED "--b--\n"),
	0, false, "<1.2.3.4@x>"},
    {"a receipt",
	SPAN(HEAD STATUS("Action: delivered\nStatus: 2.0.0\n") RETURNED
	    "--b--\n"),
	0, false, "<1.2.3.4@x>"},
    {"no status", SPAN(HEAD STATUS("Action: failed\n") RETURNED "--b--\n"), 0,
	false, "<1.2.3.4@x>"},
    {"nothing that came back", SPAN(HEAD STATUS(FAILED) "--b--\n"), 0, true,
	NULL},
    {"the Message-ID of the notification is not the one that counts",
	SPAN("Message-ID: <9.9.9.9@x>\n" HEAD STATUS(FAILED) "--b--\n"), 0,
	true, NULL},
    {"what stands before the status is not what came back",
	SPAN(HEAD RETURNED STATUS(FAILED) "--b--\n"), 0, true, NULL},
    {"cut off", SPAN(HEAD STATUS(FAILED) RETURNED), 0, true, "<1.2.3.4@x>"},
    {"a mail", SPAN("From: me\n\nhello\n"), ERR_SYNTAX, false, NULL},
    {"nothing", SPAN(""), ERR_SYNTAX, false, NULL},
    {"a status in a text is none", SPAN("Content-Type: text/plain\n\n" FAILED),
	ERR_SYNTAX, false, NULL},
};

static void
test_bounces(struct arena *a)
{
	for (size_t i = 0; i < sizeof bounces / sizeof *bounces; i++) {
		struct report_bounce got;
		struct err err;
		tap_case(bounces[i].claim);
		CHECK_INT(report_bounce_read(&got, bounces[i].text, a, &err),
		    bounces[i].rc);
		if (bounces[i].rc)
			continue;
		CHECK_INT(got.permanent, bounces[i].permanent);
		CHECK_STR(got.message_id,
		    bounces[i].message_id ? bounces[i].message_id : "");
	}
}

int
main(void)
{
	struct arena *a = arena_new(0);

	test_names();
	test_hmac();
	test_tokens(a);
	test_mail(a);
	test_pack(a);
	test_bounces(a);
	arena_free(a);
	return tap_done();
}
