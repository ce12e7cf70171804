#include "filter/mail/mime.h"

#include "filter/base/buf.h"
#include "filter/base/codec.h"

/*
 * The MIME walk: one pass over the lines of a body with a stack of open
 * multiparts. Only lines that begin with "--" are compared with the boundaries
 * on the stack, innermost first. Parts that hold messages are put on a list
 * and walked after their container, so nothing recurses.
 *
 * The reading is SpamAssassin's (rule language, section 3.3 with 11.1 to
 * 11.3); where programs may read otherwise a flag is set.
 */

#define PREAMBLE_END_MAX 70 /* RFC 2046: longest boundary that is allowed */
#define ENCODING_MAX 64     /* bytes of an encoding's name that are looked at */

struct level {
	struct mime_part *part; /* the open multipart */
	struct span boundary;
	bool seen; /* a boundary line of it was met */
};

struct walk {
	struct mime_tree *tree;
	struct arena *arena;
	struct level stack[MIME_DEPTH_MAX + 1];
	size_t open;                /* multiparts on the stack */
	struct mime_part *current;  /* the part whose body is being read */
	struct span text;           /* the container being read */
	size_t body_start;          /* of `current` */
	struct mime_parts messages; /* parts to be walked as messages */
};

/* --- parts --------------------------------------------------------------------- */

static bool
is_multipart(const struct mime_part *part)
{
	return span_starts(part->ctype.type, SPAN("multipart/"));
}

static bool
is_message(const struct mime_part *part)
{
	return span_is(part->ctype.type, "message/rfc822") ||
	       span_is(part->ctype.type, "message/global");
}

static struct mime_part *
new_part(struct walk *w, struct mime_part *parent)
{
	struct mime_part *part;

	if (w->tree->parts.n >= MIME_PARTS_MAX) {
		w->tree->flags |= MIME_PARTS_LIMIT;
		return NULL;
	}
	part = arena_zalloc(w->arena, sizeof *part);
	struct mime_part **to =
	    part ? VEC_PUSH(w->arena, &w->tree->parts) : NULL;
	if (!to)
		return NULL;
	*to = part;
	part->index = (unsigned)w->tree->parts.n - 1;
	part->parent = parent;
	part->leaf = true;
	header_init(&part->headers, w->arena);
	if (!parent)
		return part;
	part->depth = parent->depth + 1;
	parent->leaf = false;
	struct mime_part **link = &parent->child;
	if (parent->last_child)
		link = &parent->last_child->next;
	*link = part;
	parent->last_child = part;
	return part;
}

static void
set_encoding(struct mime_tree *tree, struct mime_part *part)
{
	static const char *const plain[] = {"7bit", "8bit", "binary"};
	const struct header *h =
	    header_last(&part->headers, SPAN("Content-Transfer-Encoding"));
	char word[ENCODING_MAX];

	part->encoding = MIME_IDENTITY;
	if (!h)
		return;
	struct span name = span_trim(h->raw);
	if (name.len >= sizeof word) {
		tree->flags |= MIME_BAD_ENCODING;
		return;
	}
	for (size_t i = 0; i < name.len; i++)
		word[i] = ascii_lower(name.p[i]);
	name.p = word;
	if (span_is(name, "base64"))
		part->encoding = MIME_BASE64;
	else if (span_is(name, "quoted-printable"))
		part->encoding = MIME_QP;
	else if (!span_is(name, plain[0]) && !span_is(name, plain[1]) &&
		 !span_is(name, plain[2]))
		tree->flags |= MIME_BAD_ENCODING;
}

