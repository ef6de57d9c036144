#include "coordinator/http/selection.h"
#include "common/base/bits.h"
#include "common/base/buf.h"
#include "common/base/rng.h"
#include "coordinator/store/items.h"
#include <stdlib.h>

enum { PAGE_ITEMS = 20000, PAIRS_MAX = 16, SLICE_BYTES_MAX = 4096 };

struct drawn {
	uint64_t key;
	uint32_t item_no;
};

static int compare_drawn(const void *a, const void *b)
{
	const struct drawn *x = a, *y = b;
	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	return x->item_no < y->item_no ? -1 : x->item_no > y->item_no;
}

static bool label_of(const struct item_row *item, struct str key, struct str *ret_label)
{
	static const struct {
		const char *name;
		size_t offset;
	} labels[] = { { "task", offsetof(struct item_row, task) },
		       { "stratum", offsetof(struct item_row, stratum) },
		       { "cluster", offsetof(struct item_row, cluster) },
		       { "split", offsetof(struct item_row, split) },
		       { "provenance", offsetof(struct item_row, provenance) } };
	for (size_t i = 0; i < ARRAY_LEN(labels); i++)
		if (str_eq_c(key, labels[i].name)) {
			*ret_label = *(const struct str *)(const void *)((const char *)item + labels[i].offset);
			return true;
		}
	return false;
}

static enum err_code check_keys(const struct str *keys, size_t count, struct error *reterr)
{
	struct item_row none = { 0 };
	struct str label;
	if (count > PAIRS_MAX)
		return error_set(reterr, ERR_INVALID, "a slice has at most %d conditions", PAIRS_MAX);
	for (size_t i = 0; i < count; i++)
		if (!label_of(&none, keys[i], &label))
			return error_set(reterr, ERR_INVALID,
			                 "a slice is by task, stratum, cluster, split or provenance, not by '%.*s'",
			                 STR_ARG(keys[i]));
	return ERR_OK;
}

/* What would read as the end of a value is escaped: stratum "a,task=b" is not stratum "a" and task "b". */
static void put_value(struct buf *out, struct str value)
{
	for (size_t i = 0; i < value.len; i++)
		if (value.data[i] == ',' || value.data[i] == '=' || value.data[i] == '%')
			(void)buf_printf(out, "%%%02X", (unsigned)(unsigned char)value.data[i]);
		else
			(void)buf_append_char(out, value.data[i]);
}

enum err_code selection_slice_text(struct arena *arena, const struct str *keys, const struct str *values, size_t count,
                                   struct str *ret_text, struct error *reterr)
{
	size_t order[PAIRS_MAX];
	struct buf text;
	enum err_code err = check_keys(keys, count, reterr);
	if (err != ERR_OK)
		return err;
	for (size_t i = 0; i < count; i++) {
		size_t at = i;
		for (; at > 0 && str_cmp(keys[order[at - 1]], keys[i]) > 0; at--)
			order[at] = order[at - 1];
		order[at] = i;
	}
	buf_init(&text, SLICE_BYTES_MAX);
	for (size_t i = 0; i < count; i++) {
		(void)buf_printf(&text, "%s%.*s=", i ? "," : "", STR_ARG(keys[order[i]]));
		put_value(&text, values[order[i]]);
	}
	if (text.failed)
		err = error_set(reterr, ERR_INVALID, "the slice is over %d bytes", SLICE_BYTES_MAX);
	else
		*ret_text = arena_str(arena, buf_str(&text));
	buf_done(&text);
	return err;
}

static bool fits(const struct item_row *item, const struct str *keys, const struct str *values, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct str label;
		if (!label_of(item, keys[i], &label) || !str_eq(label, values[i]))
			return false;
	}
	return true;
}

enum err_code selection_limit(struct arena *arena, struct str limit, uint32_t matching, struct str *ret_text,
                              uint32_t *ret_count, struct error *reterr)
{
	uint64_t whole;
	double share;
	if (limit.len == 0) {
		*ret_text = limit;
		*ret_count = matching;
		return ERR_OK;
	}
	if (str_to_u64(limit, &whole) && whole > 0) {
		*ret_text = arena_printf(arena, "%llu", (unsigned long long)whole);
		*ret_count = (uint32_t)MIN_OF(whole, (uint64_t)matching);
		return ERR_OK;
	}
	if (str_to_double(limit, &share) && share > 0 && share < 1) {
		double n = share * (double)matching;
		*ret_text = arena_printf(arena, "%.15g", share);
		*ret_count = n < 1 ? 1 : (uint32_t)(n + 0.5);
		return ERR_OK;
	}
	return error_set(reterr, ERR_INVALID, "a limit is a number of items (100) or a share of them (0.1), not '%.*s'",
	                 STR_ARG(limit));
}

enum err_code selection_make(struct store *s, const struct suite_row *suite, const struct str *keys,
                             const struct str *values, size_t pair_count, struct str limit, uint64_t seed,
                             struct arena *arena, struct selection *ret_selection, struct error *reterr)
{
	struct selection out = { .count = suite->item_count };
	uint32_t matching = 0, wanted = 0;
	enum err_code err = selection_slice_text(arena, keys, values, pair_count, &out.slice, reterr);
	if (err == ERR_OK) /* the form, before any reading */
		err = selection_limit(arena, limit, suite->item_count, &out.limit, &wanted, reterr);
	if (err != ERR_OK)
		return err;
	if (pair_count == 0 && wanted == suite->item_count) {
		*ret_selection = out;
		return ERR_OK;
	}
	struct drawn *drawn = arena_new(arena, suite->item_count, sizeof(*drawn));
	for (uint32_t from = 0; err == ERR_OK && from < suite->item_count;) {
		struct arena page;
		struct item_row *rows = NULL;
		size_t count = 0;
		arena_init(&page, 256 << 20);
		err = items_heads(s, suite->suite_version_id, from, PAGE_ITEMS, &page, &rows, &count, reterr);
		for (size_t i = 0; err == ERR_OK && i < count; i++)
			if (fits(&rows[i], keys, values, pair_count))
				drawn[matching++] =
					(struct drawn){ rng_mix(seed ^ rng_mix(rows[i].item_no + 1)), rows[i].item_no };
		from += count ? (uint32_t)count : suite->item_count;
		arena_done(&page);
	}
	if (err == ERR_OK && matching == 0)
		err = error_set(reterr, ERR_NOT_FOUND, "no item of %.*s@%d is in the slice %.*s", STR_ARG(suite->name),
		                (int)suite->version, STR_ARG(out.slice));
	if (err == ERR_OK)
		err = selection_limit(arena, limit, matching, &out.limit, &out.count, reterr);
	if (err != ERR_OK)
		return err;
	qsort(drawn, matching, sizeof(*drawn), compare_drawn);
	uint8_t *bitmap = arena_new(arena, bits_byte_len(suite->item_count), 1);
	for (uint32_t i = 0; i < out.count; i++)
		bits_put(bitmap, drawn[i].item_no);
	out.bitmap = str_make(bitmap, bits_byte_len(suite->item_count));
	*ret_selection = out;
	return ERR_OK;
}
