/* Goal: after any mixture of results, failures, deaths, retries and replays, in any grouping, the database says what a
 * model in a few plain lines says, and the summary is its rows'. */
#include "common/io/clock.h"
#include "tests/integration/store/scene.h"
#include "tests/support/gen.h"
#include <string.h>

enum { SAMPLES = 24, BATCHES = 14, BATCH_MAX = 40, ASKS_MAX = 32 };

struct ask {
	uint64_t id;
	int64_t at_ms;
};

struct sample { /* what is true of one sample, record by record */
	bool has_row;
	uint32_t retry_no;
	int rank; /* of the row that counts: 2 scored, 1 answered, 0 neither */
	uint64_t row_ask;
	uint64_t stored[ASKS_MAX], paid[ASKS_MAX];
	struct ask died[ASKS_MAX];
	size_t stored_count, paid_count, died_count;
	bool answered;
};

struct model {
	struct scene *scene;
	struct rng rng;
	uint64_t run_id;
	uint32_t wave;
	struct sample samples[SAMPLES];
	struct msg_record batches[BATCHES][BATCH_MAX];
	size_t counts[BATCHES];
};

static bool has(const uint64_t *ids, size_t count, uint64_t id)
{
	for (size_t i = 0; i < count; i++)
		if (ids[i] == id)
			return true;
	return false;
}

static void pay(struct sample *s, uint64_t id)
{
	if (!has(s->paid, s->paid_count, id))
		s->paid[s->paid_count++] = id;
}

static void pay_for_deaths(struct sample *s)
{
	for (size_t i = 0; i < s->died_count; i++) {
		bool last = true;
		for (size_t k = 0; k < s->died_count; k++)
			if (s->died[k].at_ms > s->died[i].at_ms ||
			    (s->died[k].at_ms == s->died[i].at_ms && (int64_t)s->died[k].id > (int64_t)s->died[i].id))
				last = false;
		if (s->answered || !last) /* one ask of a sample is never too many */
			pay(s, s->died[i].id);
	}
}

static void apply(struct sample *s, const struct msg_record *r)
{
	if (r->kind == RECORD_ATTEMPT) {
		if (r->error_class != CLASS_DIED)
			return;
		for (size_t i = 0; i < s->died_count; i++)
			if (s->died[i].id == r->ask_id)
				return;
		s->died[s->died_count++] = (struct ask){ r->ask_id, r->at_ms };
		pay_for_deaths(s);
		return;
	}
	int rank = r->outcome == OUTCOME_SCORED ? 2 : r->outcome == OUTCOME_UNSCORED ? 1 : 0;
	bool known = r->ask_id != 0 && has(s->stored, s->stored_count, r->ask_id);
	bool later = s->has_row && r->retry_no > s->retry_no;
	if (!s->has_row || (s->rank < 2 && !known && (later || rank > s->rank))) {
		if (s->has_row && !later && s->rank == 1 && s->row_ask != 0)
			pay(s, s->row_ask);
		s->retry_no = !s->has_row || later ? r->retry_no : s->retry_no + 1;
		s->has_row = true;
		s->rank = rank;
		s->row_ask = r->ask_id;
		if (r->ask_id != 0)
			s->stored[s->stored_count++] = r->ask_id;
		if (rank > 0) {
			s->answered = true;
			pay_for_deaths(s);
		}
	} else if (rank > 0 && !known) {
		pay(s, r->ask_id);
	}
}

static struct msg_record draw(struct model *m)
{
	struct rng *rng = &m->rng;
	uint64_t sample = rng_below(rng, SAMPLES);
	uint64_t ask = m->run_id << 20 | sample << 8 | (1 + rng_below(rng, 4));
	double score = gen_chance(rng, 50) ? (double)rng_below(rng, 2) : rng_unit(rng) * 1e3 - 500;
	struct msg_record r;
	switch (rng_below(rng, 6)) {
	case 0:
		r = scene_attempt(m->scene, m->run_id, sample, ask | 0x80, CLASS_DIED);
		r.at_ms = 1700000000000 + (int64_t)rng_below(rng, 5);
		r.ask_id |= rng_below(rng, 3) << 4;
		return r;
	case 1:
		return scene_attempt(m->scene, m->run_id, sample, ask | 0x40, CLASS_SERVER);
	case 2:
		r = scene_outcome(m->run_id, sample,
		                  gen_chance(rng, 80) ? OUTCOME_PROVIDER_ERROR : OUTCOME_QUARANTINED);
		r.record_no = ++m->scene->next_record_no; /* so that a replay is one */
		break;
	default:
		r = scene_result(m->scene, m->run_id, sample, ask, score);
		if (gen_chance(rng, 25)) {
			r.outcome = OUTCOME_UNSCORED;
			r.score_count = (size_t)rng_below(rng, 3);
		}
		r.flags = (uint32_t)rng_below(rng, 16);
		r.cost_nanousd = gen_chance(rng, 50) ? -1 : (int64_t)rng_below(rng, 1000);
	}
	r.retry_no = (uint32_t)rng_below(rng, m->wave + 1);
	return r;
}

