#include "worker/exec/exec_context.h"
#include "common/base/check.h"
#include "common/base/mem.h"
#include <stdatomic.h>
#include <string.h>

struct exec_context *exec_context_new(struct hash hash, struct str json)
{
	struct exec_context *c = mem_new(1, sizeof(*c) + json.len + 1);
	char *bytes = (char *)(c + 1);
	if (json.len > 0)
		memcpy(bytes, json.data, json.len);
	c->hash = hash;
	c->json = str_make(bytes, json.len);
	atomic_init(&c->refs, 1);
	return c;
}

struct exec_context *exec_context_ref(struct exec_context *c)
{
	if (c)
		atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
	return c;
}

void exec_context_unref(struct exec_context *c)
{
	if (!c)
		return;
	uint32_t before = atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel);
	check(before > 0);
	if (before == 1)
		mem_free(c);
}
