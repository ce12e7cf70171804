#include "filter/conf/conf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "filter/base/buf.h"
#include "filter/base/file.h"

/*
 * The parser: one pass over the text with line and column, no recursion but
 * for include(), whose depth is limited. After a mistake it goes on at the
 * next entry, so that one run finds all of them. It knows no option; whether a
 * key exists is option.c's question.
 */

#define ERRORS_MAX 100
#define ITEMS_MAX 10000

enum token_kind {
	TOKEN_END,
	TOKEN_WORD,
	TOKEN_STRING,
	TOKEN_OPEN,  /* { */
	TOKEN_CLOSE, /* } */
	TOKEN_EQUALS,
	TOKEN_COMMA,
	TOKEN_PAREN_OPEN,
	TOKEN_PAREN_CLOSE,
	TOKEN_BAD, /* the error is noted already */
};

struct token {
	enum token_kind kind;
	struct span text;
	struct conf_where where;
};

struct parser {
	struct conf *conf;
	struct span text; /* what is left */
	struct conf_where at;
	struct token token; /* the next one */
	struct conf_section *section;
	struct conf_where section_where; /* where the open one began */
	bool in_section;
	size_t file_id; /* counts files: a key may stand once in each */
	unsigned depth; /* of include() */
};

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
	return conf;
}

void
conf_free(struct conf *conf)
{
	if (conf)
		arena_free(conf->arena);
}

void
conf_fail(struct conf *conf, struct conf_where where, const char *fmt, ...)
{
	char text[ERR_TEXT_SIZE];
	va_list ap;

	if (conf->errors.n >= ERRORS_MAX)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (conf->errors.n == ERRORS_MAX - 1)
		snprintf(text, sizeof text, "too many errors");
	struct conf_error *error = VEC_PUSH(conf->arena, &conf->errors);
	if (!error)
		return;
	error->where = where;
	error->text = arena_cstr(conf->arena, span_of(text));
	if (!error->text)
		error->text = "out of memory";
}

struct span
conf_error_text(const struct conf_error *error, struct arena *arena)
{
	const struct conf_where *w = &error->where;

	if (!w->line)
		return arena_printf(
		    arena, "%s: %s", w->file ? w->file : "?", error->text);
	return arena_printf(
	    arena, "%s:%u:%u: %s", w->file, w->line, w->column, error->text);
}

/* --- tokens ------------------------------------------------------------------ */

static void
advance(struct parser *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (p->text.p[i] == '\n') {
			p->at.line++;
			p->at.column = 1;
		} else {
			p->at.column++;
		}
	}
	p->text = span_skip(p->text, n);
}

static void
skip_blanks(struct parser *p)
{
	for (;;) {
		size_t n = 0;
		while (n < p->text.len && ascii_is_space(p->text.p[n]))
			n++;
		if (n < p->text.len && p->text.p[n] == '#') {
			size_t end =
			    span_find_char(span_skip(p->text, n), '\n');
			n = end == SPAN_NPOS ? p->text.len : n + end;
			advance(p, n);
			continue;
		}
		advance(p, n);
		return;
	}
}

static bool
is_word_char(char c)
{
	return !ascii_is_control(c) && c != ' ' && c != '"' && c != '{' &&
	       c != '}' && c != ',' && c != '=' && c != '#' && c != '(' &&
	       c != ')';
}

static int
escape(char c)
{
	switch (c) {
	case 'n':
		return '\n';
	case 't':
		return '\t';
	case '"':
	case '\\':
		return c;
	default:
		return -1;
	}
}

