#include "scorers/scorer.h"

#include "filter/mail/domain.h"
#include "filter/mail/received.h"

/* Malformed or odd header fields that a regular expression cannot judge: how
 * often a field stands there, what its addresses are, when it says it was. */

#define DAY 86400

/* Fields that RFC 5322 section 3.6 allows once. */
static const char *const singletons[] = {"From", "Sender", "Reply-To", "To",
    "Cc", "Bcc", "Message-ID", "In-Reply-To", "References", "Subject", "Date"};

static const struct header_list *
headers_of(const struct scan *scan)
{
	return message_headers(scan->message);
}

static int64_t
from_missing(const void *state, struct scan *scan, const struct args *args)
{
	(void)state;
	(void)args;
	return header_count(headers_of(scan), SPAN("From")) == 0;
}

static int64_t
from_multiple(const void *state, struct scan *scan, const struct args *args)
{
	size_t n = header_count(headers_of(scan), SPAN("From"));

	(void)state;
	(void)args;
	if (n < 2)
		return 0;
	scan_evidence(scan, "%zu From fields", n);
	return 1;
}

static int64_t
from_several(const void *state, struct scan *scan, const struct args *args)
{
	const struct addr_list *from = message_from(scan->message);

	(void)state;
	(void)args;
	for (size_t i = 1; i < from->items.n; i++) {
		const struct addr *a = &from->items.v[0];
		const struct addr *b = &from->items.v[i];
		if (!span_caseeq(a->domain, b->domain)) {
			scan_evidence(scan, "%.*s and %.*s",
			    SPAN_ARG(a->domain), SPAN_ARG(b->domain));
			return 1;
		}
	}
	return 0;
}

static int64_t
from_ambiguous(const void *state, struct scan *scan, const struct args *args)
{
	(void)state;
	(void)args;
	return message_from(scan->message)->ambiguous;
}

/* A name before the address that is itself an address of another domain. */
static int64_t
from_name_address(const void *state, struct scan *scan, const struct args *args)
{
	const struct addr_list *from = message_from(scan->message);

	(void)state;
	(void)args;
	for (size_t i = 0; i < from->items.n; i++) {
		const struct addr *a = &from->items.v[i];
		size_t at = span_find_char(a->name, '@');
		if (at == SPAN_NPOS)
			continue;
		struct span rest = span_skip(a->name, at + 1);
		size_t end = 0;
		while (end < rest.len &&
		       (ascii_is_alnum(rest.p[end]) || rest.p[end] == '-' ||
			   rest.p[end] == '.'))
			end++;
		struct span domain = span_head(rest, end);
		struct span shown = domain_registrable(domain);
		if (shown.len &&
		    !span_caseeq(shown, domain_registrable(a->domain))) {
			scan_evidence(scan, "\"%.*s\" <%.*s>",
			    SPAN_ARG(a->name), SPAN_ARG(a->spec));
			return 1;
		}
	}
	return 0;
}

static int64_t
singleton_repeated(
    const void *state, struct scan *scan, const struct args *args)
{
	(void)state;
	(void)args;
	for (size_t i = 1; i < sizeof singletons / sizeof *singletons; i++) {
		size_t n =
		    header_count(headers_of(scan), span_of(singletons[i]));
		if (n > 1) {
			scan_evidence(scan, "%zu %s fields", n, singletons[i]);
			return 1;
		}
	}
	return 0;
}

/* A name with NUL, blanks or controls: programs disagree what it is. */
static int64_t
name_odd(const void *state, struct scan *scan, const struct args *args)
{
	const struct header_list *list = headers_of(scan);

	(void)state;
	(void)args;
	for (size_t i = 0; i < list->fields.n; i++) {
		struct span name = list->fields.v[i].name;
		for (size_t k = 0; k < name.len; k++) {
			if (name.p[k] > ' ' && name.p[k] < 0x7f)
				continue;
			scan_evidence_span(scan, name);
			return 1;
		}
	}
	return 0;
}

static int64_t
headers_too_many(const void *state, struct scan *scan, const struct args *args)
{
	const struct header_list *list = headers_of(scan);

	(void)state;
	(void)args;
	if (!list->dropped)
		return 0;
	scan_evidence(scan, "%u fields past the limit", list->dropped);
	return 1;
}

