#include "worker/exec/exec.h"
#include "common/base/check.h"
#include "common/base/mem.h"
#include "worker/exec/exec_prompt.h"
#include "worker/exec/exec_say.h"
#include <string.h>

enum { URL_BYTES_MAX = 8 << 10, HEADERS_BYTES_MAX = 16 << 10, BODY_BYTES_MAX = 4 << 20, SHIFT_MAX = 10 };

struct exec {
	struct exec_key key;
	struct exec_run *run;
	enum exec_state state;
	struct rng rng;
	struct json_doc *item_doc; /* NULL until it is needed, and when it does not parse */
	struct str item;           /* own copy, behind the struct */
	struct error item_broken;
	uint32_t attempts_left, time_left_ms;
	uint64_t first_slot_ms;
	bool had_slot, cancelled;
	uint32_t attempt_count, keeps_pending;
	uint64_t ask_id;
	int64_t ask_wall_ms;
	struct arena arena; /* of the present ask, then of its scores */
	struct buf url, headers, body;
	struct record *answer; /* what is to be scored: own copy */
	struct score *scores;
	size_t score_count;
};

static struct exec *make(const struct exec_spec *spec)
{
	struct exec *e = mem_new(1, sizeof(*e) + spec->item.len + 1);
	char *item = (char *)(e + 1);
	if (spec->item.len > 0)
		memcpy(item, spec->item.data, spec->item.len);
	e->item = str_make(item, spec->item.len);
	e->key = spec->key;
	e->run = spec->run;
	e->attempts_left = MAX_OF(spec->attempts_left, 1U);
	e->time_left_ms = spec->time_left_ms;
	rng_seed(&e->rng, spec->seed);
	arena_init(&e->arena, EXEC_ARENA_BYTES);
	buf_init(&e->url, URL_BYTES_MAX);
	buf_init(&e->headers, HEADERS_BYTES_MAX);
	buf_init(&e->body, BODY_BYTES_MAX);
	if (e->run->content || json_parse(e->item, &e->item_doc, &e->item_broken) == ERR_OK)
		e->item_broken.code = ERR_OK;
	return e;
}

struct exec *exec_new(const struct exec_spec *spec)
{
	return make(spec);
}

void exec_free(struct exec *e)
{
	if (!e)
		return;
	json_free(e->item_doc);
	record_free(e->answer);
	arena_done(&e->arena);
	buf_done(&e->url);
	buf_done(&e->headers);
	buf_done(&e->body);
	mem_free(e);
}

enum exec_state exec_state(const struct exec *e)
{
	return e->state;
}

const struct exec_key *exec_key(const struct exec *e)
{
	return &e->key;
}

struct exec_run *exec_run_of(const struct exec *e)
{
	return e->run;
}

uint64_t exec_ask_id(const struct exec *e)
{
	return e->ask_id;
}

uint32_t exec_attempt_count(const struct exec *e)
{
	return e->attempt_count;
}

const char *exec_state_name(enum exec_state state)
{
	static const char *const names[] = { "ready", "asking", "answered", "scoring", "leaving", "over" };
	return (size_t)state < ARRAY_LEN(names) ? names[state] : "?";
}

static struct exec_action *act(struct exec_action *out, size_t *count, enum exec_action_kind kind)
{
	check(*count < EXEC_ACTIONS_MAX);
	struct exec_action *a = &out[(*count)++];
	*a = (struct exec_action){ .kind = kind };
	return a;
}

static void keep(struct exec *e, struct record *record, struct exec_action *out, size_t *count)
{
	e->keeps_pending++;
	act(out, count, EXEC_DO_KEEP)->record = record;
}

static struct exec_ask this_ask(const struct exec *e)
{
	return (struct exec_ask){ &e->key, e->run, e->ask_id, e->attempt_count, e->ask_wall_ms, buf_str(&e->body) };
}

/* ---- an ask that failed ---- */

static uint32_t backoff_ms(struct exec *e, const struct provider_answer *failure)
{
	if (failure->retry_after_ms >= 0) {
		uint64_t ms = (uint64_t)failure->retry_after_ms;
		return (uint32_t)MIN_OF(ms + rng_below(&e->rng, ms / 10 + EXEC_SOON_MS), (uint64_t)UINT32_MAX);
	}
	if (failure->retry == RETRY_SOON)
		return (uint32_t)rng_below(&e->rng, EXEC_SOON_MS) + 1;
	uint32_t doublings = MIN_OF(e->attempt_count - 1, (uint32_t)SHIFT_MAX);
	uint64_t bound_ms = MIN_OF((uint64_t)EXEC_BACKOFF_BASE_MS << doublings, (uint64_t)EXEC_BACKOFF_CAP_MS);
	return (uint32_t)rng_below(&e->rng, bound_ms) + 1;
}

