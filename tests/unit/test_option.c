/* Typed tables: values, defaults, ranges, suggestions, and where from. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "filter/base/buf.h"
#include "filter/conf/option.h"
#include "tests/lib/tap.h"

#define TEXT_MAX 100000
#define COUNT(array) (sizeof(array) / sizeof *(array))

enum { KIND_TOP, KIND_MILTER, KIND_POLICY, KIND_POLICY_ALL, KINDS };

static const struct option top[] = {
    {"state", OPTION_TEXT, "", 0, 0, NULL, "", 0}, OPTION_END};
static const struct option milter[] = {
    {"socket", OPTION_TEXT, "\"unix:/run/x y\"", 0, 0, NULL, "", 0},
    {"mode", OPTION_MODE, "0660", 0, 0777, NULL, "", 0},
    {"internal", OPTION_LIST, "{ 127.0.0.0/8, ::1 }", 0, 0, NULL, "", 0},
    {"relays", OPTION_LIST, "{ }", 0, 0, NULL, "", 0},
    {"none", OPTION_LIST, "", 0, 0, NULL, "", 0},
    {"timeout", OPTION_TIME, "5s", 100, 60000, NULL, "", 0},
    {"keep", OPTION_TIME, "30d", 0, 0, NULL, "", 0},
    {"size", OPTION_SIZE, "50M", 0, 0, NULL, "", 0},
    {"room", OPTION_SIZE, "1M", 4096, 1 << 30, NULL, "", 0},
    {"count", OPTION_INT, "-1", -5, 10, NULL, "", 0},
    {"number", OPTION_INT, "7", 0, 0, NULL, "", 0},
    {"on", OPTION_BOOL, "no", 0, 0, NULL, "", 0}, OPTION_END};
static const struct option policy[] = {
    {"mode", OPTION_WORD, "observe", 0, 0, "observe enforce", "", 0},
    {"tag", OPTION_SCORE, "5", 0, 0, NULL, "", 0},
    {"hold", OPTION_SCORE, "5", -1000, 20500, NULL, "", 0},
    {"reject", OPTION_SCORE_OFF, "off", 0, 0, NULL, "", 0}, OPTION_END};
static const struct option policy_all[] = {
    {"split", OPTION_WORD, "lenient", 0, 0, "lenient defer", "", 0},
    OPTION_END};
static const struct option_section kinds[KINDS] = {
    [KIND_TOP] = {"", "", top, false},
    [KIND_MILTER] = {"milter", "", milter, false},
    [KIND_POLICY] = {"policy", "", policy, true},
    [KIND_POLICY_ALL] = {"policy", "", policy_all, false},
};
static const struct option_section *const kind_list[KINDS] = {
    &kinds[0], &kinds[1], &kinds[2], &kinds[3]};
static const char *const always[] = {"outbound", "default", NULL};

struct got {
	struct section *s;
	size_t n;
};

/* All kinds, as the daemon reads them. */
static void
read_all(struct conf *conf, struct got *got)
{
	option_check_names(conf, kind_list, KINDS);
	for (int i = 0; i < KINDS; i++) {
		size_t before = conf->errors.n;
		int rc = option_read(conf, &kinds[i],
		    kinds[i].titled ? always : NULL, &got[i].s, &got[i].n);
		CHECK_INT(rc, conf->errors.n > before ? ERR_SYNTAX : 0);
	}
}

static struct span
errors_of(struct conf *conf)
{
	struct buf out;

	buf_init(&out, conf->arena, TEXT_MAX);
	for (size_t i = 0; i < conf->errors.n; i++) {
		buf_add_span(
		    &out, conf_error_text(&conf->errors.v[i], conf->arena));
		buf_add_char(&out, '\n');
	}
	return buf_span(&out);
}

