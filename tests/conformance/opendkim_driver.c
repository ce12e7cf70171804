/*
 * opendkim_driver ZONE FILE...: what libopendkim alone says of messages. Prints
 * for each file a line with the results of its signatures, a comma between.
 */
#include <stdio.h>
#include <stdlib.h>

#include "filter/base/file.h"
#include "tests/conformance/driver.h"
#include "tests/conformance/opendkim_whole.h"

#define FILE_MAX ((size_t)64 << 20)

static void
judge(struct dns *dns, const char *path, struct arena *arena)
{
	struct dns_batch *batch = dns_batch_new(dns, arena, 10000, 100);
	struct header_list headers;
	struct whole whole;
	struct span text;
	struct err err;

	if (file_read(path, FILE_MAX, arena, &text, &err)) {
		fprintf(stderr, "%s\n", err.text);
		exit(1);
	}
	header_init(&headers, arena);
	text = span_skip(text, header_parse(&headers, text));
	if (!whole_verify(&headers, text, batch, arena, &whole))
		whole.n = 0;
	for (size_t i = 0; i < whole.n; i++)
		printf("%s%s", i ? "," : "",
		    whole_result_name(whole.verdicts[i].result));
	puts(whole.n ? "" : "none");
}

int
main(int argc, char **argv)
{
	struct arena *arena = arena_new(0);

	if (argc < 2)
		return 1;
	struct dns *dns = driver_open_zone(span_of(argv[1]));
	whole_open();
	for (int i = 2; i < argc; i++) {
		judge(dns, argv[i], arena);
		arena_reset(arena);
	}
	whole_close();
	dns_close(dns);
	arena_free(arena);
	return 0;
}
