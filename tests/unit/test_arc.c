/* ARC: chains made here, whole, broken in every way, and sealed on. (The public
 * suite is tests/conformance/run_arc.py.) */
#include "filter/auth/arc.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "filter/auth/arc_seal.h"
#include "filter/mail/authres.h"
#include "tests/lib/tap.h"

#define NOW 1600000000
#define MESSAGE                                                                \
	"From: Ann <ann@example.com>\r\n"                                      \
	"To: list@a.example\r\n"                                               \
	"Subject: Hello\r\n"                                                   \
	"DKIM-Signature: v=1; a=rsa-sha256; d=example.com; s=x\r\n"            \
	"\r\n"                                                                 \
	"The body\r\n"

static struct dns *dns;
static struct sign_key *keys[3]; /* two of RSA, one of Ed25519 */

/* --- keys and their zone ------------------------------------------------------------ */

static void
add_record(FILE *f, const char *name, const struct sign_key *key)
{
	struct buf p;

	buf_init(&p, NULL, 4096);
	if (sign_key_public(key, &p))
		abort();
	fprintf(f, "%s TXT \"v=DKIM1; k=%s; p=%s\"\n", name,
	    sign_key_algorithm(key) == SIGN_RSA_SHA256 ? "rsa" : "ed25519",
	    buf_str(&p));
	buf_done(&p);
}

static void
set_up(void)
{
	char path[] = "test_arc.zone.XXXXXX";
	int fd = mkstemp(path);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "w");
	struct dns_options options = {.zone = path};

	if (!f || sign_key_make(SIGN_RSA_SHA256, 1024, &keys[0], NULL) ||
	    sign_key_make(SIGN_RSA_SHA256, 2048, &keys[1], NULL) ||
	    sign_key_make(SIGN_ED25519_SHA256, 0, &keys[2], NULL))
		abort();
	/* Strings of a record are below 256 bytes: only short keys. */
	add_record(f, "s._domainkey.a.example", keys[0]);
	add_record(f, "s._domainkey.b.example", keys[0]);
	add_record(f, "e._domainkey.b.example", keys[2]);
	fprintf(f, "late._domainkey.a.example TIMEOUT\n");
	fprintf(f, "broken._domainkey.a.example SERVFAIL\n");
	fclose(f);
	if (dns_open(&options, &dns, NULL))
		abort();
	unlink(path);
}

/* --- messages ------------------------------------------------------------------------- */

struct judged {
	const struct arc_facts *facts;
	struct header_list headers;
	struct bodyhash_set *hashes;
	int job; /* relaxed, for a seal */
	size_t questions;
};

static struct judged
judge(struct span text, struct arena *a)
{
	struct judged j = {.hashes = bodyhash_new(a)};
	struct dns_batch *batch = dns_batch_new(dns, a, 1000, 200);

	header_init(&j.headers, a);
	struct span body = span_skip(text, header_parse(&j.headers, text));
	struct arc *arc = arc_begin(&j.headers, batch, j.hashes, NOW, a);
	j.job = bodyhash_add(
	    j.hashes, BODYHASH_RELAXED, BODYHASH_SHA256, BODYHASH_NO_LIMIT);
	bodyhash_update(j.hashes, body);
	bodyhash_final(j.hashes);
	j.facts = arc_end(arc, a);
	j.questions = dns_batch_questions(batch)->n;
	return j;
}

static enum arc_result
result_of(struct span text, struct arena *a)
{
	return judge(text, a).facts->result;
}

struct sealer {
	const char *domain, *selector;
	int key;
	enum arc_result chain; /* ARC_TEMPERROR: as it is found */
	const char *name;      /* all of h=; NULL: the default */
};

