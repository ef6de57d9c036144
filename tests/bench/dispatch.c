/* dispatch: schedule, session, wire and CURVE with 8 workers that answer at once, 200-byte items, no database.
 *
 * The coordinator's own core, actions and content run here; writers and loader are replaced by ones that say "durable"
 * and "loaded" at once. Floor: a bare ROUTER and 8 DEALERs with CURVE that pass the same frames, encoded and decoded,
 * with no schedule and no session behind them. */
#include "common/base/mem.h"
#include "common/io/clock.h"
#include "common/io/thread.h"
#include "common/wire/frame.h"
#include "coordinator/main/core.h"
#include "coordinator/main/loader.h"
#include "coordinator/main/writers.h"
#include "tests/bench/bench.h"
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

enum {
	WORKERS = 8,
	SAMPLES = 2000000,
	ITEM_BYTES = 200,
	BATCH = 256,
	CREDIT = 4096,
	PENDING_MAX = 1 << 16,
	WINDOW = 8,
	FLOOR_MS = 2000
};

struct worker {
	struct bench *bench;
	struct thread *thread;
	struct zsock *sock;
	struct keys_pair pair;
	uint32_t number;
	uint64_t record_no, session, frame_seen, renew_no;
	uint64_t *pending; /* samples leased and not yet answered */
	size_t pending_count;
	uint64_t run_id;
	unsigned unacked; /* Results frames without a Commit */
	struct buf frame;
	struct arena arena;
};

struct bench {
	struct zsock_context *zmq;
	struct keys_pair pair;
	struct core *core;
	struct fleet *fleet;
	struct worker workers[WORKERS];
	char endpoint[128];
	atomic_ulong committed;
	atomic_bool stop;
	bool bare; /* the floor */
};

static struct bench *running; /* writers_* and loader_* have no other way to find it */

/* ---- writers and loader that are done at once ---- */

bool writers_add_results(struct writers *w, struct fleet_event *event)
{
	struct core_message *m = core_message_new(CORE_COMMITTED);
	struct sched_committed *records = arena_new(&m->arena, event->record_count, sizeof(*records));
	(void)w;
	for (size_t i = 0; i < event->record_count; i++) {
		const struct msg_record *r = &event->records[i];
		records[i] = (struct sched_committed){ .kind = r->kind,
			                               .run_id = r->run_id,
			                               .sample_no = r->sample_no,
			                               .ask_id = r->ask_id,
			                               .outcome = r->outcome,
			                               .retry_after_ms = -1 };
	}
	m->ev.kind = SCHED_COMMITTED;
	m->ev.committed.outbox = event->outbox;
	m->ev.committed.records = records;
	m->ev.committed.count = event->record_count;
	m->fleet = event;
	atomic_fetch_add(&running->committed, event->record_count);
	if (core_push(running->core, m))
		return true;
	m->fleet = NULL; /* still the caller's */
	core_message_free(m);
	return false;
}

uint32_t writers_index(uint64_t run_id)
{
	(void)run_id;
	return 0;
}

bool writers_add_records(struct writers *w, struct outbox_id outbox, const struct msg_record *records, size_t count,
                         struct arena *arena)
{
	(void)w, (void)outbox, (void)records, (void)count;
	arena_done(arena);
	return true;
}

bool writers_add_job(struct writers *w, const struct writer_job *job, uint64_t run_id, struct arena *arena)
{
	(void)w;
	if (job->kind == WRITER_SENT_TO) {
		struct core_message *m = core_message_new(CORE_EVENT);
		m->ev.kind = SCHED_SENT_TO;
		m->ev.sent_to.run_id = run_id;
		m->ev.sent_to.position = job->sent_to.sent_to;
		if (!core_push(running->core, m))
			core_message_free(m);
	} else if (job->kind == WRITER_WORKER) {
		struct core_message *m = core_message_new(CORE_EVENT);
		m->ev.kind = SCHED_WORKER_KNOWN;
		m->ev.known = job->worker.outbox;
		if (!core_push(running->core, m))
			core_message_free(m);
	}
	arena_done(arena);
	return true;
}

