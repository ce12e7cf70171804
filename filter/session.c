#include "filter/session_internal.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "filter/base/clock.h"
#include "filter/base/log.h"
#include "filter/signing.h"

/*
 * Connection data live in the session, a message's in its arena, which is
 * reset at the next MAIL, at abort and at the end. The snapshot is taken anew
 * with each MAIL. When memory ends, the message goes on unseen and gets what
 * policy.on_failure says of "memory".
 */

#define NAME_MAX_BYTES 1024 /* host names, macros: cut */
#define PATH_MAX_BYTES 2048 /* RFC 5321 allows 256: cut */
#define RCPTS_KEPT 10000    /* addresses; beyond only counted */

/* --- life ---------------------------------------------------------------------------- */

struct session *
session_new(struct daemon *daemon, const struct mta *mta)
{
	struct session *s = calloc(1, sizeof *s);

	if (!s)
		return NULL;
	s->daemon = daemon;
	s->mta = *mta;
	buf_init(&s->client_name, NULL, NAME_MAX_BYTES);
	buf_init(&s->helo, NULL, NAME_MAX_BYTES);
	registry_add(&daemon->registry, &s->link);
	return s;
}

/* Drops what belongs to the message; the arena keeps its first block. */
static void
drop_message(struct session *s)
{
	s->t = (struct transaction){0};
	if (s->arena)
		arena_reset(s->arena);
	if (s->work)
		arena_reset(s->work);
	snapshot_unref(s->snapshot);
	s->snapshot = NULL;
	if (s->state > STATE_CONNECTED)
		s->state = STATE_CONNECTED;
}

void
session_free(struct session *s)
{
	if (!s)
		return;
	drop_message(s);
	registry_remove(&s->daemon->registry, &s->link);
	if (s->admitted)
		registry_leave(&s->daemon->registry);
	arena_free(s->arena);
	arena_free(s->work);
	buf_done(&s->client_name);
	buf_done(&s->helo);
	free(s);
}

/* --- connection ---------------------------------------------------------------------- */

/* A macro's value, cut; empty when it is unknown. Lives until the callback
 * returns. */
static struct span
macro(const struct session *s, const char *name)
{
	const char *value = s->mta.macro(s->mta.ctx, name);

	if (!value)
		return SPAN_NONE;
	return span_make(value, strnlen(value, NAME_MAX_BYTES));
}

static void
keep(struct buf *to, struct span text)
{
	buf_truncate(to, 0);
	to->failed = false;
	buf_add_span(to, span_head(text, NAME_MAX_BYTES));
}

static void
make_ref(struct session *s)
{
	struct ref_source *refs = &s->daemon->refs;

	s->t.ref_number = ref_next(refs, clock_wall());
	ref_format(&refs->key, s->t.ref_number, s->t.ref);
}

static struct log_limit overload_limit;

/* More sessions than we can serve: turned away, or passed by unseen while we
 * only observe. */
static enum answer
turn_away(struct session *s)
{
	struct snapshot *snapshot = daemon_snapshot(s->daemon);
	const struct policy_settings *policy =
	    &snapshot->settings.policies[POLICY_DEFAULT];
	enum answer answer = ANSWER_ACCEPT;
	uint64_t missed;

	s->state = STATE_REFUSED;
	make_ref(s);
	/* A relay of ours is not put off, whatever comes through it. */
	if (policy->mode == MODE_ENFORCE &&
	    !direction_is_relay(&snapshot->scan.direction, &s->client_ip))
		answer =
		    enact_refusal(&s->mta, REPLY_OVERLOAD, policy, s->t.ref);
	if (log_limited(&overload_limit, &missed))
		log_warn("NOQUEUE: ref=%s, degraded=sessions, limit=%u,"
			 " action=%s, missed=%llu",
		    s->t.ref, s->daemon->sessions_limit,
		    answer == ANSWER_ACCEPT ? "accept" : "tempfail",
		    (unsigned long long)missed);
	stats_degraded(&s->daemon->stats, "sessions");
	snapshot_unref(snapshot);
	return answer;
}

