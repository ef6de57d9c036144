// libs: base wire stats
/* Whatever a vector file holds, checking it ends, counts every case once, and stays within its report. */
#include "common/base/json.h"
#include "coordinator/stats/vectors.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct buf report;
	struct vectors_count count;
	json_start();
	buf_init(&report, 1 << 16);
	if (vectors_check(str_make(data, len), "fuzz", &report, &count, NULL) == ERR_OK)
		check(count.cases > 0 && count.cases == count.passed + count.failed);
	buf_done(&report);
	return 0;
}
