#include "filter/mail/word.h"

#include <errno.h>
#include <iconv.h>

#include "filter/base/buf.h"
#include "filter/base/unconst.h"

/*
 * Bytes of a declared charset to UTF-8, in the order of steps by which
 * SpamAssassin normalises text. ASCII, UTF-8, Latin-1 and Windows-1252 are
 * decoded here; for others libc's iconv is asked, under names that we chose:
 * the sender's text never gets there, and the families whose converters have a
 * history of loops and overruns (EBCDIC, ISO-2022-CN-EXT, ISO-2022-JP-3) are not
 * in the tables. Conversion is one pass with a bound on what comes out.
 */

#define CHARSET_NAME_MAX 40
#define EXPAND_MAX 4 /* bytes out per byte in */

enum kind {
	KIND_UNKNOWN,
	KIND_ASCII,
	KIND_UTF8,
	KIND_W1252, /* also what is declared as ISO-8859-1 */
	KIND_UTF16, /* byte order unknown */
	KIND_HZ,
	KIND_GB18030,
	KIND_ICONV,
};

struct charset {
	enum kind kind;
	bool plain;     /* 7-bit bytes of it are ASCII: step 1 */
	char iconv[20]; /* KIND_ICONV: a name from our tables */
};

static const struct alias {
	const char *name; /* lower case, '-' for '_', without "x-" */
	enum kind kind;
	bool plain;
	const char *iconv;
} aliases[] = {
    {"", KIND_ASCII, true, NULL},
    {"us-ascii", KIND_ASCII, true, NULL},
    {"ascii", KIND_ASCII, true, NULL},
    {"ansi-x3.4-1968", KIND_ASCII, true, NULL},
    {"ansi-x3.4-1986", KIND_ASCII, true, NULL},
    {"utf-8", KIND_UTF8, true, NULL},
    {"utf8", KIND_UTF8, true, NULL},
    {"unicode-1-1-utf-8", KIND_UTF8, true, NULL},
    {"utf-16", KIND_UTF16, false, NULL},
    {"utf16", KIND_UTF16, false, NULL},
    {"utf-16le", KIND_ICONV, false, "UTF-16LE"},
    {"utf-16be", KIND_ICONV, false, "UTF-16BE"},
    {"utf-32", KIND_ICONV, false, "UTF-32"},
    {"utf-32le", KIND_ICONV, false, "UTF-32LE"},
    {"utf-32be", KIND_ICONV, false, "UTF-32BE"},
    {"utf-7", KIND_ICONV, false, "UTF-7"},
    {"utf7", KIND_ICONV, false, "UTF-7"},
    {"unicode-1-1-utf-7", KIND_ICONV, false, "UTF-7"},
    {"koi8-r", KIND_ICONV, true, "KOI8-R"},
    {"koi8-u", KIND_ICONV, true, "KOI8-U"},
    {"koi8-ru", KIND_ICONV, true, "KOI8-U"},
    {"euc-jp", KIND_ICONV, true, "EUC-JP"},
    {"eucjp", KIND_ICONV, true, "EUC-JP"},
    {"euc-kr", KIND_ICONV, true, "EUC-KR"},
    {"euckr", KIND_ICONV, true, "EUC-KR"},
    {"ks-c-5601-1987", KIND_ICONV, true, "CP949"},
    {"ksc5601", KIND_ICONV, true, "CP949"},
    {"uhc", KIND_ICONV, true, "CP949"},
    {"euc-cn", KIND_ICONV, true, "EUC-CN"},
    {"gb2312", KIND_ICONV, true, "EUC-CN"},
    {"gb-2312", KIND_ICONV, true, "EUC-CN"},
    {"gb-2312-80", KIND_ICONV, true, "EUC-CN"},
    {"euc-tw", KIND_ICONV, true, "EUC-TW"},
    {"gbk", KIND_ICONV, true, "CP936"},
    {"gb18030", KIND_GB18030, true, NULL},
    {"gb-18030", KIND_GB18030, true, NULL},
    {"hz-gb-2312", KIND_HZ, false, NULL},
    {"hz", KIND_HZ, false, NULL},
    {"big5", KIND_ICONV, true, "BIG5"},
    {"big-5", KIND_ICONV, true, "BIG5"},
    {"big5-eten", KIND_ICONV, true, "BIG5"},
    {"big5-hkscs", KIND_ICONV, true, "BIG5-HKSCS"},
    /* Under its own name libc reads a backslash as a yen sign. */
    {"shift-jis", KIND_ICONV, true, "CP932"},
    {"shiftjis", KIND_ICONV, true, "CP932"},
    {"sjis", KIND_ICONV, true, "CP932"},
    {"ms-kanji", KIND_ICONV, true, "CP932"},
    {"windows-31j", KIND_ICONV, true, "CP932"},
    {"iso-2022-jp", KIND_ICONV, false, "ISO-2022-JP"},
    {"iso-2022-jp-1", KIND_ICONV, false, "ISO-2022-JP"},
    {"iso-2022-jp-2", KIND_ICONV, false, "ISO-2022-JP-2"},
    {"iso-2022-kr", KIND_ICONV, false, "ISO-2022-KR"},
    {"tis-620", KIND_ICONV, true, "CP874"},
    {"viscii", KIND_ICONV, false, "VISCII"},
    {"macintosh", KIND_ICONV, true, "MACINTOSH"},
    {"mac-roman", KIND_ICONV, true, "MACINTOSH"},
    {"mac-cyrillic", KIND_ICONV, true, "MAC-CYRILLIC"},
};

