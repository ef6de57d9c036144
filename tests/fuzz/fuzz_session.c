// libs: wire session
/* A worker's conversation as bytes: each step is an opcode and its arguments, so that what the fuzzer changes is what a
 * peer, the core, the store or the clock does next. Frames come as raw bytes through the real decoder, or made field by
 * field. What session.h promises is asserted after each step. */
#include "common/base/map.h"
#include "common/wire/frame.h"
#include "coordinator/session/session.h"
#include "tests/fuzz/fuzz.h"

enum { STEPS_MAX = 400, NUMBER = 9, RECORDS_MAX = 40 };

struct input {
	struct str rest;
};

static uint8_t take(struct input *in)
{
	if (in->rest.len == 0)
		return 0;
	uint8_t byte = (uint8_t)in->rest.data[0];
	in->rest = str_slice(in->rest, 1, in->rest.len);
	return byte;
}

static uint32_t take16(struct input *in)
{
	uint32_t low = take(in);
	return low | (uint32_t)take(in) << 8;
}

struct watch { /* what has been seen, in the simplest words */
	struct session s;
	struct session_config config;
	struct session_actions out;
	struct arena arena;
	uint64_t now_ms, last_number;
	unsigned joined, gone, closed;
	bool welcomed;
	struct map on_its_way; /* record numbers that were handed on and not yet committed */
};

static void look_at_one(struct watch *w, const struct session_action *a)
{
	switch (a->kind) {
	case SESSION_DO_SEND:
		check(a->send.number >= w->last_number);
		w->last_number = a->send.number;
		w->welcomed |= a->send.kind == MSG_WELCOME;
		check(w->welcomed || a->send.kind == MSG_REFUSED);
		check(a->send.kind == MSG_REFUSED || a->send.session == w->s.number);
		break;
	case SESSION_DO_JOINED:
		w->joined++;
		check(!w->welcomed);
		break;
	case SESSION_DO_RESULTS:
		check(w->welcomed && a->results.count > 0);
		for (size_t i = 0; i < a->results.count; i++) {
			bool is_new;
			(void)map_put_u64(&w->on_its_way, a->results.records[i].record_no, &is_new); /* a set */
			check_msg(is_new, "record %llu handed on twice",
			          (unsigned long long)a->results.records[i].record_no);
		}
		break;
	case SESSION_DO_GONE:
		w->gone++;
		break;
	case SESSION_DO_CLOSE:
		w->closed++;
		check(w->s.end != SESSION_END_NONE && session_end_name(w->s.end)[0] != '?');
		break;
	case SESSION_DO_RENEWED:
	case SESSION_DO_RELEASED:
	case SESSION_DO_BLOB:
		check(w->welcomed);
	}
}

static void look_at(struct watch *w)
{
	bool was_closed = w->closed > 0;
	uint64_t waiting = 0;
	check(!was_closed || w->out.len == 0);
	for (size_t i = 0; i < w->out.len; i++) {
		check(w->closed == 0);
		look_at_one(w, &w->out.items[i]);
	}
	check(w->joined <= 1 && w->gone <= w->joined && w->closed <= 1);
	check(w->closed == 0 || w->gone == w->joined);
	check((w->s.state == SESSION_CLOSED) == (w->closed == 1));
	check(w->s.batch_count <= MAX_OF(w->s.window_frames, 1U) && w->s.batch_count <= SESSION_WINDOW_FRAMES_MAX);
	for (uint32_t i = 0; i < w->s.batch_count; i++)
		waiting += w->s.batches[i].count;
	if (w->s.state == SESSION_OPEN) {
		check(waiting == w->on_its_way.len);
		check(w->s.unacked_bytes <= MAX_OF(w->s.window_bytes, (uint32_t)WIRE_FRAME_BYTES_MAX));
	}
	check((w->s.state == SESSION_CLOSED) == (session_next_deadline_ms(&w->s) == UINT64_MAX));
}

static void step(struct watch *w, const struct session_event *ev)
{
	session_step(&w->s, ev, &w->out);
	look_at(w);
}

/* ---- frames ---- */

static void make_hello(struct input *in, struct msg *m)
{
	uint8_t how = take(in);
	m->session = NUMBER;
	m->hello = (struct msg_hello){ .version_min = how & 1 ? 1 : take(in),
		                       .version_max = how & 1 ? 1 : take(in),
		                       .session = how & 2 ? NUMBER : take(in),
		                       .slots = how & 4 ? 4 : take(in),
		                       .draining = how & 8 };
	m->hello.outbox.bytes[0] = how & 16 ? 0 : 1;
}

static void make_results(struct input *in, struct msg *m, struct msg_record records[RECORDS_MAX])
{
	uint64_t number = take16(in) % 512;
	m->results.records = records;
	m->results.record_count = take(in) % (RECORDS_MAX + 1);
	for (size_t i = 0; i < m->results.record_count; i++) {
		uint8_t gap = take(in);
		number = gap == 255 ? take(in) : number + gap % 4; /* mostly rising, often twice, at times back */
		records[i] = (struct msg_record){ .kind = RECORD_RESULT, .record_no = number };
	}
}

