#include "worker/provider/sse.h"

static struct str take_line(struct str *rest)
{
	size_t end = 0;
	while (end < rest->len && rest->data[end] != '\n' && rest->data[end] != '\r')
		end++;
	struct str line = str_slice(*rest, 0, end);
	if (end < rest->len && rest->data[end] == '\r' && end + 1 < rest->len && rest->data[end + 1] == '\n')
		end++;
	*rest = str_slice(*rest, end < rest->len ? end + 1 : end, rest->len);
	return line;
}

bool sse_next(struct str *rest, struct buf *data)
{
	bool any = false;
	buf_clear(data);
	while (rest->len) {
		struct str line = take_line(rest);
		if (line.len == 0 && any)
			return true;
		if (!str_starts(line, STR("data:")))
			continue;
		struct str value = str_slice(line, 5, line.len);
		if (value.len && value.data[0] == ' ')
			value = str_slice(value, 1, value.len);
		if (any)
			buf_append_char(data, '\n');
		if (!buf_append_str(data, value))
			return false;
		any = true;
	}
	return any;
}

bool sse_is_stream(struct str body)
{
	struct str head = str_trim(str_slice(body, 0, 64));
	return str_starts(head, STR("data:")) || str_starts(head, STR("event:")) || str_starts(head, STR(": "));
}
