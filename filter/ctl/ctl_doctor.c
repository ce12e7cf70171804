#include "filter/ctl/ctl.h"

#include <string.h>
#include <unistd.h>

#include "filter/ctl/doctor.h"
#include "filter/ctl/json.h"

/*
 * assay doctor: runs the checks and prints what they found, the worst last,
 * where it stays on the screen.
 */

#define POSTFIX_FOLDER "/etc/postfix"
#define SENDMAIL_CF "/etc/mail/sendmail.cf"
#define SENDMAIL_MC "/etc/mail/sendmail.mc"
#define EXIT_PROBLEM 1

enum { OPT_POSTFIX, OPT_SENDMAIL, OPT_JSON };

static const struct ctl_option options[] = {
    [OPT_POSTFIX] = {"postfix", 0, "FOLDER",
	"where main.cf and master.cf are (" POSTFIX_FOLDER ")"},
    [OPT_SENDMAIL] = {"sendmail", 0, "FILE",
	"sendmail.cf or sendmail.mc (" SENDMAIL_CF ")"},
    [OPT_JSON] = {"json", 0, NULL, "one object, for programs"},
    {0},
};

struct want {
	const char *postfix, *sendmail;
	bool json;
};

static int
take(void *arg, int index, const char *value)
{
	struct want *want = arg;

	if (index == OPT_POSTFIX)
		want->postfix = value;
	else if (index == OPT_SENDMAIL)
		want->sendmail = value;
	else
		want->json = true;
	return 0;
}

static const char *
level_name(enum doctor_level level)
{
	static const char *const names[] = {
	    [DOCTOR_OK] = "ok",
	    [DOCTOR_NOTE] = "note",
	    [DOCTOR_PROBLEM] = "problem",
	};

	return names[level];
}

/* --- checks ----------------------------------------------------------------------- */

/* What was named is looked at; where nothing was, what is there. */
static void
run_checks(struct doctor *d, const struct want *want)
{
	bool named = want->postfix || want->sendmail;
	const char *postfix = want->postfix, *sendmail = want->sendmail;

	if (!named && access(POSTFIX_FOLDER "/main.cf", F_OK) == 0)
		postfix = POSTFIX_FOLDER;
	if (!named && access(SENDMAIL_CF, F_OK) == 0)
		sendmail = SENDMAIL_CF;
	else if (!named && access(SENDMAIL_MC, F_OK) == 0)
		sendmail = SENDMAIL_MC;
	doctor_socket(d);
	doctor_state(d);
	doctor_machine(d);
	if (postfix)
		doctor_postfix(d, postfix);
	if (sendmail)
		doctor_sendmail(d, sendmail);
	if (!postfix && !sendmail)
		doctor_add(d, DOCTOR_NOTE, "mta.none", NOWHERE,
		    "neither Postfix nor Sendmail is configured here")
		    ->why = "nobody hands mail to assayd";
}

static size_t
count(const struct doctor *d, enum doctor_level level)
{
	size_t n = 0;

	for (size_t i = 0; i < d->findings.n; i++)
		n += d->findings.v[i].level == level;
	return n;
}

/* --- output ------------------------------------------------------------------------- */

static void
print_paste(struct span text)
{
	struct span line;

	while (span_line(&text, &line)) {
		fputs("\t\t", stdout);
		ctl_print_safe(stdout, line);
		putchar('\n');
	}
}

static void
print_finding(const struct finding *f)
{
	printf("%s: ", level_name(f->level));
	if (f->where.len) {
		ctl_print_safe(stdout, f->where);
		fputs(": ", stdout);
	}
	ctl_print_safe(stdout, f->what);
	putchar('\n');
	if (f->why)
		printf("\t%s\n", f->why);
	if (f->paste.len) {
		printf("\tinto %s:\n", f->into);
		print_paste(f->paste);
	}
}

static void
print_text(const struct doctor *d)
{
	static const enum doctor_level order[] = {
	    DOCTOR_OK, DOCTOR_NOTE, DOCTOR_PROBLEM};

	for (size_t k = 0; k < sizeof order / sizeof *order; k++)
		for (size_t i = 0; i < d->findings.n; i++)
			if (d->findings.v[i].level == order[k])
				print_finding(&d->findings.v[i]);
	printf("problems: %zu, notes: %zu\n", count(d, DOCTOR_PROBLEM),
	    count(d, DOCTOR_NOTE));
}

static json_t *
finding_json(const struct finding *f)
{
	json_t *object = json_object();

	json_set(object, "level", json_text(span_of(level_name(f->level))));
	json_set(object, "check", json_text(span_of(f->check)));
	json_set(object, "where", json_text(f->where));
	json_set(object, "what", json_text(f->what));
	json_set(object, "why", json_text(span_of(f->why)));
	json_set(object, "into", json_text(span_of(f->into)));
	json_set(object, "paste", json_text(f->paste));
	return object;
}

static void
print_json(const struct doctor *d)
{
	json_t *object = json_object();
	json_t *list = json_array();

	for (size_t i = 0; i < d->findings.n; i++)
		(void)json_array_append_new(
		    list, finding_json(&d->findings.v[i]));
	json_set(object, "problems",
	    json_integer((json_int_t)count(d, DOCTOR_PROBLEM)));
	json_set(
	    object, "notes", json_integer((json_int_t)count(d, DOCTOR_NOTE)));
	json_set(object, "findings", list);
	json_print(stdout, object);
}

/* --- the command ---------------------------------------------------------------------- */

static int
examine(const struct ctl *ctl, const struct want *want,
    const struct settings *settings)
{
	struct doctor d = {.arena = arena_new(0), .settings = settings};

	if (!d.arena)
		return ctl_fail(ctl, EX_OSERR, "out of memory");
	run_checks(&d, want);
	if (want->json)
		print_json(&d);
	else
		print_text(&d);
	int status = count(&d, DOCTOR_PROBLEM) ? EXIT_PROBLEM : EX_OK;
	if (arena_failed(d.arena))
		status = ctl_fail(ctl, EX_OSERR, "out of memory");
	arena_free(d.arena);
	return status;
}

static int
run(struct ctl *ctl, int argc, char **argv)
{
	struct want want = {0};
	int status;
	int n = ctl_options(ctl, argc, argv, take, &want, &status);

	if (n < 0)
		return status;
	if (n > 1)
		return ctl_usage(ctl);
	struct settings_source source = ctl_source(ctl);
	source.no_rules = true;
	struct snapshot *snapshot = snapshot_load(&source, ctl_report, NULL);
	if (!snapshot)
		return EX_CONFIG;
	status = examine(ctl, &want, &snapshot->settings);
	snapshot_unref(snapshot);
	return status;
}

const struct ctl_command ctl_doctor_command = {
    .name = "doctor",
    .args = "",
    .help = "what may be wrong between Assay, the MTA and this machine",
    .options = options,
    .run = run,
};
