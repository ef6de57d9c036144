/* Goal: what must hold of any runs: swapping mirrors, order does not matter, bounds enclose, counts add up, and no
 * verdict contradicts its interval. */
#include "coordinator/evidence/gate.h"
#include "coordinator/evidence/report.h"
#include "tests/support/gen.h"
#include "tests/unit/evidence/runs.h"
#include <math.h>

enum { ITEMS_MAX = 60, ARENA_BYTES = 32 << 20 };

static const char *const tasks[] = { "refund", "order", "address", "" };
static const char *const clusters[] = { "x", "y", "z", "u", "v" };

struct draft { /* a run before it is built, so that it can be shuffled */
	struct runs_item items[ITEMS_MAX];
	char scores[ITEMS_MAX][8], id[ITEMS_MAX][32];
	size_t n;
};

struct shape {
	uint32_t epochs;
	bool graded, clustered, weighted;
	unsigned missing_percent;
};

static struct shape draw_shape(struct rng *r)
{
	return (struct shape){ .epochs = 1 + (uint32_t)rng_below(r, 3),
		               .graded = gen_chance(r, 40),
		               .clustered = gen_chance(r, 40),
		               .weighted = gen_chance(r, 30),
		               .missing_percent = gen_chance(r, 50) ? 0 : 25 };
}

static char draw_score(struct rng *r, const struct shape *shape)
{
	if (gen_chance(r, shape->missing_percent))
		return "-uqc.a"[rng_below(r, 6)];
	if (shape->graded)
		return (char)('0' + rng_below(r, 10));
	return "01rt1"[rng_below(r, 5)];
}

static void draw_scores(struct rng *r, const struct shape *shape, struct draft *d)
{
	for (size_t i = 0; i < d->n; i++) {
		for (uint32_t e = 0; e < shape->epochs; e++)
			d->scores[i][e] = draw_score(r, shape);
		d->scores[i][shape->epochs] = '\0';
	}
}

static void draw_run(struct rng *r, const struct shape *shape, struct draft *d)
{
	memset(d, 0, sizeof(*d));
	d->n = 1 + (size_t)rng_below(r, ITEMS_MAX);
	for (size_t i = 0; i < d->n; i++) {
		(void)snprintf(d->id[i], sizeof(d->id[i]), "i%zu", i);
		d->items[i].task = tasks[rng_below(r, ARRAY_LEN(tasks))];
		d->items[i].cluster =
			shape->clustered && gen_chance(r, 80) ? clusters[rng_below(r, ARRAY_LEN(clusters))] : NULL;
		d->items[i].weight = shape->weighted ? 0.25 + rng_unit(r) : 1;
	}
	draw_scores(r, shape, d);
}

static void shuffle(struct rng *r, struct draft *d)
{
	for (size_t i = d->n; i > 1; i--) {
		size_t j = (size_t)rng_below(r, i);
		struct runs_item item = d->items[i - 1];
		char scores[8], id[32];
		memcpy(scores, d->scores[i - 1], sizeof(scores));
		memcpy(id, d->id[i - 1], sizeof(id));
		d->items[i - 1] = d->items[j];
		memcpy(d->scores[i - 1], d->scores[j], sizeof(scores));
		memcpy(d->id[i - 1], d->id[j], sizeof(id));
		d->items[j] = item;
		memcpy(d->scores[j], scores, sizeof(scores));
		memcpy(d->id[j], id, sizeof(id));
	}
}

static void build(struct draft *d, struct arena *arena, struct samples *s)
{
	for (size_t i = 0; i < d->n; i++) {
		d->items[i].id = d->id[i];
		d->items[i].scores = d->scores[i];
	}
	runs_build(s, arena, d->items, d->n);
}

static bool near(double a, double b)
{
	return fabs(a - b) <= 1e-10 * fmax(1, fmax(fabs(a), fabs(b)));
}

static bool same(struct number a, struct number b)
{
	return a.defined == b.defined && near(a.value, b.value);
}

