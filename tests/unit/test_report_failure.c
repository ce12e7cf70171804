/* DMARC failure reports: as they are kept, redaction, the mail. */
#include "filter/auth/report_failure.h"

#include <stdio.h>
#include <string.h>

#include "tests/lib/tap.h"

static struct arena *arena;

#define FEEDBACK "Feedback-Type: auth-failure\nSPF-DNS: a :\n\t\"b\"\n"
#define HEADERS "From: <00@example.com>\n"
#define KEPT                                                                   \
	"example.com a.example.com 192.0.2.1 1790000000\n" FEEDBACK "\n" HEADERS

static void
test_kept(void)
{
	struct report_failure in = {
	    .domain = SPAN("example.com"),
	    .from_domain = SPAN("a.example.com"),
	    .ip = {4, {192, 0, 2, 1}},
	    .time = 1790000000,
	    .feedback = SPAN(FEEDBACK),
	    .headers = SPAN(HEADERS),
	};
	struct report_failure out;
	struct buf text;

	TAP_CASE("what is kept comes back as it was");
	buf_init(&text, arena, 10000);
	CHECK_INT(report_failure_write(&in, &text), 0);
	CHECK_STR(buf_span(&text), KEPT);
	CHECK_INT(report_failure_read(&out, buf_span(&text)), 0);
	CHECK_STR(out.domain, "example.com");
	CHECK_STR(out.from_domain, "a.example.com");
	CHECK(ip_eq(&out.ip, &in.ip));
	CHECK_INT(out.time, 1790000000);
	CHECK_STR(out.feedback, FEEDBACK);
	CHECK_STR(out.headers, HEADERS);

	TAP_CASE("4096 bytes and no more");
	char large[REPORT_FAILURE_MAX];
	memset(large, 'x', sizeof large);
	in.headers = span_make(
	    large, sizeof large - (sizeof KEPT - 1) + sizeof HEADERS - 1);
	buf_init(&text, arena, 10000);
	CHECK_INT(report_failure_write(&in, &text), 0);
	CHECK_INT(text.len, REPORT_FAILURE_MAX);
	in.headers.len++;
	buf_init(&text, arena, 10000);
	CHECK_INT(report_failure_write(&in, &text), ERR_LIMIT);
}

/* Everything in the store goes into a mail: nothing else may stand there. */
static const struct {
	const char *claim, *value;
} damaged[] = {
    {"nothing", ""},
    {"the first line alone", "example.com example.com 192.0.2.1 1\n"},
    {"no empty line", "example.com example.com 192.0.2.1 1\nA: b\nC: d\n"},
    {"a domain that is none", "ex/ample example.com 192.0.2.1 1\nA: b\n\n"},
    {"a From domain that is none", "example.com .. 192.0.2.1 1\nA: b\n\n"},
    {"an address that is none", "example.com example.com x 1\nA: b\n\n"},
    {"a time that is none", "example.com example.com 192.0.2.1 x\nA: b\n\n"},
    {"a time before 1970", "example.com example.com 192.0.2.1 -1\nA: b\n\n"},
    {"more in the first line",
	"example.com example.com 192.0.2.1 1 2\nA: b\n\n"},
    {"a second empty line",
	"example.com example.com 192.0.2.1 1\nA: b\n\nC: d\n\nE: f\n"},
    {"a boundary", "example.com example.com 192.0.2.1 1\nA: b\n\n--=_x\n"},
    {"a CR", "example.com example.com 192.0.2.1 1\nA: b\r\n\nC: d\n"},
    {"an escape", "example.com example.com 192.0.2.1 1\nA: \x1b[m\n\nC: d\n"},
    {"8-bit bytes", "example.com example.com 192.0.2.1 1\nA: \xe4\n\nC: d\n"},
    {"a last line without its end",
	"example.com example.com 192.0.2.1 1\nA: b\n\nC: d"},
};

static void
test_damaged(void)
{
	struct report_failure out;

	for (size_t i = 0; i < sizeof damaged / sizeof *damaged; i++) {
		TAP_CASE(damaged[i].claim);
		CHECK_INT(report_failure_read(&out, span_of(damaged[i].value)),
		    ERR_SYNTAX);
	}
	TAP_CASE("a message of which no field was kept");
	CHECK_INT(report_failure_read(&out,
		      SPAN("example.com example.com 192.0.2.1 1\nA: b\n\n")),
	    0);
	CHECK_INT(out.headers.len, 0);
}

