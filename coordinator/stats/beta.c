#include "coordinator/stats/beta.h"
#include "common/base/check.h"
#include "coordinator/stats/normal.h"
#include "coordinator/stats/saddle.h"
#include <float.h>
#include <math.h>
#include <stdbool.h>

enum { FRACTION_STEPS_MAX = 1000 * 1000, NEWTON_STEPS_MAX = 200, LOGIT_MAX = 700 };

struct beta_point beta_point_of(double x)
{
	return (struct beta_point){ x, 1 - x };
}

/* ln(x^a y^b / B(a, b)) */
static double log_front(double a, double b, struct beta_point at)
{
	double n = a + b;
	double error = saddle_stirling_error(n) - saddle_stirling_error(a) - saddle_stirling_error(b);
	double deviance = saddle_deviance(a, n * at.x) + saddle_deviance(b, n * at.y);
	return 0.5 * log(a / n * b / (2 * 3.14159265358979323846)) + error - deviance;
}

/* I_x(a, b) / front for x below about the mean: the even part of the continued fraction, by Lentz's method. */
static double fraction(double a, double b, struct beta_point at)
{
	double x = at.x, lead = a * at.y - b * x + 1; /* a - (a + b) x + 1 without its cancellation */
	double h = a * lead / (a + 1);                /* the term at n = 0 */
	h = fabs(h) < DBL_MIN ? DBL_MIN : h;
	double c = h, d = 0;
	for (int i = 1; i < FRACTION_STEPS_MAX; i++) {
		double n = i, odd = a + 2 * n - 1;
		double over = (a + n - 1) / odd * ((a + b + n - 1) / odd) * n * (b - n) * x * x;
		double under = n + n * (b - n) * x / odd + (a + n) * (lead + n * (1 + at.y)) / (odd + 2);
		d = under + over * d;
		d = 1 / (fabs(d) < DBL_MIN ? DBL_MIN : d);
		c = under + over / c;
		c = fabs(c) < DBL_MIN ? DBL_MIN : c;
		double change = c * d;
		h *= change;
		if (fabs(change - 1) <= DBL_EPSILON)
			break;
	}
	return 1 / h;
}

static struct beta_point swapped(struct beta_point at)
{
	return (struct beta_point){ at.y, at.x };
}

/* The part of the two tails that the fraction gives at once; *ret_is_lower says which. */
static double log_tail(double a, double b, struct beta_point at, bool *ret_is_lower)
{
	*ret_is_lower = at.x <= (a + 1) / (a + b + 2);
	if (*ret_is_lower)
		return log_front(a, b, at) + log(fraction(a, b, at));
	return log_front(b, a, swapped(at)) + log(fraction(b, a, swapped(at)));
}

double beta_regular(double a, double b, struct beta_point at)
{
	check(a > 0 && b > 0 && at.x >= 0 && at.y >= 0);
	if (at.x == 0)
		return 0;
	if (at.y == 0)
		return 1;
	bool is_lower;
	double tail = exp(fmin(0, log_tail(a, b, at, &is_lower)));
	return is_lower ? tail : 1 - tail;
}

static struct beta_point from_logit(double u)
{
	return (struct beta_point){ 1 / (1 + exp(-u)), 1 / (1 + exp(u)) };
}

/* One step of Newton's method for ln I = ln lower in u = ln(x / y). The slope is front / I. */
static double newton_step(double a, double b, double lower, struct beta_point at)
{
	bool is_lower;
	double tail = fmin(0, log_tail(a, b, at, &is_lower));
	double log_value = is_lower ? tail : log1p(-exp(tail));
	double slope = exp(log_front(a, b, at) - log_value);
	return (log(lower) - log_value) / slope;
}

/* lower <= 1/2. ln I is concave in u, so Newton's method comes from the left and never overshoots: from any start it
 * arrives, once a step from far right is kept in bounds. */
static struct beta_point lower_quantile(double a, double b, double lower)
{
	double spread = sqrt(1 / a + 1 / b + 1 / (a * a) + 1 / (b * b));
	double u = log(a / b) - 0.5 / a + 0.5 / b + spread * fmax(normal_quantile(lower), -5);
	double reach = 20 * spread + 20;
	for (int i = 0; i < NEWTON_STEPS_MAX; i++) {
		u = fmin(fmax(u, -LOGIT_MAX), LOGIT_MAX);
		double step = newton_step(a, b, lower, from_logit(u));
		if (!(step > -reach))
			step = -reach; /* far right the slope is next to nothing */
		u += step;
		if (fabs(step) <= 4 * DBL_EPSILON * fmax(1, fabs(u)))
			break;
	}
	return from_logit(fmin(fmax(u, -LOGIT_MAX), LOGIT_MAX));
}

struct beta_point beta_quantile(double a, double b, double lower, double upper)
{
	check(a > 0 && b > 0 && lower >= 0 && upper >= 0);
	if (lower == 0)
		return (struct beta_point){ 0, 1 };
	if (upper == 0)
		return (struct beta_point){ 1, 0 };
	if (lower <= upper)
		return lower_quantile(a, b, lower);
	return swapped(lower_quantile(b, a, upper));
}
