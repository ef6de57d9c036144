#include "worker/main/check_gsm8k.h"
#include "common/base/arena.h"
#include "worker/score/extract.h"
#include "worker/score/number.h"

enum { TEXT_BYTES_MAX = 1 << 20 };

static const char strict_step[] = "{\"regex\":{\"pattern\":\"#### (-?[0-9.,]+)\",\"group\":1}}";
static const char flexible_step[] =
	"{\"regex\":{\"pattern\":\"(-?[$0-9.,]{2,}|-?[0-9]+)\",\"group\":1,\"match\":\"last\"}}";

/* What the step finds in the text, in `a`; "[invalid]" where it finds nothing. */
static struct str extract(const char *step_json, struct str text, struct arena *a)
{
	struct json_doc *doc;
	struct extract_step step = { 0 };
	struct error error;
	struct str found = STR("[invalid]"), view;
	if (json_parse(str_from(step_json), &doc, &error))
		return found;
	if (extract_parse(json_root(doc), "extract", &step, &error) == ERR_OK &&
	    extract_apply(&step, text, &view, &error) == EXTRACT_FOUND)
		found = arena_str(a, view);
	extract_done(&step);
	json_free(doc);
	return found;
}

static struct str without(struct str text, const char *chars, struct arena *a)
{
	char *out = arena_new(a, text.len + 1, 1);
	size_t len = 0;
	for (size_t i = 0; i < text.len; i++)
		if (!strchr(chars, text.data[i]) || text.data[i] == '\0')
			out[len++] = text.data[i];
	return str_make(out, len);
}

/* As exact_match of the reference does: no commas, no dollars, nothing up to the last "#### ", no final dot, small. */
static struct str plain(struct str text, struct arena *a)
{
	static const struct str mark = STR_INIT("#### ");
	struct str rest = without(text, ",$", a);
	for (ptrdiff_t at; (at = str_find(rest, mark)) >= 0;)
		rest = str_slice(rest, (size_t)at + mark.len, rest.len);
	if (rest.len > 0 && rest.data[rest.len - 1] == '.')
		rest.len--;
	char *out = arena_new(a, rest.len + 1, 1);
	for (size_t i = 0; i < rest.len; i++)
		out[i] = (char)(rest.data[i] >= 'A' && rest.data[i] <= 'Z' ? rest.data[i] - 'A' + 'a' : rest.data[i]);
	return str_make(out, rest.len);
}

static bool same_number(struct str x, struct str y)
{
	struct number a, b;
	return number_only(x, 0, &a) && number_only(y, 0, &b) && !(a.value < b.value) && !(a.value > b.value);
}

static bool same_text(const struct json *expected, const char *field, struct str got, struct buf *why)
{
	struct str want = json_str_or(json_get(expected, field), STR("?"));
	if (str_eq(want, got))
		return true;
	(void)buf_printf(why, "%s '%.*s', not '%.*s'; ", field, STR_ARG(got), STR_ARG(want)); /* cut where it is full */
	return false;
}

static bool same_verdict(const struct json *expected, const char *field, bool got, struct buf *why)
{
	bool want = !got;
	if (json_bool(json_get(expected, field), &want) && want == got)
		return true;
	(void)buf_printf(why, "%s %s; ", field, got ? "true" : "false"); /* as above */
	return false;
}

bool check_gsm8k(const struct json *input, const struct json *expected, const struct json *tolerance,
                 struct buf *ret_why)
{
	struct arena a;
	(void)tolerance; /* texts are equal or they are not */
	arena_init(&a, (size_t)16 * TEXT_BYTES_MAX);
	struct str completion = json_str_or(json_get(input, "completion"), STR(""));
	struct str solution = json_str_or(json_get(input, "gold"), STR("")), gold = plain(solution, &a);
	struct str strict = extract(strict_step, completion, &a), flexible = extract(flexible_step, completion, &a);
	struct str original = without(strict, ",", &a);
	struct str gold_original = without(extract(strict_step, solution, &a), ",", &a);
	bool good = completion.len <= TEXT_BYTES_MAX && gold.len <= TEXT_BYTES_MAX;
	good &= same_text(expected, "original", original, ret_why);
	good &= same_text(expected, "strict", strict, ret_why);
	good &= same_text(expected, "flexible", flexible, ret_why);
	good &= same_verdict(expected, "correct_original", str_eq(original, gold_original), ret_why); /* as they are */
	good &= same_verdict(expected, "correct_strict", str_eq(plain(strict, &a), gold), ret_why);
	good &= same_verdict(expected, "correct_flexible", str_eq(plain(flexible, &a), gold), ret_why);
	good &= same_verdict(expected, "correct_numeric", same_number(plain(flexible, &a), gold), ret_why);
	arena_done(&a);
	return good;
}
