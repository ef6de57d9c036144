#include "tests/unit/outbox/outbox_fixture.h"
#include "common/base/mem.h"
#include "common/io/keys.h"

static struct exec_context *context(void)
{
	static const char json[] = "{\"model\":{},\"scores\":[]}";
	return exec_context_new((struct hash){ { 7 } }, str_from(json));
}

struct record *a_result(uint64_t ask_id, const char *response)
{
	struct msg_record m = { .kind = RECORD_RESULT,
		                .run_id = 3,
		                .sample_no = ask_id * 10,
		                .ask_id = ask_id,
		                .outcome = OUTCOME_SCORED,
		                .retry_after_ms = -1,
		                .cost_nanousd = -1,
		                .response = str_from(response) };
	return record_new(&m, NULL, STR(""));
}

struct record *an_attempt(uint64_t ask_id)
{
	struct msg_record m = { .kind = RECORD_ATTEMPT,
		                .run_id = 3,
		                .sample_no = ask_id * 10,
		                .ask_id = ask_id,
		                .error_class = CLASS_SERVER,
		                .retry_after_ms = -1,
		                .cost_nanousd = -1,
		                .evidence = STR("it broke") };
	return record_new(&m, NULL, STR(""));
}

struct record *an_answer(uint64_t ask_id, const char *response)
{
	struct msg_record m = { .kind = RECORD_RAW,
		                .run_id = 3,
		                .sample_no = ask_id * 10,
		                .ask_id = ask_id,
		                .retry_after_ms = -1,
		                .cost_nanousd = -1,
		                .response = str_from(response) };
	struct exec_context *c = context();
	struct record *r = record_new(&m, c, STR("{\"id\":\"item\"}"));
	exec_context_unref(c);
	return r;
}

int folder_setup(void **state)
{
	struct error error;
	struct fs_path *path = mem_new(1, sizeof(*path));
	assert_ok(keys_init(&error), &error);
	*path = fs_path("/tmp/assay-outbox-%016llx", (unsigned long long)keys_random_u64());
	*state = path->text;
	return 0;
}

int folder_teardown(void **state)
{
	struct error error;
	assert_ok(fs_remove_tree(*state, &error), &error);
	mem_free(*state);
	return 0;
}

struct outbox *open_outbox(const char *dir)
{
	struct outbox *o = NULL;
	struct error error;
	assert_ok(outbox_open(dir, 1000, &o, &error), &error);
	return o;
}

void append(struct outbox *o, struct record *const *records, size_t count)
{
	struct error error;
	assert_ok(outbox_append(o, records, count, &error), &error);
	assert_ok(outbox_sync(o, &error), &error);
	assert_false(outbox_needs_sync(o));
}

void free_records(struct record *const *records, size_t count)
{
	for (size_t i = 0; i < count; i++)
		record_free(records[i]);
}
