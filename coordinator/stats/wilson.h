/* coordinator/stats/wilson.h - the Wilson score interval for a share p of n_effective trials at any critical value.
 *
 * Always inside [0, 1]; exactly 0 at p = 0 and exactly 1 at p = 1; no cancellation near either. Source: Wilson 1927. */
#ifndef ASSAY_STATS_WILSON_H
#define ASSAY_STATS_WILSON_H

#include "coordinator/stats/number.h"

struct interval wilson_interval(double p, double n_effective, double critical); /* p in [0, 1]; both others > 0 */

#endif
