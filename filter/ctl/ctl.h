#ifndef FILTER_CTL_CTL_H
#define FILTER_CTL_CTL_H

#include <stdbool.h>
#include <stdio.h>
#include <sysexits.h>

#include "filter/base/buf.h"
#include "filter/settings.h"

/*
 * The command `assay`: a table of sub-commands. Usage text is made from it, so
 * that what exists and what is said to exist are the same.
 */
#define CTL_ASSIGNMENTS_MAX 64

struct ctl {
	const char *conf; /* -c; NULL: the default file */
	const char *assignments[CTL_ASSIGNMENTS_MAX]; /* -o */
	size_t n_assignments;
	const struct ctl_command *table;   /* of the level reached */
	const struct ctl_command *command; /* that runs; NULL before */
	char name[64];                     /* "assay rules lint" */
};

struct ctl_option {
	const char *name;  /* long, without dashes */
	char letter;       /* or 0 */
	const char *value; /* what it takes, "FILE"; NULL: nothing */
	const char *help;
};

struct ctl_command {
	const char *name;
	const char *args; /* "[FILE...]" */
	const char *help; /* one line */
	const struct ctl_option
	    *options; /* end with a NULL name; may be NULL */
	int (*run)(struct ctl *ctl, int argc, char **argv);
	const struct ctl_command *sub; /* instead of run; NULL-name ended */
};

/*
 * Reads the options of ctl->command from argv (argv[0] is its name). Calls
 * `take` for each with its index in the table and its value (NULL when it
 * takes none); global options are taken here. Returns the number of arguments
 * left, argv[0] and the operands, or -1 after an error or --help was answered;
 * *ret_status is then the exit status.
 */
int ctl_options(struct ctl *ctl, int argc, char **argv,
    int (*take)(void *arg, int index, const char *value), void *arg,
    int *ret_status);

/* "assay check: text" on standard error, controls escaped; returns `status`. */
int ctl_fail(const struct ctl *ctl, int status, const char *fmt, ...)
    PRINTF(3, 4);
/* Too few or too many operands: says the usage; EX_USAGE. */
int ctl_usage(const struct ctl *ctl);

/* settings_report_fn that prints to standard error; arg is unused. */
settings_report_fn ctl_report;

/* The source of settings that the global options name. */
struct settings_source ctl_source(const struct ctl *ctl);

/* Bytes of the character at the start of `text` that a terminal may be shown:
 * 0 for controls (C0, C1), marks that rearrange a line, and no UTF-8. */
unsigned ctl_safe_len(struct span text);
/* Prints or adds text from the network: what ctl_safe_len() refuses as \xNN. */
void ctl_print_safe(FILE *out, struct span text);
void ctl_add_safe(struct buf *out, struct span text);

extern const struct ctl_command ctl_check_command;
extern const struct ctl_command ctl_arc_commands[];
extern const struct ctl_command ctl_auth_commands[];
extern const struct ctl_command ctl_rules_commands[];
extern const struct ctl_command ctl_learn_commands[];
extern const struct ctl_command ctl_config_commands[];
extern const struct ctl_command ctl_log_command;
extern const struct ctl_command ctl_why_command;
extern const struct ctl_command ctl_reputation_commands[];
extern const struct ctl_command ctl_report_commands[];
extern const struct ctl_command ctl_report_dmarc_command;
extern const struct ctl_command ctl_report_bounce_command;
extern const struct ctl_command ctl_report_bounced_command;
extern const struct ctl_command ctl_report_failures_command;
extern const struct ctl_command ctl_report_read_command;
extern const struct ctl_command ctl_dkim_commands[];
extern const struct ctl_command ctl_doctor_command;
extern const struct ctl_command ctl_status_command;
extern const struct ctl_command ctl_reload_command;

#endif
