#include "filter/auth/report.h"

#include <expat.h>

#include "filter/base/ip.h"
#include "filter/base/map.h"

/*
 * The XML of a received aggregate report to data, on expat, which is named
 * here alone. What is known of a report is one table: an element counts where
 * its parent says so, everything else is skipped with what is in it.
 *
 * Reports come from strangers, so: a document type ends the reading at its
 * first word (no entity is ever declared, nothing outside is named); depth,
 * rows, entries of a list, and texts have limits; and so has what expat keeps
 * by itself: one token (it holds a token whole) and names (it keeps each name
 * that it has met). Handlers do not recurse.
 */

#define NAMESPACE "urn:ietf:params:xml:ns:dmarc-2.0"
#define SEPARATOR '\n' /* between namespace and name, from expat */
#define CHUNK_SIZE ((size_t)64 * 1024)
#define TOKEN_MAX (4 * CHUNK_SIZE) /* one tag, comment or instruction */
#define NAMES_MAX 1024 /* different names of elements, attributes, prefixes */
#define ATTRIBUTES_MAX 64
#define LIST_MAX 256 /* results, reasons of a row; errors of a report */
#define TIME_MAX INT64_C(253402300799) /* the year 9999 */
/* So that sums over all rows of many reports fit in 64 bits. */
#define COUNT_MAX UINT64_C(1000000000000)

enum node {
	NODE_DOCUMENT,
	NODE_FEEDBACK,
	NODE_METADATA,
	NODE_DATES,
	NODE_POLICY,
	NODE_RECORD,
	NODE_ROW,
	NODE_EVALUATED,
	NODE_REASON,
	NODE_IDENTIFIERS,
	NODE_RESULTS,
	NODE_DKIM,
	NODE_SPF,
	NODE_TEXT, /* from here on: no elements inside */
	NODE_ADDRESS,
	NODE_COUNT,
	NODE_TIME,
	NODE_ERROR,
	NODE_SKIP,
};

struct element {
	const char *name;
	uint8_t node, parent;
	uint16_t offset; /* of a text or number: in what its parent fills */
};

#define IN_REPORT(field) offsetof(struct report, field)
#define IN_ROW(field) offsetof(struct report_row, field)
#define IN_REASON(field) offsetof(struct report_reason, field)
#define IN_DKIM(field) offsetof(struct report_dkim, field)
#define IN_SPF(field) offsetof(struct report_spf, field)

