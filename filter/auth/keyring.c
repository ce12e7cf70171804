#include "filter/auth/keyring_internal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>

#include "filter/base/file.h"
#include "filter/mail/domain.h"

/*
 * The folder of keys, and the answer to "who signs for this sender". A keyring
 * lives in one arena; keys are freed by its cleanups. Whoever may write a
 * folder chooses the keys, so folders that all can write are refused like such
 * files are.
 */

#define SUFFIX ".pem"
#define TEXT_MAX 1024

/* --- for both files ------------------------------------------------------------------- */

void
keyring_complain(struct keyring_loader *loader, const char *path, unsigned line,
    const char *fmt, ...)
{
	char what[TEXT_MAX], text[TEXT_MAX * 2];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof what, fmt, ap);
	va_end(ap);
	if (line)
		snprintf(text, sizeof text, "%s:%u: %s", path, line, what);
	else if (path)
		snprintf(text, sizeof text, "%s: %s", path, what);
	else
		snprintf(text, sizeof text, "%s", what);
	loader->failed = true;
	loader->report(loader->arg, false, text);
}

static void
free_key(void *key)
{
	sign_key_free(key);
}

bool
keyring_own(struct keyring *keyring, struct sign_key *key)
{
	keyring->n_keys++;
	return arena_cleanup(keyring->arena, free_key, key) == 0;
}

struct sign_key *
keyring_key_of(struct keyring_loader *loader, const char *path, struct err *err)
{
	struct keyring *keyring = loader->keyring;
	struct sign_key *key = map_get(&keyring->files, span_of(path));

	if (key)
		return key;
	if (sign_key_load(path, &key, err))
		return NULL;
	if (!keyring_own(keyring, key) ||
	    map_put(&keyring->files, arena_span(keyring->arena, span_of(path)),
		key)) {
		err_set(err, ERR_NOMEM, "out of memory");
		return NULL;
	}
	return key;
}

bool
keyring_is_selector(struct span text)
{
	size_t label = 0;

	if (text.len > DOMAIN_MAX)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		char c = text.p[i];
		if (c == '.' && label == 0)
			return false;
		if (c != '.' && !ascii_is_alnum(c) && c != '-' && c != '_')
			return false;
		label = c == '.' ? 0 : label + 1;
		if (label > DOMAIN_LABEL_MAX)
			return false;
	}
	return label > 0;
}

/* --- the folder ------------------------------------------------------------------------- */

static const char *
path_of(struct keyring_loader *loader, const char *folder, struct span name)
{
	struct span path =
	    arena_printf(loader->arena, "%s/%.*s", folder, SPAN_ARG(name));

	return arena_cstr(loader->arena, path);
}

/* False: no folder, or one that is refused (then that is said). */
static bool
is_trusted_folder(struct keyring_loader *loader, const char *path)
{
	struct stat st;

	if (stat(path, &st) || !S_ISDIR(st.st_mode))
		return false;
	if ((st.st_mode & S_IWOTH) && !(st.st_mode & S_ISVTX)) {
		keyring_complain(loader, path, 0,
		    "others can write this folder (mode %04o); try chmod o-w",
		    (unsigned)(st.st_mode & 07777));
		return false;
	}
	return true;
}

static void
load_file(struct keyring_loader *loader, struct keyring_folder *folder,
    const char *path, struct span selector)
{
	struct err err;

	if (!keyring_is_selector(selector)) {
		keyring_complain(
		    loader, path, 0, "the file's name is no selector");
		return;
	}
	if (folder->n == KEYRING_SIGNERS_MAX) {
		keyring_complain(loader, path, 0,
		    "more than %d keys of one domain", KEYRING_SIGNERS_MAX);
		return;
	}
	struct sign_key *key = keyring_key_of(loader, path, &err);
	if (!key) {
		keyring_complain(loader, NULL, 0, "%s", err.text);
		return;
	}
	folder->signers[folder->n++] = (struct signer){
	    .key = key,
	    .domain = folder->domain,
	    .selector = arena_span(loader->arena, selector),
	};
}

static void
load_files(struct keyring_loader *loader, struct keyring_folder *folder,
    const char *path)
{
	struct span *names;
	struct err err;
	size_t n;

	if (file_list(path, SUFFIX, loader->arena, &names, &n, &err)) {
		keyring_complain(loader, NULL, 0, "%s", err.text);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		const char *file = path_of(loader, path, names[i]);
		if (file && names[i].p[0] != '.')
			load_file(loader, folder, file,
			    span_head(names[i], names[i].len - strlen(SUFFIX)));
	}
}

/* A folder DOMAIN or *.DOMAIN. */
static void
load_domain(struct keyring_loader *loader, const char *path, struct span name)
{
	struct keyring *keyring = loader->keyring;
	bool wild = span_starts(name, SPAN("*."));
	struct map *map = wild ? &keyring->below : &keyring->exact;
	struct keyring_folder *folder =
	    arena_zalloc(loader->arena, sizeof *folder);

	if (!folder)
		return;
	if (domain_normalise(span_skip(name, wild ? 2 : 0), loader->arena,
		&folder->domain) ||
	    !keyring_is_selector(folder->domain)) {
		keyring_complain(
		    loader, path, 0, "the folder's name is no domain name");
		return;
	}
	if (map_get(map, folder->domain)) {
		keyring_complain(loader, path, 0,
		    "another folder stands for %.*s", SPAN_ARG(folder->domain));
		return;
	}
	load_files(loader, folder, path);
	struct keyring_folder **to =
	    folder->n ? VEC_PUSH(loader->arena, &keyring->folders) : NULL;
	if (to && map_put(map, folder->domain, folder) == 0)
		*to = folder;
}

