#include "filter/auth/bodyhash.h"

#include <assert.h>

#include "filter/auth/bodyscan.h"
#include "filter/auth/crypto.h"

/*
 * Canonical bodies (RFC 6376 section 3.4.3 and 3.4.4) into digests. There is
 * one stream for each canonicalisation in use, which all its jobs hear; a job
 * stops listening at its limit. A stream hands on runs of the caller's own
 * bytes wherever the canonical form equals them; only pieces too short to be
 * worth a digest call go through its small buffer. Nothing but counters is
 * kept of empty lines and white space until it is known that they count.
 */

#define HOLD_SIZE 4096
#define SHORT_RUN 512 /* below it copying is cheaper than a digest call */
#define STREAMS 2

struct job {
	enum bodyhash_canon canon;
	enum bodyhash_digest digest;
	uint64_t limit, left; /* bytes to hash, in all and still */
	EVP_MD_CTX *ctx;      /* NULL: failed or done */
	struct bodyhash_value value;
};

struct stream {
	struct bodyhash_set *set;
	enum bodyhash_canon canon;
	bool cr;        /* the last byte was a CR, which may begin a line end */
	bool blank;     /* relaxed: white space that may count */
	uint64_t lines; /* line ends that count once something follows */
	uint64_t size;  /* canonical bytes up to now */
	size_t held;
	unsigned char hold[HOLD_SIZE];
};

struct bodyhash_set {
	struct arena *arena;
	bool begun, ended;
	size_t n;
	struct job jobs[BODYHASH_JOBS_MAX];
	struct stream *streams[STREAMS];
};

struct bodyhash_set *
bodyhash_new(struct arena *arena)
{
	struct bodyhash_set *set = arena_zalloc(arena, sizeof *set);

	if (set)
		set->arena = arena;
	return set;
}

static void
free_ctx(void *arg)
{
	struct job *job = arg;

	EVP_MD_CTX_free(job->ctx);
	job->ctx = NULL;
}

static int
job_open(struct job *job, struct arena *arena)
{
	const EVP_MD *md =
	    job->digest == BODYHASH_SHA1 ? EVP_sha1() : EVP_sha256();

	job->value.len = job->digest == BODYHASH_SHA1 ? SHA_DIGEST_LENGTH
						      : SHA256_DIGEST_LENGTH;
	job->ctx = EVP_MD_CTX_new();
	if (!job->ctx || arena_cleanup(arena, free_ctx, job))
		return ERR_NOMEM;
	if (!EVP_DigestInit_ex(job->ctx, md, NULL)) {
		job->value.failed = true;
		free_ctx(job);
	}
	return 0;
}

int
bodyhash_add(struct bodyhash_set *set, enum bodyhash_canon canon,
    enum bodyhash_digest digest, uint64_t limit)
{
	if (set->begun || set->ended)
		return ERR_STATE;
	for (size_t i = 0; i < set->n; i++) {
		const struct job *job = &set->jobs[i];
		if (job->canon == canon && job->digest == digest &&
		    job->limit == limit)
			return (int)i;
	}
	if (set->n == BODYHASH_JOBS_MAX)
		return ERR_LIMIT;
	if (!set->streams[canon]) {
		struct stream *s = arena_zalloc(set->arena, sizeof *s);
		if (!s)
			return ERR_NOMEM;
		s->set = set;
		s->canon = canon;
		set->streams[canon] = s;
	}
	struct job *job = &set->jobs[set->n];
	*job = (struct job){
	    .canon = canon, .digest = digest, .limit = limit, .left = limit};
	if (job_open(job, set->arena))
		return ERR_NOMEM;
	return (int)set->n++;
}

/* --- from a stream to its jobs ------------------------------------------------ */

static void
job_feed(struct job *job, const void *p, size_t len)
{
	if (len > job->left)
		len = (size_t)job->left;
	if (!len || !job->ctx)
		return;
	if (job->left != BODYHASH_NO_LIMIT)
		job->left -= len;
	if (!EVP_DigestUpdate(job->ctx, p, len)) {
		job->value.failed = true;
		free_ctx(job);
	}
}

