/* A message on its way: as a copy behind the struct, or, in worlds that pay for it, as the bytes of a frame. */
#include "common/base/check.h"
#include "common/base/mem.h"
#include "common/wire/frame.h"
#include "tests/simulation/world.h"
#include <string.h>

enum { SMALL_FRAME_BYTES = 64, RECORD_BYTES = 40 };

/* Both passes, to count and to copy, are one walk: `at` NULL counts. */
struct copier {
	char *at;
	size_t bytes;
};

static void *put(struct copier *c, const void *from, size_t bytes)
{
	size_t room = (bytes + 7) & ~(size_t)7;
	c->bytes += room;
	if (!c->at || bytes == 0)
		return NULL;
	void *to = c->at;
	memcpy(to, from, bytes);
	c->at += room;
	return to;
}

static struct str put_str(struct copier *c, struct str s)
{
	char *to = put(c, s.data, s.len);
	return to ? str_make(to, s.len) : (struct str){ 0 };
}

static void put_held(struct copier *c, const struct msg_held_lease **leases, size_t count)
{
	const struct msg_held_lease *from = *leases;
	struct msg_held_lease *to = put(c, from, count * sizeof(*from));
	for (size_t i = 0; i < count; i++) {
		size_t nos = from[i].sample_nos ? from[i].sample_count * sizeof(uint64_t) : 0;
		const uint64_t *sample_nos = put(c, from[i].sample_nos, nos);
		struct str held = put_str(c, from[i].held), started = put_str(c, from[i].started);
		if (!to)
			continue;
		to[i].sample_nos = sample_nos;
		to[i].held = held;
		to[i].started = started;
	}
	*leases = to;
}

static void put_records(struct copier *c, struct msg_results *m)
{
	const struct msg_record *from = m->records;
	struct msg_record *to = put(c, from, m->record_count * sizeof(*from));
	for (size_t i = 0; i < m->record_count; i++) {
		struct msg_record r = from[i];
		r.stop_reason = put_str(c, r.stop_reason);
		r.answer = put_str(c, r.answer);
		r.response = put_str(c, r.response);
		r.evidence = put_str(c, r.evidence);
		r.request = r.returned_model = r.fingerprint = r.request_id = (struct str){ 0 };
		r.scores = put(c, r.scores, r.score_count * sizeof(*r.scores));
		if (to)
			to[i] = r;
	}
	m->records = to;
}

static void put_lease(struct copier *c, struct msg_lease *m)
{
	size_t n = m->sample_count;
	m->sample_nos = put(c, m->sample_nos, n * sizeof(*m->sample_nos));
	m->attempts_left = put(c, m->attempts_left, n * sizeof(*m->attempts_left));
	m->time_left_ms = put(c, m->time_left_ms, n * sizeof(*m->time_left_ms));
	m->item_ends = put(c, m->item_ends, n * sizeof(*m->item_ends));
	m->items = put_str(c, m->items);
	m->context = put_str(c, m->context);
}

/* Makes everything that `m` points to its own. Names and abilities of a Hello stay where they are: they never change.
 */
static void put_body(struct copier *c, struct msg *m)
{
	switch (m->kind) {
	case MSG_HELLO:
		put_held(c, &m->hello.leases, m->hello.lease_count);
		m->hello.answers = put(c, m->hello.answers, m->hello.answer_count * sizeof(*m->hello.answers));
		return;
	case MSG_RENEW:
		m->renew.routes = put(c, m->renew.routes, m->renew.route_count * sizeof(*m->renew.routes));
		put_held(c, &m->renew.leases, m->renew.lease_count);
		return;
	case MSG_RESULTS:
		put_records(c, &m->results);
		return;
	case MSG_RELEASED:
		m->released.samples =
			put(c, m->released.samples, m->released.sample_count * sizeof(*m->released.samples));
		return;
	case MSG_WELCOME:
		m->welcome.refused = put(c, m->welcome.refused, m->welcome.refused_count * sizeof(struct lease_no));
		m->welcome.answers = put(c, m->welcome.answers, m->welcome.answer_count);
		return;
	case MSG_RENEWED:
		m->renewed.refused = put(c, m->renewed.refused, m->renewed.refused_count * sizeof(struct lease_no));
		return;
	case MSG_REFUSED:
		m->refused.text = put_str(c, m->refused.text);
		m->refused.leader = put_str(c, m->refused.leader);
		return;
	case MSG_LEASE:
		put_lease(c, &m->lease);
		return;
	case MSG_RELEASE:
		m->release.indexes = put(c, m->release.indexes, m->release.index_count * sizeof(uint32_t));
		return;
	case MSG_COMMIT:
		m->commit.ranges = put(c, m->commit.ranges, m->commit.range_count * sizeof(struct record_range));
		return;
	case MSG_DRAIN:
		m->drain.reason = put_str(c, m->drain.reason);
		return;
	default:
		return;
	}
}

/* What the receiving side's window counts. Records: what the sending side's counts for them, or a little less. */
static size_t frame_bytes(const struct msg *m)
{
	size_t bytes = SMALL_FRAME_BYTES;
	for (size_t i = 0; m->kind == MSG_RESULTS && i < m->results.record_count; i++)
		bytes += RECORD_BYTES;
	return bytes;
}

static struct parcel *encoded(struct world *w, const struct msg *m)
{
	struct error error;
	buf_clear(&w->frame);
	if (frame_encode(m, &w->frame, &error) != ERR_OK) {
		oracle_break(w, "wire", "%s cannot be encoded: %s", msg_kind_name(m->kind), error.text);
		return mem_new(1, sizeof(struct parcel));
	}
	struct parcel *p = mem_new(1, sizeof(*p) + w->frame.len);
	p->encoded = true;
	p->body = str_make((char *)(p + 1), w->frame.len);
	memcpy(p + 1, w->frame.data, w->frame.len);
	p->bytes = w->frame.len;
	return p;
}

struct parcel *parcel_new(struct world *w, const struct msg *m)
{
	struct parcel *p;
	if (w->plan.encoded) {
		p = encoded(w, m);
	} else {
		struct msg shape = *m;
		struct copier counts = { 0 };
		put_body(&counts, &shape);
		p = mem_new(1, sizeof(*p) + counts.bytes);
		struct copier copies = { .at = (char *)(p + 1) };
		p->msg = *m;
		put_body(&copies, &p->msg);
		p->bytes = frame_bytes(m);
	}
	p->refs = 1;
	return p;
}

void parcel_ref(struct parcel *p)
{
	p->refs++;
}

void parcel_unref(struct parcel *p)
{
	if (p && --p->refs == 0)
		mem_free(p);
}

const struct msg *parcel_msg(struct world *w, struct parcel *p, struct msg *room, struct arena *arena)
{
	struct error error;
	if (!p->encoded)
		return &p->msg;
	if (frame_decode(p->body, arena, room, &error) == ERR_OK)
		return room;
	oracle_break(w, "wire", "a frame cannot be decoded: %s", error.text);
	return NULL;
}
