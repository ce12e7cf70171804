#include "filter/rule/rule_match.h"

#include "filter/base/clock.h"
#include "filter/mail/view.h"

/*
 * One message through the graph, on demand. The roots (what scores) are asked
 * in order of cost; a meta asks for the names its expression reaches, so that
 * a short circuit leaves sub-rules unrun. Each symbol is computed once.
 *
 * Metas are run by a machine with a stack of frames of its own: their depth
 * costs memory of the arena, not the thread's stack. Externs may ask for other
 * symbols; one that asks for itself gets 0.
 */

#define MATCH_MS 500 /* one rule on one message */
#define EVIDENCE_MAX 200
#define MATCHED_MAX 60 /* bytes of matched text shown by `check -v` */

enum state {
	FRESH,
	BUSY, /* an extern that runs, a meta on the frames */
	DONE,
	NEVER, /* a meta with score 0 that holds, or what mentions it: not
		* known to anybody */
};

struct frame {
	unsigned id;
	uint32_t pc;
	size_t base;   /* its first place on the stack */
	size_t mortal; /* next of the node's mortals to be looked at */
	size_t item;   /* next of an EXPR_GLOB's list */
	int64_t started_us;
};

struct header_value {
	struct span text;
	bool known, there;
};

struct rule_run {
	const struct rule_set *set;
	struct message *message;
	struct scan *scan;
	struct rule_run_options options;
	struct arena *arena;
	double *values; /* by id */
	uint8_t *states;
	struct header_value *headers;
	struct frames VEC(struct frame) frames;
	struct stack VEC(double) stack;
	struct symbol_hits hits;
	int64_t score_milli;
	struct span evidence; /* of the extern that runs */
	struct symbol_items limited;
	bool stopped; /* nothing more is run */
	bool cut;
};

struct rule_run *
rule_run_new(const struct rule_set *set, struct message *m, struct scan *scan,
    const struct rule_run_options *options, struct arena *arena)
{
	struct rule_run *run = arena_zalloc(arena, sizeof *run);
	size_t n = set->symbols.items.n;

	if (!run)
		return NULL;
	run->set = set;
	run->message = m;
	run->scan = scan;
	run->options = *options;
	run->arena = arena;
	run->values = arena_calloc(arena, n, sizeof *run->values);
	run->states = arena_calloc(arena, n, sizeof *run->states);
	run->headers =
	    arena_calloc(arena, set->headers.n, sizeof *run->headers);
	return run->values && run->states && run->headers ? run : NULL;
}

/* --- time ----------------------------------------------------------------------- */

static bool
alive(void *arg)
{
	struct rule_run *run = arg;

	if (run->stopped)
		return false;
	if ((run->options.tick && !run->options.tick(run->scan)) ||
	    (run->options.deadline &&
		clock_mono_ms() >= run->options.deadline) ||
	    arena_failed(run->arena))
		run->stopped = run->cut = true;
	return !run->stopped;
}

static int64_t
now_us(const struct rule_run *run)
{
	return run->options.timing ? clock_mono_us() : 0;
}

/* --- results --------------------------------------------------------------------- */

static bool
is_listed(const struct rule_run *run, const struct symbol *symbol)
{
	if (symbol->sub)
		return run->options.everything;
	return symbol->score_milli != 0 || symbol->flags & SYMBOL_SHADOW;
}

/*
 * What a hit adds: a `multiple` regex rule scores each time, everything else
 * once (rule language, sections 7 and 11.2).
 */
static int64_t
points(const struct symbol *symbol, double count)
{
	if (symbol->sub || symbol->flags & SYMBOL_SHADOW)
		return 0;
	if (symbol->flags & SYMBOL_MULTIPLE && symbol->kind >= SYMBOL_HEADER &&
	    symbol->kind <= SYMBOL_URI)
		return symbol->score_milli * (int64_t)count;
	return symbol->score_milli;
}

static void
complete(struct rule_run *run, unsigned id, double value, struct span evidence,
    int64_t us)
{
	const struct symbol *symbol = run->set->symbols.items.v[id];

	/* Not a number counts as false; a negative truth counts once. */
	if (value < 0)
		value = 1;
	else if (!(value > 0))
		value = 0;
	run->values[id] = value;
	run->states[id] = DONE;
	if (value == 0 || !is_listed(run, symbol))
		return;
	struct symbol_hit *hit = VEC_PUSH(run->arena, &run->hits);
	if (!hit)
		return;
	*hit = (struct symbol_hit){
	    symbol, value, points(symbol, value), evidence, us};
	run->score_milli += hit->score_milli;
}

