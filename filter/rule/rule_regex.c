#include "filter/rule/rule_regex.h"

#include <stdlib.h>

#define PCRE2_CODE_UNIT_WIDTH 0
#include <pcre2.h>

#include "filter/rule/rule.h"
#include "filter/rule/rule_pattern.h"

/*
 * The only file that knows PCRE2. Bytes, never UTF. Letters above 0x7F fold as
 * in Latin-1, since Perl's /aa restricts classes but not case: the 8-bit
 * library gets a table that says so.
 *
 * Debian's 8-bit library keeps offsets in two bytes, so that the largest
 * patterns (generated alternations of 200 KB) do not fit. Those, and only
 * those, are compiled with the 32-bit library, and their subjects widened.
 *
 * A match has limits on backtracking and memory, and looks at long texts in
 * windows of starting points (REGEX_CALL_WORK). Past a limit nothing is known
 * and nothing is tried again: the interpreter would take ten times as long.
 */

#define TABLES_SIZE 1088 /* lower, flip, class bits, types: pcre2's layout */
#define TABLE_LOWER 0
#define TABLE_FLIP 256
#define JIT_STACK_START ((size_t)32 * 1024)
#define JIT_STACK_MAX ((size_t)4 * 1024 * 1024)
#define WINDOW_MIN 64

struct regex_env {
	uint8_t tables[TABLES_SIZE];
	pcre2_compile_context_8 *narrow;
	pcre2_compile_context_32 *wide;
};

struct rule_regex {
	pcre2_code_8 *narrow; /* or NULL */
	pcre2_code_32 *wide;  /* or NULL */
	bool windows;         /* compiled so that starts can be limited */
	bool fast;            /* there is machine code */
};

struct rule_slot {
	pcre2_match_data_8 *data_narrow;
	pcre2_match_context_8 *context_narrow;
	pcre2_jit_stack_8 *stack_narrow;
	/* Made at the first wide match; few patterns are. */
	pcre2_match_data_32 *data_wide;
	pcre2_match_context_32 *context_wide;
	pcre2_jit_stack_32 *stack_wide;
	uint32_t *widened;
	size_t widened_size;    /* characters */
	struct span widened_of; /* what it holds, within one //g loop */
	unsigned limit;         /* set in both contexts */
};

/* --- what a set shares ---------------------------------------------------- */

static bool
fold_latin1(uint8_t *tables)
{
	const uint8_t *made = pcre2_maketables_8(NULL);

	if (!made)
		return false;
	memcpy(tables, made, TABLES_SIZE);
	pcre2_maketables_free_8(NULL, made);
	/* 0xC0-0xDE but the multiplication sign; each is 0x20 from its pair. */
	for (unsigned c = 0xc0; c <= 0xde; c++) {
		if (c == 0xd7)
			continue;
		tables[TABLE_LOWER + c] = (uint8_t)(c + 0x20);
		tables[TABLE_FLIP + c] = (uint8_t)(c + 0x20);
		tables[TABLE_FLIP + c + 0x20] = (uint8_t)c;
	}
	return true;
}

struct regex_env *
regex_env_new(void)
{
	struct regex_env *env = calloc(1, sizeof *env);

	if (!env)
		return NULL;
	env->narrow = pcre2_compile_context_create_8(NULL);
	env->wide = pcre2_compile_context_create_32(NULL);
	if (!env->narrow || !env->wide || !fold_latin1(env->tables)) {
		regex_env_free(env);
		return NULL;
	}
	pcre2_set_newline_8(env->narrow, PCRE2_NEWLINE_LF);
	pcre2_set_newline_32(env->wide, PCRE2_NEWLINE_LF);
	pcre2_set_bsr_8(env->narrow, PCRE2_BSR_UNICODE);
	pcre2_set_bsr_32(env->wide, PCRE2_BSR_UNICODE);
	pcre2_set_character_tables_8(env->narrow, env->tables);
	pcre2_set_character_tables_32(env->wide, env->tables);
	return env;
}

