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

/* A listening socket with that mode, not blocking, closed on exec. */
int socket_listen(
    const char *path, mode_t mode, int *ret_fd, struct err *err) MUST_USE;

/* A connected socket. */
int socket_connect(const char *path, int *ret_fd, struct err *err) MUST_USE;

#endif
