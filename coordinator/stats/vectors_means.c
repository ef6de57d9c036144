/* Adapters of means, proportions and their tests (vectors_tables.h). */
#include "coordinator/stats/clt_mean.h"
#include "coordinator/stats/clustered_mean.h"
#include "coordinator/stats/k_samples_unbalanced.h"
#include "coordinator/stats/k_samples_variance.h"
#include "coordinator/stats/mcnemar.h"
#include "coordinator/stats/missing_policy.h"
#include "coordinator/stats/multiple_testing.h"
#include "coordinator/stats/paired_diff.h"
#include "coordinator/stats/pass_at_k.h"
#include "coordinator/stats/permutation_paired.h"
#include "coordinator/stats/power_paired.h"
#include "coordinator/stats/proportion_ci.h"
#include "coordinator/stats/proportion_diff_ci.h"
#include "coordinator/stats/suite_aggregate.h"
#include "coordinator/stats/two_sample_diff.h"
#include "coordinator/stats/vectors_tables.h"
#include "coordinator/stats/weighting.h"
#include "coordinator/stats/wilson_clustered.h"

static enum refusal run_clt_mean(struct vectors_input *in, struct json_write *out)
{
	size_t n;
	const double *scores = vectors_input_nums(in, "scores", &n);
	struct clt_mean r;
	enum refusal refused = clt_mean_compute(scores, n, vectors_input_num(in, "level"), &r);
	if (refused)
		return refused;
	vectors_put_num(out, "n", (double)r.n);
	vectors_put_num(out, "mean", r.mean);
	vectors_put(out, "var", r.var);
	vectors_put(out, "se", r.se);
	vectors_put_interval(out, "ci_z", r.ci_z);
	vectors_put_interval(out, "ci_t", r.ci_t);
	return REFUSAL_NONE;
}

static enum refusal run_clustered_mean(struct vectors_input *in, struct json_write *out)
{
	size_t n, label_count;
	const double *scores = vectors_input_nums(in, "scores", &n);
	const uint32_t *clusters = vectors_input_labels(in, "clusters", &label_count);
	if (n != label_count)
		return REFUSAL_LENGTH_MISMATCH;
	struct clustered_mean r;
	enum refusal refused = clustered_mean_compute(scores, clusters, n, vectors_input_num(in, "level"), &r);
	if (refused)
		return refused;
	vectors_put_num(out, "n", (double)r.n);
	vectors_put_num(out, "n_clusters", (double)r.cluster_count);
	vectors_put_num(out, "mean", r.mean);
	vectors_put(out, "se_iid", r.se_iid);
	vectors_put(out, "se_cr0", r.se_cr0);
	vectors_put(out, "se_paper", r.se_paper);
	vectors_put(out, "se_cr1", r.se_cr1);
	vectors_put_interval(out, "ci_t", r.ci_t);
	vectors_put_interval(out, "ci_z_cr0", r.ci_z_cr0);
	vectors_put(out, "design_effect", r.design_effect);
	return REFUSAL_NONE;
}

static void put_paired_clustered(struct json_write *out, const struct paired_diff *r)
{
	json_write_key(out, "clustered");
	if (!r->is_clustered) {
		json_write_null(out);
		return;
	}
	json_write_object(out);
	vectors_put_num(out, "n_clusters", (double)r->clustered.cluster_count);
	vectors_put(out, "se_cr0", r->clustered.se_cr0);
	vectors_put(out, "se_cr1", r->clustered.se_cr1);
	vectors_put(out, "t", r->clustered.t);
	vectors_put_num(out, "df", r->clustered.df);
	vectors_put(out, "p_t", r->clustered.p_t);
	vectors_put_interval(out, "ci_t", r->clustered.ci_t);
	json_write_object_end(out);
}

static enum refusal run_paired_diff(struct vectors_input *in, struct json_write *out)
{
	size_t n, n_b, label_count;
	const double *a = vectors_input_nums(in, "a", &n), *b = vectors_input_nums(in, "b", &n_b);
	const uint32_t *clusters = NULL;
	label_count = n;
	if (vectors_input_has(in, "clusters"))
		clusters = vectors_input_labels(in, "clusters", &label_count);
	if (n != n_b || n != label_count)
		return REFUSAL_LENGTH_MISMATCH;
	struct paired_diff r;
	enum refusal refused = paired_diff_compute(a, b, clusters, n, vectors_input_num(in, "level"), &r);
	if (refused)
		return refused;
	vectors_put_num(out, "n", (double)r.n);
	vectors_put_num(out, "mean_a", r.mean_a);
	vectors_put_num(out, "mean_b", r.mean_b);
	vectors_put_num(out, "diff", r.diff);
	vectors_put(out, "se_paired", r.se_paired);
	vectors_put(out, "se_unpaired", r.se_unpaired);
	vectors_put(out, "corr", r.corr);
	vectors_put(out, "z", r.z);
	vectors_put(out, "p_z", r.p_z);
	vectors_put(out, "t", r.t);
	vectors_put_num(out, "df", r.df);
	vectors_put(out, "p_t", r.p_t);
	vectors_put_interval(out, "ci_z", r.ci_z);
	vectors_put_interval(out, "ci_t", r.ci_t);
	put_paired_clustered(out, &r);
	return REFUSAL_NONE;
}

