#include "tests/conformance/dkim_make.h"

#include <stdlib.h>

#include "filter/auth/crypto.h"
#include "filter/auth/dkim.h"
#include "filter/auth/dkim_internal.h"
#include "filter/base/clock.h"
#include "filter/base/codec.h"

/*
 * A signature is made by our own canonical forms, with the field as random as
 * its grammar allows: what the other verifier says of it judges them.
 */

#define TEXT_MAX ((size_t)1 << 20)
#define DOMAIN "test.example"

/* Values of bh= of the right length. */
#define JUNK_SHA256 "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define JUNK_SHA1 "AAECAwQFBgcICQoLDA0ODxAREhM="

uint32_t
random_below(struct random *random, uint32_t n)
{
	uint64_t x = random->state;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	random->state = x;
	return (uint32_t)(x >> 32) % n;
}

#define PICK(random, array)                                                    \
	(array)[random_below((random), sizeof(array) / sizeof *(array))]

/* --- keys ------------------------------------------------------------------ */

enum { KEY_SMALL, KEY_RSA, KEY_ED, KEYS };

static EVP_PKEY *keys[KEYS];

static struct span
public_text(EVP_PKEY *key, bool bare, struct arena *arena)
{
	unsigned char *der = NULL;
	unsigned char raw[32];
	size_t raw_len = sizeof raw;
	struct buf out;

	buf_init(&out, arena, TEXT_MAX);
	if (EVP_PKEY_is_a(key, "ED25519") && !bare) {
		if (!EVP_PKEY_get_raw_public_key(key, raw, &raw_len))
			abort();
		codec_base64_encode(&out, span_make((char *)raw, raw_len));
		return buf_span(&out);
	}
	int len = bare ? i2d_PublicKey(key, &der) : i2d_PUBKEY(key, &der);
	if (len <= 0)
		abort();
	codec_base64_encode(&out, span_make((char *)der, (size_t)len));
	OPENSSL_free(der);
	return buf_span(&out);
}

/* A record in strings of 200 bytes; nothing in it needs quoting. */
static void
print_record(FILE *zone, const char *selector, struct span text)
{
	fprintf(zone, "%s._domainkey." DOMAIN ". TXT", selector);
	for (; text.len; text = span_skip(text, 200))
		fprintf(zone, " \"%.*s\"", SPAN_ARG(span_head(text, 200)));
	fprintf(zone, "\n");
}

/* '@' in `form` is the key. */
static const struct {
	const char *selector, *form;
	int key;
	bool bare;
} records[] = {
    {"small", "v=DKIM1; p=@", KEY_SMALL, false},
    {"rsa", "v=DKIM1; k=rsa; p=@", KEY_RSA, false},
    {"ed", "v=DKIM1; k=ed25519; p=@", KEY_ED, false},
    {"bare", "p=@", KEY_SMALL, true},
    {"strict", "v=DKIM1; t=s; p=@", KEY_SMALL, false},
    {"testing", "v=DKIM1; t=y; p=@", KEY_SMALL, false},
    {"twice", "v=DKIM1; t=y; t=s; p=@", KEY_SMALL, false},
    {"vlast", "p=@; v=DKIM1", KEY_SMALL, false},
    {"kinded", "v=DKIM1; k=ed25519; p=@", KEY_SMALL, false},
    {"nokind", "v=DKIM1; p=@", KEY_ED, false},
    {"sha1only", "v=DKIM1; h=sha1; p=@", KEY_SMALL, false},
    {"notmail", "v=DKIM1; s=tlsrpt; p=@", KEY_SMALL, false},
    {"spaced", " v = DKIM1 ;\tp = @ ; ", KEY_SMALL, false},
    {"version2", "v=DKIM2; p=@", KEY_SMALL, false},
};
#define RECORDS (sizeof records / sizeof *records)

