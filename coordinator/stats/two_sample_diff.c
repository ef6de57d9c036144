#include "coordinator/stats/two_sample_diff.h"
#include "coordinator/stats/normal.h"
#include "coordinator/stats/student.h"
#include "coordinator/stats/sum.h"
#include <math.h>

static void effect_size(struct sum_moments a, struct sum_moments b, struct two_sample_diff *r)
{
	double n = (double)(a.n + b.n);
	double pooled = (a.squares + b.squares) / (n - 2);
	if (!(pooled > 0))
		return;
	double d = r->diff / sqrt(pooled);
	r->cohen_d = number_of(d);
	r->hedges_g = number_of(d * (1 - 3 / (4 * n - 9)));
}

static void welch(double share_a, double share_b, double df_a, double df_b, double level, struct two_sample_diff *r)
{
	double total = share_a + share_b, weight_a = share_a / total, weight_b = share_b / total;
	double df = 1 / (weight_a * weight_a / df_a + weight_b * weight_b / df_b);
	double t = r->diff / r->se.value;
	r->z = r->t = number_of(t);
	r->df = number_of(df);
	r->p_z = number_of(normal_two_sided(t));
	r->p_t = number_of(student_two_sided(t, df));
	r->p_t_less = number_of(student_cdf(t, df));
	r->p_t_greater = number_of(student_upper(t, df));
	r->ci_t = interval_around(r->diff, student_critical(level, df) * r->se.value);
	r->ci_z = interval_around(r->diff, normal_critical(level) * r->se.value);
}

enum refusal two_sample_diff_compute(const double *a, size_t n_a, const double *b, size_t n_b, double level,
                                     struct two_sample_diff *ret_diff)
{
	enum refusal refused = sum_check_input(a, n_a);
	if (!refused)
		refused = sum_check_input(b, n_b);
	if (refused)
		return refused;
	if (!(level > 0 && level < 1))
		return REFUSAL_DOMAIN;
	struct sum_moments ma = sum_moments_of(a, n_a), mb = sum_moments_of(b, n_b);
	struct two_sample_diff r = { .diff = ma.mean - mb.mean };
	if (n_a > 1 && n_b > 1) {
		double share_a = sum_variance(ma).value / (double)n_a, share_b = sum_variance(mb).value / (double)n_b;
		r.se = number_of(sqrt(share_a + share_b));
		effect_size(ma, mb, &r);
		if (r.se.value > 0) {
			welch(share_a, share_b, (double)n_a - 1, (double)n_b - 1, level, &r);
		} else {
			r.z = r.t = r.diff == 0 ? number_none() : number_of(copysign(INFINITY, r.diff));
			r.p_z = r.p_t = number_of(r.diff == 0 ? 1 : 0);
			r.ci_z = interval_of(r.diff, r.diff);
		}
	}
	*ret_diff = r;
	return REFUSAL_NONE;
}
