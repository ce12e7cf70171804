#include "filter/ctl/check_format.h"

#include <math.h>
#include <stdlib.h>

#include "filter/ctl/ctl.h"
#include "filter/ctl/json.h"
#include "filter/fields.h"

/*
 * The forms of `assay check`. `hits` and `json` are read by programs and are
 * stable (product.md); `text` is for people; `mail` is the message with the
 * fields that enforce would add.
 */

#define TAG_WIDTH 28

int
check_form_of(const char *word, enum check_form *ret)
{
	static const char *const words[] = {"text", "json", "hits", "mail"};

	for (unsigned i = 0; i < sizeof words / sizeof *words; i++) {
		if (strcmp(word, words[i]) == 0) {
			*ret = (enum check_form)i;
			return 0;
		}
	}
	return ERR_NOTFOUND;
}

void
check_judge(struct check_report *report)
{
	const struct settings *settings = &report->snapshot->settings;
	struct scan *scan = report->scan;
	struct span rcpt =
	    scan->envelope->rcpts.n ? scan->envelope->rcpts.v[0] : SPAN("");
	size_t policy = settings_policy_of(settings, scan->direction, rcpt);
	struct policy_facts facts;

	policy_facts_of(scan, &report->examination, &facts);
	policy_merge(settings, &policy, 1, &facts, &report->verdict);
}

/* --- hits -------------------------------------------------------------------------- */

static int
by_name(const void *a, const void *b)
{
	const struct symbol_hit *const *x = a, *const *y = b;

	return span_cmp((*x)->symbol->name, (*y)->symbol->name);
}

/* The shortest decimal that reads back as the same number. */
static void
add_count(struct buf *out, double count)
{
	char text[32];

	if (count == floor(count) && fabs(count) < 1e15) {
		buf_printf(out, "%.0f", count);
		return;
	}
	for (int digits = 1; digits <= 17; digits++) {
		snprintf(text, sizeof text, "%.*g", digits, count);
		if (strtod(text, NULL) == count)
			break;
	}
	buf_add_str(out, text);
}

static void
format_hits(struct buf *out, const struct check_report *report, bool verbose)
{
	const struct symbol_hits *hits = &report->examination.hits;
	const struct symbol_hit **sorted =
	    arena_calloc(report->scan->arena, hits->n, sizeof *sorted);
	size_t n = 0;

	buf_printf(out, "%s\t", report->name);
	for (size_t i = 0; sorted && i < hits->n; i++)
		if (verbose || !hits->v[i].symbol->sub)
			sorted[n++] = &hits->v[i];
	if (n)
		qsort(sorted, n, sizeof *sorted, by_name);
	for (size_t i = 0; i < n; i++) {
		buf_printf(out, "%s%.*s=", i ? " " : "",
		    SPAN_ARG(sorted[i]->symbol->name));
		add_count(out, sorted[i]->count);
	}
	buf_add_char(out, '\n');
}

/* --- json -------------------------------------------------------------------------- */

static json_t *
milli(int64_t value)
{
	return json_real((double)value / 1000);
}

static json_t *
json_symbols(const struct check_report *report, bool verbose)
{
	const struct symbol_hits *hits = &report->examination.hits;
	json_t *list = json_array();

	for (size_t i = 0; i < hits->n; i++) {
		const struct symbol_hit *h = &hits->v[i];
		if (h->symbol->sub && !verbose)
			continue;
		json_t *o = json_object();
		bool whole = h->count == floor(h->count);
		json_set(o, "name", json_text(h->symbol->name));
		json_set(o, "score", milli(h->score_milli));
		json_set(o, "count",
		    whole ? json_integer((json_int_t)h->count)
			  : json_real(h->count));
		json_set(o, "evidence",
		    json_text(h->evidence.len ? h->evidence : SPAN_NONE));
		if (verbose)
			json_set(o, "us", json_integer(h->us));
		json_array_append_new(list, o);
	}
	return list;
}

static json_t *
json_degraded(const struct scan *scan)
{
	json_t *list = json_array();

	for (size_t i = 0; i < scan->degraded.n; i++)
		json_array_append_new(list, json_string(scan->degraded.v[i]));
	return list;
}

