#include "filter/ctl/log_format.h"

#include <stdlib.h>
#include <time.h>

#include "tests/lib/tap.h"
#include "tests/unit/recordkit.h"

static struct ref_key key; /* zeroes are a key too */
static struct arena *arena;

static struct buf
format(const struct record *r, enum log_form form, bool per_rcpt)
{
	struct log_view view = {form, per_rcpt, &key, arena};
	struct buf out;

	arena_reset(arena);
	buf_init(&out, NULL, 1 << 20);
	log_format(&out, &view, r);
	CHECK(!buf_failed(&out));
	return out;
}

static bool
has(const struct buf *out, const char *part)
{
	bool found = span_find(buf_span(out), span_of(part), 0) != SPAN_NPOS;

	if (!found)
		printf("# no %s in %s\n", part, buf_str(out));
	return found;
}

static size_t
count(const struct buf *out, char c)
{
	size_t n = 0;

	for (size_t i = 0; i < out->len; i++)
		n += out->p[i] == c;
	return n;
}

/* What a terminal may be given: printable ASCII and line ends. */
static bool
is_harmless(const struct buf *out)
{
	for (size_t i = 0; i < out->len; i++)
		if (ascii_is_control(out->p[i]) && out->p[i] != '\n')
			return false;
	return span_is_utf8(buf_span(out)) &&
	       span_find(buf_span(out), SPAN("\xc2\x9b"), 0) == SPAN_NPOS &&
	       span_find(buf_span(out), SPAN("\xe2\x80\xae"), 0) == SPAN_NPOS;
}

/* --- text -------------------------------------------------------------------- */

static void
test_text(void)
{
	struct record r = kit_record();
	char ref[REF_TEXT_SIZE];
	struct buf out = format(&r, LOG_TEXT, false);

	TAP_CASE("text is one line with time, ref, action, sum and parties")
	CHECK_INT(count(&out, '\n'), 1);
	ref_format(&key, KIT_ID, ref);
	CHECK(span_starts(buf_span(&out), SPAN("2026-11-24 10:31:07  ")));
	CHECK(has(&out, ref));
	CHECK(has(&out, "  reject            15.900  "));
	CHECK(has(&out, "<bounce-17@mailer.example> -> <anna@example.org> +1"));
	CHECK(has(&out, "  out7.mailer.example[203.0.113.9]  "));
	CHECK(has(&out, "degraded=dnsbl:spamhaus-zen,time"));
	CHECK(has(&out, "  BAYES_999 URIBL_DBL_SPAM PDF_LINK_ONLY "));
	CHECK(!span_is(buf_span(&out), "by="));
	buf_done(&out);

	TAP_CASE("what would have been done stands behind what was")
	r.action = SPAN("accept");
	r.by = SPAN("dmarc");
	out = format(&r, LOG_TEXT, false);
	CHECK(has(&out, "  accept (reject)   15.900  "));
	CHECK(has(&out, "  by=dmarc"));
	buf_done(&out);

	TAP_CASE("recipients are listed where their policies differ")
	r = kit_record();
	kit_rcpts[1].action = SPAN("tag");
	out = format(&r, LOG_TEXT, false);
	CHECK_INT(count(&out, '\n'), 3);
	CHECK(has(&out, "tag             for <bert@example.org>\n"));
	buf_done(&out);

	TAP_CASE("--rcpt is a line with its action for each recipient")
	out = format(&r, LOG_TEXT, true);
	CHECK_INT(count(&out, '\n'), 2);
	CHECK(has(&out, "  tag               15.900  "));
	kit_rcpts[1].action = SPAN("reject");
	buf_done(&out);

	TAP_CASE("an empty record is a line too")
	r = (struct record){.time = 0};
	out = format(&r, LOG_TEXT, true);
	CHECK(has(&out, "1970-01-01 00:00:00  -"));
	CHECK(has(&out, "<> -> -\n"));
	buf_done(&out);

	TAP_CASE("nothing hostile reaches the terminal")
	r = kit_hostile();
	for (int i = 0; i < 2; i++) {
		out = format(&r, LOG_TEXT, i);
		CHECK(is_harmless(&out));
		CHECK(has(&out, "\\x1b[2J\\xc2\\x9b\\x0d\\x0a"));
		CHECK(has(&out, "-9223372036854775.808"));
		buf_done(&out);
	}
}

/* --- json -------------------------------------------------------------------- */

static json_t *
parse(const struct record *r)
{
	struct buf out = format(r, LOG_JSON, false);
	json_error_t error;

	CHECK_INT(count(&out, '\n'), 1);
	for (size_t i = 0; i < out.len; i++)
		if (!CHECK(!ascii_is_8bit(out.p[i]) &&
			   (!ascii_is_control(out.p[i]) || out.p[i] == '\n')))
			break;
	json_t *o = json_loadb(out.p, out.len, 0, &error);
	CHECK(o != NULL);
	buf_done(&out);
	return o;
}

