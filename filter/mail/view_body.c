#include "filter/base/buf.h"
#include "filter/mail/message_internal.h"
#include "filter/mail/text.h"

/*
 * The text that body rules match (rule language, sections 5.1 and 11):
 * Subject and the rendered text of all parts, white space collapsed, in pieces
 * of one paragraph.
 *
 * Perl has two kinds of strings. As long as all texts are ASCII and no
 * reference names a character above U+00FF, it has bytes: white space is
 * ASCII's only, and characters up to U+00FF are one byte ("narrow" here).
 * Otherwise it has characters, which become UTF-8.
 */

#define BODY_PART_CHARS 50000
#define BODY_PIECE 2048
#define BODY_MAX ((size_t)64 << 20)

/* --- white space ---------------------------------------------------------------------- */

/* Length of the white space character at p: ASCII 09-0D and 20, and unless
 * narrow U+0085, A0, 1680, 2000-200A, 2028, 2029, 202F, 205F, 3000; else 0. */
static unsigned
space_len(const char *text, size_t left, bool narrow)
{
	const unsigned char *p = (const unsigned char *)text;

	if (ascii_is_space(text[0]))
		return 1;
	if (narrow)
		return 0;
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

	return u > ' ' && u != 0xc2 && u != 0xc3 && (u < 0xe1 || u > 0xe3);
}

/* The byte at the front, which is no white space; returns how many it took. A
 * NUL byte is a paragraph mark too. */
static size_t
add_other(struct buf *out, struct span text, bool narrow)
{
	unsigned char u = (unsigned char)text.p[0];

	if (narrow && (u == 0xc2 || u == 0xc3) && text.len > 1) {
		buf_add_char(out,
		    (char)((u & 3u) << 6 | ((unsigned char)text.p[1] & 63u)));
		return 2;
	}
	buf_add_char(out, u ? text.p[0] : '\n');
	return 1;
}

/* White space collapsed, paragraphs ended by a newline. */
static void
add_collapsed(struct buf *out, struct span text, bool narrow)
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
		       (n = space_len(text.p + i, text.len - i, narrow)) > 0)
			i += n;
		if (i == start)
			i += add_other(out, span_skip(text, i), narrow);
		else if (i == start + 1 && text.p[start] != '\n')
			buf_add_char(out, ' ');
		else
			add_space_run(
			    out, span_make(text.p + start, i - start));
	}
}

/* --- the parts ------------------------------------------------------------------------ */

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

/* What a part gives to the body; clears `narrow` where Perl has characters. */
static struct span
shown_text(struct message *m, struct mime_part *part, bool *narrow)
{
	const struct html *html = message_part_html(m, part);
	struct span text = html ? html->text : message_part_text(m, part);
	size_t end = chars_offset(text, BODY_PART_CHARS);

	*narrow &= html ? html->narrow : span_is_ascii(text);
	if (end < text.len) {
		m->lacks |= MESSAGE_LACK_TEXT;
		end = view_cut(text, end, "\n ");
	}
	return span_head(text, end);
}

/* The texts of all leaves; false when Perl has bytes. */
static bool
join_parts(struct message *m, struct buf *out)
{
	const struct mime_tree *tree = message_tree(m);
	bool narrow = true;

	for (size_t i = 0; i < tree->parts.n; i++) {
		struct mime_part *part = tree->parts.v[i];
		if (!part->leaf)
			continue;
		if (out->len)
			buf_add_char(out, '\n');
		if (text_is_shown(part))
			buf_add_span(out, shown_text(m, part, &narrow));
		if (out->len > m->options.text_max) {
			m->lacks |= MESSAGE_LACK_TEXT;
			buf_truncate(out, m->options.text_max);
			break;
		}
	}
	return narrow;
}

/* Room for all pieces at once, so that none is left behind by growing. */
static void
reserve(struct message *m, struct span text)
{
	struct view_list *list = &m->view_body;
	size_t n = text.len / BODY_PIECE + 2;

	for (size_t at = 0; at < text.len; at++, n++) {
		size_t lf = span_find_char(span_skip(text, at), '\n');
		if (lf == SPAN_NPOS)
			break;
		at += lf;
	}
	list->v = arena_calloc(m->arena, n, sizeof *list->v);
	list->size = list->v ? n : 0;
}

/* Splits behind each newline and cuts long lines behind a space. */
static void
split_body(struct message *m, struct span text)
{
	reserve(m, text);
	while (text.len) {
		size_t lf = span_find_char(text, '\n');
		struct span line =
		    lf == SPAN_NPOS ? text : span_head(text, lf + 1);
		text = span_skip(text, line.len);
		while (line.len > BODY_PIECE) {
			size_t space = span_rfind_char(
			    span_head(line, BODY_PIECE + 1), ' ');
			size_t n = space == SPAN_NPOS ? BODY_PIECE : space + 1;
			view_push(m, &m->view_body, span_head(line, n));
			line = span_skip(line, n);
		}
		view_push(m, &m->view_body, line);
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
	struct buf joined, out;

	if (m->body_done)
		return &m->view_body;
	m->body_done = true;
	buf_init(&joined, m->arena, BODY_MAX);
	buf_init(&out, m->arena, BODY_MAX);
	bool narrow = join_parts(m, &joined);
	add_subject(m, &out);
	add_collapsed(&out, buf_span(&joined), narrow);
	split_body(m, buf_span(&out));
	return &m->view_body;
}
