#include "filter/learn/fisher.h"

#include <math.h>

/*
 * If n probabilities were independent and even, -2 sum ln p would follow the
 * chi-square distribution of 2n degrees. How improbable it is that p (and 1 - p)
 * are as small as they are, says how hammy (and spammy) a message is. Words are
 * not independent, so a clue counts as a part of one (WEIGHT of sum and degrees),
 * which makes the probability less extreme and hardly changes the order.
 */

#define WEIGHT 0.5
#define TERMS_MAX 20000 /* of the series below; it ends long before */
#define ENOUGH 40       /* exp(-40) is no more than rounding */

void
fisher_add(struct fisher *fisher, double p)
{
	fisher->spam -= log1p(-p);
	fisher->ham -= log(p);
	fisher->n++;
}

/* ln(exp(a) + exp(b)) */
static double
log_add(double a, double b)
{
	double high = a > b ? a : b, low = a > b ? b : a;

	return isinf(low) ? high : high + log1p(exp(low - high));
}

struct tails {
	double below, above; /* ln of the distribution's share */
};

/*
 * Shares of the chi-square distribution of 2k degrees below and above 2m:
 * above is the sum over i < k of exp(-m) m^i / i!, below the rest of that
 * series. Each is summed by itself, so a small one is as exact as a large one.
 */
static struct tails
chi_square(double m, size_t k)
{
	struct tails t = {-INFINITY, -INFINITY};
	double term = -m;
	double log_m = m > 0 ? log(m) : -INFINITY;

	for (size_t i = 1; i <= k; i++) {
		t.above = log_add(t.above, term);
		term += log_m - log((double)i);
	}
	for (size_t i = k; i < k + TERMS_MAX && !isinf(term); i++) {
		t.below = log_add(t.below, term);
		if ((double)i > m && term < t.below - ENOUGH)
			break;
		term += log_m - log((double)(i + 1));
	}
	return t;
}

double
fisher_log_odds(const struct fisher *fisher)
{
	size_t k = (size_t)round((double)fisher->n * WEIGHT);

	if (fisher->n == 0)
		return 0;
	if (k == 0)
		k = 1;
	/* S is the share below `spam`, H the one below `ham`. */
	struct tails spam = chi_square(fisher->spam * WEIGHT, k);
	struct tails ham = chi_square(fisher->ham * WEIGHT, k);
	return log_add(spam.below, ham.above) - log_add(ham.below, spam.above);
}

double
fisher_probability(double log_odds)
{
	return 1 / (1 + exp(-log_odds));
}
