/* Goal: what a model is told is what the suite and the item say, by one order of names, and what is missing is named.
 */
#include "common/base/prompt.h"
#include "tests/support/cmocka_all.h"

#define ITEM                                                                                                           \
	"{\"id\":\"1\",\"input\":\"In?\",\"choices\":[\"red\",\"dark blue\"],\"target\":\"red\","                      \
	"\"vars\":{\"name\":\"Ada "                                                                                    \
	"{{input}}\",\"n\":3,\"ok\":true,\"list\":[1,\"a\"],\"none\":null,\"deep\":{\"er\":\"D\"},"                    \
	"\"dot.ted\":\"flat\",\"question\":\"Why\"},"                                                                  \
	"\"metadata\":{\"intent\":\"refund\",\"a\":{\"b\":\"nested\"},\"name\":\"meta\"}}"

static const struct {
	const char *generate, *item, *expected; /* "role: content" lines after "system|"; or an error's text */
	enum err_code code;
} cases[] = {
	{ "{}", "{\"input\":\"Hi\"}", "|user: Hi", ERR_OK },
	{ "{\"system\":\"Be brief\"}", "{\"input\":\"Hi\"}", "Be brief|user: Hi", ERR_OK },
	{ "{}",
	  "{\"input\":[{\"role\":\"system\",\"content\":\"S\"},{\"role\":\"user\",\"content\":\"{{U}}\"},"
	  "{\"role\":\"assistant\",\"content\":\"A\"},{\"role\":\"developer\",\"content\":\"D\"}]}",
	  "|system: S|user: {{U}}|assistant: A|system: D", ERR_OK },
	{ "{\"prompt\":\"{{question}} {{ input }}!\"}", ITEM, "|user: Why In?!", ERR_OK },
	{ "{\"prompt\":\"{{name}}\"}", ITEM, "|user: Ada {{input}}", ERR_OK },
	{ "{\"prompt\":\"{{n}} {{ok}} {{list}} {{deep.er}} {{dot.ted}} {{deep}}\"}", ITEM,
	  "|user: 3 true [1,\"a\"] D flat {\"er\":\"D\"}", ERR_OK },
	{ "{\"prompt\":\"{{choices}}\"}", ITEM, "|user: A. red\nB. dark blue", ERR_OK },
	{ "{\"prompt\":\"{{metadata.intent}} {{metadata.a.b}} {{metadata.name}}\"}", ITEM, "|user: refund nested meta",
	  ERR_OK },
	{ "{\"system\":\"{{metadata.intent}}\",\"messages\":[{\"role\":\"user\",\"content\":\"{{input}}\"},"
	  "{\"role\":\"assistant\",\"content\":\"B\"}]}",
	  ITEM, "refund|user: In?|assistant: B", ERR_OK },
	{ "{\"prompt\":\"{{input}}\"}", "{\"vars\":{\"input\":\"from vars\"},\"input\":\"x\"}", "|user: from vars",
	  ERR_OK },
	{ "{\"prompt\":\"{{{{input}}\"}", ITEM, "|user: {{input}}", ERR_OK },
	{ "{\"prompt\":\"{{target}}\"}", ITEM, "no value for target", ERR_NOT_FOUND },
	{ "{\"prompt\":\"{{intent}}\"}", ITEM, "no value for intent", ERR_NOT_FOUND },
	{ "{\"prompt\":\"{{none}}\"}", ITEM, "no value for none", ERR_NOT_FOUND },
	{ "{\"prompt\":\"{{metadata}}\"}", ITEM, "no value for metadata", ERR_NOT_FOUND },
	{ "{\"prompt\":\"{{metadata.x}}\"}", ITEM, "no value for metadata.x", ERR_NOT_FOUND },
	{ "{\"prompt\":\"{{choices}}\"}", "{\"input\":\"x\"}", "no value for choices", ERR_NOT_FOUND },
	{ "{\"prompt\":\"{{input}}\"}", "{\"input\":[{\"role\":\"user\",\"content\":\"x\"}]}", "no value for input",
	  ERR_NOT_FOUND },
	{ "{}", "{}", "input must be text or a list of messages, not nothing", ERR_INVALID },
	{ "{}", "{\"input\":7}", "not an integer", ERR_INVALID },
	{ "{}", "{\"input\":[]}", "input must hold 1 to 1000 messages, not 0", ERR_INVALID },
	{ "{}", "{\"input\":[\"x\"]}", "input[0] must be an object with role and content", ERR_INVALID },
	{ "{}", "{\"input\":[{\"role\":\"user\",\"content\":7}]}", "input[0] must be an object", ERR_INVALID },
	{ "{}", "{\"input\":[{\"role\":\"tool\",\"content\":\"x\"}]}", "input[0].role must be", ERR_INVALID },
};