/* Content-Type and the rest out of the part's headers. */
static void
set_type(struct walk *w, struct mime_part *part)
{
	const struct header_list *headers = &part->headers;
	const struct header *type = header_last(headers, SPAN("Content-Type"));
	const struct header *disposition =
	    header_last(headers, SPAN("Content-Disposition"));
	struct mime_part *parent = part->parent;

	ctype_parse(&part->ctype, type ? type->raw : SPAN_NONE, w->arena);
	if (part->ctype.missing && parent &&
	    span_is(parent->ctype.type, "multipart/digest"))
		part->ctype.type = SPAN("message/rfc822");
	if (header_count(headers, SPAN("Content-Type")) > 1 ||
	    header_count(headers, SPAN("Content-Transfer-Encoding")) > 1)
		w->tree->flags |= MIME_MULTIPLE_CTYPE;
	if (disposition) {
		struct span name = ctype_disposition_name(
		    disposition->raw, &part->attachment, w->arena);
		if (name.len)
			part->ctype.name = name;
	}
	if (span_is(part->ctype.type, "message/partial"))
		w->tree->flags |= MIME_PARTIAL;
	if (span_is(part->ctype.type, "message/external-body"))
		w->tree->flags |= MIME_EXTERNAL;
	set_encoding(w->tree, part);
}

/* --- boundaries ------------------------------------------------------------------ */

enum match { MATCH_NO, MATCH_PART, MATCH_END };

/* `--boundary` or `--boundary--`, then only white space. */
static enum match
match_boundary(struct span line, struct span boundary, bool *ret_blanks)
{
	struct span rest = span_skip(line, 2);
	enum match match = MATCH_PART;

	if (!span_starts(rest, boundary))
		return MATCH_NO;
	rest = span_skip(rest, boundary.len);
	if (span_starts(rest, SPAN("--"))) {
		struct span end = span_skip(rest, 2);
		if (span_trim(end).len == 0) {
			match = MATCH_END;
			rest = end;
		}
	}
	if (span_trim(rest).len)
		return MATCH_NO;
	while (rest.len &&
	       (rest.p[rest.len - 1] == '\r' || rest.p[rest.len - 1] == '\n'))
		rest.len--;
	*ret_blanks = rest.len != 0;
	return match;
}

/* The innermost open multipart that the line is a boundary of. */
static enum match
find_boundary(struct walk *w, struct span line, size_t *ret_level)
{
	bool blanks = false;

	for (size_t i = w->open; i > 0; i--) {
		enum match m =
		    match_boundary(line, w->stack[i - 1].boundary, &blanks);
		if (m == MATCH_NO)
			continue;
		if (blanks)
			w->tree->flags |= MIME_BOUNDARY_ODD;
		*ret_level = i - 1;
		return m;
	}
	return MATCH_NO;
}

static void
judge_boundary(struct walk *w, struct span boundary)
{
	if (boundary.len == 0 || boundary.len > PREAMBLE_END_MAX)
		w->tree->flags |= MIME_BOUNDARY_ODD;
	for (size_t i = 0; i < w->open; i++) {
		struct span other = w->stack[i].boundary;
		if (span_starts(other, boundary) ||
		    span_starts(boundary, other))
			w->tree->flags |= MIME_BOUNDARY_ODD;
	}
}

/*
 * Opens a multipart whose body begins now. False when it is read as a leaf: no
 * boundary, or too deep.
 */
static bool
open_multipart(struct walk *w, struct mime_part *part)
{
	struct span boundary = part->ctype.boundary;

	if (!is_multipart(part))
		return false;
	if (!boundary.p || boundary.len == 0) {
		w->tree->flags |= MIME_NO_BOUNDARY;
		/* At the top it is text; inside, the parent's boundary holds. */
		if (w->open == 0 && !part->parent)
			part->ctype.type = SPAN("text/plain");
		return false;
	}
	if (part->depth >= MIME_DEPTH_MAX || w->open > MIME_DEPTH_MAX) {
		w->tree->flags |= MIME_DEPTH_LIMIT;
		return false;
	}
	judge_boundary(w, boundary);
	w->stack[w->open++] = (struct level){part, boundary, false};
	return true;
}

/* --- the walk through one container ----------------------------------------------- */

