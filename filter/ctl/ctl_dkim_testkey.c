#include "filter/ctl/ctl.h"

#include "filter/ctl/dkim.h"
#include "filter/ctl/job.h"

/*
 * assay dkim testkey: would others verify what we sign? The published record of
 * each key beside the private one, in words that say what to change.
 */

enum { TEST_DOMAIN, TEST_SELECTOR, TEST_KEY, TEST_DNS, TEST_NAMESERVER };

static const struct ctl_option options[] = {
    [TEST_DOMAIN] = {"domain", 'd', "DOMAIN",
	"only keys of this domain; by default all"},
    [TEST_SELECTOR] = {"selector", 's', "NAME", "only this key of it"},
    [TEST_KEY] = {"key", 'k', "FILE",
	"the private key; else those of auth.keys"},
    [TEST_DNS] = {"dns", 0, "FILE", "answer DNS from a zone file"},
    [TEST_NAMESERVER] = {"nameserver", 0, "ADDRESS@PORT", "ask this resolver"},
    {0},
};

#define DNS_MS 20000 /* for each key */

struct testkey {
	const char *domain, *selector, *key_path;
	struct job_options job;
	struct job_engine engine;
	struct arena *arena;
	struct signer names;
	unsigned n;
	int status;
};

static int
take(void *arg, int index, const char *value)
{
	struct testkey *t = arg;

	if (index == TEST_DOMAIN)
		t->domain = value;
	else if (index == TEST_SELECTOR)
		t->selector = value;
	else if (index == TEST_KEY)
		t->key_path = value;
	else
		return job_take(&t->job, options[index].name, value);
	return 0;
}

static void
say(struct testkey *t, struct span name, int status, const char *text)
{
	ctl_print_safe(stdout, name);
	printf(": %s\n", text);
	if (status && t->status == EX_OK)
		t->status = status;
}

static void
judge(struct testkey *t, struct span name, const struct dns_answer *answer,
    const struct sign_key *key)
{
	if (answer->status == DNS_TIMEOUT || answer->status == DNS_SERVFAIL) {
		say(t, name, EX_TEMPFAIL, dns_status_name(answer->status));
		return;
	}
	if (answer->status != DNS_OK || answer->n == 0) {
		say(t, name, EX_DATAERR, "no record is published");
		return;
	}
	const char *problem =
	    sign_key_refuses(key, answer->records[0].data, t->arena);
	if (!problem && answer->n > 1)
		problem = "more than one record is published"; /* 3.6.2.2 */
	say(t, name, problem ? EX_DATAERR : EX_OK,
	    problem ? problem : "the published key is right");
}

static void
test_one(void *arg, const struct signer *signer)
{
	struct testkey *t = arg;
	struct span name;

	if ((t->domain && !span_caseeq(signer->domain, t->names.domain)) ||
	    (t->selector && !span_caseeq(signer->selector, t->names.selector)))
		return;
	t->n++;
	name = arena_printf(t->arena, "%.*s._domainkey.%.*s",
	    SPAN_ARG(signer->selector), SPAN_ARG(signer->domain));
	struct dns_batch *batch =
	    dns_batch_new(t->engine.dns, t->arena, DNS_MS, UINT16_MAX);
	if (name.p && batch)
		judge(t, name, dns_get(batch, name, DNS_TXT), signer->key);
	else
		t->status = EX_OSERR;
}

/* --key: the file of one name, wherever it lies. */
static int
test_file(struct ctl *ctl, struct testkey *t)
{
	struct sign_key *key;
	struct err err;

	if (sign_key_load(t->key_path, &key, &err))
		return ctl_fail(ctl, EX_NOINPUT, "%s", err.text);
	t->names.key = key;
	test_one(t, &t->names);
	sign_key_free(key);
	return t->status;
}

static int
test(struct ctl *ctl, struct testkey *t)
{
	int status = EX_OK;

	if (t->domain || t->key_path || t->selector)
		status = ctl_dkim_names(ctl, t->domain,
		    t->selector || t->key_path ? t->selector : "any", t->arena,
		    &t->names);
	if (status)
		return status;
	t->job.source.no_rules = true;
	t->job.source.keys = t->key_path == NULL;
	status = job_open(ctl, &t->job, &t->engine);
	if (status)
		return status;
	if (t->key_path)
		return test_file(ctl, t);
	keyring_each(t->engine.snapshot->keyring, test_one, t);
	if (t->n == 0)
		return ctl_fail(ctl, EX_NOINPUT, "no such key in %.*s",
		    SPAN_ARG(t->engine.snapshot->settings.sign.keys));
	return t->status;
}

static int
run(struct ctl *ctl, int argc, char **argv)
{
	struct testkey t = {.status = EX_OK, .arena = arena_new(0)};
	int status, n;

	if (!t.arena)
		return ctl_fail(ctl, EX_OSERR, "out of memory");
	n = ctl_options(ctl, argc, argv, take, &t, &status);
	if (n > 1) {
		status = ctl_usage(ctl);
	} else if (n >= 0) {
		status = test(ctl, &t);
		/* Answers are held by the arena. */
		arena_free(t.arena);
		t.arena = NULL;
		job_close(&t.engine);
	}
	arena_free(t.arena);
	return status;
}

const struct ctl_command ctl_dkim_testkey_command = {
    "testkey", "", "published keys against private ones", options, run, NULL};
