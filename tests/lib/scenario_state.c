#include "tests/lib/scenario_state.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "filter/auth/report_row.h"
#include "filter/auth/sign_key.h"
#include "filter/base/clock.h"
#include "filter/train.h"

/* Reads and writes through the same functions as the product. */

#define PATIENCE_MS 10000

static bool
because(struct scenario_why *why, const char *what, struct span text)
{
	snprintf(why->text, sizeof why->text, "%s: %.*s", what, SPAN_ARG(text));
	return false;
}

/* --- the verdict log -------------------------------------------------------------- */

struct newest {
	struct record *record;
	uint64_t n;
};

static bool
keep(void *arg, const struct record *record)
{
	struct newest *newest = arg;

	if (newest->n++ == 0)
		newest->record = record_copy(record);
	return true;
}

static bool
field_is(const struct record *r, struct span name, struct span want,
    struct scenario_why *why)
{
	char number[32];

	for (const struct record_field *f = record_fields; f->name; f++) {
		if (!span_is(name, f->name))
			continue;
		struct span got = SPAN_NONE;
		if (f->type == RECORD_TEXT) {
			got = record_text(r, f);
		} else {
			snprintf(number, sizeof number, "%" PRId64,
			    record_int(r, f));
			got = span_of(number);
		}
		if (!got.p && span_is(want, "-"))
			return true;
		return span_eq(got, want) || because(why, "it is", got);
	}
	return because(why, "no such field", name);
}

static bool
rcpt_is(const struct record *r, struct span addr, struct span action,
    struct scenario_why *why)
{
	for (size_t i = 0; i < r->rcpts.n; i++)
		if (span_eq(r->rcpts.v[i].addr, addr))
			return span_eq(r->rcpts.v[i].action, action) ||
			       because(why, "it is", r->rcpts.v[i].action);
	return because(why, "no such recipient", addr);
}

static bool
symbol_is(const struct record *r, struct span name, struct span text,
    struct scenario_why *why)
{
	for (size_t i = 0; i < r->symbols.n; i++)
		if (span_eq(r->symbols.v[i].name, name))
			return span_find(r->symbols.v[i].evidence, text, 0) !=
				   SPAN_NPOS ||
			       because(why, "it is", r->symbols.v[i].evidence);
	return because(why, "no such symbol", name);
}

static bool
check(const struct newest *newest, struct span what, struct span first,
    struct span rest, struct scenario_why *why)
{
	char number[32];

	if (span_is(what, "records")) {
		snprintf(number, sizeof number, "%" PRIu64, newest->n);
		return span_is(first, number) ||
		       because(why, "there are", span_of(number));
	}
	if (!newest->record)
		return because(why, "no record", SPAN(""));
	if (span_is(what, "record"))
		return field_is(newest->record, first, rest, why);
	if (span_is(what, "rcpt"))
		return rcpt_is(newest->record, first, rest, why);
	return symbol_is(newest->record, first, rest, why);
}

bool
scenario_record(struct daemon *daemon, const char *folder, struct span what,
    struct span args, struct scenario_why *why)
{
	struct verdictlog_query query = {.newest_first = true};
	struct newest newest = {0};
	char path[512];
	struct err err;

	snprintf(path, sizeof path, "%s/" STATE_VERDICTS, folder);
	if (verdictlog_flush(daemon->log, clock_deadline(PATIENCE_MS)))
		return because(why, "the log was not written", SPAN(""));
	if (verdictlog_read(path, &query, keep, &newest, &err))
		return because(why, "cannot be read", span_of(err.text));
	struct span first = span_word(&args);
	bool good = check(&newest, what, first, span_trim_left(args), why);
	free(newest.record);
	return good;
}

/* --- the store ------------------------------------------------------------------------ */

struct marks {
	struct repute_key key;
	uint64_t bad, good;
};

static bool
read_marks(struct span args, struct arena *arena, struct marks *ret,
    struct scenario_why *why)
{
	struct span key = span_word(&args), bad = span_word(&args);
	struct err err;

	if (repute_key_parse(key, arena, &ret->key, &err))
		return because(why, "bad key", span_of(err.text));
	if (span_to_u64(bad, &ret->bad) ||
	    span_to_u64(span_trim(args), &ret->good))
		return because(why, "no KEY BAD GOOD", args);
	return true;
}

