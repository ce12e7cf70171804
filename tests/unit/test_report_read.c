/* Received aggregate reports: the XML to data, and what is refused. */
#include <stdio.h>
#include <string.h>

#include "filter/auth/report.h"
#include "filter/base/buf.h"
#include "tests/lib/tap.h"

static struct arena *arena;
static struct err err;

static int
read_text(struct span xml, struct report *ret)
{
	memset(ret, 0xee, sizeof *ret);
	memset(&err, 0, sizeof err);
	return report_read(ret, xml, arena, &err);
}

/* --- what is read ------------------------------------------------------------------- */

#define META                                                                   \
	"<report_metadata><org_name>Example</org_name><email>d@example.net"    \
	"</email><extra_contact_info>http://example.net/</extra_contact_info>" \
	"<report_id>7</report_id><date_range><begin>302832000</begin>"         \
	"<end>302918399</end></date_range><error>one</error><error>two"        \
	"</error><generator>G 1</generator></report_metadata>"
#define POLICY                                                                 \
	"<policy_published><domain>example.com</domain><p>quarantine</p>"      \
	"<sp>none</sp><np>reject</np><adkim>s</adkim><aspf>r</aspf><fo>1</fo>" \
	"<testing>y</testing><discovery_method>treewalk</discovery_method>"    \
	"</policy_published>"
#define RECORD                                                                 \
	"<record><row><source_ip>192.0.2.123</source_ip><count>123</count>"    \
	"<policy_evaluated><disposition>pass</disposition><dkim>pass</dkim>"   \
	"<spf>fail</spf><reason><type>other</type><comment>why</comment>"      \
	"</reason><reason><type>local_policy</type></reason>"                  \
	"</policy_evaluated></row><identifiers><envelope_from>b.example.com"   \
	"</envelope_from><envelope_to>example.net</envelope_to><header_from>"  \
	"example.com</header_from></identifiers><auth_results><dkim><domain>"  \
	"example.com</domain><selector>s1</selector><result>pass</result>"     \
	"<human_result>fine</human_result></dkim><dkim><domain>example.org"    \
	"</domain><result>fail</result></dkim><spf><domain>b.example.com"      \
	"</domain><scope>mfrom</scope><result>softfail</result>"               \
	"<human_result>oh</human_result></spf></auth_results></record>"
#define NEW "urn:ietf:params:xml:ns:dmarc-2.0"

static void
check_row(const struct report_row *row)
{
	CHECK_STR(row->source_ip, "192.0.2.123");
	CHECK_INT(row->count, 123);
	CHECK_STR(row->disposition, "pass");
	CHECK_STR(row->dkim, "pass");
	CHECK_STR(row->spf, "fail");
	CHECK_STR(row->envelope_from, "b.example.com");
	CHECK_STR(row->envelope_to, "example.net");
	CHECK_STR(row->header_from, "example.com");
	if (CHECK(row->reasons.n == 2)) {
		CHECK_STR(row->reasons.v[0].type, "other");
		CHECK_STR(row->reasons.v[0].comment, "why");
		CHECK_STR(row->reasons.v[1].type, "local_policy");
		CHECK(!row->reasons.v[1].comment.p);
	}
	if (CHECK(row->dkim_results.n == 2)) {
		CHECK_STR(row->dkim_results.v[0].domain, "example.com");
		CHECK_STR(row->dkim_results.v[0].selector, "s1");
		CHECK_STR(row->dkim_results.v[0].result, "pass");
		CHECK_STR(row->dkim_results.v[0].human, "fine");
		CHECK_STR(row->dkim_results.v[1].domain, "example.org");
		CHECK(!row->dkim_results.v[1].selector.p);
		CHECK_STR(row->dkim_results.v[1].result, "fail");
	}
	if (CHECK(row->spf_results.n == 1)) {
		CHECK_STR(row->spf_results.v[0].domain, "b.example.com");
		CHECK_STR(row->spf_results.v[0].scope, "mfrom");
		CHECK_STR(row->spf_results.v[0].result, "softfail");
		CHECK_STR(row->spf_results.v[0].human, "oh");
	}
}

