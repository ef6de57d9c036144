// libs: wire
/* A frame that decodes can be encoded again, and then decodes to the bytes of that encoding: nothing is lost twice. */
#include "common/wire/frame.h"
#include "tests/fuzz/fuzz.h"

static void encode(const struct msg *m, struct buf *out)
{
	struct error error = { .text = "" };
	enum err_code err = frame_encode(m, out, &error);
	check_msg(err == ERR_OK, "what was decoded cannot be encoded: %s", error.text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct arena arena;
	struct error error = { .text = "" };
	struct msg first, second;
	arena_init(&arena, FRAME_ARENA_BYTES);
	struct buf once, twice;
	buf_init(&once, WIRE_FRAME_BYTES_MAX);
	buf_init(&twice, WIRE_FRAME_BYTES_MAX);
	if (frame_decode(str_make(data, len), &arena, &first, &error) == ERR_OK) {
		encode(&first, &once);
		arena_reset(&arena); /* `first` ends here */
		enum err_code err = frame_decode(buf_str(&once), &arena, &second, &error);
		check_msg(err == ERR_OK, "what was encoded cannot be decoded: %s", error.text);
		encode(&second, &twice);
		check(str_eq(buf_str(&once), buf_str(&twice)));
	}
	buf_done(&once);
	buf_done(&twice);
	arena_done(&arena);
	return 0;
}
