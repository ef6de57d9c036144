/* Goal: on a fleet of preemptible machines thousands of deaths set nobody aside, and cost the work of the dead alone.
 */
#include "common/base/rng.h"
#include "tests/support/cmocka_all.h"
#include "tests/unit/schedule/trace.h"

enum { SLOTS = 2, STEP_MS = 200, ASK_STEPS = 3, RENEW_STEPS = 5, KILLS = 2000, KILL_PER_CENT = 20, ITEMS = 200000 };

struct machine { /* a toy and what became of it */
	uint32_t id;
	uint64_t back_ms; /* 0: it runs */
	uint32_t died_count;
	uint64_t died[SLOTS]; /* what it was asking then */
	uint64_t asking[SLOTS];
	uint32_t asking_count;
};

struct fleet {
	struct trace t;
	struct rng rng;
	struct machine machines[TOYS];
	uint32_t outbox_next;
	uint64_t done, most; /* answers; what the slots of machines that ran could have answered */
	uint32_t kills;
};

static struct toy *toy_of(struct fleet *f, const struct machine *m)
{
	return &f->t.toys[m->id % TOYS];
}

/* Some come back with their outbox, which says what was being asked; others are new machines. */
static void come(struct fleet *f, struct machine *m)
{
	struct toy *toy = toy_of(f, m);
	uint32_t outbox = m->died_count && rng_below(&f->rng, 2) ? toy->outbox : 1 + f->outbox_next++ % 250;
	bool is_back = outbox == toy->outbox;
	m->id += TOYS;
	m->back_ms = 0;
	*toy = (struct toy){ 0 };
	join(&f->t, m->id, outbox, SLOTS);
	for (uint32_t i = 0; is_back && i < m->died_count; i++)
		failed(&f->t, m->id, 1, m->died[i], CLASS_DIED, true, 1, -1);
	m->died_count = 0;
	renew(&f->t, m->id, SLOTS * 10);
}

static void kill_one(struct fleet *f)
{
	struct machine *m = &f->machines[rng_below(&f->rng, TOYS)];
	if (m->back_ms)
		return;
	f->kills++;
	m->back_ms = f->t.now_ms + 200 + rng_below(&f->rng, 6000);
	m->died_count = m->asking_count;
	memcpy(m->died, m->asking, sizeof(m->died));
	m->asking_count = 0;
	toy_of(f, m)->lease_count = 0; /* all that it held is gone with it */
	toy_of(f, m)->deaf = true;
	go(&f->t, m->id, false);
}

/* What it asked is answered; then it asks as much as it may. */
static void work(struct fleet *f, struct machine *m)
{
	struct toy *toy = toy_of(f, m);
	for (uint32_t i = 0; i < m->asking_count; i++)
		done(&f->t, m->id, 1, m->asking[i]);
	f->done += m->asking_count;
	m->asking_count = 0;
	for (size_t i = 0; i < toy->lease_count; i++)
		for (uint32_t k = 0; k < toy->leases[i].count && m->asking_count < SLOTS; k++)
			if (toy->leases[i].held[k / 8] >> (k % 8) & 1)
				m->asking[m->asking_count++] = toy->leases[i].sample_nos[k];
	for (uint32_t i = 0; i < m->asking_count; i++)
		start(&f->t, m->id, 1, m->asking[i]);
	f->most += SLOTS;
}

static void two_thousand_kills_set_nobody_aside_and_cost_what_the_dead_would_have_done(void **state)
{
	static struct fleet f;
	(void)state;
	trace_begin(&f.t, 1);
	f.t.quiet = true;
	rng_seed(&f.rng, 4);
	add_route(&f.t, 1, 0);
	admit(&f.t, plain_run(1, ITEMS));
	for (uint32_t i = 0; i < TOYS; i++) {
		f.machines[i].id = i;
		come(&f, &f.machines[i]);
	}
	for (uint32_t step = 1; f.kills < KILLS; step++) {
		wait_until(&f.t, (uint64_t)step * STEP_MS);
		for (uint32_t i = 0; i < TOYS; i++) {
			struct machine *m = &f.machines[i];
			if (m->back_ms && m->back_ms <= f.t.now_ms)
				come(&f, m);
			else if (!m->back_ms && (step + i) % ASK_STEPS == 0)
				work(&f, m);
			if (!m->back_ms && (step + i) % RENEW_STEPS == 0)
				renew(&f.t, m->id, SLOTS * 10);
		}
		if (rng_below(&f.rng, 100) < KILL_PER_CENT)
			kill_one(&f);
	}
	const struct sched_counters *c = schedule_counters(f.t.s);
	print_message("%u kills, %llu deaths of samples; %llu of %llu done\n", f.kills, (unsigned long long)c->deaths,
	              (unsigned long long)f.done, (unsigned long long)f.most);
	assert_true(c->deaths >=
	            KILLS / 2); /* of those that were asking; the others had finished, or nobody can know */
	assert_int_equal(c->quarantined, 0);
	assert_int_equal(view_of(&f.t, 1).missing, 0);
	assert_true(view_of(&f.t, 1).pending > 0); /* there was work for all to the end */
	assert_true(f.done + (uint64_t)KILLS * SLOTS >= f.most * 98 / 100);
	trace_end(&f.t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_thousand_kills_set_nobody_aside_and_cost_what_the_dead_would_have_done),
	};
	return cmocka_run_group_tests_name("kills", tests, NULL, NULL);
}
