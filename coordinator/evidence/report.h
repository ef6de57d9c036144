/* coordinator/evidence/report.h - what a report shows: everything in one struct, written out by report_text and
 * report_json.
 *
 * The parts are borrowed and must outlive the call. report_text writes for a person at a terminal: text that is not
 * ours (labels, names) is shown with control characters made visible; colour only repeats what a word says already.
 * report_json writes one document, schema assay.report.v1 or assay.compare.v1; undefined is null, an infinity the
 * string "inf" or "-inf". Both only append to `out`; ask out->failed at the end. Pure. */
#ifndef ASSAY_EVIDENCE_REPORT_H
#define ASSAY_EVIDENCE_REPORT_H

#include "common/base/buf.h"
#include "coordinator/evidence/compare.h"
#include "coordinator/evidence/gate.h"

struct report_run {
	uint64_t id;
	struct str suite;  /* "support@3.1" */
	struct str model;  /* the alias */
	struct str status; /* "done", "running", "incomplete", ...: shown unless "done" */
	struct str reason; /* why it ended or what it waits for; may be empty */
	const struct samples *samples;
	const struct summary *summary;
};

enum { REPORT_EVIDENCE_BYTES_MAX = 80, REPORT_CAUSE_ITEMS_MAX = 5 };

struct report_cause { /* why samples are missing: one outcome and class */
	enum outcome outcome;
	enum error_class error_class; /* CLASS_NONE: the outcome says it all */
	uint64_t count;
	struct str evidence;                        /* of the first such sample, cut at REPORT_EVIDENCE_BYTES_MAX */
	struct str item_id[REPORT_CAUSE_ITEMS_MAX]; /* of the first such samples */
	size_t item_count;
};

struct report {
	struct report_run run;            /* the candidate when there is a baseline */
	const struct report_run *base;    /* NULL: none */
	const struct compare *comparison; /* NULL: none; needs base */
	struct str not_compared;          /* why there is none although there is a baseline; may be empty */
	const struct gate_result *gates;
	size_t gate_count;
	struct str by;       /* dimension to list; empty: the first with two groups or more, else the whole suite */
	bool only_flipped;   /* a comparison as text is its flipped items, a line each, and nothing else */
	uint64_t elapsed_ms; /* 0: not shown */
	uint64_t paid_twice, paid_twice_more_at_most;
	uint64_t after_end;    /* samples that came after the run had ended: paid for, and in no score */
	uint64_t cost_unknown; /* samples whose cost nobody knows; their share of cost_nanousd is 0 */
	bool no_cost_known;    /* all of them */
	const struct report_cause *causes;
	size_t cause_count;
	bool causes_cut; /* more samples are missing than were looked at */
	const struct report_cause *base_causes;
	size_t base_cause_count;
	const struct str *next; /* commands that make sense now */
	size_t next_count;
};

struct report_style {
	bool colour;
	unsigned width; /* columns; 0: 100 */
};

void report_text(const struct report *r, struct report_style style, struct buf *out); /* one run */
void report_text_compare(const struct report *r, struct report_style style,
                         struct buf *out); /* needs base, comparison */
void report_json(const struct report *r, struct buf *out);
void report_json_compare(const struct report *r, struct buf *out);

#endif