static const struct {
	const char *claim, *text, *errors;
} bad[] = {
    {"what is right gives no errors",
	"state = /x\nmilter { socket = \"a b\" internal = { ::1, 10.0.0.0/8, } "
	"}\npolicy default { mode = enforce tag = -1.25 }\npolicy { }",
	""},
    {"an unknown key is named with its nearest neighbour",
	"milter { sokcet = x }",
	"t:1:10: unknown key \"sokcet\" in milter; did you mean \"socket\"?\n"},
    {"case is a misspelling, not another spelling", "milter { Socket = x }",
	"t:1:10: unknown key \"Socket\" in milter; did you mean \"socket\"?\n"},
    {"a key that is near nothing has no neighbour", "milter { bananas = x }",
	"t:1:10: unknown key \"bananas\" in milter\n"},
    {"an unknown key outside of sections", "stat = 1",
	"t:1:1: unknown key \"stat\"; did you mean \"state\"?\n"},
    {"an unknown section is named with its nearest neighbour",
	"\n  miltre { socket = x }",
	"t:2:3: unknown section \"miltre\"; did you mean \"milter\"?\n"},
    {"an unknown section with a title, and one near nothing",
	"polcy x { }\nbananas { }",
	"t:1:1: unknown section \"polcy\"; did you mean \"policy\"?\n"
	"t:2:1: unknown section \"bananas\"\n"},
    {"a title where none belongs", "milter x { }",
	"t:1:1: section \"milter\" takes no title\n"},
    {"a key of a titled kind in the untitled one of that name, and back",
	"policy { mode = enforce xmode = 1 }\npolicy x { split = defer }",
	"t:1:10: key \"mode\" belongs to policy with a title: policy NAME"
	" { }\n"
	"t:2:12: key \"split\" belongs to policy without title\n"
	"t:1:25: unknown key \"xmode\" in policy\n"},
    {"one run finds all mistakes",
	"milter {\n timeout = soon\n size = 5X\n on = maybe\n mode = 999\n"
	" number = 1.5\n socket = { a, b }\n}\n"
	"policy default { mode = enforced  tag = 1.2345 reject = 5e }\n",
	"t:2:12: timeout: expected a time like 5s, 10m, 4h, 30d, not "
	"\"soon\"\n"
	"t:3:9: size: expected a size like 4096, 64K, 10M, 2G, not \"5X\"\n"
	"t:4:7: on: expected yes or no, not \"maybe\"\n"
	"t:5:9: mode: expected an octal mode like 0660, not \"999\"\n"
	"t:6:11: number: expected a whole number, not \"1.5\"\n"
	"t:7:11: socket: expected one value, not a list\n"
	"t:9:25: mode: \"enforced\" is none of: observe enforce; did you mean"
	" \"enforce\"?\n"
	"t:9:41: tag: expected a score like 5 or -1.25, with at most three"
	" decimals, not \"1.2345\"\n"
	"t:9:57: reject: expected a score like 5 or -1.25, with at most three"
	" decimals, or off, not \"5e\"\n"},
    {"a time wants its unit", "milter { timeout = 5 }",
	"t:1:20: timeout: expected a time like 5s, 10m, 4h, 30d, not \"5\"\n"},
    {"a range is named in the option's own form",
	"milter { timeout = 2m room = 2G count = 11 mode = 01000 }\n"
	"policy x { hold = -1.001 }",
	"t:1:20: timeout: out of range, 100ms to 1m\n"
	"t:1:30: room: out of range, 4K to 1G\n"
	"t:1:41: count: out of range, -5 to 10\n"
	"t:1:51: mode: out of range, 0000 to 0777\n"
	"t:2:19: hold: out of range, -1 to 20.500\n"},
    {"a number that nothing can hold is out of range, or too large",
	"milter { room = 99999999999999999999 size = 9000000T"
	" number = -9223372036854775809 }",
	"t:1:17: room: out of range, 4K to 1G\n"
	"t:1:45: size: too large; expected a size like 4096, 64K, 10M, 2G, not"
	" \"9000000T\"\n"
	"t:1:63: number: too large; expected a whole number, not"
	" \"-9223372036854775809\"\n"},
    {"a word that is near no choice", "policy x { mode = bananas }",
	"t:1:19: mode: \"bananas\" is none of: observe enforce\n"},
    {"an empty value where one is needed", "milter { on = \"\" size = \"\" }",
	"t:1:15: on: expected yes or no, not \"\"\n"
	"t:1:25: size: expected a size like 4096, 64K, 10M, 2G, not \"\"\n"},
    {"what an error repeats cannot break its line",
	"milter { on = \"a\\nb\\tc\" }",
	"t:1:15: on: expected yes or no, not \"a?b?c\"\n"},
};

static void
test_errors(void)
{
	struct got got[KINDS];

	for (size_t i = 0; i < COUNT(bad); i++) {
		struct conf *conf = conf_new();
		TAP_CASE(bad[i].claim)
		CHECK_INT(conf_read_text(conf, "t", span_of(bad[i].text)), 0);
		read_all(conf, got);
		CHECK_STR(errors_of(conf), bad[i].errors);
		conf_free(conf);
	}
}

static struct span
format(const struct section *section, const char *name, struct conf *conf)
{
	return option_format(section_get(section, name), conf->arena);
}

