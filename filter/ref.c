#include "filter/ref.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "filter/base/file.h"

/*
 * Numbers are made by one atomic add-or-jump; no lock, no file. What is shown
 * is an alternating Feistel network over 28 and 27 bits with SipHash as round
 * function: a permutation, so that uniqueness survives, keyed, so that a ref
 * says neither time nor traffic to those who see it.
 */

#define ROUNDS 10
#define LEFT_BITS 28
#define RIGHT_BITS 27
#define SYMBOLS 11 /* 5 bits each */
#define CHECK_MOD 31
#define COUNTER_BITS 16
#define NODE_BITS 8
#define KEY_FILE "site.key"

static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/* --- SipHash-2-4 of one word ------------------------------------------------------ */

static uint64_t
rotate(uint64_t x, unsigned n)
{
	return x << n | x >> (64 - n);
}

static void
sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[0] = rotate(v[0], 32);
	v[2] += v[3];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[2] = rotate(v[2], 32);
}

static uint64_t
word_at(const uint8_t *p)
{
	uint64_t word = 0;

	for (unsigned i = 0; i < 8; i++)
		word |= (uint64_t)p[i] << (8 * i);
	return word;
}

static void
sip_word(uint64_t v[4], uint64_t word)
{
	v[3] ^= word;
	sip_round(v);
	sip_round(v);
	v[0] ^= word;
}

