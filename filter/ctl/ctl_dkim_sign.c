#include "filter/ctl/ctl.h"

#include <unistd.h>

#include "filter/auth/signature.h"
#include "filter/base/clock.h"
#include "filter/base/file.h"
#include "filter/ctl/dkim.h"
#include "filter/ctl/source.h"
#include "filter/mail/message.h"

/*
 * assay dkim sign: a message from standard input, with DKIM-Signature on top.
 * Nobody is asked whether he may: who can read the key can sign. The message's
 * own bytes come back as they are; it is signed as the MTA would send it, with
 * CRLF.
 */

enum {
	SIGN_DOMAIN,
	SIGN_SELECTOR,
	SIGN_KEY,
	SIGN_HEADERS,
	SIGN_IDENTITY,
	SIGN_CANON,
	SIGN_TIME,
	SIGN_EXPIRE
};

static const struct ctl_option options[] = {
    [SIGN_DOMAIN] = {"domain", 'd', "DOMAIN", "d="},
    [SIGN_SELECTOR] = {"selector", 's', "NAME", "s="},
    [SIGN_KEY] = {"key", 'k', "FILE",
	"the key; else auth.keys/DOMAIN/NAME.pem"},
    [SIGN_HEADERS] = {"headers", 0, "NAME:NAME...", "h=, as it stands"},
    [SIGN_IDENTITY] = {"identity", 0, "ADDRESS", "i="},
    [SIGN_CANON] = {"canon", 'C', "HEADER/BODY",
	"simple or relaxed; by default relaxed/relaxed"},
    [SIGN_TIME] = {"time", 0, "UNIX", "t=; by default now"},
    [SIGN_EXPIRE] = {"expire", 0, "UNIX", "x=; by default none"},
    {0},
};

struct sign {
	const char *domain, *selector, *key_path, *headers, *identity;
	enum bodyhash_canon header_canon, body_canon;
	int64_t time, expires;
	struct arena *arena;
	struct signer names;
	struct sign_key *key;
};

static bool
read_canon(struct span text, enum bodyhash_canon *ret)
{
	*ret = span_is(text, "simple") ? BODYHASH_SIMPLE : BODYHASH_RELAXED;
	return *ret == BODYHASH_SIMPLE || span_is(text, "relaxed");
}

/* As in c=: a body that is not named is simple (RFC 6376 section 3.5). */
static int
take_canon(struct sign *s, const char *value)
{
	struct span body = span_of(value);
	struct span header = span_cut(&body, '/');

	if (!body.p)
		body = SPAN("simple");
	if (read_canon(header, &s->header_canon) &&
	    read_canon(body, &s->body_canon))
		return 0;
	fprintf(stderr, "--canon is simple or relaxed, once or as a/b\n");
	return EX_USAGE;
}

static int
take_time(const char *name, const char *value, int64_t *ret)
{
	if (span_to_i64(span_of(value), ret) == 0 && *ret >= 0)
		return 0;
	fprintf(stderr, "--%s needs seconds since 1970\n", name);
	return EX_USAGE;
}

static int
take(void *arg, int index, const char *value)
{
	struct sign *s = arg;

	switch (index) {
	case SIGN_DOMAIN:
		s->domain = value;
		return 0;
	case SIGN_SELECTOR:
		s->selector = value;
		return 0;
	case SIGN_KEY:
		s->key_path = value;
		return 0;
	case SIGN_HEADERS:
		s->headers = value;
		return 0;
	case SIGN_IDENTITY:
		s->identity = value;
		return 0;
	case SIGN_CANON:
		return take_canon(s, value);
	case SIGN_TIME:
		return take_time("time", value, &s->time);
	default:
		return take_time("expire", value, &s->expires);
	}
}

static int
load_key(struct ctl *ctl, struct sign *s)
{
	const char *path = s->key_path;
	struct err err;

	if (!path) {
		struct snapshot *snapshot = ctl_dkim_settings(ctl, false);
		if (!snapshot)
			return EX_CONFIG;
		path = ctl_dkim_path(&snapshot->settings, &s->names, s->arena);
		snapshot_unref(snapshot);
	}
	if (!path)
		return ctl_fail(ctl, EX_OSERR, "out of memory");
	if (sign_key_load(path, &s->key, &err))
		return ctl_fail(ctl, EX_NOINPUT, "%s", err.text);
	return EX_OK;
}

/* --headers: names divided by colons or commas. */
static int
read_names(struct ctl *ctl, struct sign *s, struct signature_request *request)
{
	struct span rest = span_of(s->headers);
	struct name_list VEC(struct span) names = {0};
	bool from = false;

	while (rest.p) {
		size_t n = span_find_any(rest, ":,");
		struct span name = span_trim(span_head(rest, n));
		rest = n == SPAN_NPOS ? SPAN_NONE : span_skip(rest, n + 1);
		if (!signature_name_is_valid(name))
			return ctl_fail(ctl, EX_USAGE,
			    "--headers: no field name: %.*s", SPAN_ARG(name));
		struct span *to = VEC_PUSH(s->arena, &names);
		if (!to)
			return ctl_fail(ctl, EX_OSERR, "out of memory");
		*to = name;
		from |= span_caseis(name, "From");
	}
	/* RFC 6376 section 5.4 */
	if (!from)
		return ctl_fail(ctl, EX_USAGE, "--headers: From is not there");
	request->names = names.v;
	request->n_names = names.n;
	return EX_OK;
}