static void
format_json(struct buf *out, const struct check_report *report, bool verbose)
{
	struct scan *scan = report->scan;
	const struct verdict *v = &report->verdict;
	json_t *o = json_object();
	json_t *spf = json_spf(scan_spf(scan));
	json_t *dkim = json_dkim(scan_dkim(scan));
	json_t *dmarc = json_dmarc(scan_dmarc(scan));
	json_t *arc = json_arc(scan_arc(scan));

	json_set(o, "file", json_text(span_of(report->name)));
	json_set(o, "ref", json_null());
	json_set(o, "action", json_string(action_name(v->action)));
	json_set(o, "would", json_string(action_name(v->would)));
	json_set(o, "decided_by", json_string(v->by));
	json_set(o, "score", milli(v->score_milli));
	json_set(
	    o, "size", json_integer((json_int_t)message_size(scan->message)));
	json_set(o, "dir", json_string(direction_name(scan->direction)));
	json_set(o, "symbols", json_symbols(report, verbose));
	json_set(o, "spf", spf);
	json_set(o, "dkim", dkim);
	json_set(o, "dmarc", dmarc);
	json_set(o, "arc", arc);
	json_set(o, "degraded", json_degraded(scan));
	json_set(o, "ms", json_integer(report->us / 1000));
	char *text = json_line(o);
	buf_printf(out, "%s\n", text);
	free(text);
	json_decref(o);
}

/* --- text -------------------------------------------------------------------------- */

static void
add_threshold(struct buf *out, const char *name, int64_t milli_points)
{
	if (milli_points == OPTION_OFF)
		buf_printf(out, ", %s off", name);
	else
		buf_printf(out, ", %s %lld.%03lld", name,
		    (long long)(milli_points / 1000),
		    (long long)(milli_points % 1000));
}

static void
add_points(struct buf *out, int64_t value)
{
	int64_t size = value < 0 ? -value : value;

	buf_printf(out, "%s%lld.%03lld", value < 0 ? "-" : "",
	    (long long)(size / 1000), (long long)(size % 1000));
}

static void
add_spf(struct buf *out, const struct spf_facts *spf)
{
	if (spf->state != FACT_DONE && spf->state != FACT_LATER)
		return;
	buf_printf(out, "  SPF    %s ", spf_result_name(spf->mail.result));
	ctl_add_safe(out, spf->mail.domain);
	if (spf->mail.mechanism.len) {
		buf_add_str(out, " by ");
		ctl_add_safe(out, spf->mail.mechanism);
	}
	if (spf->mail.problem.len) {
		buf_add_str(out, ": ");
		ctl_add_safe(out, spf->mail.problem);
	}
	buf_add_char(out, '\n');
}

static void
add_dkim(struct buf *out, const struct dkim_facts *dkim)
{
	for (size_t i = 0; dkim && i < dkim->n; i++) {
		const struct dkim_signature *s = &dkim->signatures[i];
		buf_printf(out, "  DKIM   %s ", dkim_result_name(s->result));
		ctl_add_safe(out, s->domain);
		if (s->problem.len) {
			buf_add_str(out, ": ");
			ctl_add_safe(out, s->problem);
		}
		buf_add_char(out, '\n');
	}
}

static void
add_dmarc(struct buf *out, const struct scan_dmarc_facts *facts)
{
	const struct dmarc_facts *d = &facts->dmarc;

	if (facts->state != FACT_DONE && facts->state != FACT_LATER)
		return;
	buf_printf(out, "  DMARC  %s ", dmarc_result_name(d->result));
	ctl_add_safe(out, d->from_domain);
	if (d->record_domain.p) {
		buf_printf(out, ", p=%s at ", dmarc_policy_name(d->published));
		ctl_add_safe(out, d->record_domain);
	}
	if (d->problem.len) {
		buf_add_str(out, ": ");
		ctl_add_safe(out, d->problem);
	}
	buf_add_char(out, '\n');
}

static void
add_arc(struct buf *out, const struct scan_arc_facts *facts)
{
	const struct arc_facts *arc = facts->arc;

	if (!arc || arc->result == ARC_NONE)
		return;
	buf_printf(out, "  ARC    %s i=%u", arc_result_name(arc->result),
	    arc->instances);
	if (arc->result == ARC_PASS) {
		buf_add_str(out, ", sealed by ");
		ctl_add_safe(out, arc->sets[arc->instances - 1].domain);
		buf_add_str(out, facts->trusted.p ? ", trusted" : "");
	} else {
		buf_add_str(out, ": ");
		ctl_add_safe(out, arc->problem);
	}
	buf_add_char(out, '\n');
}

static void
add_hit(struct buf *out, const struct symbol_hit *h, bool verbose)
{
	struct buf points;

	buf_init(&points, NULL, 64);
	add_points(&points, h->score_milli);
	buf_printf(out, "%9s  %-*.*s ", buf_str(&points), TAG_WIDTH,
	    SPAN_ARG(h->symbol->name));
	buf_done(&points);
	if (h->evidence.len) {
		ctl_add_safe(out, h->evidence);
	} else {
		ctl_add_safe(out, h->symbol->describe);
	}
	if (verbose) {
		buf_printf(out, "  [%lld us", (long long)h->us);
		if (h->symbol->line)
			buf_printf(out, ", %.*s:%u", SPAN_ARG(h->symbol->file),
			    h->symbol->line);
		buf_add_char(out, ']');
	}
	buf_add_char(out, '\n');
}

