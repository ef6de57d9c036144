/* Goal: whatever comes back and in whatever order records are kept, each ask ends in one record, a sample ends once,
 * an answer is on disk before it is scored, and FINISH is the last word. */
#include "common/base/map.h"
#include "common/base/mem.h"
#include "common/wire/frame.h"
#include "tests/support/cmocka_all.h"
#include "tests/support/gen.h"
#include "worker/exec/exec.h"

static const char context_json[] = "{\"model\":{\"name\":\"m\",\"provider\":\"openai\",\"base_url\":\"http://h/"
				   "v1\"},\"generate\":{\"prompt\":\"{{input}}\"},"
				   "\"scores\":[{\"name\":\"c\",\"type\":\"exact\"}],\"suite_items\":10}";

struct model {
	struct map asks; /* ask_id -> how many records speak of it as its end */
	struct record *held[64];
	size_t held_count, ends, answers_kept, answers;
	bool asking, waits, scoring, finished, cancelled_waiting;
	uint64_t now_ms, first_ms, wait_until_ms;
	uint32_t time_left_ms, asks_made, attempts_left;
};

static void on_keep(struct model *m, struct record *r)
{
	struct buf bytes;
	struct error error;
	struct msg frame = { .kind = MSG_RESULTS, .results = { &r->m, 1 } };
	buf_init(&bytes, WIRE_FRAME_BYTES_MAX);
	assert_ok(frame_encode(&frame, &bytes, &error), &error); /* every record can be sent */
	buf_done(&bytes);
	assert_false(m->finished);
	m->held[m->held_count++] = r;
	m->answers += r->is_answer;
	if (r->is_answer)
		m->asking = false; /* it came back; its slot is not free yet */
	m->ends += r->ends_sample;
	if (r->m.kind != RECORD_RESULT)
		(*(unsigned *)map_put_u64(&m->asks, r->m.ask_id, NULL))++;
}

static void on_action(struct model *m, const struct exec_action *a)
{
	assert_false(m->finished);
	switch (a->kind) {
	case EXEC_DO_ASK:
		assert_false(m->asking);
		assert_null(map_get_u64(&m->asks, a->ask.ask_id));
		*(unsigned *)map_put_u64(&m->asks, a->ask.ask_id, NULL) = 0;
		m->asking = true;
		m->asks_made++;
		assert_true(m->asks_made <= m->attempts_left);
		assert_true(m->time_left_ms == 0 || a->ask.timeout_ms <= m->time_left_ms - (m->now_ms - m->first_ms));
		return;
	case EXEC_DO_CANCEL:
		assert_true(m->asking);
		return;
	case EXEC_DO_ENDED:
		if (a->ended.class == CLASS_NONE)
			assert_int_equal(m->answers_kept, 1); /* a slot is free when what it bought is on disk */
		m->asking = false;
		m->waits = a->ended.waits;
		m->wait_until_ms = m->now_ms + a->ended.wait_ms;
		return;
	case EXEC_DO_KEEP:
		on_keep(m, a->record);
		return;
	case EXEC_DO_SCORE:
		assert_int_equal(m->answers_kept, 1); /* on disk first */
		m->scoring = true;
		return;
	case EXEC_DO_FINISH:
		assert_int_equal(m->held_count, 0);
		m->finished = true;
		return;
	}
}

static void step(struct model *m, struct exec *e, struct exec_event ev)
{
	struct exec_action out[EXEC_ACTIONS_MAX];
	ev.now_ms = m->now_ms;
	size_t count = exec_step(e, &ev, out);
	for (size_t i = 0; i < count; i++)
		on_action(m, &out[i]);
}

static void random_reply(struct rng *rng, struct model *m, struct exec *e, struct buf *body)
{
	static const int statuses[] = { 200, 200, 200, 400, 401, 404, 408, 429, 500, 502, 503, 529, 302, 0 };
	struct exec_event ev = { .kind = EXEC_EV_REPLY };
	buf_clear(body);
	if (gen_chance(rng, 40))
		(void)buf_append_c(body,
		                   "{\"choices\":[{\"message\":{\"content\":\"yes\"},\"finish_reason\":\"stop\"}]}");
	else
		gen_broken_text(rng, body, 300);
	if (gen_chance(rng, 20))
		gen_mangle(rng, body);
	ev.reply.reply = (struct provider_reply){ .status = statuses[rng_below(rng, ARRAY_LEN(statuses))],
		                                  .body = buf_str(body) };
	if (gen_chance(rng, 30))
		ev.reply.reply.headers = STR("Retry-After: 3\r\n");
	if (gen_chance(rng, 20))
		ev.reply.reply.transport = 1 + (enum error_class)rng_below(rng, CLASS_STALL);
	step(m, e, ev);
}

