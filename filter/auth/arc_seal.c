#include "filter/auth/arc_seal.h"

#include "filter/base/codec.h"
#include "filter/mail/authres.h"

/*
 * The next ARC set (RFC 8617 section 5.1): results, then a signature of the
 * message, then a seal over all sets. Tags are written in the order of their
 * names and b= without white space, for the seal covers what is in there: the
 * public suite's form, so that one key gives the suite's bytes. The value of b=
 * is put in last, into text that was hashed without it.
 */

#define COLUMNS 78
#define TAB_COLUMNS 8
#define B_LINE 900 /* RFC 5322 section 2.1.1: 998; RSA of 5,400 bits fits */
#define VALUE_MAX ((size_t)128 * 1024)
#define DIGITS_MAX 24

/* --- writing ------------------------------------------------------------------------- */

struct writer {
	struct buf out;
	size_t column;
	size_t b_at; /* where the value of b= goes */
};

static void
begin(struct writer *w, const char *field, struct arena *arena)
{
	*w = (struct writer){.column = strlen(field) + 1};
	buf_init(&w->out, arena, VALUE_MAX);
}

static void
put(struct writer *w, struct span text)
{
	buf_add_span(&w->out, text);
	w->column += text.len;
}

static void
fold(struct writer *w)
{
	buf_add_str(&w->out, "\r\n\t");
	w->column = TAB_COLUMNS;
}

/* A blank, or a fold where `len` columns do not fit; nothing at the start. */
static void
gap(struct writer *w, size_t len)
{
	if (!w->out.len)
		w->column++; /* the blank behind the colon, put by others */
	else if (w->column + 1 + len > COLUMNS)
		fold(w);
	else
		put(w, SPAN(" "));
}

struct tag_text {
	const char *name;
	struct span value;
};

/* Lists are cut behind their colons. */
static void
put_value(struct writer *w, struct span value)
{
	while (value.len) {
		size_t colon = span_find_char(value, ':');
		struct span part =
		    colon == SPAN_NPOS ? value : span_head(value, colon + 1);
		if (w->column + part.len + 1 > COLUMNS &&
		    w->column > TAB_COLUMNS)
			fold(w);
		put(w, part);
		value = span_skip(value, part.len);
	}
}

static void
put_tags(struct writer *w, const struct tag_text *tags, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct tag_text *tag = &tags[i];
		bool b = strcmp(tag->name, "b") == 0;
		bool after_b = i > 0 && w->b_at == w->out.len - 1;
		if (b || after_b)
			fold(w);
		else
			gap(w, strlen(tag->name) + 2 + tag->value.len);
		put(w, span_of(tag->name));
		put(w, SPAN("="));
		if (b)
			w->b_at = w->out.len;
		put_value(w, tag->value);
		if (i + 1 < n)
			put(w, SPAN(";"));
	}
}

/* The text with b= in it. */
static struct span
with_signature(const struct writer *w, struct span b, struct arena *arena)
{
	struct span text = buf_span(&w->out);
	struct buf out;

	buf_init(&out, arena, VALUE_MAX);
	buf_add_span(&out, span_head(text, w->b_at));
	while (b.len) {
		struct span line = span_head(b, B_LINE);
		buf_add_span(&out, line);
		b = span_skip(b, line.len);
		if (b.len)
			buf_add_str(&out, "\r\n\t");
	}
	buf_add_span(&out, span_skip(text, w->b_at));
	return buf_failed(&out) ? SPAN_NONE : buf_span(&out);
}

static struct span
sign(const struct writer *w, const struct arc_seal_request *r,
    const struct header_hash *hash, struct arena *arena)
{
	struct buf b;

	buf_init(&b, arena, VALUE_MAX);
	if (sign_key_digest(r->key, hash->digest, &b) || buf_failed(&b))
		return SPAN_NONE;
	return with_signature(w, buf_span(&b), arena);
}

static struct span
number(struct arena *arena, int64_t value)
{
	return arena_printf(arena, "%lld", (long long)value);
}

/* Where b= will stand in a field that is hashed without it. */
static struct span
cut_of(const struct writer *w)
{
	return span_make(w->out.p + w->b_at, 0);
}

/* --- ARC-Authentication-Results --------------------------------------------------------- */

static bool
is_gap(char c)
{
	return c == ' ' || ascii_is_control(c);
}

/* One result, folded before its blanks; what could end a line, and any run of
 * blanks, becomes one. */
