#include "coordinator/evidence/pair_cut.h"
#include "coordinator/stats/paired_diff.h"
#include <math.h>

bool pair_cut_init(struct pair_cut *p, struct arena *arena, const struct samples *base, const struct samples *cand)
{
	*p = (struct pair_cut){ .base = base, .cand = cand };
	p->diff = arena_try_alloc(arena, cand->item_count, sizeof(*p->diff));
	return p->diff && cut_init(&p->cut, arena, cand->item_count, cand->cluster_count);
}

void pair_cut_metric(struct pair_cut *p, uint32_t metric_base, uint32_t metric_cand)
{
	p->metric_base = metric_base;
	p->metric_cand = metric_cand;
	p->range_base = samples_range(p->base, metric_base);
	p->range_cand = samples_range(p->cand, metric_cand);
	p->width = number_none();
	if (!p->range_base.defined || !p->range_cand.defined)
		return;
	double up = p->range_cand.high - p->range_base.low, down = p->range_base.high - p->range_cand.low;
	p->width = number_of(fmax(up, down));
}

static void subtract(struct pair_cut *p)
{
	paired_diff_differences(p->cut.x, p->cut.y, p->cut.n, p->diff);
}

void pair_cut_observed(struct pair_cut *p, const struct pair_list *list, const uint32_t *pairs, size_t count)
{
	cut_begin(&p->cut);
	for (size_t i = 0; i < count; i++) {
		uint32_t item = list->cand[pairs[i]];
		struct number cand = samples_item_score(p->cand, p->metric_cand, item);
		struct number base = samples_item_score(p->base, p->metric_base, list->base[pairs[i]]);
		if (cand.defined && base.defined)
			cut_add(&p->cut, cand.value, base.value, p->cand->weight[item], p->cand->cluster[item]);
	}
	subtract(p);
}

void pair_cut_filled(struct pair_cut *p, const struct pair_list *list, const uint32_t *pairs, size_t count,
                     double fill_base, double fill_cand)
{
	cut_begin(&p->cut);
	for (size_t i = 0; i < count; i++) {
		uint32_t item = list->cand[pairs[i]];
		double cand = samples_item_filled(p->cand, p->metric_cand, item, fill_cand);
		double base = samples_item_filled(p->base, p->metric_base, list->base[pairs[i]], fill_base);
		cut_add(&p->cut, cand, base, p->cand->weight[item], p->cand->cluster[item]);
	}
	subtract(p);
}

static bool is_unit(struct interval range)
{
	return range.defined && range.low == 0 && range.high == 1;
}

bool pair_cut_binary(const struct pair_cut *p)
{
	if (!is_unit(p->range_base) || !is_unit(p->range_cand))
		return false;
	for (size_t i = 0; i < p->cut.n; i++) {
		double x = p->cut.x[i], y = p->cut.y[i];
		if ((x != 0 && x != 1) || (y != 0 && y != 1))
			return false;
	}
	return true;
}

struct cut_estimate pair_cut_estimate(const struct pair_cut *p)
{
	return cut_estimate_of(&p->cut, p->diff);
}

double pair_cut_still_share(double units, double tail)
{
	return exp(log(tail) / units);
}
