/* Goal: whatever call fails, a file holds the old bytes or the new ones, and nothing strays outside the folder meant.
 */
#include "common/base/mem.h"
#include "common/io/fs.h"
#include "common/io/fs_calls.h"
#include "tests/support/cmocka_all.h"
#include "tests/support/stops.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[64];
static struct error error;

static int setup(void **state)
{
	(void)state;
	snprintf(folder, sizeof(folder), "/tmp/assay-fs-XXXXXX");
	return mkdtemp(folder) ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	fs_calls_set(NULL);
	return fs_remove_tree(folder, NULL) == ERR_OK ? 0 : -1;
}

static struct fs_path in_folder(const char *name)
{
	return fs_path("%s/%s", folder, name);
}

static void put(const char *name, const char *text)
{
	assert_ok(fs_write_atomic(in_folder(name).text, str_from(text), 0644, &error), &error);
}

static void expect_content(const char *name, const char *text)
{
	struct buf b;
	buf_init(&b, 1 << 20);
	assert_ok(fs_read(in_folder(name).text, &b, &error), &error);
	assert_str_equal_c(buf_str(&b), text);
	buf_done(&b);
}

/* The names in the folder, joined by spaces. */
static void expect_names(const char *want)
{
	struct arena a;
	struct str *names;
	size_t count;
	struct buf joined;
	buf_init(&joined, 4096);
	arena_init(&a, 1 << 20);
	assert_ok(fs_list(folder, &a, &names, &count, &error), &error);
	for (size_t i = 0; i < count; i++) {
		buf_append_c(&joined, i ? " " : "");
		buf_append_str(&joined, names[i]);
	}
	assert_str_equal_c(buf_str(&joined), want);
	buf_done(&joined);
	arena_done(&a);
}

static void a_file_reads_as_it_was_written_up_to_the_limit(void **state)
{
	(void)state;
	struct buf b;
	put("f", "0123456789");
	for (size_t max = 0; max < 13; max++) {
		buf_init(&b, max);
		enum err_code err = fs_read(in_folder("f").text, &b, &error);
		assert_int_equal(err, max < 10 ? ERR_LIMIT : ERR_OK);
		if (err == ERR_OK)
			assert_str_equal_c(buf_str(&b), "0123456789");
		else
			assert_non_null(strstr(error.text, "/f'"));
		buf_done(&b);
	}
	buf_init(&b, 100000);
	assert_ok(fs_read("/proc/self/status", &b, &error), &error); /* says it has 0 bytes */
	assert_true(str_find(buf_str(&b), STR("Name:")) == 0);
	size_t before = b.len;
	assert_ok(fs_read(in_folder("f").text, &b, &error), &error); /* appends */
	assert_int_equal(b.len, before + 10);
	assert_int_equal(fs_read(in_folder("none").text, &b, &error), ERR_NOT_FOUND);
	assert_non_null(strstr(error.text, "/none'"));
	assert_int_equal(fs_read(folder, &b, &error), ERR_INVALID);
	assert_int_equal(fs_read("", &b, &error), ERR_INVALID);
	buf_done(&b);
}

