// libs: io wire catalog schedule session stats store evidence analysis http
// with: played_pg.c played_http.c
// wrap: json_write_raw
/* A cursor of any bytes is refused with a problem or taken; and the one that an answer gives out is taken. Input: a
 * byte that chooses the list, the cursor, NUL, what the database answers. */
#include "common/base/json.h"
#include "coordinator/http/router.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/played.h"

enum { RUNS = 3 };
static const char *const lists[] = {
	"/api/v1/suites", "/api/v1/suites/s/items", "/api/v1/models",
	"/api/v1/runs",   "/api/v1/runs/7/results", "/api/v1/runs/7/report",
};

/* The status; `cursor` is put into a query as it must be. */
static int ask(const char *list, struct str cursor, struct str database, struct buf *ret_next)
{
	struct buf target;
	struct played_request r = { .method = STR_INIT("GET"),
		                    .headers = STR_INIT("Authorization: Bearer " PLAYED_TOKEN "\n"),
		                    .leading = true };
	struct played_reply reply;
	struct json_doc *doc;
	buf_init(&target, 1 << 20);
	check(buf_printf(&target, "%s?limit=2&cursor=", list));
	for (size_t i = 0; i < cursor.len; i++)
		check(buf_printf(&target, "%%%02x", (unsigned)(unsigned char)cursor.data[i]));
	r.target = buf_str(&target);
	played_database(database);
	played_ask(&r, &reply);
	played_check(&r, &reply);
	if (reply.status == 200 && json_parse(buf_str(&reply.body), &doc, NULL) == ERR_OK) {
		struct str next;
		const struct json *v = json_get(json_root(doc), "next");
		if (json_str(v, &next))
			check(buf_append_str(ret_next, next));
		json_free(doc);
	}
	int status = reply.status;
	buf_done(&reply.body);
	buf_done(&target);
	return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (len == 0)
		return 0;
	const char *list = lists[data[0] % ARRAY_LEN(lists)];
	struct str rest = str_make(data + 1, MIN_OF(len - 1, (size_t)1000)), cursor;
	struct buf next, after;
	(void)str_split(&rest, '\0', &cursor); /* without a NUL all of it is the cursor */
	buf_init(&next, 1 << 16);
	buf_init(&after, 1 << 16);
	int status = ask(list, cursor, rest, &next);
	check_msg(status == 200 || status >= 400, "status %d", status);
	uint64_t id;
	bool is_id = router_id(buf_str(&next), &id); /* a database that gives a run the number 0 is the fuzzer's */
	if (next.len && str_find_char(buf_str(&next), '\0') < 0 && (is_id || data[0] % ARRAY_LEN(lists) != RUNS)) {
		status = ask(list, buf_str(&next), STR(""), &after);
		check_msg(status != 422, "%s: the cursor '%.*s' that it gave out is refused", list,
		          STR_ARG(buf_str(&next)));
	}
	buf_done(&next);
	buf_done(&after);
	return 0;
}
