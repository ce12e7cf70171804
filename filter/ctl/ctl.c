#include "filter/ctl/ctl.h"

#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "filter/auth/dkim.h"

/*
 * The main program of `assay`: global options, the walk through the tables of
 * sub-commands, and what all sub-commands share.
 */

#define USAGE_COLUMN 26
#define ERROR_MAX 2048
#define NAMES_MAX 64

static const struct ctl_command commands[] = {
    {"check", NULL, NULL, NULL, NULL, &ctl_check_command},
    {"auth", NULL, "one authentication engine, step by step", NULL, NULL,
	ctl_auth_commands},
    {"arc", NULL, "seal what is passed on", NULL, NULL, ctl_arc_commands},
    {"dkim", NULL, "private keys, and signing with them", NULL, NULL,
	ctl_dkim_commands},
    {"rules", NULL, "see the rule engine", NULL, NULL, ctl_rules_commands},
    {"learn", NULL, "train, and what training is worth", NULL, NULL,
	ctl_learn_commands},
    {"reputation", NULL, "what is known of senders", NULL, NULL,
	ctl_reputation_commands},
    {"report", NULL, "DMARC reports, sent and received", NULL, NULL,
	ctl_report_commands},
    {"config", NULL, "the configuration in force", NULL, NULL,
	ctl_config_commands},
    {"doctor", NULL, NULL, NULL, NULL, &ctl_doctor_command},
    {"log", NULL, NULL, NULL, NULL, &ctl_log_command},
    {"why", NULL, NULL, NULL, NULL, &ctl_why_command},
    {"status", NULL, NULL, NULL, NULL, &ctl_status_command},
    {"reload", NULL, NULL, NULL, NULL, &ctl_reload_command},
    {0},
};

static const struct ctl_option global_options[] = {
    {"config", 'c', "FILE", "configuration file"},
    {"option", 'o', "section.key=value", "set an option; repeatable"},
    {"version", 'V', NULL, "print the version"},
    {"help", 'h', NULL, "print this text"},
    {0},
};

/* --- usage ------------------------------------------------------------------- */

static void
print_option(const struct ctl_option *o)
{
	char text[128];

	snprintf(text, sizeof text, "  %c%c%s --%s%s%s", o->letter ? '-' : ' ',
	    o->letter ? o->letter : ' ', o->letter ? "," : " ", o->name,
	    o->value ? "=" : "", o->value ? o->value : "");
	printf("%-*s %s\n", USAGE_COLUMN, text, o->help);
}

static void
print_options(const char *title, const struct ctl_option *options)
{
	if (!options || !options->name)
		return;
	printf("\n%s:\n", title);
	for (; options->name; options++)
		print_option(options);
}

/* A table entry that stands for one command kept elsewhere. */
static const struct ctl_command *
resolve(const struct ctl_command *c)
{
	return c->sub && !c->help && c->sub->run ? c->sub : c;
}

static void
print_commands(const struct ctl *ctl)
{
	const struct ctl_command *table = ctl->table;

	printf("usage: %s COMMAND [options] [arguments]\n\nCommands:\n",
	    ctl->name);
	for (; table->name; table++) {
		const struct ctl_command *c = resolve(table);
		char text[128];
		snprintf(text, sizeof text, "  %s%s%s", c->name,
		    c->args ? " " : "", c->args ? c->args : "");
		printf("%-*s %s\n", USAGE_COLUMN, text, c->help);
	}
	print_options("Global options", global_options);
}

static void
print_usage(const struct ctl *ctl)
{
	const struct ctl_command *c = ctl->command;

	printf("usage: %s%s %s\n\n%s\n", ctl->name,
	    c->options ? " [options]" : "", c->args ? c->args : "", c->help);
	print_options("Options", c->options);
	print_options("Global options", global_options);
}

int
ctl_fail(const struct ctl *ctl, int status, const char *fmt, ...)
{
	char text[ERROR_MAX];
	va_list ap;

	fprintf(stderr, "%s: ", ctl->name);
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	ctl_print_safe(stderr, span_of(text));
	fputc('\n', stderr);
	return status;
}

int
ctl_usage(const struct ctl *ctl)
{
	fprintf(stderr, "usage: %s%s %s\nTry \"%s --help\".\n", ctl->name,
	    ctl->command->options ? " [options]" : "",
	    ctl->command->args ? ctl->command->args : "", ctl->name);
	return EX_USAGE;
}