static enum refusal run_two_sample_diff(struct vectors_input *in, struct json_write *out)
{
	size_t n_a, n_b;
	const double *a = vectors_input_nums(in, "a", &n_a), *b = vectors_input_nums(in, "b", &n_b);
	struct two_sample_diff r;
	enum refusal refused = two_sample_diff_compute(a, n_a, b, n_b, vectors_input_num(in, "level"), &r);
	if (refused)
		return refused;
	vectors_put_num(out, "diff", r.diff);
	vectors_put(out, "se", r.se);
	vectors_put(out, "z", r.z);
	vectors_put(out, "p_z", r.p_z);
	vectors_put(out, "t", r.t);
	vectors_put(out, "df", r.df);
	vectors_put(out, "p_t", r.p_t);
	vectors_put(out, "p_t_less", r.p_t_less);
	vectors_put(out, "p_t_greater", r.p_t_greater);
	vectors_put_interval(out, "ci_t", r.ci_t);
	vectors_put_interval(out, "ci_z", r.ci_z);
	vectors_put(out, "cohen_d", r.cohen_d);
	vectors_put(out, "hedges_g", r.hedges_g);
	return REFUSAL_NONE;
}

static void put_predictions(struct vectors_input *in, const struct k_samples_variance *r, size_t n,
                            struct json_write *out)
{
	size_t count;
	const uint64_t *k = vectors_input_counts(in, "k_pred", &count);
	json_write_key(out, "se_pred");
	if (!r->var_within.defined) {
		json_write_null(out);
		return;
	}
	json_write_array(out);
	for (size_t i = 0; i < count; i++)
		vectors_put_value(out, k_samples_variance_predict(r, n, k[i]));
	json_write_array_end(out);
}

static enum refusal run_k_samples_variance(struct vectors_input *in, struct json_write *out)
{
	size_t n, *k;
	const double *scores = vectors_input_rows(in, "scores", &k, &n);
	for (size_t i = 1; i < n; i++)
		if (k[i] != k[0])
			return REFUSAL_LENGTH_MISMATCH;
	struct k_samples_variance r;
	enum refusal refused = k_samples_variance_compute(scores, n, n ? k[0] : 0, &r);
	if (refused)
		return refused;
	vectors_put_num(out, "mean", r.mean);
	vectors_put(out, "se", r.se);
	vectors_put(out, "var_within", r.var_within);
	vectors_put(out, "var_between_raw", r.var_between_raw);
	vectors_put(out, "var_between", r.var_between);
	put_predictions(in, &r, n, out);
	vectors_put(out, "se_floor", r.se_floor);
	vectors_put(out, "naive_se", r.naive_se);
	vectors_put(out, "icc1", r.icc1);
	return REFUSAL_NONE;
}

static enum refusal run_k_samples_unbalanced(struct vectors_input *in, struct json_write *out)
{
	size_t n, *k;
	const double *scores = vectors_input_rows(in, "scores", &k, &n);
	struct k_samples_unbalanced r;
	enum refusal refused = k_samples_unbalanced_compute(scores, k, n, &r);
	if (refused)
		return refused;
	vectors_put_num(out, "mean", r.mean);
	vectors_put(out, "se", r.se);
	vectors_put(out, "var_within", r.var_within);
	vectors_put(out, "var_between_raw", r.var_between_raw);
	vectors_put(out, "var_between", r.var_between);
	vectors_put(out, "se_floor", r.se_floor);
	return REFUSAL_NONE;
}