static void an_overlong_path_is_an_error_and_no_other_path(void **state)
{
	(void)state;
	char name[FS_PATH_BYTES_MAX + 1];
	memset(name, 'a', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	struct fs_path p = fs_path("%s", name);
	assert_string_equal(p.text, "");
	assert_int_equal(fs_write_atomic(p.text, STR("x"), 0600, &error), ERR_INVALID);
	assert_int_equal(fs_make_dirs(p.text, 0700, &error), ERR_INVALID);
	assert_int_equal(fs_remove(p.text, &error), ERR_INVALID);
	assert_int_equal(fs_remove_tree(p.text, &error), ERR_INVALID);
}

static void an_atomic_write_sets_the_mode_exactly(void **state)
{
	(void)state;
	struct fs_info info;
	mode_t before = umask(0077);
	assert_ok(fs_write_atomic(in_folder("f").text, STR("x"), 0664, &error), &error);
	umask(before);
	assert_ok(fs_info(in_folder("f").text, &info, &error), &error);
	assert_int_equal(info.mode, 0664);
	assert_true(info.exists && info.is_file && !info.is_dir && info.size == 1 && info.uid == geteuid());
	assert_ok(fs_info(in_folder("none").text, &info, &error), &error);
	assert_false(info.exists);
}

static void whatever_call_fails_an_atomic_write_leaves_the_old_or_the_new_bytes(void **state)
{
	(void)state;
	static const int errors[] = { ENOSPC, EIO };
	for (size_t e = 0; e < ARRAY_LEN(errors); e++) {
		unsigned failures = 0;
		for (uint64_t nth = 1;; nth++) {
			put("f", "old");
			fs_calls_fail_at(FS_CALLS_ANY, nth, errors[e], nth % 2);
			enum err_code err = fs_write_atomic(in_folder("f").text, STR("new!"), 0600, &error);
			bool hit = fs_calls_fault_hit();
			fs_calls_fail_at(0, 0, 0, false);
			expect_names("f");
			if (!hit) {
				assert_ok(err, &error);
				break;
			}
			assert_int_equal(err, ERR_IO);
			assert_non_null(strstr(error.text, strerror(errors[e])));
			assert_non_null(strstr(error.text, folder));
			struct fs_info info;
			assert_ok(fs_info(in_folder("f").text, &info, &error), &error);
			expect_content("f", info.size == 3 ? "old" : "new!");
			failures++;
		}
		assert_int_equal(failures, 6); /* open, write, fsync, rename, open and fsync of the folder */
	}
}

static ssize_t short_write(int fd, const void *data, size_t len)
{
	static unsigned calls;
	if (calls++ % 3 == 2) {
		errno = EINTR;
		return -1;
	}
	return write(fd, data, MIN_OF(len, 2U));
}

static void short_and_interrupted_writes_are_finished(void **state)
{
	(void)state;
	struct fs_calls calls = *fs_calls_real();
	calls.write = short_write;
	fs_calls_set(&calls);
	put("f", "seventeen bytes !");
	struct fs_file *f;
	assert_ok(fs_file_open(in_folder("g").text, 0600, &f, &error), &error);
	assert_ok(fs_file_append(f, STR("seventeen bytes !"), &error), &error);
	fs_file_close(f);
	fs_calls_set(NULL);
	expect_content("f", "seventeen bytes !");
	expect_content("g", "seventeen bytes !");
}

static void folders_are_made_with_their_parents(void **state)
{
	(void)state;
	struct fs_info info;
	struct fs_path deep = in_folder("a/b//c/");
	assert_ok(fs_make_dirs(deep.text, 0700, &error), &error);
	assert_ok(fs_make_dirs(deep.text, 0700, &error), &error);
	assert_ok(fs_info(in_folder("a/b/c").text, &info, &error), &error);
	assert_true(info.is_dir && info.mode == 0700);
	put("file", "x");
	assert_int_equal(fs_make_dirs(in_folder("file/x").text, 0700, &error), ERR_IO);
	assert_non_null(strstr(error.text, "is no folder"));
	assert_int_equal(chdir(folder), 0);
	assert_ok(fs_make_dirs("relative/x", 0700, &error), &error);
	assert_true(fs_exists(in_folder("relative/x").text));
	assert_ok(fs_write_atomic("here", STR("x"), 0600, &error), &error); /* no slash: the folder is "." */
	assert_int_equal(chdir("/"), 0);
	expect_content("here", "x");
}

static void a_folder_lists_sorted_and_within_its_arena(void **state)
{
	(void)state;
	put("b", "");
	put("a", "");
	put("B", "");
	assert_ok(fs_make_dirs(in_folder("dir").text, 0700, &error), &error);
	expect_names("B a b dir");
	struct arena a;
	struct str *names;
	size_t count;
	arena_init(&a, 16);
	assert_int_equal(fs_list(folder, &a, &names, &count, &error), ERR_LIMIT);
	assert_int_equal(fs_list(in_folder("none").text, &a, &names, &count, &error), ERR_NOT_FOUND);
	arena_done(&a);
}

static void a_tree_goes_without_following_links_out_of_it(void **state)
{
	(void)state;
	assert_ok(fs_make_dirs(in_folder("keep").text, 0700, &error), &error);
	put("keep/file", "kept");
	assert_ok(fs_make_dirs(in_folder("t/a/b").text, 0700, &error), &error);
	put("t/a/b/f", "x");
	put("t/g", "x");
	assert_int_equal(symlink("../keep", in_folder("t/link").text), 0);
	assert_int_equal(symlink(in_folder("keep/file").text, in_folder("t/a/link").text), 0);
	assert_ok(fs_remove_tree(in_folder("t/").text, &error), &error);
	expect_names("keep");
	expect_content("keep/file", "kept");
	assert_ok(fs_remove_tree(in_folder("t").text, &error), &error); /* missing is fine */
	assert_int_equal(symlink("keep", in_folder("door").text), 0);
	assert_int_equal(fs_remove_tree(in_folder("door").text, &error), ERR_INVALID);
	assert_int_equal(fs_remove_tree(in_folder("keep/file").text, &error), ERR_INVALID);
	expect_content("keep/file", "kept");
}

static void dangerous_names_are_not_removed(void **state)
{
	(void)state;
	static const char *const names[] = { "/", "//", ".", "..", "", "x/..", "x/.", "../", "./" };
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (fs_remove_tree(names[i], &error) != ERR_INVALID)
			fail_msg("'%s' would have been removed", names[i]);
}

static void a_tree_that_is_too_deep_is_refused_with_its_place(void **state)
{
	(void)state;
	struct buf path;
	buf_init(&path, FS_PATH_BYTES_MAX - 1);
	buf_append_c(&path, folder);
	for (int i = 0; i < 140; i++)
		buf_append_c(&path, "/d");
	assert_ok(fs_make_dirs(path.data, 0700, &error), &error);
	assert_int_equal(fs_remove_tree(in_folder("d").text, &error), ERR_LIMIT);
	assert_non_null(strstr(error.text, "too deep"));
	for (; path.len > strlen(folder); path.len -= 2) {
		path.data[path.len] = '\0';
		assert_int_equal(rmdir(path.data), 0);
	}
	buf_done(&path);
}

static void an_append_file_grows_is_read_back_and_cut(void **state)
{
	(void)state;
	struct fs_file *f;
	char out[16];
	size_t len;
	assert_ok(fs_file_open(in_folder("log").text, 0600, &f, &error), &error);
	assert_ok(fs_file_append(f, STR("one"), &error), &error);
	assert_ok(fs_file_append(f, STR("two"), &error), &error);
	assert_ok(fs_file_sync(f, &error), &error);
	assert_int_equal(fs_file_size(f), 6);
	assert_ok(fs_file_read(f, 2, out, sizeof(out), &len, &error), &error);
	assert_str_equal_c(str_make(out, len), "etwo");
	assert_ok(fs_file_read(f, 6, out, sizeof(out), &len, &error), &error);
	assert_int_equal(len, 0);
	assert_ok(fs_file_truncate(f, 4, &error), &error);
	assert_ok(fs_file_append(f, STR("!"), &error), &error);
	fs_file_close(f);
	expect_content("log", "onet!");
	assert_ok(fs_file_open(in_folder("log").text, 0600, &f, &error), &error);
	assert_int_equal(fs_file_size(f), 5);
	fs_file_close(f);
	assert_int_equal(fs_file_open(folder, 0600, &f, &error), ERR_IO);
	assert_int_equal(fs_file_open("/dev/null", 0600, &f, &error), ERR_INVALID);
}

/* Writes two bytes of each piece, then the disk is full. */
static ssize_t full_after_two(int fd, const void *data, size_t len)
{
	static bool full;
	full = !full;
	if (full)
		return write(fd, data, MIN_OF(len, 2U));
	errno = ENOSPC;
	return -1;
}

static void a_write_that_fails_half_way_is_taken_back(void **state)
{
	(void)state;
	struct fs_file *f;
	struct fs_calls calls = *fs_calls_real();
	calls.write = full_after_two;
	assert_ok(fs_file_open(in_folder("log").text, 0600, &f, &error), &error);
	assert_ok(fs_file_append(f, STR("one"), &error), &error);
	fs_calls_set(&calls);
	assert_int_equal(fs_file_append(f, STR("broken"), &error), ERR_IO);
	assert_non_null(strstr(error.text, "No space left"));
	fs_calls_set(NULL);
	expect_content("log", "one");
	assert_ok(fs_file_append(f, STR("two"), &error), &error); /* room again */
	expect_content("log", "onetwo");
	fs_calls_set(&calls);
	fs_calls_fail_at(FS_CALLS_TRUNCATE, 1, EIO, false);
	assert_int_equal(fs_file_append(f, STR("broken"), &error), ERR_IO);
	fs_calls_set(NULL);
	assert_int_equal(fs_file_append(f, STR("x"), &error), ERR_IO); /* never behind a torn end */
	assert_non_null(strstr(error.text, "not used any more"));
	fs_file_close(f);
}

static void a_failed_sync_ends_the_use_of_a_file(void **state)
{
	(void)state;
	struct fs_file *f;
	size_t len;
	char out[4];
	assert_ok(fs_file_open(in_folder("log").text, 0600, &f, &error), &error);
	assert_ok(fs_file_append(f, STR("one"), &error), &error);
	fs_calls_fail_at(FS_CALLS_SYNC, 1, EIO, false);
	assert_int_equal(fs_file_sync(f, &error), ERR_IO);
	fs_calls_fail_at(0, 0, 0, false);
	assert_int_equal(fs_file_sync(f, &error), ERR_IO); /* a second fsync would lie */
	assert_int_equal(fs_file_append(f, STR("x"), &error), ERR_IO);
	assert_int_equal(fs_file_truncate(f, 0, &error), ERR_IO);
	assert_int_equal(fs_file_read(f, 0, out, 4, &len, &error), ERR_IO);
	fs_file_close(f);
}

static void a_lock_has_one_holder_and_ends_with_it(void **state)
{
	(void)state;
	struct fs_lock *l, *second;
	struct fs_path path = in_folder("lock");
	assert_ok(fs_lock_take(path.text, &l, &error), &error);
	assert_int_equal(fs_lock_take(path.text, &second, &error), ERR_CONFLICT);
	char pid[32];
	snprintf(pid, sizeof(pid), "by process %ld", (long)getpid());
	assert_non_null(strstr(error.text, pid));
	fs_lock_release(l);
	assert_ok(fs_lock_take(path.text, &l, &error), &error);
	fs_lock_release(l);
	int ready[2];
	assert_int_equal(pipe(ready), 0);
	pid_t child = fork();
	if (child == 0) {
		struct fs_lock *theirs;
		bool good = fs_lock_take(path.text, &theirs, NULL) == ERR_OK && write(ready[1], "x", 1) == 1;
		pause();
		_exit(good ? 0 : 1);
	}
	char byte;
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_int_equal(fs_lock_take(path.text, &l, &error), ERR_CONFLICT);
	snprintf(pid, sizeof(pid), "by process %ld", (long)child);
	assert_non_null(strstr(error.text, pid));
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_ok(fs_lock_take(path.text, &l, &error), &error);
	fs_lock_release(l);
	close(ready[0]);
	close(ready[1]);
}

static void the_rest_does_what_it_says(void **state)
{
	(void)state;
	uint64_t bytes = 0;
	struct fs_path real;
	struct fs_info info;
	put("f", "x");
	assert_ok(fs_free_bytes(folder, &bytes, &error), &error);
	assert_true(bytes > 0);
	assert_ok(fs_rename(in_folder("f").text, in_folder("g").text, &error), &error);
	expect_names("g");
	assert_int_equal(fs_rename(in_folder("f").text, in_folder("g").text, &error), ERR_NOT_FOUND);
	assert_int_equal(symlink("g", in_folder("l").text), 0);
	assert_ok(fs_real_path(in_folder("l").text, &real, &error), &error);
	assert_string_equal(real.text, in_folder("g").text);
	assert_ok(fs_info(in_folder("l").text, &info, &error), &error);
	assert_true(info.is_link);
	assert_ok(fs_set_mode(in_folder("g").text, 0600, &error), &error);
	assert_ok(fs_info(in_folder("g").text, &info, &error), &error);
	assert_int_equal(info.mode, 0600);
	assert_ok(fs_set_owner(in_folder("g").text, geteuid(), getegid(), &error), &error);
	assert_ok(fs_remove(in_folder("l").text, &error), &error);
	assert_ok(fs_remove(in_folder("l").text, &error), &error);
	expect_names("g");
	assert_int_equal(fs_write_all(-1, STR("x"), &error), ERR_IO);
}

static void a_full_pipe_is_waited_for(void **state)
{
	(void)state;
	int ends[2];
	static char big[300000];
	assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
	pid_t child = fork();
	if (child == 0) {
		static char in[4096];
		size_t total = 0;
		close(ends[1]);
		(void)fcntl(ends[0], F_SETFL, 0);
		for (ssize_t n; (n = read(ends[0], in, sizeof(in))) > 0;)
			total += (size_t)n;
		_exit(total == sizeof(big) ? 0 : 1);
	}
	close(ends[0]);
	assert_ok(fs_write_all(ends[1], str_make(big, sizeof(big)), &error), &error);
	close(ends[1]);
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_file_reads_as_it_was_written_up_to_the_limit),
		TEST(an_overlong_path_is_an_error_and_no_other_path),
		TEST(an_atomic_write_sets_the_mode_exactly),
		TEST(whatever_call_fails_an_atomic_write_leaves_the_old_or_the_new_bytes),
		TEST(short_and_interrupted_writes_are_finished),
		TEST(folders_are_made_with_their_parents),
		TEST(a_folder_lists_sorted_and_within_its_arena),
		TEST(a_tree_goes_without_following_links_out_of_it),
		TEST(dangerous_names_are_not_removed),
		TEST(a_tree_that_is_too_deep_is_refused_with_its_place),
		TEST(an_append_file_grows_is_read_back_and_cut),
		TEST(a_write_that_fails_half_way_is_taken_back),
		TEST(a_failed_sync_ends_the_use_of_a_file),
		TEST(a_lock_has_one_holder_and_ends_with_it),
		TEST(the_rest_does_what_it_says),
		TEST(a_full_pipe_is_waited_for),
	};
	return cmocka_run_group_tests_name("fs", tests, NULL, NULL);
}
