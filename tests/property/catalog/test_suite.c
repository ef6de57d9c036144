/* Goal: no file, however mangled and however it is cut into chunks, does worse than give an error with its place; cuts
 * never change what is read; and what was read can be written down and read again as the same. */
#include "common/base/mem.h"
#include "common/base/rng.h"
#include "coordinator/catalog/lines.h"
#include "coordinator/catalog/suite.h"
#include "tests/support/cmocka_all.h"
#include "tests/unit/catalog/files.h"

#define YAML                                                                                                           \
	"schema: assay.suite.v1\nname: s\ntask: t\nitems: [i.jsonl]\nstratum: intent\n"                                \
	"generate:\n  prompt: \"{{choices}} {{input}}\"\n"                                                             \
	"scores:\n  - {type: choice, extract: [{regex: 'a(b)'}, fence]}\n  - {type: numeric, find: last}\n"            \
	"gates:\n  - {name: g, rule: not_worse, by: task, margin: 0.02}\n"
#define ITEMS                                                                                                          \
	"{\"id\":\"a\",\"input\":\"Q\\u00e9\",\"target\":\"B\",\"choices\":[\"x\",\"y\"],\"metadata\":{\"intent\":"    \
	"\"r\"}}\n"                                                                                                    \
	"\n"                                                                                                           \
	"{\"id\":\"b\",\"input\":\"R\",\"target\":[\"x\"],\"choices\":[\"x\",\"y\"],\"weight\":2,"                     \
	"\"source\":{\"kind\":\"external\",\"date\":\"2026-01-31\"}}\r\n"                                              \
	"{\"id\":\"c\",\"input\":\"S\",\"target\":\"y\",\"choices\":[\"x\",\"y\"]}"

#define require(seed, condition, ...)                                                                                  \
	do {                                                                                                           \
		if (!(condition)) {                                                                                    \
			print_error("seed %llu: ", (unsigned long long)(seed));                                        \
			print_error(__VA_ARGS__);                                                                      \
			print_error("\n");                                                                             \
			fail();                                                                                        \
		}                                                                                                      \
	} while (0)

static void mangle(struct rng *rng, struct buf *text)
{
	static const char *const pieces[] = { "\"",   "{",  "}",  "[",    "]", ":", ",", "\n", " ", "\\",
		                              "\xFF", "{{", "}}", "null", "-", "0", "#", "&",  "\t" };
	for (uint64_t n = rng_below(rng, 4); n > 0 && text->len > 0; n--) {
		size_t at = rng_below(rng, text->len);
		struct str piece = str_from(pieces[rng_below(rng, ARRAY_LEN(pieces))]);
		if (rng_below(rng, 3) == 0) { /* one byte less */
			memmove(text->data + at, text->data + at + 1, text->len - at);
			text->len--;
			continue;
		}
		assert_true(buf_reserve(text, piece.len));
		memmove(text->data + at + piece.len, text->data + at, text->len - at + 1);
		memcpy(text->data + at, piece.data, piece.len);
		text->len += piece.len;
	}
}

static enum err_code read_cut(const struct buf *yaml, const struct buf *items, size_t chunk_bytes,
                              struct suite **ret_suite, struct error *error)
{
	struct file file = { "i.jsonl", buf_str(items) };
	struct files files = { .list = &file, .count = 1, .chunk_bytes = chunk_bytes };
	struct suite_source source = { files_read, &files, 0 };
	error->text[0] = '\0';
	*ret_suite = NULL;
	return suite_read(buf_str(yaml), "s.yaml", &source, ret_suite, error);
}

static void one_try(uint64_t seed, struct rng *rng, const struct buf *yaml, const struct buf *items, size_t *good)
{
	struct error first, second;
	struct suite *a, *b;
	enum err_code code = read_cut(yaml, items, 0, &a, &first);
	enum err_code again = read_cut(yaml, items, 1 + rng_below(rng, 40), &b, &second);
	struct str text = str_from(first.text);
	require(seed, code == again, "%s whole, %s in chunks", first.text, second.text);
	require(seed, (code == ERR_OK) == (a != NULL), "a suite with an error, or none without");
	if (code == ERR_OK)
		require(seed, hash_eq(a->hash, b->hash), "the hash depends on the chunks");
	else
		require(seed, strcmp(first.text, second.text) == 0, "%s whole, %s in chunks", first.text, second.text);
	require(seed, !code || str_starts(text, STR("s.yaml:")) || str_starts(text, STR("i.jsonl:")), "no place: %s",
	        first.text);
	require(seed, !code || code == ERR_INVALID || code == ERR_LIMIT, "%s: %s", error_code_name(code), first.text);
	*good += code == ERR_OK;
	suite_free(a);
	suite_free(b);
}

static void mangled_files_give_a_suite_or_an_error_with_its_place(void **state)
{
	(void)state;
	struct buf yaml, items;
	size_t good = 0;
	enum { SEEDS = 3000 };
	buf_init(&yaml, 1 << 20);
	buf_init(&items, 1 << 20);
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct rng rng;
		rng_seed(&rng, seed);
		buf_clear(&yaml);
		buf_clear(&items);
		assert_true(buf_append_c(&yaml, YAML) && buf_append_c(&items, ITEMS));
		if (seed % 2)
			mangle(&rng, &yaml);
		else
			mangle(&rng, &items);
		one_try(seed, &rng, &yaml, &items, &good);
	}
	require(0, good > SEEDS / 20 && good < SEEDS - SEEDS / 20, "%zu of %d are good: one way is hardly walked", good,
	        SEEDS);
	buf_done(&yaml);
	buf_done(&items);
}

