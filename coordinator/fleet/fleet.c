#include "coordinator/fleet/fleet.h"
#include "common/base/check.h"
#include "common/base/mem.h"
#include "common/io/clock.h"
#include "common/io/log.h"
#include "common/wire/frame.h"
#include "coordinator/fleet/fleet_private.h"
#include <string.h>

enum { FRAMES_PER_TURN = 256, COMMANDS_PER_TURN = 1024, INBOX_DEFAULT = 1 << 16, BACKLOG = 1024 };

void fleet_event_free(struct fleet_event *e)
{
	if (!e)
		return;
	arena_done(&e->arena);
	mem_free(e);
}

struct fleet_command *fleet_command_new(enum fleet_command_kind kind, uint32_t worker_id)
{
	struct fleet_command *c = mem_new(1, sizeof(*c));
	c->kind = kind;
	c->worker_id = worker_id;
	arena_init(&c->arena, 64 << 20);
	return c;
}

void fleet_command_free(struct fleet_command *c)
{
	if (!c)
		return;
	fleet_event_free(c->event);
	arena_done(&c->arena);
	mem_free(c);
}

/* ---- frames ---- */

static void on_message(struct fleet *f, const struct zsock_message *m)
{
	struct error e;
	if (m->user_id.len == 0 || m->malformed) { /* nobody vouched for it: as if it had never come */
		metrics_add(f->counts.not_frames, 1);
		return;
	}
	struct peer **known = map_get(&f->by_routing, m->routing_id);
	struct peer *p = known ? *known : peer_new(f, m->routing_id, m->user_id);
	if (!known)
		door_know(&f->door, m->address);
	struct fleet_event *event = mem_new(1, sizeof(*event));
	arena_init(&event->arena, FRAME_ARENA_BYTES + 65536);
	struct msg *msg = arena_new(&event->arena, 1, sizeof(*msg));
	metrics_add(f->counts.frames_in, 1);
	metrics_add(f->counts.bytes_in, m->body.len);
	enum err_code err = frame_decode(m->body, &event->arena, msg, &e);
	struct session_event ev = { .kind = err == ERR_OK ? SESSION_FRAME : SESSION_DECODE_ERROR, .now_ms = f->now_ms };
	if (err == ERR_OK) {
		ev.frame.msg = msg;
		ev.frame.bytes = m->body.len;
	} else {
		log_warn("frame refused", log_str("worker", p->user_id), log_error_text(&e));
	}
	peer_step(f, p, &ev, &event);
	fleet_event_free(event);
}

static void read_socket(struct fleet *f)
{
	struct zsock_message *m;
	for (int i = 0; i < FRAMES_PER_TURN && zsock_recv(f->router, &m, NULL) == ERR_OK; i++) {
		on_message(f, m);
		zsock_message_free(m);
	}
}

/* ---- commands ---- */

static int compare_numbers(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return x < y ? -1 : x > y;
}

static void on_commit(struct fleet *f, struct fleet_command *c)
{
	struct peer *p = peer_by_outbox(f, c->event->outbox);
	if (!p || c->event->record_count == 0)
		return; /* it sends them again when it is back, and is answered then */
	size_t n = c->event->record_count, count = 0;
	uint64_t *numbers = arena_new(&c->arena, n, sizeof(*numbers));
	struct record_range *ranges = arena_new(&c->arena, n, sizeof(*ranges));
	for (size_t i = 0; i < n; i++)
		numbers[i] = c->event->records[i].record_no;
	qsort(numbers, n, sizeof(*numbers), compare_numbers);
	for (size_t i = 0; i < n; i++) {
		if (count && numbers[i] <= ranges[count - 1].last + 1)
			ranges[count - 1].last = numbers[i];
		else
			ranges[count++] = (struct record_range){ numbers[i], numbers[i] };
	}
	struct session_event ev = { .kind = SESSION_COMMITTED, .now_ms = f->now_ms };
	ev.committed.ranges = ranges;
	ev.committed.range_count = count;
	peer_step(f, p, &ev, NULL);
}

