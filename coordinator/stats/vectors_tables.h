/* coordinator/stats/vectors_tables.h - the tables of methods, one for each part of STATISTICS.md.
 *
 * An adapter takes a case's input, calls the routine that the product calls, and writes the answer as JSON under the
 * names of the vector files. Each table ends with a NULL name; a name stands in one of them only. */
#ifndef ASSAY_STATS_VECTORS_TABLES_H
#define ASSAY_STATS_VECTORS_TABLES_H

#include "coordinator/stats/vectors_input.h"

extern const struct vectors_method vectors_means[]; /* means, proportions, paired tests, multiple testing */

#endif
