/* Goal: the heap pops what sorting would give, however members were moved and removed before. */
#include "common/base/heap.h"
#include "tests/support/cmocka_all.h"
#include "tests/support/gen.h"
#include <stdlib.h>

enum { IDS = 80 };

struct model {
	bool in[IDS];
	uint64_t key[IDS];
	size_t len;
};

static bool least(const struct model *m, struct heap_item *ret_item)
{
	bool found = false;
	for (uint64_t id = 0; id < IDS; id++) { /* ascending, so the smaller id wins a tie */
		if (!m->in[id] || (found && m->key[id] >= ret_item->key))
			continue;
		*ret_item = (struct heap_item){ m->key[id], id };
		found = true;
	}
	return found;
}

static void check_least(const struct heap *h, const struct model *m)
{
	struct heap_item have = { 0 }, want = { 0 };
	assert_int_equal(heap_min(h, &have), least(m, &want));
	assert_int_equal(have.key, want.key);
	assert_int_equal(have.id, want.id);
	assert_int_equal(h->len, m->len);
}

static void step(struct rng *r, struct heap *h, struct model *m)
{
	uint64_t id = rng_below(r, IDS), key = rng_below(r, 30), found = 0; /* few keys: many ties */
	struct heap_item have, want = { 0 };
	switch (rng_below(r, 6)) {
	case 0:
		assert_int_equal(heap_remove(h, id), m->in[id]);
		m->len -= m->in[id];
		m->in[id] = false;
		break;
	case 1:
		assert_int_equal(heap_pop(h, &have), least(m, &want));
		m->len -= m->in[want.id] && m->len > 0;
		m->in[want.id] = false;
		break;
	case 2:
		assert_int_equal(heap_key(h, id, &found), m->in[id]);
		if (m->in[id])
			assert_int_equal(found, m->key[id]);
		break;
	default:
		heap_put(h, id, key);
		m->len += !m->in[id];
		m->in[id] = true;
		m->key[id] = key;
		break;
	}
}

static void the_least_is_always_the_one_a_search_finds(void **state)
{
	(void)state;
	struct rng rng;
	for (struct gen_seeds s = gen_seeds(100); gen_next(&s, &rng);) {
		struct heap h;
		struct model m = { .len = 0 };
		heap_init(&h);
		for (int i = 0; i < 1000; i++) {
			step(&rng, &h, &m);
			check_least(&h, &m);
		}
		heap_done(&h);
	}
}

static int by_key_then_id(const void *a, const void *b)
{
	const struct heap_item *x = a, *y = b;
	return x->key != y->key ? (x->key > y->key) - (x->key < y->key) : (x->id > y->id) - (x->id < y->id);
}

static void popping_everything_is_sorting(void **state)
{
	(void)state;
	struct rng rng;
	for (struct gen_seeds s = gen_seeds(100); gen_next(&s, &rng);) {
		struct heap h;
		struct heap_item items[300], popped = { 0 };
		size_t count = gen_len(&rng, ARRAY_LEN(items));
		heap_init(&h);
		for (size_t i = 0; i < count; i++) {
			items[i] = (struct heap_item){ rng_next(&rng) >> rng_below(&rng, 64), i };
			heap_put(&h, items[i].id, items[i].key);
		}
		qsort(items, count, sizeof(*items), by_key_then_id);
		for (size_t i = 0; i < count; i++) {
			assert_true(heap_pop(&h, &popped));
			assert_int_equal(popped.id, items[i].id);
		}
		assert_false(heap_pop(&h, &popped));
		heap_done(&h);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		gen_property(the_least_is_always_the_one_a_search_finds),
		gen_property(popping_everything_is_sorting),
	};
	return cmocka_run_group_tests_name("heap properties", tests, NULL, NULL);
}
