/* KeyTable and SigningTable: any text, both kinds, and look-ups in it. */
#include <assert.h>

#include "filter/auth/sign_table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
on_error(void *arg, bool warning, const char *text)
{
	size_t *n = arg;

	assert(!warning && text && *text);
	(*n)++;
}

static void
check(struct span text, struct span sender, bool patterns, unsigned parts_min)
{
	struct arena *arena = arena_new(0);
	struct sign_table table;
	size_t n_errors = 0;
	struct sign_table_request request = {
	    .path = "table",
	    .patterns = patterns,
	    .parts_min = parts_min,
	    .parts_max = parts_min == 1 ? 2 : SIGN_TABLE_PARTS,
	    .report = on_error,
	    .arg = &n_errors,
	};
	int rc = sign_table_parse(&table, text, &request, arena);

	assert((rc == ERR_SYNTAX) == (n_errors > 0));
	for (size_t i = 0; i < table.rows.n; i++) {
		const struct sign_row *row = table.rows.v[i];
		assert(row->key.len && row->line);
		for (unsigned k = 0; k < parts_min; k++)
			assert(row->parts[k].len);
		/* Each key finds a row: its own, where keys are exact. */
		const struct sign_row *found =
		    sign_table_find(&table, row->key);
		assert(found && (patterns || found == row));
	}
	size_t at = span_find_char(sender, '@');
	(void)sign_table_sender(&table, span_head(sender, at),
	    span_skip(sender, at == SPAN_NPOS ? sender.len : at + 1), arena);
	arena_free(arena);
}

/* The first line is the sender, the rest the table. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = span_make((const char *)data, size);
	struct span sender;

	if (size > 20000 || !span_line(&text, &sender))
		return 0;
	for (unsigned i = 0; i < 4; i++)
		check(text, sender, i & 1, i & 2 ? SIGN_TABLE_PARTS : 1);
	return 0;
}
