#ifndef FILTER_MAIL_MESSAGE_H
#define FILTER_MAIL_MESSAGE_H

#include "filter/mail/addr.h"
#include "filter/mail/header.h"
#include "filter/mail/html.h"
#include "filter/mail/mime.h"
#include "filter/mail/url.h"

/*
 * One message: bytes as they came, and questions answered when first asked and
 * kept. Owned by one session; everything lives in its arena but the body's
 * bytes, which a cleanup of the arena frees.
 *
 * Feeding: message_header()* message_headers_done() message_body()*
 * message_done(), or message_read() for a whole file. Questions about headers
 * may come after message_headers_done(), about the body after message_done().
 */
struct message;

struct message_options {
	size_t size_hint; /* MAIL's SIZE, 0 unknown: the buffer's first size */
	size_t size_max;  /* body bytes kept; past it only counted */
	size_t
	    memory_max;  /* bytes in memory; past it an unlinked mapped file */
	size_t text_max; /* bytes of text views (4 MiB) */
	const char *spool;       /* folder for that file; NULL: memory only */
	_Atomic int64_t *memory; /* body bytes of all sessions, or NULL */
	int64_t memory_limit;    /* above it a message keeps `memory_short` */
	size_t memory_short;     /* 256 KB */
};

/* Sensible values for everything but size_hint, spool and memory. */
struct message_options message_options_default(void);

/* Names of fields that are counted past the limits too, since they must be
 * removed by number, all of them (header_watch()); NULL-ended. */
extern const char *const message_watched[];

/* NULL when the arena failed. Memory: arena. */
struct message *message_new(
    struct arena *arena, const struct message_options *options);
struct arena *message_arena(const struct message *m);

void message_header(struct message *m, struct span name, struct span raw);
void message_headers_done(struct message *m);
/* CRLF lines as the MTA gives them, cut anywhere. ERR_IO or ERR_NOMEM when the
 * bytes could not be kept: the message goes on with what it has. */
int message_body(struct message *m, struct span chunk) MUST_USE;
void message_done(struct message *m);

/* A whole message from a file, LF or CRLF, mbox From_ line skipped: fills
 * headers and body (line ends made CRLF) and ends it. */
int message_read(struct message *m, struct span text) MUST_USE;

enum message_lack {
	MESSAGE_LACK_SIZE = 1,   /* past size_max */
	MESSAGE_LACK_MEMORY = 2, /* all sessions together use too much */
	MESSAGE_LACK_DISK = 4,   /* the spool file could not be written */
	MESSAGE_LACK_TEXT = 8,   /* text views were cut */
};
/* What could not be kept so far: a set of enum message_lack. */
unsigned message_lacks(const struct message *m);

const struct header_list *message_headers(const struct message *m);
/* The body kept, CRLF bytes as they came. */
struct span message_body_bytes(const struct message *m);
/* Header and body bytes in all, also of what was not kept; CRLF counted. */
size_t message_size(const struct message *m);
/* Bytes of the body that came, kept or not. */
size_t message_body_size(const struct message *m);

/* Decoded, unfolded UTF-8 of a field, memoised by field. */
struct span message_header_text(struct message *m, const struct header *h);
/* Addresses of all From fields, in order. */
const struct addr_list *message_from(struct message *m);

const struct mime_tree *message_tree(struct message *m);
struct span message_part_decoded(struct message *m, struct mime_part *part);
struct span message_part_text(struct message *m, struct mime_part *part);
/* NULL for parts that are not HTML. */
const struct html *message_part_html(struct message *m, struct mime_part *part);
const struct url_list *message_urls(struct message *m);

/* The MAIL FROM address without brackets, for EnvelopeFrom; p NULL: unknown. */
void message_set_envelope_from(struct message *m, struct span from);
struct span message_envelope_from(const struct message *m);

#endif
