// libs: io wire catalog schedule session stats store evidence analysis http
// with: played_pg.c played_http.c
// wrap: json_write_raw
/* Any request, to a coordinator whose database says anything. Input: a byte of circumstances (1 leads, 2 the schedule
 * does not answer, 4 without the token), the request line, headers up to an empty line, the body up to a line "\x1e",
 * then what the database answers. */
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/played.h"

static struct str cut_at(struct str *rest, struct str mark)
{
	ptrdiff_t at = str_find(*rest, mark);
	struct str before = at < 0 ? *rest : str_slice(*rest, 0, (size_t)at);
	*rest = at < 0 ? STR("") : str_slice(*rest, (size_t)at + mark.len, rest->len);
	return before;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (len == 0)
		return 0;
	struct str rest = str_make(data + 1, len - 1), text = cut_at(&rest, STR("\n\x1e\n"));
	struct str line = cut_at(&text, STR("\n"));
	struct played_request r = { .leading = data[0] & 1, .control_fails = data[0] & 2 };
	r.method = cut_at(&line, STR(" "));
	r.target = line;
	struct buf headers;
	buf_init(&headers, 1 << 20);
	check((data[0] & 4 || buf_append_c(&headers, "Authorization: Bearer " PLAYED_TOKEN "\n")) &&
	      buf_append_str(&headers, str_slice(text, 0, 1 << 19)));
	r.headers = buf_str(&headers);
	ptrdiff_t blank = str_find(r.headers, STR("\n\n"));
	bool has_headers = text.len && text.data[0] != '\n';
	(void)cut_at(&text, has_headers ? STR("\n\n") : STR("\n"));
	r.headers = blank < 0 ? r.headers : str_slice(r.headers, 0, (size_t)blank + 1);
	r.body = text;
	played_database(rest);
	struct played_reply reply;
	played_ask(&r, &reply);
	played_check(&r, &reply);
	bool is_open = str_eq_c(r.target, "/healthz") || !str_starts(r.target, STR("/api/"));
	check(is_open || !(data[0] & 4) || reply.status == 401 ||
	      str_find(r.headers, STR("Bearer " PLAYED_TOKEN)) >= 0);
	buf_done(&reply.body);
	buf_done(&headers);
	return 0;
}
