#include "filter/mail/mime_internal.h"

/*
 * The nodes of a MIME tree: made, linked and numbered, and what their headers
 * say about type, encoding and name (rule language, section 3.3). Where
 * programs may read the fields otherwise a flag is set.
 */

#define ENCODING_MAX 64 /* bytes of an encoding's name that are looked at */

bool
mime_is_multipart(const struct mime_part *part)
{
	return span_starts(part->ctype.type, SPAN("multipart/"));
}

bool
mime_is_message(const struct mime_part *part)
{
	return span_is(part->ctype.type, "message/rfc822") ||
	       span_is(part->ctype.type, "message/global");
}

static void
link_child(struct mime_part *parent, struct mime_part *part)
{
	struct mime_part **link = &parent->child;

	part->parent = parent;
	part->depth = parent->depth + 1;
	part->cuts = parent->cuts + mime_is_multipart(parent);
	parent->leaf = false;
	if (parent->last_child)
		link = &parent->last_child->next;
	*link = part;
	parent->last_child = part;
}

struct mime_part *
mime_part_new(
    struct mime_tree *tree, struct mime_part *parent, struct arena *arena)
{
	struct mime_part *part;

	if (tree->parts.n >= MIME_PARTS_MAX) {
		tree->flags |= MIME_PARTS_LIMIT;
		return NULL;
	}
	part = arena_zalloc(arena, sizeof *part);
	struct mime_part **to = part ? VEC_PUSH(arena, &tree->parts) : NULL;
	if (!to)
		return NULL;
	*to = part;
	part->leaf = true;
	header_init(&part->headers, arena);
	if (parent)
		link_child(parent, part);
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

static bool
is_html_name(struct span name)
{
	static const char *const endings[] = {
	    ".htm", ".html", ".shtm", ".shtml"};

	for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
		if (span_caseends(name, span_of(endings[i])))
			return true;
	return false;
}

/* Content-Type and the rest out of the part's headers. */
void
mime_part_read_type(
    struct mime_tree *tree, struct mime_part *part, struct arena *arena)
{
	const struct header_list *headers = &part->headers;
	const struct header *type = header_last(headers, SPAN("Content-Type"));
	const struct header *disposition =
	    header_last(headers, SPAN("Content-Disposition"));
	struct mime_part *parent = part->parent;

	ctype_parse(&part->ctype, type ? type->raw : SPAN_NONE, arena);
	if (part->ctype.missing && parent &&
	    span_is(parent->ctype.type, "multipart/digest"))
		part->ctype.type = SPAN("message/rfc822");
	if (header_count(headers, SPAN("Content-Type")) > 1 ||
	    header_count(headers, SPAN("Content-Transfer-Encoding")) > 1)
		tree->flags |= MIME_MULTIPLE_CTYPE;
	struct span raw = disposition ? disposition->raw : SPAN_NONE;
	if (disposition) {
		struct span name =
		    ctype_disposition_name(raw, &part->attachment, arena);
		if (name.len)
			part->ctype.name = name;
	}
	part->html_name = is_html_name(ctype_sa_name(raw, &part->ctype, arena));
	if (span_is(part->ctype.type, "message/partial"))
		tree->flags |= MIME_PARTIAL;
	if (span_is(part->ctype.type, "message/external-body"))
		tree->flags |= MIME_EXTERNAL;
	set_encoding(tree, part);
}

/* Children in the order of the message, whatever order they were met in. */
void
mime_number_parts(struct mime_tree *tree)
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

/* Line ends and NUL bytes; each search ends at its first find. */
void
mime_note_bytes(struct mime_tree *tree, struct span body)
{
	if (span_find_char(body, '\0') != SPAN_NPOS)
		tree->flags |= MIME_NUL;
	for (size_t at = 0; at < body.len; at++) {
		size_t cr = span_find_char(span_skip(body, at), '\r');
		if (cr == SPAN_NPOS)
			break;
		at += cr;
		if (at + 1 == body.len || body.p[at + 1] != '\n') {
			tree->flags |= MIME_BARE_CR;
			break;
		}
	}
	for (size_t at = 0; at < body.len; at++) {
		size_t lf = span_find_char(span_skip(body, at), '\n');
		if (lf == SPAN_NPOS)
			break;
		at += lf;
		if (at == 0 || body.p[at - 1] != '\r') {
			tree->flags |= MIME_BARE_LF;
			break;
		}
	}
}
