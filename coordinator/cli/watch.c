#include "coordinator/cli/watch.h"
#include "common/base/unicode.h"
#include "common/io/clock.h"
#include "common/io/signals.h"
#include <math.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

enum {
	LOOK_MS = 50,
	LOOK_SLOW_MS = 250,
	FAST_FOR_MS = 10000,
	LINE_EACH_MS = 10000,
	BAR = 20,
	AWAY_MS = 500,
	STUCK_MS = 1000,
	OLD_MS = 5000
};

void watch_duration(int64_t ms, char out[WATCH_DURATION_BYTES])
{
	int64_t s = ms / 1000;
	if (s >= 3600)
		(void)snprintf(out, WATCH_DURATION_BYTES, "%lldh%02lldm", (long long)(s / 3600),
		               (long long)(s / 60 % 60));
	else if (s >= 60)
		(void)snprintf(out, WATCH_DURATION_BYTES, "%lldm%02llds", (long long)(s / 60), (long long)(s % 60));
	else
		(void)snprintf(out, WATCH_DURATION_BYTES, "%llds", (long long)s);
}

void watch_line(const struct json *run, char out[WATCH_LINE_BYTES])
{
	const struct json *p = json_get(run, "progress");
	int64_t total = json_i64_or(json_get(p, "total"), 0), done = json_i64_or(json_get(p, "done"), 0), eta;
	int64_t cost = json_i64_or(json_get(p, "cost_nanousd"), 0);
	double share = total > 0 ? fmin(fmax((double)done / (double)total, 0), 1) : 0; /* from outside: any number */
	int filled = (int)(share * BAR);
	char bar[BAR + 1], eta_text[WATCH_DURATION_BYTES] = "-", cost_text[32] = "";
	for (int i = 0; i < BAR; i++)
		bar[i] = i < filled ? '#' : '-';
	bar[BAR] = '\0';
	if (json_i64(json_get(p, "eta_ms"), &eta))
		watch_duration(eta, eta_text);
	if (cost > 0)
		(void)snprintf(cost_text, sizeof(cost_text), "  $%.2f", (double)cost / 1e9);
	int len = snprintf(out, WATCH_LINE_BYTES, "[%s] %lld/%lld  %d%%  %.1f/s  ETA %s  err %lld%s", bar,
	                   (long long)done, (long long)total, (int)(share * 100 + 1e-9),
	                   json_num_or(json_get(p, "per_second"), 0), eta_text,
	                   (long long)json_i64_or(json_get(p, "failed_attempts"), 0), cost_text);
	struct str cause = json_str_or(json_pointer(run, STR("/waiting_for/0/cause")), STR(""));
	struct str text = json_str_or(json_pointer(run, STR("/waiting_for/0/text")), STR(""));
	int64_t oldest = json_i64_or(json_pointer(run, STR("/waiting_for/0/oldest_ms")), 0);
	bool worth_saying =
		cause.len && !str_eq_c(cause, "nothing") && (!str_eq_c(cause, "in_flight") || oldest >= OLD_MS);
	if (worth_saying && len > 0 && len < WATCH_LINE_BYTES)
		(void)snprintf(out + len, (size_t)(WATCH_LINE_BYTES - len), "  %.*s", STR_ARG(text));
}

enum cli_exit watch_exit(const char *state)
{
	if (strcmp(state, "done") == 0 || strcmp(state, "decided") == 0)
		return CLI_OK;
	return CLI_INCOMPLETE;
}

struct display {
	bool redraw;
	uint64_t shown_ms;
	unsigned last_width;
	char told[WATCH_LINE_BYTES]; /* what tell_stuck() said last */
	uint64_t served_ms;          /* when somebody could serve the run, as far as was seen */
};

bool watch_is_stuck(struct str cause)
{
	static const char *const causes[] = { "no_worker",     "no_provider", "no_alias", "no_address", "no_host",
		                              "route_blocked", "no_route",    "database", "worker_disk" };
	for (size_t i = 0; i < ARRAY_LEN(causes); i++)
		if (str_eq_c(cause, causes[i]))
			return true;
	return false;
}

/* What a run that nobody can serve waits for; empty when it is not so. */
static struct str stuck_text(const struct json *run)
{
	return watch_is_stuck(json_str_or(json_pointer(run, STR("/waiting_for/0/cause")), STR("")))
	               ? json_str_or(json_pointer(run, STR("/waiting_for/0/text")), STR("?"))
	               : STR("");
}

