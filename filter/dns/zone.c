#include "filter/dns/zone.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "filter/base/buf.h"
#include "filter/base/file.h"
#include "filter/base/map.h"
#include "filter/dns/zone_field.h"
#include "filter/dns/zone_lex.h"

/*
 * The zone file. One pass over the text: zone_lex.c gives tokens,
 * zone_field.c turns them into wire form, so that what a zone says and what a
 * server says is decoded by the same code (draft.c). After a fault reading
 * goes on with the next line, to count the faults.
 *
 * Names map to a list of records each. Differs from RFC 1035 section 5.1:
 * strings may be longer than 255 bytes (they are cut into pieces), there is no
 * origin, and of the directives only $TTL is known.
 */

#define ZONE_TEXT_MAX ((size_t)256 * 1024 * 1024)
#define RDATA_MAX 65535
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

/* Readers give NULL, or what is wrong with the token at hand. */
static const char no_memory[] = "out of memory";

/* --- entries ------------------------------------------------------------------------- */

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

/* What follows TIMEOUT or SERVFAIL: a type or nothing. */
static const char *
read_failure(struct loader *l, enum dns_status status)
{
	if (l->lex.token == ZONE_END) {
		l->owner->otherwise = status;
		return NULL;
	}
	enum dns_type type =
	    zone_lex_at_text(&l->lex) ? dns_type_of(l->lex.text) : 0;
	if (!type)
		return zone_field_missing(&l->lex, "unknown type");
	if (zone_lex_next(&l->lex) != ZONE_END)
		return zone_field_missing(&l->lex, "more than the type takes");
	return add_record(l, type, status);
}

/* TTL and class in any order, then the type and the rest. */
static const char *
read_rest(struct loader *l)
{
	l->ttl_s = l->ttl_default_s;
	while (zone_lex_at_text(&l->lex) &&
	       (span_caseis(l->lex.text, "IN") ||
		   zone_field_ttl(l->lex.text, &l->ttl_s)))
		zone_lex_next(&l->lex);
	if (!zone_lex_at_text(&l->lex))
		return zone_field_missing(&l->lex, "the type is missing");
	struct span word = l->lex.text;
	enum dns_type type = dns_type_of(word);
	bool timeout = span_caseis(word, "TIMEOUT");
	if (!type && !timeout && !span_caseis(word, "SERVFAIL"))
		return "unknown type";
	zone_lex_next(&l->lex);
	buf_truncate(&l->rdata, 0);
	if (type) {
		const char *wrong = zone_field_all(&l->lex, type, &l->rdata);
		return wrong ? wrong : add_record(l, type, DNS_OK);
	}
	return read_failure(l, timeout ? DNS_TIMEOUT : DNS_SERVFAIL);
}

static const char *
read_directive(struct loader *l)
{
	if (!span_caseis(l->lex.text, "$TTL"))
		return "unknown directive";
	zone_lex_next(&l->lex);
	if (!zone_lex_at_text(&l->lex) ||
	    !zone_field_ttl(l->lex.text, &l->ttl_default_s))
		return zone_field_missing(&l->lex, "not a time");
	if (zone_lex_next(&l->lex) != ZONE_END)
		return zone_field_missing(&l->lex, "more than a time");
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
	if (zone_lex_at_text(&l->lex) && span_starts(l->lex.text, SPAN("$")))
		return read_directive(l);
	const char *wrong = zone_field_name(&l->lex, &l->rdata);
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
	if (zone_lex_at_text(&l->lex))
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
