#include "coordinator/main/loader.h"
#include "common/base/bits.h"
#include "common/base/json.h"
#include "common/base/map.h"
#include "common/base/mem.h"
#include "common/io/log.h"
#include "common/io/thread.h"
#include "coordinator/http/able.h"
#include "coordinator/store/items.h"
#include "coordinator/store/models.h"
#include "coordinator/store/rebuild.h"
#include "coordinator/store/runs.h"
#include <stdatomic.h>

enum {
	INBOX_CAPACITY = 1 << 14,
	AWAY_MS = 250,
	READ_BYTES_MAX = 64 << 20,
	REBUILD_BYTES_MAX = 1 << 30,
	ITEM_BYTES_MAX = 8 << 20,
};

enum request_kind { REQUEST_ITEMS, REQUEST_NEEDED, REQUEST_CHANGED, REQUEST_ROUTES };

struct request {
	enum request_kind kind;
	uint64_t run_id, from, to;
	enum control_change change;
	struct ring *reply;
};

struct known { /* what reading items of a run takes */
	int64_t suite_version_id;
	size_t layer_count; /* of its positions, as the core was told */
};

struct loader {
	struct loader_settings settings;
	struct store *store;
	struct ring *inbox;
	struct thread *thread;
	struct map runs;    /* run id -> struct known */
	struct ring *never; /* nothing is ever pushed: a way to wait */
	bool away;
};

/* True when the call should be made again; waits a moment. A stop ends it. */
static bool again(struct loader *l, enum err_code err, const struct error *e)
{
	if (err != ERR_CONNECT && err != ERR_AGAIN && err != ERR_TIMEOUT)
		return false;
	if (!l->away)
		log_warn("database away, waiting", log_error_text(e));
	l->away = true;
	void *nothing;
	(void)!ring_pop_wait(l->never, &nothing, 1, AWAY_MS); /* nothing comes: only time passes, or a stop */
	return !ring_is_closed(l->never);
}

static void here(struct loader *l)
{
	if (l->away)
		log_info("database answers");
	l->away = false;
}

static void push(struct loader *l, struct core_message *m)
{
	if (!core_push(l->settings.core, m))
		core_message_free(m);
}

/* ---- routes ---- */

static enum err_code route_of_model(const struct model_row *model, struct core_message *m, struct error *reterr)
{
	struct json_doc *doc;
	enum err_code err = json_parse(model->config, &doc, reterr);
	if (err != ERR_OK)
		return error_wrap(reterr, err, "model '%.*s'", STR_ARG(model->name));
	const struct json *root = json_root(doc), *host = json_get(root, "host");
	struct sched_route *r = arena_new(&m->arena, 1, sizeof(*r));
	struct str base_url = json_str_or(json_get(root, "base_url"), STR("https://api.openai.com"));
	bool hosted = json_kind(host) == JSON_OBJECT;
	*r = (struct sched_route){
		.route_id = (uint32_t)model->route_id,
		.name = arena_str(&m->arena, model->name),
		.provider = arena_str(&m->arena, json_str_or(json_get(root, "provider"), STR("openai"))),
		.alias = arena_str(&m->arena, json_str_or(json_get(root, "key"), STR(""))),
		.endpoint_host = hosted ? STR("") : arena_str(&m->arena, able_host(base_url)),
		.host_command = arena_str(&m->arena, json_str_or(json_get(host, "command"), STR(""))),
		.host_slots = (uint32_t)json_i64_or(json_get(host, "slots"), 1),
		.concurrency = (uint32_t)json_i64_or(json_pointer(root, STR("/limits/concurrency")), 0),
	};
	json_free(doc);
	m->ev.kind = SCHED_ROUTE;
	m->ev.route = r;
	return ERR_OK;
}