static void check_row(const struct summary_row *row)
{
	uint64_t missing = 0;
	for (size_t o = 0; o < OUTCOME_COUNT; o++)
		missing += row->missing[o];
	assert_true(missing == summary_missing(row) && row->n <= row->item_count);
	assert_true(row->refused + row->truncated + row->empty + row->filtered <= row->scored_count);
	assert_true(row->mean.defined == (row->n > 0));
	if (row->mean.defined) {
		assert_true(row->worst.value <= row->mean.value + 1e-12 && row->mean.value <= row->best.value + 1e-12);
		assert_true(!row->binary || row->passed <= row->n);
	}
	assert_true((row->method == SUMMARY_NO_INTERVAL) == !row->interval.defined);
	if (row->interval.defined) {
		assert_true(row->interval.low >= 0 && row->interval.high <= 1 &&
		            row->interval.low < row->interval.high);
		assert_true(row->interval.low <= row->mean.value && row->mean.value <= row->interval.high);
		assert_true(row->detectable.defined);
	}
}

static void a_summary_adds_up_and_does_not_depend_on_order(void **state)
{
	(void)state;
	static struct draft d;
	struct rng r;
	for (struct gen_seeds s = gen_seeds(1000); gen_next(&s, &r);) {
		struct arena arena;
		struct samples first, second;
		struct summary one, two;
		struct shape shape = draw_shape(&r);
		arena_init(&arena, ARENA_BYTES);
		draw_run(&r, &shape, &d);
		build(&d, &arena, &first);
		assert_int_equal(summary_compute(&arena, &first, 0.95, &one, NULL), ERR_OK);
		shuffle(&r, &d);
		build(&d, &arena, &second);
		assert_int_equal(summary_compute(&arena, &second, 0.95, &two, NULL), ERR_OK);
		uint64_t items = 0;
		for (size_t i = 0; i < one.row_count; i++) {
			check_row(&one.rows[i]);
			items += i > 0 ? one.rows[i].item_count : 0;
			struct str label = summary_label(&first, one.rows[i].dimension, one.rows[i].group);
			const struct summary_row *other = NULL;
			for (size_t j = 0; j < two.row_count; j++)
				if (str_eq(summary_label(&second, two.rows[j].dimension, two.rows[j].group), label))
					other = &two.rows[j];
			assert_non_null(other);
			assert_true(other->n == one.rows[i].n && other->method == one.rows[i].method);
			assert_true(same(other->mean, one.rows[i].mean) && same(other->se, one.rows[i].se));
			assert_true(near(other->interval.low, one.rows[i].interval.low));
			assert_true(same(other->worst, one.rows[i].worst));
			assert_int_equal(other->cost_nanousd, one.rows[i].cost_nanousd);
		}
		assert_true(items <= one.rows[0].item_count);
		samples_done(&first);
		samples_done(&second);
		arena_done(&arena);
	}
}

static enum compare_verdict mirrored(enum compare_verdict v)
{
	return v == COMPARE_BETTER ? COMPARE_WORSE : v == COMPARE_WORSE ? COMPARE_BETTER : v;
}

static void check_compare_row(const struct compare_row *row, double alpha)
{
	assert_true(row->n <= row->item_count && row->changed <= row->n);
	if (row->diff.defined) {
		assert_true(row->diff_worst.value <= row->diff_best.value + 1e-12);
		if (row->missing_base == 0 && row->missing_cand == 0 &&
		    near(row->diff_worst.value, row->diff_best.value))
			assert_true(near(row->diff.value, row->diff_worst.value));
	}
	if (row->interval.defined)
		assert_true(row->interval.low <= row->diff.value && row->diff.value <= row->interval.high &&
		            row->interval.low < row->interval.high);
	assert_true(row->p.defined == row->q.defined && row->p.defined == row->holm.defined);
	if (row->p.defined)
		assert_true(row->p.value <= row->q.value && row->q.value <= row->holm.value + 1e-15 &&
		            row->holm.value <= 1);
	if (row->verdict == COMPARE_BETTER || row->verdict == COMPARE_WORSE)
		assert_true(row->q.value <= alpha &&
		            (row->verdict == COMPARE_BETTER ? row->interval.low > 0 : row->interval.high < 0));
	if (row->n < 2)
		assert_int_equal(row->verdict, COMPARE_NOT_ENOUGH);
}

