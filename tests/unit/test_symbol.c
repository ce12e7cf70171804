/* The registry of names: valid ones, identity, dense ids. */
#include <stdio.h>

#include "filter/rule/symbol.h"
#include "tests/lib/tap.h"

int
main(void)
{
	struct arena *arena = arena_new(0);
	struct symbol_table table;
	char name[SYMBOL_NAME_MAX + 2];

	symbol_init(&table, arena);

	TAP_CASE("a name is made once and found again; case counts")
	struct symbol *a = symbol_intern(&table, SPAN("ALPHA"));
	CHECK(a && symbol_intern(&table, SPAN("ALPHA")) == a);
	CHECK(symbol_find(&table, SPAN("ALPHA")) == a);
	CHECK(symbol_find(&table, SPAN("alpha")) == NULL);
	CHECK(symbol_intern(&table, SPAN("alpha")) != a);

	TAP_CASE("ids are dense and lead back to the symbol")
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof name, "N%d", i);
		CHECK(symbol_intern(&table, span_of(name)) != NULL);
	}
	CHECK_INT(table.items.n, 1002);
	int wrong = 0;
	for (unsigned i = 0; i < table.items.n; i++)
		wrong += table.items.v[i]->id != i;
	CHECK_INT(wrong, 0);

	TAP_CASE("the name is a copy; it may be rewritten by the caller")
	memcpy(name, "COPY", 5);
	struct symbol *c = symbol_intern(&table, span_of(name));
	memcpy(name, "GONE", 5);
	CHECK_STR(c->name, "COPY");
	CHECK(symbol_find(&table, SPAN("COPY")) == c);

	TAP_CASE("only names with two underscores are sub-rules")
	CHECK(symbol_intern(&table, SPAN("__SUB"))->sub);
	CHECK(!symbol_intern(&table, SPAN("_SUB"))->sub);
	CHECK(!symbol_intern(&table, SPAN("SUB__"))->sub);

	TAP_CASE("valid names: letters, digits, _, not a digit first")
	CHECK(symbol_name_valid(SPAN("a")));
	CHECK(symbol_name_valid(SPAN("_9")));
	CHECK(!symbol_name_valid(SPAN("")));
	CHECK(!symbol_name_valid(SPAN("9A")));
	CHECK(!symbol_name_valid(SPAN("A-B")));
	CHECK(!symbol_name_valid(SPAN("A\0B")));
	CHECK(!symbol_name_valid(SPAN("\xc3\x84")));
	memset(name, 'A', sizeof name);
	CHECK(symbol_name_valid(span_make(name, SYMBOL_NAME_MAX)));
	CHECK(!symbol_name_valid(span_make(name, SYMBOL_NAME_MAX + 1)));

	TAP_CASE("memory running out is NULL, not a half-made symbol")
	arena_fail(arena);
	CHECK(symbol_intern(&table, SPAN("NEW")) == NULL);
	CHECK(symbol_find(&table, SPAN("NEW")) == NULL);

	TAP_CASE("every kind has a word")
	for (int k = SYMBOL_UNKNOWN; k <= SYMBOL_META; k++)
		CHECK(symbol_kind_name((enum symbol_kind)k)[0] != '\0');
	arena_free(arena);
	return tap_done();
}