static void show(const struct prompt *p, struct buf *out)
{
	buf_clear(out);
	assert_true(buf_append_str(out, p->system));
	for (size_t i = 0; i < p->message_count; i++)
		assert_true(buf_printf(out, "|%s: %.*s", prompt_role_name(p->messages[i].role),
		                       STR_ARG(p->messages[i].content)));
}

static void each_case_says_what_it_should(void **state)
{
	(void)state;
	struct arena arena;
	struct buf shown;
	arena_init(&arena, 1 << 20);
	buf_init(&shown, 1 << 20);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct json_doc *generate, *item;
		struct error error = { .text = "" }, checked = { .text = "" };
		struct prompt p;
		assert_ok(json_parse(str_from(cases[i].generate), &generate, &error), &error);
		assert_ok(json_parse(str_from(cases[i].item), &item, &error), &error);
		arena_reset(&arena);
		enum err_code code = prompt_render(json_root(generate), json_root(item), &arena, &p, &error);
		assert_int_equal(prompt_check(json_root(generate), json_root(item), &checked), code);
		if (code == ERR_OK)
			show(&p, &shown);
		const char *got = code == ERR_OK ? buf_str(&shown).data : error.text;
		bool same =
			code == ERR_OK ? strcmp(got, cases[i].expected) == 0 : strstr(got, cases[i].expected) != NULL;
		if (code != cases[i].code || !same || (code && !strstr(checked.text, cases[i].expected)))
			fail_msg("%s with %s: %s \"%s\", not \"%s\"", cases[i].generate, cases[i].item,
			         error_code_name(code), got, cases[i].expected);
		json_free(generate);
		json_free(item);
	}
	arena_done(&arena);
	buf_done(&shown);
}

static void over_26_choices_have_no_letters(void **state)
{
	(void)state;
	struct buf text;
	struct arena arena;
	struct error error;
	struct json_doc *generate, *item;
	struct prompt p;
	buf_init(&text, 1 << 12);
	arena_init(&arena, 1 << 20);
	for (int count = 26; count <= 27; count++) {
		buf_clear(&text);
		arena_reset(&arena);
		for (int i = 0; i < count; i++)
			assert_true(buf_printf(&text, "%s\"c%d\"", i ? "," : "{\"choices\":[", i));
		assert_true(buf_append_c(&text, "]}"));
		assert_ok(json_parse(buf_str(&text), &item, &error), &error);
		assert_ok(json_parse(STR("{\"prompt\":\"{{choices}}\"}"), &generate, &error), &error);
		assert_ok(prompt_render(json_root(generate), json_root(item), &arena, &p, &error), &error);
		assert_true(
			str_starts(p.messages[0].content, count == 26 ? STR("A. c0\nB. c1\n") : STR("- c0\n- c1\n")));
		assert_true(str_ends(p.messages[0].content, count == 26 ? STR("\nZ. c25") : STR("\n- c26")));
		json_free(item);
		json_free(generate);
	}
	buf_done(&text);
	arena_done(&arena);
}

static void a_spent_arena_is_an_error(void **state)
{
	(void)state;
	struct error error;
	struct json_doc *generate, *item;
	struct prompt p;
	assert_ok(json_parse(STR("{\"system\":\"s\",\"messages\":[{\"role\":\"user\",\"content\":\"{{list}}{{choices}}"
	                         "\"}]}"),
	                     &generate, &error),
	          &error);
	assert_ok(json_parse(STR(ITEM), &item, &error), &error);
	enum err_code code = ERR_LIMIT;
	for (size_t budget = 0; code != ERR_OK; budget += 16) {
		struct arena arena;
		arena_init(&arena, budget);
		code = prompt_render(json_root(generate), json_root(item), &arena, &p, &error);
		arena_done(&arena);
		assert_true(code == ERR_OK ? budget > 0 : code == ERR_LIMIT);
	}
	json_free(generate);
	json_free(item);
}

int main(void)
{
	json_start();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_case_says_what_it_should),
		cmocka_unit_test(over_26_choices_have_no_letters),
		cmocka_unit_test(a_spent_arena_is_an_error),
	};
	return cmocka_run_group_tests_name("prompt", tests, NULL, NULL);
}
