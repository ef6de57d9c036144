#include "tests/unit/agent/agent_fixture.h"
#include "common/base/bits.h"
#include "common/base/mem.h"

static const char *const note_names[] = { "welcome",    "refused",       "silence", "lost",      "stale",
	                                  "timeline",   "window-full",   "outbox",  "bad-frame", "foreign-commit",
	                                  "no-context", "licence-ended", "draining" };
static const char *const cause_names[] = { "?", "asked", "drain", "deadline", "no-ability", "abandoned" };

static void trace_bitmap(struct fixture *f, struct str bits, size_t count)
{
	for (size_t i = 0; i < count; i++)
		(void)buf_append_char(&f->trace, bits_in(bits, i) ? '1' : '0');
}

static void trace_leases(struct fixture *f, const struct msg_held_lease *leases, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		(void)buf_printf(&f->trace, " (%llu,%llu) held ", (unsigned long long)leases[i].number.term,
		                 (unsigned long long)leases[i].number.n);
		trace_bitmap(f, leases[i].held, leases[i].sample_count);
		(void)buf_append_c(&f->trace, " started ");
		trace_bitmap(f, leases[i].started, leases[i].sample_count);
	}
}

static void trace_msg(struct fixture *f, uint32_t conn, const struct msg *m)
{
	struct buf *t = &f->trace;
	(void)buf_printf(t, "send c%u ", conn);
	switch (m->kind) {
	case MSG_HELLO:
		assert_in_range(conn, 1, 63);
		f->session[conn] = m->hello.session;
		(void)buf_printf(t, "hello term %llu", (unsigned long long)m->hello.term_seen);
		trace_leases(f, m->hello.leases, m->hello.lease_count);
		for (size_t i = 0; i < m->hello.answer_count; i++)
			(void)buf_printf(t, " answer %llu", (unsigned long long)m->hello.answers[i].sample_no);
		if (m->hello.draining)
			(void)buf_append_c(t, " draining");
		break;
	case MSG_RENEW:
		(void)buf_printf(t, "renew %llu want %u seen %llu", (unsigned long long)m->renew.renew_no,
		                 m->renew.wanted, (unsigned long long)m->renew.frame_seen);
		for (size_t i = 0; i < m->renew.route_count; i++)
			(void)buf_printf(t, " r%u %u/%u want %u", m->renew.routes[i].route_id,
			                 m->renew.routes[i].in_flight, m->renew.routes[i].slots,
			                 m->renew.routes[i].wanted);
		trace_leases(f, m->renew.leases, m->renew.lease_count);
		if (m->renew.outbox_fails)
			(void)buf_append_c(t, " outbox fails");
		break;
	case MSG_RESULTS:
		(void)buf_append_c(t, "results");
		for (size_t i = 0; i < m->results.record_count; i++)
			(void)buf_printf(t, " %llu", (unsigned long long)m->results.records[i].record_no);
		break;
	case MSG_RELEASED:
		(void)buf_printf(t, "released (%llu,%llu) %s", (unsigned long long)m->released.number.term,
		                 (unsigned long long)m->released.number.n, cause_names[m->released.cause]);
		for (size_t i = 0; i < m->released.sample_count; i++)
			(void)buf_printf(t, " %u%s", m->released.samples[i].index,
			                 m->released.samples[i].ask_id ? "+ask" : "");
		break;
	default:
		(void)buf_append_c(t, "?");
	}
}

static void trace_sample(struct fixture *f, const char *what, uint64_t id, uint32_t net)
{
	if (id & AGENT_ADOPTED)
		(void)buf_printf(&f->trace, "%s adopted %llu n%u", what, (unsigned long long)(id & ~AGENT_ADOPTED),
		                 net);
	else
		(void)buf_printf(&f->trace, "%s %llu.%llu n%u", what, (unsigned long long)(id >> 16),
		                 (unsigned long long)(id & 0xffff), net);
}

static void trace_action(struct fixture *f, const struct agent_action *a)
{
	struct buf *t = &f->trace;
	if (a->kind == AGENT_DO_NOTE && !f->notes)
		return;
	(void)buf_printf(t, "%llu ", (unsigned long long)f->now_ms);
	switch (a->kind) {
	case AGENT_DO_OPEN:
		(void)buf_printf(t, "open c%u e%u", a->open.conn, a->open.endpoint);
		break;
	case AGENT_DO_CLOSE:
		(void)buf_printf(t, "close c%u", a->close.conn);
		break;
	case AGENT_DO_SEND:
		trace_msg(f, a->send.conn, a->send.msg);
		break;
	case AGENT_DO_START:
		trace_sample(f, "start", a->start.sample_id, a->start.net);
		(void)buf_printf(t, " %.*s", STR_ARG(a->start.item));
		break;
	case AGENT_DO_RESUME:
		trace_sample(f, "resume", a->start.sample_id, a->start.net);
		break;
	case AGENT_DO_CANCEL:
		trace_sample(f, "cancel", a->start.sample_id, a->start.net);
		break;
	case AGENT_DO_TRIM:
		(void)buf_append_c(t, "trim");
		for (size_t i = 0; i < a->trim.count; i++)
			(void)buf_printf(t, " %llu-%llu", (unsigned long long)a->trim.ranges[i].first,
			                 (unsigned long long)a->trim.ranges[i].last);
		break;
	case AGENT_DO_LOAD:
		(void)buf_append_c(t, "load");
		break;
	case AGENT_DO_REOPEN:
		(void)buf_append_c(t, "reopen");
		break;
	case AGENT_DO_ADOPT:
		trace_sample(f, "adopt", a->answer.sample_id, a->answer.net);
		break;
	case AGENT_DO_SHIP:
		trace_sample(f, "ship", a->answer.sample_id, a->answer.net);
		break;
	case AGENT_DO_NOTE:
		(void)buf_printf(t, "note %s %llu %llu", note_names[a->note.what], (unsigned long long)a->note.a,
		                 (unsigned long long)a->note.b);
		break;
	case AGENT_DO_DRAINED:
		(void)buf_append_c(t, "drained");
		break;
	}
	(void)buf_append_char(t, '\n');
}