void
make_open(FILE *zone)
{
	struct arena *arena = arena_new(0);

	keys[KEY_SMALL] = EVP_RSA_gen(1024);
	keys[KEY_RSA] = EVP_RSA_gen(2048);
	keys[KEY_ED] = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	if (!arena || !keys[KEY_SMALL] || !keys[KEY_RSA] || !keys[KEY_ED])
		abort();
	for (size_t i = 0; i < RECORDS; i++) {
		struct span key =
		    public_text(keys[records[i].key], records[i].bare, arena);
		struct buf text;
		buf_init(&text, arena, TEXT_MAX);
		struct span rest = span_of(records[i].form);
		buf_add_span(&text, span_cut(&rest, '@'));
		buf_add_span(&text, key);
		buf_add_span(&text, rest);
		print_record(zone, records[i].selector, buf_span(&text));
	}
	struct span key = public_text(keys[KEY_SMALL], false, arena);
	struct span other = public_text(keys[KEY_RSA], false, arena);
	struct buf text;
	buf_init(&text, arena, TEXT_MAX);
	buf_add_str(&text, "v=DKIM1; n=");
	for (int i = 0; i < 3400; i++)
		buf_add_char(&text, 'n');
	buf_printf(&text, "; p=%.*s", SPAN_ARG(key));
	print_record(zone, "long", buf_span(&text));
	print_record(
	    zone, "two", arena_printf(arena, "p=%.*s", SPAN_ARG(other)));
	print_record(zone, "two", arena_printf(arena, "p=%.*s", SPAN_ARG(key)));
	fprintf(zone, "late._domainkey." DOMAIN " TIMEOUT TXT\n");
	arena_free(arena);
}

void
make_close(void)
{
	for (size_t i = 0; i < KEYS; i++)
		EVP_PKEY_free(keys[i]);
}

/* --- the field ----------------------------------------------------------------- */

static const char *const spaces[] = {
    "", "", "", "", " ", " ", "\r\n\t", "\r\n ", "  ", " \t", "\r\n  "};

static const char *const names[] = {"From", "to", "Subject", "Date", "CC",
    "Received", "X-Odd", "x-none", "List-Id", "DKIM-Signature"};

/* What is signed, once more often, with what else stands in a signature. */
static const char *const extras[] = {"", "", "", "", " t=5;", " x=99999999999;",
    " l=0;", " l=7;", " l=99999;", " q=dns/txt;", " q=dns/other;",
    " q=other:dns/txt;", " n=a note b=;", " z=From:a|To:b=3D;", " xb=AAAA;",
    " i=@" DOMAIN ";", " i=joe@sub." DOMAIN ";", " i=a=40b@" DOMAIN ";",
    " zz=;", " s=again;", " t=99999999999;", " t=9; x=8;", " i=@other.example;",
    " q=dns;", " d=" DOMAIN ";", " l=;", " l=07;"};

static const char *const canons[] = {"", " c=simple;", " c=relaxed;",
    " c=relaxed/relaxed;", " c=relaxed/relaxed;", " c=simple/relaxed;",
    " c=relaxed/simple;", " c=RELAXED/Relaxed;", " c=simple/simple;"};

struct draft {
	struct buf head;   /* all before the value of bh= */
	struct buf plain;  /* the same without what may be a fault */
	struct buf middle; /* from behind it to the value of b= */
	struct buf tail;
	EVP_PKEY *key; /* NULL: none of ours */
};

static EVP_PKEY *
add_selector(struct random *r, struct buf *out)
{
	uint32_t i = random_below(r, RECORDS + 14);

	if (i < RECORDS) {
		buf_printf(
		    out, "s=%s%s;", PICK(r, spaces), records[i].selector);
		return keys[records[i].key];
	}
	if (i == RECORDS || i == RECORDS + 1) {
		buf_printf(out, "s=%s;", i == RECORDS ? "long" : "two");
		return keys[KEY_SMALL];
	}
	if (i == RECORDS + 2)
		buf_add_str(out, random_below(r, 2) ? "s=late;" : "s=none;");
	else
		buf_add_str(out, random_below(r, 2) ? "s=small;" : "s=ed;");
	if (i == RECORDS + 2)
		return NULL;
	return keys[buf_span(out).p[buf_span(out).len - 2] == 'd' ? KEY_ED
								  : KEY_SMALL];
}

