#include "coordinator/stats/mcnemar.h"
#include "coordinator/stats/binomial.h"
#include "coordinator/stats/gamma.h"
#include <math.h>

static void chi_square(double more, double discordant, struct mcnemar *r)
{
	double corrected = fabs(more) - 1;
	r->chi2 = number_of(more * more / discordant);
	r->chi2_cc = number_of(corrected * corrected / discordant);
	r->p_chi2 = number_of(gamma_chi_square_upper(r->chi2.value, 1));
	r->p_chi2_cc = number_of(gamma_chi_square_upper(r->chi2_cc.value, 1));
}

enum refusal mcnemar_compute(struct mcnemar_table t, struct mcnemar *ret_test)
{
	if (t.n11 > NUMBER_COUNT_MAX || t.n10 > NUMBER_COUNT_MAX || t.n01 > NUMBER_COUNT_MAX ||
	    t.n00 > NUMBER_COUNT_MAX)
		return REFUSAL_DOMAIN;
	uint64_t total = t.n11 + t.n10 + t.n01 + t.n00, discordant = t.n10 + t.n01;
	if (total == 0)
		return REFUSAL_EMPTY;
	double n = (double)total, m = (double)discordant, more = (double)t.n10 - (double)t.n01;
	struct mcnemar r = {
		.diff = more / n,
		.flip_rate = m / n,
		.se_diff = sqrt(fmax(0, m - more * more / n)) / n,
		.p_exact = 1,
		.p_mid = 1,
		.p_greater = 1,
	};
	if (t.n01 > 0)
		r.odds_ratio = number_of((double)t.n10 / (double)t.n01);
	if (discordant > 0) {
		uint64_t fewer = MIN_OF(t.n10, t.n01);
		double tail = binomial_at_most(fewer, discordant, 0.5);
		r.p_exact = fmin(1, 2 * tail);
		if (t.n10 != t.n01)
			r.p_mid = 2 * tail - binomial_pmf(fewer, discordant, 0.5);
		r.p_greater = binomial_at_least(t.n10, discordant, 0.5);
		chi_square(more, m, &r);
	}
	*ret_test = r;
	return REFUSAL_NONE;
}
