#include "filter/auth/report_failure.h"

#include "filter/auth/report_mail.h"
#include "filter/auth/report_row.h"
#include "filter/base/sha256.h"

/*
 * Kept is one line, "DOMAIN FROM IP TIME", then the fields of the report, an
 * empty line, and those of the message. Who reads it back believes the store
 * no more than needed: every byte of it goes into a mail.
 */

static void
hex(const uint8_t *bytes, size_t n, char *ret)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		ret[2 * i] = digits[bytes[i] >> 4];
		ret[2 * i + 1] = digits[bytes[i] & 15];
	}
	ret[2 * n] = '\0';
}

/* --- names ---------------------------------------------------------------------- */

static void
add_lower(struct sha256 *sha, struct span text)
{
	for (size_t i = 0; i < text.len; i++) {
		char c = ascii_lower(text.p[i]);
		sha256_add(sha, span_make(&c, 1));
	}
	/* No name has one: fields cannot run into each other. */
	sha256_add(sha, span_make("", 1));
}

void
report_redact(struct span key, struct span local, struct span domain,
    char ret[REPORT_REDACTED_SIZE])
{
	uint8_t sum[SHA256_SIZE];
	struct sha256 sha;

	sha256_init(&sha);
	add_lower(&sha, SPAN("redact"));
	add_lower(&sha, local);
	add_lower(&sha, domain);
	sha256_done(&sha, sum);
	sha256_hmac(key, span_make((const char *)sum, sizeof sum), sum);
	hex(sum, (REPORT_REDACTED_SIZE - 1) / 2, ret);
}

void
report_failure_name(const struct report_failure *failure,
    struct span dkim_domain, struct span spf_domain,
    char ret[REPORT_FAILURE_NAME_SIZE])
{
	char ip[IP_TEXT_SIZE];
	uint8_t sum[SHA256_SIZE];
	struct sha256 sha;

	ip_format(&failure->ip, ip);
	sha256_init(&sha);
	add_lower(&sha, failure->domain);
	add_lower(&sha, failure->from_domain);
	add_lower(&sha, span_of(ip));
	add_lower(&sha, dkim_domain);
	add_lower(&sha, spf_domain);
	sha256_done(&sha, sum);
	hex(sum, (REPORT_FAILURE_NAME_SIZE - 1) / 2, ret);
}

/* --- as it is kept -------------------------------------------------------------- */

int
report_failure_write(const struct report_failure *failure, struct buf *out)
{
	char ip[IP_TEXT_SIZE];
	size_t before = out->len;

	ip_format(&failure->ip, ip);
	buf_printf(out, "%.*s %.*s %s %lld\n", SPAN_ARG(failure->domain),
	    SPAN_ARG(failure->from_domain), ip, (long long)failure->time);
	buf_add_span(out, failure->feedback);
	buf_add_char(out, '\n');
	buf_add_span(out, failure->headers);
	return buf_failed(out) || out->len - before > REPORT_FAILURE_MAX
		   ? ERR_LIMIT
		   : 0;
}

/* Fields and nothing else: no line that could end a header or a part. */
static bool
are_fields(struct span text)
{
	struct span line;

	if (text.len && text.p[text.len - 1] != '\n')
		return false;
	for (size_t i = 0; i < text.len; i++)
		if (text.p[i] != '\n' && text.p[i] != '\t' &&
		    (ascii_is_control(text.p[i]) || ascii_is_8bit(text.p[i])))
			return false;
	while (span_line(&text, &line))
		if (line.len == 0 ||
		    (!ascii_is_alpha(line.p[0]) && line.p[0] != '\t'))
			return false;
	return true;
}

static int
read_first(struct report_failure *ret, struct span line)
{
	ret->domain = span_cut(&line, ' ');
	ret->from_domain = span_cut(&line, ' ');
	if (!report_domain_valid(ret->domain) ||
	    !report_domain_valid(ret->from_domain) ||
	    ip_parse(span_cut(&line, ' '), &ret->ip) || !line.p ||
	    span_to_i64(line, &ret->time) || ret->time < 0)
		return ERR_SYNTAX;
	return 0;
}

int
report_failure_read(struct report_failure *ret, struct span value)
{
	struct report_failure failure = {0};
	struct span rest = value;
	struct span first = span_cut(&rest, '\n');
	size_t end = rest.p ? span_find(rest, SPAN("\n\n"), 0) : SPAN_NPOS;

	if (end == SPAN_NPOS || read_first(&failure, first))
		return ERR_SYNTAX;
	failure.feedback = span_head(rest, end + 1);
	failure.headers = span_skip(rest, end + 2);
	if (!are_fields(failure.feedback) || !are_fields(failure.headers))
		return ERR_SYNTAX;
	*ret = failure;
	return 0;
}

/* --- the mail ------------------------------------------------------------------- */

static void
add_fields(const struct report_failure_mail *m, struct buf *out)
{
	report_add_date(out, "Date", m->date);
	buf_printf(
	    out, "From: %.*s\nTo: %.*s\n", SPAN_ARG(m->from), SPAN_ARG(m->to));
	buf_printf(out, "Subject: DMARC failure report for %.*s\n",
	    SPAN_ARG(m->failure->from_domain));
	buf_printf(out, "Message-ID: <%.*s@%.*s>\n", SPAN_ARG(m->unique),
	    SPAN_ARG(m->submitter));
	buf_printf(out,
	    "Auto-Submitted: auto-generated\nMIME-Version: 1.0\n"
	    "Content-Type: multipart/report; report-type=feedback-report;\n"
	    "\tboundary=\"=_%.*s\"\n\n",
	    SPAN_ARG(m->unique));
}

static void
add_part(const struct report_failure_mail *m, const char *type, struct buf *out)
{
	buf_printf(
	    out, "--=_%.*s\nContent-Type: %s\n\n", SPAN_ARG(m->unique), type);
}

static void
add_words(const struct report_failure_mail *m, struct buf *out)
{
	char ip[IP_TEXT_SIZE];

	ip_format(&m->failure->ip, ip);
	buf_printf(out,
	    "This is a DMARC failure report (RFC 9991) about mail from %s\n"
	    "that claimed to be from %.*s. It is sent since the policy\n"
	    "record of %.*s asks for it. Message text and recipients are\n"
	    "left out, local parts of addresses are replaced by a keyed hash"
	    " (RFC 6590).\n\n",
	    ip, SPAN_ARG(m->failure->from_domain),
	    SPAN_ARG(m->failure->domain));
}

int
report_failure_mail_write(const struct report_failure_mail *m, struct buf *out)
{
	add_fields(m, out);
	add_part(m, "text/plain; charset=us-ascii", out);
	add_words(m, out);
	add_part(m, "message/feedback-report", out);
	buf_add_span(out, m->failure->feedback);
	report_add_date(out, "Arrival-Date", m->failure->time);
	if (m->incidents > 1)
		buf_printf(
		    out, "Incidents: %llu\n", (unsigned long long)m->incidents);
	buf_add_char(out, '\n');
	add_part(m, "text/rfc822-headers", out);
	buf_add_span(out, m->failure->headers);
	buf_printf(out, "\n--=_%.*s--\n", SPAN_ARG(m->unique));
	return buf_failed(out) ? ERR_LIMIT : 0;
}
