#include "filter/learn/token_words.h"

/*
 * Words of a text, one character after the other, never back. What a reader
 * does not tell apart is the same word: case (ASCII, Latin-1, Greek, Cyrillic;
 * others as they are), typographic apostrophes, characters without width that
 * are put between letters to hide a word.
 */

#define WORD_MAX 40      /* bytes of a word that is kept as it is */
#define NUMBER_DIGITS 4  /* of a number without dots that is kept as it is */
#define LONG_MAX 1048576 /* longer words have the mark of this length */

enum class {
	CLASS_SPACE, /* ends a word */
	CLASS_WORD,
	CLASS_GLUE, /* inside a word, between two characters of it */
	CLASS_NONE, /* without width: as if it were not there */
	CLASS_WIDE, /* a word by itself */
};

void
token_words_init(struct token_words *words, struct span text, bool fold)
{
	words->rest = text;
	words->fold = fold;
	words->turn = 0;
}

/* --- characters --------------------------------------------------------------- */

struct range {
	uint32_t first, last;
	enum class class;
};

/* In order; what is not listed is part of a word. */
static const struct range ranges[] = {
    {0x80, 0xac, CLASS_SPACE}, {0xad, 0xad, CLASS_NONE}, /* soft hyphen */
    {0xae, 0xb4, CLASS_SPACE}, {0xb6, 0xb9, CLASS_SPACE},
    {0xbb, 0xbf, CLASS_SPACE}, {0x34f, 0x34f, CLASS_NONE},
    {0xe00, 0xeff, CLASS_WIDE},   /* Thai, Lao */
    {0x1000, 0x109f, CLASS_WIDE}, /* Myanmar */
    {0x1780, 0x17ff, CLASS_WIDE}, /* Khmer */
    {0x180b, 0x180e, CLASS_NONE}, {0x2000, 0x200a, CLASS_SPACE},
    {0x200b, 0x200f, CLASS_NONE}, {0x2010, 0x2018, CLASS_SPACE},
    {0x2019, 0x2019, CLASS_GLUE}, {0x201a, 0x2029, CLASS_SPACE},
    {0x202a, 0x202e, CLASS_NONE}, {0x202f, 0x205f, CLASS_SPACE},
    {0x2060, 0x206f, CLASS_NONE},
    {0x2190, 0x2bff, CLASS_SPACE}, /* arrows, lines, signs */
    {0x2e80, 0x2fff, CLASS_WIDE}, {0x3000, 0x3004, CLASS_SPACE},
    {0x3005, 0x3007, CLASS_WIDE}, {0x3008, 0x3020, CLASS_SPACE},
    {0x3021, 0xabff, CLASS_WIDE}, /* Kana, Han, Yi and what is between */
    {0xf900, 0xfaff, CLASS_WIDE},
    {0xfe00, 0xfe0f, CLASS_NONE}, /* variation selectors */
    {0xfeff, 0xfeff, CLASS_NONE}, {0xff01, 0xff0f, CLASS_SPACE},
    {0xfff0, 0xffff, CLASS_SPACE}, {0x1f000, 0x1faff, CLASS_WIDE},  /* emoji */
    {0x20000, 0x3ffff, CLASS_WIDE}, {0xe0000, 0xe0fff, CLASS_NONE}, /* tags */
};

static enum class class_of_ascii(char c) {
	if (ascii_is_alnum(c) || c == '$') return CLASS_WORD;
	return c && strchr(".-'@_,", c) ? CLASS_GLUE : CLASS_SPACE;
}

static enum class class_of(uint32_t c) {
	size_t low = 0, high = sizeof ranges / sizeof *ranges;

	if (c < 0x80) return class_of_ascii((char)c);
	while (low < high){size_t mid = (low + high) / 2;
			   if (c > ranges[mid].last) low = mid + 1;
			   else if (c < ranges[mid].first) high = mid;
			   else return ranges[mid].class;}
return CLASS_WORD;
}

