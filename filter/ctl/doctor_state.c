#include "filter/ctl/doctor.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "filter/base/clock.h"
#include "filter/ctl/place.h"
#include "filter/state.h"

/*
 * Our own side: the socket's place, the state folder and site.key, the store.
 * Who may read the state may read about everybody's mail; who may write it may
 * teach and allow.
 */

#define SOCKET_CHECK "assay.socket"
#define STATE_CHECK "state.folder"
#define KEY_CHECK "state.key"
#define STORE_CHECK_NAME "store.opens"
#define STORE_MS 2000

/* --- the socket ------------------------------------------------------------------ */

static void
check_folder(struct doctor *d, struct span path)
{
	size_t slash = span_rfind_char(path, '/');
	char *folder = arena_cstr(d->arena, slash == SPAN_NPOS || slash == 0
						? SPAN("/")
						: span_head(path, slash));
	struct stat st;

	if (!folder || stat(folder, &st) != 0 || !(st.st_mode & S_IWOTH))
		return;
	struct finding *f = doctor_add(d, DOCTOR_PROBLEM, SOCKET_CHECK,
	    (struct doctor_where){folder, 0},
	    "everybody may write the socket's folder");
	f->why = "any local user can put a socket of their own there, and"
		 " judge all mail";
	f->into = "assay.conf";
	f->paste =
	    SPAN("milter { socket = \"unix:" ASSAY_RUNDIR "/milter.sock\" }\n");
}

void
doctor_socket(struct doctor *d)
{
	struct span socket = d->settings->socket;
	struct place ours = place_of_libmilter(socket);
	struct finding *f;

	if (place_is_public(&ours)) {
		f = doctor_add(d, DOCTOR_PROBLEM, SOCKET_CHECK, NOWHERE,
		    "milter.socket = %.*s is open to the network",
		    SPAN_ARG(socket));
		f->why = "a milter knows no passwords: who reaches it can try"
			 " out the filter and exhaust limits.sessions";
		f->into = "assay.conf";
		f->paste = arena_printf(d->arena,
		    "milter { socket = \"inet:%.*s@127.0.0.1\" }\n",
		    SPAN_ARG(ours.port));
	} else if (ours.kind == PLACE_FD) {
		f = doctor_add(d, DOCTOR_NOTE, SOCKET_CHECK, NOWHERE,
		    "milter.socket = %.*s does not say where systemd listens",
		    SPAN_ARG(socket));
		f->why = "the MTA's side cannot be compared with it; name the"
			 " place of assayd.socket, its descriptor is found"
			 " without";
	} else if (ours.kind == PLACE_UNIX &&
		   (d->settings->socket_mode & S_IWOTH)) {
		f = doctor_add(d, DOCTOR_PROBLEM, SOCKET_CHECK, NOWHERE,
		    "milter.socket_mode = %04o lets every local user connect",
		    d->settings->socket_mode);
		f->why = "who reaches it can exhaust limits.sessions";
		f->into = "assay.conf";
		f->paste = SPAN("milter { socket_mode = 0660 }\n");
	}
	if (ours.kind == PLACE_UNIX)
		check_folder(d, ours.path);
}

/* --- state ------------------------------------------------------------------------- */

/* The user that assayd runs as: the one configured, else who asks. */
static bool
may_write(const struct stat *st)
{
	struct who who;
	mode_t want = S_IWUSR | S_IXUSR;

	if (!who_find(ASSAY_USER, &who))
		return st->st_uid == geteuid() || geteuid() == 0;
	return who.uid == st->st_uid && (st->st_mode & want) == want;
}

static void
paste_folder(struct doctor *d, struct finding *f, const char *path)
{
	f->into = "a root shell";
	f->paste = arena_printf(d->arena, "install -d -o %s -g %s -m 750 %s\n",
	    ASSAY_USER, ASSAY_USER, path);
}

