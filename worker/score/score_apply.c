#include "worker/score/score_apply.h"
#include "common/base/json_write.h"
#include "common/base/mem.h"
#include "common/base/unicode.h"
#include "worker/score/choice.h"
#include "worker/score/number.h"
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { SHOWN_BYTES = 80, TARGET_BYTES_MAX = 1 << 20, TARGETS_MAX = 1000 };

struct work { /* one call of score_apply */
	const struct score_spec *spec;
	const struct score_item *item;
	struct arena *arena;
	struct score *score;
	struct str text;                    /* what is left of the answer after extraction; valid UTF-8 */
	struct buf answer;                  /* normalised */
	struct buf target, scratch, number; /* scratch of one target */
};

/* ---- results ---- */

static struct str keep(struct work *w, struct str s)
{
	char *copy = arena_try_alloc(w->arena, s.len + 1, 1);
	if (!copy)
		return STR(""); /* the value stands without its words */
	if (s.len)
		memcpy(copy, s.data, s.len);
	copy[s.len] = '\0';
	return str_make(copy, s.len);
}

PRINTF_LIKE(2, 3)
static void explain(struct work *w, const char *format, ...)
{
	char shown[SCORE_EXPLANATION_BYTES_MAX + 1];
	struct buf line;
	va_list args;
	buf_init(&line, ERROR_TEXT_BYTES_MAX * 2);
	va_start(args, format);
	(void)buf_vprintf(&line, format, args); /* without memory it is empty, and the value stands without its words */
	va_end(args);
	w->score->explanation = keep(w, str_from(unicode_excerpt(buf_str(&line), shown, sizeof(shown))));
	buf_done(&line);
}

/* As much as fits, cut at a whole character. */
static struct str cut(struct str s)
{
	if (s.len <= SCORE_EXTRACTED_BYTES_MAX)
		return s;
	s.len = SCORE_EXTRACTED_BYTES_MAX;
	while (s.len && ((unsigned char)s.data[s.len] & 0xC0) == 0x80)
		s.len--;
	return s;
}

static void set_value(struct work *w, double value, struct str extracted)
{
	w->score->has_value = true;
	w->score->value = value;
	w->score->extracted = keep(w, cut(extracted));
}

static void set_missing(struct work *w, struct str reason)
{
	w->score->has_value = false;
	w->score->reason = reason;
}

/* ---- targets ---- */

static size_t target_count(const struct work *w)
{
	enum json_kind kind = json_kind(w->item->target);
	if (kind == JSON_ARRAY)
		return json_len(w->item->target);
	return kind == JSON_ABSENT || kind == JSON_NULL ? 0 : 1;
}

static const struct json *target_node(const struct work *w, size_t i)
{
	return json_kind(w->item->target) == JSON_ARRAY ? json_at(w->item->target, i) : w->item->target;
}

/* The i-th target as text: a string as it is, a number or boolean as JSON writes it. False: neither. */
static bool target_text(struct work *w, size_t i, struct str *ret_text)
{
	const struct json *node = target_node(w, i);
	enum json_kind kind = json_kind(node);
	if (json_str(node, ret_text))
		return true;
	if (kind != JSON_INT && kind != JSON_REAL && kind != JSON_BOOL)
		return false;
	struct json_write writer;
	buf_clear(&w->number);
	json_write_init(&writer, &w->number, false);
	json_write_value(&writer, node);
	*ret_text = buf_str(&w->number);
	return true;
}

/* Every target must be text, a number or a boolean; at least one must be there. Sets the reason. */
static bool targets_are_usable(struct work *w, bool allow_empty)
{
	struct str text;
	size_t count = target_count(w);
	if (count == 0 || count > TARGETS_MAX) {
		explain(w, count ? "the item has too many targets" : "the item has no target");
		set_missing(w, count ? STR("bad_target") : STR("no_target"));
		return false;
	}
	for (size_t i = 0; i < count; i++) {
		if (target_text(w, i, &text) && (text.len > 0 || allow_empty))
			continue;
		explain(w, "target %zu is neither text nor a number%s", i + 1, allow_empty ? "" : ", or it is empty");
		set_missing(w, STR("bad_target"));
		return false;
	}
	return true;
}

