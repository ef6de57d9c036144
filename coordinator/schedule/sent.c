#include "coordinator/schedule/sent.h"
#include "coordinator/schedule/action.h"
#include "coordinator/schedule/run.h"
#include "coordinator/schedule/slice.h"

enum { CHUNK_MAX = 65536, CHUNK_FIRST_MIN = 64, CHUNK_S = 10, RATE_MS_MIN = 100 };

void sent_count(struct run *r, uint64_t now_ms, uint32_t samples)
{
	uint64_t elapsed_ms = now_ms - r->rate_from_ms;
	if (r->rate_count == 0) {
		r->rate_from_ms = now_ms;
	} else if (elapsed_ms >= RATE_MS_MIN) {
		double seen = (double)r->rate_count * 1000 / (double)elapsed_ms;
		r->rate = seen < r->rate ? (r->rate + seen) / 2 : seen;
		r->rate_count = 0;
		r->rate_from_ms = now_ms;
	}
	r->rate_count += samples;
}

static uint64_t chunk_of(const struct schedule *s, const struct run *r)
{
	double rate = r->rate;
	if (rate == 0 && r->rate_count > 0) /* the first moments */
		rate = (double)r->rate_count * 1000 /
		       (double)MAX_OF(s->now_ms - r->rate_from_ms, (uint64_t)RATE_MS_MIN);
	uint64_t chunk = (uint64_t)(rate * CHUNK_S);
	if (rate == 0)
		chunk = MAX_OF(2 * slice_hunger(s, r->route), (uint64_t)CHUNK_FIRST_MIN);
	chunk = MIN_OF(chunk, (uint64_t)CHUNK_MAX);
	return MAX_OF(chunk, 1);
}

void sent_refresh(struct schedule *s, struct run *r, struct sched_actions *out)
{
	if (r->state != SCHED_STATE_RUNNING || r->sent_asked > r->sent_to || r->sent_to >= r->positions.total)
		return;
	uint64_t chunk = chunk_of(s, r);
	uint64_t left = r->sent_to > r->main.at ? r->sent_to - r->main.at : 0;
	if (left > chunk / 2)
		return;
	r->sent_asked = r->positions.total - r->sent_to > chunk ? r->sent_to + chunk : r->positions.total;
	struct sched_action *a = action_add(out, SCHED_DO_SENT_TO);
	a->sent_to.run_id = r->run_id;
	a->sent_to.position = r->sent_asked;
}

void sent_durable(struct schedule *s, uint64_t run_id, uint64_t position)
{
	struct run *r = run_find(s, run_id);
	if (!r || position <= r->sent_to || position > r->positions.total)
		return;
	r->sent_to = position;
	r->sent_asked = MAX_OF(r->sent_asked, position);
	run_touch(s, r);
}