void
regex_env_free(struct regex_env *env)
{
	if (!env)
		return;
	pcre2_compile_context_free_8(env->narrow);
	pcre2_compile_context_free_32(env->wide);
	free(env);
}

/* --- compiling -------------------------------------------------------------- */

static uint32_t
options_of(unsigned flags)
{
	static const struct {
		unsigned flag;
		uint32_t option;
	} map[] = {
	    {PATTERN_CASELESS, PCRE2_CASELESS},
	    {PATTERN_MULTILINE, PCRE2_MULTILINE},
	    {PATTERN_DOTALL, PCRE2_DOTALL},
	    {PATTERN_EXTENDED, PCRE2_EXTENDED},
	    {PATTERN_EXTENDED2, PCRE2_EXTENDED_MORE},
	    {PATTERN_NO_CAPTURE, PCRE2_NO_AUTO_CAPTURE},
	};
	uint32_t options = PCRE2_NEVER_UTF | PCRE2_NEVER_UCP |
			   PCRE2_NEVER_BACKSLASH_C | PCRE2_DUPNAMES;

	for (size_t i = 0; i < sizeof map / sizeof *map; i++)
		if (flags & map[i].flag)
			options |= map[i].option;
	return options;
}

static int
refuse(int code, size_t offset, struct err *err)
{
	uint8_t text[256];

	if (code == PCRE2_ERROR_HEAP_FAILED)
		return err_set(err, ERR_NOMEM, "out of memory");
	pcre2_get_error_message_8(code, text, sizeof text);
	return err_set(err, ERR_SYNTAX, "pattern: %s at offset %zu",
	    (const char *)text, offset);
}

static int
compile_wide(struct regex_env *env, struct arena *arena, struct span text,
    uint32_t options, struct rule_regex *regex, struct err *err)
{
	uint32_t *wide = arena_calloc(arena, text.len + 1, sizeof *wide);
	int code;
	size_t offset;

	if (!wide)
		return err_set(err, ERR_NOMEM, "out of memory");
	for (size_t i = 0; i < text.len; i++)
		wide[i] = (unsigned char)text.p[i];
	regex->wide = pcre2_compile_32(
	    wide, text.len, options, &code, &offset, env->wide);
	return regex->wide ? 0 : refuse(code, offset, err);
}

/* A pattern written with up to this many bytes per byte of the source. */
#define REWRITE_GROWTH 12

/* Windows need a fresh look at each start, and change where \G is. */
static bool
can_window(struct span text, bool long_text)
{
	return long_text && span_find(text, SPAN("\\G"), 0) == SPAN_NPOS;
}

/* One that is tied to the start of the text needs no windows. */
static bool
is_anchored(const struct rule_regex *regex)
{
	uint32_t options = 0;

	if (regex->narrow)
		pcre2_pattern_info_8(
		    regex->narrow, PCRE2_INFO_ALLOPTIONS, &options);
	else
		pcre2_pattern_info_32(
		    regex->wide, PCRE2_INFO_ALLOPTIONS, &options);
	return options & PCRE2_ANCHORED;
}

static int
compile_text(struct regex_env *env, struct arena *arena, struct span text,
    uint32_t options, struct rule_regex *regex, struct err *err)
{
	const uint8_t *p = (const uint8_t *)text.p;
	int code;
	size_t offset;

	regex->narrow =
	    pcre2_compile_8(p, text.len, options, &code, &offset, env->narrow);
	if (regex->narrow)
		return 0;
	if (code == PCRE2_ERROR_PATTERN_TOO_LARGE)
		return compile_wide(env, arena, text, options, regex, err);
	return refuse(code, offset, err);
}

