#include "filter/settings.h"

#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "filter/base/file.h"
#include "filter/mail/domain.h"
#include "filter/settings_internal.h"
#include "filter/store/store_url.h"
#include "scorers/scorer.h"

/*
 * From the configuration tree to typed settings. Meanings that a table cannot
 * express (addresses, policies that inherit, failure names) are checked here
 * and reported at the place where the value stands.
 */

#define RECIPIENTS_FILE_MAX ((size_t)4 * 1024 * 1024)

static const char *const fixed_policies[] = {"outbound", NULL};

bool
settings_in_build_tree(void)
{
	char path[4096];
	ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);

	if (n <= 0)
		return false;
	struct span exe = span_make(path, (size_t)n);
	size_t slash = span_rfind_char(exe, '/');
	if (slash == SPAN_NPOS)
		return false;
	int len = snprintf(path + slash, sizeof path - slash, "/config.status");
	return len > 0 && (size_t)len < sizeof path - slash &&
	       access(path, F_OK) == 0;
}

static const struct section *
section_of(const struct settings *settings, enum settings_kind kind)
{
	return &settings->groups[kind].sections[0];
}

const struct section *
settings_scorer(const struct settings *settings, const struct option *options)
{
	for (size_t i = SETTINGS_KINDS; i < settings->n_groups; i++)
		if (settings->groups[i].kind->options == options)
			return &settings->groups[i].sections[0];
	return NULL;
}

void
settings_fail_at(struct settings *settings, const struct option_value *value,
    const char *what, struct span item)
{
	struct conf_where where = {"default", 0, 0};

	if (value->entry)
		where = value->entry->value_where;
	conf_fail(settings->conf, where, "%s: %s \"%.*s\"", value->option->name,
	    what, SPAN_ARG(item));
}

static const char *
text_or_null(struct settings *settings, struct span text)
{
	return text.len ? arena_cstr(settings->conf->arena, text) : NULL;
}

/* The host name, fully qualified where the system knows it so. */
static struct span
host_name(struct arena *arena)
{
	char name[256] = "localhost";

	if (gethostname(name, sizeof name - 1) != 0)
		return SPAN("localhost");
	name[sizeof name - 1] = '\0';
	return arena_lower(arena, span_of(name));
}

static void
fill_top(struct settings *settings)
{
	struct arena *arena = settings->conf->arena;
	const struct section *top = section_of(settings, SETTINGS_TOP);
	bool build = settings_in_build_tree();

	settings->state = section_text(top, "state");
	if (!settings->state.len)
		settings->state =
		    build ? SPAN("./state") : SPAN(ASSAY_STATEDIR);
	settings->control = section_text(top, "control");
	if (!settings->control.len)
		settings->control =
		    build ? arena_printf(arena, "%.*s/control.sock",
				SPAN_ARG(settings->state))
			  : SPAN(ASSAY_RUNDIR "/control.sock");
	settings->node = section_text(top, "node");
	if (!settings->node.len)
		settings->node = host_name(arena);
}

static void
fill_nets(struct settings *settings, const struct option_value *value,
    const struct ip_net **ret, size_t *ret_n)
{
	struct ip_net *nets =
	    arena_calloc(settings->conf->arena, value->n, sizeof *nets);
	size_t n = 0;

	for (size_t i = 0; nets && i < value->n; i++)
		if (ip_net_parse(value->items[i], &nets[n]) == 0)
			n++;
		else
			settings_fail_at(settings, value,
			    "no address or network", value->items[i]);
	*ret = nets;
	*ret_n = n;
}

/* The forms that libmilter knows; whether it can be had shows at the start. */
static bool
is_socket(struct span text)
{
	struct span rest = text;
	struct span kind = span_cut(&rest, ':');
	uint64_t number;

	if (span_is(kind, "unix") || span_is(kind, "local"))
		return rest.len > 0;
	if (span_is(kind, "fd"))
		return span_to_u64(rest, &number) == 0 && number <= INT_MAX;
	if (!span_is(kind, "inet") && !span_is(kind, "inet6"))
		return span_starts(text, SPAN("/"));
	struct span port = span_cut(&rest, '@');
	if (span_to_u64(port, &number) == 0) /* else a service's name */
		return number > 0 && number <= 65535;
	return port.len > 0;
}

