/* Goal: whatever is wrong with a suite is said at once, with its place, in words that help; and nothing comes out. */
#include "coordinator/catalog/suite.h"
#include "tests/support/cmocka_all.h"
#include "tests/unit/catalog/files.h"
#include <stdio.h>

#define HEAD "schema: assay.suite.v1\nname: s\ntask: t\nitems: [i.jsonl]\n"
#define SCORES "scores:\n  - {type: exact}\n"
#define GOOD HEAD SCORES
#define ITEM "{\"id\":\"a\",\"input\":\"Q\",\"target\":\"A\"}\n"

// clang-format off
static const struct {
	const char *title, *yaml, *items, *error; /* error: what the text must be; a leading '~': must contain */
} cases[] = {
	/* the YAML file */
	{ "an empty file", "", ITEM, "s.yaml:1:1: the file is empty; a suite begins with 'schema: assay.suite.v1'" },
	{ "comments only", "# nothing\n", ITEM, "~s.yaml:1:1: the file is empty" },
	{ "a list", "- a\n", ITEM, "~s.yaml:1:1: a suite must be a map (key: value), not a list" },
	{ "no schema", "name: s\n", ITEM, "~s.yaml:1:1: schema is missing" },
	{ "another schema", "schema: assay.models.v1\n", ITEM, "s.yaml:1:9: schema must be assay.suite.v1, not 'assay.models.v1'" },
	{ "an unknown key", GOOD "scroes: []\n", ITEM, "s.yaml:7:1: unknown key 'scroes'; did you mean 'scores'?" },
	{ "a key twice", GOOD "name: x\n", ITEM, "~s.yaml:7:1: " },
	{ "an alias", "schema: &a assay.suite.v1\n", ITEM, "~s.yaml:1:9: " },
	{ "a tab", "schema: assay.suite.v1\n\tname: s\n", ITEM, "~s.yaml:2:" },
	{ "bad UTF-8", "schema: assay.suite.v1\nname: \xFF\n", ITEM, "~s.yaml:2:7: " },
	{ "no name", "schema: assay.suite.v1\ntask: t\n", ITEM, "~name is missing, it must be text" },
	{ "a name with a slash", "schema: assay.suite.v1\nname: a/b\ntask: t\n", ITEM, "~s.yaml:2:7: name must begin with" },
	{ "a name with an @", "schema: assay.suite.v1\nname: a@2\ntask: t\n", ITEM, "~s.yaml:2:7: name must" },
	{ "a name that is a list", "schema: assay.suite.v1\nname: [a]\ntask: t\n", ITEM, "s.yaml:2:7: name must be text, not a list" },
	{ "no task", "schema: assay.suite.v1\nname: s\nitems: [i.jsonl]\n" SCORES, ITEM, "~task is missing" },
	{ "an unknown provenance", GOOD "provenance: prod\n", ITEM, "~s.yaml:7:13: provenance: 'prod' is not known" },
	{ "an empty stratum key", GOOD "stratum: ''\n", ITEM, "s.yaml:7:10: stratum must name a member of metadata" },

	/* generate */
	{ "an unknown key of generate", GOOD "generate: {promt: x}\n", ITEM, "s.yaml:7:12: unknown key 'promt' in generate; did you mean 'prompt'?" },
	{ "an open tag", GOOD "generate:\n  prompt: \"a {{b\"\n", ITEM, "s.yaml:8:11: generate.prompt: line 1, column 3: '{{' is never closed with '}}'" },
	{ "prompt and messages", GOOD "generate:\n  prompt: a\n  messages: []\n", ITEM, "s.yaml:9:13: generate.messages and generate.prompt exclude each other" },
	{ "no messages", GOOD "generate: {messages: []}\n", ITEM, "s.yaml:7:22: generate.messages must hold 1 to 1000 messages" },
	{ "a message of an unknown role", GOOD "generate:\n  messages:\n    - {role: robot, content: x}\n", ITEM, "s.yaml:9:14: generate.messages[0].role must be system, user or assistant" },
	{ "a message without content", GOOD "generate:\n  messages:\n    - {role: user}\n", ITEM, "~generate.messages[0].content is missing" },
	{ "a bad template in a message", GOOD "generate:\n  messages:\n    - {role: user, content: '{{}}'}\n", ITEM, "~s.yaml:9:29: generate.messages[0].content: line 1" },
	{ "a temperature in words", GOOD "generate: {temperature: hot}\n", ITEM, "s.yaml:7:25: generate.temperature must be a number from 0 to 100, not 'hot'" },
	{ "a temperature of NaN", GOOD "generate: {temperature: .nan}\n", ITEM, "~s.yaml:7:25: generate.temperature" },
	{ "no tokens", GOOD "generate: {max_tokens: 0}\n", ITEM, "~generate.max_tokens must be an integer from 1" },
	{ "half a token", GOOD "generate: {max_tokens: 1.5}\n", ITEM, "~generate.max_tokens must be an integer" },
	{ "no epochs", GOOD "generate: {epochs: 0}\n", ITEM, "s.yaml:7:20: generate.epochs must be an integer from 1 to 1000, not '0'" },
	{ "an empty stop", GOOD "generate: {stop: ['']}\n", ITEM, "s.yaml:7:19: generate.stop must not hold an empty text" },
	{ "seventeen stops", GOOD "generate: {stop: [a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q]}\n", ITEM, "~generate.stop must hold 1 to 16 texts" },

	/* scores */
	{ "no scores", HEAD, ITEM, "~scores is missing, it must be a list" },
	{ "an empty list of scores", HEAD "scores: []\n", ITEM, "s.yaml:5:9: scores must hold 1 to 32 scorers, not 0" },
	{ "a score that is text", HEAD "scores: [exact]\n", ITEM, "~scores[0] must be a map" },
	{ "a score without type", HEAD "scores: [{name: x}]\n", ITEM, "~scores[0].type is missing" },
	{ "an unknown type", HEAD "scores: [{type: exakt}]\n", ITEM, "s.yaml:5:17: scores[0].type: 'exakt' is not known; did you mean 'exact'?" },
	{ "a type to come", HEAD "scores: [{type: judge, model: m}]\n", ITEM, "~s.yaml:5:17: scores[0].type: this version has no scorer 'judge'" },
	{ "an option of another type", HEAD "scores: [{type: exact, letters: true}]\n", ITEM, "~s.yaml:5:24: unknown key 'letters' in scores[0]" },
	{ "a name twice", HEAD "scores:\n  - {type: exact}\n  - {type: exact}\n", ITEM, "s.yaml:7:5: scores[1].name: scores[0] is called 'exact' already" },
	{ "a name with a blank", HEAD "scores: [{type: exact, name: a b}]\n", ITEM, "~s.yaml:5:30: scores[0].name must have 1 to 64" },
	{ "a chance over 1", HEAD "scores: [{type: exact, chance: 2}]\n", ITEM, "~scores[0].chance must be a number from 0 to 1" },
	{ "an unknown step", HEAD "scores: [{type: exact, normalize: [trim, casefoldd]}]\n", ITEM, "s.yaml:5:42: scores[0].normalize[1]: 'casefoldd' is not known; did you mean 'casefold'?" },
	{ "steps that are text", HEAD "scores: [{type: exact, normalize: trim}]\n", ITEM, "~scores[0].normalize must be a list, not 'trim'" },
	{ "a broken pattern", HEAD "scores: [{type: regex, pattern: '(a'}]\n", ITEM, "~s.yaml:5:33: scores[0].pattern: " },
	{ "unknown flags", HEAD "scores: [{type: regex, pattern: a, flags: x}]\n", ITEM, "s.yaml:5:43: scores[0].flags must hold letters of ims" },
	{ "a truth in words", HEAD "scores: [{type: includes, words: yes}]\n", ITEM, "s.yaml:5:34: scores[0].words must be true or false, not 'yes'" },
	{ "a negative tolerance", HEAD "scores: [{type: numeric, abs_tol: -1}]\n", ITEM, "~scores[0].abs_tol must be a number of at least 0" },
	{ "an unknown find", HEAD "scores: [{type: numeric, find: lst}]\n", ITEM, "~scores[0].find: 'lst' is not known; did you mean 'last'?" },
	{ "one choice", HEAD "scores: [{type: choice, choices: [a]}]\n", ITEM, "~scores[0].choices must be 2 to 1000, not 1" },
	{ "a choice twice", HEAD "scores: [{type: choice, choices: [a, b, a]}]\n", ITEM, "s.yaml:5:41: scores[0].choices holds 'a' twice" },
	{ "an empty choice", HEAD "scores: [{type: choice, choices: [a, '']}]\n", ITEM, "~scores[0].choices must not hold an empty text" },
	{ "more choices without texts than letters", HEAD "scores: [{type: choice, choices: 27}]\n", ITEM, "s.yaml:5:34: scores[0].choices must be a list of texts when there are over 26: without texts only letters can be read" },
	{ "choices with neither texts nor letters", HEAD "scores: [{type: choice, letters: false, choices: 4}]\n", ITEM, "s.yaml:5:50: scores[0].choices must be a list of texts when letters is false: without texts only letters can be read" },
	{ "an unknown step of extract", HEAD "scores: [{type: exact, extract: [fense]}]\n", ITEM, "s.yaml:5:34: scores[0].extract[0]: no step 'fense'; did you mean 'fence'?" },
	{ "vote", HEAD "scores: [{type: exact, extract: [vote]}]\n", ITEM, "~scores[0].extract[0]: vote chooses" },
	{ "a step without its option", HEAD "scores: [{type: exact, extract: [regex]}]\n", ITEM, "~scores[0].extract[0].regex needs an option: {regex: ...}" },
	{ "an option too many", HEAD "scores: [{type: exact, extract: [{last_number: 1}]}]\n", ITEM, "~scores[0].extract[0].last_number takes no option" },
	{ "a broken pattern in extract", HEAD "scores: [{type: exact, extract: [{regex: '['}]}]\n", ITEM, "~s.yaml:5:42: scores[0].extract[0].regex: " },
	{ "a group that is not there", HEAD "scores: [{type: exact, extract: [{regex: {pattern: '(a)', group: 2}}]}]\n", ITEM, "~group must be an integer from 0 to 1, not '2'" },
	{ "nothing to strip", HEAD "scores: [{type: exact, extract: [{strip: ''}]}]\n", ITEM, "~scores[0].extract[0].strip must name the characters" },
	{ "an unknown end", HEAD "scores: [{type: exact, extract: [{fence: middle}]}]\n", ITEM, "~scores[0].extract[0].fence: 'middle' is not known" },

	/* gates and holdout */
	{ "a gate without rule", GOOD "gates: [{name: g}]\n", ITEM, "~gates[0].rule is missing" },
	{ "a gate of an unknown rule", GOOD "gates: [{name: g, rule: better}]\n", ITEM, "~gates[0].rule: 'better' is not known" },
	{ "a gate of no metric", GOOD "gates: [{name: g, rule: not_worse, metric: exat}]\n", ITEM, "~gates[0].metric: 'exat' is not known; did you mean 'exact'?" },
	{ "a gate by nothing known", GOOD "gates: [{name: g, rule: not_worse, by: tasks}]\n", ITEM, "~gates[0].by: 'tasks' is not known; did you mean 'task'?" },
	{ "a gate's name twice", GOOD "gates: [{name: g, rule: not_worse}, {name: g, rule: not_worse}]\n", ITEM, "~gates[1].name: gates[0] is called 'g' already" },
	{ "a threshold for not_worse", GOOD "gates: [{name: g, rule: not_worse, threshold: 1}]\n", ITEM, "~rule not_worse has no threshold" },
	{ "at_least nothing", GOOD "gates: [{name: g, rule: at_least}]\n", ITEM, "~rule at_least needs a threshold" },
	{ "an alpha of 1", GOOD "gates: [{name: g, rule: not_worse, alpha: 1}]\n", ITEM, "~gates[0].alpha must be a number from 1e-12 to 0.5" },
	{ "a margin of NaN", GOOD "gates: [{name: g, rule: not_worse, margin: .nan}]\n", ITEM, "~gates[0].margin must be" },
	{ "a holdout without file", GOOD "holdout: {releases: 2}\n", ITEM, "~holdout.file is missing" },
	{ "a holdout never released", GOOD "holdout: {file: h.jsonl, releases: 0}\n", ITEM, "~holdout.releases must be an integer from 1" },
	{ "a holdout that is not there", GOOD "holdout: {file: h.jsonl}\n", ITEM, "s.yaml:7:17: h.jsonl: no such file" },
	{ "the same file for both", GOOD "holdout: {file: i.jsonl}\n", ITEM, "s.yaml:7:17: holdout.file: the file i.jsonl is named twice" },
	{ "no item files", "schema: assay.suite.v1\nname: s\ntask: t\nitems: []\n" SCORES, ITEM, "s.yaml:4:8: items must name 1 to 1000 files, not 0" },
	{ "items as text", "schema: assay.suite.v1\nname: s\ntask: t\nitems: i.jsonl\n" SCORES, ITEM, "s.yaml:4:8: items must be a list, not 'i.jsonl'" },
	{ "a file that is not there", "schema: assay.suite.v1\nname: s\ntask: t\nitems: [x.jsonl]\n" SCORES, ITEM, "s.yaml:4:9: x.jsonl: no such file" },

	/* items */
	{ "no items", GOOD, "", "i.jsonl:1:1: no items in this file" },
	{ "blank lines only", GOOD, "\n  \n\r\n", "i.jsonl:1:1: no items in this file" },
	{ "a byte order mark", GOOD, "\xEF\xBB\xBF" ITEM, "i.jsonl:1:1: the file starts with a byte order mark; save it without" },
	{ "bad UTF-8 in a line", GOOD, ITEM "{\"id\":\"\xC3\x28\"}\n", "i.jsonl:2:8: not valid UTF-8" },
	{ "cut JSON", GOOD, ITEM "\n{\"id\":\"b\"\n", "~i.jsonl:3:" },
	{ "NaN", GOOD, "{\"id\":\"a\",\"input\":\"Q\",\"target\":\"A\",\"weight\":NaN}\n", "~i.jsonl:1:45: invalid token near 'NaN'" },
	{ "a number out of range", GOOD, "{\"id\":\"a\",\"input\":\"Q\",\"target\":\"A\",\"weight\":1e999}\n", "~i.jsonl:1:" },
	{ "a key twice in an item", GOOD, "{\"id\":\"a\",\"id\":\"b\"}\n", "~i.jsonl:1:" },
	{ "two documents on a line", GOOD, "{\"id\":\"a\"} {}\n", "~i.jsonl:1:" },
	{ "an item that is a list", GOOD, "[1]\n", "i.jsonl:1:1: an item must be an object, not an array" },
	{ "an unknown key of an item", GOOD, "{\"id\":\"a\",\"input\":\"Q\",\"traget\":\"A\"}\n", "i.jsonl:1:23: unknown key 'traget'; did you mean 'target'?" },
	{ "no id", GOOD, "{\"input\":\"Q\",\"target\":\"A\"}\n", "i.jsonl:1:1: id is missing" },
	{ "a number for an id", GOOD, "{\"id\":1,\"input\":\"Q\",\"target\":\"A\"}\n", "i.jsonl:1:2: id must be text, not an integer" },
	{ "an empty id", GOOD, "{\"id\":\" \",\"input\":\"Q\",\"target\":\"A\"}\n", "i.jsonl:1:2: id is empty" },
	{ "an id with a line break", GOOD, "{\"id\":\"a\\nb\",\"input\":\"Q\",\"target\":\"A\"}\n", "i.jsonl:1:2: id holds a control character" },
	{ "NUL in a text", GOOD, "{\"id\":\"a\",\"input\":\"Q\\u0000\",\"target\":\"A\"}\n", "i.jsonl:1:11: input holds U+0000, which no database takes as text" },
	{ "NUL deep inside", GOOD, "{\"id\":\"a\",\"input\":\"Q\",\"target\":\"A\",\"metadata\":{\"x\":[{\"y\":\"\\u0000\"}]}}\n", "~i.jsonl:1:36: metadata holds U+0000" },
	{ "an id twice", GOOD, ITEM "\n" "{\"id\":\"a\",\"input\":\"R\",\"target\":\"B\"}\n", "i.jsonl:3:2: id 'a' is used already at i.jsonl:1" },
	{ "no input", GOOD, "{\"id\":\"a\",\"target\":\"A\"}\n", "i.jsonl:1:1: item 'a': input must be text or a list of messages, not nothing" },
	{ "a number for input", GOOD, "{\"id\":\"a\",\"input\":5,\"target\":\"A\"}\n", "i.jsonl:1:11: item 'a': input must be text or a list of messages, not an integer" },
	{ "a message without role", GOOD, "{\"id\":\"a\",\"input\":[{\"content\":\"x\"}],\"target\":\"A\"}\n", "~i.jsonl:1:11: item 'a': input[0] must be an object with role and content" },
	{ "a name that is missing", GOOD "generate: {prompt: '{{question}}'}\n", ITEM "{\"id\":\"b\"}\n", "i.jsonl:1:1: item 'a': no value for question" },
	{ "a name missing in the second", GOOD "generate: {prompt: '{{question}}'}\n", "{\"id\":\"a\",\"vars\":{\"question\":\"x\"},\"target\":\"A\"}\n" ITEM, "i.jsonl:2:1: item 'a': no value for question" },
	{ "the target in a prompt", GOOD "generate: {prompt: '{{target}}'}\n", ITEM, "~no value for target" },
	{ "no target", GOOD, "{\"id\":\"a\",\"input\":\"Q\"}\n", "i.jsonl:1:1: target is missing, and scorer 'exact' needs one" },
	{ "a target of null", GOOD, "{\"id\":\"a\",\"input\":\"Q\",\"target\":null}\n", "~target is missing" },
	{ "an empty target", GOOD, "{\"id\":\"a\",\"input\":\"Q\",\"target\":\"\"}\n", "i.jsonl:1:23: target is empty: any answer would match it" },
	{ "an empty list of targets", GOOD, "{\"id\":\"a\",\"input\":\"Q\",\"target\":[]}\n", "i.jsonl:1:23: target is an empty list" },
	{ "an object for a target", GOOD, "{\"id\":\"a\",\"input\":\"Q\",\"target\":{}}\n", "~target must be text, a number, or a list of these, not an object" },
	{ "a list inside a list", GOOD, "{\"id\":\"a\",\"input\":\"Q\",\"target\":[\"x\",[]]}\n", "i.jsonl:1:23: target[1] must be text, a number, true or false, not an array" },
	{ "vars that are a list", GOOD, "{\"id\":\"a\",\"input\":\"Q\",\"target\":\"A\",\"vars\":[]}\n", "i.jsonl:1:36: vars must be an object, not an array" },
	{ "a weight in words", GOOD, "{\"id\":\"a\",\"input\":\"Q\",\"target\":\"A\",\"weight\":\"NaN\"}\n", "i.jsonl:1:36: weight must be a number, not a string" },
	{ "a negative weight", GOOD, "{\"id\":\"a\",\"input\":\"Q\",\"target\":\"A\",\"weight\":-0.5}\n", "i.jsonl:1:36: weight must be a finite number of at least 0, not -0.5" },
	{ "no weight at all", GOOD, "{\"id\":\"a\",\"input\":\"Q\",\"target\":\"A\",\"weight\":0}\n", "s.yaml:4:8: every item has the weight 0" },
	{ "a source of an unknown kind", GOOD, "{\"id\":\"a\",\"input\":\"Q\",\"target\":\"A\",\"source\":{\"kind\":\"real\"}}\n", "~i.jsonl:1:36: source.kind must be production, representative" },
	{ "a source with a stray key", GOOD, "{\"id\":\"a\",\"input\":\"Q\",\"target\":\"A\",\"source\":{\"kind\":\"external\",\"license\":\"x\"}}\n", "i.jsonl:1:36: unknown key 'license' in source; did you mean 'licence'?" },
	{ "a date in words", GOOD, "{\"id\":\"a\",\"input\":\"Q\",\"target\":\"A\",\"source\":{\"kind\":\"external\",\"date\":\"May\"}}\n", "i.jsonl:1:36: source.date must be written 2026-01-31" },
	{ "a stratum that is a list", GOOD, "{\"id\":\"a\",\"input\":\"Q\",\"target\":\"A\",\"metadata\":{\"stratum\":[1]}}\n", "i.jsonl:1:36: metadata.stratum must be text or a number, not an array" },
	{ "an empty task", GOOD, "{\"id\":\"a\",\"input\":\"Q\",\"target\":\"A\",\"metadata\":{\"task\":\"\"}}\n", "~i.jsonl:1:36: metadata.task must have 1 to 200 bytes" },
	{ "choices that are text", GOOD, "{\"id\":\"a\",\"input\":\"Q\",\"target\":\"A\",\"choices\":\"ab\"}\n", "i.jsonl:1:36: choices must be a list of texts, not a string" },
	{ "one choice in an item", GOOD, "{\"id\":\"a\",\"input\":\"Q\",\"target\":\"A\",\"choices\":[\"x\"]}\n", "i.jsonl:1:36: choices must be 2 to 1000, not 1" },
	{ "a choice that is a number", GOOD, "{\"id\":\"a\",\"input\":\"Q\",\"target\":\"A\",\"choices\":[\"x\",1]}\n", "i.jsonl:1:36: choices[1] must be text, not an integer" },
	{ "an empty choice in an item", GOOD, "{\"id\":\"a\",\"input\":\"Q\",\"target\":\"A\",\"choices\":[\" \",\"x\"]}\n", "i.jsonl:1:36: choices[0] is empty" },
	{ "a choice twice in an item", GOOD, "{\"id\":\"a\",\"input\":\"Q\",\"target\":\"A\",\"choices\":[\"x\",\"y\",\"x\"]}\n", "i.jsonl:1:36: choices[0] and choices[2] are the same: 'x'" },
	{ "nothing to choose from", HEAD "scores: [{type: choice}]\n", ITEM, "i.jsonl:1:1: choices are missing, and scorer 'choice' needs them" },
	{ "a target that is no choice", HEAD "scores: [{type: choice}]\n", "{\"id\":\"a\",\"input\":\"Q\",\"target\":\"z\",\"choices\":[\"x\",\"y\"]}\n", "i.jsonl:1:23: target 'z' is none of the 2 choices, by text or by letter" },
	{ "a letter past the choices", HEAD "scores: [{type: choice, choices: 8}]\n", "{\"id\":\"a\",\"input\":\"Q\",\"target\":\"I\"}\n", "i.jsonl:1:23: target 'I' is none of the 8 choices, by text or by letter" },
	{ "a letter where there are too many", HEAD "scores: [{type: choice}]\n", "{\"id\":\"a\",\"input\":\"Q\",\"target\":\"A\",\"choices\":[\"c00\",\"c01\",\"c02\",\"c03\",\"c04\",\"c05\",\"c06\",\"c07\",\"c08\",\"c09\",\"c10\",\"c11\",\"c12\",\"c13\",\"c14\",\"c15\",\"c16\",\"c17\",\"c18\",\"c19\",\"c20\",\"c21\",\"c22\",\"c23\",\"c24\",\"c25\",\"c26\"]}\n", "i.jsonl:1:23: target 'A' is none of the 27 choices" },
	{ "a stratum with a line break", GOOD, "{\"id\":\"a\",\"input\":\"Q\",\"target\":\"A\",\"metadata\":{\"stratum\":\"a\\nb\"}}\n", "~i.jsonl:1:36: metadata.stratum must have 1 to 200 bytes and no control" },
	{ "a letter without letters", HEAD "scores: [{type: choice, letters: false}]\n", "{\"id\":\"a\",\"input\":\"Q\",\"target\":[\"x\",\"B\"],\"choices\":[\"x\",\"y\"]}\n", "i.jsonl:1:23: target[1] 'B' is none of the 2 choices" },
};
// clang-format on

