/* Goal: what is written reads back the same, and what one writes of equal documents is equal. */
#include "common/base/json_write.h"
#include "tests/support/cmocka_all.h"
#include "tests/support/gen.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static bool same(const struct json *a, const struct json *b)
{
	enum json_kind kind = json_kind(a);
	struct json_iter it = { 0 }, jt = { 0 };
	if (kind != json_kind(b) || json_len(a) != json_len(b))
		return false;
	if (kind == JSON_ARRAY)
		for (size_t i = 0; i < json_len(a); i++)
			if (!same(json_at(a, i), json_at(b, i)))
				return false;
	if (kind == JSON_OBJECT)
		while (json_next(a, &it))
			if (!json_next(b, &jt) || !str_eq(it.key, jt.key) || !same(it.value, jt.value))
				return false;
	double x = json_num_or(a, 0), y = json_num_or(b, 0);
	return json_i64_or(a, 0) == json_i64_or(b, 0) && memcmp(&x, &y, sizeof(x)) == 0 &&
	       json_bool_or(a, true) == json_bool_or(b, true) &&
	       str_eq(json_str_or(a, STR("")), json_str_or(b, STR("")));
}

static void a_document_written_and_read_is_the_same_document(void **state)
{
	(void)state;
	struct rng rng;
	struct error e;
	for (struct gen_seeds s = gen_seeds(300); gen_next(&s, &rng);) {
		struct buf text, again;
		struct json_doc *doc, *back;
		struct json_write w;
		buf_init(&text, 1 << 22);
		buf_init(&again, 1 << 22);
		gen_json(&rng, &text, 6);
		assert_ok(json_parse(buf_str(&text), &doc, &e), &e);
		json_write_init(&w, &again, gen_chance(&rng, 50));
		json_write_value(&w, json_root(doc));
		assert_false(again.failed);
		assert_ok(json_parse(buf_str(&again), &back, &e), &e);
		assert_true(same(json_root(doc), json_root(back)));
		json_free(doc);
		json_free(back);
		buf_done(&text);
		buf_done(&again);
	}
}

/* The document with the members of every object in a drawn order. */
static void shuffled(struct rng *r, const struct json *v, struct json_write *w)
{
	struct json_iter it = { 0 }, members[16];
	size_t count = 0;
	if (json_kind(v) == JSON_ARRAY) {
		json_write_array(w);
		for (size_t i = 0; i < json_len(v); i++)
			shuffled(r, json_at(v, i), w);
		json_write_array_end(w);
	} else if (json_kind(v) == JSON_OBJECT) {
		while (json_next(v, &it))
			members[count++] = it;
		json_write_object(w);
		for (; count > 0; count--) {
			size_t pick = (size_t)rng_below(r, count);
			json_write_key_str(w, members[pick].key);
			shuffled(r, members[pick].value, w);
			members[pick] = members[count - 1];
		}
		json_write_object_end(w);
	} else {
		json_write_value(w, v);
	}
}

static void the_canonical_form_does_not_depend_on_order_or_white_space(void **state)
{
	(void)state;
	struct rng rng;
	struct error e;
	for (struct gen_seeds s = gen_seeds(300); gen_next(&s, &rng);) {
		struct buf text, mixed, a, b;
		struct json_doc *doc, *other;
		struct json_write w;
		buf_init(&text, 1 << 22);
		buf_init(&mixed, 1 << 22);
		buf_init(&a, 1 << 22);
		buf_init(&b, 1 << 22);
		gen_json(&rng, &text, 5);
		assert_ok(json_parse(buf_str(&text), &doc, &e), &e);
		json_write_init(&w, &mixed, true);
		shuffled(&rng, json_root(doc), &w);
		assert_ok(json_parse(buf_str(&mixed), &other, &e), &e);
		assert_true(json_write_canonical(json_root(doc), &a));
		assert_true(json_write_canonical(json_root(other), &b));
		assert_str_equal(buf_str(&a), buf_str(&b));
		json_free(doc);
		json_free(other);
		buf_done(&text);
		buf_done(&mixed);
		buf_done(&a);
		buf_done(&b);
	}
}

static bool parses(struct str text)
{
	struct json_doc *doc = NULL;
	bool ok = json_parse(text, &doc, NULL) == ERR_OK;
	json_free(doc);
	return ok;
}

