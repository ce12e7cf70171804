#include "filter/dns/dns.h"

#include "filter/base/clock.h"
#include "filter/dns/name.h"
#include "filter/dns/resolver.h"

/*
 * A message's questions. Each name and type is a line in a list, found by a
 * small hash table beside it; it gets its answer once and keeps it, so that a
 * message never sees two answers to one question. The batch lies in the
 * message's arena and gives its references back when that is reset, also with
 * questions still under way: those go on without it.
 *
 * Time is read when something is really asked or awaited, not for warm names.
 */

#define TABLE_MIN 32 /* slots, a power of two */

/* What a question has besides its public part. */
struct ask {
	uint64_t hash;
	struct answer *answer;   /* with a reference, or one of the fixed */
	struct dns_query *query; /* with a reference, while under way */
};

struct dns_batch {
	struct dns *dns;
	struct arena *arena;
	int64_t total_us, waited_us;
	int64_t now_ms;
	unsigned questions_max;
	bool no_wait;
	bool timed_out;
	void (*before)(void *arg);
	void (*after)(void *arg);
	void *arg;
	struct dns_questions questions;
	struct asks VEC(struct ask) asks; /* as many as questions */
	uint32_t *table; /* index + 1, 0 = free; at most half full */
	size_t table_size;
	/* Answers that nobody gave; they keep parsed forms as others do. */
	struct answer timeout, nxdomain;
};

/* For when there is not even a batch. */
static const struct answer no_memory = {
    .pub = {.status = DNS_TIMEOUT}, .fixed = true};
static const struct dns_questions no_questions;

static void
batch_done(void *arg)
{
	struct dns_batch *batch = arg;

	for (size_t i = 0; i < batch->asks.n; i++) {
		struct ask *ask = &batch->asks.v[i];
		if (ask->answer != &batch->timeout)
			answer_unref(ask->answer);
		query_unref(ask->query);
	}
	answer_drop_forms(&batch->timeout);
	answer_drop_forms(&batch->nxdomain);
}

struct dns_batch *
dns_batch_new(struct dns *dns, struct arena *arena, int64_t total_ms,
    unsigned questions_max)
{
	struct dns_batch *batch = arena_zalloc(arena, sizeof *batch);

	if (!batch)
		return NULL;
	batch->dns = dns;
	batch->arena = arena;
	if (__builtin_mul_overflow(total_ms, (int64_t)1000, &batch->total_us))
		batch->total_us = CLOCK_NEVER;
	batch->now_ms = clock_mono_ms();
	batch->questions_max = questions_max;
	batch->timeout.pub.status = DNS_TIMEOUT;
	batch->nxdomain.pub.status = DNS_NXDOMAIN;
	if (arena_cleanup(arena, batch_done, batch))
		return NULL;
	return batch;
}

void
dns_batch_no_wait(struct dns_batch *batch)
{
	if (batch)
		batch->no_wait = true;
}

void
dns_batch_on_wait(struct dns_batch *batch, void (*before)(void *arg),
    void (*after)(void *arg), void *arg)
{
	if (!batch)
		return;
	batch->before = before;
	batch->after = after;
	batch->arg = arg;
}

const struct dns_questions *
dns_batch_questions(const struct dns_batch *batch)
{
	return batch ? &batch->questions : &no_questions;
}

int64_t
dns_batch_waited_ms(const struct dns_batch *batch)
{
	return batch ? batch->waited_us / 1000 : 0;
}

bool
dns_batch_timed_out(const struct dns_batch *batch)
{
	return batch && batch->timed_out;
}

/* --- the list and its table -------------------------------------------------------- */

/* The slot with that question, or the free one where it belongs. */
static uint32_t *
slot_of(const struct dns_batch *batch, struct span folded, enum dns_type type,
    uint64_t hash)
{
	size_t mask = batch->table_size - 1;
	/* Not the bits that chose the shard: any will do, keyed as they are. */
	size_t i = (size_t)(hash >> 32) & mask;

	for (; batch->table[i]; i = (i + 1) & mask) {
		size_t at = batch->table[i] - 1;
		const struct dns_question *q = &batch->questions.v[at];
		if (batch->asks.v[at].hash == hash && q->type == type &&
		    span_eq(q->name, folded))
			break;
	}
	return &batch->table[i];
}

static bool
table_grow(struct dns_batch *batch)
{
	size_t size = batch->table_size ? batch->table_size * 2 : TABLE_MIN;
	uint32_t *table =
	    arena_calloc(batch->arena, size, sizeof *batch->table);

	if (!table)
		return false;
	batch->table = table;
	batch->table_size = size;
	for (size_t i = 0; i < batch->questions.n; i++) {
		const struct dns_question *q = &batch->questions.v[i];
		*slot_of(batch, q->name, q->type, batch->asks.v[i].hash) =
		    (uint32_t)i + 1;
	}
	return true;
}

