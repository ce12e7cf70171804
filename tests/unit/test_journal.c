#include "filter/journal.h"

#include "tests/lib/tap.h"

static const struct policy_settings policy = {.reject = 15000};

static struct span
format(const struct journal_entry *entry)
{
	static char line[JOURNAL_LINE_MAX + 1];

	memset(line, 'x', sizeof line);
	journal_format(entry, line);
	return span_of(line);
}

static bool
holds(struct span line, const char *text)
{
	return span_find(line, span_of(text), 0) != SPAN_NPOS;
}

/* The message of design/examples: what a postmaster was shown. */
static void
test_example(void)
{
	static const struct symbol bayes = {.name = {"BAYES_999", 9}};
	static const struct symbol url = {.name = {"URIBL_DBL_SPAM", 14}};
	static const struct symbol good = {.name = {"DKIM_VALID", 10}};
	struct symbol_hit v[] = {{.symbol = &bayes, .score_milli = 5500},
	    {.symbol = &url, .score_milli = 4000},
	    {.symbol = &good, .score_milli = -1250}};
	const struct symbol_hits hits = {v, 3, 3};
	struct dkim_signature signatures[] = {
	    {.result = DKIM_FAIL, .domain = {"muster.example", 14}},
	    {.result = DKIM_PASS, .domain = {"mailer.example", 14}}};
	const struct dkim_facts dkim = {.n = 2, .signatures = signatures};
	const struct scan_dkim_facts dkim_facts = {FACT_DONE, &dkim};
	const struct spf_facts spf = {
	    .state = FACT_DONE, .mail = {.result = SPF_PASS}};
	const struct scan_dmarc_facts dmarc = {.state = FACT_DONE,
	    .dmarc = {.result = DMARC_FAIL, .published = DMARC_POLICY_NONE}};
	static const char *const degraded[] = {"dnsbl:spamhaus-zen"};
	struct verdict verdict = {.action = ACTION_REJECT,
	    .would = ACTION_REJECT,
	    .by = "score",
	    .policy = &policy,
	    .score_milli = 15900,
	    .threshold_milli = 15000};
	struct envelope envelope = {.has_client = true,
	    .client_name = {"out7.mailer.example", 19},
	    .helo = {"out7.mailer.example", 19},
	    .mail_from = {"bounce-17@mailer.example", 24}};
	CHECK_INT(ip_parse(SPAN("203.0.113.9"), &envelope.client_ip), 0);
	struct journal_entry entry = {.queue_id = {"4Xh2Qk3b9Yz", 11},
	    .ref = "7K3M-9QXD-2T5V",
	    .verdict = &verdict,
	    .direction = DIRECTION_IN,
	    .envelope = &envelope,
	    .first_rcpt = {"anna@example.org", 16},
	    .n_rcpts = 1,
	    .from_domain = {"muster.example", 14},
	    .message_id = {"20261124.93@mailer.example", 26},
	    .size = 217088,
	    .spf = &spf,
	    .dkim = &dkim_facts,
	    .dmarc = &dmarc,
	    .degraded = degraded,
	    .n_degraded = 1,
	    .ms = 212,
	    .hits = &hits};

	TAP_CASE("the line is the documented one")
	CHECK_STR(format(&entry),
	    "4Xh2Qk3b9Yz: ref=7K3M-9QXD-2T5V, action=reject, by=score,"
	    " score=15.900/15, dir=in, client=out7.mailer.example[203.0.113.9],"
	    " helo=out7.mailer.example, auth=-,"
	    " from=<bounce-17@mailer.example>, to=<anna@example.org>,"
	    " nrcpt=1, hfrom=muster.example,"
	    " msgid=<20261124.93@mailer.example>, size=217088, spf=pass,"
	    " dkim=fail:muster.example;pass:mailer.example,"
	    " dmarc=fail/none, arc=-, degraded=dnsbl:spamhaus-zen, ms=212,"
	    " symbols=BAYES_999:5.5,URIBL_DBL_SPAM:4,DKIM_VALID:-1.25");

	TAP_CASE("observe adds what would have been done")
	verdict.action = ACTION_ACCEPT;
	CHECK(holds(
	    format(&entry), "action=accept, by=score, would=reject, score="));

	TAP_CASE("a spared DMARC failure says why")
	verdict.dmarc_reason = "mailing_list";
	CHECK(holds(format(&entry), "dmarc=fail/none(mailing_list), "));
}

