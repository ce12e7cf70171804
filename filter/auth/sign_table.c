#include "filter/auth/sign_table.h"

#include "filter/base/buf.h"
#include "filter/mail/domain.h"

/*
 * Tables of OpenDKIM as text: rows in order, found by name. What the values
 * mean is keyring.c's. Rows of one key are chained: the chain is what signs
 * together, where OpenDKIM takes the first alone (or, with MultipleSignatures,
 * every row that matches).
 */

#define ADDRESS_BYTES_MAX 1024 /* of one key that is looked up */

/* --- reading ------------------------------------------------------------------------- */

struct reader {
	struct sign_table *table;
	const struct sign_table_request *request;
	struct arena *arena;
	struct map keys; /* of patterns too, to chain them */
	unsigned line;
	bool failed;
};

static void
complain(struct reader *r, const char *what)
{
	struct span text = arena_printf(
	    r->arena, "%s:%u: %s", r->request->path, r->line, what);
	const char *line = arena_cstr(r->arena, text);

	r->failed = true;
	r->request->report(
	    r->request->arg, false, line ? line : "out of memory");
}

/*
 * Senders are looked up by their A-labels. A pattern's domain is what stands
 * behind the last `@`, without `*`, `.` or both in front.
 */
static struct span
normalise_key(struct span key, struct arena *arena)
{
	size_t at = span_rfind_char(key, '@');
	size_t from = at == SPAN_NPOS ? 0 : at + 1;
	struct span name;

	if (span_is_ascii(key))
		return key;
	while (from < key.len && (key.p[from] == '*' || key.p[from] == '.'))
		from++;
	if (domain_normalise(span_skip(key, from), arena, &name))
		return key;
	return arena_printf(
	    arena, "%.*s%.*s", SPAN_ARG(span_head(key, from)), SPAN_ARG(name));
}

static bool
split_value(struct reader *r, struct span value, struct sign_row *row)
{
	unsigned n = 0;

	while (value.p && n + 1 < r->request->parts_max)
		row->parts[n++] = span_trim(span_cut(&value, ':'));
	if (value.p)
		row->parts[n++] = span_trim(value);
	if (n < r->request->parts_min)
		return false;
	for (unsigned i = 0; i < n; i++)
		if (row->parts[i].len == 0)
			return false;
	return true;
}

static bool
add_row(struct reader *r, struct sign_row *row)
{
	struct sign_row *first = map_get(&r->keys, row->key);

	row->tail = row;
	if (first) {
		first->tail->same = row;
		first->tail = row;
		return true;
	}
	struct sign_row **to = VEC_PUSH(r->arena, &r->table->rows);
	if (!to || map_put(&r->keys, row->key, row))
		return false;
	*to = row;
	return true;
}

static int
read_line(struct reader *r, struct span line)
{
	struct span value = span_head(line, span_find_char(line, '#'));
	struct span key = span_word(&value);

	if (key.len == 0)
		return 0;
	struct sign_row *row = arena_zalloc(r->arena, sizeof *row);
	if (!row)
		return ERR_NOMEM;
	row->line = r->line;
	row->key = normalise_key(key, r->arena);
	if (r->table->rows.n >= SIGN_TABLE_ROWS_MAX) {
		complain(r, "too many lines");
		return ERR_LIMIT;
	}
	value = span_trim(value);
	if (span_find_char(line, '\0') != SPAN_NPOS)
		complain(r, "a NUL byte");
	else if (value.len == 0)
		complain(r, "a key without a value");
	else if (!split_value(r, value, row))
		complain(r, r->request->parts_min == SIGN_TABLE_PARTS
				? "not DOMAIN:SELECTOR:KEY"
				: "a value with an empty part");
	else if (!add_row(r, row))
		return ERR_NOMEM;
	return 0;
}

int
sign_table_parse(struct sign_table *ret, struct span text,
    const struct sign_table_request *request, struct arena *arena)
{
	struct reader r = {.table = ret, .request = request, .arena = arena};
	struct span line;
	int rc = 0;

	*ret = (struct sign_table){
	    .path = request->path, .patterns = request->patterns};
	map_init(&r.keys, arena, true);
	while (rc == 0 && span_line(&text, &line)) {
		r.line++;
		rc = read_line(&r, line);
	}
	ret->exact = r.keys;
	if (rc == ERR_NOMEM || arena_failed(arena))
		return ERR_NOMEM;
	return r.failed ? ERR_SYNTAX : 0;
}

/* --- finding ---------------------------------------------------------------------------- */

bool
sign_table_match(struct span pattern, struct span text)
{
	size_t p = 0, t = 0;
	size_t star = SPAN_NPOS, resume = 0; /* the last `*`, what it took */

	while (t < text.len) {
		if (p < pattern.len && pattern.p[p] == '*') {
			star = p++;
			resume = t;
		} else if (p < pattern.len && ascii_lower(pattern.p[p]) ==
						  ascii_lower(text.p[t])) {
			p++;
			t++;
		} else if (star != SPAN_NPOS) {
			p = star + 1;
			t = ++resume;
		} else {
			return false;
		}
	}
	while (p < pattern.len && pattern.p[p] == '*')
		p++;
	return p == pattern.len;
}

struct sign_row *
sign_table_find(const struct sign_table *table, struct span name)
{
	if (!table->patterns)
		return map_get(&table->exact, name);
	for (size_t i = 0; i < table->rows.n; i++)
		if (sign_table_match(table->rows.v[i]->key, name))
			return table->rows.v[i];
	return NULL;
}

/* `a`, then `mid`, then `b`, as an exact key. */
static struct sign_row *
get(const struct sign_table *table, struct buf *key, struct span a,
    const char *mid, struct span b)
{
	buf_truncate(key, 0);
	buf_add_span(key, a);
	buf_add_str(key, mid);
	buf_add_span(key, b);
	return buf_failed(key) ? NULL : map_get(&table->exact, buf_span(key));
}

static struct sign_row *
get_parents(const struct sign_table *table, struct buf *key, struct span left,
    const char *mid, struct span domain)
{
	struct sign_row *row = NULL;

	for (struct span d = domain_parent(domain); d.len && !row;
	     d = domain_parent(d))
		row = get(table, key, left, mid, d);
	return row;
}

struct sign_row *
sign_table_sender(const struct sign_table *table, struct span local,
    struct span domain, struct arena *arena)
{
	struct span none = SPAN("");
	struct sign_row *row;
	struct buf key;

	buf_init(&key, arena, ADDRESS_BYTES_MAX);
	if (table->patterns) {
		buf_add_span(&key, local);
		buf_add_char(&key, '@');
		buf_add_span(&key, domain);
		return buf_failed(&key)
			   ? NULL
			   : sign_table_find(table, buf_span(&key));
	}
	if ((row = get(table, &key, local, "@", domain)) ||
	    (row = get(table, &key, none, "", domain)) ||
	    (row = get_parents(table, &key, local, "@.", domain)) ||
	    (row = get_parents(table, &key, none, ".", domain)) ||
	    (row = get(table, &key, local, "@*", none)))
		return row;
	return get(table, &key, none, "*", none);
}