/* Notes a new question; NULL when it is one too many or memory is short. */
static struct ask *
add(struct dns_batch *batch, struct span folded, enum dns_type type,
    uint64_t hash)
{
	if (batch->questions.n >= batch->questions_max ||
	    batch->questions.n >= UINT32_MAX - 1)
		return NULL;
	if (batch->questions.n >= batch->table_size / 2 && !table_grow(batch))
		return NULL;
	struct span name = arena_span(batch->arena, folded);
	struct dns_question *q =
	    name.p ? VEC_PUSH(batch->arena, &batch->questions) : NULL;
	if (!q)
		return NULL;
	struct ask *ask = VEC_PUSH(batch->arena, &batch->asks);
	if (!ask) {
		batch->questions.n--;
		return NULL;
	}
	*q = (struct dns_question){.name = name, .type = type};
	*ask = (struct ask){.hash = hash};
	*slot_of(batch, folded, type, hash) = (uint32_t)batch->questions.n;
	return ask;
}

static struct ask *
find(const struct dns_batch *batch, struct span folded, enum dns_type type,
    uint64_t hash)
{
	if (batch->questions.n == 0)
		return NULL;
	uint32_t at = *slot_of(batch, folded, type, hash);
	return at ? &batch->asks.v[at - 1] : NULL;
}

/* --- asking ----------------------------------------------------------------------- */

/*
 * The question, asked unless it was before. NULL when it cannot be noted.
 */
static struct ask *
want(struct dns_batch *batch, struct span folded, enum dns_type type)
{
	uint64_t hash = answer_hash(folded, type);
	struct ask *ask = find(batch, folded, type, hash);

	if (ask)
		return ask;
	ask = add(batch, folded, type, hash);
	if (!ask || !batch->dns)
		return ask;
	ask->answer = query_begin(
	    batch->dns, folded, type, hash, batch->now_ms, &ask->query);
	if (ask->query)
		batch->now_ms = clock_mono_ms();
	return ask;
}

void
dns_want(struct dns_batch *batch, struct span name, enum dns_type type)
{
	char folded[NAME_FOLDED_MAX];
	size_t len = batch ? name_fold(name, folded) : 0;

	if (len)
		(void)want(batch, span_make(folded, len), type);
}

/* When the batch's time is up; 0 when it is. */
static int64_t
batch_deadline(const struct dns_batch *batch)
{
	int64_t left_us = batch->total_us - batch->waited_us;
	int64_t until;

	if (left_us <= 0)
		return 0;
	if (__builtin_add_overflow(clock_mono_us(), left_us, &until))
		until = CLOCK_NEVER;
	return until / 1000 + 1;
}

static bool
is_done(const struct dns_query *query)
{
	return atomic_load_explicit(&query->done, memory_order_acquire);
}

static void
wait_for(struct dns_batch *batch, struct dns_query *query, int64_t until)
{
	if (batch->no_wait || clock_left(until) == 0)
		return;
	if (batch->before)
		batch->before(batch->arg);
	int64_t start = clock_mono_us();
	query_wait(query, until);
	int64_t end = clock_mono_us();
	batch->waited_us += end - start;
	batch->now_ms = end / 1000;
	if (batch->after)
		batch->after(batch->arg);
}

/* Gives the question its answer, for good. */
static void
settle(struct dns_batch *batch, struct ask *ask)
{
	struct dns_query *q = ask->query;

	if (q && is_done(q) && q->answer) {
		ask->answer = q->answer;
		answer_ref(ask->answer);
	}
	if (!ask->answer)
		ask->answer = &batch->timeout;
	query_unref(q);
	ask->query = NULL;
}

/* The answer of a question that has one or can have none any more. */
static const struct dns_answer *
answer_of(struct dns_batch *batch, struct ask *ask)
{
	struct dns_question *question =
	    &batch->questions.v[ask - batch->asks.v];

	if (question->answer)
		return question->answer;
	if (!ask->answer)
		settle(batch, ask);
	question->answer = &ask->answer->pub;
	if (batch->dns && question->answer->status == DNS_TIMEOUT)
		batch->timed_out = true;
	return question->answer;
}

/* Whether there is an answer that somebody gave. */
static bool
has_answer(const struct ask *ask)
{
	return ask->answer ||
	       (ask->query && is_done(ask->query) && ask->query->answer);
}

/* The question, and what is waited for it; NULL when it cannot be noted. */
static struct ask *
await(struct dns_batch *batch, struct span folded, enum dns_type type,
    const int64_t *deadline)
{
	struct ask *ask = want(batch, folded, type);

	if (!ask)
		batch->timed_out = true;
	else if (ask->query && !is_done(ask->query))
		wait_for(batch, ask->query,
		    deadline ? *deadline : batch_deadline(batch));
	return ask;
}

const struct dns_answer *
dns_get(struct dns_batch *batch, struct span name, enum dns_type type)
{
	char folded[NAME_FOLDED_MAX];
	size_t len = batch ? name_fold(name, folded) : 0;

	if (!batch)
		return &no_memory.pub;
	if (len == 0)
		return &batch->nxdomain.pub;
	struct ask *ask = await(batch, span_make(folded, len), type, NULL);
	return ask ? answer_of(batch, ask) : &batch->timeout.pub;
}

const struct dns_answer *
dns_get_by(struct dns_batch *batch, struct span name, enum dns_type type,
    int64_t deadline)
{
	char folded[NAME_FOLDED_MAX];
	size_t len = batch ? name_fold(name, folded) : 0;

	if (!batch)
		return NULL;
	if (len == 0)
		return &batch->nxdomain.pub;
	struct ask *ask = await(batch, span_make(folded, len), type, &deadline);
	return ask && has_answer(ask) ? answer_of(batch, ask) : NULL;
}
