/* Goal: matches are right, and no pattern can make a search run on. */
#include "common/base/mem.h"
#include "common/base/regex.h"
#include "tests/support/cmocka_all.h"

static struct error e;

/* The matches of a pattern, "group|group" each, with "-" for a group that took no part, ";" between matches. */
static const char *all(const char *pattern, unsigned flags, const char *subject)
{
	static char text[1000];
	struct regex *r = NULL;
	struct str s = str_from(subject);
	struct regex_match m;
	size_t len = 0;
	bool found = false;
	text[0] = '\0';
	if (regex_compile(str_from(pattern), flags, &r, &e) != ERR_OK)
		return e.text;
	for (size_t at = 0;; at = regex_after(s, &m)) {
		if (regex_find(r, s, at, &found, &m, &e) != ERR_OK || !found)
			break;
		for (size_t i = 0; i < m.count; i++)
			len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%.*s",
			                        i     ? "|"
			                        : len ? ";"
			                              : "",
			                        (int)(m.group[i].data ? m.group[i].len : 1),
			                        m.group[i].data ? m.group[i].data : "-");
	}
	regex_free(r);
	return found ? e.text : text;
}

static void groups_and_flags_do_what_perl_does(void **state)
{
	(void)state;
	assert_string_equal(all("(\\w+)=(\\d+)?(x)?", 0, "a=1 b= c=2x"), "a=1|a|1|-;b=|b|-|-;c=2x|c|2|x");
	assert_string_equal(all("ÉT", REGEX_CASELESS, "été"), "ét");
	assert_string_equal(all("^b.", 0, "a\nb\nbc"), "");
	assert_string_equal(all("^a$", REGEX_MULTILINE, "a\na"), "a;a");
	assert_string_equal(all("^b.", REGEX_MULTILINE, "a\nb\nbc"), "bc");
	assert_string_equal(all("^b.", REGEX_MULTILINE | REGEX_DOTALL, "a\nb\nbd"), "b\n;bd");
	assert_string_equal(all("\\bété\\b", 0, "un été."), "été");
}

static void empty_matches_move_on_and_end(void **state)
{
	(void)state;
	assert_string_equal(all("(x?)", 0, "é"), "|;|");
	assert_string_equal(all("(?=(.))", 0, "éa"), "|é;|a");
	assert_string_equal(all("^$", 0, ""), "");
	assert_string_equal(all("a", 0, "aaa"), "a;a;a");
}

static void a_bad_pattern_is_named_by_its_column(void **state)
{
	(void)state;
	assert_string_equal(all("é(a", 0, ""), "pattern, column 4: missing closing parenthesis");
	assert_string_equal(all("a\\C", 0, ""), "pattern, column 4: using \\C is disabled by the application");
	assert_string_equal(all("()()()()()()()()()()()()()()()()()()()()()()()()()()()()()()()()", 0, ""),
	                    "pattern: 32 groups, at most 31 are kept (write (?:...) where nothing is taken)");
}

static void a_pattern_has_a_longest_size(void **state)
{
	(void)state;
	static char pattern[REGEX_PATTERN_BYTES_MAX + 1];
	struct regex *r = NULL;
	memset(pattern, '#', sizeof(pattern));
	memcpy(pattern, "(?x)", 4); /* and a long comment */
	assert_int_equal(regex_compile(str_make(pattern, sizeof(pattern)), 0, &r, &e), ERR_LIMIT);
	assert_string_equal(e.text, "pattern: 16385 bytes, at most 16384 are taken");
	assert_ok(regex_compile(str_make(pattern, sizeof(pattern) - 1), 0, &r, &e), &e);
	regex_free(r);
}

static enum err_code search(const char *pattern, char fill, size_t len)
{
	struct regex *r = NULL;
	struct regex_match m;
	bool found = false;
	assert_ok(regex_compile(str_from(pattern), REGEX_DOTALL, &r, &e), &e);
	char *subject = mem_new(len, 1);
	memset(subject, fill, len);
	enum err_code err = regex_find(r, str_make(subject, len), 0, &found, &m, &e);
	mem_free(subject);
	regex_free(r);
	return err;
}