/* ---- exact, includes, prefix ---- */

static bool is_word_byte(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (c & 0x80);
}

static bool includes(struct str text, struct str target, bool words)
{
	for (size_t from = 0; from <= text.len;) {
		ptrdiff_t at = str_find(str_slice(text, from, text.len), target);
		if (at < 0)
			return false;
		size_t begin = from + (size_t)at, end = begin + target.len;
		bool begins = begin == 0 || !is_word_byte(text.data[begin - 1]) || !is_word_byte(text.data[begin]);
		bool ends = end == text.len || !is_word_byte(text.data[end]) || !is_word_byte(text.data[end - 1]);
		if (!words || (begins && ends))
			return true;
		from = begin + 1;
	}
	return false;
}

static bool matches(const struct score_spec *spec, struct str answer, struct str target)
{
	if (spec->type == SCORE_EXACT)
		return str_eq(answer, target);
	return spec->type == SCORE_PREFIX ? str_starts(answer, target) : includes(answer, target, spec->words);
}

static void apply_text(struct work *w)
{
	const struct score_spec *spec = w->spec;
	struct str answer = buf_str(&w->answer), target;
	if (!targets_are_usable(w, spec->type == SCORE_EXACT))
		return;
	for (size_t i = 0; i < target_count(w); i++) {
		if (!target_text(w, i, &target) ||
		    !normalize_apply(target, spec->normalize, spec->normalize_count, &w->target, &w->scratch)) {
			set_missing(w, STR("too_long"));
			return;
		}
		struct str normal = buf_str(&w->target);
		if (normal.len == 0 && spec->type != SCORE_EXACT) {
			explain(w, "nothing is left of target %zu after normalisation", i + 1);
			set_missing(w, STR("bad_target"));
			return;
		}
		if (!matches(spec, answer, normal))
			continue;
		if (target_count(w) > 1)
			explain(w, "target %zu matches", i + 1);
		set_value(w, 1, spec->type == SCORE_EXACT ? w->text : target);
		return;
	}
	set_value(w, 0, spec->type == SCORE_EXACT ? w->text : STR(""));
}

/* ---- regex ---- */

static bool search(struct work *w, const struct regex *regex, bool *ret_found, struct str *ret_match)
{
	struct regex_match match;
	struct error error;
	if (regex_find(regex, buf_str(&w->answer), 0, ret_found, &match, &error) != ERR_OK) {
		explain(w, "%s", error.text);
		set_missing(w, STR("regex_limit"));
		return false;
	}
	if (*ret_found)
		*ret_match = match.group[0];
	return true;
}

static void apply_regex(struct work *w)
{
	struct str match = { NULL, 0 }, pattern;
	bool found = false;
	if (w->spec->regex) {
		if (search(w, w->spec->regex, &found, &match))
			set_value(w, found, found ? match : STR(""));
		return;
	}
	if (!targets_are_usable(w, false))
		return;
	for (size_t i = 0; i < target_count(w) && !found; i++) {
		struct regex *regex = NULL;
		struct error error;
		(void)target_text(w, i, &pattern); /* checked above */
		if (score_regex_compile(pattern, w->spec, &regex, &error) != ERR_OK) {
			explain(w, "target %zu is no pattern: %s", i + 1, error.text);
			set_missing(w, STR("bad_target"));
			return;
		}
		bool ok = search(w, regex, &found, &match);
		regex_free(regex);
		if (!ok)
			return;
	}
	set_value(w, found, found ? match : STR(""));
}

/* ---- numeric ---- */

static bool find_number(const struct score_spec *spec, struct str text, struct number *ret_number)
{
	switch (spec->find) {
	case SCORE_FIND_LAST:
		return number_last(text, spec->ignore, ret_number);
	case SCORE_FIND_FIRST:
		return number_first(text, spec->ignore, ret_number);
	case SCORE_FIND_ONLY:
		return number_only(text, spec->ignore, ret_number);
	}
	return false;
}

