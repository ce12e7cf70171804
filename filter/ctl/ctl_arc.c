#include "filter/ctl/ctl.h"

#include <stdlib.h>

#include "filter/auth/arc_seal.h"
#include "filter/base/clock.h"
#include "filter/ctl/job.h"
#include "filter/ctl/source.h"
#include "filter/mail/authres.h"
#include "filter/mail/domain.h"

/*
 * assay arc seal: the message of standard input with the next ARC set on top
 * (RFC 8617 section 5.1). What the set says is what the Authentication-Results
 * of the site's own id say: all of them are merged into the
 * ARC-Authentication-Results, and the first arc= of them is the chain's state.
 * Only a message that has a chain and no word on it is validated here. Nothing
 * of the message itself changes, not its line ends either.
 */

#define NAMES_MAX 400
#define RESULTS_MAX ((size_t)64 * 1024)

enum { OPT_DOMAIN, OPT_SELECTOR, OPT_KEY, OPT_ID, OPT_HEADERS, OPT_TIME };

static const struct ctl_option options[] = {
    [OPT_DOMAIN] = {"domain", 0, "DOMAIN", "d=: who seals"},
    [OPT_SELECTOR] = {"selector", 0, "NAME", "s=: which key of the domain"},
    [OPT_KEY] = {"key", 0, "FILE", "private key, PEM"},
    [OPT_ID] = {"authserv-id", 0, "ID",
	"whose Authentication-Results are sealed"},
    [OPT_HEADERS] = {"headers", 0, "NAME:...", "h= of the signature"},
    [OPT_TIME] = {"time", 0, "UNIX", "t= of both"},
    {"dns", 0, "FILE", "answer DNS from a zone file"},
    {"nameserver", 0, "ADDRESS@PORT", "ask this resolver"},
    {0},
};

struct sealing {
	struct ctl *ctl;
	/* as given */
	const char *domain, *selector, *key_path, *id, *headers;
	int64_t time; /* -1: now */
	struct job_options job;
	/* read */
	struct arena *arena;
	struct job_engine engine;
	struct arc_seal_request request;
	struct sign_key *key;
	struct span own_id; /* in the form in which ids are compared */
	struct span text;
	struct message *message;
	struct bodyhash_set *hashes;
	struct arc *arc;
};

static int
take(void *arg, int index, const char *value)
{
	struct sealing *s = arg;
	const char **const texts[] = {
	    [OPT_DOMAIN] = &s->domain,
	    [OPT_SELECTOR] = &s->selector,
	    [OPT_KEY] = &s->key_path,
	    [OPT_ID] = &s->id,
	    [OPT_HEADERS] = &s->headers,
	};

	if (index < OPT_TIME) {
		*texts[index] = value;
		return 0;
	}
	if (index > OPT_TIME)
		return job_take(&s->job, options[index].name, value);
	if (span_to_i64(span_of(value), &s->time) || s->time < 0)
		return ctl_fail(s->ctl, EX_USAGE,
		    "--time needs seconds since 1970, not %s", value);
	return 0;
}

/* --- what the options say -------------------------------------------------------- */

static int
read_name(
    const struct sealing *s, int option, const char *value, struct span *ret)
{
	if (!value)
		return ctl_fail(
		    s->ctl, EX_USAGE, "--%s is needed", options[option].name);
	if (domain_normalise(span_of(value), s->arena, ret))
		return ctl_fail(s->ctl, EX_USAGE, "--%s: no name: %s",
		    options[option].name, value);
	return EX_OK;
}

/* An id that needs no quotes. */
static int
read_id(struct sealing *s)
{
	struct span id =
	    span_of(s->id ? s->id
			  : arena_cstr(s->arena,
				s->engine.snapshot->settings.authserv_id));

	for (size_t i = 0; i < id.len; i++)
		if (ascii_is_control(id.p[i]) ||
		    strchr(" ()<>@,;:\\\"/[]?=", id.p[i]))
			return ctl_fail(s->ctl, EX_USAGE,
			    "--authserv-id: not one word: %s", id.p);
	if (!authres_id(id, s->arena, &s->own_id))
		return ctl_fail(s->ctl, EX_USAGE, "--authserv-id is empty");
	s->request.authserv_id = id;
	return EX_OK;
}

