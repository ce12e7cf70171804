#include "filter/ctl/ctl.h"

#include <stdlib.h>

#include "filter/ctl/call.h"
#include "filter/ctl/json.h"

/*
 * assay status, assay reload: what the running daemon says over its control
 * socket.
 */

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
	status = call_configured(ctl, "{\"request\":\"status\"}\n", &reply);
	if (status)
		return status;
	status = call_error(ctl, reply);
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
	status = call_configured(ctl, "{\"request\":\"reload\"}\n", &reply);
	if (status)
		return status;
	status = call_error(ctl, reply);
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
