#include "filter/auth/spf_record.h"

#include "filter/auth/macro.h"

/*
 * The grammar of SPF records, strictly: what is not in the ABNF is a permerror.
 * What leaves this file is numbers and views, from which spf.c writes text of
 * its own for the library.
 */

bool
spf_record_claims(struct span text)
{
	return span_casestarts(text, SPAN("v=spf1")) &&
	       (text.len == 6 || text.p[6] == ' ');
}

/* --- domain-spec -------------------------------------------------------------------- */

/* toplabel: letters, digits and inner hyphens, not digits alone. */
static bool
is_toplabel(struct span label)
{
	bool letter = false;

	if (!label.len || !ascii_is_alnum(label.p[0]) ||
	    !ascii_is_alnum(label.p[label.len - 1]))
		return false;
	for (size_t i = 0; i < label.len; i++) {
		if (!ascii_is_alnum(label.p[i]) && label.p[i] != '-')
			return false;
		letter |= !ascii_is_digit(label.p[i]);
	}
	return letter;
}

/* Offset behind the last macro, 0 when there is none. */
static size_t
last_macro_end(struct span spec)
{
	size_t end = 0;

	for (size_t i = 0; i + 1 < spec.len; i++) {
		if (spec.p[i] != '%')
			continue;
		if (spec.p[i + 1] != '{') {
			i++;
			end = i + 1;
			continue;
		}
		size_t close = span_find_char(span_skip(spec, i), '}');
		if (close == SPAN_NPOS)
			return end;
		i += close;
		end = i + 1;
	}
	return end;
}

/* macro-string domain-end, with domain-end a macro or "." toplabel ["."]. */
static bool
is_domain_spec(struct span spec)
{
	if (!spec.len || !macro_valid(spec, false))
		return false;
	size_t macro = last_macro_end(spec);
	if (macro == spec.len)
		return spec.p[spec.len - 1] ==
		       '}'; /* %% and the like are none */
	if (spec.p[spec.len - 1] == '.')
		spec.len--;
	size_t dot = span_rfind_char(spec, '.');
	return dot != SPAN_NPOS && dot >= macro && spec.len > dot + 1 &&
	       is_toplabel(span_skip(spec, dot + 1));
}

/* --- numbers ------------------------------------------------------------------------ */

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

/* Length of the digits at the end of `text`. */
static size_t
final_digits(struct span text)
{
	size_t n = 0;

	while (n < text.len && ascii_is_digit(text.p[text.len - 1 - n]))
		n++;
	return n;
}

/* Takes [ip4-cidr] ["/" ip6-cidr] off the end of `*rest`. */
static bool
take_dual_cidr(struct span *rest, struct spf_term *term)
{
	struct span s = *rest;
	size_t n = final_digits(s);

	term->cidr4 = 32;
	term->cidr6 = 128;
	if (n && s.len >= n + 2 && s.p[s.len - n - 1] == '/' &&
	    s.p[s.len - n - 2] == '/') {
		if (!cidr_number(span_skip(s, s.len - n), 128, &term->cidr6))
			return false;
		s.len -= n + 2;
		n = final_digits(s);
	}
	if (n && s.len >= n + 1 && s.p[s.len - n - 1] == '/') {
		if (!cidr_number(span_skip(s, s.len - n), 32, &term->cidr4))
			return false;
		s.len -= n + 1;
	}
	*rest = s;
	return true;
}

/* --- mechanisms --------------------------------------------------------------------- */

/* [":" domain-spec] [dual-cidr]; `rest` is what follows the name. */
static bool
parse_host(struct span rest, bool cidr, struct spf_term *term)
{
	if (cidr && !take_dual_cidr(&rest, term))
		return false;
	if (!rest.len)
		return true;
	if (rest.p[0] != ':')
		return false;
	term->domain = span_skip(rest, 1);
	return is_domain_spec(term->domain);
}

static bool
parse_ip(struct span rest, struct spf_term *term)
{
	bool four = term->kind == SPF_IP4;
	struct span bits, addr;

	if (!rest.len || rest.p[0] != ':')
		return false;
	bits = span_skip(rest, 1);
	addr = span_cut(&bits, '/');
	term->net.bits = four ? 32 : 128;
	if (bits.p && !cidr_number(bits, four ? 32 : 128, &term->net.bits))
		return false;
	if (span_find_any(addr, "%") != SPAN_NPOS ||
	    span_casestarts(addr, SPAN("ipv6:")) ||
	    (span_find_char(addr, ':') == SPAN_NPOS) != four)
		return false;
	if (ip_parse(addr, &term->net.ip))
		return false;
	if (four)
		return term->net.ip.family == 4;
	/* A mapped network is an IPv4 network: clients are turned so too. */
	if (term->net.ip.family == 4)
		term->net.bits =
		    term->net.bits >= 96 ? (uint8_t)(term->net.bits - 96) : 0;
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
		return parse_host(rest, true, term);
	case SPF_PTR:
		return parse_host(rest, false, term);
	case SPF_INCLUDE:
	case SPF_EXISTS:
		return rest.len && parse_host(rest, false, term);
	}
	return false;
}

static bool
parse_mechanism(struct span word, struct spf_term *term)
{
	struct span rest = word;

	*term = (struct spf_term){.qualifier = '+', .text = word};
	if (strchr("+-~?", rest.p[0])) {
		term->qualifier = rest.p[0];
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

/* --- modifiers ---------------------------------------------------------------------- */

/* Length of a modifier's name when the word is one, else 0. */
static size_t
modifier_name(struct span word)
{
	size_t n = 0;

	if (!ascii_is_alpha(word.p[0]))
		return 0;
	while (n < word.len && (ascii_is_alnum(word.p[n]) ||
				   (word.p[n] && strchr("-_.", word.p[n]))))
		n++;
	return n < word.len && word.p[n] == '=' ? n : 0;
}

static bool
parse_modifier(struct spf_record *record, struct span word, size_t name_len)
{
	struct span name = span_head(word, name_len);
	struct span value = span_skip(word, name_len + 1);
	struct span *to = span_caseis(name, "redirect") ? &record->redirect
			  : span_caseis(name, "exp")    ? &record->exp
							: NULL;

	if (!to)
		return macro_valid(value, false);
	if (to->p || !is_domain_spec(value))
		return false; /* section 6: at most once each */
	*to = value;
	return true;
}

static int
parse_word(struct spf_record *record, struct span word, struct arena *arena)
{
	size_t name_len = modifier_name(word);
	struct spf_term term;

	if (name_len)
		return parse_modifier(record, word, name_len) ? 0 : ERR_SYNTAX;
	if (!parse_mechanism(word, &term) ||
	    record->terms.n >= SPF_RECORD_TERMS_MAX)
		return ERR_SYNTAX;
	struct spf_term *to = VEC_PUSH(arena, &record->terms);
	if (!to)
		return ERR_NOMEM;
	*to = term;
	return 0;
}

int
spf_record_parse(struct spf_record *ret, struct span text, struct arena *arena,
    struct span *ret_problem)
{
	struct spf_record record = {0};
	struct span rest = span_skip(text, 6);

	*ret_problem = span_head(text, 40);
	if (text.len > SPF_RECORD_MAX)
		return ERR_SYNTAX;
	while (rest.p) {
		struct span word = span_cut(&rest, ' ');
		if (!word.len)
			continue;
		int rc = parse_word(&record, word, arena);
		if (rc) {
			*ret_problem = word;
			return rc;
		}
	}
	*ret = record;
	return 0;
}
