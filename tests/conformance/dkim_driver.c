/*
 * Judges messages named on standard input, a line each, for run_dkim.py:
 *
 *	ZONE TAB NOW TAB CHUNK TAB FILE
 *
 * NOW is the time to judge by, CHUNK the size of the pieces in which the body
 * comes (0: whole). Prints for each a line with the results of its signatures
 * in header order, a comma between, then a tab and the problems; `none` when
 * there is no signature. A zone file is opened once for a run of lines that
 * name it.
 */
#include <stdio.h>
#include <stdlib.h>

#include "filter/auth/dkim.h"
#include "tests/conformance/driver.h"

#define WAIT_MS 10000
#define QUESTIONS_MAX 500

static void
print_facts(const struct dkim_facts *facts)
{
	for (size_t i = 0; i < facts->n; i++)
		printf("%s%s", i ? "," : "",
		    dkim_result_name(facts->signatures[i].result));
	printf("%s\t", facts->n ? "" : "none");
	for (size_t i = 0; i < facts->n; i++)
		printf("%s%.*s", i ? "; " : "",
		    SPAN_ARG(facts->signatures[i].problem));
	printf("\n");
	fflush(stdout);
}

static void
judge(struct dns *dns, struct span rest, struct arena *arena)
{
	struct header_list headers;
	int64_t now = 0;
	uint64_t chunk = 0;

	if (span_to_i64(span_cut(&rest, '\t'), &now) ||
	    span_to_u64(span_cut(&rest, '\t'), &chunk))
		abort();
	struct span text = driver_load(rest, arena);
	header_init(&headers, arena);
	struct span body = span_skip(text, header_parse(&headers, text));
	struct bodyhash_set *hashes = bodyhash_new(arena);
	struct dkim *dkim = dkim_begin(&headers,
	    dns_batch_new(dns, arena, WAIT_MS, QUESTIONS_MAX), hashes, now,
	    arena);
	for (; body.len; body = span_skip(body, chunk)) {
		if (!chunk)
			chunk = body.len;
		bodyhash_update(hashes, span_head(body, chunk));
	}
	bodyhash_final(hashes);
	print_facts(dkim_end(dkim, arena));
}

int
main(void)
{
	char *line = NULL, last[4096] = "";
	size_t size = 0;
	ssize_t len;
	struct dns *dns = NULL;
	struct arena *arena = arena_new(0);

	if (dkim_setup(NULL))
		abort();
	while ((len = getline(&line, &size, stdin)) > 0) {
		struct span rest =
		    span_trim_right(span_make(line, (size_t)len));
		struct span zone = span_cut(&rest, '\t');
		if (!span_is(zone, last)) {
			dns_close(dns);
			dns = driver_open_zone(zone);
			if (!span_copy(zone, last, sizeof last))
				abort();
		}
		judge(dns, rest, arena);
		arena_reset(arena);
	}
	arena_free(arena);
	dns_close(dns);
	dkim_teardown();
	free(line);
	return 0;
}