/* The name only where the MTA verified it: forward and reverse agree. */
static struct span
verified_name(const struct session *s, const char *host)
{
	struct span name = span_of(host);

	if (name.len == 0 || name.p[0] == '[' || span_caseis(name, "unknown"))
		return SPAN_NONE;
	/* Sendmail says so in this macro alone. */
	if (span_find(macro(s, "_"), SPAN("may be forged"), 0) != SPAN_NPOS)
		return SPAN_NONE;
	return name;
}

enum answer
session_connect(struct session *s, const char *host, const struct sockaddr *sa)
{
	if (s->state > STATE_CONNECTED)
		drop_message(s);
	s->client_ip = sa ? ip_from_sockaddr(sa) : (struct ip){0};
	if (!s->client_ip.family &&
	    ip_parse(macro(s, "{client_addr}"), &s->client_ip) != 0)
		s->client_ip = (struct ip){0};
	s->has_client = s->client_ip.family != 0;
	keep(&s->client_name, verified_name(s, host));
	keep(&s->helo, SPAN_NONE);
	if (!s->admitted)
		s->admitted = registry_admit(
		    &s->daemon->registry, s->daemon->sessions_limit);
	if (!s->admitted)
		return turn_away(s);
	s->state = STATE_CONNECTED;
	return ANSWER_CONTINUE;
}

void
session_helo(struct session *s, const char *name)
{
	keep(&s->helo, span_of(name));
}

/* --- envelope ------------------------------------------------------------------------- */

/* A path without its brackets and source route (RFC 5321 appendix C). */
static struct span
address_of(struct arena *arena, const char *path)
{
	struct span text = span_make(path, strnlen(path, PATH_MAX_BYTES));
	struct addr addr;

	text = span_trim(text);
	if (text.len >= 2 && text.p[0] == '<' && span_ends(text, SPAN(">")))
		text = span_make(text.p + 1, text.len - 2);
	text = arena_span(arena, text);
	if (text.len == 0 || text.p[0] != '@')
		return text;
	return addr_parse_path(&addr, text, arena) ? addr.spec : text;
}

static void
fill_envelope(struct session *s, const char *path)
{
	struct envelope *e = &s->t.envelope;
	struct arena *arena = s->arena;

	*e = (struct envelope){
	    .client_ip = s->client_ip,
	    .has_client = s->has_client,
	    .client_name = arena_span(arena, buf_span(&s->client_name)),
	    .helo = arena_span(arena, buf_span(&s->helo)),
	    .mail_from = address_of(arena, path),
	    .mail_from_known = true,
	    .stays_local = s->snapshot->settings.n_local_mailers > 0,
	    .auth_user = arena_span(arena, macro(s, "{auth_authen}")),
	    .auth_type = arena_span(arena, macro(s, "{auth_type}")),
	    .daemon_name = arena_span(arena, macro(s, "{daemon_name}")),
	    .queue_id = arena_span(arena, macro(s, "i")),
	    .mta_name = arena_span(arena, macro(s, "j")),
	    .tls_version = arena_span(arena, macro(s, "{tls_version}")),
	    .tls_cipher = arena_span(arena, macro(s, "{cipher}")),
	    .tls_bits = arena_span(arena, macro(s, "{cipher_bits}")),
	};
	if (span_is(macro(s, "{verify}"), "OK"))
		e->tls_subject = arena_span(arena, macro(s, "{cert_subject}"));
}

/* SIZE and SMTPUTF8 of MAIL. */
static size_t
read_parameters(struct envelope *envelope, const char *const *argv)
{
	uint64_t size = 0;

	for (size_t i = 1; argv[0] && argv[i]; i++) {
		struct span word = span_of(argv[i]);
		if (span_caseis(word, "SMTPUTF8"))
			envelope->smtputf8 = true;
		else if (span_casestarts(word, SPAN("SIZE=")) &&
			 span_to_u64(span_skip(word, 5), &size))
			size = 0;
	}
	return size > SIZE_MAX ? SIZE_MAX : (size_t)size;
}

