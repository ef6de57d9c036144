/* Goal: the text is what Prometheus reads, counts are exact under threads, and no label can blow the table up. */
#include "common/io/metrics.h"
#include "common/io/thread.h"
#include "tests/support/cmocka_all.h"
#include "tests/support/stops.h"
#include <math.h>
#include <stdio.h>

static void expect_text(struct metrics *m, const char *want)
{
	struct buf out;
	buf_init(&out, 100000);
	assert_true(metrics_text(m, &out));
	assert_str_equal_c(buf_str(&out), want);
	buf_done(&out);
}

static void each_kind_has_its_lines(void **state)
{
	(void)state;
	static const double bounds[] = { 0.1, 1, 2.5 };
	struct metrics *m = metrics_new();
	struct metrics_series *done = metrics_one(m, &(struct metrics_spec){ .kind = METRICS_COUNTER,
	                                                                     .name = "assay_done_total",
	                                                                     .help = "Done.\nSecond \\ line." });
	struct metrics_series *busy =
		metrics_one(m, &(struct metrics_spec){ .kind = METRICS_GAUGE, .name = "assay_busy", .help = "Busy." });
	struct metrics_series *wait = metrics_one(m, &(struct metrics_spec){ .kind = METRICS_HISTOGRAM,
	                                                                     .name = "assay_wait_seconds",
	                                                                     .help = "Waits.",
	                                                                     .scale = 1e-3,
	                                                                     .bounds = bounds,
	                                                                     .bound_count = ARRAY_LEN(bounds) });
	struct metrics_series *cpu = metrics_one(
		m, &(struct metrics_spec){
			   .kind = METRICS_COUNTER, .name = "assay_cpu_seconds_total", .help = "CPU.", .scale = 1e-6 });
	metrics_add(done, 3);
	metrics_add(done, 9007199254740993U - 3);
	metrics_set(busy, 2);
	metrics_change(busy, -0.5);
	static const double waits_ms[] = { 50, 100, 101, 2500, 2501, 1e9 };
	for (size_t i = 0; i < ARRAY_LEN(waits_ms); i++)
		metrics_observe(wait, waits_ms[i]);
	metrics_add(cpu, 1500000);
	assert_true(metrics_value(busy) == 1.5 && metrics_value(wait) == 6 && metrics_value(cpu) == 1.5);
	expect_text(m, "# HELP assay_done_total Done.\\nSecond \\\\ line.\n"
	               "# TYPE assay_done_total counter\n"
	               "assay_done_total 9007199254740993\n"
	               "# HELP assay_busy Busy.\n"
	               "# TYPE assay_busy gauge\n"
	               "assay_busy 1.5\n"
	               "# HELP assay_wait_seconds Waits.\n"
	               "# TYPE assay_wait_seconds histogram\n"
	               "assay_wait_seconds_bucket{le=\"0.1\"} 2\n"
	               "assay_wait_seconds_bucket{le=\"1\"} 3\n"
	               "assay_wait_seconds_bucket{le=\"2.5\"} 4\n"
	               "assay_wait_seconds_bucket{le=\"+Inf\"} 6\n"
	               "assay_wait_seconds_sum 1000005.252\n"
	               "assay_wait_seconds_count 6\n"
	               "# HELP assay_cpu_seconds_total CPU.\n"
	               "# TYPE assay_cpu_seconds_total counter\n"
	               "assay_cpu_seconds_total 1.5\n");
	metrics_free(m);
}

static void labels_are_escaped_and_their_number_is_bounded(void **state)
{
	(void)state;
	struct metrics *m = metrics_new();
	struct metrics_family *f = metrics_family(m, &(struct metrics_spec){ .kind = METRICS_COUNTER,
	                                                                     .name = "e_total",
	                                                                     .help = "E.",
	                                                                     .labels = { "class", "route" },
	                                                                     .series_max = 2 });
	const struct str odd[] = { STR("a\"b\\c\nd"), { NULL, 0 } }, plain[] = { STR("x"), STR("r") };
	metrics_add(metrics_series(f, odd), 1);
	metrics_add(metrics_series(f, plain), 2);
	assert_ptr_equal(metrics_series(f, plain), metrics_series(f, plain));
	for (int i = 0; i < 1000; i++) {
		char name[20];
		snprintf(name, sizeof(name), "v%d", i);
		const struct str many[] = { str_from(name), STR("r") };
		metrics_add(metrics_series(f, many), 1);
	}
	expect_text(m, "# HELP e_total E.\n"
	               "# TYPE e_total counter\n"
	               "e_total{class=\"a\\\"b\\\\c\\nd\",route=\"\"} 1\n"
	               "e_total{class=\"x\",route=\"r\"} 2\n"
	               "e_total{class=\"other\",route=\"other\"} 1000\n");
	metrics_free(m);
}

static void odd_values_are_written_as_prometheus_reads_them(void **state)
{
	(void)state;
	static const struct {
		double value;
		const char *text;
	} cases[] = { { 0, "0" },           { -3, "-3" },   { 0.1, "0.1" },       { 1e300, "1e+300" },
		      { INFINITY, "+Inf" }, { NAN, "NaN" }, { -INFINITY, "-Inf" } };
	struct metrics *m = metrics_new();
	struct metrics_series *g =
		metrics_one(m, &(struct metrics_spec){ .kind = METRICS_GAUGE, .name = "g", .help = "G" });
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char want[100];
		metrics_set(g, cases[i].value);
		snprintf(want, sizeof(want), "# HELP g G\n# TYPE g gauge\ng %s\n", cases[i].text);
		expect_text(m, want);
	}
	metrics_free(m);
}

