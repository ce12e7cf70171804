#ifndef FILTER_MAIL_HTML_INTERNAL_H
#define FILTER_MAIL_HTML_INTERNAL_H

#include "filter/base/buf.h"
#include "filter/mail/html.h"

/* The parts of the HTML reader that know nothing of each other. */

/* --- tables -- */

/* The order of a name and a C string in lower case; the name's case does not
 * count. Inline: tables are searched for every tag and attribute. */
static inline int
html_compare(struct span name, const char *lower)
{
	for (size_t i = 0; i < name.len; i++) {
		char c = ascii_lower(name.p[i]);
		if (c != lower[i])
			return (unsigned char)c < (unsigned char)lower[i] ? -1
									  : 1;
		if (c == '\0')
			return 1; /* a NUL byte of the name: it is longer */
	}
	return lower[name.len] ? -1 : 0;
}

/* --- entities (html_entity.c) -- */

/*
 * The code point of the reference at text[0] == '&', and how many bytes it
 * takes; 0 when it is none (the '&' then stands for itself). C1 controls come
 * as they are: html_windows() says what browsers show for them.
 */
size_t html_entity(struct span text, uint32_t *ret_code);

/* What was met among decoded references. */
struct html_decoded {
	bool wide; /* a character above U+00FF */
	bool c1;   /* a number of a C1 control */
};

/* Appends `text` with all references decoded. */
void html_decode(
    struct buf *out, struct span text, struct html_decoded *ret_met);
/* What browsers show for a code point (WHATWG: 80-9F are Windows-1252). */
uint32_t html_windows(uint32_t code);

/* --- tags (html_tag.c) -- */

/* Which links a tag may carry. */
enum html_uri {
	HTML_URI_NONE,
	HTML_URI_BACKGROUND,
	HTML_URI_HREF,
	HTML_URI_SRC,
	HTML_URI_ACTION,
	HTML_URI_BASE,
	HTML_URI_META,
};

/* How the text behind a start tag is read. */
enum html_content {
	HTML_CONTENT_MARKUP,
	HTML_CONTENT_NONE,  /* raw up to the end tag, gives no text */
	HTML_CONTENT_RAW,   /* text up to the end tag, no references */
	HTML_CONTENT_TEXT,  /* text up to the end tag, with references */
	HTML_CONTENT_TITLE, /* the same, but markup where the end lacks */
	HTML_CONTENT_REST,  /* raw text up to the end of all */
};

/* What is known of a tag by its name. */
struct html_info {
	const char *name;
	const char *space; /* white space that it makes, or NULL */
	enum html_uri uri;
	enum html_content content;
	bool styled;
};

/* The attributes that anybody asks for; others are passed over. */
enum html_attr {
	HTML_ACTION,
	HTML_BACKGROUND,
	HTML_BGCOLOR,
	HTML_CITE,
	HTML_COLOR,
	HTML_CONTENT,
	HTML_DATA,
	HTML_SAFE_REDIRECT,
	HTML_FORMACTION,
	HTML_HREF,
	HTML_HTTP_EQUIV,
	HTML_POSTER,
	HTML_SIZE,
	HTML_SRC,
	HTML_STYLE,
	HTML_TEXT,
	HTML_XLINK_HREF,
	HTML_ODD_HREF, /* "xxx/href": programs differ */
	HTML_ODD_SRC,
	HTML_ATTR_COUNT
};

struct html_tag {
	struct span name; /* as written, up to white space, '>' or '/' */
	const struct html_info *info;       /* of that name; NULL: not known */
	struct span attrs[HTML_ATTR_COUNT]; /* as written; p NULL: not there */
	bool end;                           /* </name> */
	bool odd; /* a '/' in the name: "<a/href=x>" is no <a> for parsers that
		     read by HTML 4; browsers take it for one */
	size_t len; /* bytes from '<' to '>' */
};

/* Reads the tag at text[0] == '<' and a letter, or "</" and an alphanumeric;
 * false when it is never closed. */
bool html_tag_read(struct span text, struct html_tag *ret);

/* --- styles (html_style.c, html_colour.c) -- */

enum html_colour_kind {
	HTML_COLOUR_RGB,
	HTML_COLOUR_INVALID,
	HTML_COLOUR_EMPTY, /* "#" without digits */
	HTML_COLOUR_TRANSPARENT,
};

struct html_colour {
	enum html_colour_kind kind;
	uint32_t rgb; /* 0xRRGGBB */
};

/* The colour of an attribute or a CSS value, as SpamAssassin reads it. */
struct html_colour html_colour(struct span text);
/* Of the value of CSS "color": also rgb() with anything inside. False when
 * the value leaves the colour as it is ("inherit"). */
bool html_colour_css(struct span text, struct html_colour *ret);
/* Of the value of CSS "background": the first colour of its last layer. */
bool html_colour_layers(struct span text, struct html_colour *ret);
/* Hard to tell apart: equal, or distance below 12. */
bool html_colour_near(struct html_colour a, struct html_colour b);

struct html_style {
	struct html_colour fg, bg;
	struct html_colour shown_bg; /* with what attributes say, too */
	int size;                    /* of <font>, 1 to 7 */
	bool none, invisible;        /* display:none, visibility:hidden */
	bool hidden;                 /* other ways to hide, sticky */
};

struct html_styles {
	struct {
		const char *tag;
		struct html_style style;
	} stack[HTML_STYLE_DEPTH];
	size_t n;
	size_t over; /* tags past the depth, to be popped first */
	int basefont;
};

void html_styles_init(struct html_styles *styles);
/* A start or end tag; others than the styled ones change nothing. */
void html_styles_tag(struct html_styles *styles, const struct html_tag *tag);
/* SpamAssassin takes text for invisible here. */
bool html_styles_invisible(const struct html_styles *styles);
/* A reader does not see text here. */
bool html_styles_hidden(const struct html_styles *styles);

/* --- links (html_link.c) -- */

/* Resolves `url` against `base` (RFC 3986 section 5) as SpamAssassin does, in
 * the arena; an empty base only removes dot segments. */
struct span html_resolve(
    struct span base, struct span url, struct arena *arena);

#endif
