#include "filter/log/log_match.h"

/*
 * Addresses as people ask for them: a whole one, "@domain" (that domain) or
 * ".domain" (that domain and all below it). Everything folds ASCII case.
 */

static struct span
domain_of(struct span address)
{
	size_t at = span_rfind_char(address, '@');

	return at == SPAN_NPOS ? SPAN_NONE : span_skip(address, at + 1);
}

static bool
match_domain(struct span domain, struct span wanted, bool below)
{
	if (!domain.p || !wanted.len)
		return false;
	if (span_caseeq(domain, wanted))
		return true;
	return below && domain.len > wanted.len &&
	       domain.p[domain.len - wanted.len - 1] == '.' &&
	       span_caseends(domain, wanted);
}

static bool
match_address(struct span address, struct span wanted)
{
	if (!address.p)
		return false;
	if (span_starts(wanted, SPAN("@")) || span_starts(wanted, SPAN(".")))
		return match_domain(
		    domain_of(address), span_skip(wanted, 1), *wanted.p == '.');
	return span_caseeq(address, wanted);
}

static bool
is_address_char(char c)
{
	return !ascii_is_space(c) && c != '<' && c != '>' && c != ',' &&
	       c != ';' && c != '"' && c != '(' && c != ')';
}

/* Any of the words of a From field; names around the addresses do no harm. */
static bool
match_field(struct span field, struct span wanted)
{
	size_t i = 0;

	while (i < field.len) {
		size_t start = i;
		while (i < field.len && is_address_char(field.p[i]))
			i++;
		struct span word = span_make(field.p + start, i - start);
		if (word.len && match_address(word, wanted))
			return true;
		i += word.len == 0;
	}
	return false;
}

static bool
match_sender(struct span wanted, const struct record *r)
{
	if (span_is(wanted, "<>"))
		wanted = SPAN("");
	if (match_address(r->mail_from, wanted))
		return true;
	if (!wanted.len)
		return false;
	if (*wanted.p == '@' || *wanted.p == '.')
		if (match_domain(
			r->from_domain, span_skip(wanted, 1), *wanted.p == '.'))
			return true;
	return match_field(r->header_from, wanted);
}

/* "dnsbl" finds "dnsbl:x" too. */
static bool
match_degraded(struct span wanted, struct span list)
{
	while (list.p) {
		struct span name = span_cut(&list, ',');
		if (span_casestarts(name, wanted) && wanted.len &&
		    (name.len == wanted.len || name.p[wanted.len] == ':'))
			return true;
	}
	return false;
}

bool
log_match_message(
    const struct verdictlog_query *query, const struct record *record)
{
	if (query->from.p && !match_sender(query->from, record))
		return false;
	return !query->degraded.p ||
	       match_degraded(query->degraded, record->degraded);
}

bool
log_match_rcpts(
    const struct verdictlog_query *query, const struct record *record)
{
	if (!query->to.p)
		return true;
	for (size_t i = 0; i < record->rcpts.n; i++)
		if (match_address(record->rcpts.v[i].addr, query->to))
			return true;
	return false;
}
