/*
 * What the tests of reports need beside the programs. Prints what it is asked:
 *
 *	report_driver make FOLDER SEED N  N reports of hostile texts, SEED.xml ...
 *	report_driver shift FOLDER N	rows in the store of FOLDER are given to
 *					the day N days before, too
 *	report_driver rows FOLDER	the rows, "DAY N LINE", sorted by nothing
 *	report_driver fill FOLDER DAY DOMAIN N	adds N rows about a domain
 *	report_driver key FILE		makes a key for tests
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "filter/auth/report_row.h"
#include "filter/auth/sign_key.h"
#include "filter/base/clock.h"
#include "filter/store/store.h"

#define MS 60000
#define DAY_S INT64_C(86400)

/* --- hostile reports ----------------------------------------------------------- */

static uint64_t state;

static uint64_t
draw(uint64_t n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state % n;
}

static struct span
word(const char *words)
{
	struct span list = span_of(words), one;
	uint64_t n = 1;

	for (size_t i = 0; i < list.len; i++)
		n += list.p[i] == ' ';
	n = draw(n);
	do
		one = span_cut(&list, ' ');
	while (n--);
	return one;
}

static struct span
text(struct arena *arena)
{
	static const char *const pieces[] = {"<", ">", "&", "\"", "'", "]]>",
	    "<!--", "-->", "<![CDATA[", "&lt;", "&#0;", "<?x?>", "\r", "\n",
	    "\t", "\x01", "\x7f", "\xc2\x80", "\xff", "\xc3\xa4",
	    "\xef\xbf\xbe", "\xef\xbf\xbf", "\xed\xa0\x80", "\xf0\x9f\x98\x80",
	    "</feedback>", "a", "example.com", " ", "%s", "\xe2\x80\xae"};
	struct buf out;

	buf_init(&out, arena, 4096);
	for (uint64_t i = draw(8); i; i--)
		buf_add_str(&out, pieces[draw(sizeof pieces / sizeof *pieces)]);
	if (draw(16) == 0)
		buf_add_char(&out, '\0');
	return out.len ? buf_span(&out) : SPAN("");
}

static struct span
maybe(struct span value)
{
	return draw(2) ? value : SPAN_NONE;
}

static void
make_row(struct report_row *row, struct arena *a)
{
	*row = (struct report_row){
	    .source_ip = text(a),
	    .count = draw(3) ? draw(1000) : UINT64_MAX >> 1,
	    .disposition = word("none pass quarantine reject"),
	    .dkim = word("pass fail"),
	    .spf = word("pass fail"),
	    .header_from = text(a),
	    .envelope_from = maybe(text(a)),
	    .envelope_to = maybe(text(a)),
	};
	for (uint64_t i = draw(3); i; i--)
		*VEC_PUSH(a, &row->reasons) = (struct report_reason){
		    word("local_policy mailing_list other policy_test_mode"
			 " trusted_forwarder"),
		    maybe(text(a))};
	for (uint64_t i = draw(4); i; i--)
		*VEC_PUSH(a, &row->dkim_results) = (struct report_dkim){text(a),
		    text(a),
		    word("none pass fail policy neutral temperror permerror"),
		    maybe(text(a))};
	for (uint64_t i = draw(3); i; i--)
		*VEC_PUSH(a, &row->spf_results) =
		    (struct report_spf){text(a), maybe(SPAN("mfrom")),
			word("none pass fail softfail policy neutral temperror"
			     " permerror"),
			maybe(text(a))};
}