static int64_t
contains_control(const void *state, struct scan *scan, const struct args *args)
{
	const struct header_list *list = headers_of(scan);

	(void)state;
	(void)args;
	for (size_t i = 0; i < list->fields.n; i++) {
		const struct header *h = &list->fields.v[i];
		for (size_t k = 0; k < h->raw.len; k++) {
			char c = h->raw.p[k];
			bool fold =
			    c == '\n' || (c == '\r' && k + 1 < h->raw.len &&
					     h->raw.p[k + 1] == '\n');
			if (ascii_is_control(c) && c != '\t' && !fold) {
				scan_evidence_span(scan, h->name);
				return 1;
			}
		}
	}
	return 0;
}

/* Characters that turn the reading direction around (U+202A to U+202E, U+2066
 * to U+2069): they show a name other than it is. */
static int64_t
bidi_control(const void *state, struct scan *scan, const struct args *args)
{
	static const char *const names[] = {"From", "Subject", "Reply-To"};

	(void)state;
	(void)args;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		const struct header *h =
		    header_first(headers_of(scan), span_of(names[i]));
		struct span text =
		    h ? message_header_text(scan->message, h) : SPAN_NONE;
		for (size_t k = 0; k + 2 < text.len; k++) {
			if (text.p[k] != '\xe2')
				continue;
			unsigned char b = (unsigned char)text.p[k + 1];
			unsigned char c = (unsigned char)text.p[k + 2];
			if ((b == 0x80 && c >= 0xaa && c <= 0xae) ||
			    (b == 0x81 && c >= 0xa6 && c <= 0xa9)) {
				scan_evidence(scan, "in %s", names[i]);
				return 1;
			}
		}
	}
	return 0;
}

/* Seconds that Date is after (before: negative) now; 0 when unreadable. */
static int64_t
date_offset(struct scan *scan)
{
	const struct header *h = header_first(headers_of(scan), SPAN("Date"));
	int64_t date = h ? received_date(h->raw) : -1;

	return date < 0 ? 0 : date - scan->now;
}

static int64_t
date_future(const void *state, struct scan *scan, const struct args *args)
{
	(void)state;
	(void)args;
	return date_offset(scan) > 4 * DAY;
}

static int64_t
date_past(const void *state, struct scan *scan, const struct args *args)
{
	(void)state;
	(void)args;
	return date_offset(scan) < -30 * (int64_t)DAY;
}

static int64_t
date_invalid(const void *state, struct scan *scan, const struct args *args)
{
	const struct header *h = header_first(headers_of(scan), SPAN("Date"));

	(void)state;
	(void)args;
	return h && received_date(h->raw) < 0;
}

static const struct symbol_def symbols[] = {
    {"FROM_MISSING", "There is no From field", 1500, from_missing, RULE_FACT},
    {"FROM_MULTIPLE", "There are several From fields", 3000, from_multiple,
	RULE_FACT},
    {"FROM_DOMAINS", "From has addresses of several domains", 1500,
	from_several, RULE_LOCAL},
    {"FROM_AMBIGUOUS", "Programs may show different addresses for From", 1500,
	from_ambiguous, RULE_LOCAL},
    {"FROM_NAME_ADDR", "The name in From is an address of another domain", 1500,
	from_name_address, RULE_LOCAL},
    {"HEADER_REPEATED", "A field that may stand once stands again", 500,
	singleton_repeated, RULE_LOCAL},
    {"HEADER_NAME_ODD", "A field's name has blanks, NUL or controls", 1500,
	name_odd, RULE_LOCAL},
    {"HEADERS_TOO_MANY", "More header fields than are read", 2000,
	headers_too_many, RULE_FACT},
    {"HEADER_CONTROL", "A field has control characters", 1000, contains_control,
	RULE_LOCAL},
    {"HEADER_BIDI", "A field turns the reading direction around", 1500,
	bidi_control, RULE_LOCAL},
    {"DATE_FUTURE", "Date is more than four days ahead", 1500, date_future,
	RULE_LOCAL},
    {"DATE_PAST", "Date is more than thirty days ago", 300, date_past,
	RULE_LOCAL},
    {"INVALID_DATE", "Date cannot be read", 500, date_invalid, RULE_LOCAL},
    {0},
};

const struct scorer scorer_headers = {
    .name = "headers",
    .help = "odd header fields",
    .symbols = symbols,
};
