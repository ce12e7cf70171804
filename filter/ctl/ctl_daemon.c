#include "filter/ctl/ctl.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "filter/ctl/json.h"

/*
 * assay status, assay reload: the control socket of the running daemon. One
 * line of JSON goes in, one comes out.
 */

#define REPLY_MAX ((size_t)1 << 20)
#define REPLY_SECONDS 60 /* a reload reads all rules */

enum { OPT_JSON };

static const struct ctl_option status_options[] = {
    [OPT_JSON] = {"json", 0, NULL, "the daemon's answer as it is"},
    {0},
};

static int
take(void *arg, int index, const char *value)
{
	(void)index;
	(void)value;
	*(bool *)arg = true;
	return 0;
}

/* --- the socket ---------------------------------------------------------------------- */

static int
connect_to(const char *path, struct err *err)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct timeval patience = {.tv_sec = REPLY_SECONDS};

	if (!span_copy(
		span_of(path), address.sun_path, sizeof address.sun_path)) {
		err_set(err, ERR_INVALID, "%s: path too long", path);
		return -1;
	}
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 &&
	    setsockopt(
		fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0 &&
	    connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
		return fd;
	err_set_errno(err, errno, "cannot reach assayd at %s", path);
	if (fd >= 0)
		close(fd);
	return -1;
}

/* Sends a line and reads one. */
static int
exchange(int fd, const char *request, struct buf *reply, struct err *err)
{
	size_t len = strlen(request);

	if (send(fd, request, len, MSG_NOSIGNAL) != (ssize_t)len)
		return err_set_errno(err, errno, "send");
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

static struct span
control_path(const struct ctl *ctl, struct arena *arena)
{
	struct settings_source source = ctl_source(ctl);
	struct span path = SPAN_NONE;

	source.no_rules = true;
	struct snapshot *snapshot = snapshot_load(&source, ctl_report, NULL);
	if (snapshot)
		path = arena_span(arena, snapshot->settings.control);
	snapshot_unref(snapshot);
	return path;
}

/* Asks; on EX_OK *ret is the answer, which the caller frees. */
static int
ask(const struct ctl *ctl, const char *request, json_t **ret)
{
	struct arena *arena = arena_new(0);
	struct span path = arena ? control_path(ctl, arena) : SPAN_NONE;
	char *name = path.p ? arena_cstr(arena, path) : NULL;
	struct buf reply;
	struct err err;
	int status = EX_CONFIG;

	buf_init(&reply, NULL, REPLY_MAX);
	if (name) {
		int fd = connect_to(name, &err);
		if (fd < 0 || exchange(fd, request, &reply, &err))
			status = ctl_fail(ctl, EX_UNAVAILABLE, "%s", err.text);
		else
			status = EX_OK;
		if (fd >= 0)
			close(fd);
	}
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

/* An answer with "error" is one: EX_NOPERM, EX_CONFIG or EX_UNAVAILABLE. */
static int
check_error(const struct ctl *ctl, const json_t *reply)
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

/* --- commands ------------------------------------------------------------------------ */

static void
print_value(const char *prefix, const char *key, json_t *value)
{
	char name[128];
	const char *sub;
	json_t *inner;

	snprintf(name, sizeof name, "%s%s%s", prefix, *prefix ? "." : "", key);
	if (json_is_object(value)) {
		json_object_foreach(value, sub, inner)
		    print_value(name, sub, inner);
		return;
	}
	char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
	struct span shown = span_of(text);
	if (json_is_string(value))
		shown = span_of(json_string_value(value));
	printf("%-28s ", name);
	ctl_print_safe(stdout, shown);
	putchar('\n');
	free(text);
}

static int
run_status(struct ctl *ctl, int argc, char **argv)
{
	bool as_json = false;
	json_t *reply, *value;
	const char *key;
	int status;
	int n = ctl_options(ctl, argc, argv, take, &as_json, &status);

	if (n < 0)
		return status;
	if (n > 1)
		return ctl_usage(ctl);
	status = ask(ctl, "{\"request\":\"status\"}\n", &reply);
	if (status)
		return status;
	status = check_error(ctl, reply);
	if (status) {
		json_decref(reply);
	} else if (as_json) {
		json_print(stdout, reply);
	} else {
		json_object_foreach(reply, key, value)
		    print_value("", key, value);
		json_decref(reply);
	}
	return status;
}

static int
run_reload(struct ctl *ctl, int argc, char **argv)
{
	json_t *reply;
	int status;
	int n = ctl_options(ctl, argc, argv, take, NULL, &status);

	if (n < 0)
		return status;
	if (n > 1)
		return ctl_usage(ctl);
	status = ask(ctl, "{\"request\":\"reload\"}\n", &reply);
	if (status)
		return status;
	status = check_error(ctl, reply);
	const char *kept = json_string_value(json_object_get(reply, "restart"));
	if (status == EX_OK && kept && *kept)
		printf("reloaded; only a restart changes %s\n", kept);
	else if (status == EX_OK)
		puts("reloaded");
	json_decref(reply);
	return status;
}

const struct ctl_command ctl_status_command = {
    .name = "status",
    .args = "",
    .help = "counters and state of the running daemon",
    .options = status_options,
    .run = run_status,
};

const struct ctl_command ctl_reload_command = {
    .name = "reload",
    .args = "",
    .help = "have the daemon read configuration and rules again",
    .run = run_reload,
};
