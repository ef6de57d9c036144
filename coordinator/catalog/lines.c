#include "coordinator/catalog/lines.h"
#include <string.h>

void lines_init(struct lines *l, const char *name, lines_take *take, void *arg)
{
	*l = (struct lines){ .name = name, .take = take, .arg = arg };
	buf_init(&l->held, LINES_BYTES_MAX);
}

void lines_done(struct lines *l)
{
	buf_done(&l->held);
}

static enum err_code too_long(const struct lines *l, struct error *reterr)
{
	return error_set(reterr, ERR_LIMIT, "%s:%llu:1: the line is over %d MiB", l->name,
	                 (unsigned long long)l->line_no + 1, LINES_BYTES_MAX >> 20);
}

static enum err_code hold(struct lines *l, struct str piece, struct error *reterr)
{
	if (piece.len > LINES_BYTES_MAX - l->held.len)
		return too_long(l, reterr);
	return buf_append_str(&l->held, piece) ? ERR_OK
	                                       : error_set(reterr, ERR_NOMEM, "%s:%llu: out of memory", l->name,
	                                                   (unsigned long long)l->line_no + 1);
}

static enum err_code hand_on(struct lines *l, struct str line, struct error *reterr)
{
	if (line.len > LINES_BYTES_MAX)
		return too_long(l, reterr);
	return l->take(l->arg, ++l->line_no, line, reterr);
}

static enum err_code hand_on_held(struct lines *l, struct error *reterr)
{
	enum err_code err = hand_on(l, buf_str(&l->held), reterr);
	buf_clear(&l->held);
	return err;
}

enum err_code lines_feed(struct lines *l, struct str chunk, struct error *reterr)
{
	enum err_code err = ERR_OK;
	while (chunk.len > 0 && !err) {
		ptrdiff_t end = str_find_char(chunk, '\n');
		struct str piece = str_slice(chunk, 0, end < 0 ? chunk.len : (size_t)end);
		chunk = str_slice(chunk, end < 0 ? chunk.len : (size_t)end + 1, chunk.len);
		if (end >= 0 && l->held.len == 0) {
			err = hand_on(l, piece, reterr);
			continue;
		}
		err = hold(l, piece, reterr);
		if (!err && end >= 0)
			err = hand_on_held(l, reterr);
	}
	return err;
}

enum err_code lines_end(struct lines *l, struct error *reterr)
{
	return l->held.len > 0 ? hand_on_held(l, reterr) : ERR_OK;
}
