#include "filter/ctl/ctl.h"

#include <stdlib.h>

#include "filter/ctl/job.h"
#include "filter/ctl/json.h"
#include "filter/ctl/source.h"

/*
 * assay auth: one engine on one message or envelope, with its DNS questions.
 * The same scan as `check`, without rules.
 */

enum { OPT_JSON, OPT_FIRST_SHARED };

static const struct ctl_option options[] = {
    [OPT_JSON] = {"json", 0, NULL, "one JSON object"},
    JOB_ENVELOPE_OPTIONS,
    {0},
};

struct auth {
	struct job_options job;
	struct job_engine engine;
	bool json;
	struct arena *arena;
	struct scan *scan;
};

static int
take(void *arg, int index, const char *value)
{
	struct auth *auth = arg;

	if (index == OPT_JSON) {
		auth->json = true;
		return 0;
	}
	return job_take(&auth->job, options[index].name, value);
}

/* The message of a command that has an operand; an empty one else. */
static int
read_message(
    struct ctl *ctl, const char *path, struct arena *arena, struct span *ret)
{
	struct source_list list = {.arena = arena};
	struct err err;
	int rc = source_add(&list, path, &err);

	if (rc == 0 && list.items.n == 0)
		rc = err_set(&err, ERR_NOTFOUND, "%s: no message", path);
	if (rc == 0)
		rc = source_read(&list.items.v[0], arena, ret, &err);
	return rc ? ctl_fail(ctl, EX_NOINPUT, "%s", err.text) : EX_OK;
}

static int
open_scan(struct ctl *ctl, struct auth *auth, const char *path)
{
	struct span text = SPAN("");
	int status = EX_OK;

	auth->arena = arena_new(0);
	if (!auth->arena)
		return ctl_fail(ctl, EX_OSERR, "out of memory");
	if (path)
		status = read_message(ctl, path, auth->arena, &text);
	auth->job.source.no_rules = true;
	if (status == EX_OK)
		status = job_open(ctl, &auth->job, &auth->engine);
	if (status)
		return status;
	auth->scan =
	    job_scan(&auth->engine, &auth->job.envelope, text, auth->arena);
	if (!auth->scan)
		return ctl_fail(ctl, EX_OSERR, "out of memory");
	return EX_OK;
}

static void
print_pair(const char *name, struct span value)
{
	if (!value.p || !value.len)
		return;
	printf("  %-12s ", name);
	ctl_print_safe(stdout, value);
	putchar('\n');
}

/* The questions for people: "TXT example.com: answer". */
static void
print_dns(const struct scan *scan)
{
	json_t *list = json_dns(scan->dns);
	size_t i;
	json_t *q;

	if (json_array_size(list))
		puts("DNS");
	json_array_foreach(list, i, q)
	{
		char *answer =
		    json_dumps(json_object_get(q, "answer"), JSON_ENCODE_ANY);
		printf(
		    "  %-5s ", json_string_value(json_object_get(q, "type")));
		ctl_print_safe(stdout,
		    span_of(json_string_value(json_object_get(q, "name"))));
		fputs(": ", stdout);
		ctl_print_safe(stdout, span_of(answer ? answer : ""));
		putchar('\n');
		free(answer);
	}
	json_decref(list);
}

/* --- the engines ------------------------------------------------------------------- */

static void
show_spf(struct auth *auth)
{
	const struct spf_facts *spf = scan_spf(auth->scan);
	const struct spf_answer *a = &spf->mail;

	if (auth->json) {
		json_t *o = json_spf(spf);
		json_set(o, "dns", json_dns(auth->scan->dns));
		json_print(stdout, o);
		return;
	}
	printf("SPF %s\n", spf_result_name(a->result));
	print_pair("identity", span_of(spf->of_helo ? "helo" : "mailfrom"));
	print_pair("domain", a->domain);
	print_pair("matched", a->mechanism);
	print_pair("explanation", a->explanation);
	print_pair("problem", a->problem);
	print_dns(auth->scan);
}

static void
show_dkim(struct auth *auth)
{
	const struct scan_dkim_facts *dkim = scan_dkim(auth->scan);

	if (auth->json) {
		json_t *o = json_object();
		json_set(o, "signatures", json_dkim(dkim));
		json_set(o, "dns", json_dns(auth->scan->dns));
		json_print(stdout, o);
		return;
	}
	if (!dkim->dkim || dkim->dkim->n == 0)
		puts("DKIM none");
	for (size_t i = 0; dkim->dkim && i < dkim->dkim->n; i++) {
		const struct dkim_signature *s = &dkim->dkim->signatures[i];
		printf("DKIM %s\n", dkim_result_name(s->result));
		print_pair("domain", s->domain);
		print_pair("selector", s->selector);
		print_pair("identity", s->identity);
		print_pair("algorithm", s->algorithm);
		print_pair("problem", s->problem);
	}
	print_dns(auth->scan);
}

