#include "filter/ctl/log_format.h"

#include "filter/conf/option.h"
#include "filter/ctl/json.h"
#include "filter/ctl/when.h"

/*
 * A record as JSON. The fields that `assay check --format json` has too mean
 * the same and have the same shape; the others are those of the table of
 * fields, as the database has them, but points in points.
 */

static json_t *
points(int64_t milli)
{
	return milli == OPTION_OFF ? json_null()
				   : json_real((double)milli / 1000);
}

static json_t *
count(int64_t milli)
{
	return milli % 1000 ? json_real((double)milli / 1000)
			    : json_integer((json_int_t)(milli / 1000));
}

static json_t *
text_or_null(struct span text)
{
	return json_text(text.len ? text : SPAN_NONE);
}

/* A result of a check; as in `check`, one that was not asked is "none". */
static json_t *
result(struct span text)
{
	return json_text(text.len ? text : SPAN("none"));
}

static json_t *
symbols(const struct log_view *view, const struct record *r)
{
	const struct record_symbol **sorted = log_symbols(r, view->arena);
	json_t *list = json_array();

	for (size_t i = 0; sorted && i < r->symbols.n; i++) {
		const struct record_symbol *s = sorted[i];
		json_t *o = json_object();
		json_set(o, "name", json_text(s->name));
		json_set(o, "score", points(s->score_milli));
		json_set(o, "count", count(s->count_milli));
		json_set(o, "evidence", text_or_null(s->evidence));
		json_set(o, "origin", text_or_null(s->origin));
		json_append(list, o);
	}
	return list;
}

static json_t *
recipients(const struct record *r)
{
	json_t *list = json_array();

	for (size_t i = 0; i < r->rcpts.n; i++) {
		json_t *o = json_object();
		json_set(o, "addr", json_text(r->rcpts.v[i].addr));
		json_set(o, "action", text_or_null(r->rcpts.v[i].action));
		json_append(list, o);
	}
	return list;
}

static json_t *
names(struct span rest)
{
	json_t *list = json_array();

	while (rest.len)
		json_append(list, json_text(span_cut(&rest, ',')));
	return list;
}

static json_t *
dkim(const struct log_view *view, const struct record *r)
{
	json_t *list = json_array();
	struct span rest = r->dkim;
	struct log_signature s;

	while (log_next_signature(&rest, view->arena, &s)) {
		json_t *o = json_object();
		json_set(o, "result", json_text(s.result));
		json_set(o, "domain", text_or_null(s.domain));
		json_set(o, "selector", text_or_null(s.selector));
		json_set(o, "problem", text_or_null(s.problem));
		json_append(list, o);
	}
	return list;
}

static json_t *
spf(const struct record *r)
{
	json_t *o = json_object();

	json_set(o, "result", result(r->spf));
	json_set(o, "domain", text_or_null(r->spf_domain));
	json_set(o, "detail", text_or_null(r->spf_detail));
	return o;
}

static bool
names_one(struct span rest, const char *name)
{
	while (rest.len)
		if (span_is(span_cut(&rest, ','), name))
			return true;
	return false;
}

static json_t *
dmarc(const struct record *r)
{
	json_t *o = json_object();

	json_set(o, "result", result(r->dmarc));
	json_set(o, "policy", text_or_null(r->dmarc_policy));
	json_set(o, "from_domain", text_or_null(r->from_domain));
	json_set(
	    o, "spf_aligned", json_boolean(names_one(r->dmarc_aligned, "spf")));
	json_set(o, "dkim_aligned",
	    json_boolean(names_one(r->dmarc_aligned, "dkim")));
	json_set(o, "aligned_domain", text_or_null(r->dmarc_domain));
	json_set(o, "reason", text_or_null(r->dmarc_reason));
	json_set(o, "comment", text_or_null(r->dmarc_comment));
	return o;
}

static json_t *
field(const struct record_field *f, const struct record *r)
{
	switch (f->type) {
	case RECORD_INT:
		return json_integer((json_int_t)record_int(r, f));
	case RECORD_MILLI:
		return points(record_int(r, f));
	case RECORD_TEXT:
		break;
	}
	return json_text(record_text(r, f));
}

json_t *
log_json(const struct log_view *view, const struct record *r)
{
	char ref[REF_TEXT_SIZE], when[WHEN_TEXT_SIZE];
	json_t *o = json_object(), *arc = json_object();
	bool has_ref = view->key && r->id;

	log_ref(view, r->id, ref);
	when_rfc3339(r->time, when);
	json_set(arc, "result", result(r->arc));
	json_set(o, "file", json_null());
	json_set(o, "ref", has_ref ? json_string(ref) : json_null());
	json_set(o, "date", json_string(when));
	json_set(o, "symbols", symbols(view, r));
	json_set(o, "spf", spf(r));
	json_set(o, "dkim", dkim(view, r));
	json_set(o, "dmarc", dmarc(r));
	json_set(o, "arc", arc);
	json_set(o, "degraded", names(r->degraded));
	json_set(o, "recipients", recipients(r));
	/* Those that have a shape of their own are there already. */
	for (const struct record_field *f = record_fields; f->name; f++)
		if (!json_object_get(o, f->name))
			json_set(o, f->name, field(f, r));
	return o;
}