int
regex_compile(struct regex_env *env, struct arena *arena, struct span pattern,
    unsigned flags, bool long_text, struct rule_regex **ret, struct err *err)
{
	struct buf text;

	if (pattern.len > RULE_PATTERN_MAX)
		return err_set(err, ERR_LIMIT,
		    "pattern is longer than %d bytes", RULE_PATTERN_MAX);
	struct rule_regex *regex = calloc(1, sizeof *regex);
	if (!regex)
		return err_set(err, ERR_NOMEM, "out of memory");
	buf_init(&text, NULL, (pattern.len + 16) * REWRITE_GROWTH);
	int rc = pattern_rewrite(pattern, flags, &text, err);
	if (rc == 0) {
		uint32_t options = options_of(flags);
		regex->windows = can_window(pattern, long_text);
		if (regex->windows)
			options |= PCRE2_USE_OFFSET_LIMIT;
		rc = compile_text(env, arena,
		    span_make(buf_str(&text), text.len), options, regex, err);
	}
	buf_done(&text);
	if (rc) {
		regex_free(regex);
		return rc;
	}
	if (is_anchored(regex))
		regex->windows = false;
	*ret = regex;
	return 0;
}

void
regex_optimise(struct rule_regex *regex)
{
	/* Without machine code the interpreter does it: no error of ours. */
	if (regex->narrow)
		regex->fast =
		    pcre2_jit_compile_8(regex->narrow, PCRE2_JIT_COMPLETE) == 0;
	else
		regex->fast =
		    pcre2_jit_compile_32(regex->wide, PCRE2_JIT_COMPLETE) == 0;
}

void
regex_free(struct rule_regex *regex)
{
	if (!regex)
		return;
	pcre2_code_free_8(regex->narrow);
	pcre2_code_free_32(regex->wide);
	free(regex);
}

bool
regex_is_wide(const struct rule_regex *regex)
{
	return regex->wide != NULL;
}

/* --- slots -------------------------------------------------------------------- */

struct rule_slot *
rule_slot_new(void)
{
	struct rule_slot *slot = calloc(1, sizeof *slot);

	if (!slot)
		return NULL;
	slot->data_narrow = pcre2_match_data_create_8(1, NULL);
	slot->context_narrow = pcre2_match_context_create_8(NULL);
	if (!slot->data_narrow || !slot->context_narrow) {
		rule_slot_free(slot);
		return NULL;
	}
	pcre2_set_depth_limit_8(slot->context_narrow, REGEX_DEPTH_LIMIT);
	pcre2_set_heap_limit_8(slot->context_narrow, REGEX_HEAP_KIB);
	/* Absent where there is no machine code: NULL is fine then. */
	slot->stack_narrow =
	    pcre2_jit_stack_create_8(JIT_STACK_START, JIT_STACK_MAX, NULL);
	pcre2_jit_stack_assign_8(
	    slot->context_narrow, NULL, slot->stack_narrow);
	return slot;
}

void
rule_slot_free(struct rule_slot *slot)
{
	if (!slot)
		return;
	pcre2_match_data_free_8(slot->data_narrow);
	pcre2_match_context_free_8(slot->context_narrow);
	pcre2_jit_stack_free_8(slot->stack_narrow);
	pcre2_match_data_free_32(slot->data_wide);
	pcre2_match_context_free_32(slot->context_wide);
	pcre2_jit_stack_free_32(slot->stack_wide);
	free(slot->widened);
	free(slot);
}

static bool
prepare_wide(struct rule_slot *slot, size_t len)
{
	if (!slot->data_wide) {
		slot->data_wide = pcre2_match_data_create_32(1, NULL);
		slot->context_wide = pcre2_match_context_create_32(NULL);
		slot->stack_wide = pcre2_jit_stack_create_32(
		    JIT_STACK_START, JIT_STACK_MAX, NULL);
		if (!slot->data_wide || !slot->context_wide)
			return false;
		pcre2_set_depth_limit_32(slot->context_wide, REGEX_DEPTH_LIMIT);
		pcre2_set_heap_limit_32(slot->context_wide, REGEX_HEAP_KIB);
		pcre2_jit_stack_assign_32(
		    slot->context_wide, NULL, slot->stack_wide);
		slot->limit = 0;
	}
	if (slot->widened_size < len) {
		size_t size = len < 4096 ? 4096 : len;
		uint32_t *p = realloc(slot->widened, size * sizeof *p);
		if (!p)
			return false;
		slot->widened = p;
		slot->widened_size = size;
	}
	return true;
}