bool loader_items(struct loader *l, uint64_t run_id, uint64_t from, uint64_t to)
{
	static char item[ITEM_BYTES];
	struct core_message *m = core_message_new(CORE_ITEMS);
	size_t count = (size_t)(to - from);
	struct str *items = arena_new(&m->arena, count, sizeof(*items));
	uint32_t *sizes = arena_new(&m->arena, count, sizeof(*sizes));
	(void)l;
	memset(item, 'x', sizeof(item));
	for (size_t i = 0; i < count; i++) {
		items[i] = (struct str){ item, sizeof(item) };
		sizes[i] = sizeof(item);
	}
	m->items = items;
	m->ev.kind = SCHED_ITEMS_LOADED;
	m->ev.items.run_id = run_id;
	m->ev.items.from = from;
	m->ev.items.to = to;
	m->ev.items.sizes = sizes;
	if (core_push(running->core, m))
		return true;
	core_message_free(m);
	return false;
}

bool loader_run_needed(struct loader *l, uint64_t run_id)
{
	(void)l, (void)run_id;
	return true;
}

/* ---- workers that answer at once ---- */

static enum err_code send_msg(struct worker *w, const struct msg *m, struct error *reterr)
{
	enum err_code err;
	buf_clear(&w->frame);
	err = frame_encode(m, &w->frame, reterr);
	if (err != ERR_OK)
		return err;
	while ((err = zsock_send(w->sock, (struct str){ 0 }, buf_str(&w->frame), reterr)) == ERR_AGAIN) {
		struct zsock_poll_item item = { .sock = w->sock, .want_write = true };
		size_t ready;
		IGNORE(zsock_poll(&item, 1, 10, &ready, NULL));
		if (atomic_load(&w->bench->stop))
			return ERR_CANCELLED;
	}
	return err;
}

static enum err_code send_hello(struct worker *w, struct error *reterr)
{
	static const struct str provider = STR_INIT("openai"), any = STR_INIT("*");
	struct msg m = { .kind = MSG_HELLO, .session = w->session };
	m.hello = (struct msg_hello){ .version_min = WIRE_VERSION_MIN,
		                      .version_max = WIRE_VERSION_MAX,
		                      .session = w->session,
		                      .name = STR("bench"),
		                      .build = STR("bench"),
		                      .slots = CREDIT,
		                      .providers = &provider,
		                      .provider_count = 1,
		                      .allowed_hosts = &any,
		                      .allowed_host_count = 1 };
	m.hello.outbox.bytes[0] = (uint8_t)(w->number + 1);
	return send_msg(w, &m, reterr);
}

static enum err_code send_renew(struct worker *w, struct error *reterr)
{
	struct msg_route_use use = { .route_id = 1, .slots = CREDIT, .in_flight = 0, .wanted = CREDIT };
	struct msg m = { .kind = MSG_RENEW, .session = w->session };
	m.renew = (struct msg_renew){ .renew_no = ++w->renew_no,
		                      .frame_seen = w->frame_seen,
		                      .wanted = CREDIT,
		                      .routes = &use,
		                      .route_count = 1 };
	return send_msg(w, &m, reterr);
}

/* As many Results as the window allows; a frame is as full as what is pending. */
static enum err_code answer(struct worker *w, struct error *reterr)
{
	struct msg_record records[BATCH];
	static const struct msg_score score = { .metric = 0, .has_value = true, .value = 1 };
	size_t from = 0;
	enum err_code err = ERR_OK;
	while (err == ERR_OK && from < w->pending_count && (w->bench->bare || w->unacked < WINDOW)) {
		size_t count = MIN_OF(w->pending_count - from, (size_t)BATCH);
		for (size_t i = 0; i < count; i++)
			records[i] = (struct msg_record){ .kind = RECORD_RESULT,
				                          .record_no = ++w->record_no,
				                          .run_id = w->run_id,
				                          .sample_no = w->pending[from + i],
				                          .ask_id = w->record_no,
				                          .outcome = OUTCOME_SCORED,
				                          .retry_after_ms = -1,
				                          .cost_nanousd = -1,
				                          .scores = &score,
				                          .score_count = 1 };
		struct msg m = { .kind = MSG_RESULTS, .session = w->session };
		m.results = (struct msg_results){ records, count };
		err = send_msg(w, &m, reterr);
		w->unacked++;
		from += count;
	}
	memmove(w->pending, w->pending + from, (w->pending_count - from) * sizeof(*w->pending));
	w->pending_count -= from;
	return err;
}

static void take_lease(struct worker *w, const struct msg_lease *l)
{
	size_t count = MIN_OF(l->sample_count, PENDING_MAX - w->pending_count);
	memcpy(w->pending + w->pending_count, l->sample_nos, count * sizeof(*w->pending));
	w->pending_count += count;
	w->run_id = l->run_id;
}

