/* DMARC: records, tree walk, alignment, disposition. */
#include "filter/auth/dmarc.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "filter/base/buf.h"
#include "tests/lib/tap.h"

#define N DMARC_POLICY_NONE
#define Q DMARC_POLICY_QUARANTINE
#define R DMARC_POLICY_REJECT
#define U DMARC_POLICY_UNKNOWN

/* --- records ------------------------------------------------------------------------ */

static const struct {
	const char *claim, *text;
	int rc;
	enum dmarc_policy p, sp, np;
} record_cases[] = {
    {"p alone holds for all", "v=DMARC1; p=reject", 0, R, R, R},
    {"sp holds for np too", "v=DMARC1; p=reject; sp=none", 0, R, N, N},
    {"np without sp", "v=DMARC1; p=none; np=reject", 0, N, N, R},
    {"all three", "v=DMARC1;p=none;sp=quarantine;np=reject;", 0, N, Q, R},
    {"policies in any case", "v=DMARC1; p=Reject; sp=NONE", 0, R, N, N},
    {"p need not be the second tag", "v=DMARC1; sp=none; p=reject", 0, R, N, N},
    {"white space around '=' and ';'", "v = DMARC1 ; p = reject ;", 0, R, R, R},
    {"unknown tags are ignored", "v=DMARC1; p=reject; pct=0; rf=x; ri=y", 0, R,
	R, R},
    {"junk between is dropped (4.8)", "v=DMARC1; junk; ; =x; p=reject", 0, R, R,
	R},
    {"p=n is not valid (row 45)", "v=DMARC1; p=n", ERR_INVALID, N, N, N},
    {"p is missing", "v=DMARC1; sp=reject", ERR_INVALID, N, N, N},
    {"p is missing, with rua", "v=DMARC1; rua=mailto:d@example.com", 0, N, N,
	N},
    {"p is not valid, with rua", "v=DMARC1; p=bob; rua=mailto:d@example.com", 0,
	N, N, N},
    {"sp is not valid", "v=DMARC1; p=reject; sp=bob", ERR_INVALID, N, N, N},
    {"sp is not valid, with rua",
	"v=DMARC1; p=reject; sp=bob; rua=mailto:d@example.com", 0, N, N, N},
    {"np is not valid, with rua",
	"v=DMARC1; p=reject; np=; rua=https://example.com/r", 0, N, N, N},
    {"rua of which one is valid",
	"v=DMARC1; rua=junk , mailto:d@example.com!10m", 0, N, N, N},
    {"rua of which none is valid", "v=DMARC1; rua=mailto:, d@example.com, :x",
	ERR_INVALID, N, N, N},
    {"rua with a space in it", "v=DMARC1; rua=mailto:a b@example.com",
	ERR_INVALID, N, N, N},
    {"p twice voids the record (row 45)", "v=DMARC1; p=none; p=reject",
	ERR_SYNTAX, U, U, U},
    {"v is not the first tag (row 45)", "p=reject; v=DMARC1", ERR_SYNTAX, U, U,
	U},
    {"v in another case", "v=dmarc1; p=reject", ERR_SYNTAX, U, U, U},
    {"v with more behind it", "v=DMARC1x; p=reject", ERR_SYNTAX, U, U, U},
    {"v without a semicolon", "v=DMARC1 p=reject", ERR_SYNTAX, U, U, U},
    {"V", "V=DMARC1; p=reject", ERR_SYNTAX, U, U, U},
    {"white space first", " v=DMARC1; p=reject", ERR_SYNTAX, U, U, U},
    {"SPF", "v=spf1 -all", ERR_SYNTAX, U, U, U},
    {"nothing", "", ERR_SYNTAX, U, U, U},
    {"v alone", "v=DMARC1", ERR_INVALID, N, N, N},
};