static void frame_made(struct watch *w, struct input *in)
{
	struct msg_record records[RECORDS_MAX];
	struct msg m = { .kind = (enum msg_kind)(1 + take(in) % (MSG_KIND_COUNT - 1)), .session = NUMBER };
	struct session_event ev = { .kind = SESSION_FRAME, .now_ms = w->now_ms };
	if (take(in) == 255)
		m.session = NUMBER + 1;
	if (m.kind == MSG_HELLO) {
		make_hello(in, &m);
	} else if (m.kind == MSG_RENEW) {
		m.renew.renew_no = take(in);
		m.renew.frame_seen = take(in);
	} else if (m.kind == MSG_RESULTS) {
		make_results(in, &m, records);
	} else if (m.kind == MSG_RELEASED) {
		m.released.cause = (enum release_cause)(1 + take(in) % 5);
	}
	ev.frame.msg = &m;
	ev.frame.bytes = (size_t)take16(in) * 20;
	step(w, &ev);
}

static void frame_raw(struct watch *w, struct input *in)
{
	struct session_event ev = { .kind = SESSION_DECODE_ERROR, .now_ms = w->now_ms };
	struct msg m;
	struct error e;
	struct str bytes = str_slice(in->rest, 0, take16(in));
	in->rest = str_slice(in->rest, bytes.len, in->rest.len);
	arena_reset(&w->arena);
	if (frame_decode(bytes, &w->arena, &m, &e) == ERR_OK) {
		ev.kind = SESSION_FRAME;
		ev.frame.msg = &m;
		ev.frame.bytes = bytes.len;
	}
	step(w, &ev);
}

/* ---- what the core, the store and the clock do ---- */

static void forget(struct watch *w, struct record_range range)
{
	uint64_t numbers[SESSION_WINDOW_FRAMES_MAX * WIRE_RESULTS_RECORDS_MAX], number;
	size_t at = 0, count = 0;
	while (map_next_u64(&w->on_its_way, &at, &number))
		if (number >= range.first && number <= range.last)
			numbers[count++] = number;
	for (size_t i = 0; i < count; i++)
		(void)map_remove_u64(&w->on_its_way, numbers[i]); /* it was there */
}

static void commit(struct watch *w, struct input *in)
{
	struct record_range ranges[4];
	struct session_event ev = { .kind = SESSION_COMMITTED, .now_ms = w->now_ms };
	ev.committed.ranges = ranges;
	ev.committed.range_count = take(in) % (ARRAY_LEN(ranges) + 1);
	for (size_t i = 0; i < ev.committed.range_count; i++) {
		uint8_t length = take(in);
		ranges[i].first = take16(in) % 512;
		ranges[i].last = length == 255 ? UINT64_MAX : ranges[i].first + length;
		if (w->s.state == SESSION_OPEN)
			forget(w, ranges[i]);
	}
	step(w, &ev);
}

static void core_says(struct watch *w, struct input *in)
{
	static const enum msg_kind kinds[] = { MSG_LEASE, MSG_RELEASE, MSG_REVOKE, MSG_GRANT, MSG_DRAIN };
	struct msg m = { .number = w->s.frame_no + 1 };
	struct session_event ev = { .now_ms = w->now_ms };
	switch (take(in) % 7) {
	case 0:
		ev.kind = SESSION_CORE_WELCOME;
		break;
	case 1:
		ev.kind = SESSION_CORE_RENEWED;
		ev.renewed.renew_no = take(in);
		break;
	case 2:
		ev.kind = SESSION_CORE_CLOSE;
		ev.cause = (enum refuse_cause)(1 + take(in) % 6);
		break;
	case 3:
		ev.kind = SESSION_KEY_REVOKED;
		break;
	case 4:
		ev.kind = SESSION_SEND_FAILED;
		ev.unreachable = take(in) & 1;
		break;
	default:
		m.kind = kinds[take(in) % ARRAY_LEN(kinds)];
		ev.kind = SESSION_CORE_SEND;
		ev.send = &m;
	}
	step(w, &ev);
}

static void tick(struct watch *w, struct input *in)
{
	struct session_event ev = { .kind = SESSION_TICK };
	uint64_t due = session_next_deadline_ms(&w->s);
	uint8_t how = take(in);
	if (how == 255 && due != UINT64_MAX)
		w->now_ms = MAX_OF(w->now_ms, due);
	else
		w->now_ms += how * 10U;
	ev.now_ms = w->now_ms;
	step(w, &ev);
	check(w->s.state == SESSION_CLOSED || session_next_deadline_ms(&w->s) > w->now_ms);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct input in = { str_make(data, len) };
	struct watch w = { .now_ms = 1000 };
	uint8_t how = take(&in);
	w.config.mode = (how & 15) == 15 ? (enum session_mode)(how >> 4 & 3) : SESSION_LEAD;
	w.config.window_frames = how >> 6 & 1 ? take(&in) : 0;
	w.config.window_bytes = how >> 7 & 1 ? take16(&in) * 16 : 0;
	arena_init(&w.arena, FRAME_ARENA_BYTES);
	map_init(&w.on_its_way, sizeof(bool));
	session_actions_init(&w.out);
	session_init(&w.s, &w.config, 1, w.now_ms);
	for (int i = 0; i < STEPS_MAX && in.rest.len; i++) {
		uint8_t op = take(&in) % 8;
		if (op <= 2)
			frame_made(&w, &in);
		else if (op == 3)
			frame_raw(&w, &in);
		else if (op == 4)
			commit(&w, &in);
		else if (op <= 6)
			core_says(&w, &in);
		else
			tick(&w, &in);
	}
	session_done(&w.s);
	session_actions_done(&w.out);
	map_done(&w.on_its_way);
	arena_done(&w.arena);
	return 0;
}