static void
open_message(struct session *s, size_t size_hint)
{
	const struct settings *settings = &s->snapshot->settings;
	struct message_options options = message_options_default();

	options.size_hint = size_hint;
	options.size_max = settings->message_size;
	options.spool = s->daemon->spool;
	options.memory = &s->daemon->body_memory;
	options.memory_limit = (int64_t)settings->memory;
	s->t.message = message_new(s->arena, &options);
	if (!s->t.message)
		return;
	message_set_envelope_from(s->t.message, s->t.envelope.mail_from);
	s->t.scan = scan_new(s->arena, &s->snapshot->scan, &s->t.envelope,
	    s->t.message, s->daemon->dns);
	if (!s->t.scan)
		return;
	s->t.scan->slots = s->daemon->slots;
	s->t.scan->store = s->daemon->store;
	if (!s->daemon->store)
		scan_degrade(s->t.scan, "store");
}

/* The arena with the budget of the snapshot. */
static bool
open_arena(struct session *s)
{
	size_t budget = s->snapshot->settings.message_memory;

	if (s->arena && s->arena_budget == budget)
		return true;
	arena_free(s->arena);
	s->arena = arena_new(budget);
	s->arena_budget = budget;
	return s->arena != NULL;
}

void
session_stage(struct session *s, enum scan_stage at)
{
	if (!s->t.scan)
		return;
	scan_stage(s->t.scan, at);
	examine_stage(s->snapshot->engine, s->t.scan, at);
}

enum answer
session_mail(struct session *s, const char *const *argv)
{
	static const char *const none[] = {"", NULL};

	if (s->state < STATE_CONNECTED)
		return ANSWER_CONTINUE;
	if (s->state > STATE_CONNECTED)
		session_abort(s);
	if (!argv || !argv[0])
		argv = none;
	drop_message(s);
	s->snapshot = daemon_snapshot(s->daemon);
	s->state = STATE_ENVELOPE;
	make_ref(s);
	s->t.envelope.client_ip = s->client_ip;
	s->t.envelope.has_client = s->has_client;
	if (!open_arena(s))
		return ANSWER_CONTINUE;
	fill_envelope(s, argv[0]);
	open_message(s, read_parameters(&s->t.envelope, argv));
	session_stage(s, SCAN_MAIL);
	return ANSWER_CONTINUE;
}

enum direction
session_direction(const struct session *s)
{
	if (s->t.scan)
		return s->t.scan->direction;
	return direction_of(&s->snapshot->scan.direction, &s->t.envelope);
}

/* Adds a policy to the set; false when it is there already. */
static void
note_policy(struct session *s, size_t policy)
{
	for (size_t i = 0; i < s->t.policies.n; i++)
		if (s->t.policies.v[i] == policy)
			return;
	size_t *entry = VEC_PUSH(s->arena, &s->t.policies);
	if (entry)
		*entry = policy;
}

/* Whether the mailer of this recipient is one of those here (local_mailers). */
static bool
is_local_mailer(const struct session *s)
{
	const struct settings *settings = &s->snapshot->settings;
	struct span mailer = macro(s, "{rcpt_mailer}");

	for (size_t i = 0; i < settings->n_local_mailers; i++)
		if (mailer.len && span_eq(settings->local_mailers[i], mailer))
			return true;
	return false;
}

/* policy.split = defer: this recipient shall come in a message of its own.
 * Mail that leaves is never deferred for that. */
static bool
must_split(const struct session *s, size_t policy)
{
	const struct settings *settings = &s->snapshot->settings;

	return settings->split == SPLIT_DEFER && s->t.policies.n &&
	       s->t.policies.v[0] != policy &&
	       session_direction(s) == DIRECTION_IN &&
	       settings->policies[policy].mode == MODE_ENFORCE;
}

