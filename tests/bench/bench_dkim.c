/*
 * What DKIM costs with its keys warm: `bench_dkim ZONE MESSAGE...` prints
 * microseconds of CPU for a verification of each message (CRLF), in all and
 * without its body; and the speed of body hashes over text.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "filter/auth/dkim.h"
#include "filter/base/clock.h"

#define ROUNDS 2000
#define BODY_SIZE ((size_t)8 * 1024 * 1024)

static struct span
load(const char *path)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st)) {
		perror(path);
		exit(1);
	}
	size_t size = (size_t)st.st_size;
	char *p = malloc(size + 1);
	if (!p || read(fd, p, size) != st.st_size)
		exit(1);
	close(fd);
	return span_make(p, size);
}

static enum dkim_result
verify(struct dns *dns, const struct header_list *headers, struct span body,
    struct arena *arena)
{
	struct bodyhash_set *hashes = bodyhash_new(arena);
	struct dkim *dkim = dkim_begin(headers,
	    dns_batch_new(dns, arena, 1000, 100), hashes, clock_wall(), arena);

	bodyhash_update(hashes, body);
	bodyhash_final(hashes);
	return dkim_end(dkim, arena)->result;
}

static void
bench_message(struct dns *dns, const char *path)
{
	struct arena *keep = arena_new(0), *arena = arena_new(0);
	struct header_list headers;
	struct span text = load(path);
	enum dkim_result result = DKIM_NONE;

	header_init(&headers, keep);
	struct span body = span_skip(text, header_parse(&headers, text));
	verify(dns, &headers, body, arena);
	arena_reset(arena);
	int64_t start = clock_cpu_us();
	for (int i = 0; i < ROUNDS; i++) {
		result = verify(dns, &headers, body, arena);
		arena_reset(arena);
	}
	int64_t all = clock_cpu_us() - start;
	printf("%7.1f us  %s (%s)\n", (double)all / ROUNDS, path,
	    dkim_result_name(result));
	arena_free(arena);
	arena_free(keep);
}

static void
bench_body(const char *what, const char *line, enum bodyhash_canon canon)
{
	char *p = malloc(BODY_SIZE + 100);
	struct arena *arena = arena_new(0);
	struct bodyhash_set *set = bodyhash_new(arena);
	size_t n = 0, len = strlen(line);

	if (!p || bodyhash_add(set, canon, BODYHASH_SHA256, UINT64_MAX) < 0)
		exit(1);
	for (; n < BODY_SIZE; n += len)
		memcpy(p + n, line, len);
	int64_t start = clock_cpu_us();
	for (size_t at = 0; at < n; at += 65536)
		bodyhash_update(
		    set, span_head(span_make(p + at, n - at), 65536));
	bodyhash_final(set);
	int64_t us = clock_cpu_us() - start;
	printf("%7.0f MB/s  %s\n", (double)n / (double)(us ? us : 1), what);
	arena_free(arena);
	free(p);
}

int
main(int argc, char **argv)
{
	struct dns_options options = {.zone = argc > 1 ? argv[1] : ""};
	struct err err = {.text = "usage: bench_dkim ZONE MESSAGE..."};
	struct dns *dns;

	if (argc < 2 || dkim_setup(&err) || dns_open(&options, &dns, &err)) {
		fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	for (int i = 2; i < argc; i++)
		bench_message(dns, argv[i]);
	bench_body("simple", "Some words of a usual line of a usual mail.\r\n",
	    BODYHASH_SIMPLE);
	bench_body("relaxed, text",
	    "Some words of a usual line of a usual mail, which is longer.\r\n",
	    BODYHASH_RELAXED);
	bench_body("relaxed, base64",
	    "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4v"
	    "MDEyMzQ1\r\n",
	    BODYHASH_RELAXED);
	bench_body("relaxed, white space that changes", "\ta  b \t c   d\t\r\n",
	    BODYHASH_RELAXED);
	dns_close(dns);
	dkim_teardown();
	return 0;
}