static void swapping_the_runs_mirrors_the_comparison(void **state)
{
	(void)state;
	static struct draft d;
	struct rng r;
	for (struct gen_seeds s = gen_seeds(1000); gen_next(&s, &r);) {
		struct arena arena;
		struct samples a, b;
		struct compare ab, ba;
		struct shape shape = draw_shape(&r);
		arena_init(&arena, ARENA_BYTES);
		draw_run(&r, &shape, &d);
		build(&d, &arena, &a);
		if (gen_chance(&r, 80))
			draw_scores(&r, &shape, &d);
		build(&d, &arena, &b);
		assert_int_equal(compare_runs(&arena, &a, &b, compare_defaults(), &ab, NULL), ERR_OK);
		assert_int_equal(compare_runs(&arena, &b, &a, compare_defaults(), &ba, NULL), ERR_OK);
		assert_true(ab.row_count == ba.row_count && ab.flip_count == ba.flip_count && ab.unpaired_count == 0);
		for (size_t i = 0; i < ab.row_count; i++) {
			const struct compare_row *x = &ab.rows[i], *y = &ba.rows[i];
			check_compare_row(x, ab.options.alpha);
			assert_true(x->n == y->n && x->gained == y->lost && x->lost == y->gained);
			assert_true(x->diff.value == -y->diff.value && x->p.value == y->p.value &&
			            x->q.value == y->q.value);
			assert_true(x->interval.low == -y->interval.high && x->se.value == y->se.value);
			assert_true(near(x->diff_worst.value, -y->diff_best.value) &&
			            x->detectable.value == y->detectable.value);
			assert_int_equal(mirrored(x->verdict), y->verdict);
		}
		samples_done(&a);
		samples_done(&b);
		arena_done(&arena);
	}
}

static void pairing_is_one_to_one_and_leaves_nobody_out(void **state)
{
	(void)state;
	static struct draft d;
	struct rng r;
	for (struct gen_seeds s = gen_seeds(1000); gen_next(&s, &r);) {
		struct arena arena;
		struct samples a, b;
		struct compare c;
		struct shape shape = { .epochs = 1 };
		arena_init(&arena, ARENA_BYTES);
		draw_run(&r, &shape, &d);
		build(&d, &arena, &a);
		for (size_t i = 0; i < d.n; i++) { /* rename, edit, or copy some; content is named by a small number */
			d.items[i].content = gen_chance(&r, 30) ? clusters[rng_below(&r, 5)] : NULL;
			if (gen_chance(&r, 30))
				(void)snprintf(d.id[i], sizeof(d.id[i]), "new%zu", i);
		}
		shuffle(&r, &d);
		d.n = 1 + (size_t)rng_below(&r, d.n);
		build(&d, &arena, &b);
		enum err_code code = compare_runs(&arena, &a, &b, compare_defaults(), &c, NULL);
		assert_true(code == ERR_OK || code == ERR_NOT_FOUND);
		if (code == ERR_OK) {
			bool seen_base[ITEMS_MAX] = { 0 }, seen_cand[ITEMS_MAX] = { 0 };
			assert_int_equal(2 * c.pair_count + c.unpaired_count, a.item_count + b.item_count);
			for (size_t i = 0; i < c.pair_count; i++) {
				assert_false(seen_base[c.pair_base[i]] || seen_cand[c.pair_cand[i]]);
				seen_base[c.pair_base[i]] = seen_cand[c.pair_cand[i]] = true;
				assert_true(hash_eq(a.item_hash[c.pair_base[i]], b.item_hash[c.pair_cand[i]]));
			}
			for (size_t i = 0; i < c.unpaired_count; i++) {
				bool *seen = c.unpaired[i].in_base ? seen_base : seen_cand;
				assert_false(seen[c.unpaired[i].item]);
				seen[c.unpaired[i].item] = true;
			}
		}
		samples_done(&a);
		samples_done(&b);
		arena_done(&arena);
	}
}

