/* assay-coordinator: stands by, leads, and leaves when its term is over. See README.md of this folder. */
#include "common/base/json.h"
#include "common/base/mem.h"
#include "common/io/clock.h"
#include "common/io/fs.h"
#include "common/io/keys.h"
#include "common/io/log.h"
#include "common/io/signals.h"
#include "coordinator/http/http.h"
#include "coordinator/main/allowed.h"
#include "coordinator/main/outlook.h"
#include "coordinator/main/settings.h"
#include "coordinator/main/term.h"
#include "coordinator/store/leader.h"
#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { DATABASE_RETRY_MS = 1000, STOP_QUIET_MS = 8000, EXIT_OVER = 3, LEAD_SPARE_MS = 500 };

struct program {
	struct config *config;
	struct store_settings store;
	struct keys_pair pair;
	struct hash token_hash;
	struct metrics *metrics;
	struct zsock_context *zmq;
	struct fleet *fleet;
	struct http *http;
	struct leader *leader;
	_Atomic(struct term *) term;
	struct control control;
	struct outlook_board outlook;
	struct metrics_series *leading, *database, *term_number;
	uint64_t timeline;               /* of the database when the term began */
	int signal_fd, wake_fd, wait_fd; /* wait_fd: an epoll of the other two */
	atomic_bool lost, draining;
	char url[256];
	char allowed_path[4096];
};

static struct str text_of(const struct program *p, const char *flag)
{
	return config_text(p->config, flag);
}

/* ---- what other threads call ---- */

static void on_fleet_event(void *arg, struct fleet_event *event)
{
	struct program *p = arg;
	struct term *t = atomic_load(&p->term);
	if (t)
		term_deliver(t, event);
	else
		fleet_event_free(event); /* a standby lets nobody in: nothing of worth can come */
}

static void on_lost(void *arg)
{
	struct program *p = arg;
	uint64_t one = 1;
	atomic_store(&p->lost, true);
	(void)!write(p->wake_fd, &one, sizeof(one)); /* main looks each second anyway */
}

static enum err_code no_term(struct error *reterr)
{
	return error_set(reterr, ERR_AGAIN, "this coordinator does not lead yet");
}

static enum err_code on_run_changed(void *arg, uint64_t run_id, enum control_change change, struct error *reterr)
{
	struct term *t = atomic_load(&((struct program *)arg)->term);
	return t ? term_run_changed(t, run_id, change, reterr) : no_term(reterr);
}

static enum err_code on_routes_changed(void *arg, struct error *reterr)
{
	struct term *t = atomic_load(&((struct program *)arg)->term);
	return t ? term_routes_changed(t, reterr) : no_term(reterr);
}

static enum err_code on_look(void *arg, uint64_t run_id, struct arena *arena, struct control_view *ret_view,
                             struct error *reterr)
{
	struct term *t = atomic_load(&((struct program *)arg)->term);
	return t ? term_look(t, run_id, arena, ret_view, reterr) : no_term(reterr);
}

static void on_state(void *arg, struct control_state *ret_state)
{
	struct program *p = arg;
	const struct outlook *o = outlook_get(&p->outlook);
	*ret_state = (struct control_state){ .leading = atomic_load(&p->term) != NULL,
		                             .draining = atomic_load(&p->draining),
		                             .database = o->database,
		                             .term = o->term,
		                             .refused_handshakes = fleet_refused_handshakes(p->fleet) };
	(void)snprintf(ret_state->endpoint, sizeof(ret_state->endpoint), "%.*s", STR_ARG(fleet_endpoint(p->fleet)));
	memcpy(ret_state->leader_url, o->leader_url, sizeof(o->leader_url));
	memcpy(ret_state->text, o->text, sizeof(o->text));
}

static enum err_code push_allowed(struct program *p, struct str text, struct error *reterr)
{
	struct fleet_command *c = fleet_command_new(FLEET_ALLOW, 0);
	struct zsock_zap_key *keys;
	enum err_code err = allowed_parse(text, p->allowed_path, &c->arena, &keys, &c->key_count, reterr);
	c->keys = keys;
	if (err == ERR_OK && !fleet_push(p->fleet, c))
		err = error_set(reterr, ERR_AGAIN, "the fleet is busy; try again");
	if (err != ERR_OK)
		fleet_command_free(c);
	return err;
}

