#include "worker/main/worker.h"
#include "common/base/check.h"
#include "common/base/mem.h"
#include "common/io/clock.h"
#include "common/io/fs.h"
#include "common/io/log.h"
#include "common/io/outgoing.h"
#include "worker/exec/mail.h"
#include "worker/host/host.h"
#include "worker/link/link.h"
#include "worker/main/metrics_server.h"
#include "worker/net/net.h"
#include "worker/net/score_thread.h"
#include "worker/outbox/asklog.h"
#include "worker/outbox/outbox_thread.h"

enum { RING_SPARE = 4096, RING_PER_SLOT = 8, MAIN_RING = 64, HOST_RING = 1024 };

struct worker {
	struct worker_options options;
	struct arena arena;
	struct fs_path outbox_dir;
	struct outbox *outbox;
	struct zsock_context *context;
	struct ring *main_ring, *link_ring, *outbox_ring, *score_ring, *host_ring, **net_rings;
	struct asklog **asklogs;
	struct outbox_thread *outbox_thread;
	struct score_threads *score_threads;
	struct net **nets;
	struct host *host;
	struct link *link;
	struct metrics *metrics;
	struct metrics_server *metrics_server;
	bool drained;
};

/* ---- what an earlier life left ---- */

static struct record *died_record(const struct asklog_ask *ask)
{
	struct msg_record m = {
		.kind = RECORD_ATTEMPT,
		.run_id = ask->key.run_id,
		.sample_no = ask->key.sample_no,
		.ask_id = ask->ask_id,
		.retry_no = ask->key.retry_no,
		.scoring_no = ask->key.scoring_no,
		.error_class = CLASS_DIED,
		.given_up = true,
		.attempt_count = ask->attempt_count,
		.retry_after_ms = -1,
		.cost_nanousd = -1,
		.at_ms = MAX_OF(ask->at_ms, (int64_t)0),
		.evidence = STR("the worker died while this was being asked"),
	};
	return record_new(&m, NULL, STR(""));
}

static enum err_code report_died(struct worker *w, struct map *open, struct error *reterr)
{
	struct record **records = mem_new(open->len + 1, sizeof(struct record *));
	size_t count = 0;
	struct asklog_ask *ask;
	for (size_t at = 0; (ask = map_next_u64(open, &at, NULL)) != NULL;)
		if (!outbox_index_has_ask(outbox_index(w->outbox), ask->ask_id))
			records[count++] = died_record(ask);
	enum err_code err = outbox_append(w->outbox, records, count, reterr);
	if (!err && count > 0)
		err = outbox_sync(w->outbox, reterr);
	if (!err && count > 0)
		log_warn("asks were under way when this worker last ended", log_u64("asks", count));
	for (size_t i = 0; !err && i < count; i++) /* the agent loads them like any other */
		outbox_index_unload(outbox_index(w->outbox), records[i]->m.record_no);
	for (size_t i = 0; i < count; i++)
		record_free(records[i]);
	mem_free(records);
	return err;
}

static enum err_code recover(struct worker *w, struct error *reterr)
{
	struct map open;
	uint64_t damaged = 0;
	map_init(&open, sizeof(struct asklog_ask));
	enum err_code err = asklog_recover(w->outbox_dir.text, &open, &damaged, reterr);
	if (!err)
		err = report_died(w, &open, reterr);
	if (!err)
		err = asklog_remove_all(w->outbox_dir.text, reterr);
	map_done(&open);
	damaged += outbox_index(w->outbox)->damaged_count;
	if (damaged > 0)
		log_warn("damaged entries in the outbox were dropped: their samples are asked again",
		         log_u64("entries", damaged));
	outbox_index_forget_asks(outbox_index(w->outbox));
	return err;
}

static const struct agent_answer *list_answers(struct worker *w, size_t *ret_count)
{
	struct outbox_index *x = outbox_index(w->outbox);
	struct agent_answer *answers = arena_new(&w->arena, x->open_answers + 1, sizeof(*answers));
	struct outbox_place place;
	struct error error;
	size_t part = 0, at = 0, count = 0;
	uint64_t *record_nos = mem_new(x->open_answers + 1, sizeof(*record_nos));
	size_t number_count = 0;
	while (outbox_index_next_answer(x, &part, &at, &place))
		record_nos[number_count++] = place.record_no;
	for (size_t i = 0; i < number_count; i++) {
		struct record *r = NULL;
		if (outbox_load(w->outbox, record_nos[i], &r, &error)) {
			log_warn("an answer in the outbox cannot be read", log_error_text(&error));
			continue;
		}
		answers[count++] = (struct agent_answer){
			record_nos[i], { r->m.run_id, r->m.sample_no, r->m.ask_id, r->m.retry_no, r->m.scoring_no }
		};
		record_free(r);
	}
	mem_free(record_nos);
	*ret_count = count;
	return answers;
}

/* ---- seams between libraries that do not know one another ---- */

static void log_begin(void *arg, const struct net_ask *ask)
{
	struct asklog_ask a = { ask->key, ask->ask_id, ask->at_ms, ask->attempt_count };
	asklog_begin(arg, &a);
}