static void
fill_milter(struct settings *settings, struct scan_config *scan)
{
	struct arena *arena = settings->conf->arena;
	const struct section *milter = section_of(settings, SETTINGS_MILTER);
	const struct option_value *id = section_get(milter, "authserv_id");

	settings->socket = section_text(milter, "socket");
	if (!is_socket(settings->socket))
		settings_fail_at(settings, section_get(milter, "socket"),
		    "no unix:PATH, inet:PORT@HOST, inet6:PORT@HOST or fd:N",
		    settings->socket);
	settings->socket_mode = (unsigned)section_number(milter, "socket_mode");
	settings->socket_group = section_text(milter, "socket_group");
	settings->headers =
	    (enum headers_mode)section_number(milter, "headers");
	settings->authserv_id = id->text.len ? id->text : host_name(arena);
	if (domain_normalise(
		settings->authserv_id, arena, &settings->authserv_id))
		settings_fail_at(
		    settings, id, "no host name", settings->authserv_id);
	scan->authserv_id = settings->authserv_id;

	const struct option_value *names = section_get(milter, "originating");
	scan->direction.originating = names->items;
	scan->direction.n_originating = names->n;
	struct direction_config *direction = &scan->direction;
	fill_nets(settings, section_get(milter, "internal"),
	    &direction->internal, &direction->n_internal);
	fill_nets(settings, section_get(milter, "relays"), &direction->relays,
	    &direction->n_relays);
	fill_nets(settings, section_get(milter, "forwarders"),
	    &direction->forwarders, &direction->n_forwarders);
}

static void
check_nameservers(struct settings *settings, const struct option_value *value)
{
	for (size_t i = 0; i < value->n; i++) {
		struct span port = value->items[i];
		struct span addr = span_cut(&port, '@');
		struct ip ip;
		uint64_t number = 53;
		if (ip_parse(addr, &ip) ||
		    (port.p && span_to_u64(port, &number)) || number == 0 ||
		    number > 65535)
			settings_fail_at(settings, value,
			    "no ADDRESS or ADDRESS@PORT", value->items[i]);
	}
}

static void
fill_dns(struct settings *settings, struct scan_config *scan)
{
	const struct section *dns = section_of(settings, SETTINGS_DNS);
	const struct option_value *servers = section_get(dns, "nameservers");

	check_nameservers(settings, servers);
	settings->dns = (struct dns_options){
	    .zone = text_or_null(settings, section_text(dns, "zone")),
	    .nameservers = servers->items,
	    .n_nameservers = servers->n,
	    .recursive = section_bool(dns, "recursive"),
	    .dnssec = section_bool(dns, "dnssec"),
	    .timeout_ms = section_number(dns, "timeout"),
	};
	scan->dns_message_ms = section_number(dns, "message_time");
	scan->dns_questions_max = (unsigned)section_number(dns, "questions");
}

static void
fill_rules(struct settings *settings)
{
	const struct option_value *path =
	    section_get(section_of(settings, SETTINGS_RULES), "path");
	struct span *def;

	settings->rule_paths = path->items;
	settings->n_rule_paths = path->n;
	if (path->n || path->entry)
		return;
	def = arena_calloc(settings->conf->arena, 2, sizeof *def);
	if (!def)
		return;
	settings->rule_paths = def;
	if (settings_in_build_tree()) {
		def[0] = SPAN(ASSAY_SRCDIR "/rules");
		settings->n_rule_paths = 1;
	} else {
		def[0] = SPAN(ASSAY_RULESDIR);
		def[1] = SPAN(ASSAY_CONFDIR "/rules.d");
		settings->n_rule_paths = 2;
	}
}

