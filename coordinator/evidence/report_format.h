/* coordinator/evidence/report_format.h - figures as people read them: percent, points, p-values, durations, money.
 *
 * Every function appends to `out`. A score whose range is [0, 1] is shown in percent with one digit and its
 * differences in points ("pp"), any other with three digits. Undefined is "-". Pure. */
#ifndef ASSAY_EVIDENCE_REPORT_FORMAT_H
#define ASSAY_EVIDENCE_REPORT_FORMAT_H

#include "common/base/buf.h"
#include "coordinator/stats/number.h"

void report_format_score(struct buf *out, struct number score, bool percent);       /* "63.3 %" */
void report_format_diff(struct buf *out, struct number diff, bool percent);         /* "+11.7 pp" */
void report_format_size(struct buf *out, struct number size, bool percent);         /* "8.4 pp": no sign */
void report_format_interval(struct buf *out, struct interval i, bool percent);      /* "[50.7, 74.4]" */
void report_format_diff_interval(struct buf *out, struct interval i, bool percent); /* "[+3.3, +20.1]" */
void report_format_p(struct buf *out, struct number p);                             /* "0.016", "2e-06", "1" */
void report_format_count(struct buf *out, uint64_t n);                              /* "41,200" */
void report_format_duration(struct buf *out, uint64_t ms);  /* "299 ms", "3.2s", "12m04s", "1h02m" */
void report_format_money(struct buf *out, int64_t nanousd); /* "$4.10", "$0.0012" */
void report_format_plural(struct buf *out, uint64_t n, const char *one, const char *many); /* "1 item", "2 items" */

/* Text that is not ours, made visible, at most `columns` wide, padded with spaces on the right up to `pad`. */
void report_format_label(struct buf *out, struct str text, unsigned columns, unsigned pad);
/* `cell` in a column of that width: padded on the left (right-aligned) or on the right; never cut. */
void report_format_right(struct buf *out, struct str cell, unsigned width);
void report_format_left(struct buf *out, struct str cell, unsigned width);

#endif
