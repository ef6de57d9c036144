#include "common/base/arena.h"
#include "common/base/check.h"
#include "common/base/mem.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { BLOCK_BYTES_MIN = 4096, BLOCK_BYTES_MAX = 1 << 20, ALIGNMENT = 16 };

struct arena_block {
	struct arena_block *next;
	size_t cap, used;
	_Alignas(ALIGNMENT) char bytes[];
};

void arena_init(struct arena *a, size_t budget_bytes)
{
	*a = (struct arena){ .budget_bytes = budget_bytes };
}

static void free_after(struct arena_block *b)
{
	while (b) {
		struct arena_block *next = b->next;
		mem_free(b);
		b = next;
	}
}

void arena_reset(struct arena *a)
{
	if (a->first) {
		free_after(a->first->next);
		a->first->next = NULL;
		a->first->used = 0;
	}
	a->current = a->first;
	a->used_bytes = 0;
}

void arena_done(struct arena *a)
{
	free_after(a->first);
	arena_init(a, a->budget_bytes);
}

static struct arena_block *add_block(struct arena *a, size_t bytes)
{
	size_t cap = a->current ? a->current->cap * 2 : BLOCK_BYTES_MIN;
	cap = MIN_OF(cap, (size_t)BLOCK_BYTES_MAX);
	cap = MAX_OF(cap, bytes);
	struct arena_block *b = mem_try_grow(NULL, sizeof(*b) + cap, 1);
	if (!b)
		return NULL;
	b->next = NULL;
	b->cap = cap;
	b->used = 0;
	if (a->current)
		a->current->next = b;
	else
		a->first = b;
	a->current = b;
	return b;
}

void *arena_try_alloc(struct arena *a, size_t count, size_t size)
{
	size_t bytes;
	if (__builtin_mul_overflow(count, size, &bytes) || bytes > SIZE_MAX / 2)
		return NULL;
	bytes = (bytes + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
	if (bytes > a->budget_bytes - a->used_bytes)
		return NULL;
	struct arena_block *b = a->current;
	if (!b || bytes > b->cap - b->used)
		b = add_block(a, bytes);
	if (!b)
		return NULL;
	void *p = b->bytes + b->used;
	b->used += bytes;
	a->used_bytes += bytes;
	return p;
}

void *arena_new(struct arena *a, size_t count, size_t size)
{
	void *p = arena_try_alloc(a, count, size);
	check_msg(p != NULL, "arena: %zu x %zu bytes over its budget of %zu", count, size, a->budget_bytes);
	memset(p, 0, count * size);
	return p;
}

struct str arena_str(struct arena *a, struct str s)
{
	char *copy = arena_new(a, s.len + 1, 1);
	if (s.len)
		memcpy(copy, s.data, s.len);
	return (struct str){ copy, s.len };
}

char *arena_c_str(struct arena *a, struct str s)
{
	char *copy = arena_new(a, s.len + 1, 1);
	if (s.len)
		memcpy(copy, s.data, s.len);
	return copy;
}

struct str arena_printf(struct arena *a, const char *format, ...)
{
	va_list args, again;
	va_start(args, format);
	va_copy(again, args);
	int len = vsnprintf(NULL, 0, format, args);
	check(len >= 0);
	char *text = arena_new(a, (size_t)len + 1, 1);
	(void)vsnprintf(text, (size_t)len + 1, format, again); /* measured just above */
	va_end(again);
	va_end(args);
	return (struct str){ text, (size_t)len };
}
