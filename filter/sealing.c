#include "filter/sealing.h"

#include "filter/auth/arc_seal.h"
#include "filter/auth/keyring.h"
#include "filter/base/log.h"
#include "filter/mail/authres.h"

/*
 * Sealing what came in, for those to whom it is passed on: they cannot see what
 * we saw. The body's hash was planned at the end of the headers (scan_arc.c).
 */

static struct log_limit failed_limit;

/* Not everybody knows Ed25519. */
static const struct signer *
choose(const struct signer *signers, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (sign_key_algorithm(signers[i].key) == SIGN_RSA_SHA256)
			return &signers[i];
	return n ? &signers[0] : NULL;
}

/* What our own field among the additions says. */
static struct span
own_results(const struct fields *fields, struct arena *arena)
{
	struct span id, results;

	for (size_t i = 0; i < fields->additions.n; i++) {
		const struct field *f = &fields->additions.v[i];
		if (strcmp(f->name, "Authentication-Results") == 0 &&
		    authres_split(span_of(f->value), arena, &id, &results))
			return results;
	}
	return SPAN("");
}

/* A header that was cut cannot be signed as it leaves. */
static bool
is_whole(const struct header_list *headers)
{
	for (size_t i = 0; i < headers->fields.n; i++)
		if (headers->fields.v[i].truncated)
			return false;
	return headers->dropped == 0;
}

static bool
put(const struct fields_request *request, struct field_additions *to,
    const char *name, struct span value)
{
	const char *text = fields_value(request, value);
	struct field *field = text ? VEC_PUSH(request->arena, to) : NULL;

	if (field)
		*field = (struct field){name, text};
	return field != NULL;
}

/* What is sealed; false: not to be. */
static bool
fill(const struct fields_request *request, const struct fields *fields,
    struct signer *signers, struct arc_seal_request *ret)
{
	struct scan *scan = request->scan;
	const struct scan_arc_facts *facts = scan_arc(scan);
	const struct signer *signer = choose(signers,
	    keyring_domain(request->keyring, scan->config->seal, signers));

	*ret = (struct arc_seal_request){
	    .facts = facts->arc,
	    .body = scan_seal_body(scan),
	    .headers = fields_leaving(request, fields),
	    .authserv_id = request->settings->authserv_id,
	    .results = own_results(fields, request->arena),
	    .time = scan->now,
	};
	if (!signer || !ret->facts || !ret->body || !ret->headers ||
	    !is_whole(ret->headers))
		return false;
	ret->chain = ret->facts->result;
	ret->key = signer->key;
	ret->domain = signer->domain;
	ret->selector = signer->selector;
	/* Those that get no seal by the RFC. */
	return !ret->facts->closed && ret->facts->instances < ARC_SETS_MAX &&
	       ret->chain != ARC_TEMPERROR;
}

void
sealing_add(const struct fields_request *request, struct fields *fields)
{
	struct scan *scan = request->scan;
	struct signer signers[KEYRING_SIGNERS_MAX];
	struct arc_seal_request seal;
	struct field_additions top = {0};
	struct arc_seal set;
	uint64_t missed;

	if (!scan->config->seal.len || scan->direction == DIRECTION_OUT ||
	    keyring_is_empty(request->keyring) ||
	    !fill(request, fields, signers, &seal))
		return;
	arc_seal_make(&seal, request->arena, &set);
	if (set.seal.p && put(request, &top, "ARC-Seal", set.seal) &&
	    put(request, &top, "ARC-Message-Signature", set.ams) &&
	    put(request, &top, "ARC-Authentication-Results", set.aar))
		fields_put_on_top(request, fields, &top);
	else if (log_limited(&failed_limit, &missed))
		log_error("ref=%s: a seal could not be made (%s), the message"
			  " goes on without it, missed=%llu",
		    request->ref, set.reason ? set.reason : "no memory",
		    (unsigned long long)missed);
}
