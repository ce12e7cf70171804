#ifndef FILTER_STORE_STORE_LMDB_FILE_H
#define FILTER_STORE_STORE_LMDB_FILE_H

#include <limits.h>

#include "filter/store/backend.h"

/*
 * The files below LMDB: where they are, whose they are, whether the data file
 * is whole. LMDB maps the data file, and a page that is missing there ends the
 * process (SIGBUS), so this is looked at before.
 */
struct lmdb_files {
	char folder[PATH_MAX], data[PATH_MAX], lock[PATH_MAX];
	bool fresh; /* there is no data file yet */
};

#define LMDB_DATA_MODE 0640
#define LMDB_LOCK_MODE 0660 /* readers enter themselves in it */

/*
 * Finds the files, makes the folder and the lock file where they are missing.
 * ERR_NOTFOUND: read-only, and there is no store; ERR_ACCESS: owned by another,
 * or no right; ERR_INVALID: no LMDB file, another version of it, or cut off.
 * Nothing that was there is changed but the lock file's rights.
 */
int lmdb_files_prepare(const struct store_options *options,
    const struct store_url *url, struct lmdb_files *ret,
    struct err *err) MUST_USE;

/* Gives a new data file its rights. */
void lmdb_files_settle(const struct lmdb_files *files, int data_fd);
/*
 * Holds the data file for as long as it is open: a second writer, whose state
 * folder is another, would not see what this one has cached. ERR_STATE.
 */
int lmdb_files_hold(
    const struct lmdb_files *files, int data_fd, struct err *err) MUST_USE;

/* Whether all pages that are in use are there; see lmdb_files_prepare(). */
int lmdb_file_check(int fd, const char *path, struct err *err) MUST_USE;

#endif
