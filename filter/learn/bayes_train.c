#include "filter/learn/bayes.h"

#include "filter/learn/digest.h"

/*
 * Training, moving and forgetting. A note under the message's digest says what
 * it was trained as ("spam 1": class and version of the tokeniser); note, token
 * counts and totals change in one step that is carried out only while the note
 * is what was read before. So a message counts once, however often and by
 * however many it is trained, and a step that is repeated after a lost answer
 * changes nothing.
 *
 * What an older version of the tokeniser added cannot be found again: then
 * forgetting takes back the totals and the note alone, and the tokens end by
 * themselves.
 */

/* To be counted up with each change of what token_read() makes. */
#define TOKEN_VERSION "1"

/*
 * How long notes and tokens stay without being trained again. Both the same:
 * a note that outlives its tokens would take away what is no longer there.
 */
#define LIFE_S ((int64_t)365 * 86400)
#define TRIES 20 /* when others train the same message meanwhile */
#define OWN_OPS 3

_Static_assert(TOKENS_MAX + OWN_OPS <= STORE_OPS_MAX, "a message in one step");

#define NOTE(text)                                                             \
	{                                                                      \
		text, sizeof text - 1                                          \
	}
static const struct span notes[] = {
    [BAYES_SPAM] = NOTE("spam " TOKEN_VERSION),
    [BAYES_HAM] = NOTE("ham " TOKEN_VERSION),
    [BAYES_FORGET] = {NULL, 0},
};

/* What a step adds to the pair of a token, and to the pair of totals. */
struct step {
	struct store_key note;
	struct span before, after; /* notes; p NULL: none */
	struct store_counts tokens, corpus;
	enum bayes_change change;
};

/* What a note says: adds `sign` to the counts of its class. */
static void
count(struct step *step, struct span note, int64_t sign)
{
	if (!note.p)
		return;
	size_t class = span_starts(note, SPAN("spam")) ? 0 : 1;
	step->corpus.v[class] += sign;
	if (span_eq(note, notes[BAYES_SPAM]) || span_eq(note, notes[BAYES_HAM]))
		step->tokens.v[class] += sign;
}

static bool
same_class(struct span a, struct span b)
{
	struct span class_a = span_cut(&a, ' '), class_b = span_cut(&b, ' ');

	return span_eq(class_a, class_b);
}

/* False when nothing is to be done. */
static bool
plan(struct step *step, enum bayes_class class)
{
	step->after = notes[class];
	step->change = !step->after.p   ? BAYES_FORGOTTEN
		       : step->before.p ? BAYES_RELEARNED
					: BAYES_LEARNED;
	if (!step->before.p && !step->after.p)
		step->change = BAYES_UNKNOWN;
	else if (step->before.p && step->after.p &&
		 same_class(step->before, step->after))
		step->change = BAYES_KNOWN;
	if (step->change == BAYES_UNKNOWN || step->change == BAYES_KNOWN)
		return false;
	count(step, step->before, -1);
	count(step, step->after, 1);
	return true;
}

static int
carry_out(struct store *store, const struct step *step,
    const struct token_list *tokens, int64_t now, int64_t deadline,
    struct arena *arena, struct err *err)
{
	struct store_op *ops =
	    arena_calloc(arena, tokens->n + OWN_OPS, sizeof *ops);
	int64_t expires = now + LIFE_S;
	size_t n = 0;

	if (!ops)
		return err_set(err, ERR_NOMEM, "out of memory");
	ops[n++] = (struct store_op){
	    .verb = STORE_CHECK, .key = step->note, .value = step->before};
	ops[n++] = (struct store_op){.verb = STORE_PUT,
	    .key = step->note,
	    .value = step->after,
	    .expires = step->after.p ? expires : 0};
	ops[n++] = (struct store_op){.verb = STORE_ADD,
	    .key = {STORE_CORPUS, BAYES_CORPUS},
	    .add = step->corpus};
	for (size_t i = 0; i < tokens->n; i++)
		ops[n++] = (struct store_op){.verb = STORE_ADD,
		    .key = {STORE_TOKEN, tokens->v[i]},
		    .add = step->tokens,
		    .expires = step->after.p ? expires : 0};
	return store_apply(store, ops, n, now, deadline, err);
}

/* One read, one step; ERR_STATE "check": somebody else was faster. */
static int
train_once(struct store *store, struct message *m, struct step *step,
    enum bayes_class class, int64_t now, int64_t deadline, struct arena *arena,
    struct err *err)
{
	struct token_list tokens;
	int rc = store_get_value(
	    store, &step->note, now, deadline, arena, &step->before, err);

	if (rc || !plan(step, class))
		return rc;
	if (token_read(m, arena, &tokens))
		return err_set(err, ERR_NOMEM, "out of memory");
	return carry_out(store, step, &tokens, now, deadline, arena, err);
}

int
bayes_train(struct store *store, struct message *m, enum bayes_class class,
    int64_t now, int64_t deadline, struct arena *arena, enum bayes_change *ret,
    struct err *err)
{
	char digest[DIGEST_SIZE];
	struct err why;

	digest_message(m, digest);
	for (int try = 0; try < TRIES; try++) {
		struct step step = {
		    .note = {STORE_TRAINED, span_make(digest, sizeof digest)}};
		int rc = train_once(
		    store, m, &step, class, now, deadline, arena, &why);
		if (rc == 0) {
			*ret = step.change;
			return 0;
		}
		if (rc != ERR_STATE || !span_is(span_of(why.text), "check"))
			return err_set(err, rc, "%s", why.text);
	}
	return err_set(
	    err, ERR_STATE, "others train the same message all the time");
}