/* The code point of a well-formed sequence. */
static uint32_t
code_point(const char *p, unsigned n)
{
	static const unsigned char first_mask[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
	uint32_t c = (unsigned char)p[0] & first_mask[n];

	for (unsigned i = 1; i < n; i++)
		c = c << 6 | ((unsigned char)p[i] & 0x3f);
	return c;
}

static uint32_t
lower(uint32_t c)
{
	if (c < 0x80)
		return (unsigned char)ascii_lower((char)c);
	if ((c >= 0xc0 && c <= 0xde && c != 0xd7) ||
	    (c >= 0x391 && c <= 0x3a9) || (c >= 0x410 && c <= 0x42f))
		return c + 32;
	if (c >= 0x400 && c <= 0x40f)
		return c + 80;
	if (c >= 0xff21 && c <= 0xff3a) /* full width letters are letters */
		return c - 0xff21 + 'a';
	if (c >= 0xff41 && c <= 0xff5a)
		return c - 0xff41 + 'a';
	return c;
}

static size_t
put_utf8(char *to, uint32_t c)
{
	if (c < 0x80) {
		to[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		to[0] = (char)(0xc0 | c >> 6);
		to[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		to[0] = (char)(0xe0 | c >> 12);
		to[1] = (char)(0x80 | (c >> 6 & 0x3f));
		to[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	to[0] = (char)(0xf0 | c >> 18);
	to[1] = (char)(0x80 | (c >> 12 & 0x3f));
	to[2] = (char)(0x80 | (c >> 6 & 0x3f));
	to[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

/* --- words ---------------------------------------------------------------------- */

struct word {
	char *text;
	size_t kept; /* bytes in `text` */
	size_t len;  /* bytes of the word */
	unsigned digits, letters;
	bool dots;
	char glue; /* seen behind the last character, 0 for none */
};

static void
word_add(struct word *w, uint32_t c)
{
	char bytes[4];
	size_t n = put_utf8(bytes, c);

	w->len += n;
	if (w->kept + n <= WORD_MAX && w->len <= WORD_MAX) {
		memcpy(w->text + w->kept, bytes, n);
		w->kept += n;
	}
	if (c < 0x80 && ascii_is_digit((char)c))
		w->digits++;
	else if (c >= 0x80 || ascii_is_alpha((char)c))
		w->letters++;
}

static struct span
mark(char *text, char kind, size_t number)
{
	char digits[24];
	size_t n = sizeof digits;

	do
		digits[--n] = (char)('0' + number % 10);
	while ((number /= 10) && n > 1);
	digits[--n] = kind;
	memcpy(text, digits + n, sizeof digits - n);
	return span_make(text, sizeof digits - n);
}

static struct span
word_end(const struct word *w)
{
	size_t length = 64;

	if (w->len <= WORD_MAX) {
		if (w->digits > NUMBER_DIGITS && !w->letters && !w->dots)
			return mark(w->text, '#', w->digits);
		return span_make(w->text, w->kept);
	}
	while (length < w->len && length < LONG_MAX)
		length *= 2;
	return mark(w->text, '~', length);
}

/* The rest behind "://" up to where a link must end. */
static struct span
behind_link(struct span rest)
{
	size_t end = span_find_any(rest, " \t\r\n<>\"");

	return end == SPAN_NPOS ? SPAN_NONE : span_skip(rest, end);
}

/* Takes one character into the word; false: the word ends before it. */
static bool
word_take(struct word *w, uint32_t c, enum class class)
{
	if (class == CLASS_GLUE && w->len && !w->glue) {
		w->glue = c == 0x2019 ? '\'' : (char)c;
		return true;
	}
	if (class != CLASS_WORD)
		return w->len == 0;
	if (w->glue)
		word_add(w, (unsigned char)w->glue);
	w->dots |= w->glue == '.';
	w->glue = 0;
	word_add(w, c);
	return true;
}

bool
token_words_next(struct token_words *words, struct span *ret)
{
	struct word w = {.text = words->text[words->turn ^= 1]};
	struct span rest = words->rest;

	while (rest.len) {
		unsigned n = span_utf8_len(rest.p, rest.len);
		uint32_t c = n ? code_point(rest.p, n) : ' ';
		enum class class = class_of(c);
		if (class == CLASS_NONE) {
			rest = span_skip(rest, n);
			continue;
		}
		if (class == CLASS_WIDE && w.len == 0) {
			word_add(&w, c);
			rest = span_skip(rest, n);
			break;
		}
		if (!word_take(&w, words->fold ? lower(c) : c, class)) {
			if (!span_starts(rest, SPAN("://")))
				break;
			rest = behind_link(rest);
			w = (struct word){.text = w.text};
			continue;
		}
		rest = span_skip(rest, n ? n : 1);
	}
	words->rest = rest;
	*ret = word_end(&w);
	return w.len > 0;
}
