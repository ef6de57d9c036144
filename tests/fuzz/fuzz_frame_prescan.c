// libs: wire
/* Whatever the pre-scan lets through, protobuf-c must be able to take: in bounded memory, without a crash. */
#include "common/base/arena.h"
#include "common/wire/prescan.h"
#include "proto/assay.pb-c.h"
#include "tests/fuzz/fuzz.h"

static void *allocate(void *arena, size_t size)
{
	return arena_try_alloc(arena, 1, size);
}

static void release(void *arena, void *p)
{
	(void)arena;
	(void)p;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct error error;
	if (prescan_check(str_make(data, len), &schema_frame, &error) != ERR_OK)
		return 0;
	struct arena arena;
	arena_init(&arena, 64 << 20);
	ProtobufCAllocator allocator = { allocate, release, &arena };
	Assay__Wire__Frame *frame = assay__wire__frame__unpack(&allocator, len, data);
	check_msg(frame != NULL, "protobuf-c refuses %zu bytes that the pre-scan allows", len);
	arena_done(&arena);
	return 0;
}
