#include "tests/unit/schedule/trace.h"
#include "common/base/bits.h"
#include "common/base/check.h"
#include "tests/support/cmocka_all.h"
#include <stdio.h>

enum { TRACE_BYTES_MAX = 1 << 20 };

#define ULL(x) (unsigned long long)(x)

static struct toy *toy_of(struct trace *t, uint32_t worker)
{
	return &t->toys[worker % TOYS];
}

static struct outbox_id outbox_of(uint32_t n)
{
	struct outbox_id id = { { 0 } };
	id.bytes[0] = (uint8_t)n;
	return id;
}

void trace_begin(struct trace *t, uint64_t term)
{
	*t = (struct trace){ .term = term, .easy = true, .item_bytes = 100 };
	t->s = schedule_new(&(struct sched_config){ .term = term, .seed = 1 });
	sched_actions_init(&t->out);
	buf_init(&t->text, TRACE_BYTES_MAX);
}

void trace_end(struct trace *t)
{
	schedule_free(t->s);
	sched_actions_done(&t->out);
	buf_done(&t->text);
}

void trace_is(struct trace *t, const char *want, const char *file, int line)
{
	if (!str_eq_c(buf_str(&t->text), want)) {
		print_error("the trace is\n%.*s\nbut should be\n%s\n", STR_ARG(buf_str(&t->text)), want);
		_fail(file, line);
	}
	buf_clear(&t->text);
}

/* ---- actions as text ---- */

static void write_samples(struct buf *b, const uint64_t *sample_nos, size_t count)
{
	for (size_t i = 0; i < count;) {
		size_t from = i;
		while (i + 1 < count && sample_nos[i + 1] == sample_nos[i] + 1)
			i++;
		buf_printf(b, from ? ",%llu" : " %llu", ULL(sample_nos[from]));
		if (i > from)
			buf_printf(b, "-%llu", ULL(sample_nos[i]));
		i++;
	}
}

static void write_refused(struct buf *b, const struct lease_no *refused, size_t count)
{
	for (size_t i = 0; i < count; i++)
		buf_printf(b, "%s%llu/%llu", i ? "," : " refused ", ULL(refused[i].term), ULL(refused[i].n));
}

static void write_lease(struct buf *b, const struct sched_action *a)
{
	buf_printf(b, " w%u f%llu %llu/%llu r%llu", a->lease.worker_id, ULL(a->lease.frame_no),
	           ULL(a->lease.number.term), ULL(a->lease.number.n), ULL(a->lease.run_id));
	write_samples(b, a->lease.sample_nos, a->lease.sample_count);
	if (a->lease.with_context)
		buf_append_c(b, " context");
	if (a->lease.alone)
		buf_append_c(b, " alone");
	if (a->lease.retry_no)
		buf_printf(b, " wave %u", a->lease.retry_no);
	for (uint32_t i = 0; a->lease.attempts_left && i < a->lease.sample_count; i++)
		buf_printf(b, i ? ",%u" : " attempts %u", a->lease.attempts_left[i]);
}

static void write_attempts(struct buf *b, const struct sched_action *a)
{
	buf_printf(b, " o%u", a->attempts.outbox.bytes[0]);
	for (size_t i = 0; i < a->attempts.count; i++) {
		const struct sched_unreported *u = &a->attempts.unreported[i];
		buf_printf(b, " r%llu:%llu%s%s%s", ULL(u->run_id), ULL(u->sample_no), u->started ? "*" : "",
		           u->alone ? "!" : "", u->error_class == CLASS_ABANDONED ? "~" : "");
	}
}

static void write_indexes(struct buf *b, const uint32_t *indexes, size_t count)
{
	for (size_t i = 0; i < count; i++)
		buf_printf(b, i ? ",%u" : " #%u", indexes[i]);
}