static void each_mistake_is_said_with_its_place(void **state)
{
	(void)state;
	size_t failed = 0;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct file file = { "i.jsonl", str_from(cases[i].items) };
		struct files files = { .list = &file, .count = 1 };
		struct suite_source source = { files_read, &files, 0 };
		struct error error = { .text = "" };
		struct suite *suite = NULL;
		enum err_code code = suite_read(str_from(cases[i].yaml), "s.yaml", &source, &suite, &error);
		bool loose = cases[i].error[0] == '~';
		bool same = loose ? strstr(error.text, cases[i].error + 1) != NULL
		                  : strcmp(error.text, cases[i].error) == 0;
		if (suite || (code != ERR_INVALID && code != ERR_LIMIT) || !same)
			print_error("%s: %s \"%s\",\n  not \"%s\"\n", cases[i].title, error_code_name(code), error.text,
			            cases[i].error);
		failed += suite || (code != ERR_INVALID && code != ERR_LIMIT) || !same;
		suite_free(suite);
	}
	assert_int_equal(failed, 0);
}

static void nul_in_the_yaml_is_named(void **state)
{
	(void)state;
	struct suite_source source = { files_read, NULL, 0 };
	struct error error;
	struct suite *suite;
	assert_int_equal(suite_read(STR("schema: assay.suite.v1\nname: a\0b\n"), "s.yaml", &source, &suite, &error),
	                 ERR_INVALID);
	assert_non_null(strstr(error.text, "s.yaml:2:8"));
}

