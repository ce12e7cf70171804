#include "filter/rule/rule_expr.h"

/* The stack machine of expressions: Perl's numbers, with 1 and 0 for truth. */

static bool
compare(uint8_t code, double a, double b)
{
	switch (code) {
	case EXPR_LT:
		return a < b;
	case EXPR_GT:
		return a > b;
	case EXPR_LE:
		return a <= b;
	case EXPR_GE:
		return a >= b;
	case EXPR_EQ:
		return a == b;
	default:
		return a != b;
	}
}

/* As Perl takes a number for a bit operation; what does not fit is 0. */
static uint64_t
to_bits(double value)
{
	if (value >= 0 && value < 18446744073709551615.0)
		return (uint64_t)value;
	if (value < 0 && value > -9223372036854775808.0)
		return (uint64_t)(int64_t)value;
	return 0;
}

static double
binary(uint8_t code, double a, double b)
{
	switch (code) {
	case EXPR_ADD:
		return a + b;
	case EXPR_SUB:
		return a - b;
	case EXPR_MUL:
		return a * b;
	case EXPR_DIV:
		return b != 0 ? a / b : 0;
	case EXPR_XOR:
		return (double)(to_bits(a) ^ to_bits(b));
	default:
		return compare(code, a, b);
	}
}

void
expr_step(const struct expr *expr, uint32_t *pc, double *stack, size_t *top)
{
	const struct expr_op *op = &expr->ops.v[(*pc)++];
	double *s = stack + *top;

	switch ((enum expr_code)op->code) {
	case EXPR_NUM:
		s[0] = op->num;
		++*top;
		break;
	case EXPR_NOT:
		s[-1] = s[-1] == 0;
		break;
	case EXPR_NEG:
		s[-1] = -s[-1];
		break;
	case EXPR_AND:
	case EXPR_OR:
		if ((s[-1] != 0) == (op->code == EXPR_OR))
			*pc = op->at;
		else
			--*top;
		break;
	case EXPR_THEN:
		--*top;
		if (s[-1] == 0)
			*pc = op->at;
		break;
	case EXPR_JUMP:
		*pc = op->at;
		break;
	case EXPR_CHAIN:
		--*top;
		if (compare(op->cmp, s[-2], s[-1])) {
			s[-2] = s[-1];
		} else {
			s[-2] = 0;
			*pc = op->at;
		}
		break;
	case EXPR_ADD:
	case EXPR_SUB:
	case EXPR_MUL:
	case EXPR_DIV:
	case EXPR_XOR:
	case EXPR_LT:
	case EXPR_GT:
	case EXPR_LE:
	case EXPR_GE:
	case EXPR_EQ:
	case EXPR_NE:
		--*top;
		s[-2] = binary(op->code, s[-2], s[-1]);
		break;
	case EXPR_SYMBOL:
	case EXPR_GLOB:
		break;
	}
}
