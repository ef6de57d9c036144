/* Reads lines "name a b c" from stdin and prints each value with 17 digits: the special functions, to be held
 * against an independent implementation by special.py. */
#include "coordinator/stats/beta.h"
#include "coordinator/stats/binomial.h"
#include "coordinator/stats/gamma.h"
#include "coordinator/stats/normal.h"
#include "coordinator/stats/student.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

static double call(const char *name, const double v[3])
{
	if (!strcmp(name, "normal_cdf"))
		return normal_cdf(v[0]);
	if (!strcmp(name, "normal_quantile"))
		return normal_quantile(v[0]);
	if (!strcmp(name, "student_two_sided"))
		return student_two_sided(v[0], v[1]);
	if (!strcmp(name, "student_cdf"))
		return student_cdf(v[0], v[1]);
	if (!strcmp(name, "student_quantile"))
		return student_quantile(v[0], v[1]);
	if (!strcmp(name, "beta_regular"))
		return beta_regular(v[0], v[1], beta_point_of(v[2]));
	if (!strcmp(name, "beta_quantile"))
		return beta_quantile(v[0], v[1], v[2], 1 - v[2]).x;
	if (!strcmp(name, "gamma_lower"))
		return gamma_lower(v[0], v[1]);
	if (!strcmp(name, "gamma_upper"))
		return gamma_upper(v[0], v[1]);
	if (!strcmp(name, "chi_square_upper"))
		return gamma_chi_square_upper(v[0], v[1]);
	if (!strcmp(name, "binomial_at_most"))
		return binomial_at_most((uint64_t)v[0], (uint64_t)v[1], v[2]);
	if (!strcmp(name, "binomial_pmf"))
		return binomial_pmf((uint64_t)v[0], (uint64_t)v[1], v[2]);
	return NAN;
}

int main(void)
{
	char line[256];
	while (fgets(line, sizeof(line), stdin)) {
		char name[64];
		double v[3] = { 0 };
		if (sscanf(line, "%63s %lf %lf %lf", name, &v[0], &v[1], &v[2]) < 2)
			return 2;
		printf("%.17g\n", call(name, v));
	}
	return 0;
}