static enum refusal run_power_paired(struct vectors_input *in, struct json_write *out)
{
	struct power_paired_question q = {
		.alpha = vectors_input_num(in, "alpha"),
		.power = vectors_input_num(in, "power"),
		.delta = vectors_input_num(in, "delta"),
		.omega2 = vectors_input_num(in, "omega2"),
		.sigma2_a = vectors_input_num(in, "sigma2_a"),
		.sigma2_b = vectors_input_num(in, "sigma2_b"),
		.k_a = vectors_input_num(in, "k_a"),
		.k_b = vectors_input_num(in, "k_b"),
		.n_given = vectors_input_num(in, "n_given"),
	};
	struct power_paired r;
	enum refusal refused = power_paired_compute(&q, &r);
	if (refused)
		return refused;
	vectors_put_num(out, "n", r.n);
	vectors_put_num(out, "n_ceil", r.n_ceil);
	vectors_put_num(out, "mde", r.mde);
	vectors_put_num(out, "power_at_n", r.power_at_n);
	vectors_put_num(out, "power_exact", r.power_exact);
	return REFUSAL_NONE;
}

static enum refusal run_missing_policy(struct vectors_input *in, struct json_write *out)
{
	size_t n, n_b;
	const double *a = vectors_input_nums(in, "a", &n), *b = vectors_input_nums(in, "b", &n_b);
	if (n != n_b)
		return REFUSAL_LENGTH_MISMATCH;
	struct missing_policy r;
	enum refusal refused = missing_policy_compute(a, b, n, &r);
	if (refused)
		return refused;
	vectors_put_num(out, "n", (double)r.n);
	vectors_put_num(out, "missing_a", (double)r.missing_a);
	vectors_put_num(out, "missing_b", (double)r.missing_b);
	vectors_put(out, "mean_a", r.mean_a);
	vectors_put_num(out, "lower_a", r.lower_a);
	vectors_put_num(out, "upper_a", r.upper_a);
	vectors_put_num(out, "n_both", (double)r.n_both);
	vectors_put(out, "diff", r.diff);
	vectors_put_num(out, "diff_low", r.diff_low);
	vectors_put_num(out, "diff_high", r.diff_high);
	return REFUSAL_NONE;
}

static enum refusal run_proportion_ci(struct vectors_input *in, struct json_write *out)
{
	uint64_t k = vectors_input_count(in, "k"), n = vectors_input_count(in, "n");
	struct proportion_ci r;
	enum refusal refused = proportion_ci_compute(k, n, vectors_input_num(in, "level"), &r);
	if (refused)
		return refused;
	vectors_put_num(out, "p", r.p);
	vectors_put_interval(out, "wilson", r.wilson);
	vectors_put_interval(out, "wilson_cc", r.wilson_cc);
	vectors_put_interval(out, "clopper_pearson", r.clopper_pearson);
	vectors_put_interval(out, "jeffreys", r.jeffreys);
	vectors_put_interval(out, "agresti_coull", r.agresti_coull);
	vectors_put_interval(out, "wald", r.wald);
	return REFUSAL_NONE;
}

static enum refusal run_proportion_diff_ci(struct vectors_input *in, struct json_write *out)
{
	uint64_t k1 = vectors_input_count(in, "k1"), n1 = vectors_input_count(in, "n1");
	uint64_t k2 = vectors_input_count(in, "k2"), n2 = vectors_input_count(in, "n2");
	struct proportion_diff_ci r;
	enum refusal refused = proportion_diff_ci_compute(k1, n1, k2, n2, vectors_input_num(in, "level"), &r);
	if (refused)
		return refused;
	vectors_put_num(out, "diff", r.diff);
	vectors_put_interval(out, "newcombe", r.newcombe);
	return REFUSAL_NONE;
}

static enum refusal run_wilson_clustered(struct vectors_input *in, struct json_write *out)
{
	size_t n, label_count;
	const double *scores = vectors_input_nums(in, "scores", &n);
	const uint32_t *clusters = vectors_input_labels(in, "clusters", &label_count);
	if (n != label_count)
		return REFUSAL_LENGTH_MISMATCH;
	struct wilson_clustered r;
	enum refusal refused = wilson_clustered_compute(scores, clusters, n, vectors_input_num(in, "level"), &r);
	if (refused)
		return refused;
	vectors_put_num(out, "p", r.p);
	vectors_put_num(out, "n_eff", r.n_effective);
	vectors_put_interval(out, "ci", r.ci);
	return REFUSAL_NONE;
}