static void
test_records(struct arena *a)
{
	for (size_t i = 0; i < sizeof record_cases / sizeof *record_cases;
	     i++) {
		struct dmarc_record r = {.p = U, .sp = U, .np = U};
		TAP_CASE(record_cases[i].claim)
		CHECK_INT(dmarc_parse(&r, span_of(record_cases[i].text), a),
		    record_cases[i].rc);
		CHECK_INT(r.p, record_cases[i].p);
		CHECK_INT(r.sp, record_cases[i].sp);
		CHECK_INT(r.np, record_cases[i].np);
	}
}

static void
test_record_tags(struct arena *a)
{
	struct dmarc_record r;
	struct buf big;

	TAP_CASE("the other tags, in any case")
	CHECK_INT(dmarc_parse(&r,
		      SPAN("v=DMARC1; p=none; adkim=S; aspf=s; t=Y; psd=N; "
			   "fo=1:d; rua=mailto:a@x.example; ruf=mailto:b@x"),
		      a),
	    0);
	CHECK(r.adkim_strict && r.aspf_strict && r.testing);
	CHECK_INT(r.psd, 'n');
	CHECK_STR(r.fo, "1:d");
	CHECK_STR(r.rua, "mailto:a@x.example");
	CHECK_STR(r.ruf, "mailto:b@x");
	TAP_CASE("what is not valid gives way to the default")
	CHECK_INT(
	    dmarc_parse(&r,
		SPAN("v=DMARC1; p=none; adkim=x; aspf=; t=maybe; psd=z"), a),
	    0);
	CHECK(!r.adkim_strict && !r.aspf_strict && !r.testing);
	CHECK_INT(r.psd, 'u');
	CHECK(r.rua.p == NULL);
	TAP_CASE("a record of 64 KB ends soon (row 45)")
	buf_init(&big, a, 1 << 20);
	buf_add_str(&big, "v=DMARC1; p=reject");
	while (big.len < 65000)
		buf_printf(&big, "; x%zu=y", big.len);
	CHECK_INT(dmarc_parse(&r, buf_span(&big), a), ERR_SYNTAX);
	TAP_CASE("NUL in a tag drops that tag")
	CHECK_INT(dmarc_parse(&r, SPAN("v=DMARC1; sp=reject\0; p=none"), a), 0);
	CHECK_INT(r.sp, N);
}

/* --- zones ------------------------------------------------------------------------------ */

static struct dns *
zone_open(const char *text)
{
	char path[] = "/tmp/test_dmarc.XXXXXX";
	int fd = mkstemp(path);
	struct dns_options options = {.zone = path};
	struct dns *dns = NULL;
	struct err err = {.text = ""};

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		abort();
	close(fd);
	if (dns_open(&options, &dns, &err)) {
		fprintf(stderr, "%s\n", err.text);
		abort();
	}
	unlink(path);
	return dns;
}

static const char zone_text[] =
    "_dmarc.example.com TXT \"v=DMARC1; p=reject; sp=quarantine; np=none\"\n"
    "sub.example.com A 192.0.2.1\n"
    "nodata.example.com MX 5 mail.example.com\n"
    "_dmarc.strict.example.com TXT \"v=DMARC1; p=reject; adkim=s; aspf=s\"\n"
    "_dmarc.strict-spf.example TXT \"v=DMARC1; p=reject; aspf=s\"\n"
    "_dmarc.own.example.com TXT \"v=DMARC1; p=quarantine; psd=n\"\n"
    "_dmarc.test.example TXT \"v=DMARC1; p=reject; t=y\"\n"
    "_dmarc.testq.example TXT \"v=DMARC1; p=quarantine; t=y\"\n"
    "_dmarc.two.example TXT \"v=DMARC1; p=reject\"\n"
    "_dmarc.two.example TXT \"v=DMARC1; p=none\"\n"
    "_dmarc.mixed.example TXT \"v=spf1 -all\"\n"
    "_dmarc.mixed.example TXT \"v=DMARC1; p=rej\" \"ect\"\n"
    "_dmarc.bad.example TXT \"v=DMARC1; p=bob\"\n"
    "_dmarc.none.example TXT \"v=DMARC1; p=none\"\n"
    "_dmarc.quarantine.example TXT \"v=DMARC1; p=quarantine\"\n"
    /* Appendix B.4.3. */
    "_dmarc.bank.example TXT \"v=DMARC1; p=reject; psd=y; np=quarantine\"\n"
    "_dmarc.giant.bank.example TXT \"v=DMARC1; p=none\"\n"
    "mega.bank.example A 192.0.2.2\n"
    "_dmarc.slow.example TIMEOUT TXT\n"
    "_dmarc.servfail.example SERVFAIL TXT\n"
    "_dmarc.under.slow.example TXT \"v=DMARC1; p=reject\"\n"
    "_dmarc.half.example TXT \"v=DMARC1; p=reject; np=none\"\n"
    "who.half.example TIMEOUT A\n"
    "_dmarc.xn--bcher-kva.example TXT \"v=DMARC1; p=reject\"\n";

