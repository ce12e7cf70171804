#include "filter/base/span.h"

#include <endian.h>
#include <errno.h>
#include <pthread.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

/*
 * Views of bytes. Everything here is linear in the length of its input and
 * asks no locale. Hashes are keyed per process, since senders choose what we
 * put into tables.
 */

bool
span_eq(struct span a, struct span b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

static bool
case_same(const char *a, const char *b, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (ascii_lower(a[i]) != ascii_lower(b[i]))
			return false;
	return true;
}

bool
span_caseeq(struct span a, struct span b)
{
	return a.len == b.len && case_same(a.p, b.p, a.len);
}

bool
span_is(struct span a, const char *cstr)
{
	return span_eq(a, span_of(cstr));
}

bool
span_caseis(struct span a, const char *cstr)
{
	return span_caseeq(a, span_of(cstr));
}

bool
span_starts(struct span s, struct span prefix)
{
	return s.len >= prefix.len && span_eq(span_head(s, prefix.len), prefix);
}

bool
span_casestarts(struct span s, struct span prefix)
{
	return s.len >= prefix.len && case_same(s.p, prefix.p, prefix.len);
}

bool
span_ends(struct span s, struct span suffix)
{
	return s.len >= suffix.len &&
	       span_eq(span_skip(s, s.len - suffix.len), suffix);
}

bool
span_caseends(struct span s, struct span suffix)
{
	return s.len >= suffix.len &&
	       span_caseeq(span_skip(s, s.len - suffix.len), suffix);
}

int
span_cmp(struct span a, struct span b)
{
	size_t n = a.len < b.len ? a.len : b.len;
	int c = n ? memcmp(a.p, b.p, n) : 0;

	if (c)
		return c;
	return (a.len > b.len) - (a.len < b.len);
}

int
span_casecmp(struct span a, struct span b)
{
	size_t n = a.len < b.len ? a.len : b.len;

	for (size_t i = 0; i < n; i++) {
		unsigned char x = (unsigned char)ascii_lower(a.p[i]);
		unsigned char y = (unsigned char)ascii_lower(b.p[i]);
		if (x != y)
			return x < y ? -1 : 1;
	}
	return (a.len > b.len) - (a.len < b.len);
}

size_t
span_find_char(struct span s, char c)
{
	const char *q = s.len ? memchr(s.p, c, s.len) : NULL;

	return q ? (size_t)(q - s.p) : SPAN_NPOS;
}

size_t
span_rfind_char(struct span s, char c)
{
	for (size_t i = s.len; i > 0; i--)
		if (s.p[i - 1] == c)
			return i - 1;
	return SPAN_NPOS;
}

size_t
span_find(struct span s, struct span needle, size_t from)
{
	if (from > s.len || needle.len > s.len - from)
		return SPAN_NPOS;
	if (needle.len == 0)
		return from;
	const char *q = memmem(s.p + from, s.len - from, needle.p, needle.len);
	return q ? (size_t)(q - s.p) : SPAN_NPOS;
}

size_t
span_casefind(struct span s, struct span needle, size_t from)
{
	if (from > s.len || needle.len > s.len - from)
		return SPAN_NPOS;
	for (size_t i = from; i <= s.len - needle.len; i++)
		if (case_same(s.p + i, needle.p, needle.len))
			return i;
	return SPAN_NPOS;
}

size_t
span_find_any(struct span s, const char *set)
{
	struct span chars = span_of(set);

	for (size_t i = 0; i < s.len; i++)
		if (span_find_char(chars, s.p[i]) != SPAN_NPOS)
			return i;
	return SPAN_NPOS;
}

struct span
span_skip(struct span s, size_t n)
{
	if (n >= s.len)
		return span_make(s.p ? s.p + s.len : NULL, 0);
	return span_make(s.p + n, s.len - n);
}

struct span
span_head(struct span s, size_t n)
{
	return span_make(s.p, n < s.len ? n : s.len);
}

struct span
span_trim_left(struct span s)
{
	while (s.len && ascii_is_space(s.p[0]))
		s = span_skip(s, 1);
	return s;
}

struct span
span_trim_right(struct span s)
{
	while (s.len && ascii_is_space(s.p[s.len - 1]))
		s.len--;
	return s;
}

struct span
span_trim(struct span s)
{
	return span_trim_left(span_trim_right(s));
}

struct span
span_cut(struct span *s, char c)
{
	struct span all = *s;
	size_t at = span_find_char(all, c);

	if (at == SPAN_NPOS) {
		*s = SPAN_NONE;
		return all;
	}
	*s = span_skip(all, at + 1);
	return span_head(all, at);
}

struct span
span_word(struct span *s)
{
	struct span left = span_trim_left(*s);
	size_t n = 0;

	while (n < left.len && !ascii_is_space(left.p[n]))
		n++;
	*s = span_skip(left, n);
	return span_head(left, n);
}

bool
span_line(struct span *s, struct span *ret_line)
{
	if (s->len == 0)
		return false;
	struct span line = span_cut(s, '\n');
	if (line.len && line.p[line.len - 1] == '\r')
		line.len--;
	*ret_line = line;
	return true;
}

int
span_to_u64(struct span s, uint64_t *ret)
{
	uint64_t value = 0;

	if (s.len == 0)
		return ERR_SYNTAX;
	for (size_t i = 0; i < s.len; i++) {
		if (!ascii_is_digit(s.p[i]))
			return ERR_SYNTAX;
		if (__builtin_mul_overflow(value, (uint64_t)10, &value) ||
		    __builtin_add_overflow(
			value, (uint64_t)(s.p[i] - '0'), &value))
			return ERR_LIMIT;
	}
	*ret = value;
	return 0;
}

int
span_to_i64(struct span s, int64_t *ret)
{
	bool negative = s.len && s.p[0] == '-';
	uint64_t value;
	int rc = span_to_u64(negative ? span_skip(s, 1) : s, &value);

	if (rc)
		return rc;
	if (value > INT64_MAX)
		return ERR_LIMIT;
	*ret = negative ? -(int64_t)value : (int64_t)value;
	return 0;
}

bool
span_copy(struct span s, char *to, size_t size)
{
	size_t nul = span_find_char(s, '\0');
	size_t n = nul == SPAN_NPOS ? s.len : nul;

	if (n > size - 1)
		n = size - 1;
	if (n)
		memcpy(to, s.p, n);
	to[n] = '\0';
	return n == s.len;
}

/* --- SipHash-1-3 (Aumasson and Bernstein) ----------------------------------- */

static uint64_t hash_key[2]; /* immutable once `hash_once` has run */
static pthread_once_t hash_once = PTHREAD_ONCE_INIT;

static void
hash_seed(void)
{
	if (getrandom(hash_key, sizeof hash_key, 0) == (ssize_t)sizeof hash_key)
		return;
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	hash_key[0] = (uint64_t)now.tv_nsec * 0x9e3779b97f4a7c15u;
	hash_key[1] = (uint64_t)getpid() ^ (uint64_t)now.tv_sec << 20;
}

static inline uint64_t
rotl(uint64_t x, unsigned n)
{
	return x << n | x >> (64 - n);
}

struct sip {
	uint64_t v0, v1, v2, v3;
};

static inline void
sip_round(struct sip *s)
{
	s->v0 += s->v1;
	s->v1 = rotl(s->v1, 13) ^ s->v0;
	s->v0 = rotl(s->v0, 32);
	s->v2 += s->v3;
	s->v3 = rotl(s->v3, 16) ^ s->v2;
	s->v0 += s->v3;
	s->v3 = rotl(s->v3, 21) ^ s->v0;
	s->v2 += s->v1;
	s->v1 = rotl(s->v1, 17) ^ s->v2;
	s->v2 = rotl(s->v2, 32);
}

/* `n` bytes as a little-endian number. */
static inline uint64_t
load_word(const char *p, size_t n, bool fold)
{
	uint64_t word = 0;

	if (n == 8 && !fold) {
		memcpy(&word, p, 8);
		return le64toh(word);
	}
	for (size_t i = 0; i < n; i++) {
		char c = fold ? ascii_lower(p[i]) : p[i];
		word |= (uint64_t)(unsigned char)c << (8 * i);
	}
	return word;
}

static uint64_t
sip_hash(struct span text, bool fold)
{
	pthread_once(&hash_once, hash_seed);
	struct sip s = {hash_key[0] ^ 0x736f6d6570736575u,
	    hash_key[1] ^ 0x646f72616e646f6du,
	    hash_key[0] ^ 0x6c7967656e657261u,
	    hash_key[1] ^ 0x7465646279746573u};
	size_t i = 0;

	for (; text.len - i >= 8; i += 8) {
		uint64_t word = load_word(text.p + i, 8, fold);
		s.v3 ^= word;
		sip_round(&s);
		s.v0 ^= word;
	}
	uint64_t word =
	    i < text.len ? load_word(text.p + i, text.len - i, fold) : 0;
	word |= (uint64_t)text.len << 56;
	s.v3 ^= word;
	sip_round(&s);
	s.v0 ^= word;
	s.v2 ^= 0xff;
	for (int round = 0; round < 3; round++)
		sip_round(&s);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

uint64_t
span_hash(struct span s)
{
	return sip_hash(s, false);
}

uint64_t
span_casehash(struct span s)
{
	return sip_hash(s, true);
}

/* --- UTF-8 (RFC 3629) --------------------------------------------------------- */

unsigned
span_utf8_len(const char *p, size_t left)
{
	if (left == 0)
		return 0;
	unsigned char c = (unsigned char)p[0];
	unsigned n = c < 0x80   ? 1
		     : c < 0xc2 ? 0
		     : c < 0xe0 ? 2
		     : c < 0xf0 ? 3
		     : c < 0xf5 ? 4
				: 0;

	if (n == 0 || n > left)
		return 0;
	for (unsigned i = 1; i < n; i++)
		if (((unsigned char)p[i] & 0xc0) != 0x80)
			return 0;
	unsigned char d = n > 1 ? (unsigned char)p[1] : 0;
	/* Overlong forms, surrogates, and beyond U+10FFFF. */
	if ((c == 0xe0 && d < 0xa0) || (c == 0xed && d > 0x9f) ||
	    (c == 0xf0 && d < 0x90) || (c == 0xf4 && d > 0x8f))
		return 0;
	return n;
}

bool
span_is_utf8(struct span s)
{
	for (size_t i = 0; i < s.len;) {
		unsigned n = span_utf8_len(s.p + i, s.len - i);
		if (n == 0)
			return false;
		i += n;
	}
	return true;
}

bool
span_is_ascii(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (ascii_is_8bit(s.p[i]))
			return false;
	return true;
}