static uint64_t
keyed(const struct ref_key *key, uint64_t word)
{
	uint64_t k0 = word_at(key->bytes), k1 = word_at(key->bytes + 8);
	uint64_t v[4] = {
	    k0 ^ UINT64_C(0x736f6d6570736575),
	    k1 ^ UINT64_C(0x646f72616e646f6d),
	    k0 ^ UINT64_C(0x6c7967656e657261),
	    k1 ^ UINT64_C(0x7465646279746573),
	};

	sip_word(v, word);
	sip_word(v, (uint64_t)8 << 56); /* the length, no bytes left over */
	v[2] ^= 0xff;
	for (unsigned i = 0; i < 4; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* --- the permutation ---------------------------------------------------------------- */

static uint64_t
mask(unsigned bits)
{
	return (UINT64_C(1) << bits) - 1;
}

/* One round is its own inverse; running them backwards undoes all. */
static void
feistel_round(
    const struct ref_key *key, unsigned round, uint64_t *left, uint64_t *right)
{
	uint64_t tweak = (uint64_t)round << 32;

	if (round % 2 == 0)
		*left ^= keyed(key, tweak | *right) & mask(LEFT_BITS);
	else
		*right ^= keyed(key, tweak | *left) & mask(RIGHT_BITS);
}

static uint64_t
permute(const struct ref_key *key, uint64_t number, bool back)
{
	uint64_t left = number >> RIGHT_BITS & mask(LEFT_BITS);
	uint64_t right = number & mask(RIGHT_BITS);

	for (unsigned i = 0; i < ROUNDS; i++)
		feistel_round(key, back ? ROUNDS - 1 - i : i, &left, &right);
	return left << RIGHT_BITS | right;
}

void
ref_format(const struct ref_key *key, uint64_t number, char text[REF_TEXT_SIZE])
{
	uint64_t shown = permute(key, number, false);
	char *to = text;

	for (unsigned i = 0; i < SYMBOLS; i++) {
		unsigned shift = 5 * (SYMBOLS - 1 - i);
		*to++ = alphabet[shown >> shift & 31];
		if (i % 4 == 3)
			*to++ = '-';
	}
	*to++ = alphabet[shown % CHECK_MOD];
	*to = '\0';
}

/* The value of a symbol as people type it, or -1. */
static int
symbol_value(char c)
{
	c = ascii_upper(c);
	if (c == 'O')
		return 0;
	if (c == 'I' || c == 'L')
		return 1;
	const char *at = c ? strchr(alphabet, c) : NULL;
	return at ? (int)(at - alphabet) : -1;
}

int
ref_parse(const struct ref_key *key, struct span text, uint64_t *ret_number)
{
	uint64_t shown = 0;
	unsigned n = 0;
	int check = -1;

	for (size_t i = 0; i < text.len; i++) {
		char c = text.p[i];
		if (c == '-' || ascii_is_space(c))
			continue;
		int value = symbol_value(c);
		if (value < 0 || n > SYMBOLS)
			return ERR_SYNTAX;
		if (n < SYMBOLS)
			shown = shown << 5 | (unsigned)value;
		else
			check = value;
		n++;
	}
	if (n != SYMBOLS + 1 || check != (int)(shown % CHECK_MOD))
		return ERR_SYNTAX;
	*ret_number = permute(key, shown, true);
	return 0;
}

/* --- numbers ------------------------------------------------------------------------- */

static uint64_t
first_of_second(int64_t now)
{
	int64_t since = now - REF_EPOCH;

	/* A clock before 2025 is wrong; refs are unique all the same. */
	return (uint64_t)(since > 0 ? since : 0) << COUNTER_BITS;
}

void
ref_source_init(struct ref_source *source, const struct ref_key *key,
    uint8_t node, int64_t now)
{
	source->key = *key;
	source->node = node;
	atomic_init(&source->last, first_of_second(now + 1) - 1);
}

uint64_t
ref_next(struct ref_source *source, int64_t now)
{
	uint64_t last = atomic_load(&source->last), next;

	do {
		next = first_of_second(now);
		if (next <= last)
			next = last + 1;
	} while (!atomic_compare_exchange_weak(&source->last, &last, next));
	return (next << NODE_BITS | source->node) & mask(REF_BITS);
}

int64_t
ref_time(uint64_t number)
{
	return REF_EPOCH + (int64_t)(number >> (COUNTER_BITS + NODE_BITS));
}

/* --- the key --------------------------------------------------------------------------- */

int
ref_key_random(struct ref_key *ret, struct err *err)
{
	if (getrandom(ret->bytes, sizeof ret->bytes, 0) !=
	    (ssize_t)sizeof ret->bytes)
		return err_set_errno(err, errno, "no random bytes");
	return 0;
}

static int
parse_key(struct span text, struct ref_key *ret)
{
	text = span_trim(text);
	if (text.len != 2 * REF_KEY_SIZE)
		return ERR_SYNTAX;
	for (size_t i = 0; i < REF_KEY_SIZE; i++) {
		int high = ascii_hex(text.p[2 * i]);
		int low = ascii_hex(text.p[2 * i + 1]);
		if (high < 0 || low < 0)
			return ERR_SYNTAX;
		ret->bytes[i] = (uint8_t)(high << 4 | low);
	}
	return 0;
}

static int
read_key(const char *path, struct ref_key *ret, struct err *err)
{
	struct arena *arena = arena_new(0);
	struct span text;
	int rc = arena ? file_read(path, 4096, arena, &text, err)
		       : err_set(err, ERR_NOMEM, "out of memory");

	if (rc == 0 && parse_key(text, ret))
		rc = err_set(err, ERR_SYNTAX, "%s: no site key", path);
	arena_free(arena);
	return rc;
}

static bool
write_whole(int fd, const char *text, size_t len)
{
	return write(fd, text, len) == (ssize_t)len && fsync(fd) == 0;
}

/*
 * Written beside and linked into place: another process that starts now sees
 * a whole key or none, and the first one wins.
 */
static int
make_key(const char *folder, const char *path, struct err *err)
{
	struct ref_key key;
	char temporary[4096], text[2 * REF_KEY_SIZE + 2];
	int len = snprintf(temporary, sizeof temporary, "%s/.%s.%ld", folder,
	    KEY_FILE, (long)getpid());

	if (len < 0 || (size_t)len >= sizeof temporary)
		return err_set(err, ERR_LIMIT, "%s: path too long", folder);
	if (ref_key_random(&key, err))
		return err->code;
	for (size_t i = 0; i < REF_KEY_SIZE; i++)
		snprintf(text + 2 * i, 3, "%02x", key.bytes[i]);
	text[2 * REF_KEY_SIZE] = '\n';
	(void)unlink(temporary);
	int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	if (fd < 0)
		return err_set_errno(err, errno, "%s", temporary);
	bool good = write_whole(fd, text, 2 * REF_KEY_SIZE + 1) &&
		    fchmod(fd, 0640) == 0 &&
		    (link(temporary, path) == 0 || errno == EEXIST);
	int error = errno;
	close(fd);
	(void)unlink(temporary);
	return good ? 0 : err_set_errno(err, error, "%s", path);
}

static int
key_path(const char *folder, char *path, size_t size, struct err *err)
{
	int len = snprintf(path, size, "%s/" KEY_FILE, folder);

	if (len < 0 || (size_t)len >= size)
		return err_set(err, ERR_LIMIT, "%s: path too long", folder);
	return 0;
}

int
ref_key_read(const char *folder, struct ref_key *ret, struct err *err)
{
	char path[4096];
	int rc = key_path(folder, path, sizeof path, err);

	return rc ? rc : read_key(path, ret, err);
}

int
ref_key_load(const char *folder, struct ref_key *ret, struct err *err)
{
	char path[4096];
	struct err local;

	if (!err)
		err = &local;
	int rc = key_path(folder, path, sizeof path, err);
	if (rc)
		return rc;
	if (access(path, F_OK) != 0 && errno == ENOENT &&
	    make_key(folder, path, err))
		return err->code;
	return read_key(path, ret, err);
}