struct answer {
	struct dmarc_facts facts;
	size_t questions;
};

/* `from` as it stands in the field; domains with commas between. */
static size_t
split(const char *list, struct span *to)
{
	struct span rest = span_of(list);
	size_t n = 0;

	while (rest.p && rest.len)
		to[n++] = span_cut(&rest, ',');
	return n;
}

static void
check(struct dns *dns, const char *from, const char *dkim, const char *spf,
    struct dmarc_request *request, struct arena *a, struct answer *ret)
{
	struct addr_list list;
	struct span dkim_domains[8], spf_domains[8];
	struct dns_batch *batch = dns_batch_new(dns, a, 1000, 100);

	addr_parse(&list, span_of(from), a);
	request->from = &list;
	if (!request->from_fields)
		request->from_fields = 1;
	request->dkim_domains = dkim_domains;
	request->n_dkim = split(dkim, dkim_domains);
	request->spf_domains = spf_domains;
	request->n_spf = split(spf, spf_domains);
	dmarc_check(request, batch, a, &ret->facts);
	ret->questions = dns_batch_questions(batch)->n;
}

static const struct check_case {
	const char *claim, *from, *dkim, *spf;
	enum dmarc_result result;
	enum dmarc_policy published, disposition;
	const char *org, *record; /* domains; record NULL: none */
} check_cases[] = {
    {"identical domains align", "a@example.com", "example.com", "", DMARC_PASS,
	R, N, "example.com", "example.com"},
    {"SPF alone is enough", "a@example.com", "", "example.com", DMARC_PASS, R,
	N, "example.com", "example.com"},
    {"domains compare in any case", "a@EXAMPLE.com", "Example.COM", "",
	DMARC_PASS, R, N, "example.com", "example.com"},
    {"nothing authenticated", "a@example.com", "", "", DMARC_FAIL, R, R,
	"example.com", "example.com"},
    {"another domain does not align", "a@example.com",
	"example.org,example.net,com", "example.org", DMARC_FAIL, R, R,
	"example.com", "example.com"},
    {"a name that only ends alike does not align", "a@example.com",
	"badexample.com", "", DMARC_FAIL, R, R, "example.com", "example.com"},
    {"a domain below aligns (relaxed)", "a@example.com", "x.y.example.com", "",
	DMARC_PASS, R, N, "example.com", "example.com"},
    {"a domain above aligns, sp applies", "a@sub.example.com", "example.com",
	"", DMARC_PASS, Q, N, "example.com", "example.com"},
    {"a sister aligns", "a@sub.example.com", "other.example.com", "",
	DMARC_PASS, Q, N, "example.com", "example.com"},
    {"sp for a name that exists", "a@sub.example.com", "", "", DMARC_FAIL, Q, Q,
	"example.com", "example.com"},
    {"sp for a name without addresses", "a@nodata.example.com", "", "",
	DMARC_FAIL, Q, Q, "example.com", "example.com"},
    {"np for a name that does not exist", "a@no.example.com", "", "",
	DMARC_FAIL, N, N, "example.com", "example.com"},
    {"strict: the domain above does not align", "a@strict.example.com",
	"example.com", "example.com", DMARC_FAIL, R, R, "example.com",
	"strict.example.com"},
    {"strict: identical aligns", "a@strict.example.com", "strict.example.com",
	"", DMARC_PASS, R, N, "example.com", "strict.example.com"},
    {"psd=n is an organisation of its own", "a@own.example.com", "example.com",
	"", DMARC_FAIL, Q, Q, "own.example.com", "own.example.com"},
    {"what is below psd=n is of it", "a@x.own.example.com", "own.example.com",
	"", DMARC_PASS, Q, N, "own.example.com", "own.example.com"},
    {"psd=n parts its mother from it", "a@sub.example.com", "own.example.com",
	"", DMARC_FAIL, Q, Q, "example.com", "example.com"},
    {"t=y turns reject into quarantine", "a@test.example", "", "", DMARC_FAIL,
	R, Q, "test.example", "test.example"},
    {"t=y turns quarantine into none", "a@testq.example", "", "", DMARC_FAIL, Q,
	N, "testq.example", "testq.example"},
    {"two records are none", "a@two.example", "two.example", "", DMARC_NONE, U,
	U, "two.example", NULL},
    {"other texts beside one record, joined strings", "a@mixed.example", "", "",
	DMARC_FAIL, R, R, "mixed.example", "mixed.example"},
    {"a record without valid policy is none", "a@bad.example", "bad.example",
	"", DMARC_NONE, U, U, "bad.example", "bad.example"},
    {"no record", "a@nothing.example", "nothing.example", "", DMARC_NONE, U, U,
	"nothing.example", NULL},
    {"B.4.3: the organisation's record, not its suffix'",
	"a@giant.bank.example", "mail.mega.bank.example",
	"mail.giant.bank.example", DMARC_PASS, N, N, "giant.bank.example",
	"giant.bank.example"},
    {"B.4.3: another organisation of that suffix", "a@giant.bank.example",
	"mail.mega.bank.example,bank.example", "", DMARC_FAIL, N, N,
	"giant.bank.example", "giant.bank.example"},
    {"an organisation without record has the suffix' policy",
	"a@mega.bank.example", "", "", DMARC_FAIL, R, R, "mega.bank.example",
	"bank.example"},
    {"np of the suffix for what does not exist", "a@no.bank.example", "", "",
	DMARC_FAIL, Q, Q, "no.bank.example", "bank.example"},
    {"organisations of a suffix do not align", "a@mega.bank.example",
	"other.bank.example", "", DMARC_FAIL, R, R, "mega.bank.example",
	"bank.example"},
    {"a suffix may be a From domain", "a@bank.example", "bank.example", "",
	DMARC_PASS, R, N, "bank.example", "bank.example"},
    {"U-labels are compared as A-labels (row 6)",
	"a@b\xc3\xbc"
	"cher.example",
	"xn--bcher-kva.example", "", DMARC_PASS, R, N, "xn--bcher-kva.example",
	"xn--bcher-kva.example"},
    {"a record that does not come is temporary", "a@slow.example",
	"slow.example", "", DMARC_TEMPERROR, U, U, "", NULL},
    {"SERVFAIL is temporary", "a@servfail.example", "", "", DMARC_TEMPERROR, U,
	U, "", NULL},
    {"a record above that does not come, identical domains",
	"a@under.slow.example", "under.slow.example", "", DMARC_PASS, R, N, "",
	"under.slow.example"},
    {"a record above that does not come, other domains", "a@under.slow.example",
	"x.under.slow.example", "", DMARC_TEMPERROR, R, U, "",
	"under.slow.example"},
    {"a record above that does not come, nothing authenticated",
	"a@under.slow.example", "", "", DMARC_FAIL, R, R, "",
	"under.slow.example"},
    {"np hangs on an answer that does not come", "a@who.half.example", "", "",
	DMARC_TEMPERROR, U, U, "half.example", "half.example"},
    {"a pass does not hang on it", "a@who.half.example", "half.example", "",
	DMARC_PASS, U, N, "half.example", "half.example"},
    {"no address (row 7)", "nobody", "", "", DMARC_PERMERROR, U, U, "", NULL},
    {"nothing (row 7)", "", "", "", DMARC_PERMERROR, U, U, "", NULL},
    {"an empty group", "undisclosed:;", "", "", DMARC_PERMERROR, U, U, "",
	NULL},
    {"a domain that is none (row 6)", "a@x..example", "x..example", "",
	DMARC_PERMERROR, U, U, "", NULL},
};