static bool has_time(const struct exec *e, uint64_t now_ms, uint64_t wait_ms)
{
	return e->time_left_ms == 0 || now_ms - e->first_slot_ms + wait_ms < e->time_left_ms;
}

/* Its server died with the ask under way. Perhaps of it: whether it may be asked in company again is not decided here,
 * where it would take all its company's attempts with it. */
static bool saw_a_death(const struct exec_reply *reply, const struct provider_answer *failure)
{
	return failure->error_class == CLASS_HOST_FAILED && reply && reply->elapsed_ms > 0;
}

static void failed(struct exec *e, const struct exec_event *ev, const struct exec_reply *reply,
                   const struct provider_answer *failure, struct exec_action *out, size_t *count)
{
	uint32_t wait_ms = backoff_ms(e, failure);
	bool again = failure->retry != RETRY_NONE && !e->cancelled && e->attempt_count < e->attempts_left &&
	             has_time(e, ev->now_ms, wait_ms) && !saw_a_death(reply, failure);
	struct exec_ask ask = this_ask(e);
	struct exec_action *ended = act(out, count, EXEC_DO_ENDED);
	ended->ended.ask_id = e->ask_id;
	ended->ended.class = failure->error_class;
	ended->ended.waits = again;
	ended->ended.wait_ms = wait_ms;
	ended->ended.retry_after_ms = failure->retry_after_ms;
	ended->ended.paced = error_class_retry(failure->error_class) == RETRY_PACED;
	keep(e, exec_say_attempt(&ask, reply, failure, !again), out, count);
	e->state = again ? EXEC_READY : EXEC_LEAVING;
}

static struct provider_answer failure_of(enum error_class class, struct str text)
{
	return (struct provider_answer){
		.error_class = class,
		.error_text = text,
		.retry = error_class_retry(class),
		.retry_after_ms = -1,
		.usage = { -1, -1, -1, -1 },
	};
}

/* ---- asking ---- */

static enum err_code build(struct exec *e, struct str base_url, struct error *reterr)
{
	struct provider_prompt prompt = { 0 };
	if (e->run->content)
		return e->run->content->build(&e->key, &e->url, &e->headers, &e->body, reterr);
	if (e->run->broken.code)
		return error_set(reterr, e->run->broken.code, "%s", e->run->broken.text);
	if (e->item_broken.code)
		return error_set(reterr, e->item_broken.code, "item: %s", e->item_broken.text);
	enum err_code err =
		exec_prompt_build(e->run, json_root(e->item_doc), e->key.sample_no, &e->arena, &prompt, reterr);
	if (err)
		return err;
	return provider_request_build(&e->run->model, &prompt, base_url, &e->url, &e->headers, &e->body, reterr);
}

static void on_slot(struct exec *e, const struct exec_event *ev, struct exec_action *out, size_t *count)
{
	check(e->state == EXEC_READY);
	if (!e->had_slot)
		e->first_slot_ms = ev->now_ms;
	e->had_slot = true;
	e->attempt_count++;
	e->ask_wall_ms = ev->wall_ms;
	do
		e->ask_id = rng_next(&e->rng);
	while (e->ask_id == 0);
	arena_reset(&e->arena);
	buf_clear(&e->url);
	buf_clear(&e->headers);
	buf_clear(&e->body);
	struct error error = { 0 };
	struct provider_answer failure;
	if (!has_time(e, ev->now_ms, 0))
		failure =
			failure_of(CLASS_DEADLINE, STR("the sample's time was used up before it could be asked again"));
	else if (build(e, ev->slot.base_url, &error))
		failure = failure_of(CLASS_HARNESS, str_from(error.text));
	else {
		uint64_t left_ms =
			e->time_left_ms == 0 ? UINT64_MAX : e->time_left_ms - (ev->now_ms - e->first_slot_ms);
		struct exec_action *ask = act(out, count, EXEC_DO_ASK);
		ask->ask.ask_id = e->ask_id;
		ask->ask.url = buf_str(&e->url);
		ask->ask.headers = buf_str(&e->headers);
		ask->ask.body = buf_str(&e->body);
		ask->ask.timeout_ms = (uint32_t)MIN_OF(left_ms, (uint64_t)e->run->ask_timeout_ms);
		e->state = EXEC_ASKING;
		return;
	}
	failed(e, ev, NULL, &failure, out, count);
}

static void on_denied(struct exec *e, const struct exec_event *ev, struct exec_action *out, size_t *count)
{
	check(e->state == EXEC_ASKING);
	struct provider_answer failure = failure_of(ev->denied.class, ev->denied.text);
	failed(e, ev, NULL, &failure, out, count);
}