static struct arc_seal
make_set(const struct judged *j, const struct sealer *by, const char *results,
    struct arena *a)
{
	struct span name = span_of(by->name);
	struct arc_seal_request request = {
	    .names = &name,
	    .n_names = by->name != NULL,
	    .key = keys[by->key],
	    .domain = span_of(by->domain),
	    .selector = span_of(by->selector),
	    .authserv_id = SPAN("mx.a.example"),
	    .results = span_of(results),
	    .chain = by->chain == ARC_TEMPERROR ? j->facts->result : by->chain,
	    .facts = j->facts,
	    .headers = &j->headers,
	    .time = NOW,
	    .body = bodyhash_value(j->hashes, j->job),
	};
	struct arc_seal set;

	arc_seal_make(&request, a, &set);
	return set;
}

/* The message with one set more. */
static struct span
seal_by(struct span text, const struct sealer *by, struct arena *a)
{
	struct judged j = judge(text, a);
	struct arc_seal set = make_set(&j, by, "arc=none; dmarc=pass", a);

	if (!set.seal.p)
		return SPAN_NONE;
	return arena_printf(a,
	    "ARC-Seal: %.*s\r\nARC-Message-Signature: %.*s\r\n"
	    "ARC-Authentication-Results: %.*s\r\n%.*s",
	    SPAN_ARG(set.seal), SPAN_ARG(set.ams), SPAN_ARG(set.aar),
	    SPAN_ARG(text));
}

static const struct sealer usual = {"a.example", "s", 0, ARC_TEMPERROR, NULL};

static struct span
chain_of(unsigned n, struct arena *a)
{
	struct span text = SPAN(MESSAGE);

	while (n--)
		text = seal_by(text, &usual, a);
	return text;
}

/* Replaces the nth (from 0) occurrence; the text itself when there is none. */
static struct span
replace(struct span text, const char *old, const char *new, unsigned nth,
    struct arena *a)
{
	size_t at = span_find(text, span_of(old), 0);

	while (nth-- && at != SPAN_NPOS)
		at = span_find(text, span_of(old), at + 1);
	if (at == SPAN_NPOS)
		return text;
	return arena_printf(a, "%.*s%s%.*s", SPAN_ARG(span_head(text, at)), new,
	    SPAN_ARG(span_skip(text, at + strlen(old))));
}

/* Where the nth ARC field (from 0, from the top) begins and ends. */
static struct span
arc_field(struct span text, unsigned nth)
{
	size_t at = 0;

	for (;; nth--) {
		while (!span_starts(span_skip(text, at), SPAN("ARC-")))
			at = span_find(text, SPAN("\r\n"), at) + 2;
		size_t end = at;
		do
			end = span_find(text, SPAN("\r\n"), end) + 2;
		while (ascii_is_blank(text.p[end]));
		if (!nth)
			return span_make(text.p + at, end - at);
		at = end;
	}
}

static struct span
without(struct span text, struct span field, struct arena *a)
{
	size_t at = (size_t)(field.p - text.p);

	return arena_printf(a, "%.*s%.*s", SPAN_ARG(span_head(text, at)),
	    SPAN_ARG(span_skip(text, at + field.len)));
}

static struct span
on_top(struct span text, struct span field, struct arena *a)
{
	return arena_printf(a, "%.*s%.*s", SPAN_ARG(field), SPAN_ARG(text));
}

/* --- right chains ----------------------------------------------------------------------- */

