/* Reports out of archives and mails, and archives that are refused. */
#include <stdio.h>
#include <string.h>

#include "filter/auth/report.h"
#include "filter/base/codec.h"
#include "tests/lib/tap.h"
#include "tests/unit/reportkit.h"

static struct arena *arena;
static struct err err;

static int
unpack(struct span file, struct report_texts *ret)
{
	memset(ret, 0xee, sizeof *ret);
	memset(&err, 0, sizeof err);
	return report_unpack(ret, file, arena, &err);
}

static struct span
decoded(const char *base64)
{
	struct buf out;

	buf_init(&out, arena, SIZE_MAX / 4);
	if (codec_base64_strict(&out, span_of(base64)))
		return SPAN_NONE;
	return buf_span(&out);
}

/* --- archives ----------------------------------------------------------------------- */

static const struct {
	const char *claim, *base64;
	int rc;
	size_t n; /* texts, each PACKED */
	const char *why;
} archive_cases[] = {
    {"gzip", KIT_GZIP, 0, 1, ""},
    {"gzip of two members", KIT_GZIP_MEMBERS, 0, 1, ""},
    {"zip", KIT_ZIP, 0, 1, ""},
    {"zip, stored, whatever the name", KIT_ZIP_STORED, 0, 1, ""},
    {"zip with a folder, another text, and two reports", KIT_ZIP_TWO, 0, 2, ""},
    {"a gzip cut off", KIT_GZIP_CUT, ERR_SYNTAX, 0, "broken archive"},
    {"gzip in gzip is not followed (row 51)", KIT_GZIP_IN_GZIP, ERR_SYNTAX, 0,
	"inside an archive"},
    {"zip in gzip is not followed", KIT_ZIP_IN_GZIP, ERR_SYNTAX, 0,
	"inside an archive"},
    {"gzip in zip is not followed", KIT_GZIP_IN_ZIP, ERR_SYNTAX, 0,
	"inside an archive"},
    {"bzip2 in zip is no report's", KIT_ZIP_BZIP2, ERR_SYNTAX, 0, "unusual"},
    {"LZMA in zip, which takes what memory it says, neither", KIT_ZIP_LZMA,
	ERR_SYNTAX, 0, "unusual"},
    {"an encrypted zip", KIT_ZIP_ENCRYPTED, ERR_SYNTAX, 0, "archive"},
    {"a zip without a report", KIT_ZIP_NOTHING, ERR_SYNTAX, 0, "no report"},
    {"an empty zip", KIT_ZIP_EMPTY, ERR_SYNTAX, 0, "archive"},
    {"17 files in a zip", KIT_ZIP_MANY, ERR_LIMIT, 0, "16 files"},
};

static void
test_archives(void)
{
	struct report_texts texts;

	for (size_t i = 0; i < sizeof archive_cases / sizeof *archive_cases;
	     i++) {
		TAP_CASE(archive_cases[i].claim);
		int rc = unpack(decoded(archive_cases[i].base64), &texts);
		if (!CHECK_INT(rc, archive_cases[i].rc) ||
		    !CHECK(strstr(err.text, archive_cases[i].why)))
			printf("# %s\n", err.text);
		if (rc == 0 && CHECK_INT(texts.n, archive_cases[i].n))
			for (size_t k = 0; k < texts.n; k++)
				CHECK_STR(texts.v[k], PACKED);
		arena_reset(arena);
	}

	TAP_CASE("16 files in a zip");
	CHECK_INT(unpack(decoded(KIT_ZIP_FULL), &texts), 0);
	CHECK_INT(texts.n, 16);

	TAP_CASE("an archive cut anywhere is an error and no crash");
	struct span zip = decoded(KIT_ZIP_TWO);
	for (size_t n = 0; n < zip.len; n++)
		CHECK(unpack(span_head(zip, n), &texts) != 0 || n > 400);
	arena_reset(arena);
}

/* --- texts -------------------------------------------------------------------------- */

static const struct {
	const char *claim, *text;
	int rc;
	const char *why;
} text_cases[] = {
    {"XML as it is", PACKED, 0, ""},
    {"XML behind blanks", "\r\n " PACKED, 0, ""},
    {"XML behind a byte order mark", "\xef\xbb\xbf" PACKED, 0, ""},
    {"nothing", "", ERR_SYNTAX, "empty"},
    {"blanks", " \n", ERR_SYNTAX, "empty"},
    {"neither", "hello, world\n", ERR_SYNTAX, "neither"},
};

static void
test_texts(void)
{
	struct report_texts texts;

	for (size_t i = 0; i < sizeof text_cases / sizeof *text_cases; i++) {
		TAP_CASE(text_cases[i].claim);
		CHECK_INT(unpack(span_of(text_cases[i].text), &texts),
		    text_cases[i].rc);
		CHECK(strstr(err.text, text_cases[i].why));
		if (text_cases[i].rc == 0) {
			CHECK_INT(texts.n, 1);
			CHECK_STR(texts.v[0], text_cases[i].text);
		}
		arena_reset(arena);
	}
}

/* --- mails -------------------------------------------------------------------------- */

#define HEAD                                                                   \
	"From: reports@example.net\r\nTo: dmarc@example.com\r\n"               \
	"Subject: Report Domain: example.com\r\nMIME-Version: 1.0\r\n"
