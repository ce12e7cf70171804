#include "filter/ctl/postconf.h"

#include "filter/ctl/place.h"
#include "tests/lib/tap.h"

static struct arena *arena;

/* --- places ------------------------------------------------------------------- */

/* "unix PATH", "inet HOST PORT", "fd N", "none" */
static struct span
show(struct place p)
{
	if (p.kind == PLACE_UNIX)
		return arena_printf(arena, "unix %.*s", SPAN_ARG(p.path));
	if (p.kind == PLACE_FD)
		return arena_printf(arena, "fd %.*s", SPAN_ARG(p.port));
	if (p.kind == PLACE_INET)
		return arena_printf(arena, "inet %.*s %.*s", SPAN_ARG(p.host),
		    SPAN_ARG(p.port));
	return SPAN("none");
}

static void
test_places(void)
{
	TAP_CASE("libmilter's and Sendmail's names of a socket")
	CHECK_STR(show(place_of_libmilter(SPAN("unix:/a/b"))), "unix /a/b");
	CHECK_STR(show(place_of_libmilter(SPAN("local:/a/b"))), "unix /a/b");
	CHECK_STR(show(place_of_libmilter(SPAN(" /a/b "))), "unix /a/b");
	CHECK_STR(show(place_of_libmilter(SPAN("inet:8891@127.0.0.1"))),
	    "inet 127.0.0.1 8891");
	CHECK_STR(show(place_of_libmilter(SPAN("inet:8891"))), "inet  8891");
	CHECK_STR(
	    show(place_of_libmilter(SPAN("inet6:8891@::1"))), "inet ::1 8891");
	CHECK_STR(show(place_of_libmilter(SPAN("fd:3"))), "fd 3");
	CHECK_STR(show(place_of_libmilter(SPAN("nonsense"))), "none");
	CHECK_STR(show(place_of_libmilter(SPAN(""))), "none");

	TAP_CASE("Postfix's names have host and port the other way round")
	CHECK_STR(show(place_of_postfix(SPAN("unix:a/b"))), "unix a/b");
	CHECK_STR(show(place_of_postfix(SPAN("inet:localhost:8891"))),
	    "inet localhost 8891");
	CHECK_STR(
	    show(place_of_postfix(SPAN("inet:[::1]:8891"))), "inet ::1 8891");
	CHECK_STR(show(place_of_postfix(SPAN("local:/a"))), "none");
	CHECK_STR(show(place_of_postfix(SPAN("inet:"))), "inet  ");
	CHECK_STR(show(place_of_postfix(SPAN("inet:["))), "inet  [");
}

static bool
meets(const char *theirs, const char *ours)
{
	struct place a = place_of_postfix(span_of(theirs));
	struct place b = place_of_libmilter(span_of(ours));

	return place_meets(&a, &b);
}

static void
test_meets(void)
{
	TAP_CASE("one path written in two ways is one place")
	CHECK(meets(
	    "unix:/run/assay/milter.sock", "unix:/run//assay/./milter.sock"));
	CHECK(meets("unix:/run/assay/milter.sock", "/run/assay/milter.sock"));
	CHECK(!meets("unix:/run/assay/milter.sock", "unix:/run/assay/milter"));
	CHECK(!meets(
	    "unix:run/assay/milter.sock", "unix:/run/assay/milter.sock"));

	TAP_CASE("names of this machine are alike, ports have to be the same")
	CHECK(meets("inet:localhost:8891", "inet:8891@127.0.0.1"));
	CHECK(meets("inet:[::1]:8891", "inet:8891"));
	CHECK(meets("inet:127.0.0.1:8891", "inet:8891@0.0.0.0"));
	CHECK(!meets("inet:localhost:8892", "inet:8891@127.0.0.1"));
	CHECK(!meets("inet:192.0.2.1:8891", "inet:8891@127.0.0.1"));
	CHECK(meets("inet:192.0.2.1:8891", "inet:8891@192.0.2.1"));
	CHECK(!meets("unix:/x", "inet:8891@127.0.0.1"));

	TAP_CASE("what everybody on the network reaches is public")
	struct place p = place_of_libmilter(SPAN("inet:8891"));
	CHECK(place_is_public(&p));
	p = place_of_libmilter(SPAN("inet:8891@0.0.0.0"));
	CHECK(place_is_public(&p));
	p = place_of_libmilter(SPAN("inet6:8891@2001:db8::1"));
	CHECK(place_is_public(&p));
	p = place_of_libmilter(SPAN("inet:8891@localhost"));
	CHECK(!place_is_public(&p));
	p = place_of_libmilter(SPAN("unix:/x"));
	CHECK(!place_is_public(&p));
}