static void
test_defaults(void)
{
	struct conf *conf = conf_new();
	struct got got[KINDS];

	TAP_CASE("an empty tree gives every kind with its defaults")
	read_all(conf, got);
	const struct section *m = &got[KIND_MILTER].s[0];
	CHECK_STR(errors_of(conf), "");
	CHECK_INT(got[KIND_MILTER].n, 1);
	CHECK(m->where.file == NULL);
	CHECK_STR(section_text(m, "socket"), "unix:/run/x y");
	CHECK_INT(section_number(m, "mode"), 0660);
	CHECK_INT(section_get(m, "internal")->n, 2);
	CHECK_STR(section_get(m, "internal")->items[1], "::1");
	CHECK_INT(section_number(m, "timeout"), 5000);
	CHECK_INT(section_number(m, "size"), 50 << 20);
	CHECK_INT(section_number(m, "count"), -1);
	CHECK(!section_bool(m, "on"));
	CHECK(section_number(&got[KIND_POLICY].s[0], "reject") == OPTION_OFF);
	CHECK_INT(section_number(&got[KIND_POLICY].s[0], "tag"), 5000);

	TAP_CASE("an empty text and an empty list are empty")
	CHECK(section_empty(&got[KIND_TOP].s[0], "state"));
	CHECK(section_empty(m, "relays"));
	CHECK(section_empty(m, "none"));
	CHECK(!section_empty(m, "internal"));
	CHECK(!section_empty(m, "socket"));

	TAP_CASE("a default comes from nowhere")
	CHECK(section_get(m, "socket")->entry == NULL);
	CHECK_STR(
	    option_origin(section_get(m, "socket"), conf->arena), "default");

	TAP_CASE("fixed titles are always there, default first, each once")
	CHECK_INT(got[KIND_POLICY].n, 2);
	CHECK_STR(got[KIND_POLICY].s[0].title, "default");
	CHECK_STR(got[KIND_POLICY].s[1].title, "outbound");
	CHECK_INT(got[KIND_POLICY_ALL].n, 1);
	conf_free(conf);
}

static void
test_values(void)
{
	struct conf *conf = conf_new();
	struct got got[KINDS];

	TAP_CASE("values are typed, defaults fill the rest")
	CHECK_INT(
	    conf_read_text(conf, "t",
		SPAN("milter { socket = \"a\\\"b\\\\\" internal = { ::1, "
		     "200/1h, \"file:/etc/x y\" }\n relays = 192.0.2.1\n size "
		     "= 3m on = YES keep = 0 timeout = 1500MS }\n"
		     "policy \"a b\" { reject = Off tag = .5 }\n"
		     "policy outbound { reject = 12 }\npolicy { split=defer }"
		     "state = include")),
	    0);
	read_all(conf, got);
	CHECK_STR(errors_of(conf), "");
	const struct section *m = &got[KIND_MILTER].s[0];
	const struct section *p = got[KIND_POLICY].s;
	CHECK_STR(section_text(m, "socket"), "a\"b\\");
	CHECK_INT(section_get(m, "internal")->n, 3);
	CHECK_INT(section_number(m, "size"), 3 << 20);
	CHECK_INT(section_number(m, "timeout"), 1500);
	CHECK_INT(section_number(m, "keep"), 0);
	CHECK(section_bool(m, "on"));
	CHECK_INT(section_number(m, "mode"), 0660);
	CHECK_INT(m->where.line, 1);

	TAP_CASE("one value where a list may stand is a list of one")
	CHECK_INT(section_get(m, "relays")->n, 1);
	CHECK_STR(section_get(m, "relays")->items[0], "192.0.2.1");

	TAP_CASE("the file's titles follow the fixed ones")
	CHECK_INT(got[KIND_POLICY].n, 3);
	CHECK_STR(p[2].title, "a b");
	CHECK(section_number(&p[2], "reject") == OPTION_OFF);
	CHECK_INT(section_number(&p[2], "tag"), 500);
	CHECK_INT(section_number(&p[1], "reject"), 12000);
	CHECK_INT(section_number(&got[KIND_POLICY_ALL].s[0], "split"), 1);

	TAP_CASE("values are written as a file would write them")
	CHECK_STR(
	    format(m, "internal", conf), "{ ::1, 200/1h, \"file:/etc/x y\" }");
	CHECK_STR(format(m, "none", conf), "{ }");
	CHECK_STR(format(m, "socket", conf), "\"a\\\"b\\\\\"");
	CHECK_STR(format(m, "size", conf), "3M");
	CHECK_STR(format(m, "timeout", conf), "1500ms");
	CHECK_STR(format(m, "keep", conf), "0");
	CHECK_STR(format(m, "mode", conf), "0660");
	CHECK_STR(format(m, "on", conf), "yes");
	CHECK_STR(format(m, "count", conf), "-1");
	CHECK_STR(format(&p[2], "reject", conf), "off");
	CHECK_STR(format(&p[2], "tag", conf), "0.500");
	CHECK_STR(format(&p[2], "mode", conf), "observe");
	CHECK_STR(format(&got[KIND_POLICY_ALL].s[0], "split", conf), "defer");
	CHECK_STR(format(&got[KIND_TOP].s[0], "state", conf), "\"include\"");
	conf_free(conf);
}