static void
check_whole(const struct report *r)
{
	CHECK_STR(r->version, "1.0");
	CHECK_STR(r->org_name, "Example");
	CHECK_STR(r->email, "d@example.net");
	CHECK_STR(r->extra_contact, "http://example.net/");
	CHECK_STR(r->report_id, "7");
	CHECK_STR(r->generator, "G 1");
	CHECK_INT(r->begin, 302832000);
	CHECK_INT(r->end, 302918399);
	if (CHECK(r->errors.n == 2))
		CHECK_STR(r->errors.v[1], "two");
	CHECK_STR(r->domain, "example.com");
	CHECK_STR(r->p, "quarantine");
	CHECK_STR(r->sp, "none");
	CHECK_STR(r->np, "reject");
	CHECK_STR(r->adkim, "s");
	CHECK_STR(r->aspf, "r");
	CHECK_STR(r->fo, "1");
	CHECK_STR(r->testing, "y");
	CHECK_STR(r->discovery, "treewalk");
	if (CHECK(r->rows.n == 2)) {
		check_row(&r->rows.v[0]);
		check_row(&r->rows.v[1]);
	}
}

static void
test_whole(void)
{
	struct report r;

	TAP_CASE("a report of RFC 9990 is read whole");
	CHECK_INT(
	    read_text(SPAN("<?xml version=\"1.0\"?>\n<feedback xmlns=\"" NEW
			   "\"><version>1.0</version>" META POLICY RECORD RECORD
			   "</feedback>"),
		&r),
	    0);
	CHECK(r.rfc9990);
	check_whole(&r);

	TAP_CASE("one of RFC 7489 has no namespace");
	CHECK_INT(read_text(SPAN("<feedback><version>1.0</version>" META POLICY
				    RECORD RECORD "</feedback>"),
		      &r),
	    0);
	CHECK(!r.rfc9990);
	check_whole(&r);

	TAP_CASE("other namespaces are no hindrance");
	CHECK_INT(
	    read_text(SPAN("<feedback xmlns=\"http://dmarc.org/dmarc-xml/0.2\">"
			   "<version>1.0</version>" META POLICY RECORD RECORD
			   "</feedback>"),
		&r),
	    0);
	CHECK(!r.rfc9990);
	check_whole(&r);
}

static void
test_extensions(void)
{
	struct report r;

	TAP_CASE("the namespace may have a prefix");
	CHECK_INT(read_text(SPAN("<d:feedback xmlns:d=\"" NEW
				 "\"><d:version>2</d:version></d:feedback>"),
		      &r),
	    0);
	CHECK(r.rfc9990);
	CHECK_STR(r.version, "2");

	TAP_CASE("elements of other namespaces are extensions");
	CHECK_INT(read_text(SPAN("<feedback xmlns:x=\"http://example.com/\">"
				 "<x:version>3</x:version><x:record/>"
				 "<extension><record/><x:any>"
				 "<version>4</version></x:any></extension>"
				 "<version>1</version><record><x:row/></record>"
				 "</feedback>"),
		      &r),
	    0);
	CHECK_STR(r.version, "1");
	CHECK_INT(r.rows.n, 1);

	TAP_CASE("an element counts where it belongs alone");
	CHECK_INT(
	    read_text(SPAN("<feedback><count>5</count><row><count>6</count>"
			   "</row><p>reject</p><record><row><domain>x</domain>"
			   "</row><count>7</count></record></feedback>"),
		&r),
	    0);
	CHECK(!r.p.p && !r.domain.p);
	CHECK_INT(r.rows.v[0].count, 0);
}

static void
test_lacking(void)
{
	struct report r;

	TAP_CASE("what lacks is not there, what is empty is");
	CHECK_INT(read_text(SPAN("<feedback><report_metadata><org_name/>"
				 "</report_metadata><record><row><source_ip/>"
				 "</row></record><record/></feedback>"),
		      &r),
	    0);
	CHECK(r.org_name.p && r.org_name.len == 0);
	CHECK(!r.email.p && !r.version.p && !r.p.p);
	CHECK_INT(r.begin, -1);
	CHECK_INT(r.end, -1);
	CHECK_INT(r.rows.n, 2);
	CHECK(!r.rows.v[0].source_ip.p && !r.rows.v[0].header_from.p);

	TAP_CASE("a row does not inherit from the one before");
	CHECK_INT(
	    read_text(SPAN("<feedback>" RECORD "<record/></feedback>"), &r), 0);
	CHECK(!r.rows.v[1].source_ip.p && !r.rows.v[1].dkim.p);
	CHECK_INT(r.rows.v[1].count, 0);
	CHECK_INT(r.rows.v[1].dkim_results.n, 0);
	CHECK_INT(r.rows.v[1].reasons.n, 0);
}

/* --- texts -------------------------------------------------------------------------- */

#define ORG(text)                                                              \
	"<feedback><report_metadata><org_name>" text                           \
	"</org_name></report_metadata></feedback>"

