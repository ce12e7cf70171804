#include "filter/examine.h"

#include <stdlib.h>
#include <unistd.h>

#include "filter/base/clock.h"
#include "filter/base/log.h"
#include "filter/scan/slots.h"
#include "scorers/scorer.h"

/*
 * The engine of a snapshot: scorers opened with their sections, bound into the
 * one graph of symbols together with the rule files; and one scan through it.
 */

struct engine {
	struct rule_set *rules;
	void **states; /* one for each scorer, in the order of scorers[] */
	size_t n;
};

static size_t
count_scorers(void)
{
	size_t n = 0;

	while (scorers[n])
		n++;
	return n;
}

/* Binds a scorer's symbols and evals to its state. */
static int
bind_scorer(
    struct rule_set *rules, const struct scorer *scorer, const void *state)
{
	int rc = 0;

	for (const struct symbol_def *d = scorer->symbols; d && d->name; d++) {
		struct rule_extern e = {d->name, d->describe, d->score_milli,
		    d->value, state, d->cost, false};
		rc |= rule_bind_symbol(rules, &e);
	}
	for (const struct eval_def *d = scorer->evals; d && d->name; d++) {
		struct rule_extern e = {
		    d->name, NULL, 0, d->value, state, d->cost, false};
		rc |= rule_bind_eval(rules, &e);
	}
	return rc;
}

/* Where a configured symbol goes, and to whom it is said that it cannot. */
struct more {
	struct rule_set *rules;
	settings_report_fn *report;
	void *arg;
};

static int
bind_more(void *arg, const struct symbol_def *d, const void *state)
{
	struct more *more = arg;
	struct rule_extern e = {d->name, d->describe, d->score_milli, d->value,
	    state, d->cost, false};
	struct err err;
	int rc = rule_bind_symbol(more->rules, &e);

	if (rc == ERR_STATE) {
		err_set(&err, rc,
		    "lists: symbol %s is there already, of a scorer", d->name);
		more->report(more->arg, false, err.text);
	}
	return rc;
}

static int
open_scorers(struct engine *engine, const struct settings *settings,
    const struct scan_config *config, settings_report_fn *report, void *arg)
{
	int rc = 0;

	for (size_t i = 0; i < engine->n; i++) {
		const struct scorer *scorer = scorers[i];
		struct err err = {0};
		if (scorer->open &&
		    scorer->open(settings_scorer(settings, scorer->options),
			&engine->states[i], &err)) {
			rc = err.code;
			report(arg, false, err.text);
		} else if (bind_scorer(
			       engine->rules, scorer, engine->states[i])) {
			return ERR_NOMEM;
		}
	}
	/* Configured names come after all fixed ones, which cannot give way. */
	struct more more = {engine->rules, report, arg};
	for (size_t i = 0; rc == 0 && i < engine->n; i++)
		if (scorers[i]->more)
			rc = scorers[i]->more(config, bind_more, &more);
	return rc;
}

static bool
missing_default(const struct settings *settings, const char *path)
{
	/* The site's folder need not exist; a path that was named must. */
	return !settings->groups[SETTINGS_RULES].sections[0].values[0].entry &&
	       access(path, F_OK) != 0;
}

static int
read_rules(struct engine *engine, struct settings *settings,
    const struct settings_source *source, settings_report_fn *report, void *arg)
{
	int rc = 0;

	for (size_t i = 0; i < settings->n_rule_paths; i++) {
		struct err err = {0};
		char *path =
		    arena_cstr(settings->conf->arena, settings->rule_paths[i]);
		if (!path)
			return ERR_NOMEM;
		if (!source->n_rules && missing_default(settings, path)) {
			if (i == 0) { /* ours, installed with the program */
				err_set(&err, ERR_NOTFOUND,
				    "%s: not there; going on without our rules",
				    path);
				report(arg, true, err.text);
			}
			continue;
		}
		if (rule_read_path(engine->rules, path, &err)) {
			report(arg, false, err.text);
			rc = ERR_IO;
		}
	}
	return rc;
}

static void
report_rules(
    const struct rule_set *rules, settings_report_fn *report, void *arg)
{
	const struct rule_problems *problems = rule_set_problems(rules);

	for (size_t i = 0; i < problems->n; i++) {
		const struct rule_problem *p = &problems->v[i];
		struct buf line;
		buf_init(&line, NULL, 4096);
		buf_add_span(&line, p->file);
		if (p->line)
			buf_printf(&line, ":%u", p->line);
		buf_printf(&line, ": %.*s", SPAN_ARG(p->text));
		report(arg, p->warning, buf_str(&line));
		buf_done(&line);
	}
}

