#ifndef FILTER_BASE_ERR_H
#define FILTER_BASE_ERR_H

/* Results of our own functions: 0, or one of these. */
enum err_code {
	ERR_NOMEM = -1,    /* out of memory, or an arena's budget is used up */
	ERR_LIMIT = -2,    /* a named limit was reached */
	ERR_SYNTAX = -3,   /* the text is not in the expected form */
	ERR_IO = -4,       /* a system call failed */
	ERR_NOTFOUND = -5, /* the thing asked for does not exist */
	ERR_TIMEOUT = -6,  /* the deadline passed */
	ERR_INVALID = -7,  /* a value is out of its range */
	ERR_ACCESS = -8,   /* not allowed, or unsafe permissions */
	ERR_STATE = -9,    /* not possible in this state */
};

#define ERR_TEXT_SIZE 512

/* Why something failed. Lives with the caller; functions take NULL too. */
struct err {
	int code;
	char text[ERR_TEXT_SIZE]; /* one line, no newline, for people */
};

#define MUST_USE __attribute__((warn_unused_result))
#define PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

/*
 * Fills `err` and returns `code`, so that a failing function can end with
 * `return err_set(err, ERR_SYNTAX, "...")`. Long texts are cut.
 */
int err_set(struct err *err, int code, const char *fmt, ...) PRINTF(3, 4);

/* Like err_set() with ERR_IO, and adds the text of errno value `error`. */
int err_set_errno(struct err *err, int error, const char *fmt, ...)
    PRINTF(3, 4);

/* Puts context in front of a text that is already there; returns err->code. */
int err_prefix(struct err *err, const char *fmt, ...) PRINTF(2, 3);

/* A word for a code ("limit", "syntax"), never NULL. */
const char *err_name(int code);

#endif
