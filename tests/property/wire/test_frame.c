/* Goal: what is sent arrives, whatever it is; the bytes are those that protobuf-c itself would write; and no cut,
 * mangled or starved frame does worse than to give an error. */
#include "common/base/mem.h"
#include "common/wire/frame.h"
#include "common/wire/prescan.h"
#include "proto/assay.pb-c.h"
#include "tests/property/wire/random_msg.h"
#include "tests/support/cmocka_all.h"

enum { SEEDS = 120 };

struct fixture {
	struct arena made, read, read_again;
	struct buf frame, again;
	struct error error;
	uint64_t seed;
	struct rng rng;
};

static void begin(struct fixture *f, uint64_t seed)
{
	f->seed = seed;
	rng_seed(&f->rng, seed);
	arena_reset(&f->made);
	buf_clear(&f->frame);
}

#define require(f, kind, condition, ...)                                                                               \
	do {                                                                                                           \
		if (!(condition)) {                                                                                    \
			print_error("seed %llu, %s: ", (unsigned long long)(f)->seed,                                  \
			            msg_kind_name((enum msg_kind)(kind)));                                             \
			print_error(__VA_ARGS__);                                                                      \
			print_error("\n");                                                                             \
			fail();                                                                                        \
		}                                                                                                      \
	} while (0)

static enum err_code decode(struct fixture *f, struct str bytes, struct arena *arena, struct msg *ret_msg)
{
	arena_reset(arena);
	return frame_decode(bytes, arena, ret_msg, &f->error);
}

static void require_packs_the_same(struct fixture *f, enum msg_kind kind)
{
	Assay__Wire__Frame *p = assay__wire__frame__unpack(NULL, f->frame.len, (const uint8_t *)f->frame.data);
	require(f, kind, p != NULL, "protobuf-c cannot read what we wrote");
	require(f, kind, p->base.n_unknown_fields == 0, "a field that the schema does not have");
	size_t len = assay__wire__frame__get_packed_size(p);
	buf_clear(&f->again);
	assert_true(buf_reserve(&f->again, len));
	f->again.len = assay__wire__frame__pack(p, (uint8_t *)f->again.data);
	assay__wire__frame__free_unpacked(p, NULL);
	require(f, kind, str_eq(buf_str(&f->frame), buf_str(&f->again)), "%zu bytes, protobuf-c writes %zu others",
	        f->frame.len, f->again.len);
}

static void round_trip(struct fixture *f, enum msg_kind kind, struct random_size size)
{
	struct msg sent = random_msg(&f->rng, &f->made, kind, size), got;
	enum err_code err = frame_encode(&sent, &f->frame, &f->error);
	if (err == ERR_LIMIT) { /* over a frame: allowed, and leaves nothing behind */
		require(f, kind, f->frame.len == 0, "a refused frame left %zu bytes", f->frame.len);
		return;
	}
	require(f, kind, err == ERR_OK, "%s", f->error.text);
	err = decode(f, buf_str(&f->frame), &f->read, &got);
	require(f, kind, err == ERR_OK, "%s", f->error.text);
	const char *difference = msg_difference(&sent, &got);
	require(f, kind, difference == NULL, "%s differs", difference);
	require_packs_the_same(f, kind);
}

static void what_is_sent_arrives_in_the_bytes_of_protobuf_c(void **state)
{
	struct fixture *f = *state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++)
		for (int kind = MSG_HELLO; kind < MSG_KIND_COUNT; kind++) {
			begin(f, seed * 100 + (uint64_t)kind);
			struct random_size size = { seed % 8 == 0 ? 20000 : 30, seed % 8 == 0 ? 3000 : 200 };
			round_trip(f, (enum msg_kind)kind, size);
		}
}