/* Code pages, whatever they are called before the number. */
static const char *const page_prefixes[] = {
    "windows-", "windows", "cp-", "cp", "win-", "win", "ibm-", "ibm", "dos-"};
static const uint16_t pages[] = {437, 737, 775, 850, 852, 855, 857, 858, 860,
    861, 862, 863, 864, 865, 866, 869, 874, 932, 936, 949, 1250, 1251, 1253,
    1254, 1255, 1256, 1257, 1258};

static const char *const iso_prefixes[] = {
    "iso-8859-", "iso8859-", "iso8859", "8859-"};
#define ISO_MAX 16

/* The name with one kind of letters and dashes; the length, 0 if too long. */
static size_t
clean_name(struct span name, char out[CHARSET_NAME_MAX])
{
	size_t n = 0;

	name = span_trim(name);
	if (span_casestarts(name, SPAN("x-")))
		name = span_skip(name, 2);
	if (name.len > CHARSET_NAME_MAX)
		return 0;
	for (; n < name.len; n++)
		out[n] = name.p[n] == '_' ? '-' : ascii_lower(name.p[n]);
	return n;
}

/* The number behind one of `prefixes`, 0 when there is none. */
static uint64_t
numbered(struct span name, const char *const *prefixes, size_t count)
{
	uint64_t number;

	for (size_t i = 0; i < count; i++) {
		struct span prefix = span_of(prefixes[i]);
		if (span_starts(name, prefix) &&
		    span_to_u64(span_skip(name, prefix.len), &number) == 0)
			return number;
	}
	return 0;
}

static struct charset
iconv_charset(const char *name, bool plain)
{
	struct charset c = {.kind = KIND_ICONV, .plain = plain};

	span_copy(span_of(name), c.iconv, sizeof c.iconv);
	return c;
}

/* Adds a number to a name of ours. */
static struct charset
numbered_charset(const char *prefix, uint64_t number)
{
	struct charset c = iconv_charset(prefix, true);
	size_t at = strlen(c.iconv);
	char digits[4];
	size_t n = 0;

	for (; number && n < sizeof digits; number /= 10)
		digits[n++] = (char)('0' + number % 10);
	while (n)
		c.iconv[at++] = digits[--n];
	return c;
}

