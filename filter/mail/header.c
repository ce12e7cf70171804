#include "filter/mail/header.h"

/*
 * The header fields of a message, in order. Values keep their bytes; who wants
 * them readable asks header_unfold() and the decoders of word.c. A table by
 * name answers which field is the first, the last and the n-th of its name, so
 * that a header of many thousand fields stays linear.
 */

/* What is known of one name. Indexes are into `fields`. */
struct header_name {
	size_t first, last;
	unsigned kept;  /* fields in the list */
	unsigned total; /* with those dropped */
};

#define MBOX_LINE SPAN("From ")
#define ODD_LINES_MAX 3 /* SpamAssassin: the 4th such line is the body */

void
header_init(struct header_list *list, struct arena *arena)
{
	*list = (struct header_list){.arena = arena};
	map_init(&list->names, arena, true);
}

/* Names are looked up without the blanks around them: `From :` is a From to
 * Postfix, Sendmail and SpamAssassin. */
static struct span
name_key(struct span name)
{
	return span_trim(name);
}

static struct header_name *
name_get(const struct header_list *list, struct span name)
{
	return map_get(&list->names, name_key(name));
}

/* Creates the entry; `name` must stay where it is. NULL when memory is out. */
static struct header_name *
name_make(struct header_list *list, struct span name)
{
	struct header_name *entry = name_get(list, name);

	if (entry)
		return entry;
	entry = arena_zalloc(list->arena, sizeof *entry);
	if (!entry || map_put(&list->names, name_key(name), entry))
		return NULL;
	return entry;
}

void
header_watch(struct header_list *list, struct span name)
{
	struct span copy = arena_span(list->arena, name);

	/* Out of memory shows in the arena, as everywhere. */
	if (copy.p)
		(void)name_make(list, copy);
}

/* A field past the limits. Its number among its name still counts, for names
 * that are known: the table itself must not grow without end. */
static void
drop(struct header_list *list, struct span name)
{
	struct header_name *entry = name_get(list, name);

	if (entry)
		entry->total++;
	list->dropped++;
}

/* A byte that a field's name may have (RFC 5322 section 3.6.8). */
static bool
is_ftext(char c)
{
	unsigned char u = (unsigned char)c;

	return u > 0x20 && u < 0x7f && u != ':';
}

static bool
is_odd_name(struct span name)
{
	for (size_t i = 0; i < name.len; i++)
		if (!is_ftext(name.p[i]))
			return true;
	return name.len == 0;
}

/* To the end, within the limits of the list. */
static void
push(struct header_list *list, struct header h)
{
	struct header_name *entry = name_make(list, h.name);
	struct header *to = entry ? VEC_PUSH(list->arena, &list->fields) : NULL;

	if (!to) {
		list->dropped++;
		return;
	}
	h.nth = ++entry->total;
	*to = h;
	entry->last = list->fields.n - 1;
	if (entry->kept++ == 0)
		entry->first = entry->last;
	list->bytes += h.name.len + h.raw.len;
}

void
header_add(struct header_list *list, struct span name, struct span raw)
{
	size_t left = HEADER_BYTES_MAX - list->bytes;
	struct header h = {.odd = is_odd_name(name)};

	if (list->fields.n >= HEADER_FIELDS_MAX || name.len > left) {
		drop(list, name);
		return;
	}
	h.truncated = raw.len > left - name.len;
	h.name = arena_span(list->arena, name);
	h.raw = arena_span(list->arena, span_head(raw, left - name.len));
	if (!h.name.p || !h.raw.p)
		drop(list, name);
	else
		push(list, h);
}

void
header_share(struct header_list *list, const struct header *header)
{
	if (header->name.p && header->raw.p)
		push(list, *header);
	else
		list->dropped++;
}

const struct header *
header_first(const struct header_list *list, struct span name)
{
	const struct header_name *entry = name_get(list, name);

	return entry && entry->kept ? &list->fields.v[entry->first] : NULL;
}

const struct header *
header_last(const struct header_list *list, struct span name)
{
	const struct header_name *entry = name_get(list, name);

	return entry && entry->kept ? &list->fields.v[entry->last] : NULL;
}

size_t
header_count(const struct header_list *list, struct span name)
{
	const struct header_name *entry = name_get(list, name);

	return entry ? entry->total : 0;
}

