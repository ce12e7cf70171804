#include "filter/rule/rule_impl.h"

#include <stdlib.h>

#include "filter/base/file.h"

/*
 * Rule files to command lines: files and folders, comments, conditions,
 * `include`, `lang`, `require_version` (rule language, sections 1.1 and 1.2).
 * What a command means is rule_command.c's.
 *
 * Nothing here ends a file early but a NUL byte: that is no rule file.
 */

#define COND_DEPTH 64

struct cond {
	bool active; /* the lines here are read */
	bool outer;  /* those around it are */
	bool elsed;
	unsigned line;
};

struct reader {
	struct rule_set *set;
	struct reader *parent; /* the file that includes this one */
	struct rule_place place;
	struct span path; /* empty: a text, which cannot include */
	unsigned depth;
	struct cond conds[COND_DEPTH];
	unsigned n_conds;
	unsigned over; /* `if`s beyond COND_DEPTH, skipped */
	bool skip_rest;
};

static bool
active(const struct reader *r)
{
	return r->over == 0 &&
	       (r->n_conds == 0 || r->conds[r->n_conds - 1].active);
}

/* --- conditions ------------------------------------------------------------- */

static void
open_cond(struct reader *r, bool holds)
{
	bool outer = active(r);

	if (r->n_conds == COND_DEPTH) {
		if (r->over++ == 0)
			rule_problem(r->set, &r->place, false,
			    "conditions are nested more than %d deep",
			    COND_DEPTH);
		return;
	}
	r->conds[r->n_conds++] =
	    (struct cond){outer && holds, outer, false, r->place.line};
}

static void
on_if(struct reader *r, struct span value)
{
	struct err err = {0};
	bool holds = false;

	/* In a skipped block nothing is looked at, also not its syntax. */
	if (active(r) && rule_cond_eval(r->set, value, &holds, &err))
		rule_problem(r->set, &r->place, false, "if: %s", err.text);
	open_cond(r, holds);
}

static void
on_ifplugin(struct reader *r, struct span value)
{
	open_cond(r, active(r) && rule_cond_plugin(r->set, span_word(&value)));
}

static void
on_else(struct reader *r, struct span value)
{
	(void)value;
	if (r->over)
		return;
	struct cond *c = r->n_conds ? &r->conds[r->n_conds - 1] : NULL;
	if (!c || c->elsed) {
		rule_problem(r->set, &r->place, false, "else without if");
		return;
	}
	c->elsed = true;
	c->active = c->outer && !c->active;
}

static void
on_endif(struct reader *r, struct span value)
{
	(void)value;
	if (r->over)
		r->over--;
	else if (r->n_conds)
		r->n_conds--;
	else
		rule_problem(r->set, &r->place, false, "endif without if");
}

/* --- commands about files ---------------------------------------------------- */

static struct span
locale(void)
{
	static const char *const names[] = {
	    "LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		struct span value = span_of(getenv(names[i]));
		if (value.len == 0)
			continue;
		value = span_head(value, span_find_any(value, ".@:"));
		if (span_is(value, "C") || span_is(value, "POSIX"))
			break;
		return value;
	}
	return SPAN("en_US");
}

/* `lang XX rest`, as often as it is said: the rest, or nothing. */
static struct span
after_lang(struct reader *r, struct span line)
{
	for (;;) {
		struct span rest = line;
		if (!span_caseis(span_word(&rest), "lang"))
			return line;
		struct span want = span_word(&rest);
		if (want.len == 0)
			rule_problem(
			    r->set, &r->place, false, "lang needs a language");
		if (want.len == 0 || !span_casestarts(locale(), want))
			return SPAN_NONE;
		line = span_trim_left(rest);
	}
}

static void
on_require_version(struct reader *r, struct span value)
{
	struct err err = {0};
	struct buf text;
	bool same = false;

	if (span_is(value, "@@VERSION@@"))
		return;
	buf_init(&text, r->set->arena, 256);
	buf_printf(&text, "version == %.*s", SPAN_ARG(span_head(value, 200)));
	if (rule_cond_eval(r->set, buf_span(&text), &same, &err))
		rule_problem(
		    r->set, &r->place, false, "require_version: %s", err.text);
	else if (!same)
		rule_problem(r->set, &r->place, true,
		    "require_version is not %.6f: the rest of the file is "
		    "skipped",
		    RULE_VERSION);
	r->skip_rest = !same;
}

