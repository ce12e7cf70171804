#include "filter/rule/rule_impl.h"

/*
 * Meta rules and the graph they make (rule language, section 6): names to
 * symbols, rules_matching(), dependencies, cycles, cost, and the order in
 * which a run asks. Depth costs no stack: chains of 100,000 metas are walked
 * with lists.
 */

/* --- compiling one ---------------------------------------------------------- */

struct meta {
	struct rule_set *set;
	struct rule_body *body;
};

static int
add_glob(
    struct meta *m, struct span glob, struct expr_op *ret_op, struct err *err)
{
	for (size_t i = 0; i < glob.len; i++)
		if (!ascii_is_alnum(glob.p[i]) && glob.p[i] != '_' &&
		    glob.p[i] != '*' && glob.p[i] != '?')
			glob.len = 0;
	if (glob.len == 0)
		return err_set(err, ERR_SYNTAX,
		    "rules_matching() takes a name with * and ?");
	struct span *place = VEC_PUSH(m->set->arena, &m->body->globs);
	if (!place)
		return err_set(err, ERR_NOMEM, "out of memory");
	*place = glob;
	*ret_op = (struct expr_op){
	    .code = EXPR_GLOB, .at = (uint32_t)(m->body->globs.n - 1)};
	return 0;
}

static int
meta_name(void *ctx, struct span name, struct span arg, struct expr_op *ret_op,
    struct err *err)
{
	struct meta *m = ctx;
	struct symbol *symbol;

	if (span_is(name, "rules_matching"))
		return add_glob(m, arg, ret_op, err);
	if (span_is(name, "local_tests_only")) {
		*ret_op = (struct expr_op){
		    .code = EXPR_NUM, .num = !m->set->options.network};
		return 0;
	}
	if (!symbol_name_valid(name) || arg.p)
		return err_set(err, ERR_SYNTAX, "\"%.*s\" is no rule's name",
		    SPAN_ARG(span_head(name, 80)));
	symbol = symbol_intern(&m->set->symbols, name);
	if (!symbol)
		return err_set(err, ERR_NOMEM, "out of memory");
	*ret_op = (struct expr_op){.code = EXPR_SYMBOL, .at = symbol->id};
	return 0;
}

int
rule_meta_compile(struct rule_set *set, struct span text,
    struct rule_body *body, struct err *err)
{
	struct meta m = {set, body};

	return expr_compile(set->arena, text, meta_name, &m, &body->expr, err);
}

/* --- rules_matching() --------------------------------------------------------- */

/* `*` any run, `?` one character. Linear in practice: one star is kept. */
static bool
glob_matches(struct span glob, struct span name)
{
	size_t g = 0, n = 0, star = SPAN_NPOS, back = 0;

	while (n < name.len) {
		if (g < glob.len && glob.p[g] == '*') {
			star = g++;
			back = n;
		} else if (g < glob.len &&
			   (glob.p[g] == '?' || glob.p[g] == name.p[n])) {
			g++;
			n++;
		} else if (star != SPAN_NPOS) {
			g = star + 1;
			n = ++back;
		} else {
			return false;
		}
	}
	while (g < glob.len && glob.p[g] == '*')
		g++;
	return g == glob.len;
}

static bool
resolve_globs(struct rule_set *set, unsigned id, struct rule_body *body)
{
	size_t n = body->globs.n;
	struct rule_ids *lists = arena_calloc(set->arena, n, sizeof *lists);

	body->lists = lists;
	for (size_t k = 0; lists && k < n; k++) {
		for (size_t i = 0; i < set->symbols.items.n; i++) {
			const struct symbol *s = set->symbols.items.v[i];
			if (i == id ||
			    (s->kind == SYMBOL_UNKNOWN && !s->scored) ||
			    !glob_matches(body->globs.v[k], s->name))
				continue;
			unsigned *place = VEC_PUSH(set->arena, &lists[k]);
			if (!place)
				return false;
			*place = (unsigned)i;
		}
	}
	return lists != NULL;
}

/* --- dependencies -------------------------------------------------------------- */