/* Texts that would read as something else without quotes get them. */
static void
test_quotes(void)
{
	static const struct {
		const char *text, *want;
	} texts[] = {
	    {"a", "a"},
	    {"/etc/x-1.y:z", "/etc/x-1.y:z"},
	    {"a b", "\"a b\""},
	    {"", "\"\""},
	    {"a#b", "\"a#b\""},
	    {"a,b", "\"a,b\""},
	    {"a=b", "\"a=b\""},
	    {"{a}", "\"{a}\""},
	    {"(a)", "\"(a)\""},
	    {"a\\b\"c\nd\te", "\"a\\\\b\\\"c\\nd\\te\""},
	    {"\xc3\xbc", "\"\xc3\xbc\""},
	};
	struct arena *arena = arena_new(0);

	TAP_CASE("texts are written with quotes where they need them")
	for (size_t i = 0; i < COUNT(texts); i++) {
		struct option_value value = {
		    .option = &top[0], .text = span_of(texts[i].text)};
		CHECK_STR(option_format(&value, arena), texts[i].want);
	}
	arena_free(arena);
}

static void
test_origin(void)
{
	struct conf *conf = conf_new();
	struct got got[KINDS];

	TAP_CASE("a value knows where it comes from and what it replaced")
	CHECK_INT(
	    conf_read_text(conf, "a", SPAN("milter { socket = x on = no }")),
	    0);
	CHECK_INT(
	    conf_read_text(conf, "b", SPAN("\nmilter { socket = y }")), 0);
	CHECK_INT(conf_set(conf, "milter.on=yes"), 0);
	CHECK_INT(conf_set(conf, "milter.size=1K"), 0);
	read_all(conf, got);
	const struct section *m = &got[KIND_MILTER].s[0];
	CHECK_STR(option_origin(section_get(m, "socket"), conf->arena),
	    "b:2:19, instead of a:1:19");
	CHECK_STR(option_origin(section_get(m, "on"), conf->arena),
	    "-o, instead of a:1:26");
	CHECK_STR(option_origin(section_get(m, "size"), conf->arena), "-o");
	CHECK(section_bool(m, "on"));
	conf_free(conf);
}

static void
test_set(void)
{
	struct conf *conf = conf_new();
	struct got got[KINDS];

	TAP_CASE("commas of -o part lists and nothing else")
	CHECK_INT(conf_set(conf, "milter.socket=c, d "), 0);
	CHECK_INT(conf_set(conf, "milter.internal=::1, 10.0.0.0/8"), 0);
	CHECK_INT(conf_set(conf, "milter.relays="), 0);
	CHECK_INT(conf_set(conf, "state="), 0);
	CHECK_INT(conf_set(conf, "policy.default.mode=enforce"), 0);
	CHECK_INT(conf_set(conf, "policy.example.com.tag=-3"), 0);
	CHECK_INT(conf_set(conf, "policy.split=defer"), 0);
	read_all(conf, got);
	const struct section *m = &got[KIND_MILTER].s[0];
	CHECK_STR(errors_of(conf), "");
	CHECK_STR(section_text(m, "socket"), "c, d ");
	CHECK_INT(section_get(m, "internal")->n, 2);
	CHECK_INT(section_get(m, "relays")->n, 0);
	CHECK(section_empty(&got[KIND_TOP].s[0], "state"));
	CHECK_INT(section_number(&got[KIND_POLICY].s[0], "mode"), 1);
	CHECK_STR(got[KIND_POLICY].s[2].title, "example.com");
	CHECK_INT(section_number(&got[KIND_POLICY].s[2], "tag"), -3000);
	CHECK_INT(section_number(&got[KIND_POLICY_ALL].s[0], "split"), 1);
	conf_free(conf);

	TAP_CASE("a mistake in -o is told like one in a file")
	conf = conf_new();
	CHECK_INT(conf_set(conf, "milter.size=1,2"), 0);
	CHECK_INT(conf_set(conf, "milter.soket=1"), 0);
	CHECK_INT(conf_set(conf, "miltr.x=1"), 0);
	read_all(conf, got);
	CHECK_STR(errors_of(conf),
	    "-o: unknown section \"miltr\"; did you mean \"milter\"?\n"
	    "-o: size: expected a size like 4096, 64K, 10M, 2G, not \"1,2\"\n"
	    "-o: unknown key \"soket\" in milter; did you mean \"socket\"?\n");
	conf_free(conf);

	TAP_CASE("without memory there are no sections")
	conf = conf_new();
	arena_fail(conf->arena);
	CHECK_INT(
	    option_read(conf, &kinds[KIND_MILTER], NULL, &got[0].s, &got[0].n),
	    ERR_NOMEM);
	conf_free(conf);
}

