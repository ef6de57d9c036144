#include "coordinator/stats/proportion_diff_ci.h"
#include "coordinator/stats/normal.h"
#include "coordinator/stats/wilson.h"
#include <math.h>

enum refusal proportion_diff_ci_compute(uint64_t k1, uint64_t n1, uint64_t k2, uint64_t n2, double level,
                                        struct proportion_diff_ci *ret_ci)
{
	if (n1 == 0 || n2 == 0)
		return REFUSAL_EMPTY;
	if (k1 > n1 || k2 > n2 || n1 > NUMBER_COUNT_MAX || n2 > NUMBER_COUNT_MAX || !(level > 0 && level < 1))
		return REFUSAL_DOMAIN;
	double p1 = (double)k1 / (double)n1, p2 = (double)k2 / (double)n2, z = normal_critical(level);
	struct interval w1 = wilson_interval(p1, (double)n1, z), w2 = wilson_interval(p2, (double)n2, z);
	double diff = p1 - p2;
	*ret_ci = (struct proportion_diff_ci){
		.diff = diff,
		.newcombe =
			interval_of(diff - hypot(p1 - w1.low, w2.high - p2), diff + hypot(w1.high - p1, p2 - w2.low)),
	};
	return REFUSAL_NONE;
}
