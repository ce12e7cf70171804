#include "filter/ctl/ctl.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "filter/base/clock.h"
#include "filter/ctl/call.h"
#include "filter/ctl/learn_eval.h"
#include "filter/ctl/source.h"
#include "filter/privilege.h"
#include "filter/state.h"
#include "filter/train.h"

/*
 * assay learn: trains the site's learner. While assayd runs it does the work
 * and is given each message as an open file; else the command writes into the
 * store itself, under the state folder's lock.
 */

#define LOCK_WAIT_MS 5000
#define STATS_MS 30000
#define CHANGES 5

struct learn {
	struct ctl *ctl;
	enum bayes_class class;
	const char *word; /* of the class */
	struct snapshot *snapshot;
	struct source_list list;
	struct arena *arena; /* for one message */
	bool daemon;         /* there is one: it answered */
	struct store *store; /* without one */
	int lock;
	size_t changes[CHANGES]; /* messages, by enum bayes_change */
	int worst;
};

static int
no_option(void *arg, int index, const char *value)
{
	(void)arg;
	(void)index;
	(void)value;
	return EX_USAGE;
}

/* --- one message, by the daemon ------------------------------------------------- */

static bool
change_of(const char *word, enum bayes_change *ret)
{
	for (int c = 0; word && c < CHANGES; c++) {
		if (strcmp(word, train_change_name((enum bayes_change)c)) ==
		    0) {
			*ret = (enum bayes_change)c;
			return true;
		}
	}
	return false;
}

static int
ask(struct learn *learn, int fd, enum bayes_change *ret)
{
	char request[64];
	json_t *reply;

	snprintf(request, sizeof request,
	    "{\"request\":\"learn\",\"class\":\"%s\"}\n", learn->word);
	/* The first that cannot be asked only says that there is no daemon. */
	int status = call_daemon(learn->ctl, learn->snapshot->settings.control,
	    request, fd, !learn->daemon, &reply);
	if (status)
		return status;
	learn->daemon = true;
	status = call_error(learn->ctl, reply);
	const char *word = json_string_value(json_object_get(reply, "change"));
	if (status == EX_OK && !change_of(word, ret))
		status = ctl_fail(
		    learn->ctl, EX_PROTOCOL, "assayd's answer says no change");
	json_decref(reply);
	return status;
}

static int
learn_by_daemon(
    struct learn *learn, const struct source_item *item, enum bayes_change *ret)
{
	struct err err = {0};
	int fd;

	if (item->path) {
		fd = open(item->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
		if (fd < 0)
			err_set_errno(&err, errno, "%s", item->path);
	} else {
		fd = call_file(item->text, &err);
	}
	if (fd < 0)
		return ctl_fail(learn->ctl, EX_NOINPUT, "%s", err.text);
	int status = ask(learn, fd, ret);
	close(fd);
	return status;
}

/* --- one message, by ourselves ---------------------------------------------------- */

/*
 * The daemon shall find nothing there that it cannot open: root makes the folder
 * as a start of assayd would, and the files as the folder's owner.
 */
static int
open_store(struct learn *learn)
{
	const struct settings *settings = &learn->snapshot->settings;
	struct privilege privilege;
	char path[4096];
	struct err err;

	if (span_copy(settings->state, path, sizeof path) &&
	    privilege_find(NULL, &privilege, &err) == 0)
		privilege_make_folder(&privilege, path, STATE_MODE);
	int rc = state_make(settings, &err);
	if (rc == 0) {
		privilege_borrow(path);
		rc = state_lock(settings, LOCK_WAIT_MS, &learn->lock, &err);
		if (rc == 0)
			rc = state_open_store(
			    settings, false, &learn->store, &err);
		privilege_return();
	}
	if (rc)
		return ctl_fail(learn->ctl,
		    rc == ERR_ACCESS ? EX_NOPERM : EX_UNAVAILABLE, "%s",
		    err.text);
	return EX_OK;
}

static int
learn_by_ourselves(
    struct learn *learn, const struct source_item *item, enum bayes_change *ret)
{
	struct span text;
	struct err err;

