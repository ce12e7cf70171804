#include "filter/auth/keyring_internal.h"

#include <unistd.h>

#include "filter/base/buf.h"
#include "filter/base/file.h"
#include "filter/mail/domain.h"

/*
 * OpenDKIM's KeyTable and SigningTable as part of a keyring. Everything is read
 * when the configuration is: keys in files are opened now, and a path with `%`
 * (the sender's domain) is opened for each domain that has such a file now, so
 * that a bad key is an error at the start and not a signature less at night.
 *
 * Differs from OpenDKIM: rows of the same key sign together; a sender of whom
 * the SigningTable says nothing is looked up in the folder; a name that the
 * KeyTable lacks is an error at once.
 */

#define TABLE_MAX ((size_t)64 << 20)
#define PLACE SPAN("%")

/* --- the KeyTable ------------------------------------------------------------------------ */

static bool
is_path(struct span text)
{
	return span_starts(text, SPAN("/")) || span_starts(text, SPAN("./")) ||
	       span_starts(text, SPAN("../"));
}

/* Paths are relative to the table's folder: a daemon's own is nobody's. */
static const char *
absolute(struct keyring_loader *l, const char *table, struct span path)
{
	size_t slash = span_rfind_char(span_of(table), '/');

	if (path.p[0] == '/' || slash == SPAN_NPOS)
		return arena_cstr(l->arena, path);
	return arena_cstr(l->arena,
	    arena_printf(l->arena, "%.*s/%.*s",
		SPAN_ARG(span_head(span_of(table), slash)), SPAN_ARG(path)));
}

/* `text` with each `%` replaced. */
static struct span
replace(struct span text, struct span domain, struct arena *arena)
{
	struct buf out;

	buf_init(&out, arena, text.len * (domain.len + 1) + 1);
	for (size_t i = 0; i < text.len; i++)
		if (text.p[i] == '%')
			buf_add_span(&out, domain);
		else
			buf_add_char(&out, text.p[i]);
	return buf_failed(&out) ? SPAN_NONE : buf_span(&out);
}

/* One file of a path with `%`; a domain without a file is none of ours. */
static void
load_of_domain(struct keyring_loader *l, struct keyring_entry *entry,
    const struct sign_row *row, struct span path, struct span name)
{
	const char *file = arena_cstr(l->arena, replace(path, name, l->arena));
	struct span domain;
	struct err err;

	if (!file || access(file, F_OK) != 0 ||
	    domain_normalise(name, l->arena, &domain))
		return;
	struct sign_key *key = keyring_key_of(l, file, &err);
	if (!key)
		keyring_complain(
		    l, l->keyring->keys.path, row->line, "%s", err.text);
	else if (map_put(&entry->keys, domain, key) == 0)
		entry->n_keys++;
}

/* Lists the folder in which the first part with `%` stands. */
static void
load_each_domain(struct keyring_loader *l, struct keyring_entry *entry,
    const struct sign_row *row, struct span path)
{
	size_t at = span_find_char(path, '%');
	size_t from = span_rfind_char(span_head(path, at), '/') + 1;
	struct span part = span_skip(path, from);
	struct span *names;
	struct err err;
	size_t n;

	part = span_head(part, span_find_char(part, '/'));
	struct span head = span_head(part, span_find_char(part, '%'));
	struct span tail = span_skip(part, head.len + 1);
	map_init(&entry->keys, l->arena, true);
	if (span_find_char(tail, '%') != SPAN_NPOS) {
		keyring_complain(l, l->keyring->keys.path, row->line,
		    "more than one %% in one part of a path");
		return;
	}
	const char *folder = arena_cstr(l->arena, span_head(path, from));
	if (!folder || file_list(folder, NULL, l->arena, &names, &n, &err)) {
		keyring_complain(l, l->keyring->keys.path, row->line, "%s",
		    folder ? err.text : "out of memory");
		return;
	}
	for (size_t i = 0; i < n; i++)
		if (names[i].len > head.len + tail.len &&
		    span_starts(names[i], head) && span_ends(names[i], tail))
			load_of_domain(l, entry, row, path,
			    span_head(span_skip(names[i], head.len),
				names[i].len - head.len - tail.len));
}

/* A key that stands in the table itself; its file is a secret then. */
static const struct sign_key *
parse_inline(struct keyring_loader *l, struct span text, struct err *err)
{
	struct sign_key *key;
	int fd;

	if (file_open_private(l->keyring->keys.path, &fd, err))
		return NULL;
	close(fd);
	if (sign_key_parse(text, &key, err))
		return NULL;
	if (!keyring_own(l->keyring, key)) {
		err_set(err, ERR_NOMEM, "out of memory");
		return NULL;
	}
	return key;
}

static const char *
read_names(struct keyring_loader *l, struct keyring_entry *entry,
    const struct sign_row *row)
{
	entry->any_domain = span_eq(row->parts[0], PLACE);
	if (!entry->any_domain &&
	    (domain_normalise(row->parts[0], l->arena, &entry->domain) ||
		!keyring_is_selector(entry->domain)))
		return "no domain name, nor %";
	if (!keyring_is_selector(row->parts[1]))
		return "no selector";
	entry->selector = row->parts[1];
	return row->same ? "the same key stands in another line too" : NULL;
}

