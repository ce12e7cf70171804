#include "filter/auth/report_row.h"

#include <assert.h>
#include <stddef.h>
#include <stdio.h>

#include "filter/base/ip.h"
#include "filter/base/sha256.h"
#include "filter/mail/domain.h"

/*
 * Rows of aggregate reports as entries of the store. A value is a run of
 * fields, each a letter, two bytes of length and the text; the order is fixed,
 * so that equal rows are equal bytes and their digest is the name. The last
 * field, when the row was last seen, is outside of the digest.
 *
 * What is read back is checked like anything from outside: words must be of
 * the schema's lists, domains such that they can be written into a question.
 */

#define SEEN_DIGITS 20

struct field {
	char letter;
	size_t offset;     /* of the span in its struct */
	size_t max;        /* bytes kept */
	const char *words; /* the only ones, or NULL */
	bool need;
};

#define POLICIES "none quarantine reject"
#define OF(member) offsetof(struct report_entry, member)

static const struct field fields[] = {
    {'d', OF(policy.domain), DOMAIN_MAX, NULL, true},
    {'p', OF(policy.p), 10, POLICIES, true},
    {'s', OF(policy.sp), 10, POLICIES, false},
    {'n', OF(policy.np), 10, POLICIES, false},
    {'k', OF(policy.adkim), 1, "r s", false},
    {'m', OF(policy.aspf), 1, "r s", false},
    {'f', OF(policy.fo), 16, NULL, false},
    {'t', OF(policy.testing), 1, "n y", false},
    {'i', OF(row.source_ip), 45, NULL, true},
    {'a', OF(row.disposition), 10, POLICIES " pass", true},
    {'K', OF(row.dkim), 4, "pass fail", true},
    {'S', OF(row.spf), 4, "pass fail", true},
    {'h', OF(row.header_from), DOMAIN_MAX, NULL, true},
    {'e', OF(row.envelope_from), DOMAIN_MAX, NULL, false},
};

#undef OF
#define OF(member) offsetof(struct report_reason, member)
static const struct field reason_fields[] = {
    {'r', OF(type), 20,
	"local_policy mailing_list other policy_test_mode trusted_forwarder",
	true},
    {'c', OF(comment), REPORT_ENTRY_HUMAN_MAX, NULL, false},
};

#undef OF
#define OF(member) offsetof(struct report_dkim, member)
static const struct field dkim_fields[] = {
    {'x', OF(domain), DOMAIN_MAX, NULL, true},
    {'y', OF(selector), DOMAIN_MAX, NULL, true},
    {'z', OF(result), 10, "none pass fail policy neutral temperror permerror",
	true},
    {'w', OF(human), REPORT_ENTRY_HUMAN_MAX, NULL, false},
};

#undef OF
#define OF(member) offsetof(struct report_spf, member)
static const struct field spf_fields[] = {
    {'1', OF(domain), DOMAIN_MAX, NULL, true},
    {'2', OF(result), 10,
	"none pass fail softfail policy neutral temperror permerror", true},
    {'3', OF(human), REPORT_ENTRY_HUMAN_MAX, NULL, false},
};

#define COUNT(table) (sizeof(table) / sizeof *(table))

static const struct span *
text_at(const void *whole, const struct field *field)
{
	return (const struct span *)(const void *)((const char *)whole +
						   field->offset);
}

bool
report_domain_valid(struct span domain)
{
	size_t label = 0;

	if (domain.len == 0 || domain.len > DOMAIN_MAX)
		return false;
	for (size_t i = 0; i < domain.len; i++) {
		char c = domain.p[i];
		bool letter = ascii_is_digit(c) || c == '-' || c == '_' ||
			      (c >= 'a' && c <= 'z');
		if (c == '.' ? label == 0 : !letter)
			return false;
		label = c == '.' ? 0 : label + 1;
		if (label > DOMAIN_LABEL_MAX)
			return false;
	}
	return label > 0;
}

/* --- writing --------------------------------------------------------------------- */

struct writer {
	char *p;
	size_t len;
};

