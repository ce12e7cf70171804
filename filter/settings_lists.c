#include "filter/settings_internal.h"

#include "filter/mail/domain.h"

/*
 * DNS lists: from sections to what a scan asks. `lists { }` says which are in
 * use and what holds for all; `lists NAME { }` describes one. The known ones
 * stand in our lists.conf, which is read before the site's files, so that a
 * site changes one key of a list or adds a list of its own in the same words.
 */

enum {
	ABOUT_AUTO,
	ABOUT_CLIENT,
	ABOUT_LINKS,
};

static const struct option all_options[] = {
    {"use", OPTION_LIST, "{ }", 0, 0, NULL, "names of the lists that are asked",
	0},
    {"timeout", OPTION_TIME, "3s", 100, 30000, NULL,
	"time for a list's answers, from the question on", 0},
    {"retry", OPTION_TIME, "1m", 100, 3600000, NULL,
	"how long a list that failed is off; twice as long each time", 0},
    {"domains", OPTION_INT, "20", 1, 100, NULL,
	"domains of one message that each list is asked about", 0},
    {"skip", OPTION_LIST, "{ }", 0, 0, NULL,
	"domains in links that are never asked about", 0},
    OPTION_END,
};

static const struct option list_options[] = {
    {"zone", OPTION_TEXT, "", 0, 0, NULL, "the zone that is asked", 0},
    {"kind", OPTION_WORD, "address", 0, 0, "address domain both",
	"what is listed", 0},
    {"about", OPTION_WORD, "auto", 0, 0, "auto client links",
	"whose; auto: the client's addresses, domains in links", 0},
    {"families", OPTION_WORD, "both", 0, 0, "both ipv4 ipv6",
	"addresses that it knows", 0},
    {"names", OPTION_WORD, "registrable", 0, 0, "registrable host",
	"what of a link's host is asked", 0},
    {"answers", OPTION_LIST, "{ }", 0, 0, NULL,
	"ANSWER:SYMBOL:POINTS, what its answers mean", 0},
    {"refused", OPTION_LIST, "{ 127.255.255.* }", 0, 0, NULL,
	"answers by which it says that it does not answer", 0},
    {"test", OPTION_BOOL, "yes", 0, 0, NULL,
	"ask its test points and turn it off when they are wrong", 0},
    {"test_listed", OPTION_TEXT, "", 0, 0, NULL,
	"test point that is listed; empty: RFC 5782's; or none", 0},
    {"test_clean", OPTION_TEXT, "", 0, 0, NULL,
	"test point that is not listed; empty: RFC 5782's; or none", 0},
    {"timeout", OPTION_TIME, "0", 0, 30000, NULL,
	"time for its answers; 0: that of all lists", 0},
    OPTION_END,
};

const struct option_section settings_lists_all_kind = {
    "lists", "what holds for all DNS lists", all_options, false};
const struct option_section settings_lists_kind = {
    "lists", "a DNS list", list_options, true};

/* --- one list -------------------------------------------------------------------- */

static void
fail_section(
    struct settings *settings, const struct section *section, const char *what)
{
	conf_fail(settings->conf, section->where, "lists \"%.*s\": %s",
	    SPAN_ARG(section->title), what);
}

static bool
good_name(struct span name)
{
	if (name.len == 0 || name.len > DNSLIST_NAME_MAX)
		return false;
	for (size_t i = 0; i < name.len; i++)
		if (!ascii_is_digit(name.p[i]) &&
		    (name.p[i] < 'a' || name.p[i] > 'z') && name.p[i] != '-' &&
		    name.p[i] != '_' && name.p[i] != '.')
			return false;
	return true;
}

static void
fill_zone(struct settings *settings, const struct section *section,
    struct dnslist *list)
{
	const struct option_value *zone = section_get(section, "zone");

	if (zone->text.len == 0)
		fail_section(settings, section, "no zone");
	else if (domain_normalise(
		     zone->text, settings->conf->arena, &list->zone) ||
		 list->zone.len > DNSLIST_ZONE_MAX)
		settings_fail_at(
		    settings, zone, "no name of a zone", zone->text);
}

static void
fill_refused(struct settings *settings, const struct section *section,
    struct dnslist *list)
{
	const struct option_value *value = section_get(section, "refused");
	struct dnslist_pattern *v =
	    arena_calloc(settings->conf->arena, value->n, sizeof *v);

	list->refused = v;
	for (size_t i = 0; v && i < value->n; i++)
		if (dnslist_pattern_parse(
			value->items[i], &v[list->n_refused]) == 0)
			list->n_refused++;
		else
			settings_fail_at(settings, value,
			    "no answer like 127.255.255.* or &1",
			    value->items[i]);
}

