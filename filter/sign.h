#ifndef FILTER_SIGN_H
#define FILTER_SIGN_H

#include "filter/auth/keyring.h"
#include "filter/mail/addr.h"
#include "filter/mail/header.h"
#include "filter/settings.h"

/*
 * Whether a message that leaves is signed, and by whom. A pure function of the
 * settings, the keys and what is known at the end of the headers, so that
 * nobody can have signed what is not his: see decisions/0018-signing.
 */
enum sign_answer {
	SIGN_YES,
	SIGN_OFF,         /* no key, auth.sign = no, or not mail that leaves */
	SIGN_NOMEM,       /* memory ended */
	SIGN_CUT,         /* more header than is kept */
	SIGN_FROM_FIELDS, /* not exactly one From, or one that looks like it */
	SIGN_FROM_FORM,   /* not exactly one plain address in it */
	SIGN_NO_KEY,      /* none for the From domain */
	SIGN_LOGIN,       /* the login is of another domain */
	SIGN_NOT_LOCAL,   /* nobody logged in, domain not in auth.sign_local */
	SIGN_CLIENT,      /* nobody logged in, the client is no internal one */
	SIGN_INET,        /* over TCP, and auth.sign_inet = no */
	SIGN_ANSWERS,
};
/* Why not, for people: a constant; "" of SIGN_YES. */
const char *sign_answer_text(enum sign_answer answer);

struct sign_facts {
	enum direction direction;
	struct span login; /* {auth_authen}; empty: nobody logged in */
	bool internal;     /* no network client, or one of milter.internal */
	bool inet;         /* the MTA reached us over TCP */
	const struct header_list *headers;
	const struct addr_list *from; /* of all From fields */
};

struct sign_decision {
	enum sign_answer answer;
	struct span domain; /* of From, A-labels; p NULL: not known */
	struct signer signers[KEYRING_SIGNERS_MAX];
	size_t n_signers; /* 0 unless SIGN_YES */
};

/* Memory: arena. Thread: any. */
void sign_decide(const struct sign_settings *settings,
    const struct keyring *keyring, const struct sign_facts *facts,
    struct arena *arena, struct sign_decision *ret);

#endif
