#include "filter/learn/bayes.h"

#include <math.h>
#include <stdlib.h>

#include "filter/learn/fisher.h"

/*
 * Judging: the counts of a message's tokens in one read, a probability for each
 * that says something, the strongest of the header and the strongest of the
 * rest combined (so that text that is added to a spam cannot displace what its
 * header says). Training is in bayes_train.c.
 *
 * A token's share in each class is compared, not its count, so it does not
 * matter that there is more of one. How far its probability may go from the
 * middle depends on how much was seen, by the measure of the smaller class:
 * after a thousand spam and five ham, "never in ham" says little.
 */

#define STRENGTH 0.1    /* messages' worth of doubt about a token */
#define DEVIATION 0.2   /* what is nearer to the middle says nothing */
#define REGION_CLUES 75 /* combined of the header, and of the rest */

struct clue {
	struct span token;
	double probability;
	size_t index; /* order of appearance decides between equals */
};

struct clues {
	struct clue *v;
	size_t n;
};

/* --- a token ------------------------------------------------------------------- */

static double
not_negative(int64_t count)
{
	return count > 0 ? (double)count : 0;
}

static double
token_probability(
    const struct store_counts *token, const struct store_counts *corpus)
{
	double n_spam = (double)corpus->v[0], n_ham = (double)corpus->v[1];
	double spam = not_negative(token->v[0]) / n_spam;
	double ham = not_negative(token->v[1]) / n_ham;
	/* Messages in which it was seen, had both classes as many as their
	 * harmonic mean. */
	double seen = (spam + ham) * 2 * n_spam * n_ham / (n_spam + n_ham);

	if (seen <= 0)
		return 0.5;
	return (STRENGTH * 0.5 + seen * spam / (spam + ham)) /
	       (STRENGTH + seen);
}

/* --- clues ----------------------------------------------------------------------- */

static double
strength_of(const struct clue *clue)
{
	return fabs(clue->probability - 0.5);
}

static int
by_strength(const void *a, const void *b)
{
	const struct clue *x = a, *y = b;
	double difference = strength_of(y) - strength_of(x);

	if (difference != 0)
		return difference > 0 ? 1 : -1;
	return x->index < y->index ? -1 : x->index > y->index;
}

/* All clues, strongest first; the arrays are in `arena`. */
static int
find_clues(const struct token_list *tokens, const struct store_counts *counts,
    const struct store_counts *corpus, struct arena *arena, struct clues *ret)
{
	ret->n = 0;
	ret->v = arena_calloc(arena, tokens->n, sizeof *ret->v);
	if (!ret->v)
		return ERR_NOMEM;
	for (size_t i = 0; i < tokens->n; i++) {
		struct clue clue = {
		    tokens->v[i], token_probability(&counts[i], corpus), i};
		if (strength_of(&clue) >= DEVIATION)
			ret->v[ret->n++] = clue;
	}
	qsort(ret->v, ret->n, sizeof *ret->v, by_strength);
	return 0;
}

static void
combine(const struct clues *clues, struct bayes_result *ret)
{
	struct fisher fisher = {0};
	size_t taken[2] = {0, 0};

	for (size_t i = 0; i < clues->n; i++) {
		const struct clue *clue = &clues->v[i];
		bool header = span_starts(clue->token, SPAN("hdr:"));
		if (taken[header]++ >= REGION_CLUES)
			continue;
		fisher_add(&fisher, clue->probability);
		if (ret->n_clues < BAYES_CLUES)
			ret->clues[ret->n_clues++] =
			    (struct bayes_clue){clue->token, clue->probability};
	}
	ret->log_odds = fisher_log_odds(&fisher);
	ret->probability = fisher_probability(ret->log_odds);
}

/* --- a message --------------------------------------------------------------------- */

static int
read_counts(struct store *store, const struct token_list *tokens, int64_t now,
    int64_t deadline, struct arena *arena, struct store_counts **ret,
    struct err *err)
{
	struct store_key *keys = arena_calloc(arena, tokens->n, sizeof *keys);

	*ret = arena_calloc(arena, tokens->n, sizeof **ret);
	if (!keys || !*ret)
		return err_set(err, ERR_NOMEM, "out of memory");
	for (size_t i = 0; i < tokens->n; i++)
		keys[i] = (struct store_key){STORE_TOKEN, tokens->v[i]};
	return store_get(
	    store, keys, tokens->n, now, deadline, arena, *ret, err);
}

int
bayes_corpus(struct store *store, int64_t now, int64_t deadline,
    int64_t *ret_spam, int64_t *ret_ham, struct err *err)
{
	struct store_key key = {STORE_CORPUS, BAYES_CORPUS};
	struct store_counts corpus;
	int rc = store_get(store, &key, 1, now, deadline, NULL, &corpus, err);

	if (rc)
		return rc;
	*ret_spam = corpus.v[0] > 0 ? corpus.v[0] : 0;
	*ret_ham = corpus.v[1] > 0 ? corpus.v[1] : 0;
	return 0;
}

int
bayes_begin(struct store *store, const struct bayes_config *config, int64_t now,
    int64_t deadline, struct bayes_result *ret, struct err *err)
{
	*ret = (struct bayes_result){.probability = 0.5};
	int rc =
	    bayes_corpus(store, now, deadline, &ret->n_spam, &ret->n_ham, err);

	if (rc)
		return rc;
	ret->trained = ret->n_spam > 0 && ret->n_ham > 0 &&
		       ret->n_spam >= config->min_spam &&
		       ret->n_ham >= config->min_ham;
	return 0;
}

int
bayes_end(struct store *store, const struct token_list *tokens, int64_t now,
    int64_t deadline, struct arena *arena, struct bayes_result *result,
    struct err *err)
{
	struct store_counts corpus = {{result->n_spam, result->n_ham}};
	struct store_counts *counts;
	struct clues clues;
	int rc = read_counts(store, tokens, now, deadline, arena, &counts, err);

	if (rc)
		return rc;
	if (find_clues(tokens, counts, &corpus, arena, &clues))
		return err_set(err, ERR_NOMEM, "out of memory");
	combine(&clues, result);
	return 0;
}

int
bayes_judge(struct store *store, const struct bayes_config *config,
    struct message *m, int64_t now, int64_t deadline, struct arena *arena,
    struct bayes_result *ret, struct err *err)
{
	struct token_list tokens;
	int rc = bayes_begin(store, config, now, deadline, ret, err);

	if (rc || !ret->trained)
		return rc;
	if (token_read(m, arena, &tokens))
		return err_set(err, ERR_NOMEM, "out of memory");
	return bayes_end(store, &tokens, now, deadline, arena, ret, err);
}
