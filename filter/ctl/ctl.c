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

static const struct ctl_command commands[] = {
    {"check", NULL, NULL, NULL, NULL, &ctl_check_command},
    {"auth", NULL, "one authentication engine, step by step", NULL, NULL,
	ctl_auth_commands},
    {"rules", NULL, "see the rule engine", NULL, NULL, ctl_rules_commands},
    {"config", NULL, "the configuration in force", NULL, NULL,
	ctl_config_commands},
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
print_commands(const char *name, const struct ctl_command *table)
{
	printf("usage: %s COMMAND [options] [arguments]\n\nCommands:\n", name);
	for (; table->name; table++) {
		const struct ctl_command *c = resolve(table);
		char text[128];
		snprintf(text, sizeof text, "  %s%s%s", c->name,
		    c->args ? " " : "", c->args ? c->args : "");
		printf("%-*s %s\n", USAGE_COLUMN, text, c->help);
	}
}

static void
print_usage(const struct ctl *ctl)
{
	const struct ctl_command *c = ctl->command;

	printf("usage: %s%s %s\n\n%s\n", ctl->name,
	    c->options ? " [options]" : "", c->args ? c->args : "", c->help);
	print_options("Options", c->options);
}

int
ctl_fail(const struct ctl *ctl, int status, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "%s: ", ctl->name);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
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
	fprintf(stderr, "%s%s\n", warning ? "warning: " : "", text);
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

unsigned
ctl_safe_len(struct span text)
{
	unsigned n = span_utf8_len(text.p, text.len);
	/* C1 controls are escapes for terminals too. */
	bool c1 =
	    n == 2 && text.p[0] == '\xc2' && (unsigned char)text.p[1] < 0xa0;

	return n == 0 || c1 || ascii_is_control(text.p[0]) ? 0 : n;
}

void
ctl_print_safe(FILE *out, struct span text)
{
	while (text.len) {
		unsigned n = ctl_safe_len(text);
		if (n)
			fwrite(text.p, 1, n, out);
		else
			fprintf(out, "\\x%02x", (unsigned char)text.p[0]);
		text = span_skip(text, n ? n : 1);
	}
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

/* One parsed option: which, and its value; `next` is the index behind it. */
struct parsed {
	int index;
	const char *value;
	int next;
};

static int
value_of(const struct ctl *ctl, const struct ctl_option *options, int argc,
    char **argv, int i, const char *attached, struct parsed *ret)
{
	const struct ctl_option *o = &options[ret->index];

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

/* Parses the option at argv[i]. */
static int
parse_option(const struct ctl *ctl, const struct ctl_option *options, int argc,
    char **argv, int i, struct parsed *ret)
{
	const char *arg = argv[i];
	const char *attached = NULL;

	if (arg[1] == '-') {
		struct span rest = span_of(arg + 2);
		struct span name = span_cut(&rest, '=');
		ret->index = find_long(options, name);
		attached = rest.p;
	} else {
		ret->index = find_letter(options, arg[1]);
		if (arg[2])
			attached = arg + 2 + (arg[2] == '=');
		if (ret->index >= 0 && !options[ret->index].value && arg[2])
			ret->index = -1;
	}
	if (ret->index < 0)
		return ctl_fail(ctl, EX_USAGE,
		    "unknown option %s; try \"%s --help\"", arg, ctl->name);
	return value_of(ctl, options, argc, argv, i, attached, ret);
}

static bool
is_help(const char *arg)
{
	return strcmp(arg, "--help") == 0;
}

/* Operands are moved behind the options, so that both orders work. */
int
ctl_options(struct ctl *ctl, int argc, char **argv,
    int (*take)(void *arg, int index, const char *value), void *arg,
    int *ret_status)
{
	int n = 1, i = 1;

	while (i < argc) {
		struct parsed parsed;
		if (is_help(argv[i])) {
			print_usage(ctl);
			*ret_status = EX_OK;
			return -1;
		}
		if (strcmp(argv[i], "--") == 0) {
			for (i++; i < argc; i++)
				argv[n++] = argv[i];
			break;
		}
		if (argv[i][0] != '-' || argv[i][1] == '\0') {
			argv[n++] = argv[i++];
			continue;
		}
		*ret_status = parse_option(
		    ctl, ctl->command->options, argc, argv, i, &parsed);
		if (*ret_status == 0)
			*ret_status = take(arg, parsed.index, parsed.value);
		if (*ret_status)
			return -1;
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
	const char *names[64];
	size_t n = 0;

	for (; table->name && n < 64; table++)
		names[n++] = table->name;
	const char *near = option_nearest(span_of(word), names, n);
	return ctl_fail(ctl, EX_USAGE, "unknown command \"%s\"%s%s%s", word,
	    near ? "; did you mean \"" : "; try --help", near ? near : "",
	    near ? "\"?" : "");
}

static int
dispatch(
    struct ctl *ctl, const struct ctl_command *table, int argc, char **argv)
{
	while (argc > 0) {
		if (is_help(argv[0]) || strcmp(argv[0], "-h") == 0) {
			print_commands(ctl->name, table);
			return EX_OK;
		}
		const struct ctl_command *c = find_command(table, argv[0]);
		if (!c)
			return unknown_command(ctl, table, argv[0]);
		size_t used = strlen(ctl->name);
		snprintf(
		    ctl->name + used, sizeof ctl->name - used, " %s", c->name);
		if (c->run) {
			ctl->command = c;
			return c->run(ctl, argc, argv);
		}
		table = c->sub;
		argc--;
		argv++;
	}
	fprintf(stderr, "usage: %s COMMAND; try \"%s --help\"\n", ctl->name,
	    ctl->name);
	return EX_USAGE;
}

/* Global options in front of the command. Returns where it stands, or -1. */
static int
global(struct ctl *ctl, int argc, char **argv, int *ret_status)
{
	int i = 1;

	while (i < argc && argv[i][0] == '-' && argv[i][1]) {
		struct parsed parsed;
		*ret_status =
		    parse_option(ctl, global_options, argc, argv, i, &parsed);
		if (*ret_status)
			return -1;
		switch (global_options[parsed.index].letter) {
		case 'c':
			ctl->conf = parsed.value;
			break;
		case 'o':
			if (ctl->n_assignments == CTL_ASSIGNMENTS_MAX) {
				*ret_status = ctl_fail(ctl, EX_USAGE,
				    "more than %d times -o",
				    CTL_ASSIGNMENTS_MAX);
				return -1;
			}
			ctl->assignments[ctl->n_assignments++] = parsed.value;
			break;
		case 'V':
			puts("assay " PACKAGE_VERSION);
			return -1;
		default:
			print_commands(ctl->name, commands);
			print_options("Global options", global_options);
			return -1;
		}
		i = parsed.next;
	}
	return i;
}

int
main(int argc, char **argv)
{
	struct ctl ctl = {.name = "assay"};
	struct err err;
	int status = EX_OK;
	int at = global(&ctl, argc, argv, &status);

	if (at < 0)
		return status;
	signal(SIGPIPE, SIG_IGN);
	if (dkim_setup(&err))
		return ctl_fail(&ctl, EX_OSERR, "%s", err.text);
	status = dispatch(&ctl, commands, argc - at, argv + at);
	dkim_teardown();
	if (fflush(stdout) || ferror(stdout))
		return status ? status
			      : ctl_fail(&ctl, EX_IOERR,
				    "cannot write to standard output");
	return status;
}
