#include "scorers/scorer.h"

#include <stdlib.h>

/*
 * The example to copy for a scorer of one's own. It is built into the tests
 * and never installed. What a scorer is made of:
 *
 *   options   become the section `sample { }` of assay.conf, typed and
 *             checked before open() sees them;
 *   open      makes the immutable state that all sessions share;
 *   want      may begin DNS questions early, and must not wait;
 *   symbols   are asked at most once for a message, and only when a score or
 *             a rule depends on them;
 *   evals     can be called from rule files: header X eval:sample_word('x').
 *
 * tests/scenario/sample.scn shows it at work.
 */

struct sample {
	struct span word; /* lives as long as the configuration */
	int64_t size_max;
};

static const struct option options[] = {
    {"word", OPTION_TEXT, "sample", 0, 0, NULL,
	"the word that SAMPLE_WORD looks for in the Subject", 0},
    {"size_max", OPTION_SIZE, "10M", 1, INT64_C(1) << 30, NULL,
	"messages above it hit SAMPLE_BIG", 0},
    OPTION_END,
};

static int
sample_open(const struct section *section, void **ret_state, struct err *err)
{
	struct sample *sample = malloc(sizeof *sample);

	if (!sample)
		return err_set(err, ERR_NOMEM, "sample: out of memory");
	sample->word = section_text(section, "word");
	sample->size_max = section_number(section, "size_max");
	*ret_state = sample;
	return 0;
}

static void
sample_close(void *state)
{
	free(state);
}

/* True, with evidence, when the Subject has the word. */
static bool
subject_has(struct scan *scan, struct span word)
{
	const struct header *h =
	    header_last(message_headers(scan->message), SPAN("Subject"));
	struct span text =
	    h ? message_header_text(scan->message, h) : SPAN_NONE;

	if (!word.len || span_casefind(text, word, 0) == SPAN_NPOS)
		return false;
	scan_evidence_span(scan, text);
	return true;
}

static int64_t
sample_word(const void *state, struct scan *scan, const struct args *args)
{
	const struct sample *sample = state;

	(void)args;
	return subject_has(scan, sample->word);
}

static int64_t
sample_big(const void *state, struct scan *scan, const struct args *args)
{
	const struct sample *sample = state;

	(void)args;
	return (int64_t)message_size(scan->message) > sample->size_max;
}

static int64_t
sample_eval(const void *state, struct scan *scan, const struct args *args)
{
	(void)state;
	return args->n == 1 && subject_has(scan, args->v[0]);
}

static const struct symbol_def symbols[] = {
    {"SAMPLE_WORD", "The Subject has the sample's word", 1000, sample_word,
	RULE_LOCAL},
    {"SAMPLE_BIG", "Larger than the sample's limit", 500, sample_big,
	RULE_FACT},
    {0},
};

static const struct eval_def evals[] = {
    {"sample_subject", "('word')", sample_eval, RULE_LOCAL},
    {0},
};

const struct scorer scorer_sample = {
    .name = "sample",
    .help = "the example",
    .options = options,
    .symbols = symbols,
    .evals = evals,
    .open = sample_open,
    .close = sample_close,
};