/* Bytes of the fields of one thing. */
static size_t
size_of(const struct field *table, size_t n, const void *whole)
{
	size_t size = 0;

	for (size_t i = 0; i < n; i++) {
		const struct span *text = text_at(whole, &table[i]);
		if (text->p)
			size += 3 + span_head(*text, table[i].max).len;
	}
	return size;
}

static void
put_text(struct writer *w, char letter, struct span text)
{
	assert(w->len + 3 + text.len <= REPORT_ENTRY_MAX);
	w->p[w->len++] = letter;
	w->p[w->len++] = (char)(text.len >> 8);
	w->p[w->len++] = (char)(text.len & 0xff);
	if (text.len)
		memcpy(w->p + w->len, text.p, text.len);
	w->len += text.len;
}

static void
put(struct writer *w, const struct field *table, size_t n, const void *whole)
{
	for (size_t i = 0; i < n; i++) {
		const struct span *text = text_at(whole, &table[i]);
		if (text->p)
			put_text(
			    w, table[i].letter, span_head(*text, table[i].max));
	}
}

static void
put_lists(struct writer *w, const struct report_row *row)
{
	size_t room = REPORT_ENTRY_MAX - 3 - SEEN_DIGITS;

	for (size_t i = 0; i < row->reasons.n && i < REPORT_ENTRY_REASONS_MAX;
	     i++)
		put(w, reason_fields, COUNT(reason_fields), &row->reasons.v[i]);
	if (row->spf_results.n)
		put(w, spf_fields, COUNT(spf_fields), &row->spf_results.v[0]);
	for (size_t i = 0; i < row->dkim_results.n; i++) {
		const struct report_dkim *d = &row->dkim_results.v[i];
		if (w->len + size_of(dkim_fields, COUNT(dkim_fields), d) > room)
			break;
		put(w, dkim_fields, COUNT(dkim_fields), d);
	}
}

static void
digest(struct span text, uint8_t ret[SHA256_SIZE])
{
	struct sha256 sha;

	sha256_init(&sha);
	sha256_add(&sha, text);
	sha256_done(&sha, ret);
}

static char
hex_digit(unsigned value)
{
	return "0123456789abcdef"[value & 15];
}

size_t
report_entry_prefix(
    int64_t day, unsigned part, char room[REPORT_ENTRY_NAME_MAX])
{
	return (size_t)snprintf(room, REPORT_ENTRY_NAME_MAX, "%lld:%c",
	    (long long)day, hex_digit(part));
}

void
report_entry_write(const struct report_entry *entry, int64_t day,
    char *ret_name, size_t *ret_name_len, char *ret_value,
    size_t *ret_value_len)
{
	struct writer w = {ret_value, 0};
	uint8_t sha[SHA256_SIZE];
	char seen[SEEN_DIGITS + 1];

	digest(entry->policy.domain, sha);
	size_t len = report_entry_prefix(day, sha[0] >> 4, ret_name);
	put(&w, fields, COUNT(fields), entry);
	put_lists(&w, &entry->row);
	digest(span_make(w.p, w.len), sha);
	for (size_t i = 0; i < SHA256_SIZE / 2; i++) {
		ret_name[len++] = hex_digit(sha[i] >> 4);
		ret_name[len++] = hex_digit(sha[i]);
	}
	int digits =
	    snprintf(seen, sizeof seen, "%lld", (long long)entry->seen);
	put_text(&w, 'T', span_make(seen, (size_t)digits));
	*ret_name_len = len;
	*ret_value_len = w.len;
}

/* --- reading ---------------------------------------------------------------------- */

static bool
take(struct span *rest, char *ret_letter, struct span *ret)
{
	if (rest->len < 3)
		return false;
	size_t len =
	    (size_t)(unsigned char)rest->p[1] << 8 | (unsigned char)rest->p[2];
	if (rest->len - 3 < len)
		return false;
	*ret_letter = rest->p[0];
	*ret = span_make(rest->p + 3, len);
	*rest = span_skip(*rest, 3 + len);
	return true;
}