/* From the opening quote; leaves the parser behind the closing one. */
static void
read_string(struct parser *p, struct token *token)
{
	struct buf text;
	size_t i = 1;

	buf_init(&text, p->conf->arena, CONF_FILE_SIZE_MAX);
	token->kind = TOKEN_BAD;
	for (;; i++) {
		if (i >= p->text.len || p->text.p[i] == '\n') {
			conf_fail(p->conf, token->where,
			    "a quote opened here is not closed on its line");
			advance(p, i);
			return;
		}
		char c = p->text.p[i];
		if (c == '"')
			break;
		if (c == '\\' && i + 1 < p->text.len) {
			int value = escape(p->text.p[i + 1]);
			if (value < 0 && p->text.p[i + 1] != '\n')
				conf_fail(p->conf, token->where,
				    "unknown escape \\%c in a string (known:"
				    " \\\" \\\\ \\n \\t)",
				    ascii_is_control(p->text.p[i + 1])
					? '?'
					: p->text.p[i + 1]);
			if (value >= 0 || p->text.p[i + 1] != '\n')
				i++;
			if (value >= 0)
				buf_add_char(&text, (char)value);
		} else if (ascii_is_control(c) && c != '\t') {
			conf_fail(p->conf, token->where,
			    "control character 0x%02x in a string",
			    (unsigned char)c);
		} else {
			buf_add_char(&text, c);
		}
	}
	advance(p, i + 1);
	token->kind = TOKEN_STRING;
	token->text = buf_span(&text);
}

static enum token_kind
punctuation(char c)
{
	switch (c) {
	case '{':
		return TOKEN_OPEN;
	case '}':
		return TOKEN_CLOSE;
	case '=':
		return TOKEN_EQUALS;
	case ',':
		return TOKEN_COMMA;
	case '(':
		return TOKEN_PAREN_OPEN;
	case ')':
		return TOKEN_PAREN_CLOSE;
	default:
		return TOKEN_END;
	}
}

/* Reads the next token into p->token. */
static void
next(struct parser *p)
{
	struct token *token = &p->token;

	skip_blanks(p);
	*token = (struct token){TOKEN_END, SPAN_NONE, p->at};
	if (p->text.len == 0)
		return;
	char c = p->text.p[0];
	token->kind = punctuation(c);
	if (token->kind != TOKEN_END) {
		token->text = span_head(p->text, 1);
		advance(p, 1);
	} else if (c == '"') {
		read_string(p, token);
	} else if (is_word_char(c)) {
		size_t n = 1;
		while (n < p->text.len && is_word_char(p->text.p[n]))
			n++;
		token->kind = TOKEN_WORD;
		token->text = span_head(p->text, n);
		advance(p, n);
	} else {
		conf_fail(p->conf, token->where, "control character 0x%02x",
		    (unsigned char)c);
		token->kind = TOKEN_BAD;
		advance(p, 1);
	}
}

static bool
is_text(const struct token *token)
{
	return token->kind == TOKEN_WORD || token->kind == TOKEN_STRING;
}

static const char *
token_name(const struct token *token)
{
	return token->kind == TOKEN_END ? "the end of the file" : NULL;
}

static void
expected(struct parser *p, const char *what)
{
	const char *name = token_name(&p->token);

	if (p->token.kind == TOKEN_BAD)
		return;
	if (name)
		conf_fail(p->conf, p->token.where, "expected %s before %s",
		    what, name);
	else
		conf_fail(p->conf, p->token.where,
		    "expected %s before \"%.*s\"", what,
		    SPAN_ARG(span_head(p->token.text, 60)));
}

/* --- the tree ----------------------------------------------------------------- */

const struct conf_section *
conf_find(const struct conf *conf, struct span name, struct span title)
{
	for (size_t i = 0; i < conf->sections.n; i++) {
		const struct conf_section *s = conf->sections.v[i];
		if (span_eq(s->name, name) && span_eq(s->title, title))
			return s;
	}
	return NULL;
}

static struct conf_section *
section_intern(struct conf *conf, struct span name, struct span title,
    struct conf_where where)
{
	for (size_t i = 0; i < conf->sections.n; i++) {
		struct conf_section *s = conf->sections.v[i];
		if (span_eq(s->name, name) && span_eq(s->title, title))
			return s;
	}
	struct conf_section *s = arena_zalloc(conf->arena, sizeof *s);
	struct conf_section **to =
	    s ? VEC_PUSH(conf->arena, &conf->sections) : NULL;
	if (!to)
		return NULL;
	s->name = arena_span(conf->arena, name);
	s->title = arena_span(conf->arena, title);
	s->where = where;
	*to = s;
	return s;
}