static enum refusal run_mcnemar(struct vectors_input *in, struct json_write *out)
{
	struct mcnemar_table t = {
		.n11 = vectors_input_count(in, "n11"),
		.n10 = vectors_input_count(in, "n10"),
		.n01 = vectors_input_count(in, "n01"),
		.n00 = vectors_input_count(in, "n00"),
	};
	struct mcnemar r;
	enum refusal refused = mcnemar_compute(t, &r);
	if (refused)
		return refused;
	vectors_put_num(out, "diff", r.diff);
	vectors_put_num(out, "p_exact", r.p_exact);
	vectors_put_num(out, "p_mid", r.p_mid);
	vectors_put_num(out, "p_greater", r.p_greater);
	vectors_put(out, "chi2", r.chi2);
	vectors_put(out, "p_chi2", r.p_chi2);
	vectors_put(out, "chi2_cc", r.chi2_cc);
	vectors_put(out, "p_chi2_cc", r.p_chi2_cc);
	vectors_put_num(out, "flip_rate", r.flip_rate);
	vectors_put(out, "odds_ratio", r.odds_ratio);
	vectors_put_num(out, "se_diff", r.se_diff);
	return REFUSAL_NONE;
}

enum adjusted { ADJUSTED_BH, ADJUSTED_BY, ADJUSTED_HOLM, ADJUSTED_BONFERRONI };

static struct number pick(const struct multiple_testing_row *row, enum adjusted which)
{
	const struct number of[] = { row->bh, row->by, row->holm, row->bonferroni };
	return of[which];
}

static void put_adjusted(struct json_write *out, const char *field, const struct multiple_testing_row *rows, size_t n,
                         enum adjusted which)
{
	json_write_key(out, field);
	json_write_array(out);
	for (size_t i = 0; i < n; i++)
		vectors_put_value(out, pick(&rows[i], which));
	json_write_array_end(out);
}

static void put_rejected(struct json_write *out, const char *field, const struct multiple_testing_row *rows, size_t n,
                         enum adjusted which, double alpha)
{
	json_write_key(out, field);
	json_write_array(out);
	for (size_t i = 0; i < n; i++) {
		struct number p = pick(&rows[i], which);
		if (p.defined)
			json_write_bool(out, p.value <= alpha);
		else
			json_write_null(out);
	}
	json_write_array_end(out);
}

static enum refusal run_multiple_testing(struct vectors_input *in, struct json_write *out)
{
	size_t n, m;
	const struct number *p = vectors_input_numbers(in, "p", &n);
	double alpha = vectors_input_num(in, "alpha");
	struct multiple_testing_row *rows = arena_new(in->arena, n + 1, sizeof(*rows));
	enum refusal refused = multiple_testing_adjust(p, n, rows, &m);
	if (refused)
		return refused;
	vectors_put_num(out, "m", (double)m);
	put_adjusted(out, "bh", rows, n, ADJUSTED_BH);
	put_adjusted(out, "by", rows, n, ADJUSTED_BY);
	put_adjusted(out, "holm", rows, n, ADJUSTED_HOLM);
	put_adjusted(out, "bonferroni", rows, n, ADJUSTED_BONFERRONI);
	put_rejected(out, "reject_bh", rows, n, ADJUSTED_BH, alpha);
	put_rejected(out, "reject_holm", rows, n, ADJUSTED_HOLM, alpha);
	return REFUSAL_NONE;
}

static enum refusal run_pass_at_k_benchmark(struct vectors_input *in, struct json_write *out)
{
	size_t n_count, c_count;
	const uint64_t *n = vectors_input_counts(in, "n", &n_count), *c = vectors_input_counts(in, "c", &c_count);
	if (n_count != c_count)
		return REFUSAL_LENGTH_MISMATCH;
	struct pass_at_k_benchmark r;
	enum refusal refused = pass_at_k_compute_benchmark(n, c, n_count, vectors_input_count(in, "k"), &r);
	if (refused)
		return refused;
	vectors_put_num(out, "mean_pass_at_k", r.mean_pass_at_k);
	vectors_put(out, "se_pass_at_k", r.se_pass_at_k);
	vectors_put_num(out, "mean_pass_hat_k", r.mean_pass_hat_k);
	vectors_put(out, "se_pass_hat_k", r.se_pass_hat_k);
	return REFUSAL_NONE;
}

static enum refusal run_pass_at_k(struct vectors_input *in, struct json_write *out)
{
	if (json_kind(json_get(in->fields, "n")) == JSON_ARRAY)
		return run_pass_at_k_benchmark(in, out);
	uint64_t n = vectors_input_count(in, "n"), c = vectors_input_count(in, "c");
	struct pass_at_k r;
	enum refusal refused = pass_at_k_compute(n, c, vectors_input_count(in, "k"), &r);
	if (refused)
		return refused;
	vectors_put_num(out, "pass_at_k", r.pass_at_k);
	vectors_put_num(out, "pass_hat_k", r.pass_hat_k);
	vectors_put_num(out, "plugin", r.plugin);
	return REFUSAL_NONE;
}

