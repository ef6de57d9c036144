#include "common/io/metrics.h"
#include "common/base/check.h"
#include "common/base/mem.h"
#include "common/io/clock.h"
#include "common/io/fs.h"
#include <dirent.h>
#include <math.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

struct metrics_series {
	const struct metrics_family *family;
	char *label_values[METRICS_LABELS_MAX];
	_Atomic uint64_t count;   /* counter; unused otherwise */
	_Atomic double number;    /* gauge; a histogram's sum */
	_Atomic uint64_t *bucket; /* histogram: one for each bound and one above; not cumulative */
};

struct metrics_family {
	struct metrics_spec spec;
	size_t label_count, series_max;
	double scale, bounds[METRICS_BOUNDS_MAX];
	_Atomic(struct metrics_series *)
		series[]; /* filled from the front; series_max, and one for "other" at the end */
};

struct metrics {
	atomic_size_t family_count;
	_Atomic(struct metrics_family *) families[METRICS_FAMILIES_MAX];
	struct metrics_series *memory, *cpu, *descriptors, *start; /* of this process, when asked for */
};

struct metrics *metrics_new(void)
{
	return mem_new(1, sizeof(struct metrics));
}

static void series_free(struct metrics_series *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < METRICS_LABELS_MAX; i++)
		mem_free(s->label_values[i]);
	mem_free(s->bucket);
	mem_free(s);
}

void metrics_free(struct metrics *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < m->family_count; i++) {
		struct metrics_family *f = m->families[i];
		for (size_t k = 0; k <= f->series_max; k++)
			series_free(f->series[k]);
		mem_free(f);
	}
	mem_free(m);
}

struct metrics_family *metrics_family(struct metrics *m, const struct metrics_spec *spec)
{
	enum { SERIES_DEFAULT = 64 };
	size_t series_max = spec->series_max ? spec->series_max : SERIES_DEFAULT;
	struct metrics_family *f = mem_new(1, sizeof(*f) + (series_max + 1) * sizeof(f->series[0]));
	f->spec = *spec;
	f->series_max = series_max;
	f->scale = spec->scale > 0 ? spec->scale : 1;
	check(spec->bound_count <= METRICS_BOUNDS_MAX);
	for (size_t i = 0; i < spec->bound_count; i++) {
		check_msg(i == 0 || spec->bounds[i] > spec->bounds[i - 1], "bounds of %s do not rise", spec->name);
		f->bounds[i] = spec->bounds[i];
	}
	while (f->label_count < METRICS_LABELS_MAX && spec->labels[f->label_count])
		f->label_count++;
	size_t at = atomic_fetch_add(&m->family_count, 1);
	check_msg(at < METRICS_FAMILIES_MAX, "more than %d metric families", METRICS_FAMILIES_MAX);
	for (size_t i = 0; i < at; i++) {
		const struct metrics_family *other = m->families[i];
		check_msg(!other || strcmp(other->spec.name, spec->name) != 0, "metric %s is there twice", spec->name);
	}
	atomic_store_explicit(&m->families[at], f, memory_order_release);
	return f;
}

static struct metrics_series *series_new(const struct metrics_family *f, const struct str *label_values)
{
	struct metrics_series *s = mem_new(1, sizeof(*s));
	s->family = f;
	for (size_t i = 0; i < f->label_count; i++) {
		struct str value = label_values ? label_values[i] : STR("other");
		s->label_values[i] = mem_new(value.len + 1, 1);
		if (value.len)
			memcpy(s->label_values[i], value.data, value.len);
	}
	if (f->spec.kind == METRICS_HISTOGRAM)
		s->bucket = mem_new(f->spec.bound_count + 1, sizeof(*s->bucket));
	return s;
}

static bool has_labels(const struct metrics_series *s, const struct str *label_values)
{
	for (size_t i = 0; i < s->family->label_count; i++)
		if (!str_eq_c(label_values[i], s->label_values[i]))
			return false;
	return true;
}

/* Puts `fresh` into the slot unless somebody was quicker; returns what stands there then. */
static struct metrics_series *settle(_Atomic(struct metrics_series *) *slot, struct metrics_series *fresh)
{
	struct metrics_series *there = NULL;
	if (atomic_compare_exchange_strong_explicit(slot, &there, fresh, memory_order_acq_rel, memory_order_acquire))
		return fresh;
	return there;
}

