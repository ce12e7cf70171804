#include "filter/auth/signature.h"

#include "filter/base/codec.h"

/*
 * Writes DKIM-Signature fields. The value of b= is the last
 * thing in the field and begins right behind the `=`: what is hashed is then
 * what is written up to there, and no reader's notion of the white space around
 * an empty b= matters. Lines stay within 78 columns, since a relay that folds
 * anew breaks `simple`.
 */

#define COLUMNS 78
#define TAB_COLUMNS 8
#define VALUE_MAX ((size_t)64 * 1024)

const char *const signature_default_names[] = {"From", "Sender", "Reply-To",
    "Subject", "Date", "Message-ID", "To", "Cc", "In-Reply-To", "References",
    "MIME-Version", "Content-Type", "Content-Transfer-Encoding", "Content-ID",
    "Content-Description", "Resent-Date", "Resent-From", "Resent-Sender",
    "Resent-To", "Resent-Cc", "Resent-Message-ID", "List-Id", "List-Help",
    "List-Unsubscribe", "List-Unsubscribe-Post", "List-Subscribe", "List-Post",
    "List-Owner", "List-Archive", NULL};

const char *const signature_default_oversign[] = {"From", "Sender", "Reply-To",
    "Subject", "Date", "Message-ID", "To", "Cc", "In-Reply-To", "References",
    "MIME-Version", "Content-Type", "Content-Transfer-Encoding", NULL};

/* Relays, submission servers and mailing lists add these to mail that lacks
 * them, and mean no harm. */
static const char *const added_on_the_way[] = {"Sender", "Date", "Message-ID",
    "MIME-Version", "Content-Type", "Content-Transfer-Encoding", NULL};

/* --- names ------------------------------------------------------------------------------- */

static bool
is_word_of(struct span name, const char *const *words)
{
	for (; *words; words++)
		if (span_caseis(name, *words))
			return true;
	return false;
}

static bool
is_name_of(struct span name, const struct span *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (span_caseeq(name, names[i]))
			return true;
	return false;
}

bool
signature_name_is_valid(struct span name)
{
	for (size_t i = 0; i < name.len; i++)
		if (name.p[i] <= ' ' || name.p[i] > '~' || name.p[i] == ':' ||
		    name.p[i] == ';')
			return false;
	return name.len > 0;
}

struct span *
signature_spans(const char *const *names, struct arena *arena, size_t *ret_n)
{
	size_t n = 0;

	while (names[n])
		n++;
	struct span *spans = arena_calloc(arena, n, sizeof *spans);
	for (size_t i = 0; spans && i < n; i++)
		spans[i] = span_of(names[i]);
	*ret_n = n;
	return spans;
}

struct chooser {
	const struct header_list *headers;
	const struct span *oversign;
	size_t n_oversign;
	struct span *names;
	size_t n;
};

static void
add_name(struct chooser *c, struct span name)
{
	bool once_more = is_name_of(name, c->oversign, c->n_oversign);
	size_t left = header_count(c->headers, name);

	if (once_more && (left || !is_word_of(name, added_on_the_way)))
		left++;
	for (; left && c->n < SIGNATURE_NAMES_MAX; left--)
		c->names[c->n++] = name;
}

struct span *
signature_names(const struct header_list *headers, const struct span *names,
    size_t n, const struct span *oversign, size_t n_oversign,
    struct arena *arena, size_t *ret_n)
{
	struct chooser c = {
	    .headers = headers,
	    .oversign = oversign,
	    .n_oversign = n_oversign,
	    .names = arena_calloc(arena, SIGNATURE_NAMES_MAX, sizeof *c.names),
	};

	if (!c.names)
		return NULL;
	/* Before all others: whoever repeats a field until there is no room for
	 * more names must not get a signature without From. */
	add_name(&c, SPAN("From"));
	for (size_t i = 0; i < n; i++)
		if (!span_caseis(names[i], "From") &&
		    !is_name_of(names[i], names, i))
			add_name(&c, names[i]);
	*ret_n = c.n;
	return c.names;
}

/* --- writing ------------------------------------------------------------------------------- */

struct writer {
	struct buf out;
	size_t column;
};

static void
fold(struct writer *w)
{
	buf_add_str(&w->out, "\r\n\t");
	w->column = TAB_COLUMNS;
}

/* Behind a blank or a fold. */
static void
put_word(struct writer *w, struct span word)
{
	if (w->column + 1 + word.len > COLUMNS) {
		fold(w);
	} else {
		buf_add_char(&w->out, ' ');
		w->column++;
	}
	buf_add_span(&w->out, word);
	w->column += word.len;
}

