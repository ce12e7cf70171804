#include "filter/ctl/ctl.h"

#include "filter/examine.h"

/* assay rules: the rule files as the engine reads them. */

#define PATHS_MAX 64

enum { OPT_RULES };

static const struct ctl_option options[] = {
    [OPT_RULES] = {"rules", 0, "PATH", "rules instead of ours; repeatable"},
    {0},
};

struct rules {
	const char *paths[PATHS_MAX];
	size_t n;
	unsigned errors, warnings;
};

static int
take(void *arg, int index, const char *value)
{
	struct rules *rules = arg;

	(void)index;
	if (rules->n == PATHS_MAX) {
		fprintf(stderr, "more than %d rule files\n", PATHS_MAX);
		return EX_USAGE;
	}
	rules->paths[rules->n++] = value;
	return 0;
}

static void
count(void *arg, bool warning, const char *text)
{
	struct rules *rules = arg;

	(void)text;
	if (warning)
		rules->warnings++;
	else
		rules->errors++;
}

/* Counts, and prints as all commands do. */
static void
report(void *arg, bool warning, const char *text)
{
	count(arg, warning, text);
	ctl_report(NULL, warning, text);
}

static struct snapshot *
load(const struct ctl *ctl, struct rules *rules, bool lint)
{
	struct settings_source source = ctl_source(ctl);

	source.rules = rules->paths;
	source.n_rules = rules->n;
	source.lint = lint;
	return snapshot_load(&source, report, rules);
}

/* Whose fault it is that nothing was loaded: EX_CONFIG, or EX_DATAERR for the
 * rules. All has been said already. */
static int
blame(const struct ctl *ctl)
{
	struct settings_source source = ctl_source(ctl);
	struct rules quiet = {.n = 0};

	source.no_rules = true;
	struct snapshot *snapshot = snapshot_load(&source, count, &quiet);
	int status = snapshot ? EX_DATAERR : EX_CONFIG;
	snapshot_unref(snapshot);
	return status;
}

static int
run_lint(struct ctl *ctl, int argc, char **argv)
{
	struct rules rules = {.n = 0};
	int status;
	int n = ctl_options(ctl, argc, argv, take, &rules, &status);

	for (int i = 1; i < n && status == EX_OK; i++)
		status = take(&rules, OPT_RULES, argv[i]);
	if (n < 0 || status)
		return status;
	struct snapshot *snapshot = load(ctl, &rules, true);
	if (snapshot)
		printf("%zu symbols, no errors, %u warnings\n",
		    rule_set_symbols(engine_rules(snapshot->engine))->items.n,
		    rules.warnings);
	else
		printf(
		    "%u errors, %u warnings\n", rules.errors, rules.warnings);
	status = snapshot ? EX_OK : blame(ctl);
	snapshot_unref(snapshot);
	return status;
}

static void
print_score(const struct symbol *s)
{
	int32_t milli = s->score_milli;
	int32_t size = milli < 0 ? -milli : milli;

	printf("%s%d.%03d", milli < 0 ? "-" : "", size / 1000, size % 1000);
}

static int
run_list(struct ctl *ctl, int argc, char **argv)
{
	struct rules rules = {.n = 0};
	int status;
	int n = ctl_options(ctl, argc, argv, take, &rules, &status);

	if (n < 0)
		return status;
	if (n > 1)
		return ctl_usage(ctl);
	struct snapshot *snapshot = load(ctl, &rules, false);
	if (!snapshot)
		return EX_CONFIG;
	const struct symbol_table *table =
	    rule_set_symbols(engine_rules(snapshot->engine));
	for (size_t i = 0; i < table->items.n; i++) {
		const struct symbol *s = table->items.v[i];
		if (s->kind == SYMBOL_UNKNOWN)
			continue;
		printf("%-32.*s %-8s ", SPAN_ARG(s->name),
		    symbol_kind_name(s->kind));
		if (s->sub)
			fputs("-", stdout);
		else
			print_score(s);
		fputs("  ", stdout);
		ctl_print_safe(stdout, s->describe);
		putchar('\n');
	}
	snapshot_unref(snapshot);
	return EX_OK;
}

static void
print_symbol(const struct symbol *s)
{
	ctl_print_safe(stdout, s->name);
	printf("  %s  score ", symbol_kind_name(s->kind));
	print_score(s);
	if (s->line)
		printf("  %.*s:%u", SPAN_ARG(s->file), s->line);
	putchar('\n');
	if (s->describe.len) {
		fputs("  ", stdout);
		ctl_print_safe(stdout, s->describe);
		putchar('\n');
	}
	if (s->tflags.len) {
		fputs("  tflags ", stdout);
		ctl_print_safe(stdout, s->tflags);
		putchar('\n');
	}
	if (s->source.len) {
		fputs("  ", stdout);
		ctl_print_safe(stdout, s->source);
		putchar('\n');
	}
}

static int
run_show(struct ctl *ctl, int argc, char **argv)
{
	struct rules rules = {.n = 0};
	int status;
	int n = ctl_options(ctl, argc, argv, take, &rules, &status);

	if (n < 0)
		return status;
	if (n < 2)
		return ctl_usage(ctl);
	struct snapshot *snapshot = load(ctl, &rules, false);
	if (!snapshot)
		return EX_CONFIG;
	for (int i = 1; i < n; i++) {
		const struct symbol *s = symbol_find(
		    rule_set_symbols(engine_rules(snapshot->engine)),
		    span_of(argv[i]));
		if (s && s->kind != SYMBOL_UNKNOWN)
			print_symbol(s);
		else
			status =
			    ctl_fail(ctl, EX_DATAERR, "no symbol %s", argv[i]);
	}
	snapshot_unref(snapshot);
	return status;
}

const struct ctl_command ctl_rules_commands[] = {
    {"lint", "[PATH...]", "read rule files and say what is wrong", options,
	run_lint, NULL},
    {"list", "", "all symbols with kind, score and description", options,
	run_list, NULL},
    {"show", "NAME...", "one symbol's definition", options, run_show, NULL},
    {0},
};