static void carry_out(struct fixture *f)
{
	for (size_t i = 0; i < f->out.len; i++)
		trace_action(f, &f->out.items[i]);
	agent_actions_clear(&f->out);
}

void turn(struct fixture *f)
{
	agent_turn(f->agent, f->now_ms, &f->vitals, &f->out);
	carry_out(f);
}

/* Lets the time pass up to `to_ms`, with a turn at each moment that the agent asked for. */
void until(struct fixture *f, uint64_t to_ms)
{
	for (int guard = 0; guard < 100000; guard++) {
		uint64_t next = agent_next_deadline_ms(f->agent);
		if (next > to_ms)
			break;
		f->now_ms = MAX_OF(next, f->now_ms);
		turn(f);
		assert_true(agent_next_deadline_ms(f->agent) > f->now_ms); /* else the shell would spin */
	}
	f->now_ms = to_ms;
	turn(f);
}

void feed(struct fixture *f, struct agent_event ev)
{
	ev.now_ms = f->now_ms;
	agent_step(f->agent, &ev, &f->out);
}

/* The trace since the last look must be exactly this. */
void expect(struct fixture *f, const char *text)
{
	struct str got = buf_str(&f->trace);
	if (!str_eq_c(got, text)) {
		print_error("got:\n%.*swanted:\n%s", STR_ARG(got), text);
		fail();
	}
	buf_clear(&f->trace);
}

void forget(struct fixture *f)
{
	buf_clear(&f->trace);
}

bool trace_has(struct fixture *f, const char *text)
{
	return str_find(buf_str(&f->trace), str_from(text)) >= 0;
}

/* ---- frames of the coordinator ---- */

void frame(struct fixture *f, uint32_t conn, struct msg m)
{
	m.session = m.session ? m.session : f->session[conn];
	struct agent_event ev = { .kind = AGENT_EV_FRAME };
	ev.frame.conn = conn;
	ev.frame.msg = &m;
	feed(f, ev);
}

struct msg welcome_msg(struct fixture *f, uint32_t conn, uint64_t term, uint64_t timeline)
{
	return (struct msg){ .kind = MSG_WELCOME,
		             .welcome = { .version = 1,
		                          .term = term,
		                          .timeline = timeline,
		                          .session = f->session[conn],
		                          .renew_ms = 1000,
		                          .lease_ms = 3000,
		                          .resend_ms = 5000,
		                          .window_frames = 4,
		                          .window_bytes = 1 << 20 } };
}

void opened(struct fixture *f, uint32_t conn)
{
	feed(f, (struct agent_event){ .kind = AGENT_EV_OPENED, .conn = conn });
	turn(f);
}

void lost(struct fixture *f, uint32_t conn)
{
	feed(f, (struct agent_event){ .kind = AGENT_EV_LOST, .conn = conn });
	turn(f);
}

void welcome(struct fixture *f, uint32_t conn, uint64_t term, uint64_t timeline)
{
	frame(f, conn, welcome_msg(f, conn, term, timeline));
	turn(f);
}

void renewed(struct fixture *f, uint32_t conn, uint64_t renew_no)
{
	frame(f, conn,
	      (struct msg){ .kind = MSG_RENEWED,
	                    .renewed = { .renew_no = renew_no, .term = 1, .timeline = 1, .lease_ms = 3000 } });
	turn(f);
}

void grant(struct fixture *f, uint32_t conn, uint32_t route, uint32_t slots, uint32_t pause_ms)
{
	frame(f, conn, (struct msg){ .kind = MSG_GRANT, .number = ++f->frame_no, .grant = { route, slots, pause_ms } });
	turn(f);
}

