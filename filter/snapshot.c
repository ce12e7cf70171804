#include "filter/settings.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "filter/auth/keyring.h"
#include "filter/examine.h"

/*
 * Snapshots: settings, scorers and rules of one moment, counted and never
 * changed after they are published. A reload builds one beside the old.
 */

static void
report_conf(const struct conf *conf, settings_report_fn *report, void *arg)
{
	struct arena *arena = arena_new(0);

	for (size_t i = 0; arena && i < conf->errors.n; i++) {
		struct span text = conf_error_text(&conf->errors.v[i], arena);
		char *line = arena_cstr(arena, text);
		if (line)
			report(arg, false, line);
	}
	arena_free(arena);
}

static void
read_sources(struct conf *conf, const struct settings_source *source)
{
	/* What lists there are, for the site's files to use or to change. */
	int rc = conf_read(conf,
	    settings_in_build_tree() ? ASSAY_SRCDIR "/conf/lists.conf"
				     : ASSAY_DATADIR "/lists.conf",
	    false);

	rc |= conf_read(conf,
	    source->path ? source->path : ASSAY_CONFDIR "/assay.conf",
	    source->path != NULL);

	/* Errors are in the tree; all sources are read to find all of them. */
	for (size_t i = 0; i < source->n_assignments; i++)
		rc |= conf_set(conf, source->assignments[i]);
	(void)rc;
}

/* What a command's options put in place of the file's. */
static int
apply_source(struct snapshot *snapshot, const struct settings_source *source)
{
	struct settings *settings = &snapshot->settings;
	struct arena *arena = settings->conf->arena;

	if (source->dns_zone)
		settings->dns.zone = source->dns_zone;
	snapshot->scan.network = !source->local;
	if (source->n_rules == 0)
		return 0;
	struct span *paths =
	    arena_calloc(arena, source->n_rules, sizeof *paths);
	if (!paths)
		return ERR_NOMEM;
	for (size_t i = 0; i < source->n_rules; i++)
		paths[i] = span_of(source->rules[i]);
	settings->rule_paths = paths;
	settings->n_rule_paths = source->n_rules;
	return 0;
}

/* A seal that is asked for and cannot be made. */
static void
report_seal(
    const struct snapshot *snapshot, settings_report_fn *report, void *arg)
{
	struct signer signers[KEYRING_SIGNERS_MAX];
	struct span domain = snapshot->settings.sign.seal;
	char text[512];
	struct buf out;

	if (!domain.len || keyring_domain(snapshot->keyring, domain, signers))
		return;
	buf_init(&out, NULL, sizeof text - 1);
	buf_printf(&out,
	    "auth.seal: there is no key of %.*s, nothing is sealed",
	    SPAN_ARG(domain));
	(void)span_copy(buf_span(&out), text, sizeof text);
	buf_done(&out);
	report(arg, true, text);
}

static int
load_keys(struct snapshot *snapshot, const struct settings_source *source,
    settings_report_fn *report, void *arg)
{
	const struct sign_settings *sign = &snapshot->settings.sign;
	struct keyring_source from = {
	    .folder = sign->keys,
	    .folder_named = sign->keys_named,
	    .key_table = sign->key_table,
	    .signing_table = sign->signing_table,
	};

	if (!source->keys)
		return 0;
	int rc = keyring_load(&from, report, arg, &snapshot->keyring);
	if (rc == 0)
		report_seal(snapshot, report, arg);
	return rc;
}

struct snapshot *
snapshot_load(
    const struct settings_source *source, settings_report_fn *report, void *arg)
{
	struct snapshot *snapshot = calloc(1, sizeof *snapshot);
	struct conf *conf = conf_new();

	if (!snapshot || !conf) {
		free(snapshot);
		conf_free(conf);
		report(arg, false, "out of memory");
		return NULL;
	}
	snapshot->refs = 1;
	snapshot->settings.conf = conf;
	read_sources(conf, source);
	int rc = settings_read(&snapshot->settings, &snapshot->scan);
	if (rc == 0)
		rc = apply_source(snapshot, source);
	report_conf(conf, report, arg);
	if (rc == 0)
		rc = load_keys(snapshot, source, report, arg);
	if (rc == ERR_NOMEM)
		report(arg, false, "out of memory");
	if (rc == 0)
		snapshot->engine = engine_open(
		    &snapshot->settings, &snapshot->scan, source, report, arg);
	if (!snapshot->engine) {
		snapshot_unref(snapshot);
		return NULL;
	}
	return snapshot;
}

struct snapshot *
snapshot_ref(struct snapshot *snapshot)
{
	atomic_fetch_add_explicit(&snapshot->refs, 1, memory_order_relaxed);
	return snapshot;
}

void
snapshot_unref(struct snapshot *snapshot)
{
	if (!snapshot || atomic_fetch_sub_explicit(
			     &snapshot->refs, 1, memory_order_acq_rel) != 1)
		return;
	engine_close(snapshot->engine);
	keyring_free(snapshot->keyring);
	conf_free(snapshot->settings.conf);
	free(snapshot);
}

/* --- what only a restart changes ------------------------------------------------ */

static void
copy_value(struct option_value *to, const struct option_value *from,
    struct arena *arena)
{
	to->number = from->number;
	to->text = arena_span(arena, from->text);
	to->items = arena_calloc(arena, from->n, sizeof *to->items);
	to->n = to->items ? from->n : 0;
	for (size_t i = 0; i < to->n; i++)
		to->items[i] = arena_span(arena, from->items[i]);
}

static void
keep_section(const struct section *old, struct section *fresh,
    struct arena *fresh_arena, struct buf *names)
{
	struct arena *arena = names->arena;

	for (size_t i = 0; i < fresh->n; i++) {
		const struct option_value *was = &old->values[i];
		struct option_value *is = &fresh->values[i];
		if (!(is->option->flags & OPTION_RESTART) ||
		    span_eq(
			option_format(was, arena), option_format(is, arena)))
			continue;
		copy_value(is, was, fresh_arena);
		buf_printf(names, "%s%s%s%s", names->len ? ", " : "",
		    fresh->kind->name, *fresh->kind->name ? "." : "",
		    is->option->name);
	}
}

struct span
snapshot_keep_restart_only(
    const struct snapshot *old, struct snapshot *fresh, struct arena *arena)
{
	struct settings *settings = &fresh->settings;
	struct buf names;

	buf_init(&names, arena, 4096);
	for (size_t i = 0; i < SETTINGS_KINDS; i++)
		if (!settings_kinds[i]->titled)
			keep_section(&old->settings.groups[i].sections[0],
			    &settings->groups[i].sections[0],
			    settings->conf->arena, &names);
	/* The values were good when the old snapshot was loaded. */
	if (names.len && settings_fill(settings, &fresh->scan))
		return SPAN("out of memory");
	return buf_span(&names);
}
