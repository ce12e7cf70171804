#ifndef FILTER_MAIL_HTML_H
#define FILTER_MAIL_HTML_H

#include "filter/base/arena.h"
#include "filter/base/span.h"
#include "filter/base/vec.h"

/* HTML to text and links in one pass, without a tree (rule language, 3.7). */
struct html_link {
	struct span url;    /* as written, entities decoded, trimmed, <= 8192 */
	struct span target; /* resolved against <base> */
	struct span tag;    /* "a", "img", ... */
	struct span text;   /* anchor text */
	bool hidden;        /* inside invisible text */
};

struct html {
	struct span
	    text; /* SpamAssassin's rendering, invisible text included */
	struct span visible; /* what a reader sees */
	struct html_links VEC(struct html_link) links;
	struct span title;
	unsigned tags; /* number of tags */
	size_t invisible_bytes;
	bool truncated; /* a limit was met */
	bool has_script, has_form, has_iframe;
};

#define HTML_LINKS_MAX 10000
#define HTML_STYLE_DEPTH 100
#define HTML_URL_MAX 8192

/* `utf8` is the part's text. Linear. Memory: arena. Never NULL unless the
 * arena failed. */
struct html *html_parse(struct span utf8, struct arena *arena);

#endif
