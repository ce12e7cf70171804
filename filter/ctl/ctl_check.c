#include "filter/ctl/ctl.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "filter/base/clock.h"
#include "filter/base/lock.h"
#include "filter/ctl/check_format.h"
#include "filter/ctl/job.h"
#include "filter/ctl/source.h"

/*
 * assay check: the whole scan without an MTA. Threads take messages in order,
 * results are printed in order; at most WINDOW results wait for their turn.
 */

#define WINDOW 256
#define JOBS_MAX 256
#define RULES_MAX 64

enum {
	OPT_RULES,
	OPT_LOCAL,
	OPT_FORMAT,
	OPT_EXIT_CODE,
	OPT_JOBS,
	OPT_VERBOSE,
	OPT_FIRST_SHARED,
};

static const struct ctl_option options[] = {
    [OPT_RULES] = {"rules", 0, "PATH", "rules instead of ours; repeatable"},
    [OPT_LOCAL] = {"local", 0, NULL, "ask no DNS and no network"},
    [OPT_FORMAT] = {"format", 'f', "FORM", "text, json, hits or mail"},
    [OPT_EXIT_CODE] = {"exit-code", 0, NULL,
	"exit 0 accept, 10 tag, 20 quarantine, 30 reject, 40 tempfail"},
    [OPT_JOBS] = {"jobs", 'j', "N", "messages at once (number of cores)"},
    [OPT_VERBOSE] = {"verbose", 'v', NULL,
	"evidence and time per symbol, sub-rules too"},
    JOB_ENVELOPE_OPTIONS,
    {0},
};

struct result {
	struct buf text;
	enum action would;
	bool failed, done;
};

struct check {
	const struct ctl *ctl;
	struct job_options job;
	const char *rules[RULES_MAX];
	size_t n_rules;
	enum check_form form;
	bool exit_code, verbose;
	int64_t jobs;
	struct job_engine engine;
	struct source_list list;
	struct lock lock;
	struct lock_cond changed;
	size_t next, printed; /* guarded by lock */
	struct result results[WINDOW];
};

static int
take_own(struct check *check, int index, const char *value)
{
	switch (index) {
	case OPT_RULES:
		if (check->n_rules == RULES_MAX) {
			fprintf(
			    stderr, "more than %d times --rules\n", RULES_MAX);
			return EX_USAGE;
		}
		check->rules[check->n_rules++] = value;
		return 0;
	case OPT_LOCAL:
		check->job.source.local = true;
		return 0;
	case OPT_FORMAT:
		if (check_form_of(value, &check->form) == 0)
			return 0;
		fprintf(stderr, "--format is text, json, hits or mail\n");
		return EX_USAGE;
	case OPT_EXIT_CODE:
		check->exit_code = true;
		return 0;
	case OPT_JOBS:
		if (span_to_i64(span_of(value), &check->jobs) == 0 &&
		    check->jobs >= 1 && check->jobs <= JOBS_MAX)
			return 0;
		fprintf(stderr, "-j takes 1 to %d\n", JOBS_MAX);
		return EX_USAGE;
	default:
		check->verbose = true;
		return 0;
	}
}

static int
take(void *arg, int index, const char *value)
{
	struct check *check = arg;

	if (index < OPT_FIRST_SHARED)
		return take_own(check, index, value);
	return job_take(&check->job, options[index].name, value);
}

/* --- one message ------------------------------------------------------------------ */

static int
check_one(struct check *check, const struct source_item *item,
    struct arena *arena, struct result *result)
{
	struct examine_options how = {check->verbose, check->verbose};
	struct check_report report = {
	    .name = item->name, .snapshot = check->engine.snapshot};
	struct span text;
	struct err err = {0};
	int64_t started = clock_mono_us();

	if (source_read(item, arena, &text, &err)) {
		(void)ctl_fail(check->ctl, 0, "%s", err.text);
		return ERR_IO;
	}
	report.text = text;
	report.scan =
	    job_scan(&check->engine, &check->job.envelope, text, arena);
	if (!report.scan || !examine_run(check->engine.snapshot->engine,
				report.scan, &how, &report.examination)) {
		(void)ctl_fail(check->ctl, 0, "%s: out of memory", item->name);
		return ERR_NOMEM;
	}
	check_judge(&report);
	report.us = clock_mono_us() - started;
	result->would = report.verdict.would;
	check_format(&result->text, check->form, check->verbose, &report);
	return 0;
}