/* To `head` and `plain` alike. */
static void
add_both(struct draft *d, const char *text)
{
	buf_add_str(&d->head, text);
	buf_add_str(&d->plain, text);
}

static void
add_list(struct draft *d, struct random *r)
{
	add_both(d, PICK(r, spaces));
	add_both(d, "h=");
	add_both(d, PICK(r, spaces));
	add_both(d, "from");
	for (uint32_t n = random_below(r, 7); n; n--) {
		add_both(d, PICK(r, spaces));
		add_both(d, ":");
		add_both(d, PICK(r, spaces));
		add_both(d, PICK(r, names));
	}
	add_both(d, PICK(r, spaces));
	add_both(d, ";");
	add_both(d, PICK(r, spaces));
	add_both(d, "bh=");
	add_both(d, PICK(r, spaces));
}

static void
draft_make(struct draft *d, struct random *r, struct arena *arena)
{
	buf_init(&d->head, arena, TEXT_MAX);
	buf_init(&d->plain, arena, TEXT_MAX);
	buf_init(&d->middle, arena, TEXT_MAX);
	buf_init(&d->tail, arena, TEXT_MAX);
	buf_printf(&d->head, "%sv%s=%s1;%s", PICK(r, spaces), PICK(r, spaces),
	    PICK(r, spaces), PICK(r, spaces));
	d->key = add_selector(r, &d->head);
	bool ed = d->key == keys[KEY_ED];
	buf_printf(&d->head, "%sa=%s;%sd=%s", PICK(r, spaces),
	    ed                    ? "ed25519-sha256"
	    : random_below(r, 20) ? "rsa-sha256"
				  : "rsa-sha1",
	    PICK(r, spaces), PICK(r, spaces));
	buf_add_span(&d->plain, buf_span(&d->head));
	buf_add_str(&d->plain, DOMAIN);
	buf_add_str(&d->head, random_below(r, 30) ? DOMAIN : "test. example");
	add_both(d, PICK(r, spaces));
	add_both(d, ";");
	add_both(d, PICK(r, canons));
	add_both(d, PICK(r, spaces));
	buf_add_str(&d->head, PICK(r, extras));
	add_list(d, r);
	buf_printf(&d->middle, "%s;%s%sb%s=%s", PICK(r, spaces),
	    PICK(r, spaces), random_below(r, 20) ? "" : "n=1;",
	    random_below(r, 10) ? "" : PICK(r, spaces), PICK(r, spaces));
	if (random_below(r, 4) == 0)
		buf_printf(&d->tail, "%s;%s", PICK(r, spaces),
		    random_below(r, 2) ? "" : " r=y");
}

static struct span
draft_text(const struct draft *d, const struct buf *head, struct span bh,
    struct span b, struct arena *arena)
{
	return arena_printf(arena, "%.*s%.*s%.*s%.*s%.*s",
	    SPAN_ARG(buf_span(head)), SPAN_ARG(bh),
	    SPAN_ARG(buf_span(&d->middle)), SPAN_ARG(b),
	    SPAN_ARG(buf_span(&d->tail)));
}

/* All between the '=' of b= and the ';' in a text without signature. */
static struct span
draft_cut(const struct draft *d, struct span text)
{
	struct span middle = buf_span(&d->middle), tail = buf_span(&d->tail);
	size_t front = middle.len - span_rfind_char(middle, '=') - 1;
	size_t back = span_find_char(tail, ';');

	if (back == SPAN_NPOS)
		back = tail.len;
	return span_make(text.p + text.len - tail.len - front, front + back);
}

/* --- signing --------------------------------------------------------------------- */