static void
make_report(struct report *r, struct arena *a)
{
	*r = (struct report){
	    .org_name = text(a),
	    .email = text(a),
	    .extra_contact = maybe(text(a)),
	    .report_id = text(a),
	    .generator = maybe(text(a)),
	    .begin = (int64_t)draw(2000000000) - 1,
	    .end = (int64_t)draw(2000000000) - 1,
	    .domain = text(a),
	    .discovery = maybe(word("psl treewalk")),
	    .p = word("none quarantine reject"),
	    .sp = maybe(word("none quarantine reject")),
	    .np = maybe(word("none quarantine reject")),
	    .adkim = maybe(word("r s")),
	    .aspf = maybe(word("r s")),
	    .fo = maybe(text(a)),
	    .testing = maybe(word("n y")),
	};
	for (uint64_t i = draw(3); i; i--)
		*VEC_PUSH(a, &r->errors) = text(a);
	for (uint64_t i = 1 + draw(5); i; i--) {
		struct report_row row;
		make_row(&row, a);
		*VEC_PUSH(a, &r->rows) = row;
	}
}

/* The same seed makes the same report. */
static bool
make_one(const char *folder, uint64_t seed)
{
	struct arena *arena = arena_new(0);
	struct report report;
	char path[4096];
	struct buf out;

	state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
	for (int i = 0; i < 16; i++)
		(void)draw(2);
	make_report(&report, arena);
	buf_init(&out, arena, 1 << 20);
	bool good = report_write(&report, &out) == 0;
	snprintf(path, sizeof path, "%s/%08" PRIu64 ".xml", folder, seed);
	FILE *file = fopen(path, "w");
	good = good && file && fwrite(out.p, 1, out.len, file) == out.len;
	good = file && fclose(file) == 0 && good;
	arena_free(arena);
	return good;
}

static int
make(char **argv)
{
	uint64_t first = strtoull(argv[1], NULL, 10);
	uint64_t n = strtoull(argv[2], NULL, 10);

	for (uint64_t i = 0; i < n; i++)
		if (!make_one(argv[0], first + i))
			return 1;
	return 0;
}

/* --- the store ------------------------------------------------------------------ */

static struct store *
open_store(const char *folder, bool read_only)
{
	struct store_options options = {
	    .url = SPAN("lmdb:"),
	    .folder = span_of(folder),
	    .timeout_ms = 1000,
	    .queue_max = (size_t)1 << 24,
	    .readers = 8,
	    .read_only = read_only,
	};
	struct store *store;
	struct err err;

	if (store_open(&options, &store, &err)) {
		fprintf(stderr, "%s\n", err.text);
		exit(1);
	}
	return store;
}

struct listed {
	struct span name, value;
};
struct list {
	struct arena *arena;
	struct listed_items VEC(struct listed) v;
};

static bool
keep(void *arg, const struct store_entry *entry)
{
	struct list *list = arg;

	*VEC_PUSH(list->arena, &list->v) =
	    (struct listed){arena_span(list->arena, entry->name),
		arena_span(list->arena, entry->value)};
	return true;
}

static void
list_rows(struct store *store, struct list *list)
{
	struct err err;

	if (store_each(store, STORE_REPORT, SPAN_NONE, clock_wall(),
		clock_deadline(MS), keep, list, &err))
		exit(1);
}

static int64_t
count_of(struct store *store, struct span name)
{
	struct store_key key = {STORE_REPORTED, name};
	struct store_counts counts;
	struct err err;

	if (store_get(store, &key, 1, clock_wall(), clock_deadline(MS), NULL,
		&counts, &err))
		exit(1);
	return counts.v[0];
}

static void
add(struct store *store, const struct report_entry *entry, int64_t day,
    int64_t count)
{
	char name[REPORT_ENTRY_NAME_MAX], value[REPORT_ENTRY_MAX];
	size_t name_len, value_len;
	int64_t expires = clock_wall() + 30 * DAY_S;

	report_entry_write(entry, day, name, &name_len, value, &value_len);
	struct store_op ops[] = {
	    {.verb = STORE_PUT,
		.key = {STORE_REPORT, {name, name_len}},
		.value = {value, value_len},
		.expires = expires},
	    {.verb = STORE_ADD,
		.key = {STORE_REPORTED, {name, name_len}},
		.add = {{count, 0}},
		.expires = expires},
	};
	store_later(store, ops, 2);
}

