#include "common/base/mem.h"
#include "common/base/check.h"
#include <stdlib.h>
#include <string.h>

/* Of the thread; neither changes what release code computes, only how a failure is named (DESIGN.md 11, purity). */
static _Thread_local uint64_t fail_after, refused_count;

void mem_fail_at(uint64_t nth)
{
	fail_after = nth;
}

uint64_t mem_refused_count(void)
{
	return refused_count;
}

static bool must_fail(void)
{
	return fail_after != 0 && --fail_after == 0;
}

static void *counted(void *p)
{
	refused_count += p == NULL;
	return p;
}

void *mem_try_new(size_t count, size_t size)
{
	size_t bytes;
	if (must_fail() || __builtin_mul_overflow(count, size, &bytes))
		return counted(NULL);
	return counted(calloc(bytes ? bytes : 1, 1));
}

void *mem_try_grow(void *p, size_t count, size_t size)
{
	size_t bytes;
	if (must_fail() || __builtin_mul_overflow(count, size, &bytes))
		return counted(NULL);
	return counted(realloc(p, bytes ? bytes : 1));
}

void *mem_new(size_t count, size_t size)
{
	size_t bytes;
	bool fits = !__builtin_mul_overflow(count, size, &bytes);
	void *p = fits ? calloc(bytes ? bytes : 1, 1) : NULL;
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