enum answer
session_rcpt(struct session *s, const char *const *argv)
{
	if (s->state != STATE_ENVELOPE || !argv || !argv[0])
		return ANSWER_CONTINUE;
	if (!s->arena) {
		s->t.n_rcpts++;
		return ANSWER_CONTINUE;
	}
	struct span rcpt = address_of(s->arena, argv[0]);
	size_t policy = settings_policy_of(
	    &s->snapshot->settings, session_direction(s), rcpt);
	if (must_split(s, policy))
		return enact_refusal(&s->mta, REPLY_SPLIT,
		    &s->snapshot->settings.policies[policy], s->t.ref);
	note_policy(s, policy);
	s->t.envelope.stays_local &= is_local_mailer(s);
	if (s->t.n_rcpts++ == 0)
		s->t.first_rcpt = rcpt;
	if (s->t.n_rcpts <= RCPTS_KEPT) {
		struct span *entry = VEC_PUSH(s->arena, &s->t.envelope.rcpts);
		if (entry)
			*entry = rcpt;
	}
	session_stage(s, SCAN_RCPT);
	return ANSWER_CONTINUE;
}

/* --- content ---------------------------------------------------------------------------- */

/* The header told that mail which seemed to leave comes from outside. */
static void
renew_policies(struct session *s)
{
	const struct span_vec *rcpts = &s->t.envelope.rcpts;

	s->t.policies.n = 0;
	for (size_t i = 0; i < rcpts->n; i++)
		note_policy(s, settings_policy_of(&s->snapshot->settings,
				   session_direction(s), rcpts->v[i]));
}

void
session_header(struct session *s, const char *name, const char *value)
{
	struct span raw = span_of(value);

	if (s->state != STATE_ENVELOPE && s->state != STATE_HEADERS)
		return;
	s->state = STATE_HEADERS;
	if (!s->t.message)
		return;
	/* The MTA took one blank away, where there was one: put it back. */
	if (!(s->mta.can & MTA_LEADING_SPACE) && raw.len &&
	    !ascii_is_space(raw.p[0]))
		raw = arena_printf(s->arena, " %s", value);
	message_header(s->t.message, span_of(name), raw);
}

static void
plan_signing(struct session *s)
{
	struct signing_request request = {
	    .settings = &s->snapshot->settings,
	    .keyring = s->snapshot->keyring,
	    .scan = s->t.scan,
	    .inet = s->daemon->inet,
	    .ref = s->t.ref,
	};

	if (s->t.scan)
		s->t.signing = signing_plan(&request);
}

void
session_end_of_headers(struct session *s)
{
	if (s->state != STATE_ENVELOPE && s->state != STATE_HEADERS)
		return;
	s->state = STATE_BODY;
	if (!s->t.message)
		return;
	struct span id = macro(s, "i");
	if (id.len)
		s->t.envelope.queue_id = arena_span(s->arena, id);
	message_headers_done(s->t.message);
	enum direction before = session_direction(s);
	session_stage(s, SCAN_EOH);
	if (session_direction(s) != before)
		renew_policies(s);
	plan_signing(s);
}

void
session_body(struct session *s, struct span chunk)
{
	session_end_of_headers(s);
	if (s->state != STATE_BODY || !s->t.scan)
		return;
	scan_body(s->t.scan, chunk);
	/* What could not be kept stands in message_lacks(). */
	if (message_body(s->t.message, chunk))
		return;
}

/* --- the end ---------------------------------------------------------------------------- */

enum answer
session_end_of_message(struct session *s)
{
	enum answer answer;

	session_end_of_headers(s);
	if (s->state != STATE_BODY)
		return ANSWER_CONTINUE;
	struct span id = macro(s, "i");
	if (id.len && s->arena)
		s->t.envelope.queue_id = arena_span(s->arena, id);
	answer = session_judge(s);
	drop_message(s);
	return answer;
}

void
session_abort(struct session *s)
{
	if (s->state > STATE_CONNECTED)
		atomic_fetch_add(&s->daemon->stats.aborted, 1);
	drop_message(s);
}