static void
test_checks(struct dns *dns, struct arena *a)
{
	for (size_t i = 0; i < sizeof check_cases / sizeof *check_cases; i++) {
		const struct check_case *c = &check_cases[i];
		struct dmarc_request request = {0};
		struct answer got;
		TAP_CASE(c->claim)
		check(dns, c->from, c->dkim, c->spf, &request, a, &got);
		CHECK_STR(span_of(dmarc_result_name(got.facts.result)),
		    dmarc_result_name(c->result));
		CHECK_INT(got.facts.published, c->published);
		CHECK_INT(got.facts.disposition, c->disposition);
		CHECK_STR(got.facts.org_domain, c->org);
		CHECK_STR(got.facts.record_domain, c->record ? c->record : "");
		CHECK(
		    (got.facts.record_domain.p == NULL) == (c->record == NULL));
		CHECK(got.facts.from_domain.p != NULL);
	}
}

/* --- several From domains (RFC 9989 section 11.5, rows 1 and 2) ------------------------- */

static const struct several_case {
	const char *claim, *from, *dkim;
	size_t fields;
	bool lookalike;
	enum dmarc_result result;
	enum dmarc_policy disposition;
	const char *domain;
} several_cases[] = {
    {"two addresses of one domain", "a@example.com, b@example.com",
	"example.com", 1, false, DMARC_PASS, N, "example.com"},
    {"two domains that both pass", "a@example.com, b@none.example",
	"example.com,none.example", 1, false, DMARC_PASS, N, "example.com"},
    {"one passes, one fails", "a@example.com, b@quarantine.example",
	"example.com", 1, false, DMARC_FAIL, Q, "quarantine.example"},
    {"the same in the other order", "b@quarantine.example, a@example.com",
	"example.com", 1, false, DMARC_FAIL, Q, "quarantine.example"},
    {"the strictest of those that fail",
	"a@none.example, b@example.com, c@quarantine.example", "", 1, false,
	DMARC_FAIL, R, "example.com"},
    {"one passes, one has no record", "a@example.com, b@nothing.example",
	"example.com", 1, false, DMARC_NONE, U, "nothing.example"},
    {"one passes, one has no domain", "a@example.com, b@x..example",
	"example.com", 1, false, DMARC_PERMERROR, U, ""},
    {"one passes, one is not known", "a@slow.example, b@example.com",
	"example.com", 1, false, DMARC_TEMPERROR, U, "slow.example"},
    {"a fail hides nothing", "a@slow.example, b@none.example", "", 1, false,
	DMARC_FAIL, N, "none.example"},
    {"more domains than are judged do not pass",
	"a@example.com, a@a.example.com, a@b.example.com, a@c.example.com, "
	"a@d.example.com",
	"example.com", 1, false, DMARC_PERMERROR, U, "example.com"},
    {"two From fields do not pass, same domain or not",
	"a@example.com, b@example.com", "example.com", 2, false,
	DMARC_PERMERROR, U, "example.com"},
    {"more domains than are judged are not none either",
	"a@1.nothing.example, a@2.nothing.example, a@3.nothing.example, "
	"a@4.nothing.example, a@example.com",
	"", 1, false, DMARC_PERMERROR, U, "1.nothing.example"},
    {"two From fields without a record are outside of DMARC",
	"a@nothing.example, b@nothing.example", "", 2, false, DMARC_PERMERROR,
	U, "nothing.example"},
    {"two From fields fail", "a@example.com, b@none.example", "", 2, false,
	DMARC_FAIL, R, "example.com"},
    {"a field that looks like From keeps it from passing (row 3)",
	"a@example.com", "example.com", 1, true, DMARC_PERMERROR, U,
	"example.com"},
    {"an address in the name keeps it from passing (row 5)",
	"\"<m@none.example>\" <a@example.com>", "example.com", 1, false,
	DMARC_PERMERROR, U, "example.com"},
    {"a name is a name", "\"Doe, Joe\" <a@example.com>", "example.com", 1,
	false, DMARC_PASS, N, "example.com"},
};

