/* Goal: a suite says what its files say, and its hashes name exactly what is measured: the same for the same suite
 * wherever its files lie and however they are cut, another for anything that could change a score. */
#include "coordinator/catalog/suite.h"
#include "tests/support/cmocka_all.h"
#include "tests/unit/catalog/files.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define FULL                                                                                                           \
	"schema: assay.suite.v1\n"                                                                                     \
	"name: support\n"                                                                                              \
	"task: support.answer\n"                                                                                       \
	"items: [a.jsonl, more/b.jsonl]\n"                                                                             \
	"holdout: {file: holdout.jsonl, releases: 5}\n"                                                                \
	"provenance: synthetic\n"                                                                                      \
	"stratum: intent\n"                                                                                            \
	"generate:\n"                                                                                                  \
	"  system: You answer shop customers.\n"                                                                       \
	"  prompt: \"{{question}}\"\n"                                                                                 \
	"  temperature: 0\n"                                                                                           \
	"  max_tokens: 64\n"                                                                                           \
	"  stop: no\n"                                                                                                 \
	"  seed: null\n"                                                                                               \
	"  epochs: 2\n"                                                                                                \
	"scores:\n"                                                                                                    \
	"  - {name: correct, type: exact, normalize: [trim, casefold], chance: 0,\n"                                   \
	"     extract: [{regex: {pattern: 'x(.)', group: 1, flags: i, match: last}}, first, {fence: last}]}\n"         \
	"  - {name: near, type: numeric, abs_tol: 0.5, ignore: [commas], find: first}\n"                               \
	"  - {name: pick, type: choice, choices: [no, yes, 1], letters: false}\n"                                      \
	"gates:\n"                                                                                                     \
	"  - {name: release, metric: correct, rule: not_worse, by: task, margin: 0.02, alpha: 0.05}\n"                 \
	"  - {name: floor, rule: at_least, threshold: 0.8}\n"
#define LINE_A                                                                                                         \
	"{\"id\":\"a\",\"vars\":{\"question\":\"Q\"},\"target\":[\"yes\",1],\"metadata\":{\"intent\":\"refund\","      \
	"\"cluster\":7,\"task\":\"other\"},\"weight\":2.5,\"source\":{\"kind\":\"production\",\"date\":\"2026-01-"     \
	"31\"}}\n"
#define LINE_B "{\"id\":\"b\",\"vars\":{\"question\":\"R\"},\"target\":\"no\"}\n"
#define LINE_C "{\"target\":\"yes\", \"id\" : \"c\", \"vars\":{\"question\":\"S\"}}"

static const struct file full_files[] = {
	{ "a.jsonl", STR_INIT(LINE_A "\n") },
	{ "more/b.jsonl", STR_INIT(LINE_B) },
	{ "holdout.jsonl", STR_INIT(LINE_C) },
};

static struct suite *read_suite(const char *yaml, const struct file *list, size_t count, size_t chunk_bytes)
{
	struct files files = { .list = list, .count = count, .chunk_bytes = chunk_bytes };
	struct suite_source source = { files_read, &files, 0 };
	struct error error = { .text = "" };
	struct suite *s = NULL;
	assert_ok(suite_read(str_from(yaml), "s.yaml", &source, &s, &error), &error);
	return s;
}

