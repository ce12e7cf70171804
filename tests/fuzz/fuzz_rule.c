/*
 * A rule file, read, finished and run on a fixed message. Time and memory stay
 * bounded, problems are printable, hits have scores that add up.
 */
#include <stdint.h>
#include <stdlib.h>

#include "filter/rule/rule.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char mail[] =
    "Received: from a.example by b.example; Mon, 1 Jan 2024 00:00:00 +0000\n"
    "From: \"Some One\" <one@example.com>\n"
    "To: two@example.net\n"
    "Subject: =?utf-8?q?caf=C3=A9?= aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!\n"
    "Content-Type: text/html; charset=utf-8\n"
    "\n"
    "<p>hello <a href=\"http://www.example.com/\">there</a> aaaaaaaaaaaa\n";

static struct rule_slot *slot; /* made once; nothing else runs here */

static struct rule_slot *
the_slot(struct scan *scan)
{
	(void)scan;
	return slot;
}

static int64_t
one(const void *state, struct scan *scan, const struct args *args)
{
	(void)state;
	(void)scan;
	return (int64_t)args->n + 1;
}

static void
check_problems(const struct rule_set *set)
{
	const struct rule_problems *problems = rule_set_problems(set);

	for (size_t i = 0; i < problems->n; i++)
		for (size_t k = 0; k < problems->v[i].text.len; k++)
			if (ascii_is_control(problems->v[i].text.p[k]) ||
			    ascii_is_8bit(problems->v[i].text.p[k]))
				abort();
}

static void
run(const struct rule_set *set, bool everything)
{
	struct arena *arena = arena_new(16 << 20);
	struct message_options options = message_options_default();
	struct rule_run_options how = {
	    .everything = everything, .slot = the_slot};
	struct message *m = message_new(arena, &options);
	struct rule_run *r = NULL;

	if (m && message_read(m, span_of(mail)) == 0)
		r = rule_run_new(set, m, NULL, &how, arena);
	if (r) {
		int64_t sum = 0;
		rule_run_all(r);
		const struct symbol_hits *hits = rule_run_hits(r);
		for (size_t i = 0; i < hits->n; i++) {
			sum += hits->v[i].score_milli;
			if (!(hits->v[i].count > 0))
				abort();
		}
		if (sum != rule_run_score(r))
			abort();
	}
	arena_free(arena);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rule_options options = {.network = size % 2,
	    .lint = size % 3 == 0,
	    .match_limit = 10000,
	    .match_ms = 50};
	struct rule_extern native = {
	    "NATIVE", "native", 100, one, NULL, RULE_FACT, false};
	struct rule_extern eval = {
	    "check", NULL, 0, one, NULL, RULE_NETWORK, false};
	struct rule_set *set = rule_set_new(&options);
	struct err err;

	if (!slot)
		slot = rule_slot_new();
	if (!set || !slot)
		exit(1);
	if (rule_bind_symbol(set, &native) == 0 &&
	    rule_bind_eval(set, &eval) == 0 &&
	    rule_read_text(
		set, "fuzz.cf", span_make((const char *)data, size)) == 0 &&
	    rule_set_finish(set, &err) == 0) {
		check_problems(set);
		run(set, false);
		run(set, true);
	}
	rule_set_free(set);
	return 0;
}
