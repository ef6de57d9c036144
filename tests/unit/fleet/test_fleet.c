/* Goal: over a real socket, only known keys come in, what they say is handed over once, and a session ends as a fact
 * even when nobody hears its last word. */
#include "common/io/clock.h"
#include "common/io/ring.h"
#include "common/wire/frame.h"
#include "coordinator/fleet/fleet.h"
#include "tests/support/cmocka_all.h"

enum { SESSION = 99, WAIT_MS = 10000 };

struct bench {
	struct zsock_context *zmq;
	struct keys_pair server, worker, stranger;
	struct metrics *metrics;
	struct fleet *fleet;
	struct ring *events;
	struct zsock *dealer;
};

static void deliver(void *arg, struct fleet_event *event)
{
	struct bench *b = arg;
	assert_true(ring_try_push(b->events, event));
}

static void allow_nobody(struct bench *b)
{
	assert_true(fleet_push(b->fleet, fleet_command_new(FLEET_ALLOW, 0)));
}

static void lead(struct bench *b)
{
	struct fleet_command *c = fleet_command_new(FLEET_MODE, 0);
	c->mode = SESSION_LEAD;
	c->term = 7;
	c->timeline = 1;
	assert_true(fleet_push(b->fleet, c));
}

static void connect_as(struct bench *b, const struct keys_pair *pair)
{
	struct zsock_options o = { .pair = pair, .server_key = b->server.public_key };
	struct error e;
	zsock_close(b->dealer);
	assert_ok(zsock_dealer_new(b->zmq, &o, &b->dealer, &e), &e);
	char endpoint[128];
	struct str bound = fleet_endpoint(b->fleet);
	memcpy(endpoint, bound.data, bound.len);
	endpoint[bound.len] = '\0';
	assert_ok(zsock_connect(b->dealer, endpoint, &e), &e);
}

static int start(void **state)
{
	static struct bench b;
	struct error e;
	b = (struct bench){ .dealer = NULL };
	assert_ok(keys_init(&e), &e);
	keys_pair_new(&b.server);
	keys_pair_new(&b.worker);
	keys_pair_new(&b.stranger);
	b.metrics = metrics_new();
	assert_ok(zsock_context_new(1, 0, &b.zmq, &e), &e);
	assert_ok(ring_new(1000, &b.events, &e), &e);
	struct zsock_zap_key known = { b.worker.public_key, STR("worker-1") };
	struct fleet_settings s = { .zmq = b.zmq,
		                    .keys = &known,
		                    .key_count = 1,
		                    .pair = &b.server,
		                    .endpoint = "tcp://127.0.0.1:0",
		                    .session = { .mode = SESSION_STANDBY },
		                    .metrics = b.metrics,
		                    .deliver = deliver,
		                    .arg = &b };
	assert_ok(fleet_start(&s, &b.fleet, &e), &e);
	lead(&b);
	connect_as(&b, &b.worker);
	*state = &b;
	return 0;
}

static int stop(void **state)
{
	struct bench *b = *state;
	void *event;
	zsock_close(b->dealer);
	fleet_stop(b->fleet);
	while (ring_pop_all(b->events, &event, 1) == 1)
		fleet_event_free(event);
	ring_free(b->events);
	zsock_context_free(b->zmq);
	metrics_free(b->metrics);
	return 0;
}

static void send_bytes(struct bench *b, struct str bytes)
{
	struct error e;
	uint64_t until = clock_now_ms() + WAIT_MS;
	enum err_code err;
	while ((err = zsock_send(b->dealer, STR(""), bytes, &e)) == ERR_AGAIN && clock_now_ms() < until) {
		struct zsock_poll_item item = { .sock = b->dealer, .want_write = true };
		size_t ready;
		assert_ok(zsock_poll(&item, 1, 100, &ready, &e), &e);
	}
	assert_ok(err, &e);
}

static void say(struct bench *b, struct msg m)
{
	struct buf out;
	struct error e;
	m.session = SESSION;
	buf_init(&out, WIRE_FRAME_BYTES_MAX);
	assert_ok(frame_encode(&m, &out, &e), &e);
	send_bytes(b, buf_str(&out));
	buf_done(&out);
}

