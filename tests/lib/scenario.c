#include <ftw.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "filter/base/clock.h"
#include "filter/base/file.h"
#include "filter/base/log.h"
#include "filter/socket.h"
#include "tests/lib/fake_mta.h"
#include "tests/lib/scenario_state.h"
#include "tests/lib/tap.h"

/*
 * Plays scenarios (tests/scenario/NAME.scn, or the files named): an SMTP
 * dialogue against a session in this process, DNS from the scenario's zone,
 * the clock stopped. tests/scenario/README describes the language.
 */

#define SCENARIO_MAX ((size_t)1024 * 1024)
#define SETS_MAX 32
#define NOON 1795521600 /* 2026-11-24T12:00:00Z */
#define LINE_ROOM (256 * 1024)

struct play {
	const char *path;
	unsigned line;
	struct span rest; /* of the file */
	struct arena *arena;
	char folder[32];
	const char *sets[SETS_MAX];
	size_t n_sets;
	unsigned can;
	bool has_keys;
	/* running */
	bool open;
	struct daemon daemon;
	struct fake_mta mta;
	struct session *session;
	struct session *other; /* that takes up a place */
	enum answer answer;
	struct buf log;
	size_t inserts; /* where `said` began, for expect */
	bool good;
};

/* --- small helpers ---------------------------------------------------------------------- */

static void
fail(struct play *p, const char *what, struct span text)
{
	p->good = false;
	printf("# %s:%u: %s: %.*s\n", p->path, p->line, what, SPAN_ARG(text));
}

static bool
next_line(struct play *p, struct span *ret)
{
	if (!span_line(&p->rest, ret))
		return false;
	p->line++;
	return true;
}

/* \xHH and \\ undone; in the arena, terminated. */
static const char *
unescape(struct play *p, struct span text)
{
	struct buf out;

	buf_init(&out, p->arena, LINE_ROOM);
	for (size_t i = 0; i < text.len; i++) {
		if (text.p[i] != '\\' || i + 1 == text.len) {
			buf_add_char(&out, text.p[i]);
		} else if (text.p[i + 1] == 'x' && i + 3 < text.len) {
			int high = ascii_hex(text.p[i + 2]);
			int low = ascii_hex(text.p[i + 3]);
			buf_add_char(&out, (char)(high << 4 | low));
			i += 3;
		} else {
			buf_add_char(&out, text.p[++i]);
		}
	}
	return buf_str(&out);
}

static const char *
cstr(struct play *p, struct span text)
{
	return arena_cstr(p->arena, text);
}

static const char *
file_in(struct play *p, const char *name)
{
	return cstr(p, arena_printf(p->arena, "%s/%s", p->folder, name));
}

/* Lines up to "end" to a file of the scenario's folder. */
static void
write_block(struct play *p, const char *name)
{
	FILE *f = fopen(file_in(p, name), "w");
	struct span line;

	while (next_line(p, &line) && !span_is(line, "end"))
		if (f)
			fprintf(f, "%.*s\n", SPAN_ARG(line));
	if (!f || fclose(f) != 0)
		fail(p, "cannot write", span_of(name));
}

static void
sink(void *arg, enum log_level level, const char *line)
{
	struct play *p = arg;

	(void)level;
	buf_add_str(&p->log, line);
	buf_add_char(&p->log, '\n');
}

static void
on_report(void *arg, bool warning, const char *text)
{
	(void)warning;
	sink(arg, LOG_LEVEL_ERROR, text);
}

static void
set(struct play *p, const char *assignment)
{
	if (p->n_sets < SETS_MAX)
		p->sets[p->n_sets++] = assignment;
}

/* --- the daemon ------------------------------------------------------------------------- */

static void
open_daemon(struct play *p)
{
	struct settings_source source = {
	    .path = "/dev/null",
	    .assignments = p->sets,
	    .n_assignments = p->n_sets,
	    .keys = true,
	};
	struct err err = {0};

	if (p->open)
		return;
	p->open = true;
	source.path = file_in(p, "assay.conf");
	struct snapshot *snapshot = snapshot_load(&source, on_report, p);
	if (!snapshot || daemon_open(&p->daemon, &source, snapshot, &err)) {
		fail(p, "no daemon", buf_span(&p->log));
		printf("# %s\n", err.text);
		printf("1..0 # cannot go on\n");
		exit(1);
	}
	p->daemon.inet = socket_is_inet(snapshot->settings.socket);
}

