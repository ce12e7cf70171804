#ifndef FILTER_RULE_RULE_EXPR_H
#define FILTER_RULE_RULE_EXPR_H

#include "filter/base/arena.h"
#include "filter/base/err.h"
#include "filter/base/span.h"
#include "filter/base/vec.h"

/*
 * Expressions of `meta` and `if`: Perl's operators, precedence and numbers
 * (rule language, sections 1.2 and 6), compiled to a program for a small stack
 * machine. Neither compiling nor running recurses.
 */
enum expr_code {
	EXPR_NUM,    /* push num */
	EXPR_SYMBOL, /* push the value of symbol `at` */
	EXPR_GLOB,   /* push the sum over list `at`; set by the caller */
	EXPR_NOT,
	EXPR_NEG,
	EXPR_ADD,
	EXPR_SUB,
	EXPR_MUL,
	EXPR_DIV, /* by zero: 0 */
	EXPR_XOR, /* bits of whole numbers */
	EXPR_LT,
	EXPR_GT,
	EXPR_LE,
	EXPR_GE,
	EXPR_EQ,
	EXPR_NE,
	/* a b: when the comparison `cmp` holds keep b, else leave 0, jump */
	EXPR_CHAIN,
	EXPR_AND,  /* false: keep it and jump to `at`; true: drop it */
	EXPR_OR,   /* the reverse */
	EXPR_THEN, /* drop; false: jump to `at` */
	EXPR_JUMP,
};

struct expr_op {
	uint8_t code; /* enum expr_code */
	uint8_t cmp;  /* of EXPR_CHAIN */
	uint32_t at;
	double num;
};

struct expr {
	struct expr_ops VEC(struct expr_op) ops;
	unsigned depth; /* stack places a run needs */
};

/*
 * Turns a name into one operation that pushes a value. `arg` is the text in
 * the parentheses of NAME(arg), or p == NULL. An error ends the compiling.
 */
typedef int expr_name_fn(void *ctx, struct span name, struct span arg,
    struct expr_op *ret_op, struct err *err);

/*
 * ERR_SYNTAX with a text for people; ERR_NOMEM. Memory: arena.
 * An empty text, or (), gives an expression without operations.
 */
int expr_compile(struct arena *arena, struct span text, expr_name_fn *name,
    void *ctx, struct expr *ret, struct err *err) MUST_USE;

/*
 * Does the operation at *pc on the stack (*top values lie on it) and moves
 * both. Not for EXPR_SYMBOL and EXPR_GLOB, whose values the caller pushes.
 */
void expr_step(
    const struct expr *expr, uint32_t *pc, double *stack, size_t *top);

#endif