/* A string of JSON with everything a provider may do to it: broken bytes, halves of pairs, escapes of all kinds. */
static void ragged_string(struct rng *r, struct buf *out)
{
	static const char *const escapes[] = { "\\ud83d\\ude00", "\\ud83d",   "\\ude00",
		                               "\\uD83D\\u0041", "\\\\ud83d", "\\n",
		                               "\\\"",           "\\u0000",   "\\udbff\\udfff" };
	(void)buf_append_char(out, '"');
	for (size_t left = gen_len(r, 20); left > 0; left--) {
		if (gen_chance(r, 50)) {
			(void)buf_append_c(out, escapes[rng_below(r, ARRAY_LEN(escapes))]);
			continue;
		}
		struct buf piece;
		buf_init(&piece, 4096);
		gen_broken_text(r, &piece, 4);
		for (size_t i = 0; i < piece.len; i++) /* without what JSON wants escaped */
			if ((unsigned char)piece.data[i] >= 0x20 && piece.data[i] != '"' && piece.data[i] != '\\')
				(void)buf_append_char(out, piece.data[i]);
		buf_done(&piece);
	}
	(void)buf_append_char(out, '"');
}

static void a_repaired_string_always_parses_and_a_sound_one_is_not_touched(void **state)
{
	(void)state;
	struct rng rng;
	for (struct gen_seeds s = gen_seeds(3000); gen_next(&s, &rng);) {
		struct buf text, repaired, twice;
		unsigned repairs, none = 1;
		buf_init(&text, 1 << 16);
		buf_init(&repaired, 1 << 18);
		buf_init(&twice, 1 << 18);
		ragged_string(&rng, &text);
		assert_true(json_repair(buf_str(&text), &repaired, &repairs));
		assert_true(parses(buf_str(&repaired)));
		assert_int_equal(repairs == 0, parses(buf_str(&text)));
		if (repairs == 0)
			assert_str_equal(buf_str(&repaired), buf_str(&text));
		assert_true(json_repair(buf_str(&repaired), &twice, &none));
		assert_int_equal(none, 0);
		assert_str_equal(buf_str(&twice), buf_str(&repaired));
		buf_done(&text);
		buf_done(&repaired);
		buf_done(&twice);
	}
}

static void damaged_documents_are_errors_that_name_a_place(void **state)
{
	(void)state;
	struct rng rng;
	for (struct gen_seeds s = gen_seeds(3000); gen_next(&s, &rng);) {
		struct buf text;
		struct error e = { 0 };
		struct json_doc *doc = NULL;
		buf_init(&text, 1 << 22);
		gen_json(&rng, &text, 4);
		gen_mangle(&rng, &text);
		if (json_parse(buf_str(&text), &doc, &e) != ERR_OK)
			assert_true(str_starts(str_from(e.text), STR("line ")));
		json_free(doc);
		buf_done(&text);
	}
}

/* How many significant digits a number's text has. */
static int digits_in(struct str text)
{
	int digits = 0, zeros = 0;
	for (size_t i = 0; i < text.len && text.data[i] != 'e'; i++) {
		if (text.data[i] < '0' || text.data[i] > '9' || (digits == 0 && text.data[i] == '0'))
			continue;
		digits++;
		zeros = text.data[i] == '0' ? zeros + 1 : 0;
	}
	return digits - zeros;
}

static void a_double_reads_back_equal_from_its_fewest_digits(void **state)
{
	(void)state;
	struct rng rng;
	for (struct gen_seeds s = gen_seeds(20000); gen_next(&s, &rng);) {
		double v = gen_double(&rng), back;
		struct buf out;
		struct json_write w;
		char fewer[64];
		buf_init(&out, 64);
		json_write_init(&w, &out, false);
		json_write_num(&w, v);
		assert_true(parses(buf_str(&out)));
		assert_true(str_to_double(buf_str(&out), &back));
		assert_memory_equal(&v, &back, sizeof(v));
		int digits = digits_in(buf_str(&out));
		for (int n = 1; n < digits; n++) {
			(void)snprintf(fewer, sizeof(fewer), "%.*e", n - 1, v);
			if (strtod(fewer, NULL) == v)
				fail_msg("%s has more digits than %s", out.data, fewer);
		}
		buf_done(&out);
	}
}

int main(void)
{
	json_start();
	const struct CMUnitTest tests[] = {
		gen_property(a_document_written_and_read_is_the_same_document),
		gen_property(the_canonical_form_does_not_depend_on_order_or_white_space),
		gen_property(a_repaired_string_always_parses_and_a_sound_one_is_not_touched),
		gen_property(damaged_documents_are_errors_that_name_a_place),
		gen_property(a_double_reads_back_equal_from_its_fewest_digits),
	};
	return cmocka_run_group_tests_name("json properties", tests, NULL, NULL);
}