static void read_file(
    struct rule_set *set, struct reader *parent, struct span path);

static void
on_include(struct reader *r, struct span value)
{
	size_t slash = span_rfind_char(r->path, '/');
	struct span path;

	if (r->path.len == 0 || value.len == 0) {
		rule_problem(r->set, &r->place, false,
		    value.len ? "include works in files only"
			      : "include needs a file");
		return;
	}
	if (value.p[0] == '/' || slash == SPAN_NPOS)
		path = arena_span(r->set->arena, value);
	else
		path = arena_printf(r->set->arena, "%.*s/%.*s",
		    SPAN_ARG(span_head(r->path, slash)), SPAN_ARG(value));
	read_file(r->set, r, path);
}

/* --- lines -------------------------------------------------------------------- */

struct verb {
	const char *name;
	bool always; /* also where lines are skipped */
	void (*run)(struct reader *r, struct span value);
};

static const struct verb verbs[] = {
    {"if", true, on_if},
    {"ifplugin", true, on_ifplugin},
    {"else", true, on_else},
    {"endif", true, on_endif},
    {"include", false, on_include},
    {"require_version", false, on_require_version},
};

static const struct verb *
find_verb(struct span command)
{
	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
		if (span_is(command, verbs[i].name))
			return &verbs[i];
	return NULL;
}

/* The command's name, lower-cased, with `_` for `-`; cut where none is so long. */
static struct span
command_name(struct span word, char *to, size_t size)
{
	size_t n = word.len < size ? word.len : size;

	for (size_t i = 0; i < n; i++)
		to[i] = word.p[i] == '-' ? '_' : ascii_lower(word.p[i]);
	return span_make(to, n);
}

static void
unknown(struct reader *r, struct span word, struct span command)
{
	const char *near = rule_command_nearest(command);

	rule_problem(r->set, &r->place, false, "unknown command \"%.*s\"%s%s%s",
	    RULE_SHOWN(word), near ? "; did you mean \"" : "", near ? near : "",
	    near ? "\"?" : "");
}

static void
dispatch(struct reader *r, struct span line)
{
	char name[64];

	if (active(r))
		line = after_lang(r, line);
	struct span value = line;
	struct span word = span_word(&value);
	struct span command = command_name(word, name, sizeof name);
	const struct verb *verb = find_verb(command);

	if (word.len == 0)
		return;
	value = span_trim_left(value);
	if (verb) {
		if (verb->always || active(r))
			verb->run(r, value);
	} else if (active(r) &&
		   !rule_command(r->set, &r->place, command, value, line)) {
		unknown(r, word, command);
	}
}

/*
 * Without the comment and the blanks at both ends, \# made #. A # begins a
 * comment wherever it stands, unless a backslash is before it.
 */
static struct span
strip(struct rule_set *set, struct span line)
{
	size_t end = line.len;
	bool escaped = false;

	for (size_t i = 0; i < line.len; i++) {
		if (line.p[i] != '#')
			continue;
		if (i == 0 || line.p[i - 1] != '\\') {
			end = i;
			break;
		}
		escaped = true;
	}
	line = span_head(line, end);
	if (!escaped)
		return span_trim(line);
	char *p = arena_alloc(set->arena, line.len);
	size_t n = 0;
	for (size_t i = 0; p && i < line.len; i++) {
		if (line.p[i] == '\\' && i + 1 < line.len &&
		    line.p[i + 1] == '#')
			continue;
		p[n++] = line.p[i];
	}
	return span_trim(span_make(p, n));
}

