#include "filter/auth/spf_record.h"

#include <arpa/inet.h>
#include <stdlib.h>

#include "filter/auth/macro.h"
#include "filter/auth/spf.h"
#include "filter/base/buf.h"

/*
 * The grammar of SPF records, strictly: what is not in the ABNF is a permerror.
 * One pass, word by word; every word is checked, but only terms that can be
 * reached are kept, so a record of 64 KB does not become many times its size
 * in the cache. What leaves this file is numbers and views, from which
 * spf_library.c writes text of its own for the library.
 */

/* --- numbers ------------------------------------------------------------------ */

/* "0" or digits without a leading zero, at most `most`. */
static bool
cidr_number(struct span text, unsigned most, uint8_t *ret)
{
	uint64_t value;

	if (!text.len || text.len > 3 || (text.len > 1 && text.p[0] == '0') ||
	    span_to_u64(text, &value) || value > most)
		return false;
	*ret = (uint8_t)value;
	return true;
}

/* Takes `slashes` and a number off the end of `*s`; false when it is bad. */
static bool
take_cidr(struct span *s, struct span slashes, unsigned most, uint8_t *ret)
{
	size_t n = s->len;

	while (n > 0 && ascii_is_digit(s->p[n - 1]))
		n--;
	struct span before = span_head(*s, n);
	if (n == s->len || !span_ends(before, slashes))
		return true; /* there is none */
	if (!cidr_number(span_skip(*s, n), most, ret))
		return false;
	s->len = n - slashes.len;
	return true;
}

/* Takes [ip4-cidr-length] ["/" ip6-cidr-length] off the end of `*rest`. */
static bool
take_dual_cidr(struct span *rest, struct spf_term *term)
{
	term->cidr4 = 32;
	term->cidr6 = 128;
	return take_cidr(rest, SPAN("//"), 128, &term->cidr6) &&
	       take_cidr(rest, SPAN("/"), 32, &term->cidr4);
}

/* --- mechanisms --------------------------------------------------------------- */

/* [":" domain-spec]; `rest` is what follows the name. */
static bool
parse_domain(struct span rest, struct spf_term *term)
{
	term->domain = SPAN_NONE;
	if (!rest.len)
		return true;
	term->domain = span_skip(rest, 1);
	return rest.p[0] == ':' && macro_is_domain_spec(term->domain);
}

static bool
parse_host(struct span rest, struct spf_term *term)
{
	return take_dual_cidr(&rest, term) && parse_domain(rest, term);
}

/* ":" network [cidr]; inet_pton() takes neither leading zeros nor scopes. */
static bool
parse_ip(struct span rest, struct spf_term *term)
{
	bool four = term->kind == SPF_IP4;
	struct ip_net net = {
	    .ip.family = four ? 4 : 6, .bits = four ? 32 : 128};
	struct span bits = span_skip(rest, 1);
	char address[IP_TEXT_SIZE];

	if (!rest.len || rest.p[0] != ':' ||
	    !span_copy(span_cut(&bits, '/'), address, sizeof address) ||
	    inet_pton(four ? AF_INET : AF_INET6, address, net.ip.bytes) != 1)
		return false;
	if (bits.p && !cidr_number(bits, net.bits, &net.bits))
		return false;
	term->net = net;
	return true;
}

static const struct {
	const char *name;
	enum spf_kind kind;
} mechanisms[] = {
    {"all", SPF_ALL},
    {"include", SPF_INCLUDE},
    {"a", SPF_A},
    {"mx", SPF_MX},
    {"ptr", SPF_PTR},
    {"ip4", SPF_IP4},
    {"ip6", SPF_IP6},
    {"exists", SPF_EXISTS},
};

static bool
parse_arguments(struct span rest, struct spf_term *term)
{
	switch (term->kind) {
	case SPF_ALL:
		return rest.len == 0;
	case SPF_IP4:
	case SPF_IP6:
		return parse_ip(rest, term);
	case SPF_A:
	case SPF_MX:
		return parse_host(rest, term);
	case SPF_PTR:
		return parse_domain(rest, term);
	case SPF_INCLUDE:
	case SPF_EXISTS:
		return rest.len && parse_domain(rest, term);
	case SPF_REDIRECT:
		break;
	}
	return false;
}

static bool
parse_mechanism(struct span word, struct spf_term *term)
{
	struct span rest = word;
	char first = rest.p[0];

	*term = (struct spf_term){.qualifier = '+', .text = word};
	if (first == '+' || first == '-' || first == '~' || first == '?') {
		term->qualifier = first;
		rest = span_skip(rest, 1);
	}
	struct span name = span_head(rest, span_find_any(rest, ":/"));
	for (size_t i = 0; i < sizeof mechanisms / sizeof *mechanisms; i++) {
		if (!span_caseis(name, mechanisms[i].name))
			continue;
		term->kind = mechanisms[i].kind;
		return parse_arguments(span_skip(rest, name.len), term);
	}
	return false;
}