void
rule_run_evidence(struct rule_run *run, struct span text)
{
	run->evidence = arena_span(run->arena, span_head(text, EVIDENCE_MAX));
}

/* --- rules that match text --------------------------------------------------------- */

static const struct header_value *
header_value(struct rule_run *run, unsigned index)
{
	const struct rule_header *h = run->set->headers.v[index];
	struct header_value *v = &run->headers[index];

	if (!v->known) {
		v->there =
		    view_header(run->message, h->name, h->flags, &v->text);
		v->known = true;
	}
	return v;
}

static void
match_list(struct match_job *job, const struct view_list *list, size_t from)
{
	for (size_t i = from; i < list->n; i++)
		if (!match_text(job, list->v[i]))
			return;
}

static void
match_header(struct rule_run *run, struct match_job *job)
{
	const struct header_value *v = header_value(run, job->body->header);

	/* A header that is not there matches as the empty string. */
	match_text(
	    job, v->there || !job->body->unset.p ? v->text : job->body->unset);
}

static void
match_texts(struct rule_run *run, struct match_job *job)
{
	bool nosubject = job->symbol->flags & SYMBOL_NOSUBJECT;

	switch (job->symbol->kind) {
	case SYMBOL_HEADER:
		match_header(run, job);
		break;
	case SYMBOL_BODY:
		match_list(job, view_body(run->message), nosubject);
		break;
	case SYMBOL_RAWBODY:
		match_list(job, view_rawbody(run->message), 0);
		break;
	case SYMBOL_URI:
		match_list(job, view_uri(run->message), 0);
		break;
	case SYMBOL_FULL:
		match_text(job, view_full(run->message));
		break;
	case SYMBOL_UNKNOWN:
	case SYMBOL_NATIVE:
	case SYMBOL_EVAL:
	case SYMBOL_META:
		break;
	}
}

static void
note_limited(struct rule_run *run, unsigned id)
{
	struct symbol **place = VEC_PUSH(run->arena, &run->limited);

	if (place)
		*place = run->set->symbols.items.v[id];
}

static void
run_regex(struct rule_run *run, unsigned id, const struct rule_body *body)
{
	const struct rule_options *options = &run->set->options;
	int64_t started = clock_mono_us();
	struct match_job job = {.body = body,
	    .symbol = run->set->symbols.items.v[id],
	    .match_limit = options->match_limit,
	    .alive = alive,
	    .arg = run};
	unsigned ms = options->match_ms ? options->match_ms : MATCH_MS;
	struct span shown = SPAN_NONE;

	job.until_us = started + (int64_t)ms * 1000;
	job.slot = run->options.slot ? run->options.slot(run->scan) : NULL;
	if (!job.slot) {
		run->stopped = run->cut = true;
		return;
	}
	match_texts(run, &job);
	if (run->stopped)
		return;
	if (job.limited) {
		note_limited(run, id);
		job.count = 0;
	} else if (body->negate) {
		job.count = job.count == 0;
	} else if (job.count && run->options.timing) {
		/* Message text: for the terminal of who asked, not the log. */
		shown =
		    arena_span(run->arena, span_head(job.first, MATCHED_MAX));
	}
	complete(run, id, (double)job.count, shown,
	    run->options.timing ? clock_mono_us() - started : 0);
}

/* --- other leaves ---------------------------------------------------------------------- */

static void
run_extern(struct rule_run *run, unsigned id, const struct rule_body *body)
{
	struct span outer = run->evidence;
	int64_t started = now_us(run);

	/* It may ask for other symbols, that is run others, meanwhile. */
	run->evidence = SPAN_NONE;
	run->states[id] = BUSY;
	int64_t value =
	    body->fn->value(body->fn->state, run->scan, &body->args);
	complete(run, id, (double)value, run->evidence, now_us(run) - started);
	run->evidence = outer;
}

static void
run_leaf(struct rule_run *run, unsigned id)
{
	const struct rule_node *node = &run->set->nodes[id];
	const struct rule_body *body = node->body;

	if (node->off || !body) {
		run->states[id] = DONE;
		return;
	}
	if (!alive(run))
		return;
	if (body->kind == SYMBOL_NATIVE || body->kind == SYMBOL_EVAL)
		run_extern(run, id, body);
	else if (body->regex)
		run_regex(run, id, body);
	else /* exists: */
		complete(run, id, header_value(run, body->header)->there,
		    SPAN_NONE, 0);
}

/* --- metas -------------------------------------------------------------------------------- */

