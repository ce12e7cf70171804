#ifndef FILTER_BASE_ARENA_H
#define FILTER_BASE_ARENA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "filter/base/err.h"
#include "filter/base/span.h"

/*
 * Memory by lifetime: what is allocated here lives until arena_reset() or
 * arena_free(). Owned by one session or one run; not for two threads at once.
 *
 * An arena has a budget. Past it, or when malloc fails, allocation returns
 * NULL and the arena is marked failed for the rest of the message: a caller
 * may go on and look at arena_failed() at the end of its step.
 */
struct arena;

/*
 * budget_bytes  0 = no limit.
 * Returns NULL when memory is short. The caller frees with arena_free().
 */
struct arena *arena_new(size_t budget_bytes);
void arena_free(struct arena *arena);

/* Runs the cleanups (last registered first), forgets all, clears `failed`. */
void arena_reset(struct arena *arena);

/* Aligned for any type. A size of 0 gives a valid pointer. NULL on failure. */
void *arena_alloc(struct arena *arena, size_t size)
    __attribute__((alloc_size(2)));
void *arena_zalloc(struct arena *arena, size_t size)
    __attribute__((alloc_size(2)));
/* An array of zeroed items; the multiplication is checked. */
void *arena_calloc(struct arena *arena, size_t count, size_t size);

/*
 * Makes the block at `old` (`old_size` bytes, from this arena; NULL for none)
 * `size` bytes large, in place where it was the last one, else as a copy.
 */
void *arena_grow(struct arena *arena, void *old, size_t old_size, size_t size);

/* Copies. On failure an empty span with p == NULL, or NULL. */
struct span arena_span(struct arena *arena, struct span s);
struct span arena_lower(struct arena *arena, struct span s); /* ASCII only */
/* A terminated copy; stops at a NUL byte in `s`. */
char *arena_cstr(struct arena *arena, struct span s);
struct span arena_printf(struct arena *arena, const char *fmt, ...)
    PRINTF(2, 3);

typedef void arena_cleanup_fn(void *arg);

/*
 * Has `fn(arg)` run at reset: for things that are not memory (a digest
 * context, a counted reference). When that cannot be noted down, `fn` runs at
 * once and ERR_NOMEM is returned.
 */
int arena_cleanup(
    struct arena *arena, arena_cleanup_fn *fn, void *arg) MUST_USE;

bool arena_failed(const struct arena *arena);
/* Marks the arena failed; the torture tests and nested budgets use it. */
void arena_fail(struct arena *arena);
size_t arena_used(const struct arena *arena);

#endif