static void log_end(void *arg, uint64_t ask_id)
{
	asklog_end(arg, ask_id);
}

static enum err_code log_flush(void *arg, struct error *reterr)
{
	return asklog_flush(arg, reterr);
}

static void read_host_mail(void *message, struct host_mail *out)
{
	const struct mail *m = message;
	*out = (struct host_mail){ m->text, m->text2, m->host.ready_ms, m->host.slots };
}

static void free_host_mail(void *message)
{
	mail_free(message);
}

/* Called by the host thread. A ring that is full now is so for moments; a HOST that is lost is asked for again. */
static void tell_nets(void *arg, const struct host_told *told)
{
	struct worker *w = arg;
	for (uint32_t i = 0; i < w->options.net_threads; i++) {
		struct mail *m = mail_new_texts(MAIL_HOST, told->command, told->base_url, told->text);
		m->net = i;
		m->host.failed = told->failed;
		if (ring_push_wait(w->net_rings[i], m, -1))
			mail_free(m); /* closed: the worker stops */
	}
}

/* ---- start ---- */

static enum err_code make_rings(struct worker *w, struct error *reterr)
{
	size_t big = (size_t)w->options.slots * RING_PER_SLOT + RING_SPARE;
	enum err_code err = ring_new(MAIN_RING, &w->main_ring, reterr);
	if (!err)
		err = ring_new(big, &w->link_ring, reterr);
	if (!err)
		err = ring_new(big, &w->outbox_ring, reterr);
	if (!err)
		err = ring_new(big, &w->score_ring, reterr);
	if (!err)
		err = ring_new(HOST_RING, &w->host_ring, reterr);
	for (uint32_t i = 0; !err && i < w->options.net_threads; i++)
		err = ring_new(big, &w->net_rings[i], reterr);
	return err;
}

static enum err_code start_nets(struct worker *w, struct error *reterr)
{
	enum err_code err = ERR_OK;
	for (uint32_t i = 0; !err && i < w->options.net_threads; i++) {
		err = asklog_open(w->outbox_dir.text, i, &w->asklogs[i], reterr);
		struct net_options options = {
			.index = i,
			.inbox = w->net_rings[i],
			.link = w->link_ring,
			.outbox = w->outbox_ring,
			.score = w->score_ring,
			.host = w->host_ring,
			.rules = &w->options.settings->rules,
			.ask_log = { w->asklogs[i], log_begin, log_end, log_flush },
			.ca_file = w->options.ca_file,
			.seed = keys_random_u64(),
		};
		if (!err)
			err = net_start(&options, &w->nets[i], reterr);
	}
	return err;
}

static enum err_code start_host(struct worker *w, struct error *reterr)
{
	const struct rules *rules = &w->options.settings->rules;
	struct host_command *commands = arena_new(&w->arena, rules->command_count + 1, sizeof(*commands));
	struct host_options options = {
		.commands = commands,
		.state_dir = w->options.state_dir,
		.inbox = w->host_ring,
		.read_mail = read_host_mail,
		.free_mail = free_host_mail,
		.tell = tell_nets,
		.arg = w,
		.env_drop = w->options.settings->key_variables,
		.metrics = w->metrics,
	};
	for (size_t i = 0; i < rules->command_count; i++)
		if (rules->commands[i].hosted)
			commands[options.command_count++] =
				(struct host_command){ rules->commands[i].name, rules->commands[i].path,
				                       rules->commands[i].args, rules->commands[i].env,
				                       rules->commands[i].memory_bytes_max };
	return host_start(&options, &w->host, reterr);
}

static const struct str *list_providers(struct arena *a, size_t *ret_count)
{
	size_t count = 0;
	while (provider_name(count))
		count++;
	struct str *names = arena_new(a, count + 1, sizeof(*names));
	for (size_t i = 0; i < count; i++)
		names[i] = str_from(provider_name(i));
	*ret_count = count;
	return names;
}

static enum err_code start_link(struct worker *w, struct error *reterr)
{
	const struct worker_options *o = &w->options;
	struct link_options options = {
		.agent = { .outbox = outbox_id(w->outbox),
		           .name = o->name,
		           .build = STR(ASSAY_VERSION),
		           .slots = o->slots,
		           .net_count = o->net_threads,
		           .score_count = o->score_threads,
		           .endpoint_count = (uint32_t)o->endpoint_count,
		           .endpoints = o->endpoints,
		           .allowed_hosts = o->settings->rules.allowed_hosts,
		           .allowed_host_count = o->settings->rules.allowed_host_count,
		           .unloaded = outbox_index(w->outbox)->unloaded,
		           .seed = keys_random_u64() },
		.context = w->context,
		.pair = o->pair,
		.server_key = o->server_key,
		.inbox = w->link_ring,
		.main = w->main_ring,
		.outbox = w->outbox_ring,
		.nets = w->net_rings,
		.metrics = w->metrics,
	};
	struct str hash_key = str_make(o->server_key.bytes, sizeof(o->server_key.bytes));
	options.agent.aliases = settings_aliases(o->settings, hash_key, &w->arena);
	options.agent.alias_count = o->settings->rules.alias_count;
	options.agent.hosts = settings_hosts(o->settings, &w->arena, &options.agent.host_count);
	options.agent.providers = list_providers(&w->arena, &options.agent.provider_count);
	options.agent.answers = list_answers(w, &options.agent.answer_count);
	return link_start(&options, &w->link, reterr);
}

