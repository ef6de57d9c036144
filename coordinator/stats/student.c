#include "coordinator/stats/student.h"
#include "common/base/check.h"
#include "coordinator/stats/beta.h"
#include <math.h>

double student_two_sided(double t, double df)
{
	check(df > 0 && !isnan(t));
	double ratio = t * t / df;
	struct beta_point at = { 1 / (1 + ratio), ratio > 0 ? 1 / (1 + 1 / ratio) : 0 };
	return beta_regular(df / 2, 0.5, at);
}

double student_upper(double t, double df)
{
	double tail = 0.5 * student_two_sided(t, df);
	return t >= 0 ? tail : 1 - tail;
}

double student_cdf(double t, double df)
{
	return student_upper(-t, df);
}

/* t > 0 with P(|T| > t) = tails, 1 - tails = inside. */
static double from_tails(double tails, double inside, double df)
{
	struct beta_point at = beta_quantile(df / 2, 0.5, tails, inside);
	return sqrt(df * at.y / at.x);
}

double student_quantile(double p, double df)
{
	check(p > 0 && p < 1 && df > 0);
	if (p == 0.5)
		return 0;
	if (p < 0.5)
		return -from_tails(2 * p, 1 - 2 * p, df);
	return from_tails(2 * (1 - p), 2 * p - 1, df);
}

double student_critical(double level, double df)
{
	check(level > 0 && level < 1 && df > 0);
	return from_tails(1 - level, level, df);
}