static struct span
text_at(const json_t *o, const char *name)
{
	return span_of(json_string_value(json_object_get(o, name)));
}

static void
test_json(void)
{
	struct record r = kit_record();
	json_t *o = parse(&r);

	TAP_CASE("json has the fields of check, with the same shapes")
	static const char *const names[] = {"file", "ref", "action", "would",
	    "decided_by", "score", "size", "dir", "symbols", "spf", "dkim",
	    "dmarc", "arc", "degraded", "ms", "recipients", "date"};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (!CHECK(json_object_get(o, names[i])))
			printf("# %s\n", names[i]);
	CHECK(json_is_null(json_object_get(o, "file")));
	CHECK_INT(text_at(o, "ref").len, REF_TEXT_SIZE - 1);
	CHECK_STR(text_at(o, "date"), "2026-11-24T10:31:07+00:00");
	CHECK_STR(text_at(json_object_get(o, "spf"), "result"), "pass");
	CHECK_STR(text_at(json_object_get(o, "arc"), "result"), "none");
	CHECK_INT(json_array_size(json_object_get(o, "degraded")), 2);
	CHECK(json_real_value(json_object_get(o, "score")) == 15.9);

	TAP_CASE("json has every field of the record")
	for (const struct record_field *f = record_fields; f->name; f++)
		if (!CHECK(json_object_get(o, f->name)))
			printf("# %s\n", f->name);
	CHECK_INT(json_integer_value(json_object_get(o, "time")), KIT_TIME);
	CHECK_STR(text_at(o, "queue_id"), "4Xh2Qk3b9Yz");

	TAP_CASE("a threshold that is off is null")
	CHECK(json_is_null(json_object_get(o, "quarantine_at")));

	TAP_CASE("signatures are a list, decoded")
	json_t *dkim = json_object_get(o, "dkim");
	CHECK_INT(json_array_size(dkim), 2);
	json_t *first = json_array_get(dkim, 0);
	CHECK_STR(text_at(first, "result"), "fail");
	CHECK_STR(text_at(first, "selector"), "k1");
	CHECK_STR(text_at(first, "problem"), "body hash differs; no");
	CHECK(
	    json_is_null(json_object_get(json_array_get(dkim, 1), "problem")));

	TAP_CASE("symbols have name, score, count, evidence, origin")
	json_t *symbols = json_object_get(o, "symbols");
	CHECK_INT(json_array_size(symbols), 6);
	json_t *pdf = json_array_get(symbols, 2);
	CHECK_STR(text_at(pdf, "name"), "PDF_LINK_ONLY");
	CHECK(json_real_value(json_object_get(pdf, "count")) == 2.5);
	CHECK(json_is_null(json_object_get(pdf, "evidence")));
	CHECK_STR(text_at(pdf, "origin"), "/etc/assay/rules.d/local.cf:41");
	CHECK(json_is_integer(
	    json_object_get(json_array_get(symbols, 0), "count")));
	json_decref(o);

	TAP_CASE("hostile bytes are valid JSON")
	r = kit_hostile();
	o = parse(&r);
	CHECK(json_object_get(o, "mail_from"));
	json_decref(o);

	TAP_CASE("no signature, no degraded check: empty lists")
	r = (struct record){.dkim = SPAN("none")};
	o = parse(&r);
	CHECK_INT(json_array_size(json_object_get(o, "dkim")), 0);
	CHECK_INT(json_array_size(json_object_get(o, "degraded")), 0);
	CHECK(json_is_null(json_object_get(o, "ref")));
	json_decref(o);
}

/* --- csv --------------------------------------------------------------------- */

/* The n-th cell of a row, still quoted. */
static struct span
cell(struct span row, const char *name, bool per_rcpt)
{
	struct log_view view = {LOG_CSV, per_rcpt, &key, arena};
	struct buf head;
	size_t n = 0, i = 0;

	buf_init(&head, NULL, 1 << 16);
	log_format_head(&head, &view);
	struct span rest = span_trim(buf_span(&head));
	while (rest.p && !span_is(span_cut(&rest, ','), name))
		n++;
	buf_done(&head);
	for (bool quoted = false; i < row.len && n; i++) {
		quoted ^= row.p[i] == '"';
		n -= row.p[i] == ',' && !quoted;
	}
	size_t end = i;
	for (bool quoted = false; end < row.len; end++) {
		quoted ^= row.p[end] == '"';
		if (!quoted && (row.p[end] == ',' || row.p[end] == '\r'))
			break;
	}
	return span_make(row.p + i, end - i);
}

