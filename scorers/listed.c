#include "scorers/listed.h"

/*
 * What dnsbl.c and urlbl.c share: which lists there are, and which symbols they
 * give, stands in the configuration, sections `lists` of assay.conf(5).
 */

static int64_t
listed(const void *state, struct scan *scan, const struct args *args)
{
	const struct dnslist_symbol *symbol = state;
	const struct list_hit *hit = scan_listed(scan, symbol);

	(void)args;
	if (!hit)
		return 0;
	scan_evidence(scan, "%.*s is listed (%u.%u.%u.%u)", SPAN_ARG(hit->key),
	    hit->answer[0], hit->answer[1], hit->answer[2], hit->answer[3]);
	return 1;
}

int
listed_more(const struct scan_config *config, bool of_links, scorer_add_fn *add,
    void *arg)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < config->lists.n; i++) {
		const struct dnslist *list = &config->lists.v[i];
		if (list->of_links != of_links)
			continue;
		for (size_t k = 0; rc == 0 && k < list->n_symbols; k++) {
			const struct dnslist_symbol *s = &list->symbols[k];
			const struct symbol_def def = {s->name, s->describe,
			    s->score_milli, listed, RULE_NETWORK};
			rc = add(arg, &def, s);
		}
	}
	return rc;
}