static struct charset
iso_charset(uint64_t part)
{
	if (part == 1)
		return (struct charset){.kind = KIND_W1252, .plain = true};
	return numbered_charset("ISO-8859-", part);
}

static struct charset
page_charset(uint64_t page)
{
	if (page == 1252)
		return (struct charset){.kind = KIND_W1252, .plain = true};
	for (size_t i = 0; i < sizeof pages / sizeof *pages; i++)
		if (pages[i] == page)
			return numbered_charset("CP", page);
	return (struct charset){.kind = KIND_UNKNOWN};
}

static struct charset
find_charset(struct span declared)
{
	char text[CHARSET_NAME_MAX];
	struct span name = span_make(text, clean_name(declared, text));

	if (name.len == 0 && span_trim(declared).len)
		return (struct charset){.kind = KIND_UNKNOWN};
	for (size_t i = 0; i < sizeof aliases / sizeof *aliases; i++) {
		const struct alias *a = &aliases[i];
		if (!span_is(name, a->name))
			continue;
		if (a->kind == KIND_ICONV)
			return iconv_charset(a->iconv, a->plain);
		return (struct charset){.kind = a->kind, .plain = a->plain};
	}
	/* ISO-8859-6-E, 8-I and the like: the letter says who orders the text
	 * (RFC 1556), the bytes mean the same. Years: ISO_8859-1:1987. */
	struct span rest = name, base = span_cut(&rest, ':');
	if (span_ends(base, SPAN("-i")) || span_ends(base, SPAN("-e")))
		base.len -= 2;
	uint64_t part = numbered(
	    base, iso_prefixes, sizeof iso_prefixes / sizeof *iso_prefixes);
	if (part >= 1 && part <= ISO_MAX && part != 12)
		return iso_charset(part);
	if (span_is(name, "latin1") || span_is(name, "latin-1"))
		return iso_charset(1);
	if (span_is(name, "latin2") || span_is(name, "latin-2"))
		return iso_charset(2);
	return page_charset(numbered(
	    name, page_prefixes, sizeof page_prefixes / sizeof *page_prefixes));
}

/* --- decoders of our own -------------------------------------------------- */

/* 0x80 to 0x9f of Windows-1252; 0 = not assigned. */
static const uint16_t w1252_high[32] = {0x20ac, 0, 0x201a, 0x0192, 0x201e,
    0x2026, 0x2020, 0x2021, 0x02c6, 0x2030, 0x0160, 0x2039, 0x0152, 0, 0x017d,
    0, 0, 0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014, 0x02dc,
    0x2122, 0x0161, 0x203a, 0x0153, 0, 0x017e, 0x0178};

#define REPLACEMENT 0xfffd

/* Never fails: what is not assigned becomes U+FFFD (section 11.3). */
static void
decode_w1252(struct span in, struct buf *out)
{
	if (!buf_reserve(out, in.len + in.len / 2))
		return;
	for (size_t i = 0; i < in.len; i++) {
		unsigned char c = (unsigned char)in.p[i];
		uint32_t u = c;
		if (c >= 0x80 && c < 0xa0) {
			u = w1252_high[c - 0x80];
			if (u == 0)
				u = REPLACEMENT;
		}
		buf_add_utf8(out, u);
	}
}

/* How many bytes at in[i] are the beginning of a character and no more: what
 * one replacement character stands for (Unicode 3.9, maximal subparts). */
static size_t
broken_len(struct span in, size_t i)
{
	unsigned char c = (unsigned char)in.p[i];
	size_t want = c >= 0xf0 && c < 0xf5 ? 3 : c >= 0xe0 && c < 0xf0 ? 2 : 0;
	size_t n = 1;

	for (; want && n <= want && i + n < in.len; n++) {
		unsigned char d = (unsigned char)in.p[i + n];
		unsigned char low = n == 1 && c == 0xe0   ? 0xa0
				    : n == 1 && c == 0xf0 ? 0x90
							  : 0x80;
		unsigned char high = n == 1 && c == 0xed   ? 0x9f
				     : n == 1 && c == 0xf4 ? 0x8f
							   : 0xbf;
		if (d < low || d > high)
			break;
	}
	return n;
}

