#include "filter/fields.h"

/*
 * The header as it leaves: what a signature or a seal has to be made over.
 * Nothing is copied but the few values that change.
 */

/* The key under which a removal is found: name, then number. */
static struct span
removal_key(struct arena *arena, struct span name, unsigned nth)
{
	return arena_printf(arena, "%u:%.*s", nth, SPAN_ARG(span_trim(name)));
}

static bool
map_removals(const struct fields *fields, struct arena *arena, struct map *ret)
{
	map_init(ret, arena, true);
	for (size_t i = 0; i < fields->removals.n; i++) {
		struct field_removal *r = &fields->removals.v[i];
		struct span key = removal_key(arena, r->name, r->nth);
		if (!key.p || map_put(ret, key, r))
			return false;
	}
	return true;
}

static bool
is_removed(
    const struct map *removals, struct arena *arena, const struct header *h)
{
	return removals->n > 0 &&
	       map_get(removals, removal_key(arena, h->name, h->nth));
}

/* A value as the MTA will write it behind the colon. */
static struct span
raw_of(const struct fields_request *request, const char *value)
{
	if (request->leading_space)
		return span_of(value);
	return arena_printf(request->arena, " %s", value);
}

static void
share(const struct fields_request *request, struct header_list *list,
    const char *name, const char *value)
{
	struct header h = {
	    .name = span_of(name),
	    .raw = raw_of(request, value),
	};

	header_share(list, &h);
}

const struct header_list *
fields_leaving(
    const struct fields_request *request, const struct fields *fields)
{
	const struct header_list *came =
	    message_headers(request->scan->message);
	struct arena *arena = request->arena;
	struct header_list *list = arena_zalloc(arena, sizeof *list);
	struct map removals;

	if (!list || !map_removals(fields, arena, &removals))
		return NULL;
	header_init(list, arena);
	if (fields->subject && !fields->has_subject)
		share(request, list, "Subject", fields->subject);
	for (size_t i = 0; i < fields->additions.n; i++)
		share(request, list, fields->additions.v[i].name,
		    fields->additions.v[i].value);
	const struct header *subject = fields->subject && fields->has_subject
					   ? header_first(came, SPAN("Subject"))
					   : NULL;
	for (size_t i = 0; i < came->fields.n; i++) {
		struct header h = came->fields.v[i];
		if (is_removed(&removals, arena, &h))
			continue;
		if (&came->fields.v[i] == subject)
			h.raw = raw_of(request, fields->subject);
		header_share(list, &h);
	}
	list->dropped += came->dropped;
	return arena_failed(arena) ? NULL : list;
}

const char *
fields_value(const struct fields_request *request, struct span value)
{
	struct buf out;

	buf_init(&out, request->arena, value.len + 1);
	if (request->leading_space)
		buf_add_char(&out, ' ');
	for (size_t i = 0; i < value.len; i++)
		if (value.p[i] != '\r')
			buf_add_char(&out, value.p[i]);
	return buf_failed(&out) ? NULL : buf_str(&out);
}

void
fields_put_on_top(const struct fields_request *request, struct fields *fields,
    const struct field_additions *top)
{
	size_t n = fields->additions.n;
	struct field *all =
	    arena_calloc(request->arena, top->n + n, sizeof *all);

	if (!all)
		return;
	if (top->n)
		memcpy(all, top->v, top->n * sizeof *all);
	if (n)
		memcpy(all + top->n, fields->additions.v, n * sizeof *all);
	fields->additions = (struct field_additions){
	    .v = all, .n = top->n + n, .size = top->n + n};
}