static int
read_headers(struct sealing *s)
{
	struct span rest = span_of(s->headers);
	struct span *names = arena_calloc(s->arena, NAMES_MAX, sizeof *names);
	bool from = false;
	size_t n = 0;

	if (!s->headers)
		return EX_OK;
	while (names && rest.p && n < NAMES_MAX) {
		struct span name = span_trim(span_cut(&rest, ':'));
		if (!signature_name_is_valid(name))
			return ctl_fail(s->ctl, EX_USAGE,
			    "--headers: no field's name: %.*s", SPAN_ARG(name));
		from |= span_caseis(name, "From");
		names[n++] = name;
	}
	if (!from || rest.p)
		return ctl_fail(s->ctl, EX_USAGE,
		    "--headers needs From and at most %d names", NAMES_MAX);
	s->request.names = names;
	s->request.n_names = n;
	return EX_OK;
}

static int
read_key(struct sealing *s)
{
	struct err err;

	if (!s->key_path)
		return ctl_fail(s->ctl, EX_USAGE, "--key is needed");
	if (sign_key_load(s->key_path, &s->key, &err))
		return ctl_fail(s->ctl, EX_NOINPUT, "%s", err.text);
	s->request.key = s->key;
	return EX_OK;
}

static int
read_options(struct sealing *s)
{
	struct arc_seal_request *r = &s->request;
	int status = read_name(s, OPT_DOMAIN, s->domain, &r->domain);

	if (status == EX_OK)
		status = read_name(s, OPT_SELECTOR, s->selector, &r->selector);
	if (status == EX_OK)
		status = read_headers(s);
	if (status == EX_OK)
		status = read_key(s);
	if (status == EX_OK)
		status = job_open(s->ctl, &s->job, &s->engine);
	if (status == EX_OK)
		status = read_id(s);
	r->time = s->time >= 0 ? s->time : clock_wall();
	return status;
}

/* --- the message ------------------------------------------------------------------ */

static int
read_text(struct sealing *s)
{
	struct source_list list = {.arena = s->arena};
	struct err err;

	if (source_add(&list, "-", &err))
		return ctl_fail(s->ctl, EX_NOINPUT, "%s", err.text);
	if (list.items.n > 1)
		return ctl_fail(
		    s->ctl, EX_DATAERR, "more than one message, an mbox");
	s->text = list.items.n ? list.items.v[0].text : SPAN("");
	return EX_OK;
}

static int
read_message(struct sealing *s)
{
	struct message_options how = message_options_default();
	const struct scan_config *config = &s->engine.snapshot->scan;
	int status = read_text(s);

	if (status)
		return status;
	how.size_hint = s->text.len;
	how.size_max = how.memory_max = SIZE_MAX / 2;
	s->message = message_new(s->arena, &how);
	s->hashes = bodyhash_new(s->arena);
	struct dns_batch *dns = dns_batch_new(s->engine.dns, s->arena,
	    config->dns_message_ms, config->dns_questions_max);
	if (!s->message || !s->hashes || !dns ||
	    message_read(s->message, s->text))
		return ctl_fail(s->ctl, EX_OSERR, "out of memory");
	s->request.headers = message_headers(s->message);
	s->arc = arc_begin(
	    s->request.headers, dns, s->hashes, clock_wall(), s->arena);
	int job = bodyhash_add(
	    s->hashes, BODYHASH_RELAXED, BODYHASH_SHA256, BODYHASH_NO_LIMIT);
	if (!s->arc || job < 0)
		return ctl_fail(s->ctl, EX_OSERR, "out of memory");
	bodyhash_update(s->hashes, message_body_bytes(s->message));
	bodyhash_final(s->hashes);
	s->request.body = bodyhash_value(s->hashes, job);
	return EX_OK;
}

/* --- what is known of it ------------------------------------------------------------ */

/* All results of our id from the top, in one list; arc= of the first that has
 * it goes to `ret_word`. */
