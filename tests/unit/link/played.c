#include "tests/unit/link/played.h"
#include "common/base/mem.h"
#include "common/io/clock.h"

/* libzmq and libsodium are not built with the thread sanitizer, so it cannot see how they hand memory from thread to
 * thread: what they touch is left out, what our own threads share is not. */
const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
	return "ignore_noninstrumented_modules=1";
}

void played_open(struct played *p, struct zsock_context *context, const struct keys_pair *pair)
{
	struct error error;
	struct zsock_options options = { .pair = pair };
	arena_init(&p->arena, FRAME_ARENA_BYTES + WIRE_FRAME_BYTES_MAX);
	assert_ok(zsock_router_new(context, &options, &p->router, &error), &error);
	assert_ok(zsock_bind(p->router, "tcp://127.0.0.1:0", &error), &error);
	buf_init(&p->endpoint, 200);
	assert_ok(zsock_endpoint(p->router, &p->endpoint, &error), &error);
}

void played_close(struct played *p)
{
	zsock_close(p->router);
	p->router = NULL;
	buf_done(&p->endpoint);
	arena_done(&p->arena);
}

bool played_receive(struct played *p, int wait_ms)
{
	struct error error;
	struct zsock_message *in = NULL;
	uint64_t until_ms = clock_now_ms() + (uint64_t)wait_ms;
	while (zsock_recv(p->router, &in, &error)) {
		uint64_t now_ms = clock_now_ms();
		struct zsock_poll_item item = { .sock = p->router };
		size_t ready;
		if (now_ms >= until_ms)
			return false;
		assert_ok(zsock_poll(&item, 1, (int)(until_ms - now_ms), &ready, &error), &error);
	}
	assert_true(str_eq_c(in->user_id, "worker"));
	memcpy(p->routing_id, in->routing_id.data, in->routing_id.len);
	p->routing_id_len = in->routing_id.len;
	arena_reset(&p->arena);
	assert_ok(frame_decode(arena_str(&p->arena, in->body), &p->arena, &p->msg, &error), &error);
	p->session = p->msg.session;
	zsock_message_free(in);
	return true;
}

static enum err_code say(struct played *p, struct msg m, struct error *reterr)
{
	struct buf bytes;
	m.session = p->session;
	if (m.kind == MSG_LEASE || m.kind == MSG_GRANT)
		m.number = ++p->frame_no;
	buf_init(&bytes, WIRE_FRAME_BYTES_MAX);
	assert_ok(frame_encode(&m, &bytes, reterr), reterr);
	enum err_code err = zsock_send(p->router, str_make(p->routing_id, p->routing_id_len), buf_str(&bytes), reterr);
	buf_done(&bytes);
	return err;
}

/* A Renew may be read after its sender was killed: then there is nobody to answer. */
static void answer_renew(struct played *p)
{
	struct error error;
	struct msg m = { .kind = MSG_RENEWED,
		         .renewed = { .renew_no = p->msg.renew.renew_no, .term = 1, .timeline = 1, .lease_ms = 3000 } };
	enum err_code err = say(p, m, &error);
	if (err != ERR_CONNECT)
		assert_ok(err, &error);
}

const struct msg *played_expect(struct played *p, enum msg_kind kind)
{
	uint64_t until_ms = clock_now_ms() + PLAYED_LIMIT_MS;
	while (clock_now_ms() < until_ms) {
		if (!played_receive(p, PLAYED_LIMIT_MS))
			break;
		if (p->msg.kind == MSG_RENEW)
			answer_renew(p);
		if (p->msg.kind == kind)
			return &p->msg;
	}
	fail_msg("no %s came", msg_kind_name(kind));
	return NULL;
}

void played_say(struct played *p, struct msg m)
{
	struct error error;
	assert_ok(say(p, m, &error), &error);
}

void played_welcome(struct played *p, uint64_t term, const uint8_t *verdicts, size_t verdict_count)
{
	p->frame_no = 0;
	played_say(p, (struct msg){ .kind = MSG_WELCOME,
	                            .welcome = { .version = 1,
	                                         .term = term,
	                                         .timeline = 1,
	                                         .session = p->session,
	                                         .renew_ms = 200,
	                                         .lease_ms = 3000,
	                                         .resend_ms = 5000,
	                                         .window_frames = 4,
	                                         .window_bytes = 1 << 20,
	                                         .answers = verdicts,
	                                         .answer_count = verdict_count } });
}

void played_lease(struct played *p, uint64_t n, uint64_t from, uint32_t count, struct str context, struct str item)
{
	struct buf items;
	uint64_t *sample_nos = mem_new(count, sizeof(*sample_nos));
	uint32_t *attempts = mem_new(count, sizeof(*attempts)), *time_left = mem_new(count, sizeof(*time_left));
	uint32_t *ends = mem_new(count, sizeof(*ends));
	buf_init(&items, WIRE_FRAME_BYTES_MAX);
	for (uint32_t i = 0; i < count; i++) {
		sample_nos[i] = from + i;
		attempts[i] = 3;
		time_left[i] = 60000;
		assert_true(buf_append_str(&items, item));
		ends[i] = (uint32_t)items.len;
	}
	played_say(p, (struct msg){ .kind = MSG_GRANT, .grant = { 1, 8, 0 } });
	played_say(p, (struct msg){ .kind = MSG_LEASE,
	                            .lease = { .number = { 1, n },
	                                       .deadline_ms = 3000,
	                                       .run_id = 9,
	                                       .route_id = 1,
	                                       .context_hash = hash_of(context),
	                                       .context = context,
	                                       .sample_count = count,
	                                       .sample_nos = sample_nos,
	                                       .attempts_left = attempts,
	                                       .time_left_ms = time_left,
	                                       .item_ends = ends,
	                                       .items = buf_str(&items) } });
	buf_done(&items);
	mem_free(sample_nos);
	mem_free(attempts);
	mem_free(time_left);
	mem_free(ends);
}

void played_commit(struct played *p, struct outbox_id outbox, uint64_t record_no)
{
	struct record_range range = { record_no, record_no };
	played_say(p, (struct msg){ .kind = MSG_COMMIT, .commit = { outbox, &range, 1 } });
}