static void
test_right(struct arena *a)
{
	TAP_CASE("without an ARC field there is none, and nothing is asked")
	{
		struct judged j = judge(SPAN(MESSAGE), a);
		CHECK_INT(j.facts->result, ARC_NONE);
		CHECK_INT(j.facts->instances, 0);
		CHECK_INT(j.questions, 0);
		CHECK(!j.facts->problem.p);
	}
	TAP_CASE("what is sealed passes, up to 50 sets, and no 51st is made")
	{
		struct span text = SPAN(MESSAGE);
		for (unsigned i = 1; i <= ARC_SETS_MAX; i++) {
			text = seal_by(text, &usual, a);
			if (i > 3 && i < ARC_SETS_MAX)
				continue;
			struct judged j = judge(text, a);
			CHECK_INT(j.facts->result, ARC_PASS);
			CHECK_INT(j.facts->instances, i);
			CHECK_INT(j.facts->oldest_pass, 0);
			CHECK_INT(j.questions, 1);
			CHECK_STR(j.facts->sets[i - 1].domain, "a.example");
			CHECK_STR(
			    j.facts->sets[i - 1].cv, i == 1 ? "none" : "pass");
		}
		struct judged j = judge(text, a);
		struct arc_seal set = make_set(&j, &usual, "", a);
		CHECK(!set.seal.p && set.reason);
	}
	TAP_CASE("domains and kinds of keys may change from set to set")
	{
		static const struct sealer other = {
		    "b.example", "e", 2, ARC_TEMPERROR, NULL};
		struct span text = seal_by(chain_of(1, a), &other, a);
		struct judged j = judge(seal_by(text, &usual, a), a);
		CHECK_INT(j.facts->result, ARC_PASS);
		CHECK_INT(j.questions, 2);
		CHECK_STR(j.facts->sets[1].domain, "b.example");
		CHECK_STR(j.facts->sets[1].selector, "e");
	}
	TAP_CASE("the header may have lost its carriage returns")
	{
		struct span text = chain_of(2, a);
		size_t body = span_find(text, SPAN("\r\n\r\n"), 0);
		struct buf out;
		buf_init(&out, a, 1 << 20);
		for (size_t i = 0; i < text.len; i++)
			if (i > body + 3 || text.p[i] != '\r')
				buf_add_char(&out, text.p[i]);
		CHECK_INT(result_of(buf_span(&out), a), ARC_PASS);
	}
}

/* What those on the way did. */
static void
test_changes(struct arena *a)
{
	TAP_CASE("what a sealer changed shows in oldest_pass alone")
	{
		struct span text = replace(
		    chain_of(2, a), "Subject: ", "Subject: [list] ", 0, a);
		struct judged j = judge(text, a);
		CHECK_INT(j.facts->result, ARC_FAIL);
		CHECK_STR(j.facts->problem,
		    "i=2: ARC-Message-Signature: the signature does not match");
		static const struct sealer knows = {
		    "a.example", "s", 0, ARC_PASS, NULL};
		text = seal_by(text, &knows, a);
		j = judge(seal_by(text, &usual, a), a);
		CHECK_INT(j.facts->result, ARC_PASS);
		CHECK_INT(j.facts->oldest_pass, 3);
	}
	TAP_CASE("a changed body breaks the newest signature")
	{
		struct span text = on_top(chain_of(1, a), SPAN("X: y\r\n"), a);
		CHECK_INT(result_of(text, a), ARC_PASS);
		text = on_top(text, SPAN(""), a);
		text = replace(text, "The body", "Your body", 0, a);
		struct judged j = judge(text, a);
		CHECK_INT(j.facts->result, ARC_FAIL);
		CHECK_STR(j.facts->problem,
		    "i=1: ARC-Message-Signature: the body was changed");
	}
	TAP_CASE("changed results break the seal")
	{
		struct span text = replace(
		    chain_of(2, a), "mx.a.example;", "mx.b.example;", 1, a);
		struct judged j = judge(text, a);
		CHECK_INT(j.facts->result, ARC_FAIL);
		CHECK_STR(j.facts->problem,
		    "i=1: ARC-Seal: the signature does not match");
	}
	TAP_CASE("a From that was added breaks what we seal")
	{
		struct span text = on_top(
		    chain_of(1, a), SPAN("From: eve@example.org\r\n"), a);
		CHECK_INT(result_of(text, a), ARC_FAIL);
	}
	TAP_CASE("where others sign From once, one that was added is told")
	{
		static const struct sealer once = {
		    "a.example", "s", 0, ARC_TEMPERROR, "From"};
		struct span text = seal_by(SPAN(MESSAGE), &once, a);
		CHECK(!judge(text, a).facts->multiplied.p);
		text = on_top(text, SPAN("From: eve@example.org\r\n"), a);
		struct judged j = judge(text, a);
		CHECK_INT(j.facts->result, ARC_PASS);
		CHECK_STR(j.facts->multiplied, "from");
	}
}

