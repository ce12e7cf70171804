#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "filter/base/clock.h"
#include "filter/base/log.h"
#include "filter/control.h"
#include "filter/milter.h"
#include "filter/privilege.h"
#include "filter/process.h"
#include "filter/service.h"
#include "filter/socket.h"
#include "filter/watch.h"

/*
 * assayd: options, start, signals, orderly stop. What needs rights (sockets,
 * folders, the pid file) comes before the switch of user, that before any
 * thread. The main thread never blocks signals: Linux then hands them to our
 * handlers and not to libmilter's, which would take SIGHUP as the end.
 */

#define NUDGE_MS 1000  /* see milter_nudge() */
#define DRAIN_MS 10000 /* for open sessions, see drain() */
#define DRAIN_STEP_MS 50
#define QUIET_MS 400
#define STOP_MS 8000 /* libmilter looks for its end every 5 s */
#define FOLDER_MODE 0755

struct options {
	const char *config, *user, *pidfile;
	const char **assignments; /* -o and -p */
	size_t n_assignments;
	bool foreground, test, syslog, verbose;
	bool socket_named; /* -p */
};

static int signal_pipe[2] = {-1, -1};
static bool verbose;

/* --- options ---------------------------------------------------------------------------- */

static const char usage_text[] =
    "usage: assayd [-fnlvV] [-c file] [-p socket] [-u user[:group]]\n"
    "              [-P pidfile] [-o section.key=value]...\n"
    "  -c FILE   configuration (-x is the same)\n"
    "  -f        stay in the foreground, log to standard error\n"
    "  -l        log to syslog\n"
    "  -n        test the configuration and exit\n"
    "  -o K=V    set an option, after the configuration was read\n"
    "  -p SOCKET where the MTA connects: unix:PATH, inet:PORT@HOST, fd:N\n"
    "  -P FILE   write the process id there\n"
    "  -u USER   become this user after the start\n"
    "  -v        log more\n"
    "  -V        print the version and exit\n";

static bool
assign(struct options *o, const char *prefix, const char *text)
{
	size_t size = strlen(prefix) + strlen(text) + 1;
	char *assignment = malloc(size);

	if (!assignment)
		return false;
	snprintf(assignment, size, "%s%s", prefix, text);
	o->assignments[o->n_assignments++] = assignment;
	return true;
}

static int
take_option(struct options *o, int c)
{
	switch (c) {
	case 'c':
	case 'x':
		o->config = optarg;
		return 0;
	case 'f':
		o->foreground = true;
		return 0;
	case 'l':
		o->syslog = true;
		return 0;
	case 'n':
		o->test = true;
		return 0;
	case 'o':
		return assign(o, "", optarg) ? 0 : EX_OSERR;
	case 'p':
		o->socket_named = true;
		return assign(o, "milter.socket=", optarg) ? 0 : EX_OSERR;
	case 'P':
		o->pidfile = optarg;
		return 0;
	case 'u':
		o->user = optarg;
		return 0;
	case 'v':
		o->verbose = true;
		return 0;
	default:
		fputs(usage_text, stderr);
		return EX_USAGE;
	}
}

/* 0, or an exit status; -1: all is done. */
static int
read_options(int argc, char **argv, struct options *o)
{
	int c, rc = 0;

	o->assignments = calloc((size_t)argc, sizeof *o->assignments);
	if (!o->assignments)
		return EX_OSERR;
	while (
	    rc == 0 && (c = getopt(argc, argv, "c:x:fhlno:p:P:u:vV")) != -1) {
		if (c == 'V' || c == 'h') {
			fputs(c == 'V' ? "assayd " PACKAGE_VERSION "\n"
				       : usage_text,
			    stdout);
			return -1;
		}
		rc = take_option(o, c);
	}
	if (rc == 0 && optind < argc) {
		fputs(usage_text, stderr);
		rc = EX_USAGE;
	}
	return rc;
}