static void write_worker_action(struct buf *b, const struct sched_action *a)
{
	switch (a->kind) {
	case SCHED_DO_WELCOME:
		buf_printf(b, " w%u", a->welcome.worker_id);
		write_refused(b, a->welcome.refused, a->welcome.refused_count);
		for (size_t i = 0; i < a->welcome.verdict_count; i++)
			buf_printf(b, " %s", a->welcome.verdicts[i] == ANSWER_ADOPT ? "adopt" : "ship");
		return;
	case SCHED_DO_RENEWED:
		buf_printf(b, " w%u n%llu", a->renewed.worker_id, ULL(a->renewed.renew_no));
		write_refused(b, a->renewed.refused, a->renewed.refused_count);
		return;
	case SCHED_DO_CLOSE:
		buf_printf(b, " w%u", a->close.worker_id);
		return;
	case SCHED_DO_LEASE:
		write_lease(b, a);
		return;
	case SCHED_DO_RELEASE:
		buf_printf(b, " w%u f%llu %llu/%llu", a->release.worker_id, ULL(a->release.frame_no),
		           ULL(a->release.number.term), ULL(a->release.number.n));
		write_indexes(b, a->release.indexes, a->release.index_count);
		return;
	case SCHED_DO_REVOKE:
		buf_printf(b, " w%u f%llu %llu/%llu", a->revoke.worker_id, ULL(a->revoke.frame_no),
		           ULL(a->revoke.number.term), ULL(a->revoke.number.n));
		return;
	case SCHED_DO_GRANT:
		buf_printf(b, " w%u f%llu q%u %u", a->grant.worker_id, ULL(a->grant.frame_no), a->grant.route_id,
		           a->grant.slots);
		if (a->grant.pause_ms)
			buf_append_c(b, " pause");
		return;
	default:
		buf_printf(b, " w%u f%llu", a->drain.worker_id, ULL(a->drain.frame_no));
	}
}

static void write_action(struct trace *t, const struct sched_action *a)
{
	struct buf *b = &t->text;
	buf_printf(b, "%llu %s", ULL(t->now_ms), sched_action_name(a->kind));
	switch (a->kind) {
	case SCHED_DO_LOAD_ITEMS:
	case SCHED_DO_DROP_ITEMS:
		buf_printf(b, " r%llu %llu..%llu", ULL(a->items.run_id), ULL(a->items.from), ULL(a->items.to));
		break;
	case SCHED_DO_SENT_TO:
		buf_printf(b, " r%llu %llu", ULL(a->sent_to.run_id), ULL(a->sent_to.position));
		break;
	case SCHED_DO_OUTCOME:
		buf_printf(b, " r%llu:%llu %s %s '%.*s'", ULL(a->outcome.run_id), ULL(a->outcome.sample_no),
		           outcome_name(a->outcome.outcome), error_class_name(a->outcome.error_class),
		           STR_ARG(a->outcome.text));
		break;
	case SCHED_DO_ATTEMPTS:
		write_attempts(b, a);
		break;
	case SCHED_DO_LOST_CLOSED:
		buf_printf(b, " o%u", a->outbox.bytes[0]);
		break;
	case SCHED_DO_RUN_ENDED:
		buf_printf(b, " r%llu %s '%.*s'", ULL(a->ended.run_id), sched_run_state_name(a->ended.state),
		           STR_ARG(a->ended.text));
		break;
	case SCHED_DO_RUN_NEEDED:
	case SCHED_DO_RUN_FORGOTTEN:
		buf_printf(b, " r%llu", ULL(a->run_id));
		break;
	default:
		write_worker_action(b, a);
	}
	check(buf_append_char(b, '\n'));
}

/* ---- toys take what they are sent ---- */

static bool holds_any(const struct toy_lease *l)
{
	for (size_t k = 0; k < sizeof(l->held); k++)
		if (l->held[k])
			return true;
	return false;
}

static void toy_forget_empty(struct toy *w)
{
	size_t kept = 0;
	for (size_t i = 0; i < w->lease_count; i++)
		if (holds_any(&w->leases[i]))
			w->leases[kept++] = w->leases[i];
	w->lease_count = kept;
}

static void toy_take_lease(struct toy *w, const struct sched_action *a)
{
	if (w->lease_count == TOY_LEASES)
		toy_forget_empty(w);
	check(w->lease_count < TOY_LEASES && a->lease.sample_count <= TOY_SAMPLES);
	struct toy_lease *l = &w->leases[w->lease_count++];
	*l = (struct toy_lease){ .number = a->lease.number, .run_id = a->lease.run_id, .retry_no = a->lease.retry_no };
	l->count = a->lease.sample_count;
	for (uint32_t i = 0; i < l->count; i++) {
		l->sample_nos[i] = a->lease.sample_nos[i];
		bits_put(l->held, i);
	}
}