static void running_away_is_a_limit_and_not_a_missing_match(void **state)
{
	(void)state;
	assert_int_equal(search("(a+)+b|c", 'a', 40), ERR_LIMIT);
	assert_int_equal(search("(a(?1)?)+[bc]", 'a', 5000), ERR_LIMIT);
	assert_int_equal(search("(.)*\\1b|d", 'a', 1 << 20), ERR_LIMIT);
}

static void many_starts_of_little_work_each_are_a_limit_too(void **state)
{
	(void)state;
	assert_int_equal(search(".{0,200}.{0,200}[bc]", 'a', 100000), ERR_LIMIT);
}

static void a_plain_pattern_reads_a_long_text_to_its_end(void **state)
{
	(void)state;
	assert_int_equal(search("(?i)answer:? *([bc])", 'a', 2 << 20), ERR_OK);
	assert_int_equal(search("\\d+", 'a', 2 << 20), ERR_OK);
}

static void broken_utf8_is_refused(void **state)
{
	(void)state;
	struct regex *r = NULL;
	struct regex_match m;
	bool found;
	assert_int_equal(regex_compile(STR("\xff"), 0, &r, &e), ERR_INVALID);
	assert_ok(regex_compile(STR("a"), 0, &r, &e), &e);
	assert_int_equal(regex_find(r,
	                            STR("\xff"
	                                "a"),
	                            0, &found, &m, &e),
	                 ERR_INVALID);
	assert_int_equal(regex_find(r, STR("éa"), 1, &found, &m, &e), ERR_INVALID);
	regex_free(r);
}

static enum err_code compile_and_find(struct error *reterr)
{
	struct regex *r = NULL;
	struct regex_match m;
	bool found = false;
	enum err_code err = regex_compile(STR("(a+)(b|c)*d"), REGEX_CASELESS, &r, reterr);
	if (err == ERR_OK)
		err = regex_find(r, STR("xxAABCBd"), 0, &found, &m, reterr);
	if (err == ERR_OK)
		assert_str_equal_c(m.group[1], "AA");
	regex_free(r);
	return err;
}

static void every_failed_allocation_is_told_and_leaks_nothing(void **state)
{
	(void)state;
	uint64_t nth = 1;
	for (enum err_code err = ERR_NOMEM; err != ERR_OK; nth++) {
		mem_fail_at(nth);
		err = compile_and_find(&e);
		mem_fail_at(0);
		if (err != ERR_OK)
			assert_int_equal(err, ERR_NOMEM);
	}
	assert_in_range(nth, 6, 100);
}

static void a_search_may_begin_at_the_end_but_not_past_it(void **state)
{
	(void)state;
	struct regex *r = NULL;
	struct regex_match m;
	bool found;
	assert_ok(regex_compile(STR("x?"), 0, &r, &e), &e);
	assert_ok(regex_find(r, STR("ab"), 2, &found, &m, &e), &e);
	assert_true(found);
	assert_int_equal(m.group[0].len, 0);
	assert_ok(regex_find(r, STR("ab"), 3, &found, &m, &e), &e);
	assert_false(found);
	assert_ok(regex_find(r, (struct str){ NULL, 0 }, 0, &found, &m, &e), &e);
	assert_true(found);
	regex_free(r);
	regex_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(groups_and_flags_do_what_perl_does),
		cmocka_unit_test(empty_matches_move_on_and_end),
		cmocka_unit_test(a_bad_pattern_is_named_by_its_column),
		cmocka_unit_test(a_pattern_has_a_longest_size),
		cmocka_unit_test(running_away_is_a_limit_and_not_a_missing_match),
		cmocka_unit_test(many_starts_of_little_work_each_are_a_limit_too),
		cmocka_unit_test(a_plain_pattern_reads_a_long_text_to_its_end),
		cmocka_unit_test(broken_utf8_is_refused),
		cmocka_unit_test(every_failed_allocation_is_told_and_leaks_nothing),
		cmocka_unit_test(a_search_may_begin_at_the_end_but_not_past_it),
	};
	return cmocka_run_group_tests_name("regex", tests, NULL, NULL);
}
