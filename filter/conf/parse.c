#include "filter/base/buf.h"
#include "filter/conf/lex.h"
#include "filter/conf/tree.h"

/*
 * The grammar, over an array of tokens: no recursion but for include(). After
 * a mistake it goes on where the next entry seems to begin (`key =`, `name {`,
 * `name title {`), so that one run finds all mistakes. One mistake should give
 * one error: once braces may be out of balance (`unsure`), further complaints
 * about braces are kept back, and what stands outside of sections is dropped.
 */

struct parser {
	struct conf *conf;
	const struct conf_source *source;
	const struct lex_token *t;      /* the next one; LEX_END is the last */
	struct conf_section *section;   /* the open one; NULL: drop its keys */
	const struct lex_token *opened; /* its name; NULL: none is open */
	size_t surplus; /* `}` to come that are explained already */
	bool unsure;
};

static struct conf_where
where_of(const struct parser *p, const struct lex_token *t)
{
	return (struct conf_where){p->source->name, t->line, t->column};
}

static bool
is_text(const struct lex_token *t)
{
	return t->kind == LEX_WORD || t->kind == LEX_STRING;
}

/* Whether an entry seems to begin at `t`. */
static bool
begins_entry(const struct lex_token *t)
{
	if (t->kind != LEX_WORD)
		return false;
	if (t[1].kind == LEX_EQUALS || t[1].kind == LEX_OPEN)
		return true;
	if (t[1].kind == LEX_PAREN_OPEN)
		return true;
	return is_text(&t[1]) && t[1].line == t->line && t[2].kind == LEX_OPEN;
}

#define QUOTED_MAX 60

/* How an error names a token; for "%s%.*s%s". */
#define NAMED(t) quote_of(t), SPAN_ARG(name_of(t)), quote_of(t)

static const char *
quote_of(const struct lex_token *t)
{
	return t->kind == LEX_END ? "" : "\"";
}

static struct span
name_of(const struct lex_token *t)
{
	if (t->kind == LEX_END)
		return SPAN("the end of the file");
	return span_head(t->text, QUOTED_MAX);
}

static void
report_bad(struct parser *p, const struct lex_token *t)
{
	conf_fail(p->conf, where_of(p, t), "%.*s", SPAN_ARG(t->text));
	p->unsure |= t->hides;
}

/* "expected WHAT before ...", or what is wrong with the token itself. */
static void
expected(struct parser *p, const char *what)
{
	if (p->t->kind == LEX_BAD)
		report_bad(p, p->t);
	else
		conf_fail(p->conf, where_of(p, p->t),
		    "expected %s before %s%.*s%s", what, NAMED(p->t));
}

/* From `{` to behind its `}`. */
static void
skip_block(struct parser *p)
{
	size_t depth = 0;

	for (; p->t->kind != LEX_END; p->t++) {
		if (p->t->kind == LEX_BAD)
			report_bad(p, p->t);
		if (p->t->kind == LEX_OPEN)
			depth++;
		if (p->t->kind == LEX_CLOSE && --depth == 0) {
			p->t++;
			return;
		}
	}
	p->unsure = true;
}

/* A word that begins a line, and does not go on with a list. */
static bool
begins_line(const struct lex_token *t)
{
	return t->kind == LEX_WORD && t->line != t[-1].line &&
	       t[-1].kind != LEX_COMMA;
}

/*
 * On to where an entry or a section's end seems to stand. The token of the
 * mistake is not the first of its file.
 */
static void
resync(struct parser *p)
{
	const struct lex_token *start = p->t;

	while (p->t->kind != LEX_END && p->t->kind != LEX_CLOSE &&
	       !begins_entry(p->t) && !begins_line(p->t)) {
		if (p->t->kind == LEX_OPEN) {
			skip_block(p);
			continue;
		}
		if (p->t->kind == LEX_BAD && p->t != start)
			report_bad(p, p->t);
		p->t++;
	}
}

/* --- values ---------------------------------------------------------------------- */

struct items VEC(struct span);

/* A mistake in a list: only the first is told. */
static void
list_mistake(struct parser *p, bool *told, const char *what)
{
	if (p->t->kind == LEX_BAD)
		report_bad(p, p->t);
	else if (!*told)
		expected(p, what);
	*told = true;
}

/*
 * One step inside a list. `comma` says whether a value may stand here. False
 * when the list ends, the token is then the `}` or where the list seems to
 * have been left open.
 */
static bool
parse_item(struct parser *p, struct items *items, bool *comma, bool *told)
{
	const struct lex_token *t = p->t;

	if (t->kind == LEX_CLOSE || t->kind == LEX_END ||
	    (begins_entry(t) && t[1].kind != LEX_PAREN_OPEN))
		return false;
	if (t->kind == LEX_COMMA) {
		if (*comma)
			list_mistake(p, told, "a value");
		*comma = true;
		p->t++;
		return true;
	}
	if (t->kind == LEX_OPEN) {
		list_mistake(p, told, *comma ? "a value" : "\",\"");
		skip_block(p);
		return true;
	}
	if (!is_text(t) || !*comma)
		list_mistake(p, told, *comma ? "a value" : "\",\" or \"}\"");
	if (is_text(t)) {
		struct span *to = VEC_PUSH(p->conf->arena, items);
		if (to)
			*to = t->text;
	}
	*comma = false;
	p->t++;
	return true;
}

