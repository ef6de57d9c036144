/* Goal: a key that the coordinator would refuse is refused in words about what was given; comments and others stay. */
#include "coordinator/http/key_list.h"
#include "tests/support/cmocka_all.h"

#define KEY_A "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"
#define KEY_B "JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6"

static const char before[] = "# ours\nworker-1 " KEY_A "\n";

static void add(const char *name, const char *key, enum err_code want, const char *text)
{
	struct buf lines;
	struct error e = { .code = ERR_OK };
	buf_init(&lines, KEY_LIST_BYTES_MAX);
	assert_true(buf_append_c(&lines, before));
	assert_int_equal(key_list_add(&lines, str_from(name), str_from(key), &e), want);
	if (want == ERR_OK)
		assert_true(str_eq_c(buf_str(&lines), text));
	else if (!str_starts(str_from(e.text), str_from(text)))
		assert_string_equal(e.text, text);
	buf_done(&lines);
}

static void a_new_key_is_appended_and_everything_else_stays(void **state)
{
	(void)state;
	add("gpu-7", KEY_B, ERR_OK, "# ours\nworker-1 " KEY_A "\ngpu-7 " KEY_B "\n");
}

static void a_wrong_name_is_named(void **state)
{
	(void)state;
	static const char *const wrong[] = {
		"",         "two words", "line\nend", "#comment",
		"\x1b[31m", "a/b",       "\xC3\xA9",  "a123456789012345678901234567890123456789012345678901234567890"
	};
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		add(wrong[i], KEY_B, ERR_INVALID, "name: ");
	add("worker-1", KEY_B, ERR_CONFLICT, "name: there is a key of 'worker-1' already");
}

static void a_wrong_key_is_named(void **state)
{
	(void)state;
	static const char *const wrong[] = { "", "short", "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7x",
		                             "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]y\"7",
		                             "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]y 7" };
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		add("gpu-7", wrong[i], ERR_INVALID, "key: ");
	add("gpu-7", KEY_A, ERR_CONFLICT, "key: it is there already, as that of 'worker-1'");
}

static void a_full_list_takes_no_more(void **state)
{
	(void)state;
	struct buf lines;
	struct error e;
	buf_init(&lines, sizeof(before) + 10);
	assert_true(buf_append_c(&lines, before));
	assert_int_equal(key_list_add(&lines, STR("gpu-7"), STR(KEY_B), &e), ERR_LIMIT);
	buf_done(&lines);
}

static void removing_notes_the_line_of_that_name_alone_as_revoked(void **state)
{
	(void)state;
	struct buf kept;
	buf_init(&kept, 4096);
	assert_true(key_list_remove(STR("# ours\nworker-1 k1\n\nworker-10 k2\n"), STR("worker-1"), &kept));
	assert_true(str_eq_c(buf_str(&kept), "# ours\n# revoked worker-1 k1\nworker-10 k2\n"));
	buf_clear(&kept);
	assert_false(key_list_remove(STR("# worker-1 k1\nworker-10 k2\n"), STR("worker-1"), &kept));
	buf_done(&kept);
}

static void a_revoked_key_that_is_added_again_is_revoked_no_more(void **state)
{
	(void)state;
	struct buf lines;
	struct error e;
	buf_init(&lines, 4096);
	assert_true(buf_append_c(&lines, "# ours\n# revoked worker-2 " KEY_B "\n# revoked old " KEY_A "\n"));
	assert_ok(key_list_add(&lines, STR("worker-2"), STR(KEY_B), &e), &e);
	assert_true(str_eq_c(buf_str(&lines), "# ours\n# revoked old " KEY_A "\nworker-2 " KEY_B "\n"));
	assert_ok(key_list_add(&lines, STR("a"), STR(KEY_A), &e), &e);
	assert_true(str_eq_c(buf_str(&lines), "# ours\nworker-2 " KEY_B "\na " KEY_A "\n"));
	buf_done(&lines);
}

static void reading_skips_comments_and_empty_lines(void **state)
{
	(void)state;
	struct str rest = STR("\n# a b\n  worker-1   k1 \nalone\nworker-2 k2"), name, key;
	assert_true(key_list_next(&rest, &name, &key));
	assert_true(str_eq_c(name, "worker-1") && str_eq_c(key, "k1"));
	assert_true(key_list_next(&rest, &name, &key));
	assert_true(str_eq_c(name, "alone") && key.len == 0);
	assert_true(key_list_next(&rest, &name, &key));
	assert_true(str_eq_c(name, "worker-2") && str_eq_c(key, "k2"));
	assert_false(key_list_next(&rest, &name, &key));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_key_is_appended_and_everything_else_stays),
		cmocka_unit_test(a_wrong_name_is_named),
		cmocka_unit_test(a_wrong_key_is_named),
		cmocka_unit_test(a_full_list_takes_no_more),
		cmocka_unit_test(removing_notes_the_line_of_that_name_alone_as_revoked),
		cmocka_unit_test(a_revoked_key_that_is_added_again_is_revoked_no_more),
		cmocka_unit_test(reading_skips_comments_and_empty_lines),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
