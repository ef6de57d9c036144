#include "coordinator/stats/paired_diff.h"
#include "common/base/mem.h"
#include "coordinator/stats/clustered_mean.h"
#include "coordinator/stats/normal.h"
#include "coordinator/stats/student.h"
#include "coordinator/stats/sum.h"
#include <float.h>
#include <math.h>

void paired_diff_differences(const double *a, const double *b, size_t n, double *d)
{
	double noise = 0, low = INFINITY, high = -INFINITY;
	for (size_t i = 0; i < n; i++) {
		double own = 4 * DBL_EPSILON * fmax(fabs(a[i]), fabs(b[i]));
		d[i] = a[i] - b[i];
		if (fabs(d[i]) <= own)
			d[i] = 0;
		noise = fmax(noise, own);
		low = fmin(low, d[i]);
		high = fmax(high, d[i]);
	}
	if (high - low > noise || high == low)
		return;
	for (size_t i = 0; i < n; i++)
		d[i] = low <= 0 && high >= 0 ? 0 : (low + high) / 2; /* the same whichever side is named first */
}

static struct number correlation(const double *a, const double *b, struct sum_moments ma, struct sum_moments mb)
{
	if (!(ma.squares > 0 && mb.squares > 0))
		return number_none();
	struct sum cross = { 0 };
	for (size_t i = 0; i < ma.n; i++)
		sum_add(&cross, (a[i] - ma.mean) * (b[i] - mb.mean));
	double r = sum_value(&cross) / (sqrt(ma.squares) * sqrt(mb.squares));
	return number_of(fmin(1, fmax(-1, r)));
}

/* mean / se, where no spread makes it undefined (mean 0) or infinite. */
static struct number statistic(double mean, double se)
{
	if (se > 0)
		return number_of(mean / se);
	return mean == 0 ? number_none() : number_of(copysign(INFINITY, mean));
}

static struct number p_student(struct number t, double df)
{
	return number_of(t.defined ? student_two_sided(t.value, df) : 1);
}

static enum refusal clustered_part(const double *d, const uint32_t *clusters, size_t n, double level,
                                   struct paired_diff_clustered *ret_part)
{
	struct clustered_mean c;
	enum refusal refused = clustered_mean_compute(d, clusters, n, level, &c);
	if (refused)
		return refused;
	struct paired_diff_clustered r = { .cluster_count = c.cluster_count, .df = (double)c.cluster_count - 1 };
	if (c.cluster_count > 1) {
		r.se_cr0 = c.se_cr0;
		r.se_cr1 = c.se_cr1;
		r.t = statistic(c.mean, c.se_cr1.value);
		r.p_t = p_student(r.t, r.df);
		r.ci_t = c.ci_t;
	}
	*ret_part = r;
	return REFUSAL_NONE;
}

static void spread_part(const double *a, const double *b, const double *d, double level, struct paired_diff *r)
{
	struct sum_moments ma = sum_moments_of(a, r->n), mb = sum_moments_of(b, r->n), md = sum_moments_of(d, r->n);
	r->mean_a = ma.mean;
	r->mean_b = mb.mean;
	r->diff = md.mean;
	r->df = (double)r->n - 1;
	if (r->n < 2)
		return;
	double se_a = sum_std_error(ma).value, se_b = sum_std_error(mb).value;
	r->se_paired = sum_std_error(md);
	r->se_unpaired = number_of(sqrt(se_a * se_a + se_b * se_b));
	r->corr = correlation(a, b, ma, mb);
	r->z = r->t = statistic(md.mean, r->se_paired.value);
	r->p_z = number_of(r->z.defined ? normal_two_sided(r->z.value) : 1);
	r->p_t = p_student(r->t, r->df);
	r->ci_z = interval_around(md.mean, normal_critical(level) * r->se_paired.value);
	r->ci_t = interval_around(md.mean, student_critical(level, r->df) * r->se_paired.value);
}

enum refusal paired_diff_compute(const double *a, const double *b, const uint32_t *clusters, size_t n, double level,
                                 struct paired_diff *ret_diff)
{
	enum refusal refused = sum_check_input(a, n);
	if (!refused)
		refused = sum_check_input(b, n);
	if (refused)
		return refused;
	if (!(level > 0 && level < 1))
		return REFUSAL_DOMAIN;
	struct paired_diff r = { .n = n, .is_clustered = clusters != NULL };
	double *d = mem_new(n, sizeof(*d));
	paired_diff_differences(a, b, n, d);
	spread_part(a, b, d, level, &r);
	if (clusters)
		refused = clustered_part(d, clusters, n, level, &r.clustered);
	mem_free(d);
	if (!refused)
		*ret_diff = r;
	return refused;
}
