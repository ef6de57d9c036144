/* Goal: the files of a bundle come out as they went in, and nothing else is a bundle. */
#include "common/base/mem.h"
#include "coordinator/http/bundle.h"
#include "tests/support/cmocka_all.h"
#include "tests/support/gen.h"
#include <stdio.h>

static void files_come_out_as_they_went_in(void **state)
{
	(void)state;
	struct rng rng;
	struct bundle *b = mem_new(1, sizeof(*b));
	for (struct gen_seeds s = gen_seeds(100); gen_next(&s, &rng);) {
		struct buf body, names[8], contents[8];
		size_t count = 1 + gen_len(&rng, 7);
		struct error e;
		buf_init(&body, 1 << 20);
		for (size_t i = 0; i < count; i++) {
			buf_init(&names[i], 1000);
			buf_init(&contents[i], 10000);
			gen_name(&rng, &names[i], 20);
			assert_true(buf_printf(&names[i], " %zu.jsonl", i)); /* a space is part of a name */
			gen_bytes(&rng, &contents[i], 2000);
			assert_true(buf_printf(&body, "file %zu %.*s\n", contents[i].len, STR_ARG(buf_str(&names[i]))));
			assert_true(buf_append_str(&body, buf_str(&contents[i])));
		}
		assert_ok(bundle_read(buf_str(&body), b, &e), &e);
		assert_int_equal(b->count, count);
		for (size_t i = 0; i < count; i++) {
			struct str found;
			assert_str_equal(b->names[i], buf_str(&names[i]));
			assert_true(bundle_find(b, buf_str(&names[i]), &found));
			assert_str_equal(found, buf_str(&contents[i]));
			buf_done(&names[i]);
			buf_done(&contents[i]);
		}
		struct str none;
		assert_false(bundle_find(b, STR("absent"), &none));
		gen_mangle(&rng, &body);
		IGNORE(bundle_read(buf_str(&body), b, &e)); /* any answer, no crash */
		buf_done(&body);
	}
	mem_free(b);
}

static void what_is_no_bundle_is_refused(void **state)
{
	(void)state;
	static const char *const wrong[] = {
		"",
		"\n",
		"file 3 a\nab",
		"file 3 a",
		"file x a\nabc",
		"file -1 a\nabc",
		"file 3\nabc",
		"file 3 \nabc",
		"files 3 a\nabc",
		"file 3 a\nabcd",
		"file 18446744073709551615 a\nabc",
		"file 99999999999999999999 a\nabc",
	};
	struct bundle *b = mem_new(1, sizeof(*b));
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		struct error e;
		assert_int_equal(bundle_read(str_from(wrong[i]), b, &e), ERR_INVALID);
		assert_true(e.text[0]);
	}
	mem_free(b);
}

static void too_many_files_are_over_a_limit(void **state)
{
	(void)state;
	struct bundle *b = mem_new(1, sizeof(*b));
	struct buf body;
	struct error e;
	buf_init(&body, 1 << 20);
	for (int i = 0; i < BUNDLE_FILES_MAX; i++)
		assert_true(buf_printf(&body, "file 1 %d\nx", i));
	assert_ok(bundle_read(buf_str(&body), b, &e), &e);
	assert_true(buf_append_c(&body, "file 1 one-more\nx"));
	assert_int_equal(bundle_read(buf_str(&body), b, &e), ERR_LIMIT);
	buf_done(&body);
	mem_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		gen_property(files_come_out_as_they_went_in),
		cmocka_unit_test(what_is_no_bundle_is_refused),
		cmocka_unit_test(too_many_files_are_over_a_limit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