struct metrics_series *metrics_series(struct metrics_family *f, const struct str *label_values)
{
	struct metrics_series *fresh = NULL;
	for (size_t i = 0; i < f->series_max; i++) {
		struct metrics_series *s = atomic_load_explicit(&f->series[i], memory_order_acquire);
		if (!s) {
			fresh = fresh ? fresh : series_new(f, label_values);
			s = settle(&f->series[i], fresh);
		}
		if (s == fresh)
			return s;
		if (has_labels(s, label_values)) {
			series_free(fresh);
			return s;
		}
	}
	series_free(fresh);
	struct metrics_series *other = atomic_load_explicit(&f->series[f->series_max], memory_order_acquire);
	if (other)
		return other;
	fresh = series_new(f, NULL);
	other = settle(&f->series[f->series_max], fresh);
	if (other != fresh)
		series_free(fresh);
	return other;
}

struct metrics_series *metrics_one(struct metrics *m, const struct metrics_spec *spec)
{
	struct metrics_family *f = metrics_family(m, spec);
	check_msg(f->label_count == 0, "%s has labels", spec->name);
	static const struct str no_labels[1];
	return metrics_series(f, no_labels);
}

void metrics_add(struct metrics_series *s, uint64_t n)
{
	atomic_fetch_add_explicit(&s->count, n, memory_order_relaxed);
}

void metrics_set(struct metrics_series *s, double value)
{
	atomic_store_explicit(&s->number, value, memory_order_relaxed);
}

void metrics_change(struct metrics_series *s, double delta)
{
	double old = atomic_load_explicit(&s->number, memory_order_relaxed);
	while (!atomic_compare_exchange_weak_explicit(&s->number, &old, old + delta, memory_order_relaxed,
	                                              memory_order_relaxed))
		;
}

void metrics_observe(struct metrics_series *s, double value)
{
	const struct metrics_family *f = s->family;
	size_t at = 0;
	value *= f->scale;
	while (at < f->spec.bound_count && !(value <= f->bounds[at]))
		at++;
	atomic_fetch_add_explicit(&s->bucket[at], 1, memory_order_relaxed);
	metrics_change(s, value);
}

double metrics_value(const struct metrics_series *s)
{
	const struct metrics_family *f = s->family;
	if (f->spec.kind == METRICS_COUNTER)
		return (double)atomic_load_explicit(&s->count, memory_order_relaxed) * f->scale;
	if (f->spec.kind == METRICS_GAUGE)
		return atomic_load_explicit(&s->number, memory_order_relaxed) * f->scale;
	uint64_t total = 0;
	for (size_t i = 0; i <= f->spec.bound_count; i++)
		total += atomic_load_explicit(&s->bucket[i], memory_order_relaxed);
	return (double)total;
}

/* Appends fail once and for all: metrics_text() asks at its end. */
static void put_escaped(struct buf *out, const char *text, bool quotes)
{
	for (; *text; text++) {
		if (*text == '\n')
			(void)buf_append_c(out, "\\n");
		else if (*text == '\\' || (quotes && *text == '"'))
			(void)buf_printf(out, "\\%c", *text);
		else
			(void)buf_append_char(out, *text);
	}
}

static void put_number(struct buf *out, double value)
{
	if (isnan(value))
		(void)buf_append_c(out, "NaN");
	else if (isinf(value))
		(void)buf_append_c(out, value > 0 ? "+Inf" : "-Inf");
	else if (value == floor(value) && fabs(value) < 9007199254740992.0)
		(void)buf_printf(out, "%.0f", value);
	else
		(void)buf_printf(out, "%.10g", value);
}

/* name_suffix{label="value",le="bound"} ; no bound: no le */
static void put_name(struct buf *out, const struct metrics_series *s, const char *suffix, const double *bound)
{
	const struct metrics_family *f = s->family;
	(void)buf_printf(out, "%s%s", f->spec.name, suffix);
	if (f->label_count == 0 && !bound) {
		(void)buf_append_char(out, ' ');
		return;
	}
	(void)buf_append_char(out, '{');
	for (size_t i = 0; i < f->label_count; i++) {
		(void)buf_printf(out, "%s%s=\"", i ? "," : "", f->spec.labels[i]);
		put_escaped(out, s->label_values[i], true);
		(void)buf_append_char(out, '"');
	}
	if (bound) {
		(void)buf_printf(out, "%sle=\"", f->label_count ? "," : "");
		put_number(out, *bound);
		(void)buf_append_char(out, '"');
	}
	(void)buf_append_c(out, "} ");
}

