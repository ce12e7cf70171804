#include "filter/dns/zone.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "filter/base/buf.h"
#include "filter/base/file.h"
#include "filter/base/map.h"
#include "filter/dns/name.h"
#include "filter/dns/zone_lex.h"

/*
 * The zone file. One pass over the text: zone_lex.c gives tokens, an entry is
 * read field by field into its wire form, so that what a zone says and what a
 * server says is decoded by the same code (draft.c). After a fault reading
 * goes on with the next line, to count the faults.
 *
 * Names map to a list of records each. Differs from RFC 1035 section 5.1:
 * strings may be longer than 255 bytes (they are cut into pieces), there is no
 * origin, and of the directives only $TTL is known.
 */

#define ZONE_TEXT_MAX ((size_t)256 * 1024 * 1024)
#define RDATA_MAX 65535
#define STRING_MAX 255 /* RFC 1035 section 3.3 */
#define TTL_DEFAULT_S 3600

struct zone_name {
	struct span wire;
	struct zone_record *first, *last;
	/* What a question of a type without records gets; DNS_NODATA. */
	enum dns_status otherwise;
};

struct zone {
	struct arena *arena;
	struct map names; /* wire form to struct zone_name */
};

struct loader {
	struct zone *zone;
	struct zone_lex lex;
	struct zone_name *owner; /* of the last entry */
	uint64_t ttl_s, ttl_default_s;
	struct buf rdata; /* scratch */
	const char *path;
	struct err *err; /* holds the first fault */
	size_t faults;
};

/* A reader gives NULL, or what is wrong with the token at hand. */
typedef const char *field_fn(struct loader *l);

static const char no_memory[] = "out of memory";

/* --- fields ------------------------------------------------------------------------ */

static bool
at_text(const struct loader *l)
{
	return l->lex.token == ZONE_WORD || l->lex.token == ZONE_STRING;
}

static const char *
missing(const struct loader *l, const char *what)
{
	return l->lex.token == ZONE_FAULT ? l->lex.fault : what;
}

