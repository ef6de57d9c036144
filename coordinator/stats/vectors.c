#include "coordinator/stats/vectors.h"
#include "common/base/arena.h"
#include "common/base/map.h"
#include "coordinator/stats/vectors_input.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { ARENA_BYTES_MIN = 1 << 20, ARENA_BYTES_EACH = 64, ANSWER_BYTES_MAX = 64 << 20, PATH_BYTES_MAX = 200 };

struct tolerance {
	double abs, rel;
};

struct check {
	const char *file;
	struct str case_id;
	struct buf *report;
	size_t arena_bytes; /* enough for the arrays that the whole file's text could hold */
	bool failed;
};

static void fail_line(struct check *c, const char *format, ...) PRINTF_LIKE(2, 3);

static void fail_line(struct check *c, const char *format, ...)
{
	va_list args;
	c->failed = true;
	buf_printf(c->report, "%s: %.*s: ", c->file, STR_ARG(c->case_id));
	va_start(args, format);
	buf_vprintf(c->report, format, args);
	va_end(args);
	buf_append_char(c->report, '\n');
}

static struct tolerance read_tolerance(const struct json *v)
{
	return (struct tolerance){ json_num_or(json_get(v, "abs"), 0), json_num_or(json_get(v, "rel"), 0) };
}

static bool lookup(const struct json *of_case, struct str field, const char *ending, double *ret_value)
{
	char name[PATH_BYTES_MAX];
	int len = snprintf(name, sizeof(name), "%.*s%s", STR_ARG(field), ending);
	return len > 0 && (size_t)len < sizeof(name) && json_num(json_get(of_case, name), ret_value);
}

static struct tolerance tolerance_of(const struct json *of_file, const struct json *of_case, struct str field)
{
	bool replaced = json_get(of_case, "abs") || json_get(of_case, "rel");
	struct tolerance t = read_tolerance(replaced ? of_case : of_file);
	double absolute = 0, relative = 0;
	bool has_abs = lookup(of_case, field, "", &absolute), has_rel = lookup(of_case, field, "_rel", &relative);
	if (!has_abs && str_starts(field, STR("grid_")))
		has_abs = json_num(json_get(of_case, "grid"), &absolute);
	return has_abs || has_rel ? (struct tolerance){ absolute, relative } : t;
}

static bool as_number(const struct json *v, double *ret_value)
{
	struct str text;
	if (json_num(v, ret_value))
		return true;
	if (!json_str(v, &text))
		return false;
	*ret_value = str_eq(text, STR("-inf")) ? -INFINITY : INFINITY;
	return str_eq(text, STR("inf")) || str_eq(text, STR("-inf"));
}

static void compare_numbers(struct check *c, const char *path, double got, double want, struct tolerance t)
{
	bool same = isinf(got) || isinf(want) ? got == want : fabs(got - want) <= t.abs + t.rel * fabs(want);
	if (!same)
		fail_line(c, "%s is %.17g, expected %.17g (off by %.3g, abs %g rel %g)", path, got, want,
		          fabs(got - want), t.abs, t.rel);
}

static void compare(struct check *c, const char *path, const struct json *got, const struct json *want,
                    struct tolerance t);

static void compare_arrays(struct check *c, const char *path, const struct json *got, const struct json *want,
                           struct tolerance t)
{
	if (json_kind(got) != JSON_ARRAY || json_len(got) != json_len(want)) {
		fail_line(c, "%s is %s of %zu, expected an array of %zu", path, json_kind_name(json_kind(got)),
		          json_len(got), json_len(want));
		return;
	}
	for (size_t i = 0; i < json_len(want); i++) {
		char inner[PATH_BYTES_MAX];
		(void)snprintf(inner, sizeof(inner), "%s[%zu]", path, i); /* a cut path is still a message */
		compare(c, inner, json_at(got, i), json_at(want, i), t);
	}
}

static void compare_objects(struct check *c, const char *path, const struct json *got, const struct json *want,
                            struct tolerance t)
{
	for (struct json_iter it = { 0 }; json_next(want, &it);) {
		char inner[PATH_BYTES_MAX];
		(void)snprintf(inner, sizeof(inner), "%s.%.*s", path, STR_ARG(it.key)); /* as above */
		compare(c, inner, json_get_str(got, it.key), it.value, t);
	}
}

static void compare(struct check *c, const char *path, const struct json *got, const struct json *want,
                    struct tolerance t)
{
	double a, b;
	bool flag_a, flag_b;
	struct str text_a, text_b;
	if (json_kind(want) == JSON_ARRAY) {
		compare_arrays(c, path, got, want, t);
	} else if (json_kind(want) == JSON_OBJECT) {
		if (json_kind(got) == JSON_OBJECT)
			compare_objects(c, path, got, want, t);
		else
			fail_line(c, "%s is %s, expected an object", path, json_kind_name(json_kind(got)));
	} else if (as_number(want, &b)) {
		if (as_number(got, &a))
			compare_numbers(c, path, a, b, t);
		else
			fail_line(c, "%s is %s, expected %.17g", path, json_kind_name(json_kind(got)), b);
	} else if (json_bool(want, &flag_b)) {
		if (!json_bool(got, &flag_a) || flag_a != flag_b)
			fail_line(c, "%s is not %s", path, flag_b ? "true" : "false");
	} else if (json_str(want, &text_b)) {
		if (!json_str(got, &text_a) || !str_eq(text_a, text_b))
			fail_line(c, "%s is not \"%.*s\"", path, STR_ARG(text_b));
	} else if (json_kind(got) != JSON_NULL) {
		fail_line(c, "%s is %s, expected undefined (null)", path, json_kind_name(json_kind(got)));
	}
}