static void a_nul_byte_in_a_line_is_named(void **state)
{
	(void)state;
	const struct file file = { "i.jsonl", STR_INIT("{\"id\":\0\"a\"}\n") };
	struct files files = { .list = &file, .count = 1 };
	struct suite_source source = { files_read, &files, 0 };
	struct error error;
	struct suite *suite;
	assert_int_equal(suite_read(STR(GOOD), "s.yaml", &source, &suite, &error), ERR_INVALID);
	assert_string_equal(error.text, "i.jsonl:1:7: a NUL byte");
}

static void more_items_than_allowed_are_refused(void **state)
{
	(void)state;
	const struct file file = { "i.jsonl", STR_INIT(ITEM "{\"id\":\"b\",\"input\":\"Q\",\"target\":\"A\"}\n") };
	struct files files = { .list = &file, .count = 1 };
	struct suite_source source = { files_read, &files, 1 };
	struct error error;
	struct suite *suite;
	assert_int_equal(suite_read(STR(GOOD), "s.yaml", &source, &suite, &error), ERR_LIMIT);
	assert_string_equal(error.text, "i.jsonl:2:1: more than 1 items");
}

static void a_stratum_of_its_own_for_every_item_is_refused(void **state)
{
	(void)state;
	struct buf items;
	buf_init(&items, 1 << 20);
	for (int i = 0; i <= SUITE_SLICES_MAX; i++)
		assert_true(buf_printf(
			&items, "{\"id\":\"%d\",\"input\":\"Q\",\"target\":\"A\",\"metadata\":{\"k\":%d}}\n", i, i));
	const struct file file = { "i.jsonl", buf_str(&items) };
	struct files files = { .list = &file, .count = 1 };
	struct suite_source source = { files_read, &files, 0 };
	struct error error;
	struct suite *suite;
	assert_int_equal(suite_read(STR(GOOD "stratum: k\n"), "s.yaml", &source, &suite, &error), ERR_LIMIT);
	assert_non_null(strstr(error.text, "over 4000 different tasks and strata"));
	buf_done(&items);
}