static void
test_several(struct dns *dns, struct arena *a)
{
	for (size_t i = 0; i < sizeof several_cases / sizeof *several_cases;
	     i++) {
		const struct several_case *c = &several_cases[i];
		struct dmarc_request request = {
		    .from_fields = c->fields, .from_lookalike = c->lookalike};
		struct answer got;
		TAP_CASE(c->claim)
		check(dns, c->from, c->dkim, "", &request, a, &got);
		CHECK_STR(span_of(dmarc_result_name(got.facts.result)),
		    dmarc_result_name(c->result));
		CHECK_INT(got.facts.disposition, c->disposition);
		CHECK_STR(got.facts.from_domain, c->domain);
		CHECK((got.facts.problem.p == NULL) ==
		      (c->result == DMARC_PASS || c->result == DMARC_NONE));
	}
}

/* --- what is not decided -------------------------------------------------------------------- */

static void
test_unsure(struct dns *dns, struct arena *a)
{
	struct span ours = SPAN("mail.example.com");
	struct span theirs = SPAN("example.org");
	struct dmarc_request request = {
	    .unsure_dkim = &ours, .n_unsure_dkim = 1};
	struct answer got;

	TAP_CASE("what might align later is temporary")
	check(dns, "a@example.com", "", "", &request, a, &got);
	CHECK_INT(got.facts.result, DMARC_TEMPERROR);
	TAP_CASE("what can never align does not matter")
	request.unsure_dkim = &theirs;
	check(dns, "a@example.com", "", "", &request, a, &got);
	CHECK_INT(got.facts.result, DMARC_FAIL);
	TAP_CASE("strict alignment of the one method is not that of the other")
	ours = SPAN("mail.strict-spf.example");
	request =
	    (struct dmarc_request){.unsure_spf = &ours, .n_unsure_spf = 1};
	check(dns, "a@strict-spf.example", "", "", &request, a, &got);
	CHECK_INT(got.facts.result, DMARC_FAIL);
	request =
	    (struct dmarc_request){.unsure_dkim = &ours, .n_unsure_dkim = 1};
	check(dns, "a@strict-spf.example", "", "", &request, a, &got);
	CHECK_INT(got.facts.result, DMARC_TEMPERROR);
	ours = SPAN("mail.example.com");
	request.unsure_dkim = &ours;
	TAP_CASE("a pass stands by itself")
	request.unsure_dkim = &ours;
	check(dns, "a@example.com", "example.com", "", &request, a, &got);
	CHECK_INT(got.facts.result, DMARC_PASS);
	CHECK_STR(got.facts.aligned_domain, "example.com");
	CHECK(got.facts.dkim_aligned && !got.facts.spf_aligned);
	TAP_CASE("a failure without a domain is temporary too")
	request = (struct dmarc_request){.spf_temperror = true};
	check(dns, "a@example.com", "", "", &request, a, &got);
	CHECK_INT(got.facts.result, DMARC_TEMPERROR);
	TAP_CASE("a domain given takes the place of From")
	request = (struct dmarc_request){.from_domain = SPAN("test.example")};
	check(dns, "a@example.com", "test.example", "", &request, a, &got);
	CHECK_INT(got.facts.result, DMARC_PASS);
	CHECK_STR(got.facts.from_domain, "test.example");
}