static const struct element elements[] = {
    {"feedback", NODE_FEEDBACK, NODE_DOCUMENT, 0},
    {"version", NODE_TEXT, NODE_FEEDBACK, IN_REPORT(version)},
    {"report_metadata", NODE_METADATA, NODE_FEEDBACK, 0},
    {"policy_published", NODE_POLICY, NODE_FEEDBACK, 0},
    {"record", NODE_RECORD, NODE_FEEDBACK, 0},
    {"org_name", NODE_TEXT, NODE_METADATA, IN_REPORT(org_name)},
    {"email", NODE_TEXT, NODE_METADATA, IN_REPORT(email)},
    {"extra_contact_info", NODE_TEXT, NODE_METADATA, IN_REPORT(extra_contact)},
    {"report_id", NODE_TEXT, NODE_METADATA, IN_REPORT(report_id)},
    {"generator", NODE_TEXT, NODE_METADATA, IN_REPORT(generator)},
    {"error", NODE_ERROR, NODE_METADATA, 0},
    {"date_range", NODE_DATES, NODE_METADATA, 0},
    {"begin", NODE_TIME, NODE_DATES, IN_REPORT(begin)},
    {"end", NODE_TIME, NODE_DATES, IN_REPORT(end)},
    {"domain", NODE_TEXT, NODE_POLICY, IN_REPORT(domain)},
    {"discovery_method", NODE_TEXT, NODE_POLICY, IN_REPORT(discovery)},
    {"p", NODE_TEXT, NODE_POLICY, IN_REPORT(p)},
    {"sp", NODE_TEXT, NODE_POLICY, IN_REPORT(sp)},
    {"np", NODE_TEXT, NODE_POLICY, IN_REPORT(np)},
    {"adkim", NODE_TEXT, NODE_POLICY, IN_REPORT(adkim)},
    {"aspf", NODE_TEXT, NODE_POLICY, IN_REPORT(aspf)},
    {"fo", NODE_TEXT, NODE_POLICY, IN_REPORT(fo)},
    {"testing", NODE_TEXT, NODE_POLICY, IN_REPORT(testing)},
    {"row", NODE_ROW, NODE_RECORD, 0},
    {"identifiers", NODE_IDENTIFIERS, NODE_RECORD, 0},
    {"auth_results", NODE_RESULTS, NODE_RECORD, 0},
    {"source_ip", NODE_ADDRESS, NODE_ROW, IN_ROW(source_ip)},
    {"count", NODE_COUNT, NODE_ROW, IN_ROW(count)},
    {"policy_evaluated", NODE_EVALUATED, NODE_ROW, 0},
    {"disposition", NODE_TEXT, NODE_EVALUATED, IN_ROW(disposition)},
    {"dkim", NODE_TEXT, NODE_EVALUATED, IN_ROW(dkim)},
    {"spf", NODE_TEXT, NODE_EVALUATED, IN_ROW(spf)},
    {"reason", NODE_REASON, NODE_EVALUATED, 0},
    {"type", NODE_TEXT, NODE_REASON, IN_REASON(type)},
    {"comment", NODE_TEXT, NODE_REASON, IN_REASON(comment)},
    {"header_from", NODE_TEXT, NODE_IDENTIFIERS, IN_ROW(header_from)},
    {"envelope_from", NODE_TEXT, NODE_IDENTIFIERS, IN_ROW(envelope_from)},
    {"envelope_to", NODE_TEXT, NODE_IDENTIFIERS, IN_ROW(envelope_to)},
    {"dkim", NODE_DKIM, NODE_RESULTS, 0},
    {"domain", NODE_TEXT, NODE_DKIM, IN_DKIM(domain)},
    {"selector", NODE_TEXT, NODE_DKIM, IN_DKIM(selector)},
    {"result", NODE_TEXT, NODE_DKIM, IN_DKIM(result)},
    {"human_result", NODE_TEXT, NODE_DKIM, IN_DKIM(human)},
    {"spf", NODE_SPF, NODE_RESULTS, 0},
    {"domain", NODE_TEXT, NODE_SPF, IN_SPF(domain)},
    {"scope", NODE_TEXT, NODE_SPF, IN_SPF(scope)},
    {"result", NODE_TEXT, NODE_SPF, IN_SPF(result)},
    {"human_result", NODE_TEXT, NODE_SPF, IN_SPF(human)},
};
#define N_ELEMENTS (sizeof elements / sizeof *elements)

static const struct element skipped = {"", NODE_SKIP, NODE_SKIP, 0};

/* What is being filled, and what was before it: rows of a report are much
 * alike, and equal texts are kept once. */
struct filling {
	struct report_row row;
	struct report_reason reason;
	struct report_dkim dkim;
	struct report_spf spf;
};

struct reader {
	XML_Parser parser;
	struct arena *arena;
	struct err *err;
	struct report *report;
	struct filling now, before;
	/* of the row that is read; their arrays are used again by the next */
	struct report_reasons reasons;
	struct report_dkims dkims;
	struct report_spfs spfs;
	struct span namespace; /* of the root; p NULL: none */
	struct map names;
	const struct element *stack[REPORT_DEPTH_MAX];
	unsigned depth;
	char text[REPORT_TEXT_MAX];
	size_t text_len;
	int rc; /* of a handler */
};

/* --- ending --------------------------------------------------------------------- */

static unsigned long long
line_of(const struct reader *r)
{
	return XML_GetCurrentLineNumber(r->parser);
}

static void
stop(struct reader *r, int code, const char *what)
{
	if (r->rc)
		return;
	r->rc = err_set(r->err, code, "line %llu: %s", line_of(r), what);
	(void)XML_StopParser(r->parser, XML_FALSE);
}

static void
stop_nomem(struct reader *r)
{
	stop(r, ERR_NOMEM, "out of memory");
}

