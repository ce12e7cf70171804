#include "filter/base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/*
 * A list of blocks from malloc, filled front to back. A reset keeps the first
 * block for the next message and gives the others back. Cleanups stand in a
 * list inside the arena's own memory. Devel builds overwrite what a reset
 * takes away, so that a pointer that outlived its message shows itself.
 */

#define BLOCK_SIZE ((size_t)32 * 1024)

struct block {
	struct block *next;
	size_t size; /* of data */
	size_t used;
	_Alignas(max_align_t) char data[];
};

struct cleanup {
	struct cleanup *next;
	arena_cleanup_fn *fn;
	void *arg;
};

struct arena {
	struct block *first, *last;
	struct cleanup *cleanups;
	size_t budget; /* 0 = none */
	size_t used;   /* bytes handed out, with padding */
	bool failed;
};

struct arena *
arena_new(size_t budget_bytes)
{
	struct arena *arena = calloc(1, sizeof *arena);

	if (arena)
		arena->budget = budget_bytes;
	return arena;
}

static void
run_cleanups(struct arena *arena)
{
	/* A cleanup may not register another one. */
	for (struct cleanup *c = arena->cleanups; c; c = c->next)
		c->fn(c->arg);
	arena->cleanups = NULL;
}

static void
free_blocks(struct block *block)
{
	while (block) {
		struct block *next = block->next;
		free(block);
		block = next;
	}
}

void
arena_reset(struct arena *arena)
{
	run_cleanups(arena);
	struct block *first = arena->first;
	if (first) {
		free_blocks(first->next);
		first->next = NULL;
		if (first->size > BLOCK_SIZE) {
			free(first);
			first = NULL;
		} else {
#if DEVEL
			memset(first->data, 0xa5, first->used);
#endif
			first->used = 0;
		}
	}
	arena->first = arena->last = first;
	arena->used = 0;
	arena->failed = false;
}

void
arena_free(struct arena *arena)
{
	if (!arena)
		return;
	run_cleanups(arena);
	free_blocks(arena->first);
	free(arena);
}

static struct block *
add_block(struct arena *arena, size_t size)
{
	size_t want = size > BLOCK_SIZE ? size : BLOCK_SIZE;
	struct block *block = malloc(sizeof *block + want);

	if (!block)
		return NULL;
	block->next = NULL;
	block->size = want;
	block->used = 0;
	if (arena->last)
		arena->last->next = block;
	else
		arena->first = block;
	arena->last = block;
	return block;
}

static size_t
padded(size_t size)
{
	size_t unit = _Alignof(max_align_t);

	return (size + unit - 1) & ~(unit - 1);
}

void *
arena_alloc(struct arena *arena, size_t size)
{
	struct block *block = arena->last;
	size_t need = padded(size ? size : 1);

	if (size > SIZE_MAX / 2 || arena->failed ||
	    (arena->budget &&
		(need > arena->budget || arena->used > arena->budget - need))) {
		arena->failed = true;
		return NULL;
	}
	if (!block || block->size - block->used < need)
		block = add_block(arena, need);
	if (!block) {
		arena->failed = true;
		return NULL;
	}
	void *p = block->data + block->used;
	block->used += need;
	arena->used += need;
	return p;
}

void *
arena_zalloc(struct arena *arena, size_t size)
{
	void *p = arena_alloc(arena, size);

	if (p)
		memset(p, 0, size);
	return p;
}

void *
arena_calloc(struct arena *arena, size_t count, size_t size)
{
	size_t all;

	if (__builtin_mul_overflow(count, size, &all)) {
		arena->failed = true;
		return NULL;
	}
	return arena_zalloc(arena, all);
}

void *
arena_grow(struct arena *arena, void *old, size_t old_size, size_t size)
{
	struct block *block = arena->last;

	if (size > SIZE_MAX / 2) {
		arena->failed = true;
		return NULL;
	}
	if (old && block) {
		size_t had = padded(old_size ? old_size : 1);
		size_t need = padded(size);
		char *end = block->data + block->used;
		bool last = (char *)old + had == end;
		if (need <= had)
			return old;
		if (last && need - had <= block->size - block->used &&
		    !arena->failed &&
		    !(arena->budget &&
			arena->used > arena->budget - (need - had))) {
			block->used += need - had;
			arena->used += need - had;
			return old;
		}
	}
	void *p = arena_alloc(arena, size);
	if (p && old)
		memcpy(p, old, old_size < size ? old_size : size);
	return p;
}

struct span
arena_span(struct arena *arena, struct span s)
{
	char *p = arena_alloc(arena, s.len);

	if (!p)
		return SPAN_NONE;
	if (s.len)
		memcpy(p, s.p, s.len);
	return span_make(p, s.len);
}

struct span
arena_lower(struct arena *arena, struct span s)
{
	char *p = arena_alloc(arena, s.len);

	if (!p)
		return SPAN_NONE;
	for (size_t i = 0; i < s.len; i++)
		p[i] = ascii_lower(s.p[i]);
	return span_make(p, s.len);
}

char *
arena_cstr(struct arena *arena, struct span s)
{
	char *p = arena_alloc(arena, s.len + 1);

	if (p)
		span_copy(s, p, s.len + 1);
	return p;
}

struct span
arena_printf(struct arena *arena, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	int n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	char *p = n < 0 ? NULL : arena_alloc(arena, (size_t)n + 1);
	if (!p)
		return SPAN_NONE;
	va_start(ap, fmt);
	vsnprintf(p, (size_t)n + 1, fmt, ap);
	va_end(ap);
	return span_make(p, (size_t)n);
}

int
arena_cleanup(struct arena *arena, arena_cleanup_fn *fn, void *arg)
{
	struct cleanup *c = arena_alloc(arena, sizeof *c);

	if (!c) {
		fn(arg);
		return ERR_NOMEM;
	}
	*c = (struct cleanup){arena->cleanups, fn, arg};
	arena->cleanups = c;
	return 0;
}

bool
arena_failed(const struct arena *arena)
{
	return arena->failed;
}

void
arena_fail(struct arena *arena)
{
	arena->failed = true;
}

size_t
arena_used(const struct arena *arena)
{
	return arena->used;
}
