#include "filter/ctl/json.h"

#include <stdlib.h>

#include "filter/base/buf.h"

/* JSON of facts, by jansson. The command may end when memory is short: it
 * holds nobody's mail. */

static json_t *
need(json_t *value)
{
	if (!value) {
		fputs("assay: out of memory\n", stderr);
		exit(EXIT_FAILURE);
	}
	return value;
}

void
json_set(json_t *object, const char *key, json_t *value)
{
	if (json_object_set_new(object, key, need(value)))
		need(NULL);
}

void
json_append(json_t *list, json_t *value)
{
	if (json_array_append_new(list, need(value)))
		need(NULL);
}

json_t *
json_text(struct span text)
{
	struct buf clean;

	if (!text.p)
		return json_null();
	if (span_is_utf8(text) && span_find_char(text, '\0') == SPAN_NPOS)
		return need(json_stringn(text.p, text.len));
	buf_init(&clean, NULL, text.len * 3 + 1);
	for (size_t i = 0; i < text.len;) {
		unsigned n = span_utf8_len(text.p + i, text.len - i);
		if (n == 0 || text.p[i] == '\0')
			buf_add_utf8(&clean, 0xfffd);
		else
			buf_add(&clean, text.p + i, n);
		i += n ? n : 1;
	}
	json_t *value = json_stringn(buf_str(&clean), clean.len);
	buf_done(&clean);
	return need(value);
}

static json_t *
word(const char *text)
{
	return need(json_string(text));
}

json_t *
json_spf(const struct spf_facts *spf)
{
	json_t *o = need(json_object());
	const struct spf_answer *a = &spf->mail;
	bool asked = spf->state == FACT_DONE || spf->state == FACT_LATER;

	json_set(
	    o, "result", word(asked ? spf_result_name(a->result) : "none"));
	json_set(o, "identity",
	    !asked ? json_null() : word(spf->of_helo ? "helo" : "mailfrom"));
	json_set(o, "domain", json_text(a->domain.len ? a->domain : SPAN_NONE));
	json_set(o, "explanation", json_text(a->explanation));
	json_set(o, "problem", json_text(a->problem));
	return o;
}

json_t *
json_dkim(const struct scan_dkim_facts *dkim)
{
	json_t *list = need(json_array());
	const struct dkim_facts *facts = dkim->dkim;

	for (size_t i = 0; facts && i < facts->n; i++) {
		const struct dkim_signature *s = &facts->signatures[i];
		json_t *o = need(json_object());
		json_set(o, "result", word(dkim_result_name(s->result)));
		json_set(o, "domain", json_text(s->domain));
		json_set(o, "selector", json_text(s->selector));
		json_set(o, "identity", json_text(s->identity));
		json_set(o, "algorithm", json_text(s->algorithm));
		json_set(o, "problem", json_text(s->problem));
		json_append(list, o);
	}
	return list;
}

static json_t *
policy_or_null(enum dmarc_policy policy)
{
	return policy == DMARC_POLICY_UNKNOWN ? json_null()
					      : word(dmarc_policy_name(policy));
}

json_t *
json_dmarc(const struct scan_dmarc_facts *dmarc)
{
	json_t *o = need(json_object());
	const struct dmarc_facts *d = &dmarc->dmarc;
	bool asked = dmarc->state == FACT_DONE || dmarc->state == FACT_LATER;

	json_set(
	    o, "result", word(asked ? dmarc_result_name(d->result) : "none"));
	json_set(o, "disposition",
	    asked ? policy_or_null(d->disposition) : json_null());
	json_set(o, "from_domain",
	    json_text(d->from_domain.len ? d->from_domain : SPAN_NONE));
	json_set(o, "record_domain", json_text(d->record_domain));
	json_set(o, "org_domain",
	    json_text(d->org_domain.len ? d->org_domain : SPAN_NONE));
	json_set(o, "record", json_text(d->record.text));
	json_set(o, "spf_aligned", json_boolean(d->spf_aligned));
	json_set(o, "dkim_aligned", json_boolean(d->dkim_aligned));
	return o;
}

json_t *
json_arc(const struct scan_arc_facts *arc)
{
	static const struct arc_facts nothing = {.result = ARC_NONE};
	json_t *o = need(json_object());
	const struct arc_facts *a = arc->arc ? arc->arc : &nothing;
	bool pass = a->result == ARC_PASS;

	json_set(o, "result", word(arc_result_name(a->result)));
	json_set(o, "instances", json_integer((json_int_t)a->instances));
	json_set(o, "problem", json_text(a->problem));
	json_set(o, "oldest_pass",
	    pass ? json_integer((json_int_t)a->oldest_pass) : json_null());
	json_set(o, "sealer",
	    pass ? json_text(a->sets[a->instances - 1].domain) : json_null());
	json_set(o, "trusted", json_boolean(arc->trusted.p != NULL));
	return o;
}

/* One record's data as people write it. */
static json_t *
record_text(const struct dns_record *record, enum dns_type type)
{
	struct ip ip = {.family = type == DNS_A ? 4 : 6};
	char text[IP_TEXT_SIZE];
	struct buf mx;

	switch (type) {
	case DNS_A:
	case DNS_AAAA:
		if (record->data.len != (type == DNS_A ? 4 : 16))
			return word("");
		memcpy(ip.bytes, record->data.p, record->data.len);
		ip_format(&ip, text);
		return word(text);
	case DNS_MX:
		buf_init(&mx, NULL, 1000);
		buf_printf(
		    &mx, "%u %.*s", record->preference, SPAN_ARG(record->data));
		json_t *value = json_text(buf_span(&mx));
		buf_done(&mx);
		return value;
	case DNS_NS:
	case DNS_CNAME:
	case DNS_SOA:
	case DNS_PTR:
	case DNS_TXT:
		break;
	}
	return json_text(record->data.p ? record->data : SPAN(""));
}

json_t *
json_dns(const struct dns_batch *batch)
{
	const struct dns_questions *questions = dns_batch_questions(batch);
	json_t *list = need(json_array());

	for (size_t i = 0; i < questions->n; i++) {
		const struct dns_question *q = &questions->v[i];
		const struct dns_answer *a = q->answer;
		if (!a)
			continue; /* wanted early, never needed */
		json_t *o = need(json_object());
		json_set(o, "name", json_text(q->name));
		json_set(o, "type", word(dns_type_name(q->type)));
		if (a->status == DNS_OK) {
			json_t *records = need(json_array());
			for (size_t k = 0; k < a->n; k++)
				json_append(records,
				    record_text(&a->records[k], q->type));
			json_set(o, "answer", records);
		} else {
			json_set(o, "answer", word(dns_status_name(a->status)));
		}
		json_append(list, o);
	}
	return list;
}

/* The one control that JSON allows in a string as it is. */
static char *
escape_del(char *text)
{
	struct buf out;
	struct span rest = span_of(text);

	buf_init(&out, NULL, 6 * rest.len);
	while (rest.p) {
		buf_add_span(&out, span_cut(&rest, '\x7f'));
		buf_add_str(&out, rest.p ? "\\u007f" : "");
	}
	free(text);
	if (buf_failed(&out))
		need(NULL);
	return out.p; /* the caller's to free, as the heap's */
}

char *
json_line(json_t *value)
{
	char *text = json_dumps(
	    value, JSON_COMPACT | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(15));

	if (!text)
		need(NULL);
	return strchr(text, '\x7f') ? escape_del(text) : text;
}

void
json_print(FILE *out, json_t *value)
{
	char *text = json_line(value);

	fputs(text, out);
	fputc('\n', out);
	free(text);
	json_decref(value);
}
