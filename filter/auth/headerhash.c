#include "filter/auth/headerhash.h"

#include "filter/auth/crypto.h"
#include "filter/base/map.h"

/*
 * Header fields as a signature covers them. The fields of one name form a
 * chain from the last to the first; choosing walks down these chains, so that
 * neither many fields nor many names cost more than their number. Canonical
 * text goes to the digest piece by piece and is never built in memory.
 */

#define NONE SIZE_MAX

struct chain {
	size_t last;    /* the field at the bottom */
	size_t next;    /* the one to be chosen next, in this round */
	unsigned round; /* `next` is of this round of header_choose() */
};

struct header_index {
	const struct header_list *headers;
	struct map chains;
	size_t *above; /* for each field the next one of its name further up */
	unsigned round;
};

struct header_index *
header_index_new(const struct header_list *headers, struct arena *arena)
{
	struct header_index *index = arena_zalloc(arena, sizeof *index);
	size_t n = headers->fields.n;

	if (!index)
		return NULL;
	index->headers = headers;
	index->above = arena_calloc(arena, n, sizeof *index->above);
	map_init(&index->chains, arena, true);
	if (!index->above)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		struct span name = span_trim(headers->fields.v[i].name);
		struct chain *chain = map_get(&index->chains, name);
		index->above[i] = chain ? chain->last : NONE;
		if (!chain) {
			chain = arena_zalloc(arena, sizeof *chain);
			if (!chain || map_put(&index->chains, name, chain))
				return NULL;
		}
		chain->last = i;
	}
	return index;
}

/* The next field of a name, or NULL. */
static const struct header *
choose(
    struct header_index *index, struct span name, const struct header *except)
{
	struct chain *chain = map_get(&index->chains, name);
	const struct header *h = NULL;

	if (!chain)
		return NULL;
	if (chain->round != index->round) {
		chain->round = index->round;
		chain->next = chain->last;
	}
	while (chain->next != NONE && !h) {
		h = &index->headers->fields.v[chain->next];
		chain->next = index->above[chain->next];
		if (h == except)
			h = NULL;
	}
	return h;
}

int
header_choose(struct header_index *index, const struct span *names, size_t n,
    const struct header *except, struct arena *arena, struct header_choice *ret)
{
	struct header_choice choice = {0};

	index->round++;
	for (size_t i = 0; i < n; i++) {
		const struct header *h = choose(index, names[i], except);
		if (!h)
			continue;
		const struct header **to = VEC_PUSH(arena, &choice.fields);
		if (!to)
			return ERR_NOMEM;
		*to = h;
		choice.bytes += h->name.len + h->raw.len;
	}
	*ret = choice;
	return 0;
}

/* --- canonical forms ------------------------------------------------------------ */

#define PIECE_SIZE 1024

struct out {
	EVP_MD_CTX *ctx;
	bool failed;
	size_t held;
	char hold[PIECE_SIZE];
};

static void
out_flush(struct out *out)
{
	if (!EVP_DigestUpdate(out->ctx, out->hold, out->held))
		out->failed = true;
	out->held = 0;
}

static void
out_char(struct out *out, char c)
{
	if (out->held == PIECE_SIZE)
		out_flush(out);
	out->hold[out->held++] = c;
}

static void
out_span(struct out *out, struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		out_char(out, s.p[i]);
}

/* Section 3.4.1: nothing changes. The MTA may have given line ends as LF. */
static void
out_simple(struct out *out, struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] == '\n' && (i == 0 || s.p[i - 1] != '\r'))
			out_char(out, '\r');
		out_char(out, s.p[i]);
	}
}

/* Section 3.4.2. What is between two parts is one text, hence `blank`. */
struct relaxed {
	bool begun; /* something but white space was written */
	bool blank; /* white space waits */
};

static bool
is_line_end(struct span s, size_t i)
{
	return s.p[i] == '\n' ||
	       (s.p[i] == '\r' && i + 1 < s.len && s.p[i + 1] == '\n');
}