static void
load_folder(struct keyring_loader *loader)
{
	const struct keyring_source *source = loader->source;
	const char *path = arena_cstr(loader->arena, source->folder);
	struct span *names;
	struct err err;
	size_t n;

	if (!path || !*path)
		return;
	int rc = file_list(path, NULL, loader->arena, &names, &n, &err);
	if (rc == ERR_NOTFOUND) {
		if (source->folder_named)
			loader->report(loader->arg, true,
			    "auth.keys: no such folder, nothing is signed by"
			    " it");
		return;
	}
	if (rc) {
		keyring_complain(loader, NULL, 0, "auth.keys: %s", err.text);
		return;
	}
	if (!is_trusted_folder(loader, path))
		return;
	for (size_t i = 0; i < n; i++) {
		const char *below = path_of(loader, path, names[i]);
		if (below && is_trusted_folder(loader, below))
			load_domain(loader, below, names[i]);
	}
}

/* --- a keyring ------------------------------------------------------------------------------ */

int
keyring_load(const struct keyring_source *source, keyring_report_fn *report,
    void *arg, struct keyring **ret)
{
	struct arena *arena = arena_new(0);
	struct keyring *keyring =
	    arena ? arena_zalloc(arena, sizeof *keyring) : NULL;
	struct keyring_loader loader = {
	    .keyring = keyring,
	    .arena = arena,
	    .source = source,
	    .report = report,
	    .arg = arg,
	};

	if (keyring) {
		keyring->arena = arena;
		map_init(&keyring->exact, arena, true);
		map_init(&keyring->below, arena, true);
		map_init(&keyring->files, arena, false);
		load_folder(&loader);
		keyring_load_tables(&loader);
	}
	if (!keyring || arena_failed(arena) || loader.failed) {
		int rc =
		    keyring && !arena_failed(arena) ? ERR_INVALID : ERR_NOMEM;
		arena_free(arena);
		return rc;
	}
	*ret = keyring;
	return 0;
}

void
keyring_free(struct keyring *keyring)
{
	if (keyring)
		arena_free(keyring->arena);
}

bool
keyring_is_empty(const struct keyring *keyring)
{
	return !keyring || keyring->n_keys == 0;
}

/* --- who signs -------------------------------------------------------------------------------- */

static size_t
take(const struct keyring_folder *folder, struct signer *ret)
{
	for (size_t i = 0; i < folder->n; i++)
		ret[i] = folder->signers[i];
	return folder->n;
}

size_t
keyring_find(const struct keyring *keyring, struct span local,
    struct span domain, struct arena *arena,
    struct signer ret[KEYRING_SIGNERS_MAX])
{
	if (keyring_is_empty(keyring))
		return 0;
	size_t n = keyring_table_find(keyring, local, domain, arena, ret);
	if (n)
		return n;
	const struct keyring_folder *folder = map_get(&keyring->exact, domain);
	for (struct span d = domain_parent(domain); d.len && !folder;
	     d = domain_parent(d))
		folder = map_get(&keyring->below, d);
	return folder ? take(folder, ret) : 0;
}

size_t
keyring_domain(const struct keyring *keyring, struct span domain,
    struct signer ret[KEYRING_SIGNERS_MAX])
{
	size_t n = 0;

	if (keyring_is_empty(keyring))
		return 0;
	const struct keyring_folder *folder = map_get(&keyring->exact, domain);
	if (!folder)
		folder = map_get(&keyring->below, domain);
	if (folder)
		return take(folder, ret);
	for (size_t i = 0; i < keyring->keys.rows.n; i++) {
		const struct keyring_entry *e = keyring->keys.rows.v[i]->use;
		if (n < KEYRING_SIGNERS_MAX && e && e->key && !e->any_domain &&
		    span_caseeq(e->domain, domain))
			ret[n++] = (struct signer){
			    .key = e->key,
			    .domain = e->domain,
			    .selector = e->selector,
			};
	}
	return n;
}

void
keyring_each(const struct keyring *keyring, keyring_each_fn *fn, void *arg)
{
	if (!keyring)
		return;
	for (size_t i = 0; i < keyring->folders.n; i++)
		for (size_t k = 0; k < keyring->folders.v[i]->n; k++)
			fn(arg, &keyring->folders.v[i]->signers[k]);
	for (size_t i = 0; i < keyring->keys.rows.n; i++) {
		const struct keyring_entry *e = keyring->keys.rows.v[i]->use;
		struct signer signer;
		if (!e || !e->key || e->any_domain)
			continue;
		signer = (struct signer){
		    .key = e->key,
		    .domain = e->domain,
		    .selector = e->selector,
		};
		fn(arg, &signer);
	}
}