static void toy_take(struct trace *t, const struct sched_action *a)
{
	struct toy *w;
	switch (a->kind) {
	case SCHED_DO_LEASE:
		w = toy_of(t, a->lease.worker_id);
		if (w->deaf)
			return;
		w->frame_seen = a->lease.frame_no;
		toy_take_lease(w, a);
		return;
	case SCHED_DO_GRANT:
		w = toy_of(t, a->grant.worker_id);
		if (w->deaf)
			return;
		w->frame_seen = a->grant.frame_no;
		w->slots = a->grant.route_id == 1 ? a->grant.slots : w->slots;
		return;
	case SCHED_DO_RELEASE:
		toy_of(t, a->release.worker_id)->frame_seen = a->release.frame_no;
		return;
	case SCHED_DO_REVOKE:
		toy_of(t, a->revoke.worker_id)->frame_seen = a->revoke.frame_no;
		return;
	case SCHED_DO_DRAIN:
		toy_of(t, a->drain.worker_id)->frame_seen = a->drain.frame_no;
		return;
	default:
		return;
	}
}

static void easy_shell(struct trace *t, const struct sched_action *a)
{
	static uint32_t sizes[4096];
	if (a->kind == SCHED_DO_SENT_TO) {
		struct sched_event ev = { .kind = SCHED_SENT_TO };
		ev.sent_to.run_id = a->sent_to.run_id;
		ev.sent_to.position = a->sent_to.position;
		feed(t, ev);
	}
	if (a->kind == SCHED_DO_LOAD_ITEMS) {
		struct sched_event ev = { .kind = SCHED_ITEMS_LOADED };
		for (uint64_t i = a->items.from; i < a->items.to; i++)
			sizes[i - a->items.from] = t->item_bytes;
		ev.items.run_id = a->items.run_id;
		ev.items.from = a->items.from;
		ev.items.to = a->items.to;
		ev.items.sizes = sizes;
		feed(t, ev);
	}
}

static bool is_shells(enum sched_action_kind k)
{
	return k == SCHED_DO_LOAD_ITEMS || k == SCHED_DO_DROP_ITEMS || k == SCHED_DO_SENT_TO;
}

void feed(struct trace *t, struct sched_event ev)
{
	ev.now_ms = t->now_ms;
	sched_actions_clear(&t->out);
	schedule_step(t->s, &ev, &t->out);
	struct sched_action shell[64];
	size_t shell_count = 0;
	for (size_t i = 0; i < t->out.len; i++) {
		const struct sched_action *a = &t->out.items[i];
		toy_take(t, a);
		if (t->easy && is_shells(a->kind)) {
			check(shell_count < ARRAY_LEN(shell));
			shell[shell_count++] = *a;
		} else if (!t->quiet) {
			write_action(t, a);
		}
	}
	for (size_t i = 0; i < shell_count; i++)
		easy_shell(t, &shell[i]);
}

void tick(struct trace *t, uint64_t now_ms)
{
	t->now_ms = now_ms;
	feed(t, (struct sched_event){ .kind = SCHED_TICK });
}

void wait_until(struct trace *t, uint64_t now_ms)
{
	for (uint64_t next_ms; (next_ms = schedule_next_deadline_ms(t->s)) <= now_ms;)
		tick(t, next_ms > t->now_ms ? next_ms : t->now_ms);
	t->now_ms = now_ms;
}

/* ---- what tests say ---- */

void add_route(struct trace *t, uint32_t route_id, uint32_t concurrency)
{
	struct sched_route route = { .route_id = route_id,
		                     .concurrency = concurrency,
		                     .name = STR("smol"),
		                     .provider = STR("openai"),
		                     .alias = STR("k"),
		                     .endpoint_host = STR("api.test") };
	struct sched_event ev = { .kind = SCHED_ROUTE, .route = &route };
	feed(t, ev);
}

struct sched_run plain_run(uint64_t run_id, uint64_t items)
{
	return (struct sched_run){ .run_id = run_id,
		                   .route_id = 1,
		                   .suite_items = items,
		                   .epochs = 1,
		                   .created_no = run_id,
		                   .item_bytes_mean = 100 };
}

void admit(struct trace *t, struct sched_run run)
{
	feed(t, (struct sched_event){ .kind = SCHED_RUN_ADMIT, .run = &run });
}