/* --- shape (hostile rows 48, 49) -------------------------------------------------------------- */

static void
test_shape(struct arena *a)
{
	TAP_CASE("a field that lacks or stands twice fails, and costs nothing")
	{
		struct span text = chain_of(3, a);
		for (unsigned i = 0; i < 9; i++) {
			struct span field = arc_field(text, i);
			struct judged j = judge(without(text, field, a), a);
			CHECK_INT(j.facts->result, ARC_FAIL);
			CHECK(!j.facts->sets && j.facts->problem.p);
			CHECK_INT(j.questions, 0);
			j = judge(on_top(text, field, a), a);
			CHECK_INT(j.facts->result, ARC_FAIL);
			CHECK_INT(j.questions, 0);
		}
	}
	TAP_CASE("a gap fails")
	{
		struct span text = chain_of(3, a);
		for (unsigned i = 0; i < 3; i++)
			text = without(text, arc_field(text, 3), a);
		struct judged j = judge(text, a);
		CHECK_INT(j.facts->result, ARC_FAIL);
		CHECK_INT(j.facts->instances, 3);
		CHECK_STR(
		    j.facts->problem, "i=2: no ARC-Authentication-Results");
	}
	TAP_CASE("sets in another order than they were put on fail")
	{
		struct span text = chain_of(2, a);
		for (unsigned i = 0; i < 3; i++) {
			struct span field = arc_field(text, 3 + i);
			struct span moved = without(text, field, a);
			struct judged j = judge(on_top(moved, field, a), a);
			CHECK_INT(j.facts->result, ARC_FAIL);
			CHECK(span_ends(
			    j.facts->problem, SPAN("fields out of order")));
		}
		/* Sorted by name, as some gateways do. */
		struct span aar = arc_field(text, 2);
		text = on_top(without(text, aar, a), aar, a);
		CHECK_INT(result_of(text, a), ARC_PASS);
	}
	TAP_CASE("51 sets fail, whatever is right about 50 of them")
	{
		struct span text = chain_of(50, a);
		const char *names[] = {"ARC-Authentication-Results",
		    "ARC-Message-Signature", "ARC-Seal"};
		for (unsigned i = 0; i < 3; i++) {
			struct span field = arc_field(text, 2);
			CHECK(span_starts(field, span_of(names[i])));
			text = on_top(
			    text, replace(field, "i=50", "i=51", 0, a), a);
		}
		struct judged j = judge(text, a);
		CHECK_INT(j.facts->result, ARC_FAIL);
		CHECK_INT(j.facts->instances, 51);
		CHECK_STR(j.facts->problem, "more than 50 ARC sets");
		CHECK_INT(j.questions, 0);
	}
	TAP_CASE("10,000 ARC fields fail, and are not read")
	{
		struct buf out;
		buf_init(&out, a, 1 << 20);
		for (unsigned i = 0; i < 10000; i++)
			buf_printf(
			    &out, "ARC-Seal: i=%u; cv=pass\r\n", 100 - i % 100);
		buf_add_str(&out, MESSAGE);
		struct judged j = judge(buf_span(&out), a);
		CHECK_INT(j.facts->result, ARC_FAIL);
		CHECK_INT(j.questions, 0);
	}
	TAP_CASE("an instance that is none fails")
	{
		static const char *const bad[] = {"i=0", "i=", "i=-1", "i=1x",
		    "i=100", "i=1 2", "i= (1)", "i=(", "I=1", "x=1", "i=1.0",
		    "i=\0001"};
		struct span text = chain_of(1, a);
		for (unsigned field = 0; field < 3; field++)
			for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
				CHECK_INT(result_of(replace(text, "i=1", bad[i],
							field, a),
					      a),
				    ARC_FAIL);
	}
	TAP_CASE("an instance of two digits and with comments is one")
	{
		/* Of results alone: elsewhere it is signed as it stands. */
		struct span text = replace(chain_of(1, a), "Results: i=1",
		    "Results: (c)i = 01 (d)", 0, a);
		CHECK_STR(judge(text, a).facts->problem,
		    "i=1: ARC-Seal: the signature does not match");
	}
}

