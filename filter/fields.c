#include "filter/fields.h"

#include "filter/base/codec.h"
#include "filter/fields_internal.h"
#include "filter/mail/authres.h"
#include "filter/sealing.h"
#include "filter/signing.h"

/*
 * Which fields, by the mode of the headers: none, own (X-Assay-Ref and
 * X-Assay-Would alone), full. Copies that came from outside go first: of all
 * that we would write, every Authentication-Results that could be taken for
 * ours or for that of a hop of ours, and the fields by which a receiver shows
 * brand indicators. ARC fields stay: they are judged. Mail that leaves gets
 * X-Assay-Ref and its signatures; on what a user of ours sends to mailboxes
 * here, results of ours stand too.
 */

#define REMOVALS_MAX 20000 /* edits of one message */
#define SUBJECT_MAX 800    /* bytes of a subject that is marked */
#define ENCODED_CHUNK 42   /* bytes in one encoded word */

static enum headers_mode
headers_of(const struct fields_request *request)
{
	if (request->settings->headers != HEADERS_AUTO)
		return request->settings->headers;
	return request->verdict->policy->mode == MODE_ENFORCE ? HEADERS_FULL
							      : HEADERS_OWN;
}

/* --- what goes ---------------------------------------------------------------------- */

static bool
is_own(struct span name)
{
	return span_caseis(name, "X-Assay-Ref") ||
	       span_caseis(name, "X-Assay-Would");
}

/* BIMI-Selector is the sender's to write, and mostly signed; the others say
 * what a receiver found (draft-brand-indicators section 7). */
static bool
is_bimi(struct span name)
{
	return span_casestarts(name, SPAN("BIMI-")) &&
	       !span_caseis(name, "BIMI-Selector");
}

/* A walk over the fields that came, to find those that go. */
struct removing {
	const struct fields_request *request;
	enum headers_mode mode;
	struct arena *scratch; /* of one field: a header of megabytes must not
				  use up the memory for the edits */
	unsigned received;     /* Received fields so far */
};

static bool
claims(const struct removing *r, struct span value, struct span id)
{
	if (!r->scratch)
		return true;
	bool result = authres_claims(value, id, r->scratch);
	arena_reset(r->scratch);
	return result;
}

/*
 * True for Authentication-Results that claim to be ours; also those of hops of
 * ours, where no such hop can have written them: not above the Received lines
 * that relays of ours added, nor right below the last of these, where some
 * MTAs put them (RFC 8601 section 5).
 */
static bool
is_forged(const struct removing *r, struct span value)
{
	const struct settings *settings = r->request->settings;
	const struct scan *scan = r->request->scan;

	if (claims(r, value, settings->authserv_id))
		return true;
	if (scan->direction == DIRECTION_RELAY &&
	    r->received <= scan->relay_received)
		return false;
	for (size_t i = 0; i < settings->n_trusted_ids; i++)
		if (claims(r, value, settings->trusted_ids[i]))
			return true;
	return false;
}

static bool
is_removed(const struct removing *r, struct span name, struct span value)
{
	const struct scan *scan = r->request->scan;

	if (is_own(name))
		return true;
	if (r->mode != HEADERS_FULL)
		return false;
	/* What others marked on mail that leaves is not ours to take. */
	if (scan->direction != DIRECTION_OUT &&
	    (span_casestarts(name, SPAN("X-Spam-")) ||
		span_casestarts(name, SPAN("X-Assay-")) || is_bimi(name)))
		return true;
	return fields_has_authres(scan) &&
	       span_caseis(name, "Authentication-Results") &&
	       is_forged(r, value);
}

/* How many fields of a name came so far; the map holds counter pointers. */
static unsigned
count_of(struct map *map, struct arena *arena, struct span name)
{
	unsigned *count = map_get(map, name);

	if (!count) {
		count = arena_zalloc(arena, sizeof *count);
		if (!count || map_put(map, name, count))
			return 0;
	}
	return ++*count;
}