/* The line at `at`, with its line end; empty at the end of the text. */
static struct span
line_at(struct span text, size_t at)
{
	struct span rest = span_skip(text, at);
	size_t lf = span_find_char(rest, '\n');

	return lf == SPAN_NPOS ? rest : span_head(rest, lf + 1);
}

/* Ends the current part's body at `end`; the line end before the boundary
 * belongs to the boundary. */
static void
finish_body(struct walk *w, size_t end, bool at_boundary)
{
	struct mime_part *part = w->current;
	size_t start = w->body_start;

	w->current = NULL;
	if (!part)
		return;
	if (at_boundary && end > start && w->text.p[end - 1] == '\n') {
		end--;
		if (end > start && w->text.p[end - 1] == '\r')
			end--;
	}
	part->body = span_make(w->text.p + start, end - start);
	if (!is_message(part))
		return;
	struct mime_part **to = VEC_PUSH(w->arena, &w->messages);
	if (to)
		*to = part;
}

/* True for "token:" with optional blanks before the colon. */
static bool
is_field(struct span line)
{
	size_t n = 0;

	while (n < line.len && line.p[n] > ' ' && line.p[n] < 0x7f &&
	       line.p[n] != ':')
		n++;
	if (n == 0)
		return false;
	while (n < line.len && ascii_is_blank(line.p[n]))
		n++;
	return n < line.len && line.p[n] == ':';
}

static struct span
without_eol(struct span line)
{
	if (line.len && line.p[line.len - 1] == '\n')
		line.len--;
	if (line.len && line.p[line.len - 1] == '\r')
		line.len--;
	return line;
}

/* Adds the field that stands in [start, end) of the text. */
static void
add_field(struct walk *w, struct mime_part *part, size_t start, size_t end)
{
	struct span field =
	    without_eol(span_make(w->text.p + start, end - start));
	struct span value = field;
	struct span name = span_trim_right(span_cut(&value, ':'));

	if (value.p)
		header_add(&part->headers, name, value);
}

/*
 * Reads a part's header fields at `at`. Returns the offset of its body: behind
 * the empty line, or the line that is neither field nor continuation.
 */
static size_t
read_part_header(struct walk *w, struct mime_part *part, size_t at)
{
	size_t field = SPAN_NPOS, unused;

	for (;;) {
		struct span line = line_at(w->text, at);
		bool fold = line.len && ascii_is_blank(line.p[0]) &&
			    field != SPAN_NPOS && without_eol(line).len;
		if (fold) {
			at += line.len;
			continue;
		}
		if (field != SPAN_NPOS)
			add_field(w, part, field, at);
		field = SPAN_NPOS;
		if (line.len == 0)
			return at;
		if (without_eol(line).len == 0)
			return at + line.len;
		if (span_starts(line, SPAN("--")) &&
		    find_boundary(w, line, &unused) != MATCH_NO)
			return at;
		if (!is_field(line)) {
			w->tree->flags |= MIME_PART_HEADER;
			return at;
		}
		field = at;
		at += line.len;
	}
}

/* A boundary of stack level `level` opens a part. Returns its body's offset. */
static size_t
begin_part(struct walk *w, size_t level, size_t at)
{
	struct mime_part *part;

	w->open = level + 1;
	part = new_part(w, w->stack[level].part);
	if (!part)
		return at;
	at = read_part_header(w, part, at);
	set_type(w, part);
	w->current = part;
	w->body_start = at;
	(void)open_multipart(w, part);
	return at;
}

/* Whether anything but blanks and dots follows the last boundary. */
static bool
is_epilogue(struct span line)
{
	for (size_t i = 0; i < line.len; i++)
		if (!ascii_is_space(line.p[i]) && line.p[i] != '.')
			return true;
	return false;
}

/* The next line at or after `at` that begins with "--"; the text's length when
 * there is none. */
static size_t
next_dashes(struct span text, size_t at)
{
	if (at == 0 && span_starts(text, SPAN("--")))
		return 0;
	size_t from = at ? at - 1 : 0;
	size_t found = span_find(text, SPAN("\n--"), from);
	return found == SPAN_NPOS ? text.len : found + 1;
}

