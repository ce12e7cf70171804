#include "filter/rule/rule_impl.h"

#include "filter/mail/view.h"
#include "filter/rule/rule_pattern.h"

/*
 * The commands that define a rule (rule language, section 1.3): header, body,
 * rawbody, full, uri, meta, with a pattern, an eval or an expression. A
 * definition in error is a problem and leaves an earlier one in force.
 */

/* --- definitions --------------------------------------------------------------- */

static struct rule_body *
new_body(struct rule_line *l)
{
	struct rule_body *body = arena_zalloc(l->set->arena, sizeof *body);

	if (body)
		body->kind = l->kind;
	return body;
}

static void
define(struct rule_line *l, enum symbol_kind kind, struct rule_body *body)
{
	struct symbol *symbol = l->symbol;

	body->kind = kind;
	symbol->kind = kind;
	symbol->bad = false;
	symbol->body = body;
	symbol->file = l->place->file;
	symbol->line = l->place->line;
	symbol->source = l->text;
	if (symbol->name.len > 40)
		rule_warn(l, "name is longer than 40 characters");
}

/*
 * A name that a scorer owns keeps its meaning: the rule of a file is dropped.
 * Without network it is the file's, which then has no rival.
 */
static bool
is_taken(struct rule_line *l)
{
	if (l->symbol->kind != SYMBOL_NATIVE || !l->set->options.network)
		return false;
	rule_problem(l->set, l->place, true,
	    "%.*s is built in: this definition is not used",
	    SPAN_ARG(l->symbol->name));
	return true;
}

struct rule_regex *
rule_pattern(struct rule_set *set, const struct rule_place *place,
    struct span text, bool long_text)
{
	struct span pattern;
	unsigned flags;
	struct rule_regex *regex = NULL;
	struct err err = {0};
	int rc = pattern_split(text, &pattern, &flags, &err);
	struct rule_regex **slot;

	if (rc == 0)
		rc = regex_compile(set->env, set->arena, pattern, flags,
		    long_text, &regex, &err);
	if (rc) {
		rule_problem(set, place, false, "%s", err.text);
		return NULL;
	}
	slot = VEC_PUSH(set->arena, &set->regexes);
	if (!slot) {
		regex_free(regex);
		return NULL;
	}
	*slot = regex;
	const char *doubt = set->options.lint ? pattern_doubt(pattern) : NULL;
	if (doubt)
		rule_problem(set, place, true, "%s", doubt);
	return regex;
}

/* One argument of an eval: quoted, or a word. False: neither. */
static bool
take_arg(struct span *rest, struct span *ret)
{
	struct span s = span_trim_left(*rest);
	char quote = s.len ? s.p[0] : '\0';
	size_t n = 0;

	if (quote == '\'' || quote == '"') {
		s = span_skip(s, 1);
		n = span_find_char(s, quote);
		if (n == SPAN_NPOS)
			return false;
		*ret = span_head(s, n);
		*rest = span_trim_left(span_skip(s, n + 1));
		return true;
	}
	while (n < s.len && (ascii_is_alnum(s.p[n]) || s.p[n] == '.' ||
				s.p[n] == ':' || s.p[n] == '-'))
		n++;
	*ret = span_head(s, n);
	*rest = span_trim_left(span_skip(s, n));
	return n > 0;
}

static bool
read_args(struct arena *arena, struct span text, struct args *ret)
{
	struct arg_list VEC(struct span) list = {0};

	for (text = span_trim(text); text.len;) {
		struct span arg, *place = VEC_PUSH(arena, &list);
		if (!place || !take_arg(&text, &arg))
			return false;
		*place = arg;
		if (text.len && text.p[0] != ',')
			return false;
		/* A comma asks for one more. */
		if (text.len && span_trim(span_skip(text, 1)).len == 0)
			return false;
		text = span_skip(text, 1);
	}
	*ret = (struct args){list.n, list.v};
	return true;
}

/* eval:NAME(ARGS) */
static void
define_eval(struct rule_line *l, struct span call)
{
	size_t open = span_find_char(call, '(');
	struct span name = span_trim(span_head(call, open));
	struct rule_body *body = new_body(l);

	if (open == SPAN_NPOS || call.p[call.len - 1] != ')' ||
	    !symbol_name_valid(name)) {
		rule_complain(l, "eval:NAME(ARGUMENTS) expected");
		return;
	}
	struct span inner = span_make(call.p + open + 1, call.len - open - 2);
	if (!body || !read_args(l->set->arena, inner, &body->args)) {
		rule_complain(l, "arguments are 'text', \"text\" or words, "
				 "with commas between");
		return;
	}
	body->eval = name;
	define(l, SYMBOL_EVAL, body);
}

static void
define_regex(struct rule_line *l)
{
	struct rule_body *body = new_body(l);

	if (!body)
		return;
	body->regex =
	    rule_pattern(l->set, l->place, l->value, l->kind == SYMBOL_FULL);
	if (body->regex)
		define(l, l->kind, body);
}

/* body, rawbody, full: a pattern or an eval. */
void
rule_define_text(struct rule_line *l)
{
	if (is_taken(l))
		return;
	if (span_starts(l->value, SPAN("eval:")))
		define_eval(l, span_trim(span_skip(l->value, 5)));
	else
		define_regex(l);
}

void
rule_define_uri(struct rule_line *l)
{
	if (!is_taken(l))
		define_regex(l);
}