static void serve(struct worker *w, struct str body)
{
	struct msg m;
	struct error e;
	arena_reset(&w->arena);
	if (frame_decode(body, &w->arena, &m, &e) != ERR_OK) {
		(void)fprintf(stderr, "bench worker: %s\n", e.text);
		return;
	}
	w->frame_seen = MAX_OF(w->frame_seen, m.number);
	if (m.kind == MSG_WELCOME)
		IGNORE(send_renew(w, &e)); /* a failure ends in no figure at all */
	else if (m.kind == MSG_LEASE)
		take_lease(w, &m.lease);
	else if (m.kind == MSG_COMMIT)
		w->unacked--;
}

static void work(void *arg)
{
	struct worker *w = arg;
	struct error e;
	uint64_t renewed = clock_now_ms();
	IGNORE(send_hello(w, &e));
	while (!atomic_load(&w->bench->stop)) {
		struct zsock_poll_item item = { .sock = w->sock };
		struct zsock_message *m;
		size_t ready;
		IGNORE(zsock_poll(&item, 1, 100, &ready, NULL));
		while (zsock_recv(w->sock, &m, NULL) == ERR_OK) {
			serve(w, m->body);
			zsock_message_free(m);
		}
		IGNORE(answer(w, &e)); /* a failure ends in no figure at all */
		if (!w->bench->bare && clock_now_ms() - renewed >= 1000) {
			renewed = clock_now_ms();
			IGNORE(send_renew(w, &e));
		}
	}
}

static enum err_code start_workers(struct bench *b, struct error *reterr)
{
	enum err_code err = ERR_OK;
	for (uint32_t i = 0; err == ERR_OK && i < WORKERS; i++) {
		struct worker *w = &b->workers[i];
		struct zsock_options o = { .pair = &w->pair,
			                   .server_key = b->pair.public_key,
			                   .queue_frames_max = 4096 };
		w->bench = b;
		w->number = i;
		w->session = i + 1;
		w->record_no = 0;
		w->renew_no = 0;
		w->frame_seen = 0;
		w->pending_count = w->unacked = 0;
		w->pending = mem_new(PENDING_MAX, sizeof(*w->pending));
		buf_init(&w->frame, WIRE_FRAME_BYTES_MAX);
		arena_init(&w->arena, FRAME_ARENA_BYTES);
		err = zsock_dealer_new(b->zmq, &o, &w->sock, reterr);
		if (err == ERR_OK)
			err = zsock_connect(w->sock, b->endpoint, reterr);
		if (err == ERR_OK)
			err = thread_start(&w->thread, "worker", work, w, reterr);
	}
	return err;
}

static void stop_workers(struct bench *b)
{
	atomic_store(&b->stop, true);
	for (uint32_t i = 0; i < WORKERS; i++) {
		thread_join(b->workers[i].thread);
		zsock_close(b->workers[i].sock);
		buf_done(&b->workers[i].frame);
		arena_done(&b->workers[i].arena);
		mem_free(b->workers[i].pending);
		b->workers[i].thread = NULL;
		b->workers[i].sock = NULL;
	}
	atomic_store(&b->stop, false);
}

/* ---- the value ---- */

static void deliver(void *arg, struct fleet_event *event)
{
	struct bench *b = arg;
	if (event->kind == FLEET_RESULTS) {
		if (!writers_add_results(NULL, event))
			fleet_event_free(event);
		return;
	}
	struct core_message *m = core_message_new(CORE_FLEET);
	m->fleet = event;
	if (!core_push(b->core, m))
		core_message_free(m);
}

static void push_event(struct bench *b, struct core_message *m)
{
	if (!core_push(b->core, m))
		core_message_free(m);
}

static void admit(struct bench *b)
{
	static const struct sched_route route = { .route_id = 1,
		                                  .name = STR_INIT("null"),
		                                  .provider = STR_INIT("openai") };
	static const struct sched_run run = { .run_id = 1,
		                              .team_id = 1,
		                              .route_id = 1,
		                              .created_no = 1,
		                              .suite_items = SAMPLES,
		                              .epochs = 1,
		                              .context_bytes = 2,
		                              .item_bytes_mean = ITEM_BYTES };
	struct core_message *last = core_message_new(CORE_EVENT), *r = core_message_new(CORE_EVENT);
	struct core_message *a = core_message_new(CORE_ADMIT);
	last->ev.kind = SCHED_LAST_WORKERS;
	r->ev.kind = SCHED_ROUTE;
	r->ev.route = &route;
	a->ev.kind = SCHED_RUN_ADMIT;
	a->ev.run = &run;
	a->context = STR("{}");
	push_event(b, last);
	push_event(b, r);
	push_event(b, a);
}

