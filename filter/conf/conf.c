#include "filter/conf/conf.h"

#include <stdio.h>

#include "filter/base/buf.h"
#include "filter/conf/lex.h"
#include "filter/conf/tree.h"

/*
 * The tree: sections, entries and errors, and -o. It keeps what a later file
 * or -o replaces, so that one can be shown where a value comes from. lex.c and
 * parse.c read text, read.c the files. Sections are found by a map, since a
 * site may have thousands of policies; keys of one section are few.
 */

static const char from_command[] = "-o"; /* compared by address */

struct conf *
conf_new(void)
{
	struct arena *arena = arena_new(0);
	struct conf *conf = arena ? arena_zalloc(arena, sizeof *conf) : NULL;

	if (!conf) {
		arena_free(arena);
		return NULL;
	}
	conf->arena = arena;
	map_init(&conf->index, arena, false);
	return conf;
}

void
conf_free(struct conf *conf)
{
	if (conf)
		arena_free(conf->arena);
}

/* --- errors -------------------------------------------------------------------- */

/* Makes one line of text out of what may quote anything. */
static void
clean(char *text)
{
	struct span rest = span_of(text);
	size_t at;

	while ((at = lex_find_unclean(rest)) != SPAN_NPOS) {
		text[rest.p - text + (ptrdiff_t)at] = '?';
		rest = span_skip(rest, at + 1);
	}
}

PRINTF(4, 0)
static void
add_error(struct conf *conf, struct conf_where where, int code, const char *fmt,
    va_list ap)
{
	char text[ERR_TEXT_SIZE];

	if (conf->errors.n > CONF_ERRORS_MAX)
		return;
	if (conf->errors.n == CONF_ERRORS_MAX)
		snprintf(text, sizeof text,
		    "too many errors; the others are not shown");
	else
		vsnprintf(text, sizeof text, fmt, ap);
	clean(text);
	struct conf_error *error = VEC_PUSH(conf->arena, &conf->errors);
	if (!error)
		return;
	*error = (struct conf_error){
	    where, arena_cstr(conf->arena, span_of(text)), code};
	if (!error->text)
		error->text = "out of memory";
}

void
conf_fail(struct conf *conf, struct conf_where where, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add_error(conf, where, ERR_SYNTAX, fmt, ap);
	va_end(ap);
}

int
conf_fail_code(
    struct conf *conf, struct conf_where where, int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add_error(conf, where, code, fmt, ap);
	va_end(ap);
	return code;
}

int
conf_result(const struct conf *conf, size_t before)
{
	if (arena_failed(conf->arena))
		return ERR_NOMEM;
	/* Past the most errors none is added, yet the tree is not good. */
	if (conf->errors.n > CONF_ERRORS_MAX)
		before = CONF_ERRORS_MAX;
	return conf->errors.n > before ? conf->errors.v[before].code : 0;
}

struct span
conf_where_text(const struct conf_where *where, struct arena *arena)
{
	if (!where->file)
		return SPAN("default");
	if (!where->line)
		return span_of(where->file);
	return arena_printf(
	    arena, "%s:%u:%u", where->file, where->line, where->column);
}

struct span
conf_error_text(const struct conf_error *error, struct arena *arena)
{
	if (!error->where.file)
		return span_of(error->text);
	struct span where = conf_where_text(&error->where, arena);
	return arena_printf(arena, "%.*s: %s", SPAN_ARG(where), error->text);
}

/* --- sections and entries ------------------------------------------------------- */

#define INDEX_KEY_SIZE (2 * CONF_NAME_MAX + 1)

/* Name, NUL, title: names hold no NUL. Both are at most CONF_NAME_MAX long. */
static struct span
index_key(struct span name, struct span title, char *room)
{
	if (name.len)
		memcpy(room, name.p, name.len);
	room[name.len] = '\0';
	if (title.len)
		memcpy(room + name.len + 1, title.p, title.len);
	return span_make(room, name.len + 1 + title.len);
}

const struct conf_section *
conf_find(const struct conf *conf, struct span name, struct span title)
{
	char room[INDEX_KEY_SIZE];

	if (name.len > CONF_NAME_MAX || title.len > CONF_NAME_MAX)
		return NULL;
	return map_get(&conf->index, index_key(name, title, room));
}

struct conf_section *
conf_open_section(struct conf *conf, struct span name, struct span title,
    struct conf_where where)
{
	char room[INDEX_KEY_SIZE];
	struct span key = index_key(name, title, room);
	struct conf_section *section = map_get(&conf->index, key);

	if (section)
		return section;
	section = arena_zalloc(conf->arena, sizeof *section);
	key = arena_span(conf->arena, key);
	if (!section || !key.p)
		return NULL;
	section->name = span_head(key, name.len);
	section->title = span_skip(key, name.len + 1);
	section->where = where;
	struct conf_section **to = VEC_PUSH(conf->arena, &conf->sections);
	if (!to)
		return NULL;
	*to = section;
	return map_put(&conf->index, key, section) ? NULL : section;
}

