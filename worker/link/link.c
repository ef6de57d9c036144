#include "worker/link/link.h"
#include "common/base/check.h"
#include "common/base/mem.h"
#include "common/io/clock.h"
#include "common/io/fs.h"
#include "common/io/log.h"
#include "common/io/outgoing.h"
#include "common/io/thread.h"
#include "common/wire/frame.h"
#include "worker/exec/mail.h"
#include "worker/link/link_metrics.h"
#include "worker/link/link_note.h"
#include <unistd.h>

enum { SOCKETS = 2, FRAMES_A_TURN = 64, MAILS_A_TURN = 512, SOON_MS = 2, IDLE_MS = 250, COMPLAIN_MS = 30 * 1000 };

struct link_socket { /* one connection of the agent; sock NULL: not in use */
	uint32_t number;
	struct zsock *sock, *monitor;
	bool ready, lost;
};

struct link {
	struct link_options options;
	struct thread *thread;
	struct agent *agent;
	struct agent_actions actions;
	struct link_socket sockets[SOCKETS];
	struct arena frame_arena;
	struct buf frame;
	struct outgoing main, outbox, *nets;
	uint64_t now_ms, slept_until_ms;
	struct agent_vitals vitals;
	struct link_metrics *metrics;
	uint64_t vitals_at_ms, complain_at_ms;
};

/* ---- actions: sockets ---- */

static struct link_socket *socket_of(struct link *l, uint32_t number)
{
	for (size_t i = 0; i < SOCKETS; i++)
		if (l->sockets[i].sock && l->sockets[i].number == number)
			return &l->sockets[i];
	return NULL;
}

static void close_socket(struct link_socket *s)
{
	zsock_close(s->sock); /* the monitor goes with it */
	*s = (struct link_socket){ 0 };
}

static void open_socket(struct link *l, uint32_t number, uint32_t endpoint)
{
	struct error error;
	struct link_socket *s = NULL;
	for (size_t i = 0; i < SOCKETS; i++)
		if (!l->sockets[i].sock)
			s = &l->sockets[i];
	check(s); /* the agent has at most two connections */
	struct zsock_options options = { .pair = l->options.pair, .server_key = l->options.server_key };
	s->number = number;
	enum err_code err = zsock_dealer_new(l->options.context, &options, &s->sock, &error);
	if (!err)
		err = zsock_monitor(s->sock, &s->monitor, &error);
	if (!err)
		err = zsock_connect(s->sock, l->options.agent.endpoints[endpoint].data, &error);
	if (!err)
		return;
	log_error("cannot connect", log_str("endpoint", l->options.agent.endpoints[endpoint]), log_error_text(&error));
	if (s->sock)
		s->lost = true; /* told to the agent in the next turn */
}

static void send_frame(struct link *l, uint32_t number, const struct msg *m)
{
	struct error error;
	struct link_socket *s = socket_of(l, number);
	if (!s)
		return;
	buf_clear(&l->frame);
	enum err_code err = frame_encode(m, &l->frame, &error);
	if (!err)
		err = zsock_send(s->sock, STR(""), buf_str(&l->frame), &error);
	if (!err)
		return;
	log_warn("a frame could not be sent: the connection is begun anew", log_c("kind", msg_kind_name(m->kind)),
	         log_error_text(&error));
	s->lost = true;
}

/* ---- actions: mails ---- */

static void to_net(struct link *l, const struct agent_action *a, enum mail_kind kind)
{
	struct mail *m = mail_new(kind);
	m->net = a->start.net;
	m->sample_id = a->start.sample_id;
	outgoing_push(&l->nets[m->net], m);
}

static void start_sample(struct link *l, const struct agent_action *a)
{
	struct mail *m = mail_new_texts(MAIL_START, a->start.item, STR(""), STR(""));
	m->net = a->start.net;
	m->sample_id = a->start.sample_id;
	m->context = exec_context_ref(a->start.context);
	m->start.key = a->start.key;
	m->start.attempts_left = a->start.attempts_left;
	m->start.time_left_ms = a->start.time_left_ms;
	outgoing_push(&l->nets[m->net], m);
}

static void trim(struct link *l, const struct agent_action *a)
{
	struct mail *m = mail_new(MAIL_TRIM);
	m->trim.ranges = mem_new(a->trim.count, sizeof(*m->trim.ranges));
	m->trim.count = a->trim.count;
	for (size_t i = 0; i < a->trim.count; i++)
		m->trim.ranges[i] = a->trim.ranges[i];
	outgoing_push(&l->outbox, m);
}

