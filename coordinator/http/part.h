/* coordinator/http/part.h - what a run took of its suite, as the command line's flags and in words. Pure. */
#ifndef ASSAY_HTTP_PART_H
#define ASSAY_HTTP_PART_H

#include "common/base/arena.h"
#include "coordinator/store/runs.h"

/* " --slice stratum=refund --limit 20 --seed 3 --epochs 2", ready for a shell; empty: the whole suite as it stands.
 * `suite_epochs`: what the suite asks for itself. */
struct str part_flags(struct arena *arena, const struct run_row *run, uint32_t suite_epochs) MUST_CHECK;
/* "stratum=refund, limit 20, seed 3, 2 epochs"; empty as above. */
struct str part_words(struct arena *arena, const struct run_row *run, uint32_t suite_epochs) MUST_CHECK;

#endif
