#include "common/base/check.h"
#include "common/base/mem.h"
#include "common/io/log.h"
#include "common/wire/frame.h"
#include "coordinator/fleet/fleet_private.h"
#include <string.h>

static struct str own(struct str s)
{
	char *copy = mem_new(s.len + 1, 1);
	if (s.len)
		memcpy(copy, s.data, s.len);
	return (struct str){ copy, s.len };
}

static void disown(struct str s)
{
	char *p;
	memcpy(&p, &s.data, sizeof(p)); /* it was ours all along: own() made it */
	mem_free(p);
}

struct peer *peer_new(struct fleet *f, struct str routing_id, struct str user_id)
{
	struct peer *p = mem_new(1, sizeof(*p));
	p->worker_id = ++f->next_worker_id;
	p->routing_id = own(routing_id);
	p->user_id = own(user_id);
	session_init(&p->session, &f->session_config, p->worker_id, f->now_ms);
	*(struct peer **)map_put(&f->by_routing, routing_id, NULL) = p;
	*(struct peer **)map_put_u64(&f->by_id, p->worker_id, NULL) = p;
	metrics_set(f->counts.workers, (double)f->by_id.len);
	return p;
}

void peer_free(struct peer *p)
{
	session_done(&p->session);
	disown(p->routing_id);
	disown(p->user_id);
	mem_free(p);
}

struct peer *peer_by_id(const struct fleet *f, uint32_t worker_id)
{
	struct peer **p = map_get_u64(&f->by_id, worker_id);
	return p ? *p : NULL;
}

struct peer *peer_by_outbox(const struct fleet *f, struct outbox_id outbox)
{
	const uint32_t *id = map_get(&f->by_outbox, str_make(outbox.bytes, sizeof(outbox.bytes)));
	return id ? peer_by_id(f, *id) : NULL;
}

/* A session that ends by the peer's fault is worth a line; one of a restart is not. */
static void note_end(struct fleet *f, const struct peer *p)
{
	struct str label[METRICS_LABELS_MAX] = { str_from(session_end_name(p->session.end)) };
	metrics_add(metrics_series(f->counts.ends, label), 1);
	if (session_end_is_fault(p->session.end))
		log_warn("session ended", log_str("worker", p->user_id),
		         log_c("why", session_end_name(p->session.end)));
	else
		log_info("session ended", log_str("worker", p->user_id),
		         log_c("why", session_end_name(p->session.end)));
}

static enum err_code send_frame(struct fleet *f, const struct peer *p, const struct msg *m)
{
	struct error e;
	buf_clear(&f->frame);
	enum err_code err = frame_encode(m, &f->frame, &e);
	if (err !=
	    ERR_OK) { /* the schedule bounds what it lends: a frame that does not fit is our fault, not the peer's */
		log_error("frame not sent", log_c("kind", msg_kind_name(m->kind)), log_error_text(&e));
		return err;
	}
	metrics_add(f->counts.frames_out, 1);
	metrics_add(f->counts.bytes_out, f->frame.len);
	return zsock_send(f->router, p->routing_id, buf_str(&f->frame), &e);
}

static struct fleet_event *bare_event(const struct peer *p, enum fleet_event_kind kind)
{
	struct fleet_event *e = mem_new(1, sizeof(*e));
	arena_init(&e->arena, FRAME_ARENA_BYTES + 65536);
	e->kind = kind;
	e->worker_id = p->worker_id;
	e->outbox = p->session.outbox;
	return e;
}

static void hand_over(struct fleet *f, const struct peer *p, struct fleet_event *e, enum fleet_event_kind kind)
{
	e->kind = kind;
	e->worker_id = p->worker_id;
	e->outbox = p->session.outbox;
	e->worker_name = arena_str(&e->arena, p->user_id);
	f->deliver(f->arg, e);
}

/* The session hands on runs of records of one frame, duplicates left out: they become one array. */
static void add_records(struct fleet_event *e, const struct session_action *a)
{
	struct msg_record *all = arena_new(&e->arena, e->record_count + a->results.count, sizeof(*all));
	if (e->record_count)
		memcpy(all, e->records, e->record_count * sizeof(*all));
	memcpy(all + e->record_count, a->results.records, a->results.count * sizeof(*all));
	e->records = all;
	e->record_count += a->results.count;
}

static void joined(struct fleet *f, const struct peer *p)
{
	struct outbox_id outbox = p->session.outbox;
	*(uint32_t *)map_put(&f->by_outbox, str_make(outbox.bytes, sizeof(outbox.bytes)), NULL) = p->worker_id;
}

/* Carries out one action; false when a frame could not be queued (*ret_unreachable says why). */
static bool carry_out(struct fleet *f, struct peer *p, const struct session_action *a, struct fleet_event **frame,
                      bool *ret_unreachable)
{
	static const enum fleet_event_kind passed_on[] = { [SESSION_DO_JOINED] = FLEET_JOINED,
		                                           [SESSION_DO_RENEWED] = FLEET_RENEWED,
		                                           [SESSION_DO_RELEASED] = FLEET_RELEASED };
	struct fleet_event *e;
	enum err_code err;
	switch (a->kind) {
	case SESSION_DO_SEND:
		err = send_frame(f, p, &a->send);
		*ret_unreachable = err == ERR_CONNECT;
		return err == ERR_OK || err == ERR_LIMIT;
	case SESSION_DO_JOINED:
		joined(f, p);
		/* fallthrough */
	case SESSION_DO_RENEWED:
	case SESSION_DO_RELEASED:
		check(frame && *frame);
		e = *frame;
		*frame = NULL;
		e->msg = a->msg;
		hand_over(f, p, e, passed_on[a->kind]);
		return true;
	case SESSION_DO_RESULTS:
		check(frame && *frame);
		add_records(*frame, a);
		return true;
	case SESSION_DO_GONE:
		e = bare_event(p, FLEET_GONE);
		e->orderly = a->orderly;
		hand_over(f, p, e, FLEET_GONE);
		return true;
	case SESSION_DO_BLOB: /* content by hash is not asked for by this coordinator */
		return true;
	case SESSION_DO_CLOSE:
		p->closing = true;
		note_end(f, p);
		return true;
	}
	return true;
}

void peer_step(struct fleet *f, struct peer *p, const struct session_event *ev, struct fleet_event **frame)
{
	bool failed = false, unreachable = false;
	session_step(&p->session, ev, &f->actions);
	/* After a frame that could not be queued no other goes out, but everything else holds: a session that ends with
	 * a last word ends also when nobody hears it. */
	for (size_t i = 0; i < f->actions.len; i++) {
		const struct session_action *a = &f->actions.items[i];
		if (!failed || a->kind != SESSION_DO_SEND)
			failed |= !carry_out(f, p, a, frame, &unreachable);
	}
	if (frame && *frame && (*frame)->record_count) {
		struct fleet_event *e = *frame;
		*frame = NULL;
		hand_over(f, p, e, FLEET_RESULTS);
	}
	if (failed && !p->closing) {
		struct session_event over = { .kind = SESSION_SEND_FAILED,
			                      .now_ms = ev->now_ms,
			                      .unreachable = unreachable };
		peer_step(f, p, &over, NULL);
		return;
	}
	uint64_t due = session_next_deadline_ms(&p->session);
	if (due == UINT64_MAX)
		(void)heap_remove(&f->due, p->worker_id);
	else
		heap_put(&f->due, p->worker_id, due);
}
