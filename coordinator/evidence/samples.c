#include "coordinator/evidence/samples.h"
#include "common/base/check.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static void *column(struct samples *s, size_t count, size_t size)
{
	void *p = arena_try_alloc(s->arena, count, size);
	if (p)
		memset(p, 0, count * size);
	return p;
}

static enum err_code too_large(struct error *reterr, const struct samples *s)
{
	return error_set(reterr, ERR_LIMIT, "a run of %zu samples does not fit the memory of this request",
	                 s->sample_count);
}

enum err_code samples_init(struct samples *s, struct arena *arena, size_t item_count, uint32_t epoch_count,
                           struct error *reterr)
{
	*s = (struct samples){ .arena = arena, .item_count = item_count, .epoch_count = epoch_count };
	map_init(&s->cluster_index, sizeof(uint32_t));
	if (item_count == 0 || epoch_count == 0)
		return error_set(reterr, ERR_INVALID, "a run needs an item and an epoch");
	if (item_count >= SAMPLES_NO_GROUP || item_count > SIZE_MAX / epoch_count)
		return error_set(reterr, ERR_LIMIT, "%zu items are too many", item_count);
	s->sample_count = item_count * epoch_count;
	s->item_id = column(s, item_count, sizeof(*s->item_id));
	s->item_hash = column(s, item_count, sizeof(*s->item_hash));
	s->weight = column(s, item_count, sizeof(*s->weight));
	s->cluster = column(s, item_count, sizeof(*s->cluster));
	s->flags = column(s, s->sample_count, sizeof(*s->flags));
	s->tokens_in = column(s, s->sample_count, sizeof(*s->tokens_in));
	s->tokens_out = column(s, s->sample_count, sizeof(*s->tokens_out));
	s->latency_ms = column(s, s->sample_count, sizeof(*s->latency_ms));
	s->cost_nanousd = column(s, s->sample_count, sizeof(*s->cost_nanousd));
	if (!s->item_id || !s->item_hash || !s->weight || !s->cluster || !s->flags || !s->tokens_in || !s->tokens_out ||
	    !s->latency_ms || !s->cost_nanousd)
		return too_large(reterr, s);
	for (size_t i = 0; i < item_count; i++) {
		s->weight[i] = 1;
		s->cluster[i] = SAMPLES_NO_GROUP;
	}
	return ERR_OK;
}

void samples_done(struct samples *s)
{
	for (size_t i = 0; i < s->dimension_count; i++)
		map_done(&s->dimension[i].index);
	map_done(&s->cluster_index);
	s->dimension_count = 0;
}

static bool copy_text(struct samples *s, struct str text, struct str *ret_copy)
{
	char *bytes = arena_try_alloc(s->arena, text.len + 1, 1);
	if (!bytes)
		return false;
	if (text.len)
		memcpy(bytes, text.data, text.len);
	bytes[text.len] = '\0';
	*ret_copy = str_make(bytes, text.len);
	return true;
}

enum err_code samples_add_metric(struct samples *s, struct str name, struct number chance, struct interval range,
                                 size_t *ret_metric, struct error *reterr)
{
	size_t there;
	if (samples_find_metric(s, name, &there))
		return error_set(reterr, ERR_INVALID, "metric %.*s is there twice", STR_ARG(name));
	if (s->metric_count == SAMPLES_METRICS_MAX)
		return error_set(reterr, ERR_LIMIT, "more than %d metrics", SAMPLES_METRICS_MAX);
	struct samples_metric m = { .chance = chance, .range = range };
	m.score = column(s, s->sample_count, sizeof(*m.score));
	m.outcome = column(s, s->sample_count, sizeof(*m.outcome));
	if (!m.score || !m.outcome || !copy_text(s, name, &m.name))
		return too_large(reterr, s);
	*ret_metric = s->metric_count;
	s->metric[s->metric_count++] = m;
	return ERR_OK;
}

