#include "common/base/heap.h"
#include "common/base/mem.h"

void heap_init(struct heap *h)
{
	*h = (struct heap){ 0 };
	map_init(&h->place, sizeof(size_t));
}

void heap_done(struct heap *h)
{
	mem_free(h->items);
	map_done(&h->place);
	heap_init(h);
}

static bool before(struct heap_item a, struct heap_item b)
{
	return a.key != b.key ? a.key < b.key : a.id < b.id;
}

static void set(struct heap *h, size_t i, struct heap_item item)
{
	h->items[i] = item;
	*(size_t *)map_put_u64(&h->place, item.id, NULL) = i;
}

static void sift(struct heap *h, size_t i, struct heap_item item)
{
	while (i > 0 && before(item, h->items[(i - 1) / 2])) {
		set(h, i, h->items[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	for (;;) {
		size_t child = i * 2 + 1;
		if (child >= h->len)
			break;
		if (child + 1 < h->len && before(h->items[child + 1], h->items[child]))
			child++;
		if (!before(h->items[child], item))
			break;
		set(h, i, h->items[child]);
		i = child;
	}
	set(h, i, item);
}

void heap_put(struct heap *h, uint64_t id, uint64_t key)
{
	size_t *at = map_get_u64(&h->place, id);
	if (at) {
		sift(h, *at, (struct heap_item){ key, id });
		return;
	}
	mem_reserve(&h->items, &h->cap, h->len + 1, sizeof(*h->items));
	h->len++;
	h->items[h->len - 1] = (struct heap_item){ UINT64_MAX, UINT64_MAX };
	sift(h, h->len - 1, (struct heap_item){ key, id });
}

bool heap_remove(struct heap *h, uint64_t id)
{
	size_t *at = map_get_u64(&h->place, id);
	if (!at)
		return false;
	size_t i = *at;
	(void)map_remove_u64(&h->place, id);
	struct heap_item last = h->items[--h->len];
	if (i < h->len)
		sift(h, i, last);
	return true;
}

bool heap_key(const struct heap *h, uint64_t id, uint64_t *ret_key)
{
	const size_t *at = map_get_u64(&h->place, id);
	if (!at)
		return false;
	*ret_key = h->items[*at].key;
	return true;
}

bool heap_min(const struct heap *h, struct heap_item *ret_item)
{
	if (h->len == 0)
		return false;
	*ret_item = h->items[0];
	return true;
}

bool heap_pop(struct heap *h, struct heap_item *ret_item)
{
	if (!heap_min(h, ret_item))
		return false;
	return heap_remove(h, ret_item->id);
}
