/* common/io/metrics.h - counters, gauges and histograms, shown as Prometheus text (0.0.4).
 *
 * Families are made at start; a series (one set of label values) is found once and its pointer kept, so the hot path
 * is one atomic addition. The number of series of a family is bounded: past it, values gather under the label value
 * "other". Never use a run, an item or text from outside as a label. Any thread; nothing here locks. */
#ifndef ASSAY_IO_METRICS_H
#define ASSAY_IO_METRICS_H

#include "common/base/buf.h"

struct metrics;
struct metrics_family;
struct metrics_series;

enum metrics_kind { METRICS_COUNTER, METRICS_GAUGE, METRICS_HISTOGRAM };
enum { METRICS_LABELS_MAX = 3, METRICS_BOUNDS_MAX = 24, METRICS_FAMILIES_MAX = 128 };

struct metrics_spec { /* strings are borrowed for ever: literals */
	enum metrics_kind kind;
	const char *name; /* "assay_results_total": units last, counters end in _total */
	const char *help;
	const char *labels[METRICS_LABELS_MAX];
	double scale;         /* what one counted unit is in the unit of the name: 1e-3 for ms -> seconds; 0: 1 */
	const double *bounds; /* histogram: upper bounds, rising, in the unit of the name; copied */
	size_t bound_count;
	size_t series_max; /* 0: 64 */
};

struct metrics *metrics_new(void);
void metrics_free(struct metrics *m); /* accepts NULL */

struct metrics_family *metrics_family(struct metrics *m, const struct metrics_spec *spec); /* a name twice is a bug */
/* The series with these label values, made when new. Owned by the family; valid as long as it. */
struct metrics_series *metrics_series(struct metrics_family *f, const struct str *label_values);
struct metrics_series *metrics_one(struct metrics *m, const struct metrics_spec *spec); /* a family without labels */

void metrics_add(struct metrics_series *s, uint64_t n);       /* counter */
void metrics_set(struct metrics_series *s, double value);     /* gauge */
void metrics_change(struct metrics_series *s, double delta);  /* gauge */
void metrics_observe(struct metrics_series *s, double value); /* histogram; before scaling */
double metrics_value(const struct metrics_series *s);         /* counter or gauge, scaled; histogram: its count */

/* Registers memory, CPU time, descriptors and start time of this process; read at each metrics_text(). */
void metrics_process(struct metrics *m);
bool metrics_text(struct metrics *m, struct buf *out); /* false: `out` is full */

#endif
