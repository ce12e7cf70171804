#include "filter/privilege.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#if HAVE_SYS_PRCTL_H
#	include <sys/prctl.h>
#endif

#include "filter/base/span.h"

/*
 * The switch is checked by trying to undo it: a daemon that could become root
 * again must not run.
 */

#define ROOM 16384

static int
find_user(struct span name, struct privilege *ret, struct err *err)
{
	char room[ROOM];
	struct passwd pw, *found = NULL;
	uint64_t number;

	if (!span_copy(name, ret->user, sizeof ret->user) || name.len == 0)
		return err_set(err, ERR_SYNTAX, "-u: bad user name");
	if (span_to_u64(name, &number) == 0 && number < UINT32_MAX)
		(void)getpwuid_r((uid_t)number, &pw, room, ROOM, &found);
	else
		(void)getpwnam_r(ret->user, &pw, room, ROOM, &found);
	if (!found)
		return err_set(
		    err, ERR_NOTFOUND, "-u: no user \"%s\"", ret->user);
	ret->uid = pw.pw_uid;
	ret->gid = pw.pw_gid;
	(void)span_copy(span_of(pw.pw_name), ret->user, sizeof ret->user);
	return 0;
}

static int
find_group(struct span name, struct privilege *ret, struct err *err)
{
	char text[256], room[ROOM];
	struct group group, *found = NULL;
	uint64_t number;

	(void)span_copy(name, text, sizeof text);
	if (span_to_u64(name, &number) == 0 && number < UINT32_MAX)
		(void)getgrgid_r((gid_t)number, &group, room, ROOM, &found);
	else
		(void)getgrnam_r(text, &group, room, ROOM, &found);
	if (!found)
		return err_set(err, ERR_NOTFOUND, "-u: no group \"%s\"", text);
	ret->gid = group.gr_gid;
	ret->own_group = true;
	return 0;
}

int
privilege_find(const char *spec, struct privilege *ret, struct err *err)
{
	struct span group = span_of(spec ? spec : ASSAY_USER);
	struct span user = span_cut(&group, ':');

	*ret = (struct privilege){0};
	if (!spec && geteuid() != 0)
		return 0;
	int rc = find_user(user, ret, err);
	if (rc && !spec)
		return 0; /* root stays root; main says so */
	if (rc == 0 && group.p)
		rc = find_group(group, ret, err);
	if (rc)
		return rc;
	/* To be told to become who one is already is fine. */
	ret->change = geteuid() != ret->uid || getegid() != ret->gid;
	if (ret->change && geteuid() != 0)
		return err_set(err, ERR_ACCESS,
		    "-u: only root can change to user \"%s\"", ret->user);
	return 0;
}

int
privilege_drop(const struct privilege *p, struct err *err)
{
	if (!p->change)
		return 0;
	int rc =
	    p->own_group ? setgroups(1, &p->gid) : initgroups(p->user, p->gid);
	if (rc != 0 || setgid(p->gid) != 0 || setuid(p->uid) != 0)
		return err_set_errno(
		    err, errno, "cannot become user \"%s\"", p->user);
	if (p->uid != 0 && (setuid(0) == 0 || geteuid() != p->uid))
		return err_set(err, ERR_STATE,
		    "user \"%s\" could become root again", p->user);
#if HAVE_SYS_PRCTL_H
	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
#endif
	return 0;
}

void
privilege_make_folder(const struct privilege *p, const char *path, mode_t mode)
{
	if (mkdir(path, mode) == 0 && p->change)
		(void)!lchown(path, p->uid, p->gid);
}

void
privilege_give_file(const struct privilege *p, const char *path, bool group)
{
	if (p->change)
		(void)!lchown(path, p->uid, group ? p->gid : (gid_t)-1);
}

void
privilege_borrow(const char *path)
{
	struct stat st;

	if (geteuid() != 0 || stat(path, &st) != 0 || st.st_uid == 0)
		return;
	if (setegid(st.st_gid) != 0 || seteuid(st.st_uid) != 0)
		privilege_return();
}

void
privilege_return(void)
{
	/* The real ones never changed, so this is always allowed. */
	if (geteuid() != getuid())
		(void)!seteuid(getuid());
	if (getegid() != getgid())
		(void)!setegid(getgid());
}