/* `{ a, b }` behind an `=`; the token is the opening brace. */
static void
parse_list(struct parser *p, struct conf_entry *entry)
{
	struct items items = {0};
	const struct lex_token *opened = p->t++;
	bool comma = true, told = false;

	while (parse_item(p, &items, &comma, &told))
		continue;
	if (p->t->kind == LEX_CLOSE) {
		p->t++;
	} else {
		if (!p->unsure)
			conf_fail(p->conf, where_of(p, opened),
			    "the list that opens here is not closed before "
			    "%s%.*s%s",
			    NAMED(p->t));
		p->unsure = true;
	}
	entry->list = true;
	entry->items = items.v;
	entry->n = items.n;
}

/* The token behind an `=`; false when there is no value to keep. */
static bool
parse_value(struct parser *p, struct conf_entry *entry)
{
	const struct lex_token *t = p->t;

	entry->value_where = where_of(p, t);
	if (t->kind == LEX_OPEN) {
		parse_list(p, entry);
		return true;
	}
	/* `key =` and nothing, then `other = ...` on a later line. */
	bool forgotten = t->line > t[-1].line && begins_entry(t);
	if (!is_text(t) || forgotten) {
		expected(p, "a value");
		resync(p);
		return false;
	}
	entry->items = arena_alloc(p->conf->arena, sizeof *entry->items);
	if (!entry->items)
		return false;
	entry->items[0] = t->text;
	entry->n = 1;
	p->t++;
	return true;
}

/* What stands behind a value on its line must begin something new. */
static void
check_behind(struct parser *p, struct span key)
{
	const struct lex_token *t = p->t;

	if (t->line != t[-1].line || t->kind == LEX_CLOSE ||
	    t->kind == LEX_END || begins_entry(t))
		return;
	if (t->kind == LEX_BAD)
		report_bad(p, t);
	else if (t->kind == LEX_COMMA || is_text(t))
		conf_fail(p->conf, where_of(p, t),
		    "\"%.*s\" has one value already; a list is { a, b }, a "
		    "value with blanks stands in quotes",
		    SPAN_ARG(key));
	else
		conf_fail(p->conf, where_of(p, t),
		    "a value that holds \"%.*s\" stands in quotes",
		    SPAN_ARG(t->text));
	resync(p);
}

/* --- entries --------------------------------------------------------------------- */

static bool
good_name(struct parser *p, const struct lex_token *t, const char *what)
{
	if (t->text.len > 0 && t->text.len <= CONF_NAME_MAX)
		return true;
	conf_fail_code(p->conf, where_of(p, t), ERR_LIMIT,
	    "a %s is 1 to %d bytes long", what, CONF_NAME_MAX);
	return false;
}

/* Where a key's value goes; NULL: nowhere. */
static struct conf_section *
section_of(struct parser *p, const struct lex_token *key)
{
	if (p->opened || p->unsure || p->surplus)
		return p->section;
	return conf_open_section(
	    p->conf, SPAN_NONE, SPAN_NONE, where_of(p, key));
}

/* The token is the key, `=` comes next. */
static void
parse_key(struct parser *p)
{
	const struct lex_token *key = p->t;
	struct conf_entry entry = {.key = key->text, .where = where_of(p, key)};
	bool good = good_name(p, key, "key");

	p->t += 2;
	if (!parse_value(p, &entry))
		return;
	struct conf_section *section = section_of(p, key);
	if (good && section)
		conf_put_entry(p->conf, section, &entry);
	check_behind(p, span_head(key->text, QUOTED_MAX));
}

/* `name { a, b }` in a section: an `=` was forgotten. */
static bool
looks_like_list(const struct lex_token *open)
{
	return open[1].kind == LEX_CLOSE ||
	       (is_text(&open[1]) &&
		   (open[2].kind == LEX_COMMA || open[2].kind == LEX_CLOSE));
}

/* A section begins while another one is open: a `}` is missing, or is one too
 * many later. */
static void
report_nested(struct parser *p)
{
	if (!p->unsure)
		conf_fail(p->conf, where_of(p, p->t),
		    "section \"%.*s\" begins inside \"%.*s\", opened at "
		    "%s:%u:%u",
		    SPAN_ARG(name_of(p->t)), SPAN_ARG(name_of(p->opened)),
		    p->source->name, p->opened->line, p->opened->column);
	p->surplus++;
}