struct endless { /* a file that is one line, never ends, and is made of the same chunk */
	char chunk[1 << 16];
	uint64_t given;
};

static enum err_code read_endless(void *arg, struct str name, suite_sink *sink, void *sink_arg, struct error *reterr)
{
	struct endless *e = arg;
	(void)name;
	for (; e->given < (100 << 20); e->given += sizeof(e->chunk)) {
		enum err_code err = sink(sink_arg, str_make(e->chunk, sizeof(e->chunk)), reterr);
		if (err)
			return err;
	}
	return ERR_OK;
}

static void a_line_of_100_mb_ends_at_16_mib(void **state)
{
	(void)state;
	static struct endless endless;
	memset(endless.chunk, 'x', sizeof(endless.chunk));
	struct suite_source source = { read_endless, &endless, 0 };
	struct error error;
	struct suite *suite;
	assert_int_equal(suite_read(STR(GOOD), "s.yaml", &source, &suite, &error), ERR_LIMIT);
	assert_string_equal(error.text, "i.jsonl:1:1: the line is over 16 MiB");
	assert_true(endless.given <= (16 << 20) + sizeof(endless.chunk));
}

static void a_line_too_long_inside_one_chunk_is_refused_too(void **state)
{
	(void)state;
	struct buf text;
	buf_init(&text, 32 << 20);
	assert_true(buf_append_c(&text, ITEM));
	assert_true(buf_reserve(&text, (16 << 20) + 2));
	memset(text.data + text.len, ' ', (16 << 20) + 1);
	text.len += (16 << 20) + 1;
	assert_true(buf_append_c(&text, "\n"));
	const struct file file = { "i.jsonl", buf_str(&text) };
	struct files files = { .list = &file, .count = 1 };
	struct suite_source source = { files_read, &files, 0 };
	struct error error;
	struct suite *suite;
	assert_int_equal(suite_read(STR(GOOD), "s.yaml", &source, &suite, &error), ERR_LIMIT);
	assert_string_equal(error.text, "i.jsonl:2:1: the line is over 16 MiB");
	buf_done(&text);
}

