#include "filter/mail/view.h"

#include "filter/base/buf.h"
#include "filter/mail/message_internal.h"
#include "filter/mail/word.h"

/*
 * Header values as rules see them (rule language, section 4 and 3.2): decoded
 * or raw, addresses or names, real fields and pseudo-headers.
 */

#define VALUE_MAX 8192 /* bytes of one field's value */
#define ALL_MAX 65536  /* bytes of ALL */
#define VIEW_MAX ((size_t)16 << 20)
#define VIEW_FLAT 0x100 /* raw values in one line: some pseudo-headers */

/* Fields whose encoded words are not decoded. */
static const char *const undecoded[] = {"Received", "Resent-Message-ID",
    "Message-ID", "Resent-Date", "Date", "MIME-Version", "References",
    "In-Reply-To"};

static bool
is_undecoded(struct span name)
{
	if (span_casestarts(name, SPAN("List-")))
		return true;
	for (size_t i = 0; i < sizeof undecoded / sizeof *undecoded; i++)
		if (span_caseis(name, undecoded[i]))
			return true;
	return false;
}

/* Our own and others' verdicts in the message: rules never see them. */
static bool
is_hidden(struct span name)
{
	return span_casestarts(name, SPAN("X-Spam-"));
}

/* At most VALUE_MAX bytes, CRLF counted as one; `ret_cut` may be NULL. */
static struct span
value_head(struct span raw, bool *ret_cut)
{
	size_t left = VALUE_MAX, n = 0;

	while (n < raw.len && left > 0) {
		bool crlf =
		    raw.p[n] == '\r' && n + 1 < raw.len && raw.p[n + 1] == '\n';
		n += crlf ? 2 : 1;
		left--;
		if (raw.len - n <= left)
			n = raw.len;
	}
	if (ret_cut)
		*ret_cut = n < raw.len;
	return span_head(raw, n);
}

static struct span
decoded_value(struct message *m, const struct header *h)
{
	struct span name = span_trim_right(h->name);
	struct span value = header_unfold(value_head(h->raw, NULL), m->arena);

	if (!span_is_ascii(value))
		value = word_utf8(value, SPAN("utf-8"), false, m->arena);
	if (is_undecoded(name) || span_find(value, SPAN("=?"), 0) == SPAN_NPOS)
		return value;
	return word_decode(value, m->arena);
}

/* The raw value with LF line ends. */
static void
add_raw(struct buf *out, struct span raw)
{
	while (raw.len) {
		size_t cr = span_find_char(raw, '\r');
		bool crlf = cr != SPAN_NPOS && cr + 1 < raw.len &&
			    raw.p[cr + 1] == '\n';
		if (cr == SPAN_NPOS) {
			buf_add_span(out, raw);
			return;
		}
		buf_add(out, raw.p, crlf ? cr : cr + 1);
		raw = span_skip(raw, cr + 1);
	}
}

/* The raw value with each line end and the white space behind it as one
 * space. */
static void
add_flat(struct buf *out, struct span raw)
{
	while (raw.len) {
		size_t lf = span_find_char(raw, '\n');
		struct span line = span_head(raw, lf);
		raw = span_skip(raw, line.len + 1);
		if (lf == SPAN_NPOS || !raw.len || !ascii_is_space(raw.p[0])) {
			buf_add_span(out, line);
			if (lf != SPAN_NPOS)
				buf_add_char(out, '\n');
			continue;
		}
		if (span_ends(line, SPAN("\r")))
			line.len--;
		buf_add_span(out, line);
		buf_add_char(out, ' ');
		raw = span_trim_left(raw);
	}
}

/* One pair of single quotes around a name goes. */
static struct span
clean_name(struct message *m, struct span name, unsigned flags)
{
	struct buf out;
	struct span word, rest;

	if (!(flags & VIEW_RAW))
		name = word_decode(name, m->arena);
	buf_init(&out, m->arena, VALUE_MAX * 4);
	rest = name;
	while ((word = span_word(&rest)).len) {
		if (out.len)
			buf_add_char(&out, ' ');
		buf_add_span(&out, word);
	}
	name = buf_span(&out);
	if (name.len >= 2 && name.p[0] == '\'' && name.p[name.len - 1] == '\'')
		name = span_make(name.p + 1, name.len - 2);
	return name;
}

static void
add_line(struct buf *out, struct span text)
{
	if (!text.len)
		return;
	if (out->len)
		buf_add_char(out, '\n');
	buf_add_span(out, text);
}

/* The addresses or names of one field. */
static void
add_addresses(
    struct message *m, const struct header *h, unsigned flags, struct buf *out)
{
	struct addr_list list;

	addr_parse(&list, value_head(h->raw, NULL), m->arena);
	for (size_t i = 0; i < list.items.n; i++) {
		const struct addr *a = &list.items.v[i];
		if (!a->domain.len || !a->local.len)
			continue; /* SpamAssassin takes no local names */
		if (flags & VIEW_ADDR)
			add_line(out, a->spec);
		else
			add_line(out, clean_name(m, a->name, flags));
	}
}

