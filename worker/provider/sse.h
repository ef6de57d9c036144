/* worker/provider/sse.h - takes a server-sent event stream that arrived whole apart into its events.
 *
 * As the WHATWG rules say: lines end with LF, CR or CRLF; "data:" lines of one event are joined by LF; an event ends at
 * an empty line; comments and other fields are passed over. One difference: an event that the end of the text cuts off
 * before its empty line is handed out too, since many servers leave the last empty line out. Pure. */
#ifndef ASSAY_PROVIDER_SSE_H
#define ASSAY_PROVIDER_SSE_H

#include "common/base/buf.h"

/* The data of the next event into `data` (cleared first); false at the end of *rest or when `data` is full (then
 * data->failed). */
bool sse_next(struct str *rest, struct buf *data);

/* Does a body look like an event stream? For servers that stream unasked and do not say so. */
bool sse_is_stream(struct str body);

#endif