static enum err_code tell_route(struct loader *l, int32_t model_id, struct error *reterr)
{
	struct arena arena;
	struct model_row *model = NULL;
	arena_init(&arena, READ_BYTES_MAX);
	struct core_message *m = core_message_new(CORE_EVENT);
	enum err_code err = models_by_id(l->store, model_id, &arena, &model, reterr);
	if (err == ERR_OK && !model)
		err = error_set(reterr, ERR_NOT_FOUND, "model %d is not there", (int)model_id);
	if (err == ERR_OK)
		err = route_of_model(model, m, reterr);
	if (err == ERR_OK)
		push(l, m);
	else
		core_message_free(m);
	arena_done(&arena);
	return err;
}

static enum err_code tell_all_routes(struct loader *l, struct error *reterr)
{
	struct arena arena;
	struct model_row *models = NULL;
	size_t count = 0;
	arena_init(&arena, READ_BYTES_MAX);
	enum err_code err = models_list(l->store, STR(""), 100000, &arena, &models, &count, reterr);
	for (size_t i = 0; err == ERR_OK && i < count; i++)
		err = tell_route(l, models[i].model_id, reterr);
	arena_done(&arena);
	return err;
}

/* ---- runs ---- */

static struct str bits_text(struct arena *arena, const struct bits *b)
{
	if (b->count == 0)
		return (struct str){ 0 };
	uint8_t *bytes = arena_new(arena, bits_byte_len(b->len), 1);
	bits_to_bytes(b, bytes);
	return str_make(bytes, bits_byte_len(b->len));
}

static enum err_code read_progress(struct loader *l, const struct run_row *row, struct sched_run *run,
                                   struct arena *arena, struct error *reterr)
{
	struct bits done, missing;
	struct rebuild_attempts *tried = NULL;
	struct position_layer *layers = NULL;
	size_t count = 0, layer_count = 0;
	bits_init(&done, (uint64_t)row->item_count * row->epochs);
	bits_init(&missing, done.len);
	enum err_code err = rebuild_bits(l->store, row, &done, &missing, reterr);
	if (err == ERR_OK)
		err = rebuild_attempts(l->store, row, arena, &tried, &count, reterr);
	if (err == ERR_OK)
		err = rebuild_layers(l->store, row, arena, &layers, &layer_count, reterr);
	if (err == ERR_OK) {
		run->layers = layers;
		run->layer_count = layer_count;
		run->done = bits_text(arena, &done);
		run->missing = bits_text(arena, &missing);
		struct sched_tried *out = arena_new(arena, count ? count : 1, sizeof(*out));
		for (size_t i = 0; i < count; i++)
			out[i] = (struct sched_tried){ .sample_no = tried[i].sample_no,
				                       .attempts = tried[i].failed,
				                       .deaths = tried[i].deaths,
				                       .near_deaths = tried[i].died,
				                       .alone_deaths = tried[i].alone_deaths,
				                       .spent_ms = (uint32_t)MIN_OF(tried[i].spent_ms, UINT32_MAX) };
		run->tried = out;
		run->tried_count = count;
	}
	bits_done(&done);
	bits_done(&missing);
	return err;
}

static void push_cancel(struct loader *l, uint64_t run_id)
{
	struct core_message *m = core_message_new(CORE_EVENT);
	m->ev.kind = SCHED_RUN_CANCEL;
	m->ev.run_id = run_id;
	push(l, m);
}

