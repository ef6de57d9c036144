#include "coordinator/main/outlook.h"
#include "common/base/mem.h"
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

static bool same(const struct outlook *a, const struct outlook *b)
{
	return a->database == b->database && a->term == b->term && strcmp(a->leader_url, b->leader_url) == 0 &&
	       strcmp(a->text, b->text) == 0;
}

static struct outlook *keep(struct outlook_board *b, const struct outlook *o)
{
	for (struct outlook *x = b->all; x; x = x->next)
		if (same(x, o))
			return x;
	struct outlook *copy = mem_new(1, sizeof(*copy));
	*copy = *o;
	copy->next = b->all;
	b->all = copy;
	b->count++;
	return copy;
}

void outlook_init(struct outlook_board *b)
{
	struct outlook nothing = { 0 };
	*b = (struct outlook_board){ .all = NULL };
	atomic_init(&b->now, keep(b, &nothing));
}

void outlook_done(struct outlook_board *b)
{
	while (b->all) {
		struct outlook *o = b->all;
		b->all = o->next;
		mem_free(o);
	}
}

void outlook_show(struct outlook_board *b, const struct outlook *o)
{
	if (same(outlook_get(b), o))
		return;
	struct outlook general = *o;
	if (b->count >= OUTLOOKS_MAX) { /* terms still differ: a few bytes each, and rare */
		(void)snprintf(general.text, sizeof(general.text), "%s",
		               o->text[0] ? "something is wrong, see the log" : ""); /* fits */
	}
	atomic_store(&b->now, keep(b, &general));
}

const struct outlook *outlook_get(const struct outlook_board *b)
{
	return atomic_load(&b->now);
}
