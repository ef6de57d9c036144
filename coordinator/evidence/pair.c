#include "coordinator/evidence/pair.h"
#include "common/base/map.h"
#include <string.h>

static const uint32_t NOBODY = UINT32_MAX;

struct work {
	const struct samples *base, *cand;
	uint32_t *of_base, *of_cand; /* partner, or NOBODY */
	bool *changed_base, *changed_cand;
};

static bool known(struct hash h)
{
	static const struct hash zero;
	return !hash_eq(h, zero);
}

static bool same_content(struct hash a, struct hash b)
{
	return !known(a) || !known(b) || hash_eq(a, b);
}

static void marry(struct work *w, uint32_t base, uint32_t cand)
{
	w->of_base[base] = cand;
	w->of_cand[cand] = base;
}

static void try_by_id(struct work *w, uint32_t base, uint32_t cand)
{
	if (same_content(w->base->item_hash[base], w->cand->item_hash[cand]))
		marry(w, base, cand);
	else
		w->changed_base[base] = w->changed_cand[cand] = true;
}

/* Two runs of one suite version list the same items in the same order: no index is needed for those. */
static size_t by_place(struct work *w)
{
	size_t shared = MIN_OF(w->base->item_count, w->cand->item_count), settled = 0;
	for (uint32_t i = 0; i < shared; i++) {
		if (!str_eq(w->base->item_id[i], w->cand->item_id[i]))
			continue;
		try_by_id(w, i, i);
		settled++;
	}
	return settled;
}

static void by_id(struct work *w)
{
	struct map index;
	map_init(&index, sizeof(uint32_t));
	for (uint32_t i = 0; i < w->base->item_count; i++) {
		if (w->of_base[i] != NOBODY || w->changed_base[i])
			continue;
		bool is_new;
		uint32_t *first = map_put(&index, w->base->item_id[i], &is_new);
		if (is_new)
			*first = i;
	}
	for (uint32_t i = 0; i < w->cand->item_count; i++) {
		if (w->of_cand[i] != NOBODY || w->changed_cand[i])
			continue;
		const uint32_t *at = map_get(&index, w->cand->item_id[i]);
		if (at && w->of_base[*at] == NOBODY)
			try_by_id(w, *at, i);
	}
	map_done(&index);
}

static struct str hash_text(const struct hash *h)
{
	return str_make(h->bytes, HASH_BYTES);
}

/* next: [base items], the next one alone of the same content; equal contents pair in order. */
static void by_content(struct work *w, uint32_t *next)
{
	struct map index;
	map_init(&index, sizeof(uint32_t));
	for (uint32_t i = (uint32_t)w->base->item_count; i-- > 0;) {
		if (w->of_base[i] != NOBODY || !known(w->base->item_hash[i]))
			continue;
		bool is_new;
		uint32_t *first = map_put(&index, hash_text(&w->base->item_hash[i]), &is_new);
		next[i] = is_new ? NOBODY : *first;
		*first = i;
	}
	for (uint32_t i = 0; i < w->cand->item_count; i++) {
		if (w->of_cand[i] != NOBODY || !known(w->cand->item_hash[i]))
			continue;
		uint32_t *first = map_get(&index, hash_text(&w->cand->item_hash[i]));
		if (!first || *first == NOBODY)
			continue;
		uint32_t base = *first;
		*first = next[base];
		marry(w, base, i);
	}
	map_done(&index);
}

static void list_unpaired(const struct work *w, struct pair_list *p)
{
	for (size_t i = 0; i < w->base->item_count; i++) {
		if (w->of_base[i] != NOBODY)
			continue;
		enum compare_reason reason = w->changed_base[i] ? COMPARE_CHANGED : COMPARE_ABSENT;
		p->unpaired[p->unpaired_count++] = (struct compare_unpaired){ true, i, reason };
	}
	for (size_t i = 0; i < w->cand->item_count; i++) {
		if (w->of_cand[i] != NOBODY)
			continue;
		enum compare_reason reason = w->changed_cand[i] ? COMPARE_CHANGED : COMPARE_ABSENT;
		p->unpaired[p->unpaired_count++] = (struct compare_unpaired){ false, i, reason };
		p->changed += w->changed_cand[i];
	}
}

static bool reserve(struct arena *arena, struct work *w, struct pair_list *p)
{
	size_t n_base = w->base->item_count, n_cand = w->cand->item_count;
	w->of_base = arena_try_alloc(arena, n_base + 1, sizeof(*w->of_base));
	w->of_cand = arena_try_alloc(arena, n_cand + 1, sizeof(*w->of_cand));
	w->changed_base = arena_try_alloc(arena, n_base + 1, sizeof(*w->changed_base));
	w->changed_cand = arena_try_alloc(arena, n_cand + 1, sizeof(*w->changed_cand));
	p->base = arena_try_alloc(arena, n_cand + 1, sizeof(*p->base));
	p->cand = arena_try_alloc(arena, n_cand + 1, sizeof(*p->cand));
	return w->of_base && w->of_cand && w->changed_base && w->changed_cand && p->base && p->cand;
}

enum err_code pair_items(struct arena *arena, const struct samples *base, const struct samples *cand,
                         struct pair_list *ret_pairs, struct error *reterr)
{
	struct work w = { .base = base, .cand = cand };
	struct pair_list p = { 0 };
	uint32_t *next = arena_try_alloc(arena, base->item_count + 1, sizeof(*next));
	if (!next || !reserve(arena, &w, &p))
		goto too_large;
	memset(w.of_base, 0xff, base->item_count * sizeof(*w.of_base));
	memset(w.of_cand, 0xff, cand->item_count * sizeof(*w.of_cand));
	memset(w.changed_base, 0, base->item_count * sizeof(*w.changed_base));
	memset(w.changed_cand, 0, cand->item_count * sizeof(*w.changed_cand));
	if (by_place(&w) < MAX_OF(base->item_count, cand->item_count))
		by_id(&w);
	size_t alone_base = base->item_count, alone_cand = cand->item_count;
	for (size_t i = 0; i < cand->item_count; i++) {
		alone_cand -= w.of_cand[i] != NOBODY;
		alone_base -= w.of_cand[i] != NOBODY;
	}
	if (alone_base && alone_cand)
		by_content(&w, next);
	for (uint32_t i = 0; i < cand->item_count; i++) {
		if (w.of_cand[i] == NOBODY)
			continue;
		p.base[p.count] = w.of_cand[i];
		p.cand[p.count++] = i;
	}
	size_t alone = base->item_count + cand->item_count - 2 * p.count;
	p.unpaired = arena_try_alloc(arena, alone + 1, sizeof(*p.unpaired));
	if (!p.unpaired)
		goto too_large;
	list_unpaired(&w, &p);
	*ret_pairs = p;
	return ERR_OK;
too_large:
	return error_set(reterr, ERR_LIMIT, "a comparison of %zu items does not fit the memory of this request",
	                 base->item_count);
}