static struct conf_entry *
find_entry(struct conf_section *section, struct span key)
{
	for (size_t i = 0; i < section->entries.n; i++)
		if (span_eq(section->entries.v[i].key, key))
			return &section->entries.v[i];
	return NULL;
}

/*
 * Adds an entry, or replaces one of another file. The same key twice in one
 * file (`file` is the same text pointer) is an error.
 */
static void
put_entry(struct conf *conf, struct conf_section *section,
    const struct conf_entry *entry, bool same_file_is_error)
{
	struct conf_entry *old = find_entry(section, entry->key);

	if (old && same_file_is_error && old->where.file == entry->where.file) {
		conf_fail(conf, entry->where,
		    "\"%.*s\" is given twice; first at line %u, column %u",
		    SPAN_ARG(entry->key), old->where.line, old->where.column);
		return;
	}
	if (old) {
		struct conf_entry *kept =
		    arena_alloc(conf->arena, sizeof *kept);
		if (!kept)
			return;
		*kept = *old;
		*old = *entry;
		old->replaced = kept;
		return;
	}
	struct conf_entry *to = VEC_PUSH(conf->arena, &section->entries);
	if (to)
		*to = *entry;
}

/* --- grammar ------------------------------------------------------------------- */

static int read_path(struct conf *conf, const char *path, bool must_exist,
    unsigned depth, struct conf_where from);

/* `{ a, b }` behind an '='; the token is the opening brace. */
static bool
parse_list(struct parser *p, struct conf_entry *entry)
{
	struct items VEC(struct span) items = {0};
	struct conf_where opened = p->token.where;

	entry->list = true;
	next(p);
	while (p->token.kind != TOKEN_CLOSE) {
		if (p->token.kind == TOKEN_END) {
			conf_fail(p->conf, opened,
			    "a list opened here is not closed");
			return false;
		}
		if (!is_text(&p->token) || items.n >= ITEMS_MAX) {
			expected(p, "a value or \"}\"");
			return false;
		}
		struct span *to = VEC_PUSH(p->conf->arena, &items);
		if (!to)
			return false;
		*to = p->token.text;
		next(p);
		if (p->token.kind == TOKEN_COMMA)
			next(p);
		else if (p->token.kind != TOKEN_CLOSE &&
			 p->token.kind != TOKEN_END) {
			expected(p, "\",\" or \"}\"");
			return false;
		}
	}
	next(p);
	entry->items = items.v;
	entry->n = items.n;
	return true;
}

/* `= value`; the key was read, the token is '='. */
static bool
parse_value(struct parser *p, struct span key, struct conf_where where)
{
	struct conf_entry entry = {.key = key, .where = where};

	next(p);
	entry.value_where = p->token.where;
	if (p->token.kind == TOKEN_OPEN) {
		if (!parse_list(p, &entry))
			return false;
	} else if (is_text(&p->token)) {
		entry.items = arena_alloc(p->conf->arena, sizeof *entry.items);
		if (!entry.items)
			return false;
		entry.items[0] = p->token.text;
		entry.n = 1;
		next(p);
	} else {
		expected(p, "a value");
		return false;
	}
	if (p->section)
		put_entry(p->conf, p->section, &entry, true);
	return true;
}