#define MIXED "Content-Type: multipart/mixed; boundary=b\r\n\r\n"
#define NOTE "--b\r\nContent-Type: text/plain\r\n\r\nA report.\r\n"
#define BASE64 "Content-Transfer-Encoding: base64\r\n\r\n"
#define END "\r\n--b--\r\n"

static const struct {
	const char *claim, *text;
	size_t n;
} mail_cases[] = {
    {"a mail that is a zip",
	HEAD "Content-Type: application/zip\r\n" BASE64 KIT_ZIP "\r\n", 1},
    {"a gzip beside a text",
	HEAD MIXED NOTE
	"--b\r\nContent-Type: application/gzip\r\n" BASE64 KIT_GZIP END,
	1},
    {"the type may be any",
	HEAD MIXED NOTE
	"--b\r\nContent-Type: image/png\r\n" BASE64 KIT_GZIP END,
	1},
    {"or text, which is not touched",
	HEAD MIXED NOTE
	"--b\r\nContent-Type: text/plain\r\n" BASE64 KIT_GZIP END,
	1},
    {"or none", HEAD MIXED NOTE "--b\r\n" BASE64 KIT_ZIP END, 1},
    {"LF alone, behind an mbox line",
	"From x Mon Nov 23 10:00:00 2026\nSubject: x\n"
	"Content-Type: application/gzip\nContent-Transfer-Encoding: "
	"base64\n\n" KIT_GZIP "\n",
	1},
    {"two reports",
	HEAD MIXED "--b\r\n" BASE64 KIT_GZIP "\r\n--b\r\n" BASE64 KIT_ZIP END,
	2},
    {"a mail forwarded in a mail",
	HEAD MIXED NOTE "--b\r\nContent-Type: message/rfc822\r\n\r\n" HEAD
			"Content-Type: application/zip\r\n" BASE64 KIT_ZIP END,
	1},
    {"XML in a part",
	HEAD MIXED NOTE "--b\r\nContent-Type: text/xml\r\n\r\n" PACKED END, 1},
    {"XML in quoted-printable",
	HEAD "Content-Type: application/xml\r\nContent-Transfer-Encoding: "
	     "quoted-printable\r\n\r\n<feedback><report_metadata><org_name>pa="
	     "\r\ncked</org_name></report_metadata></feedback=3E",
	1},
    {"XHTML beside it is not looked at",
	HEAD MIXED "--b\r\nContent-Type: text/html\r\n\r\n<html><p>feedback"
		   "</html>\r\n--b\r\n" BASE64 KIT_GZIP END,
	1},
};

static void
test_mails(void)
{
	struct report_texts texts;

	for (size_t i = 0; i < sizeof mail_cases / sizeof *mail_cases; i++) {
		TAP_CASE(mail_cases[i].claim);
		if (!CHECK_INT(unpack(span_of(mail_cases[i].text), &texts), 0))
			printf("# %s\n", err.text);
		else if (CHECK_INT(texts.n, mail_cases[i].n))
			for (size_t k = 0; k < texts.n; k++)
				CHECK_STR(texts.v[k], PACKED);
		arena_reset(arena);
	}

	TAP_CASE("a mail without a report");
	CHECK_INT(
	    unpack(SPAN(HEAD "\r\n<html>feedback</html>"), &texts), ERR_SYNTAX);
	CHECK(strstr(err.text, "no report in this mail"));
}

/* A line of 3000 bytes in a part: rules see it cut, a report must not. */
static void
test_long_lines(void)
{
	struct report_texts texts;
	struct buf mail;

	TAP_CASE("long lines of a part stay whole");
	buf_init(&mail, arena, 100000);
	buf_add_str(&mail, HEAD MIXED "--b\r\nContent-Type: text/xml\r\n\r\n"
				      "<feedback>");
	for (int i = 0; i < 3000; i++)
		buf_add_str(&mail, "<record/>");
	buf_add_str(&mail, "</feedback>" END);
	CHECK_INT(unpack(buf_span(&mail), &texts), 0);
	CHECK_INT(texts.v[0].len, 3000 * 9 + 21);
	arena_reset(arena);
}

static void
test_sizes(void)
{
	struct report_texts texts;
	struct buf mail;

	TAP_CASE("17 reports in a mail");
	buf_init(&mail, arena, 100000);
	buf_add_str(&mail, HEAD MIXED);
	for (int i = 0; i < 17; i++)
		buf_add_str(&mail, "--b\r\n" BASE64 KIT_GZIP "\r\n");
	CHECK_INT(unpack(buf_span(&mail), &texts), ERR_LIMIT);

	TAP_CASE("a file of more than 32 MB");
	char *large = arena_zalloc(arena, REPORT_PACKED_MAX + 1);
	if (CHECK(large)) {
		large[0] = '<';
		CHECK_INT(
		    unpack(span_make(large, REPORT_PACKED_MAX), &texts), 0);
		CHECK_INT(
		    unpack(span_make(large, REPORT_PACKED_MAX + 1), &texts),
		    ERR_LIMIT);
	}
	arena_reset(arena);
}

int
main(void)
{
	arena = arena_new((size_t)512 << 20);
	test_archives();
	test_texts();
	test_mails();
	test_long_lines();
	test_sizes();
	arena_free(arena);
	return tap_done();
}
