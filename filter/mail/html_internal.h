#ifndef FILTER_MAIL_HTML_INTERNAL_H
#define FILTER_MAIL_HTML_INTERNAL_H

#include "filter/base/buf.h"
#include "filter/mail/html.h"

/* The parts of the HTML reader that know nothing of each other. */

/* --- entities (html_entity.c) -- */

/*
 * The code point of the reference at text[0] == '&', and how many bytes it
 * takes; 0 when it is none (the '&' then stands for itself).
 */
size_t html_entity(struct span text, uint32_t *ret_code);
/* Appends `text` with all references decoded. */
void html_decode(struct buf *out, struct span text);

/* --- attributes (html_tag.c) -- */

struct html_attr {
	struct span name, value; /* as written; value p NULL: none */
};
#define HTML_ATTRS_MAX 64 /* more are passed over */

/* What is known of the text behind the point reached, so that a search that
 * failed once is not tried again. */
struct html_ahead {
	bool no_gt, no_single, no_double;
};

struct html_tag {
	struct span name; /* as written */
	bool end;         /* </name> */
	struct html_attr attrs[HTML_ATTRS_MAX];
	size_t n_attrs;
	size_t len; /* bytes from '<' to '>' */
};

/* Reads the tag at text[0] == '<'; false when it is none or never closed. */
bool html_tag_read(
    struct span text, struct html_ahead *ahead, struct html_tag *ret);
/* The value of an attribute, entities as written; p NULL when it lacks. */
struct span html_tag_get(const struct html_tag *tag, const char *name);

/* --- styles (html_style.c) -- */

struct html_style {
	uint32_t fg, bg; /* 0xRRGGBB */
	bool hidden;     /* display:none, visibility:hidden, or tiny */
	bool bad_colour;
};

struct html_styles {
	struct {
		struct span tag;
		struct html_style style;
	} stack[HTML_STYLE_DEPTH];
	size_t n;
	size_t over; /* tags past the depth, to be popped first */
};

void html_styles_init(struct html_styles *styles);
/* A start or end tag; others than the styled ones change nothing. */
void html_styles_tag(struct html_styles *styles, const struct html_tag *tag);
bool html_styles_invisible(const struct html_styles *styles);

/* --- links (html_link.c) -- */

/* Resolves `url` against `base` (RFC 3986 section 5), in the arena. */
struct span html_resolve(
    struct span base, struct span url, struct arena *arena);

#endif