/* True for names that may be removed: only those need to be counted. */
static bool
may_go(struct span name)
{
	return span_casestarts(name, SPAN("X-")) || is_bimi(name) ||
	       span_caseis(name, "Authentication-Results");
}

static void
add_removal(const struct fields_request *request, struct span name,
    unsigned nth, struct fields *ret)
{
	struct field_removal *removal =
	    VEC_PUSH(request->arena, &ret->removals);

	if (removal)
		*removal = (struct field_removal){name, nth};
}

/*
 * Fields past the limits of the header list were counted and not read. Those
 * of names that are ours alone to write go unseen: a sender could otherwise
 * hide a forged one behind enough others.
 */
static void
remove_unread(const struct fields_request *request, enum headers_mode mode,
    struct map *counts, struct fields *ret)
{
	const struct header_list *headers =
	    message_headers(request->scan->message);

	for (const char *const *w = message_watched; *w; w++) {
		struct span name = span_of(*w);
		const unsigned *read = map_get(counts, name);
		size_t came = header_count(headers, name);
		bool all = mode == HEADERS_FULL &&
			   request->scan->direction != DIRECTION_OUT;
		bool results = mode == HEADERS_FULL &&
			       fields_has_authres(request->scan) &&
			       span_caseis(name, "Authentication-Results");
		if (!is_own(name) && !all && !results)
			continue;
		for (size_t n = read ? *read : 0;
		     n < came && ret->removals.n < REMOVALS_MAX; n++)
			add_removal(request, name, (unsigned)n + 1, ret);
	}
}

/* In the order in which the fields came. */
static void
find_removals(struct removing *r, struct map *counts, struct fields *ret)
{
	const struct fields_request *request = r->request;
	const struct header_list *headers =
	    message_headers(request->scan->message);

	for (size_t i = 0; i < headers->fields.n; i++) {
		const struct header *h = &headers->fields.v[i];
		/* MTAs compare names without the blanks before the colon. */
		struct span name = span_trim(h->name);
		r->received += span_caseis(name, "Received");
		if (!may_go(name))
			continue;
		unsigned nth = count_of(counts, request->arena, name);
		if (is_removed(r, name, h->raw))
			add_removal(request, name, nth, ret);
	}
	if (headers->dropped)
		remove_unread(request, r->mode, counts, ret);
}

static void
make_removals(const struct fields_request *request, enum headers_mode mode,
    struct fields *ret)
{
	struct removing removing = {
	    .request = request,
	    .mode = mode,
	    .scratch = arena_new(0),
	};
	struct map counts;

	map_init(&counts, request->arena, true);
	find_removals(&removing, &counts, ret);
	arena_free(removing.scratch);
	for (size_t i = 0; i < ret->removals.n / 2; i++) {
		struct field_removal *a = &ret->removals.v[i];
		struct field_removal *b =
		    &ret->removals.v[ret->removals.n - 1 - i];
		struct field_removal kept = *a;
		*a = *b;
		*b = kept;
	}
}

/* --- what comes ----------------------------------------------------------------------- */

void
fields_add(const struct fields_request *request, struct fields *ret,
    const char *name, struct span value)
{
	struct field *field = VEC_PUSH(request->arena, &ret->additions);
	struct span text = arena_printf(request->arena, "%s%.*s",
	    request->leading_space ? " " : "", SPAN_ARG(value));

	if (field)
		*field = (struct field){name, arena_cstr(request->arena, text)};
}

static void
add_own(const struct fields_request *request, struct fields *ret)
{
	const struct verdict *v = request->verdict;
	uint64_t score = v->score_milli < 0 ? (uint64_t)-v->score_milli
					    : (uint64_t)v->score_milli;

	if (*request->ref)
		fields_add(request, ret, "X-Assay-Ref", span_of(request->ref));
	/* Not on mail that leaves: it is nobody else's business. */
	if (v->policy->mode != MODE_OBSERVE ||
	    request->scan->direction == DIRECTION_OUT)
		return;
	fields_add(request, ret, "X-Assay-Would",
	    arena_printf(request->arena, "%s; score=%s%llu.%03llu; by=%s",
		action_name(v->would), v->score_milli < 0 ? "-" : "",
		(unsigned long long)(score / 1000),
		(unsigned long long)(score % 1000), v->by));
}

