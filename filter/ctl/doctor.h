#ifndef FILTER_CTL_DOCTOR_H
#define FILTER_CTL_DOCTOR_H

#include "filter/settings.h"

/*
 * assay doctor: what may be wrong between Assay, the MTA and the machine. Each
 * part looks at one thing and adds findings; nothing is changed, no rights are
 * needed, and what cannot be looked at without them is a note.
 */
enum doctor_level { DOCTOR_OK, DOCTOR_NOTE, DOCTOR_PROBLEM };

struct finding {
	enum doctor_level level;
	const char *check; /* "postfix.milters": stable, for programs */
	struct span where; /* "file:line", "file", or empty */
	struct span what;  /* one sentence */
	const char *why;   /* why it matters, or NULL */
	const char *into;  /* where the text belongs: "main.cf", or NULL */
	struct span paste; /* lines to paste, or empty */
};

struct doctor {
	struct arena *arena;
	const struct settings *settings;
	struct doctor_findings VEC(struct finding) findings;
	struct finding spare; /* given out when memory is short */
};

/* A place in a file; line 0: none. file NULL: no place. */
struct doctor_where {
	const char *file;
	unsigned line;
};
#define NOWHERE ((struct doctor_where){NULL, 0})

/*
 * Adds a finding, or gives the one that says the same at the same place. The
 * caller may fill in why, into and paste until the next one is added.
 */
struct finding *doctor_add(struct doctor *doctor, enum doctor_level level,
    const char *check, struct doctor_where where, const char *fmt, ...)
    PRINTF(5, 6);
/* Whether a check has found something worse than a note. */
bool doctor_has_problem(const struct doctor *doctor, const char *check);

/* The text of a file, whoever may write it; ERR_NOTFOUND, ERR_ACCESS, ERR_IO,
 * ERR_LIMIT. Never waits (for a pipe). */
int doctor_read(struct doctor *doctor, const char *path, struct span *ret,
    struct err *err) MUST_USE;

/* True when any policy enforces. */
bool doctor_enforces(const struct doctor *doctor);

/* --- the parts ------------------------------------------------------------------ */

/* main.cf and master.cf of a folder. */
void doctor_postfix(struct doctor *doctor, const char *folder);
/* sendmail.cf, or sendmail.mc when the name ends so. */
void doctor_sendmail(struct doctor *doctor, const char *file);
/* Our own socket: public, or open to everybody. */
void doctor_socket(struct doctor *doctor);
/* State folder, site key, store. */
void doctor_state(struct doctor *doctor);
/* Clock, DNS, threads of the service. */
void doctor_machine(struct doctor *doctor);

/* --- rights on paths ------------------------------------------------------------- */

/* Somebody who wants to reach a file. */
#define WHO_GROUPS_MAX 256
struct who {
	const char *name;
	uid_t uid;
	gid_t gids[WHO_GROUPS_MAX];
	int n;
};
/* False: there is no such user. */
bool who_find(const char *name, struct who *ret);

enum reach {
	REACH_OK,
	REACH_MISSING, /* a folder or the file is not there */
	REACH_DENIED,
	REACH_UNKNOWN, /* we may not look ourselves */
};
/*
 * Whether somebody can connect to the Unix socket at an absolute path: search
 * every folder, write the socket. ACLs and mandatory rights are not looked at.
 * `ret_at` gets the folder or file at which it ends (also when all is well).
 */
enum reach reach_socket(const char *path, const struct who *who,
    struct arena *arena, const char **ret_at);

#endif