static void
need_session(struct play *p)
{
	open_daemon(p);
	if (!p->session) {
		struct mta mta = fake_mta_mta(&p->mta, p->can);
		p->session = session_new(&p->daemon, &mta);
	}
}

static void
reload(struct play *p, struct span assignment)
{
	struct buf restart;

	open_daemon(p);
	if (assignment.len)
		set(p, cstr(p, assignment));
	p->daemon.source.n_assignments = p->n_sets;
	buf_init(&restart, NULL, 4096);
	int rc = daemon_reload(&p->daemon, on_report, p, &restart);
	buf_printf(&p->log, "reload %s restart=%s\n", rc ? "failed" : "done",
	    buf_str(&restart));
	buf_done(&restart);
}

/* --- the dialogue ------------------------------------------------------------------------ */

static void
do_connect(struct play *p, struct span args)
{
	struct span host = span_word(&args), address = span_word(&args);
	struct sockaddr_in in = {.sin_family = AF_INET};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
	const struct sockaddr *sa = NULL;
	struct ip ip;

	need_session(p);
	if (address.len && ip_parse(address, &ip) == 0) {
		memcpy(&in.sin_addr, ip.bytes, 4);
		memcpy(&in6.sin6_addr, ip.bytes, 16);
		sa = ip.family == 4 ? (const struct sockaddr *)&in
				    : (const struct sockaddr *)&in6;
	}
	p->answer = session_connect(p->session, cstr(p, host), sa);
}

static const char *const *
argv_of(struct play *p, struct span args)
{
	const char **argv = arena_calloc(p->arena, 16, sizeof *argv);
	struct span word;

	for (size_t n = 0; n < 15 && (word = span_word(&args)).len; n++)
		argv[n] = unescape(p, word);
	return argv;
}

static void
do_mail(struct play *p, struct span args)
{
	need_session(p);
	fake_mta_forget(&p->mta);
	p->answer = session_mail(p->session, argv_of(p, args));
}

static void
do_rcpt(struct play *p, struct span args)
{
	p->answer = session_rcpt(p->session, argv_of(p, args));
}

/* rcpts N: r1@example.org ... rN@example.org, each twice. */
static void
do_rcpts(struct play *p, struct span args)
{
	uint64_t n = 0;

	if (span_to_u64(args, &n))
		fail(p, "no number", args);
	for (uint64_t i = 1; i <= 2 * n; i++) {
		char rcpt[64];
		const char *argv[] = {rcpt, NULL};
		snprintf(rcpt, sizeof rcpt, "<r%llu@example.org>",
		    (unsigned long long)(i + 1) / 2);
		p->answer = session_rcpt(p->session, argv);
	}
}

static void
send_header(struct play *p, struct span text)
{
	struct span value = text;
	struct span name = span_cut(&value, ':');

	if (p->can & MTA_LEADING_SPACE)
		value = span_skip(value, 0);
	else
		value = span_trim_left(value);
	session_header(p->session, unescape(p, name), unescape(p, value));
}

/* A line, "@N LINE" (N times), or "@@N LINE" (LINE repeated in one line). */
static uint64_t
times(struct span *line, bool *ret_joined)
{
	uint64_t n = 1;
	struct span rest = *line;

	*ret_joined = span_starts(rest, SPAN("@@"));
	if (!span_starts(rest, SPAN("@")))
		return 1;
	rest = span_skip(rest, *ret_joined ? 2 : 1);
	struct span number = span_cut(&rest, ' ');
	if (span_to_u64(number, &n))
		return 1;
	*line = rest;
	return n;
}

