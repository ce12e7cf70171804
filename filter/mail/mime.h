#ifndef FILTER_MAIL_MIME_H
#define FILTER_MAIL_MIME_H

#include "filter/base/arena.h"
#include "filter/base/span.h"
#include "filter/base/vec.h"
#include "filter/mail/ctype.h"
#include "filter/mail/header.h"

enum mime_encoding {
	MIME_IDENTITY, /* 7bit, 8bit, binary, none, unknown */
	MIME_BASE64,
	MIME_QP,
};

/* Oddities met on the walk; each is a fact, scorers judge. */
enum mime_flag {
	MIME_DEPTH_LIMIT = 1 << 0,
	MIME_PARTS_LIMIT = 1 << 1, /* or one of fields, of inner messages */
	MIME_NO_BOUNDARY = 1 << 2, /* multipart without the parameter */
	MIME_BOUNDARY_NOT_FOUND = 1 << 3,
	MIME_BOUNDARY_ODD = 1 << 4,   /* empty, too long, equal to parent's,
					    prefix of another, trailing blanks */
	MIME_NO_END = 1 << 5,         /* closing boundary missing */
	MIME_EPILOGUE = 1 << 6,       /* text after the closing boundary */
	MIME_MULTIPLE_CTYPE = 1 << 7, /* two Content-Type (or -Encoding) */
	MIME_BAD_ENCODING = 1 << 8,   /* unknown or commented encoding */
	MIME_BASE64_FOREIGN = 1 << 9,
	MIME_QP_BAD = 1 << 10,
	MIME_PARTIAL = 1 << 11,     /* message/partial */
	MIME_EXTERNAL = 1 << 12,    /* message/external-body */
	MIME_PART_HEADER = 1 << 13, /* missing separator in a part */
	MIME_UUENCODE = 1 << 14,    /* a file inside text: uuencode, yEnc or
				       BinHex begins there */
	MIME_BARE_CR = 1 << 15,
	MIME_BARE_LF = 1 << 16,
	MIME_NUL = 1 << 17,
};

struct mime_part {
	struct mime_part *parent; /* NULL for the root */
	struct mime_part *child, *next, *last_child;
	struct header_list
	    headers; /* of the part; the root's are the message's */
	struct ctype ctype;
	enum mime_encoding encoding;
	struct span body; /* still encoded; LF or CRLF line ends as they came;
			     of a multipart: what stands before its parts */
	unsigned depth;   /* 0 for the root */
	unsigned index;   /* depth-first, 0 for the root */
	bool leaf;        /* neither a multipart nor with children */
	bool attachment;  /* Content-Disposition: attachment */
	bool html_name;   /* SpamAssassin takes it for HTML by its file name */
	/* for mime_decode() */
	unsigned cuts;       /* multiparts around: each cuts long lines */
	unsigned chopped;    /* bytes of the line end that the boundary took */
	bool after_blank;    /* an empty line stands right before the body */
	bool blank_first;    /* SpamAssassin puts an empty line before it */
	bool begins_message; /* the body is a message's from its first line */
	/* memoised by message.c */
	bool decoded_done, text_done, html_done;
	struct span decoded;
	struct span text;
	struct html *html;
};

struct mime_tree {
	struct mime_part *root;
	struct mime_parts VEC(struct mime_part *) parts; /* depth-first */
	unsigned flags;                                  /* enum mime_flag */
};

#define MIME_DEPTH_MAX 20
#define MIME_PARTS_MAX 1000
#define MIME_FIELDS_MAX 20000 /* header fields of all parts; more are dropped */
#define MIME_INNER_MAX ((size_t)8 << 20) /* bytes of decoded inner messages */

/*
 * Walks a message: its headers and its body (CRLF or LF lines). No recursion
 * on the stack, linear in the body times a small constant, whatever the
 * boundaries. message/rfc822 is walked into, decoded first where encoded.
 * Memory: arena; bodies are views. False when the arena failed.
 */
bool mime_walk(struct mime_tree *ret, const struct header_list *headers,
    struct span body, struct arena *arena);

/*
 * Transfer-decodes a part's body and notes flags in the tree; at most `limit`
 * bytes come out. In text and message parts CRLF becomes LF, runs of more than
 * 20 blank lines are shortened, and, inside multiparts, long lines cut, as
 * SpamAssassin does; other parts come as they are. Memory: arena, or a view.
 */
struct span mime_decode(struct mime_tree *tree, const struct mime_part *part,
    size_t limit, struct arena *arena);

#endif
