#ifndef FILTER_EXAMINE_H
#define FILTER_EXAMINE_H

#include "filter/settings.h"

/* The engine of a snapshot, and one scan through it. */

/* Opens all scorers and reads the rules; problems are reported. NULL only
 * for want of memory or when `ret_errors` counts errors that refuse a start. */
struct engine *engine_open(struct settings *settings,
    const struct scan_config *config, const struct settings_source *source,
    settings_report_fn *report, void *arg);
void engine_close(struct engine *engine);
const struct rule_set *engine_rules(const struct engine *engine);

/* What a finished examination tells: hits and their sum. */
struct examination {
	struct symbol_hits hits; /* by weight, heaviest first */
	int64_t score_milli;
	int64_t rules_ms, dns_ms;
};

struct examine_options {
	bool everything, timing;
};

/* Tells scorers the stage (after scan_stage()), so that they want early. */
void examine_stage(
    const struct engine *engine, struct scan *scan, enum scan_stage stage);

/*
 * Runs all symbols over the scan. Memory: the scan's arena. May block on DNS
 * within the scan's deadline. Failures are in scan->degraded. False only when
 * the arena failed.
 */
bool examine_run(const struct engine *engine, struct scan *scan,
    const struct examine_options *options, struct examination *ret);

#endif
