#ifndef FILTER_TRAIN_H
#define FILTER_TRAIN_H

#include "filter/learn/bayes.h"
#include "filter/store/store.h"

/*
 * Training with one message, the same whether the daemon does it for a
 * command or the command by itself.
 */

/* "spam", "ham", "forget"; false for other words. */
bool train_class(struct span word, enum bayes_class *ret);
/* "learned", "known", "relearned", "forgotten", "unknown". */
const char *train_change_name(enum bayes_change change);

#define TRAIN_SIZE_MAX ((size_t)256 << 20) /* bytes of a message's file */

/* Trains with the bytes of a message, LF or CRLF. */
int train_text(struct store *store, struct span text, enum bayes_class class,
    int64_t now, enum bayes_change *ret, struct err *err) MUST_USE;
/* The same with all of a regular file; ERR_INVALID for anything else. */
int train_file(struct store *store, int fd, enum bayes_class class, int64_t now,
    enum bayes_change *ret, struct err *err) MUST_USE;

#endif
