#include "filter/dns/name.h"

/*
 * Forms of a domain name. Nothing here knows what a host name is: labels are
 * bytes, and only lengths are checked (RFC 1035 section 2.3.4). Answers show
 * odd bytes escaped, so that a name from the network can neither forge a
 * label's end nor carry control characters into a log or a header.
 */

/* Eight bytes at once; this is asked for every question. */
#define EACH_BYTE(b) (UINT64_C(0x0101010101010101) * (b))

static uint64_t
lower8(uint64_t w)
{
	uint64_t low7 = w & EACH_BYTE(0x7f);
	uint64_t from_a = low7 + EACH_BYTE(0x80 - 'A');
	uint64_t past_z = low7 + EACH_BYTE(0x7f - 'Z');
	uint64_t upper = from_a & ~past_z & ~w & EACH_BYTE(0x80);

	return w | upper >> 2;
}

static void
lower(const char *from, size_t len, char *to)
{
	uint64_t w;
	size_t i = 0;

	for (; len - i >= sizeof w; i += sizeof w) {
		memcpy(&w, from + i, sizeof w);
		w = lower8(w);
		memcpy(to + i, &w, sizeof w);
	}
	for (; i < len; i++)
		to[i] = ascii_lower(from[i]);
}

size_t
name_fold(struct span name, char to[NAME_FOLDED_MAX])
{
	size_t len = name.len;

	if (len && name.p[len - 1] == '.')
		len--;
	if (len == 0 || len > NAME_FOLDED_MAX)
		return 0;
	struct span rest = span_make(name.p, len);
	while (rest.p) {
		size_t label = span_cut(&rest, '.').len;
		if (label == 0 || label > NAME_LABEL_MAX)
			return 0;
	}
	lower(name.p, len, to);
	return len;
}

size_t
name_to_wire(struct span folded, uint8_t to[NAME_WIRE_MAX])
{
	size_t n = 0;

	while (folded.len) {
		struct span label = span_cut(&folded, '.');
		to[n++] = (uint8_t)label.len;
		memcpy(to + n, label.p, label.len);
		n += label.len;
	}
	to[n++] = 0;
	return n;
}

/* One byte of a label; returns the end. */
static char *
put_byte(char *to, char c)
{
	unsigned byte = (unsigned char)c;

	if (byte > 0x20 && byte < 0x7f && c != '.' && c != '\\') {
		*to++ = ascii_lower(c);
		return to;
	}
	*to++ = '\\';
	*to++ = (char)('0' + byte / 100);
	*to++ = (char)('0' + byte / 10 % 10);
	*to++ = (char)('0' + byte % 10);
	return to;
}

size_t
name_to_text(struct span wire, char to[NAME_TEXT_MAX], size_t *ret_len)
{
	char *out = to;
	size_t i = 0;

	for (;;) {
		if (i >= wire.len || i >= NAME_WIRE_MAX)
			return 0;
		size_t len = (uint8_t)wire.p[i++];
		if (len == 0)
			break;
		/* A pointer (RFC 1035 section 4.1.4) has no place here. */
		if (len > NAME_LABEL_MAX || len >= wire.len - i ||
		    i + len >= NAME_WIRE_MAX)
			return 0;
		if (out != to)
			*out++ = '.';
		for (size_t end = i + len; i < end; i++)
			out = put_byte(out, wire.p[i]);
	}
	*ret_len = (size_t)(out - to);
	return i;
}