static void random_event(struct rng *rng, struct model *m, struct exec *e, struct buf *body)
{
	struct exec_event ev = { 0 };
	switch (rng_below(rng, 5)) {
	case 0:
		if (exec_state(e) != EXEC_READY || !(m->asks_made == 0 || m->now_ms >= m->wait_until_ms))
			return;
		if (m->asks_made == 0)
			m->first_ms = m->now_ms;
		ev.kind = EXEC_EV_SLOT;
		break;
	case 1:
		if (!m->asking)
			return;
		if (gen_chance(rng, 90)) {
			random_reply(rng, m, e, body);
			return;
		}
		ev.kind = EXEC_EV_DENIED;
		ev.denied.class = gen_chance(rng, 50) ? CLASS_NOT_ALLOWED : CLASS_HOST_FAILED;
		ev.denied.text = STR("no");
		break;
	case 2:
		if (m->held_count == 0)
			return;
		m->answers_kept += m->held[0]->is_answer;
		record_free(m->held[0]);
		m->held_count--;
		memmove(m->held, m->held + 1, m->held_count * sizeof(m->held[0]));
		ev.kind = EXEC_EV_KEPT;
		break;
	case 3:
		if (!m->scoring)
			return;
		m->scoring = false;
		exec_score(e);
		ev.kind = EXEC_EV_SCORED;
		break;
	default:
		if (!gen_chance(rng, 3))
			return;
		m->cancelled_waiting |= exec_state(e) == EXEC_READY;
		ev.kind = EXEC_EV_CANCEL;
		break;
	}
	step(m, e, ev);
}

static void a_sample_ends_once_and_each_ask_in_one_record(void **state)
{
	(void)state;
	struct rng rng;
	json_start();
	for (struct gen_seeds seeds = gen_seeds(1500); gen_next(&seeds, &rng);) {
		struct exec_runs runs;
		struct model m = { .now_ms = rng_below(&rng, 1000000) };
		struct buf body;
		exec_runs_init(&runs);
		buf_init(&body, 1 << 20);
		map_init(&m.asks, sizeof(unsigned));
		struct exec_context *c = exec_context_new((struct hash){ { 1 } }, str_from(context_json));
		struct exec_spec spec = {
			.key = { 1, rng_below(&rng, 100), 0, 0 },
			.run = exec_runs_get(&runs, c),
			.item = gen_chance(&rng, 95) ? STR("{\"id\":\"a\",\"input\":\"x\",\"target\":\"yes\"}")
			                             : STR("{}"),
			.attempts_left = 1 + (uint32_t)rng_below(&rng, 5),
			.time_left_ms = gen_chance(&rng, 50) ? 1 + (uint32_t)rng_below(&rng, 20000) : 0,
			.seed = rng_next(&rng),
		};
		m.attempts_left = spec.attempts_left;
		m.time_left_ms = spec.time_left_ms;
		struct exec *e = exec_new(&spec);
		for (int i = 0; i < 20000 && !m.finished; i++) {
			m.now_ms += gen_chance(&rng, 50) ? rng_below(&rng, 300) : 0;
			random_event(&rng, &m, e, &body);
		}
		assert_true(m.finished);
		assert_int_equal(m.ends, m.cancelled_waiting && m.ends == 0 ? 0 : 1);
		unsigned *ends;
		for (size_t at = 0; (ends = map_next_u64(&m.asks, &at, NULL)) != NULL;)
			assert_int_equal(*ends, 1);
		assert_true(m.answers <= 1);
		exec_runs_put(&runs, exec_run_of(e));
		exec_free(e);
		exec_context_unref(c);
		exec_runs_done(&runs);
		map_done(&m.asks);
		buf_done(&body);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		gen_property(a_sample_ends_once_and_each_ask_in_one_record),
	};
	return cmocka_run_group_tests_name("exec properties", tests, NULL, NULL);
}
