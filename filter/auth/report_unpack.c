#include "filter/auth/report.h"

#include <archive.h>
#include <archive_entry.h>

#include "filter/base/codec.h"
#include "filter/mail/mime.h"

/*
 * From what a file, or a part of a mail, holds to the XML texts in it: zip and
 * gzip by libarchive, which is named here alone. Names and types that senders
 * give are not looked at, the first bytes say what it is.
 *
 * libarchive is a large library and these bytes come from strangers, so only
 * what reports are made of is switched on: zip with stored or deflated entries
 * (other methods take what memory the archive asks for), and gzip as exactly
 * one layer. Nothing is followed into an archive inside an archive; all texts
 * of a file together have one limit; and nothing is ever written to a disk.
 */

#define BLOCK_SIZE 65536
#define SNIFF_MAX 4096 /* bytes looked at for the root of a report */

enum kind { KIND_OTHER, KIND_XML, KIND_GZIP, KIND_ZIP };

struct unpacking {
	struct report_texts *texts;
	size_t left; /* bytes that may still come out */
	struct arena *arena;
	struct err *err;
};

static int
nomem(struct err *err)
{
	return err_set(err, ERR_NOMEM, "out of memory");
}

static int
too_large(struct err *err)
{
	return err_set(err, ERR_LIMIT, "more than %zu MB unpacked",
	    REPORT_XML_MAX / 1024 / 1024);
}

static int
add_text(struct unpacking *u, struct span text)
{
	if (text.len > u->left)
		return too_large(u->err);
	if (u->texts->n == REPORT_FILES_MAX)
		return err_set(u->err, ERR_LIMIT,
		    "more than %d reports in one file", REPORT_FILES_MAX);
	struct span *to = VEC_PUSH(u->arena, u->texts);
	if (!to)
		return nomem(u->err);
	*to = text;
	u->left -= text.len;
	return 0;
}

/* --- what it is ----------------------------------------------------------------- */

static bool
is_utf16(struct span bytes)
{
	return span_starts(bytes, SPAN("\xff\xfe")) ||
	       span_starts(bytes, SPAN("\xfe\xff"));
}

static enum kind
kind_of(struct span bytes)
{
	if (span_starts(bytes, SPAN("\x1f\x8b")))
		return KIND_GZIP;
	if (span_starts(bytes, SPAN("PK\x03\x04")) ||
	    span_starts(bytes, SPAN("PK\x05\x06")))
		return KIND_ZIP;
	if (span_starts(bytes, SPAN("\xef\xbb\xbf")))
		bytes = span_skip(bytes, 3);
	bytes = span_trim_left(bytes);
	return is_utf16(bytes) || span_starts(bytes, SPAN("<")) ? KIND_XML
								: KIND_OTHER;
}

/* Other XML than a report's in a mail is no business of ours: XHTML. */
static bool
has_feedback(struct span xml)
{
	const struct span name = SPAN("feedback");

	xml = span_head(xml, SNIFF_MAX);
	if (is_utf16(xml))
		return true;
	for (size_t at = 1; (at = span_find(xml, name, at)) != SPAN_NPOS; at++)
		if (xml.p[at - 1] == '<' || xml.p[at - 1] == ':')
			return true;
	return false;
}

/* --- archives ------------------------------------------------------------------- */

static int
archive_failed(struct unpacking *u, struct archive *archive)
{
	const char *text = archive_error_string(archive);

	return err_set(u->err, ERR_SYNTAX, "broken archive: %s",
	    text ? text : "unknown error");
}

static void
done_buf(void *arg)
{
	buf_done(arg);
}

/* What an entry holds. It may grow large: from the heap, which grows in place,
 * given back with the arena. */
static int
read_entry(struct unpacking *u, struct archive *archive, struct span *ret)
{
	struct buf *out = arena_alloc(u->arena, sizeof *out);

	if (!out)
		return nomem(u->err);
	buf_init(out, NULL, u->left);
	if (arena_cleanup(u->arena, done_buf, out))
		return nomem(u->err);
	for (;;) {
		char block[BLOCK_SIZE];
		la_ssize_t n = archive_read_data(archive, block, sizeof block);
		if (n < 0)
			return archive_failed(u, archive);
		if (n == 0)
			break;
		if ((size_t)n > u->left - out->len)
			return too_large(u->err);
		buf_add(out, block, (size_t)n);
		if (buf_failed(out))
			return nomem(u->err);
	}
	*ret = span_make(buf_str(out), out->len);
	return 0;
}

/* Of an archive, only texts count: not folders, and not what programs add to
 * archives for themselves. */
static int
take_entry(struct unpacking *u, struct archive *archive)
{
	struct span text;
	int rc = read_entry(u, archive, &text);

	if (rc || !text.len)
		return rc;
	switch (kind_of(text)) {
	case KIND_XML:
		return add_text(u, text);
	case KIND_GZIP:
	case KIND_ZIP:
		return err_set(
		    u->err, ERR_SYNTAX, "an archive inside an archive");
	case KIND_OTHER:
		break;
	}
	/* What was looked at in vain counts too. */
	u->left -= text.len;
	return 0;
}

/* The method stands in the name of the format alone. */
static bool
method_allowed(struct archive *archive, enum kind kind)
{
	struct span name = span_of(archive_format_name(archive));

	return kind == KIND_GZIP || span_ends(name, SPAN("(deflation)")) ||
	       span_ends(name, SPAN("(uncompressed)"));
}