/* A push that must succeed, into a list of at most `max` entries. */
#define PUSH(r, list, max, what, value)                                        \
	do {                                                                   \
		if ((list)->n == (max)) {                                      \
			stop((r), ERR_LIMIT, (what));                          \
		} else if (!VEC_PUSH((r)->arena, (list))) {                    \
			stop_nomem(r);                                         \
		} else {                                                       \
			(list)->v[(list)->n - 1] = (value);                    \
		}                                                              \
	} while (0)

/* --- names ---------------------------------------------------------------------- */

/* Expat keeps each name that it met until the end: many of them are many
 * megabytes that no budget of ours sees. */
static void
note_name(struct reader *r, const char *name)
{
	struct span key = span_of(name);

	if (map_get(&r->names, key))
		return;
	if (r->names.n == NAMES_MAX) {
		stop(r, ERR_LIMIT, "too many different names");
		return;
	}
	key = arena_span(r->arena, key);
	if (!key.p || map_put(&r->names, key, r))
		stop_nomem(r);
}

static void
note_attributes(struct reader *r, const XML_Char **attributes)
{
	size_t n = 0;

	for (; attributes[2 * n] && !r->rc; n++) {
		if (n == ATTRIBUTES_MAX)
			stop(r, ERR_LIMIT, "too many attributes");
		else
			note_name(r, attributes[2 * n]);
	}
}

static void XMLCALL
on_namespace(void *arg, const XML_Char *prefix, const XML_Char *uri)
{
	struct reader *r = arg;

	if (uri && strlen(uri) > REPORT_TEXT_MAX)
		stop(r, ERR_LIMIT, "namespace too long");
	else if (prefix)
		note_name(r, prefix);
}

/* --- elements ------------------------------------------------------------------- */

static const struct element *
find_element(const struct reader *r, struct span namespace, struct span name)
{
	uint8_t parent =
	    r->depth ? r->stack[r->depth - 1]->node : NODE_DOCUMENT;

	/* Elements of another namespace are extensions, whatever their name. */
	if (r->depth && !span_eq(namespace, r->namespace))
		return &skipped;
	for (size_t i = 0; i < N_ELEMENTS && parent < NODE_TEXT; i++)
		if (elements[i].parent == parent &&
		    span_is(name, elements[i].name))
			return &elements[i];
	return &skipped;
}

static void
begin_root(
    struct reader *r, const struct element *element, struct span namespace)
{
	if (element->node != NODE_FEEDBACK) {
		stop(r, ERR_SYNTAX, "XML, but no DMARC report");
		return;
	}
	r->report->rfc9990 = span_is(namespace, NAMESPACE);
	if (namespace.p) {
		r->namespace = arena_span(r->arena, namespace);
		if (!r->namespace.p)
			stop_nomem(r);
	}
}

static void
begin_element(struct reader *r, const struct element *element)
{
	if (element->node != NODE_SKIP)
		r->text_len = 0;
	switch (element->node) {
	case NODE_RECORD:
		r->before.row = r->now.row;
		r->now.row = (struct report_row){0};
		r->reasons.n = r->dkims.n = r->spfs.n = 0;
		break;
	case NODE_REASON:
		r->before.reason = r->now.reason;
		r->now.reason = (struct report_reason){0};
		break;
	case NODE_DKIM:
		r->before.dkim = r->now.dkim;
		r->now.dkim = (struct report_dkim){0};
		break;
	case NODE_SPF:
		r->before.spf = r->now.spf;
		r->now.spf = (struct report_spf){0};
		break;
	default:
		break;
	}
}

static void XMLCALL
on_start(void *arg, const XML_Char *name, const XML_Char **attributes)
{
	struct reader *r = arg;
	struct span local = span_of(name), namespace = SPAN_NONE;
	size_t cut = span_rfind_char(local, SEPARATOR);

	if (cut != SPAN_NPOS) {
		namespace = span_head(local, cut);
		local = span_skip(local, cut + 1);
	}
	const struct element *element = find_element(r, namespace, local);
	if (r->depth == 0)
		begin_root(r, element, namespace);
	if (element == &skipped)
		note_name(r, name);
	note_attributes(r, attributes);
	if (r->depth == REPORT_DEPTH_MAX) {
		stop(r, ERR_LIMIT, "elements too deep in each other");
		return;
	}
	r->stack[r->depth++] = element;
	begin_element(r, element);
}

