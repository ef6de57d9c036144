#include "worker/link/link_metrics.h"
#include "common/base/check.h"
#include "common/base/mem.h"

enum gauge { GAUGE_CONNECTED, GAUGE_DRAINING, GAUGE_WRITABLE, GAUGE_RECORDS, GAUGE_BYTES, GAUGE_LAG, GAUGE_COUNT };
enum state { STATE_UNSTARTED, STATE_ASKING, STATE_WAITING, STATE_SCORING, STATE_REPORTED, STATE_COUNT };
enum count { COUNT_STARTED, COUNT_COMMITTED, COUNT_RELEASED, COUNT_BAD_FRAMES, COUNT_COUNT };

struct link_metrics {
	struct metrics_series *gauges[GAUGE_COUNT], *states[STATE_COUNT], *counts[COUNT_COUNT], *asks[CLASS_COUNT];
	struct metrics_series *durations;
	uint64_t counted[COUNT_COUNT];
};

static const struct metrics_spec gauge_specs[GAUGE_COUNT] = {
	[GAUGE_CONNECTED] = { .kind = METRICS_GAUGE,
	                      .name = "assay_worker_connected",
	                      .help = "1 while a coordinator has welcomed this worker" },
	[GAUGE_DRAINING] = { .kind = METRICS_GAUGE,
	                     .name = "assay_worker_draining",
	                     .help = "1 when it takes no work" },
	[GAUGE_WRITABLE] = { .kind = METRICS_GAUGE,
	                     .name = "assay_worker_outbox_writable",
	                     .help = "0 while its disk fails or is full: no work is taken" },
	[GAUGE_RECORDS] = { .kind = METRICS_GAUGE,
	                    .name = "assay_worker_uncommitted_records",
	                    .help = "Records that are not known to be in the database" },
	[GAUGE_BYTES] = { .kind = METRICS_GAUGE,
	                  .name = "assay_worker_uncommitted_bytes",
	                  .help = "Of these, the bytes in memory" },
	[GAUGE_LAG] = { .kind = METRICS_GAUGE,
	                .name = "assay_worker_loop_lag_seconds",
	                .help = "How late its loop last came out of its sleep" },
};

static const struct metrics_spec count_specs[COUNT_COUNT] = {
	[COUNT_STARTED] = { .name = "assay_worker_starts_total", .help = "Slots given to samples" },
	[COUNT_COMMITTED] = { .name = "assay_worker_committed_records_total", .help = "Records in the database" },
	[COUNT_RELEASED] = { .name = "assay_worker_released_samples_total", .help = "Samples given back" },
	[COUNT_BAD_FRAMES] = { .name = "assay_worker_bad_frames_total",
	                       .help = "Frames of a coordinator that did not belong" },
};

static const char *const state_names[STATE_COUNT] = { "unstarted", "asking", "waiting", "scoring", "reported" };

struct link_metrics *link_metrics_new(struct metrics *reg)
{
	static const struct metrics_spec states = { .kind = METRICS_GAUGE,
		                                    .name = "assay_worker_samples",
		                                    .help = "Samples that it holds",
		                                    .labels = { "state" } },
					 asks = { .name = "assay_worker_asks_total",
		                                  .help = "Asks that ended, by error class; none: answered",
		                                  .labels = { "class" } };
	static const double bounds[] = { 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300 };
	static const struct metrics_spec durations = { .kind = METRICS_HISTOGRAM,
		                                       .name = "assay_worker_ask_duration_seconds",
		                                       .help = "From the start of a call to its end",
		                                       .scale = 1e-3,
		                                       .bounds = bounds,
		                                       .bound_count = ARRAY_LEN(bounds) };
	if (!reg)
		return NULL;
	struct link_metrics *m = mem_new(1, sizeof(*m));
	for (size_t i = 0; i < GAUGE_COUNT; i++)
		m->gauges[i] = metrics_one(reg, &gauge_specs[i]);
	m->durations = metrics_one(reg, &durations);
	for (size_t i = 0; i < COUNT_COUNT; i++)
		m->counts[i] = metrics_one(reg, &count_specs[i]);
	struct metrics_family *state_family = metrics_family(reg, &states), *ask_family = metrics_family(reg, &asks);
	for (size_t i = 0; i < STATE_COUNT; i++) {
		struct str label = str_from(state_names[i]);
		m->states[i] = metrics_series(state_family, &label);
	}
	for (size_t i = 0; i < CLASS_COUNT; i++) {
		struct str label = str_from(error_class_name((enum error_class)i));
		m->asks[i] = metrics_series(ask_family, &label);
	}
	return m;
}

void link_metrics_free(struct link_metrics *m)
{
	mem_free(m);
}

void link_metrics_show(struct link_metrics *m, const struct agent_status *s, const struct agent_vitals *v)
{
	if (!m)
		return;
	const double gauges[GAUGE_COUNT] = {
		[GAUGE_CONNECTED] = s->connected,        [GAUGE_DRAINING] = s->draining,
		[GAUGE_WRITABLE] = s->outbox_writable,   [GAUGE_RECORDS] = (double)(s->records + s->unloaded),
		[GAUGE_BYTES] = (double)s->record_bytes, [GAUGE_LAG] = v->loop_lag_ms / 1000.0,
	};
	const uint64_t states[STATE_COUNT] = { s->unstarted, s->asking, s->waiting, s->scoring, s->reported };
	const uint64_t counts[COUNT_COUNT] = { [COUNT_STARTED] = s->started_count,
		                               [COUNT_COMMITTED] = s->committed_count,
		                               [COUNT_RELEASED] = s->released_count,
		                               [COUNT_BAD_FRAMES] = s->bad_frame_count };
	for (size_t i = 0; i < GAUGE_COUNT; i++)
		metrics_set(m->gauges[i], gauges[i]);
	for (size_t i = 0; i < STATE_COUNT; i++)
		metrics_set(m->states[i], (double)states[i]);
	for (size_t i = 0; i < COUNT_COUNT; i++) {
		metrics_add(m->counts[i], counts[i] - m->counted[i]);
		m->counted[i] = counts[i];
	}
}

void link_metrics_ask_ended(struct link_metrics *m, enum error_class class, uint32_t elapsed_ms)
{
	if (!m)
		return;
	check((size_t) class < CLASS_COUNT);
	metrics_add(m->asks[class], 1);
	if (elapsed_ms > 0)
		metrics_observe(m->durations, elapsed_ms);
}
