#include "coordinator/stats/clustered_mean.h"
#include "common/base/mem.h"
#include "coordinator/stats/normal.h"
#include "coordinator/stats/student.h"
#include "coordinator/stats/sum.h"
#include <math.h>

struct cluster {
	struct sum residual;
	size_t n;
};

struct pieces { /* sums over clusters c of r_c = sum of residuals in c */
	size_t cluster_count;
	double squares; /* of r_c */
	double cross;   /* of r_c^2 - sum of squared residuals: the terms with i != j */
	bool all_alone;
};

static enum refusal gather(const double *scores, const uint32_t *clusters, size_t n, double mean,
                           struct pieces *ret_pieces)
{
	for (size_t i = 0; i < n; i++)
		if (clusters[i] >= n)
			return REFUSAL_DOMAIN;
	struct cluster *by = mem_new(n, sizeof(*by));
	struct sum own = { 0 }, squares = { 0 };
	for (size_t i = 0; i < n; i++) {
		double r = scores[i] - mean;
		sum_add(&by[clusters[i]].residual, r);
		by[clusters[i]].n++;
		sum_add(&own, -r * r);
	}
	struct pieces p = { .all_alone = true };
	for (size_t c = 0; c < n; c++) {
		if (by[c].n == 0)
			continue;
		double r = sum_value(&by[c].residual);
		p.cluster_count++;
		p.all_alone &= by[c].n == 1;
		sum_add(&squares, r * r);
		sum_add(&own, r * r);
	}
	mem_free(by);
	p.squares = sum_value(&squares);
	p.cross = p.all_alone ? 0 : sum_value(&own);
	*ret_pieces = p;
	return REFUSAL_NONE;
}

enum refusal clustered_mean_compute(const double *scores, const uint32_t *clusters, size_t n, double level,
                                    struct clustered_mean *ret_mean)
{
	enum refusal refused = sum_check_input(scores, n);
	if (refused)
		return refused;
	if (!(level > 0 && level < 1))
		return REFUSAL_DOMAIN;
	struct sum_moments m = sum_moments_of(scores, n);
	struct pieces p;
	refused = gather(scores, clusters, n, m.mean, &p);
	if (refused)
		return refused;
	struct clustered_mean r = {
		.n = n, .cluster_count = p.cluster_count, .mean = m.mean, .se_iid = sum_std_error(m)
	};
	if (p.cluster_count > 1) {
		double count = (double)n, c = (double)p.cluster_count;
		double cr0 = sqrt(p.squares) / count, cr1 = cr0 * sqrt(c / (c - 1));
		double paper = r.se_iid.value * r.se_iid.value + p.cross / (count * count);
		r.se_cr0 = number_of(cr0);
		r.se_cr1 = number_of(cr1);
		r.se_paper = paper >= 0 ? number_of(sqrt(paper)) : number_none();
		r.ci_t = interval_around(m.mean, student_critical(level, c - 1) * cr1);
		r.ci_z_cr0 = interval_around(m.mean, normal_critical(level) * cr0);
		if (r.se_iid.value > 0)
			r.design_effect = number_of(cr1 * cr1 / (r.se_iid.value * r.se_iid.value));
	}
	*ret_mean = r;
	return REFUSAL_NONE;
}
