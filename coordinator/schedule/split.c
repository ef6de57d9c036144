#include "common/base/check.h"
#include "coordinator/schedule/action.h"
#include "coordinator/schedule/route.h"
#include "coordinator/schedule/slice.h"

enum {
	SHRINK_PART = 8,     /* shares move by an eighth or more: what they need changes all the time */
	SPLIT_EVERY_MS = 20, /* a large fleet that comes back is split a few times, not once for each worker */
	FLEET_LARGE = 64,
	CARE_EVERY_MS = 1000,
};

struct share {
	struct worker *w;
	struct slice *slice;
	uint32_t target;
	uint32_t bound[3]; /* one if it holds anything, what it holds and wants, all its slots */
};

static uint32_t need_of(const struct worker *w, const struct slice *sl)
{
	if (!w->renewed || !sl->listed)
		return w->renewed && w->limit == 0 ? 0 : w->slots;
	uint64_t need = sl->out + sl->wanted;
	return need < w->slots ? (uint32_t)need : w->slots;
}

/* Those who can work on the route, by worker slot. */
static size_t shares_of(const struct schedule *s, uint32_t route, struct share *shares)
{
	size_t n = 0;
	for (size_t i = 0; i < s->worker_slots_used; i++) {
		struct worker *w = s->workers[i];
		if (!w->used || !w->connected || w->expired || w->draining)
			continue;
		struct slice *sl = slice_of(s, w, route);
		if (sl->unable || sl->refused_work)
			continue;
		struct share *share = &shares[n++];
		*share = (struct share){ .w = w, .slice = sl };
		bool for_suspect = w->alone && w->alone_run != NO_SLOT && s->runs[w->alone_run]->route == route;
		share->bound[0] = sl->out > 0 || for_suspect;
		share->bound[1] = MAX_OF(need_of(w, sl), share->bound[0]);
		share->bound[2] = w->slots;
	}
	return n;
}

static uint64_t filled(const struct share *shares, size_t n, uint32_t level, int stage)
{
	uint64_t sum = 0;
	for (size_t i = 0; i < n; i++) {
		uint32_t bound = shares[i].bound[stage];
		sum += MAX_OF(shares[i].target, MIN_OF(bound, level));
	}
	return sum;
}

/* The highest level up to which everybody can be served; what is left over goes out one by one, first to those who
 * have that much already. Raises targets, never beyond `room` together. */
static void fill(struct share *shares, size_t n, uint64_t room, int stage)
{
	uint32_t low = 0, high = UINT32_MAX - 1;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2 + 1;
		if (filled(shares, n, middle, stage) <= room)
			low = middle;
		else
			high = middle - 1;
	}
	if (filled(shares, n, low, stage) > room)
		return;
	uint64_t used = 0;
	for (size_t i = 0; i < n; i++) {
		uint32_t bound = shares[i].bound[stage];
		shares[i].target = MAX_OF(shares[i].target, MIN_OF(bound, low));
		used += shares[i].target;
	}
	for (int round = 0; round < 2; round++)
		for (size_t i = 0; i < n && used < room; i++) {
			uint32_t bound = shares[i].bound[stage];
			if (shares[i].target >= bound || (round == 0 && shares[i].slice->told <= shares[i].target))
				continue;
			shares[i].target++;
			used++;
		}
}

static uint64_t reserved(const struct schedule *s, uint32_t route)
{
	uint64_t sum = 0;
	for (size_t i = 0; i < s->worker_slots_used; i++)
		if (s->workers[i]->used)
			sum += slice_of(s, s->workers[i], route)->reserve;
	return sum;
}

static uint32_t surplus(const struct share *share)
{
	return share->slice->told > share->target ? share->slice->told - share->target : 0;
}

/* Slots that those who have much too few lack, beyond those that nobody has or that are being given back. */
static uint64_t lacking(const struct schedule *s, uint32_t route, const struct share *shares, size_t n)
{
	uint64_t lack = 0, taken = reserved(s, route), concurrency = s->routes[route]->concurrency;
	for (size_t i = 0; i < n; i++) {
		const struct slice *sl = shares[i].slice;
		uint32_t more = shares[i].target > sl->told ? shares[i].target - sl->told : 0;
		taken -= sl->reserve - sl->told;
		lack += more > sl->told / SHRINK_PART ? more : 0;
	}
	uint64_t free = concurrency > taken ? concurrency - taken : 0;
	return lack > free ? lack - free : 0;
}

