#ifndef FILTER_BASE_VEC_H
#define FILTER_BASE_VEC_H

#include "filter/base/arena.h"

/*
 * Typed arrays that grow inside an arena.
 *
 *	struct names VEC(struct span);  struct { struct span *v; size_t n, size; }
 *	struct span *s = VEC_PUSH(arena, &names);   NULL on failure
 *
 * A pushed item is not cleared. Pointers into the array move when it grows.
 */
#define VEC(type)                                                              \
	{                                                                      \
		type *v;                                                       \
		size_t n, size;                                                \
	}

#define VEC_PUSH(arena, vec)                                                   \
	(vec_room((arena), (void **)(void *)&(vec)->v, (vec)->n, &(vec)->size, \
	     sizeof *(vec)->v)                                                 \
		? &(vec)->v[(vec)->n++]                                        \
		: NULL)

static inline bool
vec_room(struct arena *arena, void **v, size_t n, size_t *size, size_t item)
{
	size_t want;

	if (n < *size)
		return true;
	size_t more = *size ? *size * 2 : 8;
	if (__builtin_mul_overflow(more, item, &want))
		return false;
	void *p = arena_grow(arena, *v, *size * item, want);
	if (!p)
		return false;
	*v = p;
	*size = more;
	return true;
}

#endif