struct gathered {
	struct buf text;
	uint64_t last_no;
};

static enum err_code gather(void *arg, uint64_t line_no, struct str line, struct error *reterr)
{
	struct gathered *g = arg;
	(void)reterr;
	assert_int_equal(line_no, g->last_no + 1);
	g->last_no = line_no;
	assert_true(buf_append_str(&g->text, line) && buf_append_char(&g->text, '|'));
	return ERR_OK;
}

/* The model: a '|' for each '\n', and one behind a last line that has none. */
static void chunks_of_any_size_give_the_same_lines(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 3000; seed++) {
		struct rng rng;
		struct buf text, model;
		struct gathered g = { .last_no = 0 };
		struct lines lines;
		struct error error;
		rng_seed(&rng, seed);
		buf_init(&text, 1000);
		buf_init(&model, 1000);
		buf_init(&g.text, 1000);
		lines_init(&lines, "x", gather, &g);
		for (uint64_t n = rng_below(&rng, 60); n > 0; n--)
			assert_true(buf_append_char(&text, "ab\n\n\r"[rng_below(&rng, 5)]));
		for (size_t i = 0; i < text.len; i++)
			assert_true(buf_append_char(&model, text.data[i] == '\n' ? '|' : text.data[i]));
		if (text.len && text.data[text.len - 1] != '\n')
			assert_true(buf_append_char(&model, '|'));
		for (size_t at = 0; at < text.len;) {
			size_t step = rng_below(&rng, 12);
			assert_ok(lines_feed(&lines, str_slice(buf_str(&text), at, at + step), &error), &error);
			at += step;
		}
		assert_ok(lines_end(&lines, &error), &error);
		require(seed, str_eq(buf_str(&model), buf_str(&g.text)), "\"%s\" gave \"%s\"", buf_str(&model).data,
		        buf_str(&g.text).data);
		lines_done(&lines);
		buf_done(&text);
		buf_done(&model);
		buf_done(&g.text);
	}
}

/* Content is canonical: read as an item of its own it has the same content, however the first was spelled. */
static void content_read_again_is_the_same(void **state)
{
	(void)state;
	struct buf yaml, items, again;
	struct error error;
	struct suite *a, *b;
	buf_init(&yaml, 1 << 16);
	buf_init(&items, 1 << 16);
	buf_init(&again, 1 << 16);
	assert_true(buf_append_c(
		&yaml, "schema: assay.suite.v1\nname: s\ntask: t\nitems: [i.jsonl]\nscores: [{type: exact}]\n"));
	assert_true(buf_append_c(&items, "{ \"target\" : 1.50, \"id\":\"a\", \"input\":\"\\u0041\\n\\ud83d\\ude00\", "
	                                 "\"vars\":{\"b\":[1e2,-0.0,9007199254740993],\"a\":null}}\n"));
	assert_ok(read_cut(&yaml, &items, 0, &a, &error), &error);
	struct str content = a->items[0].content;
	assert_str_equal_c(content, "{\"input\":\"A\\n\xF0\x9F\x98\x80\",\"target\":1.5,\"vars\":{\"a\":null,\"b\":["
	                            "100,-0.0,9007199254740993]}}");
	assert_true(buf_printf(&again, "{\"id\":\"z\",%.*s\n", (int)content.len - 1, content.data + 1));
	assert_ok(read_cut(&yaml, &again, 0, &b, &error), &error);
	assert_str_equal(b->items[0].content, content);
	assert_true(hash_eq(a->items[0].hash, b->items[0].hash));
	suite_free(a);
	suite_free(b);
	buf_done(&yaml);
	buf_done(&items);
	buf_done(&again);
}

static void a_failing_heap_is_an_error_and_no_crash(void **state)
{
	(void)state;
	static const struct suite_item_rules rules = { .target_user = "x", .choice_user = "x", .choice_letters = true };
	struct error error;
	struct suite_item item;
	bool failed = true;
	for (uint64_t nth = 1; failed && nth < 5000; nth++) {
		struct arena arena;
		arena_init(&arena, 1 << 20);
		mem_fail_at(nth);
		enum err_code code = suite_item_read(
			STR("{\"id\":\"a\",\"input\":\"Q\",\"target\":\"Xx\",\"choices\":[\"xx\",\"y\"],"
		            "\"metadata\":{\"cluster\":7},\"source\":{\"kind\":\"external\"}}"),
			"i", 1, &rules, &arena, &item, &error);
		mem_fail_at(0);
		failed = code != ERR_OK;
		arena_done(&arena);
		require(nth, nth > 5 || failed, "hardly anything was allocated");
	}
	assert_false(failed);
}

int main(void)
{
	json_start();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mangled_files_give_a_suite_or_an_error_with_its_place),
		cmocka_unit_test(chunks_of_any_size_give_the_same_lines),
		cmocka_unit_test(content_read_again_is_the_same),
		cmocka_unit_test(a_failing_heap_is_an_error_and_no_crash),
	};
	return cmocka_run_group_tests_name("suite", tests, NULL, NULL);
}