/* --- matching ------------------------------------------------------------------ */

static int
match_narrow(const struct rule_regex *regex, struct rule_slot *slot,
    struct span subject, size_t from, uint32_t options)
{
	const uint8_t *p = (const uint8_t *)(subject.p ? subject.p : "");

	return pcre2_match_8(regex->narrow, p, subject.len, from, options,
	    slot->data_narrow, slot->context_narrow);
}

static int
match_wide(const struct rule_regex *regex, struct rule_slot *slot,
    struct span subject, size_t from, uint32_t options)
{
	/* Only a loop over one subject begins behind its start. */
	if (from == 0 || slot->widened_of.p != subject.p ||
	    slot->widened_of.len != subject.len)
		for (size_t i = 0; i < subject.len; i++)
			slot->widened[i] = (unsigned char)subject.p[i];
	slot->widened_of = subject;
	return pcre2_match_32(regex->wide, slot->widened, subject.len, from,
	    options, slot->data_wide, slot->context_wide);
}

static void
set_limit(struct rule_slot *slot, unsigned limit)
{
	if (limit == 0)
		limit = REGEX_MATCH_LIMIT;
	if (slot->limit == limit)
		return;
	pcre2_set_match_limit_8(slot->context_narrow, limit);
	if (slot->context_wide)
		pcre2_set_match_limit_32(slot->context_wide, limit);
	slot->limit = limit;
}

/* The last start that this call tries; false: it may try all. */
static bool
set_window(const struct rule_regex *regex, struct rule_slot *slot, size_t len,
    size_t from, size_t *ret_last)
{
	size_t work = regex->fast ? REGEX_CALL_WORK : REGEX_CALL_WORK / 16;
	size_t starts = work / (len + 1);
	size_t last = PCRE2_UNSET;

	if (starts < WINDOW_MIN)
		starts = WINDOW_MIN;
	if (regex->windows && len - from > starts)
		last = from + starts;
	if (regex->wide)
		pcre2_set_offset_limit_32(slot->context_wide, last);
	else
		pcre2_set_offset_limit_8(slot->context_narrow, last);
	*ret_last = last;
	return last != PCRE2_UNSET;
}

enum regex_result
regex_match(const struct rule_regex *regex, struct rule_slot *slot,
    unsigned match_limit, struct span subject, size_t from, bool at_empty,
    struct regex_hit *ret_hit)
{
	uint32_t options = at_empty ? PCRE2_NOTEMPTY_ATSTART : 0;
	size_t last;
	bool cut = false;
	int rc;

	if (regex->wide) {
		cut = subject.len > REGEX_WIDE_MAX;
		subject = span_head(subject, REGEX_WIDE_MAX);
		if (from > subject.len || !prepare_wide(slot, subject.len))
			return REGEX_LIMIT;
	}
	set_limit(slot, match_limit);
	bool more = set_window(regex, slot, subject.len, from, &last);
	rc = regex->wide ? match_wide(regex, slot, subject, from, options)
			 : match_narrow(regex, slot, subject, from, options);
	if (rc == PCRE2_ERROR_NOMATCH && more) {
		*ret_hit = (struct regex_hit){last + 1, last + 1};
		return REGEX_MORE;
	}
	if (rc == PCRE2_ERROR_NOMATCH)
		return cut ? REGEX_LIMIT : REGEX_NO;
	if (rc < 0)
		return REGEX_LIMIT;
	const size_t *at = regex->wide
			       ? pcre2_get_ovector_pointer_32(slot->data_wide)
			       : pcre2_get_ovector_pointer_8(slot->data_narrow);
	*ret_hit = (struct regex_hit){at[0], at[1]};
	return REGEX_YES;
}