static void
free_options(struct options *o)
{
	for (size_t i = 0; i < o->n_assignments; i++)
		free((void *)(uintptr_t)o->assignments[i]);
	free(o->assignments);
}

static void
on_report(void *arg, bool warning, const char *text)
{
	(void)arg;
	if (warning)
		log_warn("%s", text);
	else
		log_error("%s", text);
}

/* --- process ------------------------------------------------------------------------------ */

static void
say(char what)
{
	/* Full means that the main thread has plenty to read. */
	if (write(signal_pipe[1], &what, 1) < 0)
		return;
}

static void
on_signal(int number)
{
	int error = errno;

	say(number == SIGHUP || number == SIGUSR1 ? 'r' : 't');
	errno = error;
}

static void
on_milter_end(void *arg)
{
	(void)arg;
	say('e');
}

static int
set_signals(struct err *err)
{
	static const int numbers[] = {SIGHUP, SIGUSR1, SIGTERM, SIGINT};
	struct sigaction action = {
	    .sa_handler = on_signal, .sa_flags = SA_RESTART};

	if (pipe2(signal_pipe, O_CLOEXEC | O_NONBLOCK) != 0)
		return err_set_errno(err, errno, "pipe");
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
		(void)sigaction(numbers[i], &action, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	return 0;
}

/* --- logging ------------------------------------------------------------------------------- */

static bool to_syslog;

static void
start_log(const struct settings *settings, const struct options *o)
{
	enum log_level level =
	    o->verbose ? LOG_LEVEL_DEBUG : settings->log_level;

	verbose = o->verbose;
	to_syslog = o->syslog || !o->foreground;
	if (to_syslog)
		log_open_syslog("assayd");
	log_to(level, to_syslog ? log_syslog : log_stderr, NULL);
}

static void
on_reloaded(const struct settings *settings)
{
	log_to(verbose ? LOG_LEVEL_DEBUG : settings->log_level,
	    to_syslog ? log_syslog : log_stderr, NULL);
}

/* --- start ---------------------------------------------------------------------------------- */

struct program {
	struct options options;
	struct privilege privilege;
	struct settings_source source;
	struct daemon daemon;
	struct control *control;
	int control_fd;
	struct socket_file control_file;
	int ready_fd; /* of process_go_background() */
	int listener; /* of service_listener(), or -1 */
	bool stuck;   /* a thread was, when last looked at */
};

static const char *
folder_of(char *path)
{
	char *slash = strrchr(path, '/');

	if (!slash || slash == path)
		return NULL;
	*slash = '\0';
	return path;
}

/* The control socket is worth a warning, not the mail. */
static void
open_control(struct program *p, const struct settings *settings)
{
	char path[4096];
	struct err err;

	p->control_fd = -1;
	if (!span_copy(settings->control, path, sizeof path))
		return;
	const char *folder = folder_of(path);
	if (folder)
		privilege_make_folder(&p->privilege, folder, FOLDER_MODE);
	(void)span_copy(settings->control, path, sizeof path);
	if (control_listen(path, &p->control_fd, &err) == 0) {
		socket_remember(path, &p->control_file);
	} else {
		p->control_fd = -1;
		log_warn(
		    "control: %s; going on without, SIGHUP reloads", err.text);
	}
}

/* The MTA's socket is the daemon's own: it connects there too, to wake
 * libmilter at the end. */
static void
give_socket(const struct privilege *privilege, const struct settings *settings)
{
	char path[4096];
	struct span name = socket_unix_path(settings->socket);

	if (name.len && span_copy(name, path, sizeof path))
		privilege_give_file(
		    privilege, path, settings->socket_group.len == 0);
}

/* What needs rights; then none are left. */
static int
open_outside(
    struct program *p, const struct settings *settings, struct err *err)
{
	char state[4096];

	if (span_copy(settings->state, state, sizeof state))
		privilege_make_folder(&p->privilege, state, STATE_MODE);
	open_control(p, settings);
	int rc = milter_listen(settings, p->listener, err);
	if (rc == 0 && p->listener < 0)
		give_socket(&p->privilege, settings);
	if (rc == 0 && p->options.pidfile)
		rc = process_write_pid(p->options.pidfile, err);
	if (rc == 0)
		rc = privilege_drop(&p->privilege, err);
	if (rc == 0 && geteuid() == 0)
		log_warn("running as root: give -u USER");
	return rc;
}

/* What the MTA connects to. Tools go by milter.socket, so that a socket of
 * systemd's elsewhere is worth a warning. */
static void
name_socket(const struct program *p, const struct settings *settings,
    char *name, size_t size)
{
	(void)span_copy(settings->socket, name, size);
	if (p->listener < 0)
		return;
	socket_describe(p->listener, name, size);
	if (!span_eq(settings->socket, span_of(name)) &&
	    !span_starts(settings->socket, SPAN("fd:")))
		log_warn("milter.socket=%.*s, but systemd hands over %s,"
			 " serving that",
		    SPAN_ARG(settings->socket), name);
}

static int
start(struct program *p, struct snapshot *snapshot, struct err *err)
{
	const struct settings *settings = &snapshot->settings;
	char name[256];

	process_set_limits(settings);
	name_socket(p, settings, name, sizeof name);
	if (open_outside(p, settings, err)) {
		snapshot_unref(snapshot);
		return err->code;
	}
	if (daemon_open(&p->daemon, &p->source, snapshot, err))
		return err->code;
	p->daemon.inet = socket_is_inet(span_of(name));
	/* A reload may come as soon as the control thread runs. */
	snapshot = daemon_snapshot(&p->daemon);
	int rc = control_start(
	    &p->daemon, p->control_fd, on_reloaded, &p->control, err);
	if (rc == 0)
		rc = milter_start(&p->daemon, on_milter_end, NULL, err);
	if (rc == 0)
		log_info("assayd " PACKAGE_VERSION " serves %s, mode=%s", name,
		    settings->policies[POLICY_DEFAULT].mode == MODE_ENFORCE
			? "enforce"
			: "observe");
	snapshot_unref(snapshot);
	return rc;
}

/* --- run and stop --------------------------------------------------------------------------- */

/* Whether the service manager may be told that all is well. */
static bool
is_alive(struct program *p, int64_t beat)
{
	const struct daemon *d = &p->daemon;
	const struct service_thread threads[] = {
	    {"dns", dns_beat(d->dns)},
	    {"store", d->store ? store_beat(d->store) : CLOCK_NEVER},
	    {"log", d->log ? verdictlog_beat(d->log) : CLOCK_NEVER},
	    {"control", control_beat(p->control)},
	};
	const struct service_thread *stuck = service_stuck(
	    threads, sizeof threads / sizeof *threads, beat, clock_mono_ms());

	if (stuck && !p->stuck)
		log_error("watchdog: thread %s takes no turn any more,"
			  " beating no longer",
		    stuck->name);
	if (!stuck && p->stuck)
		log_warn("watchdog: all threads take turns again, beating on");
	p->stuck = stuck != NULL;
	return !stuck;
}

/* Waits for the end; reloads are the control thread's work. Returns an exit
 * status. */
static int
run(struct program *p)
{
	struct pollfd fd = {.fd = signal_pipe[0], .events = POLLIN};
	int64_t beat = service_beat_ms();
	struct watch watch = {0};
	char what[64];

	for (;;) {
		bool soon = beat && beat < NUDGE_MS;
		int rc = poll(&fd, 1, soon ? (int)beat : NUDGE_MS);
		milter_nudge();
		watch_look(&watch, &p->daemon);
		if (beat && is_alive(p, beat))
			service_beat();
		if (rc <= 0)
			continue;
		ssize_t n = read(signal_pipe[0], what, sizeof what);
		for (ssize_t i = 0; i < n; i++) {
			if (what[i] == 't')
				return 0;
			if (what[i] == 'e')
				return EX_SOFTWARE;
			control_reload(p->control);
		}
	}
}

/*
 * Lets open sessions end by themselves where the next process will serve the
 * same listener, so that a restart costs no message a second try. Another
 * SIGTERM cuts it short. Quiet means for a while: a connection may have been
 * taken whose first packet is on its way.
 */
static void
drain(struct program *p)
{
	int64_t deadline = clock_deadline(DRAIN_MS);
	struct pollfd fd = {.fd = signal_pipe[0], .events = POLLIN};
	int64_t beat = service_beat_ms();
	int64_t quiet_from = clock_deadline(QUIET_MS);

	if (!milter_leave())
		return;
	while (clock_left(deadline) && clock_left(quiet_from)) {
		if (poll(&fd, 1, DRAIN_STEP_MS) > 0)
			return;
		milter_nudge();
		if (beat && is_alive(p, beat))
			service_beat();
		if (!registry_empty(&p->daemon.registry))
			quiet_from = clock_deadline(QUIET_MS);
	}
}

static int
stop(struct program *p, int status)
{
	service_stopping();
	log_info("assayd stops");
	drain(p);
	bool quiet = milter_stop(STOP_MS);
	control_stop(p->control);
	daemon_save(&p->daemon, quiet);
	socket_remove(&p->control_file);
	if (p->options.pidfile)
		(void)unlink(p->options.pidfile);
	/* Sessions that libmilter left open are reachable from here; a thread
	 * of its may still look at them, so nothing is freed. */
	if (!quiet) {
		log_warn("stop: a session is still busy, going all the same");
		_exit(status);
	}
	return status;
}

static struct program program;

/* Daemon part of main: `snapshot` is good. */
static int
serve(struct program *p, struct snapshot *snapshot)
{
	struct err err = {0};
	int status = EX_OSERR;

	p->ready_fd = p->options.foreground ? -1 : process_go_background();
	start_log(&snapshot->settings, &p->options);
	if (set_signals(&err) || start(p, snapshot, &err)) {
		if (to_syslog)
			fprintf(stderr, "assayd: %s\n", err.text);
		log_error("cannot start: %s", err.text);
		status = err.code == ERR_SYNTAX ? EX_CONFIG : EX_OSERR;
		process_end_background(p->ready_fd, status);
		return status;
	}
	service_ready();
	process_end_background(p->ready_fd, 0);
	status = run(p);
	return stop(p, status);
}

/* assayd -n: what else the start would stumble over. All is said. */
static int
test(const struct settings *settings)
{
	struct dns *dns = NULL;
	struct err err;
	gid_t gid;
	int status = 0;

	if (settings->dns.zone && dns_open(&settings->dns, &dns, &err)) {
		log_error("dns.zone: %s", err.text);
		status = EX_CONFIG;
	}
	dns_close(dns);
	if (settings->socket_group.len &&
	    socket_find_group(settings->socket_group, &gid, &err)) {
		log_error("%s", err.text);
		status = EX_CONFIG;
	}
	if (status == 0)
		puts("The configuration is good.");
	return status;
}

int
main(int argc, char **argv)
{
	struct program *p = &program;
	struct err err;
	int status = read_options(argc, argv, &p->options);

	if (status) {
		free_options(&p->options);
		return status < 0 ? 0 : status;
	}
	p->source = (struct settings_source){
	    .path = p->options.config,
	    .assignments = p->options.assignments,
	    .n_assignments = p->options.n_assignments,
	    .keys = true,
	};
	struct snapshot *snapshot = snapshot_load(&p->source, on_report, NULL);
	if (!snapshot)
		return EX_CONFIG;
	if (privilege_find(p->options.user, &p->privilege, &err)) {
		log_error("%s", err.text);
		snapshot_unref(snapshot);
		return EX_NOUSER;
	}
	if (p->options.test) {
		status = test(&snapshot->settings);
		snapshot_unref(snapshot);
		return status;
	}
	/* Taken in any case: the descriptors are closed on exec then. */
	p->listener = service_listener();
	if (p->options.socket_named)
		p->listener = -1;
	return serve(p, snapshot);
}