static void
add_field(
    struct message *m, const struct header *h, unsigned flags, struct buf *out)
{
	if (flags & (VIEW_ADDR | VIEW_NAME)) {
		add_addresses(m, h, flags, out);
		return;
	}
	if (!(flags & VIEW_RAW)) {
		buf_add_span(out, decoded_value(m, h));
		buf_add_char(out, '\n');
		return;
	}
	bool cut;
	struct span raw = value_head(h->raw, &cut);
	if (flags & VIEW_FLAT)
		add_flat(out, raw);
	else
		add_raw(out, raw);
	/* What was cut has lost its newline. */
	if (!cut)
		buf_add_char(out, '\n');
}

/* All fields of a name; false when there is none. */
static bool
add_named(struct message *m, struct span name, unsigned flags, struct buf *out)
{
	const struct header *only = NULL;
	bool any = false;

	if (is_hidden(name))
		return false;
	if (flags & VIEW_FIRST)
		only = header_first(&m->headers, name);
	else if (flags & VIEW_LAST)
		only = header_last(&m->headers, name);
	if (only)
		add_field(m, only, flags, out);
	if (flags & (VIEW_FIRST | VIEW_LAST))
		return only != NULL;
	for (size_t i = 0; i < m->headers.fields.n; i++) {
		const struct header *h = &m->headers.fields.v[i];
		if (!span_caseeq(span_trim_right(h->name), name))
			continue;
		add_field(m, h, flags, out);
		any = true;
	}
	return any;
}

static bool
add_all(struct message *m, unsigned flags, struct buf *out)
{
	for (size_t i = 0; i < m->headers.fields.n; i++) {
		const struct header *h = &m->headers.fields.v[i];
		if (flags & VIEW_RAW) {
			buf_add_span(out, h->name);
			buf_add_char(out, ':');
			add_raw(out, h->raw);
			buf_add_char(out, '\n');
			continue;
		}
		if (is_hidden(h->name))
			continue;
		struct span value = decoded_value(m, h);
		if (out->len + h->name.len + value.len + 3 > ALL_MAX)
			break;
		buf_add_span(out, span_trim_right(h->name));
		buf_add_str(out, ": ");
		buf_add_span(out, value);
		buf_add_char(out, '\n');
	}
	return out->len > 0;
}

static bool
add_several(struct message *m, const char *const *names, size_t n,
    unsigned flags, struct buf *out)
{
	bool any = false;

	for (size_t i = 0; i < n; i++)
		any |= add_named(m, span_of(names[i]), flags, out);
	return any;
}

static bool
add_message_ids(struct message *m, unsigned flags, struct buf *out)
{
	static const char *const names[] = {"X-Message-Id", "Resent-Message-Id",
	    "X-Original-Message-ID", "Message-Id"};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		size_t before = out->len;
		(void)add_named(m, span_of(names[i]), flags, out);
		/* A field without a value does not count. */
		if (out->len == before + 1)
			buf_truncate(out, before);
	}
	return out->len > 0;
}

/* True when a Received stands above the field. */
static bool
below_received(const struct message *m, const struct header *field)
{
	const struct header *r = header_first(&m->headers, SPAN("Received"));

	return r && r < field;
}

static bool
add_envelope_from(struct message *m, struct buf *out)
{
	static const char *const names[] = {
	    "X-Envelope-From", "Envelope-Sender", "Return-Path"};

	if (m->envelope_from.p) {
		buf_add_span(out, m->envelope_from);
		return true;
	}
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		const struct header *h =
		    header_first(&m->headers, span_of(names[i]));
		struct addr addr;
		if (!h)
			continue;
		if (below_received(m, h)) {
			if (i == 0)
				return false;
			continue;
		}
		struct span line = header_unfold(h->raw, m->arena);
		if (addr_parse_path(&addr, line, m->arena))
			buf_add_span(out, addr.spec);
		return true;
	}
	return false;
}

static bool
make_value(struct message *m, struct span name, unsigned flags, struct buf *out)
{
	static const char *const to_cc[] = {"To", "Cc"};

	if (span_is(name, "ALL"))
		return add_all(m, flags, out);
	unsigned flat = flags & VIEW_RAW ? VIEW_FLAT : 0;
	if (span_is(name, "MESSAGEID"))
		return add_message_ids(m, flags | flat, out);
	if (span_caseis(name, "ToCc"))
		return add_several(m, to_cc, 2, flags | flat, out);
	if (span_caseis(name, "EnvelopeFrom"))
		return add_envelope_from(m, out);
	return add_named(m, name, flags, out);
}

/* A value kept, and whether there was one. */
struct kept {
	struct span value;
	bool there;
};

bool
view_header(
    struct message *m, struct span name, unsigned flags, struct span *ret_value)
{
	struct span key =
	    arena_printf(m->arena, "%u %.*s", flags, SPAN_ARG(name));
	struct kept *kept = map_get(&m->header_values, key);
	struct buf out;

	if (kept) {
		*ret_value = kept->value;
		return kept->there;
	}
	buf_init(&out, m->arena, VIEW_MAX);
	kept = arena_zalloc(m->arena, sizeof *kept);
	*ret_value = SPAN("");
	if (!kept || !key.p)
		return false;
	kept->there = make_value(m, name, flags, &out);
	/* Fields without an address give nothing at all. */
	if (flags & (VIEW_ADDR | VIEW_NAME))
		kept->there &= out.len > 0;
	kept->value = buf_span(&out);
	if (map_put(&m->header_values, key, kept))
		arena_fail(m->arena);
	*ret_value = kept->value;
	return kept->there;
}