static void compare_answer(struct check *c, const struct json *of_file, const struct json *test, struct str answer)
{
	const struct json *want = json_get(test, "expected"), *of_case = json_get(test, "tolerance");
	struct json_doc *doc;
	struct error error;
	if (json_parse(answer, &doc, &error)) {
		fail_line(c, "the answer is not JSON: %s", error.text);
		return;
	}
	for (struct json_iter it = { 0 }; json_next(want, &it);) {
		char path[PATH_BYTES_MAX];
		(void)snprintf(path, sizeof(path), "%.*s", STR_ARG(it.key)); /* a cut path is still a message */
		compare(c, path, json_get_str(json_root(doc), it.key), it.value,
		        tolerance_of(of_file, of_case, it.key));
	}
	json_free(doc);
}

static void judge(struct check *c, const struct json *of_file, const struct json *test, const char *bad,
                  enum refusal refused, const struct buf *answer)
{
	const struct json *want = json_get(test, "expected");
	struct str code;
	if (json_str(json_get(want, "error"), &code)) {
		if (!str_eq_c(code, refusal_name(refused)))
			fail_line(c, "%s%s, expected the refusal %.*s", refused ? "refused as " : "not refused",
			          refused ? refusal_name(refused) : "", STR_ARG(code));
		return;
	}
	if (bad)
		fail_line(c, "input.%s is missing or of the wrong type", bad);
	else if (refused)
		fail_line(c, "refused as %s", refusal_name(refused));
	else if (answer->failed)
		fail_line(c, "the answer is too large");
	else
		compare_answer(c, of_file, test, buf_str(answer));
}

static void run_case(struct check *c, const struct vectors_method *method, const struct json *of_file,
                     const struct json *test)
{
	const struct json *input = json_get(test, "input");
	if (json_kind(input) != JSON_OBJECT || json_len(json_get(test, "expected")) == 0) {
		fail_line(c, "the case has no input or expects nothing");
		return;
	}
	struct arena arena;
	struct buf answer;
	struct json_write out;
	arena_init(&arena, c->arena_bytes);
	buf_init(&answer, ANSWER_BYTES_MAX);
	json_write_init(&out, &answer, false);
	struct vectors_input in = { &arena, input, NULL };
	json_write_object(&out);
	enum refusal refused = method->run(&in, &out);
	if (!refused)
		json_write_object_end(&out);
	judge(c, of_file, test, in.bad, refused, &answer);
	buf_done(&answer);
	arena_done(&arena);
}

static enum err_code run_cases(const struct json *root, const char *name, size_t arena_bytes, struct buf *report,
                               struct vectors_count *count, struct error *reterr)
{
	const struct json *cases = json_get(root, "cases"), *of_file = json_get(root, "tolerance");
	struct str method_name = json_str_or(json_get(root, "method"), STR(""));
	const struct vectors_method *method = vectors_input_method(method_name);
	enum err_code code = ERR_OK;
	struct map ids;
	map_init(&ids, sizeof(bool));
	if (!method)
		buf_printf(report, "%s: method %.*s is not known\n", name, STR_ARG(method_name));
	for (size_t i = 0; i < json_len(cases) && !code; i++) {
		const struct json *test = json_at(cases, i);
		struct check c = { name, json_str_or(json_get(test, "id"), STR("(no id)")), report, arena_bytes,
			           !method };
		bool is_new;
		(void)map_put(&ids, c.case_id, &is_new); /* a set: the value is of no use */
		if (!is_new)
			code = error_set(reterr, ERR_INVALID, "%s: two cases have the id %.*s", name,
			                 STR_ARG(c.case_id));
		if (method)
			run_case(&c, method, of_file, test);
		count->cases++;
		count->failed += c.failed;
		count->passed += !c.failed;
	}
	map_done(&ids);
	return code;
}

enum err_code vectors_check(struct str text, const char *name, struct buf *report, struct vectors_count *ret_count,
                            struct error *reterr)
{
	struct json_doc *doc;
	enum err_code code = json_parse(text, &doc, reterr);
	if (code)
		return error_wrap(reterr, code, "%s", name);
	const struct json *root = json_root(doc);
	struct str method;
	struct vectors_count count = { 0 };
	if (!json_str(json_get(root, "method"), &method) || json_kind(json_get(root, "cases")) != JSON_ARRAY)
		code = error_set(reterr, ERR_INVALID, "%s: not a vector file: it needs `method` and `cases`", name);
	else if (json_i64_or(json_get(root, "format"), 0) != 1)
		code = error_set(reterr, ERR_UNSUPPORTED, "%s: format must be 1", name);
	else if (json_len(json_get(root, "cases")) == 0)
		code = error_set(reterr, ERR_INVALID, "%s: no cases", name);
	else
		code = run_cases(root, name, ARENA_BYTES_MIN + ARENA_BYTES_EACH * text.len, report, &count, reterr);
	json_free(doc);
	if (!code)
		*ret_count = count;
	return code;
}

void vectors_write_count(const struct vectors_count *count, struct buf *out)
{
	buf_printf(out, "%zu cases, %zu passed, %zu failed\n", count->cases, count->passed, count->failed);
}
