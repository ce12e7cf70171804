#include "filter/auth/report_rua.h"

#include "filter/auth/dmarc_internal.h"
#include "filter/auth/report_row.h"
#include "filter/auth/taglist.h"
#include "filter/mail/domain.h"

/*
 * rua= is written by whoever owns a domain that mail claims to be from, and
 * decides whom we write to and what stands on a command line. So only plain
 * addresses pass, and strangers are asked by DNS before they get anything.
 * Nobody can hide a victim behind many names: targets are counted after URIs
 * have been ruled out, and each address counts once.
 */

#define LOCAL_MAX 64
/* Besides letters and digits. Not % and !, which some MTAs take for routes, nor
 * | and /, which aliases take for commands and files. */
#define LOCAL_MARKS "#$&'*+-=?^_{}~."

/* --- one URI ---------------------------------------------------------------------- */

/* "10m": obs-dmarc-report-size of RFC 7489 section 6.4. */
static bool
read_size(struct span text, uint64_t *ret)
{
	static const char units[] = "kmgt";
	unsigned shift = 0;
	uint64_t value;

	if (text.len && ascii_is_alpha(text.p[text.len - 1])) {
		char unit = ascii_lower(text.p[text.len - 1]);
		const char *at = memchr(units, unit, sizeof units - 1);
		if (!at)
			return false;
		shift = 10 * (unsigned)(at - units + 1);
		text.len--;
	}
	if (span_to_u64(text, &value) || value == 0)
		return false;
	*ret = value > UINT64_MAX >> shift ? UINT64_MAX : value << shift;
	return true;
}

/* %XX undone; SPAN_NONE for a '%' that begins none. */
static struct span
percent_decode(struct span text, struct arena *arena)
{
	char *p = arena_alloc(arena, text.len);
	size_t n = 0;

	for (size_t i = 0; p && i < text.len; i++) {
		char c = text.p[i];
		if (c == '%') {
			int high =
			    text.len - i > 2 ? ascii_hex(text.p[i + 1]) : -1;
			int low = high < 0 ? -1 : ascii_hex(text.p[i + 2]);
			if (low < 0)
				return SPAN_NONE;
			c = (char)(high << 4 | low);
			i += 2;
		}
		p[n++] = c;
	}
	return p ? span_make(p, n) : SPAN_NONE;
}

static bool
is_local_part(struct span local)
{
	if (local.len == 0 || local.len > LOCAL_MAX || local.p[0] == '.' ||
	    local.p[local.len - 1] == '.')
		return false;
	for (size_t i = 0; i < local.len; i++) {
		char c = local.p[i];
		if (!ascii_is_alnum(c) &&
		    span_find_char(SPAN(LOCAL_MARKS), c) == SPAN_NPOS)
			return false;
		if (c == '.' && local.p[i + 1] == '.')
			return false;
	}
	return true;
}

static bool
read_address(struct span text, struct arena *arena, struct report_target *ret)
{
	struct span decoded = percent_decode(text, arena), host;
	size_t at = span_rfind_char(decoded, '@');

	if (at == SPAN_NPOS || !is_local_part(span_head(decoded, at)) ||
	    domain_normalise(span_skip(decoded, at + 1), arena, &host) ||
	    !report_domain_valid(host) || !domain_is_fqdn(host))
		return false;
	ret->host = host;
	ret->address = arena_printf(
	    arena, "%.*s@%.*s", (int)at, decoded.p, SPAN_ARG(host));
	return ret->address.p != NULL;
}

static bool
read_uri(struct span uri, struct arena *arena, struct report_target *ret)
{
	struct span rest = span_trim(uri);
	struct span scheme = span_cut(&rest, ':');
	struct span address = span_cut(&rest, '!');

	*ret = (struct report_target){0};
	if (!span_caseis(scheme, "mailto") || !address.p ||
	    span_find_char(address, '?') != SPAN_NPOS ||
	    (rest.p && !read_size(rest, &ret->max_size)))
		return false;
	return read_address(address, arena, ret);
}

static bool
is_known(const struct report_targets *targets, struct span address)
{
	for (size_t i = 0; i < targets->v.n; i++)
		if (span_caseeq(targets->v.v[i].address, address))
			return true;
	return false;
}

void
report_targets_parse(
    struct report_targets *ret, struct span rua, struct arena *arena)
{
	struct report_target target;

