#include "filter/auth/dkim_internal.h"

#include <opendkim/dkim.h>

#include "filter/base/buf.h"
#include "filter/base/unconst.h"

/*
 * The border to libopendkim: it selects, canonicalises and hashes the header
 * fields of signatures that have passed the guard. It sees no body, looks up
 * no key and verifies nothing: its final callback, called at the end of an
 * empty body, takes the hashes and has it ignore the signatures.
 *
 * It is given only what it is right about. Measured on 2.11.0~beta2, its hash
 * is wrong for white space between the value of b= and ';' or between "b" and
 * '=', for a field whose name has blanks before the colon (relaxed), for NUL
 * and for line ends that are no folds; it takes other DKIM-Signature fields
 * for signatures to be judged, also where h= only covers them; it cuts long
 * lists of names. A list that names DKIM-Signature has it choose the signature
 * itself, and where all fields are chosen it writes a NULL behind its array for
 * the next name: none of ours may ever name it. Such candidates are hashed by headerhash.c, as are large
 * headers, which it canonicalises byte by byte.
 */

#define NAMES_MAX 2048                 /* bytes of h= */
#define HEADER_MAX ((size_t)64 * 1024) /* bytes that a signature covers */
#define SIGNATURES_MAX 32

/* Set before threads start, read-only after. */
static DKIM_LIB *library;

/* What the final callback is told and tells. */
struct feed {
	struct dkim_candidate *taken[SIGNATURES_MAX]; /* in its list's order */
	size_t n;
};

/* --- what it may see ---------------------------------------------------------------- */

/* Every line end is followed by a blank, and there is no NUL or lone CR. */
static bool
is_clean(struct span raw)
{
	for (size_t i = 0; i < raw.len; i++) {
		char c = raw.p[i];
		bool last = i + 1 == raw.len;
		if (c == '\0' || (c == '\r' && (last || raw.p[i + 1] != '\n')))
			return false;
		if (c == '\n' && (last || !ascii_is_blank(raw.p[i + 1])))
			return false;
	}
	return true;
}

static bool
is_ordinary_field(const struct header *h)
{
	return !h->odd && !h->truncated && is_clean(h->raw);
}

static bool
is_ordinary(const struct dkim_candidate *c)
{
	const struct dkim_tags *tags = c->tags;

	if (!tags->b_plain || tags->names_len > NAMES_MAX ||
	    c->choice.bytes > HEADER_MAX || !is_ordinary_field(c->field))
		return false;
	for (size_t i = 0; i < tags->names.n; i++)
		if (span_caseis(tags->names.v[i], DKIM_SIGNHEADER))
			return false;
	for (size_t i = 0; i < c->choice.fields.n; i++)
		if (!is_ordinary_field(c->choice.fields.v[i]))
			return false;
	return true;
}

/* --- feeding it ------------------------------------------------------------------------ */

/* `name:value` with CRLF in its folds. */
static struct span
wire_form(const struct header *h, struct buf *buf)
{
	buf_truncate(buf, 0);
	buf_add_span(buf, h->name);
	buf_add_char(buf, ':');
	for (struct span rest = h->raw; rest.p;) {
		struct span line = span_cut(&rest, '\n');
		if (rest.p && span_ends(line, SPAN("\r")))
			line.len--;
		buf_add_span(buf, line);
		if (rest.p)
			buf_add_str(buf, "\r\n");
	}
	return buf_failed(buf) ? SPAN_NONE : buf_span(buf);
}

static bool
feed_field(DKIM *dkim, const struct header *h, struct buf *buf)
{
	struct span text = wire_form(h, buf);

	return text.p &&
	       dkim_header(dkim, unconst(text.p), text.len) == DKIM_STAT_OK;
}

/*
 * Which fields to feed, by their place in the header: 1 a covered one. What
 * no candidate covers is not fed: for it, choosing from the bottom up finds
 * the same fields without.
 */
static unsigned char *
mark_fields(const struct header_list *headers,
    const struct dkim_candidate *candidates, size_t n, struct arena *arena)
{
	const struct header *base = headers->fields.v;
	unsigned char *mark = arena_zalloc(arena, headers->fields.n);

	for (size_t i = 0; mark && i < n; i++) {
		if (!is_ordinary(&candidates[i]))
			continue;
		for (size_t j = 0; j < candidates[i].choice.fields.n; j++)
			mark[candidates[i].choice.fields.v[j] - base] = 1;
	}
	return mark;
}