static void
test_redact(void)
{
	const struct span key = SPAN("0123456789abcdef0123456789abcdef");
	char a[REPORT_REDACTED_SIZE], b[REPORT_REDACTED_SIZE];

	TAP_CASE("24 digits that are the same each time");
	report_redact(key, SPAN("joe"), SPAN("example.com"), a);
	report_redact(key, SPAN("JOE"), SPAN("Example.Com"), b);
	CHECK_INT(strlen(a), 24);
	CHECK_INT(strspn(a, "0123456789abcdef"), 24);
	CHECK_STR(span_of(b), a);

	TAP_CASE("another mailbox, domain, key, or cut has others");
	report_redact(key, SPAN("jo"), SPAN("example.com"), b);
	CHECK(strcmp(a, b) != 0);
	report_redact(key, SPAN("joe"), SPAN("example.net"), b);
	CHECK(strcmp(a, b) != 0);
	report_redact(SPAN("x"), SPAN("joe"), SPAN("example.com"), b);
	CHECK(strcmp(a, b) != 0);
	report_redact(key, SPAN("joee"), SPAN("xample.com"), b);
	CHECK(strcmp(a, b) != 0);
}

static void
test_name(void)
{
	struct report_failure f = {.domain = SPAN("example.com"),
	    .from_domain = SPAN("a.example.com"),
	    .ip = {4, {192, 0, 2, 1}}};
	char a[REPORT_FAILURE_NAME_SIZE], b[REPORT_FAILURE_NAME_SIZE];

	TAP_CASE("failures differ by client and domains, not by time");
	report_failure_name(&f, SPAN("x"), SPAN("y"), a);
	f.time = 5;
	report_failure_name(&f, SPAN("x"), SPAN("y"), b);
	CHECK_STR(span_of(b), a);
	report_failure_name(&f, SPAN("xy"), SPAN(""), b);
	CHECK(strcmp(a, b) != 0);
	f.ip.bytes[3] = 2;
	report_failure_name(&f, SPAN("x"), SPAN("y"), b);
	CHECK(strcmp(a, b) != 0);
}

static void
test_mail(void)
{
	struct report_failure f;
	struct report_failure_mail mail = {
	    .from = SPAN("reports@example.net"),
	    .to = SPAN("ruf@example.com"),
	    .submitter = SPAN("example.net"),
	    .unique = SPAN("1.ab"),
	    .incidents = 1,
	    .date = 1790000060,
	    .failure = &f,
	};
	struct buf out;

	TAP_CASE("the mail is a multipart/report of three parts");
	CHECK_INT(report_failure_read(&f, SPAN(KEPT)), 0);
	buf_init(&out, arena, 100000);
	CHECK_INT(report_failure_mail_write(&mail, &out), 0);
	const char *text = buf_str(&out);
	CHECK(strstr(text, "Date: Mon, 21 Sep 2026 14:14:20 +0000\n"));
	CHECK(strstr(text, "\nMessage-ID: <1.ab@example.net>\n"));
	CHECK(
	    strstr(text, "report-type=feedback-report;\n\tboundary=\"=_1.ab"));
	CHECK(strstr(text, "\n--=_1.ab\nContent-Type: message/feedback-report\n"
			   "\n" FEEDBACK "Arrival-Date: Mon, 21 Sep 2026 "));
	CHECK(strstr(text,
	    "\n--=_1.ab\nContent-Type: text/rfc822-headers\n\n" HEADERS
	    "\n--=_1.ab--\n"));
	CHECK(!strstr(text, "Incidents"));

	TAP_CASE("several messages are said");
	mail.incidents = 5;
	buf_init(&out, arena, 100000);
	CHECK_INT(report_failure_mail_write(&mail, &out), 0);
	CHECK(strstr(buf_str(&out), "\nIncidents: 5\n"));

	TAP_CASE("too little room is an error");
	buf_init(&out, arena, 100);
	CHECK_INT(report_failure_mail_write(&mail, &out), ERR_LIMIT);
}

int
main(void)
{
	arena = arena_new(0);
	test_kept();
	test_damaged();
	test_redact();
	test_name();
	test_mail();
	arena_free(arena);
	return tap_done();
}
