/* Who may have what signed. */
#include "filter/sign.h"

#include "filter/base/buf.h"
#include "tests/unit/signkit.h"

static struct keyring *keyring, *no_keys;

static void
complain(void *arg, bool warning, const char *text)
{
	(void)arg;
	(void)warning;
	printf("# %s\n", text);
}

static struct keyring *
load(struct arena *a, const char *folder)
{
	struct keyring_source source = {.folder = span_of(kit_path(a, folder))};
	struct keyring *ret = NULL;

	if (keyring_load(&source, complain, NULL, &ret))
		exit(1);
	return ret;
}

/* auth.sign_as, auth.sign_local of all cases. */
static const struct sign_pair pairs[] = {
    {SPAN("news@example.org"), SPAN("example.com")},
    {SPAN("relay"), SPAN("*")},
    {SPAN("*@partner.example"), SPAN("example.com")},
    {SPAN("*"), SPAN("open.example")},
    {SPAN("a:b"), SPAN("example.com")},
};
static const struct span local[] = {SPAN("example.com")};

struct decision {
	const char *claim;
	const char *from; /* header lines */
	const char *login;
	bool internal;
	enum sign_answer want;
};

static enum sign_answer
decide(const char *header, const struct sign_facts *facts,
    const struct sign_settings *settings, struct arena *a)
{
	struct sign_facts all = *facts;
	struct header_list headers;
	struct sign_decision decision;
	struct addr_list from;
	struct buf fields;

	header_init(&headers, a);
	(void)header_parse(&headers, span_of(header));
	buf_init(&fields, a, 65536);
	const struct header *h = header_first(&headers, SPAN("From"));
	addr_parse(&from, h ? h->raw : SPAN(""), a);
	all.headers = &headers;
	all.from = &from;
	sign_decide(settings, keyring, &all, a, &decision);
	CHECK((decision.answer == SIGN_YES) == (decision.n_signers > 0));
	CHECK(sign_answer_text(decision.answer) != NULL);
	return decision.answer;
}

#define ME "From: me@example.com\n"