static const struct {
	const char *claim, *xml, *want;
} text_cases[] = {
    {"the five entities and characters by number", ORG("&lt;&amp;&#65;&#x42;"),
	"<&AB"},
    {"CDATA", ORG("a<![CDATA[<b>&amp;]]>c"), "a<b>&amp;c"},
    {"blanks at both ends do not count", ORG(" \n\ta  b\r\n "), "a  b"},
    {"comments and instructions are nothing", ORG("a<!-- x --><?y z?>b"), "ab"},
    {"elements inside a text are skipped",
	ORG("a<b>c<org_name>d</org_name></b>"
	    "e"),
	"ae"},
    {"UTF-8", ORG("\xc3\xa4\xe2\x82\xac"), "\xc3\xa4\xe2\x82\xac"},
    {"a byte order mark", "\xef\xbb\xbf" ORG("x"), "x"},
    {"ISO-8859-1 becomes UTF-8",
	"<?xml version='1.0' encoding='ISO-8859-1'?>" ORG("\xe4"), "\xc3\xa4"},
    {"lang is allowed",
	"<feedback><report_metadata><org_name lang='de'>x"
	"</org_name></report_metadata></feedback>",
	"x"},
};

static void
test_texts(void)
{
	struct report r;

	for (size_t i = 0; i < sizeof text_cases / sizeof *text_cases; i++) {
		TAP_CASE(text_cases[i].claim);
		CHECK_INT(read_text(span_of(text_cases[i].xml), &r), 0);
		CHECK_STR(r.org_name, text_cases[i].want);
		arena_reset(arena);
	}
}

static struct span
filled(const char *before, const char *item, size_t n, const char *after)
{
	struct buf b;

	buf_init(&b, arena, SIZE_MAX / 4);
	buf_add_str(&b, before);
	for (size_t i = 0; i < n; i++)
		buf_add_str(&b, item);
	buf_add_str(&b, after);
	return buf_span(&b);
}

#define ORG_BEGIN "<feedback><report_metadata><org_name>"
#define ORG_END "</org_name></report_metadata></feedback>"

static void
test_long_texts(void)
{
	struct report r;

	TAP_CASE("a text is cut at 1024 bytes");
	CHECK_INT(read_text(filled(ORG_BEGIN, "x", 5000, ORG_END), &r), 0);
	CHECK_INT(r.org_name.len, REPORT_TEXT_MAX);

	TAP_CASE("and between characters");
	CHECK_INT(
	    read_text(filled(ORG_BEGIN, "\xe2\x82\xac", 5000, ORG_END), &r), 0);
	CHECK_INT(r.org_name.len, 1023);
	CHECK(span_is_utf8(r.org_name));

	TAP_CASE("blanks in front do not use it up");
	CHECK_INT(
	    read_text(filled(ORG_BEGIN, " ", 500000, "x" ORG_END), &r), 0);
	CHECK_STR(r.org_name, "x");
	arena_reset(arena);
}

static void
test_utf16(void)
{
	const char xml[] = ORG("x");
	char wide[2 * sizeof xml] = "\xff\xfe";
	struct report r;

	TAP_CASE("UTF-16");
	for (size_t i = 0; i < sizeof xml - 1; i++) {
		wide[2 + 2 * i] = xml[i];
		wide[3 + 2 * i] = '\0';
	}
	CHECK_INT(read_text(span_make(wide, 2 * sizeof xml), &r), 0);
	CHECK_STR(r.org_name, "x");
}

/* --- what is refused ---------------------------------------------------------------- */

#define ROW(text) "<feedback><record><row>" text "</row></record></feedback>"
#define DATES(text)                                                            \
	"<feedback><report_metadata><date_range>" text                         \
	"</date_range></report_metadata></feedback>"

