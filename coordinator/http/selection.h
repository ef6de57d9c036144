/* coordinator/http/selection.h - which items a run takes: a slice ("stratum=refund"), a limit (a number or a share).
 *
 * With a limit the items are drawn by the run's seed, so that a short run shows all strata and the same command draws
 * the same items. Reads the heads of the suite's items only when there is something to select. */
#ifndef ASSAY_HTTP_SELECTION_H
#define ASSAY_HTTP_SELECTION_H

#include "coordinator/store/suites.h"

struct selection {
	struct str slice;  /* canonical: "k=v,k=v" sorted; empty: all */
	struct str limit;  /* canonical: "100", "0.1"; empty: none */
	struct str bitmap; /* empty: every item */
	uint32_t count;
};

/* `slice` pairs: keys task, stratum, cluster, split, provenance. ERR_INVALID names what is wrong; ERR_NOT_FOUND: no
 * item is left. */
enum err_code selection_make(struct store *s, const struct suite_row *suite, const struct str *keys,
                             const struct str *values, size_t pair_count, struct str limit, uint64_t seed,
                             struct arena *arena, struct selection *ret_selection, struct error *reterr) MUST_CHECK;

/* The two texts that name a run: equal wishes give equal texts. Pure. */
enum err_code selection_slice_text(struct arena *arena, const struct str *keys, const struct str *values, size_t count,
                                   struct str *ret_text, struct error *reterr) MUST_CHECK;
/* *ret_count: how many of `matching` items the limit takes, at least 1. */
enum err_code selection_limit(struct arena *arena, struct str limit, uint32_t matching, struct str *ret_text,
                              uint32_t *ret_count, struct error *reterr) MUST_CHECK;

#endif
