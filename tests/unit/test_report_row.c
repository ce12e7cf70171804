/* Rows of aggregate reports as entries of the store. */
#include "filter/auth/report_row.h"

#include "filter/base/buf.h"
#include "tests/lib/tap.h"

struct coded {
	char name[REPORT_ENTRY_NAME_MAX], value[REPORT_ENTRY_MAX];
	size_t name_len, value_len;
};

static struct span
value_of(const struct coded *c)
{
	return span_make(c->value, c->value_len);
}

static struct span
name_of(const struct coded *c)
{
	return span_make(c->name, c->name_len);
}

static void
encode(const struct report_entry *entry, int64_t day, struct coded *ret)
{
	report_entry_write(
	    entry, day, ret->name, &ret->name_len, ret->value, &ret->value_len);
}

static struct report_entry
sample(struct arena *a)
{
	struct report_entry e = {
	    .policy =
		{
		    .domain = SPAN("example.com"),
		    .p = SPAN("reject"),
		    .sp = SPAN("quarantine"),
		    .np = SPAN("none"),
		    .adkim = SPAN("s"),
		    .aspf = SPAN("r"),
		    .fo = SPAN("1:d"),
		    .testing = SPAN("n"),
		},
	    .row =
		{
		    .source_ip = SPAN("2001:db8::1"),
		    .disposition = SPAN("quarantine"),
		    .dkim = SPAN("fail"),
		    .spf = SPAN("pass"),
		    .header_from = SPAN("sub.example.com"),
		    .envelope_from = SPAN(""),
		},
	    .seen = 1790000000,
	};

	*VEC_PUSH(a, &e.row.reasons) =
	    (struct report_reason){SPAN("mailing_list"), SPAN("a < b")};
	*VEC_PUSH(a, &e.row.reasons) =
	    (struct report_reason){SPAN("local_policy"), SPAN_NONE};
	*VEC_PUSH(a, &e.row.spf_results) = (struct report_spf){
	    SPAN("example.net"), SPAN("mfrom"), SPAN("softfail"), SPAN_NONE};
	*VEC_PUSH(a, &e.row.dkim_results) = (struct report_dkim){
	    SPAN("example.com"), SPAN("s1"), SPAN("pass"), SPAN_NONE};
	*VEC_PUSH(a, &e.row.dkim_results) = (struct report_dkim){
	    SPAN("x\0y"), SPAN(""), SPAN("permerror"), SPAN("no key")};
	return e;
}

static void
test_round_trip(struct arena *a)
{
	struct report_entry e = sample(a), got;
	struct coded c, again;

	TAP_CASE("an entry is read as it was written");
	encode(&e, 20000, &c);
	CHECK_INT(report_entry_read(&got, value_of(&c), a), 0);
	CHECK_STR(got.policy.domain, "example.com");
	CHECK_STR(got.policy.np, "none");
	CHECK_STR(got.policy.fo, "1:d");
	CHECK_STR(got.row.source_ip, "2001:db8::1");
	CHECK(got.row.envelope_from.p && got.row.envelope_from.len == 0);
	CHECK_INT(got.row.reasons.n, 2);
	CHECK_STR(got.row.reasons.v[0].comment, "a < b");
	CHECK(!got.row.reasons.v[1].comment.p);
	CHECK_INT(got.row.spf_results.n, 1);
	CHECK_STR(got.row.spf_results.v[0].scope, "mfrom");
	CHECK_INT(got.row.dkim_results.n, 2);
	CHECK_SPAN(got.row.dkim_results.v[1].domain, SPAN("x\0y"));
	CHECK_INT(got.row.dkim_results.v[1].selector.len, 0);
	CHECK_INT(got.seen, 1790000000);
	encode(&got, 20000, &again);
	CHECK_SPAN(value_of(&again), value_of(&c));
	CHECK_SPAN(name_of(&again), name_of(&c));
}

static void
test_names(struct arena *a)
{
	struct report_entry e = sample(a);
	struct coded first, second;
	char prefix[REPORT_ENTRY_NAME_MAX];

	TAP_CASE("the name is of the day and all that is said but when");
	encode(&e, 20000, &first);
	e.seen++;
	encode(&e, 20000, &second);
	CHECK_SPAN(name_of(&second), name_of(&first));
	CHECK(span_starts(name_of(&first), SPAN("20000:")));
	CHECK_INT(first.name_len, sizeof "20000:" - 1 + 33);
	encode(&e, 20001, &second);
	CHECK(!span_eq(name_of(&second), name_of(&first)));
	e.row.envelope_from = SPAN_NONE;
	encode(&e, 20000, &second);
	CHECK(!span_eq(name_of(&second), name_of(&first)));

	TAP_CASE("all rows of a domain are in one part");
	unsigned found = 0;
	for (unsigned part = 0; part < REPORT_PARTS; part++) {
		size_t n = report_entry_prefix(20000, part, prefix);
		struct span p = span_make(prefix, n);
		bool one = span_starts(name_of(&first), p);
		CHECK_INT(one, span_starts(name_of(&second), p));
		found += one;
	}
	CHECK_INT(found, 1);
}

static struct span
many(struct arena *a, size_t n, char c)
{
	char *p = arena_alloc(a, n);

	memset(p, c, n);
	return span_make(p, n);
}