static const struct {
	const char *claim, *xml;
	int rc;
	const char *why; /* in the error's text */
} refused_cases[] = {
    {"nothing", "", ERR_SYNTAX, "no element"},
    {"no XML", "hello", ERR_SYNTAX, "line 1: "},
    {"another root", "\n<html/>", ERR_SYNTAX, "line 2: XML, but no DMARC"},
    {"an end that lacks", "<feedback>", ERR_SYNTAX, "no element"},
    {"a bracket that is none", "<feedback>\n<email><a@b></email></feedback>",
	ERR_SYNTAX, "line 2: not well-formed"},
    {"more behind the root", "<feedback/><feedback/>", ERR_SYNTAX, "junk"},
    {"no UTF-8", ORG("\xff"), ERR_SYNTAX, "not well-formed"},
    {"an encoding that expat does not know",
	"<?xml version='1.0' encoding='utf-7'?><feedback/>", ERR_SYNTAX,
	"encoding"},
    {"a document type alone", "<!DOCTYPE feedback><feedback/>", ERR_SYNTAX,
	"document type"},
    {"one outside",
	"<!DOCTYPE feedback SYSTEM 'file:///etc/passwd'><feedback/>",
	ERR_SYNTAX, "document type"},
    {"one from the network",
	"<!DOCTYPE feedback PUBLIC '-//X' 'http://192.0.2.1/x'><feedback/>",
	ERR_SYNTAX, "document type"},
    {"an entity bomb (row 51)",
	"<!DOCTYPE b [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;&a;'>"
	"<!ENTITY c '&b;&b;&b;&b;&b;'>]><feedback>&c;</feedback>",
	ERR_SYNTAX, "document type"},
    {"an external entity (row 51)",
	"<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]>"
	"<feedback><version>&e;</version></feedback>",
	ERR_SYNTAX, "document type"},
    {"a parameter entity",
	"<!DOCTYPE x [<!ENTITY % p SYSTEM 'file:///dev/zero'>%p;]><feedback/>",
	ERR_SYNTAX, "document type"},
    {"an entity that nobody declared", ORG("&nbsp;"), ERR_SYNTAX, "entity"},
    {"NUL by number", ORG("&#0;"), ERR_SYNTAX, "line 1: "},
    {"a prefix that nobody declared", "<x:feedback/>", ERR_SYNTAX, "prefix"},
    {"a count below zero", ROW("<count>-1</count>"), ERR_SYNTAX, "count"},
    {"a count that is no number", ROW("<count>many</count>"), ERR_SYNTAX,
	"count"},
    {"an empty count", ROW("<count/>"), ERR_SYNTAX, "count"},
    {"a count past all mail", ROW("<count>1000000000001</count>"), ERR_SYNTAX,
	"count"},
    {"a count past 64 bits", ROW("<count>99999999999999999999</count>"),
	ERR_SYNTAX, "count"},
    {"a begin that is no number", DATES("<begin>today</begin>"), ERR_SYNTAX,
	"date_range"},
    {"an end before 1970", DATES("<end>-5</end>"), ERR_SYNTAX, "date_range"},
    {"an end past the calendar", DATES("<end>253402300800</end>"), ERR_SYNTAX,
	"date_range"},
    {"an address that is none", ROW("\n<source_ip>1.2.3</source_ip>"),
	ERR_SYNTAX, "line 2: source_ip"},
    {"an escape sequence for an address",
	ROW("<source_ip>192.0.2.1&#x9b;</source_ip>"), ERR_SYNTAX, "source_ip"},
};

static void
test_refused(void)
{
	struct report r;

	for (size_t i = 0; i < sizeof refused_cases / sizeof *refused_cases;
	     i++) {
		TAP_CASE(refused_cases[i].claim);
		CHECK_INT(read_text(span_of(refused_cases[i].xml), &r),
		    refused_cases[i].rc);
		if (!CHECK(strstr(err.text, refused_cases[i].why)))
			printf("# %s\n", err.text);
		arena_reset(arena);
	}
}

static void
test_edges(void)
{
	struct report r;

	TAP_CASE("the largest numbers are allowed");
	CHECK_INT(
	    read_text(SPAN(ROW("<count> 1000000000000 </count>")), &r), 0);
	CHECK_INT(r.rows.v[0].count, 1000000000000);
	CHECK_INT(read_text(SPAN(DATES("<begin>0</begin>"
				       "<end>253402300799</end>")),
		      &r),
	    0);
	CHECK_INT(r.begin, 0);

	TAP_CASE("IPv6");
	CHECK_INT(
	    read_text(SPAN(ROW("<source_ip>2001:db8::1</source_ip>")), &r), 0);
	CHECK_STR(r.rows.v[0].source_ip, "2001:db8::1");
}

/* --- limits ------------------------------------------------------------------------- */

#define DKIMS "<feedback><record><auth_results>", "<dkim/>"
#define REASONS "<feedback><record><row><policy_evaluated>", "<reason/>"
#define DKIMS_END "</auth_results></record></feedback>"
#define REASONS_END "</policy_evaluated></row></record></feedback>"
#define DEEP "<a>"

static void
check_limit(struct span xml, int rc)
{
	struct report r;

	if (!CHECK_INT(read_text(xml, &r), rc))
		printf("# %s\n", err.text);
	arena_reset(arena);
}