static const struct decision cases[] = {
    /* logins */
    {"a login of the domain", ME, "joe@example.com", false, SIGN_YES},
    {"the domain in another case", "From: me@Example.COM\n", "joe@EXAMPLE.com",
	false, SIGN_YES},
    {"a final dot, either side", "From: me@example.com.\n", "joe@example.com.",
	false, SIGN_YES},
    {"U-labels in the login, A-labels in From",
	"From: me@xn--mnchen-3ya.example\n", "joe@m\xc3\xbcnchen.example",
	false, SIGN_YES},
    {"U-labels in From, A-labels in the login",
	"From: me@m\xc3\xbcnchen.example\n", "joe@XN--mnchen-3ya.example",
	false, SIGN_YES},
    {"a login of another domain", ME, "joe@example.net", false, SIGN_LOGIN},
    {"a login of a domain above", "From: me@sub.example.com\n",
	"joe@example.com", false, SIGN_LOGIN},
    {"a login of a domain below", ME, "joe@sub.example.com", false, SIGN_LOGIN},
    {"the login's domain ends alike", ME, "joe@badexample.com", false,
	SIGN_LOGIN},
    {"a login without a domain", ME, "joe", false, SIGN_LOGIN},
    {"a login that is the domain", ME, "example.com", false, SIGN_LOGIN},
    {"a login without a name", ME, "@example.com", false, SIGN_LOGIN},
    {"a login with two domains", ME, "joe@example.net@example.com", false,
	SIGN_LOGIN},
    {"two domains, ours first", ME, "joe@example.com@example.net", false,
	SIGN_LOGIN},
    {"a login with a blank behind the domain", ME, "joe@example.com x", false,
	SIGN_LOGIN},
    {"a login from an internal client counts as login", ME, "joe@example.net",
	true, SIGN_LOGIN},
    /* auth.sign_as */
    {"sign_as allows the pair", ME, "news@example.org", false, SIGN_YES},
    {"sign_as, the login's domain in another case", ME, "news@Example.ORG",
	false, SIGN_YES},
    {"sign_as, another case of the name", ME, "News@example.org", false,
	SIGN_LOGIN},
    {"sign_as, another login of that domain", ME, "other@example.org", false,
	SIGN_LOGIN},
    {"sign_as, another domain", "From: me@sub.example.com\n",
	"news@example.org", false, SIGN_LOGIN},
    {"sign_as with * for the domain", ME, "relay", false, SIGN_YES},
    {"sign_as with * needs a key all the same", "From: me@nokey.example\n",
	"relay", false, SIGN_NO_KEY},
    {"sign_as of all logins of a domain", ME, "x@partner.example", false,
	SIGN_YES},
    {"not of a domain that ends alike", ME, "x@badpartner.example", false,
	SIGN_LOGIN},
    {"sign_as of any login", "From: me@open.example\n", "whoever", false,
	SIGN_YES},
    {"any login is not nobody", "From: me@open.example\n", "", false,
	SIGN_CLIENT},
    {"a login with a colon", ME, "a:b", false, SIGN_YES},
    {"the login * is not everybody", ME, "*", false, SIGN_LOGIN},
    {"the login *@partner.example is of that domain", ME, "*@partner.example",
	false, SIGN_YES},
    /* nobody logged in */
    {"internal mail of a listed domain", ME, "", true, SIGN_YES},
    {"internal mail of another domain", "From: me@open.example\n", "", true,
	SIGN_NOT_LOCAL},
    {"internal mail of a domain below", "From: me@sub.example.com\n", "", true,
	SIGN_NOT_LOCAL},
    {"a foreign client by daemon_name", ME, "", false, SIGN_CLIENT},
    /* the From field */
    {"no key for the domain", "From: me@nokey.example\n", "joe@nokey.example",
	false, SIGN_NO_KEY},
    {"no From", "To: me@example.com\n", "joe@example.com", false,
	SIGN_FROM_FIELDS},
    {"two From fields", ME ME, "joe@example.com", false, SIGN_FROM_FIELDS},
    {"a second From of somebody else", ME "From: ceo@bank.example\n",
	"joe@example.com", false, SIGN_FROM_FIELDS},
    {"a second From with a blank before the colon",
	ME "From : ceo@bank.example\n", "joe@example.com", false,
	SIGN_FROM_FIELDS},
    {"a blank before the colon of the only one", "From : me@example.com\n",
	"joe@example.com", false, SIGN_FROM_FIELDS},
    {"two addresses", "From: me@example.com, you@example.com\n",
	"joe@example.com", false, SIGN_FROM_FORM},
    {"two addresses, one of somebody else",
	"From: me@example.com, ceo@bank.example\n", "joe@example.com", false,
	SIGN_FROM_FORM},
    {"a group", "From: us: me@example.com;\n", "joe@example.com", false,
	SIGN_FROM_FORM},
    {"an empty group", "From: us:;\n", "joe@example.com", false,
	SIGN_FROM_FORM},
    {"nothing", "From:\n", "joe@example.com", false, SIGN_FROM_FORM},
    {"a name alone", "From: Joe Doe\n", "joe@example.com", false,
	SIGN_FROM_FORM},
    {"no local part", "From: <@example.com>\n", "joe@example.com", false,
	SIGN_FROM_FORM},
    {"no domain", "From: <joe@>\n", "joe@example.com", false, SIGN_FROM_FORM},
    {"a display name", "From: Joe <me@example.com>\n", "joe@example.com", false,
	SIGN_YES},
    {"a quoted name that looks like another address",
	"From: \"ceo@bank.example\" <me@example.com>\n", "joe@example.com",
	false, SIGN_YES},
    {"an unquoted name that is another address",
	"From: ceo@bank.example <me@example.com>\n", "joe@example.com", false,
	SIGN_FROM_FORM},
    {"two angle brackets", "From: <ceo@bank.example> <me@example.com>\n",
	"joe@example.com", false, SIGN_FROM_FORM},
    {"an address in a comment", "From: me@example.com (ceo@bank.example)\n",
	"joe@example.com", false, SIGN_FROM_FORM},
    {"two @", "From: ceo@bank.example@example.com\n", "joe@example.com", false,
	SIGN_FROM_FORM},
    {"a quoted local part with an @",
	"From: \"ceo@bank.example\"@example.com\n", "joe@example.com", false,
	SIGN_FROM_FORM},
    {"a route", "From: <@bank.example:me@example.com>\n", "joe@example.com",
	false, SIGN_FROM_FORM},
    {"a comment inside the address", "From: me@(x)example.com\n",
	"joe@example.com", false, SIGN_FROM_FORM},
    {"an encoded word around the address",
	"From: =?utf-8?q?me=40example=2Ecom?=\n", "joe@example.com", false,
	SIGN_FROM_FORM},
    {"an unclosed bracket", "From: x <me@example.com\n", "joe@example.com",
	false, SIGN_FROM_FORM},
    {"a folded field", "From:\n\tJoe\n\t<me@example.com>\n", "joe@example.com",
	false, SIGN_YES},
    {"an address literal", "From: me@[192.0.2.1]\n", "joe@[192.0.2.1]", false,
	SIGN_NO_KEY},
    {"a domain with an empty label", "From: me@example..com\n",
	"joe@example..com", false, SIGN_FROM_FORM},
};

static const struct sign_settings open_settings = {
    .on = true,
    .as = pairs,
    .n_as = sizeof pairs / sizeof *pairs,
    .local = local,
    .n_local = 1,
};

