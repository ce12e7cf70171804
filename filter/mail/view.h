#ifndef FILTER_MAIL_VIEW_H
#define FILTER_MAIL_VIEW_H

#include "filter/mail/message.h"

/*
 * The texts that rules match, to the byte as SpamAssassin makes them (rule
 * language, sections 3 to 5 and 11). Memoised in the message.
 */
struct view_list VEC(struct span);

const struct view_list *view_body(struct message *m);    /* 5.1, UTF-8 pieces */
const struct view_list *view_rawbody(struct message *m); /* 5.2 */
const struct view_list *view_uri(struct message *m);     /* 5.4 */
struct span view_full(struct message *m);                /* 5.3, LF lines */

enum view_header_flag {
	VIEW_RAW = 1,
	VIEW_ADDR = 2,
	VIEW_NAME = 4,
	VIEW_FIRST = 8,
	VIEW_LAST = 16,
};

/*
 * The value a header rule sees (section 4): a field's name or ALL, ToCc,
 * MESSAGEID, EnvelopeFrom. False when there is none (Perl's undef); the value
 * is then empty. X-Spam-* of the message are never seen, but in ALL:raw.
 */
bool view_header(struct message *m, struct span name, unsigned flags,
    struct span *ret_value);

#endif