static struct span
many_names(size_t n)
{
	struct buf b;

	buf_init(&b, arena, SIZE_MAX / 4);
	buf_add_str(&b, "<feedback>");
	for (size_t i = 0; i < n; i++)
		buf_printf(&b, "<a%zu/>", i);
	buf_add_str(&b, "</feedback>");
	return buf_span(&b);
}

static struct span
many_attributes(size_t n)
{
	struct buf b;

	buf_init(&b, arena, SIZE_MAX / 4);
	buf_add_str(&b, "<feedback");
	for (size_t i = 0; i < n; i++)
		buf_printf(&b, " a%zu=''", i);
	buf_add_str(&b, "/>");
	return buf_span(&b);
}

static void
test_limits(void)
{
	TAP_CASE("elements 16 deep and no deeper");
	check_limit(SPAN("<feedback><a><a><a><a><a><a><a><a><a><a><a><a><a><a>"
			 "<a/></a></a></a></a></a></a></a></a></a></a></a></a>"
			 "</a></a></feedback>"),
	    0);
	check_limit(SPAN("<feedback><a><a><a><a><a><a><a><a><a><a><a><a><a><a>"
			 "<a><a/>"),
	    ERR_LIMIT);
	check_limit(filled("<feedback>", DEEP, 100000, ""), ERR_LIMIT);

	TAP_CASE("500,000 records and no more");
	check_limit(
	    filled("<feedback>", "<record/>", REPORT_ROWS_MAX, "</feedback>"),
	    0);
	check_limit(filled("<feedback>", "<record/>", REPORT_ROWS_MAX + 1, ""),
	    ERR_LIMIT);

	TAP_CASE("256 results or reasons of a row, errors of a report");
	check_limit(filled(DKIMS, 256, DKIMS_END), 0);
	check_limit(filled(DKIMS, 257, DKIMS_END), ERR_LIMIT);
	check_limit(filled(REASONS, 256, REASONS_END), 0);
	check_limit(filled(REASONS, 257, REASONS_END), ERR_LIMIT);
	check_limit(filled("<feedback><report_metadata>", "<error/>", 257, ""),
	    ERR_LIMIT);

	TAP_CASE("different names, which expat keeps, are few");
	check_limit(many_names(1000), 0);
	check_limit(many_names(1025), ERR_LIMIT);
	check_limit(filled("<feedback>", "<a/>", 100000, "</feedback>"), 0);
	check_limit(many_attributes(64), 0);
	check_limit(many_attributes(65), ERR_LIMIT);

	TAP_CASE("a namespace is not longer than a text");
	check_limit(filled("<feedback xmlns='", "x", 1024, "'/>"), 0);
	check_limit(filled("<feedback xmlns='", "x", 1025, "'/>"), ERR_LIMIT);

	TAP_CASE("a tag or comment, which expat holds whole, is not endless");
	check_limit(filled("<feedback><!--", "x", 10000, "--></feedback>"), 0);
	check_limit(filled("<feedback><!--", "x", 10000000, "--></feedback>"),
	    ERR_LIMIT);
	check_limit(filled("<", "x", 10000000, "/>"), ERR_LIMIT);
	check_limit(filled("<feedback a='", "x", 10000000, "'/>"), ERR_LIMIT);
}

static void
test_memory(void)
{
	struct span xml = filled("<feedback>", RECORD, 1000, "</feedback>");
	int rc = ERR_NOMEM;
	struct report r;

	TAP_CASE("too small a budget is an error at each size of it");
	for (size_t budget = 1000; rc && budget < 10000000; budget *= 2) {
		struct arena *small = arena_new(budget);
		rc = report_read(&r, xml, small, &err);
		CHECK(rc == ERR_NOMEM || rc == 0);
		arena_free(small);
	}
	CHECK_INT(rc, 0);
	arena_reset(arena);

	TAP_CASE("equal texts of rows are kept once");
	xml = filled("<feedback>", RECORD, 10000, "</feedback>");
	size_t before = arena_used(arena);
	CHECK_INT(report_read(&r, xml, arena, &err), 0);
	CHECK(r.rows.v[1].header_from.p == r.rows.v[9999].header_from.p);
	CHECK(arena_used(arena) - before < 2 * xml.len);
	arena_reset(arena);
}

int
main(void)
{
	arena = arena_new((size_t)1 << 30);
	test_whole();
	test_extensions();
	test_lacking();
	test_texts();
	test_long_texts();
	test_utf16();
	test_refused();
	test_edges();
	test_limits();
	test_memory();
	arena_free(arena);
	return tap_done();
}
