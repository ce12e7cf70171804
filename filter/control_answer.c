#include "filter/control_answer.h"

#include <jansson.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "filter/base/clock.h"
#include "filter/train.h"

/*
 * Requests are a table: name and right. The answers carry plain counters; what
 * they mean to people is written by the command.
 */

#define LISTS_MAX 64 /* DNS lists that a status names */

static const struct {
	const char *name;
	enum control_request request;
	enum right { READS, TRAINS, CHANGES } right;
} requests[] = {
    {"status", CONTROL_STATUS, READS},
    {"reload", CONTROL_RELOAD, CHANGES},
    {"learn", CONTROL_LEARN, TRAINS},
    {"mark", CONTROL_MARK, CHANGES},
};

static bool
may(const struct control_peer *peer, enum right right)
{
	switch (right) {
	case READS:
		return peer->may_read;
	case TRAINS:
		return peer->may_train;
	case CHANGES:
		break;
	}
	return peer->may_change;
}

static bool
copy_text(const json_t *value, char *to, size_t size)
{
	return json_is_string(value) &&
	       span_copy(span_make(json_string_value(value),
			     json_string_length(value)),
		   to, size);
}

/* {"name": "...", "from": "..." or null, "to": "...", "expires": 0} */
static bool
parse_mark(const json_t *root, struct report_mark *ret)
{
	const json_t *from = json_object_get(root, "from");
	const json_t *expires = json_object_get(root, "expires");

	ret->had = !json_is_null(from);
	ret->from[0] = '\0';
	ret->expires = json_integer_value(expires);
	return json_is_integer(expires) && ret->expires >= 0 &&
	       (!ret->had || copy_text(from, ret->from, sizeof ret->from)) &&
	       copy_text(json_object_get(root, "name"), ret->name,
		   sizeof ret->name) &&
	       copy_text(
		   json_object_get(root, "to"), ret->to, sizeof ret->to) &&
	       ret->name[0] && ret->to[0];
}

static bool
parse_args(
    const json_t *root, enum control_request request, struct control_args *ret)
{
	const char *class = json_string_value(json_object_get(root, "class"));

	if (request == CONTROL_LEARN)
		return train_class(span_of(class), &ret->class);
	return request != CONTROL_MARK || parse_mark(root, &ret->mark);
}

enum control_request
control_parse(struct span line, const struct control_peer *peer,
    struct control_args *ret_args)
{
	json_t *root =
	    json_loadb(line.p, line.len, JSON_REJECT_DUPLICATES, NULL);
	const char *name = json_string_value(json_object_get(root, "request"));
	enum control_request result = name ? CONTROL_UNKNOWN : CONTROL_BAD;

	for (size_t i = 0; name && i < sizeof requests / sizeof *requests;
	     i++) {
		if (strcmp(name, requests[i].name) != 0)
			continue;
		result = may(peer, requests[i].right) ? requests[i].request
						      : CONTROL_DENIED;
	}
	if (!parse_args(root, result, ret_args))
		result = CONTROL_BAD;
	json_decref(root);
	return result;
}

/* --- errors of a reload ------------------------------------------------------------ */

void
control_errors_add(
    struct control_errors *errors, bool warning, const char *text)
{
	void **array = warning ? &errors->warnings : &errors->errors;

	if (!*array)
		*array = json_array();
	/* Text of configuration files need not be UTF-8: then it is only in
	 * the log. */
	(void)json_array_append_new(*array, json_string(text));
}

void
control_errors_restart(struct control_errors *errors, const char *names)
{
	json_decref(errors->restart);
	errors->restart = json_string(names);
}

void
control_errors_done(struct control_errors *errors)
{
	json_decref(errors->errors);
	json_decref(errors->warnings);
	json_decref(errors->restart);
}

/* --- status -------------------------------------------------------------------------- */

static json_t *
number(uint64_t value)
{
	return json_integer((json_int_t)value);
}

static json_t *
actions_json(const _Atomic uint64_t counters[STATS_ACTIONS])
{
	json_t *object = json_object();

	for (unsigned i = 0; i < STATS_ACTIONS; i++)
		json_object_set_new(object, action_name((enum action)i),
		    number(atomic_load(&counters[i])));
	return object;
}

