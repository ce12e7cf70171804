#include "filter/auth/report_mail.h"

#include <archive.h>
#include <archive_entry.h>

/*
 * gzip by libarchive, which reads received reports too: one library less than
 * zlib beside it. The time in gzip's header is left out, so that a report that
 * is sent again is the same to the byte.
 */

static la_ssize_t
take(struct archive *archive, void *arg, const void *bytes, size_t len)
{
	struct buf *out = arg;

	buf_add(out, bytes, len);
	if (!buf_failed(out))
		return (la_ssize_t)len;
	archive_set_error(archive, 0, "full");
	return -1;
}

static int
write_all(struct archive *archive, struct archive_entry *entry,
    struct span text, struct buf *out)
{
	archive_entry_set_filetype(entry, AE_IFREG);
	archive_entry_set_size(entry, (la_int64_t)text.len);
	/* Blocks of one byte: no padding behind the end. */
	if (archive_write_add_filter_gzip(archive) != ARCHIVE_OK ||
	    archive_write_set_format_raw(archive) != ARCHIVE_OK ||
	    archive_write_set_filter_option(
		archive, "gzip", "timestamp", NULL) != ARCHIVE_OK ||
	    archive_write_set_bytes_in_last_block(archive, 1) != ARCHIVE_OK ||
	    archive_write_open(archive, out, NULL, take, NULL) != ARCHIVE_OK)
		return ERR_NOMEM;
	if (archive_write_header(archive, entry) != ARCHIVE_OK ||
	    archive_write_data(archive, text.p, text.len) !=
		(la_ssize_t)text.len ||
	    archive_write_close(archive) != ARCHIVE_OK)
		return buf_failed(out) ? ERR_LIMIT : ERR_NOMEM;
	return 0;
}

int
report_pack(struct span text, struct buf *out)
{
	struct archive *archive = archive_write_new();
	struct archive_entry *entry = archive_entry_new();
	int rc = ERR_NOMEM;

	if (archive && entry)
		rc = write_all(archive, entry, text, out);
	archive_entry_free(entry);
	archive_write_free(archive);
	return rc;
}
