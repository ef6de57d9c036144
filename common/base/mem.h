/* common/base/mem.h - the one door to the heap.
 *
 * Running out of memory is answered in one of two ways: mem_try_* return NULL and the caller turns it into ERR_NOMEM
 * (sizes that come from outside); mem_new and mem_grow stop the program (sizes that our own bounds keep small, where
 * no caller could go on). Tests make the nth allocation fail with mem_fail_at(). Any thread. */
#ifndef ASSAY_BASE_MEM_H
#define ASSAY_BASE_MEM_H

#include "common/base/base.h"

void *mem_try_new(size_t count, size_t size) MUST_CHECK; /* zeroed; NULL when refused or when count * size overflows */
void *mem_try_grow(void *p, size_t count, size_t size) MUST_CHECK; /* realloc; on NULL `p` is still the caller's */
void *mem_new(size_t count, size_t size) MUST_CHECK;
void *mem_grow(void *p, size_t count, size_t size) MUST_CHECK;
void mem_free(void *p); /* accepts NULL */

/* Makes room for `want` elements: doubles *cap as needed. The array is grown in place of *array. */
void mem_reserve(void *array_address, size_t *cap, size_t want, size_t size);

/* How many mem_try_* calls of this thread gave NULL so far: tells "out of memory" from other failures of a library
 * that was handed these functions and does not say which it was. */
uint64_t mem_refused_count(void);

/* Tests only: the nth mem_try_* call from now fails (1 = the next); 0 turns it off. */
void mem_fail_at(uint64_t nth);

#endif