static void
fill_limits(struct settings *settings, struct scan_config *scan)
{
	const struct section *limits = section_of(settings, SETTINGS_LIMITS);
	long cores = sysconf(_SC_NPROCESSORS_ONLN);

	settings->message_ms = section_number(limits, "message_time");
	settings->message_size = (size_t)section_number(limits, "message_size");
	settings->message_memory =
	    (size_t)section_number(limits, "message_memory");
	settings->memory = (size_t)section_number(limits, "memory");
	settings->sessions = (unsigned)section_number(limits, "sessions");
	settings->waiting = (unsigned)section_number(limits, "waiting");
	if (settings->waiting == 0)
		settings->waiting = 4 * (unsigned)(cores > 0 ? cores : 1) + 64;
	scan->message_ms = settings->message_ms;
}

/* --- policies ------------------------------------------------------------------- */

static bool
add_recipient(struct settings *settings, struct span item,
    struct policy_settings *policy, struct span *room)
{
	struct span text = arena_lower(settings->conf->arena, item);

	if (!text.p)
		return false;
	room[policy->n_recipients++] = text;
	return true;
}

/* One address per line; "#" begins a comment. */
static void
add_recipient_file(struct settings *settings, const struct option_value *value,
    struct span path, struct policy_settings *policy)
{
	struct arena *arena = settings->conf->arena;
	struct recipients VEC(struct span) all = {0};
	struct span text, line;
	struct err err;
	char *name = arena_cstr(arena, path);

	if (!name || file_read(name, RECIPIENTS_FILE_MAX, arena, &text, &err)) {
		settings_fail_at(
		    settings, value, name ? err.text : "no memory", path);
		return;
	}
	while (span_line(&text, &line)) {
		struct span address = span_trim(span_cut(&line, '#'));
		struct span *to = address.len ? VEC_PUSH(arena, &all) : NULL;
		if (to)
			*to = arena_lower(arena, address);
	}
	policy->recipients = all.v;
	policy->n_recipients = all.n;
}

static void
fill_recipients(struct settings *settings, const struct option_value *value,
    struct policy_settings *policy)
{
	struct span *room =
	    arena_calloc(settings->conf->arena, value->n, sizeof *room);

	policy->recipients = room;
	for (size_t i = 0; room && i < value->n; i++) {
		struct span item = value->items[i];
		if (!span_starts(item, SPAN("file:"))) {
			if (!add_recipient(settings, item, policy, room))
				return;
		} else if (value->n == 1) {
			add_recipient_file(
			    settings, value, span_skip(item, 5), policy);
		} else {
			settings_fail_at(settings, value,
			    "a file cannot stand beside other entries", item);
		}
	}
}

/* A threshold: what stands in the section, else what it inherits. */
static int64_t
threshold(const struct section *section, const char *name, int64_t inherited)
{
	const struct option_value *value = section_get(section, name);

	return value->entry ? value->number : inherited;
}

static struct span
text_of(const struct section *section, const char *name, struct span inherited)
{
	const struct option_value *value = section_get(section, name);

	return value->entry ? value->text : inherited;
}

static void
fill_policy(struct settings *settings, const struct section *section,
    const struct policy_settings *base, struct policy_settings *policy)
{
	*policy = *base;
	policy->title = section->title;
	policy->recipients = NULL;
	policy->n_recipients = 0;
	policy->mode =
	    (enum policy_mode)threshold(section, "mode", (int64_t)base->mode);
	policy->tag = threshold(section, "tag", base->tag);
	policy->quarantine = threshold(section, "quarantine", base->quarantine);
	policy->reject = threshold(section, "reject", base->reject);
	policy->help_url = text_of(section, "help_url", base->help_url);
	policy->subject_mark =
	    text_of(section, "subject_mark", base->subject_mark);
	policy->reply_rules =
	    threshold(section, "reply_detail", base->reply_rules) == 1;
	fill_recipients(settings, section_get(section, "recipients"), policy);
}