static void
send_headers(struct play *p)
{
	struct buf field;
	struct span line;
	bool joined;

	buf_init(&field, NULL, LINE_ROOM);
	while (next_line(p, &line) && line.len && !span_is(line, ".")) {
		uint64_t n = times(&line, &joined);
		bool fold = ascii_is_blank(line.p[0]);
		if (!fold && field.len) {
			send_header(p, buf_span(&field));
			buf_truncate(&field, 0);
		}
		if (fold)
			buf_add_char(&field, '\n');
		buf_add_span(&field, line);
		for (uint64_t i = 1; i < n; i++)
			send_header(p, buf_span(&field));
	}
	if (field.len)
		send_header(p, buf_span(&field));
	buf_done(&field);
}

static void
send_body(struct play *p)
{
	struct span line;
	bool joined;

	while (next_line(p, &line) && !span_is(line, ".")) {
		uint64_t n = times(&line, &joined);
		struct span text = span_of(unescape(p, line));
		for (uint64_t i = 0; i < n; i++) {
			session_body(p->session, text);
			if (!joined)
				session_body(p->session, SPAN("\r\n"));
		}
		if (joined)
			session_body(p->session, SPAN("\r\n"));
	}
}

static void
do_data(struct play *p)
{
	need_session(p);
	send_headers(p);
	session_end_of_headers(p->session);
	send_body(p);
	p->answer = session_end_of_message(p->session);
}

/* --- what is expected ---------------------------------------------------------------------- */

static const char *
answer_name(enum answer answer)
{
	static const char *const names[] = {
	    [ANSWER_CONTINUE] = "continue",
	    [ANSWER_ACCEPT] = "accept",
	    [ANSWER_REJECT] = "reject",
	    [ANSWER_TEMPFAIL] = "tempfail",
	};

	return names[answer];
}

static void
want_in(struct play *p, struct span text, struct span want, bool there,
    const char *where)
{
	want = span_of(unescape(p, want));
	if ((span_find(text, want, 0) != SPAN_NPOS) == there)
		return;
	fail(p, there ? "not there" : "should not be there", want);
	printf("# %s:\n", where);
	for (struct span line; span_line(&text, &line);)
		printf("#   %.*s\n", SPAN_ARG(line));
}

static void
want_count(struct play *p, struct span args)
{
	uint64_t want, n = 0;
	struct span number = span_word(&args);
	struct span text = buf_span(&p->mta.said);

	args = span_trim_left(args);
	if (span_to_u64(number, &want))
		want = UINT64_MAX;
	for (size_t at = 0; (at = span_find(text, args, at)) != SPAN_NPOS; at++)
		n++;
	if (n != want) {
		fail(p, "another count", args);
		printf("# want %llu, got %llu\n", (unsigned long long)want,
		    (unsigned long long)n);
	}
}

/* The log's last line (but for what a scenario asks of all of it). */
static struct span
last_line(const struct buf *log)
{
	struct span text = buf_span(log), line, last = SPAN_NONE;

	while (span_line(&text, &line))
		last = line;
	return last;
}

/* What is remembered. False: the word says something else. */
static bool
expect_state(struct play *p, struct span what, struct span args)
{
	struct scenario_why why;
	bool good;

	if (span_is(what, "marks"))
		good = scenario_marks(&p->daemon, args, &why);
	else if (span_is(what, "reported") || span_is(what, "reports"))
		good = scenario_reported(
		    &p->daemon, what, span_of(unescape(p, args)), &why);
	else if (span_is(what, "record") || span_is(what, "records") ||
		 span_is(what, "rcpt") || span_is(what, "symbol"))
		good = scenario_record(&p->daemon, p->folder, what,
		    span_of(unescape(p, args)), &why);
	else
		return false;
	if (!good)
		fail(p, why.text, args);
	return true;
}

static void
do_expect(struct play *p, struct span args)
{
	struct span what = span_word(&args);
	struct span rest = span_trim_left(args);
	struct span said = buf_span(&p->mta.said);

	if (span_is(what, "answer")) {
		if (!span_is(rest, answer_name(p->answer)))
			fail(p, "answer is", span_of(answer_name(p->answer)));
	} else if (span_is(what, "said")) {
		want_in(p, said, rest, true, "said");
	} else if (span_is(what, "unsaid")) {
		want_in(p, said, rest, false, "said");
	} else if (span_is(what, "nothing")) {
		if (said.len)
			fail(p, "should have said nothing", said);
	} else if (span_is(what, "count")) {
		want_count(p, rest);
	} else if (span_is(what, "log")) {
		want_in(p, last_line(&p->log), rest, true, "log");
	} else if (span_is(what, "unlog")) {
		want_in(p, last_line(&p->log), rest, false, "log");
	} else if (span_is(what, "anylog")) {
		want_in(p, buf_span(&p->log), rest, true, "log");
	} else if (!expect_state(p, what, rest)) {
		fail(p, "unknown expectation", what);
	}
}