/* Everything unknown or not there. */
static void
test_empty(void)
{
	struct verdict verdict = {.by = "score",
	    .policy = &policy,
	    .score_milli = -5,
	    .threshold_milli = OPTION_OFF};
	struct envelope envelope = {0};
	struct journal_entry entry = {.ref = "R",
	    .verdict = &verdict,
	    .direction = DIRECTION_OUT,
	    .envelope = &envelope};

	TAP_CASE("what is not known is a dash, never a gap")
	CHECK_STR(format(&entry),
	    "NOQUEUE: ref=R, action=accept, by=score, score=-0.005/off,"
	    " dir=out, client=local, helo=-, auth=-, from=<>, to=<>,"
	    " nrcpt=0, hfrom=-, msgid=<>, size=0, spf=-, dkim=-, dmarc=-,"
	    " arc=-, degraded=-, ms=0, symbols=-");
}

static void
test_hostile(void)
{
	static char bytes[5000];
	struct verdict verdict = {.by = "score", .policy = &policy};
	struct span big = {bytes, sizeof bytes};
	struct envelope envelope = {.has_client = true,
	    .client_name = big,
	    .helo = big,
	    .auth_user = big,
	    .mail_from = big};
	struct journal_entry entry = {.queue_id = big,
	    .ref = "R",
	    .verdict = &verdict,
	    .envelope = &envelope,
	    .first_rcpt = big,
	    .n_rcpts = 5000,
	    .from_domain = big,
	    .message_id = big};
	static const struct symbol symbol = {.name = {"LAST_SYMBOL", 11}};
	struct symbol_hit v[200];
	struct symbol_hits hits = {v, 200, 200};

	for (size_t i = 0; i < 200; i++)
		v[i] =
		    (struct symbol_hit){.symbol = &symbol, .score_milli = 1000};
	entry.hits = &hits;

	TAP_CASE("hostile values leave a line of 900 bytes with symbols in it")
	for (unsigned byte = 0; byte < 256; byte++) {
		memset(bytes, (int)byte, sizeof bytes);
		struct span line = format(&entry);
		bool good = line.len <= JOURNAL_LINE_MAX;
		for (size_t i = 0; i < line.len; i++)
			good = good && line.p[i] >= 0x20 && line.p[i] < 0x7f;
		CHECK(good);
		CHECK(holds(line, "symbols=LAST_SYMBOL:1,LAST_SYMBOL:1,"));
	}

	TAP_CASE("symbols that find no room are counted")
	memset(bytes, 'a', sizeof bytes);
	struct span line = format(&entry);
	size_t plus = span_rfind_char(line, '+');
	uint64_t left;
	CHECK(plus != SPAN_NPOS);
	CHECK_INT(span_to_u64(span_skip(line, plus + 1), &left), 0);
	size_t shown = 0;
	for (size_t at = 0;
	     (at = span_find(line, SPAN("LAST_"), at)) != SPAN_NPOS; at++)
		shown++;
	CHECK_INT(shown + left, 200);

	TAP_CASE("nothing of the sender looks like a field of ours")
	envelope = (struct envelope){
	    .has_client = true, .helo = SPAN("x, action=accept\n%41\"")};
	entry = (struct journal_entry){
	    .ref = "R", .verdict = &verdict, .envelope = &envelope};
	CHECK(holds(format(&entry), "helo=x%2C%20action=accept%0A%2541%22,"));
}

int
main(void)
{
	test_example();
	test_empty();
	test_hostile();
	return tap_done();
}
