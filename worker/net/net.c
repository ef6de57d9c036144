#include "worker/net/net.h"
#include "common/base/check.h"
#include "common/base/mem.h"
#include "common/io/clock.h"
#include "common/io/log.h"
#include "common/io/thread.h"
#include "worker/net/net_state.h"

enum { MAILS_A_TURN = 256, DONE_A_TURN = 256, TURNED_MS = 250, SOON_MS = 2, HEADERS_BYTES_MAX = 64 << 10 };

/* ---- what exec wants done ---- */

static void say_ended(struct net *n, const struct net_sample *s, const struct exec_action *a)
{
	struct mail *m = mail_new(MAIL_ASK_ENDED);
	m->net = n->options.index;
	m->sample_id = s->id;
	m->ended.ask_id = a->ended.ask_id;
	m->ended.class = a->ended.class;
	m->ended.waits = a->ended.waits;
	m->ended.paced = a->ended.paced;
	m->ended.wait_ms = a->ended.wait_ms;
	m->ended.retry_after_ms = a->ended.retry_after_ms;
	m->ended.elapsed_ms = s->elapsed_ms;
	outgoing_push(&n->link, m);
}

static void keep(struct net *n, const struct net_sample *s, struct record *record)
{
	struct mail *m = mail_new(MAIL_KEEP);
	m->net = n->options.index;
	m->sample_id = s->id;
	m->record = record;
	outgoing_push(&n->outbox, m);
}

static void score(struct net *n, const struct net_sample *s)
{
	struct mail *m = mail_new(MAIL_SCORE);
	m->net = n->options.index;
	m->sample_id = s->id;
	m->exec = s->exec;
	outgoing_push(&n->score, m);
}

static void sample_free(struct net *n, struct net_sample *s)
{
	struct exec_run *run = exec_run_of(s->exec);
	exec_free(s->exec);
	exec_runs_put(&n->runs, run);
	mem_free(s);
}

void net_do(struct net *n, struct net_sample *s, const struct exec_action *actions, size_t count)
{
	bool over = false;
	for (size_t i = 0; i < count; i++) {
		switch (actions[i].kind) {
		case EXEC_DO_ASK:
			net_ask(n, s, &actions[i]);
			break;
		case EXEC_DO_CANCEL:
			net_cancel(n, s);
			break;
		case EXEC_DO_ENDED:
			say_ended(n, s, &actions[i]);
			break;
		case EXEC_DO_KEEP:
			keep(n, s, actions[i].record);
			break;
		case EXEC_DO_SCORE:
			score(n, s);
			break;
		case EXEC_DO_FINISH:
			over = true;
			break;
		}
	}
	if (!over)
		return;
	check(!s->in_http && !s->pending && !s->parked);
	(void)map_remove_u64(&n->samples, s->id); /* it is there */
	sample_free(n, s);
}

void net_feed(struct net *n, struct net_sample *s, struct exec_event *ev)
{
	struct exec_action out[EXEC_ACTIONS_MAX];
	ev->now_ms = n->now_ms;
	ev->wall_ms = n->wall_ms;
	size_t count = exec_step(s->exec, ev, out);
	net_do(n, s, out, count);
}

static void feed_plain(struct net *n, struct net_sample *s, enum exec_event_kind kind)
{
	struct exec_event ev = { .kind = kind };
	net_feed(n, s, &ev);
}

/* ---- mails ---- */

static struct net_sample *find(struct net *n, uint64_t id)
{
	struct net_sample **s = map_get_u64(&n->samples, id);
	return s ? *s : NULL;
}

static struct net_sample *add(struct net *n, uint64_t id)
{
	struct net_sample *s = mem_new(1, sizeof(*s));
	bool is_new;
	s->id = id;
	*(struct net_sample **)map_put_u64(&n->samples, id, &is_new) = s;
	check(is_new);
	return s;
}

static void on_start(struct net *n, const struct mail *m)
{
	struct exec_spec spec = {
		.key = m->start.key,
		.run = exec_runs_get(&n->runs, m->context),
		.item = m->text,
		.attempts_left = m->start.attempts_left,
		.time_left_ms = m->start.time_left_ms,
		.seed = rng_next(&n->rng),
	};
	struct net_sample *s = add(n, m->sample_id);
	s->exec = exec_new(&spec);
	net_slot(n, s);
}

static void on_adopt(struct net *n, struct mail *m)
{
	struct record *answer = m->record;
	m->record = NULL;
	struct exec_action out[EXEC_ACTIONS_MAX];
	size_t count = 0;
	struct exec_spec spec = {
		.key = { answer->m.run_id, answer->m.sample_no, answer->m.retry_no, answer->m.scoring_no },
		.run = exec_runs_get(&n->runs, answer->context),
		.item = answer->item,
		.seed = rng_next(&n->rng),
	};
	struct net_sample *s = add(n, m->sample_id);
	s->exec = exec_adopt(&spec, answer, out, &count);
	net_do(n, s, out, count);
}

