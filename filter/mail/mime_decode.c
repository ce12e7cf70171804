#include "filter/base/buf.h"
#include "filter/base/codec.h"
#include "filter/mail/mime.h"
#include "filter/mail/mime_lines.h"

/*
 * Transfer decoding of a part's body (rule language, section 3.4). The lines
 * of texts are first made what SpamAssassin decodes (mime_lines.c); base64 and
 * what is no text is read as it stands.
 */

/* CRLF to LF inside a buffer that is ours. */
static void
crlf_to_lf(struct buf *b)
{
	size_t from = 0, to = 0;

	while (from < b->len) {
		char *p = b->p + from;
		size_t left = b->len - from;
		char *cr = memchr(p, '\r', left);
		size_t n = cr ? (size_t)(cr - p) : left;
		bool crlf = cr && n + 1 < left && cr[1] == '\n';
		if (cr && !crlf)
			n++; /* the CR stays */
		if (to != from)
			memmove(b->p + to, p, n);
		to += n;
		from += n + crlf;
	}
	buf_truncate(b, to);
}

static bool
is_text(const struct mime_part *part)
{
	return span_starts(part->ctype.type, SPAN("text/")) ||
	       span_starts(part->ctype.type, SPAN("message/"));
}

/* A line that begins with `start`; where it goes on, or SPAN_NPOS. */
static size_t
find_line(struct span text, struct span start, size_t at)
{
	while ((at = span_find(text, start, at)) != SPAN_NPOS) {
		if (at == 0 || text.p[at - 1] == '\n')
			return at + start.len;
		at += start.len;
	}
	return SPAN_NPOS;
}

/* A "begin 644 name" line. */
static bool
has_uuencode(struct span text)
{
	size_t at = 0;

	while ((at = find_line(text, SPAN("begin "), at)) != SPAN_NPOS) {
		size_t digits = 0;
		while (at + digits < text.len && digits < 4 &&
		       text.p[at + digits] >= '0' && text.p[at + digits] <= '7')
			digits++;
		if (digits >= 3 && at + digits < text.len &&
		    text.p[at + digits] == ' ')
			return true;
	}
	return false;
}

/* A file hidden in text (uuencode, yEnc, BinHex 4.0). */
static bool
has_file(struct span text)
{
	return has_uuencode(text) ||
	       find_line(text, SPAN("=ybegin "), 0) != SPAN_NPOS ||
	       find_line(text, SPAN("(This file must be converted with BinHex"),
		   0) != SPAN_NPOS;
}

static void
decode_qp(struct mime_tree *tree, const struct mime_part *part,
    struct span body, struct buf *out, struct arena *arena)
{
	struct buf lines;

	buf_init(&lines, arena, SIZE_MAX / 4);
	mime_add_lines(&lines, part, body);
	(void)buf_reserve(out, lines.len);
	if (codec_qp_decode(out, buf_span(&lines)))
		tree->flags |= MIME_QP_BAD;
	crlf_to_lf(out);
}

/* `a` times `b`, or the largest number. */
static size_t
times(size_t a, size_t b)
{
	size_t n;

	return __builtin_mul_overflow(a, b, &n) ? SIZE_MAX : n;
}

struct span
mime_decode(struct mime_tree *tree, const struct mime_part *part, size_t limit,
    struct arena *arena)
{
	struct span body = part->body;
	bool text = is_text(part);
	struct buf out;

	buf_init(&out, arena, SIZE_MAX / 4);
	if (part->encoding == MIME_BASE64) {
		/* Four characters give three bytes; line ends give none. */
		body = span_head(body, times(limit, 2));
		(void)buf_reserve(&out, body.len / 4 * 3 + 3);
		if (codec_base64_decode(&out, body))
			tree->flags |= MIME_BASE64_FOREIGN;
		if (text)
			crlf_to_lf(&out);
	} else if (part->encoding == MIME_QP) {
		body = span_head(body, times(limit, 3));
		decode_qp(tree, part, body, &out, arena);
	} else if (text || part->html_name) {
		mime_add_lines(&out, part, span_head(body, limit));
	} else {
		return span_head(body, limit);
	}
	struct span decoded = span_head(buf_span(&out), limit);
	if (text && has_file(decoded))
		tree->flags |= MIME_UUENCODE;
	return decoded;
}
