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
test_explanation(void)
{
	static const struct {
		const char *claim, *domain, *text;
		enum reply_class class;
		const char *want; /* behind the reason, "" for nothing */
	} cases[] = {
	    {"what the domain explains is shown as its words (RFC 7208 6.2)",
		"example.com", "See https://example.com/why?ip=192.0.2.1",
		REPLY_SPF,
		"; example.com explained: \"See "
		"https://example.com/why?ip=192.0.2.1\""},
	    {"its quotes do not end them", "example.com", "a\" (ref X) \"b",
		REPLY_SPF, "; example.com explained: \"a' (ref X) 'b\""},
	    {"nor do other bytes (hostile row 38)", "example.com",
		"a\r\n250 ok\x1b[1m\xff", REPLY_SPF,
		"; example.com explained: \"a??250 ok?[1m?\""},
	    {"blanks alone are nothing", "example.com", "   ", REPLY_SPF, ""},
	    {"so is no text", "example.com", "", REPLY_SPF, ""},
	    {"nobody explained without a domain", "", "text", REPLY_SPF, ""},
	    {"other classes have no explanation", "example.com", "text",
		REPLY_DMARC, ""},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct reply_request request = {.class = cases[i].class,
		    .ref = "",
		    .domain = span_of(cases[i].domain)};
		struct reply plain, r;
		TAP_CASE(cases[i].claim)
		reply_make(&request, &plain);
		request.explanation = span_of(cases[i].text);
		reply_make(&request, &r);
		size_t n = strlen(plain.text);
		CHECK(strncmp(r.text, plain.text, n) == 0);
		CHECK_STR(span_of(r.text + n), cases[i].want);
	}
}

static void
test_long_explanation(void)
{
	char text[401], domain[300];
	struct reply_request request = {.class = REPLY_SPF,
	    .ref = "7K3M-9QXD-2T5V",
	    .domain = SPAN("example.com"),
	    .help_url = SPAN("https://mx.example/%{ref}"),
	    .explanation = {text, sizeof text - 1}};
	struct reply r;

	memset(text, '%', sizeof text - 1);
	memset(domain, 'd', sizeof domain);
	TAP_CASE("a long explanation is cut, and still quoted")
	reply_make(&request, &r);
	CHECK_INT(strlen(r.text), REPLY_TEXT_MAX);
	CHECK(strstr(r.text,
	    "%%%\" (ref 7K3M-9QXD-2T5V) https://mx.example/7K3M-9QXD-2T5V"));
	TAP_CASE("where there is no room for it, it is left out")
	char url[250];
	memset(url, 'u', sizeof url);
	request.domain = span_make(domain, sizeof domain);
	request.help_url = span_make(url, sizeof url);
	reply_make(&request, &r);
	CHECK(strlen(r.text) <= REPLY_TEXT_MAX);
	CHECK(!strstr(r.text, "explained"));
	CHECK(strstr(r.text, "(ref 7K3M-9QXD-2T5V) uuu"));
	TAP_CASE("a temporary refusal does not show it")
	request.temporary = true;
	request.domain = SPAN("example.com");
	reply_make(&request, &r);
	CHECK(!strstr(r.text, "explained"));
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
	test_explanation();
	test_long_explanation();
	test_escape();
	return tap_done();
}
