#include "filter/base/codec.h"

/* Transfer encodings. Decoders append in runs; see codec.h for what they
 * forgive. */

static const char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

enum { B64_FOREIGN = 64, B64_SPACE = 65, B64_PAD = 66 };

#define F B64_FOREIGN
#define S B64_SPACE
static const uint8_t b64_value[256] = {
    F, F, F, F, F, F, F, F, F, S, S, S, S, S, F, F,                 /* 00 */
    F, F, F, F, F, F, F, F, F, F, F, F, F, F, F, F,                 /* 10 */
    S, F, F, F, F, F, F, F, F, F, F, 62, F, F, F, 63,               /* 20 */
    52, 53, 54, 55, 56, 57, 58, 59, 60, 61, F, F, F, B64_PAD, F, F, /* 30 */
    F, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14,            /* 40 */
    15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, F, F, F, F, F,      /* 50 */
    F, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40,  /* 60 */
    41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, F, F, F, F, F,      /* 70 */
    F, F, F, F, F, F, F, F, F, F, F, F, F, F, F, F,                 /* 80 */
    F, F, F, F, F, F, F, F, F, F, F, F, F, F, F, F,                 /* 90 */
    F, F, F, F, F, F, F, F, F, F, F, F, F, F, F, F,                 /* a0 */
    F, F, F, F, F, F, F, F, F, F, F, F, F, F, F, F,                 /* b0 */
    F, F, F, F, F, F, F, F, F, F, F, F, F, F, F, F,                 /* c0 */
    F, F, F, F, F, F, F, F, F, F, F, F, F, F, F, F,                 /* d0 */
    F, F, F, F, F, F, F, F, F, F, F, F, F, F, F, F,                 /* e0 */
    F, F, F, F, F, F, F, F, F, F, F, F, F, F, F, F,                 /* f0 */
};
#undef F
#undef S

/* Bits that were collected and not yet written. */
struct b64 {
	uint32_t bits;
	unsigned n; /* characters in `bits`, 0..3 */
};

static void
b64_take(struct b64 *b, struct buf *out, uint8_t value)
{
	b->bits = b->bits << 6 | value;
	if (++b->n < 4)
		return;
	char three[3] = {
	    (char)(b->bits >> 16), (char)(b->bits >> 8), (char)b->bits};
	buf_add(out, three, sizeof three);
	b->bits = b->n = 0;
}

/* Writes what a group of 2 or 3 characters holds. */
static void
b64_flush(struct b64 *b, struct buf *out)
{
	uint32_t bits = b->bits << (6 * (4 - b->n));

	if (b->n >= 2)
		buf_add_char(out, (char)(bits >> 16));
	if (b->n == 3)
		buf_add_char(out, (char)(bits >> 8));
	b->bits = b->n = 0;
}

size_t
codec_base64_decode(struct buf *out, struct span text)
{
	struct b64 b = {0, 0};
	size_t foreign = 0;

	if (!buf_reserve(out, text.len / 4 * 3 + 3))
		return 0;
	for (size_t i = 0; i < text.len; i++) {
		uint8_t v = b64_value[(unsigned char)text.p[i]];
		if (v < 64)
			b64_take(&b, out, v);
		else if (v == B64_PAD)
			b64_flush(&b, out);
		else if (v == B64_FOREIGN)
			foreign++;
	}
	b64_flush(&b, out);
	return foreign;
}

int
codec_base64_strict(struct buf *out, struct span text)
{
	struct b64 b = {0, 0};
	unsigned pads = 0;

	for (size_t i = 0; i < text.len; i++) {
		uint8_t v = b64_value[(unsigned char)text.p[i]];
		if (v == B64_FOREIGN || (v < 64 && pads))
			return ERR_SYNTAX;
		if (v == B64_PAD)
			pads++;
		else if (v < 64)
			b64_take(&b, out, v);
	}
	if (b.n == 1 || pads > 2 || (pads && b.n + pads != 4))
		return ERR_SYNTAX;
	if (b.n && !pads)
		return ERR_SYNTAX;
	b64_flush(&b, out);
	return buf_failed(out) ? ERR_LIMIT : 0;
}

void
codec_base64_encode(struct buf *out, struct span bytes)
{
	const unsigned char *p = (const unsigned char *)bytes.p;

	for (size_t i = 0; i < bytes.len; i += 3) {
		size_t n = bytes.len - i;
		uint32_t bits = (uint32_t)p[i] << 16;
		if (n > 1)
			bits |= (uint32_t)p[i + 1] << 8;
		if (n > 2)
			bits |= p[i + 2];
		char four[4] = {alphabet[bits >> 18], alphabet[bits >> 12 & 63],
		    n > 1 ? alphabet[bits >> 6 & 63] : '=',
		    n > 2 ? alphabet[bits & 63] : '='};
		buf_add(out, four, sizeof four);
	}
}

/* Length of the line end at text[i] (LF or CRLF), 0 when there is none. */
static size_t
eol_at(struct span text, size_t i)
{
	if (i < text.len && text.p[i] == '\n')
		return 1;
	if (i + 1 < text.len && text.p[i] == '\r' && text.p[i + 1] == '\n')
		return 2;
	return 0;
}

/* Value of `=HH` at text[i], or -1. */
static int
qp_value(struct span text, size_t i)
{
	if (text.len - i < 3)
		return -1;
	int high = ascii_hex(text.p[i + 1]), low = ascii_hex(text.p[i + 2]);
	return high < 0 || low < 0 ? -1 : high << 4 | low;
}

size_t
codec_qp_decode(struct buf *out, struct span text)
{
	size_t stayed = 0;

	for (size_t i = 0; i < text.len;) {
		char c = text.p[i];
		size_t n = 1;
		if (ascii_is_blank(c)) {
			while (
			    i + n < text.len && ascii_is_blank(text.p[i + n]))
				n++;
			if (!eol_at(text, i + n))
				buf_add(out, text.p + i, n);
		} else if (c != '=') {
			while (i + n < text.len && text.p[i + n] != '=' &&
			       !ascii_is_blank(text.p[i + n]))
				n++;
			buf_add(out, text.p + i, n);
		} else if (qp_value(text, i) >= 0) {
			buf_add_char(out, (char)qp_value(text, i));
			n = 3;
		} else {
			/* A soft break may have blanks before its line end. */
			size_t blanks = 1;
			while (i + blanks < text.len &&
			       ascii_is_blank(text.p[i + blanks]))
				blanks++;
			size_t eol = eol_at(text, i + blanks);
			if (eol) {
				n = blanks + eol;
			} else {
				buf_add_char(out, '=');
				stayed++;
			}
		}
		i += n;
	}
	return stayed;
}

void
codec_q_decode(struct buf *out, struct span text)
{
	for (size_t i = 0; i < text.len; i++) {
		int value = text.p[i] == '=' ? qp_value(text, i) : -1;
		if (value >= 0) {
			buf_add_char(out, (char)value);
			i += 2;
		} else {
			buf_add_char(out, text.p[i] == '_' ? ' ' : text.p[i]);
		}
	}
}

void
codec_hex_encode(struct buf *out, struct span bytes)
{
	static const char hex[] = "0123456789abcdef";

	for (size_t i = 0; i < bytes.len; i++) {
		unsigned char c = (unsigned char)bytes.p[i];
		buf_add_char(out, hex[c >> 4]);
		buf_add_char(out, hex[c & 15]);
	}
}
