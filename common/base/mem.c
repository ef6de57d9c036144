#include "common/base/mem.h"
#include "common/base/check.h"
#include <stdlib.h>
#include <string.h>

/* Test hook, not state of the program: purity (DESIGN.md 11) is about what release code can observe. */
static _Thread_local uint64_t fail_after;

void mem_fail_at(uint64_t nth)
{
	fail_after = nth;
}

static bool must_fail(void)
{
	return fail_after != 0 && --fail_after == 0;
}

void *mem_try_new(size_t count, size_t size)
{
	if (must_fail())
		return NULL;
	return calloc(count ? count : 1, size ? size : 1);
}

void *mem_try_grow(void *p, size_t count, size_t size)
{
	size_t bytes;
	if (must_fail() || __builtin_mul_overflow(count, size, &bytes))
		return NULL;
	return realloc(p, bytes ? bytes : 1);
}

void *mem_new(size_t count, size_t size)
{
	void *p = calloc(count ? count : 1, size ? size : 1);
	check_msg(p != NULL, "out of memory: %zu x %zu bytes", count, size);
	return p;
}

void *mem_grow(void *p, size_t count, size_t size)
{
	size_t bytes;
	bool fits = !__builtin_mul_overflow(count, size, &bytes);
	void *grown = fits ? realloc(p, bytes ? bytes : 1) : NULL;
	check_msg(grown != NULL, "out of memory: %zu x %zu bytes", count, size);
	return grown;
}

void mem_free(void *p)
{
	free(p);
}

void mem_reserve(void *array_address, size_t *cap, size_t want, size_t size)
{
	if (want <= *cap)
		return;
	size_t grown = *cap ? *cap * 2 : 8;
	if (grown < want)
		grown = want;
	void *p;
	memcpy(&p, array_address, sizeof(p)); /* any T** comes in as void*; memcpy keeps aliasing lawful */
	p = mem_grow(p, grown, size);
	memcpy(array_address, &p, sizeof(p));
	*cap = grown;
}
