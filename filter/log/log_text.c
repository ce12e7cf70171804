#include "filter/log/log_text.h"

/*
 * SQLite cuts a TEXT at NUL in some places and believes that it is UTF-8; its
 * shell sends what is in a column to the terminal. So what is neither text nor
 * harmless is coded before it is bound.
 */

static const char hex[] = "0123456789abcdef";

/* Bytes of the sequence at p that may stand, or 0. */
static size_t
plain_len(const char *p, size_t left)
{
	if (!ascii_is_8bit(*p))
		return !ascii_is_control(*p) && *p != '\\';
	unsigned len = span_utf8_len(p, left);
	/* U+0080 to U+009F are control characters. */
	if (len == 2 && (unsigned char)p[0] == 0xc2 &&
	    (unsigned char)p[1] < 0xa0)
		return 0;
	return len;
}

/* Bytes at the start of the text that stand as they are. */
static size_t
plain_run(struct span text)
{
	size_t i = 0;

	while (i < text.len) {
		size_t len = plain_len(text.p + i, text.len - i);
		if (!len)
			break;
		i += len;
	}
	return i;
}

bool
log_text_is_plain(struct span text)
{
	return plain_run(text) == text.len;
}

void
log_text_encode(struct buf *out, struct span text)
{
	while (text.len) {
		size_t run = plain_run(text);
		buf_add(out, text.p, run);
		text = span_skip(text, run);
		if (!text.len)
			break;
		unsigned char c = (unsigned char)*text.p;
		char coded[4] = {'\\', 'x', hex[c >> 4], hex[c & 15]};
		buf_add(out, coded, sizeof coded);
		text = span_skip(text, 1);
	}
}

void
log_text_decode(struct buf *out, struct span text)
{
	while (text.len) {
		size_t at = span_find_char(text, '\\');
		if (at == SPAN_NPOS)
			at = text.len;
		buf_add(out, text.p, at);
		text = span_skip(text, at);
		if (!text.len)
			break;
		int high = text.len >= 4 && text.p[1] == 'x'
			       ? ascii_hex(text.p[2])
			       : -1;
		int low = high >= 0 ? ascii_hex(text.p[3]) : -1;
		if (low < 0) {
			buf_add_char(out, '\\');
			text = span_skip(text, 1);
			continue;
		}
		buf_add_char(out, (char)(high << 4 | low));
		text = span_skip(text, 4);
	}
}