static void
close_level(struct walk *w, size_t level, size_t at)
{
	w->open = level;
	struct span rest = span_skip(w->text, at);
	size_t next = next_dashes(rest, 0);
	if (is_epilogue(span_head(rest, next < 1000 ? next : 1000)))
		w->tree->flags |= MIME_EPILOGUE;
}

/* Walks a container whose multipart is already on the stack. */
static void
walk_text(struct walk *w, struct span text)
{
	size_t at = 0, level;

	w->text = text;
	w->current = NULL;
	while (w->open && (at = next_dashes(text, at)) < text.len) {
		struct span line = line_at(text, at);
		enum match match = find_boundary(w, line, &level);
		if (match == MATCH_NO) {
			at += line.len;
			continue;
		}
		/* A part that is itself a multipart ends with its parent. */
		if (w->current)
			finish_body(w, at, true);
		for (size_t i = level + 1; i < w->open; i++)
			w->tree->flags |= MIME_NO_END;
		w->stack[level].seen = true;
		at += line.len;
		if (match == MATCH_END)
			close_level(w, level, at);
		else
			at = begin_part(w, level, at);
	}
	if (w->open)
		w->tree->flags |= MIME_NO_END;
	finish_body(w, text.len, false);
}

/*
 * The opening boundary of a multipart is nowhere: the whole body is its one
 * part, so that rules see the text.
 */
static void
whole_as_part(struct walk *w, struct mime_part *multipart, struct span text)
{
	struct mime_part *part = new_part(w, multipart);

	w->tree->flags |= MIME_BOUNDARY_NOT_FOUND;
	if (!part)
		return;
	w->text = text;
	size_t at = 0;
	/* A body that begins with text has no part header (11.3). */
	struct span first = line_at(text, 0);
	if (multipart->parent || without_eol(first).len == 0)
		at = read_part_header(w, part, 0);
	set_type(w, part);
	part->body = span_skip(text, at);
}

/* One message: `part` has its headers; `text` is its body. */
static void
walk_message(struct walk *w, struct mime_part *part, struct span text)
{
	w->open = 0;
	part->body = text;
	set_type(w, part);
	if (!open_multipart(w, part)) {
		if (is_message(part)) {
			struct mime_part **to =
			    VEC_PUSH(w->arena, &w->messages);
			if (to)
				*to = part;
		}
		return;
	}
	walk_text(w, text);
	if (!part->child)
		whole_as_part(w, part, text);
}

/* A part that holds a message gets it as its one child. */
static void
walk_inner(struct walk *w, struct mime_part *holder)
{
	struct mime_part *part;
	struct span text = holder->body;

	if (holder->depth + 1 > MIME_DEPTH_MAX) {
		w->tree->flags |= MIME_DEPTH_LIMIT;
		return;
	}
	if (holder->encoding != MIME_IDENTITY)
		text = mime_decode(w->tree, holder, text.len + 16, w->arena);
	part = new_part(w, holder);
	if (!part)
		return;
	size_t body = header_parse(&part->headers, text);
	walk_message(w, part, span_skip(text, body));
}

/* Children in the order of the message, whatever order they were met in. */
static void
number_parts(struct mime_tree *tree)
{
	struct mime_part *part = tree->root;
	size_t n = 0;

	while (part) {
		part->index = (unsigned)n;
		tree->parts.v[n++] = part;
		if (part->child) {
			part = part->child;
			continue;
		}
		while (part && !part->next)
			part = part->parent;
		if (part)
			part = part->next;
	}
	tree->parts.n = n;
}

