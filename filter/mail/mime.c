#include "filter/mail/mime.h"

#include "filter/mail/mime_internal.h"

/*
 * The MIME walk: one pass over the lines of a body with a stack of open
 * multiparts. Only lines that begin with "--" are compared with the boundaries
 * on the stack, innermost first. Bodies that are messages, and those of
 * multiparts that turn out to have no boundary line, are put on a list and
 * walked after their container, so nothing recurses; each such walk is one
 * level deeper, which bounds how often a byte is looked at.
 *
 * The reading is SpamAssassin's (rule language, section 3.3 with 11.1 to
 * 11.3); where programs may read otherwise a flag is set.
 */

#define BOUNDARY_LONG 70   /* RFC 2046 section 5.1.1: longest that is allowed */
#define ENCODING_MAX 64    /* bytes of an encoding's name that are looked at */
#define EPILOGUE_LOOK 1000 /* bytes behind the last boundary looked at */

struct level {
	struct mime_part *part; /* the open multipart */
	struct span boundary;
	bool seen; /* a boundary line of it was met */
};

/* A body to be walked later. */
struct job {
	struct mime_part *part;
	struct span boundary; /* of a container without boundary line: what its
				 parts inherit; p NULL: a message */
};

struct walk {
	struct mime_tree *tree;
	struct arena *arena;
	struct level stack[MIME_DEPTH_MAX + 1];
	size_t open;               /* multiparts on the stack */
	struct mime_part *current; /* the part whose body is being read */
	struct span text;          /* the container being read */
	size_t body_start;         /* of `current` */
	size_t fields;             /* header fields of all parts */
	size_t inner;              /* bytes of decoded inner messages */
	struct jobs VEC(struct job) jobs;
};

static void
push_job(struct walk *w, struct mime_part *part, struct span boundary)
{
	struct job *job = VEC_PUSH(w->arena, &w->jobs);

	if (job)
		*job = (struct job){part, boundary};
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
	if (boundary.len == 0 || boundary.len > BOUNDARY_LONG)
		w->tree->flags |= MIME_BOUNDARY_ODD;
	for (size_t i = 0; i < w->open; i++) {
		struct span other = w->stack[i].boundary;
		if (span_starts(other, boundary) ||
		    span_starts(boundary, other))
			w->tree->flags |= MIME_BOUNDARY_ODD;
	}
}

/*
 * Opens a multipart whose body begins now. False when there is nothing to
 * look for in it: it is no multipart, has no boundary, or lies too deep.
 */
