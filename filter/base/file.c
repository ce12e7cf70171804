#include "filter/base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "filter/base/buf.h"
#include "filter/base/vec.h"

/*
 * Files that decide what we do. Who may write them may make us refuse or
 * accept mail, so their rights are checked on the open descriptor.
 */

#define LOOKUP_SIZE 4096

static bool
is_our_user(uid_t uid)
{
	char room[LOOKUP_SIZE];
	struct passwd entry, *found = NULL;

	if (uid == 0 || uid == geteuid())
		return true;
	return getpwnam_r(ASSAY_USER, &entry, room, sizeof room, &found) == 0 &&
	       found && found->pw_uid == uid;
}

static bool
is_our_group(gid_t gid)
{
	char room[LOOKUP_SIZE];
	struct group entry, *found = NULL;

	if (gid == 0)
		return true;
	return getgrnam_r(ASSAY_USER, &entry, room, sizeof room, &found) == 0 &&
	       found && found->gr_gid == gid;
}

/* Nobody can put anything into it: "-c /dev/null" means no settings. */
static bool
is_null_device(const struct stat *st)
{
	struct stat null;

	return S_ISCHR(st->st_mode) && stat("/dev/null", &null) == 0 &&
	       S_ISCHR(null.st_mode) && null.st_rdev == st->st_rdev;
}

static int
check_trust(const char *path, const struct stat *st, struct err *err)
{
	if (is_null_device(st))
		return 0;
	if (!S_ISREG(st->st_mode))
		return err_set(err, ERR_ACCESS, "%s: not a regular file", path);
	if (!is_our_user(st->st_uid))
		return err_set(err, ERR_ACCESS,
		    "%s: owned by user %u, not by root, %s or you", path,
		    (unsigned)st->st_uid, ASSAY_USER);
	if ((st->st_mode & S_IWOTH) ||
	    ((st->st_mode & S_IWGRP) && !is_our_group(st->st_gid)))
		return err_set(err, ERR_ACCESS,
		    "%s: others can write it (mode %04o); try chmod go-w", path,
		    (unsigned)(st->st_mode & 07777));
	return 0;
}

static int
check_private(const char *path, const struct stat *st, struct err *err)
{
	int rc = check_trust(path, st, err);
	bool group = (st->st_mode & S_IRGRP) && st->st_gid != getegid() &&
		     !is_our_group(st->st_gid);

	if (rc || !S_ISREG(st->st_mode))
		return rc;
	if ((st->st_mode & S_IROTH) || group)
		return err_set(err, ERR_ACCESS,
		    "%s: others can read it (mode %04o, group %u); try chmod"
		    " 0600, or 0640 and chgrp %s",
		    path, (unsigned)(st->st_mode & 07777), (unsigned)st->st_gid,
		    ASSAY_USER);
	return 0;
}

typedef int check_fn(const char *path, const struct stat *st, struct err *err);

static int
open_checked(const char *path, check_fn *check, int *ret_fd, struct err *err)
{
	struct stat st;
	/* O_NONBLOCK: a FIFO of that name must not hold us. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0) {
		int code = errno == ENOENT ? ERR_NOTFOUND : ERR_IO;
		err_set_errno(err, errno, "%s", path);
		if (err)
			err->code = code;
		return code;
	}
	int rc = fstat(fd, &st) ? err_set_errno(err, errno, "%s", path)
				: check(path, &st, err);
	if (rc) {
		close(fd);
		return rc;
	}
	*ret_fd = fd;
	return 0;
}

int
file_open_trusted(const char *path, int *ret_fd, struct err *err)
{
	return open_checked(path, check_trust, ret_fd, err);
}

int
file_open_private(const char *path, int *ret_fd, struct err *err)
{
	return open_checked(path, check_private, ret_fd, err);
}

int
file_read_fd(int fd, size_t limit, struct arena *arena, struct span *ret,
    struct err *err)
{
	struct buf text;
	struct stat st;

	buf_init(&text, arena, limit);
	if (fstat(fd, &st) == 0 && st.st_size > 0 &&
	    (uint64_t)st.st_size <= limit)
		buf_reserve(&text, (size_t)st.st_size);
	for (;;) {
		char chunk[16384];
		ssize_t n = read(fd, chunk, sizeof chunk);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set_errno(err, errno, "read");
		if (n == 0)
			break;
		buf_add(&text, chunk, (size_t)n);
		if (buf_failed(&text))
			return err_set(err,
			    arena_failed(arena) ? ERR_NOMEM : ERR_LIMIT,
			    "larger than %zu bytes", limit);
	}
	*ret = buf_span(&text);
	return 0;
}

int
file_read(const char *path, size_t limit, struct arena *arena, struct span *ret,
    struct err *err)
{
	int fd;
	int rc = file_open_trusted(path, &fd, err);

	if (rc)
		return rc;
	rc = file_read_fd(fd, limit, arena, ret, err);
	if (rc)
		err_prefix(err, "%s: ", path);
	close(fd);
	return rc;
}

bool
file_is_folder(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static int
by_bytes(const void *a, const void *b)
{
	return span_cmp(*(const struct span *)a, *(const struct span *)b);
}

int
file_list(const char *folder, const char *suffix, struct arena *arena,
    struct span **ret_names, size_t *ret_n, struct err *err)
{
	struct names VEC(struct span) names = {0};
	DIR *dir = opendir(folder);
	struct dirent *entry;

	if (!dir) {
		int code = errno == ENOENT ? ERR_NOTFOUND : ERR_IO;
		err_set_errno(err, errno, "%s", folder);
		if (err)
			err->code = code;
		return code;
	}
	while ((entry = readdir(dir)) != NULL) {
		struct span name = span_of(entry->d_name);
		if (suffix ? !span_ends(name, span_of(suffix))
			   : name.p[0] == '.')
			continue;
		struct span *to = VEC_PUSH(arena, &names);
		if (to)
			*to = arena_span(arena, name);
	}
	closedir(dir);
	if (arena_failed(arena))
		return err_set(err, ERR_NOMEM, "%s: out of memory", folder);
	if (names.n)
		qsort(names.v, names.n, sizeof *names.v, by_bytes);
	*ret_names = names.v;
	*ret_n = names.n;
	return 0;
}
