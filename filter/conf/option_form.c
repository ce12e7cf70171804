#include "filter/conf/option_form.h"

#include <assert.h>
#include <inttypes.h>

#include "filter/conf/lex.h"

/*
 * Text to numbers and back, exactly: sizes in bytes, times in milliseconds,
 * scores in thousandths. What is written here reads as the same value again.
 */

struct unit {
	const char *name;
	int64_t factor;
};

/* Large units first: writing takes the first that leaves no rest. */
static const struct unit time_units[] = {{"w", 604800000}, {"d", 86400000},
    {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}, {NULL, 0}};
static const struct unit size_units[] = {{"T", INT64_C(1) << 40},
    {"G", INT64_C(1) << 30}, {"M", INT64_C(1) << 20}, {"K", INT64_C(1) << 10},
    {"", 1}, {NULL, 0}};

/* --- reading --------------------------------------------------------------------- */

/* Digits and one of the units, in any case. */
static int
parse_units(struct span text, const struct unit *units, int64_t *ret)
{
	size_t n = 0;
	int64_t number, value;

	while (n < text.len && ascii_is_digit(text.p[n]))
		n++;
	while (units->name && !span_caseis(span_skip(text, n), units->name))
		units++;
	if (!units->name || n == 0)
		return ERR_SYNTAX;
	if (span_to_i64(span_head(text, n), &number) ||
	    __builtin_mul_overflow(number, units->factor, &value))
		return ERR_LIMIT;
	*ret = value;
	return 0;
}

int
option_parse_size(struct span text, int64_t *ret_bytes)
{
	return parse_units(text, size_units, ret_bytes);
}

int
option_parse_time(struct span text, int64_t *ret_ms)
{
	if (span_is(text, "0")) {
		*ret_ms = 0;
		return 0;
	}
	return parse_units(text, time_units, ret_ms);
}

int
option_parse_score(struct span text, int64_t *ret_milli)
{
	bool negative = text.len && text.p[0] == '-';
	struct span rest = negative ? span_skip(text, 1) : text;
	struct span whole = span_cut(&rest, '.');
	uint64_t points = 0, milli = 0;

	/* ".5" is a score, as in rule files; "5." and "." are none. */
	if (!whole.len && !rest.len)
		return ERR_SYNTAX;
	int rc = whole.len ? span_to_u64(whole, &points) : 0;
	if (rc == ERR_SYNTAX || (rest.p && (rest.len == 0 || rest.len > 3 ||
					       span_to_u64(rest, &milli))))
		return ERR_SYNTAX;
	if (rc || points > OPTION_SCORE_MAX)
		return ERR_LIMIT;
	for (size_t i = rest.len; i < 3; i++)
		milli *= 10;
	int64_t value = (int64_t)(points * 1000 + milli);
	*ret_milli = negative ? -value : value;
	return 0;
}

static int
parse_score_off(struct span text, int64_t *ret)
{
	if (span_caseis(text, "off")) {
		*ret = OPTION_OFF;
		return 0;
	}
	return option_parse_score(text, ret);
}

static int
parse_bool(struct span text, int64_t *ret)
{
	static const char *const words[] = {
	    "no", "yes", "off", "on", "false", "true"};

	for (unsigned i = 0; i < sizeof words / sizeof *words; i++) {
		if (span_caseis(text, words[i])) {
			*ret = i & 1;
			return 0;
		}
	}
	return ERR_SYNTAX;
}

#define MODE_DIGITS_MAX 5

static int
parse_mode(struct span text, int64_t *ret)
{
	int64_t mode = 0;

	if (text.len == 0 || text.len > MODE_DIGITS_MAX)
		return ERR_SYNTAX;
	for (size_t i = 0; i < text.len; i++) {
		if (text.p[i] < '0' || text.p[i] > '7')
			return ERR_SYNTAX;
		mode = mode * 8 + (text.p[i] - '0');
	}
	*ret = mode;
	return 0;
}

/* What each type reads, and what its message says was expected. */
static const struct {
	int (*parse)(struct span text, int64_t *ret);
	const char *expected;
} types[] = {
    [OPTION_BOOL] = {parse_bool, "yes or no"},
    [OPTION_INT] = {span_to_i64, "a whole number"},
    [OPTION_SIZE] = {option_parse_size, "a size like 4096, 64K, 10M, 2G"},
    [OPTION_TIME] = {option_parse_time, "a time like 5s, 10m, 4h, 30d"},
    [OPTION_SCORE] = {option_parse_score,
	"a score like 5 or -1.25, with at most three decimals"},
    [OPTION_SCORE_OFF] = {parse_score_off,
	"a score like 5 or -1.25, with at most three decimals, or off"},
    [OPTION_WORD] = {NULL, "a word"},
    [OPTION_TEXT] = {NULL, "a text"},
    [OPTION_LIST] = {NULL, "a list"},
    [OPTION_MODE] = {parse_mode, "an octal mode like 0660"},
};