static struct conf_entry *
find_entry(struct conf_section *section, struct span key)
{
	for (size_t i = 0; i < section->entries.n; i++)
		if (span_eq(section->entries.v[i].key, key))
			return &section->entries.v[i];
	return NULL;
}

/* The value of the same key that the same reading of a file gave before. */
static const struct conf_entry *
same_file(const struct conf_entry *old, const struct conf_entry *entry)
{
	if (entry->where.file == from_command)
		return NULL;
	while (old && old->where.file != entry->where.file)
		old = old->replaced;
	return old;
}

/* `entry` over `old`, or under it when only -o may win. */
static void
replace(
    struct conf *conf, struct conf_entry *old, const struct conf_entry *entry)
{
	struct conf_entry *lower = arena_alloc(conf->arena, sizeof *lower);

	if (!lower)
		return;
	if (old->where.file == from_command &&
	    entry->where.file != from_command) {
		*lower = *entry;
		lower->replaced = old->replaced;
		old->replaced = lower;
	} else {
		*lower = *old;
		*old = *entry;
		old->replaced = lower;
	}
}

void
conf_put_entry(struct conf *conf, struct conf_section *section,
    const struct conf_entry *entry)
{
	struct conf_entry *old = find_entry(section, entry->key);
	const struct conf_entry *first = same_file(old, entry);

	if (first) {
		conf_fail(conf, entry->where,
		    "\"%.*s\" is given twice, first at %s:%u:%u",
		    SPAN_ARG(entry->key), first->where.file, first->where.line,
		    first->where.column);
		return;
	}
	if (old) {
		replace(conf, old, entry);
		return;
	}
	if (section->entries.n == CONF_ENTRIES_MAX) {
		conf_fail_code(conf, entry->where, ERR_LIMIT,
		    "more than %d keys in one section", CONF_ENTRIES_MAX);
		return;
	}
	struct conf_entry *to = VEC_PUSH(conf->arena, &section->entries);
	if (to)
		*to = *entry;
}

/* --- -o --------------------------------------------------------------------------- */

/* The left side of an assignment. */
struct target {
	struct span name, title, key;
};

/* "key", "section.key" or "section.title.key"; false for anything else. */
static bool
split_target(struct span path, struct target *ret)
{
	struct target t = {SPAN(""), SPAN(""), path};
	size_t dot = span_find_char(path, '.');

	if (dot != SPAN_NPOS) {
		t.name = span_head(path, dot);
		t.key = span_skip(path, dot + 1);
		if (t.name.len == 0)
			return false;
		dot = span_rfind_char(t.key, '.');
	}
	if (dot != SPAN_NPOS) {
		t.title = span_head(t.key, dot);
		t.key = span_skip(t.key, dot + 1);
		if (t.title.len == 0)
			return false;
	}
	*ret = t;
	return t.key.len && t.key.len <= CONF_NAME_MAX &&
	       t.name.len <= CONF_NAME_MAX && t.title.len <= CONF_NAME_MAX;
}

static int
split_value(struct conf *conf, struct span value, struct conf_entry *entry)
{
	struct items VEC(struct span) items = {0};
	struct span rest = value;

	entry->raw = value;
	if (span_starts(value, SPAN("{")))
		return conf_parse_value(conf->arena, value, entry);
	while (rest.p) {
		struct span item = span_trim(span_cut(&rest, ','));
		if (item.len == 0)
			continue;
		struct span *to = VEC_PUSH(conf->arena, &items);
		if (!to)
			return ERR_NOMEM;
		*to = item;
	}
	entry->items = items.v;
	entry->n = items.n;
	entry->list = items.n != 1;
	return 0;
}

int
conf_set(struct conf *conf, const char *assignment)
{
	size_t before = conf->errors.n;
	struct span all = arena_span(conf->arena, span_of(assignment));
	struct span value = all, path = span_trim(span_cut(&value, '='));
	struct conf_where where = {from_command, 0, 0};
	struct target target;

	if (!all.p)
		return ERR_NOMEM;
	if (lex_find_unclean(all) != SPAN_NPOS)
		return conf_fail_code(conf, where, ERR_SYNTAX,
		    "a control character or what is not UTF-8 in \"%s\"",
		    assignment);
	if (!value.p || !split_target(path, &target))
		return conf_fail_code(conf, where, ERR_SYNTAX,
		    "expected section.key=value, not \"%s\"", assignment);
	struct conf_entry entry = {
	    .key = target.key, .where = where, .value_where = where};
	int rc = split_value(conf, value, &entry);
	if (rc == ERR_SYNTAX)
		conf_fail(conf, where, "%.*s: expected { a, b }, not \"%.*s\"",
		    SPAN_ARG(path), SPAN_ARG(value));
	if (rc)
		return rc;
	struct conf_section *section =
	    conf_open_section(conf, target.name, target.title, where);
	if (section)
		conf_put_entry(conf, section, &entry);
	return conf_result(conf, before);
}