static void fetch(struct link *l, const struct agent_action *a)
{
	struct mail *m = mail_new(MAIL_FETCH);
	m->sample_id = a->answer.sample_id;
	m->net = a->answer.net;
	m->fetch.record_no = a->answer.record_no;
	m->fetch.adopt = a->kind == AGENT_DO_ADOPT;
	outgoing_push(&l->outbox, m);
}

static void load(struct link *l, const struct agent_action *a)
{
	struct mail *m = mail_new(MAIL_LOAD);
	m->load.record_max = a->load.record_max;
	m->load.bytes_max = a->load.bytes_max;
	outgoing_push(&l->outbox, m);
}

static void carry_out_one(struct link *l, const struct agent_action *a)
{
	switch (a->kind) {
	case AGENT_DO_OPEN:
		open_socket(l, a->open.conn, a->open.endpoint);
		return;
	case AGENT_DO_CLOSE:
		if (socket_of(l, a->close.conn))
			close_socket(socket_of(l, a->close.conn));
		return;
	case AGENT_DO_SEND:
		send_frame(l, a->send.conn, a->send.msg);
		return;
	case AGENT_DO_START:
		start_sample(l, a);
		return;
	case AGENT_DO_RESUME:
		to_net(l, a, MAIL_RESUME);
		return;
	case AGENT_DO_CANCEL:
		to_net(l, a, MAIL_CANCEL);
		return;
	case AGENT_DO_TRIM:
		trim(l, a);
		return;
	case AGENT_DO_LOAD:
		load(l, a);
		return;
	case AGENT_DO_REOPEN:
		outgoing_push(&l->outbox, mail_new(MAIL_REOPEN));
		return;
	case AGENT_DO_ADOPT:
	case AGENT_DO_SHIP:
		fetch(l, a);
		return;
	case AGENT_DO_NOTE:
		link_note(a, l->options.agent.endpoints, l->options.agent.endpoint_count);
		return;
	case AGENT_DO_DRAINED:
		outgoing_push(&l->main, mail_new(MAIL_DRAINED));
		return;
	}
}

static void carry_out(struct link *l)
{
	for (size_t i = 0; i < l->actions.len; i++)
		carry_out_one(l, &l->actions.items[i]);
	agent_actions_clear(&l->actions);
}

/* ---- events ---- */

static void feed(struct link *l, struct agent_event *ev)
{
	ev->now_ms = l->now_ms;
	agent_step(l->agent, ev, &l->actions);
}

static void feed_conn(struct link *l, enum agent_event_kind kind, uint32_t number)
{
	struct agent_event ev = { .kind = kind };
	ev.conn = number;
	feed(l, &ev);
}

/* Once in a while: it is tried again twice a second. */
static void complain(struct link *l, const struct zsock_event *ev)
{
	if (l->now_ms < l->complain_at_ms)
		return;
	l->complain_at_ms = l->now_ms + COMPLAIN_MS;
	if (ev->kind == ZSOCK_EVENT_REFUSED)
		log_warn("the coordinator does not know this worker's key", log_c("endpoint", ev->endpoint));
	else
		log_warn("no handshake: wrong server key, or not a coordinator", log_c("endpoint", ev->endpoint));
}

static void take_monitor_events(struct link *l, struct link_socket *s)
{
	struct zsock_event ev;
	while (s->sock && zsock_monitor_next(s->monitor, &ev)) {
		if (ev.kind == ZSOCK_EVENT_REFUSED || ev.kind == ZSOCK_EVENT_NO_HANDSHAKE)
			complain(l, &ev);
		if (ev.kind == ZSOCK_EVENT_READY && !s->ready) {
			s->ready = true;
			feed_conn(l, AGENT_EV_OPENED, s->number);
		} else if (ev.kind != ZSOCK_EVENT_READY && ev.kind != ZSOCK_EVENT_CONNECTED) {
			s->lost = true;
		}
	}
}

