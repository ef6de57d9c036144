/* worker/score/score_apply.h - one compiled scorer against one answer. Private to this folder. Pure; any thread. */
#ifndef ASSAY_SCORE_SCORE_APPLY_H
#define ASSAY_SCORE_SCORE_APPLY_H

#include "worker/score/score.h"
#include "worker/score/score_spec.h"

void score_apply_spec(const struct score_spec *spec, struct str response, const struct score_item *item,
                      struct arena *a, struct score *ret_score);

#endif