/* Records of one run, through one writer, in the order of the batches. */
static void write_batches(struct model *m, struct writer *w, size_t from, size_t count)
{
	struct writer_done done[BATCHES][BATCH_MAX];
	struct writer_batch batches[BATCHES];
	for (size_t i = 0; i < count; i++) {
		batches[i] = scene_batch(m->scene, m->batches[from + i], m->counts[from + i], done[i]);
		writer_add_batch(w, &batches[i], 0);
	}
	assert_int_equal(scene_drive(w), count);
	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < m->counts[from + i]; k++)
			assert_int_equal(done[i][k].fate, WRITER_STORED);
}

static void compare(struct model *m)
{
	uint64_t n = 0, scored = 0, paid = 0;
	for (size_t i = 0; i < SAMPLES; i++) {
		n += m->samples[i].has_row;
		scored += m->samples[i].has_row && m->samples[i].rank == 2;
		paid += m->samples[i].paid_count;
	}
	const struct run_sum *sum = scene_sum(m->scene, m->run_id);
	assert_int_equal(sum->n, n);
	assert_int_equal(sum->scored, scored);
	assert_int_equal(sum->paid_twice, paid);
	scene_recount(m->scene, m->run_id);
}

static void retry(struct model *m)
{
	struct error e;
	assert_ok(runs_retry(m->scene->store, m->run_id, STR("test"), &m->wave, &e), &e);
}

/* Everything anew but the random numbers, which go on. */
static void begin(struct model *m, struct scene *s)
{
	struct rng rng = m->rng;
	arena_reset(&s->arena);
	memset(m, 0, sizeof(*m));
	m->rng = rng;
	m->scene = s;
	m->run_id = scene_run(s, 1);
}

static void fill_batch(struct model *m, size_t b)
{
	m->counts[b] = 1 + (size_t)rng_below(&m->rng, BATCH_MAX);
	for (size_t k = 0; k < m->counts[b]; k++) {
		m->batches[b][k] = draw(m);
		apply(&m->samples[m->batches[b][k].sample_no], &m->batches[b][k]);
	}
}

static void any_mixture_of_records_is_what_the_model_says(void **state)
{
	struct scene *s = *state;
	static struct model model;
	struct model *m = &model;
	for (struct gen_seeds seeds = gen_seeds(25); gen_next(&seeds, &m->rng);) {
		begin(m, s);
		struct writer *w = scene_writer(s, s->term);
		for (size_t b = 0; b < BATCHES; b += 2) {
			fill_batch(m, b);
			fill_batch(m, b + 1);
			write_batches(m, w, b, 2);
			compare(m);
			write_batches(m, w, (size_t)rng_below(&m->rng, b + 2), 1); /* a replay */
			compare(m);
			if (gen_chance(&m->rng, 30))
				retry(m);
		}
		writer_free(w);
	}
}

static void a_cancelled_run_that_goes_on_counts_what_came_meanwhile(void **state)
{
	struct scene *s = *state;
	static struct model model;
	struct model *m = &model;
	for (struct gen_seeds seeds = gen_seeds(8); gen_next(&seeds, &m->rng);) {
		begin(m, s);
		struct writer *w = scene_writer(s, s->term);
		for (size_t b = 0; b < 6; b++) {
			fill_batch(m, b);
			write_batches(m, w, b, 1);
			if (b % 2 == 0) {
				struct writer_job end = { .kind = WRITER_RUN_STATE,
					                  .run_state = { m->run_id, RUN_CANCELLED, STR("test") } };
				writer_add_job(w, &end);
				assert_int_equal(scene_drive(w), 1);
				scene_recount(s, m->run_id);
			} else {
				retry(m);
				compare(m);
			}
		}
		writer_free(w);
	}
}

static void a_recount_finds_a_summary_that_is_wrong(void **state)
{
	struct scene *s = *state;
	struct error e;
	uint64_t run = scene_run(s, 1);
	struct msg_record r[] = { scene_result(s, run, 0, run << 20 | 1, 0.1),
		                  scene_result(s, run, 1, run << 20 | 2, 0.2) };
	scene_write(s, r, 2, NULL);
	scene_recount(s, run);
	scene_sql(s, "UPDATE assay.run_summary SET sum = sum + 0.0000000000000001 WHERE metric = 0 AND slice_no = 0"
	             " AND run_id = (SELECT max(run_id) FROM assay.run)");
	assert_int_equal(store_recount(s->store, run, &e), ERR_CORRUPT);
	assert_non_null(strstr(e.text, "differs from its rows"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(any_mixture_of_records_is_what_the_model_says, scene_test, gen_report),
		cmocka_unit_test_setup_teardown(a_cancelled_run_that_goes_on_counts_what_came_meanwhile, scene_test,
		                                gen_report),
		cmocka_unit_test_setup(a_recount_finds_a_summary_that_is_wrong, scene_test),
	};
	return cmocka_run_group_tests_name("store random", tests, scene_begin, scene_end);
}
