#include "filter/mail/message.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "filter/mail/message_internal.h"

/*
 * A message's bytes as they are fed (message_ask.c has the questions). The body
 * grows in one heap block that a cleanup of the arena frees; past memory_max it
 * moves to an unlinked file that is mapped when the body is complete. What
 * cannot be kept is noted and the message goes on.
 */

#define BODY_FIRST ((size_t)16 * 1024)
#define OTHERS_TIMES 4 /* text_max for all parts together that are no text */

const char *const message_watched[] = {"Authentication-Results", "X-Spam-Flag",
    "X-Spam-Status", "X-Spam-Score", "X-Spam-Level", "X-Assay-Ref",
    "X-Assay-Would", "BIMI-Location", "BIMI-Indicator", "BIMI-Logo-Preference",
    NULL};

struct message_options
message_options_default(void)
{
	return (struct message_options){
	    .size_max = (size_t)50 << 20,
	    .memory_max = (size_t)1 << 20,
	    .text_max = (size_t)4 << 20,
	    .memory_short = (size_t)256 << 10,
	};
}

static void
charge(struct message *m, size_t size)
{
	_Atomic int64_t *all = m->options.memory;

	if (all)
		atomic_fetch_add_explicit(all,
		    (int64_t)size - (int64_t)m->charged, memory_order_relaxed);
	m->charged = size;
}

static void
release(void *arg)
{
	struct message *m = arg;

	if (m->mapped)
		munmap(m->mapped, m->mapped_size);
	if (m->fd >= 0)
		close(m->fd);
	free(m->heap);
	charge(m, 0);
}

struct message *
message_new(struct arena *arena, const struct message_options *options)
{
	struct message *m = arena_zalloc(arena, sizeof *m);

	if (!m)
		return NULL;
	m->arena = arena;
	m->options = *options;
	m->fd = -1;
	m->text_left = options->text_max;
	m->other_left = options->text_max > SIZE_MAX / OTHERS_TIMES
			    ? SIZE_MAX
			    : options->text_max * OTHERS_TIMES;
	header_init(&m->headers, arena);
	for (const char *const *w = message_watched; *w; w++)
		header_watch(&m->headers, span_of(*w));
	map_init(&m->header_values, arena, false);
	map_init(&m->header_texts, arena, false);
	return arena_cleanup(arena, release, m) ? NULL : m;
}

struct arena *
message_arena(const struct message *m)
{
	return m->arena;
}

/* --- feeding -------------------------------------------------------------------- */

void
message_header(struct message *m, struct span name, struct span raw)
{
	m->size += name.len + 1 + raw.len + 2;
	header_add(&m->headers, name, raw);
}

void
message_headers_done(struct message *m)
{
	m->size += 2;
}

static int
write_all(int fd, const char *p, size_t n)
{
	while (n) {
		ssize_t done = write(fd, p, n);
		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return ERR_IO;
		p += done;
		n -= (size_t)done;
	}
	return 0;
}

/* Moves what is in memory to an unlinked file. */
static int
to_file(struct message *m)
{
	char path[4096];
	int n = snprintf(path, sizeof path, "%s/body-XXXXXX", m->options.spool);

	if (n < 0 || (size_t)n >= sizeof path)
		return ERR_LIMIT;
	m->fd = mkostemp(path, O_CLOEXEC);
	if (m->fd < 0)
		return ERR_IO;
	if (unlink(path) || write_all(m->fd, m->heap, m->kept)) {
		close(m->fd);
		m->fd = -1;
		return ERR_IO;
	}
	free(m->heap);
	m->heap = NULL;
	m->heap_size = 0;
	charge(m, 0);
	return 0;
}

static int
grow_heap(struct message *m, size_t need)
{
	size_t size = m->heap_size;

	if (need <= size)
		return 0;
	if (size == 0) {
		/* MAIL's SIZE is the sender's word: it saves copies, no more. */
		size = m->options.size_hint < m->options.memory_max
			   ? m->options.size_hint
			   : m->options.memory_max;
		if (size < BODY_FIRST)
			size = BODY_FIRST;
	}
	while (size < need)
		size = size > SIZE_MAX / 2 ? need : size * 2;
	char *p = realloc(m->heap, size);
	if (!p)
		return ERR_NOMEM;
	m->heap = p;
	m->heap_size = size;
	charge(m, size);
	return 0;
}