static bool
compare_marks(struct daemon *daemon, struct span args, struct arena *arena,
    struct scenario_why *why)
{
	struct repute_week weeks[REPUTE_PERIODS];
	struct repute_standing standing;
	struct marks want;
	char got[64];
	struct err err;

	if (!read_marks(args, arena, &want, why))
		return false;
	if (store_flush(daemon->store, clock_deadline(PATIENCE_MS)) ||
	    repute_show(daemon->store, want.key.subject, want.key.text,
		clock_wall(), clock_deadline(PATIENCE_MS), arena, weeks,
		&standing, &err))
		return because(why, "the store", SPAN("failed"));
	snprintf(got, sizeof got, "%" PRId64 " %" PRId64, weeks[0].bad,
	    weeks[0].good);
	return (weeks[0].bad == (int64_t)want.bad &&
		   weeks[0].good == (int64_t)want.good) ||
	       because(why, "marks are", span_of(got));
}

bool
scenario_marks(
    struct daemon *daemon, struct span args, struct scenario_why *why)
{
	struct arena *arena = arena_new(0);
	bool good = compare_marks(daemon, args, arena, why);

	arena_free(arena);
	return good;
}

bool
scenario_mark(struct daemon *daemon, struct span args, struct scenario_why *why)
{
	struct arena *arena = arena_new(0);
	struct repute_sender sender = {0};
	struct marks marks;
	bool good = read_marks(args, arena, &marks, why);

	if (good && marks.key.subject == REPUTE_ADDRESS)
		good = ip_parse(marks.key.text, &sender.ip) == 0;
	else if (good)
		sender.aligned_domain = marks.key.text;
	for (uint64_t i = 0; good && i < marks.bad; i++)
		repute_note(
		    daemon->store, &sender, true, false, clock_wall(), arena);
	for (uint64_t i = 0; good && i < marks.good; i++)
		repute_note(
		    daemon->store, &sender, false, true, clock_wall(), arena);
	if (good && store_flush(daemon->store, clock_deadline(PATIENCE_MS)))
		good = because(why, "the store", SPAN("failed"));
	arena_free(arena);
	return good;
}

bool
scenario_train(struct daemon *daemon, struct span class, uint64_t times,
    struct span text, struct scenario_why *why)
{
	struct arena *arena = arena_new(0);
	enum bayes_class which;
	enum bayes_change change;
	struct err err = {.text = "no class"};
	bool good = train_class(class, &which);

	for (uint64_t i = 0; good && i < times; i++)
		good = train_text(daemon->store,
			   arena_printf(arena, "%.*s\nnumber %" PRIu64 "\n",
			       SPAN_ARG(text), i),
			   which, clock_wall(), &change, &err) == 0;
	if (!good)
		because(why, "training", span_of(err.text));
	arena_free(arena);
	return good;
}

/* --- private keys ------------------------------------------------------------------ */

static bool
write_key(const char *path, const struct sign_key *key)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	struct buf pem;
	bool good;

	buf_init(&pem, NULL, 65536);
	good = fd >= 0 && sign_key_pem(key, &pem) == 0 &&
	       write(fd, pem.p, pem.len) == (ssize_t)pem.len;
	buf_done(&pem);
	if (fd >= 0)
		close(fd);
	return good;
}

bool
scenario_key(const char *folder, struct span args, struct scenario_why *why)
{
	struct span name = span_word(&args);
	bool rsa = span_is(span_trim(args), "rsa");
	struct span domain = span_head(name, span_find_char(name, '/'));
	struct sign_key *key = NULL;
	char path[512];
	struct err err;

	snprintf(path, sizeof path, "%s/keys", folder);
	(void)mkdir(path, 0700);
	snprintf(path, sizeof path, "%s/keys/%.*s", folder, SPAN_ARG(domain));
	(void)mkdir(path, 0700);
	snprintf(path, sizeof path, "%s/keys/%.*s.pem", folder, SPAN_ARG(name));
	if (sign_key_make(
		rsa ? SIGN_RSA_SHA256 : SIGN_ED25519_SHA256, 1024, &key, &err))
		return because(why, "no key", span_of(err.text));
	bool good = write_key(path, key);
	sign_key_free(key);
	return good || because(why, "cannot write", span_of(path));
}

/* --- rows of reports --------------------------------------------------------------- */

