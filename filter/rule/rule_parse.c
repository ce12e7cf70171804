#include "filter/rule/rule_impl.h"

#include "filter/mail/view.h"
#include "filter/rule/rule_pattern.h"

/*
 * The commands that define rules and say things about them (rule language,
 * section 1.3), one function each. Whatever is wrong is a problem with file
 * and line, and reading goes on. A definition in error leaves an earlier one
 * of that name in force.
 *
 * Commands whose part is not built are not here: they are unknown.
 */

struct line {
	struct rule_set *set;
	const struct rule_place *place;
	struct span text;      /* the whole line, for `rules show` */
	enum symbol_kind kind; /* of the definition, where it has one */
	struct symbol *symbol;
	struct span value; /* what follows the rule's name */
};

static void
complain(struct line *l, const char *what)
{
	rule_problem(l->set, l->place, false, "%.*s: %s",
	    SPAN_ARG(l->symbol->name), what);
}

static void
warn(struct line *l, const char *what)
{
	if (l->set->options.lint)
		rule_problem(l->set, l->place, true, "%.*s: %s",
		    SPAN_ARG(l->symbol->name), what);
}

/* --- definitions --------------------------------------------------------------- */

static struct rule_body *
new_body(struct line *l)
{
	struct rule_body *body = arena_zalloc(l->set->arena, sizeof *body);

	if (body)
		body->kind = l->kind;
	return body;
}

static void
define(struct line *l, enum symbol_kind kind, struct rule_body *body)
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
		warn(l, "name is longer than 40 characters");
}

/*
 * A name that a scorer owns keeps its meaning: the rule of a file is dropped.
 * Without network it is the file's, which then has no rival.
 */
static bool
is_taken(struct line *l)
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
define_eval(struct line *l, struct span call)
{
	size_t open = span_find_char(call, '(');
	struct span name = span_trim(span_head(call, open));
	struct rule_body *body = new_body(l);

	if (open == SPAN_NPOS || call.p[call.len - 1] != ')' ||
	    !symbol_name_valid(name)) {
		complain(l, "eval:NAME(ARGUMENTS) expected");
		return;
	}
	struct span inner = span_make(call.p + open + 1, call.len - open - 2);
	if (!body || !read_args(l->set->arena, inner, &body->args)) {
		complain(l, "arguments are 'text', \"text\" or words, "
			    "with commas between");
		return;
	}
	body->eval = name;
	define(l, SYMBOL_EVAL, body);
}

static void
define_regex(struct line *l)
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
static void
on_text(struct line *l)
{
	if (is_taken(l))
		return;
	if (span_starts(l->value, SPAN("eval:")))
		define_eval(l, span_trim(span_skip(l->value, 5)));
	else
		define_regex(l);
}

static void
on_uri(struct line *l)
{
	if (!is_taken(l))
		define_regex(l);
}