/* Where a blank is not needed. */
static void
put_part(struct writer *w, struct span part)
{
	if (w->column + part.len > COLUMNS)
		fold(w);
	buf_add_span(&w->out, part);
	w->column += part.len;
}

/* Text that may be cut anywhere: base64. */
static void
put_text(struct writer *w, struct span text)
{
	while (text.len) {
		if (w->column >= COLUMNS)
			fold(w);
		struct span part = span_head(text, COLUMNS - w->column);
		put_part(w, part);
		text = span_skip(text, part.len);
	}
}

static void
put_tag(
    struct writer *w, struct arena *arena, const char *name, struct span value)
{
	put_word(w, arena_printf(arena, "%s=%.*s;", name, SPAN_ARG(value)));
}

static void
put_number(
    struct writer *w, struct arena *arena, const char *name, int64_t value)
{
	if (value >= 0)
		put_word(
		    w, arena_printf(arena, "%s=%lld;", name, (long long)value));
}

/* dkim-quoted-printable (RFC 6376 section 2.11). */
static struct span
quoted(struct span text, struct arena *arena)
{
	struct buf out;

	buf_init(&out, arena, VALUE_MAX);
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.p[i];
		if (c <= ' ' || c > '~' || c == ';' || c == '=')
			buf_printf(&out, "=%02X", c);
		else
			buf_add_char(&out, (char)c);
	}
	return buf_failed(&out) ? SPAN_NONE : buf_span(&out);
}

static const char *
canon_name(enum bodyhash_canon canon)
{
	return canon == BODYHASH_SIMPLE ? "simple" : "relaxed";
}

static bool
put_names(
    struct writer *w, const struct signature_request *r, struct arena *arena)
{
	for (size_t i = 0; i < r->n_names; i++) {
		if (!signature_name_is_valid(r->names[i]))
			return false;
		struct span part = arena_printf(arena, "%s%.*s%s",
		    i ? "" : "h=", SPAN_ARG(r->names[i]),
		    i + 1 < r->n_names ? ":" : ";");
		if (i)
			put_part(w, part);
		else
			put_word(w, part);
	}
	return r->n_names > 0;
}

/* All but the value of b=. */
static bool
put_tags(
    struct writer *w, const struct signature_request *r, struct arena *arena)
{
	struct buf hash;

	put_tag(w, arena, "v", SPAN("1"));
	put_tag(w, arena, "a",
	    span_of(sign_algorithm_name(sign_key_algorithm(r->key))));
	put_word(w, arena_printf(arena, "c=%s/%s;", canon_name(r->header_canon),
			canon_name(r->body_canon)));
	put_tag(w, arena, "d", r->domain);
	put_tag(w, arena, "s", r->selector);
	if (r->identity.len)
		put_tag(w, arena, "i", quoted(r->identity, arena));
	put_number(w, arena, "t", r->time);
	put_number(w, arena, "x", r->expires);
	if (!put_names(w, r, arena))
		return false;
	buf_init(&hash, arena, 64);
	codec_base64_encode(
	    &hash, span_make((const char *)r->body->digest, r->body->len));
	put_tag(w, arena, "bh", buf_span(&hash));
	put_word(w, SPAN("b="));
	return !arena_failed(arena);
}

static bool
put_signature(
    struct writer *w, const struct signature_request *r, struct arena *arena)
{
	struct header self = {
	    .name = SPAN("DKIM-Signature"),
	    .raw = buf_span(&w->out),
	};
	struct header_choice choice;
	struct header_hash hash;
	struct buf b;

	if (header_choose(
		r->index, r->names, r->n_names, NULL, arena, &choice) ||
	    header_hash(&choice, &self, span_skip(self.raw, self.raw.len),
		r->header_canon, BODYHASH_SHA256, &hash))
		return false;
	buf_init(&b, arena, VALUE_MAX);
	if (sign_key_digest(r->key, hash.digest, &b))
		return false;
	put_text(w, buf_span(&b));
	return !buf_failed(&w->out);
}

struct span
signature_make(const struct signature_request *request, struct arena *arena)
{
	struct writer w = {.column = sizeof "DKIM-Signature:" - 1};

	if (request->body->failed)
		return SPAN_NONE;
	buf_init(&w.out, arena, VALUE_MAX);
	if (!put_tags(&w, request, arena) || buf_failed(&w.out) ||
	    !put_signature(&w, request, arena))
		return SPAN_NONE;
	return span_skip(buf_span(&w.out), 1);
}