static void say_hello(struct bench *b)
{
	static const struct str providers[] = { STR_INIT("openai") };
	struct msg m = { .kind = MSG_HELLO };
	m.hello = (struct msg_hello){ .version_min = WIRE_VERSION_MIN,
		                      .version_max = WIRE_VERSION_MAX,
		                      .session = SESSION,
		                      .outbox = { { 1, 2, 3 } },
		                      .name = STR("w"),
		                      .build = STR("tests"),
		                      .slots = 4,
		                      .providers = providers,
		                      .provider_count = 1 };
	say(b, m);
}

static struct fleet_event *next_event(struct bench *b, enum fleet_event_kind kind)
{
	void *event;
	assert_int_equal(ring_pop_wait(b->events, &event, 1, WAIT_MS), 1);
	assert_int_equal(((struct fleet_event *)event)->kind, kind);
	return event;
}

/* The next frame that the coordinator sent, decoded into the arena. */
static struct msg hear(struct bench *b, struct arena *arena)
{
	struct zsock_message *message = NULL;
	struct msg m;
	struct error e;
	uint64_t until = clock_now_ms() + WAIT_MS;
	while (zsock_recv(b->dealer, &message, &e) != ERR_OK) {
		struct zsock_poll_item item = { .sock = b->dealer };
		size_t ready;
		assert_in_range(clock_now_ms(), 0, until);
		assert_ok(zsock_poll(&item, 1, 100, &ready, &e), &e);
	}
	arena_init(arena, FRAME_ARENA_BYTES);
	struct str body = arena_str(arena, message->body);
	zsock_message_free(message);
	assert_ok(frame_decode(body, arena, &m, &e), &e);
	return m;
}

static uint32_t join(struct bench *b)
{
	struct arena arena;
	say_hello(b);
	struct fleet_event *e = next_event(b, FLEET_JOINED);
	assert_str_equal_c(e->worker_name, "worker-1"); /* as the list says, not as the worker says */
	uint32_t worker_id = e->worker_id;
	fleet_event_free(e);
	struct fleet_command *c = fleet_command_new(FLEET_WELCOME, worker_id);
	c->msg = arena_new(&c->arena, 1, sizeof(*c->msg));
	c->msg->kind = MSG_WELCOME;
	assert_true(fleet_push(b->fleet, c));
	struct msg m = hear(b, &arena);
	assert_int_equal(m.kind, MSG_WELCOME);
	assert_int_equal(m.welcome.term, 7);
	arena_done(&arena);
	return worker_id;
}

static double metric(struct bench *b, const char *line_start)
{
	struct buf text;
	struct str rest, line;
	double value = -1;
	buf_init(&text, 1 << 20);
	assert_true(metrics_text(b->metrics, &text));
	rest = buf_str(&text);
	while (str_split(&rest, '\n', &line))
		if (str_starts(line, str_from(line_start)))
			assert_true(str_to_double(str_trim(str_slice(line, strlen(line_start), line.len)), &value));
	buf_done(&text);
	return value;
}

static void wait_metric(struct bench *b, const char *line_start, double wanted)
{
	uint64_t until = clock_now_ms() + WAIT_MS;
	void *nothing;
	while (metric(b, line_start) != wanted) {
		assert_in_range(clock_now_ms(), 0, until);
		(void)!ring_pop_wait(b->events, &nothing, 0, 10);
	}
}

static void results_are_handed_over_once_and_committed_by_ranges(void **state)
{
	struct bench *b = *state;
	struct msg_record records[4];
	static const uint64_t numbers[] = { 5, 6, 7, 9 };
	struct arena arena;
	join(b);
	for (size_t i = 0; i < ARRAY_LEN(records); i++)
		records[i] = (struct msg_record){ .kind = RECORD_RESULT,
			                          .record_no = numbers[i],
			                          .run_id = 1,
			                          .sample_no = i,
			                          .ask_id = 100 + i,
			                          .outcome = OUTCOME_SCORED,
			                          .retry_after_ms = -1,
			                          .cost_nanousd = -1 };
	struct msg m = { .kind = MSG_RESULTS, .results = { records, ARRAY_LEN(records) } };
	say(b, m);
	say(b, m); /* sent again: still waiting, so it is not handed on again */
	struct fleet_event *e = next_event(b, FLEET_RESULTS);
	assert_int_equal(e->record_count, ARRAY_LEN(records));
	struct fleet_command *c = fleet_command_new(FLEET_COMMIT, e->worker_id);
	c->event = e;
	assert_true(fleet_push(b->fleet, c));
	m = hear(b, &arena);
	assert_int_equal(m.kind, MSG_COMMIT);
	assert_int_equal(m.commit.range_count, 2);
	assert_int_equal(m.commit.ranges[0].first, 5);
	assert_int_equal(m.commit.ranges[0].last, 7);
	assert_int_equal(m.commit.ranges[1].first, 9);
	assert_int_equal(m.commit.ranges[1].last, 9);
	arena_done(&arena);
	assert_int_equal(ring_len(b->events), 0);
}

