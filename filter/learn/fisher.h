#ifndef FILTER_LEARN_FISHER_H
#define FILTER_LEARN_FISHER_H

#include <stddef.h>

/*
 * Robinson's combining of probabilities by Fisher's method, in logarithms all
 * the way, so that no score is 0 or 1 and ever more evidence gives ever more.
 */
struct fisher {
	double spam, ham; /* -sum ln(1 - p), -sum ln p */
	size_t n;
};

/* One more probability of spam, 0 < p < 1. */
void fisher_add(struct fisher *fisher, double p);

/*
 * ln of (1 + S - H) / (1 - S + H): the log-odds of Robinson's indicator; 0
 * without evidence. Finite.
 */
double fisher_log_odds(const struct fisher *fisher);

/* 1 / (1 + exp(-x)) */
double fisher_probability(double log_odds);

#endif
