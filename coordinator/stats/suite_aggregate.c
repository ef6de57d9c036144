#include "coordinator/stats/suite_aggregate.h"
#include "coordinator/stats/sum.h"
#include <math.h>

static enum refusal check_parts(const struct suite_aggregate_part *parts, size_t count, double *ret_size,
                                double *ret_weight)
{
	if (count == 0)
		return REFUSAL_EMPTY;
	struct sum size = { 0 }, weight = { 0 };
	for (size_t i = 0; i < count; i++) {
		if (isnan(parts[i].mean) || isnan(parts[i].size) || isnan(parts[i].weight))
			return REFUSAL_NAN_INPUT;
		sum_add(&size, parts[i].size);
		sum_add(&weight, parts[i].weight);
	}
	for (size_t i = 0; i < count; i++) {
		bool usable = sum_usable(parts[i].mean) && sum_usable(parts[i].size) && sum_usable(parts[i].weight);
		if (!usable || !sum_usable(parts[i].se.value) || parts[i].se.value < 0)
			return REFUSAL_DOMAIN;
		if (!(parts[i].size > 0) || parts[i].weight < 0)
			return REFUSAL_DOMAIN;
	}
	*ret_size = sum_value(&size);
	*ret_weight = sum_value(&weight);
	return *ret_weight > 0 ? REFUSAL_NONE : REFUSAL_DOMAIN;
}

enum refusal suite_aggregate_compute(const struct suite_aggregate_part *parts, size_t count,
                                     struct suite_aggregate *ret_aggregate)
{
	double total, weights;
	enum refusal refused = check_parts(parts, count, &total, &weights);
	if (refused)
		return refused;
	struct sum weighted = { 0 }, plain = { 0 }, custom = { 0 };
	struct sum pooled2 = { 0 }, stratified2 = { 0 }, plain2 = { 0 }, custom2 = { 0 };
	bool known = true;
	double k = (double)count;
	for (size_t i = 0; i < count; i++) {
		const struct suite_aggregate_part *p = &parts[i];
		double share = p->size / total, weight = p->weight / weights, variance = p->se.value * p->se.value;
		known &= p->se.defined;
		sum_add(&weighted, share * p->mean);
		sum_add(&plain, p->mean / k);
		sum_add(&custom, weight * p->mean);
		sum_add(&pooled2, (p->size - 1) * p->size * variance);
		sum_add(&stratified2, share * share * variance);
		sum_add(&plain2, variance);
		sum_add(&custom2, weight * weight * variance);
	}
	struct suite_aggregate r = { .weighted = sum_value(&weighted),
		                     .unweighted = sum_value(&plain),
		                     .custom = sum_value(&custom) };
	if (known) {
		if (total > k)
			r.se_pooled = number_of(sqrt(sum_value(&pooled2) / (total - k) / total));
		r.se_stratified = number_of(sqrt(sum_value(&stratified2)));
		r.se_unweighted = number_of(sqrt(sum_value(&plain2)) / k);
		r.se_custom = number_of(sqrt(sum_value(&custom2)));
	}
	*ret_aggregate = r;
	return REFUSAL_NONE;
}