static void
test_cases(struct arena *a)
{
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct sign_facts facts = {
		    .direction = DIRECTION_OUT,
		    .login = span_of(cases[i].login),
		    .internal = cases[i].internal,
		};
		TAP_CASE(cases[i].claim)
		CHECK_INT(decide(cases[i].from, &facts, &open_settings, a),
		    cases[i].want);
	}
}

static void
test_off(struct arena *a)
{
	struct sign_facts facts = {
	    .direction = DIRECTION_OUT,
	    .login = SPAN("joe@example.com"),
	};
	struct sign_settings off = open_settings;

	TAP_CASE("auth.sign = no, and mail that does not leave: off")
	off.on = false;
	CHECK_INT(decide(ME, &facts, &off, a), SIGN_OFF);
	facts.direction = DIRECTION_IN;
	CHECK_INT(decide(ME, &facts, &open_settings, a), SIGN_OFF);
	facts.direction = DIRECTION_RELAY;
	CHECK_INT(decide(ME, &facts, &open_settings, a), SIGN_OFF);

	TAP_CASE("over TCP only with auth.sign_inet")
	struct sign_settings inet = open_settings;
	facts.direction = DIRECTION_OUT;
	facts.inet = true;
	CHECK_INT(decide(ME, &facts, &inet, a), SIGN_INET);
	inet.inet = true;
	CHECK_INT(decide(ME, &facts, &inet, a), SIGN_YES);

	TAP_CASE("without any key it is off and not worth a word")
	struct keyring *kept = keyring;
	keyring = no_keys;
	CHECK_INT(decide(ME, &facts, &inet, a), SIGN_OFF);
	keyring = NULL;
	CHECK_INT(decide(ME, &facts, &inet, a), SIGN_OFF);
	keyring = kept;
}

static void
test_long(struct arena *a)
{
	struct sign_facts facts = {
	    .direction = DIRECTION_OUT,
	    .login = SPAN("joe@example.com"),
	};
	char text[2000];

	TAP_CASE("a login so long that it was cut shows no domain")
	memset(text, 'a', sizeof text);
	size_t n = 1024 - strlen("@example.com");
	memcpy(text + n, "@example.com", strlen("@example.com"));
	facts.login = span_make(text, 1024);
	CHECK_INT(decide(ME, &facts, &open_settings, a), SIGN_LOGIN);
	facts.login = SPAN("joe@example.com");

	TAP_CASE("a local part of a thousand letters is none")
	char *from = arena_cstr(
	    a, arena_printf(a, "From: %.*s@example.com\n", 1000, text));
	CHECK_INT(decide(from, &facts, &open_settings, a), SIGN_FROM_FORM);

	TAP_CASE("more fields than are kept: unsigned")
	struct header_list headers;
	struct addr_list list;
	struct sign_decision decision;
	header_init(&headers, a);
	header_add(&headers, SPAN("From"), SPAN(" me@example.com"));
	for (size_t i = 0; i < HEADER_FIELDS_MAX; i++)
		header_add(&headers, SPAN("X"), SPAN(" x"));
	addr_parse(&list, SPAN("me@example.com"), a);
	facts.headers = &headers;
	facts.from = &list;
	sign_decide(&open_settings, keyring, &facts, a, &decision);
	CHECK_INT(decision.answer, SIGN_CUT);

	TAP_CASE("a NUL in the name of a field that looks like From")
	header_init(&headers, a);
	header_add(&headers, SPAN("From"), SPAN(" me@example.com"));
	header_add(&headers, SPAN("Fr\0om"), SPAN(" ceo@bank.example"));
	sign_decide(&open_settings, keyring, &facts, a, &decision);
	CHECK_INT(decision.answer, SIGN_FROM_FIELDS);

	TAP_CASE("a NUL in the address")
	header_init(&headers, a);
	header_add(&headers, SPAN("From"), SPAN(" me@example.com\0.evil"));
	addr_parse(&list, headers.fields.v[0].raw, a);
	sign_decide(&open_settings, keyring, &facts, a, &decision);
	CHECK_INT(decision.answer, SIGN_FROM_FORM);
}

int
main(void)
{
	static const char *const domains[] = {"example.com", "sub.example.com",
	    "open.example", "xn--mnchen-3ya.example"};
	struct arena *a = arena_new(0);

	kit_begin();
	for (size_t i = 0; i < sizeof domains / sizeof *domains; i++) {
		const char *name =
		    arena_cstr(a, arena_printf(a, "keys/%s/s.pem", domains[i]));
		(void)kit_write(a, name, kit_pem(a, SIGN_ED25519_SHA256), 0600);
	}
	CHECK_INT(mkdir(kit_path(a, "none"), 0700), 0);
	keyring = load(a, "keys");
	no_keys = load(a, "none");
	test_cases(a);
	test_off(a);
	test_long(a);
	keyring_free(keyring);
	keyring_free(no_keys);
	arena_free(a);
	kit_end();
	return tap_done();
}
