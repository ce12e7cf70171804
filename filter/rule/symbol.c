#include "filter/rule/symbol.h"

/*
 * The registry of names. A symbol is made at its first mention, by whoever
 * mentions it: a score line may stand before its rule. Ids are dense, so that
 * a run keeps its values in plain arrays.
 */

static const char *const kind_names[] = {
    [SYMBOL_UNKNOWN] = "unknown",
    [SYMBOL_NATIVE] = "native",
    [SYMBOL_HEADER] = "header",
    [SYMBOL_BODY] = "body",
    [SYMBOL_RAWBODY] = "rawbody",
    [SYMBOL_FULL] = "full",
    [SYMBOL_URI] = "uri",
    [SYMBOL_EVAL] = "eval",
    [SYMBOL_META] = "meta",
};

const char *
symbol_kind_name(enum symbol_kind kind)
{
	return kind_names[kind];
}

#define COUNT_MILLI_MAX 1e15

void
symbol_init(struct symbol_table *table, struct arena *arena)
{
	*table = (struct symbol_table){.arena = arena};
	map_init(&table->by_name, arena, false);
}

struct symbol *
symbol_find(const struct symbol_table *table, struct span name)
{
	return map_get(&table->by_name, name);
}

struct symbol *
symbol_intern(struct symbol_table *table, struct span name)
{
	struct symbol *symbol = symbol_find(table, name);

	if (symbol)
		return symbol;
	symbol = arena_zalloc(table->arena, sizeof *symbol);
	struct symbol **place = VEC_PUSH(table->arena, &table->items);
	if (!symbol || !place)
		return NULL;
	*place = symbol;
	symbol->name = arena_span(table->arena, name);
	symbol->id = (unsigned)(table->items.n - 1);
	symbol->sub = span_starts(name, SPAN("__"));
	if (!symbol->name.p || map_put(&table->by_name, symbol->name, symbol))
		return NULL;
	return symbol;
}

bool
symbol_name_valid(struct span name)
{
	if (name.len == 0 || name.len > SYMBOL_NAME_MAX ||
	    ascii_is_digit(name.p[0]))
		return false;
	for (size_t i = 0; i < name.len; i++)
		if (!ascii_is_alnum(name.p[i]) && name.p[i] != '_')
			return false;
	return true;
}

int64_t
symbol_hit_count_milli(const struct symbol_hit *hit)
{
	double milli = hit->count * 1000;

	if (milli >= COUNT_MILLI_MAX)
		return (int64_t)COUNT_MILLI_MAX;
	return milli > -COUNT_MILLI_MAX ? (int64_t)milli
					: -(int64_t)COUNT_MILLI_MAX;
}
