#include "coordinator/evidence/cut.h"
#include "common/base/check.h"
#include "coordinator/stats/clt_mean.h"
#include "coordinator/stats/clustered_mean.h"
#include "coordinator/stats/weighting.h"
#include <math.h>
#include <string.h>

static const double any_level = 0.95; /* the statistics want one; only mean and error are read here */

bool cut_group(struct arena *arena, const uint32_t *group, size_t unit_count, uint32_t group_count,
               struct cut_groups *ret_groups)
{
	size_t *start = arena_try_alloc(arena, (size_t)group_count + 2, sizeof(*start));
	uint32_t *unit = arena_try_alloc(arena, unit_count + 1, sizeof(*unit));
	if (!start || !unit)
		return false;
	memset(start, 0, ((size_t)group_count + 2) * sizeof(*start));
	for (size_t i = 0; i < unit_count; i++)
		if (group[i] != SAMPLES_NO_GROUP)
			start[group[i] + 2]++;
	for (size_t g = 2; g < (size_t)group_count + 2; g++)
		start[g] += start[g - 1];
	for (size_t i = 0; i < unit_count; i++)
		if (group[i] != SAMPLES_NO_GROUP)
			unit[start[group[i] + 1]++] = (uint32_t)i;
	*ret_groups = (struct cut_groups){ unit, start };
	return true;
}

bool cut_init(struct cut *s, struct arena *arena, size_t unit_count, uint32_t cluster_labels)
{
	size_t labels = (size_t)cluster_labels + 1;
	*s = (struct cut){ .label_count = cluster_labels };
	s->x = arena_try_alloc(arena, unit_count, sizeof(*s->x));
	s->y = arena_try_alloc(arena, unit_count, sizeof(*s->y));
	s->weight = arena_try_alloc(arena, unit_count, sizeof(*s->weight));
	s->cluster = arena_try_alloc(arena, unit_count, sizeof(*s->cluster));
	s->local = arena_try_alloc(arena, labels, sizeof(*s->local));
	s->turn_of = arena_try_alloc(arena, labels, sizeof(*s->turn_of));
	if (!s->x || !s->y || !s->weight || !s->cluster || !s->local || !s->turn_of)
		return false;
	memset(s->turn_of, 0, labels * sizeof(*s->turn_of));
	return true;
}

void cut_begin(struct cut *s)
{
	s->n = 0;
	s->cluster_count = 0;
	s->turn++;
}

void cut_add(struct cut *s, double x, double y, double weight, uint32_t cluster)
{
	if (weight == 0)
		return;
	uint32_t own = s->cluster_count;
	if (cluster != SAMPLES_NO_GROUP) {
		check(cluster < s->label_count);
		if (s->turn_of[cluster] == s->turn)
			own = s->local[cluster];
		s->turn_of[cluster] = s->turn;
		s->local[cluster] = own;
	}
	s->cluster_count += own == s->cluster_count;
	s->x[s->n] = x;
	s->y[s->n] = y;
	s->weight[s->n] = weight;
	s->cluster[s->n++] = own;
}

bool cut_weighted(const struct cut *s)
{
	for (size_t i = 1; i < s->n; i++)
		if (s->weight[i] != s->weight[0])
			return true;
	return false;
}

static bool all_equal(const double *values, size_t n)
{
	for (size_t i = 1; i < n; i++)
		if (values[i] != values[0])
			return false;
	return true;
}

static struct number larger(struct number a, struct number b)
{
	return a.defined && b.defined ? number_of(fmax(a.value, b.value)) : number_none();
}

static void estimate_plain(const struct cut *s, const double *values, struct cut_estimate *e)
{
	struct clt_mean m;
	enum refusal refused = clt_mean_compute(values, s->n, any_level, &m);
	check_msg(!refused, "%s", refusal_name(refused)); /* samples take only finite scores */
	e->mean = m.mean;
	e->se = m.se;
	if (!e->clustered)
		return;
	struct clustered_mean c;
	refused = clustered_mean_compute(values, s->cluster, s->n, any_level, &c);
	check_msg(!refused, "%s", refusal_name(refused));
	e->se = larger(m.se, c.se_cr1);
}

static void estimate_weighted(const struct cut *s, const double *values, struct cut_estimate *e)
{
	struct weighting w;
	enum refusal refused = weighting_compute(values, s->weight, e->clustered ? s->cluster : NULL, s->n, &w);
	check_msg(!refused, "%s", refusal_name(refused));
	e->mean = w.mean;
	e->se = e->clustered ? larger(w.se, w.se_cluster) : w.se;
	e->ess = w.ess;
}

struct cut_estimate cut_estimate_of(const struct cut *s, const double *values)
{
	check(s->n > 0);
	struct cut_estimate e = {
		.n = s->n,
		.units = s->cluster_count,
		.clustered = s->cluster_count < s->n,
		.weighted = cut_weighted(s),
		.df = (double)s->cluster_count - 1,
		.ess = (double)s->n,
	};
	if (e.weighted)
		estimate_weighted(s, values, &e);
	else
		estimate_plain(s, values, &e);
	if (all_equal(values, s->n)) { /* a weighted mean may miss it by rounding */
		e.mean = values[0];
		e.se = e.se.defined ? number_of(0) : e.se;
	}
	return e;
}