static enum err_code allow_workers(struct bench *b, struct error *reterr)
{
	struct fleet_command *c = fleet_command_new(FLEET_ALLOW, 0);
	struct zsock_zap_key *keys = arena_new(&c->arena, WORKERS, sizeof(*keys));
	for (uint32_t i = 0; i < WORKERS; i++)
		keys[i] = (struct zsock_zap_key){ b->workers[i].pair.public_key, arena_printf(&c->arena, "w%u", i) };
	c->keys = keys;
	c->key_count = WORKERS;
	struct fleet_command *lead = fleet_command_new(FLEET_MODE, 0);
	lead->mode = SESSION_LEAD;
	lead->term = 1;
	return fleet_push(b->fleet, c) && fleet_push(b->fleet, lead)
	               ? ERR_OK
	               : error_set(reterr, ERR_AGAIN, "the fleet takes no command");
}

static enum err_code measure_value(struct bench *b, double *ret_rate, struct error *reterr)
{
	struct metrics *metrics = metrics_new();
	struct fleet_settings fs = {
		.zmq = b->zmq,
		.pair = &b->pair,
		.endpoint = "tcp://127.0.0.1:0",
		.session = { .mode = SESSION_STANDBY, .window_frames = 16, .window_bytes = 16 << 20 },
		.metrics = metrics,
		.deliver = deliver,
		.arg = b
	};
	enum err_code err = core_new(&b->core, reterr);
	if (err == ERR_OK)
		err = fleet_start(&fs, &b->fleet, reterr);
	struct core_settings cs = { .schedule = { .term = 1, .seed = 1 }, .fleet = b->fleet, .metrics = metrics };
	if (err == ERR_OK)
		err = core_start(b->core, &cs, reterr);
	if (err != ERR_OK)
		return err;
	(void)snprintf(b->endpoint, sizeof(b->endpoint), "%.*s", STR_ARG(fleet_endpoint(b->fleet)));
	admit(b);
	err = allow_workers(b, reterr);
	uint64_t from = clock_now_us(), until = from + 60000000;
	if (err == ERR_OK)
		err = start_workers(b, reterr);
	while (err == ERR_OK && atomic_load(&b->committed) < SAMPLES && clock_now_us() < until) {
		struct timespec t = { 0, 1000000 };
		(void)nanosleep(&t, NULL); /* the clock below is what counts */
	}
	uint64_t done = atomic_load(&b->committed);
	*ret_rate = (double)done / ((double)(clock_now_us() - from) / 1e6);
	if (err == ERR_OK && done < SAMPLES)
		err = error_set(reterr, ERR_TIMEOUT, "only %lu of %d samples came back", (unsigned long)done, SAMPLES);
	stop_workers(b);
	core_halt(b->core); /* it speaks to the fleet until it ends */
	fleet_stop(b->fleet);
	core_free(b->core);
	metrics_free(metrics);
	return err;
}

/* ---- the floor ---- */

static enum err_code make_lease(struct buf *frame, struct error *reterr)
{
	static uint64_t sample_nos[BATCH];
	static uint32_t left[BATCH], time_left[BATCH], ends[BATCH];
	static char items[BATCH * ITEM_BYTES];
	for (uint32_t i = 0; i < BATCH; i++) {
		sample_nos[i] = i;
		left[i] = 5;
		time_left[i] = 600000;
		ends[i] = (i + 1) * ITEM_BYTES;
	}
	memset(items, 'x', sizeof(items));
	struct msg m = { .kind = MSG_LEASE, .number = 1, .session = 1 };
	m.lease = (struct msg_lease){ .number = { 1, 1 },
		                      .deadline_ms = 3000,
		                      .run_id = 1,
		                      .route_id = 1,
		                      .sample_count = BATCH,
		                      .sample_nos = sample_nos,
		                      .attempts_left = left,
		                      .time_left_ms = time_left,
		                      .item_ends = ends,
		                      .items = { items, sizeof(items) } };
	buf_clear(frame);
	return frame_encode(&m, frame, reterr);
}

