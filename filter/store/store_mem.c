#include <assert.h>
#include <stdlib.h>

#include "filter/base/buf.h"
#include "filter/base/lock.h"
#include "filter/base/map.h"
#include "filter/store/backend.h"

/*
 * The store in memory: what the contract tests hold the others against, and
 * what `learn eval` uses. One map under one lock. What has ended is removed
 * when the map would otherwise grow, so it needs no thread.
 *
 * An entry is made first and comes alive when the call is carried out: what
 * fails half way leaves only entries that nobody sees.
 */

#define EACH_BYTES_MAX (SIZE_MAX / 2)
#define SWEEP_FIRST 4096 /* entries before ended ones are looked for */

struct entry {
	bool alive;
	int64_t expires;
	struct store_counts counts;
	char *value; /* heap; NULL: counts */
	size_t value_len;
	size_t key_len;
	char key[];
};

struct store_mem {
	struct store_backend backend; /* first */
	struct lock lock;
	struct map map;  /* whole key to struct entry; under the lock */
	size_t sweep_at; /* entries at which ended ones are removed */
};

static struct store_mem *
mem_of(struct store_backend *backend)
{
	return (struct store_mem *)(void *)backend;
}

static struct span
entry_key(const struct entry *e)
{
	return span_make(e->key, e->key_len);
}

/* The entry, or NULL when it is not there or has ended. */
static struct entry *
look(const struct store_mem *mem, struct span key, int64_t now)
{
	struct entry *e = map_get(&mem->map, key);

	if (!e || !e->alive || (e->expires && e->expires <= now))
		return NULL;
	return e;
}

static void
entry_free(struct entry *e)
{
	free(e->value);
	free(e);
}

/* --- what has ended ------------------------------------------------------------ */

static void
remove_ended(struct store_mem *mem, int64_t now)
{
	struct map kept;

	map_init(&kept, NULL, false);
	MAP_EACH(slot, &mem->map)
	{
		struct entry *e = slot->value;
		if (look(mem, entry_key(e), now) &&
		    map_put(&kept, entry_key(e), e) != 0) {
			map_done(&kept);
			return;
		}
	}
	MAP_EACH(slot, &mem->map)
	if (!map_get(&kept, slot->key))
		entry_free(slot->value);
	map_done(&mem->map);
	mem->map = kept;
}

static void
sweep_sometimes(struct store_mem *mem, int64_t now)
{
	if (mem->map.n < mem->sweep_at)
		return;
	remove_ended(mem, now);
	mem->sweep_at = mem->map.n * 2;
	if (mem->sweep_at < SWEEP_FIRST)
		mem->sweep_at = SWEEP_FIRST;
}

/* --- reading ------------------------------------------------------------------- */

static int
mem_get(struct store_backend *backend, const struct span *keys, size_t n,
    int64_t now, int64_t deadline, struct store_counts *ret, struct err *err)
{
	struct store_mem *mem = mem_of(backend);

	(void)deadline;
	(void)err;
	lock_take(&mem->lock);
	for (size_t i = 0; i < n; i++) {
		const struct entry *e = look(mem, keys[i], now);
		ret[i] = e ? e->counts : (struct store_counts){{0, 0}};
	}
	lock_drop(&mem->lock);
	return 0;
}

static int
mem_get_value(struct store_backend *backend, struct span key, int64_t now,
    int64_t deadline, struct arena *arena, struct span *ret, struct err *err)
{
	struct store_mem *mem = mem_of(backend);
	struct span value = SPAN_NONE;

	(void)deadline;
	lock_take(&mem->lock);
	const struct entry *e = look(mem, key, now);
	bool found = e != NULL;
	if (found)
		value = arena_span(arena, span_make(e->value, e->value_len));
	lock_drop(&mem->lock);
	if (found && !value.p)
		return err_set(err, ERR_NOMEM, "out of memory");
	*ret = value;
	return 0;
}

/* --- each: copied under the lock, told without it ------------------------------- */

/* What stands before the bytes of key and value in the copy. */
struct copy {
	struct store_counts counts;
	int64_t expires;
	size_t key_len, value_len;
};

static void
copy_entries(
    struct store_mem *mem, struct span prefix, int64_t now, struct buf *buf)
{
	lock_take(&mem->lock);
	MAP_EACH(slot, &mem->map)
	{
		const struct entry *e = slot->value;
		if (!span_starts(slot->key, prefix) ||
		    !look(mem, slot->key, now))
			continue;
		struct copy copy = {
		    e->counts, e->expires, e->key_len, e->value_len};
		buf_add(buf, &copy, sizeof copy);
		buf_add(buf, e->key, e->key_len);
		buf_add(buf, e->value, e->value_len);
	}
	lock_drop(&mem->lock);
}

static int
mem_each(struct store_backend *backend, struct span prefix, bool counts,
    int64_t now, int64_t deadline, store_backend_each_fn *fn, void *arg,
    struct err *err)
{
	struct buf buf;
	struct copy copy;

	(void)deadline;
	buf_init(&buf, NULL, EACH_BYTES_MAX);
	copy_entries(mem_of(backend), prefix, now, &buf);
	if (buf_failed(&buf)) {
		buf_done(&buf);
		return err_set(err, ERR_NOMEM, "out of memory");
	}
	struct span rest = buf_span(&buf);
	while (rest.len) {
		memcpy(&copy, rest.p, sizeof copy);
		rest = span_skip(rest, sizeof copy);
		struct span key = span_head(rest, copy.key_len);
		rest = span_skip(rest, copy.key_len);
		struct store_entry entry = {
		    .counts = copy.counts, .expires = copy.expires};
		if (!counts)
			entry.value = span_head(rest, copy.value_len);
		rest = span_skip(rest, copy.value_len);
		if (!fn(arg, key, &entry))
			break;
	}
	buf_done(&buf);
	return 0;
}

