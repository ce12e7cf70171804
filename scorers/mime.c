#include "scorers/scorer.h"

/* Malformed or odd MIME structure: each flag of the walk is a symbol. */

static int64_t
has_flag(struct scan *scan, unsigned flags)
{
	return (message_tree(scan->message)->flags & flags) != 0;
}

#define FLAG(name, flags)                                                      \
	static int64_t name(                                                   \
	    const void *state, struct scan *scan, const struct args *args)     \
	{                                                                      \
		(void)state;                                                   \
		(void)args;                                                    \
		return has_flag(scan, flags);                                  \
	}

FLAG(too_deep, MIME_DEPTH_LIMIT)
FLAG(too_many, MIME_PARTS_LIMIT)
FLAG(no_boundary, MIME_NO_BOUNDARY | MIME_BOUNDARY_NOT_FOUND)
FLAG(odd_boundary, MIME_BOUNDARY_ODD)
FLAG(no_end, MIME_NO_END)
FLAG(two_types, MIME_MULTIPLE_CTYPE)
FLAG(bad_encoding, MIME_BAD_ENCODING)
FLAG(base64_foreign, MIME_BASE64_FOREIGN)
FLAG(qp_bad, MIME_QP_BAD)
FLAG(partial, MIME_PARTIAL)
FLAG(external, MIME_EXTERNAL)
FLAG(uuencode, MIME_UUENCODE)
FLAG(bare_cr, MIME_BARE_CR)
FLAG(nul, MIME_NUL)

static int64_t
html_only(const void *state, struct scan *scan, const struct args *args)
{
	const struct mime_tree *tree = message_tree(scan->message);
	bool html = false;

	(void)state;
	(void)args;
	for (size_t i = 0; i < tree->parts.n; i++) {
		const struct mime_part *part = tree->parts.v[i];
		if (part->leaf && span_is(part->ctype.type, "text/plain"))
			return 0;
		if (part->leaf && span_is(part->ctype.type, "text/html"))
			html = true;
	}
	return html;
}

/* A file name that ends like a program behind another ending. */
static int64_t
double_extension(const void *state, struct scan *scan, const struct args *args)
{
	static const char *const programs[] = {".exe", ".scr", ".pif", ".com",
	    ".bat", ".cmd", ".vbs", ".js", ".jse", ".wsf", ".hta", ".lnk"};
	const struct mime_tree *tree = message_tree(scan->message);

	(void)state;
	(void)args;
	for (size_t i = 0; i < tree->parts.n; i++) {
		struct span name = span_trim(tree->parts.v[i]->ctype.name);
		for (size_t k = 0; k < sizeof programs / sizeof *programs;
		     k++) {
			struct span end = span_of(programs[k]);
			if (!span_caseends(name, end))
				continue;
			struct span stem = span_head(name, name.len - end.len);
			size_t dot = span_rfind_char(stem, '.');
			if (dot == SPAN_NPOS || stem.len - dot > 5)
				continue;
			scan_evidence_span(scan, name);
			return 1;
		}
	}
	return 0;
}

static const struct symbol_def symbols[] = {
    {"MIME_TOO_DEEP", "Parts are nested deeper than is read", 2500, too_deep,
	RULE_LOCAL},
    {"MIME_TOO_MANY", "More parts than are read", 2500, too_many, RULE_LOCAL},
    {"MIME_NO_BOUNDARY", "A multipart without a usable boundary", 1000,
	no_boundary, RULE_LOCAL},
    {"MIME_BOUNDARY_ODD", "Boundaries that programs read differently", 500,
	odd_boundary, RULE_LOCAL},
    {"MIME_NO_END", "A multipart that does not end", 100, no_end, RULE_LOCAL},
    {"MIME_TYPE_TWICE", "Two Content-Type or -Encoding fields in a part", 2000,
	two_types, RULE_LOCAL},
    {"MIME_BAD_ENCODING", "An unknown transfer encoding", 1000, bad_encoding,
	RULE_LOCAL},
    {"MIME_BASE64_FOREIGN", "Base64 with characters that are none", 500,
	base64_foreign, RULE_LOCAL},
    {"MIME_QP_BAD", "Quoted-printable that is not well formed", 100, qp_bad,
	RULE_LOCAL},
    {"MIME_PARTIAL", "A message in pieces (message/partial)", 2000, partial,
	RULE_LOCAL},
    {"MIME_EXTERNAL", "A body elsewhere (message/external-body)", 1000,
	external, RULE_LOCAL},
    {"MIME_UUENCODE", "A file in uuencode inside text", 300, uuencode,
	RULE_LOCAL},
    {"MIME_BARE_CR", "The body has a CR without LF", 200, bare_cr, RULE_LOCAL},
    {"MIME_NUL", "The body has NUL bytes", 500, nul, RULE_LOCAL},
    {"MIME_HTML_ONLY", "HTML without a text part", 100, html_only, RULE_LOCAL},
    {"MIME_DOUBLE_EXT", "A program's file name behind another ending", 3000,
	double_extension, RULE_LOCAL},
    {0},
};

const struct scorer scorer_mime = {
    .name = "mime",
    .help = "odd MIME structure",
    .symbols = symbols,
};