static void
load_entry(struct keyring_loader *l, struct sign_row *row)
{
	struct keyring_entry *entry = arena_zalloc(l->arena, sizeof *entry);
	const char *table = l->keyring->keys.path;
	struct span where = row->parts[2];
	struct err err = {.text = "out of memory"};

	if (!entry)
		return;
	row->use = entry;
	const char *problem = read_names(l, entry, row);
	if (problem) {
		keyring_complain(l, table, row->line, "%s", problem);
		return;
	}
	const char *path = is_path(where) ? absolute(l, table, where) : NULL;
	if (path && span_find_char(where, '%') != SPAN_NPOS) {
		load_each_domain(l, entry, row, span_of(path));
		return;
	}
	entry->key =
	    path ? keyring_key_of(l, path, &err) : parse_inline(l, where, &err);
	if (!entry->key)
		keyring_complain(l, table, row->line, "%s", err.text);
}

/* --- the SigningTable ------------------------------------------------------------------------ */

/* A name that stands there is looked up now; `%` with each sender. */
static void
bind_row(struct keyring_loader *l, struct sign_row *row)
{
	for (; row; row = row->same) {
		if (span_eq(row->parts[0], PLACE))
			continue;
		const struct sign_row *key =
		    sign_table_find(&l->keyring->keys, row->parts[0]);
		if (key)
			row->use = key->use;
		else
			keyring_complain(l, l->keyring->senders.path, row->line,
			    "no key \"%.*s\" in %s", SPAN_ARG(row->parts[0]),
			    l->keyring->keys.path);
	}
}

static bool
read_table(struct keyring_loader *l, const char *option, struct span place,
    unsigned parts_min, unsigned parts_max, struct sign_table *ret)
{
	bool patterns = span_starts(place, SPAN("refile:"));
	size_t skip = patterns ? 7 : span_starts(place, SPAN("file:")) ? 5 : 0;
	const char *path = arena_cstr(l->arena, span_skip(place, skip));
	struct sign_table_request request = {
	    .path = path,
	    .patterns = patterns,
	    .parts_min = parts_min,
	    .parts_max = parts_max,
	    .report = l->report,
	    .arg = l->arg,
	};
	struct span text;
	struct err err;

	if (!path)
		return false;
	if (*path != '/' && *path != '.') {
		keyring_complain(l, NULL, 0,
		    "%s: \"%.*s\" is no PATH, file:PATH or refile:PATH", option,
		    SPAN_ARG(place));
		return false;
	}
	if (file_read(path, TABLE_MAX, l->arena, &text, &err)) {
		keyring_complain(l, NULL, 0, "%s: %s", option, err.text);
		return false;
	}
	if (sign_table_parse(ret, text, &request, l->arena)) {
		l->failed = true;
		return false;
	}
	return true;
}

void
keyring_load_tables(struct keyring_loader *l)
{
	const struct keyring_source *source = l->source;
	struct keyring *keyring = l->keyring;

	if (!source->key_table.len && !source->signing_table.len)
		return;
	if (!source->key_table.len || !source->signing_table.len) {
		keyring_complain(l, NULL, 0,
		    "auth.key_table and auth.signing_table go together");
		return;
	}
	if (!read_table(l, "auth.key_table", source->key_table,
		SIGN_TABLE_PARTS, SIGN_TABLE_PARTS, &keyring->keys))
		return;
	for (size_t i = 0; i < keyring->keys.rows.n; i++)
		load_entry(l, keyring->keys.rows.v[i]);
	if (!read_table(l, "auth.signing_table", source->signing_table, 1, 2,
		&keyring->senders))
		return;
	for (size_t i = 0; i < keyring->senders.rows.n; i++)
		bind_row(l, keyring->senders.rows.v[i]);
	keyring->has_tables = true;
}

/* --- who signs ---------------------------------------------------------------------------------- */

/* i= must be in the domain of d= or below it; else it is left out, as
 * OpenDKIM does. */
static struct span
identity_of(const struct sign_row *row, struct span sender, struct span d,
    struct arena *arena)
{
	if (!row->parts[1].p)
		return SPAN_NONE;
	struct span identity = replace(row->parts[1], sender, arena);
	size_t at = span_rfind_char(identity, '@');
	struct span domain;

	if (at == SPAN_NPOS ||
	    domain_normalise(span_skip(identity, at + 1), arena, &domain))
		return SPAN_NONE;
	return domain_is_below(domain, d) ? identity : SPAN_NONE;
}

static bool
signer_of(const struct keyring *keyring, const struct sign_row *row,
    struct span domain, struct arena *arena, struct signer *ret)
{
	const struct keyring_entry *entry = row->use;

	if (!entry) {
		const struct sign_row *key =
		    sign_table_find(&keyring->keys, domain);
		if (!key)
			return false;
		entry = key->use;
	}
	ret->key = entry->key ? entry->key : map_get(&entry->keys, domain);
	ret->domain = entry->any_domain ? domain : entry->domain;
	ret->selector = entry->selector;
	ret->identity = identity_of(row, domain, ret->domain, arena);
	return ret->key != NULL;
}

size_t
keyring_table_find(const struct keyring *keyring, struct span local,
    struct span domain, struct arena *arena,
    struct signer ret[KEYRING_SIGNERS_MAX])
{
	const struct sign_row *row =
	    keyring->has_tables
		? sign_table_sender(&keyring->senders, local, domain, arena)
		: NULL;
	size_t n = 0;

	for (; row && n < KEYRING_SIGNERS_MAX; row = row->same)
		if (signer_of(keyring, row, domain, arena, &ret[n]))
			n++;
	return n;
}
