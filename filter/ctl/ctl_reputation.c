#include <stdlib.h>

#include "filter/base/clock.h"
#include "filter/ctl/ctl.h"
#include "filter/ctl/json.h"
#include "filter/learn/repute.h"
#include "filter/state.h"

/*
 * assay reputation show: what the store knows of a sender, week by week, and
 * what follows from it. It reads the store itself and changes nothing.
 */

#define STORE_MS 5000

enum { OPT_JSON };

static const struct ctl_option show_options[] = {
    [OPT_JSON] = {"json", 0, NULL, "one object"},
    {0},
};

struct show {
	bool json;
	json_t *list;
};

static int
take(void *arg, int index, const char *value)
{
	(void)index;
	(void)value;
	((struct show *)arg)->json = true;
	return 0;
}

static void
print_week(const struct repute_week *week)
{
	time_t begins = (time_t)week->begins;
	struct tm tm;

	if (!gmtime_r(&begins, &tm))
		return;
	printf("  week of %04d-%02d-%02d  %6lld bad  %6lld good\n",
	    tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, (long long)week->bad,
	    (long long)week->good);
}

static void
show_text(enum repute_subject subject, const struct repute_standing *s,
    const struct repute_week weeks[REPUTE_PERIODS])
{
	printf("%s ", repute_subject_name(subject));
	ctl_print_safe(stdout, s->key);
	if (s->bad + s->good <= 0) {
		puts(": nothing known");
		return;
	}
	printf(": %.1f bad, %.1f good after decay; badness %.2f, confidence"
	       " %.2f\n",
	    s->bad, s->good, s->badness, s->confidence);
	for (int i = 0; i < REPUTE_PERIODS; i++)
		if (weeks[i].bad || weeks[i].good)
			print_week(&weeks[i]);
}

static void
show_json(struct show *show, enum repute_subject subject,
    const struct repute_standing *s,
    const struct repute_week weeks[REPUTE_PERIODS])
{
	json_t *list = json_array();

	for (int i = 0; i < REPUTE_PERIODS; i++)
		if (weeks[i].bad || weeks[i].good)
			json_array_append_new(
			    list, json_pack("{s:I, s:I, s:I}", "begins",
				      (json_int_t)weeks[i].begins, "bad",
				      (json_int_t)weeks[i].bad, "good",
				      (json_int_t)weeks[i].good));
	json_t *one = json_pack("{s:s, s:f, s:f, s:f, s:f}", "subject",
	    repute_subject_name(subject), "bad", s->bad, "good", s->good,
	    "badness", s->badness, "confidence", s->confidence);
	json_set(one, "key", json_text(s->key));
	json_set(one, "weeks", list);
	json_array_append_new(show->list, one);
}

static int
show_one(struct show *show, struct store *store, enum repute_subject subject,
    struct span key, struct arena *arena, struct err *err)
{
	struct repute_week weeks[REPUTE_PERIODS];
	struct repute_standing standing;
	int rc = repute_show(store, subject, key, clock_wall(),
	    clock_deadline(STORE_MS), arena, weeks, &standing, err);

	if (rc)
		return rc;

	if (show->json)
		show_json(show, subject, &standing, weeks);
	else
		show_text(subject, &standing, weeks);
	return 0;
}

/* A domain may be one of SPF and of DMARC; an address is in a prefix. */
static int
show_all(struct show *show, struct store *store, const struct repute_key *key,
    struct arena *arena, struct err *err)
{
	struct repute_sender sender = {0};
	int rc = show_one(show, store, key->subject, key->text, arena, err);

	if (rc == 0 && key->subject == REPUTE_ALIGNED)
		rc = show_one(show, store, REPUTE_SPF, key->text, arena, err);
	if (rc == 0 && key->subject == REPUTE_ADDRESS &&
	    ip_parse(key->text, &sender.ip) == 0)
		rc = show_one(show, store, REPUTE_PREFIX,
		    repute_text(&sender, REPUTE_PREFIX, arena), arena, err);
	return rc;
}

static int
open_and_show(struct ctl *ctl, struct show *show, const char *text,
    const struct settings *settings, struct arena *arena)
{
	struct repute_key key;
	struct store *store;
	struct err err;

	if (repute_key_parse(span_of(text), arena, &key, &err))
		return ctl_fail(ctl, EX_USAGE, "%s", err.text);
	int rc = state_open_store(settings, true, &store, &err);
	if (rc)
		return ctl_fail(ctl, rc == ERR_ACCESS ? EX_NOPERM : EX_NOINPUT,
		    "%s", err.text);
	rc = show_all(show, store, &key, arena, &err);
	store_close(store);
	return rc ? ctl_fail(ctl, EX_UNAVAILABLE, "%s", err.text) : EX_OK;
}

static int
run_show(struct ctl *ctl, int argc, char **argv)
{
	struct settings_source source = ctl_source(ctl);
	struct show show = {0};
	int status;
	int n = ctl_options(ctl, argc, argv, take, &show, &status);

	if (n < 0)
		return status;
	if (n != 2)
		return ctl_usage(ctl);
	source.no_rules = true;
	struct snapshot *snapshot = snapshot_load(&source, ctl_report, NULL);
	if (!snapshot)
		return EX_CONFIG;
	struct arena *arena = arena_new(0);
	show.list = json_array();
	status = arena ? open_and_show(
			     ctl, &show, argv[1], &snapshot->settings, arena)
		       : EX_OSERR;
	if (status == EX_OK && show.json)
		json_print(stdout, json_incref(show.list));
	json_decref(show.list);
	arena_free(arena);
	snapshot_unref(snapshot);
	return status;
}

const struct ctl_command ctl_reputation_commands[] = {
    {
	.name = "show",
	.args = "KEY",
	.help = "evidence about an address, a prefix or a domain",
	.options = show_options,
	.run = run_show,
    },
    {0},
};