static void
read_lines(struct reader *r, struct span text)
{
	struct span line;

	if (span_starts(text, SPAN("\xef\xbb\xbf")))
		text = span_skip(text, 3);
	while (!r->skip_rest && span_line(&text, &line)) {
		r->place.line++;
		if (line.len > RULE_LINE_MAX) {
			rule_problem(r->set, &r->place, false,
			    "line is longer than %d bytes", RULE_LINE_MAX);
			continue;
		}
		if (span_find_char(line, '\0') != SPAN_NPOS) {
			rule_problem(r->set, &r->place, false,
			    "NUL byte: not a rule file; the rest is skipped");
			return;
		}
		dispatch(r, strip(r->set, line));
	}
	if (r->skip_rest || r->n_conds == 0)
		return;
	r->place.line = r->conds[r->n_conds - 1].line;
	rule_problem(r->set, &r->place, true, "if without endif");
}

/* --- files --------------------------------------------------------------------- */

static bool
being_read(const struct reader *r, struct span path)
{
	for (; r; r = r->parent)
		if (span_eq(r->path, path))
			return true;
	return false;
}

/* Says what is wrong with reading `path`, or gives its text. */
static bool
load(struct rule_set *set, const struct rule_place *place, struct span path,
    struct span *ret)
{
	struct err err = {0};
	char *name = arena_cstr(set->arena, path);

	if (name && file_read(name, RULE_FILE_MAX, set->arena, ret, &err) == 0)
		return true;
	rule_problem(set, place, false, "%s", name ? err.text : "no memory");
	return false;
}

static void
read_file(struct rule_set *set, struct reader *parent, struct span path)
{
	struct reader r = {.set = set,
	    .parent = parent,
	    .place = {path, 0},
	    .path = path,
	    .depth = parent ? parent->depth + 1 : 0};
	const struct rule_place *from = parent ? &parent->place : &r.place;
	struct span text;

	if (being_read(parent, path)) {
		rule_problem(
		    set, from, false, "include loop: %.*s", RULE_SHOWN(path));
	} else if (r.depth > RULE_INCLUDE_DEPTH) {
		rule_problem(set, from, false,
		    "include is nested more than %d deep", RULE_INCLUDE_DEPTH);
	} else if (!map_get(&set->files, path) &&
		   load(set, from, path, &text)) {
		/* A path already read is not read again. */
		if (map_put(&set->files, path, set) == 0)
			read_lines(&r, text);
	}
}

static bool
has_suffix(struct span name, const char *suffix)
{
	return span_caseends(name, span_of(suffix));
}

/* Those with the suffix, in the order given; sa-update's main file first. */
static void
read_names(struct rule_set *set, struct span folder, const struct span *names,
    size_t n, const char *suffix)
{
	static const char first[] = "updates_spamassassin_org.cf";

	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < n; i++) {
			if (!has_suffix(names[i], suffix) ||
			    span_is(names[i], first) != (pass == 0))
				continue;
			struct span path = arena_printf(set->arena, "%.*s/%.*s",
			    SPAN_ARG(folder), SPAN_ARG(names[i]));
			if (path.p)
				read_file(set, NULL, path);
		}
	}
}

int
rule_read_path(struct rule_set *set, const char *path, struct err *err)
{
	struct span *names, text, folder = span_of(path);
	size_t n;
	int rc;

	if (!file_is_folder(path)) {
		rc = file_read(path, RULE_FILE_MAX, set->arena, &text, err);
		if (rc)
			return rc;
		struct reader r = {
		    .set = set, .place = {arena_span(set->arena, folder), 0}};
		r.path = r.place.file;
		if (map_get(&set->files, r.path))
			return 0;
		rc = map_put(&set->files, r.path, set);
		if (rc == 0)
			read_lines(&r, text);
		return rc;
	}
	rc = file_list(path, NULL, set->arena, &names, &n, err);
	if (rc)
		return rc;
	while (folder.len > 1 && folder.p[folder.len - 1] == '/')
		folder.len--;
	read_names(set, folder, names, n, ".pre");
	read_names(set, folder, names, n, ".cf");
	return 0;
}

int
rule_read_text(struct rule_set *set, const char *name, struct span text)
{
	struct reader r = {
	    .set = set, .place = {arena_span(set->arena, span_of(name)), 0}};
	struct span copy = arena_span(set->arena, text);

	if (!copy.p || !r.place.file.p)
		return ERR_NOMEM;
	read_lines(&r, copy);
	return 0;
}