struct report_search {
	struct store *store;
	struct arena *arena;
	struct span want;
	struct buf all; /* what there is */
	bool found;
	uint64_t n;
};

static void
describe_lists(const struct report_row *row, struct buf *out)
{
	for (size_t i = 0; i < row->reasons.n; i++) {
		const struct report_reason *r = &row->reasons.v[i];
		buf_printf(out, " reason=%.*s", SPAN_ARG(r->type));
		if (r->comment.p)
			buf_printf(out, "(%.*s)", SPAN_ARG(r->comment));
	}
	for (size_t i = 0; i < row->spf_results.n; i++) {
		const struct report_spf *s = &row->spf_results.v[i];
		buf_printf(out, " spf:%.*s=%.*s", SPAN_ARG(s->domain),
		    SPAN_ARG(s->result));
	}
	for (size_t i = 0; i < row->dkim_results.n; i++) {
		const struct report_dkim *d = &row->dkim_results.v[i];
		buf_printf(out, " dkim:%.*s/%.*s=%.*s", SPAN_ARG(d->domain),
		    SPAN_ARG(d->selector), SPAN_ARG(d->result));
	}
}

/* "COUNT DOMAIN P/SP/NP ADKIM/ASPF FO T IP DISPOSITION dkim=D spf=S from=F
 * env=E", then reason=TYPE(COMMENT), spf:DOMAIN=RESULT,
 * dkim:DOMAIN/SELECTOR=RESULT. */
static void
describe_row(const struct report_entry *e, struct buf *out)
{
	const struct report *p = &e->policy;
	const struct report_row *row = &e->row;

	buf_printf(out,
	    "%llu %.*s %.*s/%.*s/%.*s %.*s/%.*s fo=%.*s t=%.*s %.*s %.*s",
	    (unsigned long long)row->count, SPAN_ARG(p->domain), SPAN_ARG(p->p),
	    SPAN_ARG(p->sp), SPAN_ARG(p->np), SPAN_ARG(p->adkim),
	    SPAN_ARG(p->aspf), SPAN_ARG(p->fo), SPAN_ARG(p->testing),
	    SPAN_ARG(row->source_ip), SPAN_ARG(row->disposition));
	buf_printf(out, " dkim=%.*s spf=%.*s from=%.*s env=%.*s",
	    SPAN_ARG(row->dkim), SPAN_ARG(row->spf), SPAN_ARG(row->header_from),
	    SPAN_ARG(row->envelope_from));
	describe_lists(row, out);
}

static bool
search_row(void *arg, const struct store_entry *entry)
{
	struct report_search *search = arg;
	struct report_entry row;
	size_t before = search->all.len;

	if (report_entry_read(&row, entry->value, search->arena))
		return false;
	struct store_key key = {
	    STORE_REPORTED, arena_span(search->arena, entry->name)};
	struct store_counts counts = {{-1, -1}};
	if (store_get(search->store, &key, 1, clock_wall(), CLOCK_NEVER, NULL,
		&counts, NULL))
		return false;
	row.row.count = (uint64_t)counts.v[0];
	search->n++;
	describe_row(&row, &search->all);
	struct span one = span_skip(buf_span(&search->all), before);
	search->found =
	    search->found || span_find(one, search->want, 0) != SPAN_NPOS;
	buf_add_char(&search->all, '\n');
	return true;
}

bool
scenario_reported(struct daemon *daemon, struct span what, struct span args,
    struct scenario_why *why)
{
	struct report_search search = {
	    .store = daemon->store, .arena = arena_new(0), .want = args};
	char number[32];
	bool good;
	struct err err;

	buf_init(&search.all, search.arena, (size_t)1 << 20);
	if (store_flush(daemon->store, clock_deadline(PATIENCE_MS)) ||
	    store_each(daemon->store, STORE_REPORT, SPAN_NONE, clock_wall(),
		clock_deadline(PATIENCE_MS), search_row, &search, &err)) {
		good = because(why, "the store", SPAN("failed"));
	} else if (span_is(what, "reports")) {
		snprintf(number, sizeof number, "%" PRIu64, search.n);
		good = span_is(args, number) ||
		       because(why, "there are", span_of(number));
	} else {
		good = search.found ||
		       because(why, "the rows are", buf_span(&search.all));
	}
	arena_free(search.arena);
	return good;
}
