#include "coordinator/http/reason.h"
#include "coordinator/store/items.h"

enum { TEXT_BYTES_MAX = 64 << 10 };

#define LIST_BEGIN " (items "
#define CANCELLED "cancelled with "

/* The list between LIST_BEGIN and its bracket; false when there is none. */
static bool find_list(struct str reason, struct str *ret_before, struct str *ret_list, struct str *ret_after)
{
	ptrdiff_t begin = str_find(reason, STR(LIST_BEGIN));
	if (begin < 0)
		return false;
	struct str rest = str_slice(reason, (size_t)begin + sizeof(LIST_BEGIN) - 1, reason.len);
	ptrdiff_t end = str_find_char(rest, ')');
	if (end < 0)
		return false;
	*ret_before = str_slice(reason, 0, (size_t)begin);
	*ret_list = str_slice(rest, 0, (size_t)end);
	*ret_after = str_slice(rest, (size_t)end, rest.len);
	return true;
}

/* "17 epoch 2 and 3 more": the number, and the words behind it. */
static bool take_number(struct str piece, uint64_t *ret_number, struct str *ret_words)
{
	size_t len = 0;
	while (len < piece.len && piece.data[len] >= '0' && piece.data[len] <= '9')
		len++;
	*ret_words = str_slice(piece, len, piece.len);
	return str_to_u64(str_slice(piece, 0, len), ret_number) && *ret_number <= UINT32_MAX;
}

size_t reason_items(struct str reason, uint32_t out[REASON_ITEMS_MAX])
{
	struct str before, list, after, piece, words;
	size_t count = 0;
	uint64_t number;
	if (!find_list(reason, &before, &list, &after))
		return 0;
	while (count < REASON_ITEMS_MAX && str_split(&list, ',', &piece)) {
		if (!take_number(str_trim(piece), &number, &words))
			return 0;
		out[count++] = (uint32_t)number;
	}
	return list.data ? 0 : count; /* the schedule names fewer */
}

/* What stands behind "cancelled with N". */
static bool take_cancelled(struct str reason, struct str *ret_rest)
{
	uint64_t done;
	return str_starts(reason, STR(CANCELLED)) &&
	       take_number(str_slice(reason, sizeof(CANCELLED) - 1, reason.len), &done, ret_rest);
}

struct str reason_text(struct arena *arena, struct str reason, const struct str *ids, size_t count, uint64_t done)
{
	struct str before = reason, list = STR(""), after = STR(""), piece, words, rest;
	struct buf out;
	uint64_t number;
	if (count)
		(void)find_list(reason, &before, &list, &after); /* it is there: reason_items() counted */
	buf_init(&out, TEXT_BYTES_MAX);
	if (take_cancelled(before, &rest))
		(void)buf_printf(&out, CANCELLED "%llu%.*s", (unsigned long long)done, STR_ARG(rest));
	else
		(void)buf_append_str(&out, before);
	for (size_t i = 0; i < count && str_split(&list, ',', &piece); i++) {
		if (take_number(str_trim(piece), &number, &words))
			(void)buf_printf(&out, "%s%.*s%.*s",
			                 i            ? ", "
			                 : count == 1 ? " (item "
			                              : LIST_BEGIN,
			                 STR_ARG(ids[i]), STR_ARG(words));
	}
	(void)buf_append_str(&out, after);
	struct str text = out.failed ? reason : arena_str(arena, buf_str(&out));
	buf_done(&out);
	return text;
}

struct str reason_of(struct context *c, const struct run_row *run, uint64_t done)
{
	uint32_t numbers[REASON_ITEMS_MAX];
	struct str ids[REASON_ITEMS_MAX];
	size_t count = reason_items(run->reason, numbers);
	for (size_t i = 0; i < count; i++) {
		struct item_row *row = NULL;
		size_t found = 0;
		ids[i] = arena_printf(c->arena, "%u", numbers[i]);
		if (items_heads(c->store, run->suite_version_id, numbers[i], 1, c->arena, &row, &found, NULL) ==
		            ERR_OK &&
		    found == 1 && row->item_no == numbers[i])
			ids[i] = row->id;
	}
	return reason_text(c->arena, run->reason, ids, count, done);
}