/* --- writing ------------------------------------------------------------------- */

static bool
check_holds(
    const struct store_mem *mem, const struct store_write *write, int64_t now)
{
	const struct entry *e = look(mem, write->key, now);

	if (!write->value.p)
		return !e;
	return e && span_eq(span_make(e->value, e->value_len), write->value);
}

/* The entry of a key, made when there is none; NULL without memory. */
static struct entry *
make_entry(struct store_mem *mem, struct span key)
{
	struct entry *e = map_get(&mem->map, key);

	if (e)
		return e;
	e = calloc(1, sizeof *e + key.len);
	if (!e)
		return NULL;
	e->key_len = key.len;
	memcpy(e->key, key.p, key.len);
	if (map_put(&mem->map, entry_key(e), e) != 0) {
		free(e);
		return NULL;
	}
	return e;
}

/* A write with all the memory it needs. */
struct step {
	struct entry *entry;
	char *value; /* heap, given to the entry; NULL: none */
};

static bool
prepare(
    struct store_mem *mem, const struct store_write *write, struct step *step)
{
	step->entry = make_entry(mem, write->key);
	if (!step->entry)
		return false;
	if (write->verb != STORE_PUT || !write->value.p)
		return true;
	step->value = malloc(write->value.len + 1);
	if (!step->value)
		return false;
	memcpy(step->value, write->value.p, write->value.len);
	return true;
}

static int64_t
add(int64_t a, int64_t b)
{
	int64_t sum;

	if (__builtin_add_overflow(a, b, &sum))
		return a < 0 ? INT64_MIN : INT64_MAX;
	return sum;
}

static void
carry_out(const struct store_write *write, struct step *step, int64_t now)
{
	struct entry *e = step->entry;

	if (!e->alive || (e->expires && e->expires <= now)) {
		e->counts = (struct store_counts){{0, 0}};
		e->expires = 0;
	}
	e->alive = true;
	if (write->expires)
		e->expires = write->expires;
	if (write->verb == STORE_ADD) {
		e->counts.v[0] = add(e->counts.v[0], write->add.v[0]);
		e->counts.v[1] = add(e->counts.v[1], write->add.v[1]);
		e->alive = e->counts.v[0] || e->counts.v[1];
		return;
	}
	free(e->value);
	e->value = step->value;
	e->value_len = write->value.len;
	step->value = NULL;
	e->alive = e->value != NULL;
}

static int
apply_locked(struct store_mem *mem, const struct store_write *writes, size_t n,
    int64_t now, struct step *steps, struct err *err)
{
	for (size_t i = 0; i < n; i++)
		if (writes[i].verb == STORE_CHECK &&
		    !check_holds(mem, &writes[i], now))
			return err_set(err, ERR_STATE, STORE_CHECK_FAILED);
	sweep_sometimes(mem, now);
	for (size_t i = 0; i < n; i++)
		if (writes[i].verb != STORE_CHECK &&
		    !prepare(mem, &writes[i], &steps[i]))
			return err_set(err, ERR_NOMEM, "out of memory");
	for (size_t i = 0; i < n; i++)
		if (writes[i].verb != STORE_CHECK)
			carry_out(&writes[i], &steps[i], now);
	return 0;
}

static int
mem_apply(struct store_backend *backend, const struct store_write *writes,
    size_t n, int64_t now, int64_t deadline, struct err *err)
{
	struct store_mem *mem = mem_of(backend);
	struct step *steps = calloc(n, sizeof *steps);

	(void)deadline;
	if (!steps)
		return err_set(err, ERR_NOMEM, "out of memory");
	lock_take(&mem->lock);
	int rc = apply_locked(mem, writes, n, now, steps, err);
	lock_drop(&mem->lock);
	for (size_t i = 0; i < n; i++)
		free(steps[i].value);
	free(steps);
	return rc;
}

/* --- opening and closing --------------------------------------------------------- */

static void
mem_close(struct store_backend *backend)
{
	struct store_mem *mem = mem_of(backend);

	MAP_EACH(slot, &mem->map)
	entry_free(slot->value);
	map_done(&mem->map);
	lock_done(&mem->lock);
	free(mem);
}

static const struct store_backend_class mem_class = {
    .name = "memory",
    .degraded = "store",
    .immediate = true,
    .get = mem_get,
    .get_value = mem_get_value,
    .apply = mem_apply,
    .each = mem_each,
    .close = mem_close,
};

int
store_open_memory(const struct store_options *options,
    const struct store_url *url, struct store_backend **ret, struct err *err)
{
	struct store_mem *mem = calloc(1, sizeof *mem);

	assert(url->scheme == STORE_MEMORY);
	(void)options;
	if (!mem)
		return err_set(err, ERR_NOMEM, "out of memory");
	mem->backend.class = &mem_class;
	lock_init(&mem->lock, LOCK_STORE);
	map_init(&mem->map, NULL, false);
	mem->sweep_at = SWEEP_FIRST;
	*ret = &mem->backend;
	return 0;
}