static json_t *
sessions_json(struct daemon *daemon)
{
	struct registry *r = &daemon->registry;

	return json_pack("{s:I, s:I, s:I, s:I, s:I}", "now",
	    (json_int_t)atomic_load(&r->sessions), "max",
	    (json_int_t)atomic_load(&r->sessions_max), "limit",
	    (json_int_t)daemon->sessions_limit, "admitted",
	    (json_int_t)atomic_load(&r->admitted), "turned_away",
	    (json_int_t)atomic_load(&r->turned_away));
}

static json_t *
causes_json(struct stats *stats)
{
	struct stats_cause causes[STATS_CAUSES];
	unsigned n = stats_causes(stats, causes);
	json_t *object = json_object();

	for (unsigned i = 0; i < n; i++)
		if (causes[i].count)
			json_object_set_new(
			    object, causes[i].name, number(causes[i].count));
	return object;
}

/* Pairs of upper bound and count; the last has no bound. */
static json_t *
latency_json(struct stats *stats)
{
	json_t *array = json_array();

	for (unsigned i = 0; i < STATS_BUCKETS; i++) {
		json_int_t bound = stats_bucket_ms(i);
		json_array_append_new(
		    array, json_pack("[o, I]",
			       bound ? json_integer(bound) : json_null(),
			       (json_int_t)atomic_load(&stats->latency[i])));
	}
	return array;
}

static json_t *
dns_json(struct daemon *daemon)
{
	struct dns_counts c = {0};

	if (daemon->dns)
		dns_counts(daemon->dns, &c);
	return json_pack("{s:I, s:I, s:I, s:I, s:I}", "hits",
	    (json_int_t)c.hits, "misses", (json_int_t)c.misses, "timeouts",
	    (json_int_t)c.timeouts, "servfails", (json_int_t)c.servfails,
	    "entries", (json_int_t)c.entries);
}

/* Each DNS list that a message met, and why one is off now. */
static json_t *
lists_json(struct daemon *daemon)
{
	struct dnslist_state states[LISTS_MAX];
	json_t *lists = json_object();
	size_t n = 0;

	if (daemon->dns)
		n = dnslist_states(
		    daemon->dns, clock_mono_ms(), states, LISTS_MAX);
	for (size_t i = 0; i < n; i++) {
		const struct dnslist_state *s = &states[i];
		bool on = s->off_ms == 0;
		json_object_set_new(lists, s->name,
		    json_pack("{s:b, s:I, s:s}", "on", on, "off_ms",
			(json_int_t)s->off_ms, "cause",
			on ? "" : dnslist_event_name(s->cause)));
	}
	return lists;
}

static json_t *
store_json(struct daemon *daemon)
{
	struct store_status s = {.backend = "none"};

	if (daemon->store)
		store_status(daemon->store, &s);
	return json_pack("{s:s, s:b, s:I, s:I, s:I, s:I, s:I, s:s}", "backend",
	    s.backend, "open", s.open, "reads", (json_int_t)s.reads, "writes",
	    (json_int_t)s.writes, "errors", (json_int_t)s.errors,
	    "queued_bytes", (json_int_t)s.queued_bytes, "dropped",
	    (json_int_t)s.dropped, "problem", s.problem);
}

static json_t *
log_json(struct daemon *daemon)
{
	struct verdictlog_status s = {0};

	if (daemon->log)
		verdictlog_status(daemon->log, &s);
	return json_pack("{s:b, s:I, s:I, s:I, s:I, s:s}", "good", s.good,
	    "written", (json_int_t)s.written, "dropped", (json_int_t)s.dropped,
	    "failed", (json_int_t)s.failed, "queued", (json_int_t)s.queued,
	    "problem", s.problem);
}