static enum err_code on_keys_read(void *arg, struct buf *out, struct error *reterr)
{
	struct program *p = arg;
	return fs_read(p->allowed_path, out, reterr);
}

static enum err_code on_keys_write(void *arg, struct str lines, struct error *reterr)
{
	struct program *p = arg;
	struct arena arena;
	struct zsock_zap_key *keys;
	size_t count;
	arena_init(&arena, 64 << 20);
	enum err_code err =
		allowed_parse(lines, p->allowed_path, &arena, &keys, &count, reterr); /* nothing half done */
	if (err == ERR_OK)
		err = fs_write_atomic(p->allowed_path, lines, 0600, reterr);
	if (err == ERR_OK)
		err = push_allowed(p, lines, reterr);
	arena_done(&arena);
	return err;
}

/* ---- start ---- */

static enum err_code read_allowed(struct program *p, struct error *reterr)
{
	struct buf text;
	buf_init(&text, ALLOWED_BYTES_MAX);
	enum err_code err = fs_read(p->allowed_path, &text, reterr);
	if (err == ERR_OK)
		err = push_allowed(p, buf_str(&text), reterr);
	buf_done(&text);
	return err;
}

static enum err_code read_secrets(struct program *p, struct error *reterr)
{
	struct buf token;
	buf_init(&token, 4096);
	enum err_code err = keys_init(reterr);
	if (err == ERR_OK)
		err = keys_pair_load_or_new(text_of(p, "key").data, &p->pair, reterr);
	if (err == ERR_OK)
		err = keys_secret_read(text_of(p, "token-file").data, &token, reterr);
	if (err == ERR_OK) {
		p->token_hash = keys_token_hash(buf_str(&token));
		if (!log_hide(buf_str(&token)))
			err = error_set(reterr, ERR_INVALID, "%s: the token is too short",
			                text_of(p, "token-file").data);
	}
	keys_wipe(token.data, token.len);
	buf_done(&token);
	return err;
}

static enum err_code start_fleet(struct program *p, struct error *reterr)
{
	struct arena arena;
	struct zsock_zap_key *keys = NULL;
	struct fleet_settings s = { .zmq = p->zmq,
		                    .pair = &p->pair,
		                    .endpoint = text_of(p, "listen").data,
		                    .session = { .mode = SESSION_STANDBY },
		                    .metrics = p->metrics,
		                    .deliver = on_fleet_event,
		                    .arg = p };
	struct buf text;
	arena_init(&arena, 64 << 20);
	buf_init(&text, ALLOWED_BYTES_MAX);
	enum err_code err = fs_read(p->allowed_path, &text, reterr);
	if (err == ERR_OK)
		err = allowed_parse(buf_str(&text), p->allowed_path, &arena, &keys, &s.key_count, reterr);
	s.keys = keys;
	if (err == ERR_OK)
		err = fleet_start(&s, &p->fleet, reterr);
	buf_done(&text);
	arena_done(&arena);
	return err;
}

static enum err_code start_http(struct program *p, struct error *reterr)
{
	p->control = (struct control){ .arg = p,
		                       .run_changed = on_run_changed,
		                       .routes_changed = on_routes_changed,
		                       .look = on_look,
		                       .state = on_state,
		                       .keys_read = on_keys_read,
		                       .keys_write = on_keys_write,
		                       .metrics = p->metrics };
	struct http_settings s = { .listen = text_of(p, "http").data,
		                   .token_hash = p->token_hash,
		                   .store = p->store,
		                   .control = &p->control };
	enum err_code err = http_start(&s, &p->http, reterr);
	if (err == ERR_OK && text_of(p, "url").len)
		(void)snprintf(p->url, sizeof(p->url), "%s", text_of(p, "url").data);
	else if (err == ERR_OK)
		(void)snprintf(p->url, sizeof(p->url), "http://%s", text_of(p, "http").data);
	return err;
}

