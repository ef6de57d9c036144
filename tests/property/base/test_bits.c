/* Goal: the set is an array of bool, whatever its length. */
#include "common/base/bits.h"
#include "tests/support/cmocka_all.h"
#include "tests/support/gen.h"

enum { LEN_MAX = 400 };

struct model {
	bool bit[LEN_MAX];
	uint64_t len;
};

static uint64_t model_next(const struct model *m, uint64_t from, bool want)
{
	while (from < m->len && m->bit[from] != want)
		from++;
	return from < m->len ? from : m->len;
}

static void resize(struct rng *r, struct bits *b, struct model *m)
{
	uint64_t len = rng_below(r, LEN_MAX + 1);
	bits_resize(b, len);
	for (uint64_t i = m->len; i < len; i++)
		m->bit[i] = false;
	m->len = len;
}

static void or_bytes(struct rng *r, struct bits *b, struct model *m)
{
	struct buf bytes;
	buf_init(&bytes, 100);
	gen_bytes(r, &bytes, 70); /* may be shorter or longer than the set */
	bits_or_bytes(b, buf_str(&bytes));
	for (uint64_t i = 0; i < m->len; i++)
		m->bit[i] |= bits_in(buf_str(&bytes), i);
	buf_done(&bytes);
}

static void step(struct rng *r, struct bits *b, struct model *m)
{
	uint64_t at = m->len ? rng_below(r, m->len) : 0, to = at + rng_below(r, m->len - at + 1);
	switch (rng_below(r, 10)) {
	case 0:
		resize(r, b, m);
		break;
	case 1:
		or_bytes(r, b, m);
		break;
	case 2:
		bits_set_range(b, at, to);
		memset(m->bit + at, true, to - at);
		break;
	case 3:
	case 4:
	case 5:
		for (uint64_t i = at; i < to; i += 1 + rng_below(r, 5)) {
			assert_int_equal(bits_set(b, i), !m->bit[i]);
			m->bit[i] = true;
		}
		break;
	default:
		for (uint64_t i = at; i < to; i += 1 + rng_below(r, 3)) {
			assert_int_equal(bits_clear(b, i), m->bit[i]);
			m->bit[i] = false;
		}
		break;
	}
}

static void agree(struct rng *r, const struct bits *b, const struct model *m)
{
	uint8_t bytes[LEN_MAX / 8 + 1];
	uint64_t count = 0, from = rng_below(r, m->len + 2);
	bits_to_bytes(b, bytes);
	for (uint64_t i = 0; i < m->len; i++) {
		count += m->bit[i];
		assert_int_equal(bits_get(b, i), m->bit[i]);
		assert_int_equal(bits_in(str_make(bytes, bits_byte_len(m->len)), i), m->bit[i]);
	}
	for (uint64_t i = m->len; i < bits_byte_len(m->len) * 8; i++)
		assert_false(bits_in(str_make(bytes, bits_byte_len(m->len)), i));
	assert_int_equal(b->count, count);
	assert_int_equal(b->len, m->len);
	assert_int_equal(bits_next_set(b, from), model_next(m, from, true));
	assert_int_equal(bits_next_clear(b, from), model_next(m, from, false));
}

static void it_is_an_array_of_bool(void **state)
{
	(void)state;
	struct rng rng;
	for (struct gen_seeds s = gen_seeds(100); gen_next(&s, &rng);) {
		struct bits b;
		struct model m = { .len = rng_below(&rng, LEN_MAX + 1) };
		bits_init(&b, m.len);
		for (int i = 0; i < 100; i++) {
			step(&rng, &b, &m);
			agree(&rng, &b, &m);
		}
		bits_done(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		gen_property(it_is_an_array_of_bool),
	};
	return cmocka_run_group_tests_name("bits properties", tests, NULL, NULL);
}