static void shrink(struct schedule *s, uint32_t route, struct share *shares, size_t n, bool limited,
                   struct sched_actions *out)
{
	for (size_t i = 0; i < n; i++) {
		uint32_t less = surplus(&shares[i]);
		if (less > 0 && (less > shares[i].slice->told / SHRINK_PART || shares[i].target == 0))
			slice_grant(s, shares[i].w, route, shares[i].target, out);
	}
	uint64_t lack = limited ? lacking(s, route, shares, n) : 0;
	for (size_t i = 0; i < n && lack > 0; i++) {
		uint32_t less = (uint32_t)MIN_OF(lack, (uint64_t)surplus(&shares[i]));
		if (less > 0)
			slice_grant(s, shares[i].w, route, shares[i].slice->told - less, out);
		lack -= less;
	}
}

static void apply(struct schedule *s, uint32_t route, struct share *shares, size_t n, struct sched_actions *out)
{
	const struct route *r = s->routes[route];
	bool limited = r->concurrency > 0 && r->host_command.len == 0;
	shrink(s, route, shares, n, limited, out);
	uint64_t used = reserved(s, route);
	uint64_t room = !limited ? UINT64_MAX : used < r->concurrency ? r->concurrency - used : 0;
	bool over = limited && (used > r->concurrency || /* workers that came back, or of the last term, use more */
	                        (s->last_workers.len > 0 && s->now_ms < s->old_slices_until_ms));
	for (size_t i = 0; i < n && !over; i++) {
		struct slice *sl = shares[i].slice;
		if (shares[i].target <= sl->told)
			continue;
		uint64_t most = sl->reserve + MIN_OF(room, (uint64_t)UINT32_MAX - sl->reserve);
		uint32_t slots = (uint32_t)MIN_OF(most, shares[i].target);
		if (slots <= sl->told)
			continue;
		if (slots > sl->reserve)
			room -= limited ? slots - sl->reserve : 0;
		slice_grant(s, shares[i].w, route, slots, out);
	}
	for (size_t i = 0; i < n; i++)
		if (!shares[i].slice->granted) /* it may remember more from another session */
			slice_grant(s, shares[i].w, route, shares[i].slice->told, out);
}

static void split(struct schedule *s, uint32_t route, struct sched_actions *out)
{
	struct route *r = s->routes[route];
	r->split_due = false;
	r->split_next_ms = s->now_ms + (s->worker_count > FLEET_LARGE ? SPLIT_EVERY_MS : 0);
	r->care_next_ms = s->now_ms + CARE_EVERY_MS;
	if (r->run_count == 0 || s->worker_count == 0)
		return;
	struct share *shares = arena_new(&out->arena, s->worker_count, sizeof(*shares));
	size_t n = shares_of(s, route, shares);
	check(n <= s->worker_count);
	if (r->host_command.len) {
		for (size_t i = 0; i < n; i++)
			shares[i].target = MIN_OF(route_host_slots(r, shares[i].w->able), shares[i].bound[2]);
	} else if (r->concurrency == 0) {
		for (size_t i = 0; i < n; i++)
			shares[i].target = shares[i].bound[2];
	} else {
		for (int stage = 0; stage < 3; stage++)
			fill(shares, n, r->concurrency, stage);
	}
	apply(s, route, shares, n, out);
}

void slice_split_due(struct schedule *s, struct sched_actions *out)
{
	for (uint32_t i = 0; i < s->route_count; i++)
		if (s->routes[i]->split_due && s->now_ms >= s->routes[i]->split_next_ms)
			split(s, i, out);
}

void slice_all_due(struct schedule *s)
{
	for (uint32_t i = 0; i < s->route_count; i++)
		s->routes[i]->split_due = true;
}

void slice_care(struct schedule *s, uint32_t route)
{
	const struct route *r = s->routes[route];
	if (r->concurrency == 0 || r->host_command.len || s->now_ms < r->care_next_ms)
		return;
	bool starves = false;
	for (size_t i = 0; i < s->worker_slots_used && !starves; i++) {
		struct worker *w = s->workers[i];
		if (!w->used || !w->connected || w->expired || w->draining)
			continue;
		const struct slice *sl = slice_of(s, w, route);
		starves = !sl->unable && !sl->refused_work && need_of(w, sl) > sl->told;
	}
	if (starves)
		s->routes[route]->split_due = true;
}