static void
put_result(struct writer *w, struct span text)
{
	for (size_t i = 0; i < text.len; i++) {
		char c = is_gap(text.p[i]) ? ' ' : text.p[i];
		if (c == ' ' && i + 1 < text.len && is_gap(text.p[i + 1]))
			continue;
		if (c == ' ') {
			size_t end = i + 1;
			while (end < text.len && !is_gap(text.p[end]))
				end++;
			if (w->column + (end - i) + 1 > COLUMNS) {
				buf_add_str(&w->out, "\r\n");
				w->column = 0;
			}
		}
		buf_add_char(&w->out, c);
		w->column++;
	}
}

static struct span
make_aar(
    const struct arc_seal_request *r, unsigned instance, struct arena *arena)
{
	struct span rest = r->results, result;
	struct writer w;
	bool any = false;

	begin(&w, "ARC-Authentication-Results", arena);
	put(&w, SPAN("i="));
	put(&w, number(arena, instance));
	put(&w, SPAN("; "));
	put(&w, r->authserv_id);
	while (authres_next(&rest, &result)) {
		put(&w, SPAN(";"));
		fold(&w);
		put_result(&w, result);
		any = true;
	}
	if (!any)
		put(&w, SPAN("; none"));
	return buf_failed(&w.out) ? SPAN_NONE : buf_span(&w.out);
}

/* --- ARC-Message-Signature ---------------------------------------------------------------- */

/* Section 4.1.2: fields that are likely to go, and those of ARC. */
static bool
is_never_signed(struct span name)
{
	return span_caseis(name, "Authentication-Results") ||
	       span_caseis(name, "ARC-Authentication-Results") ||
	       span_caseis(name, "ARC-Message-Signature") ||
	       span_caseis(name, "ARC-Seal");
}

/* What DKIM signs, and the signatures of others, which it should keep. */
static struct span *
default_names(
    const struct header_list *headers, struct arena *arena, size_t *ret_n)
{
	size_t n, n_oversign;
	struct span *names =
	    signature_spans(signature_default_names, arena, &n);
	struct span *oversign =
	    signature_spans(signature_default_oversign, arena, &n_oversign);
	struct span *all = arena_calloc(arena, n + 1, sizeof *all);

	if (!names || !oversign || !all)
		return NULL;
	memcpy(all, names, n * sizeof *all);
	all[n] = SPAN("DKIM-Signature");
	return signature_names(
	    headers, all, n + 1, oversign, n_oversign, arena, ret_n);
}

static bool
choose_names(const struct arc_seal_request *r, struct arena *arena,
    struct span **ret, size_t *ret_n)
{
	size_t n = 0;

	if (!r->n_names) {
		*ret = default_names(r->headers, arena, ret_n);
		return *ret != NULL;
	}
	struct span *names = arena_calloc(arena, r->n_names, sizeof *names);
	for (size_t i = 0; names && i < r->n_names; i++)
		if (!is_never_signed(r->names[i]))
			names[n++] = r->names[i];
	*ret = names;
	*ret_n = n;
	return names != NULL;
}

static struct span
join(const struct span *names, size_t n, struct arena *arena)
{
	struct buf out;

	buf_init(&out, arena, VALUE_MAX);
	for (size_t i = 0; i < n; i++) {
		if (!signature_name_is_valid(names[i]))
			return SPAN_NONE;
		buf_add_str(&out, i ? ":" : "");
		buf_add_span(&out, names[i]);
	}
	return buf_failed(&out) ? SPAN_NONE : buf_span(&out);
}

static struct span
make_ams(
    const struct arc_seal_request *r, unsigned instance, struct arena *arena)
{
	struct header_index *index = header_index_new(r->headers, arena);
	struct header_choice choice;
	struct header_hash hash;
	struct writer w;
	struct buf bh;
	struct span *names;
	size_t n;

	if (!index || !choose_names(r, arena, &names, &n))
		return SPAN_NONE;
	buf_init(&bh, arena, VALUE_MAX);
	codec_base64_encode(
	    &bh, span_make((const char *)r->body->digest, r->body->len));
	const struct tag_text tags[] = {
	    {"a", span_of(sign_algorithm_name(sign_key_algorithm(r->key)))},
	    {"b", SPAN("")},
	    {"bh", buf_span(&bh)},
	    {"c", SPAN("relaxed/relaxed")},
	    {"d", r->domain},
	    {"h", join(names, n, arena)},
	    {"i", number(arena, instance)},
	    {"s", r->selector},
	    {"t", number(arena, r->time)},
	};
	begin(&w, "ARC-Message-Signature", arena);
	put_tags(&w, tags, sizeof tags / sizeof *tags);
	struct header self = {
	    .name = SPAN("ARC-Message-Signature"), .raw = buf_span(&w.out)};
	if (!tags[5].value.len || buf_failed(&w.out) || arena_failed(arena) ||
	    header_choose(index, names, n, NULL, arena, &choice) ||
	    header_hash(&choice, &self, cut_of(&w), BODYHASH_RELAXED,
		BODYHASH_SHA256, &hash))
		return SPAN_NONE;
	return sign(&w, r, &hash, arena);
}