static void settings_become_a_canonical_definition(void **state)
{
	(void)state;
	struct suite *s = read_suite(FULL, full_files, 3, 0);
	assert_str_equal_c(s->name, "support");
	assert_str_equal_c(s->task, "support.answer");
	assert_str_equal_c(s->provenance, "synthetic");
	assert_int_equal(s->epochs, 2);
	assert_int_equal(s->metric_count, 3);
	assert_str_equal_c(s->metrics[0], "correct");
	assert_str_equal_c(s->metrics[2], "pick");
	assert_true(s->has_holdout);
	assert_int_equal(s->holdout_releases, 5);
	assert_str_equal_c(
		s->definition,
		"{\"gates\":[{\"alpha\":0.05,\"by\":\"task\",\"margin\":0.02,\"metric\":\"correct\","
		"\"missing_share\":0.02,\"name\":\"release\",\"rule\":\"not_worse\"},"
		"{\"alpha\":0.05,\"metric\":\"correct\",\"missing_share\":0.02,\"name\":\"floor\",\"rule\":\"at_"
		"least\","
		"\"threshold\":0.8}],"
		"\"generate\":{\"epochs\":2,\"max_tokens\":64,\"prompt\":\"{{question}}\",\"seed\":null,"
		"\"stop\":[\"no\"],\"system\":\"You answer shop customers.\",\"temperature\":0},"
		"\"holdout\":{\"releases\":5},\"name\":\"support\",\"provenance\":\"synthetic\","
		"\"schema\":\"assay.suite.v1\",\"scores\":[{\"chance\":0,\"extract\":[{\"regex\":{\"flags\":\"i\","
		"\"group\":1,\"match\":\"last\",\"pattern\":\"x(.)\"}},\"first\",{\"fence\":\"last\"}],"
		"\"name\":\"correct\",\"normalize\":[\"trim\",\"casefold\"],\"type\":\"exact\"},"
		"{\"abs_tol\":0.5,\"find\":\"first\",\"ignore\":[\"commas\"],\"name\":\"near\",\"type\":\"numeric\"},"
		"{\"choices\":[\"no\",\"yes\",\"1\"],\"letters\":false,\"name\":\"pick\",\"type\":\"choice\"}],"
		"\"stratum\":\"intent\",\"task\":\"support.answer\"}");
	suite_free(s);
}

static void gates_carry_their_defaults(void **state)
{
	(void)state;
	struct suite *s = read_suite(FULL, full_files, 3, 0);
	assert_int_equal(s->gate_count, 2);
	assert_str_equal_c(s->gates[0].rule, "not_worse");
	assert_str_equal_c(s->gates[0].by, "task");
	assert_true(s->gates[0].margin == 0.02);
	assert_str_equal_c(s->gates[1].metric, "correct");
	assert_str_equal_c(s->gates[1].by, "");
	assert_true(s->gates[1].threshold == 0.8 && s->gates[1].alpha == 0.05 && s->gates[1].missing_share == 0.02);
	suite_free(s);
}

static void items_come_in_order_with_what_they_say(void **state)
{
	(void)state;
	struct suite *s = read_suite(FULL, full_files, 3, 0);
	const struct suite_item *a = &s->items[0], *b = &s->items[1], *c = &s->items[2];
	assert_int_equal(s->item_count, 3);
	assert_int_equal(s->holdout_count, 1);
	assert_str_equal_c(a->content, "{\"metadata\":{\"cluster\":7,\"intent\":\"refund\",\"task\":\"other\"},"
	                               "\"target\":[\"yes\",1],\"vars\":{\"question\":\"Q\"}}");
	assert_true(hash_eq(a->hash, hash_of(a->content)));
	assert_str_equal_c(a->task, "other");
	assert_str_equal_c(a->stratum, "refund");
	assert_str_equal_c(a->cluster, "7");
	assert_str_equal_c(a->split, "dev");
	assert_str_equal_c(a->provenance, "production");
	assert_str_equal_c(a->source, "{\"date\":\"2026-01-31\",\"kind\":\"production\"}");
	assert_true(a->weight == 2.5 && b->weight == 1);
	assert_int_equal(a->choice_count, 3);
	assert_str_equal_c(b->id, "b");
	assert_str_equal_c(b->task, "support.answer");
	assert_str_equal_c(b->stratum, "");
	assert_str_equal_c(b->provenance, "synthetic");
	assert_str_equal_c(c->id, "c");
	assert_str_equal_c(c->split, "holdout");
	assert_str_equal_c(c->content, "{\"target\":\"yes\",\"vars\":{\"question\":\"S\"}}");
	suite_free(s);
}