static void
fill_policies(struct settings *settings)
{
	const struct settings_group *group = &settings->groups[SETTINGS_POLICY];
	const struct section *def = &group->sections[POLICY_DEFAULT];
	struct policy_settings base = {
	    .mode = (enum policy_mode)section_number(def, "mode"),
	    .tag = section_number(def, "tag"),
	    .quarantine = section_number(def, "quarantine"),
	    .reject = section_number(def, "reject"),
	    .help_url = section_text(def, "help_url"),
	    .subject_mark = section_text(def, "subject_mark"),
	    .reply_rules = section_number(def, "reply_detail") == 1,
	};

	settings->policies = arena_calloc(
	    settings->conf->arena, group->n, sizeof *settings->policies);
	if (!settings->policies)
		return;
	settings->n_policies = group->n;
	for (size_t i = 0; i < group->n; i++) {
		struct policy_settings inherited = base;
		if (i == POLICY_OUTBOUND)
			inherited.tag = inherited.quarantine =
			    inherited.reject = OPTION_OFF;
		fill_policy(settings, &group->sections[i], &inherited,
		    &settings->policies[i]);
	}
}

static int
failure_word(struct span word, enum failure_action *ret)
{
	static const char *const words[] = {"accept", "tag", "tempfail"};

	for (unsigned i = 0; i < sizeof words / sizeof *words; i++) {
		if (span_is(word, words[i])) {
			*ret = (enum failure_action)i;
			return 0;
		}
	}
	return ERR_SYNTAX;
}

static void
fill_failures(struct settings *settings)
{
	const struct section *all = section_of(settings, SETTINGS_POLICY_ALL);
	const struct option_value *list = section_get(all, "on_failure");
	struct failure_rule *rules =
	    arena_calloc(settings->conf->arena, list->n, sizeof *rules);

	settings->failures = rules;
	settings->n_failures = 0;
	for (size_t i = 0; rules && i < list->n; i++) {
		struct span item = list->items[i];
		size_t colon = span_rfind_char(item, ':');
		struct failure_rule *rule = &rules[settings->n_failures];
		if (colon == SPAN_NPOS || colon == 0 ||
		    failure_word(span_skip(item, colon + 1), &rule->action)) {
			settings_fail_at(settings, list,
			    "expected NAME:accept, NAME:tag or NAME:tempfail,"
			    " not",
			    item);
			continue;
		}
		rule->name = span_head(item, colon);
		settings->n_failures++;
	}
	settings->defer_max_ms = section_number(all, "defer_max");
	settings->split = (enum split_mode)section_number(all, "split");
}

static void
fill_store(struct settings *settings, struct scan_config *scan)
{
	const struct section *store = section_of(settings, SETTINGS_STORE);
	const struct section *learn = section_of(settings, SETTINGS_LEARN);
	const struct option_value *trainers = section_get(learn, "trainers");
	struct store_url url;
	struct err err;

	settings->store = (struct store_options){
	    .url = section_text(store, "url"),
	    .namespace = section_text(store, "namespace"),
	    .folder = settings->state,
	    .password_file =
		text_or_null(settings, section_text(store, "password_file")),
	    .timeout_ms = section_number(store, "timeout"),
	    .queue_max = (size_t)section_number(store, "queue"),
	    .readers = settings->sessions,
	};
	if (store_url_parse(settings->store.url, &url, &err))
		settings_fail_at(settings, section_get(store, "url"), err.text,
		    settings->store.url);
	scan->store_ms = settings->store.timeout_ms;
	scan->bayes = (struct bayes_config){
	    .min_spam = section_number(learn, "min_spam"),
	    .min_ham = section_number(learn, "min_ham"),
	};
	settings->trainers = trainers->items;
	settings->n_trainers = trainers->n;
}

static void
fill_log(struct settings *settings)
{
	const struct section *log = section_of(settings, SETTINGS_LOG);

	settings->log_level = (enum log_level)section_number(log, "level");
	settings->log_retain_days = section_number(log, "retain") / 86400000;
	settings->log_max_size = section_number(log, "max_size");
}