/* `include("path")`; the token is '('. */
static bool
parse_include(struct parser *p, struct conf_where where)
{
	next(p);
	if (!is_text(&p->token)) {
		expected(p, "a path");
		return false;
	}
	struct span path = p->token.text;
	next(p);
	if (p->token.kind != TOKEN_PAREN_CLOSE) {
		expected(p, "\")\"");
		return false;
	}
	next(p);
	if (p->in_section) {
		conf_fail(p->conf, where, "include() stands inside a section");
		return true;
	}
	size_t slash = span_rfind_char(span_of(where.file), '/');
	struct span full = path;
	if (path.len && path.p[0] != '/' && slash != SPAN_NPOS)
		full = arena_printf(p->conf->arena, "%.*s/%.*s", (int)slash,
		    where.file, SPAN_ARG(path));
	char *name = arena_cstr(p->conf->arena, full);
	if (p->depth + 1 > CONF_INCLUDE_DEPTH)
		conf_fail(p->conf, where, "include() nested deeper than %d",
		    CONF_INCLUDE_DEPTH);
	else if (name)
		(void)read_path(p->conf, name, true, p->depth + 1, where);
	return true;
}

/* From an opening brace to behind the one that closes it. */
static void
skip_braces(struct parser *p)
{
	unsigned open = 0;

	do {
		open += p->token.kind == TOKEN_OPEN;
		open -= p->token.kind == TOKEN_CLOSE;
		next(p);
	} while (open && p->token.kind != TOKEN_END);
}

/* `name {` or `name title {`; the token is behind the name. */
static bool
parse_section(struct parser *p, struct span name, struct conf_where where)
{
	struct span title = SPAN_NONE;

	if (is_text(&p->token)) {
		title = p->token.text;
		next(p);
	}
	if (p->token.kind != TOKEN_OPEN) {
		expected(p, title.p ? "\"{\"" : "\"=\" or \"{\"");
		return false;
	}
	if (p->in_section) {
		conf_fail(p->conf, where,
		    "a section inside the section that opened at line %u",
		    p->section_where.line);
		skip_braces(p);
		return true;
	}
	next(p);
	p->section = section_intern(p->conf, name, title, where);
	p->section_where = where;
	p->in_section = true;
	return true;
}

/* After an error: on to what can begin an entry on a later line. */
static void
recover(struct parser *p, unsigned line)
{
	while (p->token.kind != TOKEN_END && p->token.kind != TOKEN_CLOSE &&
	       p->token.where.line <= line)
		next(p);
}

static bool
parse_entry(struct parser *p)
{
	struct span key = p->token.text;
	struct conf_where where = p->token.where;

	next(p);
	if (p->token.kind == TOKEN_EQUALS)
		return parse_value(p, key, where);
	if (p->token.kind == TOKEN_PAREN_OPEN && span_is(key, "include"))
		return parse_include(p, where);
	return parse_section(p, key, where);
}

static void
close_section(struct parser *p)
{
	if (!p->in_section)
		conf_fail(p->conf, p->token.where,
		    "\"}\" closes nothing that is open");
	p->in_section = false;
	p->section =
	    section_intern(p->conf, SPAN(""), SPAN(""), (struct conf_where){0});
	next(p);
}

static void
parse(struct conf *conf, const char *name, struct span text, unsigned depth)
{
	struct parser p = {
	    .conf = conf, .text = text, .at = {name, 1, 1}, .depth = depth};

	p.section =
	    section_intern(conf, SPAN(""), SPAN(""), (struct conf_where){0});
	next(&p);
	while (p.token.kind != TOKEN_END) {
		unsigned line = p.token.where.line;
		if (p.token.kind == TOKEN_CLOSE) {
			close_section(&p);
		} else if (p.token.kind != TOKEN_WORD) {
			expected(&p, "a name");
			next(&p);
			recover(&p, line);
		} else if (!parse_entry(&p)) {
			if (p.token.where.line > line)
				line = p.token.where.line - 1;
			recover(&p, line);
		}
	}
	if (p.in_section)
		conf_fail(conf, p.section_where,
		    "a section opened here is not closed");
}

/* --- where text comes from ------------------------------------------------------- */

static int
first_error(const struct conf *conf, size_t before)
{
	if (arena_failed(conf->arena))
		return ERR_NOMEM;
	return conf->errors.n > before ? ERR_SYNTAX : 0;
}

