#include "worker/net/score_thread.h"
#include "common/base/check.h"
#include "common/base/mem.h"
#include "common/io/clock.h"
#include "common/io/outgoing.h"
#include "common/io/thread.h"
#include "worker/exec/mail.h"

enum { TURNED_MS = 250, FULL_RING_MS = 2, JOBS_A_TURN = 16 };

struct score_one {
	struct score_options options;
	uint32_t number; /* as the agent counts threads */
	struct thread *thread;
	struct outgoing link, *nets;
};

struct score_threads {
	uint32_t count;
	struct score_one *threads;
};

static void say_turned(struct score_one *s)
{
	if (outgoing_waits(&s->link))
		return; /* link has not heard the last one yet */
	struct mail *m = mail_new(MAIL_TURNED);
	m->thread = s->number;
	outgoing_push(&s->link, m);
}

static bool flush(struct score_one *s)
{
	bool waits = false;
	outgoing_flush(&s->link);
	for (uint32_t i = 0; i < s->options.net_count; i++) {
		outgoing_flush(&s->nets[i]);
		waits |= outgoing_waits(&s->nets[i]);
	}
	return waits;
}

static void run(void *arg)
{
	struct score_one *s = arg;
	void *jobs[JOBS_A_TURN];
	uint64_t said_ms = 0;
	for (;;) {
		bool closed = ring_is_closed(s->options.inbox);
		bool waits = flush(s);
		size_t count = ring_pop_wait(s->options.inbox, jobs, JOBS_A_TURN,
		                             closed  ? 0
		                             : waits ? FULL_RING_MS
		                                     : TURNED_MS);
		for (size_t i = 0; i < count; i++) {
			struct mail *m = jobs[i];
			check(m->kind == MAIL_SCORE);
			exec_score(m->exec);
			m->kind = MAIL_SCORED;
			outgoing_push(&s->nets[m->net], m);
		}
		if (closed && count == 0)
			return;
		if (clock_now_ms() >= said_ms + TURNED_MS) {
			said_ms = clock_now_ms();
			say_turned(s);
		}
	}
}

static enum err_code start_one(struct score_one *s, const struct score_options *options, uint32_t i,
                               struct error *reterr)
{
	s->options = *options;
	s->number = options->net_count + i;
	s->nets = mem_new(options->net_count, sizeof(*s->nets));
	outgoing_init(&s->link, options->link);
	for (uint32_t n = 0; n < options->net_count; n++)
		outgoing_init(&s->nets[n], options->nets[n]);
	return thread_start(&s->thread, "score", run, s, reterr);
}

enum err_code score_threads_start(const struct score_options *options, struct score_threads **ret_threads,
                                  struct error *reterr)
{
	struct score_threads *s = mem_new(1, sizeof(*s));
	s->threads = mem_new(options->thread_count, sizeof(*s->threads));
	enum err_code err = ERR_OK;
	for (; !err && s->count < options->thread_count; s->count++)
		err = start_one(&s->threads[s->count], options, s->count, reterr);
	if (err) {
		ring_close(options->inbox);
		score_threads_join(s);
		return err;
	}
	*ret_threads = s;
	return ERR_OK;
}

static void outgoing_end(struct outgoing *o)
{
	struct mail *m;
	while ((m = outgoing_take(o)) != NULL)
		mail_free(m);
	outgoing_done(o);
}

void score_threads_join(struct score_threads *s)
{
	if (!s)
		return;
	for (uint32_t i = 0; i < s->count; i++) {
		struct score_one *one = &s->threads[i];
		thread_join(one->thread);
		outgoing_end(&one->link);
		for (uint32_t n = 0; n < one->options.net_count; n++)
			outgoing_end(&one->nets[n]);
		mem_free(one->nets);
	}
	mem_free(s->threads);
	mem_free(s);
}