/* `seen[id]` is the meta that listed it last, plus one. */
static bool
add_dep(struct rule_set *set, struct rule_node *node, unsigned id,
    unsigned *seen, unsigned mark)
{
	unsigned *place;

	if (seen[id] == mark)
		return true;
	seen[id] = mark;
	place = VEC_PUSH(set->arena, node->deps);
	if (place)
		*place = id;
	return place != NULL;
}

static bool
list_deps(struct rule_set *set, unsigned id, unsigned *seen)
{
	struct rule_node *node = &set->nodes[id];
	const struct rule_body *body = node->body;

	node->deps = arena_zalloc(set->arena, sizeof *node->deps);
	node->mortals = arena_zalloc(set->arena, sizeof *node->mortals);
	if (!node->deps || !node->mortals)
		return false;
	for (size_t i = 0; i < body->expr.ops.n; i++) {
		const struct expr_op *op = &body->expr.ops.v[i];
		if (op->code == EXPR_SYMBOL &&
		    !add_dep(set, node, op->at, seen, id + 1))
			return false;
		const struct rule_ids *list =
		    op->code == EXPR_GLOB ? &body->lists[op->at] : NULL;
		for (size_t k = 0; list && k < list->n; k++)
			if (!add_dep(set, node, list->v[k], seen, id + 1))
				return false;
	}
	return true;
}

static bool
is_meta(const struct rule_set *set, unsigned id)
{
	return set->symbols.items.v[id]->kind == SYMBOL_META;
}

static void
note_missing(struct rule_set *set, unsigned id)
{
	const struct symbol *symbol = set->symbols.items.v[id];
	struct rule_place place = {symbol->file, symbol->line};
	const struct rule_ids *deps = set->nodes[id].deps;

	for (size_t i = 0; i < deps->n; i++) {
		const struct symbol *dep = set->symbols.items.v[deps->v[i]];
		if (dep->kind == SYMBOL_UNKNOWN)
			rule_problem(set, &place, true,
			    "%.*s depends on %.*s, which no rule defines",
			    SPAN_ARG(symbol->name), SPAN_ARG(dep->name));
	}
}

/* --- cycles and order: Tarjan's components, without recursion ------------------- */

struct visit {
	unsigned id;
	size_t next; /* in its deps */
};

struct walk {
	struct rule_set *set;
	unsigned *index; /* order of discovery, from 1; 0: not seen */
	unsigned *low;
	bool *open; /* on `component` */
	struct rule_ids component;
	struct visits VEC(struct visit) path;
	unsigned count;
};

static bool
enter(struct walk *w, unsigned id)
{
	struct visit *v = VEC_PUSH(w->set->arena, &w->path);
	unsigned *c = VEC_PUSH(w->set->arena, &w->component);

	if (!v || !c)
		return false;
	*v = (struct visit){id, 0};
	*c = id;
	w->index[id] = w->low[id] = ++w->count;
	w->open[id] = true;
	return true;
}

static void
note_cycle(struct rule_set *set, unsigned id)
{
	const struct symbol *symbol = set->symbols.items.v[id];
	struct rule_place place = {symbol->file, symbol->line};

	set->nodes[id].off = true;
	rule_problem(set, &place, true, "%.*s depends on itself: it never hits",
	    SPAN_ARG(symbol->name));
}

/*
 * All that a meta depends on is settled: its cost is the dearest of theirs,
 * and it is mortal if it scores 0 or mentions one that is.
 */
static bool
settle_meta(struct rule_set *set, unsigned id)
{
	struct rule_node *node = &set->nodes[id];
	const struct symbol *symbol = set->symbols.items.v[id];

	node->mortal = !symbol->sub && symbol->score_milli == 0;
	for (size_t i = 0; i < node->deps->n; i++) {
		unsigned dep = node->deps->v[i];
		const struct rule_node *d = &set->nodes[dep];
		if (d->cost > node->cost && !d->off)
			node->cost = d->cost;
		if (!d->mortal || d->off)
			continue;
		unsigned *place = VEC_PUSH(set->arena, node->mortals);
		if (!place)
			return false;
		*place = dep;
		node->mortal = true;
	}
	return true;
}

