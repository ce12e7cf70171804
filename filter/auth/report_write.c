#include "filter/auth/report.h"

/*
 * Writes an aggregate report's XML, element by element in the order of the
 * schema (RFC 9990 appendix A), so that a reader with a sequence in mind is
 * pleased too. Every text goes through one function that cannot emit markup.
 * That words come from the schema's lists (dispositions, results) is the
 * caller's: what a text says is not looked at here.
 */

#define NAMESPACE "urn:ietf:params:xml:ns:dmarc-2.0"

/* --- text -------------------------------------------------------------------- */

static uint32_t
code_point(const char *p, unsigned len)
{
	const unsigned char *u = (const unsigned char *)p;
	uint32_t c = len == 1 ? u[0] : u[0] & (0x7fu >> len);

	for (unsigned i = 1; i < len; i++)
		c = c << 6 | (u[i] & 0x3f);
	return c;
}

/* Char of XML 1.0 section 2.2, without the controls that it discourages. */
static bool
is_xml_char(uint32_t c)
{
	if (c < 0x20)
		return c == '\t' || c == '\n' || c == '\r';
	if (c >= 0x7f && c <= 0x9f)
		return false;
	return c <= 0xd7ff || (c >= 0xe000 && c <= 0xfffd) ||
	       (c >= 0x10000 && c <= 0x10ffff);
}

/* What may not stand for itself; NULL: it may. A CR alone would be read as a
 * LF, and "]]>" ends with a '>'. */
static const char *
entity_of(char c)
{
	switch (c) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '"':
		return "&quot;";
	case '\'':
		return "&apos;";
	case '\r':
		return "&#13;";
	default:
		return NULL;
	}
}

static void
add_text(struct buf *out, struct span text)
{
	for (size_t i = 0; i < text.len;) {
		const char *p = text.p + i;
		unsigned len = span_utf8_len(p, text.len - i);
		const char *entity = entity_of(*p);
		if (!len || !is_xml_char(code_point(p, len)))
			buf_add_char(out, '?');
		else if (entity)
			buf_add_str(out, entity);
		else
			buf_add(out, p, len);
		i += len ? len : 1;
	}
}

/* --- elements ------------------------------------------------------------------ */

static void
indent(struct buf *out, unsigned depth)
{
	for (unsigned i = 0; i < depth; i++)
		buf_add_str(out, "  ");
}

static void
open_tag(struct buf *out, unsigned depth, const char *name)
{
	indent(out, depth);
	buf_printf(out, "<%s>\n", name);
}

static void
close_tag(struct buf *out, unsigned depth, const char *name)
{
	indent(out, depth);
	buf_printf(out, "</%s>\n", name);
}

/* An element that must be there. */
static void
need(struct buf *out, unsigned depth, const char *name, struct span text)
{
	indent(out, depth);
	buf_printf(out, "<%s>", name);
	add_text(out, text);
	buf_printf(out, "</%s>\n", name);
}

/* One that may lack. */
static void
may(struct buf *out, unsigned depth, const char *name, struct span text)
{
	if (text.p)
		need(out, depth, name, text);
}

static void
number(struct buf *out, unsigned depth, const char *name, uint64_t value)
{
	indent(out, depth);
	buf_printf(
	    out, "<%s>%llu</%s>\n", name, (unsigned long long)value, name);
}

static uint64_t
time_of(int64_t time)
{
	return time > 0 ? (uint64_t)time : 0;
}

/* The schema has one element for all of them. */
static void
write_errors(const struct report *r, struct buf *out)
{
	if (r->errors.n == 0)
		return;
	indent(out, 2);
	buf_add_str(out, "<error>");
	for (size_t i = 0; i < r->errors.n; i++) {
		if (i)
			buf_add_str(out, "; ");
		add_text(out, r->errors.v[i]);
	}
	buf_add_str(out, "</error>\n");
}

