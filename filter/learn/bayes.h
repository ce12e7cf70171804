#ifndef FILTER_LEARN_BAYES_H
#define FILTER_LEARN_BAYES_H

#include "filter/learn/token.h"
#include "filter/store/store.h"

/*
 * The classic learner: per-token counts of spam and ham messages, combined by
 * Robinson-Fisher (inverse chi-square). It can say which tokens decided, and
 * unlearns exactly.
 */
enum bayes_class { BAYES_SPAM, BAYES_HAM, BAYES_FORGET };

struct bayes_config {
	int64_t min_spam,
	    min_ham; /* trained messages before it says anything */
};

#define BAYES_CLUES 12               /* shown as the reason */
#define BAYES_CORPUS SPAN("trained") /* name of the STORE_CORPUS pair */

struct bayes_clue {
	struct span token;
	double probability; /* 0 ham .. 1 spam */
};

struct bayes_result {
	bool trained;       /* false: too few messages, nothing below counts */
	double probability; /* 0..1 */
	double log_odds;    /* of the same, full precision, 0: undecided */
	int64_t n_spam, n_ham; /* trained */
	size_t n_clues;        /* strongest first */
	struct bayes_clue clues[BAYES_CLUES];
};

/* Judges a message. ERR_* of the store, ERR_NOMEM. Memory: arena. */
int bayes_judge(struct store *store, const struct bayes_config *config,
    struct message *m, int64_t now, int64_t deadline, struct arena *arena,
    struct bayes_result *ret, struct err *err) MUST_USE;

/*
 * The same in its steps, for whom the time for the store must not be spent on
 * reading the message: the totals (where `trained` is false that is all), then
 * the counts of what token_read() gave, in one call.
 */
int bayes_begin(struct store *store, const struct bayes_config *config,
    int64_t now, int64_t deadline, struct bayes_result *ret,
    struct err *err) MUST_USE;
int bayes_end(struct store *store, const struct token_list *tokens, int64_t now,
    int64_t deadline, struct arena *arena, struct bayes_result *result,
    struct err *err) MUST_USE;

enum bayes_change {
	BAYES_LEARNED,   /* counted */
	BAYES_KNOWN,     /* was trained as this already: nothing changed */
	BAYES_RELEARNED, /* was trained as the other class: moved */
	BAYES_FORGOTTEN,
	BAYES_UNKNOWN, /* forget: was never trained */
};

/*
 * Trains, moves or forgets one message, known by a digest of its body and
 * of the fields that do not change on the way (row 71 of hostile inputs: once
 * per class). Counts and the note of the digest are written in one step.
 */
int bayes_train(struct store *store, struct message *m, enum bayes_class class,
    int64_t now, int64_t deadline, struct arena *arena, enum bayes_change *ret,
    struct err *err) MUST_USE;

/* Messages trained. */
int bayes_corpus(struct store *store, int64_t now, int64_t deadline,
    int64_t *ret_spam, int64_t *ret_ham, struct err *err) MUST_USE;

#endif
