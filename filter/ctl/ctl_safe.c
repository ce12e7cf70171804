#include "filter/ctl/ctl.h"

/*
 * Text from the network on a terminal. Allowed is well-formed UTF-8 but for
 * what commands a terminal or rearranges a line: controls (C0, DEL, C1), the
 * separators of lines and paragraphs, and the marks that turn the direction
 * of text, by which a line can be made to read as another.
 */

/* U+2028 to U+202E and U+2066 to U+2069: E2 80 A8..AE, E2 81 A6..A9. */
static bool
rearranges(const unsigned char *p)
{
	return p[0] == 0xe2 &&
	       ((p[1] == 0x80 && p[2] >= 0xa8 && p[2] <= 0xae) ||
		   (p[1] == 0x81 && p[2] >= 0xa6 && p[2] <= 0xa9));
}

unsigned
ctl_safe_len(struct span text)
{
	unsigned n = span_utf8_len(text.p, text.len);
	const unsigned char *p = (const unsigned char *)text.p;

	if (n == 0 || ascii_is_control(text.p[0]))
		return 0;
	/* C1 controls are escapes for terminals too. */
	if (n == 2 && p[0] == 0xc2 && p[1] < 0xa0)
		return 0;
	return n == 3 && rearranges(p) ? 0 : n;
}

void
ctl_print_safe(FILE *out, struct span text)
{
	while (text.len) {
		unsigned n = ctl_safe_len(text);
		if (n)
			fwrite(text.p, 1, n, out);
		else
			fprintf(out, "\\x%02x", (unsigned char)text.p[0]);
		text = span_skip(text, n ? n : 1);
	}
}

void
ctl_add_safe(struct buf *out, struct span text)
{
	while (text.len) {
		unsigned n = ctl_safe_len(text);
		if (n)
			buf_add(out, text.p, n);
		else
			buf_printf(out, "\\x%02x", (unsigned char)text.p[0]);
		text = span_skip(text, n ? n : 1);
	}
}
