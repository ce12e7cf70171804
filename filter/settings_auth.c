#include "filter/auth/signature.h"
#include "filter/mail/domain.h"
#include "filter/settings_internal.h"

/*
 * The sections auth and report: names become A-labels here, so that whoever
 * compares does not have to think of it. Keys themselves are read by auth/keyring.c.
 */

/* A list of domain names as A-labels; what is none is an error. */
static void
fill_domains(struct settings *settings, const struct option_value *value,
    const struct span **ret, size_t *ret_n)
{
	struct arena *arena = settings->conf->arena;
	struct span *domains = arena_calloc(arena, value->n, sizeof *domains);
	size_t n = 0;

	for (size_t i = 0; domains && i < value->n; i++)
		if (domain_normalise(value->items[i], arena, &domains[n]) == 0)
			n++;
		else
			settings_fail_at(
			    settings, value, "no domain name", value->items[i]);
	*ret = domains;
	*ret_n = n;
}

static void
fill_list(const struct section *section, const char *name,
    const struct span **ret, size_t *ret_n)
{
	const struct option_value *value = section_get(section, name);

	*ret = value->items;
	*ret_n = value->n;
}

/* A login may hold a colon, a domain none. */
static bool
read_pair(struct span text, struct arena *arena, struct sign_pair *ret)
{
	size_t colon = span_rfind_char(text, ':');
	struct span login, domain;

	if (colon == SPAN_NPOS || colon == 0)
		return false;
	login = span_head(text, colon);
	domain = span_skip(text, colon + 1);
	if (!span_is(domain, "*") && domain_normalise(domain, arena, &domain))
		return false;
	if (span_starts(login, SPAN("*@"))) {
		struct span of;
		if (domain_normalise(span_skip(login, 2), arena, &of))
			return false;
		login = arena_printf(arena, "*@%.*s", SPAN_ARG(of));
	}
	*ret = (struct sign_pair){login, domain};
	return true;
}

static void
fill_pairs(struct settings *settings, const struct option_value *value)
{
	struct sign_settings *sign = &settings->sign;
	struct sign_pair *pairs =
	    arena_calloc(settings->conf->arena, value->n, sizeof *pairs);
	size_t n = 0;

	for (size_t i = 0; pairs && i < value->n; i++)
		if (read_pair(
			value->items[i], settings->conf->arena, &pairs[n]))
			n++;
		else
			settings_fail_at(settings, value, "no LOGIN:DOMAIN",
			    value->items[i]);
	sign->as = pairs;
	sign->n_as = n;
}

static void
fill_sign_headers(struct settings *settings, const struct section *auth)
{
	const struct option_value *value = section_get(auth, "sign_headers");

	fill_list(auth, "sign_headers", &settings->sign.headers,
	    &settings->sign.n_headers);
	for (size_t i = 0; i < value->n; i++)
		if (!signature_name_is_valid(value->items[i]))
			settings_fail_at(
			    settings, value, "no field name", value->items[i]);
}

static void
fill_sign(struct settings *settings, const struct section *auth)
{
	struct sign_settings *sign = &settings->sign;
	const struct option_value *seal = section_get(auth, "seal");

	*sign = (struct sign_settings){
	    .on = section_bool(auth, "sign"),
	    .inet = section_bool(auth, "sign_inet"),
	    .keys = section_text(auth, "keys"),
	    .key_table = section_text(auth, "key_table"),
	    .signing_table = section_text(auth, "signing_table"),
	    .expires_s = section_number(auth, "sign_expires") / 1000,
	};
	sign->keys_named = sign->keys.len > 0;
	if (!sign->keys_named)
		sign->keys = SPAN(ASSAY_CONFDIR "/keys");
	fill_pairs(settings, section_get(auth, "sign_as"));
	fill_sign_headers(settings, auth);
	fill_domains(settings, section_get(auth, "sign_local"), &sign->local,
	    &sign->n_local);
	if (seal->text.len &&
	    domain_normalise(seal->text, settings->conf->arena, &sign->seal))
		settings_fail_at(settings, seal, "no domain name", seal->text);
}

static void
fill_report(struct settings *settings, const struct section *section)
{
	struct report_settings *report = &settings->report;

	*report = (struct report_settings){
	    .dmarc = section_bool(section, "dmarc"),
	    .failures = section_bool(section, "failures"),
	    .from = section_text(section, "from"),
	    .org_name = section_text(section, "org_name"),
	    .contact = section_text(section, "contact"),
	    .bounces = section_text(section, "bounces"),
	    .sendmail = section_text(section, "sendmail"),
	    .max_size = (size_t)section_number(section, "max_size"),
	};
	fill_domains(settings, section_get(section, "exclude"),
	    &report->exclude, &report->n_exclude);
}

/* Whether any message that comes in may get Authentication-Results. */
static bool
shows_results(const struct settings *settings)
{
	if (settings->headers != HEADERS_AUTO)
		return settings->headers == HEADERS_FULL;
	for (size_t i = 0; i < settings->n_policies; i++)
		if (i != POLICY_OUTBOUND &&
		    settings->policies[i].mode == MODE_ENFORCE)
			return true;
	return false;
}

void
settings_fill_auth(struct settings *settings, struct scan_config *scan)
{
	const struct section *auth =
	    &settings->groups[SETTINGS_AUTH].sections[0];
	const struct section *milter =
	    &settings->groups[SETTINGS_MILTER].sections[0];

	settings->dmarc = (enum dmarc_mode)section_number(auth, "dmarc");
	settings->received_spf = section_bool(auth, "received_spf");
	fill_domains(settings, section_get(auth, "sealers"), &scan->sealers,
	    &scan->n_sealers);
	fill_domains(settings, section_get(milter, "trusted_ids"),
	    &settings->trusted_ids, &settings->n_trusted_ids);
	scan->iprev = shows_results(settings);
	fill_list(auth, "local_mailers", &settings->local_mailers,
	    &settings->n_local_mailers);
	fill_sign(settings, auth);
	scan->seal = settings->sign.seal;
	fill_report(settings, &settings->groups[SETTINGS_REPORT].sections[0]);
}
