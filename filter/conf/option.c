#include "filter/conf/option.h"

#include <assert.h>

#include "filter/base/buf.h"
#include "filter/conf/option_form.h"
#include "filter/conf/tree.h"

/*
 * Typed views of a configuration tree. Defaults are written as a file would
 * write them and go through the same code; a bad one is a mistake of ours.
 * option_form.c knows the forms of values, nearest.c what was meant.
 */

#define QUOTED_MAX 60 /* bytes of a value that an error repeats */

static size_t
count_options(const struct option *options)
{
	size_t n = 0;

	while (options && options[n].name)
		n++;
	return n;
}

/* "; did you mean "NAME"?", or nothing. */
static const char *
suggestion(
    struct arena *arena, struct span word, const char *const *names, size_t n)
{
	const char *near = names ? option_nearest(word, names, n) : NULL;

	if (!near)
		return "";
	struct span text = arena_printf(arena, "; did you mean \"%s\"?", near);
	return text.p ? text.p : "";
}

/* --- one value ------------------------------------------------------------------- */

static bool
bad_range(
    struct conf *conf, struct conf_where where, const struct option *option)
{
	struct buf low, high;

	buf_init(&low, conf->arena, CONF_NAME_MAX);
	buf_init(&high, conf->arena, CONF_NAME_MAX);
	option_format_number(&low, option->type, option->min);
	option_format_number(&high, option->type, option->max);
	conf_fail(conf, where, "%s: out of range, %s to %s", option->name,
	    buf_str(&low), buf_str(&high));
	return false;
}

static bool
read_number(struct conf *conf, struct conf_where where, struct span text,
    struct option_value *value)
{
	const struct option *option = value->option;
	bool ranged = option->min || option->max;
	int rc = option_parse_number(option->type, text, &value->number);

	if (rc == ERR_LIMIT && ranged)
		return bad_range(conf, where, option);
	if (rc) {
		conf_fail(conf, where, "%s: %s%s, not \"%.*s\"", option->name,
		    rc == ERR_LIMIT ? "too large; expected " : "expected ",
		    option_expected(option->type),
		    SPAN_ARG(span_head(text, QUOTED_MAX)));
		return false;
	}
	if (ranged && value->number != OPTION_OFF &&
	    (value->number < option->min || value->number > option->max))
		return bad_range(conf, where, option);
	return true;
}

static bool
bad_word(struct conf *conf, struct conf_where where, struct span text,
    const struct option *option)
{
	struct names VEC(const char *) names = {0};
	struct span rest = span_of(option->choices), one;

	while ((one = span_word(&rest)).len) {
		const char **to = VEC_PUSH(conf->arena, &names);
		if (!to || !(*to = arena_cstr(conf->arena, one)))
			return false;
	}
	conf_fail(conf, where, "%s: \"%.*s\" is none of: %s%s", option->name,
	    SPAN_ARG(span_head(text, QUOTED_MAX)), option->choices,
	    suggestion(conf->arena, text, names.v, names.n));
	return false;
}

/* Types an entry's text or items into `value`, which knows its option. */
static bool
read_value(struct conf *conf, const struct conf_entry *entry,
    struct option_value *value)
{
	const struct option *option = value->option;
	struct conf_where where = entry->value_where;

	if (option->type == OPTION_LIST) {
		value->items = entry->items;
		value->n = entry->n;
		return true;
	}
	/* Commas of -o part nothing here. */
	if (entry->raw.p) {
		value->text = entry->raw;
	} else if (!entry->list && entry->n == 1) {
		value->text = entry->items[0];
	} else {
		conf_fail(conf, where, "%s: expected one value, not a list",
		    option->name);
		return false;
	}
	if (option->type == OPTION_TEXT)
		return true;
	if (option->type != OPTION_WORD)
		return read_number(conf, where, value->text, value);
	value->number = option_choice_index(option->choices, value->text);
	return value->number >= 0 || bad_word(conf, where, value->text, option);
}

