#ifndef FILTER_DNS_NAME_H
#define FILTER_DNS_NAME_H

#include <stddef.h>
#include <stdint.h>

#include "filter/base/span.h"

/*
 * The three forms of a name inside this folder:
 *
 *	folded  what is asked: lower case, no final dot, bytes as they are,
 *	        every '.' ends a label
 *	wire    RFC 1035 section 3.1: length bytes and labels, root last
 *	text    what answers show: as folded, but a byte of a label that is a
 *	        dot, a backslash or outside 0x21-0x7e is \DDD
 */
#define NAME_FOLDED_MAX 253
#define NAME_WIRE_MAX 255
#define NAME_LABEL_MAX 63
#define NAME_TEXT_MAX (4 * NAME_WIRE_MAX)

/*
 * Folds a name as it was asked. Returns its length, 0 when it is bad: empty,
 * over 253 bytes, a label that is empty or over 63 bytes.
 */
size_t name_fold(struct span name, char to[NAME_FOLDED_MAX]);

/* From a folded name; returns the length. An empty one is the root. */
size_t name_to_wire(struct span folded, uint8_t to[NAME_WIRE_MAX]);

/*
 * The text of the uncompressed name at the start of `wire`; the root is "".
 * Returns how many bytes the name took, 0 when it is no name.
 */
size_t name_to_text(struct span wire, char to[NAME_TEXT_MAX], size_t *ret_len);

#endif
