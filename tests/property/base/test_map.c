/* Goal: whatever is done to it, the map is what a list of pairs in order of arrival would be. */
#include "common/base/map.h"
#include "tests/support/cmocka_all.h"
#include "tests/support/gen.h"

enum { MODEL_MAX = 400, STEPS = 1500, KEYS = 60 };

struct pair {
	uint64_t key; /* also spelled as text */
	uint64_t value;
};

struct model {
	struct pair pairs[MODEL_MAX]; /* in order of arrival */
	size_t len;
};

static struct pair *model_find(struct model *m, uint64_t key)
{
	for (size_t i = 0; i < m->len; i++)
		if (m->pairs[i].key == key)
			return &m->pairs[i];
	return NULL;
}

static bool model_remove(struct model *m, uint64_t key)
{
	struct pair *p = model_find(m, key);
	if (!p)
		return false;
	memmove(p, p + 1, (size_t)(m->pairs + m->len - (p + 1)) * sizeof(*p));
	m->len--;
	return true;
}

/* The two kinds of keys through one door. */
struct keys {
	bool as_text;
	char spelled[MODEL_MAX][24];
};

static struct str spell(struct keys *k, uint64_t key)
{
	/* lengths around the hash's eight bytes; key 0 is the empty string */
	int len = snprintf(k->spelled[key], sizeof(k->spelled[key]), "%.*s%llu", (int)(key % 12), "aaaaaaaaaaaa",
	                   (unsigned long long)key);
	return str_make(k->spelled[key], key ? (size_t)len : 0);
}

static uint64_t *put(struct keys *k, struct map *m, uint64_t key, bool *is_new)
{
	return k->as_text ? map_put(m, spell(k, key), is_new) : map_put_u64(m, key << 40, is_new);
}

static uint64_t *get(struct keys *k, const struct map *m, uint64_t key)
{
	return k->as_text ? map_get(m, spell(k, key)) : map_get_u64(m, key << 40);
}

static bool take_out(struct keys *k, struct map *m, uint64_t key)
{
	return k->as_text ? map_remove(m, spell(k, key)) : map_remove_u64(m, key << 40);
}

static void walks_agree(struct keys *k, const struct map *m, const struct model *model)
{
	size_t at = 0, i = 0;
	struct str text;
	uint64_t number, *value;
	assert_int_equal(m->len, model->len);
	while ((value = k->as_text ? map_next(m, &at, &text) : map_next_u64(m, &at, &number)) != NULL) {
		assert_true(i < model->len);
		assert_int_equal(*value, model->pairs[i].value);
		if (k->as_text)
			assert_str_equal(text, spell(k, model->pairs[i].key));
		else
			assert_int_equal(number, model->pairs[i].key << 40);
		i++;
	}
	assert_int_equal(i, model->len);
}

static void step(struct rng *r, struct keys *k, struct map *m, struct model *model)
{
	uint64_t key = rng_below(r, KEYS), number = rng_next(r);
	struct pair *p = model_find(model, key);
	bool is_new = false;
	switch (rng_below(r, 5)) {
	case 0:
	case 1: {
		uint64_t *value = put(k, m, key, &is_new);
		assert_int_equal(is_new, p == NULL);
		assert_int_equal(*value, p ? p->value : 0);
		*value = number;
		if (!p)
			model->pairs[model->len++] = (struct pair){ key, number };
		else
			p->value = number;
		break;
	}
	case 2: {
		const uint64_t *value = get(k, m, key);
		assert_int_equal(value != NULL, p != NULL);
		if (p)
			assert_int_equal(*value, p->value);
		break;
	}
	default:
		assert_int_equal(take_out(k, m, key), model_remove(model, key));
		break;
	}
}

static void it_is_a_list_of_pairs_in_order_of_arrival(void **state)
{
	(void)state;
	struct rng rng;
	for (struct gen_seeds s = gen_seeds(60); gen_next(&s, &rng);) {
		struct map m;
		struct model model = { .len = 0 };
		struct keys keys = { .as_text = gen_chance(&rng, 50) };
		map_init(&m, sizeof(uint64_t));
		for (int i = 0; i < STEPS; i++) {
			step(&rng, &keys, &m, &model);
			if (i % 50 == 0)
				walks_agree(&keys, &m, &model);
			if (gen_chance(&rng, 1) && gen_chance(&rng, 20)) {
				map_clear(&m);
				model.len = 0;
			}
		}
		walks_agree(&keys, &m, &model);
		map_done(&m);
	}
}

static void the_entry_just_walked_over_may_be_removed(void **state)
{
	(void)state;
	struct rng rng;
	for (struct gen_seeds s = gen_seeds(100); gen_next(&s, &rng);) {
		struct map m;
		uint64_t count = rng_below(&rng, 200), seen = 0, kept = 0, key;
		map_init(&m, 0);
		for (uint64_t i = 0; i < count; i++)
			(void)map_put_u64(&m, i, NULL);
		for (size_t at = 0; map_next_u64(&m, &at, &key) != NULL; seen++) {
			assert_int_equal(key, seen);
			if (gen_chance(&rng, 60))
				assert_true(map_remove_u64(&m, key));
			else
				kept++;
		}
		assert_int_equal(seen, count);
		assert_int_equal(m.len, kept);
		map_done(&m);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		gen_property(it_is_a_list_of_pairs_in_order_of_arrival),
		gen_property(the_entry_just_walked_over_may_be_removed),
	};
	return cmocka_run_group_tests_name("map properties", tests, NULL, NULL);
}