static void
test_paths(void)
{
	TAP_CASE("a path below a folder, and one that only begins alike")
	CHECK_STR(place_below(SPAN("/var/spool/postfix//assay/m.sock"),
		      SPAN("/var/spool/postfix/"), arena),
	    "assay/m.sock");
	CHECK(!place_below(SPAN("/var/spool/postfix2/m.sock"),
	    SPAN("/var/spool/postfix"), arena)
		   .p);
	CHECK(!place_below(
	    SPAN("/var/spool/postfix"), SPAN("/var/spool/postfix"), arena)
		   .p);
	CHECK(!place_below(SPAN("/x"), SPAN("/"), arena).p);
	CHECK_STR(place_join(SPAN("/q/"), SPAN("/a//b/"), arena), "/q/a/b");
	CHECK_STR(place_join(SPAN_NONE, SPAN(""), arena), "/");
}

/* --- main.cf ------------------------------------------------------------------- */

static struct postconf
read_both(const char *main_cf, const char *master_cf)
{
	struct postconf conf;

	postconf_init(&conf, arena, "main.cf", "master.cf");
	postconf_read_main(&conf, span_of(main_cf));
	postconf_read_master(&conf, span_of(master_cf));
	return conf;
}

static struct span
value(const char *main_cf, const char *name)
{
	struct postconf conf = read_both(main_cf, "");

	return postconf_get(&conf, NULL, name).text;
}

static unsigned
line(const char *main_cf, const char *name)
{
	struct postconf conf = read_both(main_cf, "");

	return postconf_get(&conf, NULL, name).line;
}

static void
test_lines(void)
{
	static const char text[] = "# comment\n"
				   "\n"
				   "a = 1\n"
				   "b = one,\n"
				   "  # in between\n"
				   "\n"
				   "\ttwo\n"
				   "   three\r\n"
				   "c=4\n"
				   "no equals sign\n"
				   "a = 5\n"
				   "d =\n"
				   "  = 6";

	TAP_CASE("the last value of a name counts, with its line")
	CHECK_STR(value(text, "a"), "5");
	CHECK_INT(line(text, "a"), 11);
	TAP_CASE("a line that begins with white space goes on; comments and"
		 " blank lines do not end it")
	CHECK_STR(value(text, "b"), "one,\ttwo   three");
	CHECK_INT(line(text, "b"), 4);
	CHECK_STR(value(text, "c"), "4");
	CHECK_INT(line(text, "c"), 9);
	TAP_CASE("an empty value goes on like any other; no end of line")
	CHECK_STR(value(text, "d"), "= 6");
	TAP_CASE("what is not set: nothing, or Postfix's default, line 0")
	CHECK_STR(value(text, "smtpd_milters"), "");
	CHECK_STR(value(text, "milter_default_action"), "tempfail");
	CHECK_INT(line(text, "milter_default_action"), 0);
	TAP_CASE("a file of comments, white space, NUL bytes or nothing")
	CHECK_STR(value("", "a"), "");
	CHECK_STR(value("#\n \n\t#x", "a"), "");
	CHECK_STR(value("  a = 1\n", "a"), "1");
	struct postconf conf;
	postconf_init(&conf, arena, "m", "n");
	postconf_read_main(&conf, SPAN("a = x\0y\n\0\0=\n"));
	CHECK_INT(postconf_get(&conf, NULL, "a").text.len, 3);
}