static void
test_csv(void)
{
	struct record r = kit_record();
	struct buf out = format(&r, LOG_CSV, false);

	TAP_CASE("a row ends in CRLF; texts are quoted, numbers are not")
	CHECK(span_ends(buf_span(&out), SPAN("\"\r\n")));
	CHECK_INT(count(&out, '\n'), 1);
	CHECK_STR(cell(buf_span(&out), "node", false), "\"mx1\"");
	CHECK_STR(cell(buf_span(&out), "score", false), "15.900");
	CHECK_STR(cell(buf_span(&out), "time", false), "1795516267");
	CHECK_STR(cell(buf_span(&out), "quarantine_at", false), "");
	CHECK_STR(cell(buf_span(&out), "header_from", false),
	    "\"\"\"Muster\"\" <invoice@muster.example>\"");
	CHECK_STR(cell(buf_span(&out), "recipients", false),
	    "\"anna@example.org, bert@example.org\"");
	CHECK(span_starts(cell(buf_span(&out), "symbols", false),
	    SPAN("\"BAYES_999:5.500, URIBL_DBL_SPAM:4.000")));
	buf_done(&out);

	TAP_CASE("--rcpt is a row for each recipient")
	out = format(&r, LOG_CSV, true);
	CHECK_INT(count(&out, '\n'), 2);
	CHECK_STR(
	    cell(buf_span(&out), "recipient", true), "\"anna@example.org\"");
	CHECK_STR(cell(buf_span(&out), "recipient_action", true), "\"reject\"");
	buf_done(&out);

	TAP_CASE("formulas get an apostrophe in front")
	static const struct {
		struct span text;
		const char *cell;
	} cases[] = {
	    {SPAN("=1+1"), "\"'=1+1\""},
	    {SPAN("+1"), "\"'+1\""},
	    {SPAN("-1"), "\"'-1\""},
	    {SPAN("@SUM(1)"), "\"'@SUM(1)\""},
	    {SPAN(" =1"), "\"' =1\""},
	    {SPAN("\t=1"), "\"'\\x09=1\""},
	    {SPAN("\rx"), "\"'\\x0dx\""},
	    {SPAN("\nx"), "\"'\\x0ax\""},
	    {SPAN("\xef\xbc\x9d"
		  "1"),
		"\"'\xef\xbc\x9d"
		"1\""},
	    {SPAN("a=1"), "\"a=1\""},
	    {SPAN("a;=1"), "\"a;=1\""},
	    {SPAN("a\"b"), "\"a\"\"b\""},
	    {SPAN("\"=1"), "\"\"\"=1\""},
	    {SPAN("\0=1"), "\"\\x00=1\""},
	    {SPAN("x\n=1"), "\"x\\x0a=1\""},
	    {SPAN(""), ""},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		r.helo = cases[i].text;
		out = format(&r, LOG_CSV, false);
		CHECK_STR(cell(buf_span(&out), "helo", false), cases[i].cell);
		CHECK_INT(count(&out, '\n'), 1);
		buf_done(&out);
	}

	TAP_CASE("a hostile record is one harmless row")
	r = kit_hostile();
	out = format(&r, LOG_CSV, false);
	CHECK_INT(count(&out, '\n'), 1);
	CHECK_INT(count(&out, '\r'), 1);
	buf_truncate(&out, out.len - 2);
	CHECK(is_harmless(&out));
	CHECK(span_starts(
	    cell(buf_span(&out), "mail_from", false), SPAN("\"'=cmd")));
	buf_done(&out);
}

static void
test_forms(void)
{
	enum log_form form;

	TAP_CASE("forms are named text, json, csv")
	CHECK(log_form_of("csv", &form) == 0 && form == LOG_CSV);
	CHECK(log_form_of("text", &form) == 0 && form == LOG_TEXT);
	CHECK(log_form_of("json", &form) == 0 && form == LOG_JSON);
	CHECK(log_form_of("xml", &form) != 0);

	TAP_CASE("without a key there is no ref")
	struct log_view view = {LOG_CSV, false, NULL, arena};
	struct record r = kit_record();
	struct buf out;
	buf_init(&out, NULL, 1 << 16);
	log_format(&out, &view, &r);
	CHECK(span_starts(buf_span(&out), SPAN(",2026-")));
	buf_done(&out);
}

int
main(void)
{
	setenv("TZ", "UTC0", 1);
	tzset();
	arena = arena_new(0);
	test_text();
	test_json();
	test_csv();
	test_forms();
	arena_free(arena);
	return tap_done();
}