/* The list's symbol of that name, made when it is new. NULL: one too many. */
static struct dnslist_symbol *
symbol_of(struct arena *arena, struct dnslist *list, struct span name,
    int32_t score_milli)
{
	for (size_t i = 0; i < list->n_symbols; i++)
		if (span_is(name, list->symbols[i].name))
			return &list->symbols[i];
	if (list->n_symbols == DNSLIST_SYMBOLS_MAX)
		return NULL;
	struct dnslist_symbol *symbol = &list->symbols[list->n_symbols];
	*symbol = (struct dnslist_symbol){
	    .list = list->index,
	    .index = (unsigned)list->n_symbols,
	    .name = arena_cstr(arena, name),
	    /* By its name: a zone may hold the site's key. */
	    .describe = arena_cstr(
		arena, arena_printf(arena, "%s is listed in %.*s",
			   list->of_links ? "A link's domain" : "The client",
			   SPAN_ARG(list->name))),
	    .score_milli = score_milli,
	};
	if (!symbol->name || !symbol->describe)
		return NULL;
	list->n_symbols++;
	return symbol;
}

/* "ANSWER:SYMBOL:POINTS"; NULL or what is wrong with it. */
static const char *
add_code(struct arena *arena, struct dnslist *list, struct span text,
    struct dnslist_code *code)
{
	struct span rest = text;
	struct span pattern = span_cut(&rest, ':');
	struct span name = span_cut(&rest, ':');
	int64_t milli;

	if (!rest.p)
		return "expected ANSWER:SYMBOL:POINTS, not";
	if (dnslist_pattern_parse(pattern, &code->pattern))
		return "no answer like 127.0.0.2, 127.0.0.4-7, 127.0.*.3 or"
		       " &8 in";
	if (!symbol_name_valid(name) || span_starts(name, SPAN("__")))
		return "no name of a symbol in";
	if (option_parse_score(rest, &milli) ||
	    milli < -(int64_t)OPTION_SCORE_MAX * 1000 ||
	    milli > (int64_t)OPTION_SCORE_MAX * 1000)
		return "no points in";
	struct dnslist_symbol *symbol =
	    symbol_of(arena, list, name, (int32_t)milli);
	if (!symbol)
		return "a symbol too many:";
	if (symbol->score_milli != milli)
		return "a symbol has one score:";
	code->symbol = (unsigned)(symbol - list->symbols);
	return NULL;
}

static void
fill_answers(struct settings *settings, const struct section *section,
    struct dnslist *list)
{
	struct arena *arena = settings->conf->arena;
	const struct option_value *value = section_get(section, "answers");
	size_t n =
	    value->n < DNSLIST_SYMBOLS_MAX ? value->n : DNSLIST_SYMBOLS_MAX;
	struct dnslist_code *codes =
	    arena_calloc(arena, value->n, sizeof *codes);

	list->symbols = arena_calloc(arena, n, sizeof *list->symbols);
	list->codes = codes;
	if (value->n == 0)
		fail_section(settings, section, "no answers");
	for (size_t i = 0; codes && list->symbols && i < value->n; i++) {
		const char *wrong = add_code(
		    arena, list, value->items[i], &codes[list->n_codes]);
		if (wrong)
			settings_fail_at(
			    settings, value, wrong, value->items[i]);
		else
			list->n_codes++;
	}
}

/* The name of one test point; empty where the site says "none". */
static struct span
test_name(struct settings *settings, const struct section *section,
    const struct dnslist *list, bool listed)
{
	const struct option_value *point =
	    section_get(section, listed ? "test_listed" : "test_clean");

	if (!section_bool(section, "test") || span_is(point->text, "none"))
		return SPAN_NONE;
	struct span name =
	    dnslist_test_name(list, point->text, listed, settings->conf->arena);
	if (!name.p)
		settings_fail_at(settings, point, "no test point", point->text);
	return name;
}