enum err_code samples_add_dimension(struct samples *s, struct str name, size_t *ret_dimension, struct error *reterr)
{
	size_t there;
	if (samples_find_dimension(s, name, &there))
		return error_set(reterr, ERR_INVALID, "dimension %.*s is there twice", STR_ARG(name));
	if (s->dimension_count == SAMPLES_DIMENSIONS_MAX)
		return error_set(reterr, ERR_LIMIT, "more than %d dimensions", SAMPLES_DIMENSIONS_MAX);
	struct samples_dimension d = { .group = column(s, s->item_count, sizeof(*d.group)) };
	if (!d.group || !copy_text(s, name, &d.name))
		return too_large(reterr, s);
	for (size_t i = 0; i < s->item_count; i++)
		d.group[i] = SAMPLES_NO_GROUP;
	map_init(&d.index, sizeof(uint32_t));
	*ret_dimension = s->dimension_count;
	s->dimension[s->dimension_count++] = d;
	return ERR_OK;
}

enum err_code samples_set_item(struct samples *s, size_t item, struct str id, struct hash content, double weight,
                               struct error *reterr)
{
	if (item >= s->item_count)
		return error_set(reterr, ERR_INVALID, "item %zu of a run of %zu items", item, s->item_count);
	if (!(weight >= 0 && weight <= 1e100))
		return error_set(reterr, ERR_INVALID, "weight %g of item %.*s", weight, STR_ARG(id));
	if (!copy_text(s, id, &s->item_id[item]))
		return too_large(reterr, s);
	s->item_hash[item] = content;
	s->weight[item] = weight;
	return ERR_OK;
}

static bool grow_labels(struct samples *s, struct samples_dimension *d)
{
	if (d->label_count < d->label_cap)
		return true;
	size_t cap = d->label_cap ? d->label_cap * 2 : 16;
	struct str *grown = arena_try_alloc(s->arena, cap, sizeof(*grown));
	if (!grown)
		return false;
	if (d->label_count)
		memcpy(grown, d->label, d->label_count * sizeof(*grown));
	d->label = grown;
	d->label_cap = cap;
	return true;
}

enum err_code samples_set_group(struct samples *s, size_t dimension, size_t item, struct str label,
                                struct error *reterr)
{
	if (dimension >= s->dimension_count || item >= s->item_count)
		return error_set(reterr, ERR_INVALID, "item %zu of a run of %zu items", item, s->item_count);
	struct samples_dimension *d = &s->dimension[dimension];
	if (label.len == 0) {
		d->group[item] = SAMPLES_NO_GROUP;
		return ERR_OK;
	}
	const uint32_t *known = map_get(&d->index, label);
	if (!known) {
		if (!grow_labels(s, d) || !copy_text(s, label, &d->label[d->label_count]))
			return too_large(reterr, s);
		uint32_t *index = map_put(&d->index, label, NULL);
		*index = d->label_count++;
		known = index;
	}
	d->group[item] = *known;
	return ERR_OK;
}

enum err_code samples_set_cluster(struct samples *s, size_t item, struct str label, struct error *reterr)
{
	if (item >= s->item_count)
		return error_set(reterr, ERR_INVALID, "item %zu of a run of %zu items", item, s->item_count);
	s->cluster[item] = SAMPLES_NO_GROUP;
	if (label.len == 0)
		return ERR_OK;
	bool is_new;
	uint32_t *index = map_put(&s->cluster_index, label, &is_new);
	if (is_new)
		*index = s->cluster_count++;
	s->cluster[item] = *index;
	return ERR_OK;
}

static enum err_code check_place(const struct samples *s, size_t item, uint32_t epoch, struct error *reterr)
{
	if (item < s->item_count && epoch < s->epoch_count)
		return ERR_OK;
	return error_set(reterr, ERR_INVALID, "item %zu, epoch %u of a run of %zu items and %u epochs", item, epoch,
	                 s->item_count, s->epoch_count);
}

enum err_code samples_set_row(struct samples *s, const struct samples_row *row, struct error *reterr)
{
	enum err_code code = check_place(s, row->item, row->epoch, reterr);
	if (code)
		return code;
	size_t at = samples_at(s, row->item, row->epoch);
	s->flags[at] = row->flags;
	s->tokens_in[at] = row->tokens_in;
	s->tokens_out[at] = row->tokens_out;
	s->latency_ms[at] = row->latency_ms;
	s->cost_nanousd[at] = row->cost_nanousd;
	return ERR_OK;
}

