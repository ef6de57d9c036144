#include "coordinator/schedule/run_end.h"
#include "common/base/buf.h"
#include "common/base/check.h"
#include "coordinator/schedule/action.h"
#include "coordinator/schedule/items.h"
#include "coordinator/schedule/route.h"
#include "coordinator/schedule/run.h"
#include "coordinator/schedule/worker.h"

enum { NAMED_SAMPLES_MAX = 8, TEXT_BYTES_MAX = 2000 };

#define ULL(x) (unsigned long long)(x)

static void name_samples(const struct run *r, struct buf *text)
{
	uint64_t named = 0;
	for (uint64_t i = bits_next_set(&r->missing, 0); i < r->missing.len; i = bits_next_set(&r->missing, i + 1)) {
		if (named == NAMED_SAMPLES_MAX) {
			buf_printf(text, " and %llu more", ULL(r->missing.count - named));
			return;
		}
		buf_printf(text, named++ ? ", %llu" : " (items %llu", ULL(i % r->suite_items));
		if (r->epochs > 1)
			buf_printf(text, " epoch %llu", ULL(i / r->suite_items + 1));
	}
}

/* "3 of 2000 samples missing: 2 provider_error, 1 unscored (items 4, 17, 1999)" */
static void name_missing(const struct run *r, struct buf *text)
{
	if (r->missing.count == 0)
		return;
	buf_printf(text, "%llu of %llu samples missing:", ULL(r->missing.count), ULL(r->total));
	bool first = true;
	for (size_t i = 1; i <= OUTCOME_COUNT; i++) {
		size_t kind = i % OUTCOME_COUNT; /* what nobody knows comes last */
		if (r->missing_counts[kind] == 0)
			continue;
		buf_printf(text, "%s %llu %s", first ? "" : ",", ULL(r->missing_counts[kind]),
		           kind ? outcome_name((enum outcome)kind) : "of unknown cause");
		first = false;
	}
	name_samples(r, text);
	buf_append_c(text, ")");
}

static void end(struct schedule *s, struct run *r, enum sched_run_state state, struct buf *text,
                struct sched_actions *out)
{
	r->state = state;
	if (r->ready)
		s->ready_count--;
	r->ready = false;
	for (size_t i = 0; i < s->order_count; i++)
		if (s->order[i] == r->slot) {
			for (; i + 1 < s->order_count; i++)
				s->order[i] = s->order[i + 1];
			s->order_count--;
		}
	route_unbind(s, r);
	items_drop_all(r, out);
	worker_free_alone(s, r);
	struct sched_action *a = action_add(out, SCHED_DO_RUN_ENDED);
	a->ended.run_id = r->run_id;
	a->ended.state = state;
	a->ended.text = arena_str(&out->arena, buf_str(text));
	buf_done(text);
}

static void forget(struct schedule *s, struct run *r, struct sched_actions *out)
{
	check(r->leased == 0 && r->first_lease == NO_SLOT);
	action_add(out, SCHED_DO_RUN_FORGOTTEN)->run_id = r->run_id;
	worker_forget_context(s, r->slot);
	(void)map_remove_u64(&s->run_slots, r->run_id);
	s->runs[r->slot] = NULL;
	run_free(r);
}

void run_end_cancelled(struct schedule *s, struct run *r, struct sched_actions *out)
{
	for (uint32_t slot = r->first_lease; slot != NO_SLOT; slot = s->leases[slot]->run_next)
		worker_revoke(s, s->leases[slot], out);
	struct buf text;
	buf_init(&text, TEXT_BYTES_MAX);
	buf_printf(&text, "cancelled with %llu of %llu samples done", ULL(r->done.count - r->unselected),
	           ULL(r->total));
	if (r->missing.count)
		buf_append_c(&text, "; ");
	name_missing(r, &text);
	end(s, r, SCHED_STATE_CANCELLED, &text, out);
}

static void end_done(struct schedule *s, struct run *r, struct sched_actions *out)
{
	struct buf text;
	buf_init(&text, TEXT_BYTES_MAX);
	name_missing(r, &text);
	bool over = (double)r->missing.count > r->caps.missing_share_max * (double)r->total &&
	            (r->missing.count > 0 || r->caps.missing_share_max >= 0);
	if (over)
		buf_printf(&text, "; more than the %.3g %% that may be missing",
		           100 * (r->caps.missing_share_max > 0 ? r->caps.missing_share_max : 0));
	end(s, r, over ? SCHED_STATE_INCOMPLETE : SCHED_STATE_DONE, &text, out);
}

static void end_blocked(struct schedule *s, struct run *r, struct sched_actions *out)
{
	const struct route *route = s->routes[r->route];
	struct buf text;
	buf_init(&text, TEXT_BYTES_MAX);
	buf_printf(&text, "%.*s; %llu of %llu samples not run", STR_ARG(route->blocked_text), ULL(run_pending(r)),
	           ULL(r->total));
	if (r->missing.count)
		buf_append_c(&text, "; ");
	name_missing(r, &text);
	end(s, r, SCHED_STATE_INCOMPLETE, &text, out);
}

void run_end_check(struct schedule *s, struct run *r, struct sched_actions *out)
{
	if (r->state == SCHED_STATE_RUNNING) {
		if (r->done.count == r->done.len)
			end_done(s, r, out);
		else if (r->out.count == 0 && r->route != NO_SLOT && s->routes[r->route]->blocked)
			end_blocked(s, r, out);
	}
	if (r->state != SCHED_STATE_RUNNING && r->out.count == 0)
		forget(s, r, out);
}
