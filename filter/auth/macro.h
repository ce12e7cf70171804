#ifndef FILTER_AUTH_MACRO_H
#define FILTER_AUTH_MACRO_H

#include "filter/base/arena.h"
#include "filter/base/ip.h"
#include "filter/base/span.h"

/* SPF macro strings (RFC 7208 section 7). */
struct macro_context {
	struct span sender_local, sender_domain; /* of the identity checked */
	struct span helo;
	struct span domain; /* %{d}: the current record's domain */
	struct ip ip;
	struct span receiver; /* %{r}; empty: "unknown" */
	int64_t time;         /* %{t} */
	/* %{p}: asked only when the macro stands there; may be NULL. */
	struct span (*validated_name)(void *arg);
	void *arg;
};

/*
 * True when the text is a macro-string: only valid macros, %%, %_, %-, and
 * printable ASCII. `explanation` also allows blanks and the macros c, r, t.
 */
bool macro_valid(struct span text, bool explanation);
/* True for a domain-spec: a macro-string that ends in a name's last label or
 * in a macro. */
bool macro_is_domain_spec(struct span text);

/*
 * Expands; `explanation` allows c, r, t. For a domain-spec the result is
 * without a final dot and cut to 253 bytes by removing whole labels from the
 * left (7.3). Values are copied as they are: the result may hold any byte.
 * ERR_SYNTAX, ERR_LIMIT (more than 64 KB), ERR_NOMEM. Memory: arena.
 */
int macro_expand(const struct macro_context *context, struct span text,
    bool explanation, struct arena *arena, struct span *ret) MUST_USE;

#endif
