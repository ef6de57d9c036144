#include "coordinator/stats/wilson_clustered.h"
#include "coordinator/stats/clustered_mean.h"
#include "coordinator/stats/student.h"
#include "coordinator/stats/wilson.h"
#include <math.h>

enum refusal wilson_clustered_compute(const double *scores, const uint32_t *clusters, size_t n, double level,
                                      struct wilson_clustered *ret_wilson)
{
	struct clustered_mean c;
	enum refusal refused = clustered_mean_compute(scores, clusters, n, level, &c);
	if (refused)
		return refused;
	for (size_t i = 0; i < n; i++)
		if (!(scores[i] >= 0 && scores[i] <= 1))
			return REFUSAL_DOMAIN;
	if (c.cluster_count < 2)
		return REFUSAL_TOO_FEW;
	double p = fmin(1, fmax(0, c.mean)), variance = c.se_cr1.value * c.se_cr1.value, size = (double)n;
	if (p > 0 && p < 1 && variance > 0)
		size = fmin(size, p * (1 - p) / variance);
	*ret_wilson = (struct wilson_clustered){
		.p = p,
		.n_effective = size,
		.ci = wilson_interval(p, size, student_critical(level, (double)c.cluster_count - 1)),
		.cluster_count = c.cluster_count,
	};
	return REFUSAL_NONE;
}