static bool name_allowed(const struct fleet *f, struct str name)
{
	for (size_t i = 0; i < f->name_count; i++)
		if (str_eq_c(name, f->names[i]))
			return true;
	return false;
}

static enum err_code set_allowed(struct fleet *f, const struct zsock_zap_key *keys, size_t count, struct error *reterr)
{
	enum err_code err = zsock_zap_allow(f->zap, keys, count, reterr);
	if (err != ERR_OK)
		return err;
	f->names = mem_grow(f->names, count ? count : 1, sizeof(*f->names));
	f->name_count = count;
	for (size_t i = 0; i < count; i++)
		(void)snprintf(f->names[i], sizeof(f->names[i]), "%.*s", STR_ARG(keys[i].name));
	return ERR_OK;
}

static void on_allow(struct fleet *f, const struct fleet_command *c)
{
	struct error e;
	if (set_allowed(f, c->keys, c->key_count, &e) != ERR_OK) {
		log_error("allow-list not taken", log_error_text(&e));
		return;
	}
	size_t at = 0;
	struct peer **p;
	while ((p = map_next_u64(&f->by_id, &at, NULL)) != NULL) {
		struct session_event ev = { .kind = SESSION_KEY_REVOKED, .now_ms = f->now_ms };
		if (!name_allowed(f, (*p)->user_id))
			peer_step(f, *p, &ev, NULL);
	}
}

static void on_mode(struct fleet *f, const struct fleet_command *c)
{
	buf_clear(&f->leader);
	if (!buf_append_str(&f->leader, c->leader))
		buf_clear(&f->leader);
	f->session_config.mode = c->mode;
	f->session_config.term = c->term;
	f->session_config.timeline = c->timeline;
	f->session_config.leader = buf_str(&f->leader);
}

static void on_command(struct fleet *f, struct fleet_command *c)
{
	struct session_event ev = { .now_ms = f->now_ms };
	struct peer *p = peer_by_id(f, c->worker_id);
	switch (c->kind) {
	case FLEET_MODE:
		on_mode(f, c);
		return;
	case FLEET_ALLOW:
		on_allow(f, c);
		return;
	case FLEET_COMMIT:
		on_commit(f, c);
		return;
	case FLEET_WELCOME:
		metrics_add(f->counts.refused_leases, c->msg->welcome.refused_count);
		ev.kind = SESSION_CORE_WELCOME;
		ev.welcome.refused = c->msg->welcome.refused;
		ev.welcome.refused_count = c->msg->welcome.refused_count;
		ev.welcome.verdicts = c->msg->welcome.answers;
		ev.welcome.verdict_count = c->msg->welcome.answer_count;
		break;
	case FLEET_RENEWED_REPLY:
		metrics_add(f->counts.refused_leases, c->msg->renewed.refused_count);
		ev.kind = SESSION_CORE_RENEWED;
		ev.renewed.renew_no = c->msg->renewed.renew_no;
		ev.renewed.refused = c->msg->renewed.refused;
		ev.renewed.refused_count = c->msg->renewed.refused_count;
		break;
	case FLEET_CLOSE:
		ev.kind = SESSION_CORE_CLOSE;
		ev.cause = c->cause;
		break;
	case FLEET_SEND:
		ev.kind = SESSION_CORE_SEND;
		ev.send = c->msg;
		break;
	}
	if (p) /* else it is gone, and the core has heard so */
		peer_step(f, p, &ev, NULL);
}

static void read_inbox(struct fleet *f)
{
	void *commands[COMMANDS_PER_TURN];
	size_t n = ring_pop_all(f->inbox, commands, COMMANDS_PER_TURN);
	for (size_t i = 0; i < n; i++) {
		on_command(f, commands[i]);
		fleet_command_free(commands[i]);
	}
}

/* ---- the loop ---- */

static void run_due(struct fleet *f)
{
	struct heap_item item;
	while (heap_min(&f->due, &item) && item.key <= f->now_ms) {
		struct session_event ev = { .kind = SESSION_TICK, .now_ms = f->now_ms };
		struct peer *p = peer_by_id(f, (uint32_t)item.id);
		(void)heap_remove(&f->due, item.id);
		if (p)
			peer_step(f, p, &ev, NULL);
	}
}