static void
test_tags(struct arena *a)
{
	static const struct {
		const char *claim, *old, *new;
		unsigned nth;
		const char *problem;
	} cases[] = {
	    {"a seal with h= fails", "cv=none", "h=from; cv=none", 0,
		"i=1: ARC-Seal: h= is not allowed"},
	    {"a first seal with cv=pass fails", "cv=none", "cv=pass", 0,
		"i=1: ARC-Seal: cv= is not none"},
	    {"a seal without cv= fails", "cv=none; ", "", 0,
		"i=1: ARC-Seal: cv= is not none"},
	    {"a signature that names ARC-Seal fails", "h=From",
		"h=ARC-Seal:From", 0,
		"i=1: ARC-Message-Signature: h= names ARC-Seal"},
	    {"a signature that does not name From fails", "h=From:From:", "h=",
		0, "i=1: ARC-Message-Signature: h= does not name From"},
	    {"rsa-sha1 fails in a seal", "rsa-sha256", "rsa-sha1", 0,
		"i=1: ARC-Seal: rsa-sha1 is not accepted"},
	    {"an unknown algorithm fails in a signature", "rsa-sha256", "rsa",
		1, "i=1: ARC-Message-Signature: a= is not known"},
	    {"a signature that has expired fails", "t=1600000000",
		"t=1; x=1599990000", 1, "i=1: ARC-Message-Signature: expired"},
	    {"l= that leaves text out fails", "relaxed/relaxed",
		"relaxed/relaxed; l=3", 0,
		"i=1: ARC-Message-Signature: the body was changed"},
	    {"a selector without a key fails", "s=s", "s=x", 0,
		"i=1: ARC-Seal: there is no key"},
	    {"a tag twice fails", "s=s", "s=s; s=s", 0,
		"ARC-Seal without a usable i="},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		TAP_CASE(cases[i].claim)
		struct span text = replace(chain_of(1, a), cases[i].old,
		    cases[i].new, cases[i].nth, a);
		struct judged j = judge(text, a);
		CHECK_INT(j.facts->result, ARC_FAIL);
		CHECK_STR(j.facts->problem, cases[i].problem);
	}
	TAP_CASE("results of more than 64 KB fail")
	{
		struct buf out;
		buf_init(&out, a, 1 << 20);
		buf_add_str(&out, "mx.a.example; x=");
		while (out.len < 70000)
			buf_add_char(&out, 'y');
		struct span text = replace(
		    chain_of(1, a), "mx.a.example", buf_str(&out), 0, a);
		CHECK_INT(result_of(text, a), ARC_FAIL);
	}
}

static void
test_dns(struct arena *a)
{
	static const struct sealer late = {
	    "a.example", "late", 0, ARC_TEMPERROR, NULL};
	static const struct sealer broken = {
	    "a.example", "broken", 0, ARC_TEMPERROR, NULL};

	TAP_CASE("a key that cannot be had now is temperror")
	{
		struct judged j = judge(seal_by(SPAN(MESSAGE), &late, a), a);
		CHECK_INT(j.facts->result, ARC_TEMPERROR);
		CHECK_STR(j.facts->problem,
		    "i=1: ARC-Message-Signature: the key did not come in time");
		struct arc_seal set = make_set(&j, &usual, "", a);
		CHECK(!set.seal.p && set.reason);
		j = judge(seal_by(SPAN(MESSAGE), &broken, a), a);
		CHECK_INT(j.facts->result, ARC_TEMPERROR);
	}
	TAP_CASE("an old seal's key too, but what is wrong anyhow is fail")
	{
		static const struct sealer knows = {
		    "a.example", "s", 0, ARC_PASS, NULL};
		struct span text = seal_by(SPAN(MESSAGE), &late, a);
		text = seal_by(text, &knows, a);
		struct judged j = judge(text, a);
		CHECK_INT(j.facts->result, ARC_TEMPERROR);
		CHECK_STR(j.facts->problem,
		    "i=1: ARC-Seal: the key did not come in time");
		text = replace(text, "The body", "Your body", 0, a);
		CHECK_INT(result_of(text, a), ARC_FAIL);
	}
}