static struct span
base64(const void *p, size_t len, struct arena *arena)
{
	struct buf out;

	buf_init(&out, arena, TEXT_MAX);
	codec_base64_encode(&out, span_make(p, len));
	return buf_span(&out);
}

static struct span
hash_body(const struct dkim_tags *tags, struct span body, struct arena *arena)
{
	struct bodyhash_set *set = bodyhash_new(arena);
	int job =
	    bodyhash_add(set, tags->body_canon, tags->digest, tags->limit);

	bodyhash_update(set, body);
	bodyhash_final(set);
	const struct bodyhash_value *value = bodyhash_value(set, job);
	return base64(value->digest, value->len, arena);
}

static struct span
sign_hash(EVP_PKEY *key, const struct dkim_tags *tags,
    const struct header_hash *hash, struct arena *arena)
{
	unsigned char sig[512];
	size_t len = sizeof sig;
	EVP_MD_CTX *ed = EVP_MD_CTX_new();
	EVP_PKEY_CTX *rsa = EVP_PKEY_CTX_new(key, NULL);
	bool good;

	if (EVP_PKEY_is_a(key, "ED25519"))
		good =
		    EVP_DigestSignInit(ed, NULL, NULL, NULL, key) > 0 &&
		    EVP_DigestSign(ed, sig, &len, hash->digest, hash->len) > 0;
	else
		good =
		    EVP_PKEY_sign_init(rsa) > 0 &&
		    EVP_PKEY_CTX_set_rsa_padding(rsa, RSA_PKCS1_PADDING) > 0 &&
		    EVP_PKEY_CTX_set_signature_md(rsa,
			tags->digest == BODYHASH_SHA1 ? EVP_sha1()
						      : EVP_sha256()) > 0 &&
		    EVP_PKEY_sign(rsa, sig, &len, hash->digest, hash->len) > 0;
	if (!good)
		abort();
	EVP_MD_CTX_free(ed);
	EVP_PKEY_CTX_free(rsa);
	return base64(sig, len, arena);
}

/* What the tags mean, for signing: where they have a fault that a verifier may
 * overlook, what they mean without. */
static bool
read_tags(const struct draft *d, struct dkim_tags *tags, struct span bh,
    struct arena *arena)
{
	int64_t now = clock_wall();

	return !dkim_guard(tags,
		   draft_text(d, &d->head, bh, SPAN("AAAA"), arena), now,
		   arena) ||
	       !dkim_guard(tags,
		   draft_text(d, &d->plain, bh, SPAN("AAAA"), arena), now,
		   arena);
}

/* The draft's value over a message; `tags` is what it means. */
static struct span
draft_sign(struct draft *d, const struct dkim_tags *tags, struct span message,
    struct arena *arena)
{
	struct header_list headers;
	struct header_choice choice;
	struct header_hash hash;

	header_init(&headers, arena);
	struct span body = span_skip(message, header_parse(&headers, message));
	struct span bh = hash_body(tags, body, arena);
	struct span text = draft_text(d, &d->head, bh, SPAN(""), arena);
	if (header_choose(header_index_new(&headers, arena), tags->names.v,
		tags->names.n, NULL, arena, &choice))
		abort();
	struct header field = {.name = SPAN("DKIM-Signature"), .raw = text};
	if (header_hash(&choice, &field, draft_cut(d, text), tags->header_canon,
		tags->digest, &hash))
		abort();
	return draft_text(
	    d, &d->head, bh, sign_hash(d->key, tags, &hash, arena), arena);
}

/* The value of a random signature over a message. */
static struct span
sign(struct random *r, struct span message, struct arena *arena)
{
	struct draft d;
	struct dkim_tags tags;

	draft_make(&d, r, arena);
	bool good = read_tags(&d, &tags, SPAN(JUNK_SHA256), arena);
	if (!good && tags.digest == BODYHASH_SHA1)
		good = read_tags(&d, &tags, SPAN(JUNK_SHA1), arena);
	if (!good || !d.key)
		return draft_text(
		    &d, &d.head, SPAN(JUNK_SHA256), SPAN("AAAA"), arena);
	return draft_sign(&d, &tags, message, arena);
}