static bool
open_multipart(struct walk *w, struct mime_part *part)
{
	struct span boundary = part->ctype.boundary;

	if (!mime_is_multipart(part))
		return false;
	if (!boundary.len) {
		w->tree->flags |= MIME_NO_BOUNDARY;
		return false;
	}
	if (part->depth >= MIME_DEPTH_MAX || w->open >= MIME_DEPTH_MAX) {
		w->tree->flags |= MIME_DEPTH_LIMIT;
		return false;
	}
	judge_boundary(w, boundary);
	part->leaf = false;
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

static struct span
without_eol(struct span line)
{
	if (line.len && line.p[line.len - 1] == '\n')
		line.len--;
	if (line.len && line.p[line.len - 1] == '\r')
		line.len--;
	return line;
}

/* Looks at a part whose body is known: what is inside comes later. */
static void
queue_part(struct walk *w, struct mime_part *part, struct span inherited)
{
	if (mime_is_message(part))
		push_job(w, part, SPAN_NONE);
	else if (mime_is_multipart(part) && part->leaf && inherited.len)
		push_job(w, part, inherited);
}

/*
 * Ends the current part's body at `end`; the line end before a boundary
 * belongs to the boundary. `level` is the one whose boundary ends it.
 */
static void
finish_body(struct walk *w, size_t end, bool at_boundary, size_t level)
{
	struct mime_part *part = w->current;
	size_t start = w->body_start, body_end = end;

	w->current = NULL;
	if (!part)
		return;
	if (at_boundary && end > start && w->text.p[end - 1] == '\n') {
		body_end--;
		if (body_end > start && w->text.p[body_end - 1] == '\r')
			body_end--;
	}
	part->body = span_make(w->text.p + start, body_end - start);
	part->chopped = (unsigned)(end - body_end);
	/* A multipart that the walk has on its stack is no leaf any more. */
	queue_part(w, part, w->stack[level].boundary);
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

/* Adds the field that stands in [start, end) of the text. */
static void
add_field(struct walk *w, struct mime_part *part, size_t start, size_t end)
{
	struct span value =
	    without_eol(span_make(w->text.p + start, end - start));
	struct span name = span_trim_right(span_cut(&value, ':'));

	if (!value.p)
		return;
	if (w->fields++ < MIME_FIELDS_MAX)
		header_add(&part->headers, name, span_trim_left(value));
	else
		w->tree->flags |= MIME_PARTS_LIMIT;
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
		/* SpamAssassin takes the last line of all for body. */
		bool last = at + line.len == w->text.len;
		if (!last && field != SPAN_NPOS && ascii_is_blank(line.p[0])) {
			at += line.len;
			continue;
		}
		if (field != SPAN_NPOS)
			add_field(w, part, field, at);
		field = SPAN_NPOS;
		if (last)
			return at;
		if (without_eol(line).len == 0) {
			part->after_blank = true;
			return at + line.len;
		}
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
	part = mime_part_new(w->tree, w->stack[level].part, w->arena);
	if (!part)
		return at;
	at = read_part_header(w, part, at);
	mime_part_read_type(w->tree, part, w->arena);
	w->current = part;
	w->body_start = at;
	(void)open_multipart(w, part);
	return at;
}

/* Whether anything but blanks and dots follows the last boundary. */
static bool
is_epilogue(struct span text)
{
	for (size_t i = 0; i < text.len; i++)
		if (!ascii_is_space(text.p[i]) && text.p[i] != '.')
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
	struct span rest = span_head(span_skip(w->text, at), EPILOGUE_LOOK);

	w->open = level;
	if (is_epilogue(span_head(rest, next_dashes(rest, 0))))
		w->tree->flags |= MIME_EPILOGUE;
}

/* A multipart that met no boundary line of its own has its body as one part. */
static void
end_unseen(struct walk *w, const struct level *l)
{
	if (l->seen)
		return;
	w->tree->flags |= MIME_BOUNDARY_NOT_FOUND;
	push_job(w, l->part, l->boundary);
}

/* The levels from `level` on end without their own boundary. */
static void
end_levels(struct walk *w, size_t level)
{
	for (size_t i = level; i < w->open; i++) {
		w->tree->flags |= MIME_NO_END;
		end_unseen(w, &w->stack[i]);
	}
	w->open = level;
}

/* Walks a container whose multipart is already on the stack. */
static void
walk_text(struct walk *w, struct mime_part *container, struct span text)
{
	size_t at = 0, level = 0;

	w->text = text;
	w->current = container;
	w->body_start = 0;
	while (w->open && (at = next_dashes(text, at)) < text.len) {
		struct span line = line_at(text, at);
		enum match match = find_boundary(w, line, &level);
		if (match == MATCH_NO) {
			at += line.len;
			continue;
		}
		finish_body(w, at, true, level);
		end_levels(w, level + 1);
		if (match == MATCH_END)
			end_unseen(w, &w->stack[level]);
		w->stack[level].seen = true;
		at += line.len;
		if (match == MATCH_END)
			close_level(w, level, at);
		else if (at < text.len)
			at = begin_part(w, level, at);
	}
	finish_body(w, text.len, false, 0);
	end_levels(w, 0);
}

/*
 * A multipart without any boundary line of its own: its body is its one part,
 * which rules then see. Its first lines are a part header, but at the top of
 * a message (rule language, 11.3).
 */
static void
whole_as_part(struct walk *w, struct mime_part *multipart, struct span boundary)
{
	struct span text = multipart->body;
	struct mime_part *part;
	size_t at = 0;

	if (multipart->depth >= MIME_DEPTH_MAX) {
		w->tree->flags |= MIME_DEPTH_LIMIT;
		return;
	}
	part = mime_part_new(w->tree, multipart, w->arena);
	if (!part)
		return;
	w->text = text;
	w->open = 0;
	bool empty_first = without_eol(line_at(text, 0)).len == 0;
	if (!multipart->begins_message || empty_first)
		at = read_part_header(w, part, 0);
	mime_part_read_type(w->tree, part, w->arena);
	part->body = span_skip(text, at);
	part->chopped = multipart->chopped;
	if (open_multipart(w, part))
		walk_text(w, part, part->body);
	else
		queue_part(w, part, boundary);
}

/* One message: `part` has its headers; `text` is its body. */
static void
walk_message(struct walk *w, struct mime_part *part, struct span text)
{
	w->open = 0;
	part->body = text;
	part->begins_message = true;
	mime_part_read_type(w->tree, part, w->arena);
	if (open_multipart(w, part)) {
		walk_text(w, part, text);
		return;
	}
	/* At the top a multipart without boundary is text. */
	if (mime_is_multipart(part) && !part->ctype.boundary.len) {
		part->ctype.type = SPAN("text/plain");
		struct span first = line_at(text, 0);
		part->blank_first =
		    span_trim(first).len && first.len < text.len;
	}
	queue_part(w, part, SPAN_NONE);
}

/* A part that holds a message gets it as its one child. */
static void
walk_inner(struct walk *w, struct mime_part *holder)
{
	struct mime_part *part;
	struct span text = holder->body;
	bool encoded = holder->encoding != MIME_IDENTITY;

	if (holder->depth >= MIME_DEPTH_MAX) {
		w->tree->flags |= MIME_DEPTH_LIMIT;
		return;
	}
	if (encoded) {
		size_t left = MIME_INNER_MAX - w->inner;
		text = mime_decode(w->tree, holder, left, w->arena);
		w->inner += text.len;
	}
	if (w->inner == MIME_INNER_MAX || w->fields >= MIME_FIELDS_MAX) {
		w->tree->flags |= MIME_PARTS_LIMIT;
		return;
	}
	if (!text.len)
		return;
	part = mime_part_new(w->tree, holder, w->arena);
	if (!part)
		return;
	if (encoded)
		part->cuts = 0;
	size_t body = header_parse(&part->headers, text);
	w->fields += part->headers.fields.n;
	walk_message(w, part, span_skip(text, body));
}

bool
mime_walk(struct mime_tree *ret, const struct header_list *headers,
    struct span body, struct arena *arena)
{
	struct walk w = {.tree = ret, .arena = arena};

	*ret = (struct mime_tree){0};
	mime_note_bytes(ret, body);
	struct mime_part *root = mime_part_new(ret, NULL, arena);
	if (!root)
		return false;
	ret->root = root;
	root->headers = *headers;
	walk_message(&w, root, body);
	/* Jobs may add jobs; the depth of parts bounds them. */
	for (size_t i = 0; i < w.jobs.n; i++) {
		struct job job = w.jobs.v[i];
		if (job.boundary.p)
			whole_as_part(&w, job.part, job.boundary);
		else
			walk_inner(&w, job.part);
	}
	mime_number_parts(ret);
	return !arena_failed(arena);
}
