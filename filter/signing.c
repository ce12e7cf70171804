#include "filter/signing.h"

#include "filter/auth/signature.h"
#include "filter/base/log.h"

/*
 * From the decision to fields. relaxed/relaxed: mail that leaves through other
 * people's servers is folded and trimmed on its way.
 */

#define SHOWN 256 /* bytes of a value in the log */

struct signing {
	struct sign_decision decision;
	int job; /* of the scan's body hashes */
};

static struct log_limit limits[SIGN_ANSWERS];
static struct log_limit failed_limit;

static void
warn(
    const struct signing_request *request, const struct sign_decision *decision)
{
	const struct envelope *e = request->scan->envelope;
	struct buf text;
	uint64_t missed;

	if (decision->answer == SIGN_YES || decision->answer == SIGN_OFF ||
	    !log_limited(&limits[decision->answer], &missed))
		return;
	buf_init(&text, NULL, 4096);
	if (e->queue_id.len)
		buf_add_coded(&text, e->queue_id, SHOWN);
	else
		buf_add_str(&text, "NOQUEUE");
	buf_printf(&text, ": ref=%s, not signed: %s: hfrom=", request->ref,
	    sign_answer_text(decision->answer));
	buf_add_coded(&text, decision->domain, SHOWN);
	buf_add_str(&text, ", auth=");
	buf_add_coded(&text, e->auth_user, SHOWN);
	buf_add_str(&text, ", client=");
	buf_add_coded(&text, e->client_name, SHOWN);
	log_warn("%s, missed=%llu", buf_str(&text), (unsigned long long)missed);
	buf_done(&text);
}

struct signing *
signing_plan(const struct signing_request *request)
{
	struct scan *scan = request->scan;
	struct sign_facts facts = {
	    .direction = scan->direction,
	    .login = scan->envelope->auth_user,
	    .internal =
		direction_is_internal(&scan->config->direction, scan->envelope),
	    .inet = request->inet,
	    .headers = message_headers(scan->message),
	};
	struct signing *signing;

	if (!request->settings->sign.on || keyring_is_empty(request->keyring) ||
	    scan->direction != DIRECTION_OUT)
		return NULL;
	signing = arena_zalloc(scan->arena, sizeof *signing);
	if (!signing)
		return NULL;
	facts.from = message_from(scan->message);
	sign_decide(&request->settings->sign, request->keyring, &facts,
	    scan->arena, &signing->decision);
	warn(request, &signing->decision);
	if (signing->decision.answer != SIGN_YES)
		return NULL;
	signing->job = bodyhash_add(
	    scan->hashes, BODYHASH_RELAXED, BODYHASH_SHA256, BODYHASH_NO_LIMIT);
	return signing->job >= 0 ? signing : NULL;
}

/* --- the fields ---------------------------------------------------------------------- */

static struct span *
names_of(const struct sign_settings *settings,
    const struct header_list *headers, struct arena *arena, size_t *ret_n)
{
	size_t n_oversign, n_all = settings->n_headers;
	const struct span *all = settings->headers;
	struct span *oversign =
	    signature_spans(signature_default_oversign, arena, &n_oversign);

	if (!n_all)
		all = signature_spans(signature_default_names, arena, &n_all);
	if (!all || !oversign)
		return NULL;
	return signature_names(
	    headers, all, n_all, oversign, n_oversign, arena, ret_n);
}

/* False: libcrypto or memory. */
static bool
add_signature(const struct signature_request *signature,
    const struct fields_request *request, struct field_additions *to)
{
	struct span value = signature_make(signature, request->arena);
	const char *text = value.p ? fields_value(request, value) : NULL;
	struct field *field = text ? VEC_PUSH(request->arena, to) : NULL;

	if (field)
		*field = (struct field){"DKIM-Signature", text};
	return field != NULL;
}

static bool
add_all(const struct signing *signing, const struct fields_request *request,
    const struct header_list *headers, struct field_additions *to)
{
	const struct sign_settings *settings = &request->settings->sign;
	struct scan *scan = request->scan;
	struct signature_request signature = {
	    .header_canon = BODYHASH_RELAXED,
	    .body_canon = BODYHASH_RELAXED,
	    .time = scan->now,
	    .expires =
		settings->expires_s ? scan->now + settings->expires_s : -1,
	    .body = bodyhash_value(scan->hashes, signing->job),
	    .index = header_index_new(headers, request->arena),
	};
	bool done = true;

	signature.names =
	    names_of(settings, headers, request->arena, &signature.n_names);
	if (!signature.names || !signature.index)
		return false;
	for (size_t i = 0; i < signing->decision.n_signers; i++) {
		const struct signer *signer = &signing->decision.signers[i];
		signature.key = signer->key;
		signature.domain = signer->domain;
		signature.selector = signer->selector;
		signature.identity = signer->identity;
		done &= add_signature(&signature, request, to);
	}
	return done;
}

void
signing_add(const struct signing *signing, const struct fields_request *request,
    struct fields *fields)
{
	struct field_additions all = {0};
	const struct header_list *headers;
	uint64_t missed;

	if (!signing)
		return;
	headers = fields_leaving(request, fields);
	if ((!headers || !add_all(signing, request, headers, &all)) &&
	    log_limited(&failed_limit, &missed))
		log_error("ref=%s: a signature could not be made, the message"
			  " leaves without it, missed=%llu",
		    request->ref, (unsigned long long)missed);
	fields_put_on_top(request, fields, &all);
}
