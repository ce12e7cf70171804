#include "filter/auth/spf_field.h"

#include "filter/mail/fieldtext.h"

/*
 * Received-SPF (RFC 7208 section 9.1): the result, a comment for people, and
 * pairs of key and value that are enough to ask again. A value is a dot-atom or
 * a quoted string; fieldtext.c keeps its bytes harmless.
 */

#define FIELD_MAX ((size_t)8192)

/* dot-atom-text of RFC 5322 section 3.2.3. */
static bool
is_dot_atom(struct span s)
{
	char before = '.';

	for (size_t i = 0; i < s.len; i++) {
		char c = s.p[i];
		if (c == '.' ? before == '.'
			     : !ascii_is_alnum(c) &&
				   (!c || !strchr("!#$%&'*+-/=?^_`{|}~", c)))
			return false;
		before = c;
	}
	return before != '.';
}

static void
add_pair(
    struct fieldtext *ft, const char *key, struct span value, const char *after)
{
	fieldtext_gap(ft, strlen(key) + 3 + value.len + strlen(after));
	fieldtext_str(ft, key);
	fieldtext_char(ft, '=');
	if (is_dot_atom(value))
		fieldtext_text(ft, value);
	else
		fieldtext_quoted(ft, value);
	fieldtext_str(ft, after);
}

/* "example.com permits 192.0.2.1", or why there is no result. */
static struct span
comment_of(const struct spf_answer *answer, const char *ip, struct arena *arena)
{
	static const char *const verbs[] = {
	    [SPF_NONE] = "has no SPF record for",
	    [SPF_NEUTRAL] = "says nothing of",
	    [SPF_PASS] = "permits",
	    [SPF_FAIL] = "does not permit",
	    [SPF_SOFTFAIL] = "probably does not permit",
	    [SPF_TEMPERROR] = "cannot be asked about",
	    [SPF_PERMERROR] = "has no usable SPF record for",
	};

	if (answer->problem.len)
		return answer->problem;
	return arena_printf(arena, "%.*s %s %s", SPAN_ARG(answer->domain),
	    verbs[answer->result], ip);
}

static const char *
identity_of(const struct spf_request *request)
{
	return request->mail_from.len ? "mailfrom" : "helo";
}

struct span
spf_field(const struct spf_request *request, const struct spf_answer *answer,
    struct arena *arena)
{
	struct fieldtext ft;
	char ip[IP_TEXT_SIZE] = "";

	if (request->ip.family)
		ip_format(&request->ip, ip);
	fieldtext_init(&ft, arena, "Received-SPF", FIELD_MAX);
	fieldtext_str(&ft, spf_result_name(answer->result));
	fieldtext_comment(&ft, comment_of(answer, ip, arena));
	if (request->receiver.len)
		add_pair(&ft, "receiver",
		    fieldtext_ascii(&ft, request->receiver), ";");
	add_pair(&ft, "identity", span_of(identity_of(request)), ";");
	if (*ip)
		add_pair(&ft, "client-ip", span_of(ip), ";");
	if (request->mail_from.len)
		add_pair(&ft, "envelope-from",
		    fieldtext_ascii(&ft, request->mail_from), ";");
	if (answer->mechanism.len)
		add_pair(&ft, "mechanism", answer->mechanism, ";");
	else if (answer->result == SPF_NEUTRAL)
		add_pair(&ft, "mechanism", SPAN("default"), ";");
	if (answer->problem.len)
		add_pair(&ft, "problem", answer->problem, ";");
	add_pair(&ft, "helo", fieldtext_ascii(&ft, request->helo), "");
	return buf_failed(&ft.out) ? SPAN_NONE : buf_span(&ft.out);
}