static void on_mail(struct net *n, struct mail *m)
{
	struct net_sample *s = find(n, m->sample_id);
	switch (m->kind) {
	case MAIL_START:
		on_start(n, m);
		break;
	case MAIL_ADOPT:
		on_adopt(n, m);
		break;
	case MAIL_RESUME:
		if (s)
			net_slot(n, s);
		break;
	case MAIL_CANCEL:
		if (s && s->parked)
			net_unpark(n, s);
		else if (s)
			feed_plain(n, s, EXEC_EV_CANCEL);
		break;
	case MAIL_KEPT:
		n->options.ask_log.end(n->options.ask_log.arg, m->ask_id);
		check(s);
		feed_plain(n, s, EXEC_EV_KEPT);
		break;
	case MAIL_SCORED:
		check(s);
		feed_plain(n, s, EXEC_EV_SCORED);
		break;
	case MAIL_HOST:
		net_on_host(n, m);
		break;
	default:
		check_msg(false, "mail %d is not for a net thread", (int)m->kind);
	}
	mail_free(m);
}

/* ---- the loop ---- */

static void say_turned(struct net *n)
{
	if (n->now_ms < n->turned_ms + TURNED_MS || n->link_full)
		return;
	struct mail *m = mail_new(MAIL_TURNED);
	m->thread = n->options.index;
	n->turned_ms = n->now_ms;
	outgoing_push(&n->link, m);
}

static bool flush(struct net *n)
{
	struct outgoing *all[] = { &n->link, &n->outbox, &n->score, &n->host };
	bool waits = false;
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		outgoing_flush(all[i]);
		waits |= outgoing_waits(all[i]);
	}
	n->link_full = outgoing_waits(&n->link);
	return waits;
}

static void read_clocks(struct net *n)
{
	n->now_ms = clock_now_ms();
	n->wall_ms = clock_wall_ms();
}

static bool take_mails(struct net *n)
{
	void *mails[MAILS_A_TURN];
	size_t count = ring_pop_all(n->options.inbox, mails, MAILS_A_TURN);
	for (size_t i = 0; i < count; i++)
		on_mail(n, mails[i]);
	return count == MAILS_A_TURN;
}

static void run(void *arg)
{
	struct net *n = arg;
	struct http_done *done = mem_new(DONE_A_TURN, sizeof(*done));
	bool more = false;
	struct error error;
	while (!ring_is_closed(n->options.inbox)) {
		size_t count = 0;
		int wait_ms = more ? 0 : flush(n) ? SOON_MS : TURNED_MS;
		if (http_client_poll(n->http, wait_ms, done, DONE_A_TURN, &count, &error))
			log_error("HTTP client", log_error_text(&error));
		read_clocks(n);
		for (size_t i = 0; i < count; i++)
			net_answered(n, &done[i]);
		more = take_mails(n);
		net_start_pending(n);
		say_turned(n);
	}
	(void)flush(n); /* what a full ring does not take is freed */
	mem_free(done);
}

enum err_code net_start(const struct net_options *options, struct net **ret_net, struct error *reterr)
{
	struct net *n = mem_new(1, sizeof(*n));
	n->options = *options;
	rng_seed(&n->rng, options->seed);
	exec_runs_init(&n->runs);
	map_init(&n->samples, sizeof(struct net_sample *));
	map_init(&n->hosts, sizeof(struct net_host *));
	buf_init(&n->headers, HEADERS_BYTES_MAX);
	outgoing_init(&n->link, options->link);
	outgoing_init(&n->outbox, options->outbox);
	outgoing_init(&n->score, options->score);
	outgoing_init(&n->host, options->host);
	struct http_client_options http = { .wake_fd = ring_fd(options->inbox), .ca_file = options->ca_file };
	enum err_code err = http_client_new(&http, &n->http, reterr);
	if (!err)
		err = thread_start(&n->thread, "net", run, n, reterr);
	if (err) {
		net_join(n);
		return err;
	}
	*ret_net = n;
	return ERR_OK;
}

static void outgoing_end(struct outgoing *o)
{
	struct mail *m;
	while ((m = outgoing_take(o)) != NULL)
		mail_free(m);
	outgoing_done(o);
}

void net_join(struct net *n)
{
	if (!n)
		return;
	thread_join(n->thread);
	http_client_free(n->http);
	struct net_sample **s;
	for (size_t at = 0; (s = map_next_u64(&n->samples, &at, NULL)) != NULL;)
		sample_free(n, *s);
	map_done(&n->samples);
	net_hosts_free(n);
	exec_runs_done(&n->runs);
	outgoing_end(&n->link);
	outgoing_end(&n->outbox);
	outgoing_end(&n->score);
	outgoing_end(&n->host);
	mem_free(n->pending);
	mem_free(n->header_list);
	buf_done(&n->headers);
	mem_free(n);
}