/* True when `odd` is `name` once all but printable ASCII is taken out. */
static bool
looks_like(struct span odd, struct span name)
{
	size_t n = 0;

	for (size_t i = 0; i < odd.len; i++) {
		char c = odd.p[i];
		if (!is_ftext(c))
			continue;
		if (n == name.len || ascii_lower(c) != ascii_lower(name.p[n]))
			return false;
		n++;
	}
	return n == name.len;
}

const struct header *
header_lookalike(const struct header_list *list, struct span name)
{
	for (size_t i = 0; i < list->fields.n; i++) {
		const struct header *h = &list->fields.v[i];
		if (h->odd && looks_like(h->name, name))
			return h;
	}
	return NULL;
}

/* --- a block of text ------------------------------------------------------ */

/* `token:`, blanks before the colon allowed (obsolete RFC 5322 section 4.5.8).
 * Returns the length of what stands before the colon, 0 when it is no field. */
static size_t
field_name(struct span line)
{
	size_t n = 0;

	while (n < line.len && is_ftext(line.p[n]))
		n++;
	size_t token = n;
	while (n < line.len && ascii_is_blank(line.p[n]))
		n++;
	return token && n < line.len && line.p[n] == ':' ? n : 0;
}

/* The mbox separator `From x@y date`; `From : x@y` is a field. */
static bool
is_mbox_line(struct span line)
{
	if (!span_starts(line, MBOX_LINE))
		return false;
	struct span rest = span_trim_left(span_skip(line, MBOX_LINE.len));
	return rest.len == 0 || rest.p[0] != ':';
}

static struct span
without_eol(struct span s)
{
	if (s.len && s.p[s.len - 1] == '\n')
		s.len--;
	if (s.len && s.p[s.len - 1] == '\r')
		s.len--;
	return s;
}

/*
 * Takes one field with its continuation lines off the front of `*rest`. The
 * first line is taken whatever it begins with: a block may open with a blank.
 */
static struct span
take_field(struct span *rest)
{
	struct span all = *rest;
	struct span line;

	span_line(rest, &line);
	while (rest->len && ascii_is_blank(rest->p[0]))
		span_line(rest, &line);
	return span_head(all, all.len - rest->len);
}

/* A line that is no `token:`. With a colon it is a field of an odd name, as
 * SpamAssassin has it (section 11.3); without, it is only counted. */
static void
add_odd(struct header_list *list, struct span field, struct span line)
{
	size_t colon = span_find_char(line, ':');

	list->odd_lines = true;
	if (colon != SPAN_NPOS && colon > 0)
		header_add(list, span_head(line, colon),
		    without_eol(span_skip(field, colon + 1)));
}

size_t
header_parse(struct header_list *list, struct span text)
{
	struct span rest = text, line;
	unsigned odd = 0;

	if (is_mbox_line(rest))
		span_line(&rest, &line);
	while (rest.len) {
		struct span before = rest, look = rest;
		span_line(&look, &line);
		if (line.len == 0)
			return text.len - look.len;
		size_t name = field_name(line);
		bool blank = ascii_is_blank(line.p[0]);
		if (span_starts(line, SPAN("--")) ||
		    (!name && !blank && ++odd > ODD_LINES_MAX)) {
			list->odd_lines = true;
			return text.len - before.len;
		}
		struct span field = take_field(&rest);
		if (name)
			header_add(list, span_head(field, name),
			    without_eol(span_skip(field, name + 1)));
		else
			add_odd(list, field, line);
	}
	return text.len;
}

struct span
header_unfold(struct span raw, struct arena *arena)
{
	struct span s = span_trim(raw);
	size_t n = 0;

	if (span_find_char(s, '\n') == SPAN_NPOS)
		return s;
	char *to = arena_alloc(arena, s.len);
	if (!to)
		return SPAN_NONE;
	for (size_t i = 0; i < s.len;) {
		char c = s.p[i++];
		if (c == '\r' && i < s.len && s.p[i] == '\n')
			continue;
		if (c == '\n') {
			while (i < s.len && ascii_is_blank(s.p[i]))
				i++;
			c = ' ';
		}
		to[n++] = c;
	}
	return span_make(to, n);
}