/* For each frame that comes: decoded, and a lease of BATCH samples encoded and sent back. */
static enum err_code measure_floor(struct bench *b, double *ret_rate, struct error *reterr)
{
	struct zsock_options o = { .pair = &b->pair, .queue_frames_max = 4096 };
	struct zsock_zap_key keys[WORKERS];
	struct zsock_zap *zap = NULL;
	struct zsock *router = NULL;
	struct buf frame, endpoint;
	struct arena arena;
	uint64_t samples = 0;
	for (uint32_t i = 0; i < WORKERS; i++)
		keys[i] = (struct zsock_zap_key){ b->workers[i].pair.public_key, STR("w") };
	buf_init(&frame, WIRE_FRAME_BYTES_MAX);
	buf_init(&endpoint, 256);
	arena_init(&arena, FRAME_ARENA_BYTES);
	enum err_code err = zsock_zap_start(b->zmq, &zap, reterr);
	if (err == ERR_OK)
		err = zsock_zap_allow(zap, keys, WORKERS, reterr);
	if (err == ERR_OK)
		err = zsock_router_new(b->zmq, &o, &router, reterr);
	if (err == ERR_OK)
		err = zsock_bind(router, "tcp://127.0.0.1:0", reterr);
	if (err == ERR_OK)
		err = zsock_endpoint(router, &endpoint, reterr);
	(void)snprintf(b->endpoint, sizeof(b->endpoint), "%.*s", STR_ARG(buf_str(&endpoint)));
	b->bare = true;
	if (err == ERR_OK)
		err = start_workers(b, reterr);
	uint64_t from = 0, until = clock_now_us() + FLOOR_MS * 1000 + 5000000;
	while (err == ERR_OK && clock_now_us() < until) {
		struct zsock_poll_item item = { .sock = router };
		struct zsock_message *m;
		size_t ready;
		IGNORE(zsock_poll(&item, 1, 100, &ready, NULL));
		while (err == ERR_OK && zsock_recv(router, &m, NULL) == ERR_OK) {
			struct msg decoded;
			arena_reset(&arena);
			err = frame_decode(m->body, &arena, &decoded, reterr);
			if (err == ERR_OK && decoded.kind == MSG_RESULTS) {
				if (from == 0) {
					from = clock_now_us();
					until = from + FLOOR_MS * 1000;
				}
				samples += decoded.results.record_count;
			}
			/* Two leases answer a Hello, so that a worker always has one to work on. */
			for (int k = decoded.kind == MSG_HELLO ? 2 : 1; err == ERR_OK && k > 0; k--)
				err = make_lease(&frame, reterr);
			for (int k = decoded.kind == MSG_HELLO ? 2 : 1; err == ERR_OK && k > 0; k--)
				err = zsock_send(router, m->routing_id, buf_str(&frame), reterr);
			zsock_message_free(m);
		}
	}
	*ret_rate = from ? (double)samples / ((double)(clock_now_us() - from) / 1e6) : 0;
	stop_workers(b);
	zsock_close(router);
	zsock_zap_stop(zap);
	buf_done(&frame);
	buf_done(&endpoint);
	arena_done(&arena);
	b->bare = false;
	struct timespec unbound = { 0, 200000000 }; /* ZeroMQ frees the name of the ZAP socket in a thread of its own */
	(void)nanosleep(&unbound, NULL);
	return err;
}

enum err_code bench_dispatch(struct bench_result *ret_result, struct error *reterr)
{
	struct bench *b = mem_new(1, sizeof(*b));
	running = b;
	keys_pair_new(&b->pair);
	for (uint32_t i = 0; i < WORKERS; i++)
		keys_pair_new(&b->workers[i].pair);
	enum err_code err = zsock_context_new(1, 1000, &b->zmq, reterr);
	if (err == ERR_OK)
		err = measure_floor(b, &ret_result->floor, reterr);
	if (err == ERR_OK)
		err = measure_value(b, &ret_result->value, reterr);
	ret_result->unit = "samples/s";
	(void)snprintf(ret_result->note, sizeof(ret_result->note), "%d samples, %d workers, CURVE, %d-byte items",
	               SAMPLES, WORKERS, ITEM_BYTES);
	zsock_context_free(b->zmq);
	mem_free(b);
	return err;
}
