#include "filter/dns/zone_field.h"

#include <arpa/inet.h>

#include "filter/dns/name.h"

/*
 * Fields of a zone file's entry, from tokens to wire form (RFC 1035 section
 * 3.3, RFC 3596). Each type is a list of fields; to know a type is to have its
 * list.
 */

#define STRING_MAX 255 /* RFC 1035 section 3.3 */

/* Reads the token at hand; NULL, or what is wrong with it. */
typedef const char *field_fn(struct zone_lex *lex, struct buf *out);

const char *
zone_field_missing(const struct zone_lex *lex, const char *what)
{
	return lex->token == ZONE_FAULT ? lex->fault : what;
}

const char *
zone_field_name(struct zone_lex *lex, struct buf *out)
{
	size_t start = out->len, label = start;
	struct span s = lex->text;
	bool escaped;
	char c;

	if (!zone_lex_at_text(lex))
		return zone_field_missing(lex, "a name is missing");
	if (span_is(s, ".")) {
		buf_add_char(out, '\0');
		return NULL;
	}
	if (span_is(s, "@"))
		return "@ means nothing, there is no origin";
	buf_add_char(out, '\0');
	while (zone_lex_byte(&s, &c, &escaped)) {
		if (c == '.' && !escaped) {
			if (out->len - label == 1)
				return "an empty label";
			label = out->len;
			buf_add_char(out, '\0');
			continue;
		}
		buf_add_char(out, ascii_lower(c));
		if (buf_failed(out))
			return "a name over 253 bytes";
		if (++out->p[label] > NAME_LABEL_MAX)
			return "a label over 63 bytes";
	}
	if (s.len)
		return "a bad escape";
	/* After a final dot the label at hand is the root. */
	if (out->len - label > 1)
		buf_add_char(out, '\0');
	if (out->len - start < 2)
		return "an empty name";
	return out->len - start > NAME_WIRE_MAX ? "a name over 253 bytes"
						: NULL;
}

/* Seconds of a unit of time, 0 for none. */
static uint64_t
seconds_of(char unit)
{
	static const struct {
		char letter;
		uint32_t seconds;
	} units[] = {
	    {'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}, {'w', 604800}};

	for (size_t i = 0; i < sizeof units / sizeof *units; i++)
		if (ascii_lower(unit) == units[i].letter)
			return units[i].seconds;
	return 0;
}

bool
zone_field_ttl(struct span s, uint64_t *ret)
{
	uint64_t sum = 0;

	if (s.len == 0)
		return false;
	while (s.len) {
		size_t n = 0;
		uint64_t value;
		while (n < s.len && ascii_is_digit(s.p[n]))
			n++;
		uint64_t factor = n < s.len ? seconds_of(s.p[n]) : 1;
		/* Ten digits keep the sums far from overflow. */
		if (n > 10 || factor == 0 || sum > UINT32_MAX ||
		    span_to_u64(span_head(s, n), &value))
			return false;
		sum += value * factor;
		s = span_skip(s, n + 1);
	}
	*ret = sum;
	return sum <= UINT32_MAX;
}

static const char *
read_u32(struct zone_lex *lex, struct buf *out)
{
	uint64_t value;

	if (!zone_lex_at_text(lex) || !zone_field_ttl(lex->text, &value))
		return zone_field_missing(lex, "not a number");
	for (int shift = 24; shift >= 0; shift -= 8)
		buf_add_char(out, (char)(uint8_t)(value >> shift));
	return NULL;
}

static const char *
read_u16(struct zone_lex *lex, struct buf *out)
{
	uint64_t value;

	if (!zone_lex_at_text(lex) || span_to_u64(lex->text, &value) ||
	    value > 65535)
		return zone_field_missing(lex, "not a number up to 65535");
	buf_add_char(out, (char)(uint8_t)(value >> 8));
	buf_add_char(out, (char)(uint8_t)value);
	return NULL;
}

static bool
read_address(struct zone_lex *lex, struct buf *out, int family, size_t size)
{
	char text[64];
	uint8_t bytes[16];

	if (!zone_lex_at_text(lex) ||
	    !span_copy(lex->text, text, sizeof text) ||
	    inet_pton(family, text, bytes) != 1)
		return false;
	buf_add(out, bytes, size);
	return true;
}

static const char *
read_a(struct zone_lex *lex, struct buf *out)
{
	return read_address(lex, out, AF_INET, 4)
		   ? NULL
		   : zone_field_missing(lex, "not an IPv4 address");
}

static const char *
read_aaaa(struct zone_lex *lex, struct buf *out)
{
	return read_address(lex, out, AF_INET6, 16)
		   ? NULL
		   : zone_field_missing(lex, "not an IPv6 address");
}

/* All strings of the entry; leaves its end at hand. */
static const char *
read_strings(struct zone_lex *lex, struct buf *out)
{
	if (!zone_lex_at_text(lex))
		return zone_field_missing(lex, "a string is missing");
	for (; zone_lex_at_text(lex); zone_lex_next(lex)) {
		struct span s = lex->text;
		size_t at = out->len;
		bool escaped;
		char c;
		buf_add_char(out, '\0');
		while (zone_lex_byte(&s, &c, &escaped)) {
			if (out->len - at > STRING_MAX) {
				at = out->len;
				buf_add_char(out, '\0');
			}
			buf_add_char(out, c);
			if (buf_failed(out))
				return "a record over 65535 bytes";
			out->p[at] = (char)(uint8_t)(out->len - at - 1);
		}
		if (s.len)
			return "a bad escape";
	}
	return buf_failed(out) ? "a record over 65535 bytes" : NULL;
}

static field_fn *const a_fields[] = {read_a, NULL};
static field_fn *const aaaa_fields[] = {read_aaaa, NULL};
static field_fn *const name_fields[] = {zone_field_name, NULL};
static field_fn *const mx_fields[] = {read_u16, zone_field_name, NULL};
static field_fn *const txt_fields[] = {read_strings, NULL};
static field_fn *const soa_fields[] = {zone_field_name, zone_field_name,
    read_u32, read_u32, read_u32, read_u32, read_u32, NULL};

static field_fn *const *
fields_of(enum dns_type type)
{
	switch (type) {
	case DNS_A:
		return a_fields;
	case DNS_AAAA:
		return aaaa_fields;
	case DNS_NS:
	case DNS_CNAME:
	case DNS_PTR:
		return name_fields;
	case DNS_MX:
		return mx_fields;
	case DNS_TXT:
		return txt_fields;
	case DNS_SOA:
		return soa_fields;
	}
	return NULL;
}

const char *
zone_field_all(struct zone_lex *lex, enum dns_type type, struct buf *out)
{
	for (field_fn *const *f = fields_of(type); *f; f++) {
		const char *wrong = (*f)(lex, out);
		if (wrong)
			return wrong;
		/* Strings have been read to the end of the entry. */
		if (*f != read_strings)
			zone_lex_next(lex);
	}
	return lex->token == ZONE_END
		   ? NULL
		   : zone_field_missing(lex, "more than the type takes");
}
