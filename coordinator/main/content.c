#include "coordinator/main/content.h"
#include "common/base/mem.h"

struct range {
	struct range *next;
	uint64_t from, to;
	const struct str *items;
	struct arena arena;
};

struct content_run {
	struct range *ranges; /* newest use first */
	char *context;
	size_t context_len;
	struct hash context_hash;
};

void content_init(struct content *c)
{
	map_init(&c->runs, sizeof(struct content_run));
}

static void free_range(struct range *r)
{
	arena_done(&r->arena);
	mem_free(r);
}

static void free_run(struct content_run *run)
{
	while (run->ranges) {
		struct range *r = run->ranges;
		run->ranges = r->next;
		free_range(r);
	}
	mem_free(run->context);
}

void content_done(struct content *c)
{
	size_t at = 0;
	for (struct content_run *run; (run = map_next_u64(&c->runs, &at, NULL)) != NULL;)
		free_run(run);
	map_done(&c->runs);
}

void content_add(struct content *c, uint64_t run_id, uint64_t from, uint64_t to, const struct str *items,
                 struct arena *arena)
{
	struct content_run *run = map_put_u64(&c->runs, run_id, NULL);
	struct range *r = mem_new(1, sizeof(*r));
	*r = (struct range){ .next = run->ranges, .from = from, .to = to, .items = items, .arena = *arena };
	arena_init(arena, 0); /* its memory is the range's now */
	run->ranges = r;
}

void content_drop(struct content *c, uint64_t run_id, uint64_t from, uint64_t to)
{
	struct content_run *run = map_get_u64(&c->runs, run_id);
	if (!run)
		return;
	for (struct range **link = &run->ranges; *link; link = &(*link)->next)
		if ((*link)->from == from && (*link)->to == to) {
			struct range *r = *link;
			*link = r->next;
			free_range(r);
			return;
		}
}

bool content_item(struct content *c, uint64_t run_id, uint64_t item_no, struct str *ret_item)
{
	struct content_run *run = map_get_u64(&c->runs, run_id);
	if (!run)
		return false;
	for (struct range **link = &run->ranges; *link; link = &(*link)->next) {
		struct range *r = *link;
		if (item_no < r->from || item_no >= r->to)
			continue;
		*ret_item = r->items[item_no - r->from];
		*link = r->next; /* to the front: neighbours are asked for next */
		r->next = run->ranges;
		run->ranges = r;
		return true;
	}
	return false;
}

void content_set_context(struct content *c, uint64_t run_id, struct str context)
{
	struct content_run *run = map_put_u64(&c->runs, run_id, NULL);
	mem_free(run->context);
	run->context = mem_new(context.len + 1, 1);
	if (context.len)
		memcpy(run->context, context.data, context.len);
	run->context_len = context.len;
	run->context_hash = hash_of(context);
}

struct str content_context(const struct content *c, uint64_t run_id, struct hash *ret_hash)
{
	const struct content_run *run = map_get_u64(&c->runs, run_id);
	if (!run || !run->context) {
		*ret_hash = (struct hash){ 0 };
		return (struct str){ 0 };
	}
	*ret_hash = run->context_hash;
	return (struct str){ run->context, run->context_len };
}

void content_forget(struct content *c, uint64_t run_id)
{
	struct content_run *run = map_get_u64(&c->runs, run_id);
	if (!run)
		return;
	free_run(run);
	(void)map_remove_u64(&c->runs, run_id);
}
