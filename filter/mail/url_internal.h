#ifndef FILTER_MAIL_URL_INTERNAL_H
#define FILTER_MAIL_URL_INTERNAL_H

#include "filter/mail/url.h"

/* Changes to the text of a link (url_text.c), in the order they are made. */

/* CR and LF out, blanks around it off. */
struct span url_without_newlines(struct span url, struct arena *arena);
/* Backslashes turned. */
struct span url_slashes(struct span url, struct arena *arena);
/* "http:x" and "http:/x" to "http://x". */
struct span url_two_slashes(struct span url, struct arena *arena);
struct span url_add_scheme(struct span url, struct arena *arena);
/* '?' or '#' right behind the host gets a '/'. */
struct span url_slash_after_host(struct span url, struct arena *arena);
/* "&#NN;" of printable ASCII and of dots decoded. */
struct span url_references(struct span url, struct arena *arena);

/* Length of "http:" or "https:" ("http://" or "https://"), 0 for others. */
size_t url_http_len(struct span url);
size_t url_http_slashes_len(struct span url);

#endif
