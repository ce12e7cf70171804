/*
 * Judges DMARC cases from standard input, a line each, for run_dmarc.py:
 *
 *	ZONE TAB FROM TAB DKIM TAB SPF
 *
 * FROM is the value of the one From field, DKIM and SPF the domains that
 * passed, commas between. Prints for each
 *
 *	RESULT TAB PUBLISHED TAB DISPOSITION TAB ORG TAB RECORD TAB DKIM-STRICT
 *	TAB SPF-ALIGNED TAB DKIM-ALIGNED TAB QUESTIONS TAB PROBLEM
 *
 * A line `RECORD TAB TEXT` gives what dmarc_parse() returns and the policies,
 * a line `FIELD TAB VALUE` the domain of the From field's first address.
 */
#include <stdio.h>
#include <stdlib.h>

#include "filter/auth/dmarc.h"
#include "filter/base/buf.h"
#include "tests/conformance/driver.h"

#define WAIT_MS 10000
#define QUESTIONS_MAX 500
#define DOMAINS_MAX 20

static size_t
split(struct span list, struct span *to)
{
	size_t n = 0;

	while (list.p && list.len && n < DOMAINS_MAX)
		to[n++] = span_cut(&list, ',');
	return n;
}

static void
print_facts(const struct dmarc_facts *f, size_t questions)
{
	printf("%s\t%s\t%s\t%.*s\t%.*s\t%d\t%d\t%d\t%zu\t%.*s\n",
	    dmarc_result_name(f->result), dmarc_policy_name(f->published),
	    dmarc_policy_name(f->disposition), SPAN_ARG(f->org_domain),
	    SPAN_ARG(f->record_domain), f->record.adkim_strict, f->spf_aligned,
	    f->dkim_aligned, questions, SPAN_ARG(f->problem));
}

static void
judge(struct dns *dns, struct span rest, struct arena *arena)
{
	struct addr_list from;
	struct span dkim[DOMAINS_MAX], spf[DOMAINS_MAX];
	struct dmarc_facts facts;
	struct dns_batch *batch =
	    dns_batch_new(dns, arena, WAIT_MS, QUESTIONS_MAX);

	addr_parse(&from, span_cut(&rest, '\t'), arena);
	struct dmarc_request request = {.from = &from,
	    .from_fields = 1,
	    .dkim_domains = dkim,
	    .spf_domains = spf};
	request.n_dkim = split(span_cut(&rest, '\t'), dkim);
	request.n_spf = split(rest, spf);
	dmarc_check(&request, batch, arena, &facts);
	print_facts(&facts, dns_batch_questions(batch)->n);
}

static void
parse_record(struct span text, struct arena *arena)
{
	struct dmarc_record record = {.p = DMARC_POLICY_UNKNOWN,
	    .sp = DMARC_POLICY_UNKNOWN,
	    .np = DMARC_POLICY_UNKNOWN};
	int rc = dmarc_parse(&record, text, arena);

	printf("%s\t%s\t%s\t%s\n", rc ? err_name(rc) : "ok",
	    dmarc_policy_name(record.p), dmarc_policy_name(record.sp),
	    dmarc_policy_name(record.np));
}

static void
parse_field(struct span text, struct arena *arena)
{
	struct addr_list from;

	addr_parse(&from, text, arena);
	printf("%zu\t%d\t%.*s\n", from.items.n, from.ambiguous,
	    SPAN_ARG(from.items.n ? from.items.v[0].domain : SPAN("")));
}

int
main(void)
{
	char *line = NULL, last[4096] = "";
	size_t size = 0;
	ssize_t len;
	struct dns *dns = NULL;
	struct arena *arena = arena_new(0);

	while ((len = getline(&line, &size, stdin)) > 0) {
		struct span rest = span_make(line, (size_t)len - 1);
		struct span zone = span_cut(&rest, '\t');
		if (span_is(zone, "RECORD")) {
			parse_record(rest, arena);
		} else if (span_is(zone, "FIELD")) {
			parse_field(rest, arena);
		} else {
			if (!span_is(zone, last)) {
				dns_close(dns);
				dns = driver_open_zone(zone);
				if (!span_copy(zone, last, sizeof last))
					abort();
			}
			judge(dns, rest, arena);
		}
		fflush(stdout);
		arena_reset(arena);
	}
	arena_free(arena);
	dns_close(dns);
	free(line);
	return 0;
}
