#include "coordinator/schedule/position.h"
#include "common/base/check.h"
#include "common/base/mem.h"

void position_init(struct position_map *m, enum position_order order, uint64_t seed)
{
	*m = (struct position_map){ .order = order, .seed = seed };
}

void position_done(struct position_map *m)
{
	mem_free(m->layers);
	*m = (struct position_map){ 0 };
}

void position_add(struct position_map *m, struct position_layer layer)
{
	mem_reserve(&m->layers, &m->layer_cap, m->layer_count + 1, sizeof(*m->layers));
	m->layers[m->layer_count++] = layer;
	m->total += layer.sample_count;
}

uint64_t position_layer_from(const struct position_map *m, size_t layer)
{
	uint64_t from = 0;
	for (size_t i = 0; i < layer; i++)
		from += m->layers[i].sample_count;
	return from;
}

size_t position_layer_of(const struct position_map *m, uint64_t position, uint64_t *ret_offset)
{
	check_msg(position < m->total, "position %llu of %llu", (unsigned long long)position,
	          (unsigned long long)m->total);
	size_t layer = 0;
	while (position >= m->layers[layer].sample_count)
		position -= m->layers[layer++].sample_count;
	*ret_offset = position;
	return layer;
}

uint64_t position_sample(const struct position_map *m, size_t layer, uint64_t offset)
{
	check(m->order == POSITION_IDENTITY);
	return m->layers[layer].sample_from + offset;
}

uint64_t position_offset(const struct position_map *m, size_t layer, uint64_t sample_no)
{
	check(m->order == POSITION_IDENTITY);
	return sample_no - m->layers[layer].sample_from;
}