enum err_code samples_set_score(struct samples *s, size_t metric, size_t item, uint32_t epoch, enum outcome outcome,
                                double score, struct error *reterr)
{
	enum err_code code = check_place(s, item, epoch, reterr);
	if (code)
		return code;
	if (metric >= s->metric_count || (unsigned)outcome >= OUTCOME_COUNT)
		return error_set(reterr, ERR_INVALID, "metric %zu, outcome %u of item %zu", metric, (unsigned)outcome,
		                 item);
	if (outcome == OUTCOME_SCORED && !(fabs(score) <= 1e100))
		return error_set(reterr, ERR_INVALID, "score %g of item %zu", score, item);
	struct samples_metric *m = &s->metric[metric];
	size_t at = samples_at(s, item, epoch);
	m->outcome[at] = (uint8_t)outcome;
	m->score[at] = outcome == OUTCOME_SCORED ? score : 0;
	if (outcome == OUTCOME_SCORED && m->range.defined && (score < m->range.low || score > m->range.high))
		m->outside_range = true;
	return ERR_OK;
}

size_t samples_at(const struct samples *s, size_t item, uint32_t epoch)
{
	return item * s->epoch_count + epoch;
}

bool samples_find_metric(const struct samples *s, struct str name, size_t *ret_metric)
{
	for (size_t i = 0; i < s->metric_count; i++) {
		if (!str_eq(s->metric[i].name, name))
			continue;
		*ret_metric = i;
		return true;
	}
	return false;
}

bool samples_find_dimension(const struct samples *s, struct str name, size_t *ret_dimension)
{
	for (size_t i = 0; i < s->dimension_count; i++) {
		if (!str_eq(s->dimension[i].name, name))
			continue;
		*ret_dimension = i;
		return true;
	}
	return false;
}

struct labelled {
	struct str label;
	uint32_t group;
};

static int by_label(const void *a, const void *b)
{
	return str_cmp(((const struct labelled *)a)->label, ((const struct labelled *)b)->label); /* no two are equal */
}

const uint32_t *samples_group_order(const struct samples *s, size_t dimension, struct arena *arena)
{
	const struct samples_dimension *d = &s->dimension[dimension];
	uint32_t *order = arena_try_alloc(arena, d->label_count + 1, sizeof(*order));
	struct labelled *sorted = arena_try_alloc(arena, d->label_count + 1, sizeof(*sorted));
	if (!order || !sorted)
		return NULL;
	for (uint32_t g = 0; g < d->label_count; g++)
		sorted[g] = (struct labelled){ d->label[g], g };
	qsort(sorted, d->label_count, sizeof(*sorted), by_label);
	for (uint32_t g = 0; g < d->label_count; g++)
		order[g] = sorted[g].group;
	return order;
}

enum outcome samples_outcome(const struct samples *s, size_t metric, size_t sample)
{
	uint8_t outcome = s->metric[metric].outcome[sample];
	return outcome == OUTCOME_NONE || (s->flags[sample] & FLAG_AFTER_END) ? OUTCOME_NOT_RUN : (enum outcome)outcome;
}

struct interval samples_range(const struct samples *s, size_t metric)
{
	return s->metric[metric].outside_range ? interval_none() : s->metric[metric].range;
}

struct number samples_item_score(const struct samples *s, size_t metric, size_t item)
{
	double total = 0;
	uint32_t n = 0;
	for (uint32_t e = 0; e < s->epoch_count; e++) {
		size_t at = samples_at(s, item, e);
		if (samples_outcome(s, metric, at) != OUTCOME_SCORED)
			continue;
		total += s->metric[metric].score[at];
		n++;
	}
	return n ? number_of(total / n) : number_none();
}

double samples_item_filled(const struct samples *s, size_t metric, size_t item, double fill)
{
	double total = 0;
	for (uint32_t e = 0; e < s->epoch_count; e++) {
		size_t at = samples_at(s, item, e);
		bool scored = samples_outcome(s, metric, at) == OUTCOME_SCORED;
		total += scored ? s->metric[metric].score[at] : fill;
	}
	return total / s->epoch_count;
}
