/* Goal: keys survive their text and their file, and a secret that others could read is not used. */
#include "common/io/fs.h"
#include "common/io/fs_calls.h"
#include "common/io/keys.h"
#include "tests/support/cmocka_all.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];
static struct error error;

static int setup(void **state)
{
	(void)state;
	snprintf(folder, sizeof(folder), "/tmp/assay-keys-XXXXXX");
	return mkdtemp(folder) && keys_init(NULL) == ERR_OK ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	fs_calls_set(NULL);
	return fs_remove_tree(folder, NULL) == ERR_OK ? 0 : -1;
}

static void keys_read_back_from_their_text(void **state)
{
	(void)state;
	/* The example of rfc.zeromq.org/spec/32, four times: 86 4F D2 6F B5 59 F7 5B is "HelloWorld". */
	static const uint8_t hello[8] = { 0x86, 0x4F, 0xD2, 0x6F, 0xB5, 0x59, 0xF7, 0x5B };
	uint8_t bytes[KEYS_BYTES], again[KEYS_BYTES];
	char text[KEYS_TEXT_BYTES];
	for (size_t i = 0; i < 4; i++)
		memcpy(bytes + 8 * i, hello, 8);
	keys_text(bytes, text);
	assert_string_equal(text, "HelloWorldHelloWorldHelloWorldHelloWorld");
	for (int round = 0; round < 200; round++) {
		keys_random(bytes, sizeof(bytes));
		if (round == 0)
			memset(bytes, 0, sizeof(bytes));
		if (round == 1)
			memset(bytes, 0xFF, sizeof(bytes));
		keys_text(bytes, text);
		assert_true(keys_from_text(str_from(text), again));
		assert_memory_equal(bytes, again, KEYS_BYTES);
	}
}

static void what_is_not_the_text_of_a_key_is_refused(void **state)
{
	(void)state;
	uint8_t bytes[KEYS_BYTES];
	static const char *const bad[] = {
		"",
		"HelloWorldHelloWorldHelloWorldHelloWorl",
		"HelloWorldHelloWorldHelloWorldHelloWorldd",
		"Hello WorldHelloWorldHelloWorldHelloWorl",
		"HelloWorldHelloWorldHelloWorldHelloWor\"d",
		"#####WorldHelloWorldHelloWorldHelloWorld", /* more than 32 bits */
	};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(keys_from_text(str_from(bad[i]), bytes));
	assert_false(keys_from_text(str_make("HelloWorldHelloWorldHelloWorldHelloWor\0d", 40), bytes));
}

static void a_pair_reads_back_from_its_private_file(void **state)
{
	(void)state;
	struct keys_pair pair, again;
	struct fs_info info;
	struct fs_path path = fs_path("%s/key", folder);
	assert_ok(keys_pair_load_or_new(path.text, &pair, &error), &error);
	assert_ok(fs_info(path.text, &info, &error), &error);
	assert_int_equal(info.mode, 0600);
	assert_ok(keys_pair_load_or_new(path.text, &again, &error), &error);
	assert_memory_equal(&pair, &again, sizeof(pair));
	assert_ok(keys_pair_load(path.text, &again, &error), &error);
	keys_pair_done(&again);
	const struct keys_pair zero = { .secret = { 0 } };
	assert_memory_equal(&again, &zero, sizeof(zero));
	assert_int_equal(keys_pair_load(fs_path("%s/none", folder).text, &again, &error), ERR_NOT_FOUND);
}

static void a_key_that_others_may_read_is_refused_with_the_cure(void **state)
{
	(void)state;
	struct keys_pair pair;
	struct fs_path path = fs_path("%s/key", folder);
	keys_pair_new(&pair);
	assert_ok(keys_pair_save(&pair, path.text, &error), &error);
	static const mode_t open_modes[] = { 0640, 0604, 0660, 0610 };
	for (size_t i = 0; i < ARRAY_LEN(open_modes); i++) {
		assert_int_equal(chmod(path.text, open_modes[i]), 0);
		assert_int_equal(keys_pair_load(path.text, &pair, &error), ERR_DENIED);
		assert_non_null(strstr(error.text, "chmod 600"));
	}
	assert_int_equal(chmod(path.text, 0400), 0);
	assert_ok(keys_pair_load(path.text, &pair, &error), &error);
	if (geteuid() == 0) {
		assert_int_equal(chown(path.text, 12345, (gid_t)-1), 0);
		assert_int_equal(keys_pair_load(path.text, &pair, &error), ERR_DENIED);
		assert_non_null(strstr(error.text, "12345"));
	}
}