/* Ends the component whose root is `id`. */
static bool
leave_component(struct walk *w, unsigned id)
{
	size_t n = w->component.n, from = n - 1;
	const struct rule_ids *deps = w->set->nodes[id].deps;
	bool cycle;

	while (w->component.v[from] != id)
		from--;
	cycle = n - from > 1;
	for (size_t i = 0; i < deps->n; i++)
		cycle = cycle || deps->v[i] == id;
	for (size_t i = from; i < n; i++) {
		w->open[w->component.v[i]] = false;
		if (cycle)
			note_cycle(w->set, w->component.v[i]);
	}
	w->component.n = from;
	return cycle || settle_meta(w->set, id);
}

static bool
walk_from(struct walk *w, unsigned root)
{
	if (!enter(w, root))
		return false;
	while (w->path.n) {
		struct visit *v = &w->path.v[w->path.n - 1];
		unsigned id = v->id;
		const struct rule_ids *deps = w->set->nodes[id].deps;
		if (v->next < deps->n) {
			unsigned dep = deps->v[v->next++];
			if (!is_meta(w->set, dep))
				continue;
			if (!w->index[dep]) {
				if (!enter(w, dep))
					return false;
			} else if (w->open[dep] && w->index[dep] < w->low[id]) {
				w->low[id] = w->index[dep];
			}
			continue;
		}
		w->path.n--;
		if (w->path.n) {
			unsigned up = w->path.v[w->path.n - 1].id;
			if (w->low[id] < w->low[up])
				w->low[up] = w->low[id];
		}
		if (w->low[id] == w->index[id] && !leave_component(w, id))
			return false;
	}
	return true;
}

static bool
walk_all(struct rule_set *set)
{
	size_t n = set->symbols.items.n;
	struct walk w = {.set = set,
	    .index = arena_calloc(set->arena, n, sizeof *w.index),
	    .low = arena_calloc(set->arena, n, sizeof *w.low),
	    .open = arena_calloc(set->arena, n, sizeof *w.open)};

	if (!w.index || !w.low || !w.open)
		return false;
	for (unsigned id = 0; id < n; id++)
		if (is_meta(set, id) && !w.index[id] && !walk_from(&w, id))
			return false;
	return true;
}

/* --- the order of asking ----------------------------------------------------------- */

static bool
wanted(const struct rule_set *set, unsigned id)
{
	const struct symbol *symbol = set->symbols.items.v[id];

	if (symbol->sub)
		return false;
	return symbol->score_milli != 0 || (symbol->flags & SYMBOL_SHADOW);
}

/* By class of cost, within it by id: a counting sort is stable. */
static bool
list_by_cost(struct rule_set *set, bool everything, struct rule_ids *ret)
{
	for (unsigned cost = COST_FACT; cost <= COST_NETWORK; cost++) {
		for (unsigned id = 0; id < set->symbols.items.n; id++) {
			const struct rule_node *node = &set->nodes[id];
			if (node->cost != cost || node->off ||
			    (!everything && !wanted(set, id)))
				continue;
			unsigned *place = VEC_PUSH(set->arena, ret);
			if (!place)
				return false;
			*place = id;
		}
	}
	return true;
}

int
rule_graph(struct rule_set *set)
{
	size_t n = set->symbols.items.n;
	unsigned *seen = arena_calloc(set->arena, n, sizeof *seen);

	if (!seen)
		return ERR_NOMEM;
	for (unsigned id = 0; id < n; id++) {
		struct rule_body *body = set->nodes[id].body;
		if (!is_meta(set, id))
			continue;
		if (!resolve_globs(set, id, body) || !list_deps(set, id, seen))
			return ERR_NOMEM;
		if (set->options.lint)
			note_missing(set, id);
		if (body->expr.depth > set->stack_depth)
			set->stack_depth = body->expr.depth;
	}
	if (!walk_all(set) || !list_by_cost(set, false, &set->roots) ||
	    !list_by_cost(set, true, &set->all))
		return ERR_NOMEM;
	return 0;
}