static void the_version_is_the_same_wherever_its_files_lie_and_however_they_are_cut(void **state)
{
	(void)state;
	static const struct file one[] = { { "all.jsonl", STR_INIT(LINE_A LINE_B) }, { "h", STR_INIT(LINE_C "\r\n") } };
	struct buf yaml;
	buf_init(&yaml, 1 << 16);
	struct str full = STR(FULL);
	ptrdiff_t items = str_find(full, STR("items:")), provenance = str_find(full, STR("provenance:"));
	assert_true(buf_append_c(&yaml, "# a comment\n") && buf_append_str(&yaml, str_slice(full, 0, (size_t)items)) &&
	            buf_append_c(&yaml, "items: [all.jsonl]\nholdout: {file: h, releases: 5}\n") &&
	            buf_append_str(&yaml, str_slice(full, (size_t)provenance, full.len)));
	struct suite *a = read_suite(FULL, full_files, 3, 0);
	struct suite *b = read_suite(yaml.data, one, 2, 0);
	assert_true(hash_eq(a->hash, b->hash));
	suite_free(b);
	for (size_t bytes = 1; bytes < 300; bytes += 7) {
		b = read_suite(FULL, full_files, 3, bytes);
		assert_true(hash_eq(a->hash, b->hash));
		suite_free(b);
	}
	suite_free(a);
	buf_done(&yaml);
}

static void anything_that_could_change_a_score_makes_another_version(void **state)
{
	(void)state;
	static const struct {
		const char *yaml, *items;
	} variants[] = {
		{ "", "{\"id\":\"a\",\"input\":\"Q\",\"target\":\"A\"}\n{\"id\":\"b\",\"input\":\"R\",\"target\":\"A\"}"
		      "\n" },
		{ "", "{\"id\":\"b\",\"input\":\"R\",\"target\":\"A\"}\n{\"id\":\"a\",\"input\":\"Q\",\"target\":\"A\"}"
		      "\n" },
		{ "", "{\"id\":\"a\",\"input\":\"Q\",\"target\":\"A\"}\n" },
		{ "", "{\"id\":\"A\",\"input\":\"Q\",\"target\":\"A\"}\n{\"id\":\"b\",\"input\":\"R\",\"target\":\"A\"}"
		      "\n" },
		{ "", "{\"id\":\"a\",\"input\":\"Q\",\"target\":\"B\"}\n{\"id\":\"b\",\"input\":\"R\",\"target\":\"A\"}"
		      "\n" },
		{ "", "{\"id\":\"a\",\"input\":\"Q\",\"target\":[\"A\"]}\n{\"id\":\"b\",\"input\":\"R\",\"target\":"
		      "\"A\"}\n" },
		{ "", "{\"id\":\"a\",\"input\":\"Q\",\"target\":\"A\",\"weight\":2}\n{\"id\":\"b\",\"input\":\"R\","
		      "\"target\":\"A\"}\n" },
		{ "", "{\"id\":\"a\",\"input\":\"Q\",\"target\":\"A\",\"metadata\":{\"x\":1}}\n{\"id\":\"b\",\"input\":"
		      "\"R\",\"target\":\"A\"}\n" },
		{ "", "{\"id\":\"a\",\"input\":\"Q\",\"target\":\"A\",\"source\":{\"kind\":\"external\"}}\n{\"id\":"
		      "\"b\",\"input\":\"R\",\"target\":\"A\"}\n" },
		{ "generate: {temperature: 1}\n", "{\"id\":\"a\",\"input\":\"Q\",\"target\":\"A\"}\n{\"id\":\"b\","
		                                  "\"input\":\"R\",\"target\":\"A\"}\n" },
		{ "cluster: x\n", "{\"id\":\"a\",\"input\":\"Q\",\"target\":\"A\"}\n{\"id\":\"b\",\"input\":\"R\","
		                  "\"target\":\"A\"}\n" },
	};
	struct hash hashes[ARRAY_LEN(variants)];
	for (size_t i = 0; i < ARRAY_LEN(variants); i++) {
		char yaml[400];
		(void)snprintf(yaml, sizeof(yaml),
		               "schema: assay.suite.v1\nname: s\ntask: t\nitems: [i]\nscores: [{type: exact}]\n%s",
		               variants[i].yaml);
		struct file file = { "i", str_from(variants[i].items) };
		struct suite *s = read_suite(yaml, &file, 1, 0);
		hashes[i] = s->hash;
		for (size_t other = 0; other < i; other++)
			if (hash_eq(hashes[i], hashes[other]))
				fail_msg("variants %zu and %zu have the same hash", other, i);
		suite_free(s);
	}
}

