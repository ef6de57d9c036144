#include "coordinator/stats/weighting.h"
#include "common/base/mem.h"
#include "coordinator/stats/sum.h"
#include <math.h>

static enum refusal check_weights(const double *x, const double *w, const uint32_t *clusters, size_t n)
{
	enum refusal refused = sum_check_input(x, n);
	if (!refused)
		refused = sum_check_input(w, n);
	for (size_t i = 0; i < n && !refused; i++)
		if (w[i] < 0 || (clusters && clusters[i] >= n))
			refused = REFUSAL_DOMAIN;
	return refused;
}

static void clustered_part(const double *x, const double *w, const uint32_t *clusters, size_t n, double total,
                           struct weighting *r)
{
	struct cluster {
		struct sum residual;
		bool used;
	} *by = mem_new(n, sizeof(*by));
	for (size_t i = 0; i < n; i++) {
		if (w[i] == 0)
			continue;
		sum_add(&by[clusters[i]].residual, w[i] * (x[i] - r->mean));
		by[clusters[i]].used = true;
	}
	struct sum squares = { 0 };
	for (size_t c = 0; c < n; c++) {
		double residual = sum_value(&by[c].residual);
		r->cluster_count += by[c].used;
		sum_add(&squares, residual * residual);
	}
	mem_free(by);
	double c = (double)r->cluster_count;
	if (r->cluster_count > 1)
		r->se_cluster = number_of(sqrt(c / (c - 1) * sum_value(&squares)) / total);
}

static struct weighting by_scaled(const double *x, const double *w, const uint32_t *clusters, size_t n)
{
	struct sum total = { 0 }, squares = { 0 }, weighted = { 0 }, residuals = { 0 };
	struct weighting r = { 0 };
	for (size_t i = 0; i < n; i++) {
		sum_add(&total, w[i]);
		sum_add(&squares, w[i] * w[i]);
		sum_add(&weighted, w[i] * x[i]);
		r.n += w[i] > 0;
	}
	double all = sum_value(&total), count = (double)r.n;
	r.mean = sum_value(&weighted) / all;
	r.ess = all * all / sum_value(&squares);
	r.deff = count / r.ess;
	for (size_t i = 0; i < n; i++) {
		double e = w[i] * (x[i] - r.mean);
		sum_add(&residuals, e * e);
	}
	if (r.n > 1)
		r.se = number_of(sqrt(count / (count - 1) * sum_value(&residuals)) / all);
	if (clusters)
		clustered_part(x, w, clusters, n, all, &r);
	return r;
}

enum refusal weighting_compute(const double *x, const double *w, const uint32_t *clusters, size_t n,
                               struct weighting *ret_weighting)
{
	enum refusal refused = check_weights(x, w, clusters, n);
	if (refused)
		return refused;
	double largest = 0;
	for (size_t i = 0; i < n; i++)
		largest = fmax(largest, w[i]);
	if (!(largest > 0))
		return REFUSAL_DOMAIN;
	double *scaled = mem_new(n, sizeof(*scaled)); /* largest 1: squares neither overflow nor vanish */
	for (size_t i = 0; i < n; i++)
		scaled[i] = w[i] / largest;
	*ret_weighting = by_scaled(x, scaled, clusters, n);
	mem_free(scaled);
	return REFUSAL_NONE;
}
