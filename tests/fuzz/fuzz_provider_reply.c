// libs: provider wire
/* Any reply is an answer or a typed error, in bounds and in valid UTF-8. Input: a byte that chooses API and status,
 * header lines up to an empty line, the body. */
#include "common/base/json.h"
#include "common/base/unicode.h"
#include "tests/fuzz/fuzz.h"
#include "worker/provider/provider.h"

static void check_answer(const struct provider_answer *a)
{
	check(a->answered == (a->error_class == CLASS_NONE) && (size_t)a->error_class < CLASS_COUNT);
	check(unicode_valid(a->text) && unicode_valid(a->reasoning) && unicode_valid(a->error_text));
	check(unicode_valid(a->returned_model) && unicode_valid(a->fingerprint) && unicode_valid(a->request_id));
	check(a->returned_model.len <= 200 && a->fingerprint.len <= 200 && a->request_id.len <= 200);
	check(a->error_text.len <= PROVIDER_ERROR_TEXT_BYTES_MAX && a->answered == (a->error_text.len == 0));
	check(!a->answered || !(a->flags & FLAG_EMPTY) == (str_trim(a->text).len > 0));
	check(a->retry_after_ms >= -1 && a->retry_after_ms <= PROVIDER_RETRY_AFTER_MS_MAX);
	check(a->usage.input >= -1 && a->usage.cached >= -1 && a->usage.output >= -1 && a->usage.reasoning >= -1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const int statuses[] = { 200, 0, 204, 301, 400, 401, 402, 403, 404, 413, 429, 500, 502, 503, 529, 600 };
	if (len == 0)
		return 0;
	json_start();
	struct str rest = str_make(data + 1, len - 1);
	ptrdiff_t blank = str_find(rest, STR("\n\n"));
	struct provider_model m = { .name = STR_INIT("m"), .model = STR_INIT("m") };
	m.provider = str_from(provider_name(data[0] & 1));
	struct provider_reply reply = {
		.status = statuses[data[0] >> 1 & 15],
		.transport = data[0] & 32 ? (enum error_class)(data[0] >> 6 & 3) : CLASS_NONE,
		.headers = blank < 0 ? STR("") : str_slice(rest, 0, (size_t)blank),
		.body = blank < 0 ? rest : str_slice(rest, (size_t)blank + 2, rest.len),
	};
	struct arena arena;
	struct provider_answer answer;
	arena_init(&arena, data[0] & 128 ? 600 : 1 << 22);
	provider_response_read(&m, &reply, &arena, &answer);
	check_answer(&answer);
	check(answer.answered == false || (reply.transport == CLASS_NONE && reply.status > 0) ||
	      (answer.flags & FLAG_FILTERED));
	arena_done(&arena);
	return 0;
}