/* Without a line that is redrawn, a run that nobody can serve would be silent: its cause is told once. */
static void tell_stuck(const struct cli *c, struct display *d, struct str text)
{
	if (!text.len || str_eq_c(str_slice(text, 0, sizeof(d->told) - 1), d->told) || (d->redraw && c->progress))
		return;
	(void)snprintf(d->told, sizeof(d->told), "%.*s", STR_ARG(text));
	cli_note(c, "the run waits: %.*s (assay workers list, assay doctor)", STR_ARG(text));
}

static void show(const struct cli *c, struct display *d, const char *line, uint64_t now, bool last)
{
	if (!c->progress)
		return;
	if (d->redraw) {
		if (now - d->shown_ms < 100 && !last)
			return;
		unsigned width = unicode_width(str_from(line)), most = c->width > 1 ? c->width - 1 : 79;
		struct str cut = str_slice(str_from(line), 0, most);
		(void)fprintf(stderr, "\r%.*s%*s%s", STR_ARG(cut),
		              d->last_width > width ? (int)(d->last_width - width) : 0, "", last ? "\n" : "");
		(void)fflush(stderr);
		d->last_width = width;
		d->shown_ms = now;
	} else if (now - d->shown_ms >= LINE_EACH_MS || (last && d->shown_ms)) {
		(void)fprintf(stderr, "%s\n", line);
		d->shown_ms = now;
	}
}

static bool signalled(const struct cli *c, int wait_ms, struct watch_end *end)
{
	struct pollfd fd = { .fd = c->signal_fd, .events = POLLIN };
	if (poll(&fd, 1, wait_ms) <= 0 || c->signal_fd < 0)
		return false;
	return signals_next(c->signal_fd, &end->signal, NULL);
}

enum err_code watch_run(struct cli *c, struct api *a, uint64_t run_id, uint32_t stuck_ms, struct watch_end *ret_end,
                        struct error *reterr)
{
	struct display d = { .redraw = isatty(STDERR_FILENO) };
	uint64_t begun = clock_now_ms();
	*ret_end = (struct watch_end){ 0 };
	d.shown_ms = d.redraw ? 0 : begun;
	d.served_ms = begun;
	for (;;) {
		struct api_answer answer;
		char line[WATCH_LINE_BYTES];
		enum err_code err = api_get(a, &answer, reterr, "/api/v1/runs/%llu", (unsigned long long)run_id);
		uint64_t now = clock_now_ms();
		int wait_ms = now - begun < FAST_FOR_MS ? LOOK_MS : LOOK_SLOW_MS;
		if (err == ERR_OK) {
			const struct json *run = json_root(answer.doc);
			struct str state = json_str_or(json_get(run, "state"), STR(""));
			bool ended = !str_eq_c(state, "running") && !str_eq_c(state, "queued");
			(void)snprintf(ret_end->state, sizeof(ret_end->state), "%.*s", STR_ARG(state));
			watch_line(run, line);
			show(c, &d, line, now, ended);
			struct str stuck = stuck_text(run);
			d.served_ms = stuck.len ? d.served_ms : now;
			if (stuck_ms && now - d.served_ms >= stuck_ms)
				(void)snprintf(ret_end->stuck, sizeof(ret_end->stuck), "%.*s", STR_ARG(stuck));
			else if (now - d.served_ms >= STUCK_MS)
				tell_stuck(c, &d, stuck);
			api_answer_done(&answer);
			if (ended || ret_end->stuck[0])
				return ERR_OK;
		} else if (err == ERR_CONNECT || err == ERR_AGAIN || err == ERR_TIMEOUT) {
			(void)snprintf(line, sizeof(line), "waiting for the server: %.150s", reterr->text);
			show(c, &d, line, now, false);
			if (now - d.served_ms >= STUCK_MS)
				tell_stuck(c, &d, str_from(reterr->text));
			wait_ms = AWAY_MS;
		} else if (err == ERR_CANCELLED) {
			wait_ms = 0; /* the signal waits to be read below */
		} else {
			return err;
		}
		if (signalled(c, wait_ms, ret_end)) {
			if (d.redraw && c->progress)
				(void)fputc('\n', stderr);
			ret_end->interrupted = true;
			return ERR_OK;
		}
	}
}
