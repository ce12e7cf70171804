#include "filter/base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/*
 * A growing byte builder. It doubles up to its limit; what comes after a
 * failure is dropped, so that callers need to look only once.
 */

void
buf_init(struct buf *buf, struct arena *arena, size_t limit)
{
	*buf = (struct buf){.limit = limit, .arena = arena};
}

void
buf_done(struct buf *buf)
{
	if (!buf->arena)
		free(buf->p);
	buf->p = NULL;
	buf->len = buf->size = 0;
}

bool
buf_reserve(struct buf *buf, size_t more)
{
	if (buf->failed || more > buf->limit || buf->len > buf->limit - more) {
		buf->failed = true;
		return false;
	}
	size_t need = buf->len + more + 1;
	if (need <= buf->size)
		return true;
	size_t size = buf->size ? buf->size : 64;
	while (size < need)
		size = size > SIZE_MAX / 2 ? need : size * 2;
	char *p = buf->arena ? arena_grow(buf->arena, buf->p, buf->size, size)
			     : realloc(buf->p, size);
	if (!p) {
		buf->failed = true;
		return false;
	}
	buf->p = p;
	buf->size = size;
	return true;
}

void
buf_add(struct buf *buf, const void *p, size_t len)
{
	if (!buf_reserve(buf, len))
		return;
	if (len)
		memcpy(buf->p + buf->len, p, len);
	buf->len += len;
	buf->p[buf->len] = '\0';
}

void
buf_add_span(struct buf *buf, struct span s)
{
	buf_add(buf, s.p, s.len);
}

void
buf_add_str(struct buf *buf, const char *cstr)
{
	buf_add(buf, cstr, strlen(cstr));
}

void
buf_add_char(struct buf *buf, char c)
{
	buf_add(buf, &c, 1);
}

void
buf_add_lower(struct buf *buf, struct span s)
{
	if (!buf_reserve(buf, s.len))
		return;
	for (size_t i = 0; i < s.len; i++)
		buf->p[buf->len + i] = ascii_lower(s.p[i]);
	buf->len += s.len;
	buf->p[buf->len] = '\0';
}

void
buf_add_u64(struct buf *buf, uint64_t value)
{
	char digits[20];
	size_t n = sizeof digits;

	do
		digits[--n] = (char)('0' + value % 10);
	while (value /= 10);
	buf_add(buf, digits + n, sizeof digits - n);
}

void
buf_add_utf8(struct buf *buf, uint32_t c)
{
	if (c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		c = 0xfffd;
	if (c < 0x80) {
		buf_add_char(buf, (char)c);
	} else if (c < 0x800) {
		char b[2] = {(char)(0xc0 | c >> 6), (char)(0x80 | (c & 0x3f))};
		buf_add(buf, b, sizeof b);
	} else if (c < 0x10000) {
		char b[3] = {(char)(0xe0 | c >> 12),
		    (char)(0x80 | (c >> 6 & 0x3f)), (char)(0x80 | (c & 0x3f))};
		buf_add(buf, b, sizeof b);
	} else {
		char b[4] = {(char)(0xf0 | c >> 18),
		    (char)(0x80 | (c >> 12 & 0x3f)),
		    (char)(0x80 | (c >> 6 & 0x3f)), (char)(0x80 | (c & 0x3f))};
		buf_add(buf, b, sizeof b);
	}
}

void
buf_printf(struct buf *buf, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	int n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0) {
		buf->failed = true;
		return;
	}
	if (!buf_reserve(buf, (size_t)n))
		return;
	va_start(ap, fmt);
	vsnprintf(buf->p + buf->len, (size_t)n + 1, fmt, ap);
	va_end(ap);
	buf->len += (size_t)n;
}

void
buf_add_coded(struct buf *buf, struct span s, size_t max)
{
	static const char hex[] = "0123456789ABCDEF";

	for (size_t i = 0; i < s.len && i < max; i++) {
		unsigned char c = (unsigned char)s.p[i];
		if (c >= 0x21 && c <= 0x7e && c != '"' && c != ',' &&
		    c != '%') {
			buf_add_char(buf, (char)c);
		} else {
			char b[3] = {'%', hex[c >> 4], hex[c & 15]};
			buf_add(buf, b, sizeof b);
		}
	}
}

void
buf_truncate(struct buf *buf, size_t len)
{
	if (len >= buf->len)
		return;
	buf->len = len;
	buf->p[len] = '\0';
}

struct span
buf_span(const struct buf *buf)
{
	return span_make(buf->p ? buf->p : "", buf->len);
}

const char *
buf_str(const struct buf *buf)
{
	return buf->p ? buf->p : "";
}

bool
buf_failed(const struct buf *buf)
{
	return buf->failed;
}