void *
make_key(const char *selector)
{
	return keys[strcmp(selector, "ed") ? KEY_RSA : KEY_ED];
}

struct span
make_usual(const char *selector, struct span body, struct arena *arena)
{
	bool ed = strcmp(selector, "ed") == 0;
	struct draft d = {.key = make_key(selector)};
	struct dkim_tags tags;
	struct span message = arena_printf(arena,
	    "Received: from mail." DOMAIN " (mail." DOMAIN " [192.0.2.1])\r\n"
	    "\tby mx.example.net (Postfix) with ESMTPS id 4XyZ;\r\n"
	    "\tTue, 24 Nov 2026 10:00:00 +0000 (UTC)\r\n"
	    "From: Joe Doe <joe@" DOMAIN ">\r\nTo: Suzie <s@example.net>\r\n"
	    "Subject: Is dinner ready,\r\n or shall we wait for it?\r\n"
	    "Date: Tue, 24 Nov 2026 10:00:00 +0000\r\n"
	    "Message-ID: <20261124100000.1@" DOMAIN ">\r\n"
	    "MIME-Version: 1.0\r\nContent-Type: text/plain; "
	    "charset=utf-8\r\n\r\n%.*s",
	    SPAN_ARG(body));

	buf_init(&d.head, arena, TEXT_MAX);
	buf_init(&d.middle, arena, TEXT_MAX);
	buf_init(&d.tail, arena, TEXT_MAX);
	buf_printf(&d.head,
	    " v=1; a=%s; c=relaxed/relaxed; d=" DOMAIN ";\r\n\ts=%s; "
	    "t=1700000000; h=from:to:subject:date:message-id:\r\n"
	    "\tmime-version:content-type; bh=",
	    ed ? "ed25519-sha256" : "rsa-sha256", selector);
	buf_add_str(&d.middle, ";\r\n\tb=");
	d.plain = d.head;
	if (!read_tags(&d, &tags, SPAN(JUNK_SHA256), arena))
		abort();
	return arena_printf(arena, "DKIM-Signature:%.*s\r\n%.*s",
	    SPAN_ARG(draft_sign(&d, &tags, message, arena)), SPAN_ARG(message));
}

/* --- the message ------------------------------------------------------------------ */

static void
add_value(struct random *r, struct buf *out)
{
	static const char *const pieces[] = {" ", "\t", "\r\n ", "\r\n\t",
	    " \r\n \t", "a", "Hello", "\xc3\xbc", "=;", "b=", "x@y", ":", " ;",
	    "  ", "words of it"};

	for (uint32_t n = random_below(r, 8); n; n--)
		buf_add_str(out, PICK(r, pieces));
	/* A line of blanks alone would be the end of the header to some. */
	buf_add_str(out, ".");
	if (random_below(r, 4) == 0)
		buf_add_str(out, " \t");
}

static void
add_body(struct random *r, struct buf *out)
{
	static const char *const pieces[] = {"\r\n", "\r\n", " ", "\t", "text",
	    "  ", "\xff", "more of it", "\r\n\r\n", "\n", "\r", "\r\n \r\n",
	    ".", "a b c"};

	for (uint32_t n = random_below(r, 14); n; n--)
		buf_add_str(out, PICK(r, pieces));
	if (random_below(r, 4))
		buf_add_str(out, "\r\n");
}