static enum err_code start_threads(struct worker *w, struct error *reterr)
{
	struct outbox_thread_options outbox = {
		w->outbox, w->outbox_ring, w->link_ring, w->net_rings, w->options.net_threads, w->metrics, 0
	};
	struct score_options score = { w->score_ring, w->link_ring, w->net_rings, w->options.net_threads,
		                       w->options.score_threads };
	enum err_code err = start_nets(w, reterr);
	if (!err)
		err = score_threads_start(&score, &w->score_threads, reterr);
	if (!err)
		err = start_host(w, reterr);
	if (!err)
		err = start_link(w, reterr); /* reads the outbox: before its thread owns it */
	if (!err)
		err = outbox_thread_start(&outbox, &w->outbox_thread, reterr);
	if (!err && w->options.metrics_where.len > 0)
		err = metrics_server_start(w->options.metrics_where, w->metrics, &w->metrics_server, reterr);
	return err;
}

enum err_code worker_start(const struct worker_options *options, struct worker **ret_worker, struct error *reterr)
{
	check(options->slots > 0 && options->net_threads > 0 && options->score_threads > 0);
	struct worker *w = mem_new(1, sizeof(*w));
	w->options = *options;
	w->outbox_dir = fs_path("%s/outbox", options->state_dir);
	w->net_rings = mem_new(options->net_threads, sizeof(*w->net_rings));
	w->nets = mem_new(options->net_threads, sizeof(*w->nets));
	w->asklogs = mem_new(options->net_threads, sizeof(*w->asklogs));
	arena_init(&w->arena, (size_t)1 << 30);
	w->metrics = metrics_new();
	metrics_process(w->metrics);
	enum err_code err = fs_make_dirs(options->state_dir, 0700, reterr);
	if (!err)
		err = outbox_open(w->outbox_dir.text, clock_now_ms(), &w->outbox, reterr);
	if (!err)
		err = recover(w, reterr);
	if (!err)
		err = zsock_context_new(1, 0, &w->context, reterr);
	if (!err)
		err = make_rings(w, reterr);
	if (!err)
		err = start_threads(w, reterr);
	if (err) {
		worker_stop(w);
		return err;
	}
	*ret_worker = w;
	return ERR_OK;
}

/* ---- stop ---- */

static void close_ring(struct ring *r)
{
	if (r)
		ring_close(r);
}

static void free_ring(struct ring *r)
{
	void *mail;
	while (r && ring_pop_all(r, &mail, 1) == 1)
		mail_free(mail);
	ring_free(r);
}

int worker_fd(const struct worker *w)
{
	return ring_fd(w->main_ring);
}

void worker_drain(struct worker *w, uint32_t limit_ms)
{
	struct mail *m = mail_new(MAIL_DRAIN);
	m->drain_ms = limit_ms;
	if (ring_push_wait(w->link_ring, m, -1))
		mail_free(m); /* closed: it stops already */
}

bool worker_drained(struct worker *w)
{
	void *mail;
	while (ring_pop_all(w->main_ring, &mail, 1) == 1) {
		w->drained |= ((struct mail *)mail)->kind == MAIL_DRAINED;
		mail_free(mail);
	}
	return w->drained;
}

/* Who lends goes after whom it lent to: link first (nothing new), score threads (they hold samples of the nets), nets,
 * then the outbox, which writes what they still had to keep. */
void worker_stop(struct worker *w)
{
	if (!w)
		return;
	metrics_server_stop(w->metrics_server);
	close_ring(w->link_ring);
	link_join(w->link);
	close_ring(w->score_ring);
	score_threads_join(w->score_threads);
	for (uint32_t i = 0; i < w->options.net_threads; i++)
		close_ring(w->net_rings[i]);
	for (uint32_t i = 0; i < w->options.net_threads; i++)
		net_join(w->nets[i]);
	close_ring(w->host_ring);
	host_join(w->host);
	close_ring(w->outbox_ring);
	outbox_thread_join(w->outbox_thread);
	for (uint32_t i = 0; i < w->options.net_threads; i++)
		asklog_close(w->asklogs[i]);
	zsock_context_free(w->context);
	free_ring(w->main_ring);
	free_ring(w->link_ring);
	free_ring(w->outbox_ring);
	free_ring(w->score_ring);
	free_ring(w->host_ring);
	for (uint32_t i = 0; i < w->options.net_threads; i++)
		free_ring(w->net_rings[i]);
	outbox_close(w->outbox);
	metrics_free(w->metrics);
	arena_done(&w->arena);
	mem_free(w->net_rings);
	mem_free(w->nets);
	mem_free(w->asklogs);
	mem_free(w);
}
