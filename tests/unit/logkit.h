#ifndef TESTS_UNIT_LOGKIT_H
#define TESTS_UNIT_LOGKIT_H

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "filter/base/clock.h"
#include "filter/log/log_day.h"
#include "filter/log/verdictlog.h"
#include "tests/lib/tap.h"

/*
 * A folder of verdicts under a temporary one, and records for it. In memory
 * where it can be: a new database is synced, and dozens are made.
 */

#define NOON INT64_C(1795521600) /* 2026-11-24T12:00:00Z */
#define KIT_PATH 512

struct kit {
	char folder[KIT_PATH]; /* does not exist at first */
	char path[KIT_PATH];   /* the last of kit_path() */
};

__attribute__((unused)) static void
kit_init(struct kit *kit)
{
	const char *tmp = getenv("TMPDIR");
	char room[KIT_PATH / 2];

	if (!tmp || !*tmp)
		tmp = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
	snprintf(room, sizeof room, "%s/assay-log-XXXXXX", tmp);
	if (!mkdtemp(room))
		abort();
	snprintf(kit->folder, sizeof kit->folder, "%s/verdicts", room);
}

__attribute__((unused)) static const char *
kit_path(struct kit *kit, const char *name)
{
	snprintf(
	    kit->path, sizeof kit->path, "%.300s/%.80s", kit->folder, name);
	return kit->path;
}

/* Removes what lies in the folder, it and the one above. */
__attribute__((unused)) static void
kit_done(struct kit *kit)
{
	DIR *dir = opendir(kit->folder);

	for (struct dirent *e; dir && (e = readdir(dir));)
		if (*e->d_name != '.')
			unlink(kit_path(kit, e->d_name));
	if (dir)
		closedir(dir);
	rmdir(kit->folder);
	*strrchr(kit->folder, '/') = '\0';
	rmdir(kit->folder);
}

__attribute__((unused)) static struct verdictlog *
kit_open(struct kit *kit)
{
	struct verdictlog_options options = {
	    kit->folder, 30, INT64_C(1) << 40, (size_t)64 << 20};
	struct verdictlog *log = NULL;
	struct err err = {0};

	if (verdictlog_open(&options, &log, &err)) {
		fprintf(stderr, "%s\n", err.text);
		abort();
	}
	return log;
}

__attribute__((unused)) static int
kit_flush(struct verdictlog *log)
{
	return verdictlog_flush(log, clock_deadline(20000));
}

static struct record_rcpt kit_rcpts[] = {
    {SPAN("anna@example.org"), SPAN("tag")},
    {SPAN("ben@Sub.example.net"), SPAN("accept")},
};

static struct record_symbol kit_symbols[] = {
    {SPAN("BAYES_99"), 1000, 3500, SPAN("99.97 %"), SPAN_NONE},
    {SPAN("PDF_LINK_ONLY"), 500, 3900, SPAN("invoice.pdf"),
	SPAN("/etc/assay/rules.d/local.cf:41")},
    {SPAN("RCVD_IN_DNSWL_LOW"), 2000, -1000, SPAN(""), SPAN_NONE},
};

/* A record like many; cases change what they are about. */
__attribute__((unused)) static struct record
kit_record(uint64_t id, int64_t time)
{
	struct record r = {
	    .id = id,
	    .time = time,
	    .node = SPAN("mx1"),
	    .queue_id = SPAN("4Xh2Qk3b9Yz"),
	    .mta = SPAN("mx1.example.org"),
	    .dir = SPAN("in"),
	    .mode = SPAN("enforce"),
	    .action = SPAN("tag"),
	    .would = SPAN("tag"),
	    .by = SPAN("score"),
	    .policy = SPAN("default"),
	    .score_milli = 6400,
	    .tag_milli = 5000,
	    .quarantine_milli = INT64_MAX,
	    .reject_milli = 15000,
	    .client_ip = SPAN("203.0.113.9"),
	    .client_name = SPAN("out7.mailer.example"),
	    .helo = SPAN("out7.mailer.example"),
	    .tls = SPAN("TLSv1.3"),
	    .mail_from = SPAN("bounce-17@mailer.example"),
	    .header_from = SPAN("Muster Supply <invoice@muster.example>"),
	    .from_domain = SPAN("muster.example"),
	    .message_id = SPAN("20261124.93@mailer.example"),
	    .size = 217088,
	    .nrcpt = 2,
	    .spf = SPAN("pass"),
	    .spf_domain = SPAN("mailer.example"),
	    .dkim = SPAN("fail:muster.example:k1:body hash differs"),
	    .dmarc = SPAN("fail"),
	    .dmarc_policy = SPAN("none"),
	    .dmarc_aligned = SPAN(""),
	    .degraded = SPAN("dnsbl:one,redis"),
	    .ms = 212,
	};

	r.rcpts.v = kit_rcpts;
	r.rcpts.n = sizeof kit_rcpts / sizeof *kit_rcpts;
	r.symbols.v = kit_symbols;
	r.symbols.n = sizeof kit_symbols / sizeof *kit_symbols;
	return r;
}

__attribute__((unused)) static bool
kit_append(struct verdictlog *log, uint64_t id, int64_t time)
{
	struct record r = kit_record(id, time);

	return verdictlog_append(log, &r);
}

/* Ids that a query gives, "1 2 3", in a buffer of the kit's user. */
struct kit_ids {
	char text[4096];
	size_t n;
	uint64_t first, last;
};

__attribute__((unused)) static bool
kit_take_id(void *arg, const struct record *record)
{
	struct kit_ids *ids = arg;
	size_t used = strlen(ids->text);

	if (!ids->n++)
		ids->first = record->id;
	ids->last = record->id;
	snprintf(ids->text + used, sizeof ids->text - used, "%s%llu",
	    used ? " " : "", (unsigned long long)record->id);
	return true;
}

__attribute__((unused)) static struct kit_ids
kit_read(struct kit *kit, const struct verdictlog_query *query)
{
	struct kit_ids ids = {0};
	struct err err = {0};

	CHECK_INT(
	    verdictlog_read(kit->folder, query, kit_take_id, &ids, &err), 0);
	CHECK_STR(span_of(err.text), "");
	return ids;
}

#define CHECK_IDS(kit, query, want)                                            \
	do {                                                                   \
		struct kit_ids ids_ = kit_read(kit, query);                    \
		CHECK_STR(span_of(ids_.text), want);                           \
	} while (0)

#endif