/* --- the walk -------------------------------------------------------------------------------- */

static const struct {
	const char *claim, *from;
	size_t questions;
	const char *last;
} walk_cases[] = {
    {"one label, one question", "a@localhost", 1, "_dmarc.localhost"},
    {"seven labels, seven questions", "a@1.2.3.4.5.6.7", 7, "_dmarc.7"},
    {"eight labels, eight questions", "a@0.1.2.3.4.5.6.7", 8, "_dmarc.7"},
    {"nine labels, eight questions", "a@x.0.1.2.3.4.5.6.7", 8, "_dmarc.7"},
    {"psd=y ends it (row 46)", "a@a.b.c.mega.bank.example", 6,
	"a.b.c.mega.bank.example"},
    {"psd=n ends it", "a@own.example.com", 1, "_dmarc.own.example.com"},
};

static void
test_walk(struct dns *dns, struct arena *a)
{
	for (size_t i = 0; i < sizeof walk_cases / sizeof *walk_cases; i++) {
		struct addr_list from;
		struct dmarc_facts facts;
		struct dns_batch *batch = dns_batch_new(dns, a, 1000, 100);
		TAP_CASE(walk_cases[i].claim)
		addr_parse(&from, span_of(walk_cases[i].from), a);
		struct dmarc_request request = {
		    .from = &from, .from_fields = 1};
		dmarc_check(&request, batch, a, &facts);
		const struct dns_questions *asked = dns_batch_questions(batch);
		CHECK_INT(asked->n, walk_cases[i].questions);
		CHECK_STR(asked->v[asked->n - 1].name, walk_cases[i].last);
	}
	TAP_CASE(
	    "the example of section 4.10: the second name has seven labels")
	struct dns_batch *batch = dns_batch_new(dns, a, 1000, 100);
	struct span org = dmarc_org_domain(
	    SPAN("a.b.c.d.e.f.g.h.i.j.mail.example.com"), batch, a);
	CHECK_STR(org, "example.com");
	CHECK_INT(dns_batch_questions(batch)->n, DMARC_QUERIES_MAX);
	CHECK_STR(dns_batch_questions(batch)->v[1].name,
	    "_dmarc.g.h.i.j.mail.example.com");
	TAP_CASE("what is wanted early is what is asked later")
	batch = dns_batch_new(dns, a, 1000, 100);
	dmarc_want(SPAN("a.b.c.d.e.f.g.h.i.j.mail.example.com"), batch, a);
	CHECK_INT(dns_batch_questions(batch)->n, DMARC_QUERIES_MAX);
	dmarc_org_domain(
	    SPAN("a.b.c.d.e.f.g.h.i.j.mail.example.com"), batch, a);
	CHECK_INT(dns_batch_questions(batch)->n, DMARC_QUERIES_MAX);
	TAP_CASE("a neighbour's walk is wanted early, a stranger's is not")
	batch = dns_batch_new(dns, a, 1000, 100);
	dmarc_want_aligned(SPAN("example.com"), SPAN("example.com"), batch, a);
	dmarc_want_aligned(SPAN("example.com"), SPAN("b.test"), batch, a);
	dmarc_want_aligned(SPAN("example.com"), SPAN("b..test"), batch, a);
	CHECK_INT(dns_batch_questions(batch)->n, 0);
	dmarc_want_aligned(
	    SPAN("a.example.com"), SPAN("B.Example.COM"), batch, a);
	CHECK_INT(dns_batch_questions(batch)->n, 3);
	CHECK_STR(
	    dns_batch_questions(batch)->v[0].name, "_dmarc.b.example.com");
	TAP_CASE("no organisation is known of what is no domain, or not now")
	CHECK_INT(dmarc_org_domain(SPAN(".."), batch, a).len, 0);
	CHECK_INT(dmarc_org_domain(SPAN("x.slow.example"), batch, a).len, 0);
}