/* False: there is no use in looking into it. */
static bool
check_state_folder(struct doctor *d, const char *path)
{
	struct doctor_where where = {path, 0};
	struct finding *f;
	struct stat st;

	if (stat(path, &st) != 0) {
		f = doctor_add(d, DOCTOR_PROBLEM, STATE_CHECK, where,
		    errno == ENOENT ? "the state folder is missing"
				    : "the state folder cannot be seen");
		f->why = "nothing is remembered, and refs change their key at"
			 " each start";
		paste_folder(d, f, path);
		return false;
	}
	if (!S_ISDIR(st.st_mode) || !may_write(&st)) {
		f = doctor_add(d, DOCTOR_PROBLEM, STATE_CHECK, where,
		    "user %s cannot write the state folder", ASSAY_USER);
		f->why = "nothing is remembered, and refs change their key at"
			 " each start";
		paste_folder(d, f, path);
	} else if (st.st_mode & (S_IWGRP | S_IRWXO)) {
		f = doctor_add(d, DOCTOR_PROBLEM, STATE_CHECK, where,
		    "mode %04o lets others in", (unsigned)(st.st_mode & 07777));
		f->why = "what is in it tells about everybody's mail";
		paste_folder(d, f, path);
	} else {
		doctor_add(d, DOCTOR_OK, STATE_CHECK, where,
		    "the state folder is %s's alone", ASSAY_USER);
	}
	return S_ISDIR(st.st_mode);
}

static void
check_key(struct doctor *d)
{
	char *path = state_path(d->settings, "site.key", d->arena);
	struct doctor_where where = {path, 0};
	struct finding *f;
	struct stat st;

	if (!path)
		return;
	if (lstat(path, &st) != 0) {
		bool none = errno == ENOENT;
		doctor_add(d, none ? DOCTOR_OK : DOCTOR_NOTE, KEY_CHECK, where,
		    none ? "not made yet: assayd makes it at its first start"
			 : "cannot be seen by this user");
		return;
	}
	if (!S_ISREG(st.st_mode) || (st.st_mode & (S_IWGRP | S_IRWXO))) {
		f = doctor_add(d, DOCTOR_PROBLEM, KEY_CHECK, where,
		    "mode %04o: others can read or change the key",
		    (unsigned)(st.st_mode & 07777));
		f->why = "who knows it can guess refs";
		f->into = "a root shell";
		f->paste = arena_printf(d->arena, "chmod 640 %s\n", path);
	} else if (st.st_mtime > clock_wall() + 3600) {
		f = doctor_add(d, DOCTOR_PROBLEM, "machine.clock", where,
		    "it was written in the future: the clock is wrong");
		f->why = "refs, expiry of signatures and of all that is"
			 " remembered go by it";
	} else {
		doctor_add(
		    d, DOCTOR_OK, KEY_CHECK, where, "the site key is kept");
	}
}

/* --- store ---------------------------------------------------------------------------- */

static void
check_store(struct doctor *d)
{
	const char *url = arena_cstr(d->arena, d->settings->store.url);
	struct doctor_where where = {url, 0};
	struct store_key key = {.kind = STORE_CORPUS};
	struct store_counts counts;
	struct store *store = NULL;
	struct err err = {0};
	int rc = state_open_store(d->settings, true, &store, &err);

	if (rc == ERR_NOTFOUND) {
		doctor_add(d, DOCTOR_OK, STORE_CHECK_NAME, where,
		    "nothing is stored yet");
		return;
	}
	if (rc == 0)
		rc = store_get(store, &key, 1, clock_wall(),
		    clock_deadline(STORE_MS), NULL, &counts, &err);
	store_close(store);
	if (rc == 0) {
		doctor_add(
		    d, DOCTOR_OK, STORE_CHECK_NAME, where, "the store opens");
	} else if (rc == ERR_ACCESS && geteuid() != 0) {
		doctor_add(d, DOCTOR_NOTE, STORE_CHECK_NAME, where,
		    "cannot be looked at by this user: run it as root");
	} else {
		doctor_add(d, DOCTOR_PROBLEM, STORE_CHECK_NAME, where,
		    "the store does not open: %s", err.text)
		    ->why = "reputation and training are not asked:"
			    " degraded=store or redis";
	}
}

void
doctor_state(struct doctor *d)
{
	char *path = arena_cstr(d->arena, d->settings->state);

	if (path && check_state_folder(d, path))
		check_key(d);
	check_store(d);
}
