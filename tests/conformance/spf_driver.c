/*
 * Judges cases from standard input, a line each, for run_spf.py:
 *
 *	ZONE TAB IP TAB HELO TAB MAIL-FROM
 *
 * and prints for each its result, a tab and the explanation (DEFAULT when
 * there is none). In HELO and MAIL-FROM bytes may be written %XX. A zone file
 * is opened once for a run of cases that name it.
 */
#include <stdio.h>
#include <stdlib.h>

#include "filter/auth/spf.h"
#include "filter/base/buf.h"
#include "tests/conformance/driver.h"

#define WAIT_MS 10000
#define QUESTIONS_MAX 500

static struct span
decode(struct span field, struct arena *arena)
{
	struct buf out;

	buf_init(&out, arena, SIZE_MAX / 2);
	for (size_t i = 0; i < field.len; i++) {
		if (field.p[i] == '%' && i + 2 < field.len) {
			int high = ascii_hex(field.p[i + 1]);
			int low = ascii_hex(field.p[i + 2]);
			if (high < 0 || low < 0)
				abort();
			buf_add_char(&out, (char)(high << 4 | low));
			i += 2;
		} else {
			buf_add_char(&out, field.p[i]);
		}
	}
	return buf_span(&out);
}

static void
judge(struct dns *dns, struct span rest, struct arena *arena)
{
	struct spf_request request = {.time = 1600000000};
	struct spf_answer answer;
	struct span ip = span_cut(&rest, '\t');

	if (ip_parse(ip, &request.ip))
		request.ip.family = 0;
	request.helo = decode(span_cut(&rest, '\t'), arena);
	request.mail_from = decode(rest, arena);
	struct dns_batch *batch =
	    dns_batch_new(dns, arena, WAIT_MS, QUESTIONS_MAX);
	spf_want(&request, batch, arena);
	spf_check(&request, batch, arena, &answer);
	if (!answer.explanation.p)
		answer.explanation = SPAN("DEFAULT");
	printf("%s\t%.*s\t%.*s\n", spf_result_name(answer.result),
	    SPAN_ARG(answer.explanation), SPAN_ARG(answer.problem));
	fflush(stdout);
}

int
main(void)
{
	struct arena *arena = arena_new(0);
	struct dns *dns = NULL;
	char zone[4096] = "";
	char line[65536];

	while (fgets(line, sizeof line, stdin)) {
		struct span rest = span_of(line);
		rest = span_head(rest, span_find_char(rest, '\n'));
		struct span path = span_cut(&rest, '\t');
		if (!span_is(path, zone)) {
			dns_close(dns);
			dns = driver_open_zone(path);
			(void)span_copy(path, zone, sizeof zone);
		}
		judge(dns, rest, arena);
		arena_reset(arena);
	}
	dns_close(dns);
	arena_free(arena);
	return 0;
}