static void
gather_results(struct sealing *s, struct span *ret_word)
{
	const struct header_list *headers = s->request.headers;
	struct span id, rest, result, word;
	struct buf out;

	*ret_word = SPAN_NONE;
	buf_init(&out, s->arena, RESULTS_MAX);
	for (size_t i = 0; i < headers->fields.n; i++) {
		const struct header *h = &headers->fields.v[i];
		if (!span_caseis(
			span_trim(h->name), "Authentication-Results") ||
		    !authres_split(h->raw, s->arena, &id, &rest) ||
		    !span_eq(id, s->own_id))
			continue;
		while (authres_next(&rest, &result)) {
			if (!ret_word->p && authres_of(result, "arc", &word))
				*ret_word = word;
			buf_add_str(&out, out.len ? "; " : "");
			buf_add_span(&out, result);
		}
	}
	s->request.results = buf_span(&out);
}

/* Without a usable word on a chain that is there it is validated now; what was
 * found then stands in the results too. */
static int
judge_chain(struct sealing *s)
{
	struct arc_seal_request *r = &s->request;
	struct span word;

	gather_results(s, &word);
	r->facts = arc_form(s->arc);
	r->chain = span_caseis(word, "pass")   ? ARC_PASS
		   : span_caseis(word, "fail") ? ARC_FAIL
					       : ARC_NONE;
	if (r->chain != ARC_NONE || r->facts->result == ARC_NONE ||
	    r->facts->closed)
		return EX_OK;
	r->facts = arc_end(s->arc, s->arena);
	r->chain = r->facts->result;
	if (r->chain == ARC_TEMPERROR)
		return ctl_fail(
		    s->ctl, EX_TEMPFAIL, "%.*s", SPAN_ARG(r->facts->problem));
	if (!word.p)
		r->results = arena_printf(s->arena, "arc=%s; %.*s",
		    arc_result_name(r->chain), SPAN_ARG(r->results));
	return EX_OK;
}

/* --- the answer ---------------------------------------------------------------------- */

static void
print_field(const char *name, struct span value, const char *eol)
{
	printf("%s: ", name);
	while (value.p) {
		struct span line = span_cut(&value, '\n');
		if (span_ends(line, SPAN("\r")))
			line.len--;
		fwrite(line.p, 1, line.len, stdout);
		fputs(eol, stdout);
	}
}

/* A mailbox's first line stays the first. */
static void
print_sealed(struct span text, const struct arc_seal *set)
{
	size_t end = span_find_char(text, '\n');
	bool crlf = end != SPAN_NPOS && end > 0 && text.p[end - 1] == '\r';
	const char *eol = crlf ? "\r\n" : "\n";
	bool mbox = span_starts(text, SPAN("From ")) && end != SPAN_NPOS;
	size_t skip = mbox ? end + 1 : 0;

	fwrite(text.p, 1, skip, stdout);
	print_field("ARC-Seal", set->seal, eol);
	print_field("ARC-Message-Signature", set->ams, eol);
	print_field("ARC-Authentication-Results", set->aar, eol);
	fwrite(text.p + skip, 1, text.len - skip, stdout);
}

static int
answer(struct sealing *s)
{
	const struct arc_facts *facts = s->request.facts;
	struct arc_seal set;

	arc_seal_make(&s->request, s->arena, &set);
	if (set.seal.p) {
		print_sealed(s->text, &set);
		return EX_OK;
	}
	if (!facts->closed && facts->instances < ARC_SETS_MAX)
		return ctl_fail(s->ctl, EX_SOFTWARE, "%s", set.reason);
	fwrite(s->text.p, 1, s->text.len, stdout);
	return ctl_fail(s->ctl, EX_OK, "not sealed: %s", set.reason);
}

static int
run_seal(struct ctl *ctl, int argc, char **argv)
{
	struct sealing s = {.ctl = ctl, .time = -1};
	int status;
	int n = ctl_options(ctl, argc, argv, take, &s, &status);

	if (n < 0)
		return status;
	if (n > 1)
		return ctl_usage(ctl);
	s.job.source.no_rules = true;
	s.arena = arena_new(0);
	if (!s.arena)
		return ctl_fail(ctl, EX_OSERR, "out of memory");
	status = read_options(&s);
	if (status == EX_OK)
		status = read_message(&s);
	if (status == EX_OK)
		status = judge_chain(&s);
	if (status == EX_OK)
		status = answer(&s);
	arena_free(s.arena);
	job_close(&s.engine);
	sign_key_free(s.key);
	return status;
}

const struct ctl_command ctl_arc_commands[] = {
    {"seal", NULL, "standard input with the next ARC set on top", options,
	run_seal, NULL},
    {0},
};