/* --- which domain, and what it costs -------------------------------------------------- */

static void
test_aligned_domain(struct dns *dns, struct arena *a)
{
	struct dmarc_request request = {0};
	struct answer got, again;

	TAP_CASE("the author's own domain is found first, without a question")
	check(dns, "a@example.com", "x.example.com,EXAMPLE.com", "", &request,
	    a, &got);
	CHECK_STR(got.facts.aligned_domain, "example.com");
	CHECK_INT(got.questions, 2);
	TAP_CASE("else the first of its organisation")
	check(dns, "a@example.com", "example.org,x.example.com", "", &request,
	    a, &got);
	CHECK_STR(got.facts.aligned_domain, "x.example.com");
	TAP_CASE("DKIM's is shown before SPF's")
	check(dns, "a@example.com", "x.example.com", "example.com", &request, a,
	    &got);
	CHECK_STR(got.facts.aligned_domain, "x.example.com");
	CHECK(got.facts.dkim_aligned && got.facts.spf_aligned);
	check(dns, "a@example.com", "example.org", "y.example.com", &request, a,
	    &got);
	CHECK_STR(got.facts.aligned_domain, "y.example.com");
	TAP_CASE("none where nothing is aligned")
	check(dns, "a@example.com", "example.org", "", &request, a, &got);
	CHECK(got.facts.aligned_domain.p == NULL);
	TAP_CASE("a record is parsed once for each answer of DNS")
	check(dns, "a@example.com", "", "", &request, a, &again);
	CHECK(got.facts.record.text.p != NULL);
	CHECK(got.facts.record.text.p == again.facts.record.text.p);
	TAP_CASE("who is of another top-level domain is never unsure")
	check(dns, "a@under.slow.example", "other.example", "", &request, a,
	    &got);
	CHECK_INT(got.facts.result, DMARC_TEMPERROR);
	check(
	    dns, "a@under.slow.example", "example.com", "", &request, a, &got);
	CHECK_INT(got.facts.result, DMARC_FAIL);
}

