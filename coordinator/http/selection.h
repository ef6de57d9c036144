/* coordinator/http/selection.h - which items a run takes: a slice ("stratum=refund"), a limit (a number or a share).
 *
 * With a limit the items are drawn by the run's seed, so that a short run shows all strata and the same command draws
 * the same items. Reads the heads of the suite's items only when there is something to select. */
#ifndef ASSAY_HTTP_SELECTION_H
#define ASSAY_HTTP_SELECTION_H

#include "coordinator/store/suites.h"

struct selection {
	struct str slice;  /* canonical: "k=v,k=v" sorted; empty: all */
	struct str limit;  /* as given; empty: none */
	struct str bitmap; /* empty: every item */
	uint32_t count;
};

/* `slice` pairs: keys task, stratum, cluster, split, provenance. ERR_INVALID names what is wrong; ERR_NOT_FOUND: no
 * item is left. */
enum err_code selection_make(struct store *s, const struct suite_row *suite, const struct str *keys,
                             const struct str *values, size_t pair_count, struct str limit, uint64_t seed,
                             struct arena *arena, struct selection *ret_selection, struct error *reterr) MUST_CHECK;

#endif
