#include "filter/ctl/doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "filter/base/file.h"

/* What the parts of assay doctor share: findings, reading files, rights. */

#define FILE_MAX ((size_t)1 << 20)
#define TEXT_MAX 1024
#define ROOM 16384

/* --- findings ------------------------------------------------------------------- */

static struct span
where_text(struct doctor *d, struct doctor_where where)
{
	if (!where.file)
		return SPAN_NONE;
	if (where.line == 0)
		return arena_printf(d->arena, "%s", where.file);
	return arena_printf(d->arena, "%s:%u", where.file, where.line);
}

static struct finding *
find_same(struct doctor *d, const struct finding *f)
{
	for (size_t i = 0; i < d->findings.n; i++) {
		struct finding *old = &d->findings.v[i];
		if (old->level == f->level &&
		    span_eq(span_of(old->check), span_of(f->check)) &&
		    span_eq(old->where, f->where) &&
		    span_eq(old->what, f->what))
			return old;
	}
	return NULL;
}

struct finding *
doctor_add(struct doctor *doctor, enum doctor_level level, const char *check,
    struct doctor_where where, const char *fmt, ...)
{
	char text[TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	struct finding f = {
	    .level = level,
	    .check = check,
	    .where = where_text(doctor, where),
	    .what = arena_printf(doctor->arena, "%s", text),
	};
	struct finding *found = find_same(doctor, &f);
	if (!found)
		found = VEC_PUSH(doctor->arena, &doctor->findings);
	if (!found)
		found = &doctor->spare;
	*found = f;
	return found;
}

bool
doctor_has_problem(const struct doctor *doctor, const char *check)
{
	for (size_t i = 0; i < doctor->findings.n; i++)
		if (doctor->findings.v[i].level == DOCTOR_PROBLEM &&
		    span_is(span_of(doctor->findings.v[i].check), check))
			return true;
	return false;
}

int
doctor_read(
    struct doctor *doctor, const char *path, struct span *ret, struct err *err)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	int error = errno;

	if (fd < 0) {
		err_set_errno(err, error, "%s", path);
		return error == ENOENT   ? ERR_NOTFOUND
		       : error == EACCES ? ERR_ACCESS
					 : ERR_IO;
	}
	int rc = fstat(fd, &st) == 0 && S_ISREG(st.st_mode)
		     ? file_read_fd(fd, FILE_MAX, doctor->arena, ret, err)
		     : err_set(err, ERR_IO, "not a regular file");
	close(fd);
	return rc;
}

bool
doctor_enforces(const struct doctor *doctor)
{
	const struct settings *s = doctor->settings;

	for (size_t i = 0; i < s->n_policies; i++)
		if (s->policies[i].mode == MODE_ENFORCE)
			return true;
	return false;
}

/* --- rights --------------------------------------------------------------------- */

bool
who_find(const char *name, struct who *ret)
{
	char room[ROOM];
	struct passwd pw, *found = NULL;

	(void)getpwnam_r(name, &pw, room, sizeof room, &found);
	if (!found)
		return false;
	*ret =
	    (struct who){.name = name, .uid = pw.pw_uid, .n = WHO_GROUPS_MAX};
	if (getgrouplist(name, pw.pw_gid, ret->gids, &ret->n) < 0)
		ret->n = WHO_GROUPS_MAX;
	return true;
}

static bool
is_member(const struct who *who, gid_t gid)
{
	for (int i = 0; i < who->n; i++)
		if (who->gids[i] == gid)
			return true;
	return false;
}

/* bit: 1 search, 2 write, 4 read. The first class that fits decides. */
static bool
may(const struct stat *st, const struct who *who, unsigned bit)
{
	unsigned shift = 0;

	if (who->uid == 0)
		return true;
	if (st->st_uid == who->uid)
		shift = 6;
	else if (is_member(who, st->st_gid))
		shift = 3;
	return (st->st_mode >> shift) & bit;
}

/* One step of the way; 0 when it can be taken. */
static enum reach
step(const char *path, const struct who *who, unsigned bit)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return errno == EACCES ? REACH_UNKNOWN : REACH_MISSING;
	return may(&st, who, bit) ? REACH_OK : REACH_DENIED;
}

enum reach
reach_socket(const char *path, const struct who *who, struct arena *arena,
    const char **ret_at)
{
	struct span rest = span_skip(span_of(path), 1);
	struct span whole = span_of(path);

	*ret_at = "/";
	enum reach reach = step("/", who, 1);
	while (reach == REACH_OK && rest.p) {
		struct span name = span_cut(&rest, '/');
		if (!name.len)
			continue;
		size_t end = (size_t)(name.p + name.len - whole.p);
		*ret_at = arena_cstr(arena, span_head(whole, end));
		if (!*ret_at)
			return REACH_UNKNOWN;
		reach = step(*ret_at, who, rest.p ? 1 : 2);
	}
	return reach;
}