/* --- the language ----------------------------------------------------------------------------- */

static void
do_macro(struct play *p, struct span args)
{
	struct span name = span_word(&args);
	struct span value = span_trim_left(args);
	bool joined;
	uint64_t n = times(&value, &joined);
	struct buf out;

	buf_init(&out, p->arena, LINE_ROOM);
	for (uint64_t i = 0; i < n; i++)
		buf_add_str(&out, unescape(p, value));
	fake_mta_macro(
	    &p->mta, cstr(p, name), value.len ? buf_str(&out) : NULL);
}

static void
do_lacks(struct play *p, struct span what)
{
	static const struct {
		const char *name;
		unsigned can;
	} names[] = {
	    {"add", MTA_ADD_HEADER},
	    {"change", MTA_CHANGE_HEADER},
	    {"hold", MTA_QUARANTINE},
	    {"leading-space", MTA_LEADING_SPACE},
	};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (span_is(what, names[i].name))
			p->can &= ~names[i].can;
	if (span_is(what, "all-edits"))
		p->mta.refuse = true;
}

/* The folder of keys is named with the first one. */
static void
do_key(struct play *p, struct span args)
{
	struct scenario_why why;

	if (!scenario_key(p->folder, args, &why))
		fail(p, why.text, args);
	if (!p->has_keys)
		set(p, cstr(p, arena_printf(
				   p->arena, "auth.keys=%s/keys", p->folder)));
	p->has_keys = true;
}

static void
do_mark(struct play *p, struct span args)
{
	struct scenario_why why;

	open_daemon(p);
	if (!scenario_mark(&p->daemon, args, &why))
		fail(p, why.text, args);
}

/* train CLASS N, then a message and "." */
static void
do_train(struct play *p, struct span args)
{
	struct span class = span_word(&args), line;
	struct scenario_why why;
	uint64_t n = 0;
	struct buf text;

	open_daemon(p);
	buf_init(&text, p->arena, SCENARIO_MAX);
	while (next_line(p, &line) && !span_is(line, ".")) {
		buf_add_str(&text, unescape(p, line));
		buf_add_char(&text, '\n');
	}
	if (span_to_u64(span_trim(args), &n) ||
	    !scenario_train(&p->daemon, class, n, buf_span(&text), &why))
		fail(p, n ? why.text : "no number", args);
}

static void
do_close(struct play *p)
{
	session_free(p->session);
	p->session = NULL;
}

static void
do_occupy(struct play *p)
{
	struct mta mta = fake_mta_mta(&p->mta, p->can);

	open_daemon(p);
	p->other = session_new(&p->daemon, &mta);
	(void)session_connect(p->other, "other.example", NULL);
}

static bool
do_setup(struct play *p, struct span verb, struct span args)
{
	if (span_is(verb, "dns"))
		write_block(p, "zone");
	else if (span_is(verb, "rules"))
		write_block(p, "rules/test.cf");
	else if (span_is(verb, "conf"))
		write_block(p, "assay.conf");
	else if (span_is(verb, "set"))
		set(p, cstr(p, args));
	else if (span_is(verb, "reload"))
		reload(p, args);
	else if (span_is(verb, "lacks"))
		do_lacks(p, args);
	else if (span_is(verb, "key"))
		do_key(p, args);
	else if (span_is(verb, "macro"))
		do_macro(p, args);
	else if (span_is(verb, "mark"))
		do_mark(p, args);
	else if (span_is(verb, "train"))
		do_train(p, args);
	else
		return false;
	return true;
}

