/* worker/main/check_gsm8k.h - the check of `gsm8k_extract`: three published ways to read a number out of an answer.
 *
 * Extraction is the scorers' own `regex` step, with the patterns that were published; the numeric comparison is the
 * scorers' own number. What the references delete before they compare texts is done here. */
#ifndef ASSAY_MAIN_CHECK_GSM8K_H
#define ASSAY_MAIN_CHECK_GSM8K_H

#include "worker/main/check.h"

check_case check_gsm8k;

#endif