/* A lease (1, n) of `count` samples with items a, b, c ... */
void lease(struct fixture *f, uint32_t conn, uint64_t n, uint32_t count, struct lease_options o)
{
	uint64_t sample_nos[26];
	uint32_t attempts[26], time_left[26], ends[26];
	for (uint32_t i = 0; i < count; i++) {
		sample_nos[i] = n * 100 + i;
		attempts[i] = 3;
		time_left[i] = 60000;
		ends[i] = i + 1;
	}
	struct msg m = { .kind = MSG_LEASE, .number = ++f->frame_no };
	m.lease = (struct msg_lease){
		.number = { 1, n },
		.deadline_ms = 3000,
		.run_id = o.run_id ? o.run_id : 7,
		.route_id = o.route ? o.route : 1,
		.context = o.without_context ? STR("") : STR("{}"),
		.alone = o.alone,
		.sample_count = count,
		.sample_nos = sample_nos,
		.attempts_left = attempts,
		.time_left_ms = time_left,
		.item_ends = ends,
		.items = str_make("abcdefghijklmnopqrstuvwxyz", count),
	};
	m.lease.context_hash.bytes[0] = (uint8_t)m.lease.run_id;
	frame(f, conn, m);
	turn(f);
}

void commit(struct fixture *f, uint32_t conn, uint64_t first, uint64_t last)
{
	struct record_range range = { first, last };
	frame(f, conn,
	      (struct msg){ .kind = MSG_COMMIT,
	                    .commit = { .outbox = f->config.outbox, .ranges = &range, .range_count = 1 } });
	turn(f);
}

/* ---- what net threads and the outbox say ---- */

uint64_t id(uint64_t serial, uint64_t index)
{
	return serial << 16 | index;
}

void answered(struct fixture *f, uint64_t sample_id)
{
	struct agent_event ev = { .kind = AGENT_EV_ASK_ENDED };
	ev.ask_ended.sample_id = sample_id;
	ev.ask_ended.ask_id = 1;
	ev.ask_ended.retry_after_ms = -1;
	feed(f, ev);
	turn(f);
}

void ask_failed(struct fixture *f, uint64_t sample_id, uint32_t wait_ms)
{
	struct agent_event ev = { .kind = AGENT_EV_ASK_ENDED };
	ev.ask_ended.sample_id = sample_id;
	ev.ask_ended.ask_id = 1;
	ev.ask_ended.class = CLASS_SERVER;
	ev.ask_ended.waits = true;
	ev.ask_ended.wait_ms = wait_ms;
	ev.ask_ended.retry_after_ms = -1;
	feed(f, ev);
	turn(f);
}

void rate_limited(struct fixture *f, uint64_t sample_id, uint32_t wait_ms, int64_t retry_after_ms)
{
	struct agent_event ev = { .kind = AGENT_EV_ASK_ENDED };
	ev.ask_ended.sample_id = sample_id;
	ev.ask_ended.ask_id = 1;
	ev.ask_ended.class = CLASS_RATE_LIMITED;
	ev.ask_ended.waits = ev.ask_ended.paced = true;
	ev.ask_ended.wait_ms = wait_ms;
	ev.ask_ended.retry_after_ms = retry_after_ms;
	feed(f, ev);
	turn(f);
}

void kept_of(struct fixture *f, uint64_t sample_id, struct msg_record m)
{
	m.record_no = m.record_no ? m.record_no : ++f->record_no;
	m.retry_after_ms = m.cost_nanousd = -1;
	struct agent_event ev = { .kind = AGENT_EV_KEPT };
	ev.kept.sample_id = sample_id;
	ev.kept.record = record_new(&m, NULL, STR(""));
	feed(f, ev);
	turn(f);
}

/* A result, numbered 1, 2, 3 ... in each test. */
void kept(struct fixture *f, uint64_t sample_id)
{
	kept_of(f, sample_id, (struct msg_record){ .kind = RECORD_RESULT, .outcome = OUTCOME_SCORED });
}

void turned(struct fixture *f, uint32_t thread)
{
	struct agent_event ev = { .kind = AGENT_EV_TURNED };
	ev.thread = thread;
	feed(f, ev);
}

/* ---- set-up ---- */

void make_agent(struct fixture *f)
{
	agent_free(f->agent);
	f->agent = agent_new(&f->config, f->now_ms);
}

int setup(void **state)
{
	static const struct str endpoints[] = { STR_INIT("tcp://a:1"), STR_INIT("tcp://b:1") };
	struct fixture *f = mem_new(1, sizeof(*f));
	buf_init(&f->trace, 4 << 20);
	agent_actions_init(&f->out);
	f->now_ms = 1000;
	f->config = (struct agent_config){
		.outbox = { { 9 } },
		.name = STR("w"),
		.build = STR("test"),
		.slots = 4,
		.net_count = 2,
		.endpoint_count = 2,
		.endpoints = endpoints,
		.seed = 1,
	};
	make_agent(f);
	*state = f;
	return 0;
}

int teardown(void **state)
{
	struct fixture *f = *state;
	agent_free(f->agent);
	agent_actions_done(&f->out);
	buf_done(&f->trace);
	mem_free(f);
	return 0;
}

/* A session with endpoint 0 in term 1, connection 1, the first Renew answered, at 1000 ms. */
void connect_first(struct fixture *f)
{
	turn(f);
	opened(f, 1);
	welcome(f, 1, 1, 1);
	renewed(f, 1, 1);
	forget(f);
}
