#include "filter/store/store_lmdb_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "filter/base/file.h"

/*
 * Folder, names, owners and modes of the embedded store. Whether the data file
 * is whole is store_lmdb_pages.c's.
 */

#define FOLDER_MODE 0750

static int
refuse(struct err *err, int code, const char *path, const char *what)
{
	return err_set(err, code, "%s: %s", path, what);
}

/* A failed system call, with a code that tells rights from the rest. */
static int
failed(struct err *err, const char *path)
{
	int error = errno;
	int code = error == EACCES || error == EPERM || error == EROFS
		       ? ERR_ACCESS
		       : ERR_IO;

	err_set_errno(err, error, "%s", path);
	if (err)
		err->code = code;
	return code;
}

static int
set_names(const struct store_options *options, const struct store_url *url,
    struct lmdb_files *files, struct err *err)
{
	const char *under = url->path.len ? "" : "/store";
	struct span folder = url->path.len ? url->path : options->folder;

	if (span_find_char(folder, '\0') != SPAN_NPOS || folder.len == 0 ||
	    folder.len > PATH_MAX - 32)
		return err_set(err, ERR_SYNTAX, "store.url: no usable folder");
	snprintf(files->folder, sizeof files->folder, "%.*s%s",
	    SPAN_ARG(folder), under);
	snprintf(files->data, sizeof files->data, "%.*s%s/data.mdb",
	    SPAN_ARG(folder), under);
	snprintf(files->lock, sizeof files->lock, "%.*s%s/lock.mdb",
	    SPAN_ARG(folder), under);
	return 0;
}

/* A folder that others may enter who may enter the one above. */
static int
make_folder(const struct lmdb_files *files, struct err *err)
{
	char above[PATH_MAX + 4];
	struct stat st;

	if (mkdir(files->folder, FOLDER_MODE) != 0)
		return errno == EEXIST ? 0 : failed(err, files->folder);
	snprintf(above, sizeof above, "%s/..", files->folder);
	if (chmod(files->folder, FOLDER_MODE) != 0)
		return failed(err, files->folder);
	/* Best effort: who may not give it away keeps it. */
	if (stat(above, &st) == 0 &&
	    chown(files->folder, (uid_t)-1, st.st_gid) != 0)
		return 0;
	return 0;
}

/* A lock file of ours gets the rights it should have, as far as we may. */
static void
settle_lock(int fd, uid_t uid, gid_t gid)
{
	struct stat st;

	if (fstat(fd, &st) != 0 || st.st_uid != geteuid())
		return;
	int rc = 0;
	if (st.st_uid != uid || st.st_gid != gid)
		rc = fchown(fd, uid, gid);
	if ((st.st_mode & 07777) != LMDB_LOCK_MODE)
		rc = fchmod(fd, LMDB_LOCK_MODE);
	(void)rc; /* what is missing shows when LMDB opens it */
}

/*
 * The lock file comes before LMDB makes it, for its rights: the readers' own
 * group may write it, and root, looking at a stopped daemon's store, must not
 * leave one behind that the daemon cannot open.
 */
static int
make_lock(
    const struct lmdb_files *files, const struct stat *folder, struct err *err)
{
	const int flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW;
	uid_t uid = geteuid() == 0 ? folder->st_uid : geteuid();
	int fd = open(files->lock, flags | O_CREAT | O_EXCL, 0600);

	if (fd < 0 && errno == EROFS)
		return 0; /* LMDB reads without it there */
	if (fd < 0 && errno == EEXIST) {
		uid = geteuid();
		fd = open(files->lock, flags);
	}
	if (fd < 0)
		return failed(err, files->lock);
	settle_lock(fd, uid, folder->st_gid);
	close(fd);
	return 0;
}

/* An existing data file: whose it is, and whether it is whole. */
static int
check_data(const struct store_options *options, struct lmdb_files *files,
    struct err *err)
{
	struct stat st;
	int fd;
	int rc = file_open_trusted(files->data, &fd, err);

	if (rc == ERR_NOTFOUND && !options->read_only) {
		files->fresh = true;
		return 0;
	}
	if (rc)
		return rc;
	if (fstat(fd, &st) != 0)
		rc = failed(err, files->data);
	else if (!options->read_only && st.st_uid != geteuid())
		rc = err_set(err, ERR_ACCESS,
		    "%s: owned by user %u, and only its owner writes it",
		    files->data, (unsigned)st.st_uid);
	else if (!options->read_only && access(files->data, W_OK) != 0)
		rc = failed(err, files->data);
	else
		rc = lmdb_file_check(fd, files->data, err);
	close(fd);
	return rc;
}

int
lmdb_files_prepare(const struct store_options *options,
    const struct store_url *url, struct lmdb_files *files, struct err *err)
{
	struct stat folder;

	files->fresh = false;
	int rc = set_names(options, url, files, err);
	if (!rc && !options->read_only)
		rc = make_folder(files, err);
	if (rc)
		return rc;
	if (stat(files->folder, &folder) != 0) {
		if (errno == ENOENT)
			return refuse(
			    err, ERR_NOTFOUND, files->folder, "no store yet");
		return failed(err, files->folder);
	}
	if (!S_ISDIR(folder.st_mode))
		return refuse(err, ERR_INVALID, files->folder, "not a folder");
	rc = check_data(options, files, err);
	return rc ? rc : make_lock(files, &folder, err);
}

void
lmdb_files_settle(const struct lmdb_files *files, int data_fd)
{
	struct stat st;

	if (!files->fresh)
		return;
	int rc = fchmod(data_fd, LMDB_DATA_MODE);
	if (rc == 0 && stat(files->folder, &st) == 0)
		rc = fchown(data_fd, (uid_t)-1, st.st_gid);
	(void)rc; /* readers of the group would have to do without */
}

int
lmdb_files_hold(const struct lmdb_files *files, int data_fd, struct err *err)
{
	if (flock(data_fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK)
		return 0;
	return refuse(
	    err, ERR_STATE, files->data, "another process writes there");
}