/* "" stands for an empty text or list. */
static void
read_default(struct conf *conf, struct option_value *value)
{
	const struct option *option = value->option;
	struct conf_entry entry = {0};
	struct span nothing = SPAN("");
	int rc = 0;

	if (*option->def) {
		rc =
		    conf_parse_value(conf->arena, span_of(option->def), &entry);
	} else if (option->type != OPTION_LIST) {
		entry.items = &nothing;
		entry.n = 1;
	}
	if (rc == ERR_NOMEM) {
		arena_fail(conf->arena);
		return;
	}
	bool good = rc == 0 && read_value(conf, &entry, value);
	assert(good || arena_failed(conf->arena));
}

/* --- sections -------------------------------------------------------------------- */

static struct option_value *
find_value(const struct section *section, struct span name)
{
	for (size_t i = 0; i < section->n; i++)
		if (span_is(name, section->values[i].option->name))
			return &section->values[i];
	return NULL;
}

/* Reports an unknown key, with the nearest of the section's options. */
static void
unknown_key(struct conf *conf, const struct section *section,
    const struct conf_entry *entry)
{
	const char **names =
	    arena_calloc(conf->arena, section->n, sizeof *names);
	const char *kind = section->kind->name;

	for (size_t i = 0; names && i < section->n; i++)
		names[i] = section->values[i].option->name;
	conf_fail(conf, entry->where, "unknown key \"%.*s\"%s%s%s",
	    SPAN_ARG(span_head(entry->key, QUOTED_MAX)), *kind ? " in " : "",
	    kind, suggestion(conf->arena, entry->key, names, section->n));
}

static void
fill_section(struct conf *conf, const struct option_value *defaults,
    struct section *section)
{
	const struct conf_section *from =
	    conf_find(conf, span_of(section->kind->name), section->title);

	section->values =
	    arena_calloc(conf->arena, section->n, sizeof *defaults);
	if (!section->values)
		return;
	if (section->n)
		memcpy(
		    section->values, defaults, section->n * sizeof *defaults);
	if (!from)
		return;
	section->where = from->where;
	for (size_t i = 0; i < from->entries.n; i++) {
		const struct conf_entry *entry = &from->entries.v[i];
		struct option_value *to = find_value(section, entry->key);
		if (!to && !entry->told)
			unknown_key(conf, section, entry);
		if (!to)
			continue;
		struct option_value value = {
		    .option = to->option, .entry = entry};
		if (read_value(conf, entry, &value))
			*to = value;
	}
}

static struct option_value *
read_defaults(struct conf *conf, const struct option *options, size_t n)
{
	struct option_value *values =
	    arena_calloc(conf->arena, n, sizeof *values);

	for (size_t i = 0; values && i < n; i++) {
		assert(options[i].def);
		values[i].option = &options[i];
		read_default(conf, &values[i]);
	}
	return values;
}

struct titles VEC(struct span);

static bool
has_title(const struct titles *titles, size_t n, struct span title)
{
	for (size_t i = 0; i < n; i++)
		if (span_eq(titles->v[i], title))
			return true;
	return false;
}

static void
add_title(struct arena *arena, struct titles *titles, struct span title)
{
	struct span *to = VEC_PUSH(arena, titles);

	if (to)
		*to = title;
}

/* Titles of a kind's sections: the fixed ones, then those of the file. */
static void
collect_titles(const struct conf *conf, const struct option_section *kind,
    const char *const *always, struct titles *titles)
{
	if (!kind->titled)
		add_title(conf->arena, titles, SPAN(""));
	else if (always)
		add_title(conf->arena, titles, SPAN("default"));
	for (; always && *always; always++)
		if (!has_title(titles, titles->n, span_of(*always)))
			add_title(conf->arena, titles, span_of(*always));
	size_t fixed = titles->n;
	for (size_t i = 0; kind->titled && i < conf->sections.n; i++) {
		const struct conf_section *s = conf->sections.v[i];
		if (span_is(s->name, kind->name) && s->title.len &&
		    !has_title(titles, fixed, s->title))
			add_title(conf->arena, titles, s->title);
	}
}

