/* The configuration parser finds all mistakes, each where it stands. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "filter/base/buf.h"
#include "filter/conf/option.h"
#include "tests/lib/tap.h"

enum { KIND_TOP, KIND_MILTER, KIND_POLICY, KIND_POLICY_ALL };

static const struct option top[] = {
    {"state", OPTION_TEXT, "", 0, 0, NULL, "", 0}, OPTION_END};
static const struct option milter[] = {
    {"socket", OPTION_TEXT, "\"unix:/run/x\"", 0, 0, NULL, "", 0},
    {"mode", OPTION_MODE, "0660", 0, 0777, NULL, "", 0},
    {"internal", OPTION_LIST, "{ 127.0.0.0/8, ::1 }", 0, 0, NULL, "", 0},
    {"timeout", OPTION_TIME, "5s", 100, 60000, NULL, "", 0},
    {"size", OPTION_SIZE, "50M", 0, 0, NULL, "", 0},
    {"on", OPTION_BOOL, "no", 0, 0, NULL, "", 0}, OPTION_END};
static const struct option policy[] = {
    {"mode", OPTION_WORD, "observe", 0, 0, "observe enforce", "", 0},
    {"tag", OPTION_SCORE, "5", 0, 0, NULL, "", 0},
    {"reject", OPTION_SCORE_OFF, "15", 0, 0, NULL, "", 0}, OPTION_END};
static const struct option policy_all[] = {
    {"split", OPTION_WORD, "lenient", 0, 0, "lenient defer", "", 0},
    OPTION_END};
static const struct option_section kinds[] = {
    {"", "", top, false},
    {"milter", "", milter, false},
    {"policy", "", policy, true},
    {"policy", "", policy_all, false},
};
static const struct option_section *const kind_list[] = {
    &kinds[0], &kinds[1], &kinds[2], &kinds[3]};
static const char *const always[] = {"outbound", NULL};

struct got {
	struct section *s;
	size_t n;
};

static void
read_kind(struct conf *conf, int kind, struct got *ret)
{
	*ret = (struct got){0};
	if (option_read(conf, &kinds[kind], kinds[kind].titled ? always : NULL,
		&ret->s, &ret->n) == ERR_NOMEM)
		CHECK(!"memory");
}

/* All errors of a text, each "line:column: text" on a line. */
static struct span
errors_of(struct conf *conf, const char *text)
{
	struct buf out;
	struct got got;

	buf_init(&out, conf->arena, 100000);
	if (conf_read_text(conf, "t", span_of(text)) == 0) {
		option_check_names(conf, kind_list, 4);
		for (int i = 0; i < 4; i++)
			read_kind(conf, i, &got);
	}
	for (size_t i = 0; i < conf->errors.n; i++) {
		struct span e =
		    conf_error_text(&conf->errors.v[i], conf->arena);
		buf_printf(&out, "%.*s\n", SPAN_ARG(e));
	}
	return buf_span(&out);
}

