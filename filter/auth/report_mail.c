#include "filter/auth/report_mail.h"

#include <stdio.h>
#include <time.h>

#include "filter/base/codec.h"
#include "filter/base/sha256.h"

/*
 * The mail around a report. All texts in it are of forms that were checked
 * before (domains, plain addresses, digits), so nothing needs quoting and no
 * line can be broken by what a stranger wrote. Everything but Date is the same
 * when a mail is made again (RFC 9990: the same file name and Report-ID).
 */

#define BASE64_LINE 57 /* bytes that make 76 characters */
#define HANDLE_DOMAIN 8
#define HANDLE_ADDRESS 16
#define MAC_BYTES 12

/* --- digests -------------------------------------------------------------------- */

static void
add_hex(char *to, const uint8_t *bytes, size_t n)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		to[2 * i] = digits[bytes[i] >> 4];
		to[2 * i + 1] = digits[bytes[i] & 15];
	}
	to[2 * n] = '\0';
}

/* The digest of a name, ASCII case folded, as 2 * n digits. */
static void
name_digest(struct span name, size_t n, char *ret)
{
	struct sha256 sha;
	uint8_t sum[SHA256_SIZE];

	sha256_init(&sha);
	for (size_t i = 0; i < name.len; i++) {
		char c = ascii_lower(name.p[i]);
		sha256_add(&sha, span_make(&c, 1));
	}
	sha256_done(&sha, sum);
	add_hex(ret, sum, n);
}

static void
hmac(const struct report_secret *secret, struct span text,
    uint8_t ret[SHA256_SIZE])
{
	sha256_hmac(
	    span_make((const char *)secret->bytes, sizeof secret->bytes), text,
	    ret);
}

void
report_address_name(struct span address, char ret[REPORT_ADDRESS_SIZE])
{
	name_digest(address, HANDLE_ADDRESS, ret);
}

void
report_handle(int64_t day, struct span domain, struct span address,
    char ret[REPORT_HANDLE_SIZE])
{
	char left[2 * HANDLE_DOMAIN + 1], right[REPORT_ADDRESS_SIZE];

	name_digest(domain, HANDLE_DOMAIN, left);
	report_address_name(address, right);
	snprintf(
	    ret, REPORT_HANDLE_SIZE, "%lld.%s.%s", (long long)day, left, right);
}

void
report_unique(const struct report_secret *secret, int64_t day,
    struct span domain, char ret[REPORT_UNIQUE_SIZE])
{
	uint8_t sum[SHA256_SIZE];
	char handle[REPORT_HANDLE_SIZE];

	report_handle(day, domain, SPAN("unique"), handle);
	hmac(secret, span_of(handle), sum);
	add_hex(ret, sum, (REPORT_UNIQUE_SIZE - 1) / 2);
}

void
report_token(const struct report_secret *secret, const char *handle,
    char ret[REPORT_TOKEN_SIZE])
{
	uint8_t sum[SHA256_SIZE];
	char mac[2 * MAC_BYTES + 1];

	hmac(secret, span_of(handle), sum);
	add_hex(mac, sum, MAC_BYTES);
	snprintf(ret, REPORT_TOKEN_SIZE, "%s.%s", handle, mac);
}

/* In a time that does not tell how much of it is right. */
static bool
same(struct span a, struct span b)
{
	unsigned differ = a.len != b.len;

	for (size_t i = 0; i < a.len && i < b.len; i++)
		differ |= (unsigned char)(a.p[i] ^ b.p[i]);
	return differ == 0;
}

int
report_token_read(const struct report_secret *secret, struct span message_id,
    char ret[REPORT_HANDLE_SIZE])
{
	struct span id = span_trim(message_id);
	char handle[REPORT_HANDLE_SIZE], token[REPORT_TOKEN_SIZE];

	if (span_starts(id, SPAN("<")))
		id = span_skip(id, 1);
	id = span_cut(&id, '@');
	size_t dot = span_rfind_char(id, '.');
	if (dot == SPAN_NPOS || !dot || !ascii_is_digit(id.p[0]) ||
	    !span_copy(span_head(id, dot), handle, sizeof handle))
		return ERR_SYNTAX;
	report_token(secret, handle, token);
	if (!same(span_of(token), id))
		return ERR_ACCESS;
	memcpy(ret, handle, sizeof handle);
	return 0;
}

/* --- the mail ------------------------------------------------------------------- */

void
report_add_date(struct buf *out, const char *name, int64_t time)
{
	static const char days[] = "SunMonTueWedThuFriSat";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	time_t t = (time_t)time;
	struct tm tm;

	if (!gmtime_r(&t, &tm))
		return;
	buf_printf(out, "%s: %.3s, %02d %.3s %04d %02d:%02d:%02d +0000\n", name,
	    days + (size_t)3 * (size_t)tm.tm_wday, tm.tm_mday,
	    months + (size_t)3 * (size_t)tm.tm_mon, tm.tm_year + 1900,
	    tm.tm_hour, tm.tm_min, tm.tm_sec);
}

void
report_mail_filename(const struct report_mail *m, struct buf *out)
{
	buf_printf(out, "%.*s!%.*s!%lld!%lld!%s.xml.gz", SPAN_ARG(m->submitter),
	    SPAN_ARG(m->domain), (long long)m->begin, (long long)m->end,
	    m->unique);
}

static void
add_fields(const struct report_mail *m, struct buf *out)
{
	report_add_date(out, "Date", m->date);
	buf_printf(
	    out, "From: %.*s\nTo: %.*s\n", SPAN_ARG(m->from), SPAN_ARG(m->to));
	buf_printf(out,
	    "Subject: Report Domain: %.*s\n\tSubmitter: %.*s\n"
	    "\tReport-ID: <%.*s>\n",
	    SPAN_ARG(m->domain), SPAN_ARG(m->submitter),
	    SPAN_ARG(m->report_id));
	buf_printf(
	    out, "Message-ID: <%s@%.*s>\n", m->token, SPAN_ARG(m->submitter));
	buf_printf(out,
	    "Auto-Submitted: auto-generated\nMIME-Version: 1.0\n"
	    "Content-Type: multipart/mixed; boundary=\"=_%s\"\n\n",
	    m->unique);
}

static void
add_packed(const struct report_mail *m, struct buf *out)
{
	struct span rest = m->packed;

	buf_add_str(out, "Content-Type: application/gzip; name=\"");
	report_mail_filename(m, out);
	buf_add_str(out, "\"\nContent-Transfer-Encoding: base64\n"
			 "Content-Disposition: attachment;\n\tfilename=\"");
	report_mail_filename(m, out);
	buf_add_str(out, "\"\n\n");
	while (rest.len) {
		codec_base64_encode(out, span_head(rest, BASE64_LINE));
		buf_add_char(out, '\n');
		rest = span_skip(rest, BASE64_LINE);
	}
}

int
report_mail_write(const struct report_mail *m, struct buf *out)
{
	add_fields(m, out);
	buf_printf(out,
	    "--=_%s\nContent-Type: text/plain; charset=us-ascii\n\n"
	    "This is a DMARC aggregate report (RFC 9990) about mail that"
	    " claimed to be\nfrom %.*s, sent since its policy record asks"
	    " for it.\n\n--=_%s\n",
	    m->unique, SPAN_ARG(m->domain), m->unique);
	add_packed(m, out);
	buf_printf(out, "--=_%s--\n", m->unique);
	return buf_failed(out) ? ERR_LIMIT : 0;
}