int
settings_fill(struct settings *settings, struct scan_config *scan)
{
	scan->network = true;
	fill_top(settings);
	fill_milter(settings, scan);
	fill_dns(settings, scan);
	fill_rules(settings);
	fill_limits(settings, scan);
	fill_policies(settings);
	fill_failures(settings);
	settings_fill_auth(settings, scan);
	fill_store(settings, scan);
	fill_log(settings);
	settings_fill_lists(settings, scan);
	if (arena_failed(settings->conf->arena))
		return ERR_NOMEM;
	return settings->conf->errors.n ? ERR_SYNTAX : 0;
}

/* --- reading ---------------------------------------------------------------------- */

/* All kinds: ours, then one for each scorer that has options. */
static const struct option_section **
all_kinds(struct arena *arena, size_t *ret_n)
{
	size_t n = SETTINGS_KINDS;

	for (size_t i = 0; scorers[i]; i++)
		n += scorers[i]->options != NULL;
	const struct option_section **kinds =
	    arena_calloc(arena, n, sizeof(void *));
	struct option_section *own = arena_calloc(arena, n, sizeof *own);
	if (!kinds || !own)
		return NULL;
	for (n = 0; n < SETTINGS_KINDS; n++)
		kinds[n] = settings_kinds[n];
	for (size_t i = 0; scorers[i]; i++) {
		if (!scorers[i]->options)
			continue;
		own[n] = (struct option_section){scorers[i]->name,
		    scorers[i]->help, scorers[i]->options, false};
		kinds[n] = &own[n];
		n++;
	}
	*ret_n = n;
	return kinds;
}

int
settings_read(struct settings *settings, struct scan_config *scan)
{
	struct conf *conf = settings->conf;
	size_t n;
	const struct option_section **kinds = all_kinds(conf->arena, &n);

	if (!kinds)
		return ERR_NOMEM;
	settings->groups =
	    arena_calloc(conf->arena, n, sizeof *settings->groups);
	if (!settings->groups)
		return ERR_NOMEM;
	settings->n_groups = n;
	option_check_names(conf, kinds, n);
	for (size_t i = 0; i < n; i++) {
		struct settings_group *group = &settings->groups[i];
		group->kind = kinds[i];
		int rc = option_read(conf, kinds[i],
		    i == SETTINGS_POLICY ? fixed_policies : NULL,
		    &group->sections, &group->n);
		if (rc == ERR_NOMEM)
			return rc;
	}
	if (conf->errors.n)
		return ERR_SYNTAX;
	return settings_fill(settings, scan);
}

/* --- which policy ------------------------------------------------------------------ */

/* How closely an entry names an address: 0 not at all. */
static unsigned
closeness(struct span entry, struct span address, struct span domain)
{
	if (entry.p[0] == '@')
		return span_caseeq(span_skip(entry, 1), domain) ? 1000 : 0;
	if (entry.p[0] == '.')
		return domain_is_below(domain, span_skip(entry, 1))
			   ? (unsigned)(entry.len < 900 ? entry.len : 900)
			   : 0;
	return span_caseeq(entry, address) ? 2000 : 0;
}

size_t
settings_policy_of(const struct settings *settings, enum direction direction,
    struct span recipient)
{
	size_t at = span_rfind_char(recipient, '@');
	struct span domain =
	    at == SPAN_NPOS ? SPAN_NONE : span_skip(recipient, at + 1);
	size_t best = POLICY_DEFAULT;
	unsigned best_closeness = 0;

	if (direction == DIRECTION_OUT)
		return POLICY_OUTBOUND;
	for (size_t i = POLICY_OUTBOUND + 1; i < settings->n_policies; i++) {
		const struct policy_settings *policy = &settings->policies[i];
		for (size_t k = 0; k < policy->n_recipients; k++) {
			unsigned c = policy->recipients[k].len
					 ? closeness(policy->recipients[k],
					       recipient, domain)
					 : 0;
			if (c > best_closeness) {
				best_closeness = c;
				best = i;
			}
		}
	}
	return best;
}
