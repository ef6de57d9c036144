// libs: base io store
/* Arrays as PostgreSQL sends them: whatever the bytes, elements lie inside them and the walk ends. */
#include "coordinator/store/pg_list.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct str bytes = str_make(data, len);
	struct pg_list l = pg_list_of(bytes);
	size_t n = 0;
	check(l.count <= len);
	while (pg_list_next(&l)) {
		check(!l.is_null || l.value.len == 0);
		check(l.value.len == 0 ||
		      (l.value.data >= bytes.data && l.value.data + l.value.len <= bytes.data + bytes.len));
		(void)pg_list_i64(&l); /* any length is allowed */
		(void)pg_list_f64(&l);
		n++;
	}
	check(n <= l.count);
	return 0;
}