/* A target must hold exactly one number. */
static bool target_number(struct work *w, size_t i, double *ret_value)
{
	struct str text;
	struct number number, second;
	size_t at = 0;
	if (json_num(target_node(w, i), ret_value))
		return true;
	if (!target_text(w, i, &text) || !number_next(text, &at, w->spec->ignore, &number) ||
	    number_next(text, &at, w->spec->ignore, &second)) {
		explain(w, "target %zu is not one number", i + 1);
		set_missing(w, STR("bad_target"));
		return false;
	}
	*ret_value = number.value;
	return true;
}

static void apply_numeric(struct work *w)
{
	const struct score_spec *spec = w->spec;
	struct number number;
	double target, nearest = INFINITY;
	if (!targets_are_usable(w, false))
		return;
	bool found = find_number(spec, w->text, &number);
	for (size_t i = 0; i < target_count(w); i++) {
		if (!target_number(w, i, &target))
			return;
		double off = found ? fabs(number.value - target) : INFINITY;
		nearest = MIN_OF(nearest, off);
		if (off <= fmax(spec->abs_tol, spec->rel_tol * fabs(target))) {
			set_value(w, 1, number.text);
			return;
		}
	}
	if (found)
		explain(w, "off by %g", nearest);
	else
		explain(w, spec->find == SCORE_FIND_ONLY ? "the answer is not one number" : "no number in the answer");
	set_value(w, 0, found ? number.text : STR(""));
}

/* ---- choice ---- */

struct offered {
	struct choice_list list;
	struct str *texts; /* NULL: only their number is known */
	bool owned;
};

/* The item's own choices, else the suite's. */
static bool offer(struct work *w, struct offered *o)
{
	const struct score_spec *spec = w->spec;
	size_t count = json_kind(w->item->choices) == JSON_ARRAY ? json_len(w->item->choices) : 0;
	*o = (struct offered){ .texts = spec->choices };
	bool usable = count ? count >= 2 && count <= SCORE_CHOICES_MAX : spec->choice_count > 0;
	if (usable && count) {
		o->texts = mem_try_new(count, sizeof(*o->texts));
		o->owned = usable = o->texts != NULL;
		for (size_t i = 0; i < count && usable; i++)
			usable = json_str(json_at(w->item->choices, i), &o->texts[i]);
	}
	if (!usable || !choice_list_init(&o->list, o->texts, count ? count : spec->choice_count, spec->letters)) {
		explain(w, "the item has no usable choices");
		set_missing(w, STR("no_choices"));
		if (o->owned)
			mem_free(o->texts);
		return false;
	}
	return true;
}

static void offer_done(struct offered *o)
{
	choice_list_done(&o->list);
	if (o->owned)
		mem_free(o->texts);
}

/* The choice that a target names: its letter (capital or not), its text as it stands, or its text folded. */
static ptrdiff_t target_choice(struct work *w, const struct offered *o, size_t i)
{
	struct str text;
	const struct choice_list *list = &o->list;
	if (!target_text(w, i, &text) || !choice_plain(text, &w->target))
		return -1;
	struct str core = choice_trim(buf_str(&w->target));
	ptrdiff_t index = core.len == 1 ? choice_of_letter(list, core.data[0]) : -1;
	if (index >= 0)
		return index;
	for (size_t c = 0; o->texts && c < list->count; c++)
		if (str_eq(o->texts[c], text))
			return (ptrdiff_t)c;
	return choice_fold(core, &w->scratch) ? choice_equal(list, choice_trim(buf_str(&w->scratch))) : -1;
}

static void show_choice(const struct offered *o, size_t index, char out[SHOWN_BYTES + 1])
{
	if (o->texts)
		(void)unicode_excerpt(o->texts[index], out, SHOWN_BYTES + 1);
	else
		(void)snprintf(out, SHOWN_BYTES + 1, "%c", (char)('A' + index));
}