/* The token is the name; `{`, or a title and `{`, come next. */
static void
parse_section(struct parser *p)
{
	const struct lex_token *name = p->t;
	const struct lex_token *title = is_text(&name[1]) ? &name[1] : NULL;
	struct conf_entry dropped = {0};

	if (p->opened && !title && looks_like_list(&name[1])) {
		p->t++;
		expected(p, "\"=\"");
		parse_list(p, &dropped);
		return;
	}
	if (p->opened)
		report_nested(p);
	bool good = good_name(p, name, "section's name") &&
		    (!title || good_name(p, title, "title"));
	p->section =
	    good ? conf_open_section(p->conf, name->text,
		       title ? title->text : SPAN_NONE, where_of(p, name))
		 : NULL;
	p->opened = name;
	p->t += title ? 3 : 2;
}

/* The token is the word `include`, `(` comes next. */
static void
parse_include(struct parser *p)
{
	const struct lex_token *name = p->t;
	struct span path = SPAN_NONE;

	p->t += 2;
	if (p->t->kind != LEX_PAREN_CLOSE) {
		if (!is_text(p->t) || p->t->text.len == 0) {
			expected(p, "a path");
			resync(p);
			return;
		}
		path = p->t++->text;
	}
	if (p->t->kind != LEX_PAREN_CLOSE) {
		expected(p, "\")\"");
		resync(p);
		return;
	}
	p->t++;
	if (p->opened && !p->unsure)
		conf_fail(p->conf, where_of(p, name),
		    "include() inside \"%.*s\", opened at %s:%u:%u",
		    SPAN_ARG(name_of(p->opened)), p->source->name,
		    p->opened->line, p->opened->column);
	if (!p->opened)
		conf_include(p->conf, p->source, where_of(p, name), path);
}

/* A token that begins nothing. */
static void
parse_stray(struct parser *p)
{
	const struct lex_token *t = p->t;

	if (t->kind == LEX_WORD) {
		p->t++;
		expected(p, p->opened ? "\"=\"" : "\"=\" or \"{\"");
		/* A section whose `{` is missing has a `}` later. */
		p->unsure |= !p->opened;
	} else {
		expected(p,
		    p->opened ? "a key or \"}\"" : "a key or a section's name");
		p->t += t->kind != LEX_OPEN;
	}
	resync(p);
}

static void
close_section(struct parser *p)
{
	if (p->surplus && !p->opened)
		p->surplus--;
	else if (!p->opened && !p->unsure)
		conf_fail(p->conf, where_of(p, p->t),
		    "\"}\" closes nothing that is open");
	p->t++;
	p->opened = NULL;
	p->section = NULL;
}

static void
parse_entry(struct parser *p)
{
	if (p->t->kind == LEX_CLOSE)
		close_section(p);
	else if (!begins_entry(p->t))
		parse_stray(p);
	else if (p->t[1].kind == LEX_EQUALS)
		parse_key(p);
	else if (p->t[1].kind == LEX_PAREN_OPEN)
		parse_include(p);
	else
		parse_section(p);
}

void
conf_parse(
    struct conf *conf, const struct conf_source *source, struct span text)
{
	struct arena *scratch = arena_new(0);
	struct lex_tokens tokens;

	if (!scratch || lex_text(text, conf->arena, scratch, &tokens)) {
		arena_fail(conf->arena);
		arena_free(scratch);
		return;
	}
	struct parser p = {.conf = conf, .source = source, .t = tokens.v};
	while (p.t->kind != LEX_END && !arena_failed(conf->arena))
		parse_entry(&p);
	if (p.opened && !p.unsure)
		conf_fail(conf, where_of(&p, p.opened),
		    "section \"%.*s\", opened here, is not closed",
		    SPAN_ARG(name_of(p.opened)));
	arena_free(scratch);
}

/* --- a value alone ------------------------------------------------------------------ */

static int
take_value(
    struct arena *arena, const struct lex_token *t, struct conf_entry *ret)
{
	struct items items = {0};

	ret->list = t->kind == LEX_OPEN;
	if (ret->list)
		t++;
	while (is_text(t)) {
		struct span *to = VEC_PUSH(arena, &items);
		if (!to)
			return ERR_NOMEM;
		*to = t++->text;
		if (!ret->list || t->kind != LEX_COMMA)
			break;
		t++;
	}
	if (ret->list && t++->kind != LEX_CLOSE)
		return ERR_SYNTAX;
	ret->items = items.v;
	ret->n = items.n;
	return t->kind == LEX_END && (ret->list || items.n) ? 0 : ERR_SYNTAX;
}

int
conf_parse_value(struct arena *arena, struct span text, struct conf_entry *ret)
{
	struct arena *scratch = arena_new(0);
	struct lex_tokens tokens;

	if (!scratch)
		return ERR_NOMEM;
	int rc = lex_text(text, arena, scratch, &tokens);
	if (rc == 0)
		rc = take_value(arena, tokens.v, ret);
	arena_free(scratch);
	return rc;
}
