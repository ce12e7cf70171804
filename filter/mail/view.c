#include "filter/mail/view.h"

#include "filter/base/buf.h"
#include "filter/mail/message_internal.h"
#include "filter/mail/text.h"

/*
 * The texts that rules match, made as SpamAssassin makes them (rule language,
 * sections 5.1 to 5.4 and 11). Pieces are views into one buffer per kind.
 */

#define BODY_PART_CHARS 50000
#define RAWBODY_PART_BYTES 500000
#define CUT_LOOKAHEAD 1024 /* on to a better place to cut */
#define BODY_PIECE 2048
#define RAWBODY_SHORT 2048
#define RAWBODY_LONG 4096
#define DECODED_MAX ((size_t)64 << 20)

static void
push(struct message *m, struct view_list *list, struct span piece)
{
	struct span *to = VEC_PUSH(m->arena, list);

	if (to)
		*to = piece;
}

/* --- body ------------------------------------------------------------------------ */

/* Length of the white space character at p: ASCII 09-0D and 20, U+0085, A0,
 * 1680, 2000-200A, 2028, 2029, 202F, 205F, 3000; else 0. */
static unsigned
space_len(const char *text, size_t left)
{
	const unsigned char *p = (const unsigned char *)text;

	if (ascii_is_space(text[0]))
		return 1;
	if (p[0] == 0xc2)
		return left > 1 && (p[1] == 0x85 || p[1] == 0xa0) ? 2 : 0;
	if (left < 3 || p[0] < 0xe1 || p[0] > 0xe3)
		return 0;
	unsigned c = (p[0] & 15u) << 12 | (p[1] & 63u) << 6 | (p[2] & 63u);
	bool space = c == 0x1680 || (c >= 0x2000 && c <= 0x200a) ||
		     c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f ||
		     c == 0x3000;
	return space ? 3 : 0;
}

/* What stands for a run of white space: a space, or around a paragraph mark
 * the spaces on its sides. */
static void
add_space_run(struct buf *out, struct span run)
{
	size_t first = span_find_char(run, '\n');
	size_t last = span_rfind_char(run, '\n');

	if (first == last) {
		buf_add_char(out, ' ');
		return;
	}
	if (first > 0)
		buf_add_char(out, ' ');
	buf_add_char(out, '\n');
	if (last + 1 < run.len)
		buf_add_char(out, ' ');
}

static inline bool
is_plain(char c)
{
	unsigned char u = (unsigned char)c;

	return u > ' ' && u != 0xc2 && (u < 0xe1 || u > 0xe3);
}

/* A byte that only looked like the start of white space. A NUL byte is a
 * paragraph mark too. */
static void
add_other(struct buf *out, char c)
{
	buf_add_char(out, c ? c : '\n');
}

/* White space collapsed, paragraphs ended by a newline. */
static void
add_collapsed(struct buf *out, struct span text)
{
	size_t i = 0;

	if (!buf_reserve(out, text.len))
		return;
	while (i < text.len) {
		size_t start = i;
		while (i < text.len && is_plain(text.p[i]))
			i++;
		if (i > start)
			buf_add(out, text.p + start, i - start);
		if (i == text.len)
			return;
		start = i;
		unsigned n;
		while (i < text.len &&
		       (n = space_len(text.p + i, text.len - i)) > 0)
			i += n;
		if (i > start)
			add_space_run(
			    out, span_make(text.p + start, i - start));
		else
			add_other(out, text.p[i++]);
	}
}

/* Offset of the n-th character, or the length. */
static size_t
chars_offset(struct span text, size_t n)
{
	size_t i = 0;

	if (text.len <= n)
		return text.len;
	for (; i < text.len; i++)
		if (((unsigned char)text.p[i] & 0xc0) != 0x80 && n-- == 0)
			return i;
	return text.len;
}

/* Where to cut a text that is longer than `at`: behind one of `set` within
 * the next bytes, else right there. */
static size_t
nice_cut(struct span text, size_t at, const char *set)
{
	for (; *set; set++) {
		struct span ahead =
		    span_head(span_skip(text, at), CUT_LOOKAHEAD);
		size_t found = span_find_char(ahead, *set);
		if (found != SPAN_NPOS)
			return at + found;
	}
	return at;
}

static struct span
shown_text(struct message *m, struct mime_part *part)
{
	const struct html *html = message_part_html(m, part);
	struct span text = html ? html->text : message_part_text(m, part);
	size_t end = chars_offset(text, BODY_PART_CHARS);

	if (end < text.len) {
		m->lacks |= MESSAGE_LACK_TEXT;
		end = nice_cut(text, end, "\n ");
	}
	return span_head(text, end);
}

/* Splits behind each newline and cuts long lines behind a space. */
static void
split_body(struct message *m, struct span text)
{
	while (text.len) {
		size_t lf = span_find_char(text, '\n');
		struct span line =
		    lf == SPAN_NPOS ? text : span_head(text, lf + 1);
		text = span_skip(text, line.len);
		while (line.len > BODY_PIECE) {
			size_t space = span_rfind_char(
			    span_head(line, BODY_PIECE + 1), ' ');
			size_t n = space == SPAN_NPOS ? BODY_PIECE : space + 1;
			push(m, &m->view_body, span_head(line, n));
			line = span_skip(line, n);
		}
		push(m, &m->view_body, line);
	}
}

/* The Subject's piece: decoded, with its newline. */
static void
add_subject(struct message *m, struct buf *out)
{
	struct span subject;

	if (view_header(m, SPAN("Subject"), VIEW_LAST, &subject) && subject.len)
		buf_add_span(out, subject);
	else
		buf_add_char(out, '\n');
}