static const struct {
	const char *claim, *text, *errors;
} bad[] = {
    {"a clean file has no errors",
	"# c\nstate = /x\nmilter { socket = \"a b\" internal = { ::1 , 10.0.0.0/8, }"
	" }\npolicy default { mode = enforce tag = -1.25 }\n",
	""},
    {"an unknown key is named with its nearest neighbour",
	"milter { sokcet = x }\n",
	"t:1:10: unknown key \"sokcet\" in milter; did you mean \"socket\"?\n"},
    {"an unknown section is named with its nearest neighbour",
	"\n  miltre { socket = x }\n",
	"t:2:3: unknown section \"miltre\"; did you mean \"milter\"?\n"},
    {"one run finds all mistakes",
	"milter {\n timeout = soon\n size = 5X\n on = maybe\n mode = 999\n}\n"
	"policy default { mode = enforced  tag = 1.2345 reject = 5e }\n",
	"t:2:12: timeout: expected a time like 500ms, 5s, 10m, 4h, 30d, not"
	" \"soon\"\n"
	"t:3:9: size: expected a size like 4096, 64K, 10M, 2G, not \"5X\"\n"
	"t:4:7: on: expected yes or no, not \"maybe\"\n"
	"t:5:9: mode: expected an octal mode like 0660, not \"999\"\n"
	"t:7:25: mode: \"enforced\" is none of: observe enforce; did you mean"
	" \"enforce\"?\n"
	"t:7:41: tag: expected a score like 5 or -1.25, not \"1.2345\"\n"
	"t:7:57: reject: expected a score like 5 or 7.5, or off, not \"5e\"\n"},
    {"a range is named", "milter { timeout = 2m }",
	"t:1:20: timeout: out of range, 100ms to 1m\n"},
    {"a key twice in one file is an error",
	"milter { socket = a\n socket = b }",
	"t:2:2: \"socket\" is given twice; first at line 1, column 10\n"},
    {"also when the section is opened again",
	"milter { socket = a }\nmilter { socket = b }",
	"t:2:10: \"socket\" is given twice; first at line 1, column 10\n"},
    {"an unclosed section is reported where it opened",
	"milter {\n socket = a\n",
	"t:1:1: a section opened here is not closed\n"},
    {"an unclosed list is reported where it opened",
	"milter { internal = { a, b\n",
	"t:1:21: a list opened here is not closed\n"
	"t:1:1: a section opened here is not closed\n"},
    {"an unclosed quote is reported where it opened",
	"milter { socket = \"a\n }",
	"t:1:19: a quote opened here is not closed on its line\n"},
    {"a brace too many", "}\n", "t:1:1: \"}\" closes nothing that is open\n"},
    {"a section in a section", "milter { policy x { } }",
	"t:1:10: a section inside the section that opened at line 1\n"},
    {"a missing value", "milter { socket = }",
	"t:1:19: expected a value before \"}\"\n"},
    {"one mistake gives one error", "milter { socket a b c d = 1 2 3\n}\n",
	"t:1:19: expected \"{\" before \"b\"\n"},
    {"control characters", "milter { socket = \x01 }",
	"t:1:19: control character 0x01\n"},
    {"an escape that is none", "state = \"a\\q\"",
	"t:1:9: unknown escape \\q in a string (known: \\\" \\\\ \\n \\t)\n"},
    {"a list where one value belongs", "state = { a, b }",
	"t:1:9: state: expected one value, not a list\n"},
    {"a title where none belongs", "milter x { }",
	"t:1:1: section milter takes no title\n"},
    {"a key outside sections", "stat = 1",
	"t:1:1: unknown key \"stat\"; did you mean \"state\"?\n"},
};

static void
test_errors(void)
{
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct conf *conf = conf_new();
		TAP_CASE(bad[i].claim)
		CHECK_STR(errors_of(conf, bad[i].text), bad[i].errors);
		conf_free(conf);
	}
}

static void
test_values(void)
{
	struct conf *conf = conf_new();
	struct got m, p;

	TAP_CASE("values are typed, defaults fill the rest")
	CHECK_INT(conf_read_text(conf, "t",
		      SPAN("milter { socket = \"a\\\"b\\\\\" # c\n"
			   "internal = { ::1, 200/1h, file:/etc/x }\n"
			   "size = 3M on = yes }\n"
			   "policy \"a b\" { reject = off }\n")),
	    0);
	read_kind(conf, KIND_MILTER, &m);
	read_kind(conf, KIND_POLICY, &p);
	CHECK_STR(section_text(&m.s[0], "socket"), "a\"b\\");
	CHECK_INT(section_get(&m.s[0], "internal")->n, 3);
	CHECK_STR(section_get(&m.s[0], "internal")->items[1], "200/1h");
	CHECK_INT(section_number(&m.s[0], "timeout"), 5000);
	CHECK_INT(section_number(&m.s[0], "size"), 3 << 20);
	CHECK_INT(section_number(&m.s[0], "mode"), 0660);
	CHECK(section_bool(&m.s[0], "on"));

	TAP_CASE("default and fixed titles are always there, in front")
	CHECK_INT(p.n, 3);
	CHECK_STR(p.s[0].title, "default");
	CHECK_STR(p.s[1].title, "outbound");
	CHECK_STR(p.s[2].title, "a b");
	CHECK(section_number(&p.s[2], "reject") == OPTION_OFF);
	CHECK_INT(section_number(&p.s[0], "reject"), 15000);

	TAP_CASE("values are written as a file would write them")
	CHECK_STR(option_format(section_get(&m.s[0], "internal"), conf->arena),
	    "{ ::1, 200/1h, file:/etc/x }");
	CHECK_STR(option_format(section_get(&m.s[0], "socket"), conf->arena),
	    "\"a\\\"b\\\\\"");
	CHECK_STR(
	    option_format(section_get(&m.s[0], "size"), conf->arena), "3M");
	CHECK_STR(
	    option_format(section_get(&m.s[0], "timeout"), conf->arena), "5s");
	CHECK_STR(
	    option_format(section_get(&p.s[2], "reject"), conf->arena), "off");
	conf_free(conf);
}

