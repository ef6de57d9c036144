#include "coordinator/stats/sum.h"
#include <math.h>

void sum_add(struct sum *s, double value)
{
	double t = s->total + value;
	if (fabs(s->total) >= fabs(value))
		s->lost += (s->total - t) + value;
	else
		s->lost += (value - t) + s->total;
	s->total = t;
}

double sum_value(const struct sum *s)
{
	return s->total + s->lost;
}

double sum_of(const double *x, size_t n)
{
	struct sum s = { 0 };
	for (size_t i = 0; i < n; i++)
		sum_add(&s, x[i]);
	return sum_value(&s);
}

static bool all_equal(const double *x, size_t n)
{
	for (size_t i = 1; i < n; i++)
		if (x[i] != x[0])
			return false;
	return true;
}

struct sum_moments sum_moments_of(const double *x, size_t n)
{
	if (n == 0)
		return (struct sum_moments){ 0 };
	if (all_equal(x, n))
		return (struct sum_moments){ n, x[0], 0 };
	double mean = sum_of(x, n) / (double)n;
	struct sum deviations = { 0 }, squares = { 0 };
	for (size_t i = 0; i < n; i++) {
		double d = x[i] - mean;
		sum_add(&deviations, d);
		sum_add(&squares, d * d);
	}
	double rest = sum_value(&deviations); /* what the rounded mean left over */
	double corrected = sum_value(&squares) - rest * rest / (double)n;
	return (struct sum_moments){ n, mean, corrected > 0 ? corrected : 0 };
}

struct number sum_variance(struct sum_moments m)
{
	return m.n < 2 ? number_none() : number_of(m.squares / (double)(m.n - 1));
}

struct number sum_std_error(struct sum_moments m)
{
	return m.n < 2 ? number_none() : number_of(sqrt(m.squares / (double)(m.n - 1) / (double)m.n));
}

bool sum_usable(double x)
{
	return fabs(x) <= 1e150;
}

enum refusal sum_check_input(const double *x, size_t n)
{
	if (n == 0)
		return REFUSAL_EMPTY;
	bool usable = true;
	for (size_t i = 0; i < n; i++) {
		if (isnan(x[i]))
			return REFUSAL_NAN_INPUT;
		usable &= sum_usable(x[i]);
	}
	return usable ? REFUSAL_NONE : REFUSAL_DOMAIN;
}
