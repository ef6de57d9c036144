#include "coordinator/stats/saddle.h"
#include <math.h>

double saddle_stirling_error(double x)
{
	double error = 0;
	while (x < 10) {
		error += (x + 0.5) * log1p(1 / x) - 1; /* error(x) - error(x + 1) */
		x += 1;
	}
	double r = 1 / (x * x);
	double series = 1.0 / 156;
	series = series * r - 691.0 / 360360;
	series = series * r + 1.0 / 1188;
	series = series * r - 1.0 / 1680;
	series = series * r + 1.0 / 1260;
	series = series * r - 1.0 / 360;
	series = series * r + 1.0 / 12;
	return error + series / x;
}

double saddle_deviance(double x, double mean)
{
	if (x == 0)
		return mean;
	double d = x - mean;
	if (fabs(d) > 0.1 * (x + mean))
		return x * log(x / mean) - d;
	/* ln(x / mean) = 2 atanh(v) */
	double v = d / (x + mean), v2 = v * v, term = 2 * x * v, total = d * v;
	for (int j = 3; j < 1000; j += 2) {
		term *= v2;
		double next = total + term / j;
		if (next == total)
			break;
		total = next;
	}
	return total;
}