static void
test_set(void)
{
	struct conf *conf = conf_new();
	struct got m, p, all;

	TAP_CASE("-o replaces a file's value; the last one wins")
	CHECK_INT(conf_read_text(conf, "t", SPAN("milter { socket = a }")), 0);
	CHECK_INT(conf_set(conf, "milter.socket=b"), 0);
	CHECK_INT(conf_set(conf, "milter.socket=c,d"), 0);
	CHECK_INT(conf_set(conf, "milter.internal=::1,10.0.0.0/8"), 0);
	CHECK_INT(conf_set(conf, "policy.default.mode=enforce"), 0);
	CHECK_INT(conf_set(conf, "policy.split=defer"), 0);
	read_kind(conf, KIND_MILTER, &m);
	read_kind(conf, KIND_POLICY, &p);
	read_kind(conf, KIND_POLICY_ALL, &all);
	CHECK_STR(section_text(&m.s[0], "socket"), "c,d");
	CHECK_INT(section_get(&m.s[0], "internal")->n, 2);
	CHECK_INT(section_number(&p.s[0], "mode"), 1);
	CHECK_INT(section_number(&all.s[0], "split"), 1);
	CHECK(section_get(&m.s[0], "socket")->entry->replaced != NULL);
	CHECK_INT(conf->errors.n, 0);

	TAP_CASE("-o without a value is an error")
	CHECK(conf_set(conf, "milter.socket") != 0);
	CHECK_INT(conf->errors.n, 1);
	conf_free(conf);
}

static void
write_file(const char *folder, const char *name, const char *text, mode_t mode)
{
	char path[4096];

	snprintf(path, sizeof path, "%s/%s", folder, name);
	FILE *f = fopen(path, "w");
	if (!CHECK(f != NULL))
		return;
	fputs(text, f);
	fclose(f);
	CHECK_INT(chmod(path, mode), 0);
}

static void
test_files(void)
{
	char folder[] = "/tmp/test_conf_XXXXXX", path[4096];
	struct conf *conf = conf_new();
	struct got m;

	if (!mkdtemp(folder))
		exit(1);
	snprintf(path, sizeof path, "%s/conf.d", folder);
	CHECK_INT(mkdir(path, 0755), 0);
	write_file(folder, "a.conf",
	    "milter { socket = a mode = 0600 }\ninclude(conf.d)\n", 0644);
	write_file(folder, "conf.d/2.conf", "milter { socket = two }\n", 0644);
	write_file(folder, "conf.d/1.conf", "milter { socket = one }\n", 0644);
	write_file(folder, "conf.d/0.txt", "nonsense {{{\n", 0644);
	write_file(folder, "loop.conf", "include(loop.conf)\n", 0644);
	write_file(folder, "open.conf", "state = x\n", 0666);

	TAP_CASE("a folder's files are read in byte order, later ones win")
	snprintf(path, sizeof path, "%s/a.conf", folder);
	CHECK_INT(conf_read(conf, path, true), 0);
	read_kind(conf, KIND_MILTER, &m);
	CHECK_STR(section_text(&m.s[0], "socket"), "two");
	CHECK_INT(section_number(&m.s[0], "mode"), 0600);
	const struct conf_entry *e = section_get(&m.s[0], "socket")->entry;
	CHECK(e && e->replaced && e->replaced->replaced);
	conf_free(conf);

	TAP_CASE("an include loop ends with an error")
	conf = conf_new();
	snprintf(path, sizeof path, "%s/loop.conf", folder);
	CHECK(conf_read(conf, path, true) != 0);
	CHECK_INT(conf->errors.n, 1);
	conf_free(conf);

	TAP_CASE("a file that others can write is refused")
	conf = conf_new();
	snprintf(path, sizeof path, "%s/open.conf", folder);
	CHECK(conf_read(conf, path, true) != 0);
	conf_free(conf);

	TAP_CASE("a missing file is an error only when it was named")
	conf = conf_new();
	CHECK_INT(conf_read(conf, "/nonexistent/x.conf", false), 0);
	CHECK(conf_read(conf, "/nonexistent/x.conf", true) != 0);
	conf_free(conf);
	snprintf(path, sizeof path, "rm -r '%s'", folder);
	CHECK_INT(system(path), 0);
}

int
main(void)
{
	test_errors();
	test_values();
	test_set();
	test_files();
	return tap_done();
}