static void
decode_utf8(struct span in, struct buf *out)
{
	size_t from = 0, i = 0;

	while (i < in.len) {
		unsigned n = span_utf8_len(in.p + i, in.len - i);
		if (n) {
			i += n;
			continue;
		}
		buf_add(out, in.p + from, i - from);
		buf_add_utf8(out, REPLACEMENT);
		i += broken_len(in, i);
		from = i;
	}
	buf_add_span(out, span_skip(in, from));
}

/* HZ (RFC 1843) to the EUC form of GB 2312. False when it is broken. */
static bool
hz_to_euc(struct span in, struct buf *out)
{
	bool gb = false, good = true;

	for (size_t i = 0; i < in.len; i++) {
		char c = in.p[i], next = i + 1 < in.len ? in.p[i + 1] : '\0';
		if (c == '~' && !gb && (next == '~' || next == '\n')) {
			if (next == '~')
				buf_add_char(out, '~');
			i++;
		} else if (c == '~' && next == (gb ? '}' : '{')) {
			gb = !gb;
			i++;
		} else if (gb && c > ' ' && c < 0x7f && next > ' ' &&
			   next < 0x7f) {
			char pair[2] = {(char)(c | 0x80), (char)(next | 0x80)};
			buf_add(out, pair, sizeof pair);
			i++;
		} else {
			good = good && !gb && c != '~';
			/* A pair does not reach over the end of a line. */
			gb = gb && c != '\n';
			buf_add_char(out, c);
		}
	}
	return good && !gb;
}

/* --- iconv ---------------------------------------------------------------- */

#define ROOM_MIN 16 /* more than any one character needs */

/* One call of iconv with all the room that `out` may have; 0 or errno. */
static int
step(iconv_t cd, char **in, size_t *in_left, struct buf *out)
{
	size_t bound = out->limit - out->len;
	size_t want = in ? *in_left + *in_left / 2 + ROOM_MIN : ROOM_MIN;

	if (!buf_reserve(out, want < bound ? want : bound))
		return ENOMEM;
	char *to = out->p + out->len;
	size_t left = out->size - 1 - out->len;
	if (left > bound)
		left = bound;
	size_t rc = iconv(cd, in, in_left, &to, &left);
	int error = rc == (size_t)-1 ? errno : 0;
	out->len = (size_t)(to - out->p);
	*to = '\0';
	return error;
}

/* Bytes to leave out where the converter cannot go on. */
static size_t
unit_of(const char *name)
{
	if (span_starts(span_of(name), SPAN("UTF-16")))
		return 2;
	if (span_starts(span_of(name), SPAN("UTF-32")))
		return 4;
	return 1;
}

/*
 * Runs the converter over `in`. Strict: false at the first byte that does not
 * fit. Lossy: such bytes become U+FFFD, and text past the bound is left out.
 * Each turn takes input or makes output, so both ends are near.
 */
static bool
run_iconv(iconv_t cd, struct span in, size_t unit, bool lossy, struct buf *out)
{
	char *p = unconst(in.p);
	size_t left = in.len;

	while (left) {
		int error = step(cd, &p, &left, out);
		size_t bound = out->limit - out->len;
		if (error == 0)
			break;
		if (error == E2BIG && bound >= ROOM_MIN)
			continue;
		if (!lossy || bound < ROOM_MIN ||
		    (error != EILSEQ && error != EINVAL))
			return lossy;
		buf_add_utf8(out, REPLACEMENT);
		size_t skip = left < unit ? left : unit;
		p += skip;
		left -= skip;
	}
	/* A letter may still wait for an accent to come (Windows-1258). */
	int error = step(cd, NULL, NULL, out);
	return error == 0 || lossy;
}