static void
show_dmarc(struct auth *auth)
{
	const struct scan_dmarc_facts *dmarc = scan_dmarc(auth->scan);
	const struct dmarc_facts *d = &dmarc->dmarc;

	if (auth->json) {
		json_t *o = json_dmarc(dmarc);
		json_set(o, "dns", json_dns(auth->scan->dns));
		json_print(stdout, o);
		return;
	}
	printf("DMARC %s\n", dmarc_result_name(d->result));
	if (d->disposition != DMARC_POLICY_UNKNOWN)
		print_pair(
		    "disposition", span_of(dmarc_policy_name(d->disposition)));
	print_pair("from", d->from_domain);
	print_pair("organisation", d->org_domain);
	print_pair("record at", d->record_domain);
	print_pair("record", d->record.text);
	print_pair("aligned", d->aligned_domain);
	print_pair("trusted sealer", dmarc->rescuer);
	print_pair("problem", d->problem);
	print_dns(auth->scan);
}

static void
show_sets(const struct arc_facts *arc)
{
	for (unsigned i = arc->sets ? arc->instances : 0; i > 0; i--) {
		const struct arc_set *set = &arc->sets[i - 1];
		printf("  set %-8u cv=", i);
		ctl_print_safe(stdout, set->cv);
		fputs(", sealed by ", stdout);
		ctl_print_safe(stdout, set->domain);
		putchar('\n');
	}
}

static void
show_arc(struct auth *auth)
{
	const struct scan_arc_facts *facts = scan_arc(auth->scan);
	const struct arc_facts *arc = facts->arc;

	if (auth->json) {
		json_t *o = json_arc(facts);
		json_set(o, "dns", json_dns(auth->scan->dns));
		json_print(stdout, o);
		return;
	}
	printf("ARC %s\n", arc ? arc_result_name(arc->result) : "none");
	if (arc) {
		show_sets(arc);
		if (arc->oldest_pass)
			printf("  unchanged    since i=%u\n", arc->oldest_pass);
		print_pair("trusted", facts->trusted);
		print_pair("problem", arc->problem);
	}
	print_dns(auth->scan);
}

static int
run(struct ctl *ctl, int argc, char **argv, bool needs_message,
    void (*show)(struct auth *auth))
{
	struct auth *auth = calloc(1, sizeof *auth);
	int status, n;

	if (!auth)
		return ctl_fail(ctl, EX_OSERR, "out of memory");
	auth->job.envelope.time = -1;
	auth->job.envelope.inbound = true;
	n = ctl_options(ctl, argc, argv, take, auth, &status);
	if (n >= 0 && n > 2) {
		status = ctl_usage(ctl);
	} else if (n >= 0) {
		const char *path = n == 2          ? argv[1]
				   : needs_message ? "-"
						   : NULL;
		status = open_scan(ctl, auth, path);
		if (status == EX_OK)
			show(auth);
		arena_free(auth->arena);
		job_close(&auth->engine);
	}
	free(auth);
	return status;
}

static int
run_spf(struct ctl *ctl, int argc, char **argv)
{
	return run(ctl, argc, argv, false, show_spf);
}

static int
run_dkim(struct ctl *ctl, int argc, char **argv)
{
	return run(ctl, argc, argv, true, show_dkim);
}

static int
run_dmarc(struct ctl *ctl, int argc, char **argv)
{
	return run(ctl, argc, argv, true, show_dmarc);
}

static int
run_arc(struct ctl *ctl, int argc, char **argv)
{
	return run(ctl, argc, argv, true, show_arc);
}

const struct ctl_command ctl_auth_commands[] = {
    {"spf", "[FILE]", "SPF of MAIL FROM, or of HELO for <>", options, run_spf,
	NULL},
    {"dkim", "[FILE]", "every DKIM signature of a message", options, run_dkim,
	NULL},
    {"dmarc", "[FILE]", "DMARC of a message, with its SPF and DKIM", options,
	run_dmarc, NULL},
    {"arc", "[FILE]", "the ARC chain of a message", options, run_arc, NULL},
    {0},
};