static const struct {
	const char *text;
	int rc;
	int64_t milli;
} scores[] = {
    {"5", 0, 5000},
    {"-1.25", 0, -1250},
    {"15.000", 0, 15000},
    {"0.001", 0, 1},
    {"-.5", 0, -500},
    {"-0", 0, 0},
    {"007.1", 0, 7100},
    {"1000000", 0, 1000000000},
    {"1000001", ERR_LIMIT, 0},
    {"99999999999999999999", ERR_LIMIT, 0},
    {"1.2345", ERR_SYNTAX, 0},
    {"1.0000", ERR_SYNTAX, 0},
    {"5.", ERR_SYNTAX, 0},
    {".", ERR_SYNTAX, 0},
    {"-", ERR_SYNTAX, 0},
    {"", ERR_SYNTAX, 0},
    {"+5", ERR_SYNTAX, 0},
    {"--5", ERR_SYNTAX, 0},
    {"-.-5", ERR_SYNTAX, 0},
    {"5e0", ERR_SYNTAX, 0},
    {"1,5", ERR_SYNTAX, 0},
    {"1.2.3", ERR_SYNTAX, 0},
    {"0x5", ERR_SYNTAX, 0},
    {" 5", ERR_SYNTAX, 0},
    {"nan", ERR_SYNTAX, 0},
    {"inf", ERR_SYNTAX, 0},
};

static const struct {
	const char *text;
	int rc;
	int64_t ms;
} times[] = {
    {"0", 0, 0},
    {"500ms", 0, 500},
    {"5s", 0, 5000},
    {"10m", 0, 600000},
    {"4h", 0, 14400000},
    {"30d", 0, INT64_C(2592000000)},
    {"2w", 0, INT64_C(1209600000)},
    {"1H", 0, 3600000},
    {"5", ERR_SYNTAX, 0},
    {"00", ERR_SYNTAX, 0},
    {"s", ERR_SYNTAX, 0},
    {"", ERR_SYNTAX, 0},
    {"-5s", ERR_SYNTAX, 0},
    {"1.5h", ERR_SYNTAX, 0},
    {"5 s", ERR_SYNTAX, 0},
    {"5sec", ERR_SYNTAX, 0},
    {"1h30m", ERR_SYNTAX, 0},
    {"9223372036854775807ms", 0, INT64_MAX},
    {"9223372036854775808ms", ERR_LIMIT, 0},
    {"9223372036854775807s", ERR_LIMIT, 0},
    {"18446744073709551617w", ERR_LIMIT, 0},
};

static const struct {
	const char *text;
	int rc;
	int64_t bytes;
} sizes[] = {
    {"0", 0, 0},
    {"4096", 0, 4096},
    {"64K", 0, 65536},
    {"10M", 0, 10485760},
    {"2g", 0, INT64_C(2147483648)},
    {"1T", 0, INT64_C(1) << 40},
    {"8388607T", 0, INT64_C(8388607) << 40},
    {"8388608T", ERR_LIMIT, 0},
    {"9223372036854775808", ERR_LIMIT, 0},
    {"K", ERR_SYNTAX, 0},
    {"", ERR_SYNTAX, 0},
    {"10MB", ERR_SYNTAX, 0},
    {"1.5M", ERR_SYNTAX, 0},
    {"-1", ERR_SYNTAX, 0},
};

