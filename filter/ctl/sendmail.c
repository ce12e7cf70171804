#include "filter/ctl/sendmail.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "filter/base/clock.h"
#include "filter/base/unconst.h"
#include "filter/ctl/call.h"

/*
 * The mail is in a file in memory, so nobody waits for a reader. What the
 * program says comes through a pipe, whose end also tells that it is over; a
 * program that leaves a child with that pipe is waited for no longer than one
 * that hangs.
 */

#define TEXT_MAX 400
#define ARG_MAX_BYTES 1024

static enum sendmail_result
result_of(int status, struct span said, struct err *why)
{
	if (WIFSIGNALED(status)) {
		err_set(why, ERR_STATE, "killed by signal %d: %.*s",
		    WTERMSIG(status), SPAN_ARG(said));
		return SENDMAIL_UNKNOWN;
	}
	int code = WEXITSTATUS(status);
	if (code == EX_OK)
		return SENDMAIL_TAKEN;
	err_set(why, ERR_STATE, "status %d: %.*s", code, SPAN_ARG(said));
	switch (code) {
	case EX_NOUSER:
	case EX_NOHOST:
	case EX_DATAERR:
		return SENDMAIL_REFUSED;
	case EX_USAGE:
	case EX_CONFIG:
	case EX_NOPERM:
	case 127: /* no such program */
		return SENDMAIL_WRONG;
	default:
		return SENDMAIL_LATER;
	}
}

/* Reads until the end or the deadline; keeps the first TEXT_MAX bytes, in one
 * line. */
static struct span
read_said(int fd, int64_t deadline, char text[TEXT_MAX])
{
	char more[512];
	size_t len = 0;

	while (clock_left(deadline)) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		int ready = poll(&p, 1, (int)clock_left(deadline));
		ssize_t n = ready > 0 ? read(fd, more, sizeof more) : ready;
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		for (ssize_t i = 0; i < n && len < TEXT_MAX; i++)
			text[len++] = ascii_is_control(more[i]) ? ' ' : more[i];
	}
	return span_trim(span_make(text, len));
}

static int
await(pid_t pid, int64_t deadline)
{
	int status = 0;

	if (clock_left(deadline) == 0 && waitpid(pid, &status, WNOHANG) == pid)
		return status;
	if (clock_left(deadline) == 0)
		(void)kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
	return status;
}

static int
start(char *const argv[], int in, int out, pid_t *ret)
{
	static const char *const environment[] = {
	    "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", NULL};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t signals;
	int rc = posix_spawn_file_actions_init(&actions);

	if (rc)
		return rc;
	rc = posix_spawnattr_init(&attributes);
	if (rc == 0) {
		/* We ignore SIGPIPE; whoever is started need not. */
		sigemptyset(&signals);
		sigaddset(&signals, SIGPIPE);
		(void)posix_spawnattr_setsigdefault(&attributes, &signals);
		(void)posix_spawnattr_setflags(
		    &attributes, POSIX_SPAWN_SETSIGDEF);
		rc = posix_spawn_file_actions_adddup2(&actions, in, 0);
	}
	if (rc == 0)
		rc = posix_spawn_file_actions_adddup2(&actions, out, 1);
	if (rc == 0)
		rc = posix_spawn_file_actions_adddup2(&actions, out, 2);
	if (rc == 0)
		rc = posix_spawn(ret, argv[0], &actions, &attributes, argv,
		    unconst(environment));
	(void)posix_spawnattr_destroy(&attributes);
	(void)posix_spawn_file_actions_destroy(&actions);
	return rc;
}

static enum sendmail_result
run(char *const argv[], int in, struct err *why)
{
	int64_t deadline = clock_deadline(SENDMAIL_SECONDS * INT64_C(1000));
	char text[TEXT_MAX];
	int ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) != 0) {
		err_set_errno(why, errno, "pipe");
		return SENDMAIL_LATER;
	}
	int rc = start(argv, in, ends[1], &pid);
	close(ends[1]);
	if (rc) {
		close(ends[0]);
		err_set_errno(why, rc, "%s", argv[0]);
		return SENDMAIL_WRONG;
	}
	struct span said = read_said(ends[0], deadline, text);
	int status = await(pid, deadline);
	close(ends[0]);
	return result_of(status, said, why);
}

enum sendmail_result
sendmail_hand(const struct sendmail_request *request, struct err *why)
{
	char program[ARG_MAX_BYTES], sender[ARG_MAX_BYTES];
	char recipient[ARG_MAX_BYTES];
	char option_i[] = "-i", option_f[] = "-f", end[] = "--";
	char *const argv[] = {
	    program, option_i, option_f, sender, end, recipient, NULL};

	if (!span_copy(request->program, program, sizeof program) ||
	    !span_copy(request->sender, sender, sizeof sender) ||
	    !span_copy(request->recipient, recipient, sizeof recipient)) {
		err_set(why, ERR_LIMIT, "a path or an address is too long");
		return SENDMAIL_WRONG;
	}
	int in = call_file(request->mail, why);
	if (in < 0)
		return SENDMAIL_LATER;
	enum sendmail_result result = run(argv, in, why);
	close(in);
	return result;
}