/* Feeds fields and signatures in the order of the header. A signature that it
 * refuses is not in its list. */
static bool
feed_all(DKIM *dkim, struct feed *feed, const struct header_list *headers,
    struct dkim_candidate *candidates, size_t n, struct arena *arena)
{
	unsigned char *mark = mark_fields(headers, candidates, n, arena);
	struct buf buf;
	size_t next = 0;

	if (!mark)
		return false;
	buf_init(&buf, arena, 2 * HEADER_MAX);
	for (size_t i = 0; i < headers->fields.n; i++) {
		const struct header *h = &headers->fields.v[i];
		struct dkim_candidate *c = NULL;
		if (next < n && candidates[next].field == h)
			c = &candidates[next++];
		if (c && is_ordinary(c) && feed->n < SIGNATURES_MAX) {
			if (feed_field(dkim, h, &buf))
				feed->taken[feed->n++] = c;
		} else if (mark[i] && !feed_field(dkim, h, &buf)) {
			return false;
		}
	}
	return feed->n > 0;
}

/* --- taking the hashes ----------------------------------------------------------------- */

/*
 * A signature in error has no hashes, and asking for them ends the process in
 * an assertion. Errors are what the library, by its own clock and rules, finds
 * wrong before it canonicalises; "unknown" is its word for none yet.
 */
static bool
has_hash(DKIM_SIGINFO *sig)
{
	int error = dkim_sig_geterror(sig);

	return error == DKIM_SIGERROR_OK || error == DKIM_SIGERROR_UNKNOWN;
}

static void
take_hash(DKIM_SIGINFO *sig, struct dkim_candidate *c)
{
	void *header = NULL, *body = NULL;
	size_t header_len = 0, body_len = 0;

	if (!has_hash(sig) ||
	    dkim_sig_gethashes(sig, &header, &header_len, &body, &body_len) !=
		DKIM_STAT_OK ||
	    !header || header_len > sizeof c->hash.digest)
		return;
	memcpy(c->hash.digest, header, header_len);
	c->hash.len = header_len;
	c->hashed = true;
}

/* The library's callback before it would look up keys. */
static DKIM_CBSTAT
at_final(DKIM *dkim, DKIM_SIGINFO **sigs, int nsigs)
{
	struct feed *feed = dkim_get_user_context(dkim);

	for (int i = 0; i < nsigs; i++) {
		if ((size_t)nsigs == feed->n)
			take_hash(sigs[i], feed->taken[i]);
		dkim_sig_ignore(sigs[i]);
	}
	return DKIM_CBSTAT_CONTINUE;
}

/* Keys are none of its business. */
static DKIM_CBSTAT
at_key(DKIM *dkim, DKIM_SIGINFO *sig, unsigned char *buf, size_t buflen)
{
	(void)dkim;
	(void)sig;
	(void)buf;
	(void)buflen;
	return DKIM_CBSTAT_NOTFOUND;
}

void
dkim_library_hash(const struct header_list *headers,
    struct dkim_candidate *candidates, size_t n, struct arena *arena)
{
	static const unsigned char id[] = "assay";
	struct feed feed = {.n = 0};
	DKIM_STAT status;

	if (!library || !n)
		return;
	DKIM *dkim = dkim_verify(library, id, NULL, &status);
	if (!dkim)
		return;
	/* What it answers does not matter: a candidate without a hash is
	 * hashed by us. */
	if (dkim_set_user_context(dkim, &feed) == DKIM_STAT_OK &&
	    feed_all(dkim, &feed, headers, candidates, n, arena) &&
	    dkim_eoh(dkim) == DKIM_STAT_OK)
		(void)dkim_eom(dkim, NULL);
	dkim_free(dkim);
}

/* ---------------------------------------------------------------------------------------- */

int
dkim_library_open(struct err *err)
{
	unsigned flags = DKIM_LIBFLAGS_DELAYSIGPROC;

	library = dkim_init(NULL, NULL);
	if (!library ||
	    dkim_options(library, DKIM_OP_SETOPT, DKIM_OPTS_FLAGS, &flags,
		sizeof flags) != DKIM_STAT_OK ||
	    dkim_set_key_lookup(library, at_key) != DKIM_STAT_OK ||
	    dkim_set_final(library, at_final) != DKIM_STAT_OK) {
		dkim_library_close();
		return err_set(err, ERR_NOMEM, "libopendkim does not start");
	}
	return 0;
}

void
dkim_library_close(void)
{
	if (library)
		dkim_close(library);
	library = NULL;
}