static void
test_expansion(void)
{
	static const struct {
		const char *claim, *text, *want;
		bool odd;
	} cases[] = {
	    {"$name", "b = x\na = $b.$b", "x.x", false},
	    {"a name ends at what cannot be in one", "b = x\na = $b-$b_c.",
		"x-.", false},
	    {"${name} and $(name)", "b = x\na = ${b}y$(b)z", "xyxz", false},
	    {"a value that names others", "c = x\nb = $c$c\na = $b", "xx",
		false},
	    {"$$ is a dollar", "a = $$b", "$b", false},
	    {"${name?text} when it is set", "b = x\na = ${b?y}${c?z}", "y",
		false},
	    {"${name:text} when it is not", "b = x\na = ${b:y}${c:z}", "z",
		false},
	    {"${name?{text}:{text}}",
		"b = x\na = ${b?{yes}:{no}} ${c?{yes}"
		":{no}}",
		"yes no", false},
	    {"text in a choice is expanded too", "b = x\na = ${b?{[$b]}:{}}",
		"[x]", false},
	    {"a comparison is left out and said so", "a = ${{1}=={2}?{x}:{y}}z",
		"z", true},
	    {"a bracket without its partner", "a = x${b", "x", true},
	    {"a lone dollar at the end", "a = x$", "x", true},
	    {"a value that names itself ends", "a = x$a", "xxxxxxxxx", true},
	    {"two that name each other end", "a = $b\nb = $a", "", true},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct postconf conf = read_both(cases[i].text, "");
		struct postconf_value v = postconf_get(&conf, NULL, "a");
		TAP_CASE(cases[i].claim)
		CHECK_STR(v.text, cases[i].want);
		CHECK_INT(v.odd, cases[i].odd);
	}
	TAP_CASE("a value that doubles itself stays small and ends soon")
	struct postconf conf =
	    read_both("a = $b$b$b$b$b$b$b$b$b$b\nb = $a$a$a$a$a$a$a$a$a$a"
		      "\n c=$a",
		"");
	CHECK(postconf_get(&conf, NULL, "a").odd);
	CHECK(postconf_get(&conf, NULL, "a").text.len <= POSTCONF_VALUE_MAX);
}

/* --- master.cf ------------------------------------------------------------------- */

static const char master[] =
    "# service type  private unpriv  chroot  wakeup  maxproc command + args\n"
    "smtp      inet  n       -       y       -       -       smtpd\n"
    "submission inet n       -       -       -       -       smtpd\n"
    "  -o syslog_name=postfix/submission\n"
    "# -o milter_macro_daemon_name=COMMENT\n"
    "  -o milter_macro_daemon_name=ORIGINATING -v\n"
    "  -o { smtpd_milters = inet:localhost:1, { unix:x, default_action =\n"
    "  accept } }\n"
    "cleanup   unix  n       -       n       -       0       cleanup\n"
    "short line\n"
    "maildrop  unix  -       n       n       -       -       pipe\n"
    "  flags=DRXhu user=vmail argv=/usr/bin/maildrop -d ${recipient}\n";

static void
test_master(void)
{
	struct postconf conf =
	    read_both("smtpd_milters = unix:a\nmyhostname = h", master);

	TAP_CASE("services with command, chroot and line; a short line is none")
	CHECK_INT(conf.services.n, 4);
	CHECK_STR(conf.services.v[0].command, "smtpd");
	CHECK_INT(conf.services.v[1].line, 3);
	CHECK_INT(conf.services.v[1].chroot, '-');
	CHECK_STR(conf.services.v[3].name, "maildrop");
	CHECK_INT(conf.services.v[3].line, 11);

	const struct postconf_service *s = &conf.services.v[1];
	TAP_CASE("-o goes before main.cf, with master.cf's line")
	struct postconf_value v =
	    postconf_get(&conf, s, "milter_macro_daemon_name");
	CHECK_STR(v.text, "ORIGINATING");
	CHECK_STR(span_of(v.file), "master.cf");
	CHECK_INT(v.line, 3);
	TAP_CASE("-o { name = value } may hold blanks and braces")
	CHECK_STR(postconf_get(&conf, s, "smtpd_milters").text,
	    "inet:localhost:1, { unix:x, default_action =  accept }");
	TAP_CASE("a service without -o has what main.cf says")
	v = postconf_get(&conf, &conf.services.v[0], "smtpd_milters");
	CHECK_STR(v.text, "unix:a");
	CHECK_STR(span_of(v.file), "main.cf");
	CHECK_STR(
	    postconf_get(&conf, &conf.services.v[0], "milter_macro_daemon_name")
		.text,
	    "h");
	TAP_CASE("argv= of pipe is no option")
	CHECK_INT(conf.services.v[3].overrides.n, 0);

	TAP_CASE("chroot: y, n, and - by compatibility_level")
	CHECK(postconf_is_chrooted(&conf, &conf.services.v[0]));
	CHECK(!postconf_is_chrooted(&conf, &conf.services.v[2]));
	CHECK(postconf_is_chrooted(&conf, s));
	conf = read_both("compatibility_level = 3.6", master);
	CHECK(!postconf_is_chrooted(&conf, &conf.services.v[1]));
}