static void
format_text(struct buf *out, const struct check_report *report, bool verbose)
{
	const struct verdict *v = &report->verdict;
	const struct examination *e = &report->examination;
	struct scan *scan = report->scan;

	ctl_add_safe(out, span_of(report->name));
	buf_printf(out, "\n  %s by %s: ", action_name(v->would), v->by);
	add_points(out, v->score_milli);
	buf_add_str(out, " points");
	add_threshold(out, "tag", v->policy->tag);
	add_threshold(out, "quarantine", v->policy->quarantine);
	add_threshold(out, "reject", v->policy->reject);
	buf_printf(out, "; %zu bytes, %s, %lld ms\n",
	    message_size(scan->message), direction_name(scan->direction),
	    (long long)(report->us / 1000));
	add_spf(out, scan_spf(scan));
	add_dkim(out, scan_dkim(scan)->dkim);
	add_dmarc(out, scan_dmarc(scan));
	add_arc(out, scan_arc(scan));
	for (size_t i = 0; i < scan->degraded.n; i++)
		buf_printf(out, "  degraded: %s\n", scan->degraded.v[i]);
	for (size_t i = 0; i < e->hits.n; i++)
		if (verbose || !e->hits.v[i].symbol->sub)
			add_hit(out, &e->hits.v[i], verbose);
}

/* --- mail -------------------------------------------------------------------------- */

static bool
is_removed(const struct fields *fields, const struct header *h)
{
	for (size_t i = 0; i < fields->removals.n; i++)
		if (fields->removals.v[i].nth == h->nth &&
		    span_caseeq(fields->removals.v[i].name, h->name))
			return true;
	return false;
}

/* A field of ours, with the line ends of the message. */
static void
add_field(struct buf *out, const char *name, const char *value, const char *eol)
{
	struct span rest = span_of(value);

	buf_printf(out, "%s:", name);
	while (rest.p) {
		buf_add_span(out, span_cut(&rest, '\n'));
		buf_add_str(out, eol);
	}
}

static void
add_headers(struct buf *out, const struct check_report *report,
    const struct fields *fields, const char *eol)
{
	const struct header_list *headers =
	    message_headers(report->scan->message);

	for (size_t i = 0; i < fields->additions.n; i++)
		add_field(out, fields->additions.v[i].name,
		    fields->additions.v[i].value, eol);
	if (fields->subject && !fields->has_subject)
		add_field(out, "Subject", fields->subject, eol);
	for (size_t i = 0; i < headers->fields.n; i++) {
		const struct header *h = &headers->fields.v[i];
		bool subject = fields->subject && fields->has_subject &&
			       h->nth == 1 && span_caseis(h->name, "Subject");
		if (is_removed(fields, h))
			continue;
		if (subject) {
			add_field(out, "Subject", fields->subject, eol);
			continue;
		}
		buf_add_span(out, h->name);
		buf_add_char(out, ':');
		buf_add_span(out, h->raw);
		buf_add_str(out, eol);
	}
}

/* The bytes behind the header fields, as they were read. */
static struct span
body_of(struct span text, struct arena *arena)
{
	struct header_list headers;

	header_init(&headers, arena);
	return span_skip(text, header_parse(&headers, text));
}

static void
format_mail(struct buf *out, const struct check_report *report)
{
	struct verdict verdict = report->verdict;
	struct fields fields = {0};
	struct span text = report->text;
	size_t end = span_find_char(text, '\n');
	bool crlf = end != SPAN_NPOS && end > 0 && text.p[end - 1] == '\r';
	const char *eol = crlf ? "\r\n" : "\n";

	verdict.action = verdict.would;
	struct policy_settings enforce = *verdict.policy;
	enforce.mode = MODE_ENFORCE;
	verdict.policy = &enforce;
	struct fields_request request = {
	    .arena = report->scan->arena,
	    .settings = &report->snapshot->settings,
	    .scan = report->scan,
	    .examination = &report->examination,
	    .verdict = &verdict,
	    .ref = "",
	    .leading_space = true,
	};
	if (!fields_make(&request, &fields))
		return;
	/* A mailbox stays one. */
	if (span_starts(text, SPAN("From ")) && end != SPAN_NPOS)
		buf_add_span(out, span_head(text, end + 1));
	add_headers(out, report, &fields, eol);
	buf_add_str(out, eol);
	buf_add_span(out, body_of(text, report->scan->arena));
}

void
check_format(struct buf *out, enum check_form form, bool verbose,
    const struct check_report *report)
{
	switch (form) {
	case CHECK_TEXT:
		format_text(out, report, verbose);
		break;
	case CHECK_JSON:
		format_json(out, report, verbose);
		break;
	case CHECK_HITS:
		format_hits(out, report, verbose);
		break;
	case CHECK_MAIL:
		format_mail(out, report);
		break;
	}
}