static void
write_metadata(const struct report *r, struct buf *out)
{
	open_tag(out, 1, "report_metadata");
	need(out, 2, "org_name", r->org_name);
	need(out, 2, "email", r->email);
	may(out, 2, "extra_contact_info", r->extra_contact);
	need(out, 2, "report_id", r->report_id);
	open_tag(out, 2, "date_range");
	number(out, 3, "begin", time_of(r->begin));
	number(out, 3, "end", time_of(r->end));
	close_tag(out, 2, "date_range");
	write_errors(r, out);
	may(out, 2, "generator", r->generator);
	close_tag(out, 1, "report_metadata");
}

static void
write_policy(const struct report *r, struct buf *out)
{
	open_tag(out, 1, "policy_published");
	need(out, 2, "domain", r->domain);
	need(out, 2, "p", r->p);
	may(out, 2, "sp", r->sp);
	may(out, 2, "np", r->np);
	may(out, 2, "adkim", r->adkim);
	may(out, 2, "aspf", r->aspf);
	may(out, 2, "discovery_method", r->discovery);
	may(out, 2, "fo", r->fo);
	may(out, 2, "testing", r->testing);
	close_tag(out, 1, "policy_published");
}

static void
write_evaluated(const struct report_row *row, struct buf *out)
{
	open_tag(out, 3, "policy_evaluated");
	need(out, 4, "disposition", row->disposition);
	need(out, 4, "dkim", row->dkim);
	need(out, 4, "spf", row->spf);
	for (size_t i = 0; i < row->reasons.n; i++) {
		open_tag(out, 4, "reason");
		need(out, 5, "type", row->reasons.v[i].type);
		may(out, 5, "comment", row->reasons.v[i].comment);
		close_tag(out, 4, "reason");
	}
	close_tag(out, 3, "policy_evaluated");
}

static void
write_results(const struct report_row *row, struct buf *out)
{
	open_tag(out, 2, "auth_results");
	for (size_t i = 0; i < row->dkim_results.n; i++) {
		const struct report_dkim *d = &row->dkim_results.v[i];
		open_tag(out, 3, "dkim");
		need(out, 4, "domain", d->domain);
		need(out, 4, "selector", d->selector);
		need(out, 4, "result", d->result);
		may(out, 4, "human_result", d->human);
		close_tag(out, 3, "dkim");
	}
	/* One at most: only MAIL FROM counts in DMARC. */
	for (size_t i = 0; i < row->spf_results.n && i < 1; i++) {
		const struct report_spf *s = &row->spf_results.v[i];
		open_tag(out, 3, "spf");
		need(out, 4, "domain", s->domain);
		may(out, 4, "scope", s->scope);
		need(out, 4, "result", s->result);
		may(out, 4, "human_result", s->human);
		close_tag(out, 3, "spf");
	}
	close_tag(out, 2, "auth_results");
}

static void
write_row(const struct report_row *row, struct buf *out)
{
	open_tag(out, 1, "record");
	open_tag(out, 2, "row");
	need(out, 3, "source_ip", row->source_ip);
	number(out, 3, "count", row->count);
	write_evaluated(row, out);
	close_tag(out, 2, "row");
	open_tag(out, 2, "identifiers");
	need(out, 3, "header_from", row->header_from);
	may(out, 3, "envelope_from", row->envelope_from);
	may(out, 3, "envelope_to", row->envelope_to);
	close_tag(out, 2, "identifiers");
	write_results(row, out);
	close_tag(out, 1, "record");
}

int
report_write(const struct report *report, struct buf *out)
{
	buf_add_str(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
			 "<feedback xmlns=\"" NAMESPACE "\">\n"
			 "  <version>1.0</version>\n");
	write_metadata(report, out);
	write_policy(report, out);
	for (size_t i = 0; i < report->rows.n && !buf_failed(out); i++)
		write_row(&report->rows.v[i], out);
	buf_add_str(out, "</feedback>\n");
	return buf_failed(out) ? ERR_LIMIT : 0;
}
