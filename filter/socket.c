#include "filter/socket.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "filter/base/ip.h"

/*
 * A path that is occupied is only cleared when it is a socket that refuses
 * connections: a typing error in the configuration must not delete a file,
 * and a second daemon must not take the first one's place.
 */

#define BACKLOG 16
#define WAKE_MS 20

int
socket_address(const char *path, struct sockaddr_un *ret, struct err *err)
{
	*ret = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (!span_copy(span_of(path), ret->sun_path, sizeof ret->sun_path))
		return err_set(
		    err, ERR_LIMIT, "%s: path too long for a socket", path);
	return 0;
}

int
socket_connect(const char *path, int *ret_fd, struct err *err)
{
	struct sockaddr_un addr;

	if (socket_address(path, &addr, err))
		return ERR_LIMIT;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_set_errno(err, errno, "socket");
	if (connect(fd, (const struct sockaddr *)&addr, sizeof addr) != 0) {
		err_set_errno(err, errno, "%s", path);
		close(fd);
		return ERR_IO;
	}
	*ret_fd = fd;
	return 0;
}

int
socket_clear(const char *path, struct err *err)
{
	struct stat st;
	int fd;

	if (lstat(path, &st) != 0)
		return errno == ENOENT ? 0
				       : err_set_errno(err, errno, "%s", path);
	if (!S_ISSOCK(st.st_mode))
		return err_set(
		    err, ERR_STATE, "%s: is there, and no socket", path);
	if (socket_connect(path, &fd, NULL) == 0) {
		close(fd);
		return err_set(
		    err, ERR_STATE, "%s: another process listens there", path);
	}
	if (unlink(path) != 0)
		return err_set_errno(err, errno, "%s", path);
	return 0;
}

void
socket_remember(const char *path, struct socket_file *ret)
{
	struct stat st;

	*ret = (struct socket_file){0};
	if (lstat(path, &st) != 0 ||
	    !span_copy(span_of(path), ret->path, sizeof ret->path)) {
		ret->path[0] = '\0';
		return;
	}
	ret->dev = st.st_dev;
	ret->ino = st.st_ino;
}

void
socket_remove(const struct socket_file *file)
{
	struct stat st;

	if (file->path[0] && lstat(file->path, &st) == 0 &&
	    st.st_dev == file->dev && st.st_ino == file->ino)
		(void)unlink(file->path);
}

int
socket_listen(const char *path, mode_t mode, int *ret_fd, struct err *err)
{
	struct sockaddr_un addr;

	if (socket_address(path, &addr, err) || socket_clear(path, err))
		return err ? err->code : ERR_STATE;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_set_errno(err, errno, "socket");
	mode_t mask = umask(0177);
	int rc = bind(fd, (const struct sockaddr *)&addr, sizeof addr);
	int error = errno;
	umask(mask);
	if (rc == 0 && (chmod(path, mode) != 0 || listen(fd, BACKLOG) != 0)) {
		error = errno;
		rc = -1;
	}
	if (rc != 0) {
		close(fd);
		return err_set_errno(err, error, "%s", path);
	}
	*ret_fd = fd;
	return 0;
}

struct span
socket_unix_path(struct span socket)
{
	if (span_starts(socket, SPAN("unix:")))
		return span_skip(socket, 5);
	if (span_starts(socket, SPAN("local:")))
		return span_skip(socket, 6);
	return span_starts(socket, SPAN("/")) ? socket : SPAN_NONE;
}

void
socket_describe(int fd, char *to, size_t size)
{
	union {
		struct sockaddr sa;
		struct sockaddr_un un;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} addr = {0};
	socklen_t len = sizeof addr;
	char text[IP_TEXT_SIZE];

	snprintf(to, size, "fd:%d", fd);
	if (getsockname(fd, &addr.sa, &len) != 0)
		return;
	struct ip ip = ip_from_sockaddr(&addr.sa);
	ip_format(&ip, text);
	if (addr.sa.sa_family == AF_UNIX && addr.un.sun_path[0])
		snprintf(to, size, "unix:%.*s", (int)sizeof addr.un.sun_path,
		    addr.un.sun_path);
	else if (addr.sa.sa_family == AF_INET)
		snprintf(to, size, "inet:%u@%s", ntohs(addr.in.sin_port), text);
	else if (addr.sa.sa_family == AF_INET6)
		snprintf(
		    to, size, "inet6:%u@%s", ntohs(addr.in6.sin6_port), text);
}

bool
socket_is_inet(struct span socket)
{
	struct sockaddr_storage addr = {0};
	socklen_t len = sizeof addr;
	uint64_t fd;

	if (socket_unix_path(socket).len)
		return false;
	if (!span_starts(socket, SPAN("fd:")) ||
	    span_to_u64(span_skip(socket, 3), &fd) || fd > INT_MAX)
		return true;
	return getsockname((int)fd, (struct sockaddr *)&addr, &len) != 0 ||
	       addr.ss_family != AF_UNIX;
}

int
socket_find_group(struct span name, gid_t *ret, struct err *err)
{
	char text[256], room[16384];
	struct group group, *found = NULL;
	uint64_t number;

	if (span_to_u64(name, &number) == 0 && number < UINT32_MAX) {
		*ret = (gid_t)number;
		return 0;
	}
	(void)span_copy(name, text, sizeof text);
	(void)getgrnam_r(text, &group, room, sizeof room, &found);
	if (!found)
		return err_set(err, ERR_NOTFOUND,
		    "milter.socket_group: no group \"%s\"", text);
	*ret = found->gr_gid;
	return 0;
}

int
socket_set_group(const char *path, struct span name, struct err *err)
{
	gid_t gid;

	if (name.len == 0)
		return 0;
	if (socket_find_group(name, &gid, err))
		return err->code;
	if (lchown(path, (uid_t)-1, gid) != 0)
		return err_set_errno(err, errno, "%s: group", path);
	return 0;
}

void
socket_send_at_once(int listener)
{
	int on = 1;

	if (listener >= 0)
		(void)setsockopt(
		    listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

void
socket_wake(int listener)
{
	struct sockaddr_storage addr;
	socklen_t len = sizeof addr;

	if (listener < 0 ||
	    getsockname(listener, (struct sockaddr *)&addr, &len) != 0)
		return;
	int fd = socket(
	    addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return;
	/* Whether it comes through matters little: then it takes longer. */
	if (connect(fd, (const struct sockaddr *)&addr, len) == 0 ||
	    errno == EINPROGRESS) {
		struct pollfd p = {.fd = fd, .events = POLLOUT};
		(void)poll(&p, 1, WAKE_MS);
	}
	close(fd);
}