static void
out_relaxed(struct out *out, struct relaxed *state, struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (is_line_end(s, i))
			continue;
		if (ascii_is_blank(s.p[i])) {
			state->blank = true;
			continue;
		}
		if (state->blank && state->begun)
			out_char(out, ' ');
		state->blank = false;
		state->begun = true;
		out_char(out, s.p[i]);
	}
}

/* A field without its final line end; its value is `left` and `right`. */
static void
out_field(struct out *out, const struct header *h, struct span left,
    struct span right, enum bodyhash_canon canon)
{
	struct relaxed state = {false, false};

	if (canon == BODYHASH_SIMPLE) {
		out_span(out, h->name);
		out_char(out, ':');
		out_simple(out, left);
		out_simple(out, right);
		return;
	}
	struct span name = span_trim_right(h->name);
	for (size_t i = 0; i < name.len; i++)
		out_char(out, ascii_lower(name.p[i]));
	out_char(out, ':');
	out_relaxed(out, &state, left);
	out_relaxed(out, &state, right);
}

/* A field with its line end. */
static void
out_line(struct out *out, const struct header *h, enum bodyhash_canon canon)
{
	out_field(out, h, h->raw, SPAN(""), canon);
	out_span(out, SPAN("\r\n"));
}

/* The signature's own field, without the bytes of `cut`; then all is out. */
static bool
out_signature(struct out *out, const struct header *signature, struct span cut,
    enum bodyhash_canon canon)
{
	size_t at = (size_t)(cut.p - signature->raw.p);

	out_field(out, signature, span_head(signature->raw, at),
	    span_skip(signature->raw, at + cut.len), canon);
	out_flush(out);
	return !out->failed;
}

static bool
digest_all(struct out *out, const struct header_choice *choice,
    const struct header *signature, struct span cut, enum bodyhash_canon canon)
{
	for (size_t i = 0; i < choice->fields.n; i++)
		out_line(out, choice->fields.v[i], canon);
	return out_signature(out, signature, cut, canon);
}

int
header_hash(const struct header_choice *choice, const struct header *signature,
    struct span cut, enum bodyhash_canon canon, enum bodyhash_digest digest,
    struct header_hash *ret)
{
	const EVP_MD *md = digest == BODYHASH_SHA1 ? EVP_sha1() : EVP_sha256();
	struct out out = {.ctx = EVP_MD_CTX_new()};
	unsigned len = 0;
	bool done = out.ctx && EVP_DigestInit_ex(out.ctx, md, NULL) &&
		    digest_all(&out, choice, signature, cut, canon) &&
		    EVP_DigestFinal_ex(out.ctx, ret->digest, &len);

	EVP_MD_CTX_free(out.ctx);
	ret->len = len;
	return done ? 0 : ERR_NOMEM;
}

/* --- one hash for many signatures ------------------------------------------------ */

void
header_chain_open(struct header_chain *chain)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	chain->ctx = ctx;
	chain->failed = !ctx || !EVP_DigestInit_ex(ctx, EVP_sha256(), NULL);
}

void
header_chain_close(struct header_chain *chain)
{
	EVP_MD_CTX_free(chain->ctx);
	chain->ctx = NULL;
}

void
header_chain_add(struct header_chain *chain, const struct header *field)
{
	struct out out = {.ctx = chain->ctx};

	if (chain->failed)
		return;
	out_line(&out, field, BODYHASH_RELAXED);
	out_flush(&out);
	chain->failed = out.failed;
}

int
header_chain_hash(struct header_chain *chain, const struct header *signature,
    struct span cut, struct header_hash *ret)
{
	struct out out = {.ctx = EVP_MD_CTX_new()};
	unsigned len = 0;
	bool done = !chain->failed && out.ctx &&
		    EVP_MD_CTX_copy_ex(out.ctx, chain->ctx) &&
		    out_signature(&out, signature, cut, BODYHASH_RELAXED) &&
		    EVP_DigestFinal_ex(out.ctx, ret->digest, &len);

	EVP_MD_CTX_free(out.ctx);
	ret->len = len;
	return done ? 0 : ERR_NOMEM;
}