/* --- texts and numbers ---------------------------------------------------------- */

static void XMLCALL
on_text(void *arg, const XML_Char *text, int len)
{
	struct reader *r = arg;
	uint8_t node = r->depth ? r->stack[r->depth - 1]->node : NODE_DOCUMENT;
	size_t room = sizeof r->text - r->text_len, n = (size_t)len;

	if (node < NODE_TEXT || node == NODE_SKIP)
		return;
	/* Blanks in front take no room. */
	while (r->text_len == 0 && n && ascii_is_space(*text)) {
		text++;
		n--;
	}
	n = n < room ? n : room;
	memcpy(r->text + r->text_len, text, n);
	r->text_len += n;
}

/* Without blanks, and whole characters only. */
static struct span
text_of(const struct reader *r)
{
	struct span text = span_make(r->text, r->text_len);

	for (size_t i = 1; i <= 4 && i <= text.len; i++) {
		unsigned char c = (unsigned char)text.p[text.len - i];
		if ((c & 0xc0) == 0x80)
			continue;
		if (c >= 0xc0 && !span_utf8_len(&text.p[text.len - i], i))
			text.len -= i;
		break;
	}
	return span_trim(text);
}

/* What a text's parent fills, in `now` or `before`. */
static void *
target(struct reader *r, struct filling *filling, const struct element *e)
{
	char *base = (char *)r->report;

	switch (e->parent) {
	case NODE_ROW:
	case NODE_EVALUATED:
	case NODE_IDENTIFIERS:
		base = (char *)&filling->row;
		break;
	case NODE_REASON:
		base = (char *)&filling->reason;
		break;
	case NODE_DKIM:
		base = (char *)&filling->dkim;
		break;
	case NODE_SPF:
		base = (char *)&filling->spf;
		break;
	default:
		break;
	}
	return base + e->offset;
}

static void
keep_text(struct reader *r, const struct element *e, struct span text)
{
	struct span *to = target(r, &r->now, e);
	const struct span *had = target(r, &r->before, e);

	if (had->p && span_eq(*had, text)) {
		*to = *had;
		return;
	}
	*to = arena_span(r->arena, text);
	if (!to->p)
		stop_nomem(r);
}

static void
keep_address(struct reader *r, const struct element *e, struct span text)
{
	struct ip ip;

	/* Some reporters have rows that they do not know the client of. */
	if (text.len && ip_parse(text, &ip))
		stop(r, ERR_SYNTAX, "source_ip is no address");
	else if (text.len)
		keep_text(r, e, text);
}

static void
keep_count(struct reader *r, const struct element *e, struct span text)
{
	uint64_t *to = target(r, &r->now, e);

	if (span_to_u64(text, to) || *to > COUNT_MAX)
		stop(r, ERR_SYNTAX, "count is no number of messages");
}

static void
keep_time(struct reader *r, const struct element *e, struct span text)
{
	int64_t *to = target(r, &r->now, e);

	if (span_to_i64(text, to) || *to < 0 || *to > TIME_MAX)
		stop(r, ERR_SYNTAX, "date_range is no time");
}

static void
keep_error(struct reader *r, struct span text)
{
	text = arena_span(r->arena, text);
	if (!text.p)
		stop_nomem(r);
	else
		PUSH(r, &r->report->errors, LIST_MAX, "too many errors", text);
}

/* The list of a row as large as it is. */
#define KEEP_LIST(r, to, from)                                                 \
	do {                                                                   \
		(to)->v =                                                      \
		    keep_list((r), (from)->v, (from)->n, sizeof *(from)->v);   \
		(to)->n = (to)->size = (from)->n;                              \
	} while (0)

static void *
keep_list(struct reader *r, const void *items, size_t n, size_t size)
{
	if (n == 0)
		return NULL;
	void *copy = arena_alloc(r->arena, n * size);
	if (copy)
		memcpy(copy, items, n * size);
	else
		stop_nomem(r);
	return copy;
}