	if (source_read(item, learn->arena, &text, &err))
		return ctl_fail(learn->ctl, EX_NOINPUT, "%s", err.text);
	if (train_text(
		learn->store, text, learn->class, clock_wall(), ret, &err))
		return ctl_fail(
		    learn->ctl, EX_UNAVAILABLE, "%s: %s", item->name, err.text);
	return EX_OK;
}

/* --- all of them -------------------------------------------------------------------- */

/* Whether a later message may fare better. */
static bool
worth_going_on(int status)
{
	return status == EX_OK || status == EX_NOINPUT;
}

static int
learn_one(
    struct learn *learn, const struct source_item *item, enum bayes_change *ret)
{
	if (!learn->store) {
		int status = learn_by_daemon(learn, item, ret);
		if (status != EX_UNAVAILABLE || learn->daemon)
			return status;
		status = open_store(learn);
		if (status)
			return status;
	}
	return learn_by_ourselves(learn, item, ret);
}

static void
learn_all(struct learn *learn)
{
	for (size_t i = 0; i < learn->list.items.n; i++) {
		enum bayes_change change;
		int status = learn_one(learn, &learn->list.items.v[i], &change);
		arena_reset(learn->arena);
		if (status == EX_OK)
			learn->changes[change]++;
		else
			learn->worst = status;
		if (!worth_going_on(status))
			return;
	}
}

static void
print_summary(const struct learn *learn)
{
	const char *separator = "";

	for (int c = 0; c < CHANGES; c++) {
		/* What this class of training can say, also when it is 0. */
		bool forget = learn->class == BAYES_FORGET;
		bool fits =
		    forget == (c == BAYES_FORGOTTEN || c == BAYES_UNKNOWN);
		if (!fits)
			continue;
		printf("%s%s %zu", separator,
		    train_change_name((enum bayes_change)c), learn->changes[c]);
		separator = ", ";
	}
	putchar('\n');
}

static int
add_sources(struct learn *learn, int argc, char **argv)
{
	struct err err;

	for (int i = 1; i < argc || i == 1; i++)
		if (source_add(&learn->list, i < argc ? argv[i] : "-", &err))
			return ctl_fail(learn->ctl, EX_NOINPUT, "%s", err.text);
	return EX_OK;
}

static struct snapshot *
load(const struct ctl *ctl)
{
	struct settings_source source = ctl_source(ctl);

	source.no_rules = true;
	return snapshot_load(&source, ctl_report, NULL);
}

static int
learn_sources(struct learn *learn, int argc, char **argv)
{
	int status = add_sources(learn, argc, argv);

	if (status)
		return status;
	learn->snapshot = load(learn->ctl);
	if (!learn->snapshot)
		return EX_CONFIG;
	learn_all(learn);
	print_summary(learn);
	store_close(learn->store);
	if (learn->lock >= 0)
		close(learn->lock);
	snapshot_unref(learn->snapshot);
	return learn->worst;
}

static int
run_class(struct ctl *ctl, int argc, char **argv)
{
	struct learn learn = {
	    .ctl = ctl, .word = ctl->command->name, .lock = -1};
	int status;
	int n = ctl_options(ctl, argc, argv, no_option, NULL, &status);

	if (n < 0)
		return status;
	(void)train_class(span_of(learn.word), &learn.class);
	learn.arena = arena_new(0);
	learn.list.arena = arena_new(0);
	status = learn.arena && learn.list.arena
		     ? learn_sources(&learn, n, argv)
		     : ctl_fail(ctl, EX_OSERR, "out of memory");
	arena_free(learn.list.arena);
	arena_free(learn.arena);
	return status;
}

/* --- stats ---------------------------------------------------------------------------- */

static bool
count_entry(void *arg, const struct store_entry *entry)
{
	if (entry->counts.v[0] > 0 || entry->counts.v[1] > 0)
		++*(size_t *)arg;
	return true;
}

static void
print_stats(
    const struct bayes_config *need, int64_t spam, int64_t ham, size_t tokens)
{
	bool ready = spam >= need->min_spam && ham >= need->min_ham;

	printf("%-10s %lld of %lld needed\n", "spam", (long long)spam,
	    (long long)need->min_spam);
	printf("%-10s %lld of %lld needed\n", "ham", (long long)ham,
	    (long long)need->min_ham);
	printf("%-10s %zu\n", "tokens", tokens);
	printf("%-10s %s\n", "BAYES_*", ready ? "on" : "off until then");
}

static int
read_stats(
    const struct ctl *ctl, struct store *store, const struct bayes_config *need)
{
	int64_t now = clock_wall(), deadline = clock_deadline(STATS_MS);
	int64_t spam = 0, ham = 0;
	size_t tokens = 0;
	struct err err;

	if (store && (bayes_corpus(store, now, deadline, &spam, &ham, &err) ||
			 store_each(store, STORE_TOKEN, SPAN(""), now, deadline,
			     count_entry, &tokens, &err)))
		return ctl_fail(ctl, EX_UNAVAILABLE, "%s", err.text);
	print_stats(need, spam, ham, tokens);
	return EX_OK;
}

static int
run_stats(struct ctl *ctl, int argc, char **argv)
{
	struct store *store = NULL;
	struct err err;
	int status;
	int n = ctl_options(ctl, argc, argv, no_option, NULL, &status);

	if (n < 0)
		return status;
	if (n > 1)
		return ctl_usage(ctl);
	struct snapshot *snapshot = load(ctl);
	if (!snapshot)
		return EX_CONFIG;
	int rc = state_open_store(&snapshot->settings, true, &store, &err);
	/* No store yet is an empty one. */
	if (rc && rc != ERR_NOTFOUND)
		status =
		    ctl_fail(ctl, rc == ERR_ACCESS ? EX_NOPERM : EX_UNAVAILABLE,
			"%s", err.text);
	else
		status = read_stats(ctl, store, &snapshot->scan.bayes);
	store_close(store);
	snapshot_unref(snapshot);
	return status;
}

#define SOURCES "[FILE, FOLDER, MAILDIR, MBOX or -]..."

const struct ctl_command ctl_learn_commands[] = {
    {"spam", SOURCES, "train messages as spam", NULL, run_class, NULL},
    {"ham", SOURCES, "train messages as wanted", NULL, run_class, NULL},
    {"forget", SOURCES, "take back what messages were trained as", NULL,
	run_class, NULL},
    {"stats", "", "how much was trained", NULL, run_stats, NULL},
    {"eval", NULL, NULL, NULL, NULL, &ctl_learn_eval_command},
    {0},
};