/* --- ARC-Seal ----------------------------------------------------------------------------- */

/* Over all sets; of a broken chain over the new one alone, as if there were no
 * other (section 5.1.2). */
static bool
hash_sets(const struct arc_seal_request *r, enum arc_result chain,
    const struct arc_seal *set, const struct header *self, struct span cut,
    struct header_hash *ret)
{
	const struct header aar = {
	    .name = SPAN("ARC-Authentication-Results"), .raw = set->aar};
	const struct header ams = {
	    .name = SPAN("ARC-Message-Signature"), .raw = set->ams};
	struct header_chain hash;

	header_chain_open(&hash);
	for (unsigned i = 0; chain == ARC_PASS && i < r->facts->instances;
	     i++) {
		header_chain_add(&hash, r->facts->sets[i].aar);
		header_chain_add(&hash, r->facts->sets[i].ams);
		header_chain_add(&hash, r->facts->sets[i].seal);
	}
	header_chain_add(&hash, &aar);
	header_chain_add(&hash, &ams);
	int rc = header_chain_hash(&hash, self, cut, ret);
	header_chain_close(&hash);
	return rc == 0;
}

static struct span
make_seal(const struct arc_seal_request *r, enum arc_result chain,
    unsigned instance, const struct arc_seal *set, struct arena *arena)
{
	const struct tag_text tags[] = {
	    {"a", span_of(sign_algorithm_name(sign_key_algorithm(r->key)))},
	    {"b", SPAN("")},
	    {"cv", span_of(arc_result_name(chain))},
	    {"d", r->domain},
	    {"i", number(arena, instance)},
	    {"s", r->selector},
	    {"t", number(arena, r->time)},
	};
	struct header_hash hash;
	struct writer w;

	begin(&w, "ARC-Seal", arena);
	put_tags(&w, tags, sizeof tags / sizeof *tags);
	struct header self = {
	    .name = SPAN("ARC-Seal"), .raw = buf_span(&w.out)};
	if (buf_failed(&w.out) || arena_failed(arena) ||
	    !hash_sets(r, chain, set, &self, cut_of(&w), &hash))
		return SPAN_NONE;
	return sign(&w, r, &hash, arena);
}

/* ------------------------------------------------------------------------------------------ */

static const char *
refusal(const struct arc_seal_request *r)
{
	if (r->facts->closed) /* section 5.1 step 2 */
		return "the newest seal says cv=fail";
	if (r->facts->instances >= ARC_SETS_MAX)
		return "there are as many ARC sets as there may be";
	if (r->facts->result != ARC_NONE && r->chain != ARC_PASS &&
	    r->chain != ARC_FAIL)
		return "whether the chain is right is not known";
	if (!r->body || r->body->failed)
		return "the body could not be hashed";
	return NULL;
}

/* cv= of the new seal: what cannot be covered cannot be a pass. */
static enum arc_result
status_of(const struct arc_seal_request *r)
{
	if (r->facts->result == ARC_NONE)
		return ARC_NONE;
	return r->chain == ARC_PASS && r->facts->sets ? ARC_PASS : ARC_FAIL;
}

void
arc_seal_make(const struct arc_seal_request *request, struct arena *arena,
    struct arc_seal *ret)
{
	struct arc_seal set = {.reason = refusal(request)};

	*ret = set;
	if (set.reason)
		return;
	enum arc_result chain = status_of(request);
	unsigned instance = request->facts->instances + 1;
	ret->reason = "no memory, or the key does not sign";
	set.aar = make_aar(request, instance, arena);
	set.ams = make_ams(request, instance, arena);
	if (!set.aar.p || !set.ams.p)
		return;
	set.seal = make_seal(request, chain, instance, &set, arena);
	if (set.seal.p)
		*ret = set;
}
