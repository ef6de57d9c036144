#include "coordinator/stats/gamma.h"
#include "common/base/check.h"
#include "coordinator/stats/saddle.h"
#include <float.h>
#include <math.h>

enum { STEPS_MAX = 10 * 1000 * 1000 };

/* x^a e^-x / Gamma(a + 1) */
static double front(double a, double x)
{
	return exp(-saddle_stirling_error(a) - saddle_deviance(a, x)) / sqrt(2 * 3.14159265358979323846 * a);
}

static double lower_by_series(double a, double x)
{
	double term = 1, total = 1;
	for (int n = 1; n < STEPS_MAX; n++) {
		term *= x / (a + n);
		total += term;
		if (term <= total * (DBL_EPSILON / 4))
			break;
	}
	return front(a, x) * total;
}

static double upper_by_fraction(double a, double x)
{
	/* Lentz's method on x + 1 - a - 1(1 - a)/(x + 3 - a - ...) */
	double b = x + 1 - a, c = 1 / DBL_MIN, d = 1 / b, h = d;
	for (int n = 1; n < STEPS_MAX; n++) {
		double an = -n * (n - a);
		b += 2;
		d = an * d + b;
		d = 1 / (fabs(d) < DBL_MIN ? DBL_MIN : d);
		c = b + an / c;
		c = fabs(c) < DBL_MIN ? DBL_MIN : c;
		double change = c * d;
		h *= change;
		if (fabs(change - 1) <= DBL_EPSILON)
			break;
	}
	return front(a, x) * a * h;
}

double gamma_lower(double a, double x)
{
	check(a > 0 && x >= 0);
	if (x == 0)
		return 0;
	if (isinf(x))
		return 1;
	return x < a + 1 ? lower_by_series(a, x) : 1 - upper_by_fraction(a, x);
}

double gamma_upper(double a, double x)
{
	check(a > 0 && x >= 0);
	if (x == 0)
		return 1;
	if (isinf(x))
		return 0;
	return x < a + 1 ? 1 - lower_by_series(a, x) : upper_by_fraction(a, x);
}

double gamma_chi_square_upper(double x, double df)
{
	check(df > 0);
	return df == 1 ? erfc(sqrt(x / 2)) : gamma_upper(df / 2, x / 2);
}
