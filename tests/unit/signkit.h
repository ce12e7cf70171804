#ifndef TESTS_UNIT_SIGNKIT_H
#define TESTS_UNIT_SIGNKIT_H

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "filter/auth/sign_key.h"
#include "tests/lib/tap.h"

/* A folder for keys and tables, and what is put there. */

static char kit_folder[] = "/tmp/assay-sign-XXXXXX";

static inline const char *
kit_path(struct arena *a, const char *name)
{
	return arena_cstr(a, arena_printf(a, "%s/%s", kit_folder, name));
}

static inline int
kit_remove_one(
    const char *path, const struct stat *st, int type, struct FTW *where)
{
	(void)st;
	(void)type;
	(void)where;
	return remove(path);
}

static inline void
kit_begin(void)
{
	if (!mkdtemp(kit_folder))
		exit(1);
}

static inline void
kit_end(void)
{
	(void)nftw(kit_folder, kit_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Writes a file with a mode; folders on the way are made. */
static inline const char *
kit_write(struct arena *a, const char *name, struct span text, mode_t mode)
{
	const char *path = kit_path(a, name);
	char *folder = arena_cstr(a, span_of(path));

	for (char *p = folder + sizeof kit_folder; *p; p++)
		if (*p == '/') {
			*p = '\0';
			(void)mkdir(folder, 0755);
			*p = '/';
		}
	(void)unlink(path);
	FILE *f = fopen(path, "w");
	if (!f || fwrite(text.p, 1, text.len, f) != text.len || fclose(f) ||
	    chmod(path, mode))
		exit(1);
	return path;
}

/* A key made at the first question and kept: RSA of 1024 bits, or Ed25519. */
static inline const struct sign_key *
kit_key(enum sign_algorithm algorithm)
{
	static struct sign_key *keys[2];

	if (!keys[algorithm] &&
	    sign_key_make(algorithm, 1024, &keys[algorithm], NULL))
		exit(1);
	return keys[algorithm];
}

static inline struct span
kit_pem(struct arena *a, enum sign_algorithm algorithm)
{
	struct buf out;

	buf_init(&out, a, 65536);
	if (sign_key_pem(kit_key(algorithm), &out))
		exit(1);
	return buf_span(&out);
}

/* The key as a table of OpenDKIM holds it. */
static inline struct span
kit_base64(struct arena *a, enum sign_algorithm algorithm)
{
	struct span text = kit_pem(a, algorithm), line;
	struct buf out;

	buf_init(&out, a, 65536);
	while (span_line(&text, &line))
		if (!span_starts(line, SPAN("-----")))
			buf_add_span(&out, line);
	return buf_span(&out);
}

static inline struct span
kit_public(struct arena *a, const struct sign_key *key)
{
	struct buf out;

	buf_init(&out, a, 65536);
	if (sign_key_public(key, &out))
		exit(1);
	return buf_span(&out);
}

#endif