static bool
decode_iconv(const char *name, struct span in, bool lossy, struct buf *out)
{
	iconv_t cd = iconv_open("UTF-8", name);

	if (cd == (iconv_t)-1)
		return false;
	bool good = run_iconv(cd, in, unit_of(name), lossy, out);
	iconv_close(cd);
	return good && span_is_utf8(buf_span(out));
}

/* --- the order of steps --------------------------------------------------- */

/* UTF-16 without a byte order mark: zero bytes tell where the high halves are.
 * Without any, what Windows writes. */
static const char *
guess_utf16(struct span in)
{
	size_t zeros[2] = {0, 0};

	for (size_t i = 0; i < in.len; i++)
		zeros[i & 1] += in.p[i] == '\0';
	return zeros[0] > zeros[1] ? "UTF-16BE" : "UTF-16LE";
}

static bool
decode_utf16(struct span in, bool lossy, struct buf *out)
{
	if (span_starts(in, SPAN("\xff\xfe")))
		return decode_iconv("UTF-16LE", span_skip(in, 2), lossy, out);
	if (span_starts(in, SPAN("\xfe\xff")))
		return decode_iconv("UTF-16BE", span_skip(in, 2), lossy, out);
	return decode_iconv(guess_utf16(in), in, lossy, out);
}

static bool
has_w1252_hole(struct span in)
{
	for (size_t i = 0; i < in.len; i++) {
		unsigned char c = (unsigned char)in.p[i];
		if (c >= 0x80 && c < 0xa0 && w1252_high[c - 0x80] == 0)
			return true;
	}
	return false;
}

static bool
decode_hz(struct span in, bool lossy, struct buf *out)
{
	struct buf euc;

	buf_init(&euc, out->arena, in.len);
	bool good = hz_to_euc(in, &euc);
	return (good || lossy) &&
	       decode_iconv("EUC-CN", buf_span(&euc), lossy, out);
}

/* Step 4: the declared charset. False when it cannot be that. */
static bool
decode_declared(
    const struct charset *cs, struct span in, bool lossy, struct buf *out)
{
	switch (cs->kind) {
	case KIND_UTF8:
		if (!lossy && !span_is_utf8(in))
			return false;
		decode_utf8(in, out);
		return true;
	case KIND_W1252:
		if (!lossy && has_w1252_hole(in))
			return false;
		decode_w1252(in, out);
		return true;
	case KIND_UTF16:
		return decode_utf16(in, lossy, out);
	case KIND_HZ:
		return decode_hz(in, lossy, out);
	case KIND_GB18030:
		/* SpamAssassin has no table of its own for it: GBK first, the
		 * rest of the standard where that does not do. */
		if (decode_iconv("CP936", in, false, out))
			return true;
		buf_truncate(out, 0);
		return decode_iconv("GB18030", in, lossy, out);
	case KIND_ICONV:
		return decode_iconv(cs->iconv, in, lossy, out);
	case KIND_ASCII:
	case KIND_UNKNOWN:
		break;
	}
	return false;
}

struct span
word_utf8(
    struct span bytes, struct span declared, bool insist, struct arena *arena)
{
	struct charset cs = find_charset(declared);
	bool ascii = span_is_ascii(bytes);
	struct buf out;

	if (ascii && cs.plain) /* step 1 */
		return bytes;
	if (!ascii && !insist && span_is_utf8(bytes)) /* step 2 */
		return bytes;
	buf_init(&out, arena, bytes.len * EXPAND_MAX + ROOM_MIN);
	/* Steps 3 and 4. */
	if (decode_declared(&cs, bytes, insist, &out))
		return buf_failed(&out) ? SPAN_NONE : buf_span(&out);
	if (ascii) /* step 5 */
		return bytes;
	/* Steps 6 and 8 differ only in how sure one may be. Step 7 asks for a
	 * detector that Debian's SpamAssassin does not have. */
	out.failed = false;
	buf_truncate(&out, 0);
	decode_w1252(bytes, &out);
	return buf_failed(&out) ? SPAN_NONE : buf_span(&out);
}