/* --- lists and times ---------------------------------------------------------------- */

/* Entries as "spec action content_timeout;" */
static struct span
split(const char *list)
{
	struct postconf_milters milters = {0};
	struct span text = SPAN("");

	postconf_split_milters(span_of(list), arena, &milters);
	for (size_t i = 0; i < milters.n; i++)
		text = arena_printf(arena, "%.*s%.*s %.*s %.*s;",
		    SPAN_ARG(text), SPAN_ARG(milters.v[i].spec),
		    SPAN_ARG(milters.v[i].default_action),
		    SPAN_ARG(milters.v[i].content_timeout));
	return text;
}

static void
test_milters(void)
{
	TAP_CASE("milters are separated by blanks and commas")
	CHECK_STR(split(" unix:a,inet:h:1\tunix:b ,, "),
	    "unix:a  ;inet:h:1  ;unix:b  ;");
	CHECK_STR(split(""), "");
	TAP_CASE("one in braces has options of its own, blanks or none")
	CHECK_STR(split("{ unix:a, default_action=accept,"
			" content_timeout = 20s }, unix:b"),
	    "unix:a accept 20s;unix:b  ;");
	CHECK_STR(split("{unix:a default_action= reject content_timeout =5m}"),
	    "unix:a reject 5m;");
	TAP_CASE("braces that do not close, or hold nothing")
	CHECK_STR(split("{ unix:a, default_action=accept"), "unix:a accept ;");
	CHECK_STR(split("{"), "  ;");
	CHECK_STR(split("{} unix:b"), "  ;unix:b  ;");
	CHECK_STR(split("{ unix:a, default_action }"), "unix:a  ;");
}

static int64_t
ms(const char *text)
{
	int64_t n;
	int rc = postconf_time(span_of(text), &n);

	return rc ? rc : n;
}

static void
test_times(void)
{
	TAP_CASE("times with a unit, without one in seconds")
	CHECK_INT(ms("30s"), 30000);
	CHECK_INT(ms("300"), 300000);
	CHECK_INT(ms("5m"), 300000);
	CHECK_INT(ms(" 1h "), 3600000);
	CHECK_INT(ms("1D"), 86400000);
	CHECK_INT(ms("2w"), 2 * INT64_C(604800000));
	CHECK_INT(ms("0"), 0);
	TAP_CASE("what is no time")
	CHECK_INT(ms(""), ERR_SYNTAX);
	CHECK_INT(ms("s"), ERR_SYNTAX);
	CHECK_INT(ms("5x"), ERR_SYNTAX);
	CHECK_INT(ms("-1s"), ERR_SYNTAX);
	CHECK_INT(ms("99999999999999999999s"), ERR_LIMIT);
	CHECK_INT(ms("9223372036854775807w"), ERR_LIMIT);
}

int
main(void)
{
	arena = arena_new(0);
	test_places();
	test_meets();
	test_paths();
	test_lines();
	test_expansion();
	test_master();
	test_milters();
	test_times();
	arena_free(arena);
	return tap_done();
}