static int
read_entries(struct unpacking *u, struct archive *archive, enum kind kind)
{
	struct archive_entry *entry;
	size_t had = u->texts->n;
	unsigned n = 0;

	for (;;) {
		int status = archive_read_next_header(archive, &entry);
		if (status == ARCHIVE_EOF)
			break;
		/* A warning: a name that the locale does not know. */
		if (status != ARCHIVE_OK && status != ARCHIVE_WARN)
			return archive_failed(u, archive);
		if (n++ == REPORT_FILES_MAX)
			return err_set(u->err, ERR_LIMIT,
			    "more than %d files in one archive",
			    REPORT_FILES_MAX);
		if (!method_allowed(archive, kind))
			return err_set(u->err, ERR_SYNTAX,
			    "an archive of an unusual kind");
		int rc = take_entry(u, archive);
		if (rc)
			return rc;
	}
	if (u->texts->n == had)
		return err_set(u->err, ERR_SYNTAX, "no report in the archive");
	return 0;
}

/* Exactly these: libarchive does not try anything else. Seekable: a zip without
 * its directory, cut off, is none. */
static int
set_up(struct archive *archive, enum kind kind)
{
	if (kind == KIND_ZIP)
		return archive_read_support_format_zip_seekable(archive);
	/* Guessing would go through gzip inside gzip inside gzip. Built without
	 * zlib the library would run a program: that is ARCHIVE_WARN. */
	int status = archive_read_append_filter(archive, ARCHIVE_FILTER_GZIP);
	return status == ARCHIVE_OK
		   ? archive_read_set_format(archive, ARCHIVE_FORMAT_RAW)
		   : status;
}

static int
unpack_archive(struct unpacking *u, struct span bytes, enum kind kind)
{
	struct archive *archive = archive_read_new();
	int rc;

	if (!archive)
		return nomem(u->err);
	if (set_up(archive, kind) != ARCHIVE_OK)
		rc = err_set(u->err, ERR_STATE,
		    "libarchive knows no %s by itself",
		    kind == KIND_ZIP ? "zip" : "gzip");
	else if (archive_read_open_memory(archive, bytes.p, bytes.len) !=
		 ARCHIVE_OK)
		rc = archive_failed(u, archive);
	else
		rc = read_entries(u, archive, kind);
	(void)archive_read_free(archive);
	return rc;
}

static int
unpack_bytes(struct unpacking *u, struct span bytes, enum kind kind)
{
	return kind == KIND_XML ? add_text(u, bytes)
				: unpack_archive(u, bytes, kind);
}

/* --- mails ---------------------------------------------------------------------- */

/* A part as it was before it was sent: mime_decode() gives texts as rules see
 * them, with long lines cut. */
static int
decode(struct unpacking *u, const struct mime_part *part, struct span *ret)
{
	struct buf out;

	if (part->encoding == MIME_IDENTITY) {
		*ret = part->body;
		return 0;
	}
	buf_init(&out, u->arena, REPORT_PACKED_MAX);
	if (!buf_reserve(&out, part->body.len))
		return nomem(u->err);
	if (part->encoding == MIME_BASE64)
		(void)codec_base64_decode(&out, part->body);
	else
		(void)codec_qp_decode(&out, part->body);
	*ret = buf_span(&out);
	return 0;
}

static int
unpack_part(struct unpacking *u, const struct mime_part *part)
{
	struct span bytes;
	int rc = decode(u, part, &bytes);

	if (rc)
		return rc;
	enum kind kind = kind_of(bytes);
	if (kind == KIND_OTHER || (kind == KIND_XML && !has_feedback(bytes)))
		return 0;
	return unpack_bytes(u, bytes, kind);
}

static int
unpack_mail(struct unpacking *u, struct span text)
{
	struct header_list headers;
	struct mime_tree tree;

	header_init(&headers, u->arena);
	size_t body = header_parse(&headers, text);
	if (headers.fields.n == 0)
		return err_set(u->err, ERR_SYNTAX,
		    "neither XML nor an archive nor a mail");
	if (!mime_walk(&tree, &headers, span_skip(text, body), u->arena))
		return nomem(u->err);
	for (size_t i = 0; i < tree.parts.n; i++) {
		const struct mime_part *part = tree.parts.v[i];
		int rc = part->leaf ? unpack_part(u, part) : 0;
		if (rc)
			return rc;
	}
	if (u->texts->n == 0)
		return err_set(u->err, ERR_SYNTAX, "no report in this mail");
	return 0;
}

int
report_unpack(struct report_texts *ret, struct span file, struct arena *arena,
    struct err *err)
{
	struct report_texts texts = {0};
	struct unpacking u = {&texts, REPORT_XML_MAX, arena, err};
	enum kind kind = kind_of(file);

	if (file.len > REPORT_PACKED_MAX)
		return err_set(err, ERR_LIMIT, "larger than %zu MB",
		    REPORT_PACKED_MAX / 1024 / 1024);
	if (span_trim(file).len == 0)
		return err_set(err, ERR_SYNTAX, "an empty file");
	int rc = kind == KIND_OTHER ? unpack_mail(&u, file)
				    : unpack_bytes(&u, file, kind);
	if (rc == 0)
		*ret = texts;
	return rc;
}