static void a_record_alone_arrives_and_its_size_is_what_it_adds(void **state)
{
	struct fixture *f = *state;
	for (uint64_t seed = 1; seed <= 1000; seed++) {
		begin(f, seed);
		struct msg_record records[3], got;
		size_t sum = 0;
		for (size_t i = 0; i < ARRAY_LEN(records); i++) {
			records[i] = random_record(&f->rng, &f->made, (struct random_size){ 64, 2000 });
			sum += frame_record_bytes(&records[i]);
		}
		assert_ok(frame_record_encode(records, &f->frame, &f->error), &f->error);
		arena_reset(&f->read);
		assert_ok(frame_record_decode(buf_str(&f->frame), &f->read, &got, &f->error), &f->error);
		const char *difference = record_difference(records, &got);
		require(f, MSG_RESULTS, difference == NULL, "%s differs", difference);
		buf_clear(&f->frame);
		struct msg m = { .kind = MSG_RESULTS, .number = UINT64_MAX, .session = UINT64_MAX };
		m.results = (struct msg_results){ records, ARRAY_LEN(records) };
		assert_ok(frame_encode(&m, &f->frame, &f->error), &f->error);
		require(f, MSG_RESULTS, f->frame.len > sum && f->frame.len - sum <= FRAME_OVERHEAD_BYTES,
		        "records of %zu bytes in a frame of %zu", sum, f->frame.len);
	}
}

static void a_frame_cut_anywhere_is_refused(void **state)
{
	struct fixture *f = *state;
	for (uint64_t seed = 1; seed <= 5; seed++)
		for (int kind = MSG_HELLO; kind < MSG_KIND_COUNT; kind++) {
			begin(f, seed * 100 + (uint64_t)kind);
			struct msg sent = random_msg(&f->rng, &f->made, (enum msg_kind)kind,
			                             (struct random_size){ 8, 40 }),
				   got;
			assert_ok(frame_encode(&sent, &f->frame, &f->error), &f->error);
			for (size_t len = 0; len < f->frame.len; len++) {
				/* a copy of that very size, so that a read past its end is seen */
				char *cut = mem_new(len + 1, 1);
				char *exact = mem_grow(cut, len ? len : 1, 1);
				memcpy(exact, f->frame.data, len);
				enum err_code err = decode(f, str_make(exact, len), &f->read, &got);
				mem_free(exact);
				require(f, kind, err == ERR_CORRUPT, "%zu of %zu bytes gave %s", len, f->frame.len,
				        error_code_name(err));
			}
		}
}

static void mangle(struct fixture *f)
{
	for (uint64_t n = 1 + rng_below(&f->rng, 3); n > 0 && f->frame.len > 0; n--) {
		size_t at = rng_below(&f->rng, f->frame.len);
		switch (rng_below(&f->rng, 4)) {
		case 0:
			f->frame.data[at] = (char)rng_next(&f->rng);
			break;
		case 1:
			f->frame.data[at] = (char)(f->frame.data[at] ^ (1 << rng_below(&f->rng, 8)));
			break;
		case 2:
			memmove(f->frame.data + at, f->frame.data + at + 1, f->frame.len - at - 1);
			f->frame.len--;
			break;
		default:
			f->frame.data[at] = (char)0xFF;
			break;
		}
	}
}

/* Whatever still decodes can be sent on and means the same. */
static void a_mangled_frame_is_refused_or_is_another_good_one(void **state)
{
	struct fixture *f = *state;
	size_t taken = 0, refused = 0;
	for (uint64_t seed = 1; seed <= 6000; seed++) {
		begin(f, seed);
		enum msg_kind kind = (enum msg_kind)(1 + seed % (MSG_KIND_COUNT - 1));
		struct msg sent = random_msg(&f->rng, &f->made, kind, (struct random_size){ 6, 30 }), got, again;
		assert_ok(frame_encode(&sent, &f->frame, &f->error), &f->error);
		mangle(f);
		enum err_code err = decode(f, buf_str(&f->frame), &f->read, &got);
		require(f, kind, err == ERR_OK || err == ERR_CORRUPT || err == ERR_LIMIT || err == ERR_UNSUPPORTED,
		        "%s: %s", error_code_name(err), f->error.text);
		taken += err == ERR_OK;
		refused += err != ERR_OK;
		if (err)
			continue;
		buf_clear(&f->again);
		err = frame_encode(&got, &f->again, &f->error);
		require(f, kind, err == ERR_OK, "%s", f->error.text);
		err = decode(f, buf_str(&f->again), &f->read_again, &again);
		require(f, kind, err == ERR_OK, "%s", f->error.text);
		const char *difference = msg_difference(&got, &again);
		require(f, kind, difference == NULL, "%s differs", difference);
	}
	assert_true(taken > 100 && refused > 100); /* both ways were walked */
}

