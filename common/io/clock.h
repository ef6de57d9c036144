/* common/io/clock.h - what time it is: a monotonic clock for deadlines, a wall clock for data.
 *
 * The only reader of clocks in the tree. A shell reads it once a loop turn and puts the result into its events; wall
 * time is never used to decide when something is due. Any thread. */
#ifndef ASSAY_IO_CLOCK_H
#define ASSAY_IO_CLOCK_H

#include "common/base/str.h"

enum { CLOCK_TEXT_BYTES = 25 }; /* "2026-01-02T03:04:05.678Z" and NUL */

uint64_t clock_now_ms(void); /* monotonic; starts somewhere, never goes back */
uint64_t clock_now_us(void);
int64_t clock_wall_ms(void); /* since 1970-01-01T00:00:00Z */
int64_t clock_wall_us(void);

/* RFC 3339 in UTC with milliseconds. Years outside 0000-9999 are clamped to the ends of that span. */
void clock_text(int64_t wall_ms, char out[CLOCK_TEXT_BYTES]);

/* Reads RFC 3339 with any offset and 0 to 9 fraction digits (cut to ms); "T" may be a space or lower case. The whole
 * text must be the time; false otherwise. A leap second reads as the second after it. */
bool clock_from_text(struct str text, int64_t *ret_wall_ms);

#endif
