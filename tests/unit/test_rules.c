/* The rules that are installed: no complaint, GTUBE, and ordinary mail. */
#include <stdio.h>

#include "tests/unit/rulekit.h"

static const char ordinary[] =
    "Received: from a.example by b.example; Mon, 1 Jan 2024 00:00:00 +0000\n"
    "From: Some One <one@example.com>\n"
    "To: two@example.net\n"
    "Date: Mon, 1 Jan 2024 00:00:00 +0000\n"
    "Message-ID: <1@example.com>\n"
    "Subject: Notes of the meeting\n"
    "\n"
    "Hello, please confirm the date. See https://www.example.com/notes\n"
    "\n"
    "The account of last year is attached. Bye\n";

static const char fraud[] =
    "From: Mr. Bank <bank12345678@gmail.com>\n"
    "To: undisclosed-recipients:;\n"
    "Subject: URGENT BUSINESS FOR YOU TODAY!!!\n"
    "\n"
    "Dear friend, I am a bank manager in Nigeria. The next of kin of US$ 4.5\n"
    "million died in a crash. It is strictly confidential. For the transfer of\n"
    "the fund contact me urgently.\n";

static const char phish[] =
    "Received: from a.example by b.example; Mon, 1 Jan 2024 00:00:00 +0000\n"
    "From: PayPal Security <x@example.com>\n"
    "To: two@example.net\n"
    "Date: Mon, 1 Jan 2024 00:00:00 +0000\n"
    "Message-ID: <1@example.com>\n"
    "Subject: notice\n"
    "\n"
    "Your account has been suspended. Please confirm your account within 24\n"
    "hours: click on the link http://203.0.113.7/paypal/ because of unusual\n"
    "activity.\n";

static void
check(const char *mail, int64_t least, int64_t most, const char *claim)
{
	struct kit k;
	struct err err = {0};

	TAP_CASE(claim)
	kit_begin(&k, true, true);
	CHECK_INT(rule_read_path(k.set, ASSAY_SRCDIR "/rules", &err), 0);
	kit_finish(&k);
	CHECK_STR(span_of(kit_problem(&k, 0)), "");
	kit_run(&k, mail, false);
	if (!CHECK(rule_run_score(k.run) >= least &&
		   rule_run_score(k.run) <= most))
		printf("# %lld: %s\n", (long long)rule_run_score(k.run),
		    kit_hits(&k));
	kit_end(&k);
}

static void
test_described(void)
{
	struct kit k;
	struct err err = {0};
	int bare = 0;

	TAP_CASE("each rule that scores has a description and a score line")
	kit_begin(&k, true, true);
	CHECK_INT(rule_read_path(k.set, ASSAY_SRCDIR "/rules", &err), 0);
	kit_finish(&k);
	const struct symbol_table *symbols = rule_set_symbols(k.set);
	for (size_t i = 0; i < symbols->items.n; i++) {
		const struct symbol *s = symbols->items.v[i];
		if (s->sub || (s->describe.len && s->scored))
			continue;
		bare++;
		printf("# %.*s\n", SPAN_ARG(s->name));
	}
	CHECK_INT(bare, 0);

	TAP_CASE("none but GTUBE tags a message alone")
	for (size_t i = 0; i < symbols->items.n; i++) {
		const struct symbol *s = symbols->items.v[i];
		if (!span_is(s->name, "GTUBE"))
			CHECK(s->score_milli < 5000);
	}
	kit_end(&k);
}

int
main(void)
{
	/* In two pieces, so that this file is no test mail itself. */
	static const char gtube[] =
	    "From: a@example.com\nTo: b@example.com\nSubject: x\n\n"
	    "XJS*C4JDBQADN1.NSBN3*2IDNEN*"
	    "GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X\n";

	test_described();
	check(ordinary, 0, 0, "an ordinary letter scores nothing");
	check(gtube, 1000000, 1010000, "GTUBE scores a thousand points");
	check(fraud, 5000, 30000, "an advance fee fraud is tagged");
	check(phish, 5000, 30000, "a phishing mail is tagged");
	return tap_done();
}