static void *
work(void *arg)
{
	struct check *check = arg;
	struct arena *arena = arena_new(0);

	lock_take(&check->lock);
	while (check->next < check->list.items.n) {
		if (check->next >= check->printed + WINDOW) {
			(void)lock_wait(
			    &check->changed, &check->lock, CLOCK_NEVER);
			continue;
		}
		size_t i = check->next++;
		struct result *result = &check->results[i % WINDOW];
		lock_drop(&check->lock);
		buf_init(&result->text, NULL, SOURCE_SIZE_MAX);
		result->failed =
		    !arena ||
		    check_one(check, &check->list.items.v[i], arena, result);
		if (arena)
			arena_reset(arena);
		lock_take(&check->lock);
		result->done = true;
		lock_broadcast(&check->changed);
	}
	lock_drop(&check->lock);
	arena_free(arena);
	return NULL;
}

/* --- all of them ------------------------------------------------------------------- */

/* Prints results in order; the worst action and whether any failed. */
static void
print_results(struct check *check, enum action *ret_worst, bool *ret_failed)
{
	lock_take(&check->lock);
	while (check->printed < check->list.items.n) {
		struct result *r = &check->results[check->printed % WINDOW];
		if (!r->done) {
			(void)lock_wait(
			    &check->changed, &check->lock, CLOCK_NEVER);
			continue;
		}
		lock_drop(&check->lock);
		fwrite(buf_str(&r->text), 1, r->text.len, stdout);
		buf_done(&r->text);
		*ret_failed |= r->failed || buf_failed(&r->text);
		if (!r->failed && r->would > *ret_worst)
			*ret_worst = r->would;
		r->done = false;
		r->failed = false;
		lock_take(&check->lock);
		check->printed++;
		lock_broadcast(&check->changed);
	}
	lock_drop(&check->lock);
}

static int
run_jobs(struct check *check)
{
	static const int codes[] = {
	    [ACTION_ACCEPT] = 0,
	    [ACTION_TAG] = 10,
	    [ACTION_QUARANTINE] = 20,
	    [ACTION_REJECT] = 30,
	    [ACTION_TEMPFAIL] = 40,
	};
	pthread_t threads[JOBS_MAX];
	enum action worst = ACTION_ACCEPT;
	bool failed = false;
	int64_t n = 0;

	lock_init(&check->lock, LOCK_QUEUE);
	lock_cond_init(&check->changed);
	while (n < check->jobs && (size_t)n < check->list.items.n &&
	       pthread_create(&threads[n], NULL, work, check) == 0)
		n++;
	if (n == 0 && check->list.items.n)
		return EX_OSERR;
	print_results(check, &worst, &failed);
	for (int64_t i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
	if (failed)
		return EX_NOINPUT;
	return check->exit_code ? codes[worst] : EX_OK;
}

static int
add_sources(struct ctl *ctl, struct check *check, int argc, char **argv)
{
	struct err err;

	check->list.arena = arena_new(0);
	if (!check->list.arena)
		return ctl_fail(ctl, EX_OSERR, "out of memory");
	for (int i = 1; i < argc || i == 1; i++)
		if (source_add(&check->list, i < argc ? argv[i] : "-", &err))
			return ctl_fail(ctl, EX_NOINPUT, "%s", err.text);
	return EX_OK;
}

static int
run(struct ctl *ctl, int argc, char **argv)
{
	struct check *check = calloc(1, sizeof *check);
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	int status;

	if (!check)
		return ctl_fail(ctl, EX_OSERR, "out of memory");
	check->jobs = cores > 0 && cores < JOBS_MAX ? cores : 1;
	check->ctl = ctl;
	check->job.envelope.time = -1;
	int n = ctl_options(ctl, argc, argv, take, check, &status);
	if (n >= 0) {
		check->job.source.rules = check->rules;
		check->job.source.n_rules = check->n_rules;
		status = add_sources(ctl, check, n, argv);
		if (status == EX_OK)
			status = job_open(ctl, &check->job, &check->engine);
		if (status == EX_OK) {
			status = run_jobs(check);
			job_close(&check->engine);
		}
		arena_free(check->list.arena);
	}
	free(check);
	return status;
}

const struct ctl_command ctl_check_command = {
    .name = "check",
    .args = "[FILE, FOLDER, MBOX or -]...",
    .help = "scan messages without an MTA",
    .options = options,
    .run = run,
};