static void
test_limits(struct arena *a)
{
	struct report_entry e = sample(a), got;
	struct coded c;

	TAP_CASE("what is too long is cut, results that do not fit are left"
		 " out, and the entry can be read");
	e.row.header_from = many(a, 10000, 'h');
	e.policy.fo = many(a, 10000, 'f');
	e.row.reasons.v[0].comment = many(a, 10000, 'c');
	e.row.dkim_results.n = 0;
	for (int i = 0; i < 100; i++)
		*VEC_PUSH(a, &e.row.dkim_results) =
		    (struct report_dkim){many(a, 300, 'd'), many(a, 300, 's'),
			SPAN("pass"), many(a, 300, 'w')};
	for (int i = 0; i < 100; i++)
		*VEC_PUSH(a, &e.row.reasons) =
		    (struct report_reason){SPAN("other"), many(a, 300, 'o')};
	encode(&e, 20000, &c);
	CHECK(c.value_len <= REPORT_ENTRY_MAX);
	CHECK_INT(report_entry_read(&got, value_of(&c), a), 0);
	CHECK_INT(got.row.header_from.len, 253);
	CHECK_INT(got.row.reasons.n, REPORT_ENTRY_REASONS_MAX);
	CHECK(got.row.dkim_results.n >= 2 && got.row.dkim_results.n < 10);
}

/* Puts bytes together: each letter with its text. */
static void
field(struct buf *out, char letter, struct span text)
{
	buf_add_char(out, letter);
	buf_add_char(out, (char)(text.len >> 8));
	buf_add_char(out, (char)(text.len & 0xff));
	buf_add_span(out, text);
}

struct change {
	const char *claim;
	char letter;
	struct span text; /* p NULL: left out */
	int rc;
};

static void
test_hostile(struct arena *a)
{
	static const struct {
		char letter;
		struct span text;
	} whole[] = {{'d', SPAN("example.com")}, {'p', SPAN("none")},
	    {'i', SPAN("192.0.2.1")}, {'a', SPAN("none")}, {'K', SPAN("pass")},
	    {'S', SPAN("fail")}, {'h', SPAN("example.com")}, {'T', SPAN("1")}};
	static const struct change changes[] = {
	    {"as it should be", 'd', SPAN("example.com"), 0},
	    {"no domain", 'd', SPAN_NONE, ERR_SYNTAX},
	    {"a domain with a quote", 'd', SPAN("a\"b.example"), ERR_SYNTAX},
	    {"a domain with a '!'", 'd', SPAN("a!b.example"), ERR_SYNTAX},
	    {"a domain with a line end", 'd', SPAN("a\nb.example"), ERR_SYNTAX},
	    {"a domain in capitals", 'd', SPAN("A.example"), ERR_SYNTAX},
	    {"a domain with an empty label", 'd', SPAN("a..example"),
		ERR_SYNTAX},
	    {"a domain with a final dot", 'd', SPAN("a.example."), ERR_SYNTAX},
	    {"an empty domain", 'd', SPAN(""), ERR_SYNTAX},
	    {"a policy that is none", 'p', SPAN("quarantin"), ERR_SYNTAX},
	    {"no policy", 'p', SPAN_NONE, ERR_SYNTAX},
	    {"a disposition that is none", 'a', SPAN("pass>"), ERR_SYNTAX},
	    {"a disposition of its own list", 'a', SPAN("pass"), 0},
	    {"a result that is none", 'K', SPAN("none"), ERR_SYNTAX},
	    {"an address that is too long", 'i',
		SPAN("1234567890123456789012345678901234567890123456"),
		ERR_SYNTAX},
	    {"an address that is none", 'i', SPAN("191\0.2.1"), ERR_SYNTAX},
	    {"no time", 'T', SPAN_NONE, ERR_SYNTAX},
	    {"a time that is none", 'T', SPAN("now"), ERR_SYNTAX},
	    {"a time before 1970", 'T', SPAN("-1"), ERR_SYNTAX},
	};
	struct report_entry got;

	for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
		struct buf out;
		tap_case(changes[i].claim);
		buf_init(&out, a, 4096);
		for (size_t j = 0; j < sizeof whole / sizeof *whole; j++) {
			bool here = whole[j].letter == changes[i].letter;
			struct span text =
			    here ? changes[i].text : whole[j].text;
			if (text.p)
				field(&out, whole[j].letter, text);
		}
		CHECK_INT(
		    report_entry_read(&got, buf_span(&out), a), changes[i].rc);
	}
}

static void
test_broken(struct arena *a)
{
	struct report_entry e = sample(a), got;
	struct coded c;
	struct buf twice;

	encode(&e, 20000, &c);
	TAP_CASE("an entry that is cut off is none, wherever");
	for (size_t n = 0; n < c.value_len; n++)
		if (!CHECK_INT(
			report_entry_read(&got, span_make(c.value, n), a),
			ERR_SYNTAX))
			break;
	TAP_CASE("a field that stands twice makes it none");
	buf_init(&twice, a, 2 * REPORT_ENTRY_MAX);
	buf_add_span(&twice, value_of(&c));
	buf_add_span(&twice, value_of(&c));
	CHECK_INT(report_entry_read(&got, buf_span(&twice), a), ERR_SYNTAX);
	TAP_CASE("parts of a list without their first are none");
	buf_truncate(&twice, 0);
	field(&twice, 'z', SPAN("pass"));
	buf_add_span(&twice, value_of(&c));
	CHECK_INT(report_entry_read(&got, buf_span(&twice), a), ERR_SYNTAX);
}

int
main(void)
{
	struct arena *a = arena_new(0);

	test_round_trip(a);
	test_names(a);
	test_limits(a);
	test_hostile(a);
	test_broken(a);
	arena_free(a);
	return tap_done();
}
