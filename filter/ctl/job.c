#include "filter/ctl/job.h"

#include <stdlib.h>

#include "filter/base/clock.h"
#include "filter/mail/received.h"
#include "filter/state.h"

/* Scans without a session. What the envelope lacks is read off the topmost
 * Received field and Return-Path, as the MTA wrote them. */

#define WAITING_MAX 1000

int
job_take(struct job_options *job, const char *name, const char *value)
{
	const struct {
		const char *name;
		const char **to;
	} texts[] = {
	    {"ip", &job->envelope.ip},
	    {"helo", &job->envelope.helo},
	    {"from", &job->envelope.from},
	    {"rcpt", &job->envelope.rcpt},
	    {"auth", &job->envelope.auth},
	    {"dns", &job->source.dns_zone},
	    {"nameserver", &job->nameserver},
	};

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		if (strcmp(name, texts[i].name) == 0) {
			*texts[i].to = value;
			return 0;
		}
	}
	if (strcmp(name, "time") != 0)
		return -1;
	if (span_to_i64(span_of(value), &job->envelope.time) ||
	    job->envelope.time < 0) {
		fprintf(
		    stderr, "--time needs seconds since 1970, not %s\n", value);
		return EX_USAGE;
	}
	return 0;
}

/* --nameserver is the option dns.nameservers by another name. */
static void
add_nameserver(const struct ctl *ctl, struct job_options *options)
{
	struct settings_source *source = &options->source;

	for (size_t i = 0; i < ctl->n_assignments; i++)
		options->assignments[i] = ctl->assignments[i];
	snprintf(options->nameserver_option, sizeof options->nameserver_option,
	    "dns.nameservers=%s", options->nameserver);
	options->assignments[ctl->n_assignments] = options->nameserver_option;
	source->assignments = options->assignments;
	source->n_assignments = ctl->n_assignments + 1;
}

/* The site's store, where it has one that this user may read. A server is
 * network. */
static void
open_store(struct job_engine *engine, bool local)
{
	const struct settings *settings = &engine->snapshot->settings;
	struct err err;

	if (local && !span_starts(settings->store.url, SPAN("lmdb:")))
		return;
	int rc = state_open_store(settings, true, &engine->store, &err);
	engine->store_lost = rc && rc != ERR_NOTFOUND;
}

int
job_open(
    const struct ctl *ctl, struct job_options *options, struct job_engine *ret)
{
	struct settings_source *source = &options->source;
	struct err err;
	struct ip ip;

	*ret = (struct job_engine){0};
	if (options->envelope.ip &&
	    ip_parse(span_of(options->envelope.ip), &ip))
		return ctl_fail(ctl, EX_USAGE, "--ip: no address: %s",
		    options->envelope.ip);
	source->path = ctl->conf;
	source->assignments = ctl->assignments;
	source->n_assignments = ctl->n_assignments;
	if (options->nameserver)
		add_nameserver(ctl, options);
	ret->snapshot = snapshot_load(source, ctl_report, NULL);
	if (!ret->snapshot)
		return EX_CONFIG;
	if (!source->local &&
	    dns_open(&ret->snapshot->settings.dns, &ret->dns, &err)) {
		job_close(ret);
		return ctl_fail(ctl, EX_CONFIG, "%s", err.text);
	}
	if (scan_slots_new(0, WAITING_MAX, &ret->slots)) {
		job_close(ret);
		return ctl_fail(ctl, EX_OSERR, "out of memory");
	}
	open_store(ret, source->local);
	return EX_OK;
}

void
job_close(struct job_engine *engine)
{
	scan_slots_free(engine->slots);
	store_close(engine->store);
	dns_close(engine->dns);
	snapshot_unref(engine->snapshot);
}

/* --- the envelope --------------------------------------------------------------- */

static bool
top_received(const struct header_list *headers, struct arena *arena,
    struct received *ret)
{
	const struct header *h = header_first(headers, SPAN("Received"));