int
option_read(struct conf *conf, const struct option_section *kind,
    const char *const *always, struct section **ret, size_t *ret_n)
{
	struct titles titles = {0};
	size_t before = conf->errors.n;
	size_t n = count_options(kind->options);
	const struct option_value *defaults =
	    read_defaults(conf, kind->options, n);

	collect_titles(conf, kind, always, &titles);
	struct section *sections =
	    arena_calloc(conf->arena, titles.n, sizeof *sections);
	if (!sections || !defaults)
		return ERR_NOMEM;
	for (size_t i = 0; i < titles.n; i++) {
		sections[i].kind = kind;
		sections[i].title = titles.v[i];
		sections[i].n = n;
		fill_section(conf, defaults, &sections[i]);
	}
	if (arena_failed(conf->arena))
		return ERR_NOMEM;
	*ret = sections;
	*ret_n = titles.n;
	return conf_result(conf, before);
}

static bool
has_option(const struct option_section *kind, struct span name)
{
	for (const struct option *o = kind->options; o && o->name; o++)
		if (span_is(name, o->name))
			return true;
	return false;
}

/*
 * Two kinds share the section's name: says so where a key of the one, `other`,
 * stands in the other, `kind`.
 */
static void
check_keys(struct conf *conf, struct conf_section *section,
    const struct option_section *kind, const struct option_section *other)
{
	for (size_t i = 0; i < section->entries.n; i++) {
		struct conf_entry *entry = &section->entries.v[i];
		if (has_option(kind, entry->key) ||
		    !has_option(other, entry->key))
			continue;
		if (other->titled)
			conf_fail(conf, entry->where,
			    "key \"%.*s\" belongs to %s with a title: %s"
			    " NAME { }",
			    SPAN_ARG(entry->key), kind->name, kind->name);
		else
			conf_fail(conf, entry->where,
			    "key \"%.*s\" belongs to %s without title",
			    SPAN_ARG(entry->key), kind->name);
		entry->told = true;
	}
}

static void
unknown_section(struct conf *conf, const struct conf_section *section,
    const struct option_section *const *kinds, size_t n)
{
	const char **names = arena_calloc(conf->arena, n, sizeof *names);

	for (size_t i = 0; names && i < n; i++)
		names[i] = kinds[i]->name;
	conf_fail(conf, section->where, "unknown section \"%.*s\"%s",
	    SPAN_ARG(span_head(section->name, QUOTED_MAX)),
	    suggestion(conf->arena, section->name, names, n));
}

static void
check_section(struct conf *conf, struct conf_section *section,
    const struct option_section *const *kinds, size_t n)
{
	/* Of that name: with the title as it is, and the other way. */
	const struct option_section *kind = NULL, *other = NULL;

	for (size_t i = 0; i < n; i++) {
		if (!span_is(section->name, kinds[i]->name))
			continue;
		if (kinds[i]->titled == (section->title.len != 0))
			kind = kinds[i];
		else
			other = kinds[i];
	}
	if (kind && other)
		check_keys(conf, section, kind, other);
	else if (other)
		conf_fail(conf, section->where,
		    "section \"%.*s\" takes %s title", SPAN_ARG(section->name),
		    other->titled ? "a" : "no");
	else if (!kind)
		unknown_section(conf, section, kinds, n);
}

void
option_check_names(
    struct conf *conf, const struct option_section *const *kinds, size_t n)
{
	for (size_t i = 0; i < conf->sections.n; i++)
		if (conf->sections.v[i]->name.len)
			check_section(conf, conf->sections.v[i], kinds, n);
}

/* --- asking ---------------------------------------------------------------------- */

const struct option_value *
section_get(const struct section *section, const char *name)
{
	const struct option_value *value = find_value(section, span_of(name));

	assert(value);
	return value;
}

int64_t
section_number(const struct section *section, const char *name)
{
	return section_get(section, name)->number;
}

bool
section_bool(const struct section *section, const char *name)
{
	return section_get(section, name)->number != 0;
}

struct span
section_text(const struct section *section, const char *name)
{
	return section_get(section, name)->text;
}

bool
section_empty(const struct section *section, const char *name)
{
	const struct option_value *value = section_get(section, name);

	return value->text.len == 0 && value->n == 0;
}
