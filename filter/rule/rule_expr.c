#include "filter/rule/rule_expr.h"

/*
 * One pass over the text by operator precedence, with a stack of pending
 * operators: no recursion, linear. Short circuits become jumps, so that a run
 * never looks at names that cannot matter.
 *
 * The lexer is SpamAssassin's on purpose: a run of the characters -+.0-9 is one
 * token, so "A-1" is A followed by the token "-1", which is refused. Reading
 * it as a subtraction would hit where SpamAssassin does not.
 */

enum kind {
	K_OPEN, /* ( */
	K_COLON,
	K_ASK, /* ? whose : has not come */
	K_OR,
	K_AND,
	K_XOR,
	K_EQUAL,
	K_REL,
	K_SUM,
	K_PRODUCT,
	K_UNARY,
};

struct pending {
	enum kind kind;
	uint8_t code;
	uint32_t at;    /* the jump to be patched */
	uint32_t chain; /* list of EXPR_CHAIN through `at`, or NO_CHAIN */
};

#define NO_CHAIN UINT32_MAX
/* A jump's target must fit; a line of 1 MiB has fewer operations than this. */
#define OPS_MAX (16u * 1024 * 1024)

struct compiler {
	struct arena *arena;
	struct span text;
	size_t i;
	struct pendings VEC(struct pending) stack;
	struct expr *out;
	unsigned depth; /* values on the stack after the last operation */
	expr_name_fn *name;
	void *ctx;
	struct err *err;
};

static int
syntax(struct compiler *c, const char *what, struct span token)
{
	return err_set(c->err, ERR_SYNTAX, "%s \"%.*s\"", what,
	    SPAN_ARG(span_head(token, 60)));
}

static int
emit(struct compiler *c, struct expr_op op)
{
	struct expr_op *place;

	if (c->out->ops.n >= OPS_MAX)
		return err_set(c->err, ERR_LIMIT, "expression is too long");
	place = VEC_PUSH(c->arena, &c->out->ops);
	if (!place)
		return err_set(c->err, ERR_NOMEM, "out of memory");
	*place = op;
	return 0;
}

static uint32_t
here(const struct compiler *c)
{
	return (uint32_t)c->out->ops.n;
}

static int
push(struct compiler *c, enum kind kind, uint8_t code)
{
	struct pending *p = VEC_PUSH(c->arena, &c->stack);

	if (!p)
		return err_set(c->err, ERR_NOMEM, "out of memory");
	*p = (struct pending){kind, code, 0, NO_CHAIN};
	return 0;
}

static struct pending *
top(struct compiler *c)
{
	return c->stack.n ? &c->stack.v[c->stack.n - 1] : NULL;
}

/* Ends one operator whose right side is complete. */
static int
finish_top(struct compiler *c)
{
	struct pending p = c->stack.v[--c->stack.n];
	int rc = 0;

	switch (p.kind) {
	case K_AND:
	case K_OR:
	case K_COLON:
		c->out->ops.v[p.at].at = here(c);
		break;
	case K_UNARY:
		return emit(c, (struct expr_op){.code = p.code});
	case K_XOR:
	case K_EQUAL:
	case K_REL:
	case K_SUM:
	case K_PRODUCT:
		c->depth--;
		rc = emit(c, (struct expr_op){.code = p.code});
		break;
	case K_OPEN:
	case K_ASK:
		return syntax(c, "unbalanced", c->text);
	}
	for (uint32_t k = p.chain; k != NO_CHAIN;) {
		uint32_t next = c->out->ops.v[k].at;
		c->out->ops.v[k].at = here(c);
		k = next;
	}
	return rc;
}

/* Ends operators that bind at least as tight as `kind` (left to right). */
static int
finish_above(struct compiler *c, enum kind kind)
{
	int rc = 0;

	while (rc == 0 && top(c) && top(c)->kind >= kind)
		rc = finish_top(c);
	return rc;
}

/* a < b < c is (a < b) && (b < c), with b evaluated once. */
static int
add_compare(struct compiler *c, enum kind kind, uint8_t code)
{
	struct pending *p;
	uint32_t chain = NO_CHAIN;
	int rc = finish_above(c, kind + 1);

	if (rc)
		return rc;
	p = top(c);
	if (p && p->kind == kind) {
		chain = here(c);
		rc = emit(
		    c, (struct expr_op){
			   .code = EXPR_CHAIN, .cmp = p->code, .at = p->chain});
		c->depth--;
		c->stack.n--;
	}
	if (rc == 0)
		rc = push(c, kind, code);
	if (rc == 0)
		top(c)->chain = chain;
	return rc;
}

