#include <netinet/in.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "filter/base/clock.h"
#include "filter/base/log.h"
#include "tests/lib/fake_mta.h"

/*
 * Bytes to a sequence of a session's calls, in any order. The fake MTA asserts
 * what holds for everything that we write. Each step is one byte that says
 * what, then bytes up to the next LF as its text (a NUL byte ends a C string
 * as it does for libmilter).
 */

#define STEPS_MAX 2000

static struct daemon the_daemon;
static bool is_open;
static struct fake_mta fake; /* large */

static void
on_report(void *arg, bool warning, const char *text)
{
	log_stderr(arg, warning ? LOG_LEVEL_WARN : LOG_LEVEL_ERROR, text);
}

static void
quiet(void *arg, enum log_level level, const char *line)
{
	(void)arg;
	(void)level;
	(void)line;
}

static void
open_daemon(void)
{
	const char *const assignments[] = {"state=/nowhere/at-all",
	    "dns.zone=" ASSAY_SRCDIR "/tests/fuzz/session.zone",
	    "rules.path=" ASSAY_SRCDIR "/tests/fuzz/session.cf",
	    "policy.default.mode=enforce", "policy.default.subject_mark=[SPAM]",
	    "policy.default.quarantine=7", "auth.dmarc=reject",
	    "milter.authserv_id=mx.example.org",
	    "policy.on_failure=memory:tempfail,dns:tempfail"};
	struct settings_source source = {
	    .path = ASSAY_SRCDIR "/tests/fuzz/session.conf",
	    .assignments = assignments,
	    .n_assignments = sizeof assignments / sizeof *assignments};
	struct err err = {0};

	clock_set_wall(1795521600);
	log_to(LOG_LEVEL_INFO, quiet, NULL);
	struct snapshot *snapshot = snapshot_load(&source, on_report, NULL);
	if (!snapshot || daemon_open(&the_daemon, &source, snapshot, &err))
		abort();
	is_open = true;
}

static void
client(struct session *session, const char *text)
{
	struct sockaddr_in in = {.sin_family = AF_INET};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};

	in.sin_addr.s_addr = htonl(0xc0000219); /* 192.0.2.25 */
	in6.sin6_addr.s6_addr[0] = 0x20;
	if (text[0] == '4')
		(void)session_connect(
		    session, text + 1, (const struct sockaddr *)&in);
	else if (text[0] == '6')
		(void)session_connect(
		    session, text + 1, (const struct sockaddr *)&in6);
	else
		(void)session_connect(session, text, NULL);
}

static void
header(struct session *session, char *text)
{
	char *colon = strchr(text, ':');

	if (!colon) {
		session_header(session, text, "");
		return;
	}
	*colon = '\0';
	session_header(session, text, colon + 1);
}

static void
step(struct session *session, struct fake_mta *mta, char what, char *text,
    size_t len)
{
	char none[] = "";
	const char *argv[] = {text, "SIZE=77", text, NULL};
	char *value = strchr(text, '=');

	switch (what) {
	case 'C':
		client(session, text);
		break;
	case 'H':
		session_helo(session, text);
		break;
	case 'M':
		(void)session_mail(session, argv);
		break;
	case 'R':
		(void)session_rcpt(session, argv);
		break;
	case 'L':
		header(session, text);
		break;
	case 'N':
		session_end_of_headers(session);
		break;
	case 'B':
		session_body(session, span_make(text, len));
		break;
	case 'E':
		(void)session_end_of_message(session);
		fake_mta_forget(mta);
		break;
	case 'A':
		session_abort(session);
		break;
	case 'D':
		if (value)
			*value++ = '\0';
		fake_mta_macro(mta, text, value ? value : none);
		break;
	default:
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span rest = span_make((const char *)data, size);
	size_t steps = 0;

	if (!is_open)
		open_daemon();
	fake_mta_init(&fake);
	struct mta mta = fake_mta_mta(&fake, size ? data[0] & 15 : 15);
	struct session *session = session_new(&the_daemon, &mta);
	while (session && rest.p && rest.len && steps++ < STEPS_MAX) {
		struct span line = span_cut(&rest, '\n');
		char *text = malloc(line.len + 1);
		if (!text)
			break;
		size_t len = line.len ? line.len - 1 : 0;
		if (len)
			memcpy(text, line.p + 1, len);
		text[len] = '\0';
		step(session, &fake, line.len ? line.p[0] : 'E', text, len);
		free(text);
	}
	session_free(session);
	fake_mta_done(&fake);
	if (atomic_load(&the_daemon.body_memory) != 0 ||
	    atomic_load(&the_daemon.registry.sessions) != 0)
		abort();
	return 0;
}
