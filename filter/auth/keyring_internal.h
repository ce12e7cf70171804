#ifndef FILTER_AUTH_KEYRING_INTERNAL_H
#define FILTER_AUTH_KEYRING_INTERNAL_H

#include "filter/auth/keyring.h"
#include "filter/auth/sign_table.h"
#include "filter/base/map.h"
#include "filter/base/vec.h"

/* Shared by keyring.c (the folder, and who signs) and keyring_table.c. */

/* The keys of one folder. */
struct keyring_folder {
	struct span domain; /* A-labels; of *.DOMAIN the DOMAIN */
	struct signer signers[KEYRING_SIGNERS_MAX];
	size_t n;
};

/* A row of the KeyTable. */
struct keyring_entry {
	bool any_domain; /* d= is the sender's: `%` */
	struct span domain, selector;
	const struct sign_key *key; /* NULL: `keys` */
	struct map keys;            /* sender's domain to key: a path with % */
	size_t n_keys;
};

struct keyring {
	struct arena *arena;
	struct keyring_folders VEC(struct keyring_folder *) folders;
	struct map exact, below; /* domain to folder */
	struct map files;        /* path to key: many rows may name one file */
	bool has_tables;
	struct sign_table keys, senders;
	size_t n_keys;
};

struct keyring_loader {
	struct keyring *keyring;
	struct arena *arena;
	const struct keyring_source *source;
	keyring_report_fn *report;
	void *arg;
	bool failed;
};

/* "PATH:LINE: text"; without a line 0. */
void keyring_complain(struct keyring_loader *loader, const char *path,
    unsigned line, const char *fmt, ...) PRINTF(4, 5);
/* The key of a file, read once; NULL with `err` filled. */
struct sign_key *keyring_key_of(
    struct keyring_loader *loader, const char *path, struct err *err);
/* Has the key freed with the keyring; false without memory. */
bool keyring_own(struct keyring *keyring, struct sign_key *key);

/* Reads both tables. Errors are reported. */
void keyring_load_tables(struct keyring_loader *loader);
/* What the tables say of a sender; 0 when they say nothing. */
size_t keyring_table_find(const struct keyring *keyring, struct span local,
    struct span domain, struct arena *arena,
    struct signer ret[KEYRING_SIGNERS_MAX]);

#endif
