#include "filter/ctl/call.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "filter/base/unconst.h"

/*
 * One connection for each request: the daemon serves a line and hangs up. A
 * file is handed over by its descriptor, so the daemon needs no right to read
 * it by name.
 */

#define REPLY_MAX ((size_t)1 << 20)
#define REPLY_SECONDS 60 /* a reload reads all rules */
#define ENTER_SECONDS 5  /* for a place in the queue of the socket */

static int
connect_to(const char *path, struct err *err)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct timeval patience = {.tv_sec = REPLY_SECONDS};
	struct timeval enter = {.tv_sec = ENTER_SECONDS};

	if (!span_copy(
		span_of(path), address.sun_path, sizeof address.sun_path)) {
		err_set(err, ERR_INVALID, "%s: path too long", path);
		return -1;
	}
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 &&
	    setsockopt(
		fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0 &&
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &enter, sizeof enter) ==
		0 &&
	    connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
		return fd;
	err_set_errno(err, errno, "cannot reach assayd at %s", path);
	if (fd >= 0)
		close(fd);
	return -1;
}

static int
send_line(int fd, const char *request, int file, struct err *err)
{
	size_t len = strlen(request);
	/* A union aligns the room for one descriptor. */
	union {
		char room[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {{0}};
	struct iovec line = {unconst(request), len};
	struct msghdr m = {.msg_iov = &line, .msg_iovlen = 1};

	if (file >= 0) {
		m.msg_control = control.room;
		m.msg_controllen = sizeof control.room;
		struct cmsghdr *c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof file);
		memcpy(CMSG_DATA(c), &file, sizeof file);
	}
	if (sendmsg(fd, &m, MSG_NOSIGNAL) != (ssize_t)len)
		return err_set_errno(err, errno, "send");
	return 0;
}

/* Sends a line and reads one. */
static int
exchange(
    int fd, const char *request, int file, struct buf *reply, struct err *err)
{
	int rc = send_line(fd, request, file, err);

	if (rc)
		return rc;
	for (;;) {
		char chunk[4096];
		ssize_t n = recv(fd, chunk, sizeof chunk, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set_errno(err, errno, "no answer");
		if (n > 0)
			buf_add(reply, chunk, (size_t)n);
		if (n == 0 || memchr(chunk, '\n', (size_t)n))
			break;
	}
	if (buf_failed(reply) || reply->len == 0)
		return err_set(err, ERR_IO, "no answer from assayd");
	return 0;
}

int
call_daemon(const struct ctl *ctl, struct span control_path,
    const char *request, int file, bool quiet, json_t **ret)
{
	struct arena *arena = arena_new(0);
	char *name = arena ? arena_cstr(arena, control_path) : NULL;
	struct buf reply;
	struct err err = {.text = "out of memory"};
	int status = EX_UNAVAILABLE;

	buf_init(&reply, NULL, REPLY_MAX);
	int fd = name ? connect_to(name, &err) : -1;
	if (fd >= 0) {
		quiet = false;
		if (exchange(fd, request, file, &reply, &err) == 0)
			status = EX_OK;
		close(fd);
	}
	if (status != EX_OK && !quiet)
		ctl_fail(ctl, status, "%s", err.text);
	if (status == EX_OK) {
		*ret = json_loads(buf_str(&reply), 0, NULL);
		if (!*ret)
			status = ctl_fail(
			    ctl, EX_PROTOCOL, "assayd's answer is no JSON");
	}
	buf_done(&reply);
	arena_free(arena);
	return status;
}

int
call_configured(const struct ctl *ctl, const char *request, json_t **ret)
{
	struct settings_source source = ctl_source(ctl);
	int status = EX_CONFIG;

	source.no_rules = true;
	struct snapshot *snapshot = snapshot_load(&source, ctl_report, NULL);
	if (snapshot)
		status = call_daemon(
		    ctl, snapshot->settings.control, request, -1, false, ret);
	snapshot_unref(snapshot);
	return status;
}

int
call_file(struct span text, struct err *err)
{
	int fd = memfd_create("message", MFD_CLOEXEC);
	size_t done = 0;

	if (fd < 0)
		return err_set_errno(err, errno, "memfd"), -1;
	while (done < text.len) {
		ssize_t n = write(fd, text.p + done, text.len - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			err_set_errno(err, errno, "memfd");
			close(fd);
			return -1;
		}
		done += (size_t)n;
	}
	(void)lseek(fd, 0, SEEK_SET);
	return fd;
}

static void
print_list(const char *prefix, const json_t *list)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *text = json_string_value(json_array_get(list, i));
		fputs(prefix, stderr);
		ctl_print_safe(stderr, span_of(text));
		fputc('\n', stderr);
	}
}

int
call_error(const struct ctl *ctl, const json_t *reply)
{
	int status = EX_UNAVAILABLE;
	const char *error = json_string_value(json_object_get(reply, "error"));
	const json_t *list = json_object_get(reply, "errors");

	print_list("", list);
	print_list("warning: ", json_object_get(reply, "warnings"));
	if (json_is_true(json_object_get(reply, "denied")))
		status = EX_NOPERM;
	else if (json_array_size(list))
		status = EX_CONFIG;
	return error ? ctl_fail(ctl, status, "%s", error) : EX_OK;
}