static void a_frame_that_is_none_ends_the_session(void **state)
{
	struct bench *b = *state;
	uint32_t worker_id = join(b);
	send_bytes(b, STR("\xff\xff\xff not a frame"));
	struct fleet_event *e = next_event(b, FLEET_GONE);
	assert_int_equal(e->worker_id, worker_id);
	assert_false(e->orderly);
	fleet_event_free(e);
	wait_metric(b, "assay_fleet_sessions_ended_total{reason=\"bad_frame\"}", 1);
	wait_metric(b, "assay_workers_connected", 0);
}

static void a_session_ends_even_when_nobody_hears_its_last_word(void **state)
{
	struct bench *b = *state;
	uint32_t worker_id = join(b);
	zsock_close(b->dealer); /* no goodbye */
	b->dealer = NULL;
	uint64_t until = clock_now_ms() + 300; /* so that the ROUTER has noticed: a Refused can no longer be sent */
	void *nothing;
	while (clock_now_ms() < until)
		(void)!ring_pop_wait(b->events, &nothing, 0, 10);
	allow_nobody(b);
	struct fleet_event *e = next_event(b, FLEET_GONE);
	assert_int_equal(e->worker_id, worker_id);
	fleet_event_free(e);
	wait_metric(b, "assay_fleet_sessions_ended_total{reason=\"key_revoked\"}", 1);
	wait_metric(b, "assay_workers_connected", 0);
}

static void an_unknown_key_does_not_come_in_and_is_counted(void **state)
{
	struct bench *b = *state;
	connect_as(b, &b->stranger);
	wait_metric(b, "assay_fleet_refused_handshakes_total", 1);
	assert_int_equal(fleet_refused_handshakes(b->fleet), 1);
	assert_int_equal(ring_len(b->events), 0);
}

static void a_worker_that_comes_back_takes_over_its_commits(void **state)
{
	struct bench *b = *state;
	struct arena arena;
	struct msg_record record = { .kind = RECORD_RESULT,
		                     .record_no = 1,
		                     .run_id = 1,
		                     .ask_id = 5,
		                     .outcome = OUTCOME_SCORED,
		                     .retry_after_ms = -1,
		                     .cost_nanousd = -1 };
	struct msg m = { .kind = MSG_RESULTS, .results = { &record, 1 } };
	join(b);
	say(b, m);
	struct fleet_event *results = next_event(b, FLEET_RESULTS);
	connect_as(b, &b->worker);
	join(b);
	struct fleet_command *c = fleet_command_new(FLEET_COMMIT, results->worker_id); /* the old session's */
	c->event = results;
	assert_true(fleet_push(b->fleet, c));
	m = hear(b, &arena);
	assert_int_equal(m.kind, MSG_COMMIT);
	assert_int_equal(m.commit.ranges[0].first, 1);
	arena_done(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(results_are_handed_over_once_and_committed_by_ranges, start, stop),
		cmocka_unit_test_setup_teardown(a_frame_that_is_none_ends_the_session, start, stop),
		cmocka_unit_test_setup_teardown(a_session_ends_even_when_nobody_hears_its_last_word, start, stop),
		cmocka_unit_test_setup_teardown(an_unknown_key_does_not_come_in_and_is_counted, start, stop),
		cmocka_unit_test_setup_teardown(a_worker_that_comes_back_takes_over_its_commits, start, stop),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
