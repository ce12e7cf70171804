#include <stdio.h>
#include <stdlib.h>

#include "filter/base/clock.h"
#include "filter/log/verdictlog.h"
#include "filter/ref.h"
#include "tests/unit/recordkit.h"

/*
 * write_verdicts STATE: a site key and a verdict log of known messages for the
 * tests of `assay log` and `assay why`. Prints the ref of each, in order.
 */

static struct verdictlog *verdicts;
static struct ref_key key;

static void
add(struct record *r, uint64_t number, int64_t time)
{
	char ref[REF_TEXT_SIZE];

	r->time = time;
	r->id = (uint64_t)(time - REF_EPOCH) << 24 | number << 8;
	if (!verdictlog_append(verdicts, r))
		exit(EXIT_FAILURE);
	ref_format(&key, r->id, ref);
	puts(ref);
}

/* From two days, with one queue id used twice. */
static void
add_all(void)
{
	struct record r = kit_record();

	r.time = KIT_TIME - 86400;
	r.queue_id = SPAN("4Xold");
	r.message_id = SPAN("old@mailer.example");
	add(&r, 1, KIT_TIME - 86400);

	r = kit_record();
	add(&r, 2, KIT_TIME);

	/* The same queue id, observed only. */
	r.action = SPAN("accept");
	r.mode = SPAN("observe");
	r.reply = SPAN_NONE;
	r.message_id = SPAN("again@mailer.example");
	add(&r, 3, KIT_TIME + 60);

	/* One whose id differs by case alone, outgoing and plain. */
	r = (struct record){
	    .queue_id = SPAN("4XH2QK3B9YZ"),
	    .dir = SPAN("out"),
	    .mode = SPAN("enforce"),
	    .action = SPAN("accept"),
	    .would = SPAN("accept"),
	    .by = SPAN("score"),
	    .policy = SPAN("outbound"),
	    .tag_milli = 5000,
	    .quarantine_milli = INT64_MAX,
	    .reject_milli = 15000,
	    .mail_from = SPAN(""),
	    .size = 512,
	};
	add(&r, 4, KIT_TIME + 120);

	r = kit_hostile();
	r.score_milli = 1000;
	add(&r, 5, KIT_TIME + 180);

	r = kit_record();
	kit_rcpts[1].action = SPAN("tag");
	r.action = r.would = SPAN("tag");
	r.reply = SPAN_NONE;
	r.queue_id = SPAN("4Xsplit");
	r.message_id = SPAN("split@mailer.example");
	r.degraded = SPAN("");
	add(&r, 6, KIT_TIME + 240);
}

int
main(int argc, char **argv)
{
	char folder[4096];
	struct verdictlog_options options = {
	    .folder = folder,
	    .retain_days = 36500,
	    .max_size = INT64_MAX,
	    .queue_max = (size_t)8 << 20,
	};
	struct err err;

	if (argc != 2)
		return EXIT_FAILURE;
	snprintf(folder, sizeof folder, "%s/verdicts", argv[1]);
	if (ref_key_load(argv[1], &key, &err) ||
	    verdictlog_open(&options, &verdicts, &err)) {
		fprintf(stderr, "%s\n", err.text);
		return EXIT_FAILURE;
	}
	add_all();
	int rc = verdictlog_flush(verdicts, clock_deadline(30000));
	verdictlog_close(verdicts);
	return rc ? EXIT_FAILURE : EXIT_SUCCESS;
}