static enum err_code start_waiting(struct program *p, struct error *reterr)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP };
	enum err_code err = signals_fd(signals, ARRAY_LEN(signals), &p->signal_fd, reterr);
	if (err != ERR_OK)
		return err;
	p->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	p->wait_fd = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event ev = { .events = EPOLLIN };
	if (p->wake_fd < 0 || p->wait_fd < 0 || epoll_ctl(p->wait_fd, EPOLL_CTL_ADD, p->wake_fd, &ev) != 0 ||
	    epoll_ctl(p->wait_fd, EPOLL_CTL_ADD, p->signal_fd, &ev) != 0)
		return error_set(reterr, ERR_IO, "eventfd or epoll: %s", strerror(errno));
	return ERR_OK;
}

static void make_metrics(struct program *p)
{
	static const struct metrics_spec specs[] = {
		{ .kind = METRICS_GAUGE, .name = "assay_leading", .help = "1 while this coordinator leads" },
		{ .kind = METRICS_GAUGE, .name = "assay_database_up", .help = "1 while the database answers" },
		{ .kind = METRICS_GAUGE, .name = "assay_term", .help = "The term in force, as last read" },
	};
	struct metrics_series **series[] = { &p->leading, &p->database, &p->term_number };
	p->metrics = metrics_new();
	metrics_process(p->metrics);
	for (size_t i = 0; i < ARRAY_LEN(specs); i++)
		*series[i] = metrics_one(p->metrics, &specs[i]);
}

static enum err_code start(struct program *p, struct error *reterr)
{
	enum err_code err = read_secrets(p, reterr);
	make_metrics(p);
	if (err == ERR_OK)
		err = zsock_context_new(1, 20000, &p->zmq, reterr);
	if (err == ERR_OK)
		err = start_fleet(p, reterr);
	if (err == ERR_OK)
		err = start_http(p, reterr);
	return err;
}

/* True when a signal says that we should stop. SIGHUP reads the allow-list again. */
static bool told_to_stop(struct program *p)
{
	int number;
	struct error e;
	while (signals_next(p->signal_fd, &number, NULL)) {
		if (number != SIGHUP)
			return true;
		if (read_allowed(p, &e) != ERR_OK)
			log_error("allow-list not read again", log_error_text(&e));
		else
			log_info("allow-list read again");
	}
	return false;
}

/* ---- what the API may say of it ---- */

static void show_waiting(struct program *p, const char *why)
{
	struct outlook o = { 0 };
	(void)snprintf(o.text, sizeof(o.text), "waiting for PostgreSQL: %.270s", why); /* fits */
	outlook_show(&p->outlook, &o);
}

static void show_outlook(struct program *p, enum leader_state state)
{
	struct leader_view v = leader_view(p->leader);
	const char *error = leader_error(p->leader);
	struct outlook o = { .database = state != LEADER_AWAY && !error[0], .term = v.term };
	bool follows = state != LEADER_LEADS && !str_eq_c(v.url, p->url);
	if (follows)
		(void)snprintf(o.leader_url, sizeof(o.leader_url), "%.*s", STR_ARG(v.url)); /* as long as ours */
	if (!o.database)
		(void)snprintf(o.text, sizeof(o.text), "waiting for PostgreSQL: %.270s", error); /* fits */
	else if (follows)
		(void)snprintf(o.text, sizeof(o.text), "standing by: %s leads", o.leader_url); /* fits */
	else if (state != LEADER_LEADS)
		(void)snprintf(o.text, sizeof(o.text), "standing by"); /* fits */
	outlook_show(&p->outlook, &o);
	metrics_set(p->leading, state == LEADER_LEADS);
	metrics_set(p->database, o.database);
	metrics_set(p->term_number, (double)o.term);
}

/* Waits for a database that is away; what is wrong for good ends the program. */
static enum err_code migrate(struct program *p, struct error *reterr)
{
	bool said = false;
	for (;;) {
		struct store_schema schema;
		enum err_code err = store_migrate(&p->store, &schema, reterr);
		if (err == ERR_OK && schema.applied)
			log_info("schema brought up to date", log_i64("version", schema.version),
			         log_u64("applied", schema.applied));
		if (err != ERR_CONNECT && err != ERR_AGAIN && err != ERR_TIMEOUT)
			return err;
		if (!said)
			log_warn("waiting for the database", log_error_text(reterr));
		said = true;
		show_waiting(p, reterr->text);
		struct pollfd fd = { .fd = p->wait_fd, .events = POLLIN };
		(void)poll(&fd, 1, DATABASE_RETRY_MS); /* an interrupted wait tries again */
		if (told_to_stop(p))
			return error_set(reterr, ERR_CANCELLED, "told to stop");
	}
}