static int
add_jumping(struct compiler *c, enum kind kind, uint8_t code)
{
	uint32_t at;
	int rc = finish_above(c, kind == K_ASK ? K_OR : kind);

	at = here(c);
	if (rc == 0)
		rc = emit(c, (struct expr_op){.code = code});
	c->depth--;
	if (rc == 0)
		rc = push(c, kind, code);
	if (rc == 0)
		top(c)->at = at;
	return rc;
}

static int
add_colon(struct compiler *c)
{
	uint32_t at;
	int rc = 0;

	while (rc == 0 && top(c) && top(c)->kind != K_ASK &&
	       top(c)->kind != K_OPEN)
		rc = finish_top(c);
	if (rc)
		return rc;
	if (!top(c) || top(c)->kind != K_ASK)
		return syntax(c, "no ? before", SPAN(":"));
	at = here(c);
	rc = emit(c, (struct expr_op){.code = EXPR_JUMP});
	if (rc)
		return rc;
	c->depth--;
	c->out->ops.v[top(c)->at].at = here(c);
	top(c)->kind = K_COLON;
	top(c)->at = at;
	return 0;
}

struct op_def {
	const char *text;
	enum kind kind;
	uint8_t code;
};

/* Longer ones first. */
static const struct op_def op_defs[] = {
    {"&&", K_AND, EXPR_AND},
    {"||", K_OR, EXPR_OR},
    {"==", K_EQUAL, EXPR_EQ},
    {"!=", K_EQUAL, EXPR_NE},
    {"<=", K_REL, EXPR_LE},
    {">=", K_REL, EXPR_GE},
    {"<", K_REL, EXPR_LT},
    {">", K_REL, EXPR_GT},
    {"*", K_PRODUCT, EXPR_MUL},
    {"/", K_PRODUCT, EXPR_DIV},
    {"^", K_XOR, EXPR_XOR},
    {"?", K_ASK, EXPR_THEN},
};

static int
add_operator(struct compiler *c, const struct op_def *op)
{
	int rc;

	switch (op->kind) {
	case K_EQUAL:
	case K_REL:
		return add_compare(c, op->kind, op->code);
	case K_AND:
	case K_OR:
	case K_ASK:
		return add_jumping(c, op->kind, op->code);
	case K_OPEN:
	case K_COLON:
	case K_XOR:
	case K_SUM:
	case K_PRODUCT:
	case K_UNARY:
		break;
	}
	rc = finish_above(c, op->kind);
	return rc ? rc : push(c, op->kind, op->code);
}

static int
add_value(struct compiler *c, struct expr_op op)
{
	if (++c->depth > c->out->depth)
		c->out->depth = c->depth;
	return emit(c, op);
}

static bool
is_name_char(char ch)
{
	return ascii_is_alnum(ch) || ch == '_';
}

static bool
is_number_char(char ch)
{
	return ascii_is_digit(ch) || ch == '.' || ch == '+' || ch == '-';
}

static struct span
run_of(const struct compiler *c, bool (*in)(char))
{
	struct span rest = span_skip(c->text, c->i);
	size_t n = 0;

	while (n < rest.len && in(rest.p[n]))
		n++;
	return span_head(rest, n);
}

/* Digits with at most one point; false for anything else. */
static bool
to_number(struct span s, double *ret)
{
	double value = 0, unit = 1;
	bool point = false;
	size_t digits = 0;

	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] == '.' && !point) {
			point = true;
		} else if (ascii_is_digit(s.p[i])) {
			digits++;
			value = value * 10 + (s.p[i] - '0');
			unit *= point ? 10 : 1;
		} else {
			return false;
		}
	}
	*ret = value / unit;
	return digits > 0 && digits < 300;
}

static void
skip_blanks(struct compiler *c)
{
	while (c->i < c->text.len && ascii_is_space(c->text.p[c->i]))
		c->i++;
}

/* NAME, or NAME(ARG) for the functions that the caller knows. */
static int
add_name(struct compiler *c, struct span name)
{
	static const char *const functions[] = {
	    "rules_matching", "plugin", "can", "has"};
	struct expr_op op = {0};
	struct span arg = SPAN_NONE;
	bool function = false;

	c->i += name.len;
	for (size_t k = 0; k < sizeof functions / sizeof *functions; k++)
		function |= span_is(name, functions[k]);
	if (function) {
		skip_blanks(c);
		struct span rest = span_skip(c->text, c->i);
		size_t end = span_find_char(rest, ')');
		if (rest.len == 0 || rest.p[0] != '(' || end == SPAN_NPOS)
			return syntax(c, "no (...) after", name);
		arg = span_trim(span_skip(span_head(rest, end), 1));
		c->i += end + 1;
	}
	int rc = c->name(c->ctx, name, arg, &op, c->err);
	return rc ? rc : add_value(c, op);
}