static void on_frame(struct link *l, const struct link_socket *s, const struct zsock_message *in)
{
	struct error error;
	struct msg m;
	arena_reset(&l->frame_arena);
	enum err_code err = in->malformed ? error_set(&error, ERR_CORRUPT, "not one body")
	                                  : frame_decode(in->body, &l->frame_arena, &m, &error);
	if (err) {
		log_warn("a frame of the coordinator cannot be read and is dropped", log_error_text(&error));
		return;
	}
	struct agent_event ev = { .kind = AGENT_EV_FRAME };
	ev.frame.conn = s->number;
	ev.frame.msg = &m;
	feed(l, &ev);
}

/* Actions of a frame are carried out before the next is read: they may close the socket. */
static bool take_frames(struct link *l, struct link_socket *s)
{
	struct error error;
	for (int i = 0; i < FRAMES_A_TURN; i++) {
		struct zsock_message *in;
		if (!s->sock || zsock_recv(s->sock, &in, &error))
			return false;
		on_frame(l, s, in);
		zsock_message_free(in);
		carry_out(l);
	}
	return true;
}

static void on_mail(struct link *l, struct mail *m)
{
	struct agent_event ev = { 0 };
	switch (m->kind) {
	case MAIL_ASK_ENDED:
		ev.kind = AGENT_EV_ASK_ENDED;
		ev.ask_ended.sample_id = m->sample_id;
		ev.ask_ended.ask_id = m->ended.ask_id;
		ev.ask_ended.class = m->ended.class;
		ev.ask_ended.waits = m->ended.waits;
		ev.ask_ended.paced = m->ended.paced;
		ev.ask_ended.wait_ms = m->ended.wait_ms;
		ev.ask_ended.retry_after_ms = m->ended.retry_after_ms;
		link_metrics_ask_ended(l->metrics, m->ended.class, m->ended.elapsed_ms);
		break;
	case MAIL_TURNED:
		ev.kind = AGENT_EV_TURNED;
		ev.thread = m->thread;
		break;
	case MAIL_RECORD:
		ev.kind = AGENT_EV_KEPT;
		ev.kept.sample_id = m->sample_id;
		ev.kept.record = m->record;
		m->record = NULL;
		break;
	case MAIL_OUTBOX:
		ev.kind = AGENT_EV_OUTBOX;
		ev.outbox.writable = m->outbox.writable;
		ev.outbox.unloaded = m->outbox.unloaded;
		break;
	case MAIL_DRAIN:
		ev.kind = AGENT_EV_DRAIN;
		ev.drain.limit_ms = m->drain_ms;
		break;
	default:
		check_msg(false, "mail %d is not for link", (int)m->kind);
	}
	mail_free(m);
	feed(l, &ev);
}

static bool take_mails(struct link *l)
{
	void *mails[MAILS_A_TURN];
	size_t count = ring_pop_all(l->options.inbox, mails, MAILS_A_TURN);
	for (size_t i = 0; i < count; i++)
		on_mail(l, mails[i]);
	carry_out(l);
	return count == MAILS_A_TURN;
}

/* ---- the loop ---- */

static bool flush(struct link *l)
{
	outgoing_flush(&l->main);
	outgoing_flush(&l->outbox);
	bool waits = outgoing_waits(&l->main) || outgoing_waits(&l->outbox);
	for (uint32_t i = 0; i < l->options.agent.net_count; i++) {
		outgoing_flush(&l->nets[i]);
		waits |= outgoing_waits(&l->nets[i]);
	}
	return waits;
}

static int wait_ms(const struct link *l, bool soon)
{
	uint64_t due_ms = agent_next_deadline_ms(l->agent);
	uint64_t wait = due_ms > l->now_ms ? due_ms - l->now_ms : 0;
	return (int)MIN_OF(wait, (uint64_t)(soon ? SOON_MS : IDLE_MS));
}

static void sleep_until_something(struct link *l, int timeout_ms)
{
	struct zsock_poll_item items[1 + 2 * SOCKETS];
	struct error error;
	size_t count = 0, ready;
	items[count++] = (struct zsock_poll_item){ .fd = ring_fd(l->options.inbox) };
	for (size_t i = 0; i < SOCKETS; i++) {
		if (!l->sockets[i].sock)
			continue;
		items[count++] = (struct zsock_poll_item){ .sock = l->sockets[i].sock };
		if (l->sockets[i].monitor)
			items[count++] = (struct zsock_poll_item){ .sock = l->sockets[i].monitor };
	}
	l->slept_until_ms = clock_now_ms() + (uint64_t)timeout_ms;
	if (zsock_poll(items, count, timeout_ms, &ready, &error))
		log_error("poll", log_error_text(&error));
}