struct engine *
engine_open(struct settings *settings, const struct scan_config *config,
    const struct settings_source *source, settings_report_fn *report, void *arg)
{
	struct engine *engine = calloc(1, sizeof *engine);
	struct rule_options options = {
	    .network = !source->local, .lint = source->lint};
	struct err err = {.text = "out of memory"};
	int rc = ERR_NOMEM;

	if (!engine)
		return NULL;
	engine->n = count_scorers();
	engine->states = calloc(engine->n, sizeof *engine->states);
	engine->rules = rule_set_new(&options);
	if (engine->states && engine->rules)
		rc = open_scorers(engine, settings, config, report, arg);
	if (rc == 0 && !source->no_rules)
		rc = read_rules(engine, settings, source, report, arg);
	if (rc == 0 && (rc = rule_set_finish(engine->rules, &err)))
		report(arg, false, err.text);
	if (engine->rules)
		report_rules(engine->rules, report, arg);
	/* A rule in error is an error of the whole set: the old one stays. */
	if (rc == 0 && rule_set_errors(engine->rules))
		rc = ERR_SYNTAX;
	if (rc == 0)
		return engine;
	engine_close(engine);
	return NULL;
}

void
engine_close(struct engine *engine)
{
	if (!engine)
		return;
	for (size_t i = 0; engine->states && i < engine->n; i++)
		if (scorers[i]->close && engine->states[i])
			scorers[i]->close(engine->states[i]);
	free(engine->states);
	rule_set_free(engine->rules);
	free(engine);
}

const struct rule_set *
engine_rules(const struct engine *engine)
{
	return engine->rules;
}

void
examine_stage(
    const struct engine *engine, struct scan *scan, enum scan_stage stage)
{
	for (size_t i = 0; i < engine->n; i++)
		if (scorers[i]->want)
			scorers[i]->want(engine->states[i], scan, stage);
}

/* --- one scan ------------------------------------------------------------------------- */

static struct rule_slot *
current_slot(struct scan *scan)
{
	if (!scan->slot)
		scan->slot = scan_slots_take(scan->slots);
	return scan->slot;
}

static int
by_weight(const void *a, const void *b)
{
	const struct symbol_hit *x = a, *y = b;
	int64_t wx = x->score_milli < 0 ? -x->score_milli : x->score_milli;
	int64_t wy = y->score_milli < 0 ? -y->score_milli : y->score_milli;

	if (wx != wy)
		return wx > wy ? -1 : 1;
	return span_cmp(x->symbol->name, y->symbol->name);
}

/* The hits in an array of our own, sorted. */
static bool
sort_hits(struct arena *arena, const struct symbol_hits *hits,
    struct symbol_hits *ret)
{
	struct symbol_hit *v = arena_calloc(arena, hits->n, sizeof *v);

	if (!v)
		return false;
	if (hits->n) {
		memcpy(v, hits->v, hits->n * sizeof *v);
		qsort(v, hits->n, sizeof *v, by_weight);
	}
	*ret = (struct symbol_hits){v, hits->n, hits->n};
	return true;
}

/* Lists that this message found out about; the next ones just go without. */
static void
say_news(const struct scan *scan)
{
	for (size_t i = 0; i < scan->list_news.n; i++) {
		const struct list_news *news = &scan->list_news.v[i];
		log_warn("list=%.*s state=off cause=%s, going on without for"
			 " %lld s",
		    SPAN_ARG(news->list->name), dnslist_event_name(news->cause),
		    (long long)(news->off_ms / 1000));
	}
}

bool
examine_run(const struct engine *engine, struct scan *scan,
    const struct examine_options *options, struct examination *ret)
{
	struct rule_run_options run_options = {
	    .everything = options->everything,
	    .timing = options->timing,
	    .deadline = scan->deadline,
	    .tick = scan_tick,
	    .slot = current_slot,
	};
	int64_t started = clock_mono_ms();

	scan->run = rule_run_new(
	    engine->rules, scan->message, scan, &run_options, scan->arena);
	if (!scan->run)
		return false;
	rule_run_all(scan->run);
	if (scan->slot) {
		scan_slots_give(scan->slots, scan->slot);
		scan->slot = NULL;
	}
	if (rule_run_cut(scan->run))
		scan_degrade(scan, "time");
	if (message_lacks(scan->message) & MESSAGE_LACK_TEXT)
		scan_degrade(scan, "size");
	ret->score_milli = rule_run_score(scan->run);
	say_news(scan);
	ret->dns_ms =
	    dns_batch_waited_ms(scan->dns) + scan_lists_waited_ms(scan);
	ret->rules_ms = clock_mono_ms() - started - ret->dns_ms;
	return sort_hits(scan->arena, rule_run_hits(scan->run), &ret->hits) &&
	       !arena_failed(scan->arena);
}
