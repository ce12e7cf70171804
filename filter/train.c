#include "filter/train.h"

#include <sys/stat.h>
#include <unistd.h>

#include "filter/base/clock.h"
#include "filter/base/file.h"

/*
 * A file comes from somebody who may train, not from somebody who is trusted:
 * only a regular file is read, so that nothing waits for a pipe's other end,
 * and it is read, not mapped, since it may shrink meanwhile.
 */

#define TRAIN_MS 30000 /* for the store: a person waits, not an MTA */

static const char *const changes[] = {
    [BAYES_LEARNED] = "learned",
    [BAYES_KNOWN] = "known",
    [BAYES_RELEARNED] = "relearned",
    [BAYES_FORGOTTEN] = "forgotten",
    [BAYES_UNKNOWN] = "unknown",
};

const char *
train_change_name(enum bayes_change change)
{
	return changes[change];
}

bool
train_class(struct span word, enum bayes_class *ret)
{
	static const struct {
		const char *word;
		enum bayes_class class;
	} classes[] = {
	    {"spam", BAYES_SPAM},
	    {"ham", BAYES_HAM},
	    {"forget", BAYES_FORGET},
	};

	for (size_t i = 0; i < sizeof classes / sizeof *classes; i++) {
		if (span_is(word, classes[i].word)) {
			*ret = classes[i].class;
			return true;
		}
	}
	return false;
}

static int
train_in(struct arena *arena, struct store *store, struct span text,
    enum bayes_class class, int64_t now, enum bayes_change *ret,
    struct err *err)
{
	struct message_options options = message_options_default();

	options.size_hint = text.len;
	options.memory_max = SIZE_MAX / 2;
	struct message *m = message_new(arena, &options);
	if (!m || message_read(m, text))
		return err_set(err, ERR_NOMEM, "out of memory");
	return bayes_train(
	    store, m, class, now, clock_deadline(TRAIN_MS), arena, ret, err);
}

int
train_text(struct store *store, struct span text, enum bayes_class class,
    int64_t now, enum bayes_change *ret, struct err *err)
{
	struct arena *arena = arena_new(0);
	int rc = arena ? train_in(arena, store, text, class, now, ret, err)
		       : err_set(err, ERR_NOMEM, "out of memory");

	arena_free(arena);
	return rc;
}

int
train_file(struct store *store, int fd, enum bayes_class class, int64_t now,
    enum bayes_change *ret, struct err *err)
{
	struct arena *arena = arena_new(0);
	struct stat st;
	struct span text;
	int rc;

	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		rc = err_set(err, ERR_INVALID, "not a regular file");
	else if (!arena)
		rc = err_set(err, ERR_NOMEM, "out of memory");
	else
		rc = file_read_fd(fd, TRAIN_SIZE_MAX, arena, &text, err);
	if (rc == 0)
		rc = train_in(arena, store, text, class, now, ret, err);
	arena_free(arena);
	return rc;
}