static void garbage_is_refused(void **state)
{
	struct fixture *f = *state;
	for (uint64_t seed = 1; seed <= 20000; seed++) {
		begin(f, seed);
		struct msg got;
		size_t len = rng_below(&f->rng, 200);
		for (size_t i = 0; i < len; i++)
			assert_true(buf_append_char(&f->frame, (char)rng_next(&f->rng)));
		enum err_code err = decode(f, buf_str(&f->frame), &f->read, &got);
		require(f, got.kind, err != ERR_OK, "%zu random bytes are taken for a frame", len);
	}
}

static void an_arena_of_any_size_holds_a_frame_or_refuses_it(void **state)
{
	struct fixture *f = *state;
	for (int kind = MSG_HELLO; kind < MSG_KIND_COUNT; kind++) {
		begin(f, 7000 + (uint64_t)kind);
		struct msg sent = random_msg(&f->rng, &f->made, (enum msg_kind)kind, (struct random_size){ 12, 30 }),
			   got;
		assert_ok(frame_encode(&sent, &f->frame, &f->error), &f->error);
		size_t need = 0;
		for (size_t budget = 0; need == 0; budget += 16) {
			struct arena small;
			arena_init(&small, budget);
			enum err_code err = frame_decode(buf_str(&f->frame), &small, &got, &f->error);
			require(f, kind, err == ERR_OK || err == ERR_LIMIT, "%zu bytes of memory: %s", budget,
			        f->error.text);
			need = err == ERR_OK ? budget : 0;
			const char *difference = err == ERR_OK ? msg_difference(&sent, &got) : NULL;
			require(f, kind, difference == NULL, "%s differs", difference);
			arena_done(&small);
			require(f, kind, budget < FRAME_ARENA_BYTES, "no memory is enough");
		}
	}
}

static void a_failing_heap_is_an_error_and_no_crash(void **state)
{
	struct fixture *f = *state;
	begin(f, 99);
	struct msg sent = random_msg(&f->rng, &f->made, MSG_RESULTS, (struct random_size){ 256, 300 }), got;
	assert_ok(frame_encode(&sent, &f->frame, &f->error), &f->error);
	bool failed = true;
	for (uint64_t nth = 1; failed; nth++) {
		struct arena fresh;
		arena_init(&fresh, FRAME_ARENA_BYTES);
		mem_fail_at(nth);
		enum err_code err = frame_decode(buf_str(&f->frame), &fresh, &got, &f->error);
		mem_fail_at(0);
		arena_done(&fresh);
		failed = err != ERR_OK;
		require(f, MSG_RESULTS, !failed || err == ERR_LIMIT, "allocation %llu: %s", (unsigned long long)nth,
		        f->error.text);
		require(f, MSG_RESULTS, nth > 1 || failed, "nothing was allocated");
	}
	struct buf out;
	buf_init(&out, WIRE_FRAME_BYTES_MAX);
	mem_fail_at(1);
	assert_int_equal(frame_encode(&sent, &out, &f->error), ERR_NOMEM);
	mem_fail_at(0);
	buf_done(&out);
}

int main(void)
{
	struct fixture f = { 0 };
	arena_init(&f.made, 64 << 20);
	arena_init(&f.read, FRAME_ARENA_BYTES);
	arena_init(&f.read_again, FRAME_ARENA_BYTES);
	buf_init(&f.frame, WIRE_FRAME_BYTES_MAX);
	buf_init(&f.again, WIRE_FRAME_BYTES_MAX);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_prestate(what_is_sent_arrives_in_the_bytes_of_protobuf_c, &f),
		cmocka_unit_test_prestate(a_record_alone_arrives_and_its_size_is_what_it_adds, &f),
		cmocka_unit_test_prestate(a_frame_cut_anywhere_is_refused, &f),
		cmocka_unit_test_prestate(a_mangled_frame_is_refused_or_is_another_good_one, &f),
		cmocka_unit_test_prestate(garbage_is_refused, &f),
		cmocka_unit_test_prestate(an_arena_of_any_size_holds_a_frame_or_refuses_it, &f),
		cmocka_unit_test_prestate(a_failing_heap_is_an_error_and_no_crash, &f),
	};
	int failed = cmocka_run_group_tests_name("frames", tests, NULL, NULL);
	arena_done(&f.made);
	arena_done(&f.read);
	arena_done(&f.read_again);
	buf_done(&f.frame);
	buf_done(&f.again);
	return failed;
}