static enum err_code admit(struct loader *l, const struct run_row *row, bool resumed, struct error *reterr)
{
	bool cancelled = false;
	enum err_code err = tell_route(l, row->model_id, reterr);
	if (err == ERR_OK)
		err = rebuild_cancelled(l->store, row, &cancelled, reterr);
	if (err != ERR_OK)
		return err;
	struct core_message *m = core_message_new(CORE_ADMIT);
	struct sched_run *run = arena_new(&m->arena, 1, sizeof(*run));
	*run = (struct sched_run){
		.run_id = row->run_id,
		.team_id = (uint64_t)row->team_id,
		.route_id = (uint32_t)row->route_id,
		.retry_wave = row->retry_wave,
		.scoring_no = row->scoring_no,
		.priority = row->priority,
		.created_no = row->run_id,
		.seed = row->seed,
		.suite_items = row->item_count,
		.epochs = row->epochs,
		.selected = arena_str(&m->arena, row->selection),
		.sent_to = row->sent_to,
		.resumed = resumed,
		.caps = { .attempts_max = row->attempts_max, .sample_ms_max = row->sample_time_ms },
		.context_bytes = (uint32_t)row->context.len,
	};
	err = read_progress(l, row, run, &m->arena, reterr);
	if (err != ERR_OK) {
		core_message_free(m);
		return err;
	}
	*(struct known *)map_put_u64(&l->runs, row->run_id, NULL) =
		(struct known){ row->suite_version_id, run->layer_count };
	m->ev.kind = SCHED_RUN_ADMIT;
	m->ev.run = run;
	m->context = arena_str(&m->arena, row->context);
	push(l, m);
	if (cancelled)
		push_cancel(l, row->run_id); /* nobody may have lived to do it */
	return ERR_OK;
}

static enum err_code admit_by_id(struct loader *l, uint64_t run_id, struct error *reterr)
{
	struct arena arena;
	struct run_row *row = NULL;
	arena_init(&arena, READ_BYTES_MAX);
	enum err_code err = runs_find(l->store, run_id, &arena, &row, reterr);
	if (err == ERR_OK && !row)
		err = error_set(reterr, ERR_NOT_FOUND, "run %llu is not there", (unsigned long long)run_id);
	if (err == ERR_OK)
		err = admit(l, row, row->sent_to > 0, reterr);
	arena_done(&arena);
	return err;
}

static void push_retry(struct loader *l, uint64_t run_id, uint32_t wave)
{
	struct core_message *m = core_message_new(CORE_EVENT);
	m->ev.kind = SCHED_RUN_RETRY;
	m->ev.retry.run_id = run_id;
	m->ev.retry.wave = wave;
	push(l, m);
}

static void push_extend(struct loader *l, uint64_t run_id, uint32_t epochs)
{
	struct core_message *m = core_message_new(CORE_EVENT);
	m->ev.kind = SCHED_RUN_EXTEND;
	m->ev.extend.run_id = run_id;
	m->ev.extend.epochs = epochs;
	push(l, m);
}

/* Every change that the core has not heard of, in the order in which they were made: positions are counted along them,
 * here and at the next start alike. */
static enum err_code tell_changes(struct loader *l, const struct run_row *row, struct arena *arena,
                                  struct error *reterr)
{
	struct position_layer *layers = NULL;
	size_t count = 0;
	enum err_code err = rebuild_layers(l->store, row, arena, &layers, &count, reterr);
	if (err != ERR_OK)
		return err;
	struct known *known = map_get_u64(&l->runs, row->run_id);
	for (size_t i = known ? known->layer_count : count; i < count; i++) {
		if (layers[i].wave > 0)
			push_retry(l, row->run_id, layers[i].wave);
		else
			push_extend(l, row->run_id,
			            (uint32_t)((layers[i].sample_from + layers[i].sample_count) / row->item_count));
	}
	if (known)
		known->layer_count = MAX_OF(known->layer_count, count);
	return ERR_OK;
}

static enum err_code change_run(struct loader *l, uint64_t run_id, enum control_change change, struct error *reterr)
{
	struct arena arena;
	struct run_row *row = NULL;
	if (change == CONTROL_ADMIT)
		return admit_by_id(l, run_id, reterr);
	arena_init(&arena, READ_BYTES_MAX);
	enum err_code err = runs_find(l->store, run_id, &arena, &row, reterr);
	if (err == ERR_OK && row && change == CONTROL_CANCEL) {
		push_cancel(l, run_id);
	} else if (err == ERR_OK && row) {
		err = tell_changes(l, row, &arena, reterr);
		if (err == ERR_OK && change == CONTROL_RETRY)
			push_retry(
				l, run_id,
				row->retry_wave); /* a copy changes nothing; of a run that is over it is a question */
		else if (err == ERR_OK)
			push_extend(l, run_id, row->epochs);
	}
	arena_done(&arena);
	return err;
}

