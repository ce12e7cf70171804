#include "filter/state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "filter/base/clock.h"

/*
 * flock() goes with the process, however it ends, so a lock is never left
 * behind. A restart may begin before the old process is gone: hence the wait.
 */

#define LOCK_NAME "state.lock"
#define LOCK_MODE 0640
#define LOCK_PAUSE_NS 20000000
/* A clock that was further ahead than that was wrong, and is not followed. */
#define AHEAD_MAX_S 3600
#define PATH_SIZE 4096

static int
path_of(const struct settings *settings, const char *name, char path[PATH_SIZE],
    struct err *err)
{
	int n = snprintf(path, PATH_SIZE, "%.*s%s%s", SPAN_ARG(settings->state),
	    name ? "/" : "", name ? name : "");

	if (n < 0 || n >= PATH_SIZE)
		return err_set(err, ERR_LIMIT, "state: the path is too long");
	return 0;
}

char *
state_path(
    const struct settings *settings, const char *name, struct arena *arena)
{
	struct span path =
	    arena_printf(arena, "%.*s/%s", SPAN_ARG(settings->state), name);

	return path.p ? arena_cstr(arena, path) : NULL;
}

int
state_make(const struct settings *settings, struct err *err)
{
	char path[PATH_SIZE];
	int rc = path_of(settings, NULL, path, err);

	if (rc)
		return rc;
	if (mkdir(path, STATE_MODE) != 0 && errno != EEXIST)
		return err_set(err, errno == ENOENT ? ERR_NOTFOUND : ERR_ACCESS,
		    "state=%s: cannot be made", path);
	if (access(path, W_OK | X_OK) != 0)
		return err_set(err, ERR_ACCESS, "state=%s: not writable", path);
	return 0;
}

int
state_lock(const struct settings *settings, int64_t wait_ms, int *ret_fd,
    struct err *err)
{
	const struct timespec pause = {.tv_nsec = LOCK_PAUSE_NS};
	int64_t deadline = clock_deadline(wait_ms);
	char path[PATH_SIZE];
	int rc = path_of(settings, LOCK_NAME, path, err);

	if (rc)
		return rc;
	int fd =
	    open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, LOCK_MODE);
	if (fd < 0)
		return err_set_errno(err, errno, "%s", path);
	while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		int error = errno;
		if (error == EWOULDBLOCK && clock_left(deadline)) {
			(void)nanosleep(&pause, NULL);
			continue;
		}
		close(fd);
		if (error != EWOULDBLOCK)
			return err_set_errno(err, error, "%s: lock", path);
		return err_set(
		    err, ERR_STATE, "%s: another process writes there", path);
	}
	*ret_fd = fd;
	return 0;
}

int64_t
state_start(int lock_fd, int64_t now)
{
	char text[32];
	int64_t before;
	ssize_t n = pread(lock_fd, text, sizeof text, 0);
	struct span line = span_make(text, n > 0 ? (size_t)n : 0);

	if (span_to_i64(span_trim(line), &before) == 0 && before >= now &&
	    before - now < AHEAD_MAX_S)
		now = before + 1;
	int len = snprintf(text, sizeof text, "%lld\n", (long long)now);
	/* A disk that is full costs a ref that may come twice, no start. */
	if (pwrite(lock_fd, text, (size_t)len, 0) == len)
		(void)!ftruncate(lock_fd, len);
	return now;
}

int
state_open_store(const struct settings *settings, bool read_only,
    struct store **ret, struct err *err)
{
	struct store_options options = settings->store;

	options.folder = settings->state;
	options.read_only = read_only;
	return store_open(&options, ret, err);
}
