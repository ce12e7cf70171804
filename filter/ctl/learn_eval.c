#include "filter/ctl/learn_eval.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "filter/base/clock.h"
#include "filter/base/file.h"
#include "filter/learn/bayes.h"

/*
 * assay learn eval: messages in the order of an index are judged, the score is
 * printed, and only then the learner is told what it was; after --train
 * messages it is told no more. The learner is empty at the start, lives in
 * memory and has nothing to do with the site's.
 */

#define INDEX_MAX ((size_t)1 << 30)
#define MESSAGE_MAX ((size_t)1 << 30)
#define STORE_TIMEOUT_MS 60000 /* of a store in memory: never reached */

static const struct ctl_option options[] = {
    {"train", 0, "N", "train on the first N messages, then only score"},
    {0},
};

struct eval {
	const struct ctl *ctl;
	const char *index;
	struct span folder;  /* of the index, with its slash; or empty */
	struct arena *arena; /* reset after each message */
	struct store *store;
	int64_t train; /* messages left to train on */
	int64_t now;
	size_t line;
};

static int
take(void *arg, int index, const char *value)
{
	struct eval *eval = arg;

	(void)index;
	if (span_to_i64(span_of(value), &eval->train) == 0 && eval->train >= 0)
		return 0;
	fprintf(stderr, "--train needs a number of messages, not %s\n", value);
	return EX_USAGE;
}

static struct message *
open_message(struct eval *eval, struct span path, struct err *err)
{
	struct message_options how = message_options_default();
	struct span text;
	bool absolute = span_starts(path, SPAN("/"));
	struct span full = arena_printf(eval->arena, "%.*s%.*s",
	    SPAN_ARG(absolute ? SPAN("") : eval->folder), SPAN_ARG(path));
	const char *name = full.p ? arena_cstr(eval->arena, full) : "";
	int fd = name ? open(name, O_RDONLY | O_CLOEXEC) : -1;

	if (fd < 0) {
		err_set_errno(err, errno, "%s", name ? name : "");
		return NULL;
	}
	int rc = file_read_fd(fd, MESSAGE_MAX, eval->arena, &text, err);
	close(fd);
	if (rc) {
		err_prefix(err, "%s: ", name);
		return NULL;
	}
	how.size_hint = text.len;
	how.memory_max = SIZE_MAX / 2;
	struct message *m = message_new(eval->arena, &how);
	if (!m || message_read(m, text)) {
		err_set(err, ERR_NOMEM, "%s: out of memory", name);
		return NULL;
	}
	return m;
}

/* Judges, prints, trains. */
static int
take_message(struct eval *eval, struct message *m, struct span path,
    struct span label, struct err *err)
{
	/* From the first message of each class on. */
	const struct bayes_config config = {1, 1};
	struct bayes_result result;
	enum bayes_change change;
	int rc = bayes_judge(eval->store, &config, m, eval->now, CLOCK_NEVER,
	    eval->arena, &result, err);

	if (rc)
		return rc;
	printf("%.*s\t%.*s\t%.17g\n", SPAN_ARG(path), SPAN_ARG(label),
	    result.log_odds);
	if (eval->train == 0)
		return 0;
	eval->train--;
	return bayes_train(eval->store, m,
	    span_is(label, "spam") ? BAYES_SPAM : BAYES_HAM, eval->now,
	    CLOCK_NEVER, eval->arena, &change, err);
}

static int
take_line(struct eval *eval, struct span line)
{
	struct span label = span_word(&line);
	struct span path = span_word(&line);
	struct err err = {0};

	if (label.len == 0)
		return EX_OK;
	if (path.len == 0 ||
	    (!span_is(label, "spam") && !span_is(label, "ham")))
		return ctl_fail(eval->ctl, EX_DATAERR,
		    "%s:%zu: not \"spam PATH\" or \"ham PATH\"", eval->index,
		    eval->line);
	struct message *m = open_message(eval, path, &err);
	if (!m)
		return ctl_fail(eval->ctl, EX_NOINPUT, "%s:%zu: %s",
		    eval->index, eval->line, err.text);
	if (take_message(eval, m, path, label, &err))
		return ctl_fail(eval->ctl, EX_SOFTWARE, "%s:%zu: %s",
		    eval->index, eval->line, err.text);
	return EX_OK;
}

static int
take_lines(struct eval *eval, struct span text)
{
	struct span line;
	int status = EX_OK;

	while (status == EX_OK && span_line(&text, &line)) {
		eval->line++;
		status = take_line(eval, line);
		arena_reset(eval->arena);
	}
	return status;
}

static int
read_index(struct eval *eval, struct arena *arena, struct span *ret)
{
	struct err err;
	int fd = open(eval->index, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return ctl_fail(
		    eval->ctl, EX_NOINPUT, "%s: cannot be read", eval->index);
	int rc = file_read_fd(fd, INDEX_MAX, arena, ret, &err);
	close(fd);
	if (rc)
		return ctl_fail(
		    eval->ctl, EX_NOINPUT, "%s: %s", eval->index, err.text);
	return EX_OK;
}

static int
evaluate(struct eval *eval, struct arena *arena)
{
	const struct store_options store = {
	    .url = SPAN("memory:"), .timeout_ms = STORE_TIMEOUT_MS};
	struct span text;
	struct span name = span_of(eval->index);
	size_t slash = span_rfind_char(name, '/');
	struct err err;
	int status = read_index(eval, arena, &text);

	if (status)
		return status;
	eval->folder =
	    slash == SPAN_NPOS ? SPAN("") : span_head(name, slash + 1);
	eval->now = clock_wall();
	if (store_open(&store, &eval->store, &err))
		return ctl_fail(eval->ctl, EX_SOFTWARE, "%s", err.text);
	status = take_lines(eval, text);
	store_close(eval->store);
	return status;
}

static int
run_eval(struct ctl *ctl, int argc, char **argv)
{
	struct eval eval = {.ctl = ctl, .train = INT64_MAX};
	int status;
	int n = ctl_options(ctl, argc, argv, take, &eval, &status);

	if (n < 0)
		return status;
	if (n != 2)
		return ctl_usage(ctl);
	struct arena *arena = arena_new(0);
	eval.index = argv[1];
	eval.arena = arena_new(0);
	status = arena && eval.arena ? evaluate(&eval, arena)
				     : ctl_fail(ctl, EX_OSERR, "out of memory");
	arena_free(eval.arena);
	arena_free(arena);
	return status;
}

const struct ctl_command ctl_learn_eval_command = {
    .name = "eval",
    .args = "INDEX",
    .help = "judge and train labelled messages with a learner of its own",
    .options = options,
    .run = run_eval,
};