/* ---- items ---- */

static enum err_code load_items(struct loader *l, const struct request *r, struct error *reterr)
{
	const struct known *known = map_get_u64(&l->runs, r->run_id);
	struct core_message *m = core_message_new(CORE_ITEMS);
	struct item_row *rows = NULL;
	size_t count = 0;
	enum err_code err = ERR_NOT_FOUND;
	if (known)
		err = items_range(l->store, known->suite_version_id, (uint32_t)r->from, (uint32_t)(r->to - r->from),
		                  ITEM_BYTES_MAX, &m->arena, &rows, &count, reterr);
	else
		(void)error_set(reterr, err, "items of run %llu, which was never admitted",
		                (unsigned long long)r->run_id);
	if (err == ERR_OK && count == 0)
		err = error_set(reterr, ERR_NOT_FOUND, "run %llu: item %llu is not there",
		                (unsigned long long)r->run_id, (unsigned long long)r->from);
	if (err != ERR_OK) {
		core_message_free(m);
		return err;
	}
	struct str *items = arena_new(&m->arena, count, sizeof(*items));
	uint32_t *sizes = arena_new(&m->arena, count, sizeof(*sizes));
	for (size_t i = 0; i < count; i++) {
		items[i] = rows[i].content;
		sizes[i] = (uint32_t)rows[i].content.len;
	}
	m->items = items;
	m->ev.kind = SCHED_ITEMS_LOADED;
	m->ev.items.run_id = r->run_id;
	m->ev.items.from = r->from;
	m->ev.items.to = r->from + count;
	m->ev.items.sizes = sizes;
	push(l, m);
	return ERR_OK;
}

/* ---- the begin of a term ---- */

static enum err_code read_last_workers(struct loader *l, struct error *reterr)
{
	struct arena arena;
	struct rebuild_worker *workers = NULL;
	size_t count = 0;
	arena_init(&arena, READ_BYTES_MAX);
	enum err_code err = rebuild_workers(l->store, l->settings.term, &arena, &workers, &count, reterr);
	if (err == ERR_OK) {
		struct core_message *m = core_message_new(CORE_EVENT);
		struct outbox_id *outboxes = arena_new(&m->arena, count ? count : 1, sizeof(*outboxes));
		for (size_t i = 0; i < count; i++)
			outboxes[i] = workers[i].outbox;
		m->ev.kind = SCHED_LAST_WORKERS;
		m->ev.last_workers.outboxes = outboxes;
		m->ev.last_workers.count = count;
		push(l, m);
	}
	arena_done(&arena);
	return err;
}

static enum err_code read_unfinished(struct loader *l, struct error *reterr)
{
	struct arena arena;
	struct run_row *rows = NULL;
	size_t count = 0;
	arena_init(&arena, REBUILD_BYTES_MAX);
	enum err_code err = rebuild_runs(l->store, &arena, &rows, &count, reterr);
	for (size_t i = 0; err == ERR_OK && i < count; i++)
		err = admit(l, &rows[i], rows[i].sent_to > 0, reterr);
	arena_done(&arena);
	if (err == ERR_OK)
		log_info("unfinished runs read", log_u64("runs", count));
	return err;
}

/* Each step again until it is done: a run that was admitted twice is admitted once, the schedule sees to that. */
static bool begin_term(struct loader *l)
{
	static enum err_code (*const steps[])(struct loader *, struct error *) = { read_last_workers, tell_all_routes,
		                                                                   read_unfinished };
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		struct error e;
		enum err_code err;
		while ((err = steps[i](l, &e)) != ERR_OK)
			if (!again(l, err, &e)) {
				if (!ring_is_closed(l->never))
					log_error("cannot begin the term", log_error_text(&e));
				return false;
			}
		here(l);
	}
	l->settings.ready(l->settings.arg);
	return true;
}

/* ---- the loop ---- */