/* Where a value is expected. `*again`: still expected afterwards. */
static int
operand(struct compiler *c, bool *again)
{
	struct span rest = span_skip(c->text, c->i);
	struct span name = run_of(c, is_name_char);
	struct span number = run_of(c, is_number_char);
	double value;

	*again = false;
	if (number.len) {
		c->i += number.len;
		if (to_number(number, &value))
			return add_value(c,
			    (struct expr_op){.code = EXPR_NUM, .num = value});
		if (number.len > 1)
			return syntax(c,
			    "invalid token (write blanks around + and -)",
			    number);
		*again = true;
		return number.p[0] == '-' ? push(c, K_UNARY, EXPR_NEG) : 0;
	}
	if (name.len)
		return add_name(c, name);
	c->i++;
	*again = true;
	if (rest.p[0] == '!')
		return push(c, K_UNARY, EXPR_NOT);
	if (rest.p[0] == '(')
		return push(c, K_OPEN, 0);
	return syntax(c, "a value is missing before", rest);
}

static int
close_paren(struct compiler *c)
{
	int rc = 0;

	while (rc == 0 && top(c) && top(c)->kind != K_OPEN &&
	       top(c)->kind != K_ASK)
		rc = finish_top(c);
	if (rc)
		return rc;
	if (!top(c) || top(c)->kind != K_OPEN)
		return syntax(c, "unbalanced", SPAN(")"));
	c->stack.n--;
	return 0;
}

static int
add_sum(struct compiler *c, struct span token)
{
	int rc;

	c->i += token.len;
	if (token.len > 1 || (token.p[0] != '-' && token.p[0] != '+'))
		return syntax(
		    c, "invalid token (write blanks around + and -)", token);
	rc = finish_above(c, K_SUM);
	return rc ? rc
		  : push(c, K_SUM, token.p[0] == '-' ? EXPR_SUB : EXPR_ADD);
}

/* Where an operator is expected. `*again`: one still is afterwards. */
static int
infix(struct compiler *c, bool *again)
{
	struct span rest = span_skip(c->text, c->i);
	struct span number = run_of(c, is_number_char);

	*again = false;
	if (number.len)
		return add_sum(c, number);
	if (span_starts(rest, SPAN("**")))
		return syntax(c, "invalid operator", SPAN("**"));
	for (size_t k = 0; k < sizeof op_defs / sizeof *op_defs; k++) {
		struct span text = span_of(op_defs[k].text);
		if (span_starts(rest, text)) {
			c->i += text.len;
			return add_operator(c, &op_defs[k]);
		}
	}
	c->i++;
	if (rest.p[0] == ':')
		return add_colon(c);
	if (rest.p[0] != ')')
		return syntax(c, "an operator is missing before", rest);
	*again = true;
	return close_paren(c);
}

int
expr_compile(struct arena *arena, struct span text, expr_name_fn *name,
    void *ctx, struct expr *ret, struct err *err)
{
	struct expr out = {.ops = {0}};
	struct compiler c = {.arena = arena,
	    .text = span_trim(text),
	    .out = &out,
	    .name = name,
	    .ctx = ctx,
	    .err = err};
	bool value = true; /* a value is expected */
	int rc = 0;

	if (c.text.len == 0 || span_is(c.text, "()")) {
		*ret = out;
		return 0;
	}
	for (skip_blanks(&c); rc == 0 && c.i < c.text.len; skip_blanks(&c)) {
		bool again;
		rc = value ? operand(&c, &again) : infix(&c, &again);
		value = value == again;
	}
	if (rc == 0 && value)
		rc = err_set(err, ERR_SYNTAX, "a value is missing at the end");
	while (rc == 0 && c.stack.n) {
		if (top(&c)->kind == K_OPEN)
			rc = syntax(&c, "unbalanced", SPAN("("));
		else if (top(&c)->kind == K_ASK)
			rc = syntax(&c, "no : after", SPAN("?"));
		else
			rc = finish_top(&c);
	}
	if (rc == 0)
		*ret = out;
	return rc;
}
