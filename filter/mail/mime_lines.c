#include "filter/mail/mime_lines.h"

/*
 * The lines of a text before they are decoded (rule language, sections 3.1,
 * 3.3 and 11.3). One pass; lines are copied whole. A run of blank lines is
 * held back until it ends, then all of it or its first and last lines go out.
 */

#define BLANKS_HEAD 1  /* lines kept of a longer run, at its front */
#define BLANKS_TAIL 19 /* and at its end */
#define LINE_MAX_BYTES 2048

struct lines {
	struct buf *out;
	unsigned cuts;
	/* the run of blank lines held back, as offsets of the body */
	size_t run;               /* lines in it, also one not in the body */
	size_t skipped;           /* of them not in the body: 0 or 1 */
	size_t head;              /* lines kept at the front */
	size_t first;             /* where it begins */
	size_t head_end;          /* behind the lines kept at the front */
	size_t tail[BLANKS_TAIL]; /* where the last ones begin, a ring */
};

/* The line at `at` with its line end. */
static struct span
line_at(struct span text, size_t at)
{
	const char *p = text.p + at;
	const char *lf = memchr(p, '\n', text.len - at);

	return span_make(p, lf ? (size_t)(lf - p) + 1 : text.len - at);
}

static bool
is_blank(struct span line)
{
	for (size_t i = 0; i < line.len; i++)
		if (!ascii_is_space(line.p[i]))
			return false;
	return true;
}

/* A line longer than the limit: pieces, each with newlines added, one for
 * every multipart that was taken apart around it. */
static struct span
add_pieces(struct lines *l, struct span line, bool crlf)
{
	size_t end = crlf ? 1 : 0; /* the CR does not count */

	while (line.len - end > LINE_MAX_BYTES) {
		buf_add(l->out, line.p, LINE_MAX_BYTES);
		for (unsigned i = 0; i < l->cuts; i++)
			buf_add_char(l->out, '\n');
		line = span_skip(line, LINE_MAX_BYTES);
	}
	return line;
}

static void
add_line(struct lines *l, struct span line)
{
	size_t n = line.len;
	bool crlf = n > 1 && line.p[n - 1] == '\n' && line.p[n - 2] == '\r';

	if (l->cuts && n > LINE_MAX_BYTES) {
		line = add_pieces(l, line, crlf);
		n = line.len;
	}
	if (!crlf) {
		buf_add_span(l->out, line);
		return;
	}
	buf_add(l->out, line.p, n - 2);
	buf_add_char(l->out, '\n');
}

static void
add_all(struct lines *l, struct span text)
{
	for (size_t at = 0; at < text.len;) {
		struct span line = line_at(text, at);
		add_line(l, line);
		at += line.len;
	}
}

static void
hold_blank(struct lines *l, size_t at, size_t end)
{
	if (l->run == l->skipped)
		l->first = l->head_end = at;
	l->tail[l->run % BLANKS_TAIL] = at;
	l->run++;
	if (l->run <= l->head)
		l->head_end = end;
}

/* Puts out the run that ended at `at`. */
static void
end_run(struct lines *l, struct span body, size_t at)
{
	size_t last = l->first;

	if (l->run > l->skipped) {
		if (l->run > l->head + BLANKS_TAIL) {
			last = l->tail[l->run % BLANKS_TAIL];
			add_all(l, span_make(body.p + l->first,
				       l->head_end - l->first));
		}
		add_all(l, span_make(body.p + last, at - last));
	}
	l->run = l->skipped = 0;
	l->head = BLANKS_HEAD;
}

void
mime_add_lines(struct buf *out, const struct mime_part *part, struct span body)
{
	struct lines l = {.out = out, .cuts = part->cuts};
	size_t before = out->len;

	/* The empty line behind the header belongs to the run; a run at the
	 * start of a message keeps two. */
	l.run = l.skipped = part->after_blank;
	l.head = BLANKS_HEAD + part->begins_message;
	bool whole = body.len == part->body.len;
	if (whole)
		body.len += part->chopped;
	if (!buf_reserve(out, body.len + 1))
		return;
	if (part->blank_first)
		buf_add_char(out, '\n');
	for (size_t at = 0; at < body.len;) {
		struct span line = line_at(body, at);
		if (ascii_is_space(line.p[0]) && is_blank(line)) {
			hold_blank(&l, at, at + line.len);
		} else {
			if (l.run)
				end_run(&l, body, at);
			l.head = BLANKS_HEAD;
			add_line(&l, line);
		}
		at += line.len;
	}
	end_run(&l, body, body.len);
	/* The line end before a boundary is the boundary's. */
	if (whole && part->chopped && out->len > before &&
	    out->p[out->len - 1] == '\n')
		buf_truncate(out, out->len - 1);
}
