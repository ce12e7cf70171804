#include "filter/log/record.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/*
 * The table of fields, and the deep copy that the queue keeps: record, arrays
 * and texts stand behind each other in one block, so that handing a record to
 * the log thread costs one malloc and one pass. Limits are cut here, once, for
 * queue and database alike.
 */

#define INT(name, member)                                                      \
	{                                                                      \
		name, RECORD_INT, offsetof(struct record, member)              \
	}
#define MILLI(name, member)                                                    \
	{                                                                      \
		name, RECORD_MILLI, offsetof(struct record, member)            \
	}
#define TEXT(name, member)                                                     \
	{                                                                      \
		name, RECORD_TEXT, offsetof(struct record, member)             \
	}

const struct record_field record_fields[] = {
    INT("time", time),
    TEXT("node", node),
    TEXT("queue_id", queue_id),
    TEXT("mta", mta),
    TEXT("dir", dir),
    TEXT("mode", mode),
    TEXT("action", action),
    TEXT("would", would),
    TEXT("decided_by", by),
    TEXT("policy", policy),
    MILLI("score", score_milli),
    MILLI("tag_at", tag_milli),
    MILLI("quarantine_at", quarantine_milli),
    MILLI("reject_at", reject_milli),
    TEXT("client_ip", client_ip),
    TEXT("client_name", client_name),
    TEXT("helo", helo),
    TEXT("auth", auth),
    TEXT("tls", tls),
    TEXT("judged_ip", judged_ip),
    TEXT("judged_name", judged_name),
    TEXT("mail_from", mail_from),
    TEXT("header_from", header_from),
    TEXT("from_domain", from_domain),
    TEXT("message_id", message_id),
    INT("size", size),
    INT("nrcpt", nrcpt),
    TEXT("spf", spf),
    TEXT("spf_domain", spf_domain),
    TEXT("spf_detail", spf_detail),
    TEXT("dkim", dkim),
    TEXT("dmarc", dmarc),
    TEXT("dmarc_policy", dmarc_policy),
    TEXT("dmarc_aligned", dmarc_aligned),
    TEXT("dmarc_domain", dmarc_domain),
    TEXT("dmarc_reason", dmarc_reason),
    TEXT("dmarc_comment", dmarc_comment),
    TEXT("arc", arc),
    TEXT("degraded", degraded),
    INT("ms", ms),
    TEXT("reply", reply),
    {NULL, RECORD_INT, 0},
};

static const void *
field_at(const struct record *r, const struct record_field *f)
{
	return (const char *)r + f->offset;
}

int64_t
record_int(const struct record *r, const struct record_field *f)
{
	int64_t value;

	assert(f->type != RECORD_TEXT);
	memcpy(&value, field_at(r, f), sizeof value);
	return value;
}

struct span
record_text(const struct record *r, const struct record_field *f)
{
	struct span text;

	assert(f->type == RECORD_TEXT);
	memcpy(&text, field_at(r, f), sizeof text);
	return text;
}

void
record_set_int(struct record *r, const struct record_field *f, int64_t value)
{
	assert(f->type != RECORD_TEXT);
	memcpy((char *)r + f->offset, &value, sizeof value);
}

void
record_set_text(
    struct record *r, const struct record_field *f, struct span text)
{
	assert(f->type == RECORD_TEXT);
	memcpy((char *)r + f->offset, &text, sizeof text);
}

/* --- the copy ------------------------------------------------------------------- */

static size_t
kept(size_t n, size_t max)
{
	return n < max ? n : max;
}

static size_t
text_bytes(struct span text)
{
	return kept(text.len, RECORD_TEXT_MAX);
}

size_t
record_bytes(const struct record *r)
{
	size_t n_rcpts = kept(r->rcpts.n, RECORD_RCPTS_MAX);
	size_t n_symbols = kept(r->symbols.n, RECORD_SYMBOLS_MAX);
	size_t bytes = sizeof *r + n_rcpts * sizeof *r->rcpts.v +
		       n_symbols * sizeof *r->symbols.v;

	for (const struct record_field *f = record_fields; f->name; f++)
		if (f->type == RECORD_TEXT)
			bytes += text_bytes(record_text(r, f));
	for (size_t i = 0; i < n_rcpts; i++)
		bytes += text_bytes(r->rcpts.v[i].addr) +
			 text_bytes(r->rcpts.v[i].action);
	for (size_t i = 0; i < n_symbols; i++)
		bytes += text_bytes(r->symbols.v[i].name) +
			 text_bytes(r->symbols.v[i].evidence) +
			 text_bytes(r->symbols.v[i].origin);
	return bytes;
}

/* An empty text that is there stays there: its p must not become NULL. */
static void
move_text(char **to, struct span *text)
{
	size_t len = text_bytes(*text);

	if (!text->p)
		return;
	if (len)
		memcpy(*to, text->p, len);
	*text = span_make(*to, len);
	*to += len;
}

static void
move_texts(char *to, struct record *copy)
{
	for (const struct record_field *f = record_fields; f->name; f++)
		if (f->type == RECORD_TEXT) {
			struct span text = record_text(copy, f);
			move_text(&to, &text);
			record_set_text(copy, f, text);
		}
	for (size_t i = 0; i < copy->rcpts.n; i++) {
		move_text(&to, &copy->rcpts.v[i].addr);
		move_text(&to, &copy->rcpts.v[i].action);
	}
	for (size_t i = 0; i < copy->symbols.n; i++) {
		move_text(&to, &copy->symbols.v[i].name);
		move_text(&to, &copy->symbols.v[i].evidence);
		move_text(&to, &copy->symbols.v[i].origin);
	}
}

struct record *
record_copy_to(void *block, const struct record *r)
{
	struct record *copy = block;
	struct record_rcpt *rcpts = (void *)(copy + 1);
	size_t n_rcpts = kept(r->rcpts.n, RECORD_RCPTS_MAX);
	struct record_symbol *symbols = (void *)(rcpts + n_rcpts);
	size_t n_symbols = kept(r->symbols.n, RECORD_SYMBOLS_MAX);

	*copy = *r;
	if (n_rcpts)
		memcpy(rcpts, r->rcpts.v, n_rcpts * sizeof *rcpts);
	if (n_symbols)
		memcpy(symbols, r->symbols.v, n_symbols * sizeof *symbols);
	copy->rcpts.v = rcpts;
	copy->rcpts.n = copy->rcpts.size = n_rcpts;
	copy->symbols.v = symbols;
	copy->symbols.n = copy->symbols.size = n_symbols;
	move_texts((char *)(symbols + n_symbols), copy);
	return copy;
}

struct record *
record_copy(const struct record *r)
{
	void *block = malloc(record_bytes(r));

	return block ? record_copy_to(block, r) : NULL;
}