struct msg_hello plain_hello(uint32_t outbox, uint32_t slots)
{
	static const struct str providers[] = { STR_INIT("openai") }, hosts[] = { STR_INIT("*") };
	static const struct msg_alias aliases[] = { { STR_INIT("k"), { { 0 } } } };
	return (struct msg_hello){ .version_min = 1,
		                   .version_max = 1,
		                   .session = 1,
		                   .outbox = outbox_of(outbox),
		                   .name = STR("toy"),
		                   .slots = slots,
		                   .providers = providers,
		                   .provider_count = 1,
		                   .aliases = aliases,
		                   .alias_count = 1,
		                   .allowed_hosts = hosts,
		                   .allowed_host_count = 1 };
}

static size_t list_held(struct toy *w, struct msg_held_lease *out, bool with_samples)
{
	size_t n = 0;
	for (size_t i = 0; i < w->lease_count; i++) {
		const struct toy_lease *l = &w->leases[i];
		if (!holds_any(l))
			continue;
		out[n++] = (struct msg_held_lease){ .number = l->number,
			                            .run_id = l->run_id,
			                            .retry_no = l->retry_no,
			                            .sample_nos = with_samples ? l->sample_nos : NULL,
			                            .sample_count = l->count,
			                            .held = str_make(l->held, sizeof(l->held)),
			                            .started = str_make(l->started, sizeof(l->started)) };
	}
	return n;
}

void join(struct trace *t, uint32_t worker, uint32_t outbox, uint32_t slots)
{
	struct toy *w = toy_of(t, worker);
	struct msg_held_lease held[TOY_LEASES];
	w->id = worker;
	w->outbox = outbox;
	w->frame_seen = w->renew_no = 0;
	w->slots = 0;
	w->deaf = false;
	struct msg_hello hello = plain_hello(outbox, slots);
	hello.leases = held;
	hello.lease_count = list_held(w, held, true);
	struct sched_event ev = { .kind = SCHED_WORKER_JOINED };
	ev.joined.worker_id = worker;
	ev.joined.hello = &hello;
	feed(t, ev);
}

void renew(struct trace *t, uint32_t worker, uint32_t wanted)
{
	struct toy *w = toy_of(t, worker);
	struct msg_held_lease held[TOY_LEASES];
	struct msg_route_use use = { .route_id = 1, .slots = w->slots, .in_flight = w->in_flight, .wanted = wanted };
	if (w->modest && w->slots == 0)
		use.wanted = 0;
	struct msg_renew m = { .renew_no = ++w->renew_no, .frame_seen = w->frame_seen, .wanted = wanted };
	m.outbox_fails = w->outbox_fails;
	m.routes = &use;
	m.route_count = 1;
	m.leases = held;
	m.lease_count = list_held(w, held, false);
	struct sched_event ev = { .kind = SCHED_WORKER_RENEWED };
	ev.renewed.worker_id = worker;
	ev.renewed.renew = &m;
	feed(t, ev);
}

void go(struct trace *t, uint32_t worker, bool orderly)
{
	struct sched_event ev = { .kind = SCHED_WORKER_GONE };
	ev.gone.worker_id = worker;
	ev.gone.orderly = orderly;
	feed(t, ev);
}

void restart(struct trace *t, uint32_t worker)
{
	toy_of(t, worker)->lease_count = 0;
	toy_of(t, worker)->in_flight = 0;
}

static struct toy_lease *find_sample(struct toy *w, uint64_t run_id, uint64_t sample_no, uint32_t *ret_index)
{
	for (size_t i = 0; i < w->lease_count; i++)
		for (uint32_t k = 0; k < w->leases[i].count; k++)
			if (w->leases[i].run_id == run_id && w->leases[i].sample_nos[k] == sample_no &&
			    bits_in(str_make(w->leases[i].held, sizeof(w->leases[i].held)), k)) {
				*ret_index = k;
				return &w->leases[i];
			}
	return NULL;
}

static void drop_sample(struct toy *w, uint64_t run_id, uint64_t sample_no)
{
	uint32_t k;
	struct toy_lease *l = find_sample(w, run_id, sample_no, &k);
	if (!l)
		return;
	l->held[k / 8] &= (uint8_t) ~(1u << (k % 8));
	l->started[k / 8] &= (uint8_t) ~(1u << (k % 8));
}

