#include "coordinator/schedule/returned.h"
#include "common/base/check.h"
#include "common/base/mem.h"

void returned_done(struct returned *r)
{
	mem_free(r->numbers);
	*r = (struct returned){ 0 };
}

void returned_put(struct returned *r, uint64_t sample_no)
{
	mem_reserve(&r->numbers, &r->cap, r->len + 1, sizeof(*r->numbers));
	size_t i = r->len++;
	while (i > 0 && r->numbers[(i - 1) / 2] > sample_no) {
		r->numbers[i] = r->numbers[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	r->numbers[i] = sample_no;
}

bool returned_min(const struct returned *r, uint64_t *ret_sample_no)
{
	if (r->len == 0)
		return false;
	*ret_sample_no = r->numbers[0];
	return true;
}

void returned_pop(struct returned *r)
{
	check(r->len > 0);
	uint64_t last = r->numbers[--r->len];
	size_t i = 0;
	for (;;) {
		size_t child = i * 2 + 1;
		if (child >= r->len)
			break;
		if (child + 1 < r->len && r->numbers[child + 1] < r->numbers[child])
			child++;
		if (r->numbers[child] >= last)
			break;
		r->numbers[i] = r->numbers[child];
		i = child;
	}
	if (r->len)
		r->numbers[i] = last;
}
