/* The words for states, waits, events and actions: in JSON, metrics, logs and test traces. */
#include "coordinator/schedule/schedule.h"

// clang-format off
static const char *const wait_names[WAIT_COUNT] = {
	[WAIT_NOTHING] = "nothing",             [WAIT_IN_FLIGHT] = "in_flight",
	[WAIT_STORE] = "store",                 [WAIT_ITEMS] = "items",
	[WAIT_SENT_TO] = "sent_to",             [WAIT_PERHAPS_HELD] = "perhaps_held",
	[WAIT_NO_WORKER] = "no_worker",         [WAIT_NO_PROVIDER] = "no_provider",
	[WAIT_NO_ALIAS] = "no_alias",           [WAIT_NO_ADDRESS] = "no_address",
	[WAIT_NO_HOST] = "no_host",             [WAIT_ROUTE_PAUSED] = "route_paused",
	[WAIT_ROUTE_BLOCKED] = "route_blocked", [WAIT_NO_SLICE] = "no_slice",
	[WAIT_NO_CREDIT] = "no_credit",         [WAIT_DRAINING] = "draining",
	[WAIT_NO_ROUTE] = "no_route",           [WAIT_HOST_STARTS] = "host_starts",           [WAIT_WORKER_DISK] = "worker_disk",
};
static const char *const state_names[] = {
	[SCHED_STATE_RUNNING] = "running",         [SCHED_STATE_DONE] = "done",
	[SCHED_STATE_INCOMPLETE] = "incomplete",   [SCHED_STATE_CANCELLED] = "cancelled",
	[SCHED_STATE_OVER_BUDGET] = "over_budget",
};
static const char *const event_names[SCHED_EVENT_COUNT] = {
	[SCHED_TICK] = "tick",                     [SCHED_LAST_WORKERS] = "last_workers",
	[SCHED_ROUTE] = "route",                   [SCHED_ROUTE_CLEAR] = "route_clear",
	[SCHED_RUN_ADMIT] = "run_admit",           [SCHED_RUN_CANCEL] = "run_cancel",
	[SCHED_RUN_RETRY] = "run_retry",           [SCHED_RUN_EXTEND] = "run_extend",
	[SCHED_SENT_TO] = "sent_to",               [SCHED_ITEMS_LOADED] = "items_loaded",
	[SCHED_WORKER_KNOWN] = "worker_known",
	[SCHED_WORKER_JOINED] = "worker_joined",   [SCHED_WORKER_RENEWED] = "worker_renewed",
	[SCHED_WORKER_RELEASED] = "worker_released", [SCHED_WORKER_GONE] = "worker_gone",
	[SCHED_WORKER_DRAIN] = "worker_drain",     [SCHED_COMMITTED] = "committed",
	[SCHED_LEADS] = "leads",
	[SCHED_DRAIN] = "drain",
};
static const char *const action_names[SCHED_ACTION_COUNT] = {
	[SCHED_DO_WELCOME] = "welcome",         [SCHED_DO_RENEWED] = "renewed",
	[SCHED_DO_CLOSE] = "close",             [SCHED_DO_LEASE] = "lease",
	[SCHED_DO_RELEASE] = "release",         [SCHED_DO_REVOKE] = "revoke",
	[SCHED_DO_GRANT] = "grant",             [SCHED_DO_DRAIN] = "drain",
	[SCHED_DO_LOAD_ITEMS] = "load_items",   [SCHED_DO_DROP_ITEMS] = "drop_items",
	[SCHED_DO_SENT_TO] = "sent_to",         [SCHED_DO_OUTCOME] = "outcome",
	[SCHED_DO_ATTEMPTS] = "attempts",       [SCHED_DO_LOST_CLOSED] = "lost_closed",
	[SCHED_DO_RUN_ENDED] = "run_ended",     [SCHED_DO_RUN_NEEDED] = "run_needed",
	[SCHED_DO_RUN_FORGOTTEN] = "run_forgotten",
};
// clang-format on

static const char *name_in(const char *const *names, size_t count, size_t i)
{
	return i < count && names[i] ? names[i] : "?";
}

const char *sched_wait_name(enum sched_wait w)
{
	return name_in(wait_names, WAIT_COUNT, (size_t)w);
}

const char *sched_run_state_name(enum sched_run_state s)
{
	return name_in(state_names, ARRAY_LEN(state_names), (size_t)s);
}

const char *sched_event_name(enum sched_event_kind k)
{
	return name_in(event_names, SCHED_EVENT_COUNT, (size_t)k);
}

const char *sched_action_name(enum sched_action_kind k)
{
	return name_in(action_names, SCHED_ACTION_COUNT, (size_t)k);
}
