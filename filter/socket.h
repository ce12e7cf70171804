#ifndef FILTER_SOCKET_H
#define FILTER_SOCKET_H

#include <sys/types.h>
#include <sys/un.h>

#include "filter/base/err.h"

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

/* A connected socket. */
int socket_connect(const char *path, int *ret_fd, struct err *err) MUST_USE;

#endif