/* --- sealing ------------------------------------------------------------------------------------ */

static void
test_closed(struct arena *a)
{
	TAP_CASE("a broken chain is closed by a seal that covers its set alone")
	{
		struct span text = chain_of(3, a);
		text = without(text, arc_field(text, 4), a);
		struct span closed = seal_by(text, &usual, a);
		CHECK(span_find(closed, SPAN("cv=fail"), 0) != SPAN_NPOS);
		struct judged j = judge(closed, a);
		CHECK_INT(j.facts->result, ARC_FAIL);
		CHECK(j.facts->closed);
		CHECK_INT(j.facts->instances, 4);
		CHECK_STR(j.facts->problem, "the newest seal says cv=fail");
		CHECK_INT(j.questions, 0);
		struct arc_seal set = make_set(&j, &usual, "", a);
		CHECK(!set.seal.p);
		CHECK_STR(span_of(set.reason), "the newest seal says cv=fail");
	}
	TAP_CASE("what has no readable instance is closed with i=1")
	{
		struct span text = on_top(
		    SPAN(MESSAGE), SPAN("ARC-Seal: i=x; cv=none\r\n"), a);
		struct judged j = judge(text, a);
		struct arc_seal set = make_set(&j, &usual, "", a);
		CHECK_STR(span_head(set.aar, 4), "i=1;");
		CHECK(span_find(set.seal, SPAN("cv=fail"), 0) != SPAN_NPOS);
	}
	TAP_CASE("a chain that is gone begins anew, whatever was said of it")
	{
		static const struct sealer knows = {
		    "a.example", "s", 0, ARC_PASS, NULL};
		struct span text = seal_by(SPAN(MESSAGE), &knows, a);
		CHECK_INT(result_of(text, a), ARC_PASS);
	}
}

static void
test_fields(struct arena *a)
{
	struct span text = on_top(SPAN(MESSAGE),
	    SPAN("Authentication-Results: mx.a.example; spf=pass\r\n"
		 "X-Spam-Status: No\r\n"),
	    a);
	struct judged j = judge(text, a);

	TAP_CASE(
	    "signed are From, what DKIM signs and DKIM signatures, no more")
	{
		struct arc_seal set = make_set(&j, &usual, "", a);
		CHECK(span_find(set.ams, SPAN("h=From:From:"), 0) != SPAN_NPOS);
		CHECK(
		    span_find(set.ams, SPAN("DKIM-Signature"), 0) != SPAN_NPOS);
		CHECK(span_casefind(set.ams, SPAN("results"), 0) == SPAN_NPOS);
		CHECK(span_casefind(set.ams, SPAN("arc-"), 0) == SPAN_NPOS);
		CHECK(span_casefind(set.ams, SPAN("spam"), 0) == SPAN_NPOS);
	}
	TAP_CASE("lines are short but for b=, and nothing else breaks them")
	{
		struct arc_seal set = make_set(&j, &usual,
		    "dkim=pass (a long comment that needs more than one line to"
		    " stand in, and \r\nX-Evil: one that breaks \xe2\x80\xa8 it)"
		    " header.d=example.com;; none; spf=pass \"a;b\"",
		    a);
		struct span rest = set.aar, line;
		CHECK(span_find(set.aar, SPAN("\nX-Evil"), 0) == SPAN_NPOS);
		CHECK(span_ends(set.aar, SPAN(";\r\n\tspf=pass \"a;b\"")));
		while (span_line(&rest, &line))
			CHECK(line.len <= 78);
		rest = set.ams;
		while (span_line(&rest, &line))
			CHECK(
			    line.len <= 78 || span_starts(line, SPAN("\tb=")));
	}
	TAP_CASE("without results there is none")
	{
		struct arc_seal set = make_set(&j, &usual, "", a);
		CHECK_STR(set.aar, "i=1; mx.a.example; none");
	}
}