void
rule_define_meta(struct rule_line *l)
{
	struct err err = {0};
	struct rule_body *body = new_body(l);

	if (!body || is_taken(l))
		return;
	if (rule_meta_compile(l->set, l->value, body, &err))
		rule_complain(l, err.text);
	else
		define(l, SYMBOL_META, body);
}

/* --- header rules ----------------------------------------------------------------- */

static const struct {
	const char *name;
	unsigned flag; /* 0: known, not built */
} modifiers[] = {
    {"raw", VIEW_RAW},
    {"addr", VIEW_ADDR},
    {"name", VIEW_NAME},
    {"first", VIEW_FIRST},
    {"last", VIEW_LAST},
    {"host", 0},
    {"domain", 0},
    {"ip", 0},
    {"revip", 0},
};

static bool
read_modifier(struct rule_line *l, struct span word, unsigned *flags)
{
	for (size_t i = 0; i < sizeof modifiers / sizeof *modifiers; i++) {
		if (!span_is(word, modifiers[i].name))
			continue;
		if (modifiers[i].flag == 0)
			break;
		*flags |= modifiers[i].flag;
		return true;
	}
	rule_problem(l->set, l->place, false,
	    "%.*s: header modifier \":%.*s\" is not one of raw, addr, name, "
	    "first, last",
	    SPAN_ARG(l->symbol->name), RULE_SHOWN(word));
	return false;
}

/* The index of a spec, the same one for equal specs. */
static bool
intern_header(
    struct rule_set *set, struct span name, unsigned flags, unsigned *ret)
{
	struct span key =
	    arena_printf(set->arena, "%u %.*s", flags, SPAN_ARG(name));
	const struct rule_header *known = map_get(&set->header_index, key);
	struct rule_header **place, *header;

	if (known) {
		*ret = known->index;
		return true;
	}
	header = arena_zalloc(set->arena, sizeof *header);
	place = VEC_PUSH(set->arena, &set->headers);
	if (!header || !place)
		return false;
	*header =
	    (struct rule_header){name, flags, (unsigned)(set->headers.n - 1)};
	*place = header;
	*ret = header->index;
	return map_put(&set->header_index, key, header) == 0;
}

#define MODIFIERS_MAX 2

/* NAME[:mod[:mod]][:] */
static bool
read_header(struct rule_line *l, struct span spec, unsigned *ret)
{
	struct span name = span_cut(&spec, ':');
	unsigned flags = 0, count = 0;

	for (size_t i = 0; i < name.len; i++)
		if (!ascii_is_alnum(name.p[i]) && name.p[i] != '_' &&
		    name.p[i] != '.' && name.p[i] != '-')
			name.len = 0;
	if (name.len == 0) {
		rule_complain(
		    l, "a header's name has letters, digits, - _ and .");
		return false;
	}
	while (spec.p && spec.len) {
		if (++count > MODIFIERS_MAX) {
			rule_complain(l, "a header has at most two modifiers");
			return false;
		}
		if (!read_modifier(l, span_cut(&spec, ':'), &flags))
			return false;
	}
	return intern_header(l->set, name, flags, ret);
}

/* Cuts a trailing " [if-unset: TEXT]" off. */
static void
take_unset(struct span *value, struct span *ret)
{
	struct span mark = SPAN("[if-unset:");
	size_t at = 0;

	if (!span_ends(*value, SPAN("]")))
		return;
	while ((at = span_find(*value, mark, at)) != SPAN_NPOS) {
		struct span after = span_skip(*value, at + mark.len);
		if (at && ascii_is_space(value->p[at - 1]) && after.len > 2 &&
		    ascii_is_space(after.p[0])) {
			after.len--; /* the ] */
			*ret = span_trim_left(after);
			*value = span_trim(span_head(*value, at));
			return;
		}
		at++;
	}
}

static void
on_header_match(struct rule_line *l)
{
	size_t at = span_find_char(l->value, '~');
	struct rule_body *body = new_body(l);

	if (!body)
		return;
	if (at == SPAN_NPOS || at < 2 ||
	    (l->value.p[at - 1] != '=' && l->value.p[at - 1] != '!')) {
		rule_complain(l,
		    "HEADER =~ /pattern/, exists:HEADER or eval:... "
		    "expected");
		return;
	}
	body->negate = l->value.p[at - 1] == '!';
	struct span spec = span_trim(span_head(l->value, at - 1));
	struct span pattern = span_trim(span_skip(l->value, at + 1));
	take_unset(&pattern, &body->unset);
	if (!read_header(l, spec, &body->header))
		return;
	body->regex = rule_pattern(l->set, l->place, pattern, true);
	if (body->regex)
		define(l, SYMBOL_HEADER, body);
}

void
rule_define_header(struct rule_line *l)
{
	struct rule_body *body;

	if (is_taken(l))
		return;
	if (span_starts(l->value, SPAN("eval:"))) {
		define_eval(l, span_trim(span_skip(l->value, 5)));
	} else if (span_starts(l->value, SPAN("rbleval:"))) {
		define_eval(l, span_trim(span_skip(l->value, 8)));
	} else if (span_starts(l->value, SPAN("exists:"))) {
		body = new_body(l);
		if (body && read_header(l, span_trim(span_skip(l->value, 7)),
				&body->header))
			define(l, SYMBOL_HEADER, body);
	} else {
		on_header_match(l);
	}
}