	return h && received_parse(ret, h->raw, arena);
}

/* Stored mail has a line of our own MTA on top, which names the client. */
static bool
is_stored(const struct scan *scan)
{
	struct received received;

	return top_received(
		   message_headers(scan->message), scan->arena, &received) &&
	       ip_eq(&received.ip, &scan->envelope->client_ip);
}

static void
from_received(struct envelope *envelope, const struct header_list *headers,
    struct arena *arena)
{
	struct received received;

	if (!top_received(headers, arena, &received))
		return;
	envelope->client_ip = received.ip;
	envelope->client_name = received.rdns;
	if (!envelope->helo.p)
		envelope->helo = received.helo;
}

static void
from_return_path(struct envelope *envelope, const struct header_list *headers,
    struct arena *arena)
{
	const struct header *h = header_first(headers, SPAN("Return-Path"));
	struct addr addr;

	if (!h)
		return;
	envelope->mail_from_known = true;
	envelope->mail_from =
	    addr_parse_path(&addr, header_unfold(h->raw, arena), arena)
		? addr.spec
		: SPAN("");
}

/* An address as it stands in an option, with or without brackets. */
static struct span
bare(const char *text, struct arena *arena)
{
	struct addr addr;
	struct span s = span_of(text);

	if (addr_parse_path(&addr, s, arena))
		return addr.spec;
	return span_is(s, "<>") ? SPAN("") : s;
}

static struct envelope *
make_envelope(const struct job_envelope *from, const struct message *m,
    struct arena *arena)
{
	struct envelope *e = arena_zalloc(arena, sizeof *e);
	const struct header_list *headers = message_headers(m);

	if (!e)
		return NULL;
	e->has_client = true;
	e->helo = span_of(from->helo);
	e->auth_user = span_of(from->auth);
	if (from->ip) {
		if (ip_parse(span_of(from->ip), &e->client_ip))
			return NULL;
	} else {
		from_received(e, headers, arena);
	}
	if (from->from) {
		e->mail_from_known = true;
		e->mail_from = bare(from->from, arena);
	} else {
		from_return_path(e, headers, arena);
	}
	if (from->rcpt) {
		struct span *to = VEC_PUSH(arena, &e->rcpts);
		if (to)
			*to = bare(from->rcpt, arena);
	}
	return e;
}

struct scan *
job_scan(const struct job_engine *engine, const struct job_envelope *envelope,
    struct span text, struct arena *arena)
{
	const struct snapshot *snapshot = engine->snapshot;
	struct message_options options = message_options_default();

	options.size_hint = text.len;
	options.memory_max = SIZE_MAX / 2;
	struct message *m = message_new(arena, &options);
	if (!m || message_read(m, text))
		return NULL;
	struct envelope *e = make_envelope(envelope, m, arena);
	if (!e)
		return NULL;
	if (e->mail_from_known)
		message_set_envelope_from(m, e->mail_from);
	struct scan *scan = scan_new(arena, &snapshot->scan, e, m, engine->dns);
	if (!scan)
		return NULL;
	scan->slots = engine->slots;
	scan->store = engine->store;
	if (engine->store_lost)
		scan_degrade(scan, "store");
	scan->own_received = is_stored(scan);
	if (envelope->inbound &&
	    (envelope->ip || scan->direction == DIRECTION_OUT))
		scan_direct(scan, DIRECTION_IN);
	if (envelope->time >= 0)
		scan->now = envelope->time;
	for (enum scan_stage stage = SCAN_MAIL; stage <= SCAN_EOH; stage++) {
		scan_stage(scan, stage);
		examine_stage(snapshot->engine, scan, stage);
	}
	scan_body(scan, message_body_bytes(m));
	scan_body_done(scan);
	scan_stage(scan, SCAN_EOM);
	examine_stage(snapshot->engine, scan, SCAN_EOM);
	return scan;
}