static void
test_forms(void)
{
	int64_t value;

	TAP_CASE("scores are whole thousandths, exactly")
	for (size_t i = 0; i < COUNT(scores); i++) {
		value = 0;
		if (!CHECK(option_parse_score(span_of(scores[i].text),
			       &value) == scores[i].rc &&
			   value == scores[i].milli))
			printf("# \"%s\"\n", scores[i].text);
	}

	TAP_CASE("times have one number and one unit")
	for (size_t i = 0; i < COUNT(times); i++) {
		value = 0;
		if (!CHECK(option_parse_time(span_of(times[i].text), &value) ==
			       times[i].rc &&
			   value == times[i].ms))
			printf("# \"%s\"\n", times[i].text);
	}

	TAP_CASE("sizes are bytes, units are powers of 1024")
	for (size_t i = 0; i < COUNT(sizes); i++) {
		value = 0;
		if (!CHECK(option_parse_size(span_of(sizes[i].text), &value) ==
			       sizes[i].rc &&
			   value == sizes[i].bytes))
			printf("# \"%s\"\n", sizes[i].text);
	}
}

/* Each number, written and read again, is itself. */
static void
test_round_trip(void)
{
	static const int64_t numbers[] = {0, 1, 7, 999, 1000, 1001, 1023, 1024,
	    60000, 90000, 3600000, 86400000, 604800000, 1 << 20,
	    INT64_C(3) << 30, INT64_C(5) << 40, 999999999, 1000000000};
	static const struct option kinds_of[] = {
	    {"time", OPTION_TIME, "0", 0, 0, NULL, "", 0},
	    {"size", OPTION_SIZE, "0", 0, 0, NULL, "", 0},
	    {"score", OPTION_SCORE, "0", 0, 0, NULL, "", 0}};
	struct arena *arena = arena_new(0);
	unsigned wrong = 0;

	TAP_CASE("what is written reads as the same number")
	for (size_t i = 0; i < COUNT(numbers); i++) {
		struct option_value time = {
		    .option = &kinds_of[0], .number = numbers[i]};
		struct option_value size = {
		    .option = &kinds_of[1], .number = numbers[i]};
		struct option_value score = {.option = &kinds_of[2],
		    .number = -(numbers[i] % 1000000001)};
		int64_t got = -1;
		wrong +=
		    option_parse_time(option_format(&time, arena), &got) != 0 ||
		    got != time.number;
		wrong +=
		    option_parse_size(option_format(&size, arena), &got) != 0 ||
		    got != size.number;
		wrong += option_parse_score(
			     option_format(&score, arena), &got) != 0 ||
			 got != score.number;
	}
	CHECK_INT(wrong, 0);
	arena_free(arena);
}

static const struct {
	const char *claim, *word, *want;
} nearest[] = {
    {"a letter too many", "sockett", "socket"},
    {"a letter missing", "soket", "socket"},
    {"a letter for another", "sockat", "socket"},
    {"two letters swapped are one mistake", "scoket", "socket"},
    {"swapped letters in another case", "sCOket", "socket"},
    {"another case", "SOCKET", "socket"},
    {"the nearest of several", "time", "timer"},
    {"of equals the first", "timexs", "timers"},
    {"two mistakes in a short word", "pxyt", "port"},
    {"three mistakes in a short word are too many", "pxyz", NULL},
    {"a third of a long word may be wrong", "authserw1dd", "authserv_id"},
    {"half of a long word is too much", "authsxxxxxx", NULL},
    {"two letters are near no other two", "ab", NULL},
    {"one letter is near nothing", "x", NULL},
    {"nothing is near nothing", "", NULL},
};

static void
test_nearest(void)
{
	static const char *const names[] = {"", "socket", "timers", "timer",
	    "timex", "port", "authserv_id", "on", "of", "y"};
	char text[100];

	for (size_t i = 0; i < COUNT(nearest); i++) {
		TAP_CASE(nearest[i].claim)
		const char *near = option_nearest(
		    span_of(nearest[i].word), names, COUNT(names));
		CHECK_STR(span_of(near ? near : "(none)"),
		    nearest[i].want ? nearest[i].want : "(none)");
	}

	TAP_CASE("a very long word is near nothing, not even a long name")
	memset(text, 'a', sizeof text);
	text[sizeof text - 1] = '\0';
	const char *const long_name = text;
	CHECK(option_nearest(span_of(text), &long_name, 1) == NULL);
}

int
main(void)
{
	test_errors();
	test_defaults();
	test_values();
	test_quotes();
	test_origin();
	test_set();
	test_forms();
	test_round_trip();
	test_nearest();
	return tap_done();
}