static int
choose_names(struct ctl *ctl, struct sign *s, const struct header_list *headers,
    struct signature_request *request)
{
	size_t n, n_oversign;

	if (s->headers)
		return read_names(ctl, s, request);
	struct span *all =
	    signature_spans(signature_default_names, s->arena, &n);
	struct span *oversign =
	    signature_spans(signature_default_oversign, s->arena, &n_oversign);
	request->names = all && oversign
			     ? signature_names(headers, all, n, oversign,
				   n_oversign, s->arena, &request->n_names)
			     : NULL;
	return request->names ? EX_OK
			      : ctl_fail(ctl, EX_OSERR, "out of memory");
}

/* The field, for a message whose lines end in CRLF or in LF, and the rest. */
static bool
print(struct span value, struct span text)
{
	size_t lf = span_find_char(text, '\n');
	bool crlf = lf == SPAN_NPOS || (lf > 0 && text.p[lf - 1] == '\r');
	size_t first = 0;

	/* The separator of an mbox stays the first line. */
	if (span_starts(text, SPAN("From ")) && lf != SPAN_NPOS)
		first = lf + 1;
	fwrite(text.p, 1, first, stdout);
	fputs("DKIM-Signature: ", stdout);
	for (size_t i = 0; i < value.len; i++)
		if (crlf || value.p[i] != '\r')
			putchar(value.p[i]);
	fputs(crlf ? "\r\n" : "\n", stdout);
	fwrite(text.p + first, 1, text.len - first, stdout);
	return fflush(stdout) == 0 && !ferror(stdout);
}

static int
make(struct ctl *ctl, struct sign *s, struct span text)
{
	struct message_options how = message_options_default();
	struct bodyhash_set *hashes = bodyhash_new(s->arena);
	struct signature_request request = {
	    .key = s->key,
	    .domain = s->names.domain,
	    .selector = s->names.selector,
	    .identity = span_of(s->identity),
	    .header_canon = s->header_canon,
	    .body_canon = s->body_canon,
	    .time = s->time >= 0 ? s->time : clock_wall(),
	    .expires = s->expires,
	};

	how.size_hint = text.len;
	how.memory_max = SIZE_MAX / 2;
	struct message *m = message_new(s->arena, &how);
	if (!m || !hashes || message_read(m, text))
		return ctl_fail(ctl, EX_OSERR, "out of memory");
	const struct header_list *headers = message_headers(m);
	if (!header_first(headers, SPAN("From")))
		return ctl_fail(ctl, EX_DATAERR, "the message has no From");
	int job = bodyhash_add(
	    hashes, s->body_canon, BODYHASH_SHA256, BODYHASH_NO_LIMIT);
	int status = choose_names(ctl, s, headers, &request);
	if (status)
		return status;
	request.index = header_index_new(headers, s->arena);
	bodyhash_update(hashes, message_body_bytes(m));
	bodyhash_final(hashes);
	if (job < 0 || !request.index)
		return ctl_fail(ctl, EX_OSERR, "out of memory");
	request.body = bodyhash_value(hashes, job);
	struct span value = signature_make(&request, s->arena);
	if (!value.p)
		return ctl_fail(ctl, EX_OSERR, "no signature could be made");
	return print(value, text) ? EX_OK
				  : ctl_fail(ctl, EX_IOERR, "cannot write: %m");
}

static int
sign(struct ctl *ctl, struct sign *s)
{
	struct span text;
	struct err err;
	int status =
	    ctl_dkim_names(ctl, s->domain, s->selector, s->arena, &s->names);

	if (status == EX_OK)
		status = load_key(ctl, s);
	if (status)
		return status;
	if (file_read_fd(STDIN_FILENO, SOURCE_SIZE_MAX, s->arena, &text, &err))
		return ctl_fail(
		    ctl, EX_NOINPUT, "standard input: %s", err.text);
	return make(ctl, s, text);
}

static int
run(struct ctl *ctl, int argc, char **argv)
{
	struct sign s = {
	    .header_canon = BODYHASH_RELAXED,
	    .body_canon = BODYHASH_RELAXED,
	    .time = -1,
	    .expires = -1,
	    .arena = arena_new(0),
	};
	int status, n;

	if (!s.arena)
		return ctl_fail(ctl, EX_OSERR, "out of memory");
	n = ctl_options(ctl, argc, argv, take, &s, &status);
	if (n > 1)
		status = ctl_usage(ctl);
	else if (n >= 0)
		status = sign(ctl, &s);
	sign_key_free(s.key);
	arena_free(s.arena);
	return status;
}

const struct ctl_command ctl_dkim_sign_command = {"sign",
    "--domain=DOMAIN --selector=NAME", "sign the message on standard input",
    options, run, NULL};
