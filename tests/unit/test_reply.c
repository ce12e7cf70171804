#include "filter/reply.h"

#include "tests/lib/tap.h"

static struct reply
make(enum reply_class class, const char *domain, const char *url)
{
	struct reply_request request = {
	    .class = class,
	    .domain = span_of(domain),
	    .ref = "7K3M-9QXD-2T5V",
	    .help_url = span_of(url),
	};
	struct reply reply;

	reply_make(&request, &reply);
	return reply;
}

static bool
is_line(const char *text)
{
	for (; *text; text++)
		if (ascii_is_control(*text) || ascii_is_8bit(*text))
			return false;
	return true;
}

static void
test_codes(void)
{
	static const struct {
		enum reply_class class;
		const char *code, *status;
	} cases[] = {
	    {REPLY_CONTENT, "550", "5.7.1"},
	    {REPLY_DMARC, "550", "5.7.26"},
	    {REPLY_SPF, "550", "5.7.23"},
	    {REPLY_DKIM, "550", "5.7.20"},
	    {REPLY_DNS, "451", "4.4.3"},
	    {REPLY_FAILURE, "451", "4.3.0"},
	    {REPLY_OVERLOAD, "421", "4.3.2"},
	    {REPLY_SPLIT, "452", "4.5.3"},
	};

	TAP_CASE("each class has its codes (RFC 3463, RFC 7372)")
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct reply r = make(cases[i].class, "example.com", "");
		CHECK_STR(span_of(r.code), cases[i].code);
		CHECK_STR(span_of(r.status), cases[i].status);
		CHECK(strstr(r.text, "(ref 7K3M-9QXD-2T5V)") != NULL);
		CHECK(is_line(r.text));
	}

	TAP_CASE("a temporary refusal has a temporary code")
	struct reply_request request = {
	    .class = REPLY_CONTENT, .temporary = true, .ref = ""};
	struct reply r;
	reply_make(&request, &r);
	CHECK_INT(r.code[0], '4');
	CHECK_INT(r.status[0], '4');
}

static void
test_text(void)
{
	struct reply r;

	TAP_CASE("the sender's own domain and the help address are named")
	r = make(REPLY_DMARC, "example.com", "https://mx.example/r?ref=%{ref}");
	CHECK(strstr(r.text, "example.com") != NULL);
	CHECK(strstr(r.text, "https://mx.example/r?ref=7K3M-9QXD-2T5V"));
	CHECK(strstr(r.text, "%") == NULL);

	TAP_CASE("without a domain the text still reads")
	r = make(REPLY_DMARC, "", "");
	CHECK(strstr(r.text, "  ") == NULL && strstr(r.text, "%s") == NULL);

	TAP_CASE("bytes of the sender cannot break the line")
	r = make(REPLY_CONTENT, "a\r\n250 ok\x01\xff%n.example", "");
	CHECK(is_line(r.text));
	CHECK(strstr(r.text, "%n.example") != NULL);

	TAP_CASE("a long line is cut before the ref, never in it")
	char longer[600];
	memset(longer, 'a', sizeof longer - 1);
	longer[sizeof longer - 1] = '\0';
	r = make(REPLY_CONTENT, longer, longer);
	CHECK(strlen(r.text) <= REPLY_TEXT_MAX);
	CHECK(strstr(r.text, "(ref 7K3M-9QXD-2T5V) aaa") != NULL);
}

static void
test_rules(void)
{
	static const struct symbol bad = {.name = {"BAYES_99", 8}};
	static const struct symbol good = {.name = {"DKIM_VALID", 10}};
	struct symbol_hit v[] = {
	    {.symbol = &bad, .score_milli = 3500},
	    {.symbol = &good, .score_milli = -100},
	};
	const struct symbol_hits hits = {v, 2, 2};
	struct reply_request request = {
	    .class = REPLY_CONTENT, .ref = "R", .hits = &hits};
	struct reply r;

	TAP_CASE("rules are named only where the policy asks for it")
	reply_make(&request, &r);
	CHECK(strstr(r.text, "BAYES_99") != NULL);
	CHECK(strstr(r.text, "DKIM_VALID") == NULL);
	request.hits = NULL;
	reply_make(&request, &r);
	CHECK(strstr(r.text, "BAYES_99") == NULL);
}

static void
test_escape(void)
{
	char to[2 * REPLY_TEXT_SIZE], small[6];
	char all[REPLY_TEXT_SIZE];

	TAP_CASE("each percent sign is doubled for libmilter")
	reply_escape("100% of %s", to, sizeof to);
	CHECK_STR(span_of(to), "100%% of %%s");

	TAP_CASE("a text of percent signs alone fits twice the room")
	memset(all, '%', sizeof all - 1);
	all[sizeof all - 1] = '\0';
	reply_escape(all, to, sizeof to);
	CHECK_INT(strlen(to), 2 * REPLY_TEXT_MAX);

	TAP_CASE("a cut never leaves a single one")
	reply_escape("%%%%%%", small, sizeof small);
	CHECK_INT(strlen(small) % 2, 0);
}

int
main(void)
{
	test_codes();
	test_text();
	test_rules();
	test_escape();
	return tap_done();
}