static void
on_meta(struct line *l)
{
	struct err err = {0};
	struct rule_body *body = new_body(l);

	if (!body || is_taken(l))
		return;
	if (rule_meta_compile(l->set, l->value, body, &err))
		complain(l, err.text);
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
read_modifier(struct line *l, struct span word, unsigned *flags)
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
read_header(struct line *l, struct span spec, unsigned *ret)
{
	struct span name = span_cut(&spec, ':');
	unsigned flags = 0, count = 0;

	for (size_t i = 0; i < name.len; i++)
		if (!ascii_is_alnum(name.p[i]) && name.p[i] != '_' &&
		    name.p[i] != '.' && name.p[i] != '-')
			name.len = 0;
	if (name.len == 0) {
		complain(l, "a header's name has letters, digits, - _ and .");
		return false;
	}
	while (spec.p && spec.len) {
		if (++count > MODIFIERS_MAX) {
			complain(l, "a header has at most two modifiers");
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
on_header_match(struct line *l)
{
	size_t at = span_find_char(l->value, '~');
	struct rule_body *body = new_body(l);

	if (!body)
		return;
	if (at == SPAN_NPOS || at < 2 ||
	    (l->value.p[at - 1] != '=' && l->value.p[at - 1] != '!')) {
		complain(l, "HEADER =~ /pattern/, exists:HEADER or eval:... "
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

static void
on_header(struct line *l)
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

/* --- what is said about rules ------------------------------------------------------ */

/*
 * A decimal number as whole thousandths, exactly; a fourth digit rounds, but
 * never to nothing: a score of 0 means that a rule is not run.
 */
static bool
to_milli(struct span s, int32_t *ret, bool *ret_rounded)
{
	bool negative = s.len && s.p[0] == '-', point = false;
	int64_t value = 0;
	unsigned places = 0, digits = 0, extra = 0;
	bool rest = false, up = false;

	if (s.len && (s.p[0] == '-' || s.p[0] == '+'))
		s = span_skip(s, 1);
	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] == '.' && !point) {
			point = true;
			continue;
		}
		if (!ascii_is_digit(s.p[i]))
			return false;
		digits++;
		if (point && places == 3) {
			up = up || (extra++ == 0 && s.p[i] >= '5');
			rest = rest || s.p[i] != '0';
			continue;
		}
		places += point;
		value = value * 10 + (s.p[i] - '0');
		if (value > (int64_t)SYMBOL_SCORE_MAX * 1000)
			return false;
	}
	for (; places < 3; places++)
		value *= 10;
	if (up || (rest && value == 0))
		value++;
	if (digits == 0 || value > (int64_t)SYMBOL_SCORE_MAX * 1000)
		return false;
	*ret = (int32_t)(negative ? -value : value);
	*ret_rounded = rest;
	return true;
}

static bool
read_score(struct line *l, struct span word, int32_t base, int32_t *ret)
{
	bool relative =
	    word.len > 2 && word.p[0] == '(' && word.p[word.len - 1] == ')';
	bool rounded;
	int32_t value;
	int64_t sum;

	if (relative)
		word = span_make(word.p + 1, word.len - 2);
	if (!to_milli(word, &value, &rounded))
		return false;
	if (relative && !l->symbol->scored &&
	    l->symbol->kind != SYMBOL_NATIVE) {
		complain(l, "relative score without one before");
		return false;
	}
	if (rounded)
		warn(l, "score has more than three decimals");
	sum = (int64_t)value + (relative ? base : 0);
	if (sum > (int64_t)SYMBOL_SCORE_MAX * 1000 ||
	    sum < -(int64_t)SYMBOL_SCORE_MAX * 1000)
		return false;
	*ret = (int32_t)sum;
	return true;
}

static void
on_score(struct line *l)
{
	struct symbol *symbol = l->symbol;
	struct span rest = l->value, word;
	int32_t scores[4];
	size_t n = 0, errors = l->set->errors;

	while ((word = span_word(&rest)).len) {
		if (n < 4 &&
		    read_score(l, word, symbol->scores_milli[n], &scores[n])) {
			n++;
			continue;
		}
		n = 5;
		break;
	}
	if (n != 1 && n != 4) {
		if (l->set->errors == errors)
			complain(l, "score needs one number or four, at most "
				    "a million");
		return;
	}
	for (size_t i = 0; i < 4; i++)
		symbol->scores_milli[i] = scores[n == 4 ? i : 0];
	symbol->scored = true;
	if (symbol->kind == SYMBOL_UNKNOWN) {
		symbol->file = l->place->file;
		symbol->line = l->place->line;
	}
}

static void
on_describe(struct line *l)
{
	if (l->value.len == 0)
		complain(l, "describe needs a text");
	else
		l->symbol->describe = l->value;
}

static const struct {
	const char *name;
	unsigned flag; /* 0: known, means nothing here */
} tflags[] = {
    {"nice", SYMBOL_NICE},
    {"net", SYMBOL_NET},
    {"learn", SYMBOL_LEARN},
    {"multiple", SYMBOL_MULTIPLE},
    {"nosubject", SYMBOL_NOSUBJECT},
    {"userconf", SYMBOL_USERCONF},
    {"noautolearn", SYMBOL_NOAUTOLEARN},
    {"shadow", SYMBOL_SHADOW},
    {"autolearn_body", 0},
    {"autolearn_force", 0},
    {"autolearn_header", 0},
    {"noawl", 0},
    {"nopublish", 0},
    {"publish", 0},
    {"a", 0},
    {"domains_only", 0},
    {"ips_only", 0},
    {"ns", 0},
    {"notrim", 0},
};

static bool
find_tflag(struct span word, unsigned *flags)
{
	for (size_t i = 0; i < sizeof tflags / sizeof *tflags; i++) {
		if (span_is(word, tflags[i].name)) {
			*flags |= tflags[i].flag;
			return true;
		}
	}
	return false;
}

#define MAXHITS_MAX 1000000

/* Replaces what an earlier tflags said; never merges. */
static void
on_tflags(struct line *l)
{
	struct span rest = l->value, word;
	unsigned flags = 0, maxhits = 0;

	while ((word = span_word(&rest)).len) {
		struct span value = word;
		struct span key = span_cut(&value, '=');
		uint64_t n;
		if (span_is(key, "maxhits") && value.p) {
			if (span_to_u64(value, &n) || n > MAXHITS_MAX) {
				complain(l, "maxhits needs a number");
				return;
			}
			maxhits = (unsigned)n;
		} else if (!find_tflag(word, &flags)) {
			warn(l, "unknown tflag");
		}
	}
	l->symbol->flags = flags;
	l->symbol->maxhits = maxhits;
	l->symbol->tflags = l->value;
}

static void
on_priority(struct line *l)
{
	int64_t value;

	if (span_to_i64(l->value, &value) || value < -100000 || value > 100000)
		complain(l, "priority needs a whole number, -100000 to 100000");
	else
		l->symbol->priority = (int)value;
}

/* test NAME ok|fail TEXT: kept by `rules test`; here only its form counts. */
static void
on_test(struct line *l)
{
	struct span rest = l->value;
	struct span word = span_word(&rest);

	if ((!span_is(word, "ok") && !span_is(word, "fail")) ||
	    span_trim(rest).len == 0)
		complain(l, "test needs ok or fail, and a text");
}

/* --- the table ----------------------------------------------------------------------- */

struct command {
	const char *name;
	enum symbol_kind kind;
	void (*run)(struct line *l);
};

/* Each is followed by a rule's name. */
static const struct command commands[] = {
    {"header", SYMBOL_HEADER, on_header},
    {"body", SYMBOL_BODY, on_text},
    {"rawbody", SYMBOL_RAWBODY, on_text},
    {"full", SYMBOL_FULL, on_text},
    {"uri", SYMBOL_URI, on_uri},
    {"meta", SYMBOL_META, on_meta},
    {"score", SYMBOL_UNKNOWN, on_score},
    {"describe", SYMBOL_UNKNOWN, on_describe},
    {"tflags", SYMBOL_UNKNOWN, on_tflags},
    {"priority", SYMBOL_UNKNOWN, on_priority},
    {"test", SYMBOL_UNKNOWN, on_test},
};

static void
on_plugin(
    struct rule_set *set, const struct rule_place *place, struct span value)
{
	struct span class = span_word(&value);

	if (class.len == 0)
		rule_problem(set, place, false, "loadplugin needs a class");
	else if (!rule_cond_plugin_known(class))
		rule_problem(set, place, true,
		    "there is nothing like the plugin %.*s: it stays off",
		    RULE_SHOWN(class));
}

static void
run_command(const struct command *command, struct line *l)
{
	struct span rest = l->value;
	struct span name = span_word(&rest);

	if (!symbol_name_valid(name)) {
		rule_problem(l->set, l->place, false,
		    "%s needs a rule's name (letters, digits and _, at most "
		    "%d), not \"%.*s\"",
		    command->name, SYMBOL_NAME_MAX, RULE_SHOWN(name));
		return;
	}
	l->symbol = symbol_intern(&l->set->symbols, name);
	l->value = span_trim(rest);
	l->kind = command->kind;
	if (l->symbol)
		command->run(l);
}

bool
rule_command(struct rule_set *set, const struct rule_place *place,
    struct span command, struct span value, struct span text)
{
	struct line l = {
	    .set = set, .place = place, .text = text, .value = value};

	if (span_is(command, "loadplugin") || span_is(command, "tryplugin")) {
		on_plugin(set, place, value);
		return true;
	}
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
		if (span_is(command, commands[i].name)) {
			run_command(&commands[i], &l);
			return true;
		}
	}
	return false;
}

/* --- suggestions ----------------------------------------------------------------------- */

#define NEAR_MAX 24

/* Edits from a to b, by the usual table; a and b are short. */
static size_t
distance(struct span a, struct span b)
{
	size_t row[NEAR_MAX + 1];

	for (size_t k = 0; k <= b.len; k++)
		row[k] = k;
	for (size_t i = 0; i < a.len; i++) {
		size_t diagonal = row[0];
		row[0] = i + 1;
		for (size_t k = 0; k < b.len; k++) {
			size_t best = diagonal + (a.p[i] != b.p[k]);
			diagonal = row[k + 1];
			if (row[k] + 1 < best)
				best = row[k] + 1;
			if (row[k + 1] + 1 < best)
				best = row[k + 1] + 1;
			row[k + 1] = best;
		}
	}
	return row[b.len];
}

const char *
rule_command_nearest(struct span command)
{
	static const char *const others[] = {"if", "ifplugin", "else", "endif",
	    "lang", "include", "require_version", "loadplugin", "tryplugin"};
	size_t n = sizeof commands / sizeof *commands;
	size_t all = n + sizeof others / sizeof *others;
	size_t best = 3;
	const char *found = NULL;

	if (command.len < 3 || command.len > NEAR_MAX)
		return NULL;
	for (size_t i = 0; i < all; i++) {
		const char *name = i < n ? commands[i].name : others[i - n];
		size_t d = distance(command, span_of(name));
		if (d < best && d < command.len / 2) {
			best = d;
			found = name;
		}
	}
	return found;
}
