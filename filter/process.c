#include "filter/process.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <unistd.h>

#include "filter/service.h"

/*
 * The parent of a daemon in the background ends only when its child serves: a
 * script that starts it may connect at once.
 */

#define STACK_BYTES ((size_t)512 * 1024) /* of each thread */
#define FILES_PER_SESSION 3 /* the MTA's socket, a spool file, one to spare */
#define FILES_OTHER 256
#define TASKS_OTHER 32

static void *
do_nothing(void *arg)
{
	return arg;
}

/* Thread-local storage comes out of a stack, too: where a library (or a
 * sanitizer) has so much that no thread can start, the default stays. */
static void
set_stacks(void)
{
	pthread_attr_t was, attr;
	pthread_t thread;

	if (pthread_getattr_default_np(&was) != 0)
		return;
	if (pthread_attr_init(&attr) == 0) {
		(void)pthread_attr_setstacksize(&attr, STACK_BYTES);
		(void)pthread_setattr_default_np(&attr);
		(void)pthread_attr_destroy(&attr);
	}
	if (pthread_create(&thread, NULL, do_nothing, NULL) == 0)
		(void)pthread_join(thread, NULL);
	else
		(void)pthread_setattr_default_np(&was);
	(void)pthread_attr_destroy(&was);
}

void
process_set_limits(const struct settings *settings)
{
	rlim_t want =
	    (rlim_t)settings->sessions * FILES_PER_SESSION + FILES_OTHER;
	struct rlimit limit;
	int64_t tasks = service_tasks_max();

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < want) {
		limit.rlim_cur = want;
		if (limit.rlim_max < want && geteuid() == 0)
			limit.rlim_max = want;
		else if (limit.rlim_max < want)
			limit.rlim_cur = limit.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &limit) != 0 ||
		    limit.rlim_cur < want)
			log_warn("limits.sessions=%u wants %llu open files, the"
				 " system allows %llu, going on",
			    settings->sessions, (unsigned long long)want,
			    (unsigned long long)limit.rlim_cur);
	}
	if (tasks - TASKS_OTHER < (int64_t)settings->sessions)
		log_warn("limits.sessions=%u is more than TasksMax=%lld less"
			 " %d, sessions may hang, going on",
		    settings->sessions, (long long)tasks, TASKS_OTHER);
	set_stacks();
}

int
process_go_background(void)
{
	int ready[2];
	char status = EX_SOFTWARE;

	if (pipe2(ready, O_CLOEXEC) != 0)
		return -1;
	pid_t pid = fork();
	if (pid < 0) {
		close(ready[0]);
		close(ready[1]);
		return -1;
	}
	if (pid == 0) {
		close(ready[0]);
		(void)setsid();
		return ready[1];
	}
	close(ready[1]);
	while (read(ready[0], &status, 1) < 0 && errno == EINTR)
		;
	_exit(status);
}

void
process_end_background(int fd, int status)
{
	char byte = (char)status;
	int null;

	if (fd < 0)
		return;
	if (status == 0 && (null = open("/dev/null", O_RDWR)) >= 0) {
		(void)dup2(null, 0);
		(void)dup2(null, 1);
		(void)dup2(null, 2);
		if (null > 2)
			close(null);
		(void)!chdir("/");
	}
	(void)!write(fd, &byte, 1);
	close(fd);
}

int
process_write_pid(const char *path, struct err *err)
{
	int fd = open(
	    path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);

	if (fd < 0)
		return err_set_errno(err, errno, "%s", path);
	int n = dprintf(fd, "%ld\n", (long)getpid());
	int error = errno;
	close(fd);
	return n > 0 ? 0 : err_set_errno(err, error, "%s", path);
}