static void
keep_row(struct reader *r)
{
	struct report_row *row = &r->now.row;

	KEEP_LIST(r, &row->reasons, &r->reasons);
	KEEP_LIST(r, &row->dkim_results, &r->dkims);
	KEEP_LIST(r, &row->spf_results, &r->spfs);
	if (!r->rc)
		PUSH(r, &r->report->rows, REPORT_ROWS_MAX, "too many records",
		    *row);
}

static void XMLCALL
on_end(void *arg, const XML_Char *name)
{
	struct reader *r = arg;
	const struct element *e = r->stack[--r->depth];
	(void)name;
	switch (e->node) {
	case NODE_TEXT:
		keep_text(r, e, text_of(r));
		break;
	case NODE_ADDRESS:
		keep_address(r, e, text_of(r));
		break;
	case NODE_COUNT:
		keep_count(r, e, text_of(r));
		break;
	case NODE_TIME:
		keep_time(r, e, text_of(r));
		break;
	case NODE_ERROR:
		keep_error(r, text_of(r));
		break;
	case NODE_REASON:
		PUSH(r, &r->reasons, LIST_MAX, "too many reasons",
		    r->now.reason);
		break;
	case NODE_DKIM:
		PUSH(r, &r->dkims, LIST_MAX, "too many results", r->now.dkim);
		break;
	case NODE_SPF:
		PUSH(r, &r->spfs, LIST_MAX, "too many results", r->now.spf);
		break;
	case NODE_RECORD:
		keep_row(r);
		break;
	default:
		break;
	}
}

/* --- reading -------------------------------------------------------------------- */

static void XMLCALL
on_doctype(void *arg, const XML_Char *name, const XML_Char *system,
    const XML_Char *public, int internal)
{
	(void)name;
	(void)system;
	(void)public;
	(void)internal;
	stop(arg, ERR_SYNTAX, "a document type is not allowed");
}

static int
parse_failed(struct reader *r)
{
	enum XML_Error code = XML_GetErrorCode(r->parser);

	if (r->rc)
		return r->rc;
	if (code == XML_ERROR_NO_MEMORY)
		return err_set(r->err, ERR_NOMEM, "out of memory");
	return err_set(r->err, ERR_SYNTAX, "line %llu: %s", line_of(r),
	    XML_ErrorString(code));
}

static int
parse(struct reader *r, struct span xml)
{
	size_t fed = 0;

	do {
		struct span chunk = span_head(span_skip(xml, fed), CHUNK_SIZE);
		fed += chunk.len;
		if (XML_Parse(r->parser, chunk.p, (int)chunk.len,
			fed == xml.len) != XML_STATUS_OK)
			return parse_failed(r);
		/* Behind the last token that was read whole. */
		XML_Index done = XML_GetCurrentByteIndex(r->parser);
		if (fed < xml.len && done >= 0 &&
		    fed - (size_t)done > TOKEN_MAX)
			return err_set(r->err, ERR_LIMIT,
			    "line %llu: a tag or comment is too long",
			    line_of(r));
	} while (fed < xml.len);
	return r->rc;
}

static void
set_handlers(XML_Parser parser, struct reader *r)
{
	XML_SetUserData(parser, r);
	XML_SetElementHandler(parser, on_start, on_end);
	XML_SetCharacterDataHandler(parser, on_text);
	XML_SetStartDoctypeDeclHandler(parser, on_doctype);
	XML_SetStartNamespaceDeclHandler(parser, on_namespace);
}

int
report_read(
    struct report *ret, struct span xml, struct arena *arena, struct err *err)
{
	struct report report = {.begin = -1, .end = -1};

	if (xml.len > REPORT_XML_MAX)
		return err_set(err, ERR_LIMIT, "the report is too large");
	struct reader *r = arena_zalloc(arena, sizeof *r);
	XML_Parser parser = r ? XML_ParserCreateNS(NULL, SEPARATOR) : NULL;
	if (!parser)
		return err_set(err, ERR_NOMEM, "out of memory");
	r->parser = parser;
	r->arena = arena;
	r->err = err;
	r->report = &report;
	map_init(&r->names, arena, false);
	set_handlers(parser, r);
	int rc = parse(r, xml);
	XML_ParserFree(parser);
	if (rc == 0)
		*ret = report;
	return rc;
}
