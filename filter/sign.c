#include "filter/sign.h"

#include "filter/mail/domain.h"

/*
 * No oracle: a signature says that the owner of the From domain sent this, so
 * whoever can have anything signed can be anybody. A login may use the domain
 * that its own name shows, and what auth.sign_as gives it; whom nobody asked
 * for a password gets only the domains of auth.sign_local, and only from
 * milter.internal or without a network. In doubt about who the From field names
 * there is no signature: programs read odd ones in more than one way.
 */

#define LOGIN_MAX 320 /* RFC 3696: 64 + 1 + 255; longer ones were cut */
#define LOCAL_MAX 255

const char *
sign_answer_text(enum sign_answer answer)
{
	static const char *const texts[SIGN_ANSWERS] = {
	    [SIGN_YES] = "",
	    [SIGN_OFF] = "signing is off",
	    [SIGN_NOMEM] = "out of memory",
	    [SIGN_CUT] = "more header fields than are kept",
	    [SIGN_FROM_FIELDS] = "not exactly one From field",
	    [SIGN_FROM_FORM] = "From is not one plain address",
	    [SIGN_NO_KEY] = "no key for the From domain",
	    [SIGN_LOGIN] = "the login is not of the From domain, and"
			   " auth.sign_as does not allow it",
	    [SIGN_NOT_LOCAL] = "nobody logged in, and auth.sign_local does not"
			       " name the From domain",
	    [SIGN_CLIENT] = "nobody logged in, and milter.internal does not"
			    " name the client",
	    [SIGN_INET] = "the MTA comes over TCP, and auth.sign_inet is off",
	};

	return texts[answer];
}

/* --- the From field -------------------------------------------------------------------- */

static enum sign_answer
read_from(const struct sign_facts *facts, struct arena *arena,
    const struct addr **ret, struct span *ret_domain)
{
	const struct header_list *headers = facts->headers;
	const struct addr_list *from = facts->from;

	/* Fields past the limits go out unread, and a signature starts with
	 * the last ones. */
	if (headers->dropped || headers->bytes >= HEADER_BYTES_MAX)
		return SIGN_CUT;
	if (header_count(headers, SPAN("From")) != 1 ||
	    header_lookalike(headers, SPAN("From")))
		return SIGN_FROM_FIELDS;
	if (from->items.n != 1 || from->ambiguous || from->group ||
	    from->truncated)
		return SIGN_FROM_FORM;
	const struct addr *addr = &from->items.v[0];
	if (addr->local.len == 0 || addr->local.len > LOCAL_MAX ||
	    domain_normalise(addr->domain, arena, ret_domain))
		return SIGN_FROM_FORM;
	*ret = addr;
	return SIGN_YES;
}

/* --- who sends ---------------------------------------------------------------------------- */

/* The domain of a login; false when it shows none, or more than one. */
static bool
login_domain(struct span login, struct arena *arena, struct span *ret)
{
	size_t at = span_find_char(login, '@');

	return at != SPAN_NPOS && at > 0 && login.len <= LOGIN_MAX &&
	       at == span_rfind_char(login, '@') &&
	       domain_normalise(span_skip(login, at + 1), arena, ret) == 0;
}

/* Local parts are compared as they are, domains in any case. */
static bool
same_login(struct span a, struct span b)
{
	size_t at = span_rfind_char(a, '@');

	if (at == SPAN_NPOS)
		return span_eq(a, b);
	return a.len == b.len && span_eq(span_head(a, at), span_head(b, at)) &&
	       span_caseeq(a, b);
}

/* `LOGIN`, `*` for any, `*@DOMAIN` for any of a domain. */
static bool
pair_names(const struct sign_pair *pair, struct span login, struct span domain)
{
	if (span_is(pair->login, "*"))
		return true;
	if (span_starts(pair->login, SPAN("*@")))
		return domain.p && span_eq(span_skip(pair->login, 2), domain);
	return same_login(pair->login, login);
}

static enum sign_answer
ask_login(const struct sign_settings *settings, struct span login,
    struct span from, struct arena *arena)
{
	struct span domain = SPAN_NONE;

	if (login.len > LOGIN_MAX)
		return SIGN_LOGIN;
	if (!login_domain(login, arena, &domain))
		domain = SPAN_NONE;
	if (domain.p && span_eq(domain, from))
		return SIGN_YES;
	for (size_t i = 0; i < settings->n_as; i++) {
		const struct sign_pair *pair = &settings->as[i];
		if ((span_is(pair->domain, "*") ||
			span_eq(pair->domain, from)) &&
		    pair_names(pair, login, domain))
			return SIGN_YES;
	}
	return SIGN_LOGIN;
}

static enum sign_answer
ask_local(const struct sign_settings *settings, bool internal, struct span from)
{
	if (!internal)
		return SIGN_CLIENT;
	for (size_t i = 0; i < settings->n_local; i++)
		if (span_eq(settings->local[i], from))
			return SIGN_YES;
	return SIGN_NOT_LOCAL;
}

void
sign_decide(const struct sign_settings *settings, const struct keyring *keyring,
    const struct sign_facts *facts, struct arena *arena,
    struct sign_decision *ret)
{
	const struct addr *addr;

	*ret = (struct sign_decision){.answer = SIGN_OFF};
	if (!settings->on || keyring_is_empty(keyring) ||
	    facts->direction != DIRECTION_OUT)
		return;
	ret->answer = read_from(facts, arena, &addr, &ret->domain);
	if (ret->answer != SIGN_YES)
		return;
	size_t n = keyring_find(
	    keyring, addr->local, ret->domain, arena, ret->signers);
	if (n == 0)
		ret->answer = SIGN_NO_KEY;
	else if (facts->login.len)
		ret->answer =
		    ask_login(settings, facts->login, ret->domain, arena);
	else
		ret->answer = ask_local(settings, facts->internal, ret->domain);
	if (ret->answer == SIGN_YES && facts->inet && !settings->inet)
		ret->answer = SIGN_INET;
	if (arena_failed(arena))
		ret->answer = SIGN_NOMEM;
	if (ret->answer == SIGN_YES)
		ret->n_signers = n;
}
