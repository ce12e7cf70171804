#include "filter/auth/dmarc_internal.h"

#include <stdlib.h>

#include "filter/base/ip.h"
#include "filter/mail/domain.h"

/*
 * The DNS tree walk (RFC 9989 section 4.10): from a name upwards, eight
 * questions at most, to the records of its organisation and of the public
 * suffix above it. A name of many labels is asked first and then cut to seven.
 * A record is parsed once for each DNS answer.
 */

#define WALK_LABELS 7

static const char kind_record;

/* The name asked after `name`, empty at the end (steps 3, 4 and 7). */
static struct span
next_target(struct span name, bool first)
{
	if (first && domain_labels(name) > WALK_LABELS)
		return domain_suffix(name, WALK_LABELS);
	return domain_parent(name);
}

/* The one record among the answer's, step 2: several are none. NULL: none. */
static const struct dns_record *
only_record(const struct dns_answer *answer)
{
	const struct dns_record *only = NULL;

	for (size_t i = 0; i < answer->n; i++) {
		if (!dmarc_has_version(answer->records[i].data))
			continue;
		if (only)
			return NULL;
		only = &answer->records[i];
	}
	return only;
}

static void *
make_form(const struct dns_answer *answer, void *arg)
{
	struct dmarc_form *form = calloc(1, sizeof *form);
	struct arena *arena = arena_new(0);

	(void)arg;
	if (form && arena) {
		/* Its texts are views of the answer, which outlives it. */
		int rc = dmarc_parse(
		    &form->record, only_record(answer)->data, arena);
		form->found = rc != ERR_SYNTAX;
		form->usable = rc == 0;
		if (!arena_failed(arena)) {
			arena_free(arena);
			return form;
		}
	}
	arena_free(arena);
	free(form);
	return NULL;
}

/* False when the answer did not come, or memory is short. */
static bool
ask(struct dmarc_step *step, struct dns_batch *dns, struct arena *arena)
{
	struct span name =
	    arena_printf(arena, "_dmarc.%.*s", SPAN_ARG(step->domain));
	const struct dns_answer *answer = dns_get(dns, name, DNS_TXT);

	if (answer->status == DNS_TIMEOUT || answer->status == DNS_SERVFAIL)
		return false;
	if (!only_record(answer))
		return true;
	const struct dmarc_form *form =
	    dns_parsed(answer, &kind_record, make_form, free, NULL);
	if (form && form->found)
		step->form = form;
	return form != NULL;
}

static bool
stops(const struct dmarc_step *step)
{
	return step->form && step->form->record.psd != 'u';
}

/* Section 4.10.2: from the longest name to the shortest. */
static void
select_org(struct dmarc_walk *walk, struct span domain)
{
	const struct dmarc_step *last = NULL;

	for (size_t i = 0; i < walk->n; i++)
		if (walk->steps[i].form)
			last = &walk->steps[i];
	walk->org = domain;
	if (!last)
		return;
	if (last->form->record.psd != 'y' || last == walk->steps) {
		walk->org = last->domain;
	} else {
		walk->psd_step = last;
		walk->org =
		    domain_suffix(domain, domain_labels(last->domain) + 1);
	}
	for (size_t i = 0; i < walk->n; i++)
		if (walk->steps[i].form &&
		    walk->steps[i].domain.len == walk->org.len)
			walk->org_step = &walk->steps[i];
}

void
dmarc_walk(struct dmarc_walk *ret, struct span domain, struct dns_batch *dns,
    struct arena *arena)
{
	struct span target = domain;

	*ret = (struct dmarc_walk){0};
	while (target.len && ret->n < DMARC_QUERIES_MAX) {
		struct dmarc_step *step = &ret->steps[ret->n++];
		step->domain = target;
		if (!ask(step, dns, arena)) {
			ret->broken = true;
			return;
		}
		if (stops(step))
			break;
		target = next_target(target, ret->n == 1);
	}
	select_org(ret, domain);
}

int
dmarc_author_domain(struct span text, struct arena *arena, struct span *ret)
{
	struct ip ip;

	/* An address, as a literal or bare, publishes nothing. */
	if (span_starts(text, SPAN("[")) || ip_parse(text, &ip) == 0)
		return ERR_SYNTAX;
	return domain_normalise(text, arena, ret);
}

static void
want_walk(struct span target, struct dns_batch *dns, struct arena *arena)
{
	for (int i = 0; target.len && i < DMARC_QUERIES_MAX; i++) {
		dns_want(dns,
		    arena_printf(arena, "_dmarc.%.*s", SPAN_ARG(target)),
		    DNS_TXT);
		target = next_target(target, i == 0);
	}
}

void
dmarc_want(struct span from_domain, struct dns_batch *dns, struct arena *arena)
{
	struct span target;

	if (dmarc_author_domain(from_domain, arena, &target) == 0)
		want_walk(target, dns, arena);
}

void
dmarc_want_aligned(struct span from_domain, struct span domain,
    struct dns_batch *dns, struct arena *arena)
{
	struct span author, name;

	if (dmarc_author_domain(from_domain, arena, &author) ||
	    domain_normalise(domain, arena, &name) || span_eq(author, name))
		return;
	struct span org = domain_registrable(author);
	if (org.len && domain_is_below(name, org))
		want_walk(name, dns, arena);
}

struct span
dmarc_org_domain(struct span domain, struct dns_batch *dns, struct arena *arena)
{
	struct dmarc_walk walk;
	struct span name;

	if (domain_normalise(domain, arena, &name))
		return SPAN_NONE;
	dmarc_walk(&walk, name, dns, arena);
	return walk.org;
}