static void put_series(struct buf *out, const struct metrics_series *s)
{
	const struct metrics_family *f = s->family;
	if (f->spec.kind != METRICS_HISTOGRAM) {
		put_name(out, s, "", NULL);
		if (f->spec.kind == METRICS_COUNTER && f->spec.scale == 0) /* exact, also past 2^53 */
			(void)buf_printf(out, "%llu",
			                 (unsigned long long)atomic_load_explicit(&s->count, memory_order_relaxed));
		else
			put_number(out, metrics_value(s));
		(void)buf_append_char(out, '\n');
		return;
	}
	uint64_t total = 0; /* the count is the sum of the buckets as read, so the lines always agree */
	for (size_t i = 0; i <= f->spec.bound_count; i++) {
		double bound = i < f->spec.bound_count ? f->bounds[i] : (double)INFINITY;
		total += atomic_load_explicit(&s->bucket[i], memory_order_relaxed);
		put_name(out, s, "_bucket", &bound);
		(void)buf_printf(out, "%llu\n", (unsigned long long)total);
	}
	put_name(out, s, "_sum", NULL);
	put_number(out, atomic_load_explicit(&s->number, memory_order_relaxed));
	(void)buf_append_char(out, '\n');
	put_name(out, s, "_count", NULL);
	(void)buf_printf(out, "%llu\n", (unsigned long long)total);
}

void metrics_process(struct metrics *m)
{
	m->memory = metrics_one(m, &(struct metrics_spec){ .kind = METRICS_GAUGE,
	                                                   .name = "process_resident_memory_bytes",
	                                                   .help = "Resident memory." });
	m->cpu = metrics_one(m, &(struct metrics_spec){ .kind = METRICS_COUNTER,
	                                                .name = "process_cpu_seconds_total",
	                                                .help = "CPU time, user and system.",
	                                                .scale = 1e-6 });
	m->descriptors = metrics_one(m, &(struct metrics_spec){ .kind = METRICS_GAUGE,
	                                                        .name = "process_open_fds",
	                                                        .help = "Open descriptors." });
	m->start = metrics_one(m, &(struct metrics_spec){ .kind = METRICS_GAUGE,
	                                                  .name = "process_start_time_seconds",
	                                                  .help = "When these metrics began, since the epoch.",
	                                                  .scale = 1e-3 });
	metrics_set(m->start, (double)clock_wall_ms());
}

static void read_process(struct metrics *m)
{
	struct buf text;
	struct rusage usage;
	buf_init(&text, 256);
	struct str rest, size, resident;
	uint64_t pages;
	if (fs_read("/proc/self/statm", &text, NULL) == ERR_OK) {
		rest = buf_str(&text);
		if (str_split(&rest, ' ', &size) && str_split(&rest, ' ', &resident) && str_to_u64(resident, &pages))
			metrics_set(m->memory, (double)pages * (double)sysconf(_SC_PAGESIZE));
	}
	buf_done(&text);
	if (getrusage(RUSAGE_SELF, &usage) == 0)
		atomic_store(&m->cpu->count, (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000U +
		                                     (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec));
	DIR *dir = opendir("/proc/self/fd");
	size_t count = 0;
	while (dir && readdir(dir))
		count++;
	if (dir) {
		metrics_set(m->descriptors, (double)count - 3); /* without ".", ".." and the listing itself */
		(void)closedir(dir);
	}
}

bool metrics_text(struct metrics *m, struct buf *out)
{
	static const char *const kind_names[] = { "counter", "gauge", "histogram" };
	if (m->memory)
		read_process(m);
	for (size_t i = 0; i < MIN_OF(m->family_count, (size_t)METRICS_FAMILIES_MAX); i++) {
		const struct metrics_family *f = atomic_load_explicit(&m->families[i], memory_order_acquire);
		if (!f)
			continue; /* its maker has the number, but not put it in yet */
		(void)buf_printf(out, "# HELP %s ", f->spec.name);
		put_escaped(out, f->spec.help, false);
		(void)buf_printf(out, "\n# TYPE %s %s\n", f->spec.name, kind_names[f->spec.kind]);
		for (size_t k = 0; k <= f->series_max; k++) {
			const struct metrics_series *s = atomic_load_explicit(&f->series[k], memory_order_acquire);
			if (s)
				put_series(out, s);
		}
	}
	return !out->failed;
}