static void hashes_never_change(void **state)
{
	(void)state;
	char hex[HASH_HEX_BYTES + 1];
	struct suite *s = read_suite(FULL, full_files, 3, 0);
	hash_hex(s->items[1].hash, hex);
	assert_string_equal(
		hex,
		"4ee73fff743c2d1837d7c9a5fdf17d0164ee92f1264d5ad05787bb000978fa9f"); /* of
	                                                                                {"target":"no","vars":{"question":"R"}},
	                                                                                for ever */
	hash_hex(s->hash, hex);
	assert_string_equal(hex, "c869cc680113c0ecac728d47ed8ae21cbdb4cd59fe30389bed4ec2c18a8d42f6");
	suite_free(s);
}

static void a_missing_target_is_fine_when_nothing_needs_it(void **state)
{
	(void)state;
	static const struct file file = {
		"i", STR_INIT("{\"id\":\"a\",\"input\":[{\"role\":\"user\",\"content\":\"Q\"}]}")
	};
	struct suite *s = read_suite(
		"schema: assay.suite.v1\nname: s\ntask: t\nitems: [i]\nscores: [{type: regex, pattern: a+}]\n", &file,
		1, 0);
	assert_int_equal(s->item_count, 1);
	assert_str_equal_c(s->metrics[0], "regex");
	assert_int_equal(s->epochs, 1);
	suite_free(s);
}

static void targets_may_name_a_choice_loosely(void **state)
{
	(void)state;
	static const struct file file = {
		"i",
		STR_INIT("{\"id\":\"1\",\"input\":\"Q\",\"target\":\"b\",\"choices\":[\"card arrival\",\"Refund\"]}\n"
		         "{\"id\":\"2\",\"input\":\"Q\",\"target\":\"(B)\",\"choices\":[\"card arrival\",\"Refund\"]}\n"
		         "{\"id\":\"3\",\"input\":\"Q\",\"target\":\"card_arrival\",\"choices\":[\"card "
		         "arrival\",\"Refund\"]}\n"
		         "{\"id\":\"4\",\"input\":\"Q\",\"target\":\"REFUND.\",\"choices\":[\"card "
		         "arrival\",\"Refund\"]}\n"
		         "{\"id\":\"5\",\"input\":\"Q\",\"target\":\"C\"}\n")
	};
	struct suite *s = read_suite(
		"schema: assay.suite.v1\nname: s\ntask: t\nitems: [i]\nscores: [{type: choice, choices: 3}]\n", &file,
		1, 0);
	assert_int_equal(s->item_count, 5);
	assert_int_equal(s->items[0].choice_count, 2);
	assert_int_equal(s->items[4].choice_count, 3);
	suite_free(s);
}

static void the_files_of_a_suite_are_listed_without_reading_them(void **state)
{
	(void)state;
	struct arena arena;
	struct error error;
	struct str *names;
	size_t count;
	arena_init(&arena, 1 << 16);
	assert_ok(suite_files(STR(FULL), "s.yaml", &arena, &names, &count, &error), &error);
	assert_int_equal(count, 3);
	assert_str_equal_c(names[0], "a.jsonl");
	assert_str_equal_c(names[1], "more/b.jsonl");
	assert_str_equal_c(names[2], "holdout.jsonl");
	assert_int_equal(suite_files(STR("a: 1\n"), "s.yaml", &arena, &names, &count, &error), ERR_INVALID);
	arena_done(&arena);
}

static void a_run_context_joins_suite_and_model(void **state)
{
	(void)state;
	struct suite *s = read_suite(FULL, full_files, 3, 0);
	struct buf out;
	struct error error;
	buf_init(&out, 1 << 16);
	assert_ok(suite_context(s->definition, STR("{\"name\":\"m\",\"params\":{}}"), 3, &out, &error), &error);
	struct json_doc *doc;
	assert_ok(json_parse(buf_str(&out), &doc, &error), &error);
	const struct json *root = json_root(doc);
	assert_int_equal(json_len(root), 4);
	assert_int_equal(json_i64_or(json_get(root, "suite_items"), 0), 3);
	assert_str_equal_c(json_str_or(json_pointer(root, STR("/model/name")), STR("")), "m");
	assert_str_equal_c(json_str_or(json_pointer(root, STR("/generate/prompt")), STR("")), "{{question}}");
	assert_int_equal(json_len(json_get(root, "scores")), 3);
	json_free(doc);
	assert_int_equal(suite_context(STR("{"), STR("{}"), 3, &out, &error), ERR_INVALID);
	assert_int_equal(suite_context(s->definition, STR(""), 3, &out, &error), ERR_INVALID);
	struct buf small;
	buf_init(&small, 40);
	assert_int_equal(suite_context(s->definition, STR("{}"), 3, &small, &error), ERR_LIMIT);
	buf_done(&small);
	buf_done(&out);
	suite_free(s);
}