static void a_gate_never_passes_and_blocks_the_same_evidence(void **state)
{
	(void)state;
	static struct draft d;
	struct rng r;
	for (struct gen_seeds s = gen_seeds(1000); gen_next(&s, &r);) {
		struct arena arena;
		struct samples a, b;
		struct compare c;
		struct gate_result result, stricter;
		struct shape shape = draw_shape(&r);
		struct gate gate = gate_defaults();
		arena_init(&arena, ARENA_BYTES);
		draw_run(&r, &shape, &d);
		build(&d, &arena, &a);
		draw_scores(&r, &shape, &d);
		build(&d, &arena, &b);
		assert_int_equal(compare_runs(&arena, &a, &b, compare_defaults(), &c, NULL), ERR_OK);
		gate.rule = gen_chance(&r, 50) ? GATE_NOT_WORSE : GATE_AT_LEAST;
		gate.by = gen_chance(&r, 50) ? STR("task") : STR("");
		gate.margin = rng_unit(&r);
		gate.threshold = rng_unit(&r);
		assert_int_equal(gate_check(&arena, &gate, &a, &b, &c, &result, NULL), ERR_OK);
		for (size_t i = 0; i < result.slice_count; i++) {
			const struct gate_slice *slice = &result.slices[i];
			assert_true(slice->verdict <= result.verdict && slice->reason.len > 0);
			if (slice->p_pass.defined)
				assert_false(slice->p_pass.value <= gate.alpha && slice->p_block.value <= gate.alpha);
			if (slice->verdict == GATE_PASS)
				assert_true(slice->p_pass.value <= gate.alpha && !slice->missing_decides);
			if (slice->verdict == GATE_BLOCKED)
				assert_true(slice->holm.value <= gate.alpha && slice->p_pass.value > gate.alpha);
		}
		gate.margin /= 2; /* a stricter rule never turns a block into a pass */
		gate.threshold += (1 - gate.threshold) / 2;
		assert_int_equal(gate_check(&arena, &gate, &a, &b, &c, &stricter, NULL), ERR_OK);
		assert_true(stricter.verdict >= result.verdict);
		samples_done(&a);
		samples_done(&b);
		arena_done(&arena);
	}
}

static void any_report_is_clean_text_and_valid_json(void **state)
{
	(void)state;
	static struct draft d;
	struct rng r;
	for (struct gen_seeds s = gen_seeds(300); gen_next(&s, &r);) {
		struct arena arena;
		struct samples a, b;
		struct summary summary;
		struct compare c;
		struct json_doc *doc;
		struct shape shape = draw_shape(&r);
		struct buf out, label;
		buf_init(&out, 4 << 20);
		buf_init(&label, 1000);
		arena_init(&arena, ARENA_BYTES);
		draw_run(&r, &shape, &d);
		build(&d, &arena, &a);
		draw_scores(&r, &shape, &d);
		build(&d, &arena, &b);
		gen_broken_text(&r, &label, 100);
		b.item_id[0] = buf_str(&label);
		if (b.dimension[0].label_count)
			b.dimension[0].label[0] = buf_str(&label);
		assert_int_equal(summary_compute(&arena, &b, 0.95, &summary, NULL), ERR_OK);
		struct report_run base = { .id = 1, .suite = STR("s"), .model = buf_str(&label), .samples = &a };
		struct report report = { .run = { 2, buf_str(&label), STR("m"), buf_str(&label), buf_str(&label), &b,
			                          &summary } };
		struct gate gate = gate_defaults();
		struct gate_result result;
		gate.name = buf_str(&label);
		gate.rule = GATE_AT_LEAST;
		gate.by = STR("task");
		gate.threshold = rng_unit(&r);
		assert_int_equal(gate_check(&arena, &gate, NULL, &b, NULL, &result, NULL), ERR_OK);
		report.gates = &result;
		report.gate_count = 1;
		report.next = &gate.name;
		report.next_count = 1;
		report.not_compared = gate.name;
		if (compare_runs(&arena, &a, &b, compare_defaults(), &c, NULL) == ERR_OK) {
			report.base = &base;
			report.comparison = &c;
			report.only_flipped = true;
			report_text_compare(&report, (struct report_style){ .width = (unsigned)rng_below(&r, 200) },
			                    &out);
		}
		report_text(&report, (struct report_style){ .width = (unsigned)rng_below(&r, 200) }, &out);
		assert_false(out.failed);
		for (size_t i = 0; i < out.len; i++)
			assert_true((unsigned char)out.data[i] >= ' ' || out.data[i] == '\n');
		buf_clear(&out);
		report_json(&report, &out);
		assert_int_equal(json_parse(str_trim(buf_str(&out)), &doc, NULL), ERR_OK);
		json_free(doc);
		samples_done(&a);
		samples_done(&b);
		buf_done(&out);
		buf_done(&label);
		arena_done(&arena);
	}
}

int main(void)
{
	json_start();
	const struct CMUnitTest tests[] = {
		gen_property(a_summary_adds_up_and_does_not_depend_on_order),
		gen_property(swapping_the_runs_mirrors_the_comparison),
		gen_property(pairing_is_one_to_one_and_leaves_nobody_out),
		gen_property(a_gate_never_passes_and_blocks_the_same_evidence),
		gen_property(any_report_is_clean_text_and_valid_json),
	};
	return cmocka_run_group_tests_name("evidence properties", tests, NULL, NULL);
}
