#include "coordinator/stats/vectors_input.h"
#include "common/base/map.h"
#include <math.h>

static const struct json *array_of(struct vectors_input *in, const char *field, size_t *ret_n)
{
	const struct json *v = json_get(in->fields, field);
	if (json_kind(v) != JSON_ARRAY && !in->bad)
		in->bad = field;
	*ret_n = json_len(v);
	return v;
}

static bool read_num(const struct json *v, double *ret_value)
{
	struct str text;
	if (json_num(v, ret_value))
		return true;
	if (!json_str(v, &text))
		return false;
	*ret_value = str_eq(text, STR("-inf")) ? -INFINITY : INFINITY;
	return str_eq(text, STR("inf")) || str_eq(text, STR("-inf"));
}

bool vectors_input_has(const struct vectors_input *in, const char *field)
{
	return json_kind(json_get(in->fields, field)) > JSON_NULL;
}

double vectors_input_num(struct vectors_input *in, const char *field)
{
	double value = 0;
	if (!read_num(json_get(in->fields, field), &value) && !in->bad)
		in->bad = field;
	return value;
}

static uint64_t read_count(struct vectors_input *in, const struct json *v, const char *field)
{
	int64_t value = -1;
	if ((!json_i64(v, &value) || value < 0) && !in->bad)
		in->bad = field;
	return value < 0 ? 0 : (uint64_t)value;
}

uint64_t vectors_input_count(struct vectors_input *in, const char *field)
{
	return read_count(in, json_get(in->fields, field), field);
}

double *vectors_input_nums(struct vectors_input *in, const char *field, size_t *ret_n)
{
	const struct json *v = array_of(in, field, ret_n);
	double *nums = arena_new(in->arena, *ret_n + 1, sizeof(*nums));
	for (size_t i = 0; i < *ret_n; i++) {
		const struct json *element = json_at(v, i);
		if (json_kind(element) == JSON_NULL)
			nums[i] = NAN;
		else if (!read_num(element, &nums[i]) && !in->bad)
			in->bad = field;
	}
	return nums;
}

struct number *vectors_input_numbers(struct vectors_input *in, const char *field, size_t *ret_n)
{
	const double *nums = vectors_input_nums(in, field, ret_n);
	struct number *numbers = arena_new(in->arena, *ret_n + 1, sizeof(*numbers));
	for (size_t i = 0; i < *ret_n; i++)
		numbers[i] = isnan(nums[i]) ? number_none() : number_of(nums[i]);
	return numbers;
}

uint64_t *vectors_input_counts(struct vectors_input *in, const char *field, size_t *ret_n)
{
	const struct json *v = array_of(in, field, ret_n);
	uint64_t *counts = arena_new(in->arena, *ret_n + 1, sizeof(*counts));
	for (size_t i = 0; i < *ret_n; i++)
		counts[i] = read_count(in, json_at(v, i), field);
	return counts;
}

uint32_t *vectors_input_labels(struct vectors_input *in, const char *field, size_t *ret_n)
{
	const struct json *v = array_of(in, field, ret_n);
	uint32_t *labels = arena_new(in->arena, *ret_n + 1, sizeof(*labels));
	struct map seen;
	map_init(&seen, sizeof(uint32_t));
	for (size_t i = 0; i < *ret_n; i++) {
		const struct json *element = json_at(v, i);
		struct str text;
		int64_t number;
		if (json_i64(element, &number))
			text = arena_printf(in->arena, "%lld", (long long)number); /* 5 and "5" are one label */
		else if (!json_str(element, &text)) {
			in->bad = in->bad ? in->bad : field;
			break;
		}
		bool is_new;
		uint32_t next = (uint32_t)seen.len, *label = map_put(&seen, text, &is_new);
		if (is_new)
			*label = next;
		labels[i] = *label;
	}
	map_done(&seen);
	return labels;
}

double *vectors_input_rows(struct vectors_input *in, const char *field, size_t **ret_lengths, size_t *ret_n)
{
	const struct json *v = array_of(in, field, ret_n);
	size_t total = 0, *lengths = arena_new(in->arena, *ret_n + 1, sizeof(*lengths));
	for (size_t i = 0; i < *ret_n; i++)
		total += lengths[i] = json_len(json_at(v, i));
	double *rows = arena_new(in->arena, total + 1, sizeof(*rows));
	size_t at = 0;
	for (size_t i = 0; i < *ret_n; i++) {
		struct vectors_input row = { in->arena, json_at(v, i), NULL };
		for (size_t j = 0; j < lengths[i]; j++, at++) {
			const struct json *element = json_at(row.fields, j);
			if (json_kind(element) == JSON_NULL)
				rows[at] = NAN;
			else if (!read_num(element, &rows[at]) && !in->bad)
				in->bad = field;
		}
	}
	*ret_lengths = lengths;
	return rows;
}

void vectors_put_value(struct json_write *out, struct number value)
{
	if (!value.defined)
		json_write_null(out);
	else if (isinf(value.value))
		json_write_c(out, value.value > 0 ? "inf" : "-inf");
	else
		json_write_num(out, value.value);
}

void vectors_put(struct json_write *out, const char *field, struct number value)
{
	json_write_key(out, field);
	vectors_put_value(out, value);
}

void vectors_put_num(struct json_write *out, const char *field, double value)
{
	vectors_put(out, field, number_of(value));
}

void vectors_put_interval(struct json_write *out, const char *field, struct interval value)
{
	json_write_key(out, field);
	if (!value.defined) {
		json_write_null(out);
		return;
	}
	json_write_array(out);
	vectors_put_value(out, number_of(value.low));
	vectors_put_value(out, number_of(value.high));
	json_write_array_end(out);
}