static bool
push_frame(struct rule_run *run, unsigned id)
{
	const struct rule_body *body = run->set->nodes[id].body;
	size_t base = run->stack.n;
	struct frame *f = VEC_PUSH(run->arena, &run->frames);

	for (unsigned i = 0; i <= body->expr.depth; i++) {
		double *place = VEC_PUSH(run->arena, &run->stack);
		if (!place)
			return false;
	}
	run->stack.n = base;
	if (!f)
		return false;
	*f = (struct frame){.id = id, .base = base, .started_us = now_us(run)};
	run->states[id] = BUSY;
	return true;
}

/* Computes a name, or puts its meta on the frames. False: try again later. */
static bool
need(struct rule_run *run, unsigned id)
{
	const struct rule_node *node = &run->set->nodes[id];

	if (run->states[id] != FRESH)
		return true;
	if (node->off || !node->body || node->body->kind != SYMBOL_META) {
		run_leaf(run, id);
		return !run->stopped;
	}
	if (!push_frame(run, id))
		run->stopped = run->cut = true;
	return false;
}

static void
pop_frame(struct rule_run *run, bool never)
{
	struct frame f = run->frames.v[--run->frames.n];
	const struct symbol *symbol = run->set->symbols.items.v[f.id];
	bool any = run->stack.n > f.base;
	double value = any ? run->stack.v[f.base] : 0;

	run->stack.n = f.base;
	if (never || (!symbol->sub && symbol->score_milli == 0 && value != 0))
		run->states[f.id] = NEVER;
	else
		complete(
		    run, f.id, value, SPAN_NONE, now_us(run) - f.started_us);
}

/* The sum of a list, once all of it is known. False: not yet. */
static bool
sum_list(struct rule_run *run, const struct rule_ids *list, double *ret)
{
	double sum = 0;

	while (run->frames.v[run->frames.n - 1].item < list->n) {
		size_t item = run->frames.v[run->frames.n - 1].item;
		if (!need(run, list->v[item]))
			return false;
		run->frames.v[run->frames.n - 1].item++;
	}
	for (size_t i = 0; i < list->n; i++)
		sum += run->values[list->v[i]];
	run->frames.v[run->frames.n - 1].item = 0;
	*ret = sum;
	return true;
}

/* One step of the topmost frame. */
static void
step(struct rule_run *run)
{
	size_t top = run->frames.n - 1;
	unsigned id = run->frames.v[top].id;
	const struct rule_node *node = &run->set->nodes[id];
	const struct expr *expr = &node->body->expr;
	size_t mortal = run->frames.v[top].mortal;
	double value;

	/* A frame moves when others are pushed: by index, never by pointer. */
	if (mortal < node->mortals->n) {
		unsigned dep = node->mortals->v[mortal];
		if (!need(run, dep))
			return;
		run->frames.v[top].mortal++;
		if (run->states[dep] == NEVER)
			pop_frame(run, true);
		return;
	}
	if (run->frames.v[top].pc >= expr->ops.n) {
		pop_frame(run, false);
		return;
	}
	const struct expr_op *op = &expr->ops.v[run->frames.v[top].pc];
	if (op->code == EXPR_SYMBOL) {
		if (!need(run, op->at))
			return;
		value = run->values[op->at];
	} else if (op->code == EXPR_GLOB) {
		if (!sum_list(run, &node->body->lists[op->at], &value))
			return;
	} else {
		expr_step(
		    expr, &run->frames.v[top].pc, run->stack.v, &run->stack.n);
		return;
	}
	run->stack.v[run->stack.n++] = value;
	run->frames.v[top].pc++;
}

static void
evaluate(struct rule_run *run, unsigned id)
{
	size_t base = run->frames.n, stack = run->stack.n;

	if (run->stopped || need(run, id))
		return;
	while (!run->stopped && run->frames.n > base)
		step(run);
	/* After a stop nothing half-known may be taken for an answer. */
	run->frames.n = base;
	run->stack.n = stack;
}

/* --- the whole ------------------------------------------------------------------------------ */

void
rule_run_all(struct rule_run *run)
{
	const struct rule_ids *ids =
	    run->options.everything ? &run->set->all : &run->set->roots;

	for (size_t i = 0; i < ids->n && !run->stopped; i++)
		evaluate(run, ids->v[i]);
}

double
rule_run_value(struct rule_run *run, const struct symbol *symbol)
{
	evaluate(run, symbol->id);
	return run->values[symbol->id];
}

const struct symbol_hits *
rule_run_hits(const struct rule_run *run)
{
	return &run->hits;
}

int64_t
rule_run_score(const struct rule_run *run)
{
	return run->score_milli;
}

bool
rule_run_cut(const struct rule_run *run)
{
	return run->cut;
}

const struct symbol_items *
rule_run_limited(const struct rule_run *run)
{
	return &run->limited;
}
