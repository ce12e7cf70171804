/*
 * Validates ARC chains named on standard input, a line each, for run_arc.py:
 *
 *	ZONE TAB NOW TAB FILE
 *
 * Prints for each RESULT TAB INSTANCES TAB OLDEST-PASS TAB PROBLEM.
 */
#include <stdio.h>
#include <stdlib.h>

#include "filter/auth/arc.h"
#include "tests/conformance/driver.h"

#define WAIT_MS 10000
#define QUESTIONS_MAX 500

static void
judge(struct dns *dns, struct span rest, struct arena *arena)
{
	struct header_list headers;
	int64_t now = 0;

	if (span_to_i64(span_cut(&rest, '\t'), &now))
		abort();
	struct span text = driver_load(rest, arena);
	header_init(&headers, arena);
	struct span body = span_skip(text, header_parse(&headers, text));
	struct bodyhash_set *hashes = bodyhash_new(arena);
	struct arc *arc = arc_begin(&headers,
	    dns_batch_new(dns, arena, WAIT_MS, QUESTIONS_MAX), hashes, now,
	    arena);
	bodyhash_update(hashes, body);
	bodyhash_final(hashes);
	const struct arc_facts *facts = arc_end(arc, arena);
	printf("%s\t%u\t%u\t%.*s\n", arc_result_name(facts->result),
	    facts->instances, facts->oldest_pass, SPAN_ARG(facts->problem));
	fflush(stdout);
}

int
main(void)
{
	char *line = NULL, last[4096] = "";
	size_t size = 0;
	ssize_t len;
	struct dns *dns = NULL;
	struct arena *arena = arena_new(0);

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
	free(line);
	return 0;
}