void
ctl_report(void *arg, bool warning, const char *text)
{
	(void)arg;
	fputs(warning ? "warning: " : "", stderr);
	ctl_print_safe(stderr, span_of(text));
	fputc('\n', stderr);
}

struct settings_source
ctl_source(const struct ctl *ctl)
{
	return (struct settings_source){
	    .path = ctl->conf,
	    .assignments = ctl->assignments,
	    .n_assignments = ctl->n_assignments,
	};
}

/* --- options ----------------------------------------------------------------- */

static int
find_long(const struct ctl_option *options, struct span name)
{
	for (int i = 0; options && options[i].name; i++)
		if (span_is(name, options[i].name))
			return i;
	return -1;
}

static int
find_letter(const struct ctl_option *options, char letter)
{
	for (int i = 0; options && options[i].name; i++)
		if (options[i].letter && options[i].letter == letter)
			return i;
	return -1;
}

/* Where an argument stands in a table, or -1; and the value behind "=" or the
 * letter, or NULL. */
static int
find_option(const struct ctl_option *options, const char *arg,
    const char **ret_attached)
{
	*ret_attached = NULL;
	if (arg[1] == '-') {
		struct span rest = span_of(arg + 2);
		int index = find_long(options, span_cut(&rest, '='));
		*ret_attached = rest.p;
		return index;
	}
	int index = find_letter(options, arg[1]);
	if (arg[2] == '\0')
		return index;
	*ret_attached = arg + 2 + (arg[2] == '=');
	return index >= 0 && options[index].value ? index : -1;
}

/* One parsed option, and the index of the argument behind it. */
struct parsed {
	const struct ctl_option *option;
	bool global; /* of global_options, not of the command */
	const char *value;
	int next;
};

static int
value_of(const struct ctl *ctl, int argc, char **argv, int i,
    const char *attached, struct parsed *ret)
{
	const struct ctl_option *o = ret->option;

	ret->value = NULL;
	ret->next = i + 1;
	if (!o->value) {
		if (!attached)
			return 0;
		return ctl_fail(ctl, EX_USAGE, "--%s takes no value", o->name);
	}
	if (attached) {
		ret->value = attached;
		return 0;
	}
	if (i + 1 >= argc)
		return ctl_fail(ctl, EX_USAGE, "--%s needs a value (%s)",
		    o->name, o->value);
	ret->value = argv[i + 1];
	ret->next = i + 2;
	return 0;
}

static int
unknown_option(
    const struct ctl *ctl, const struct ctl_option *options, const char *arg)
{
	const char *names[NAMES_MAX];
	struct span rest = span_of(arg[1] == '-' ? arg + 2 : "");
	size_t n = 0;

	for (; options && options->name && n < NAMES_MAX; options++)
		names[n++] = options->name;
	for (size_t i = 0; global_options[i].name && n < NAMES_MAX; i++)
		names[n++] = global_options[i].name;
	const char *near = option_nearest(span_cut(&rest, '='), names, n);
	if (near)
		return ctl_fail(ctl, EX_USAGE,
		    "unknown option %s; did you mean --%s?", arg, near);
	return ctl_fail(ctl, EX_USAGE, "unknown option %s; try \"%s --help\"",
	    arg, ctl->name);
}

/* Parses the option at argv[i]: one of `options` (may be NULL), or a global
 * one, which may stand anywhere. */
static int
parse_option(const struct ctl *ctl, const struct ctl_option *options, int argc,
    char **argv, int i, struct parsed *ret)
{
	const char *attached;
	int index = find_option(options, argv[i], &attached);

	ret->global = index < 0;
	if (ret->global) {
		options = options ? options : global_options;
		index = find_option(global_options, argv[i], &attached);
		if (index < 0)
			return unknown_option(ctl, options, argv[i]);
		options = global_options;
	}
	ret->option = &options[index];
	return value_of(ctl, argc, argv, i, attached, ret);
}

