/* coordinator/catalog/lines.h - text that comes in chunks, cut into lines, in bounded memory.
 *
 * A line that lies whole in a chunk is handed on from there without a copy; one that crosses chunks is gathered up to
 * LINES_BYTES_MAX, past which reading ends with an error: a line of 100 MB costs 16. The '\n' is not part of a line; a
 * last line needs none. Owns what it gathers. Pure; one thread. */
#ifndef ASSAY_CATALOG_LINES_H
#define ASSAY_CATALOG_LINES_H

#include "common/base/buf.h"
#include "common/base/error.h"

enum { LINES_BYTES_MAX = 16 << 20 };

/* `line` is good until it returns. An error ends the reading and is handed through. */
typedef enum err_code lines_take(void *arg, uint64_t line_no, struct str line, struct error *reterr);

struct lines {
	struct buf held;  /* the beginning of a line whose end has not come */
	uint64_t line_no; /* lines handed on */
	const char *name; /* borrowed; for errors: "items.jsonl:17:1: ..." */
	lines_take *take;
	void *arg;
};

void lines_init(struct lines *l, const char *name, lines_take *take, void *arg);
void lines_done(struct lines *l);

/* ERR_LIMIT: a line is too long. After an error only lines_done() may follow. */
enum err_code lines_feed(struct lines *l, struct str chunk, struct error *reterr) MUST_CHECK;
enum err_code lines_end(struct lines *l, struct error *reterr) MUST_CHECK; /* hands on a last line without '\n' */

#endif