/* How many of `n` more bytes may be kept. */
static size_t
allowance(struct message *m, size_t n)
{
	size_t limit = m->options.size_max;

	if (m->lacks & (MESSAGE_LACK_DISK | MESSAGE_LACK_MEMORY))
		return 0;
	if (m->options.memory && m->fd < 0 &&
	    atomic_load_explicit(m->options.memory, memory_order_relaxed) >
		m->options.memory_limit &&
	    limit > m->options.memory_short) {
		limit = m->options.memory_short;
		if (m->kept + n > limit)
			m->lacks |= MESSAGE_LACK_MEMORY;
	} else if (m->kept + n > limit) {
		m->lacks |= MESSAGE_LACK_SIZE;
	}
	if (m->kept >= limit)
		return 0;
	return n < limit - m->kept ? n : limit - m->kept;
}

static int
keep(struct message *m, struct span chunk)
{
	int rc;

	if (m->fd < 0 && m->options.spool &&
	    m->kept + chunk.len > m->options.memory_max) {
		rc = to_file(m);
		if (rc) {
			m->lacks |= MESSAGE_LACK_DISK;
			return rc;
		}
	}
	if (m->fd >= 0) {
		rc = write_all(m->fd, chunk.p, chunk.len);
		if (rc) {
			m->lacks |= MESSAGE_LACK_DISK;
			return rc;
		}
	} else {
		rc = grow_heap(m, m->kept + chunk.len);
		if (rc) {
			m->lacks |= MESSAGE_LACK_MEMORY;
			return rc;
		}
		memcpy(m->heap + m->kept, chunk.p, chunk.len);
	}
	m->kept += chunk.len;
	return 0;
}

int
message_body(struct message *m, struct span chunk)
{
	size_t n;

	m->size += chunk.len;
	m->body_size += chunk.len;
	n = allowance(m, chunk.len);
	return n ? keep(m, span_head(chunk, n)) : 0;
}

static void
map_file(struct message *m)
{
	void *p = mmap(NULL, m->kept, PROT_READ, MAP_PRIVATE, m->fd, 0);

	if (p == MAP_FAILED) {
		m->lacks |= MESSAGE_LACK_DISK;
		m->kept = 0;
		return;
	}
	m->mapped = p;
	m->mapped_size = m->kept;
}

void
message_done(struct message *m)
{
	if (m->fd >= 0 && m->kept)
		map_file(m);
	m->body = span_make(m->mapped ? m->mapped : m->heap, m->kept);
	if (!m->body.p)
		m->body = SPAN("");
}

/* Lone LF becomes CRLF; what is CRLF stays. */
static int
body_as_crlf(struct message *m, struct span text)
{
	int rc = 0;

	while (text.len && rc == 0) {
		size_t lf = span_find_char(text, '\n');
		if (lf == SPAN_NPOS)
			return message_body(m, text);
		bool crlf = lf > 0 && text.p[lf - 1] == '\r';
		rc = message_body(m, span_head(text, crlf ? lf + 1 : lf));
		if (rc == 0 && !crlf)
			rc = message_body(m, SPAN("\r\n"));
		text = span_skip(text, lf + 1);
	}
	return rc;
}

/* Bytes of a text when each line ends in CRLF. */
static size_t
crlf_size(struct span text)
{
	size_t size = text.len;

	for (size_t at = 0; at < text.len; at++) {
		size_t lf = span_find_char(span_skip(text, at), '\n');
		if (lf == SPAN_NPOS)
			break;
		at += lf;
		size += at == 0 || text.p[at - 1] != '\r';
	}
	return size;
}

int
message_read(struct message *m, struct span text)
{
	size_t body = header_parse(&m->headers, text);

	m->size += crlf_size(span_head(text, body));
	int rc = body_as_crlf(m, span_skip(text, body));
	message_done(m);
	return rc ? rc : arena_failed(m->arena) ? ERR_NOMEM : 0;
}