static void a_full_buffer_is_said(void **state)
{
	(void)state;
	struct metrics *m = metrics_new();
	struct buf out;
	metrics_process(m);
	buf_init(&out, 100);
	assert_false(metrics_text(m, &out));
	buf_done(&out);
	metrics_free(m);
}

static void the_process_tells_its_memory_time_and_descriptors(void **state)
{
	(void)state;
	struct metrics *m = metrics_new();
	struct buf out;
	static const char *const names[] = { "process_resident_memory_bytes ", "process_cpu_seconds_total ",
		                             "process_open_fds ", "process_start_time_seconds " };
	metrics_process(m);
	buf_init(&out, 10000);
	assert_true(metrics_text(m, &out));
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		char line_start[80];
		snprintf(line_start, sizeof(line_start), "\n%s", names[i]);
		ptrdiff_t at = str_find(buf_str(&out), str_from(line_start));
		assert_true(at > 0);
		struct str rest = str_slice(buf_str(&out), (size_t)at + strlen(line_start), out.len), number;
		double value = 0;
		assert_true(str_split(&rest, '\n', &number) && str_to_double(number, &value));
		assert_true(value > 0);
	}
	buf_done(&out);
	metrics_free(m);
}

static void twice_the_same_name(void *arg)
{
	(void)metrics_one(arg, &(struct metrics_spec){ .kind = METRICS_GAUGE, .name = "g", .help = "G" });
}

static void bounds_that_fall(void *arg)
{
	static const double bounds[] = { 1, 1 };
	(void)metrics_one(
		arg, &(struct metrics_spec){
			     .kind = METRICS_HISTOGRAM, .name = "h", .help = "H", .bounds = bounds, .bound_count = 2 });
}

static void tables_that_break_the_rules_are_bugs(void **state)
{
	(void)state;
	struct metrics *m = metrics_new();
	twice_the_same_name(m);
	assert_true(stops(twice_the_same_name, m));
	assert_true(stops(bounds_that_fall, m));
	metrics_free(m);
}

enum { THREADS = 4, ROUNDS = 20000 };

struct hammer {
	struct metrics *metrics;
	struct metrics_family *family;
	struct metrics_series *gauge, *histogram;
};

static void hammer(void *arg)
{
	struct hammer *h = arg;
	static const char *const values[] = { "a", "b", "c", "d", "e", "f" };
	for (int i = 0; i < ROUNDS; i++) {
		const struct str label = str_from(values[i % 6]);
		metrics_add(metrics_series(h->family, &label), 1);
		metrics_change(h->gauge, i % 2 ? 1 : -1);
		metrics_observe(h->histogram, i % 3);
		if (i % 5000 == 0) {
			struct buf out;
			buf_init(&out, 100000);
			assert_true(metrics_text(h->metrics, &out));
			buf_done(&out);
		}
	}
}

static void threads_lose_no_count_and_make_no_series_twice(void **state)
{
	(void)state;
	static const double bounds[] = { 0, 1 };
	struct hammer h = { .metrics = metrics_new() };
	struct error error;
	struct thread *threads[THREADS];
	h.family = metrics_family(
		h.metrics,
		&(struct metrics_spec){
			.kind = METRICS_COUNTER, .name = "n_total", .help = "N.", .labels = { "l" }, .series_max = 5 });
	h.gauge = metrics_one(h.metrics, &(struct metrics_spec){ .kind = METRICS_GAUGE, .name = "g", .help = "G." });
	h.histogram = metrics_one(
		h.metrics,
		&(struct metrics_spec){
			.kind = METRICS_HISTOGRAM, .name = "h", .help = "H.", .bounds = bounds, .bound_count = 2 });
	for (size_t i = 0; i < THREADS; i++)
		assert_ok(thread_start(&threads[i], "hammer", hammer, &h, &error), &error);
	for (size_t i = 0; i < THREADS; i++)
		thread_join(threads[i]);
	double total = 0;
	for (size_t i = 0; i < 6; i++) {
		const struct str label = str_make(&"abcdef"[i], 1);
		total += metrics_value(metrics_series(h.family, &label));
	}
	assert_true(total == THREADS * ROUNDS);
	assert_true(metrics_value(h.gauge) == 0);
	assert_true(metrics_value(h.histogram) == THREADS * ROUNDS);
	metrics_free(h.metrics);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_kind_has_its_lines),
		cmocka_unit_test(labels_are_escaped_and_their_number_is_bounded),
		cmocka_unit_test(odd_values_are_written_as_prometheus_reads_them),
		cmocka_unit_test(a_full_buffer_is_said),
		cmocka_unit_test(the_process_tells_its_memory_time_and_descriptors),
		cmocka_unit_test(tables_that_break_the_rules_are_bugs),
		cmocka_unit_test(threads_lose_no_count_and_make_no_series_twice),
	};
	return cmocka_run_group_tests_name("metrics", tests, NULL, NULL);
}