static void
note_bytes(struct mime_tree *tree, struct span body)
{
	const char *end = body.p + body.len;

	if (span_find_char(body, '\0') != SPAN_NPOS)
		tree->flags |= MIME_NUL;
	for (const char *p = body.p; body.len && p < end; p++) {
		p = memchr(p, '\r', (size_t)(end - p));
		if (!p)
			return;
		if (p + 1 == end || p[1] != '\n') {
			tree->flags |= MIME_BARE_CR;
			return;
		}
	}
}

bool
mime_walk(struct mime_tree *ret, const struct header_list *headers,
    struct span body, struct arena *arena)
{
	struct walk w = {.tree = ret, .arena = arena};

	*ret = (struct mime_tree){0};
	note_bytes(ret, body);
	struct mime_part *root = new_part(&w, NULL);
	if (!root)
		return false;
	ret->root = root;
	root->headers = *headers;
	walk_message(&w, root, body);
	for (size_t i = 0; i < w.messages.n; i++)
		walk_inner(&w, w.messages.v[i]);
	number_parts(ret);
	return !arena_failed(arena);
}

/* --- decoding -------------------------------------------------------------------- */

/* CRLF to LF, from `text` into `out`; at most what fits in `limit`. */
static void
add_lf_lines(struct buf *out, struct span text)
{
	while (text.len) {
		size_t cr = span_find_char(text, '\r');
		if (cr == SPAN_NPOS) {
			buf_add_span(out, text);
			return;
		}
		bool crlf = cr + 1 < text.len && text.p[cr + 1] == '\n';
		buf_add(out, text.p, crlf ? cr : cr + 1);
		text = span_skip(text, cr + 1);
	}
}

/* The same inside a buffer that is ours. */
static void
crlf_to_lf(struct buf *b)
{
	char *p = b->len ? memchr(b->p, '\r', b->len) : NULL;
	size_t to, i;

	if (!p)
		return;
	to = i = (size_t)(p - b->p);
	while (i < b->len) {
		if (b->p[i] == '\r' && i + 1 < b->len && b->p[i + 1] == '\n')
			i++;
		b->p[to++] = b->p[i++];
	}
	buf_truncate(b, to);
}

static bool
has_text_lines(const struct mime_part *part)
{
	return span_starts(part->ctype.type, SPAN("text/")) ||
	       span_starts(part->ctype.type, SPAN("message/"));
}

/* A "begin 644 name" line: a file inside the text. */
static bool
has_uuencode(struct span text)
{
	size_t at = 0;

	while ((at = span_find(text, SPAN("begin "), at)) != SPAN_NPOS) {
		struct span rest = span_skip(text, at + 6);
		bool line_start = at == 0 || text.p[at - 1] == '\n';
		size_t digits = 0;
		while (digits < rest.len && digits < 4 &&
		       rest.p[digits] >= '0' && rest.p[digits] <= '7')
			digits++;
		if (line_start && digits >= 3 && digits < rest.len &&
		    rest.p[digits] == ' ')
			return true;
		at += 6;
	}
	return false;
}

struct span
mime_decode(struct mime_tree *tree, const struct mime_part *part, size_t limit,
    struct arena *arena)
{
	struct buf out;
	struct span body = part->body;

	buf_init(&out, arena, SIZE_MAX / 4);
	if (part->encoding == MIME_BASE64) {
		/* Four characters give three bytes; line ends give none. */
		body = span_head(body, limit + limit / 2);
		if (codec_base64_decode(&out, body))
			tree->flags |= MIME_BASE64_FOREIGN;
		if (has_text_lines(part))
			crlf_to_lf(&out);
	} else if (part->encoding == MIME_QP) {
		body = span_head(body, limit * 3);
		if (codec_qp_decode(&out, body))
			tree->flags |= MIME_QP_BAD;
		crlf_to_lf(&out);
	} else if (has_text_lines(part)) {
		add_lf_lines(&out, span_head(body, limit));
	} else {
		return span_head(body, limit);
	}
	struct span text = span_head(buf_span(&out), limit);
	if (has_text_lines(part) && has_uuencode(text))
		tree->flags |= MIME_UUENCODE;
	return text;
}