/* Adds the name at hand, in wire form and lower case, to l->rdata. */
static const char *
read_name(struct loader *l)
{
	struct buf *out = &l->rdata;
	size_t start = out->len, label = start;
	struct span s = l->lex.text;
	bool escaped;
	char c;

	if (!at_text(l))
		return missing(l, "a name is missing");
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

/* A number with the units of BIND, as in 1h30m. */
static bool
parse_ttl(struct span s, uint64_t *ret)
{
	static const struct {
		char letter;
		uint32_t seconds;
	} units[] = {
	    {'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}, {'w', 604800}};
	uint64_t sum = 0;

	if (s.len == 0 || !ascii_is_digit(s.p[0]))
		return false;
	while (s.len) {
		size_t n = 0;
		uint64_t value, factor = 1;
		while (n < s.len && ascii_is_digit(s.p[n]))
			n++;
		if (n > 10 || span_to_u64(span_head(s, n), &value))
			return false;
		s = span_skip(s, n);
		bool known = s.len == 0;
		for (size_t i = 0; s.len && i < sizeof units / sizeof *units;
		     i++)
			if (ascii_lower(s.p[0]) == units[i].letter) {
				factor = units[i].seconds;
				known = true;
			}
		if (!known)
			return false;
		s = span_skip(s, 1);
		sum += value * factor;
	}
	*ret = sum;
	return sum <= UINT32_MAX;
}

static const char *
read_u32(struct loader *l)
{
	uint64_t value;

	if (!at_text(l) || !parse_ttl(l->lex.text, &value))
		return missing(l, "not a number");
	for (int shift = 24; shift >= 0; shift -= 8)
		buf_add_char(&l->rdata, (char)(uint8_t)(value >> shift));
	return NULL;
}

static const char *
read_u16(struct loader *l)
{
	uint64_t value;

	if (!at_text(l) || span_to_u64(l->lex.text, &value) || value > 65535)
		return missing(l, "not a number up to 65535");
	buf_add_char(&l->rdata, (char)(uint8_t)(value >> 8));
	buf_add_char(&l->rdata, (char)(uint8_t)value);
	return NULL;
}

static bool
read_address(struct loader *l, int family, size_t size)
{
	char text[64];
	uint8_t bytes[16];

	if (!at_text(l) || !span_copy(l->lex.text, text, sizeof text) ||
	    inet_pton(family, text, bytes) != 1)
		return false;
	buf_add(&l->rdata, bytes, size);
	return true;
}

static const char *
read_a(struct loader *l)
{
	return read_address(l, AF_INET, 4) ? NULL
					   : missing(l, "not an IPv4 address");
}

static const char *
read_aaaa(struct loader *l)
{
	return read_address(l, AF_INET6, 16)
		   ? NULL
		   : missing(l, "not an IPv6 address");
}

/* All strings of the entry; leaves its end at hand. */
static const char *
read_strings(struct loader *l)
{
	struct buf *out = &l->rdata;

	if (!at_text(l))
		return missing(l, "a string is missing");
	for (; at_text(l); zone_lex_next(&l->lex)) {
		struct span s = l->lex.text;
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
	return NULL;
}

/* --- entries ------------------------------------------------------------------------- */

static field_fn *const a_fields[] = {read_a, NULL};
static field_fn *const aaaa_fields[] = {read_aaaa, NULL};
static field_fn *const name_fields[] = {read_name, NULL};
static field_fn *const mx_fields[] = {read_u16, read_name, NULL};
static field_fn *const txt_fields[] = {read_strings, NULL};
static field_fn *const soa_fields[] = {read_name, read_name, read_u32, read_u32,
    read_u32, read_u32, read_u32, NULL};

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

/* The name whose wire form is in l->rdata; made when it is new. */
static const char *
set_owner(struct loader *l)
{
	struct zone *zone = l->zone;
	struct zone_name *name = map_get(&zone->names, buf_span(&l->rdata));

	if (!name) {
		name = arena_zalloc(zone->arena, sizeof *name);
		struct span wire = arena_span(zone->arena, buf_span(&l->rdata));
		if (!name || !wire.p)
			return no_memory;
		name->wire = wire;
		name->otherwise = DNS_NODATA;
		if (map_put(&zone->names, wire, name))
			return no_memory;
	}
	l->owner = name;
	return NULL;
}

static const char *
add_record(struct loader *l, enum dns_type type, enum dns_status status)
{
	struct zone_record *r = arena_zalloc(l->zone->arena, sizeof *r);

	if (!r || buf_failed(&l->rdata))
		return no_memory;
	r->type = type;
	r->status = status;
	r->ttl_s = (uint32_t)l->ttl_s;
	r->rdata = arena_span(l->zone->arena, buf_span(&l->rdata));
	if (!r->rdata.p)
		return no_memory;
	if (l->owner->last)
		l->owner->last->next = r;
	else
		l->owner->first = r;
	l->owner->last = r;
	return NULL;
}

static const char *
read_record(struct loader *l, enum dns_type type)
{
	for (field_fn *const *f = fields_of(type); *f; f++) {
		/* read_strings has read on to the end by itself. */
		const char *wrong = (*f)(l);
		if (wrong)
			return wrong;
		if (*f != read_strings)
			zone_lex_next(&l->lex);
	}
	if (l->lex.token != ZONE_END)
		return missing(l, "more than the type takes");
	return add_record(l, type, DNS_OK);
}

/* What follows TIMEOUT or SERVFAIL: a type or nothing. */
static const char *
read_failure(struct loader *l, enum dns_status status)
{
	if (l->lex.token == ZONE_END) {
		l->owner->otherwise = status;
		return NULL;
	}
	enum dns_type type = at_text(l) ? dns_type_of(l->lex.text) : 0;
	if (!type)
		return missing(l, "unknown type");
	if (zone_lex_next(&l->lex) != ZONE_END)
		return missing(l, "more than the type takes");
	return add_record(l, type, status);
}

/* TTL and class in any order, then the type and the rest. */
static const char *
read_rest(struct loader *l)
{
	l->ttl_s = l->ttl_default_s;
	while (at_text(l) && (span_caseis(l->lex.text, "IN") ||
				 parse_ttl(l->lex.text, &l->ttl_s)))
		zone_lex_next(&l->lex);
	if (!at_text(l))
		return missing(l, "the type is missing");
	struct span word = l->lex.text;
	enum dns_type type = dns_type_of(word);
	bool timeout = span_caseis(word, "TIMEOUT");
	if (!type && !timeout && !span_caseis(word, "SERVFAIL"))
		return "unknown type";
	zone_lex_next(&l->lex);
	buf_truncate(&l->rdata, 0);
	if (type)
		return read_record(l, type);
	return read_failure(l, timeout ? DNS_TIMEOUT : DNS_SERVFAIL);
}

static const char *
read_directive(struct loader *l)
{
	if (!span_caseis(l->lex.text, "$TTL"))
		return "unknown directive";
	zone_lex_next(&l->lex);
	if (!at_text(l) || !parse_ttl(l->lex.text, &l->ttl_default_s))
		return missing(l, "not a time");
	if (zone_lex_next(&l->lex) != ZONE_END)
		return missing(l, "more than a time");
	return NULL;
}

static const char *
read_entry(struct loader *l, bool blank)
{
	buf_done(&l->rdata);
	buf_init(&l->rdata, NULL, RDATA_MAX);
	if (zone_lex_next(&l->lex) == ZONE_END)
		return NULL;
	if (blank)
		return l->owner ? read_rest(l) : "the name is missing";
	if (at_text(l) && span_starts(l->lex.text, SPAN("$")))
		return read_directive(l);
	const char *wrong = read_name(l);
	if (!wrong)
		wrong = set_owner(l);
	if (wrong) {
		/* Lines without a name would belong to somebody else. */
		l->owner = NULL;
		return wrong;
	}
	zone_lex_next(&l->lex);
	return read_rest(l);
}

static void
note_fault(struct loader *l, const char *wrong)
{
	struct buf word;

	if (l->faults++)
		return;
	buf_init(&word, NULL, 256);
	if (at_text(l))
		buf_add_coded(&word, l->lex.text, 40);
	err_set(l->err, wrong == no_memory ? ERR_NOMEM : ERR_SYNTAX,
	    "%s:%zu: %s%s%s", l->path, l->lex.token_line, wrong,
	    word.len ? ": " : "", buf_str(&word));
	buf_done(&word);
}

static int
load(struct loader *l)
{
	bool blank;

	while (zone_lex_more(&l->lex, &blank)) {
		const char *wrong = read_entry(l, blank);
		if (!wrong)
			continue;
		note_fault(l, wrong);
		if (wrong == no_memory)
			return ERR_NOMEM;
		if (l->lex.token != ZONE_END)
			zone_lex_skip_line(&l->lex);
	}
	if (l->faults == 0)
		return 0;
	if (l->faults > 1 && l->err) {
		size_t n = strlen(l->err->text);
		snprintf(l->err->text + n, sizeof l->err->text - n,
		    " (and %zu more)", l->faults - 1);
	}
	return ERR_SYNTAX;
}

static struct zone *
zone_new(void)
{
	struct zone *zone = calloc(1, sizeof *zone);

	if (!zone)
		return NULL;
	zone->arena = arena_new(0);
	if (!zone->arena) {
		free(zone);
		return NULL;
	}
	map_init(&zone->names, NULL, false);
	return zone;
}

int
zone_parse(
    struct span text, const char *path, struct zone **ret, struct err *err)
{
	struct loader l = {.ttl_default_s = TTL_DEFAULT_S,
	    .path = path,
	    .err = err,
	    .zone = zone_new()};

	if (!l.zone)
		return err_set(err, ERR_NOMEM, "out of memory");
	zone_lex_init(&l.lex, text);
	int rc = load(&l);
	buf_done(&l.rdata);
	if (rc) {
		zone_free(l.zone);
		return rc;
	}
	*ret = l.zone;
	return 0;
}

int
zone_load(const char *path, struct zone **ret, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct arena *arena = arena_new(0);
	struct span text;

	if (fd < 0) {
		int error = errno;
		arena_free(arena);
		return err_set_errno(err, error, "%s", path);
	}
	int rc = arena ? file_read_fd(fd, ZONE_TEXT_MAX, arena, &text, err)
		       : err_set(err, ERR_NOMEM, "out of memory");
	close(fd);
	if (rc)
		(void)err_prefix(err, "%s", path);
	else
		rc = zone_parse(text, path, ret, err);
	arena_free(arena);
	return rc;
}

void
zone_free(struct zone *zone)
{
	if (!zone)
		return;
	map_done(&zone->names);
	arena_free(zone->arena);
	free(zone);
}

/* --- lookup ---------------------------------------------------------------------------- */

/* The first of that type; one that says "fails" goes before records. */
static const struct zone_record *
first_of(const struct zone_name *name, enum dns_type type)
{
	const struct zone_record *found = NULL;

	for (const struct zone_record *r = name->first; r; r = r->next) {
		if (r->type != type)
			continue;
		if (r->status != DNS_OK)
			return r;
		if (!found)
			found = r;
	}
	return found;
}

enum dns_status
zone_find(const struct zone *zone, struct span wire, enum dns_type type,
    const struct zone_record **ret_first)
{
	const struct zone_name *name = map_get(&zone->names, wire);

	if (!name)
		return DNS_NXDOMAIN;
	const struct zone_record *r = first_of(name, type);
	if (!r)
		r = first_of(name, DNS_CNAME);
	if (!r)
		return name->otherwise;
	if (r->status == DNS_OK)
		*ret_first = r;
	return r->status;
}

const struct zone_record *
zone_next(const struct zone_record *record)
{
	const struct zone_record *r = record->next;

	while (r && r->type != record->type)
		r = r->next;
	return r;
}