/* ---- leading ---- */

struct standing { /* what the fleet was told to answer workers */
	bool told;
	uint64_t term;
};

static enum err_code begin_term(struct program *p, struct error *reterr)
{
	struct term *t = NULL;
	struct term_settings s = { .store = p->store,
		                   .term = leader_term(p->leader),
		                   .timeline = leader_view(p->leader).timeline,
		                   .seed = keys_random_u64(),
		                   .fleet = p->fleet,
		                   .metrics = p->metrics,
		                   .lost = on_lost,
		                   .arg = p };
	enum err_code err = term_begin(&s, &t, reterr);
	if (err != ERR_OK) {
		term_free(t);
		return err;
	}
	atomic_store(&p->term, t);
	term_open(t);
	http_lead(p->http, s.term);
	return ERR_OK;
}

/* Told again when another coordinator leads, or the push found no room. */
static void show_standby(struct program *p, struct standing *said)
{
	struct leader_view v = leader_view(p->leader);
	if (said->told && said->term == v.term)
		return;
	struct fleet_command *c = fleet_command_new(FLEET_MODE, 0);
	c->mode = SESSION_STANDBY;
	c->term = v.term;
	c->timeline = v.timeline;
	c->leader = arena_str(&c->arena, v.endpoint);
	log_info("standing by", log_u64("term", v.term), log_str("leader", v.url));
	*said = (struct standing){ .told = fleet_push(p->fleet, c), .term = v.term };
	if (!said->told)
		fleet_command_free(c);
}

/* Once it leads. Another schema may have come since the start; and what this process remembers is true of one server's
 * history alone: after a failover to a replica that lagged, rows that were durable may be gone, so the term is given up
 * and the next one reads what there is. (Workers send what was committed lately again when the timeline changes.) */
static enum err_code lead(struct program *p, struct error *reterr)
{
	struct store_schema schema;
	struct term *t = atomic_load(&p->term);
	uint64_t timeline = leader_view(p->leader).timeline;
	if (!t) {
		enum err_code err = store_check_schema(&p->store, &schema, reterr);
		if (err == ERR_UNSUPPORTED || err == ERR_CORRUPT)
			return err;
		p->timeline = timeline;
		return begin_term(p, reterr);
	}
	if (timeline == p->timeline)
		return ERR_OK;
	log_warn("the database has failed over to another server: its rows are read anew under a new term");
	leader_step_down(p->leader);
	return error_set(reterr, ERR_CONFLICT, "the database has failed over to another server");
}

/* How long nobody else can lead, by our last beat: the core lends no longer than that. */
static void tell_beat(struct program *p, uint64_t *told_ms)
{
	struct term *t = atomic_load(&p->term);
	uint64_t beat_ms = leader_last_beat_ms(p->leader);
	if (!t || beat_ms == *told_ms)
		return;
	*told_ms = beat_ms;
	term_leads(t, beat_ms + LEADER_WATCH_MS - LEAD_SPARE_MS);
}

/* Until told to stop (ERR_CANCELLED) or the term is over (ERR_CONFLICT). */
static enum err_code watch(struct program *p, struct error *reterr)
{
	enum leader_state before = LEADER_STANDBY;
	struct standing said = { 0 };
	uint64_t beat_told_ms = 0;
	for (;;) {
		uint64_t now = clock_now_ms();
		if (atomic_load(&p->lost))
			leader_lost(p->leader);
		enum leader_state state = leader_step(p->leader, now);
		show_outlook(p, state);
		if (state == LEADER_OVER)
			return error_set(reterr, ERR_CONFLICT, "another coordinator leads now");
		enum err_code err = state == LEADER_LEADS ? lead(p, reterr) : ERR_OK;
		if (err != ERR_OK)
			return err;
		tell_beat(p, &beat_told_ms);
		if (state == LEADER_STANDBY)
			show_standby(p, &said);
		else if (state == LEADER_AWAY && state != before && leader_error(p->leader)[0])
			log_warn("database away", log_c("error", leader_error(p->leader)));
		before = state;
		leader_wait(p->leader, p->wait_fd, now);
		if (told_to_stop(p))
			return error_set(reterr, ERR_CANCELLED, "told to stop");
	}
}

