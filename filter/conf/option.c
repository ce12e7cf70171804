#include "filter/conf/option.h"

#include <assert.h>
#include <stdlib.h>

#include "filter/base/buf.h"

/*
 * Typed views of a configuration tree. Defaults are written as a file would
 * write them and go through the same parsers. Numbers are exact: scores are
 * counted in thousandths, times in milliseconds.
 */

#define DEFAULT_MAX 1000 /* bytes of a default's text */
#define NAME_MAX_LEN 64  /* longest word that is compared for a suggestion */

/* --- text forms ---------------------------------------------------------------- */

struct unit {
	const char *name;
	int64_t factor;
};

/* Digits and one of the units ("" is allowed when the table has it). */
static int
parse_units(struct span text, const struct unit *units, int64_t *ret)
{
	size_t n = 0;
	uint64_t number;
	int64_t value;

	while (n < text.len && ascii_is_digit(text.p[n]))
		n++;
	int rc = span_to_u64(span_head(text, n), &number);
	if (rc)
		return rc;
	for (; units->name; units++) {
		if (!span_is(span_skip(text, n), units->name))
			continue;
		if (number > INT64_MAX ||
		    __builtin_mul_overflow(
			(int64_t)number, units->factor, &value))
			return ERR_LIMIT;
		*ret = value;
		return 0;
	}
	return ERR_SYNTAX;
}

int
option_parse_size(struct span text, int64_t *ret_bytes)
{
	static const struct unit units[] = {{"", 1}, {"K", 1024}, {"k", 1024},
	    {"M", 1024 * 1024}, {"G", 1024 * 1024 * 1024},
	    {"T", (int64_t)1 << 40}, {NULL, 0}};

	return parse_units(text, units, ret_bytes);
}

int
option_parse_time(struct span text, int64_t *ret_ms)
{
	static const struct unit units[] = {{"ms", 1}, {"s", 1000},
	    {"m", 60000}, {"h", 3600000}, {"d", 86400000}, {"w", 604800000},
	    {NULL, 0}};

	if (span_is(text, "0")) {
		*ret_ms = 0;
		return 0;
	}
	return parse_units(text, units, ret_ms);
}

int
option_parse_score(struct span text, int64_t *ret_milli)
{
	bool negative = text.len && text.p[0] == '-';
	struct span rest = negative ? span_skip(text, 1) : text;
	struct span whole = span_cut(&rest, '.');
	uint64_t points = 0, milli = 0;

	if (!whole.len && !rest.len)
		return ERR_SYNTAX;
	if (whole.len && span_to_u64(whole, &points))
		return ERR_SYNTAX;
	if (rest.p &&
	    (rest.len == 0 || rest.len > 3 || span_to_u64(rest, &milli)))
		return ERR_SYNTAX;
	if (points > 1000000)
		return ERR_LIMIT;
	for (size_t i = rest.len; i < 3; i++)
		milli *= 10;
	int64_t value = (int64_t)(points * 1000 + milli);
	*ret_milli = negative ? -value : value;
	return 0;
}

static int
parse_bool(struct span text, int64_t *ret)
{
	static const char *const yes[] = {"yes", "on", "true"};
	static const char *const no[] = {"no", "off", "false"};

	for (size_t i = 0; i < 3; i++) {
		if (span_is(text, yes[i]) || span_is(text, no[i])) {
			*ret = span_is(text, yes[i]);
			return 0;
		}
	}
	return ERR_SYNTAX;
}

static int
parse_int(struct span text, int64_t *ret)
{
	return span_to_i64(text, ret);
}

static int
parse_mode(struct span text, int64_t *ret)
{
	int64_t mode = 0;

	if (text.len == 0 || text.len > 5)
		return ERR_SYNTAX;
	for (size_t i = 0; i < text.len; i++) {
		if (text.p[i] < '0' || text.p[i] > '7')
			return ERR_SYNTAX;
		mode = mode * 8 + (text.p[i] - '0');
	}
	*ret = mode;
	return 0;
}