static bool
do_dialogue(struct play *p, struct span verb, struct span args)
{
	if (span_is(verb, "connect"))
		do_connect(p, args);
	else if (span_is(verb, "helo"))
		session_helo(p->session, unescape(p, args));
	else if (span_is(verb, "mail"))
		do_mail(p, args);
	else if (span_is(verb, "rcpt"))
		do_rcpt(p, args);
	else if (span_is(verb, "rcpts"))
		do_rcpts(p, args);
	else if (span_is(verb, "data"))
		do_data(p);
	else if (span_is(verb, "headers"))
		send_headers(p);
	else if (span_is(verb, "abort"))
		session_abort(p->session);
	else if (span_is(verb, "close"))
		do_close(p);
	else if (span_is(verb, "occupy"))
		do_occupy(p);
	else
		return false;
	return true;
}

static void
do_line(struct play *p, struct span line)
{
	struct span args = line;
	struct span verb = span_word(&args);

	args = span_trim(args);
	if (verb.len == 0 || verb.p[0] == '#')
		return;
	if (span_is(verb, "expect"))
		do_expect(p, args);
	else if (!do_setup(p, verb, args) && !do_dialogue(p, verb, args))
		fail(p, "unknown verb", verb);
}

static void
begin(struct play *p)
{
	FILE *f;

	snprintf(p->folder, sizeof p->folder, "/tmp/assay-scn-XXXXXX");
	if (!mkdtemp(p->folder) || mkdir(file_in(p, "rules"), 0700) != 0)
		fail(p, "no folder", span_of(p->folder));
	static const char *const files[] = {"zone", "assay.conf"};
	for (size_t i = 0; i < 2; i++)
		if ((f = fopen(file_in(p, files[i]), "w")))
			fclose(f);
	set(p, cstr(p, arena_printf(p->arena, "state=%s", p->folder)));
	set(p, cstr(p, arena_printf(p->arena, "dns.zone=%s/zone", p->folder)));
	set(p,
	    cstr(p, arena_printf(p->arena, "rules.path=%s/rules", p->folder)));
	set(p, "milter.authserv_id=mx.example.org");
	set(p, "policy.on_failure=memory:tempfail");
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *where)
{
	(void)st;
	(void)type;
	(void)where;
	return remove(path);
}

static void
end(struct play *p)
{
	do_close(p);
	session_free(p->other);
	if (p->open)
		daemon_close(&p->daemon);
	fake_mta_done(&p->mta);
	(void)nftw(p->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void
run_file(const char *path, const char *claim)
{
	struct play *p = calloc(1, sizeof *p);
	struct err err;
	struct span line;

	tap_case(claim);
	if (!p || !(p->arena = arena_new(0)))
		exit(1);
	p->path = path;
	p->good = true;
	p->can = MTA_ADD_HEADER | MTA_CHANGE_HEADER | MTA_QUARANTINE |
		 MTA_LEADING_SPACE;
	fake_mta_init(&p->mta);
	buf_init(&p->log, NULL, (size_t)16 * 1024 * 1024);
	log_to(LOG_LEVEL_INFO, sink, p);
	if (file_read(path, SCENARIO_MAX, p->arena, &p->rest, &err)) {
		fail(p, "cannot be read", span_of(err.text));
	} else {
		begin(p);
		while (next_line(p, &line))
			do_line(p, line);
		end(p);
	}
	CHECK(p->good);
	log_to(LOG_LEVEL_INFO, log_stderr, NULL);
	buf_done(&p->log);
	arena_free(p->arena);
	free(p);
}

int
main(int argc, char **argv)
{
	struct arena *arena = arena_new(0);
	const char *folder = ASSAY_SRCDIR "/tests/scenario";
	struct span *names;
	size_t n;
	struct err err;

	clock_set_wall(NOON);
	for (int i = 1; i < argc; i++)
		run_file(argv[i], argv[i]);
	if (argc == 1 && file_list(folder, ".scn", arena, &names, &n, &err))
		return 1;
	for (size_t i = 0; argc == 1 && i < n; i++) {
		const char *name = arena_cstr(arena, names[i]);
		run_file(arena_cstr(
			     arena, arena_printf(arena, "%s/%s", folder, name)),
		    name);
	}
	int status = tap_done();
	arena_free(arena);
	return status;
}
