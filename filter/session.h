#ifndef FILTER_SESSION_H
#define FILTER_SESSION_H

#include <sys/socket.h>

#include "filter/daemon.h"
#include "filter/enact.h"

/*
 * One connection of an MTA: the SMTP dialogue as a state machine. Calls of a
 * session never overlap, but each may come from another thread: nothing here
 * is thread-local. Any order of calls is survived; what does not fit (a
 * header without a message) is ignored.
 *
 * Texts are C strings as the MTA gives them; they need not outlive the call.
 */
struct session;

/* NULL when memory is short. `mta` is copied. */
struct session *session_new(struct daemon *daemon, const struct mta *mta);
/* Frees memory and nothing else; accepts NULL. */
void session_free(struct session *session);

/*
 * host  verified name of the client, "unknown", or an address in brackets.
 * sa    NULL, or any family but inet and inet6: no network client.
 */
enum answer session_connect(
    struct session *session, const char *host, const struct sockaddr *sa);
void session_helo(struct session *session, const char *name);
/* argv[0] the path, in brackets or not; then ESMTP parameters; NULL-ended. */
enum answer session_mail(struct session *session, const char *const *argv);
enum answer session_rcpt(struct session *session, const char *const *argv);
void session_header(
    struct session *session, const char *name, const char *value);
void session_end_of_headers(struct session *session);
void session_body(struct session *session, struct span chunk);
/* The whole examination; may block on DNS within limits.message_time. */
enum answer session_end_of_message(struct session *session);
/* The message will not come to its end; the connection goes on. */
void session_abort(struct session *session);

#endif
