/* Connections: each way keeps its order; what is cut waits; what was under way at a close arrives whole or not at all.
 */
#include "common/base/mem.h"
#include "tests/simulation/world.h"

struct cable *cable_get(struct world *w, uint64_t id)
{
	return id > 0 && id <= w->cable_count ? w->cables[id - 1] : NULL;
}

static uint64_t delay_ms(struct world *w, const struct cable *c)
{
	uint32_t usual = w->plan.workers[c->worker].delay_ms;
	return usual == 0 ? 0 : world_pick(w, 0, usual);
}

struct cable *cable_new(struct world *w, uint32_t worker, uint32_t coord, uint32_t conn)
{
	mem_reserve(&w->cables, &w->cable_cap, w->cable_count + 1, sizeof(*w->cables));
	struct cable *c = mem_new(1, sizeof(*c));
	w->cables[w->cable_count++] = c;
	*c = (struct cable){ .id = (uint32_t)w->cable_count,
		             .worker = worker,
		             .coord = coord,
		             .conn = conn,
		             .life = w->crews[worker].life,
		             .coord_life = w->desks[coord].life };
	struct crew *crew = &w->crews[worker];
	mem_reserve(&crew->cables, &crew->cable_cap, crew->cable_count + 1, sizeof(*crew->cables));
	crew->cables[crew->cable_count++] = c->id;
	world_at(w, w->now_ms + 1 + 2 * delay_ms(w, c), EV_CABLE_OPENED, worker, c->life, c->id);
	return c;
}

static void drop_all(struct cable_way *way)
{
	while (way->first) {
		struct parcel *p = way->first;
		way->first = p->next;
		parcel_unref(p);
	}
	way->last = NULL;
}

void cable_free_all(struct world *w)
{
	for (size_t i = 0; i < w->cable_count; i++) {
		if (!w->cables[i])
			continue;
		drop_all(&w->cables[i]->up);
		drop_all(&w->cables[i]->down);
		mem_free(w->cables[i]);
	}
	mem_free(w->cables);
}

static void push(struct world *w, struct cable *c, struct cable_way *way, const struct msg *m, enum event_kind kind)
{
	struct parcel *p = parcel_new(w, m);
	w->tally.frames++;
	uint64_t at_ms = w->now_ms + delay_ms(w, c);
	p->at_ms = way->last_ms = MAX_OF(way->last_ms, at_ms);
	if (way->last)
		way->last->next = p;
	else
		way->first = p;
	way->last = p;
	if (!way->due)
		world_at(w, p->at_ms, kind, c->worker, 0, c->id);
	way->due = true;
}

void cable_up(struct world *w, struct cable *c, const struct msg *m)
{
	if (!c->worker_closed && !c->coord_closed)
		push(w, c, &c->up, m, EV_CABLE_UP);
}

static bool is_cut(const struct world *w, const struct cable *c)
{
	const struct crew *crew = &w->crews[c->worker];
	return w->now_ms < crew->cut_up_until_ms[c->coord] || w->now_ms < crew->cut_down_until_ms[c->coord];
}

bool cable_down(struct world *w, struct cable *c, const struct msg *m)
{
	if (c->worker_closed) /* the other end says so, if it can be heard */
		return w->now_ms < c->closed_ms + w->plan.workers[c->worker].delay_ms || is_cut(w, c);
	push(w, c, &c->down, m, EV_CABLE_DOWN);
	return true;
}

static void forget(struct world *w, const struct cable *c)
{
	struct crew *crew = &w->crews[c->worker];
	for (size_t i = 0; i < crew->cable_count; i++)
		if (crew->cables[i] == c->id) {
			crew->cables[i] = crew->cables[--crew->cable_count];
			return;
		}
}

void cable_close_worker(struct world *w, struct cable *c, bool keeps_flying)
{
	if (c->worker_closed)
		return;
	forget(w, c);
	c->worker_closed = true;
	c->closed_ms = w->now_ms;
	if (!keeps_flying)
		drop_all(&c->up);
	drop_all(&c->down);
}

