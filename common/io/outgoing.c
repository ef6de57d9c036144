#include "common/io/outgoing.h"
#include "common/base/check.h"
#include "common/base/mem.h"

void outgoing_init(struct outgoing *o, struct ring *ring)
{
	*o = (struct outgoing){ .ring = ring };
}

bool outgoing_waits(const struct outgoing *o)
{
	return o->from < o->len;
}

void outgoing_flush(struct outgoing *o)
{
	if (!outgoing_waits(o))
		return;
	o->from += ring_try_push_many(o->ring, o->items + o->from, o->len - o->from);
	if (o->from == o->len)
		o->from = o->len = 0;
}

void outgoing_push(struct outgoing *o, void *message)
{
	mem_reserve(&o->items, &o->cap, o->len + 1, sizeof(*o->items));
	o->items[o->len++] = message;
}

void *outgoing_take(struct outgoing *o)
{
	return outgoing_waits(o) ? o->items[o->from++] : NULL;
}

void outgoing_done(struct outgoing *o)
{
	check(!outgoing_waits(o));
	mem_free(o->items);
	*o = (struct outgoing){ 0 };
}
