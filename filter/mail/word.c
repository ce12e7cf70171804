#include "filter/mail/word.h"

#include "filter/base/buf.h"
#include "filter/base/codec.h"

/*
 * Encoded words of header text (RFC 2047, with the language of RFC 2231
 * section 5), read as SpamAssassin reads them: a word may stand anywhere, also
 * in quotes; its text is anything but `?`; neighbours of one charset are one
 * run of bytes before the charset is looked at, so that a character may be
 * split between words. One pass; each byte is looked at a fixed number of
 * times. Charsets are word_charset.c's.
 */

/* Runs of words that may ask for a charset other than UTF-8 and Latin-1; what
 * comes after that is not worth the loading of tables for each. */
#define RUNS_MAX 1000

struct word {
	struct span charset, text;
	char encoding; /* 'b' or 'q' */
	size_t len;    /* of the whole word */
};

static bool
is_token(char c)
{
	return ascii_is_alnum(c) || c == '-' || c == '_';
}

/* Bytes of `s` from `i` that may stand in a charset's name. */
static size_t
token_len(struct span s, size_t i)
{
	size_t n = 0;

	while (i + n < s.len && is_token(s.p[i + n]))
		n++;
	return n;
}

/* True when an encoded word begins at s[at]. */
static bool
parse_word(struct span s, size_t at, struct word *ret)
{
	size_t i = at + 2;

	if (!span_starts(span_skip(s, at), SPAN("=?")))
		return false;
	size_t n = token_len(s, i);
	if (n == 0)
		return false;
	ret->charset = span_make(s.p + i, n);
	i += n;
	if (i < s.len && s.p[i] == '*') /* a language, RFC 2231 section 5 */
		i += 1 + token_len(s, i + 1);
	if (i + 3 > s.len || s.p[i] != '?' || s.p[i + 2] != '?')
		return false;
	ret->encoding = ascii_lower(s.p[i + 1]);
	if (ret->encoding != 'b' && ret->encoding != 'q')
		return false;
	i += 3;
	ret->text = span_skip(s, i);
	n = span_find_char(ret->text, '?');
	if (n == SPAN_NPOS || i + n + 1 >= s.len || s.p[i + n + 1] != '=')
		return false;
	ret->text.len = n;
	ret->len = i + n + 2 - at;
	return true;
}

struct decoder {
	struct arena *arena;
	struct buf out;
	struct buf run; /* bytes of the words of one charset so far */
	struct span charset;
	size_t runs;
};

static void
end_run(struct decoder *d)
{
	if (!d->charset.p)
		return;
	struct span charset =
	    ++d->runs > RUNS_MAX && !span_caseis(d->charset, "utf-8")
		? SPAN("us-ascii")
		: d->charset;
	buf_add_span(
	    &d->out, word_utf8(buf_span(&d->run), charset, true, d->arena));
	buf_truncate(&d->run, 0);
	d->charset = SPAN_NONE;
}

static void
take_word(struct decoder *d, const struct word *w)
{
	if (d->charset.p && !span_caseeq(d->charset, w->charset))
		end_run(d);
	d->charset = w->charset;
	if (w->encoding == 'b')
		codec_base64_decode(&d->run, w->text);
	else
		codec_q_decode(&d->run, w->text);
}

/* Length of the plain text at s[i], which is no word: to the next `=`. */
static size_t
plain_len(struct span s, size_t i)
{
	size_t n = span_find_char(span_skip(s, i + 1), '=');

	return n == SPAN_NPOS ? s.len - i : n + 1;
}

static size_t
space_len(struct span s, size_t i)
{
	size_t n = 0;

	while (i + n < s.len && ascii_is_space(s.p[i + n]))
		n++;
	return n;
}

static void
decode_words(struct decoder *d, struct span s)
{
	struct word w;

	for (size_t i = 0; i < s.len;) {
		if (parse_word(s, i, &w)) {
			take_word(d, &w);
			i += w.len;
			/* Blanks between two words are not shown. */
			size_t blanks = space_len(s, i);
			if (blanks && parse_word(s, i + blanks, &w))
				i += blanks;
			continue;
		}
		end_run(d);
		size_t n = plain_len(s, i);
		buf_add(&d->out, s.p + i, n);
		i += n;
	}
	end_run(d);
}

struct span
word_decode(struct span text, struct arena *arena)
{
	struct decoder d = {.arena = arena, .charset = SPAN_NONE};

	/* Section 3.2: 8-bit text first, then the words in it. */
	if (!span_is_ascii(text))
		text = word_utf8(text, SPAN("utf-8"), false, arena);
	if (span_find(text, SPAN("=?"), 0) == SPAN_NPOS)
		return text;
	buf_init(&d.out, arena, text.len * 4 + 16);
	buf_init(&d.run, arena, text.len + 16);
	decode_words(&d, text);
	if (buf_failed(&d.out) || buf_failed(&d.run))
		return SPAN_NONE;
	return buf_span(&d.out);
}

/* --- writing -------------------------------------------------------------- */

#define WORD_MAX 75 /* RFC 2047 section 2 */
#define WORD_BEGIN SPAN("=?UTF-8?Q?")
#define WORD_END SPAN("?=")

/* Printable ASCII that no reader takes for an encoded word. */
static bool
is_plain(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (ascii_is_control(s.p[i]) || ascii_is_8bit(s.p[i]))
			return false;
	return span_find(s, SPAN("=?"), 0) == SPAN_NPOS;
}

/* One character of a word that may stand in a phrase (RFC 2047 section 5). */
static size_t
encode_char(struct span c, char out[12])
{
	static const char hex[] = "0123456789ABCDEF";
	size_t n = 0;

	for (size_t i = 0; i < c.len; i++) {
		unsigned char u = (unsigned char)c.p[i];
		if (ascii_is_alnum(c.p[i]) ||
		    (u && u < 0x80 && strchr("!*+-/", c.p[i]))) {
			out[n++] = c.p[i];
		} else if (u == ' ') {
			out[n++] = '_';
		} else {
			out[n++] = '=';
			out[n++] = hex[u >> 4];
			out[n++] = hex[u & 15];
		}
	}
	return n;
}

struct span
word_encode(struct span utf8, struct arena *arena)
{
	struct buf out;
	size_t word = 0; /* offset at which the open word begins */

	if (is_plain(utf8))
		return utf8;
	buf_init(&out, arena, utf8.len * 12 + 64);
	buf_add_span(&out, WORD_BEGIN);
	for (size_t i = 0; i < utf8.len;) {
		char coded[12];
		unsigned len = span_utf8_len(utf8.p + i, utf8.len - i);
		/* Bytes that are no UTF-8 are shown as U+FFFD. */
		struct span c =
		    len ? span_make(utf8.p + i, len) : SPAN("\xef\xbf\xbd");
		size_t n = encode_char(c, coded);
		if (out.len - word + n + WORD_END.len > WORD_MAX) {
			buf_add_span(&out, WORD_END);
			buf_add_char(&out, ' ');
			word = out.len;
			buf_add_span(&out, WORD_BEGIN);
		}
		buf_add(&out, coded, n);
		i += len ? len : 1;
	}
	buf_add_span(&out, WORD_END);
	return buf_failed(&out) ? SPAN_NONE : buf_span(&out);
}