static void forget_closed(struct fleet *f)
{
	size_t at = 0;
	struct peer **slot;
	while ((slot = map_next_u64(&f->by_id, &at, NULL)) != NULL) {
		struct peer *p = *slot;
		if (!p->closing)
			continue;
		struct str outbox = str_make(p->session.outbox.bytes, sizeof(p->session.outbox.bytes));
		const uint32_t *newest = map_get(&f->by_outbox, outbox);
		if (newest && *newest == p->worker_id)
			(void)map_remove(&f->by_outbox, outbox);
		struct peer **routed = map_get(&f->by_routing, p->routing_id);
		if (routed && *routed == p)
			(void)map_remove(&f->by_routing, p->routing_id);
		(void)heap_remove(&f->due, p->worker_id);
		(void)map_remove_u64(&f->by_id, p->worker_id);
		peer_free(p);
	}
	metrics_set(f->counts.workers, (double)f->by_id.len);
}

/* ZAP counts in a thread of its own: its count is taken over at each turn, and there is one each second. */
static void count_refused(struct fleet *f)
{
	uint64_t now = zsock_zap_refused_count(f->zap);
	metrics_add(f->counts.refused_keys, now - f->refused_counted);
	f->refused_counted = now;
}

static int wait_ms(const struct fleet *f)
{
	struct heap_item first;
	uint64_t most_ms = 1000;
	if (!heap_min(&f->due, &first))
		return (int)most_ms;
	return first.key <= f->now_ms ? 0 : (int)MIN_OF(first.key - f->now_ms, most_ms);
}

static void run(void *arg)
{
	struct fleet *f = arg;
	struct error e;
	while (!ring_is_closed(f->inbox)) {
		struct zsock_poll_item items[] = { { .sock = f->router },
			                           { .fd = ring_fd(f->inbox) },
			                           { .sock = f->door.monitor } };
		size_t ready;
		f->now_ms = clock_now_ms();
		if (zsock_poll(items, ARRAY_LEN(items), wait_ms(f), &ready, &e) != ERR_OK) {
			log_error("fleet: poll", log_error_text(&e));
			break;
		}
		f->now_ms = clock_now_ms();
		read_inbox(f);
		read_socket(f);
		run_due(f);
		forget_closed(f);
		door_watch(&f->door, f->by_id.len, f->now_ms);
		count_refused(f);
	}
}

/* ---- start and stop ---- */

static void make_metrics(struct fleet *f)
{
	static const struct metrics_spec specs[] = {
		{ .kind = METRICS_COUNTER, .name = "assay_fleet_frames_received_total", .help = "Frames from workers" },
		{ .kind = METRICS_COUNTER, .name = "assay_fleet_frames_sent_total", .help = "Frames to workers" },
		{ .kind = METRICS_COUNTER,
		  .name = "assay_fleet_received_bytes_total",
		  .help = "Bytes of frames from workers" },
		{ .kind = METRICS_COUNTER,
		  .name = "assay_fleet_sent_bytes_total",
		  .help = "Bytes of frames to workers" },
		{ .kind = METRICS_GAUGE, .name = "assay_workers_connected", .help = "Workers with a connection" },
		{ .kind = METRICS_COUNTER,
		  .name = "assay_fleet_sessions_ended_total",
		  .help = "Sessions ended, by reason",
		  .labels = { "reason" } },
		{ .kind = METRICS_COUNTER,
		  .name = "assay_fleet_refused_handshakes_total",
		  .help = "Handshakes of keys that are not on the list" },
		{ .kind = METRICS_COUNTER,
		  .name = "assay_fleet_malformed_total",
		  .help = "Messages that were not one frame of a known worker" },
		{ .kind = METRICS_COUNTER,
		  .name = "assay_fleet_refused_leases_total",
		  .help = "Leases that a worker named and does not hold any more" },
	};
	f->counts.frames_in = metrics_one(f->metrics, &specs[0]);
	f->counts.frames_out = metrics_one(f->metrics, &specs[1]);
	f->counts.bytes_in = metrics_one(f->metrics, &specs[2]);
	f->counts.bytes_out = metrics_one(f->metrics, &specs[3]);
	f->counts.workers = metrics_one(f->metrics, &specs[4]);
	f->counts.ends = metrics_family(f->metrics, &specs[5]);
	f->counts.refused_keys = metrics_one(f->metrics, &specs[6]);
	f->counts.not_frames = metrics_one(f->metrics, &specs[7]);
	f->counts.refused_leases = metrics_one(f->metrics, &specs[8]);
}

