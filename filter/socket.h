#ifndef FILTER_SOCKET_H
#define FILTER_SOCKET_H

#include <sys/types.h>
#include <sys/un.h>

#include "filter/base/err.h"
#include "filter/base/span.h"

/* Unix sockets that a process leaves behind and finds again. */

/* ERR_LIMIT when the path is longer than the system takes. */
int socket_address(
    const char *path, struct sockaddr_un *ret, struct err *err) MUST_USE;

/*
 * Removes a socket that a dead process left. ERR_STATE when somebody answers
 * on it or when it is no socket; 0 also when nothing is there.
 */
int socket_clear(const char *path, struct err *err) MUST_USE;

/* A socket's place, remembered so that only our own is removed at the end:
 * another process may have put its own there meanwhile. Zeroed: none. */
struct socket_file {
	char path[sizeof((struct sockaddr_un){0}.sun_path)];
	dev_t dev;
	ino_t ino;
};
void socket_remember(const char *path, struct socket_file *ret);
/* Failure is no error: after the switch of user we may have no right to. */
void socket_remove(const struct socket_file *file);

/* A listening socket with that mode, not blocking, closed on exec. */
int socket_listen(
    const char *path, mode_t mode, int *ret_fd, struct err *err) MUST_USE;

/* The path in "unix:PATH", "local:PATH" or "/PATH"; else empty. */
struct span socket_unix_path(struct span socket);
/*
 * Where an open listener listens, in libmilter's words: "unix:PATH",
 * "inet:PORT@ADDRESS", "inet6:..", else "fd:N". Cut at `size`.
 */
void socket_describe(int fd, char *to, size_t size);
/* True when what connects to a socket of libmilter's words comes over TCP:
 * "inet:", "inet6:", and an fd:N that is neither of the two nor a Unix one. */
bool socket_is_inet(struct span socket);
/* A group by name or number; ERR_NOTFOUND. */
int socket_find_group(struct span name, gid_t *ret, struct err *err) MUST_USE;
/* Gives a socket's file to a group, by name or number; an empty name leaves
 * it. ERR_NOTFOUND, ERR_IO. */
int socket_set_group(
    const char *path, struct span name, struct err *err) MUST_USE;

/*
 * Accepted sockets take TCP_NODELAY from their listener. Without it each
 * verdict waits 40 ms for an acknowledgement that the MTA delays, since
 * libmilter writes every edit on its own. On a Unix socket it does nothing.
 */
void socket_send_at_once(int listener);

/* Has somebody who waits for connections on `listener` look up, by one that
 * ends at once; whether it comes through is not known. */
void socket_wake(int listener);

/* A connected socket. */
int socket_connect(const char *path, int *ret_fd, struct err *err) MUST_USE;

#endif
