#ifndef FILTER_MAIL_MESSAGE_INTERNAL_H
#define FILTER_MAIL_MESSAGE_INTERNAL_H

#include "filter/base/map.h"
#include "filter/mail/message.h"
#include "filter/mail/view.h"

/* The inside of a message, for message.c and the views. */
struct message {
	struct arena *arena;
	struct message_options options;
	struct header_list headers;
	struct span envelope_from; /* p NULL: unknown */
	/* the body: in `heap`, or in the file `fd`, mapped when complete */
	char *heap;
	size_t heap_size, kept, charged;
	int fd;
	void *mapped;
	size_t mapped_size;
	struct span body;
	size_t size, body_size;
	unsigned lacks;               /* enum message_lack */
	size_t text_left, other_left; /* bytes that may still be decoded */
	/* memoised answers */
	bool tree_done, from_done, urls_done, found_done;
	bool body_done, rawbody_done, uri_done, full_done;
	struct mime_tree tree;
	struct addr_list from;
	struct url_list urls;
	struct url_finder found; /* links in the text of the body */
	struct view_list view_body, view_rawbody, view_uri;
	struct span view_full;
	struct map uris_seen;     /* links of HTML, each looked at once */
	size_t uris_start;        /* of the arena's use */
	struct map header_values; /* view_header's, by flags and name */
	struct map header_texts;  /* message_header_text's, by field */
};

/* --- for the views (view.c) -- */

void view_push(struct message *m, struct view_list *list, struct span piece);
/*
 * Where to end a text that is longer than `at`: behind the first byte of
 * `set`, in its order, that stands within the next 1024 bytes, else there.
 */
size_t view_cut(struct span text, size_t at, const char *set);

/* The links in the text of view_body(). */
const struct url_list *view_found(struct message *m);

#endif