int
option_parse_number(enum option_type type, struct span text, int64_t *ret)
{
	assert(types[type].parse);
	return types[type].parse(text, ret);
}

const char *
option_expected(enum option_type type)
{
	return types[type].expected;
}

int64_t
option_choice_index(const char *choices, struct span word)
{
	struct span rest = span_of(choices), one;

	for (int64_t i = 0; (one = span_word(&rest)).len; i++)
		if (span_eq(one, word))
			return i;
	return -1;
}

/* --- writing --------------------------------------------------------------------- */

static void
format_score(struct buf *out, int64_t milli)
{
	uint64_t size = milli < 0 ? -(uint64_t)milli : (uint64_t)milli;

	if (milli == OPTION_OFF) {
		buf_add_str(out, "off");
		return;
	}
	if (milli < 0)
		buf_add_char(out, '-');
	buf_add_u64(out, size / 1000);
	if (size % 1000)
		buf_printf(out, ".%03u", (unsigned)(size % 1000));
}

static void
format_units(struct buf *out, const struct unit *units, int64_t number)
{
	/* The last unit is the number itself; 0 has no unit of its own. */
	while (units[1].name && (number == 0 || number % units->factor))
		units++;
	buf_printf(out, "%" PRId64 "%s", number / units->factor, units->name);
}

void
option_format_number(struct buf *out, enum option_type type, int64_t number)
{
	switch (type) {
	case OPTION_BOOL:
		buf_add_str(out, number ? "yes" : "no");
		return;
	case OPTION_MODE:
		buf_printf(out, "%04" PRIo64, (uint64_t)number);
		return;
	case OPTION_SCORE:
	case OPTION_SCORE_OFF:
		format_score(out, number);
		return;
	case OPTION_TIME:
		if (number == 0)
			buf_add_char(out, '0');
		else
			format_units(out, time_units, number);
		return;
	case OPTION_SIZE:
		format_units(out, size_units, number);
		return;
	case OPTION_INT:
	case OPTION_WORD:
	case OPTION_TEXT:
	case OPTION_LIST:
		buf_printf(out, "%" PRId64, number);
		return;
	}
}

static struct span
choice_at(const char *choices, int64_t index)
{
	struct span rest = span_of(choices), one = span_word(&rest);

	while (index-- > 0)
		one = span_word(&rest);
	return one;
}

/*
 * Whether it should be written without quotes. More would be possible, but not
 * for `include` before a key that begins with a parenthesis.
 */
static bool
is_plain_word(struct span text)
{
	for (size_t i = 0; i < text.len; i++)
		if (!lex_is_word_byte(text.p[i]) || ascii_is_8bit(text.p[i]) ||
		    strchr("()\\", text.p[i]))
			return false;
	return text.len != 0 && !span_is(text, "include");
}

static void
format_text(struct buf *out, struct span text)
{
	if (is_plain_word(text)) {
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

static void
format_list(struct buf *out, const struct option_value *value)
{
	buf_add_str(out, "{");
	for (size_t i = 0; i < value->n; i++) {
		buf_add_str(out, i ? ", " : " ");
		format_text(out, value->items[i]);
	}
	buf_add_str(out, " }");
}

struct span
option_format(const struct option_value *value, struct arena *arena)
{
	const struct option *option = value->option;
	struct buf out;

	buf_init(&out, arena, 2 * CONF_FILE_SIZE_MAX);
	if (option->type == OPTION_LIST)
		format_list(&out, value);
	else if (option->type == OPTION_TEXT)
		format_text(&out, value->text);
	else if (option->type == OPTION_WORD)
		buf_add_span(&out, choice_at(option->choices, value->number));
	else
		option_format_number(&out, option->type, value->number);
	return buf_span(&out);
}

struct span
option_origin(const struct option_value *value, struct arena *arena)
{
	const struct conf_entry *entry = value->entry;
	struct buf out;

	if (!entry)
		return SPAN("default");
	buf_init(&out, arena, CONF_FILE_SIZE_MAX);
	buf_add_span(&out, conf_where_text(&entry->value_where, arena));
	for (entry = entry->replaced; entry; entry = entry->replaced) {
		buf_add_str(&out, ", instead of ");
		buf_add_span(&out, conf_where_text(&entry->value_where, arena));
	}
	return buf_span(&out);
}