static enum err_code read_broken(void *arg, struct str name, suite_sink *sink, void *sink_arg, struct error *reterr)
{
	(void)arg;
	(void)name;
	(void)sink;
	(void)sink_arg;
	return error_set(reterr, ERR_IO, "the disk is gone");
}

static void what_the_source_says_is_handed_through(void **state)
{
	(void)state;
	struct suite_source source = { read_broken, NULL, 0 };
	struct error error;
	struct suite *suite;
	assert_int_equal(suite_read(STR(GOOD), "s.yaml", &source, &suite, &error), ERR_IO);
	assert_string_equal(error.text, "the disk is gone");
}

int main(void)
{
	json_start();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_mistake_is_said_with_its_place),
		cmocka_unit_test(nul_in_the_yaml_is_named),
		cmocka_unit_test(a_nul_byte_in_a_line_is_named),
		cmocka_unit_test(more_items_than_allowed_are_refused),
		cmocka_unit_test(a_stratum_of_its_own_for_every_item_is_refused),
		cmocka_unit_test(a_line_of_100_mb_ends_at_16_mib),
		cmocka_unit_test(a_line_too_long_inside_one_chunk_is_refused_too),
		cmocka_unit_test(what_the_source_says_is_handed_through),
	};
	return cmocka_run_group_tests_name("suite errors", tests, NULL, NULL);
}