static void a_damaged_key_file_is_refused_without_showing_it(void **state)
{
	(void)state;
	struct keys_pair pair, other;
	struct buf file;
	char secret_text[KEYS_TEXT_BYTES];
	struct fs_path path = fs_path("%s/key", folder);
	keys_pair_new(&pair);
	keys_pair_new(&other);
	keys_text(pair.secret, secret_text);
	assert_ok(keys_pair_save(&pair, path.text, &error), &error);
	buf_init(&file, 1000);
	assert_ok(fs_read(path.text, &file, &error), &error);
	for (size_t at = 0; at + 1 < file.len; at++) { /* the last byte is a line end */
		char whole = file.data[at];
		file.data[at] = whole == 'a' ? 'b' : 'a';
		assert_ok(fs_write_atomic(path.text, buf_str(&file), 0600, &error), &error);
		enum err_code err = keys_pair_load(path.text, &other, &error);
		if (err != ERR_CORRUPT)
			fail_msg("byte %zu: %s", at, error_code_name(err));
		assert_null(strstr(error.text, secret_text));
		file.data[at] = whole;
	}
	static char long_file[2000];
	assert_ok(fs_write_atomic(path.text, str_make(long_file, sizeof(long_file)), 0600, &error), &error);
	assert_int_equal(keys_pair_load(path.text, &other, &error), ERR_CORRUPT);
	buf_done(&file);
}

static void a_full_disk_leaves_no_half_key(void **state)
{
	(void)state;
	struct keys_pair pair;
	struct fs_path path = fs_path("%s/key", folder);
	for (uint64_t nth = 1;; nth++) {
		fs_calls_fail_at(FS_CALLS_ANY, nth, ENOSPC, true);
		enum err_code err = keys_pair_load_or_new(path.text, &pair, &error);
		bool hit = fs_calls_fault_hit();
		fs_calls_fail_at(0, 0, 0, false);
		if (!hit) {
			assert_ok(err, &error);
			break;
		}
		assert_int_equal(err, ERR_IO);
		if (fs_exists(path.text)) { /* only the folder's sync was missing */
			assert_ok(keys_pair_load(path.text, &pair, &error), &error);
			assert_ok(fs_remove(path.text, &error), &error);
		}
	}
}

static void a_secret_file_holds_one_line(void **state)
{
	(void)state;
	struct buf out;
	struct fs_path path = fs_path("%s/token", folder);
	buf_init(&out, 100);
	assert_ok(fs_write_atomic(path.text, STR("  assay_x \r\n"), 0600, &error), &error);
	assert_ok(keys_secret_read(path.text, &out, &error), &error);
	assert_str_equal_c(buf_str(&out), "assay_x");
	assert_ok(keys_secret_read(path.text, &out, &error), &error); /* appends */
	assert_str_equal_c(buf_str(&out), "assay_xassay_x");
	static const struct str bad[] = { STR_INIT(""), STR_INIT("\n \n"), STR_INIT("a\nb\n"), STR_INIT("a\0b") };
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		buf_clear(&out);
		assert_ok(fs_write_atomic(path.text, bad[i], 0600, &error), &error);
		assert_int_equal(keys_secret_read(path.text, &out, &error), ERR_CORRUPT);
	}
	assert_int_equal(chmod(path.text, 0644), 0);
	assert_int_equal(keys_secret_read(path.text, &out, &error), ERR_DENIED);
	buf_done(&out);
}

static void tokens_differ_and_compare_by_every_byte(void **state)
{
	(void)state;
	char a[KEYS_TOKEN_BYTES], b[KEYS_TOKEN_BYTES];
	keys_token_new(a);
	keys_token_new(b);
	assert_int_equal(strlen(a), KEYS_TOKEN_BYTES - 1);
	assert_int_equal(strncmp(a, "assay_", 6), 0);
	assert_string_not_equal(a, b);
	assert_true(keys_equal(str_from(a), str_from(a)));
	for (size_t i = 0; a[i]; i++) {
		memcpy(b, a, sizeof(b));
		b[i] ^= 1;
		assert_false(keys_equal(str_from(a), str_from(b)));
	}
	assert_false(keys_equal(str_from(a), str_slice(str_from(a), 0, 10)));
	assert_true(keys_equal(STR(""), (struct str){ NULL, 0 }));
	assert_true(hash_eq(keys_token_hash(STR("x")), keys_token_hash(STR("x"))));
	assert_false(hash_eq(keys_token_hash(STR("x")), keys_token_hash(STR("y"))));
	assert_true(keys_random_u64() != keys_random_u64());
	keys_wipe(a, sizeof(a));
	assert_int_equal(a[0] | a[20] | a[48], 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(keys_read_back_from_their_text),
		TEST(what_is_not_the_text_of_a_key_is_refused),
		TEST(a_pair_reads_back_from_its_private_file),
		TEST(a_key_that_others_may_read_is_refused_with_the_cure),
		TEST(a_damaged_key_file_is_refused_without_showing_it),
		TEST(a_full_disk_leaves_no_half_key),
		TEST(a_secret_file_holds_one_line),
		TEST(tokens_differ_and_compare_by_every_byte),
	};
	return cmocka_run_group_tests_name("keys", tests, NULL, NULL);
}
