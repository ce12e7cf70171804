#ifndef FILTER_CTL_PLACE_H
#define FILTER_CTL_PLACE_H

#include "filter/base/arena.h"
#include "filter/base/span.h"

/* Where a milter listens, as the three programs write it. */
enum place_kind {
	PLACE_NONE, /* not understood */
	PLACE_UNIX,
	PLACE_INET,
	PLACE_FD, /* a descriptor that systemd holds */
};

struct place {
	enum place_kind kind;
	struct span path; /* UNIX */
	struct span host; /* INET; empty: all addresses, or none named */
	struct span port; /* INET; digits or a name */
};

/* libmilter's and Sendmail's form: unix:PATH, local:PATH, PATH,
 * inet:PORT@HOST, inet6:.., fd:N. */
struct place place_of_libmilter(struct span text);
/* Postfix's: unix:PATH, inet:HOST:PORT, inet:[ADDRESS]:PORT. */
struct place place_of_postfix(struct span text);

/* Everybody on the network can connect there. */
bool place_is_public(const struct place *place);
/* A host name or address that means this machine alone. */
bool place_is_loopback(struct span host);

/* Paths with // and /./ and a final / compare as without. */
bool place_same_path(struct span a, struct span b);
/*
 * Whether an MTA that connects to `theirs` on this machine reaches who listens
 * at `ours`. Paths are compared as text; both have to be absolute.
 */
bool place_meets(const struct place *theirs, const struct place *ours);

/* FOLDER/PATH, normalised. */
struct span place_join(
    struct span folder, struct span path, struct arena *arena);
/* The part of `path` below `folder` (without a leading /), or SPAN_NONE. */
struct span place_below(
    struct span path, struct span folder, struct arena *arena);

#endif
