#include <stdlib.h>

#include "filter/ctl/json.h"
#include "filter/ctl/report_table.h"

/*
 * A received aggregate report as one line of JSON, with the names that the
 * XML has. Records are printed one by one: a report may have half a million of
 * them, and a tree of all would be many times the report.
 */

struct field {
	const char *name;
	size_t offset;
};

#define FIELD(name, type, member)                                              \
	{                                                                      \
		name, offsetof(struct type, member)                            \
	}

static const struct field head_fields[] = {
    FIELD("version", report, version),
    FIELD("org_name", report, org_name),
    FIELD("email", report, email),
    FIELD("extra_contact_info", report, extra_contact),
    FIELD("report_id", report, report_id),
    FIELD("generator", report, generator),
    FIELD("domain", report, domain),
    FIELD("discovery_method", report, discovery),
    FIELD("p", report, p),
    FIELD("sp", report, sp),
    FIELD("np", report, np),
    FIELD("adkim", report, adkim),
    FIELD("aspf", report, aspf),
    FIELD("fo", report, fo),
    FIELD("testing", report, testing),
    {0},
};

static const struct field row_fields[] = {
    FIELD("source_ip", report_row, source_ip),
    FIELD("disposition", report_row, disposition),
    FIELD("dkim", report_row, dkim),
    FIELD("spf", report_row, spf),
    FIELD("header_from", report_row, header_from),
    FIELD("envelope_from", report_row, envelope_from),
    FIELD("envelope_to", report_row, envelope_to),
    {0},
};

static const struct field reason_fields[] = {
    FIELD("type", report_reason, type),
    FIELD("comment", report_reason, comment),
    {0},
};

static const struct field dkim_fields[] = {
    FIELD("domain", report_dkim, domain),
    FIELD("selector", report_dkim, selector),
    FIELD("result", report_dkim, result),
    FIELD("human_result", report_dkim, human),
    {0},
};

static const struct field spf_fields[] = {
    FIELD("domain", report_spf, domain),
    FIELD("scope", report_spf, scope),
    FIELD("result", report_spf, result),
    FIELD("human_result", report_spf, human),
    {0},
};

/* Texts of a structure into an object, null for what is not there. */
static void
set_fields(json_t *object, const struct field *fields, const void *from)
{
	for (; fields->name; fields++) {
		const char *at = (const char *)from + fields->offset;
		const struct span *text = (const void *)at;
		json_set(object, fields->name, json_text(*text));
	}
}

static json_t *
list_of(const struct field *fields, const void *items, size_t n, size_t size)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++) {
		json_t *one = json_object();
		set_fields(one, fields, (const char *)items + i * size);
		json_append(list, one);
	}
	return list;
}

#define LIST_OF(fields, vec)                                                   \
	list_of((fields), (vec)->v, (vec)->n, sizeof *(vec)->v)

static json_t *
time_or_null(int64_t when)
{
	return when < 0 ? json_null() : json_integer((json_int_t)when);
}

static json_t *
head_of(const char *file, const struct report *report)
{
	json_t *o = json_object();
	json_t *errors = json_array();

	json_set(o, "file", json_text(span_of(file)));
	json_set(o, "rfc9990", json_boolean(report->rfc9990));
	set_fields(o, head_fields, report);
	json_set(o, "begin", time_or_null(report->begin));
	json_set(o, "end", time_or_null(report->end));
	for (size_t i = 0; i < report->errors.n; i++)
		json_append(errors, json_text(report->errors.v[i]));
	json_set(o, "errors", errors);
	return o;
}

static json_t *
record_of(const struct report_row *row)
{
	json_t *o = json_object();

	set_fields(o, row_fields, row);
	json_set(o, "count", json_integer((json_int_t)row->count));
	json_set(o, "reasons", LIST_OF(reason_fields, &row->reasons));
	json_set(o, "auth_dkim", LIST_OF(dkim_fields, &row->dkim_results));
	json_set(o, "auth_spf", LIST_OF(spf_fields, &row->spf_results));
	return o;
}

void
report_print_json(const char *file, const struct report *report)
{
	json_t *head = head_of(file, report);
	char *text = json_line(head);

	/* The list of records goes in before the closing brace. */
	fwrite(text, 1, strlen(text) - 1, stdout);
	free(text);
	json_decref(head);
	fputs(",\"records\":[", stdout);
	for (size_t i = 0; i < report->rows.n; i++) {
		json_t *record = record_of(&report->rows.v[i]);
		text = json_line(record);
		fputs(i ? "," : "", stdout);
		fputs(text, stdout);
		free(text);
		json_decref(record);
	}
	puts("]}");
}
