// libs: provider wire
/* Whatever configuration is taken gives requests that are one valid JSON document for an address that can be taken
 * apart again, or a typed error; a key alias never gets into them. */
#include "common/base/json.h"
#include "tests/fuzz/fuzz.h"
#include "worker/provider/provider.h"
#include "worker/provider/provider_url.h"

static void check_request(const struct buf *url, const struct buf *headers, const struct buf *body)
{
	struct json_doc *doc = NULL;
	struct error error = { .text = "" };
	struct provider_url u;
	check(provider_url_parse(buf_str(url), &u, &error) == ERR_OK);
	check(str_find(buf_str(headers), STR("uthorization")) < 0);
	enum err_code err = json_parse(buf_str(body), &doc, &error);
	/* a parameter that is handed on may stand deeper in the body than the reader goes, or twice */
	check_msg(err == ERR_OK || err == ERR_LIMIT || err == ERR_INVALID, "%s", error.text);
	check(err != ERR_OK || json_kind(json_get(json_root(doc), "model")) == JSON_STR);
	json_free(doc);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct json_doc *doc = NULL;
	struct arena arena;
	struct provider_model m;
	struct error error;
	struct buf url, headers, body;
	json_start();
	if (json_parse(str_make(data, len), &doc, NULL) != ERR_OK)
		return 0;
	arena_init(&arena, 1 << 22);
	buf_init(&url, 8192);
	buf_init(&headers, 1000);
	buf_init(&body, 1 << 22);
	if (provider_model_parse(json_root(doc), &arena, &m, &error) == ERR_OK) {
		const struct provider_message message = { PROVIDER_ROLE_USER, STR_INIT("2+2?") };
		struct provider_prompt prompt = { .messages = &message, .message_count = 1 };
		struct str base = m.base_url.len ? m.base_url : STR("http://127.0.0.1:1");
		if (provider_request_build(&m, &prompt, base, &url, &headers, &body, &error) == ERR_OK)
			check_request(&url, &headers, &body);
		check(provider_auth(&m).header.len == 0 || m.key_alias.len > 0);
	}
	buf_done(&url);
	buf_done(&headers);
	buf_done(&body);
	arena_done(&arena);
	json_free(doc);
	return 0;
}