/* said: the machine lives and its sockets were closed; else only silence tells. */
void cable_coord_died(struct world *w, uint32_t coord, bool said)
{
	for (size_t i = 0; i < w->cable_count; i++) {
		struct cable *c = w->cables[i];
		if (!c || c->coord != coord || c->coord_closed)
			continue;
		c->coord_closed = true;
		drop_all(&c->up);
		if (said && !c->worker_closed && !is_cut(w, c))
			world_at(w, w->now_ms + delay_ms(w, c), EV_CABLE_OPENED, c->worker, c->life, c->id);
	}
}

/* The handshake is over; or, later, the other end has closed. */
static void on_opened(struct world *w, const struct event *ev)
{
	struct cable *c = cable_get(w, ev->a);
	if (!c || c->worker_closed)
		return;
	const struct desk *d = &w->desks[c->coord];
	const struct crew *crew = &w->crews[c->worker];
	if (is_cut(w, c)) {
		uint64_t until_ms = MAX_OF(crew->cut_up_until_ms[c->coord], crew->cut_down_until_ms[c->coord]);
		world_at(w, until_ms, EV_CABLE_OPENED, c->worker, c->life, c->id);
		return;
	}
	if (desk_is_paused(w, d)) { /* the kernel takes the connection, but nobody shakes hands */
		world_at(w, d->paused_until_ms + 1, EV_CABLE_OPENED, c->worker, c->life, c->id);
		return;
	}
	bool fine = d->role != DESK_DOWN && c->coord_life == d->life && !c->coord_closed;
	if (fine && c->opened)
		return;
	c->opened = fine;
	crew_opened(w, &w->crews[c->worker], c->conn, fine);
}

static struct parcel *pop(struct world *w, struct cable *c, struct cable_way *way, enum event_kind kind)
{
	struct parcel *p = way->first;
	way->due = false;
	if (!p)
		return NULL;
	way->first = p->next;
	if (!way->first)
		way->last = NULL;
	p->next = NULL;
	if (way->first) {
		world_at(w, MAX_OF(way->first->at_ms, w->now_ms), kind, c->worker, 0, c->id);
		way->due = true;
	}
	return p;
}

static void wait_until(struct world *w, struct cable *c, struct cable_way *way, uint64_t until_ms, enum event_kind kind)
{
	way->last_ms = MAX_OF(way->last_ms, until_ms);
	world_at(w, until_ms, kind, c->worker, 0, c->id);
}

static void on_up(struct world *w, struct cable *c)
{
	struct desk *d = &w->desks[c->coord];
	uint64_t cut_ms = w->crews[c->worker].cut_up_until_ms[c->coord];
	if (w->now_ms < cut_ms) {
		wait_until(w, c, &c->up, cut_ms, EV_CABLE_UP);
		return;
	}
	if (desk_is_paused(w, d)) {
		wait_until(w, c, &c->up, d->paused_until_ms, EV_CABLE_UP);
		return;
	}
	struct parcel *p = pop(w, c, &c->up, EV_CABLE_UP);
	if (p && !c->coord_closed && d->life == c->coord_life && d->role != DESK_DOWN)
		desk_frame(w, d, c, p);
	parcel_unref(p);
}

static void on_down(struct world *w, struct cable *c)
{
	uint64_t cut_ms = w->crews[c->worker].cut_down_until_ms[c->coord];
	if (w->now_ms < cut_ms) {
		wait_until(w, c, &c->down, cut_ms, EV_CABLE_DOWN);
		return;
	}
	struct parcel *p = pop(w, c, &c->down, EV_CABLE_DOWN);
	if (p && !c->worker_closed)
		crew_frame(w, &w->crews[c->worker], c->conn, p);
	parcel_unref(p);
}

void cable_event(struct world *w, const struct event *ev)
{
	struct cable *c = cable_get(w, ev->a);
	if (ev->kind == EV_CABLE_OPENED)
		on_opened(w, ev);
	else if (c && ev->kind == EV_CABLE_UP)
		on_up(w, c);
	else if (c)
		on_down(w, c);
}
