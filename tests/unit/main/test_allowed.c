/* Goal: the file of worker keys is read whole or not at all, and a mistake is named by its line. */
#include "coordinator/main/allowed.h"
#include "tests/support/cmocka_all.h"
#include "tests/support/gen.h"
#include <stdio.h>

#define KEY_A "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"
#define KEY_B "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID"

static enum err_code parse(struct arena *arena, const char *text, struct zsock_zap_key **keys, size_t *count,
                           struct error *e)
{
	arena_init(arena, 1 << 20);
	return allowed_parse(str_from(text), "allowed", arena, keys, count, e);
}

static void names_and_keys_are_read_and_comments_are_not(void **state)
{
	(void)state;
	struct arena arena;
	struct zsock_zap_key *keys;
	struct error e;
	size_t count;
	assert_ok(parse(&arena, "# workers\nworker-1 " KEY_A "\n\n  worker-2   " KEY_B "  \r\n", &keys, &count, &e),
	          &e);
	assert_int_equal(count, 2);
	assert_str_equal_c(keys[0].name, "worker-1");
	assert_str_equal_c(keys[1].name, "worker-2");
	char text[KEYS_TEXT_BYTES];
	keys_text(keys[1].key.bytes, text);
	assert_string_equal(text, KEY_B);
	arena_done(&arena);
	assert_ok(parse(&arena, "", &keys, &count, &e), &e);
	assert_int_equal(count, 0);
	arena_done(&arena);
}

static void a_mistake_is_named_by_its_line(void **state)
{
	(void)state;
	static const struct {
		const char *text, *place;
	} cases[] = {
		{ "worker-1\n", "allowed:1: " },
		{ "worker-1 short\n", "allowed:1: " },
		{ "#\n\nworker-1 " KEY_A "x\n", "allowed:3: " },
		{ "worker-1 " KEY_A " more\n", "allowed:1: " },
		{ "a " KEY_A "\na " KEY_B "\n", "allowed:2: 'a' stands twice" },
		{ "a " KEY_A "\nb " KEY_A "\n", "allowed:2: the key of 'a' stands twice" },
		{ "0123456789012345678901234567890123456789012345678901234567890 " KEY_A "\n", "allowed:1: " },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena arena;
		struct zsock_zap_key *keys;
		struct error e;
		size_t count;
		assert_int_equal(parse(&arena, cases[i].text, &keys, &count, &e), ERR_INVALID);
		if (!str_starts(str_from(e.text), str_from(cases[i].place)))
			fail_msg("'%s' does not begin with '%s'", e.text, cases[i].place);
		arena_done(&arena);
	}
}

static void any_text_is_read_or_refused(void **state)
{
	(void)state;
	struct rng rng;
	for (struct gen_seeds s = gen_seeds(300); gen_next(&s, &rng);) {
		struct arena arena;
		struct zsock_zap_key *keys;
		struct error e;
		struct buf text;
		size_t count;
		buf_init(&text, 1 << 16);
		assert_true(buf_append_c(&text, "# x\nworker-1 " KEY_A "\nworker-2 " KEY_B "\n"));
		gen_mangle(&rng, &text);
		arena_init(&arena, 1 << 22);
		if (allowed_parse(buf_str(&text), "f", &arena, &keys, &count, &e) == ERR_OK)
			assert_in_range(count, 0, 10);
		arena_done(&arena);
		buf_done(&text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_and_keys_are_read_and_comments_are_not),
		cmocka_unit_test(a_mistake_is_named_by_its_line),
		gen_property(any_text_is_read_or_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