/* Takes a global option. False: the run ends with *ret_status. */
static bool
take_global(struct ctl *ctl, const struct parsed *parsed, int *ret_status)
{
	*ret_status = EX_OK;
	switch (parsed->option->letter) {
	case 'c':
		ctl->conf = parsed->value;
		return true;
	case 'o':
		if (ctl->n_assignments == CTL_ASSIGNMENTS_MAX) {
			*ret_status = ctl_fail(ctl, EX_USAGE,
			    "more than %d times -o", CTL_ASSIGNMENTS_MAX);
			return false;
		}
		ctl->assignments[ctl->n_assignments++] = parsed->value;
		return true;
	case 'V':
		puts("assay " PACKAGE_VERSION);
		return false;
	default:
		if (ctl->command)
			print_usage(ctl);
		else
			print_commands(ctl);
		return false;
	}
}

/* Operands are moved behind the options, so that both orders work. */
int
ctl_options(struct ctl *ctl, int argc, char **argv,
    int (*take)(void *arg, int index, const char *value), void *arg,
    int *ret_status)
{
	const struct ctl_option *own = ctl->command->options;
	int n = 1, i = 1;

	while (i < argc) {
		struct parsed parsed;
		if (strcmp(argv[i], "--") == 0) {
			for (i++; i < argc; i++)
				argv[n++] = argv[i];
			break;
		}
		if (argv[i][0] != '-' || argv[i][1] == '\0') {
			argv[n++] = argv[i++];
			continue;
		}
		*ret_status = parse_option(ctl, own, argc, argv, i, &parsed);
		if (*ret_status)
			return -1;
		if (parsed.global) {
			if (!take_global(ctl, &parsed, ret_status))
				return -1;
		} else {
			*ret_status =
			    take(arg, (int)(parsed.option - own), parsed.value);
			if (*ret_status)
				return -1;
		}
		i = parsed.next;
	}
	argv[n] = NULL;
	*ret_status = EX_OK;
	return n;
}

/* --- the walk through the tables --------------------------------------------- */

static const struct ctl_command *
find_command(const struct ctl_command *table, const char *name)
{
	for (; table->name; table++)
		if (strcmp(table->name, name) == 0)
			return resolve(table);
	return NULL;
}

static int
unknown_command(
    const struct ctl *ctl, const struct ctl_command *table, const char *word)
{
	const char *names[NAMES_MAX];
	size_t n = 0;

	for (; table->name && n < NAMES_MAX; table++)
		names[n++] = table->name;
	const char *near = option_nearest(span_of(word), names, n);
	return ctl_fail(ctl, EX_USAGE, "unknown command \"%s\"%s%s%s", word,
	    near ? "; did you mean \"" : "; try --help", near ? near : "",
	    near ? "\"?" : "");
}

/* Goes on to a command or to the table below it. */
static void
enter(struct ctl *ctl, const struct ctl_command *c)
{
	size_t used = strlen(ctl->name);

	snprintf(ctl->name + used, sizeof ctl->name - used, " %s", c->name);
	if (c->run)
		ctl->command = c;
	else
		ctl->table = c->sub;
}

static int
dispatch(struct ctl *ctl, int argc, char **argv)
{
	int status, i = 0;

	while (i < argc) {
		if (argv[i][0] == '-') {
			struct parsed parsed;
			status =
			    parse_option(ctl, NULL, argc, argv, i, &parsed);
			if (status || !take_global(ctl, &parsed, &status))
				return status;
			i = parsed.next;
			continue;
		}
		const struct ctl_command *c = find_command(ctl->table, argv[i]);
		if (!c)
			return unknown_command(ctl, ctl->table, argv[i]);
		enter(ctl, c);
		if (ctl->command)
			return c->run(ctl, argc - i, argv + i);
		i++;
	}
	fprintf(stderr, "usage: %s COMMAND; try \"%s --help\"\n", ctl->name,
	    ctl->name);
	return EX_USAGE;
}

int
main(int argc, char **argv)
{
	struct ctl ctl = {.name = "assay", .table = commands};
	struct err err;
	int status;

	signal(SIGPIPE, SIG_IGN);
	if (dkim_setup(&err))
		return ctl_fail(&ctl, EX_OSERR, "%s", err.text);
	status = dispatch(&ctl, argc - 1, argv + 1);
	dkim_teardown();
	if (fflush(stdout) || ferror(stdout))
		return status ? status
			      : ctl_fail(&ctl, EX_IOERR,
				    "cannot write to standard output");
	return status;
}