static enum refusal run_suite_aggregate(struct vectors_input *in, struct json_write *out)
{
	size_t n, n_se, n_size, n_weight;
	const double *means = vectors_input_nums(in, "means", &n);
	const struct number *ses = vectors_input_numbers(in, "ses", &n_se);
	const double *sizes = vectors_input_nums(in, "sizes", &n_size);
	const double *weights = vectors_input_nums(in, "weights", &n_weight);
	if (n != n_se || n != n_size || n != n_weight)
		return REFUSAL_LENGTH_MISMATCH;
	struct suite_aggregate_part *parts = arena_new(in->arena, n + 1, sizeof(*parts));
	for (size_t i = 0; i < n; i++)
		parts[i] = (struct suite_aggregate_part){ means[i], ses[i], sizes[i], weights[i] };
	struct suite_aggregate r;
	enum refusal refused = suite_aggregate_compute(parts, n, &r);
	if (refused)
		return refused;
	vectors_put_num(out, "weighted", r.weighted);
	vectors_put(out, "se_pooled", r.se_pooled);
	vectors_put(out, "se_stratified", r.se_stratified);
	vectors_put_num(out, "unweighted", r.unweighted);
	vectors_put(out, "se_unweighted", r.se_unweighted);
	vectors_put_num(out, "custom", r.custom);
	vectors_put(out, "se_custom", r.se_custom);
	return REFUSAL_NONE;
}

static enum refusal run_permutation_paired(struct vectors_input *in, struct json_write *out)
{
	size_t n, n_b;
	const double *a = vectors_input_nums(in, "a", &n), *b = vectors_input_nums(in, "b", &n_b);
	if (n != n_b)
		return REFUSAL_LENGTH_MISMATCH;
	struct permutation_paired r;
	enum refusal refused = permutation_paired_compute(a, b, n, 1, &r);
	if (refused)
		return refused;
	vectors_put_num(out, "diff", r.diff);
	vectors_put_num(out, "p_two", r.p_two);
	vectors_put_num(out, "p_greater", r.p_greater);
	vectors_put_num(out, "p_less", r.p_less);
	return REFUSAL_NONE;
}

static enum refusal run_weighting(struct vectors_input *in, struct json_write *out)
{
	size_t n, n_w;
	const double *x = vectors_input_nums(in, "x", &n), *w = vectors_input_nums(in, "w", &n_w);
	if (n != n_w)
		return REFUSAL_LENGTH_MISMATCH;
	struct weighting r;
	enum refusal refused = weighting_compute(x, w, NULL, n, &r);
	if (refused)
		return refused;
	vectors_put_num(out, "mean", r.mean);
	vectors_put(out, "se", r.se);
	vectors_put_num(out, "ess", r.ess);
	vectors_put_num(out, "deff", r.deff);
	return REFUSAL_NONE;
}

const struct vectors_method vectors_means[] = {
	{ "clt_mean", CLT_MEAN_VERSION, run_clt_mean },
	{ "clustered_mean", CLUSTERED_MEAN_VERSION, run_clustered_mean },
	{ "k_samples_unbalanced", K_SAMPLES_UNBALANCED_VERSION, run_k_samples_unbalanced },
	{ "k_samples_variance", K_SAMPLES_VARIANCE_VERSION, run_k_samples_variance },
	{ "mcnemar", MCNEMAR_VERSION, run_mcnemar },
	{ "missing_policy", MISSING_POLICY_VERSION, run_missing_policy },
	{ "multiple_testing", MULTIPLE_TESTING_VERSION, run_multiple_testing },
	{ "paired_diff", PAIRED_DIFF_VERSION, run_paired_diff },
	{ "pass_at_k", PASS_AT_K_VERSION, run_pass_at_k },
	{ "permutation_paired", PERMUTATION_PAIRED_VERSION, run_permutation_paired },
	{ "power_paired", POWER_PAIRED_VERSION, run_power_paired },
	{ "proportion_ci", PROPORTION_CI_VERSION, run_proportion_ci },
	{ "proportion_diff_ci", PROPORTION_DIFF_CI_VERSION, run_proportion_diff_ci },
	{ "suite_aggregate", SUITE_AGGREGATE_VERSION, run_suite_aggregate },
	{ "two_sample_diff", TWO_SAMPLE_DIFF_VERSION, run_two_sample_diff },
	{ "weighting", WEIGHTING_VERSION, run_weighting },
	{ "wilson_clustered", WILSON_CLUSTERED_VERSION, run_wilson_clustered },
	{ NULL, 0, NULL },
};
