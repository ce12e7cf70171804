#ifndef FILTER_PRIVILEGE_H
#define FILTER_PRIVILEGE_H

#include <stdbool.h>
#include <sys/types.h>

#include "filter/base/err.h"

/* The user that the daemon runs as: found first, switched to later, so that
 * sockets and folders can be made in between. */
struct privilege {
	bool change; /* false: stay who we are */
	char user[256];
	uid_t uid;
	gid_t gid;
	bool own_group; /* `gid` was named: no other groups */
};

/*
 * spec  "user", "user:group" (names or numbers), or NULL: ASSAY_USER when we
 *       are root and it exists, else nobody else.
 */
int privilege_find(
    const char *spec, struct privilege *ret, struct err *err) MUST_USE;
/* For good: groups, group, user. Before any thread. */
int privilege_drop(const struct privilege *privilege, struct err *err) MUST_USE;

/* Makes a folder with that mode and gives it to the user; one that exists is
 * left alone. Failure is no error: who needs it will say so. */
void privilege_make_folder(
    const struct privilege *privilege, const char *path, mode_t mode);
/* Makes the user a file's owner, and its group the file's group where asked
 * for. Failure is no error either. */
void privilege_give_file(
    const struct privilege *privilege, const char *path, bool group);

/*
 * For a command of root's: does what it makes as the owner and group of that
 * file or folder, until privilege_return(). Nothing for others, and where root
 * owns it. Failure is no error.
 */
void privilege_borrow(const char *path);
void privilege_return(void);

#endif
