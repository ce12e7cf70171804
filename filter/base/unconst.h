#ifndef FILTER_BASE_UNCONST_H
#define FILTER_BASE_UNCONST_H

#include <stdint.h>

/*
 * Takes const away. Only for libraries that read what they are given and do
 * not say so in their prototypes (libmilter, libopendkim, lmdb, iconv).
 */
static inline void *
unconst(const void *p)
{
	return (void *)(uintptr_t)p;
}

#endif
