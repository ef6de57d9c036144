#include "coordinator/stats/clt_mean.h"
#include "coordinator/stats/normal.h"
#include "coordinator/stats/student.h"
#include "coordinator/stats/sum.h"

enum refusal clt_mean_compute(const double *scores, size_t n, double level, struct clt_mean *ret_mean)
{
	enum refusal refused = sum_check_input(scores, n);
	if (refused)
		return refused;
	if (!(level > 0 && level < 1))
		return REFUSAL_DOMAIN;
	struct sum_moments m = sum_moments_of(scores, n);
	struct clt_mean r = { .n = n, .mean = m.mean, .var = sum_variance(m), .se = sum_std_error(m) };
	if (r.se.defined) {
		r.ci_z = interval_around(r.mean, normal_critical(level) * r.se.value);
		r.ci_t = interval_around(r.mean, student_critical(level, (double)n - 1) * r.se.value);
	}
	*ret_mean = r;
	return REFUSAL_NONE;
}