bool
spf_term_asks(const struct spf_term *term)
{
	return term->kind != SPF_ALL && term->kind != SPF_IP4 &&
	       term->kind != SPF_IP6;
}

/* --- records ------------------------------------------------------------------ */

struct reader {
	struct spf_record *record;
	struct buf terms;         /* array of struct spf_term, on the heap */
	struct spf_term redirect; /* text.p NULL: none */
	unsigned asking;          /* terms that ask DNS */
	bool closed;              /* nothing behind can be reached */
};

static void
keep(struct reader *r, const struct spf_term *term)
{
	if (r->closed)
		return;
	buf_add(&r->terms, term, sizeof *term);
	r->asking += spf_term_asks(term);
	r->closed = term->kind == SPF_ALL || r->asking > SPF_TERMS_MAX;
}

/* Length of a modifier's name when the word is one, else 0. */
static size_t
modifier_name(struct span word)
{
	size_t n = 0;

	if (!ascii_is_alpha(word.p[0]))
		return 0;
	while (n < word.len && (ascii_is_alnum(word.p[n]) || word.p[n] == '-' ||
				   word.p[n] == '_' || word.p[n] == '.'))
		n++;
	return n < word.len && word.p[n] == '=' ? n : 0;
}

static bool
parse_modifier(struct reader *r, struct span word, size_t name_len)
{
	struct span name = span_head(word, name_len);
	struct span value = span_skip(word, name_len + 1);

	/* Section 6: redirect and exp at most once each. */
	if (span_caseis(name, "redirect")) {
		if (r->redirect.text.p || !macro_is_domain_spec(value))
			return false;
		r->redirect = (struct spf_term){.kind = SPF_REDIRECT,
		    .qualifier = '?',
		    .text = word,
		    .domain = value};
		return true;
	}
	if (span_caseis(name, "exp")) {
		if (r->record->exp.p || !macro_is_domain_spec(value))
			return false;
		r->record->exp = value;
		return true;
	}
	return macro_valid(value, false);
}

static bool
parse_word(struct reader *r, struct span word)
{
	size_t name_len = modifier_name(word);
	struct spf_term term;

	if (name_len)
		return parse_modifier(r, word, name_len);
	if (!parse_mechanism(word, &term))
		return false;
	keep(r, &term);
	return true;
}

/* Section 4.5: "v=spf1", then a blank or the end. */
static bool
claims(struct span text)
{
	return span_casestarts(text, SPAN("v=spf1")) &&
	       (text.len == 6 || text.p[6] == ' ');
}

/* All words; then redirect, which counts only where nothing matched. */
static bool
parse_words(struct reader *r, struct span rest)
{
	while (rest.p) {
		struct span word = span_cut(&rest, ' ');
		if (!word.len)
			continue;
		if (!parse_word(r, word)) {
			r->record->bad = word;
			return false;
		}
	}
	if (r->redirect.text.p)
		keep(r, &r->redirect);
	return true;
}

int
spf_record_parse(struct spf_record *ret, struct span text)
{
	struct reader r = {.record = ret};

	*ret = (struct spf_record){.state = SPF_RECORD_NONE};
	if (!claims(text))
		return 0;
	buf_init(&r.terms, NULL, SIZE_MAX / 2);
	bool good = parse_words(&r, span_skip(text, 6));
	if (!good || buf_failed(&r.terms)) {
		int rc = buf_failed(&r.terms) ? ERR_NOMEM : 0;
		buf_done(&r.terms);
		ret->state = SPF_RECORD_BAD;
		return rc;
	}
	ret->state = SPF_RECORD_GOOD;
	ret->terms = (struct spf_term *)(void *)r.terms.p;
	ret->n = r.terms.len / sizeof *ret->terms;
	return 0;
}

void
spf_record_done(struct spf_record *record)
{
	free(record->terms);
	record->terms = NULL;
}

/* --- on the cached answer ----------------------------------------------------- */

static const char form_kind = 0;

void
spf_record_drop(void *record)
{
	if (record)
		spf_record_done(record);
	free(record);
}

void *
spf_record_make(const struct dns_answer *answer, void *arg)
{
	struct spf_record *record = calloc(1, sizeof *record);
	struct span text = SPAN_NONE;

	(void)arg;
	if (!record)
		return NULL;
	record->state = SPF_RECORD_NONE;
	for (size_t i = 0; i < answer->n; i++) {
		if (!claims(answer->records[i].data))
			continue;
		if (text.p) {
			record->state = SPF_RECORD_SEVERAL;
			return record;
		}
		text = answer->records[i].data;
	}
	if (text.p && spf_record_parse(record, text)) {
		free(record);
		return NULL;
	}
	return record;
}

const struct spf_record *
spf_record_of(const struct dns_answer *answer)
{
	return dns_parsed(
	    answer, &form_kind, spf_record_make, spf_record_drop, NULL);
}