struct span
make_message(struct random *r, struct arena *arena)
{
	struct buf out;

	buf_init(&out, arena, TEXT_MAX);
	for (uint32_t n = 1 + random_below(r, 7); n; n--) {
		buf_printf(&out, "%s%s:", PICK(r, names),
		    random_below(r, 30) ? "" : " \t");
		add_value(r, &out);
		buf_add_str(&out, "\r\n");
	}
	buf_add_str(&out, "From: a@" DOMAIN "\r\n\r\n");
	add_body(r, &out);
	struct span message = buf_span(&out);
	for (uint32_t n = 1 + (random_below(r, 4) == 0); n; n--) {
		struct span value = sign(r, message, arena);
		struct buf more;
		buf_init(&more, arena, TEXT_MAX);
		buf_printf(&more, "DKIM-Signature:%.*s\r\n", SPAN_ARG(value));
		buf_add_span(&more, message);
		message = buf_span(&more);
	}
	return message;
}

/* --- mutations --------------------------------------------------------------------- */

static const char *const inserts[] = {" ", "\t", "\r\n ", "\r\n\r\n", ";", "=",
    ":", "a", "b", "=4", "=41", "\xc3\xbc", "\xff", "AAAA", "l=3;",
    "b=", " v=1;", "x=1;", "q=dns/txt;", "\r\nSubject: x",
    "\r\nFrom: b@example.org", "!", "0", "i=@x;", "/", ".", "\n", "\r",
    "c=relaxed;", "h=from;"};

static struct span
splice(struct span text, size_t at, size_t out_len, struct span in,
    struct arena *arena)
{
	struct buf out;

	buf_init(&out, arena, TEXT_MAX);
	buf_add_span(&out, span_head(text, at));
	buf_add_span(&out, in);
	buf_add_span(&out, span_skip(text, at + out_len));
	return buf_span(&out);
}

/* Where: mostly in the first signature, else in the header, else anywhere. */
static size_t
pick_place(struct random *r, struct span text)
{
	size_t body = span_find(text, SPAN("\r\n\r\n"), 0);
	size_t start = span_find(text, SPAN("DKIM-Signature:"), 0);
	uint32_t where = random_below(r, 10);

	if (body == SPAN_NPOS)
		body = text.len;
	if (start == SPAN_NPOS || start > body || where > 6) {
		size_t most = where == 9 ? text.len : body;
		return random_below(r, (uint32_t)most + 1);
	}
	size_t end = start;
	do {
		end = span_find(text, SPAN("\r\n"), end + 1);
	} while (end != SPAN_NPOS && end + 2 < text.len &&
		 ascii_is_blank(text.p[end + 2]));
	if (end == SPAN_NPOS)
		end = body;
	return start + random_below(r, (uint32_t)(end - start) + 1);
}

static struct span
mutate_once(struct random *r, struct span text, struct arena *arena)
{
	static const char bytes[] = " \t;=:.@/azAZ09+=\r\n\x7f\x80\xff";
	size_t at = pick_place(r, text);
	char c = bytes[random_below(r, sizeof bytes)];
	size_t from, len;

	switch (random_below(r, 8)) {
	case 0: /* another byte */
		return splice(text, at, 1, span_make(&c, 1), arena);
	case 1: /* a byte less */
		return splice(text, at, 1, SPAN(""), arena);
	case 2: /* some bytes less */
		return splice(text, at, random_below(r, 20), SPAN(""), arena);
	case 3: /* a piece of the text once more */
		from = pick_place(r, text);
		len = random_below(r, 80);
		return splice(
		    text, at, 0, span_head(span_skip(text, from), len), arena);
	case 4: /* something behind the body */
		return splice(
		    text, text.len, 0, span_of(PICK(r, inserts)), arena);
	case 5: /* a field on top, or the end cut off */
		if (random_below(r, 2))
			return splice(text, 0, 0,
			    random_below(r, 2) ? SPAN("From: b@example.org\r\n")
					       : SPAN("Received: x\r\n"),
			    arena);
		return span_head(
		    text, text.len - random_below(r, 3) % text.len);
	default:
		return splice(text, at, 0, span_of(PICK(r, inserts)), arena);
	}
}

struct span
make_mutation(struct random *r, struct span message, struct arena *arena)
{
	for (uint32_t n = 1 + random_below(r, 3); n && message.len; n--)
		message = mutate_once(r, message, arena);
	return message;
}