static void on_reply(struct exec *e, const struct exec_event *ev, struct exec_action *out, size_t *count)
{
	check(e->state == EXEC_ASKING);
	struct provider_answer answer = { 0 };
	if (ev->reply.reply.transport == CLASS_ABANDONED)
		answer = failure_of(CLASS_ABANDONED, ev->reply.reply.transport_text);
	else if (e->run->content)
		e->run->content->read(&e->key, &ev->reply.reply, &answer);
	else
		provider_response_read(&e->run->model, &ev->reply.reply, &e->arena, &answer);
	if (!answer.answered) {
		failed(e, ev, &ev->reply, &answer, out, count);
		return;
	}
	struct exec_ask ask = this_ask(e);
	struct record *record = NULL;
	if (!exec_say_answer(&ask, &ev->reply, &answer, e->item, &record)) {
		struct provider_answer failure =
			failure_of(CLASS_TOO_LARGE, STR("the answer does not fit a record of 1000 KiB"));
		failure.usage = answer.usage;
		failed(e, ev, &ev->reply, &failure, out, count);
		return;
	}
	e->answer = record_new(&record->m, NULL, STR(""));
	keep(e, record, out, count);
	e->state = EXEC_ANSWERED;
}

/* ---- scoring ---- */

void exec_score(struct exec *e)
{
	if (e->run->content) {
		e->score_count = 1;
		e->scores = arena_new(&e->arena, 1, sizeof(*e->scores));
		e->run->content->score(&e->key, e->answer->m.answer, e->scores);
		return;
	}
	const struct json *item = json_root(e->item_doc);
	struct score_item what = { json_get(item, "target"), json_get(item, "choices"), json_get(item, "metadata") };
	e->score_count = score_count(e->run->scores);
	e->scores = arena_new(&e->arena, MAX_OF(e->score_count, (size_t)1), sizeof(*e->scores));
	for (size_t i = 0; i < e->score_count; i++)
		score_apply(e->run->scores, i, e->answer->m.answer, &what, &e->arena, &e->scores[i]);
}

static void begin_scoring(struct exec *e, struct exec_action *out, size_t *count)
{
	const struct error *broken = e->run->broken.code ? &e->run->broken : &e->item_broken;
	if (broken->code && !e->run->content) {
		keep(e, exec_say_result(&e->answer->m, NULL, 0, str_from(broken->text)), out, count);
		e->state = EXEC_LEAVING;
		return;
	}
	(void)act(out, count, EXEC_DO_SCORE); /* it has no arguments */
	e->state = EXEC_SCORING;
}

struct exec *exec_adopt(const struct exec_spec *spec, struct record *answer, struct exec_action *out, size_t *ret_count)
{
	struct exec *e = make(spec);
	*ret_count = 0;
	e->answer = answer;
	e->ask_id = answer->m.ask_id;
	e->attempt_count = answer->m.attempt_count;
	begin_scoring(e, out, ret_count);
	return e;
}

static void finish_when_kept(struct exec *e, struct exec_action *out, size_t *count)
{
	if (e->keeps_pending > 0)
		return;
	(void)act(out, count, EXEC_DO_FINISH); /* it has no arguments */
	e->state = EXEC_OVER;
}

static void on_kept(struct exec *e, struct exec_action *out, size_t *count)
{
	check(e->keeps_pending > 0);
	e->keeps_pending--;
	if (e->state == EXEC_ANSWERED && e->keeps_pending == 0) {
		struct exec_action *ended = act(out, count, EXEC_DO_ENDED);
		ended->ended.ask_id = e->ask_id;
		ended->ended.class = CLASS_NONE;
		ended->ended.retry_after_ms = -1;
		begin_scoring(e, out, count);
	} else if (e->state == EXEC_LEAVING)
		finish_when_kept(e, out, count);
}

static void on_cancel(struct exec *e, struct exec_action *out, size_t *count)
{
	if (e->state == EXEC_READY) {
		e->state = EXEC_LEAVING;
		finish_when_kept(e, out, count);
	} else if (e->state == EXEC_ASKING && !e->cancelled) {
		(void)act(out, count, EXEC_DO_CANCEL); /* it has no arguments */
	}
	e->cancelled = true;
}

size_t exec_step(struct exec *e, const struct exec_event *ev, struct exec_action *out)
{
	size_t count = 0;
	switch (ev->kind) {
	case EXEC_EV_SLOT:
		on_slot(e, ev, out, &count);
		break;
	case EXEC_EV_REPLY:
		on_reply(e, ev, out, &count);
		break;
	case EXEC_EV_DENIED:
		on_denied(e, ev, out, &count);
		break;
	case EXEC_EV_KEPT:
		on_kept(e, out, &count);
		break;
	case EXEC_EV_SCORED:
		check(e->state == EXEC_SCORING);
		keep(e, exec_say_result(&e->answer->m, e->scores, e->score_count, STR("")), out, &count);
		e->state = EXEC_LEAVING;
		break;
	case EXEC_EV_CANCEL:
		on_cancel(e, out, &count);
		break;
	}
	return count;
}