void start(struct trace *t, uint32_t worker, uint64_t run_id, uint64_t sample_no)
{
	uint32_t k;
	struct toy_lease *l = find_sample(toy_of(t, worker), run_id, sample_no, &k);
	assert_non_null(l);
	bits_put(l->started, k);
}

void start_all(struct trace *t, uint32_t worker)
{
	struct toy *w = toy_of(t, worker);
	for (size_t i = 0; i < w->lease_count; i++)
		memcpy(w->leases[i].started, w->leases[i].held, sizeof(w->leases[i].held));
}

static void commit(struct trace *t, uint32_t outbox, const struct sched_committed *rec)
{
	struct sched_event ev = { .kind = SCHED_COMMITTED };
	ev.committed.outbox = outbox_of(outbox);
	ev.committed.records = rec;
	ev.committed.count = 1;
	feed(t, ev);
}

void stored(struct trace *t, uint32_t worker, uint64_t run_id, uint64_t sample_no, uint32_t retry_no,
            enum outcome outcome)
{
	struct sched_committed rec = { .kind = RECORD_RESULT,
		                       .run_id = run_id,
		                       .sample_no = sample_no,
		                       .retry_no = retry_no,
		                       .ask_id = ++t->ask_id,
		                       .outcome = outcome,
		                       .retry_after_ms = -1 };
	if (worker)
		drop_sample(toy_of(t, worker), run_id, sample_no);
	commit(t, worker ? toy_of(t, worker)->outbox : 0, &rec);
}

void done(struct trace *t, uint32_t worker, uint64_t run_id, uint64_t sample_no)
{
	stored(t, worker, run_id, sample_no, 0, OUTCOME_SCORED);
}

void done_all(struct trace *t, uint32_t worker)
{
	struct toy *w = toy_of(t, worker);
	size_t count = w->lease_count; /* what comes meanwhile is left */
	for (size_t i = 0; i < count; i++) {
		struct toy_lease l = w->leases[i];
		for (uint32_t k = 0; k < l.count; k++)
			if (bits_in(str_make(l.held, sizeof(l.held)), k))
				stored(t, worker, l.run_id, l.sample_nos[k], l.retry_no, OUTCOME_SCORED);
	}
	toy_forget_empty(w);
}

void failed(struct trace *t, uint32_t worker, uint64_t run_id, uint64_t sample_no, enum error_class class,
            bool given_up, uint32_t attempt_count, int64_t retry_after_ms)
{
	struct sched_committed rec = { .kind = RECORD_ATTEMPT,
		                       .run_id = run_id,
		                       .sample_no = sample_no,
		                       .ask_id = ++t->ask_id,
		                       .error_class = class,
		                       .given_up = given_up,
		                       .attempt_count = attempt_count,
		                       .retry_after_ms = retry_after_ms,
		                       .latency_ms = 10 };
	if (given_up)
		drop_sample(toy_of(t, worker), run_id, sample_no);
	commit(t, toy_of(t, worker)->outbox, &rec);
}

void give_back(struct trace *t, uint32_t worker, struct lease_no number, enum release_cause cause, uint32_t from,
               uint32_t count, uint64_t ask_id)
{
	struct toy *w = toy_of(t, worker);
	struct msg_released_sample samples[TOY_SAMPLES];
	for (uint32_t i = 0; i < count; i++)
		samples[i] = (struct msg_released_sample){ from + i, ask_id };
	for (size_t i = 0; i < w->lease_count; i++)
		if (lease_no_eq(w->leases[i].number, number))
			for (uint32_t k = from; k < from + count; k++)
				drop_sample(w, w->leases[i].run_id, w->leases[i].sample_nos[k]);
	struct msg_released m = { .number = number, .cause = cause, .samples = samples, .sample_count = count };
	struct sched_event ev = { .kind = SCHED_WORKER_RELEASED };
	ev.released.worker_id = worker;
	ev.released.released = &m;
	feed(t, ev);
}

struct sched_run_view view_of(struct trace *t, uint64_t run_id)
{
	size_t i;
	struct sched_run_view view = { 0 };
	if (schedule_find_run(t->s, run_id, &i))
		schedule_run_view(t->s, i, t->now_ms, &view);
	return view;
}
