/* Goal: JSON is YAML and means the same; whatever is done to a text, the reader answers with a tree or a place. */
#include "common/base/json_write.h"
#include "common/base/yaml.h"
#include "tests/support/cmocka_all.h"
#include "tests/support/gen.h"

static void canonical(struct str json, struct buf *out)
{
	struct json_doc *doc = NULL;
	struct error e;
	assert_ok(json_parse(json, &doc, &e), &e);
	assert_true(json_write_canonical(json_root(doc), out));
	json_free(doc);
}

static void json_read_as_yaml_is_the_same_document(void **state)
{
	(void)state;
	struct rng rng;
	unsigned read = 0, walked = 0;
	for (struct gen_seeds s = gen_seeds(1000); gen_next(&s, &rng);) {
		struct buf text, back, want, have;
		walked++;
		struct yaml_doc *doc = NULL;
		struct error e;
		buf_init(&text, 1 << 22);
		buf_init(&back, 1 << 22);
		buf_init(&want, 1 << 22);
		buf_init(&have, 1 << 22);
		gen_json(&rng, &text, 5);
		if (yaml_parse(buf_str(&text), "f", &doc, &e) == ERR_OK) {
			assert_true(yaml_to_json(yaml_root(doc), &back));
			canonical(buf_str(&text), &want);
			canonical(buf_str(&back), &have);
			assert_str_equal(buf_str(&have), buf_str(&want));
			read++;
		} else if (!strstr(e.text, "spaces, not tabs") && !strstr(e.text, "control characters")) {
			fail_msg("%s in %s", e.text, text.data); /* those two are where YAML is stricter */
		}
		yaml_free(doc);
		buf_done(&text);
		buf_done(&back);
		buf_done(&want);
		buf_done(&have);
	}
	assert_true(read > walked / 4 || walked < 100);
}

static void a_damaged_text_is_a_tree_or_an_error_with_a_place(void **state)
{
	(void)state;
	static const char *const texts[] = {
		"name: a\nprompt: |\n  Q: {{q}}\n  A:\nscorers:\n  - exact: {ignore_case: true}\n  - \"numeric\"\n",
		"a: >-\n  one\n  two\n\n  three\nb: 'it''s'\nc: plain\n  goes on\n? d\n: 4\n# end\n",
		"- [1, {a: b, c: [d, \"\\u00e9\\x1b\"]}]\n- - - deep\n  - - more\n-\n- ~\n",
		"%YAML 1.1\n---\n&a x: *a\n!!int y: !z 1\n...\n---\n",
	};
	struct rng rng;
	for (struct gen_seeds s = gen_seeds(4000); gen_next(&s, &rng);) {
		struct buf text, json;
		struct yaml_doc *doc = NULL;
		struct error e = { 0 };
		buf_init(&text, 1 << 16);
		buf_init(&json, 1 << 20);
		(void)buf_append_c(&text, texts[rng_below(&rng, ARRAY_LEN(texts))]);
		gen_mangle(&rng, &text);
		if (yaml_parse(buf_str(&text), "f", &doc, &e) == ERR_OK)
			assert_true(yaml_to_json(yaml_root(doc), &json));
		else
			assert_true(str_starts(str_from(e.text), STR("f:")) && e.code == ERR_INVALID);
		yaml_free(doc);
		buf_done(&text);
		buf_done(&json);
	}
}

int main(void)
{
	json_start();
	const struct CMUnitTest tests[] = {
		gen_property(json_read_as_yaml_is_the_same_document),
		gen_property(a_damaged_text_is_a_tree_or_an_error_with_a_place),
	};
	return cmocka_run_group_tests_name("yaml properties", tests, NULL, NULL);
}
