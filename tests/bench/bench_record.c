/*
 * What the verdict log costs: records of 15 symbols and 2 recipients, appended
 * as sessions do and written by the log thread. `bench_record [records]
 * [folder]` prints microseconds of CPU per record in the caller and in the
 * thread, and bytes per record on disk.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "filter/base/clock.h"
#include "filter/log/log_day.h"
#include "filter/log/verdictlog.h"

#define SYMBOLS 15
#define GROUP 200 /* one batch of the thread */
#define QUEUE ((size_t)64 << 20)

static char texts[SYMBOLS][2][64];
static struct record_symbol symbols[SYMBOLS];
static struct record_rcpt rcpts[2] = {
    {SPAN("anna.muster@example.org"), SPAN("tag")},
    {SPAN("ben.example@sub.example.net"), SPAN("tag")},
};

static void
make_symbols(void)
{
	for (int i = 0; i < SYMBOLS; i++) {
		snprintf(texts[i][0], sizeof texts[i][0], "A_SYMBOL_NO_%d", i);
		snprintf(texts[i][1], sizeof texts[i][1],
		    "/usr/share/assay/rules/20-body.cf:%d", i * 7);
		symbols[i] = (struct record_symbol){
		    .name = span_of(texts[i][0]),
		    .count_milli = 1000,
		    .score_milli = 100 * i - 500,
		    .evidence = i % 3 ? SPAN_NONE : SPAN("click here to win"),
		    .origin = i % 5 ? span_of(texts[i][1]) : SPAN_NONE,
		};
	}
}

static struct record
make_record(uint64_t n, int64_t now, char text[3][64])
{
	snprintf(text[0], 64, "4Xh2Q%010llx", (unsigned long long)n * 7919);
	snprintf(text[1], 64, "203.0.113.%u", (unsigned)(n % 256));
	snprintf(
	    text[2], 64, "%llu.93@mailer.example", (unsigned long long)n * 31);
	struct record r = {
	    .id = ((uint64_t)(now - 1735689600) << 24) + (n << 8),
	    .time = now,
	    .node = SPAN("mx1"),
	    .queue_id = span_of(text[0]),
	    .mta = SPAN("mx1.example.org"),
	    .dir = SPAN("in"),
	    .mode = SPAN("enforce"),
	    .action = SPAN("tag"),
	    .would = SPAN("tag"),
	    .by = SPAN("score"),
	    .policy = SPAN("default"),
	    .score_milli = (int64_t)(n % 20000),
	    .tag_milli = 5000,
	    .quarantine_milli = INT64_MAX,
	    .reject_milli = 15000,
	    .client_ip = span_of(text[1]),
	    .client_name = SPAN("out7.mailer.example"),
	    .helo = SPAN("out7.mailer.example"),
	    .tls = SPAN("TLSv1.3"),
	    .mail_from = SPAN("bounce-17@mailer.example"),
	    .header_from = SPAN("Muster Supply <invoice@muster.example>"),
	    .from_domain = SPAN("muster.example"),
	    .message_id = span_of(text[2]),
	    .size = 21708,
	    .nrcpt = 2,
	    .spf = SPAN("pass"),
	    .spf_domain = SPAN("mailer.example"),
	    .spf_detail = SPAN("ip4:203.0.113.0/24"),
	    .dkim = SPAN("pass:mailer.example:s2:"),
	    .dmarc = SPAN("fail"),
	    .dmarc_policy = SPAN("none"),
	    .dmarc_aligned = SPAN(""),
	    .degraded = SPAN(""),
	    .ms = 212,
	};
	r.symbols.v = symbols;
	r.symbols.n = SYMBOLS;
	r.rcpts.v = rcpts;
	r.rcpts.n = 2;
	return r;
}

static int64_t
process_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* Microseconds that appending took: a group at a time, since asking for the
 * time costs as much as some of them. */
static int64_t
append_all(struct verdictlog *log, uint64_t n, int64_t now)
{
	static char text[GROUP][3][64];
	static struct record records[GROUP];
	int64_t us = 0;

	for (uint64_t i = 0; i < n; i += GROUP) {
		uint64_t more = n - i < GROUP ? n - i : GROUP;
		for (uint64_t k = 0; k < more; k++)
			records[k] = make_record(i + k, now, text[k]);
		int64_t before = clock_cpu_us();
		for (uint64_t k = 0; k < more; k++)
			if (!verdictlog_append(log, &records[k]))
				abort();
		us += clock_cpu_us() - before;
		if (verdictlog_flush(log, clock_deadline(60000)))
			abort();
	}
	return us;
}

static void
empty(const char *folder, int64_t day)
{
	if (log_day_remove(folder, day, NULL) || rmdir(folder))
		fprintf(stderr, "%s is left\n", folder);
}

int
main(int argc, char **argv)
{
	char folder[] = "/tmp/assay-bench-XXXXXX";
	uint64_t n = 100000;
	int64_t now = clock_wall();
	struct verdictlog *log;
	struct err err;

	if (argc > 1 && (span_to_u64(span_of(argv[1]), &n) || !n))
		return 2;
	if (argc <= 2 && !mkdtemp(folder))
		return 1;
	struct verdictlog_options options = {
	    argc > 2 ? argv[2] : folder, 30, INT64_C(1) << 40, QUEUE};
	make_symbols();
	if (verdictlog_open(&options, &log, &err)) {
		fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	int64_t process = process_us(), caller = clock_cpu_us();
	int64_t append = append_all(log, n, now);
	(void)!verdictlog_flush(log, clock_deadline(60000));
	int64_t thread = process_us() - process - (clock_cpu_us() - caller);
	verdictlog_close(log);
	double records = (double)n;
	printf("%-10s %10s %10s %14s\n", "records", "append_us", "thread_us",
	    "bytes/record");
	printf("%-10llu %10.2f %10.2f %14.1f\n", (unsigned long long)n,
	    (double)append / records, (double)thread / records,
	    (double)log_day_size(options.folder, log_day_of(now)) / records);
	empty(options.folder, log_day_of(now));
	return 0;
}