/* How late the loop came out of its sleep, and the memory in use: for the coordinator's screens. */
static void read_vitals(struct link *l)
{
	struct buf text;
	struct error ignored; /* no figure is better than no worker */
	uint64_t pages = 0;
	l->vitals.loop_lag_ms = l->now_ms > l->slept_until_ms ? (uint32_t)(l->now_ms - l->slept_until_ms) : 0;
	if (l->now_ms < l->vitals_at_ms)
		return;
	l->vitals_at_ms = l->now_ms + 1000;
	struct agent_status status;
	agent_status(l->agent, &status);
	link_metrics_show(l->metrics, &status, &l->vitals);
	buf_init(&text, 4096);
	struct str rest, field = STR("");
	if (fs_read("/proc/self/statm", &text, &ignored) == ERR_OK) {
		rest = buf_str(&text);
		(void)str_split(&rest, ' ', &field); /* the whole size; what is resident comes second */
		if (str_split(&rest, ' ', &field) && str_to_u64(field, &pages))
			l->vitals.memory_bytes = pages * (uint64_t)sysconf(_SC_PAGESIZE);
	}
	buf_done(&text);
}

static void tell_losses(struct link *l)
{
	for (size_t i = 0; i < SOCKETS; i++) {
		struct link_socket *s = &l->sockets[i];
		if (!s->sock || !s->lost)
			continue;
		s->lost = false;
		feed_conn(l, AGENT_EV_LOST, s->number);
		carry_out(l);
	}
}

static void run(void *arg)
{
	struct link *l = arg;
	bool more = false;
	while (!ring_is_closed(l->options.inbox)) {
		bool waits = flush(l);
		sleep_until_something(l, more ? 0 : wait_ms(l, waits));
		l->now_ms = clock_now_ms();
		read_vitals(l);
		more = false;
		for (size_t i = 0; i < SOCKETS; i++) {
			if (!l->sockets[i].sock)
				continue;
			if (l->sockets[i].monitor)
				take_monitor_events(l, &l->sockets[i]);
			carry_out(l);
			more |= take_frames(l, &l->sockets[i]);
		}
		tell_losses(l);
		more |= take_mails(l);
		agent_turn(l->agent, l->now_ms, &l->vitals, &l->actions);
		carry_out(l);
	}
	(void)flush(l); /* what a full ring does not take is freed */
}

enum err_code link_start(const struct link_options *options, struct link **ret_link, struct error *reterr)
{
	struct link *l = mem_new(1, sizeof(*l));
	l->options = *options;
	l->now_ms = clock_now_ms();
	l->agent = agent_new(&options->agent, l->now_ms);
	l->metrics = link_metrics_new(options->metrics);
	agent_actions_init(&l->actions);
	arena_init(&l->frame_arena, FRAME_ARENA_BYTES);
	buf_init(&l->frame, WIRE_FRAME_BYTES_MAX);
	outgoing_init(&l->main, options->main);
	outgoing_init(&l->outbox, options->outbox);
	l->nets = mem_new(options->agent.net_count, sizeof(*l->nets));
	for (uint32_t i = 0; i < options->agent.net_count; i++)
		outgoing_init(&l->nets[i], options->nets[i]);
	enum err_code err = thread_start(&l->thread, "link", run, l, reterr);
	if (err) {
		link_join(l);
		return err;
	}
	*ret_link = l;
	return ERR_OK;
}

static void outgoing_end(struct outgoing *o)
{
	struct mail *m;
	while ((m = outgoing_take(o)) != NULL)
		mail_free(m);
	outgoing_done(o);
}

void link_join(struct link *l)
{
	if (!l)
		return;
	thread_join(l->thread);
	for (size_t i = 0; i < SOCKETS; i++)
		close_socket(&l->sockets[i]);
	agent_free(l->agent);
	agent_actions_done(&l->actions);
	arena_done(&l->frame_arena);
	buf_done(&l->frame);
	outgoing_end(&l->main);
	outgoing_end(&l->outbox);
	for (uint32_t i = 0; i < l->options.agent.net_count; i++)
		outgoing_end(&l->nets[i]);
	link_metrics_free(l->metrics);
	mem_free(l->nets);
	mem_free(l);
}
