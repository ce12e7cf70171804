#ifndef FILTER_RULE_SYMBOL_H
#define FILTER_RULE_SYMBOL_H

#include "filter/base/arena.h"
#include "filter/base/map.h"
#include "filter/base/span.h"
#include "filter/base/vec.h"

/* The one registry of symbol names: rules of files and of scorers alike. */
enum symbol_kind {
	SYMBOL_UNKNOWN, /* named by a score or meta only */
	SYMBOL_NATIVE,  /* a scorer's own */
	SYMBOL_HEADER,
	SYMBOL_BODY,
	SYMBOL_RAWBODY,
	SYMBOL_FULL,
	SYMBOL_URI,
	SYMBOL_EVAL, /* header/body/rawbody/full with eval: */
	SYMBOL_META,
};
const char *symbol_kind_name(enum symbol_kind kind);

enum symbol_flag {
	SYMBOL_NICE = 1 << 0,
	SYMBOL_NET = 1 << 1,
	SYMBOL_LEARN = 1 << 2,
	SYMBOL_MULTIPLE = 1 << 3,
	SYMBOL_NOSUBJECT = 1 << 4,
	SYMBOL_USERCONF = 1 << 5,
	SYMBOL_NOAUTOLEARN = 1 << 6,
	SYMBOL_SHADOW = 1 << 7, /* logged, scores nothing */
};

struct symbol {
	struct span name;
	unsigned id; /* index in the registry */
	enum symbol_kind kind;
	bool sub;    /* a "__" name: no score, not listed */
	bool bad;    /* its definition was in error and is not run */
	bool scored; /* a score was given */
	int32_t score_milli;
	int32_t scores_milli[4]; /* by score set; all equal for one number */
	unsigned flags;          /* enum symbol_flag */
	unsigned maxhits;        /* of `multiple`; 0 = no limit */
	int priority;            /* as written; orders nothing here */
	struct span describe;
	struct span tflags; /* as written */
	struct span file;   /* of the definition; "native" */
	unsigned line;
	struct span source; /* the definition as written, for `rules show` */
	const void *body;   /* of the kind: the engine's */
};

/* Names to symbols; built single-threaded, read-only afterwards. */
struct symbol_table {
	struct arena *arena;
	struct map by_name;                             /* case-sensitive */
	struct symbol_items VEC(struct symbol *) items; /* by id */
};

#define SYMBOL_NAME_MAX 100
#define SYMBOL_SCORE_MAX 1000000 /* points */

void symbol_init(struct symbol_table *table, struct arena *arena);
/* The symbol of that name, made when new. NULL when the arena failed. */
struct symbol *symbol_intern(struct symbol_table *table, struct span name);
struct symbol *symbol_find(const struct symbol_table *table, struct span name);
/* [A-Za-z_][A-Za-z0-9_]*, at most SYMBOL_NAME_MAX bytes. */
bool symbol_name_valid(struct span name);

/* One symbol that hit in one message. */
struct symbol_hit {
	const struct symbol *symbol;
	double count;         /* times, or a meta's value */
	int64_t score_milli;  /* what it added to the sum */
	struct span evidence; /* why, for people; may be empty */
	int64_t us;           /* time it took, when asked for; else 0 */
};
struct symbol_hits VEC(struct symbol_hit);

/* The count in thousandths, for those who keep it as a whole number. */
int64_t symbol_hit_count_milli(const struct symbol_hit *hit);

#endif
