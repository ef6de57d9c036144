/* worker/score/refusal.h - does a text open like a refusal in English? Private to this folder. Pure.
 *
 * Only the opening is read (300 bytes): "I can't believe how good this is" is none, "I'm sorry to hear that" is none,
 * "I'm sorry, but I can't help with that" is one. A flag for counting; never part of a score. */
#ifndef ASSAY_SCORE_REFUSAL_H
#define ASSAY_SCORE_REFUSAL_H

#include "common/base/str.h"

bool refusal_opens(struct str text); /* any bytes */

#endif
