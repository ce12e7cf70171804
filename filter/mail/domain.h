#ifndef FILTER_MAIL_DOMAIN_H
#define FILTER_MAIL_DOMAIN_H

#include "filter/base/arena.h"
#include "filter/base/span.h"

#define DOMAIN_MAX 253 /* bytes of a name without its final dot, RFC 1035 */
#define DOMAIN_LABEL_MAX 63

/*
 * The form in which names are compared and asked: A-labels (RFC 5891, UTS 46
 * non-transitional), lower case, no final dot. ERR_SYNTAX: empty, a label that
 * is empty or too long, over 253 bytes, NUL, controls or blanks, an invalid
 * U-label. Underscores and other printable ASCII pass. Memory: arena.
 */
int domain_normalise(
    struct span name, struct arena *arena, struct span *ret) MUST_USE;

/* Letters, digits, hyphens, underscores in labels; two labels at least. */
bool domain_is_fqdn(struct span name);

size_t domain_labels(struct span name);
/* The last `n` labels of a name (all of it when it has fewer). */
struct span domain_suffix(struct span name, size_t n);
/* Without the first label; empty for one label. */
struct span domain_parent(struct span name);
/* True when `name` is `parent` or below it; ASCII case ignored. */
bool domain_is_below(struct span name, struct span parent);

/*
 * True for a top-level domain of the Public Suffix List; `tld` is one label,
 * ASCII case ignored. (Names under others have a registrable domain too.)
 */
bool domain_tld_known(struct span tld);

/*
 * The registrable domain (Public Suffix List), a view into `name`; empty when
 * the name is a public suffix itself. For rules and lists; DMARC walks the
 * tree instead.
 */
struct span domain_registrable(struct span name);

#endif
