#ifndef FILTER_MTA_H
#define FILTER_MTA_H

#include <stdbool.h>

#include "filter/base/err.h"

/*
 * What a session may ask of an MTA: the border to libmilter, and to the fake
 * MTA of the scenario tests. All texts are C strings of ASCII without CR; in
 * values LF stands only before a blank (a fold). Edits are allowed during
 * session_end_of_message() alone.
 */
enum mta_can {
	MTA_ADD_HEADER = 1 << 0,
	MTA_CHANGE_HEADER = 1 << 1,
	MTA_QUARANTINE = 1 << 2,
	/* Values carry their leading blank, both ways (SMFIP_HDR_LEADSPC). */
	MTA_LEADING_SPACE = 1 << 3,
};

struct mta {
	unsigned can; /* a set of enum mta_can, as negotiated */
	void *ctx;    /* the MTA's handle of the session */
	/* The value of a macro ("i", "{auth_authen}"), NULL when unknown. Lives
	 * until the callback returns. */
	const char *(*macro)(void *ctx, const char *name);
	/* Puts a field on top of all. 0, or ERR_STATE. */
	int (*insert_header)(void *ctx, const char *name, const char *value);
	/* The nth field (from 1) of that name; NULL deletes it. */
	int (*change_header)(
	    void *ctx, const char *name, unsigned nth, const char *value);
	int (*quarantine)(void *ctx, const char *reason);
	/* The reply of a refusal, "550", "5.7.1", one line. `%` stands for
	 * itself. */
	int (*set_reply)(
	    void *ctx, const char *code, const char *status, const char *text);
	/* Keeps the MTA waiting. */
	void (*progress)(void *ctx);
};

#endif
