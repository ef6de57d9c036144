#include "coordinator/schedule/action.h"
#include "common/base/mem.h"

enum { ACTIONS_ARENA_BYTES = 512 << 20 };

void sched_actions_init(struct sched_actions *out)
{
	*out = (struct sched_actions){ 0 };
	arena_init(&out->arena, ACTIONS_ARENA_BYTES);
}

void sched_actions_clear(struct sched_actions *out)
{
	out->len = 0;
	arena_reset(&out->arena);
}

void sched_actions_done(struct sched_actions *out)
{
	mem_free(out->items);
	arena_done(&out->arena);
	sched_actions_init(out);
}

struct sched_action *action_add(struct sched_actions *out, enum sched_action_kind kind)
{
	mem_reserve(&out->items, &out->cap, out->len + 1, sizeof(*out->items));
	struct sched_action *a = &out->items[out->len++];
	*a = (struct sched_action){ .kind = kind };
	return a;
}
