/* Goal: no line is wider than the terminal unless one word or one command is, and nothing of the text is lost. */
#include "common/base/rng.h"
#include "common/base/unicode.h"
#include "common/base/wrap.h"
#include "tests/support/cmocka_all.h"

static void wraps(unsigned columns, const char *text, const char *want)
{
	struct buf out;
	buf_init(&out, 1 << 16);
	assert_true(wrap_text(str_from(text), columns, &out));
	assert_true(buf_append_char(&out, '\0'));
	assert_string_equal(out.data, want);
	buf_done(&out);
}

static void a_line_that_fits_stays_as_it_is(void **state)
{
	(void)state;
	wraps(30, "", "");
	wraps(30, "\n", "\n");
	wraps(30, "a\n\n  b  c\n", "a\n\n  b  c\n");
	wraps(30, "no end of line", "no end of line\n");
	wraps(30, "123456789 123456789 1234567890\n", "123456789 123456789 1234567890\n");
}

static void a_long_line_is_broken_where_a_reader_would(void **state)
{
	(void)state;
	wraps(40, "  refund   38/60   63.3 %   better   6 flipped: assay compare 81 90\n",
	      "  refund   38/60   63.3 %   better\n      6 flipped: assay compare 81 90\n");
	wraps(40, "intervals: Wilson; against another run of this size it sees 11 pp\n",
	      "intervals: Wilson; against another run\n    of this size it sees 11 pp\n");
	wraps(40, "95 % intervals by the method of Wilson; against a run of this size 11 pp\n",
	      "95 % intervals by the method of Wilson;\n    against a run of this size 11 pp\n");
	wraps(30, "one two three four five six seven eight nine ten eleven twelve\n",
	      "one two three four five six\n    seven eight nine ten\n    eleven twelve\n");
}

static void commands_stay_whole(void **state)
{
	(void)state;
	wraps(40, "next: assay run letters --model small --again | assay item show 1 q-00001 | assay runs export 1\n",
	      "next: assay run letters --model small --again |\n      assay item show 1 q-00001 |\n      assay runs "
	      "export 1\n");
}

static void a_word_that_is_too_long_stays_whole(void **state)
{
	(void)state;
	wraps(20, "x 1234567890123456789012345678901234567890 y\n",
	      "x\n    1234567890123456789012345678901234567890\n    y\n");
}

static void colours_have_no_width(void **state)
{
	(void)state;
	wraps(20, "\x1b[1mbold words\x1b[0m of twenty\n", "\x1b[1mbold words\x1b[0m of twenty\n");
	wraps(20, "\x1b[31mred\x1b[0m and words of more\n", "\x1b[31mred\x1b[0m and words of\n    more\n");
}

static void a_full_buffer_is_told(void **state)
{
	(void)state;
	struct buf out;
	buf_init(&out, 8);
	assert_false(wrap_text(STR("nine bytes and more\n"), 40, &out));
	buf_done(&out);
}

static void any_text_keeps_its_words_and_fits_unless_a_word_does_not(void **state)
{
	(void)state;
	static const char alphabet[] = "ab1,;|   \n";
	for (uint64_t seed = 0; seed < 2000; seed++) {
		struct rng rng;
		char text[400];
		rng_seed(&rng, seed);
		size_t len = rng_below(&rng, sizeof(text));
		unsigned columns = 44 + (unsigned)rng_below(&rng, 60);
		struct buf out;
		struct str rest, line;
		for (size_t i = 0; i < len; i++)
			text[i] = alphabet[rng_below(&rng, sizeof(alphabet) - 1)];
		buf_init(&out, 1 << 16);
		assert_true(wrap_text(str_make(text, len), columns, &out));
		size_t at = 0;
		for (size_t i = 0; i < len; i++) { /* all but white space, in its order */
			if (text[i] == ' ' || text[i] == '\n')
				continue;
			while (at < out.len && (out.data[at] == ' ' || out.data[at] == '\n'))
				at++;
			if (at == out.len || out.data[at] != text[i])
				fail_msg("seed %llu: byte %zu is lost", (unsigned long long)seed, i);
			at++;
		}
		rest = buf_str(&out);
		while (str_split(&rest, '\n', &line)) {
			struct str trimmed = str_trim(line);
			if (unicode_width(line) > columns && str_find_char(trimmed, ' ') >= 0)
				fail_msg("seed %llu: %u of %u columns: '%.*s'", (unsigned long long)seed,
				         unicode_width(line), columns, STR_ARG(line));
		}
		buf_done(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_that_fits_stays_as_it_is),
		cmocka_unit_test(a_long_line_is_broken_where_a_reader_would),
		cmocka_unit_test(commands_stay_whole),
		cmocka_unit_test(a_word_that_is_too_long_stays_whole),
		cmocka_unit_test(colours_have_no_width),
		cmocka_unit_test(a_full_buffer_is_told),
		cmocka_unit_test(any_text_keeps_its_words_and_fits_unless_a_word_does_not),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
