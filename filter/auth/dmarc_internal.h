#ifndef FILTER_AUTH_DMARC_INTERNAL_H
#define FILTER_AUTH_DMARC_INTERNAL_H

#include "filter/auth/dmarc.h"

/* True when the text begins with the version tag of a DMARC record. */
bool dmarc_has_version(struct span text);

/* --- dmarc_walk.c: the DNS tree walk (RFC 9989 section 4.10) ------------------ */

/* A record of an answer in its parsed form, which hangs on the answer. */
struct dmarc_form {
	bool found;  /* it can be read */
	bool usable; /* its policy can be applied */
	struct dmarc_record record;
};

struct dmarc_step {
	struct span domain; /* asked about */
	/* The one DMARC record there; NULL: none that can be read. */
	const struct dmarc_form *form;
};

struct dmarc_walk {
	size_t n; /* steps taken; the first is the domain itself */
	struct dmarc_step steps[DMARC_QUERIES_MAX];
	bool broken; /* the last step's answer cannot be had: no org domain */
	struct span org; /* organisational domain; p NULL when broken */
	/* The record at `org` and the one of the public suffix above it. */
	const struct dmarc_step *org_step, *psd_step;
};

/* `domain` in A-labels; must live as long as `ret`. May block on DNS. */
void dmarc_walk(struct dmarc_walk *ret, struct span domain,
    struct dns_batch *dns, struct arena *arena);

/* The name of a From domain as A-labels; ERR_SYNTAX for what is none, an
 * address literal among it. */
int dmarc_author_domain(
    struct span text, struct arena *arena, struct span *ret) MUST_USE;

#endif
