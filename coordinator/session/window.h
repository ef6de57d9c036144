/* coordinator/session/window.h - which records of one worker are on their way to the database. Private to this folder.
 *
 * A frame that brings records again (a resend) adds only what is new, to the batch that its old records stand in, so
 * that a resend never counts twice. Bytes go with records: a batch half committed counts half. */
#ifndef ASSAY_SESSION_WINDOW_H
#define ASSAY_SESSION_WINDOW_H

#include "coordinator/session/session.h"

/* Takes in a frame. ret_fresh[i] says whether record i is new; *ret_fresh_count of them are. False: over the window,
 * and nothing was taken in. */
bool window_add(struct session *s, const struct msg_results *m, size_t frame_bytes,
                bool ret_fresh[WIRE_RESULTS_RECORDS_MAX], size_t *ret_fresh_count);
void window_commit(struct session *s, const struct record_range *ranges, size_t count);
void window_done(struct session *s);

#endif