/* --- the subject ----------------------------------------------------------------------- */

/* The largest piece of `text` that is whole in UTF-8 and fits one word. */
static size_t
encoded_chunk(struct span text)
{
	size_t n = 0;

	while (n < text.len) {
		unsigned len = span_utf8_len(text.p + n, text.len - n);
		if (len == 0)
			len = 1;
		if (n + len > ENCODED_CHUNK)
			break;
		n += len;
	}
	return n;
}

/* Text as encoded words (RFC 2047), one to a line. */
static void
add_encoded(struct buf *out, struct span text)
{
	while (text.len) {
		size_t n = encoded_chunk(text);
		buf_add_str(out, "=?UTF-8?B?");
		codec_base64_encode(out, span_head(text, n));
		buf_add_str(out, "?=");
		text = span_skip(text, n);
		if (text.len)
			buf_add_str(out, "\n\t");
	}
}

/* One line of printable ASCII needs no encoding. */
static bool
is_plain(struct span text)
{
	for (size_t i = 0; i < text.len; i++)
		if (ascii_is_8bit(text.p[i]) ||
		    (ascii_is_control(text.p[i]) && text.p[i] != '\t'))
			return false;
	return true;
}

static void
mark_subject(const struct fields_request *request, struct fields *ret)
{
	struct message *m = request->scan->message;
	const struct header *h =
	    header_first(message_headers(m), SPAN("Subject"));
	struct span mark = request->verdict->policy->subject_mark;
	struct span old = SPAN_NONE;
	struct buf out;

	ret->has_subject = h != NULL;
	if (h)
		old = span_trim(header_unfold(h->raw, request->arena));
	buf_init(&out, request->arena, (size_t)16 * 1024);
	if (request->leading_space)
		buf_add_char(&out, ' ');
	if (is_plain(mark))
		buf_add_span(&out, mark);
	else
		add_encoded(&out, mark);
	if (old.len) {
		buf_add_char(&out, ' ');
		if (old.len <= SUBJECT_MAX && is_plain(old))
			buf_add_span(&out, old);
		else
			add_encoded(&out,
			    span_head(message_header_text(m, h), SUBJECT_MAX));
	}
	if (!buf_failed(&out))
		ret->subject = buf_str(&out);
}

static void
make_edits(const struct fields_request *request, enum headers_mode mode,
    struct fields *ret)
{
	bool full =
	    mode == HEADERS_FULL && request->scan->direction != DIRECTION_OUT;

	make_removals(request, mode, ret);
	if (mode == HEADERS_FULL && fields_has_authres(request->scan))
		fields_add_authres(request, ret);
	if (full)
		fields_add_spam(request, ret);
	add_own(request, ret);
	if (full && request->verdict->tag_headers &&
	    request->verdict->policy->subject_mark.len)
		mark_subject(request, ret);
}

bool
fields_make(const struct fields_request *request, struct fields *ret)
{
	enum headers_mode mode = headers_of(request);

	*ret = (struct fields){0};
	if (mode != HEADERS_NONE)
		make_edits(request, mode, ret);
	for (size_t i = 0; i < ret->additions.n; i++)
		if (!ret->additions.v[i].value)
			return false;
	if (arena_failed(request->arena))
		return false;
	/* Last: over what leaves. Signatures in every mode, a seal only over
	 * results that are shown. */
	signing_add(request->signing, request, ret);
	if (mode == HEADERS_FULL)
		sealing_add(request, ret);
	return !arena_failed(request->arena);
}