static int
parse_score_off(struct span text, int64_t *ret)
{
	if (span_is(text, "off")) {
		*ret = OPTION_OFF;
		return 0;
	}
	return option_parse_score(text, ret);
}

/* What each type reads and what its message says was expected. */
static const struct {
	int (*parse)(struct span text, int64_t *ret);
	const char *expected;
} types[] = {
    [OPTION_BOOL] = {parse_bool, "yes or no"},
    [OPTION_INT] = {parse_int, "a whole number"},
    [OPTION_SIZE] = {option_parse_size, "a size like 4096, 64K, 10M, 2G"},
    [OPTION_TIME] = {option_parse_time, "a time like 500ms, 5s, 10m, 4h, 30d"},
    [OPTION_SCORE] = {option_parse_score, "a score like 5 or -1.25"},
    [OPTION_SCORE_OFF] = {parse_score_off, "a score like 5 or 7.5, or off"},
    [OPTION_WORD] = {NULL, NULL},
    [OPTION_TEXT] = {NULL, NULL},
    [OPTION_LIST] = {NULL, NULL},
    [OPTION_MODE] = {parse_mode, "an octal mode like 0660"},
};

/* --- the nearest name ------------------------------------------------------------ */

/* Edits (insert, delete, replace, swap) between two words; a large number for
 * words that are too long to compare. */
