#ifndef FILTER_MAIL_HTML_READER_H
#define FILTER_MAIL_HTML_READER_H

#include "filter/mail/html_internal.h"

/* The state of one pass over HTML, for html.c, html_text.c and html_uri.c. */

enum html_chunk {
	HTML_CHUNK_NONE, /* nothing yet */
	HTML_CHUNK_TEXT,
	HTML_CHUNK_HIDDEN,
	HTML_CHUNK_SPACE, /* white space made by a tag */
};

struct html_out {
	struct buf buf;
	size_t start;         /* of the last chunk */
	enum html_chunk last; /* kind of the last chunk */
};

struct html_reader {
	struct html *html;
	struct arena *arena;
	struct html_out text, visible;
	struct buf title, anchor;
	struct html_styles styles;
	struct html_tag tag; /* the tag being read */
	struct span base;
	size_t targets; /* bytes of resolved links */
	bool ascii;     /* the markup is all ASCII */
	bool wide;      /* a character above U+00FF came from a
				reference into the text */
	bool in_title;
	bool no_title_end, no_comment_end; /* searched in vain */
	unsigned anchor_depth;             /* <a> minus </a> */
	size_t anchor_link; /* index + 1 of the link that text goes to, or 0 */
};

/* --- text (html_text.c) -- */

void html_start(struct html_reader *r, struct html *html, struct span utf8,
    struct arena *arena);
void html_finish(struct html_reader *r);
/* A run of text between tags; `references` are decoded. */
void html_add_text(struct html_reader *r, struct span text, bool references);
/* White space that a tag makes; NULL: none. */
void html_add_space(struct html_reader *r, const char *space);

/* --- links (html_uri.c) -- */

/* All links of a start tag. */
void html_add_links(struct html_reader *r, const struct html_tag *tag);
/* Ends what an end tag ends: an anchor's text. */
void html_end_tag(struct html_reader *r, const struct html_tag *tag);
void html_end_links(struct html_reader *r);
/* Text that may belong to a link. */
void html_anchor_text(struct html_reader *r, struct span text);

#endif