static void
feed(struct stream *s, const void *p, size_t len)
{
	for (size_t i = 0; i < s->set->n; i++)
		if (s->set->jobs[i].canon == s->canon)
			job_feed(&s->set->jobs[i], p, len);
}

static void
flush(struct stream *s)
{
	feed(s, s->hold, s->held);
	s->held = 0;
}

static void
emit(struct stream *s, const char *p, size_t len)
{
	s->size += len;
	if (len > HOLD_SIZE - s->held || len >= SHORT_RUN)
		flush(s);
	if (len >= SHORT_RUN) {
		feed(s, p, len);
		return;
	}
	memcpy(s->hold + s->held, p, len);
	s->held += len;
}

/* Something follows: the line ends and the white space kept back count. */
static void
emit_kept(struct stream *s)
{
	for (; s->lines; s->lines--)
		emit(s, "\r\n", 2);
	if (s->blank)
		emit(s, " ", 1);
	s->blank = false;
}

/* A CR kept back was no line end. */
static void
emit_cr(struct stream *s)
{
	emit_kept(s);
	emit(s, "\r", 1);
	s->cr = false;
}

/* --- simple (section 3.4.3): only empty lines at the end change ---------------- */

static void
update_simple(struct stream *s, const char *p, const char *end)
{
	uint64_t lines = 0;

	if (s->cr && *p == '\n') {
		s->lines++;
		s->cr = false;
		p++;
	} else if (s->cr) {
		emit_cr(s);
	}
	if (p == end)
		return;
	bool cr = end[-1] == '\r';
	if (cr)
		end--;
	for (; end - p >= 2 && end[-1] == '\n' && end[-2] == '\r'; end -= 2)
		lines++;
	if (p != end) {
		emit_kept(s);
		emit(s, p, (size_t)(end - p));
	}
	s->lines += lines;
	s->cr = cr;
}

/* --- relaxed (section 3.4.4) ----------------------------------------------------- */

static void
update_relaxed(struct stream *s, const char *p, const char *end)
{
	while (p < end) {
		if (s->cr && *p == '\n') {
			s->cr = s->blank = false;
			s->lines++;
			p++;
			continue;
		}
		if (s->cr)
			emit_cr(s);
		if (*p == '\r') {
			s->cr = true;
			p++;
		} else if (ascii_is_blank(*p)) {
			s->blank = true;
			p++;
		} else {
			const char *stop = bodyscan_run(p, end);
			emit_kept(s);
			emit(s, p, (size_t)(stop - p));
			p = stop;
		}
	}
}

/* ------------------------------------------------------------------------------- */

void
bodyhash_update(struct bodyhash_set *set, struct span chunk)
{
	struct stream *simple = set->streams[BODYHASH_SIMPLE];
	struct stream *relaxed = set->streams[BODYHASH_RELAXED];

	set->begun = true;
	if (!chunk.len || set->ended)
		return;
	if (simple)
		update_simple(simple, chunk.p, chunk.p + chunk.len);
	if (relaxed)
		update_relaxed(relaxed, chunk.p, chunk.p + chunk.len);
}

static void
stream_end(struct stream *s)
{
	if (s->cr)
		emit_cr(s);
	/* A body ends in one CRLF; an empty one is CRLF in simple and nothing
	 * in relaxed. White space kept back stands at the end of a line. */
	if (s->canon == BODYHASH_SIMPLE || s->size)
		emit(s, "\r\n", 2);
	flush(s);
}

static void
job_end(struct job *job, uint64_t size)
{
	unsigned len = 0;

	job->value.body_size = size;
	if (!job->ctx ||
	    !EVP_DigestFinal_ex(job->ctx, job->value.digest, &len) ||
	    len != job->value.len)
		job->value.failed = true;
}

void
bodyhash_final(struct bodyhash_set *set)
{
	if (set->ended)
		return;
	set->ended = true;
	for (size_t i = 0; i < STREAMS; i++)
		if (set->streams[i])
			stream_end(set->streams[i]);
	for (size_t i = 0; i < set->n; i++)
		job_end(&set->jobs[i], set->streams[set->jobs[i].canon]->size);
}

const struct bodyhash_value *
bodyhash_value(const struct bodyhash_set *set, int job)
{
	assert(job >= 0 && (size_t)job < set->n && set->ended);
	return &set->jobs[job].value;
}