static struct str read_whole(const char *path, struct buf *out)
{
	FILE *f = fopen(path, "rb");
	char chunk[4096];
	size_t len;
	if (!f)
		fail_msg("%s cannot be opened", path);
	while ((len = fread(chunk, 1, sizeof(chunk), f)) > 0)
		assert_true(buf_append(out, chunk, len));
	(void)fclose(f);
	return buf_str(out);
}

static void real_items_are_read(void **state)
{
	(void)state;
	const char *shared = getenv("ASSAY_SHARED");
	static const struct {
		const char *file;
		size_t items;
		const char *scores;
	} suites[] = {
		{ "suite8_eval.jsonl", 160, "{type: choice, choices: 8}" },
		{ "suite8_production.jsonl", 320, "{type: choice, choices: 8}" },
		{ "suite3_eval.jsonl", 90, "{type: choice, choices: [card, exchange, refund], letters: false}" },
		{ "train.jsonl", 10003, "{type: exact}" },
	};
	for (size_t i = 0; i < ARRAY_LEN(suites); i++) {
		char path[600], yaml[600];
		struct buf text;
		(void)snprintf(path, sizeof(path), "%s/data/banking77/%s", shared ? shared : "../shared",
		               suites[i].file);
		if (access(path, R_OK) != 0) {
			print_message("SKIPPED: %s is not there; set ASSAY_SHARED\n", path);
			skip();
		}
		buf_init(&text, 64 << 20);
		(void)snprintf(yaml, sizeof(yaml),
		               "schema: assay.suite.v1\nname: b\ntask: banking.route_request\nprovenance: production\n"
		               "stratum: intent\ncluster: source_id\nitems: [%s]\nscores: [%s]\n",
		               suites[i].file, suites[i].scores);
		struct file file = { suites[i].file, read_whole(path, &text) };
		struct suite *s = read_suite(yaml, &file, 1, 1000);
		assert_int_equal(s->item_count, suites[i].items);
		suite_free(s);
		buf_done(&text);
	}
}

static void the_examples_are_sound(void **state)
{
	(void)state;
	struct buf yaml, items;
	buf_init(&yaml, 1 << 20);
	buf_init(&items, 1 << 20);
	(void)read_whole("deploy/examples/support-desk/suite.yaml", &yaml);
	struct file file = { "items.jsonl", read_whole("deploy/examples/support-desk/items.jsonl", &items) };
	struct suite *s = read_suite(yaml.data, &file, 1, 0);
	assert_int_equal(s->item_count, 40);
	suite_free(s);
	buf_done(&yaml);
	buf_done(&items);
}

int main(void)
{
	json_start();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(settings_become_a_canonical_definition),
		cmocka_unit_test(gates_carry_their_defaults),
		cmocka_unit_test(items_come_in_order_with_what_they_say),
		cmocka_unit_test(the_version_is_the_same_wherever_its_files_lie_and_however_they_are_cut),
		cmocka_unit_test(anything_that_could_change_a_score_makes_another_version),
		cmocka_unit_test(hashes_never_change),
		cmocka_unit_test(a_missing_target_is_fine_when_nothing_needs_it),
		cmocka_unit_test(targets_may_name_a_choice_loosely),
		cmocka_unit_test(the_files_of_a_suite_are_listed_without_reading_them),
		cmocka_unit_test(a_run_context_joins_suite_and_model),
		cmocka_unit_test(real_items_are_read),
		cmocka_unit_test(the_examples_are_sound),
	};
	return cmocka_run_group_tests_name("suite", tests, NULL, NULL);
}