static void answer(struct loader *l, const struct request *r, enum err_code err, const struct error *e)
{
	if (!r->reply)
		return;
	struct core_message *m = core_message_new(CORE_SAID);
	m->err = err;
	if (err != ERR_OK)
		m->error = *e;
	m->reply = r->reply;
	push(l, m);
}

static void serve(struct loader *l, const struct request *r)
{
	struct error e = { 0 };
	enum err_code err;
	do
		switch (r->kind) {
		case REQUEST_ITEMS:
			err = load_items(l, r, &e);
			break;
		case REQUEST_NEEDED:
			err = admit_by_id(l, r->run_id, &e);
			break;
		case REQUEST_CHANGED:
			err = change_run(l, r->run_id, r->change, &e);
			break;
		case REQUEST_ROUTES:
		default:
			err = tell_all_routes(l, &e);
			break;
		}
	while (err != ERR_OK && again(l, err, &e));
	if (err != ERR_OK && !r->reply)
		log_error("cannot read", log_u64("run", r->run_id), log_error_text(&e));
	if (err == ERR_OK)
		here(l);
	answer(l, r, err, &e);
}

static void run(void *arg)
{
	struct loader *l = arg;
	if (!begin_term(l))
		return;
	while (!ring_is_closed(l->inbox)) {
		void *requests[64];
		size_t n = ring_pop_wait(l->inbox, requests, ARRAY_LEN(requests), -1);
		for (size_t i = 0; i < n; i++) {
			serve(l, requests[i]);
			mem_free(requests[i]);
		}
	}
}

static bool add(struct loader *l, struct request r)
{
	struct request *copy = mem_new(1, sizeof(*copy));
	*copy = r;
	if (ring_try_push(l->inbox, copy))
		return true;
	mem_free(copy);
	return false;
}

bool loader_items(struct loader *l, uint64_t run_id, uint64_t from, uint64_t to)
{
	return add(l, (struct request){ .kind = REQUEST_ITEMS, .run_id = run_id, .from = from, .to = to });
}

bool loader_run_needed(struct loader *l, uint64_t run_id)
{
	return add(l, (struct request){ .kind = REQUEST_NEEDED, .run_id = run_id });
}

bool loader_run_changed(struct loader *l, uint64_t run_id, enum control_change change, struct ring *reply)
{
	return add(l, (struct request){ .kind = REQUEST_CHANGED, .run_id = run_id, .change = change, .reply = reply });
}

bool loader_routes_changed(struct loader *l, struct ring *reply)
{
	return add(l, (struct request){ .kind = REQUEST_ROUTES, .reply = reply });
}

enum err_code loader_start(const struct loader_settings *settings, struct loader **ret_loader, struct error *reterr)
{
	struct loader *l = mem_new(1, sizeof(*l));
	l->settings = *settings;
	map_init(&l->runs, sizeof(struct known));
	enum err_code err = ring_new(INBOX_CAPACITY, &l->inbox, reterr);
	if (err == ERR_OK)
		err = ring_new(1, &l->never, reterr);
	if (err == ERR_OK)
		err = store_open(&settings->store, STORE_READER, 0, &l->store, reterr);
	if (err == ERR_OK)
		err = thread_start(&l->thread, "loader", run, l, reterr);
	if (err != ERR_OK) {
		loader_stop(l);
		return err;
	}
	*ret_loader = l;
	return ERR_OK;
}

void loader_stop(struct loader *l)
{
	if (!l)
		return;
	if (l->never)
		ring_close(l->never);
	if (l->inbox)
		ring_close(l->inbox);
	thread_join(l->thread);
	void *left[64];
	size_t n;
	while (l->inbox && (n = ring_pop_all(l->inbox, left, ARRAY_LEN(left))) > 0)
		for (size_t i = 0; i < n; i++)
			mem_free(left[i]);
	store_close(l->store);
	ring_free(l->inbox);
	ring_free(l->never);
	map_done(&l->runs);
	mem_free(l);
}