static json_t *
status_json(struct daemon *daemon)
{
	struct stats *stats = &daemon->stats;
	struct snapshot *snapshot = daemon_snapshot(daemon);
	const struct settings *settings = &snapshot->settings;
	bool enforce = settings->policies[POLICY_DEFAULT].mode == MODE_ENFORCE;
	json_t *status = json_pack(
	    "{s:b, s:s, s:I, s:I, s:I, s:s%, s:s%, s:s, s:I}", "ok", 1,
	    "version", PACKAGE_VERSION, "pid", (json_int_t)getpid(), "started",
	    (json_int_t)stats->started, "uptime",
	    (json_int_t)(clock_wall() - stats->started), "node",
	    settings->node.p, settings->node.len, "socket", settings->socket.p,
	    settings->socket.len, "mode", enforce ? "enforce" : "observe",
	    "configuration", (json_int_t)snapshot->number);
	json_t *messages =
	    json_pack("{s:o, s:o}", "in", actions_json(stats->actions[0]),
		"out", actions_json(stats->actions[1]));

	snapshot_unref(snapshot);
	json_object_set_new(status, "sessions", sessions_json(daemon));
	json_object_set_new(status, "messages", messages);
	json_object_set_new(status, "would", actions_json(stats->would));
	json_object_set_new(
	    status, "aborted", number(atomic_load(&stats->aborted)));
	json_object_set_new(status, "reports_left_out",
	    number(report_gather_left_out(daemon->reports)));
	json_object_set_new(
	    status, "unedited", number(atomic_load(&stats->unedited)));
	json_object_set_new(
	    status, "reloads", number(atomic_load(&stats->reloads)));
	json_object_set_new(status, "reloads_failed",
	    number(atomic_load(&stats->reloads_failed)));
	json_object_set_new(status, "body_memory",
	    json_integer(atomic_load(&daemon->body_memory)));
	json_object_set_new(status, "degraded", causes_json(stats));
	json_object_set_new(status, "latency_ms", latency_json(stats));
	json_object_set_new(status, "dns", dns_json(daemon));
	json_object_set_new(status, "lists", lists_json(daemon));
	json_object_set_new(status, "store", store_json(daemon));
	json_object_set_new(status, "verdicts", log_json(daemon));
	return status;
}

/* --- answers --------------------------------------------------------------------------- */

static json_t *
failure(const char *text)
{
	return json_pack("{s:b, s:s}", "ok", 0, "error", text);
}

static json_t *
reload_json(bool good, const struct control_errors *errors)
{
	json_t *reply = good ? json_pack("{s:b}", "ok", 1)
			     : failure("the new configuration has errors; the"
				       " old one stays in force");

	if (errors->errors)
		json_object_set(reply, "errors", errors->errors);
	if (errors->warnings)
		json_object_set(reply, "warnings", errors->warnings);
	if (errors->restart)
		json_object_set(reply, "restart", errors->restart);
	return reply;
}

static json_t *
learn_json(const struct control_training *training)
{
	if (!training->change)
		return failure(training->err.text);
	return json_pack("{s:b, s:s}", "ok", 1, "change", training->change);
}

static json_t *
mark_json(const struct control_marking *marking)
{
	if (!marking->good)
		return failure(marking->err.text);
	return json_pack("{s:b, s:b}", "ok", 1, "done", marking->done);
}

static json_t *
reply_json(struct daemon *daemon, enum control_request request,
    const struct control_outcome *outcome)
{
	switch (request) {
	case CONTROL_STATUS:
		return status_json(daemon);
	case CONTROL_RELOAD:
		return reload_json(outcome->good, &outcome->errors);
	case CONTROL_LEARN:
		return learn_json(&outcome->training);
	case CONTROL_MARK:
		return mark_json(&outcome->marking);
	case CONTROL_DENIED:
		return json_pack("{s:b, s:b, s:s}", "ok", 0, "denied", 1,
		    "error", "not allowed for your user");
	case CONTROL_UNKNOWN:
		return failure("unknown request");
	case CONTROL_BAD:
		break;
	}
	return failure("expected one line of JSON with a \"request\"");
}

char *
control_reply(struct daemon *daemon, enum control_request request,
    const struct control_outcome *outcome)
{
	json_t *reply = reply_json(daemon, request, outcome);
	char *text = json_dumps(reply, JSON_COMPACT | JSON_PRESERVE_ORDER);
	size_t len = text ? strlen(text) : 0;
	char *line = text ? realloc(text, len + 2) : NULL;

	json_decref(reply);
	if (!line) {
		free(text);
		return NULL;
	}
	line[len] = '\n';
	line[len + 1] = '\0';
	return line;
}
