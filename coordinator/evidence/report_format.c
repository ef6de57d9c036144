#include "coordinator/evidence/report_format.h"
#include "common/base/unicode.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

enum { LABEL_BYTES_MAX = 400 };

/* Without a minus before a figure that rounds to zero. */
static double no_minus_zero(double value, int digits)
{
	return fabs(value) < 0.5 * pow(10, -digits) ? 0 : value;
}

static void figure(struct buf *out, double value, bool percent, bool sign)
{
	int digits = percent ? 1 : 3;
	double shown = no_minus_zero(percent ? 100 * value : value, digits);
	if (isinf(shown))
		buf_append_c(out, shown > 0 ? "inf" : "-inf");
	else if (sign && shown != 0)
		buf_printf(out, "%+.*f", digits, shown);
	else
		buf_printf(out, "%.*f", digits, shown);
}

void report_format_score(struct buf *out, struct number score, bool percent)
{
	if (!score.defined) {
		buf_append_char(out, '-');
		return;
	}
	figure(out, score.value, percent, false);
	buf_append_c(out, percent ? " %" : "");
}

void report_format_diff(struct buf *out, struct number diff, bool percent)
{
	if (!diff.defined) {
		buf_append_char(out, '-');
		return;
	}
	figure(out, diff.value, percent, true);
	buf_append_c(out, percent ? " pp" : "");
}

void report_format_size(struct buf *out, struct number size, bool percent)
{
	if (!size.defined) {
		buf_append_char(out, '-');
		return;
	}
	figure(out, size.value, percent, false);
	buf_append_c(out, percent ? " pp" : "");
}

static void interval(struct buf *out, struct interval i, bool percent, bool sign)
{
	if (!i.defined) {
		buf_append_c(out, "[no interval]");
		return;
	}
	buf_append_char(out, '[');
	figure(out, i.low, percent, sign);
	buf_append_c(out, ", ");
	figure(out, i.high, percent, sign);
	buf_append_char(out, ']');
}

void report_format_interval(struct buf *out, struct interval i, bool percent)
{
	interval(out, i, percent, false);
}

void report_format_diff_interval(struct buf *out, struct interval i, bool percent)
{
	interval(out, i, percent, true);
}

void report_format_p(struct buf *out, struct number p)
{
	if (!p.defined)
		buf_append_char(out, '-');
	else if (p.value >= 0.9995)
		buf_append_char(out, '1');
	else if (p.value >= 0.1)
		buf_printf(out, "%.2f", p.value);
	else if (p.value >= 0.001)
		buf_printf(out, "%.3f", p.value);
	else
		buf_printf(out, "%.0e", p.value);
}

void report_format_count(struct buf *out, uint64_t n)
{
	char digits[32];
	int len = snprintf(digits, sizeof(digits), "%" PRIu64, n);
	for (int i = 0; i < len; i++) {
		if (i > 0 && (len - i) % 3 == 0)
			buf_append_char(out, ',');
		buf_append_char(out, digits[i]);
	}
}

void report_format_duration(struct buf *out, uint64_t ms)
{
	uint64_t tenths = (ms + 50) / 100, s = (ms + 500) / 1000;
	if (ms < 1000)
		buf_printf(out, "%" PRIu64 " ms", ms);
	else if (tenths < 100)
		buf_printf(out, "%" PRIu64 ".%" PRIu64 "s", tenths / 10, tenths % 10);
	else if (s < 60)
		buf_printf(out, "%" PRIu64 "s", s);
	else if (s < 3600)
		buf_printf(out, "%" PRIu64 "m%02" PRIu64 "s", s / 60, s % 60);
	else
		buf_printf(out, "%" PRIu64 "h%02" PRIu64 "m", s / 3600, s / 60 % 60);
}

void report_format_money(struct buf *out, int64_t nanousd)
{
	double usd = (double)nanousd / 1e9;
	if (nanousd == 0)
		buf_append_c(out, "$0");
	else if (fabs(usd) >= 0.01)
		buf_printf(out, "$%.2f", usd);
	else
		buf_printf(out, "$%.2g", usd);
}

void report_format_plural(struct buf *out, uint64_t n, const char *one, const char *many)
{
	report_format_count(out, n);
	buf_printf(out, " %s", n == 1 ? one : many);
}

static void pad(struct buf *out, unsigned from, unsigned to)
{
	for (unsigned i = from; i < to; i++)
		buf_append_char(out, ' ');
}

/* The longest beginning of at most `columns`, at a whole character. */
static struct str fit(struct str text, unsigned columns)
{
	size_t end = 0, at = 0;
	uint32_t code;
	while (at < text.len) {
		(void)unicode_next(text, &at, &code); /* visible text is valid */
		if (unicode_width(str_slice(text, 0, at)) > columns)
			break;
		end = at;
	}
	return str_slice(text, 0, end);
}

void report_format_label(struct buf *out, struct str text, unsigned columns, unsigned to)
{
	struct buf visible;
	buf_init(&visible, 16 * LABEL_BYTES_MAX);
	(void)unicode_visible(str_slice(text, 0, LABEL_BYTES_MAX), &visible); /* the buffer is large enough for any */
	struct str label = buf_str(&visible);
	bool cut = unicode_width(label) > columns || text.len > LABEL_BYTES_MAX;
	if (cut)
		label = fit(label, columns > 3 ? columns - 3 : 0);
	unsigned width = unicode_width(label) + (cut ? 3 : 0);
	buf_append_str(out, label);
	buf_append_c(out, cut ? "..." : "");
	pad(out, width, to);
	buf_done(&visible);
}

void report_format_right(struct buf *out, struct str cell, unsigned width)
{
	pad(out, unicode_width(cell), width);
	buf_append_str(out, cell);
}

void report_format_left(struct buf *out, struct str cell, unsigned width)
{
	buf_append_str(out, cell);
	pad(out, unicode_width(cell), width);
}
