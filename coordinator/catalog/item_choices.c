#include "coordinator/catalog/item_choices.h"
#include "common/base/map.h"
#include "common/base/unicode.h"
#include <stdio.h>
#include <string.h>

enum { EXCERPT_BYTES = 80, LETTERS = 26, FOLDED_BYTES_MAX = 1 << 20 };

static bool check_list(const struct json *list, char *what, size_t what_bytes)
{
	size_t count = json_len(list);
	struct map seen;
	bool good = true;
	if (count < 2 || count > SUITE_ITEM_CHOICES_MAX) {
		(void)snprintf(what, what_bytes, "choices must be 2 to %d, not %zu", SUITE_ITEM_CHOICES_MAX, count);
		return false;
	}
	map_init(&seen, sizeof(size_t));
	for (size_t i = 0; i < count && good; i++) {
		const struct json *v = json_at(list, i);
		char shown[EXCERPT_BYTES];
		struct str text;
		bool is_new;
		good = false;
		if (!json_str(v, &text)) {
			(void)snprintf(what, what_bytes, "choices[%zu] must be text, not %s", i,
			               json_kind_name(json_kind(v)));
			break;
		}
		if (str_trim(text).len == 0) {
			(void)snprintf(what, what_bytes, "choices[%zu] is empty", i);
			break;
		}
		size_t *at = map_put(&seen, text, &is_new);
		if (is_new)
			*at = i;
		else
			(void)snprintf(what, what_bytes, "choices[%zu] and choices[%zu] are the same: '%s'", *at, i,
			               unicode_excerpt(text, shown, sizeof(shown)));
		good = is_new;
	}
	map_done(&seen);
	return good;
}

/* Letters and digits without case; everything above ASCII as it folds. */
static void fold(struct str text, struct buf *out)
{
	size_t len = 0;
	buf_clear(out);
	(void)unicode_map(text, UNICODE_CASEFOLD, out); /* what does not fit is compared as far as it does */
	for (size_t i = 0; i < out->len; i++) {
		char c = out->data[i];
		if ((c & 0x80) || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
			out->data[len++] = c;
	}
	out->len = len;
}

struct offered {
	const struct json *list; /* the item's */
	const struct str *texts; /* or the scorer's; NULL: only their number is known */
	size_t count;
	bool letters;
};

static struct str offered_text(const struct offered *o, size_t i)
{
	return o->list ? json_str_or(json_at(o->list, i), STR("")) : o->texts[i];
}

static bool is_letter(const struct offered *o, struct str text)
{
	if (!o->letters || o->count > LETTERS || text.len != 1)
		return false;
	char lower = (char)(text.data[0] | 0x20);
	return lower >= 'a' && (size_t)(lower - 'a') < o->count;
}

static bool names_a_choice(const struct offered *o, struct str target)
{
	struct buf one, other;
	bool found = false;
	struct str core = str_trim(target);
	while (core.len > 1 && strchr("()[].:*\"'", core.data[0]))
		core = str_slice(core, 1, core.len);
	while (core.len > 1 && strchr("()[].:*\"'", core.data[core.len - 1]))
		core = str_slice(core, 0, core.len - 1);
	if (is_letter(o, core) || (!o->list && !o->texts && !o->letters))
		return true;
	if (!o->list && !o->texts)
		return false;
	buf_init(&one, FOLDED_BYTES_MAX);
	buf_init(&other, FOLDED_BYTES_MAX);
	fold(core, &one);
	for (size_t i = 0; i < o->count && !found; i++) {
		fold(offered_text(o, i), &other);
		found = one.len ? str_eq(buf_str(&one), buf_str(&other)) : str_eq(core, str_trim(offered_text(o, i)));
	}
	buf_done(&one);
	buf_done(&other);
	return found;
}

static bool check_target(const struct offered *o, const struct json *v, const char *field, char *what,
                         size_t what_bytes)
{
	char shown[EXCERPT_BYTES];
	struct str text;
	if (!json_str(v, &text))
		return true; /* a number is compared as its text by the scorer */
	if (names_a_choice(o, text))
		return true;
	(void)snprintf(what, what_bytes, "%s '%s' is none of the %zu choices%s", field,
	               unicode_excerpt(text, shown, sizeof(shown)), o->count,
	               o->letters && o->count <= LETTERS ? ", by text or by letter" : "");
	return false;
}

static bool check_targets(const struct offered *o, const struct json *target, char *what, size_t what_bytes)
{
	bool good = true;
	if (json_kind(target) != JSON_ARRAY)
		return check_target(o, target, "target", what, what_bytes);
	for (size_t i = 0; i < json_len(target) && good; i++) {
		char field[40];
		(void)snprintf(field, sizeof(field), "target[%zu]", i); /* it fits */
		good = check_target(o, json_at(target, i), field, what, what_bytes);
	}
	return good;
}

bool item_choices_check(const struct json *item, const struct suite_item_rules *rules, uint32_t *ret_count, char *what,
                        size_t what_bytes)
{
	const struct json *list = json_get(item, "choices");
	enum json_kind kind = json_kind(list);
	bool is_there = kind != JSON_ABSENT && kind != JSON_NULL;
	if (is_there && kind != JSON_ARRAY) {
		(void)snprintf(what, what_bytes, "choices must be a list of texts, not %s", json_kind_name(kind));
		return false;
	}
	if (is_there && !check_list(list, what, what_bytes))
		return false;
	struct offered o = { .list = is_there ? list : NULL,
		             .texts = rules->choice_texts,
		             .count = is_there ? json_len(list) : rules->choice_count,
		             .letters = rules->choice_letters };
	*ret_count = (uint32_t)o.count;
	if (!rules->choice_user)
		return true;
	if (o.count == 0) {
		(void)snprintf(what, what_bytes, "choices are missing, and scorer '%s' needs them", rules->choice_user);
		return false;
	}
	return check_targets(&o, json_get(item, "target"), what, what_bytes);
}
