#include "filter/ctl/ctl.h"
#include "filter/ctl/report_table.h"
#include "filter/ctl/source.h"

/*
 * assay report read: aggregate reports that others sent about our domains,
 * from files as they come: mails, archives, XML. A file that is none, or that
 * is past a limit, is named, and the others are read all the same.
 */

/* For one file: packed, unpacked, and its rows. */
#define FILE_BUDGET ((size_t)768 << 20)
/* For all: a mailbox whole, and the sums. */
#define MAILBOX_MAX ((size_t)128 << 20)
#define SUMS_BUDGET ((size_t)256 << 20)

enum { OPT_JSON, OPT_SUMS };

static const struct ctl_option options[] = {
    [OPT_JSON] = {"json", 0, NULL, "one object per report"},
    [OPT_SUMS] = {"sums", 0, NULL, "the sums over all reports alone"},
    {0},
};

struct report_reader {
	const struct ctl *ctl;
	bool json, sums_only;
	struct source_list list;
	struct report_sums sums;
	struct arena *arena; /* of one file */
	int status;
};

static int
take(void *arg, int index, const char *value)
{
	struct report_reader *reader = arg;

	(void)value;
	if (index == OPT_JSON)
		reader->json = true;
	else
		reader->sums_only = true;
	return 0;
}

static int
status_of(int rc)
{
	return rc == ERR_NOMEM ? EX_OSERR : EX_DATAERR;
}

/* Names a file that could not be read; the worst status is the command's. */
static void
complain(
    struct report_reader *reader, const char *name, int status, const char *why)
{
	ctl_fail(reader->ctl, status, "%s: %s", name, why);
	if (reader->status == EX_OK || status == EX_OSERR)
		reader->status = status;
}

static void
show(
    struct report_reader *reader, const char *name, const struct report *report)
{
	if (reader->json) {
		report_print_json(name, report);
		return;
	}
	int rc = report_sums_add(&reader->sums, report);
	if (rc == ERR_STATE) {
		/* Known already: nothing is wrong with that. */
		ctl_fail(reader->ctl, EX_OK, "%s: the same report again", name);
		return;
	}
	if (rc)
		complain(reader, name, EX_OSERR, "out of memory");
	else if (!reader->sums_only)
		report_print(name, report);
}

/* All reports of a file; a bad one does not hide the others beside it. */
static void
read_texts(struct report_reader *reader, const char *name,
    const struct report_texts *texts)
{
	for (size_t i = 0; i < texts->n; i++) {
		struct report report;
		struct err err;
		int rc = report_read(&report, texts->v[i], reader->arena, &err);
		if (rc)
			complain(reader, name, status_of(rc), err.text);
		else
			show(reader, name, &report);
	}
}

static void
read_item(struct report_reader *reader, const struct source_item *item)
{
	struct report_texts texts;
	struct span file;
	struct err err;

	if (source_read_max(
		item, REPORT_PACKED_MAX, reader->arena, &file, &err)) {
		/* The error names the file. */
		ctl_fail(reader->ctl, EX_NOINPUT, "%s", err.text);
		reader->status =
		    reader->status == EX_OK ? EX_DATAERR : reader->status;
		return;
	}
	int rc = report_unpack(&texts, file, reader->arena, &err);
	if (rc)
		complain(reader, item->name, status_of(rc), err.text);
	else
		read_texts(reader, item->name, &texts);
}

static void
add_sources(struct report_reader *reader, int argc, char **argv)
{
	struct err err;

	for (int i = 1; i < argc; i++) {
		if (source_add(&reader->list, argv[i], &err) == 0)
			continue;
		ctl_fail(reader->ctl, EX_NOINPUT, "%s", err.text);
		reader->status = EX_DATAERR;
	}
}

static int
read_all(struct report_reader *reader, int argc, char **argv)
{
	add_sources(reader, argc, argv);
	for (size_t i = 0; i < reader->list.items.n; i++) {
		read_item(reader, &reader->list.items.v[i]);
		arena_reset(reader->arena);
	}
	if (!reader->json) {
		report_sums_sort(&reader->sums);
		report_sums_print(&reader->sums);
	}
	return reader->status;
}

static int
run(struct ctl *ctl, int argc, char **argv)
{
	struct report_reader reader = {.ctl = ctl, .status = EX_OK};
	int status;
	int n = ctl_options(ctl, argc, argv, take, &reader, &status);

	if (n < 0)
		return status;
	if (n < 2)
		return ctl_usage(ctl);
	struct arena *sums = arena_new(SUMS_BUDGET);
	reader.arena = arena_new(FILE_BUDGET);
	reader.list.arena = arena_new(3 * MAILBOX_MAX);
	reader.list.size_max = MAILBOX_MAX;
	report_sums_init(&reader.sums, sums);
	status = sums && reader.arena && reader.list.arena
		     ? read_all(&reader, n, argv)
		     : ctl_fail(ctl, EX_OSERR, "out of memory");
	arena_free(reader.list.arena);
	arena_free(reader.arena);
	arena_free(sums);
	return status;
}

const struct ctl_command ctl_report_read_command = {"read",
    "FILE, FOLDER, MAILDIR, MBOX or -...",
    "received aggregate reports: who sent mail in our name", options, run,
    NULL};