const struct view_list *
view_body(struct message *m)
{
	const struct mime_tree *tree;
	struct buf joined, out;

	if (m->body_done)
		return &m->view_body;
	m->body_done = true;
	tree = message_tree(m);
	buf_init(&joined, m->arena, DECODED_MAX);
	buf_init(&out, m->arena, DECODED_MAX);
	for (size_t i = 0; i < tree->parts.n; i++) {
		struct mime_part *part = tree->parts.v[i];
		if (!part->leaf)
			continue;
		if (joined.len)
			buf_add_char(&joined, '\n');
		if (text_is_shown(part))
			buf_add_span(&joined, shown_text(m, part));
		if (joined.len > m->options.text_max) {
			m->lacks |= MESSAGE_LACK_TEXT;
			buf_truncate(&joined, m->options.text_max);
			break;
		}
	}
	add_subject(m, &out);
	add_collapsed(&out, buf_span(&joined));
	split_body(m, buf_span(&out));
	return &m->view_body;
}

/* --- rawbody ----------------------------------------------------------------------- */

static bool
in_rawbody(const struct mime_part *part)
{
	if (!part->leaf || span_is(part->ctype.type, "text/calendar"))
		return false;
	return text_is_html(part) ||
	       span_starts(part->ctype.type, SPAN("text/")) ||
	       span_starts(part->ctype.type, SPAN("message/"));
}

/* How much of a text longer than RAWBODY_LONG is its next paragraph. */
static size_t
paragraph_len(struct span text)
{
	static const char ends[] = {'\n', '>', ' '};
	struct span window = span_head(
	    span_skip(text, RAWBODY_SHORT), RAWBODY_LONG - RAWBODY_SHORT);

	for (size_t i = 0; i < sizeof ends; i++) {
		size_t found = span_find_char(window, ends[i]);
		if (found != SPAN_NPOS)
			return RAWBODY_SHORT + found + 1;
	}
	return RAWBODY_SHORT + 1;
}

static void
split_rawbody(struct message *m, struct span text)
{
	while (text.len > RAWBODY_LONG) {
		size_t n = paragraph_len(text);
		push(m, &m->view_rawbody, span_head(text, n));
		text = span_skip(text, n);
	}
	push(m, &m->view_rawbody, text);
}

const struct view_list *
view_rawbody(struct message *m)
{
	const struct mime_tree *tree;
	size_t total = 0;

	if (m->rawbody_done)
		return &m->view_rawbody;
	m->rawbody_done = true;
	tree = message_tree(m);
	for (size_t i = 0; i < tree->parts.n; i++) {
		struct mime_part *part = tree->parts.v[i];
		if (!in_rawbody(part))
			continue;
		struct span text = message_part_decoded(m, part);
		size_t room = m->options.text_max - total;
		size_t end = text.len;
		if (end > RAWBODY_PART_BYTES)
			end = nice_cut(text, RAWBODY_PART_BYTES, "\n> ");
		if (end > room)
			end = room;
		if (end < text.len)
			m->lacks |= MESSAGE_LACK_TEXT;
		split_rawbody(m, span_head(text, end));
		total += end;
	}
	return &m->view_rawbody;
}

/* --- full -------------------------------------------------------------------------- */

static void
add_lf(struct buf *out, struct span text)
{
	while (text.len) {
		size_t cr = span_find_char(text, '\r');
		if (cr == SPAN_NPOS) {
			buf_add_span(out, text);
			return;
		}
		bool crlf = cr + 1 < text.len && text.p[cr + 1] == '\n';
		buf_add(out, text.p, crlf ? cr : cr + 1);
		text = span_skip(text, cr + 1);
	}
}

struct span
view_full(struct message *m)
{
	struct buf out;
	struct span headers;
	size_t max = m->options.text_max;

	if (m->full_done)
		return m->view_full;
	m->full_done = true;
	buf_init(&out, m->arena, SIZE_MAX / 4);
	(void)view_header(m, SPAN("ALL"), VIEW_RAW, &headers);
	buf_add_span(&out, headers);
	buf_add_char(&out, '\n');
	if (m->body.len > max)
		m->lacks |= MESSAGE_LACK_TEXT;
	add_lf(&out, span_head(m->body, max));
	m->view_full = buf_span(&out);
	return m->view_full;
}

/* --- uri --------------------------------------------------------------------------- */

static void
add_forms(struct message *m, struct map *seen, struct span url)
{
	struct url_forms forms = {0};

	url_forms(&forms, span_head(url, URL_LEN_MAX), m->arena);
	for (size_t i = 0; i < forms.n; i++) {
		if (map_get(seen, forms.v[i]))
			continue;
		if (map_put(seen, forms.v[i], m)) {
			arena_fail(m->arena);
			return;
		}
		push(m, &m->view_uri, forms.v[i]);
	}
}

const struct view_list *
view_uri(struct message *m)
{
	const struct view_list *body;
	const struct mime_tree *tree;
	struct url_list found = {0};
	struct map seen;

	if (m->uri_done)
		return &m->view_uri;
	m->uri_done = true;
	body = view_body(m);
	tree = message_tree(m);
	map_init(&seen, m->arena, false);
	for (size_t i = 0; i < body->n && found.n < URL_MAX; i++)
		url_find(&found, body->v[i], m->arena);
	for (size_t i = 0; i < found.n && i < URL_MAX; i++)
		add_forms(m, &seen, found.v[i].text);
	for (size_t i = 0; i < tree->parts.n; i++) {
		const struct html *html =
		    message_part_html(m, tree->parts.v[i]);
		for (size_t k = 0; html && k < html->links.n; k++)
			add_forms(m, &seen, html->links.v[k].target);
	}
	return &m->view_uri;
}