static bool
is_word_of(struct span text, const char *words)
{
	struct span rest = span_of(words);

	while (rest.p)
		if (span_eq(span_cut(&rest, ' '), text))
			return true;
	return false;
}

/* Takes a field into `whole`: false for none of the table, one that stands
 * there already, or a word that is none of the list. */
static bool
set(const struct field *table, size_t n, char *whole, char letter,
    struct span text)
{
	for (size_t i = 0; i < n; i++) {
		const struct field *f = &table[i];
		if (f->letter != letter)
			continue;
		struct span *to = (struct span *)(void *)(whole + f->offset);
		if (to->p || text.len > f->max ||
		    (f->words && !is_word_of(text, f->words)))
			return false;
		*to = text;
		return true;
	}
	return false;
}

static bool
is_whole(const struct field *table, size_t n, const void *whole)
{
	for (size_t i = 0; i < n; i++)
		if (table[i].need && !text_at(whole, &table[i])->p)
			return false;
	return true;
}

/* One field of a list; its first letter begins a new item. */
static bool
set_listed(
    struct report_row *row, char letter, struct span text, struct arena *arena)
{
	struct report_reason *r;
	struct report_dkim *d;
	struct report_spf *s;

	if (letter == 'r' && (r = VEC_PUSH(arena, &row->reasons)))
		*r = (struct report_reason){0};
	if (letter == 'x' && (d = VEC_PUSH(arena, &row->dkim_results)))
		*d = (struct report_dkim){0};
	if (letter == '1' && (s = VEC_PUSH(arena, &row->spf_results)))
		*s = (struct report_spf){.scope = SPAN("mfrom")};
	size_t n = row->reasons.n, m = row->dkim_results.n,
	       k = row->spf_results.n;
	if (n && set(reason_fields, COUNT(reason_fields),
		     (char *)&row->reasons.v[n - 1], letter, text))
		return true;
	if (m && set(dkim_fields, COUNT(dkim_fields),
		     (char *)&row->dkim_results.v[m - 1], letter, text))
		return true;
	return k && set(spf_fields, COUNT(spf_fields),
			(char *)&row->spf_results.v[k - 1], letter, text);
}

/* An address as we write it. */
static bool
is_address(struct span text)
{
	char again[IP_TEXT_SIZE];
	struct ip ip;

	if (ip_parse(text, &ip))
		return false;
	ip_format(&ip, again);
	return span_is(text, again);
}

static bool
entry_whole(const struct report_entry *e)
{
	bool whole = is_whole(fields, COUNT(fields), e) &&
		     report_domain_valid(e->policy.domain) &&
		     is_address(e->row.source_ip) && e->seen >= 0;

	for (size_t i = 0; i < e->row.reasons.n; i++)
		whole = whole && is_whole(reason_fields, COUNT(reason_fields),
				     &e->row.reasons.v[i]);
	for (size_t i = 0; i < e->row.dkim_results.n; i++)
		whole = whole && is_whole(dkim_fields, COUNT(dkim_fields),
				     &e->row.dkim_results.v[i]);
	for (size_t i = 0; i < e->row.spf_results.n; i++)
		whole = whole && is_whole(spf_fields, COUNT(spf_fields),
				     &e->row.spf_results.v[i]);
	return whole;
}

int
report_entry_read(
    struct report_entry *ret, struct span value, struct arena *arena)
{
	struct report_entry e = {.seen = -1};
	struct span rest = value, text;
	char letter;

	while (take(&rest, &letter, &text)) {
		if (letter == 'T'
			? e.seen >= 0 || span_to_i64(text, &e.seen)
			: !set(fields, COUNT(fields), (char *)&e, letter,
			      text) &&
			      !set_listed(&e.row, letter, text, arena))
			return arena_failed(arena) ? ERR_NOMEM : ERR_SYNTAX;
	}
	if (arena_failed(arena))
		return ERR_NOMEM;
	if (rest.len || !entry_whole(&e))
		return ERR_SYNTAX;
	*ret = e;
	return 0;
}
