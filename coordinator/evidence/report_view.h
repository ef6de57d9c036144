/* coordinator/evidence/report_view.h - what both text reports share: cells, colour, heading, verdicts, gates.
 *
 * A view borrows the report and the output. A cell is written to `cell` first and then laid into its column. */
#ifndef ASSAY_EVIDENCE_REPORT_VIEW_H
#define ASSAY_EVIDENCE_REPORT_VIEW_H

#include "coordinator/evidence/report.h"

enum { REPORT_VIEW_LABEL_MAX = 40, REPORT_VIEW_ROWS_MAX = 60 };

struct report_view {
	const struct report *r;
	struct buf *out; /* &lines: they are broken to the width when the view is done */
	struct buf lines, cell, *whole;
	bool colour, two_lines; /* two_lines: a row against a baseline is too wide for one */
	unsigned width, label_columns;
	size_t by; /* the dimension listed, SIZE_MAX: none */
};

/* The view stays where it is; what it wrote is appended to `out` by report_view_done(). */
void report_view_init(struct report_view *v, const struct report *r, struct report_style style, struct buf *out);
void report_view_done(struct report_view *v);

void report_view_paint(struct report_view *v, const char *colour); /* NULL: none */
void report_view_unpaint(struct report_view *v, const char *colour);
void report_view_right(struct report_view *v, unsigned width); /* lays the cell into a column and empties it */
void report_view_left(struct report_view *v, unsigned width);
void report_view_gap(struct report_view *v);
void report_view_fold(struct report_view *v);     /* a gap, or the second line of the row */
void report_view_end_line(struct report_view *v); /* without blanks at its end */

bool report_view_in_percent(const struct samples *s, uint32_t metric);
void report_view_head(struct report_view *v);
void report_view_metric(struct report_view *v, uint32_t metric); /* a heading, where there are several */
/* "paired on 160 of 164 items; 4 missing in run 90": those with a score of the primary metric in both runs, of the
 * candidate's; why the others are left out. Needs a comparison. */
void report_view_pairing(struct report_view *v);
/* "3 provider error (2 connect, 1 malformed)", or "none" and false. */
bool report_view_missing(struct report_view *v, const struct summary_row *whole, const struct report_cause *causes,
                         size_t cause_count);
void report_view_missing_of(struct report_view *v, const struct report_run *run, const struct report_cause *causes,
                            size_t cause_count); /* "run 81 missing: ..." as a line */
/* From `mean` no run can differ by more than the way to the farther end of the metric's range: a larger difference is
 * none that a run could show, `instead` is then said. */
bool report_view_can_see(const struct samples *s, uint32_t metric, struct number mean, struct number detectable);
void report_view_detectable(struct report_view *v, uint32_t metric, struct number mean, struct number detectable,
                            const char *before, const char *instead);
const char *report_view_verdict_colour(enum compare_verdict verdict);
void report_view_verdict(struct report_view *v, const struct compare_row *row);
/* Rows past REPORT_VIEW_ROWS_MAX are left out unless they say something; `against` may be NULL. */
bool report_view_shows(size_t at, const struct compare_row *against);
void report_view_judgement(struct report_view *v); /* tally, gates, why there is no comparison */
void report_view_next(struct report_view *v);

#endif