static void set_choice(struct work *w, const struct offered *o, const struct choice_reading *r, double value)
{
	char one[SHOWN_BYTES + 1], other[SHOWN_BYTES + 1];
	char letter[2] = { (char)('A' + r->index % CHOICE_LETTERS_MAX), '\0' }; /* without texts there are no more */
	switch (r->verdict) {
	case CHOICE_ONE:
		show_choice(o, r->index, one);
		explain(w, "%s: %s", r->how, one);
		set_value(w, value, o->texts ? o->texts[r->index] : str_from(letter));
		return;
	case CHOICE_AMBIGUOUS:
		show_choice(o, r->index, one);
		show_choice(o, r->other, other);
		explain(w, "ambiguous, %s: '%s' and '%s'", r->how, one, other);
		break;
	case CHOICE_NONE:
		explain(w, "no choice is named");
		break;
	case CHOICE_TOO_LONG:
		set_missing(w, STR("too_long"));
		return;
	}
	set_value(w, 0, STR(""));
}

static void apply_choice(struct work *w)
{
	struct offered o;
	if (!targets_are_usable(w, false) || !offer(w, &o))
		return;
	struct choice_reading r = choice_read(&o.list, w->text);
	double value = 0;
	for (size_t i = 0; i < target_count(w); i++) {
		ptrdiff_t target = target_choice(w, &o, i);
		if (target < 0) {
			explain(w, "target %zu names none of the choices", i + 1);
			set_missing(w, STR("bad_target"));
			offer_done(&o);
			return;
		}
		if (r.verdict == CHOICE_ONE && r.index == (size_t)target)
			value = 1;
	}
	set_choice(w, &o, &r, value);
	offer_done(&o);
}

/* ---- all ---- */

/* Takes the answer through the extraction steps. False: the score is set. */
static bool extract(struct work *w)
{
	for (size_t i = 0; i < w->spec->extract_count; i++) {
		struct error error;
		const struct extract_step *step = &w->spec->extract[i];
		switch (extract_apply(step, w->text, &w->text, &error)) {
		case EXTRACT_FOUND:
			break;
		case EXTRACT_NOTHING:
			explain(w, "extraction step %zu (%s) finds nothing", i + 1, extract_kind_name(step->kind));
			set_value(w, 0, STR(""));
			return false;
		case EXTRACT_LIMIT:
			explain(w, "extraction step %zu (%s): %s", i + 1, extract_kind_name(step->kind), error.text);
			set_missing(w, STR("regex_limit"));
			return false;
		}
	}
	return true;
}

static void apply(struct work *w)
{
	const struct score_spec *spec = w->spec;
	if (spec->type == SCORE_NUMERIC) {
		apply_numeric(w);
		return;
	}
	if (spec->type == SCORE_CHOICE) {
		apply_choice(w);
		return;
	}
	if (!normalize_apply(w->text, spec->normalize, spec->normalize_count, &w->answer, &w->scratch)) {
		set_missing(w, STR("too_long"));
		return;
	}
	if (spec->type == SCORE_REGEX)
		apply_regex(w);
	else
		apply_text(w);
}

void score_apply_spec(const struct score_spec *spec, struct str response, const struct score_item *item,
                      struct arena *a, struct score *ret_score)
{
	struct score score = { .has_value = false };
	struct work w = { .spec = spec, .item = item, .arena = a, .score = &score };
	struct buf repaired;
	size_t room = MIN_OF(response.len, (size_t)SCORE_TEXT_BYTES_MAX) * 4 + TARGET_BYTES_MAX;
	buf_init(&repaired, SCORE_TEXT_BYTES_MAX);
	buf_init(&w.answer, room);
	buf_init(&w.target, room);
	buf_init(&w.scratch, room);
	buf_init(&w.number, 400);
	if (!unicode_repair(response, &repaired, NULL)) {
		set_missing(&w, STR("too_long"));
	} else {
		w.text = buf_str(&repaired);
		if (extract(&w))
			apply(&w);
	}
	buf_done(&repaired);
	buf_done(&w.answer);
	buf_done(&w.target);
	buf_done(&w.scratch);
	buf_done(&w.number);
	*ret_score = score;
}