static void
test_parts(struct arena *a)
{
	static const struct {
		const char *field, *id, *results[4], *arc;
	} cases[] = {
	    {" mx.example; spf=pass; arc=none", "mx.example",
		{"spf=pass", "arc=none"}, "none"},
	    {" (c) MX.example. 1;\r\n\tarc (x) / 1 = (y) pass (i=1; z) a.b=c;",
		"mx.example", {"arc (x) / 1 = (y) pass (i=1; z) a.b=c"},
		"pass"},
	    {"\"mx.example\"; dkim=pass reason=\"a;arc=fail\"", "mx.example",
		{"dkim=pass reason=\"a;arc=fail\""}, NULL},
	    {"mx.example; none", "mx.example", {NULL}, NULL},
	    {"mx.example", "mx.example", {NULL}, NULL},
	    {"mx.example; arc=", "mx.example", {"arc="}, NULL},
	    {"mx.example; arc=pass (", "mx.example", {"arc=pass ("}, "pass"},
	    {"mx.example; darc=pass; ARC=Fail", "mx.example",
		{"darc=pass", "ARC=Fail"}, "Fail"},
	};

	TAP_CASE("results are told apart, and their words read")
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct span id, rest, result, word, arc = SPAN_NONE;
		size_t n = 0;
		CHECK(authres_split(span_of(cases[i].field), a, &id, &rest));
		CHECK_STR(id, cases[i].id);
		while (authres_next(&rest, &result)) {
			CHECK_STR(result,
			    cases[i].results[n] ? cases[i].results[n] : "");
			if (!arc.p && authres_of(result, "arc", &word))
				arc = word;
			n++;
		}
		CHECK(!cases[i].results[n]);
		CHECK_STR(arc, cases[i].arc ? cases[i].arc : "");
	}
}

/* --- memory ---------------------------------------------------------------------------------------- */

static void
test_memory(struct arena *a)
{
	struct span text = chain_of(2, a);
	struct arena *whole = arena_new(0);
	bool passed = false;

	TAP_CASE("with any budget of memory the answer is right or none")
	CHECK_INT(result_of(text, whole), ARC_PASS);
	size_t all = arena_used(whole);
	for (size_t budget = 1000; budget < 2 * all; budget += 1531) {
		struct arena *small = arena_new(budget);
		struct header_list headers;
		header_init(&headers, small);
		struct span body =
		    span_skip(text, header_parse(&headers, text));
		struct bodyhash_set *hashes = bodyhash_new(small);
		struct dns_batch *batch = dns_batch_new(dns, small, 1000, 9);
		if (hashes && batch) {
			struct arc *arc =
			    arc_begin(&headers, batch, hashes, NOW, small);
			bodyhash_update(hashes, body);
			bodyhash_final(hashes);
			const struct arc_facts *facts = arc_end(arc, small);
			passed |= facts && facts->result == ARC_PASS;
			CHECK(!facts || facts->result != ARC_PASS ||
			      facts->instances == 2);
		}
		arena_free(small);
	}
	CHECK(passed);
	arena_free(whole);
}

int
main(void)
{
	static void (*const tests[])(struct arena *) = {test_right,
	    test_changes, test_shape, test_tags, test_dns, test_closed,
	    test_fields, test_parts, test_memory};

	set_up();
	for (size_t i = 0; i < sizeof tests / sizeof *tests; i++) {
		struct arena *a = arena_new(0);
		tests[i](a);
		arena_free(a);
	}
	dns_close(dns);
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
		sign_key_free(keys[i]);
	return tap_done();
}