static size_t
distance(struct span a, struct span b)
{
	size_t rows[3][NAME_MAX_LEN + 1];

	if (a.len > NAME_MAX_LEN || b.len > NAME_MAX_LEN)
		return NAME_MAX_LEN;
	for (size_t j = 0; j <= b.len; j++)
		rows[0][j] = j;
	for (size_t i = 1; i <= a.len; i++) {
		size_t *row = rows[i % 3], *up = rows[(i + 2) % 3];
		const size_t *up2 = rows[(i + 1) % 3];
		row[0] = i;
		for (size_t j = 1; j <= b.len; j++) {
			bool same =
			    ascii_lower(a.p[i - 1]) == ascii_lower(b.p[j - 1]);
			size_t best = up[j - 1] + !same;
			if (up[j] + 1 < best)
				best = up[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			if (i > 1 && j > 1 && a.p[i - 1] == b.p[j - 2] &&
			    a.p[i - 2] == b.p[j - 1] && up2[j - 2] + 1 < best)
				best = up2[j - 2] + 1;
			row[j] = best;
		}
	}
	return rows[a.len % 3][b.len];
}

const char *
option_nearest(struct span word, const char *const *names, size_t n)
{
	size_t limit = word.len / 3 > 2 ? word.len / 3 : 2;
	const char *best = NULL;

	for (size_t i = 0; i < n; i++) {
		size_t d = distance(word, span_of(names[i]));
		if (d <= limit && d < word.len) {
			best = names[i];
			limit = d ? d - 1 : 0;
			if (d == 0)
				break;
		}
	}
	return best;
}

static size_t
count_options(const struct option *options)
{
	size_t n = 0;

	while (options && options[n].name)
		n++;
	return n;
}

static const struct option *
find_option(const struct option *options, struct span name)
{
	for (; options && options->name; options++)
		if (span_is(name, options->name))
			return options;
	return NULL;
}

/* Reports an unknown key, with the nearest of `options`. */
static void
unknown_key(struct conf *conf, const struct conf_entry *entry,
    struct span section, const struct option *options)
{
	size_t n = count_options(options);
	const char **names = arena_calloc(conf->arena, n, sizeof *names);
	const char *near = NULL;

	for (size_t i = 0; names && i < n; i++)
		names[i] = options[i].name;
	if (names)
		near = option_nearest(entry->key, names, n);
	conf_fail(conf, entry->where, "unknown key \"%.*s\"%s%.*s%s%s%s",
	    SPAN_ARG(span_head(entry->key, 60)), section.len ? " in " : "",
	    SPAN_ARG(section), near ? "; did you mean \"" : "",
	    near ? near : "", near ? "\"?" : "");
}

/* --- one value ------------------------------------------------------------------- */

/* Index of a word in "a b c", or -1. */
static int64_t
choice_index(const char *choices, struct span word)
{
	struct span rest = span_of(choices), one;

	for (int64_t i = 0; (one = span_word(&rest)).len; i++)
		if (span_eq(one, word))
			return i;
	return -1;
}

static struct span
choice_at(const char *choices, int64_t index)
{
	struct span rest = span_of(choices), one = span_word(&rest);

	while (index-- > 0)
		one = span_word(&rest);
	return one;
}

static void
format_number(struct buf *out, enum option_type type, int64_t number)
{
	static const struct unit times[] = {{"w", 604800000}, {"d", 86400000},
	    {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};
	static const struct unit sizes[] = {
	    {"G", 1 << 30}, {"M", 1 << 20}, {"K", 1 << 10}, {"", 1}};
	const struct unit *unit = type == OPTION_TIME ? times : sizes;
	int64_t size = number < 0 ? -number : number;

	switch (type) {
	case OPTION_BOOL:
		buf_add_str(out, number ? "yes" : "no");
		return;
	case OPTION_MODE:
		buf_printf(out, "%04llo", (unsigned long long)number);
		return;
	case OPTION_SCORE:
	case OPTION_SCORE_OFF:
		if (number == OPTION_OFF)
			buf_add_str(out, "off");
		else if (number % 1000)
			buf_printf(out, "%s%lld.%03lld", number < 0 ? "-" : "",
			    (long long)(size / 1000), (long long)(size % 1000));
		else
			buf_printf(out, "%lld", (long long)(number / 1000));
		return;
	case OPTION_TIME:
	case OPTION_SIZE:
		while (
		    number % unit->factor || (number == 0 && unit->factor > 1))
			unit++;
		buf_printf(out, "%lld%s", (long long)(number / unit->factor),
		    unit->name);
		return;
	case OPTION_INT:
	case OPTION_WORD:
	case OPTION_TEXT:
	case OPTION_LIST:
		buf_printf(out, "%lld", (long long)number);
		return;
	}
}

static void
bad_range(
    struct conf *conf, struct conf_where where, const struct option *option)
{
	struct buf low, high;

	buf_init(&low, conf->arena, 100);
	buf_init(&high, conf->arena, 100);
	format_number(&low, option->type, option->min);
	format_number(&high, option->type, option->max);
	conf_fail(conf, where, "%s: out of range, %s to %s", option->name,
	    buf_str(&low), buf_str(&high));
}

static bool
read_word(struct conf *conf, struct conf_where where, struct span text,
    struct option_value *value)
{
	const struct option *option = value->option;
	const char *names[32];
	size_t n = 0;
	struct span rest = span_of(option->choices), one;

	value->number = choice_index(option->choices, text);
	if (value->number >= 0)
		return true;
	while ((one = span_word(&rest)).len && n < 32) {
		names[n] = arena_cstr(conf->arena, one);
		if (!names[n++])
			return false;
	}
	const char *near = option_nearest(text, names, n);
	conf_fail(conf, where, "%s: \"%.*s\" is none of: %s%s%s%s",
	    option->name, SPAN_ARG(span_head(text, 60)), option->choices,
	    near ? "; did you mean \"" : "", near ? near : "",
	    near ? "\"?" : "");
	return false;
}

static bool
read_number(struct conf *conf, struct conf_where where, struct span text,
    struct option_value *value)
{
	const struct option *option = value->option;
	int rc = types[option->type].parse(text, &value->number);

	if (rc) {
		conf_fail(conf, where, "%s: expected %s, not \"%.*s\"",
		    option->name, types[option->type].expected,
		    SPAN_ARG(span_head(text, 60)));
		return false;
	}
	if ((option->min || option->max) && value->number != OPTION_OFF &&
	    (value->number < option->min || value->number > option->max)) {
		bad_range(conf, where, option);
		return false;
	}
	return true;
}

/* Types one entry's items into `value`. */
static bool
read_value(struct conf *conf, struct conf_where where,
    const struct conf_entry *entry, struct option_value *value)
{
	const struct option *option = value->option;
	bool from_command = entry->raw.p != NULL;

	if (option->type == OPTION_LIST) {
		/* "-o key=" is the empty list. */
		bool none = from_command && entry->raw.len == 0;
		value->items = entry->items;
		value->n = none ? 0 : entry->n;
		return true;
	}
	if (option->type == OPTION_TEXT && from_command) {
		value->text = entry->raw;
		return true;
	}
	if (entry->list || entry->n != 1) {
		conf_fail(conf, where, "%s: expected one value, not a list",
		    option->name);
		return false;
	}
	value->text = entry->items[0];
	if (option->type == OPTION_TEXT)
		return true;
	if (option->type == OPTION_WORD)
		return read_word(conf, where, value->text, value);
	return read_number(conf, where, value->text, value);
}

/* The default through the same parser; a bad one is our mistake. */
static void
read_default(struct conf *conf, struct option_value *value)
{
	const struct option *option = value->option;
	struct conf *scratch;
	struct conf_entry entry = {0};
	struct buf line;

	buf_init(&line, conf->arena, DEFAULT_MAX);
	buf_printf(&line, "key = %s", *option->def ? option->def : "\"\"");
	scratch = conf_new();
	if (!scratch) {
		arena_fail(conf->arena);
		return;
	}
	int rc = conf_read_text(scratch, option->name, buf_span(&line));
	const struct conf_section *top = conf_find(scratch, SPAN(""), SPAN(""));
	if (rc == 0 && top && top->entries.n == 1) {
		entry.n = top->entries.v[0].n;
		entry.list = top->entries.v[0].list;
		entry.items =
		    arena_calloc(conf->arena, entry.n, sizeof *entry.items);
		for (size_t i = 0; entry.items && i < entry.n; i++)
			entry.items[i] =
			    arena_span(conf->arena, top->entries.v[0].items[i]);
		bool good =
		    !entry.items ||
		    read_value(conf, (struct conf_where){"default", 0, 0},
			&entry, value);
		assert(good);
		(void)good;
	}
	assert(rc == 0 || rc == ERR_NOMEM);
	conf_free(scratch);
}

/* --- sections -------------------------------------------------------------------- */

static void
fill_section(struct conf *conf, const struct option_section *kind,
    const struct conf_section *from, struct span title, struct section *to)
{
	size_t n = count_options(kind->options);

	to->kind = kind;
	to->title = title;
	to->values = arena_calloc(conf->arena, n, sizeof *to->values);
	to->n = to->values ? n : 0;
	for (size_t i = 0; i < to->n; i++) {
		to->values[i].option = &kind->options[i];
		read_default(conf, &to->values[i]);
	}
	if (!from)
		return;
	to->where = from->where;
	for (size_t i = 0; i < from->entries.n; i++) {
		const struct conf_entry *e = &from->entries.v[i];
		const struct option *o = find_option(kind->options, e->key);
		if (!o) {
			unknown_key(conf, e,
			    kind->name[0] ? from->name : SPAN_NONE,
			    kind->options);
			continue;
		}
		if (!to->values)
			return;
		struct option_value *v = &to->values[o - kind->options];
		if (read_value(conf, e->value_where, e, v))
			v->entry = e;
	}
}

struct titles VEC(struct span);

static void
add_title(struct arena *arena, struct titles *titles, struct span title)
{
	for (size_t i = 0; i < titles->n; i++)
		if (span_eq(titles->v[i], title))
			return;
	struct span *to = VEC_PUSH(arena, titles);
	if (to)
		*to = title;
}

int
option_read(struct conf *conf, const struct option_section *kind,
    const char *const *always, struct section **ret, size_t *ret_n)
{
	struct titles titles = {0};
	struct span name = span_of(kind->name);

	add_title(
	    conf->arena, &titles, kind->titled ? SPAN("default") : SPAN(""));
	for (; always && *always; always++)
		add_title(conf->arena, &titles, span_of(*always));
	for (size_t i = 0; kind->titled && i < conf->sections.n; i++) {
		const struct conf_section *s = conf->sections.v[i];
		if (span_eq(s->name, name) && s->title.len)
			add_title(conf->arena, &titles, s->title);
	}
	struct section *sections =
	    arena_calloc(conf->arena, titles.n, sizeof *sections);
	if (!sections)
		return ERR_NOMEM;
	for (size_t i = 0; i < titles.n; i++)
		fill_section(conf, kind, conf_find(conf, name, titles.v[i]),
		    titles.v[i], &sections[i]);
	if (arena_failed(conf->arena))
		return ERR_NOMEM;
	*ret = sections;
	*ret_n = titles.n;
	return conf->errors.n ? ERR_SYNTAX : 0;
}

static void
check_section(struct conf *conf, const struct conf_section *section,
    const struct option_section *const *kinds, size_t n)
{
	const char **names = arena_calloc(conf->arena, n, sizeof *names);
	bool known = false;

	for (size_t i = 0; names && i < n; i++) {
		names[i] = kinds[i]->name;
		if (!span_is(section->name, kinds[i]->name))
			continue;
		known = true;
		if (kinds[i]->titled == (section->title.len != 0))
			return;
	}
	if (!names)
		return;
	if (known) {
		conf_fail(conf, section->where, "section %.*s takes %s title",
		    SPAN_ARG(section->name), section->title.len ? "no" : "a");
		return;
	}
	const char *near = option_nearest(section->name, names, n);
	conf_fail(conf, section->where, "unknown section \"%.*s\"%s%s%s",
	    SPAN_ARG(span_head(section->name, 60)),
	    near ? "; did you mean \"" : "", near ? near : "",
	    near ? "\"?" : "");
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
	for (size_t i = 0; i < section->n; i++)
		if (strcmp(section->values[i].option->name, name) == 0)
			return &section->values[i];
	assert(!"an option that its table lacks");
	return NULL;
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

static bool
needs_quotes(struct span text)
{
	for (size_t i = 0; i < text.len; i++)
		if (ascii_is_control(text.p[i]) || ascii_is_8bit(text.p[i]) ||
		    strchr(" \"{},=#()\\", text.p[i]))
			return true;
	return text.len == 0;
}

static void
format_text(struct buf *out, struct span text)
{
	if (!needs_quotes(text)) {
		buf_add_span(out, text);
		return;
	}
	buf_add_char(out, '"');
	for (size_t i = 0; i < text.len; i++) {
		char c = text.p[i];
		if (c == '"' || c == '\\')
			buf_add_char(out, '\\');
		if (c == '\n' || c == '\t')
			buf_add_str(out, c == '\n' ? "\\n" : "\\t");
		else
			buf_add_char(out, c);
	}
	buf_add_char(out, '"');
}

struct span
option_format(const struct option_value *value, struct arena *arena)
{
	const struct option *option = value->option;
	struct buf out;

	buf_init(&out, arena, CONF_FILE_SIZE_MAX);
	if (option->type == OPTION_LIST) {
		buf_add_str(&out, "{");
		for (size_t i = 0; i < value->n; i++) {
			buf_add_str(&out, i ? ", " : " ");
			format_text(&out, value->items[i]);
		}
		buf_add_str(&out, " }");
	} else if (option->type == OPTION_TEXT) {
		format_text(&out, value->text);
	} else if (option->type == OPTION_WORD) {
		buf_add_span(&out, choice_at(option->choices, value->number));
	} else {
		format_number(&out, option->type, value->number);
	}
	return buf_span(&out);
}