static void
fill_list(struct settings *settings, const struct section *section,
    unsigned index, struct dnslist *list)
{
	struct arena *arena = settings->conf->arena;
	const struct section *all =
	    &settings->groups[SETTINGS_LISTS_ALL].sections[0];
	int64_t about = section_number(section, "about");
	int64_t timeout_ms = section_number(section, "timeout");

	*list = (struct dnslist){
	    .name = section->title,
	    .index = index,
	    .degraded = arena_cstr(arena,
		arena_printf(arena, "dnsbl:%.*s", SPAN_ARG(section->title))),
	    .kind = (enum dnslist_kind)section_number(section, "kind"),
	    .families =
		(enum dnslist_families)section_number(section, "families"),
	    .whole_host = section_number(section, "names") == 1,
	    .timeout_ms =
		timeout_ms ? timeout_ms : section_number(all, "timeout"),
	    .retry_ms = section_number(all, "retry"),
	};
	list->of_links = about == ABOUT_AUTO ? list->kind != DNSLIST_ADDRESS
					     : about == ABOUT_LINKS;
	if (!good_name(section->title))
		fail_section(settings, section,
		    "a name has lower-case letters, digits, \"-\", \"_\" and \".\"");
	if (!list->of_links && list->kind == DNSLIST_DOMAIN)
		settings_fail_at(settings, section_get(section, "about"),
		    "a list of domains has no clients:", section->title);
	fill_zone(settings, section, list);
	fill_refused(settings, section, list);
	fill_answers(settings, section, list);
	if (list->zone.len == 0)
		return;
	list->test_listed = test_name(settings, section, list, true);
	list->test_clean = test_name(settings, section, list, false);
}

/* --- all ------------------------------------------------------------------------- */

static const struct section *
find_section(const struct settings_group *group, struct span name)
{
	for (size_t i = 0; i < group->n; i++)
		if (span_eq(group->sections[i].title, name))
			return &group->sections[i];
	return NULL;
}

static void
unknown_list(
    struct settings *settings, const struct option_value *use, struct span name)
{
	const struct settings_group *group = &settings->groups[SETTINGS_LISTS];
	struct arena *arena = settings->conf->arena;
	const char **names = arena_calloc(arena, group->n, sizeof *names);
	const char *near;

	for (size_t i = 0; names && i < group->n; i++)
		if (!(names[i] = arena_cstr(arena, group->sections[i].title)))
			return;
	near = names ? option_nearest(name, names, group->n) : NULL;
	conf_fail(settings->conf,
	    use->entry ? use->entry->value_where : (struct conf_where){0},
	    "%s: no list \"%.*s\"%s%s%s", use->option->name, SPAN_ARG(name),
	    near ? "; did you mean \"" : "", near ? near : "",
	    near ? "\"?" : "");
}

/* A symbol belongs to one list. */
static void
check_symbols(struct settings *settings, const struct option_value *use,
    const struct scan_lists *lists, const struct dnslist *list)
{
	struct arena *arena = settings->conf->arena;

	for (const struct dnslist *other = lists->v; other < list; other++)
		for (size_t i = 0; i < list->n_symbols; i++)
			for (size_t k = 0; k < other->n_symbols; k++)
				if (strcmp(list->symbols[i].name,
					other->symbols[k].name) == 0)
					settings_fail_at(settings, use,
					    arena_cstr(arena,
						arena_printf(arena,
						    "\"%.*s\" and \"%.*s\""
						    " both give",
						    SPAN_ARG(other->name),
						    SPAN_ARG(list->name))),
					    span_of(list->symbols[i].name));
}

static void
fill_used(struct settings *settings, const struct option_value *use,
    struct scan_lists *lists)
{
	const struct settings_group *group = &settings->groups[SETTINGS_LISTS];
	struct dnslist *v =
	    arena_calloc(settings->conf->arena, use->n, sizeof *v);

	lists->v = v;
	for (size_t i = 0; v && i < use->n; i++) {
		const struct section *section =
		    find_section(group, use->items[i]);
		bool twice = false;
		for (size_t k = 0; k < lists->n; k++)
			twice |= span_eq(v[k].name, use->items[i]);
		if (!section) {
			unknown_list(settings, use, use->items[i]);
		} else if (!twice) {
			fill_list(settings, section, (unsigned)lists->n,
			    &v[lists->n]);
			check_symbols(settings, use, lists, &v[lists->n]);
			lists->n++;
		}
	}
}

void
settings_fill_lists(struct settings *settings, struct scan_config *scan)
{
	struct arena *arena = settings->conf->arena;
	const struct section *all =
	    &settings->groups[SETTINGS_LISTS_ALL].sections[0];
	const struct option_value *skip = section_get(all, "skip");
	struct span *domains = arena_calloc(arena, skip->n, sizeof *domains);

	scan->lists = (struct scan_lists){
	    .domains_max = (unsigned)section_number(all, "domains"),
	    .skip = domains,
	};
	for (size_t i = 0; domains && i < skip->n; i++)
		if (domain_normalise(skip->items[i], arena,
			&domains[scan->lists.n_skip]) == 0)
			scan->lists.n_skip++;
		else
			settings_fail_at(
			    settings, skip, "no domain", skip->items[i]);
	fill_used(settings, section_get(all, "use"), &scan->lists);
}