/* In reverse: no new work, what has come in becomes durable, workers are told, threads end. */
static void stop(struct program *p)
{
	struct term *t = atomic_load(&p->term);
	atomic_store(&p->draining, true);
	if (t && !atomic_load(&p->lost)) {
		uint64_t until = clock_now_ms() + STOP_QUIET_MS;
		term_drain(t);
		struct pollfd none = { .fd = -1 };
		while (!term_quiet(t) && clock_now_ms() < until)
			(void)poll(&none, 1, 10); /* the writers have no descriptor to say so */
	}
	http_stop(p->http);
	if (t)
		term_halt(t);
	fleet_stop(p->fleet);
	if (t)
		term_stop_threads(t);
	atomic_store(&p->term, NULL);
	term_free(t);
	if (p->leader)
		leader_step_down(p->leader);
	leader_free(p->leader);
	zsock_context_free(p->zmq);
	metrics_free(p->metrics);
	keys_pair_done(&p->pair);
}

static int run(struct program *p)
{
	struct error e = { 0 };
	enum err_code err = start(p, &e);
	if (err == ERR_OK)
		err = migrate(p, &e);
	if (err == ERR_OK) {
		struct leader_settings s = { .store = p->store,
			                     .url = str_from(p->url),
			                     .endpoint = fleet_endpoint(p->fleet),
			                     .holder = STR("assay-coordinator"),
			                     .standby = config_bool(p->config, "standby") };
		err = leader_new(&s, &p->leader, &e);
	}
	if (err == ERR_OK) {
		log_info("listening", log_str("workers", fleet_endpoint(p->fleet)), log_c("api", p->url));
		err = watch(p, &e);
	}
	if (err == ERR_CANCELLED) {
		log_info("stopping");
	} else if (err == ERR_CONFLICT) {
		/* Whatever it still said could only be wrong, and a request of the API that waits for the database from
		 * which it was cut off would hold it up for half a minute: what it holds ends with the process. */
		log_warn("term over, leaving", log_error_text(&e));
		_exit(EXIT_OVER);
	} else {
		log_error("leaving", log_error_text(&e));
	}
	stop(p);
	return err == ERR_CANCELLED ? 0 : err == ERR_CONFLICT ? EXIT_OVER : err == ERR_INVALID ? 2 : 1;
}

int main(int argc, char **argv)
{
	static struct program p;
	struct error e;
	json_start();
	outlook_init(&p.outlook);
	enum err_code err =
		config_parse(&settings_program, (size_t)argc - 1, (const char *const *)argv + 1, NULL, &p.config, &e);
	if (err == ERR_OK && (config_wants_help(p.config) || config_wants_version(p.config))) {
		struct buf text;
		buf_init(&text, 1 << 20);
		bool ok = config_wants_version(p.config) ? buf_printf(&text, "assay-coordinator %s\n", ASSAY_VERSION)
		                                         : config_help_asked(p.config, &text);
		(void)printf("%.*s", STR_ARG(buf_str(&text)));
		buf_done(&text);
		config_free(p.config);
		return ok ? 0 : 1;
	}
	if (err == ERR_OK)
		err = start_waiting(&p, &e);
	if (err == ERR_OK)
		err = log_setup(text_of(&p, "log"), &e);
	if (err != ERR_OK) {
		(void)fprintf(stderr, "assay-coordinator: %s\n", e.text);
		config_free(p.config);
		return 2;
	}
	p.store = (struct store_settings){ .dsn = text_of(&p, "dsn").data };
	(void)snprintf(p.allowed_path, sizeof(p.allowed_path), "%s", text_of(&p, "allowed").data);
	int status = run(&p);
	outlook_done(&p.outlook);
	config_free(p.config);
	return status;
}
