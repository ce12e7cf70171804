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

/* "begin 644 name". */
static bool
is_begin(struct span line)
{
	size_t digits = 0;

	if (!span_starts(line, SPAN("begin ")))
		return false;
	line = span_skip(line, 6);
	while (digits < line.len && digits < 4 && line.p[digits] >= '0' &&
	       line.p[digits] <= '7')
		digits++;
	return digits >= 3 && digits < line.len && line.p[digits] == ' ';
}

/* A file hidden in text begins at some line (uuencode, yEnc, BinHex 4.0). */
static bool
has_file(struct span text)
{
	const struct span binhex =
	    SPAN("(This file must be converted with BinHex");
	size_t at = 0;

	while (at < text.len) {
		struct span rest = span_skip(text, at);
		if ((rest.p[0] == 'b' && is_begin(rest)) ||
		    (rest.p[0] == '=' && span_starts(rest, SPAN("=ybegin "))) ||
		    (rest.p[0] == '(' && span_starts(rest, binhex)))
			return true;
		const char *lf = memchr(rest.p, '\n', rest.len);
		if (!lf)
			return false;
		at = (size_t)(lf - text.p) + 1;
	}
	return false;
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
