#ifndef FILTER_BASE_FILE_H
#define FILTER_BASE_FILE_H

#include "filter/base/arena.h"
#include "filter/base/err.h"
#include "filter/base/span.h"

/*
 * Reading files that decide what we do: configuration, rules, keys. A file is
 * trusted when it is a regular one, owned by root, ASSAY_USER or the calling
 * user, and not writable by others: not by all, and by its group only when
 * that is root's or ASSAY_USER's. /dev/null is trusted to be empty.
 */

/* ERR_ACCESS: not trusted; ERR_NOTFOUND; ERR_IO. The caller closes. */
int file_open_trusted(const char *path, int *ret_fd, struct err *err) MUST_USE;
/* The same for a secret: not readable by others either, and by its group only
 * when that is root's, ASSAY_USER's or the calling user's. */
int file_open_private(const char *path, int *ret_fd, struct err *err) MUST_USE;

bool file_is_folder(const char *path);

/* Reads a trusted file whole; ERR_LIMIT when it is larger than `limit`. */
int file_read(const char *path, size_t limit, struct arena *arena,
    struct span *ret, struct err *err) MUST_USE;

/* Reads all of an open descriptor into `arena`. */
int file_read_fd(int fd, size_t limit, struct arena *arena, struct span *ret,
    struct err *err) MUST_USE;

/*
 * Names in a folder that end with `suffix` (NULL: all but hidden ones), in
 * byte order, without the folder. Memory: arena.
 */
int file_list(const char *folder, const char *suffix, struct arena *arena,
    struct span **ret_names, size_t *ret_n, struct err *err) MUST_USE;

#endif
