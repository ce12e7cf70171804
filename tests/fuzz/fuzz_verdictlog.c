/*
 * The reader of the verdict log on a file of any bytes, as a database without
 * or, when the last byte is odd, with a write-ahead log that the second half
 * makes. Whatever they are, it ends with records that can be read or an error
 * that names the file.
 */
#include <assert.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "filter/log/verdictlog.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char folder[64], database[96], wal[128], shm[128];

static void
clean_up(void)
{
	(void)unlink(wal);
	(void)unlink(shm);
	(void)unlink(database);
	(void)rmdir(folder);
}

static void
make_folder(void)
{
	(void)snprintf(folder, sizeof folder, "/dev/shm/assay-fuzz-XXXXXX");
	if (!mkdtemp(folder)) {
		(void)snprintf(folder, sizeof folder, "/tmp/assay-fuzz-XXXXXX");
		if (!mkdtemp(folder))
			abort();
	}
	(void)snprintf(database, sizeof database, "%s/2026-11-24.db", folder);
	(void)snprintf(wal, sizeof wal, "%s-wal", database);
	(void)snprintf(shm, sizeof shm, "%s-shm", database);
	(void)atexit(clean_up);
}

static void
write_file(const char *path, const uint8_t *data, size_t size)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	(void)close(fd);
}

/* Reads every byte, so that a sanitizer sees them. */
static uint64_t
weigh(struct span text)
{
	uint64_t sum = text.p ? 1 : 0;

	assert(text.p || text.len == 0);
	for (size_t i = 0; i < text.len; i++)
		sum += (unsigned char)text.p[i];
	return sum;
}

static bool
take(void *arg, const struct record *record)
{
	uint64_t *sum = arg;

	for (const struct record_field *f = record_fields; f->name; f++)
		*sum += f->type == RECORD_TEXT
			    ? weigh(record_text(record, f))
			    : (uint64_t)record_int(record, f);
	assert(record->rcpts.n <= RECORD_RCPTS_MAX);
	assert(record->symbols.n <= RECORD_SYMBOLS_MAX);
	for (size_t i = 0; i < record->rcpts.n; i++)
		*sum += weigh(record->rcpts.v[i].addr) +
			weigh(record->rcpts.v[i].action);
	for (size_t i = 0; i < record->symbols.n; i++)
		*sum += weigh(record->symbols.v[i].name) +
			weigh(record->symbols.v[i].evidence) +
			weigh(record->symbols.v[i].origin);
	return true;
}

static void
read_with(const struct verdictlog_query *query)
{
	struct err err = {0};
	uint64_t sum = 0;

	int rc = verdictlog_read(folder, query, take, &sum, &err);
	assert(rc == 0 || rc == ERR_INVALID || rc == ERR_ACCESS ||
	       rc == ERR_IO || rc == ERR_NOMEM);
	if (rc)
		assert(strstr(err.text, "/2026-11-24.db: "));
	else
		assert(!*err.text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!*folder)
		make_folder();
	bool with_wal = size && data[size - 1] % 2;
	size_t n = with_wal ? size / 2 : size;
	write_file(database, data, n);
	if (with_wal)
		write_file(wal, data + n, size - n);
	read_with(&(struct verdictlog_query){0});
	read_with(&(struct verdictlog_query){
	    .newest_first = true,
	    .limit = 10,
	    .since = 1,
	    .from = SPAN("@example.com"),
	    .to = SPAN("a@example.org"),
	    .action = SPAN("tag"),
	    .symbol = SPAN("BAYES_99"),
	});
	read_with(&(struct verdictlog_query){.queue_id = SPAN("4Xabc")});
	(void)unlink(wal);
	(void)unlink(shm);
	(void)unlink(database);
	return 0;
}
