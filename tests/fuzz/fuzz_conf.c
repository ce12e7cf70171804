/*
 * Any text gives a tree or errors with a place in it, and never both or
 * neither; a tree can be typed; a tree written as a file is the same tree
 * again. A text that begins with `-` is an argument of -o.
 */
#include <stdint.h>
#include <stdlib.h>

#include "filter/base/buf.h"
#include "filter/conf/option.h"

#define TEXT_MAX ((size_t)8 * 1024 * 1024)

#define MUST(cond)                                                             \
	do {                                                                   \
		if (!(cond))                                                   \
			__builtin_trap();                                      \
	} while (0)

static const struct option options[] = {
    {"list", OPTION_LIST, "{ a }", 0, 0, NULL, "", 0},
    {"text", OPTION_TEXT, "", 0, 0, NULL, "", 0},
    {"bool", OPTION_BOOL, "no", 0, 0, NULL, "", 0},
    {"int", OPTION_INT, "1", -9, 9, NULL, "", 0},
    {"size", OPTION_SIZE, "1M", 0, 0, NULL, "", 0},
    {"time", OPTION_TIME, "5s", 0, 0, NULL, "", 0},
    {"score", OPTION_SCORE_OFF, "off", 0, 0, NULL, "", 0},
    {"word", OPTION_WORD, "a", 0, 0, "a b", "", 0},
    {"mode", OPTION_MODE, "0600", 0, 0777, NULL, "", 0},
    OPTION_END,
};
static const struct option_section titled = {"s", "", options, true};
/* Of the same name, with the later half of the options. */
static const struct option_section untitled = {"s", "", &options[4], false};
static const struct option_section outside = {"", "", options, false};
static const struct option_section *const kinds[] = {
    &titled, &untitled, &outside};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool
is_one_line(struct span text)
{
	for (size_t i = 0; i < text.len; i++)
		if (ascii_is_control(text.p[i]))
			return false;
	return span_is_utf8(text);
}

/* What was read stands where the tree says. */
static void
check_errors(struct conf *conf, struct span text)
{
	unsigned lines = 1;

	for (size_t i = 0; i < text.len; i++)
		lines += text.p[i] == '\n';
	MUST(conf->errors.n <= CONF_ERRORS_MAX + 1);
	for (size_t i = 0; i < conf->errors.n; i++) {
		const struct conf_error *e = &conf->errors.v[i];
		MUST(e->code < 0 && e->where.line <= lines);
		MUST(e->where.column <= text.len + 1);
		MUST(is_one_line(conf_error_text(e, conf->arena)));
	}
}

static void
write_value(struct buf *out, const struct conf_entry *entry)
{
	static const struct option list = {
	    "list", OPTION_LIST, "", 0, 0, NULL, "", 0};
	static const struct option text = {
	    "text", OPTION_TEXT, "", 0, 0, NULL, "", 0};
	struct option_value value = {.option = entry->list ? &list : &text,
	    .items = entry->items,
	    .n = entry->n,
	    .text = entry->n ? entry->items[0] : SPAN("")};

	buf_add_span(out, entry->key);
	buf_add_str(out, " = ");
	buf_add_span(out, option_format(&value, out->arena));
	buf_add_char(out, '\n');
}

/* Keys outside of sections come first, so that the order stays. */
static struct span
write_tree(const struct conf *conf, struct arena *arena)
{
	struct buf out;
	static const struct option text = {
	    "text", OPTION_TEXT, "", 0, 0, NULL, "", 0};

	buf_init(&out, arena, TEXT_MAX);
	for (size_t i = 0; i < conf->sections.n; i++) {
		const struct conf_section *s = conf->sections.v[i];
		struct option_value title = {.option = &text, .text = s->title};
		if (s->name.len) {
			buf_add_span(&out, s->name);
			buf_add_char(&out, ' ');
			if (s->title.len)
				buf_add_span(
				    &out, option_format(&title, arena));
			buf_add_str(&out, " {\n");
		}
		for (size_t j = 0; j < s->entries.n; j++)
			write_value(&out, &s->entries.v[j]);
		buf_add_str(&out, s->name.len ? "}\n" : "");
	}
	MUST(!buf_failed(&out));
	return buf_span(&out);
}

static void
check_round_trip(const struct conf *conf)
{
	struct conf *again = conf_new();

	if (!again)
		return;
	struct span text = write_tree(conf, conf->arena);
	if (text.len <= CONF_FILE_SIZE_MAX) {
		MUST(conf_read_text(again, "again", text) == 0);
		MUST(span_eq(write_tree(again, again->arena), text));
	}
	conf_free(again);
}

/* A typed value, written and read, is the same value. */
static void
check_value(const struct option_value *value)
{
	struct conf *conf = conf_new();
	struct section *sections;
	size_t n;
	struct buf line;

	if (!conf)
		return;
	buf_init(&line, conf->arena, TEXT_MAX);
	buf_add_str(&line, value->option->name);
	buf_add_str(&line, " = ");
	struct span text = option_format(value, conf->arena);
	buf_add_span(&line, text);
	if (line.len <= CONF_FILE_SIZE_MAX) {
		MUST(conf_read_text(conf, "value", buf_span(&line)) == 0);
		MUST(option_read(conf, &outside, NULL, &sections, &n) == 0);
		const struct option_value *got =
		    section_get(&sections[0], value->option->name);
		MUST(got->number == value->number);
		MUST(span_eq(option_format(got, conf->arena), text));
	}
	conf_free(conf);
}

static void
check_types(struct conf *conf)
{
	/* A titled kind has its "default" even so. */
	static const char *const none[] = {NULL};
	struct section *sections;
	size_t n;

	option_check_names(conf, kinds, 3);
	for (unsigned k = 0; k < 3; k++) {
		size_t before = conf->errors.n;
		int rc = option_read(conf, kinds[k], none, &sections, &n);
		MUST((rc == 0) == (conf->errors.n == before) ||
		     before > CONF_ERRORS_MAX);
		if (rc == ERR_NOMEM)
			return;
		for (size_t i = 0; i < sections[0].n; i++)
			check_value(&sections[0].values[i]);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = span_make((const char *)data, size);
	struct conf *conf = conf_new();

	if (!conf)
		return 0;
	bool is_set = size && data[0] == '-';
	char *assignment = arena_cstr(conf->arena, span_skip(text, 1));
	int rc = is_set ? conf_set(conf, assignment)
			: conf_read_text(conf, "fuzz", text);
	MUST((rc == 0) == (conf->errors.n == 0));
	if (rc == 0 && !is_set)
		check_round_trip(conf);
	check_types(conf);
	check_errors(conf, text);
	conf_free(conf);
	return 0;
}