int
conf_read_text(struct conf *conf, const char *name, struct span text)
{
	size_t before = conf->errors.n;
	char *kept = arena_cstr(conf->arena, span_of(name));
	struct span copy = arena_span(conf->arena, text);

	if (!kept || !copy.p)
		return ERR_NOMEM;
	parse(conf, kept, copy, 0);
	return first_error(conf, before);
}

static int
read_folder(
    struct conf *conf, const char *path, unsigned depth, struct conf_where from)
{
	struct span *names;
	size_t n;
	struct err err;
	int rc = file_list(path, ".conf", conf->arena, &names, &n, &err);

	if (rc == ERR_NOTFOUND)
		return 0;
	if (rc) {
		conf_fail(conf, from, "%s", err.text);
		return rc;
	}
	for (size_t i = 0; i < n; i++) {
		struct span full = arena_printf(
		    conf->arena, "%s/%.*s", path, SPAN_ARG(names[i]));
		char *file = arena_cstr(conf->arena, full);
		if (file && names[i].p[0] != '.')
			(void)read_path(conf, file, true, depth, from);
	}
	return 0;
}

static int
read_path(struct conf *conf, const char *path, bool must_exist, unsigned depth,
    struct conf_where from)
{
	struct span text;
	struct err err = {0};
	char *name = arena_cstr(conf->arena, span_of(path));
	int rc =
	    name ? file_read(name, CONF_FILE_SIZE_MAX, conf->arena, &text, &err)
		 : ERR_NOMEM;

	if (rc == 0) {
		parse(conf, name, text, depth);
		return 0;
	}
	if (rc == ERR_NOTFOUND && !must_exist)
		return 0;
	if (rc == ERR_ACCESS && file_is_folder(path))
		return read_folder(conf, path, depth, from);
	conf_fail(conf, from, "%s", err.text);
	return rc;
}

int
conf_read(struct conf *conf, const char *path, bool must_exist)
{
	size_t before = conf->errors.n;
	struct conf_where from = {"configuration", 0, 0};

	(void)read_path(conf, path, must_exist, 0, from);
	return first_error(conf, before);
}

int
conf_read_folder(struct conf *conf, const char *path)
{
	size_t before = conf->errors.n;

	(void)read_folder(
	    conf, path, 0, (struct conf_where){"configuration", 0, 0});
	return first_error(conf, before);
}

/* --- -o --------------------------------------------------------------------------- */

static bool
split_items(struct conf *conf, struct span value, struct conf_entry *entry)
{
	struct items VEC(struct span) items = {0};
	struct span rest = value;

	while (rest.p) {
		struct span *to = VEC_PUSH(conf->arena, &items);
		if (!to)
			return false;
		*to = span_trim(span_cut(&rest, ','));
	}
	entry->items = items.v;
	entry->n = items.n;
	entry->list = items.n > 1;
	entry->raw = value;
	return true;
}

int
conf_set(struct conf *conf, const char *assignment)
{
	size_t before = conf->errors.n;
	struct span copy = arena_span(conf->arena, span_of(assignment));
	struct span value = copy, path = span_cut(&value, '=');
	struct conf_where where = {"-o", 1, 1};
	struct span name = SPAN(""), title = SPAN(""), key = path;
	size_t dot = span_find_char(path, '.');

	if (!copy.p)
		return ERR_NOMEM;
	if (!value.p) {
		conf_fail(conf, where, "expected section.key=value, not \"%s\"",
		    assignment);
		return ERR_SYNTAX;
	}
	if (dot != SPAN_NPOS) {
		name = span_head(path, dot);
		key = span_skip(path, dot + 1);
		dot = span_rfind_char(key, '.');
	}
	if (dot != SPAN_NPOS && name.len) {
		title = span_head(key, dot);
		key = span_skip(key, dot + 1);
	}
	struct conf_entry entry = {
	    .key = key, .where = where, .value_where = where};
	struct conf_section *section = section_intern(conf, name, title, where);
	if (!section || !split_items(conf, value, &entry))
		return ERR_NOMEM;
	put_entry(conf, section, &entry, false);
	return first_error(conf, before);
}