static enum err_code open_sockets(struct fleet *f, const struct fleet_settings *s, struct error *reterr)
{
	struct zsock_options o = { .pair = s->pair, .backlog = BACKLOG };
	enum err_code err = zsock_zap_start(s->zmq, &f->zap, reterr);
	/* Before the first connection: a worker that is refused is slow to try again. */
	if (err == ERR_OK && s->key_count)
		err = set_allowed(f, s->keys, s->key_count, reterr);
	if (err == ERR_OK)
		err = zsock_router_new(s->zmq, &o, &f->router, reterr);
	if (err == ERR_OK)
		err = door_init(&f->door, f->router, f->metrics, reterr);
	if (err == ERR_OK)
		err = zsock_bind(f->router, s->endpoint, reterr);
	if (err == ERR_OK)
		err = zsock_endpoint(f->router, &f->endpoint, reterr);
	if (err == ERR_OK)
		door_watch(&f->door, 0, clock_now_ms()); /* it has heard of the port by now */
	return err;
}

enum err_code fleet_start(const struct fleet_settings *settings, struct fleet **ret_fleet, struct error *reterr)
{
	struct fleet *f = mem_new(1, sizeof(*f));
	check(settings->metrics && settings->deliver);
	f->session_config = settings->session;
	f->deliver = settings->deliver;
	f->arg = settings->arg;
	f->metrics = settings->metrics;
	buf_init(&f->leader, 1024);
	buf_init(&f->endpoint, 1024);
	buf_init(&f->frame, WIRE_FRAME_BYTES_MAX);
	map_init(&f->by_routing, sizeof(struct peer *));
	map_init(&f->by_id, sizeof(struct peer *));
	map_init(&f->by_outbox, sizeof(uint32_t));
	heap_init(&f->due);
	session_actions_init(&f->actions);
	make_metrics(f);
	size_t capacity = settings->inbox_capacity ? settings->inbox_capacity : INBOX_DEFAULT;
	enum err_code err = ring_new(capacity, &f->inbox, reterr);
	if (err == ERR_OK)
		err = open_sockets(f, settings, reterr);
	if (err == ERR_OK)
		err = thread_start(&f->thread, "fleet", run, f, reterr);
	if (err != ERR_OK) {
		fleet_stop(f);
		return err;
	}
	*ret_fleet = f;
	return ERR_OK;
}

void fleet_stop(struct fleet *f)
{
	if (!f)
		return;
	if (f->inbox)
		ring_close(f->inbox);
	thread_join(f->thread);
	void *left[64];
	size_t n;
	while (f->inbox && (n = ring_pop_all(f->inbox, left, ARRAY_LEN(left))) > 0)
		for (size_t i = 0; i < n; i++)
			fleet_command_free(left[i]);
	size_t at = 0;
	for (struct peer **p; (p = map_next_u64(&f->by_id, &at, NULL)) != NULL;)
		peer_free(*p);
	zsock_close(f->router);
	zsock_zap_stop(f->zap);
	map_done(&f->by_routing);
	map_done(&f->by_id);
	map_done(&f->by_outbox);
	heap_done(&f->due);
	session_actions_done(&f->actions);
	buf_done(&f->leader);
	buf_done(&f->endpoint);
	buf_done(&f->frame);
	ring_free(f->inbox);
	mem_free(f->names);
	mem_free(f);
}

struct str fleet_endpoint(const struct fleet *f)
{
	return buf_str(&f->endpoint);
}

bool fleet_push(struct fleet *f, struct fleet_command *c)
{
	return ring_try_push(f->inbox, c);
}

uint64_t fleet_refused_handshakes(const struct fleet *f)
{
	return zsock_zap_refused_count(f->zap);
}
