#include "filter/ctl/ctl.h"

/*
 * assay config: every value in force, and where it comes from. Options whose
 * default depends on the machine or the build have none in the table: what
 * the settings made of them is shown.
 */

enum { OPT_ORIGIN };

static const struct ctl_option options[] = {
    [OPT_ORIGIN] = {"origin", 0, NULL,
	"say where each value stands: file:line:column or default"},
    {0},
};

static int
take(void *arg, int index, const char *value)
{
	(void)index;
	(void)value;
	*(bool *)arg = true;
	return 0;
}

static void
print_origin(const struct option_value *value, struct arena *arena)
{
	const struct conf_entry *e = value->entry;

	if (!e) {
		fputs("\t# default", stdout);
		return;
	}
	fputs("\t# ", stdout);
	ctl_print_safe(stdout, conf_where_text(&e->value_where, arena));
	for (e = e->replaced; e; e = e->replaced) {
		fputs(", replaces ", stdout);
		ctl_print_safe(stdout, conf_where_text(&e->where, arena));
	}
}

/* A list as it would stand in the file. */
static struct span
list_text(const struct span *items, size_t n, struct arena *arena)
{
	struct span text = SPAN("{");

	for (size_t i = 0; i < n; i++)
		text = arena_printf(arena, "%.*s%s %.*s", SPAN_ARG(text),
		    i ? "," : "", SPAN_ARG(items[i]));
	return arena_printf(arena, "%.*s }", SPAN_ARG(text));
}

/* The value that a default stands for; p == NULL: what the table says. */
static struct span
computed(const struct settings *s, const struct section *section,
    const struct option_value *value, struct arena *arena)
{
	const struct {
		const char *section, *key;
		struct span value;
	} texts[] = {
	    {"", "state", s->state},
	    {"", "control", s->control},
	    {"", "node", s->node},
	    {"milter", "authserv_id", s->authserv_id},
	    {"rules", "path", list_text(s->rule_paths, s->n_rule_paths, arena)},
	    {"limits", "waiting", arena_printf(arena, "%u", s->waiting)},
	};

	if (value->entry && (value->text.len || value->n || value->number))
		return SPAN_NONE;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		if (strcmp(section->kind->name, texts[i].section) == 0 &&
		    strcmp(value->option->name, texts[i].key) == 0)
			return texts[i].value;
	return SPAN_NONE;
}

/* What a policy has from another place than its own section: all from
 * `default`, but outgoing mail has no thresholds until it is given some. */
static struct option_value
inherited(
    const struct settings *settings, const struct section *section, size_t i)
{
	const struct settings_group *policies =
	    &settings->groups[SETTINGS_POLICY];
	struct option_value value = section->values[i];

	if (section->kind != policies->kind || value.entry ||
	    strcmp(value.option->name, "recipients") == 0)
		return value;
	if (section == &policies->sections[POLICY_OUTBOUND] &&
	    value.option->type == OPTION_SCORE_OFF)
		value.number = OPTION_OFF;
	else
		value = policies->sections[POLICY_DEFAULT].values[i];
	return value;
}

static void
print_value(const struct settings *settings, const struct section *section,
    const struct option_value *value, struct arena *arena)
{
	struct span text = computed(settings, section, value, arena);

	if (value->option->flags & OPTION_SECRET)
		fputs("(not shown)", stdout);
	else
		ctl_print_safe(
		    stdout, text.p ? text : option_format(value, arena));
}

static void
print_section(const struct settings *settings, const struct section *section,
    bool origin, struct arena *arena)
{
	bool top = section->kind->name[0] == '\0';
	const char *indent = top ? "" : "\t";

	if (!top) {
		printf("%s ", section->kind->name);
		if (section->title.len) {
			putchar('"');
			ctl_print_safe(stdout, section->title);
			fputs("\" ", stdout);
		}
		puts("{");
	}
	for (size_t i = 0; i < section->n; i++) {
		struct option_value v = inherited(settings, section, i);
		printf("%s%s = ", indent, v.option->name);
		print_value(settings, section, &v, arena);
		if (origin)
			print_origin(&v, arena);
		putchar('\n');
	}
	if (!top)
		puts("}");
}

static int
run_show(struct ctl *ctl, int argc, char **argv)
{
	bool origin = false;
	int status;
	int n = ctl_options(ctl, argc, argv, take, &origin, &status);

	if (n < 0)
		return status;
	if (n > 1)
		return ctl_usage(ctl);
	struct settings_source source = ctl_source(ctl);
	source.no_rules = true;
	struct snapshot *snapshot = snapshot_load(&source, ctl_report, NULL);
	if (!snapshot)
		return EX_CONFIG;
	const struct settings *settings = &snapshot->settings;
	for (size_t i = 0; i < settings->n_groups; i++)
		for (size_t k = 0; k < settings->groups[i].n; k++)
			print_section(settings,
			    &settings->groups[i].sections[k], origin,
			    settings->conf->arena);
	snapshot_unref(snapshot);
	return EX_OK;
}

const struct ctl_command ctl_config_commands[] = {
    {"show", "", "every effective value", options, run_show, NULL},
    {0},
};
