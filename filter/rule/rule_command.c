#include "filter/rule/rule_impl.h"

/*
 * The table of commands that a rule's name follows, and the nearest one to a
 * misspelled word. Commands whose part is not built are not here: they are
 * unknown, and said to be.
 */

void
rule_complain(struct rule_line *l, const char *what)
{
	rule_problem(l->set, l->place, false, "%.*s: %s",
	    SPAN_ARG(l->symbol->name), what);
}

void
rule_warn(struct rule_line *l, const char *what)
{
	if (l->set->options.lint)
		rule_problem(l->set, l->place, true, "%.*s: %s",
		    SPAN_ARG(l->symbol->name), what);
}

struct command {
	const char *name;
	enum symbol_kind kind;
	void (*run)(struct rule_line *l);
};

/* Each is followed by a rule's name. */
static const struct command commands[] = {
    {"header", SYMBOL_HEADER, rule_define_header},
    {"body", SYMBOL_BODY, rule_define_text},
    {"rawbody", SYMBOL_RAWBODY, rule_define_text},
    {"full", SYMBOL_FULL, rule_define_text},
    {"uri", SYMBOL_URI, rule_define_uri},
    {"meta", SYMBOL_META, rule_define_meta},
    {"score", SYMBOL_UNKNOWN, rule_say_score},
    {"describe", SYMBOL_UNKNOWN, rule_say_describe},
    {"tflags", SYMBOL_UNKNOWN, rule_say_tflags},
    {"priority", SYMBOL_UNKNOWN, rule_say_priority},
    {"test", SYMBOL_UNKNOWN, rule_say_test},
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
run_command(const struct command *command, struct rule_line *l)
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
	struct rule_line l = {
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
