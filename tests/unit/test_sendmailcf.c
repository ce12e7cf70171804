#include "filter/ctl/sendmailcf.h"

#include "tests/lib/tap.h"

static struct arena *arena;

/* "name S F T line called;" of each filter; F unset is "-". */
static struct span
show(const struct sendmail_conf *conf)
{
	struct span text = SPAN("");

	for (size_t i = 0; i < conf->filters.n; i++) {
		const struct sendmail_filter *x = &conf->filters.v[i];
		text = arena_printf(arena, "%.*s%.*s|%.*s|%.*s|%.*s|%u%s;",
		    SPAN_ARG(text), SPAN_ARG(x->name), SPAN_ARG(x->socket),
		    SPAN_ARG(x->flags.p ? x->flags : SPAN("-")),
		    SPAN_ARG(x->timeouts), x->line, x->called ? "!" : "");
	}
	return text;
}

static struct span
cf(const char *text)
{
	struct sendmail_conf conf;

	sendmail_read_cf(span_of(text), arena, &conf);
	return show(&conf);
}

static struct span
mc(const char *text)
{
	struct sendmail_conf conf;

	sendmail_read_mc(span_of(text), arena, &conf);
	return show(&conf);
}

static void
test_cf(void)
{
	TAP_CASE("X lines, and those that InputMailFilters calls")
	CHECK_STR(cf("# X is a filter\n"
		     "O InputMailFilters=assay, other\n"
		     "Xassay, S=unix:/run/a, F=T, T=C:30s;S:30s;R:30s;E:5m\n"
		     "Xdead, S=inet:1@localhost\n"),
	    "assay|unix:/run/a|T|C:30s;S:30s;R:30s;E:5m|3!;"
	    "dead|inet:1@localhost|-||4;");
	TAP_CASE("a line that begins with white space goes on")
	CHECK_STR(cf("Xa, S=unix:/x,\n\tF=R,\n  T=R:1m\nXb, F=\n"),
	    "a|unix:/x|R|R:1m|1;b|||"
	    "|4;");
	TAP_CASE("an option without a value, no filter, no end of line")
	CHECK_STR(
	    cf("O InputMailFilters\nO inputmailfilters=a\nXa"), "a||-||3!;");
	CHECK_STR(cf(""), "");
	CHECK_STR(cf("X\n \n\n,X"), "||-||1;");
}

static void
test_mc(void)
{
	TAP_CASE("INPUT_MAIL_FILTER with m4's quotes, over several lines")
	CHECK_STR(mc("divert(0)dnl\n"
		     "INPUT_MAIL_FILTER(`assay', `S=unix:/run/a, F=T,\n"
		     " T=C:30s;S:30s;R:30s;E:5m')dnl\n"
		     "INPUT_MAIL_FILTER(other,S=unix:/b)\n"),
	    "assay|unix:/run/a|T|C:30s;S:30s;R:30s;E:5m|2!;other|unix:/b|-|"
	    "|4!;");
	TAP_CASE("dnl and # hide what follows")
	CHECK_STR(mc("dnl INPUT_MAIL_FILTER(`a', `S=unix:/a')\n"
		     "# INPUT_MAIL_FILTER(`b', `S=unix:/b')\n"
		     "adnl INPUT_MAIL_FILTER(`c', `S=unix:/c')\n"),
	    "c|unix:/c|-||3!;");
	TAP_CASE("MAIL_FILTER is called by confINPUT_MAIL_FILTERS alone")
	CHECK_STR(mc("MAIL_FILTER(`a', `S=unix:/a, F=')\n"
		     "MAIL_FILTER(`b', `S=unix:/b')\n"
		     "define(`confINPUT_MAIL_FILTERS', `b')dnl\n"),
	    "a|unix:/a|||1;b|unix:/b|-||2!;");
	TAP_CASE("brackets and quotes that do not close")
	CHECK_STR(mc("INPUT_MAIL_FILTER(`a', `S=unix:/a"), "a|unix:/a|-||1!;");
	CHECK_STR(mc("INPUT_MAIL_FILTER("), "");
	CHECK_STR(mc("INPUT_MAIL_FILTER"), "");
	CHECK_STR(mc("INPUT_MAIL_FILTER()"), "");
	CHECK_STR(mc("define(`x"), "");
}

static int64_t
ms(const char *text, char which)
{
	int64_t n;
	int rc = sendmail_timeout(text ? span_of(text) : SPAN_NONE, which, &n);

	return rc ? rc : n;
}

static void
test_times(void)
{
	TAP_CASE("T= by letter; what is not there is Sendmail's default")
	CHECK_INT(ms("C:30s;S:20s;R:1m;E:10m", 'R'), 60000);
	CHECK_INT(ms("C:30s; R:1m", 'C'), 30000);
	CHECK_INT(ms("C:30s", 'R'), 10000);
	CHECK_INT(ms(NULL, 'E'), 300000);
	CHECK_INT(ms(NULL, 'S'), 10000);
	TAP_CASE("a time that is none")
	CHECK_INT(ms("R:soon", 'R'), ERR_SYNTAX);
	CHECK_INT(ms("R:", 'R'), ERR_SYNTAX);
	CHECK_INT(ms("R", 'R'), 10000);
}

int
main(void)
{
	arena = arena_new(0);
	test_cf();
	test_mc();
	test_times();
	arena_free(arena);
	return tap_done();
}
