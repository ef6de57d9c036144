/* Goal: hashes equal the published ones, pieces do not run together, hex reads back. */
#include "common/base/hash.h"
#include "common/base/rng.h"
#include "tests/support/cmocka_all.h"

static void blake2b_of_known_text_is_the_published_value(void **state)
{
	(void)state;
	char hex[HASH_HEX_BYTES + 1];
	hash_hex(hash_of(STR("")), hex);
	assert_string_equal(hex, "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8");
	hash_hex(hash_of(STR("abc")), hex);
	assert_string_equal(hex, "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319");
}

static void crc32c_of_known_text_is_the_published_value(void **state)
{
	(void)state;
	static const char zeros[32] = { 0 };
	assert_int_equal(hash_crc32c(STR("")), 0);
	assert_int_equal(hash_crc32c(STR("123456789")), 0xE3069283);
	assert_int_equal(hash_crc32c(str_make(zeros, sizeof(zeros))), 0x8A9136AA); /* RFC 3720 B.4 */
}

static uint32_t crc32c_bit_by_bit(struct str s)
{
	uint32_t crc = UINT32_MAX;
	for (size_t i = 0; i < s.len; i++) {
		crc ^= (unsigned char)s.data[i];
		for (unsigned bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82F63B78u : 0);
	}
	return ~crc;
}

static void crc32c_equals_the_definition_at_every_length_and_alignment(void **state)
{
	(void)state;
	char bytes[300];
	struct rng rng;
	rng_seed(&rng, 1);
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)rng_next(&rng);
	for (size_t from = 0; from < 9; from++)
		for (size_t len = 0; len <= sizeof(bytes) - from; len++)
			assert_int_equal(hash_crc32c(str_make(bytes + from, len)),
			                 crc32c_bit_by_bit(str_make(bytes + from, len)));
}

static struct hash of_two(struct str a, struct str b)
{
	struct hash_stream h;
	hash_begin(&h);
	hash_add(&h, a);
	hash_add(&h, b);
	return hash_end(&h);
}

static void pieces_of_a_stream_do_not_run_together(void **state)
{
	(void)state;
	assert_false(hash_eq(of_two(STR("ab"), STR("c")), of_two(STR("a"), STR("bc"))));
	assert_false(hash_eq(of_two(STR("abc"), STR("")), of_two(STR(""), STR("abc"))));
	assert_true(hash_eq(of_two(STR("ab"), STR("c")), of_two(STR("ab"), STR("c"))));
}

static void a_stream_is_the_hash_of_lengths_and_pieces(void **state)
{
	(void)state;
	assert_true(hash_eq(of_two(STR("ab"), STR("")), hash_of(STR("\2\0\0\0\0\0\0\0ab\0\0\0\0\0\0\0\0"))));
}

static void another_key_gives_another_hash(void **state)
{
	(void)state;
	assert_false(hash_eq(hash_keyed(STR("k1"), STR("x")), hash_keyed(STR("k2"), STR("x"))));
	assert_false(hash_eq(hash_keyed(STR("k1"), STR("x")), hash_of(STR("x"))));
}

static void hex_reads_back_and_refuses_what_is_not_64_lower_case_digits(void **state)
{
	(void)state;
	char hex[HASH_HEX_BYTES + 1];
	struct hash h = hash_of(STR("x")), back = { { 0 } };
	hash_hex(h, hex);
	assert_true(hash_from_hex(str_from(hex), &back));
	assert_true(hash_eq(h, back));
	assert_false(hash_from_hex(str_slice(str_from(hex), 0, 63), &back));
	hex[5] = 'G';
	assert_false(hash_from_hex(str_from(hex), &back));
	hex[5] = 'A'; /* one hash, one spelling */
	assert_false(hash_from_hex(str_from(hex), &back));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blake2b_of_known_text_is_the_published_value),
		cmocka_unit_test(crc32c_of_known_text_is_the_published_value),
		cmocka_unit_test(crc32c_equals_the_definition_at_every_length_and_alignment),
		cmocka_unit_test(pieces_of_a_stream_do_not_run_together),
		cmocka_unit_test(a_stream_is_the_hash_of_lengths_and_pieces),
		cmocka_unit_test(another_key_gives_another_hash),
		cmocka_unit_test(hex_reads_back_and_refuses_what_is_not_64_lower_case_digits),
	};
	return cmocka_run_group_tests_name("hash", tests, NULL, NULL);
}