/* A From domain of 127 labels (row 46), and one of 254 bytes (row 6). */
static void
test_long(struct dns *dns, struct arena *a)
{
	struct dmarc_request request = {0};
	struct answer got;
	struct buf from;

	TAP_CASE("127 labels take eight questions (row 46)")
	buf_init(&from, a, 1000);
	buf_add_str(&from, "a@");
	for (int i = 0; i < 126; i++)
		buf_add_str(&from, "x.");
	buf_add_str(&from, "y");
	check(dns, buf_str(&from), "", "", &request, a, &got);
	CHECK_INT(got.facts.result, DMARC_NONE);
	CHECK(got.questions <= DMARC_QUERIES_MAX);
	TAP_CASE("254 bytes are no domain (row 6)")
	buf_add_char(&from, 'y');
	check(dns, buf_str(&from), "", "", &request, a, &got);
	CHECK_INT(got.facts.result, DMARC_PERMERROR);
	TAP_CASE("many domains that pass cost no more than those below the org")
	check(dns, "a@example.com",
	    "1.example.org,2.example.org,3.example.net,4.a.b.c.d.example", "",
	    &request, a, &got);
	CHECK_INT(got.questions, 2);
}

int
main(void)
{
	struct arena *a = arena_new(0);
	struct dns *dns = zone_open(zone_text);

	test_records(a);
	test_record_tags(a);
	test_checks(dns, a);
	test_several(dns, a);
	test_unsure(dns, a);
	test_walk(dns, a);
	test_aligned_domain(dns, a);
	test_long(dns, a);
	dns_close(dns);
	arena_free(a);
	return tap_done();
}