	*ret = (struct report_targets){0};
	while (rua.p) {
		struct span uri = span_trim(span_cut(&rua, ','));
		if (!read_uri(uri, arena, &target)) {
			ret->ignored += uri.len > 0;
			continue;
		}
		if (is_known(ret, target.address))
			continue;
		if (ret->v.n == REPORT_TARGETS_MAX) {
			ret->beyond++;
			continue;
		}
		struct report_target *to = VEC_PUSH(arena, &ret->v);
		if (to)
			*to = target;
	}
}

/* --- DNS --------------------------------------------------------------------------- */

static enum report_answer
ask(struct dns_batch *dns, struct span name, const struct dns_answer **ret)
{
	const struct dns_answer *answer = dns_get(dns, name, DNS_TXT);

	if (answer->status == DNS_TIMEOUT || answer->status == DNS_SERVFAIL)
		return REPORT_LATER;
	*ret = answer;
	return answer->status == DNS_OK ? REPORT_YES : REPORT_NO;
}

enum report_answer
report_find_record(struct span domain, struct dns_batch *dns,
    struct arena *arena, struct dmarc_record *ret)
{
	struct span name = arena_printf(arena, "_dmarc.%.*s", SPAN_ARG(domain));
	const struct dns_answer *answer;
	struct span only = SPAN_NONE;

	enum report_answer found = ask(dns, name, &answer);
	if (found != REPORT_YES)
		return found;
	for (size_t i = 0; i < answer->n; i++) {
		if (!dmarc_has_version(answer->records[i].data))
			continue;
		if (only.p)
			return REPORT_NO;
		only = answer->records[i].data;
	}
	if (!only.p || dmarc_parse(ret, only, arena) == ERR_SYNTAX)
		return REPORT_NO;
	return REPORT_YES;
}

/* Steps 6 to 8: is one of the records a confirmation? The first rua= (or
 * ruf=) of one goes to *ret_uris. */
static bool
confirms(const struct dns_answer *answer, const char *tag, struct arena *arena,
    struct span *ret_uris)
{
	bool confirmed = false;

	*ret_uris = SPAN_NONE;
	for (size_t i = 0; i < answer->n; i++) {
		struct span text = answer->records[i].data;
		struct tag_list list;
		if (!dmarc_has_version(text) ||
		    taglist_parse_lenient(&list, text, arena))
			continue;
		confirmed = true;
		if (!ret_uris->p)
			*ret_uris = taglist_get(&list, tag);
	}
	return confirmed;
}

/* Step 9: another address, at the host that was asked. A host that sends us
 * elsewhere gets nothing, nor does where it points. */
static enum report_answer
redirect(const struct report_target *target, struct span rua,
    struct arena *arena, struct report_targets *ret)
{
	report_targets_parse(ret, rua, arena);
	for (size_t i = 0; i < ret->v.n; i++)
		if (!span_eq(ret->v.v[i].host, target->host))
			return REPORT_NO;
	return ret->v.n ? REPORT_YES : REPORT_NO;
}

static enum report_answer
keep(const struct report_target *target, struct arena *arena,
    struct report_targets *ret)
{
	*ret = (struct report_targets){0};
	struct report_target *to = VEC_PUSH(arena, &ret->v);
	if (!to)
		return REPORT_LATER;
	*to = *target;
	return REPORT_YES;
}

static enum report_answer
target_allowed(struct span domain, const struct report_target *target,
    const char *tag, struct dns_batch *dns, struct arena *arena,
    struct report_targets *ret)
{
	struct span ours = dmarc_org_domain(domain, dns, arena);
	struct span theirs = dmarc_org_domain(target->host, dns, arena);
	const struct dns_answer *answer;
	struct span uris;

	if (!ours.len || !theirs.len)
		return REPORT_LATER;
	if (span_eq(ours, theirs))
		return keep(target, arena, ret);
	struct span name = arena_printf(arena, "%.*s._report._dmarc.%.*s",
	    SPAN_ARG(domain), SPAN_ARG(target->host));
	if (name.len > DOMAIN_MAX)
		return REPORT_NO;
	enum report_answer found = ask(dns, name, &answer);
	if (found != REPORT_YES)
		return found;
	if (!confirms(answer, tag, arena, &uris))
		return REPORT_NO;
	return uris.p ? redirect(target, uris, arena, ret)
		      : keep(target, arena, ret);
}

enum report_answer
report_target_allowed(struct span domain, const struct report_target *target,
    struct dns_batch *dns, struct arena *arena, struct report_targets *ret)
{
	return target_allowed(domain, target, "rua", dns, arena, ret);
}

enum report_answer
report_failure_target_allowed(struct span domain,
    const struct report_target *target, struct dns_batch *dns,
    struct arena *arena, struct report_targets *ret)
{
	return target_allowed(domain, target, "ruf", dns, arena, ret);
}
