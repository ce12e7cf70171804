#ifndef FILTER_SESSION_INTERNAL_H
#define FILTER_SESSION_INTERNAL_H

#include "filter/session.h"

/* Shared by session.c (the dialogue) and session_judge.c (its end). */
enum session_state {
	STATE_NEW,
	STATE_REFUSED, /* not admitted */
	STATE_CONNECTED,
	STATE_ENVELOPE,
	STATE_HEADERS,
	STATE_BODY,
};

/* What is known of a message besides its scan; zeroed between messages. */
struct transaction {
	struct envelope envelope;
	struct message *message;                      /* NULL: memory ended */
	struct scan *scan;                            /* NULL: memory ended */
	const struct signing *signing;                /* NULL: unsigned */
	struct session_policies VEC(size_t) policies; /* each once */
	size_t n_rcpts;
	struct span first_rcpt;
	uint64_t ref_number;
	char ref[REF_TEXT_SIZE];
};

struct session {
	struct registry_link link; /* the registry's; must be first */
	struct daemon *daemon;
	struct mta mta;
	enum session_state state;
	/* the connection */
	bool admitted;
	bool has_client;
	struct ip client_ip;
	struct buf client_name, helo; /* heap */
	/* the message */
	struct snapshot *snapshot; /* one reference, or NULL */
	struct arena *arena;       /* or NULL */
	size_t arena_budget;
	struct arena *work; /* for the answer, when `arena` is used up */
	struct transaction t;
};

/* Tells scan and scorers a stage; nothing where memory ended. */
void session_stage(struct session *session, enum scan_stage at);
/* Also where there is no scan. */
enum direction session_direction(const struct session *session);

/* Examines, decides, carries out, notes. The state is STATE_BODY. */
enum answer session_judge(struct session *session);

#endif