static int
shift(const char *folder, const char *days, struct arena *arena)
{
	struct store *store = open_store(folder, false);
	struct list list = {.arena = arena};

	list_rows(store, &list);
	for (size_t i = 0; i < list.v.n; i++) {
		struct report_entry entry;
		struct span name = list.v.v[i].name, day = name;
		int64_t number;
		day = span_cut(&day, ':');
		if (report_entry_read(&entry, list.v.v[i].value, arena) ||
		    span_to_i64(day, &number))
			return 1;
		add(store, &entry, number - atoll(days), count_of(store, name));
	}
	store_close(store);
	return 0;
}

static void
print_text(const char *before, struct span text)
{
	printf("%s%.*s", before, SPAN_ARG(text));
}

static int
rows(const char *folder, struct arena *arena)
{
	struct store *store = open_store(folder, true);
	struct list list = {.arena = arena};

	list_rows(store, &list);
	for (size_t i = 0; i < list.v.n; i++) {
		struct report_entry e;
		struct span name = list.v.v[i].name, day = name;
		if (report_entry_read(&e, list.v.v[i].value, arena))
			return 1;
		print_text("", span_cut(&day, ':'));
		printf(" %" PRId64, count_of(store, name));
		print_text(" ", e.policy.domain);
		print_text(" ", e.row.source_ip);
		print_text(" ", e.row.disposition);
		print_text(" dkim=", e.row.dkim);
		print_text(" spf=", e.row.spf);
		print_text(" from=", e.row.header_from);
		putchar('\n');
	}
	store_close(store);
	return 0;
}

static int
fill(char **argv, struct arena *arena)
{
	struct store *store = open_store(argv[0], false);
	int64_t day = atoll(argv[1]);
	long n = atol(argv[3]);

	for (long i = 0; i < n; i++) {
		struct report_entry entry = {
		    .policy =
			{
			    .domain = span_of(argv[2]),
			    .p = SPAN("none"),
			    .sp = SPAN("none"),
			    .np = SPAN("none"),
			    .adkim = SPAN("r"),
			    .aspf = SPAN("r"),
			    .fo = SPAN("0"),
			    .testing = SPAN("n"),
			},
		    .row =
			{
			    .source_ip =
				arena_printf(arena, "192.0.2.%ld", i % 256),
			    .disposition = SPAN("none"),
			    .dkim = SPAN("fail"),
			    .spf = SPAN("fail"),
			    .header_from =
				arena_printf(arena, "n%ld.%s", i, argv[2]),
			    .envelope_from = SPAN(""),
			},
		    .seen = day * DAY_S + i % DAY_S,
		};
		add(store, &entry, day, i + 1);
	}
	if (store_flush(store, clock_deadline(MS)))
		return 1;
	store_close(store);
	return 0;
}

static int
key(const char *path)
{
	struct sign_key *made;
	struct buf pem;
	struct err err;
	FILE *out = fopen(path, "w");

	buf_init(&pem, NULL, 4096);
	if (!out || sign_key_make(SIGN_ED25519_SHA256, 0, &made, &err) ||
	    sign_key_pem(made, &pem))
		return 1;
	fwrite(pem.p, 1, pem.len, out);
	sign_key_free(made);
	buf_done(&pem);
	return fclose(out) != 0;
}

int
main(int argc, char **argv)
{
	struct arena *arena = arena_new(0);
	int status = 64;

	if (argc == 5 && strcmp(argv[1], "make") == 0)
		status = make(argv + 2);
	else if (argc == 4 && strcmp(argv[1], "shift") == 0)
		status = shift(argv[2], argv[3], arena);
	else if (argc == 3 && strcmp(argv[1], "rows") == 0)
		status = rows(argv[2], arena);
	else if (argc == 6 && strcmp(argv[1], "fill") == 0)
		status = fill(argv + 2, arena);
	else if (argc == 3 && strcmp(argv[1], "key") == 0)
		status = key(argv[2]);
	arena_free(arena);
	return status;
}
