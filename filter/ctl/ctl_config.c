#include "filter/ctl/ctl.h"

/* assay config: every value in force, and where it comes from. */

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

static void
print_section(const struct section *section, bool origin, struct arena *arena)
{
	bool top = section->kind->name[0] == '\0';
	const char *indent = top ? "" : "\t";

	if (!top) {
		printf("%s ", section->kind->name);
		if (section->title.len)
			printf("\"%.*s\" ", SPAN_ARG(section->title));
		puts("{");
	}
	for (size_t i = 0; i < section->n; i++) {
		const struct option_value *v = &section->values[i];
		printf("%s%s = ", indent, v->option->name);
		if (v->option->flags & OPTION_SECRET)
			fputs("(not shown)", stdout);
		else
			ctl_print_safe(stdout, option_format(v, arena));
		if (origin)
			print_origin(v, arena);
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
			print_section(&settings->groups[i].sections[k], origin,
			    settings->conf->arena);
	snapshot_unref(snapshot);
	return EX_OK;
}

const struct ctl_command ctl_config_commands[] = {
    {"show", "", "every effective value", options, run_show, NULL},
    {0},
};
