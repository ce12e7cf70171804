#ifndef FILTER_AUTH_KEYRING_H
#define FILTER_AUTH_KEYRING_H

#include "filter/auth/sign_key.h"
#include "filter/base/arena.h"

/*
 * All private keys of a configuration, and whose mail each of them signs. Read
 * once with a snapshot, never changed: a reload reads them anew.
 *
 * In the folder, DOMAIN/SELECTOR.pem signs mail From DOMAIN, all selectors at
 * once (RSA and Ed25519). A folder named *.DOMAIN signs mail From what is below
 * DOMAIN and has no folder of its own, with d=DOMAIN; the nearest one counts.
 * A SigningTable goes before the folder: what it says of a sender is all.
 */
struct keyring;

struct keyring_source {
	struct span folder;
	bool folder_named; /* not the default: its absence is worth a word */
	/* OpenDKIM's tables: PATH, file:PATH or refile:PATH; empty: none */
	struct span key_table, signing_table;
};

/* Errors (and warnings) come as "PATH[:LINE]: text". */
typedef void keyring_report_fn(void *arg, bool warning, const char *text);

/*
 * Reads all keys at once and reports all that is wrong with them. Returns 0
 * and a keyring, be it empty; ERR_INVALID after errors; ERR_NOMEM.
 */
int keyring_load(const struct keyring_source *source, keyring_report_fn *report,
    void *arg, struct keyring **ret) MUST_USE;
void keyring_free(struct keyring *keyring);           /* accepts NULL */
bool keyring_is_empty(const struct keyring *keyring); /* of NULL: true */

#define KEYRING_SIGNERS_MAX 16 /* of one sender */

/* One signature to be made. The spans live as long as the keyring, or in the
 * arena given. */
struct signer {
	const struct sign_key *key;
	struct span domain, selector; /* d=, s=; A-labels */
	struct span identity;         /* i= or empty */
};

/*
 * Who signs mail of a sender. Does not ask whether it may be signed.
 *
 * local   the local part, unquoted; may be empty
 * domain  A-labels, lower case
 *
 * Returns how many of `ret` were filled; none: no key. Thread: any.
 */
size_t keyring_find(const struct keyring *keyring, struct span local,
    struct span domain, struct arena *arena,
    struct signer ret[KEYRING_SIGNERS_MAX]);

/* The keys whose d= is this domain: of its folder, else of the KeyTable. For
 * seals and for reports. */
size_t keyring_domain(const struct keyring *keyring, struct span domain,
    struct signer ret[KEYRING_SIGNERS_MAX]);

/* Calls for each key that has a domain and a selector of its own. */
typedef void keyring_each_fn(void *arg, const struct signer *signer);
void keyring_each(
    const struct keyring *keyring, keyring_each_fn *fn, void *arg);

/* Letters, digits, hyphens, underscores in labels: what s= may be. */
bool keyring_is_selector(struct span text);

#endif
