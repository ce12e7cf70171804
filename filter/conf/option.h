#ifndef FILTER_CONF_OPTION_H
#define FILTER_CONF_OPTION_H

#include "filter/conf/conf.h"

/*
 * Typed tables over a configuration tree. A table is the only place where an
 * option's name, default and range stand; man page and `assay config show`
 * are checked against it.
 */
enum option_type {
	OPTION_BOOL,      /* yes, no, on, off, true, false; in any case */
	OPTION_INT,       /* with min and max */
	OPTION_SIZE,      /* bytes: 10, 4K, 10M, 2G, 1T; units in any case */
	OPTION_TIME,      /* milliseconds: 500ms, 5s, 10m, 4h, 30d, 2w; 0 */
	OPTION_SCORE,     /* thousandths: 5, -1.25, .5, 15.000 */
	OPTION_SCORE_OFF, /* the same or `off` (OPTION_OFF) */
	OPTION_WORD,      /* one of `choices` ("a b c"); value is its index */
	OPTION_TEXT,
	OPTION_LIST, /* of texts; a value without braces is a list of one */
	OPTION_MODE, /* octal file mode */
};

#define OPTION_OFF INT64_MAX
#define OPTION_SCORE_MAX 1000000 /* points, either side of 0 */

enum option_flag {
	OPTION_RESTART = 1, /* a reload cannot change it */
	OPTION_SECRET = 2,  /* never shown */
};

struct option {
	const char *name;
	enum option_type type;
	const char *def;  /* as it would be written: "{ a, b }"; "" is empty */
	int64_t min, max; /* of numbers; both 0 = the type's range */
	const char *choices; /* of OPTION_WORD */
	const char *help;    /* one line */
	unsigned flags;
};
#define OPTION_END                                                             \
	{                                                                      \
		0                                                              \
	}

/* A kind of section. `options` end with OPTION_END. */
struct option_section {
	const char *name; /* "": keys outside of sections */
	const char *help;
	const struct option *options;
	/* `name title { }`, any number; else one section without a title. Two
	 * kinds may share a name, one titled and one not. */
	bool titled;
};

struct option_value {
	const struct option *option;
	int64_t number; /* bool, int, size, time, score, index of a word */
	struct span text;
	struct span *items;
	size_t n;
	const struct conf_entry *entry; /* NULL: the default */
};

/* One section's values, all options there, defaults filled in. */
struct section {
	const struct option_section *kind;
	struct span title;
	struct option_value *values; /* in the order of kind->options */
	size_t n;
	struct conf_where where; /* file NULL when all is default */
};

/*
 * Types the sections of one kind. Unknown keys and bad values are added to
 * conf->errors with the nearest known name; such an option keeps its default.
 * Untitled kinds always give one section; titled ones give what the file has.
 * With `always` (NULL-ended) the title "default" is there in any case as the
 * first, and those of `always` after it.
 *
 * Returns 0, the code of the first error added (the sections are there
 * nonetheless), or ERR_NOMEM. Memory: the tree's.
 */
int option_read(struct conf *conf, const struct option_section *kind,
    const char *const *always, struct section **ret, size_t *ret_n) MUST_USE;

/*
 * Adds an error for each section whose name is none of `kinds` (n of them), for
 * a title where none belongs or one is missing, and, where two kinds share a
 * name, for a key that belongs to the other one. Call it before option_read(),
 * which then does not call those keys unknown.
 */
void option_check_names(
    struct conf *conf, const struct option_section *const *kinds, size_t n);

/* The value of a known name; asserts that the table has it. */
const struct option_value *section_get(
    const struct section *section, const char *name);
int64_t section_number(const struct section *section, const char *name);
bool section_bool(const struct section *section, const char *name);
struct span section_text(const struct section *section, const char *name);
/* True when the text is empty or a list has no items. */
bool section_empty(const struct section *section, const char *name);

/*
 * The value as it would be written in a file; reading it gives the value
 * again. Secrets too: who shows values looks at `flags`.
 */
struct span option_format(
    const struct option_value *value, struct arena *arena);

/*
 * Where the value comes from: "default", "file:line:column" or "-o", and what
 * it replaced: "b.conf:1:10, instead of a.conf:7:3".
 */
struct span option_origin(
    const struct option_value *value, struct arena *arena);

/*
 * The known name nearest to a misspelled one, or NULL when none is near: at
 * most two edits, or one for every three letters. Of equals the first.
 */
const char *option_nearest(
    struct span word, const char *const *names, size_t n);

/*
 * The text forms on their own, for commands. 0, ERR_SYNTAX, or ERR_LIMIT for
 * a number too large to be held.
 */
int option_parse_size(struct span text, int64_t *ret_bytes) MUST_USE;
int option_parse_time(struct span text, int64_t *ret_ms) MUST_USE;
int option_parse_score(struct span text, int64_t *ret_milli) MUST_USE;

#endif
