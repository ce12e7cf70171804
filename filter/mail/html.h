#ifndef FILTER_MAIL_HTML_H
#define FILTER_MAIL_HTML_H

#include "filter/base/arena.h"
#include "filter/base/span.h"
#include "filter/base/vec.h"

/* HTML to text and links in one pass, without a tree (rule language, 3.7). */
struct html_link {
	struct span url;    /* as written, entities decoded, trimmed, <= 8192 */
	struct span target; /* resolved against <base>; `url` past a limit */
	struct span tag;    /* "a", "img", ... lower case */
	struct span text;   /* anchor text, <= 4096 bytes */
	bool anchor;        /* the href of <a>: has text */
	bool hidden;        /* inside text that a reader does not see */
	bool odd;    /* SpamAssassin does not see it: broken tag, SVG, ... */
	bool narrow; /* no character above U+00FF, and the markup was ASCII:
			Perl has single bytes for what is UTF-8 here */
};

struct html {
	struct span
	    text; /* SpamAssassin's rendering, UTF-8, hidden text included */
	struct span visible; /* what a reader sees */
	struct html_links VEC(struct html_link) links;
	struct span title;
	unsigned tags; /* number of start and end tags */
	size_t invisible_bytes;
	bool narrow;      /* as for a link: of `text` */
	bool truncated;   /* a limit was met */
	bool bare_anchor; /* an <a> without link */
	bool has_script, has_form, has_iframe;
};

#define HTML_LINKS_MAX 10000
#define HTML_STYLE_DEPTH 100
#define HTML_URL_MAX 8192
#define HTML_TARGETS_MAX ((size_t)8 << 20) /* bytes of all resolved links */

/* `utf8` is the part's text. Linear. Memory: arena, at most about six times
 * the text. NULL only when the arena failed. */
struct html *html_parse(struct span utf8, struct arena *arena);

#endif
