#include "coordinator/cli/api.h"
#include "common/base/mem.h"
#include "common/io/clock.h"
#include "common/io/http_client.h"
#include "common/io/keys.h"
#include "coordinator/cli/home.h"
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum {
	URL_BYTES_MAX = 16 << 10,
	BODY_BYTES_MAX = 1 << 30,
	TIMEOUT_MS = 60000,
	TOKEN_BYTES_MAX = 4096,
	SILENCE_MS = 1000
};

struct api {
	struct http_client *client;
	char url[512];    /* the one that is asked */
	char named[2048]; /* the ones that were named, with commas: the coordinators of one installation */
	char authorization[TOKEN_BYTES_MAX + 64];
	uint32_t timeout_ms;
	int signal_fd; /* read by nobody here: cli_fail() asks it which signal it was */
	bool quiet, verbose;
};

/* The server that was named behind the present one, the first one behind the last: false when there is no other. */
static bool next_server(struct api *a)
{
	struct str rest = str_from(a->named), one, first = STR(""), found = STR("");
	for (bool next = false; found.len == 0 && str_split(&rest, ',', &one);) {
		if (first.len == 0)
			first = one;
		if (next)
			found = one;
		next = str_eq_c(one, a->url);
	}
	if (found.len == 0)
		found = first;
	if (found.len == 0 || str_eq_c(found, a->url))
		return false;
	(void)snprintf(a->url, sizeof(a->url), "%.*s", STR_ARG(found)); /* as long as it was checked to be */
	return true;
}

static enum err_code name_servers(struct api *a, struct str text, struct error *reterr)
{
	struct str one;
	size_t used = 0;
	while (str_split(&text, ',', &one)) {
		while (one.len && one.data[one.len - 1] == '/')
			one.len--;
		if (!str_starts(one, STR("http://")) && !str_starts(one, STR("https://")))
			return error_set(reterr, ERR_INVALID,
			                 "--server must begin with http:// or https://, not '%.*s'", STR_ARG(one));
		if (one.len >= sizeof(a->url) || used + one.len + 2 > sizeof(a->named))
			return error_set(reterr, ERR_INVALID, "--server: too long");
		used += (size_t)snprintf(a->named + used, sizeof(a->named) - used, "%s%.*s", used ? "," : "",
		                         STR_ARG(one)); /* fits */
	}
	IGNORE(next_server(a)); /* the first one */
	return ERR_OK;
}

/* The token belongs to a server: an embedded installation's is of no use elsewhere, and is not sent there. */
static enum err_code find_server(struct api *a, const struct cli *c, struct fs_path *ret_token, struct error *reterr)
{
	struct home home;
	struct home_status status;
	const char *token_file = getenv("ASSAY_TOKEN_FILE");
	struct str named = config_text(c->config, "server");
	if (named.len) {
		enum err_code named_err = name_servers(a, named, reterr);
		if (named_err != ERR_OK)
			return named_err;
		if (token_file && *token_file) {
			*ret_token = fs_path("%s", token_file);
			return ERR_OK;
		}
		return error_set(reterr, ERR_DENIED,
		                 "which token? set ASSAY_TOKEN_FILE to a file of mode 0600 that holds it");
	}
	enum err_code err = home_find(false, &home, reterr);
	if (err == ERR_OK)
		err = home_status_read(&home, &status, reterr);
	if (err == ERR_NOT_FOUND)
		return error_set(reterr, ERR_CONNECT,
		                 "no server: start one here with `assay up`, or name one with --server URL");
	if (err == ERR_OK && !process_id_alive(&status.supervise))
		return error_set(reterr, ERR_CONNECT, "the installation in %s is not running: assay up",
		                 home.root.text);
	if (err != ERR_OK)
		return err;
	(void)snprintf(a->url, sizeof(a->url), "%s", status.url);
	memcpy(a->named, a->url, sizeof(a->url)); /* shorter */
	*ret_token = token_file && *token_file ? fs_path("%s", token_file) : home_path(&home, "token");
	return ERR_OK;
}

enum err_code api_open(const struct cli *c, struct api **ret_api, struct error *reterr)
{
	struct api *a = mem_new(1, sizeof(*a));
	struct fs_path token_path;
	struct buf token;
	buf_init(&token, TOKEN_BYTES_MAX);
	enum err_code err = find_server(a, c, &token_path, reterr);
	if (err == ERR_OK) {
		err = keys_secret_read(token_path.text, &token, reterr);
		if (err != ERR_OK)
			err = error_wrap(reterr, ERR_DENIED, "token");
	}
	if (err == ERR_OK)
		err = http_client_new(&(struct http_client_options){ .wake_fd = c->signal_fd }, &a->client, reterr);
	(void)snprintf(a->authorization, sizeof(a->authorization), "Authorization: Bearer %.*s",
	               STR_ARG(buf_str(&token)));
	keys_wipe(token.data, token.len);
	buf_done(&token);
	a->signal_fd = c->signal_fd;
	a->quiet = c->quiet;
	a->verbose = c->verbose;
	a->timeout_ms = TIMEOUT_MS;
	if (config_has(c->config, "timeout"))
		a->timeout_ms = (uint32_t)MIN_OF(config_i64(c->config, "timeout"), (int64_t)UINT32_MAX);
	if (err != ERR_OK) {
		api_close(a);
		return err;
	}
	*ret_api = a;
	return ERR_OK;
}

void api_close(struct api *a)
{
	if (!a)
		return;
	http_client_free(a->client);
	keys_wipe(a->authorization, sizeof(a->authorization));
	mem_free(a);
}

const char *api_url(const struct api *a)
{
	return a->url;
}

bool api_put_escaped(struct buf *url, struct str text)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~@";
	for (size_t i = 0; i < text.len; i++) {
		char c = text.data[i];
		if (c && strchr(plain, c))
			(void)buf_append_char(url, c);
		else
			(void)buf_printf(url, "%%%02X", (unsigned)(unsigned char)c);
	}
	return !url->failed;
}

static enum err_code problem(const char *url, const struct api_answer *answer, struct error *reterr)
{
	static const struct {
		const char *code;
		enum err_code err;
	} codes[] = { { "invalid", ERR_INVALID },     { "not_found", ERR_NOT_FOUND }, { "conflict", ERR_CONFLICT },
		      { "unauthorised", ERR_DENIED }, { "standby", ERR_AGAIN },       { "unavailable", ERR_AGAIN },
		      { "too_large", ERR_LIMIT },     { "limit", ERR_LIMIT } };
	const struct json *root = answer->doc ? json_root(answer->doc) : NULL;
	struct str code = json_str_or(json_get(root, "code"), STR("")),
		   hint = json_str_or(json_get(root, "hint"), STR(""));
	struct str detail = json_str_or(json_get(root, "detail"), STR(""));
	enum err_code err = answer->status == 401 ? ERR_DENIED : ERR_IO;
	for (size_t i = 0; i < ARRAY_LEN(codes); i++)
		if (str_eq_c(code, codes[i].code))
			err = codes[i].err;
	if (detail.len == 0)
		return error_set(reterr, err, "the server at %s answered with status %d", url, answer->status);
	return error_set(reterr, err, "%.*s%s%.*s", STR_ARG(detail), hint.len ? "; " : "", STR_ARG(hint));
}

/* Where a standby says that its leader is; false when it does not. */
static bool leader_of(const struct api_answer *answer, char *out, size_t out_bytes)
{
	struct str leader;
	if (answer->status != 503 || !answer->doc || !json_str(json_get(json_root(answer->doc), "leader"), &leader) ||
	    leader.len == 0 || leader.len >= out_bytes)
		return false;
	memcpy(out, leader.data, leader.len);
	out[leader.len] = '\0';
	return true;
}

static bool signal_waits(const struct api *a)
{
	struct pollfd fd = { .fd = a->signal_fd, .events = POLLIN };
	return a->signal_fd >= 0 && poll(&fd, 1, 0) > 0;
}

/* Waits for the one request in flight. A signal ends it; a server that says nothing for long is worth a word. */
static enum err_code await(struct api *a, struct http_done *ret_done, struct error *reterr)
{
	uint64_t begun = clock_now_ms();
	bool told = a->quiet, cancelled = false;
	size_t count = 0;
	enum err_code err = ERR_OK;
	while (err == ERR_OK && count == 0) {
		err = http_client_poll(a->client, told ? -1 : SILENCE_MS, ret_done, 1, &count, reterr);
		if (err == ERR_OK && count == 0 && !cancelled && signal_waits(a))
			cancelled = http_client_cancel(a->client, 0);
		if (!told && clock_now_ms() - begun >= SILENCE_MS && count == 0) {
			(void)fprintf(stderr, "waiting for the server at %s ...\n", a->url);
			told = true;
		}
	}
	if (err != ERR_OK || ret_done->err == ERR_OK)
		return err;
	err = ret_done->err == ERR_TIMEOUT ? ERR_CONNECT : ret_done->err; /* nobody answers, whichever way */
	err = cancelled ? error_set(reterr, ERR_CANCELLED, "interrupted while waiting for the server")
	                : error_set(reterr, err, "%s", ret_done->text);
	http_done_free(ret_done);
	return err;
}

static enum err_code send_once(struct api *a, const struct api_call *call, struct api_answer *ret_answer,
                               struct error *reterr)
{
	struct buf url;
	char type[160], accept[160], key[200];
	const char *headers[5] = { a->authorization, accept, type };
	size_t count = 2;
	(void)snprintf(accept, sizeof(accept), "Accept: %s", call->accept ? call->accept : "application/json");
	(void)snprintf(type, sizeof(type), "Content-Type: %s", call->type ? call->type : "application/json");
	if (call->body.data)
		count = 3;
	headers[count] = NULL;
	if (call->idempotency_key) {
		(void)snprintf(key, sizeof(key), "Idempotency-Key: %s", call->idempotency_key);
		headers[count++] = key;
		headers[count] = NULL;
	}
	buf_init(&url, URL_BYTES_MAX);
	if (!buf_printf(&url, "%s%s", a->url, call->path)) {
		buf_done(&url);
		return error_set(reterr, ERR_INVALID, "the request is too long");
	}
	struct http_request r = { .method = call->method,
		                  .url = url.data,
		                  .headers = headers,
		                  .body = call->body,
		                  .connect_timeout_ms = 5000,
		                  .timeout_ms = call->timeout_ms ? call->timeout_ms : a->timeout_ms,
		                  .response_bytes_max = BODY_BYTES_MAX };
	struct http_done done;
	uint64_t begun_ms = clock_now_ms();
	enum err_code err = http_client_start(a->client, 0, &r, reterr);
	if (err == ERR_OK)
		err = await(a, &done, reterr);
	if (a->verbose)
		(void)fprintf(stderr, "%s %s: %s %d, %zu bytes, %llu ms\n", call->method, url.data,
		              err == ERR_OK ? "status" : "no answer", err == ERR_OK ? done.status : 0,
		              err == ERR_OK ? done.body.len : 0, (unsigned long long)(clock_now_ms() - begun_ms));
	buf_done(&url);
	if (err != ERR_OK)
		return error_wrap(reterr, err == ERR_CANCELLED ? err : ERR_CONNECT, "%s", a->url);
	if (!http_header(&done, "Assay-Version").data) {
		err = error_set(reterr, ERR_CONNECT,
		                "%s is not an Assay server (it answered with status %d); see --server and ASSAY_URL",
		                a->url, done.status);
		http_done_free(&done);
		return err;
	}
	struct str got = http_header(&done, "Content-Type");
	*ret_answer = (struct api_answer){ .status = done.status, .text = done.body, .memory = done.memory };
	if (str_find(got, STR("json")) >= 0 && str_find(got, STR("jsonl")) < 0 && done.body.len)
		err = json_parse(done.body, &ret_answer->doc, reterr);
	if (err != ERR_OK) {
		api_answer_done(ret_answer);
		return error_wrap(reterr, ERR_CORRUPT, "%s", a->url);
	}
	return ERR_OK;
}

/* Whoever leads: the server that answered last, else the others that were named, one after the other; and from a
 * standby to where it says that its leader is. A leader that has just died is still named by its standby: that is an
 * answer too, "nobody leads", and the next call begins at the standby again. */
static enum err_code send_to_leader(struct api *a, const struct api_call *call, struct api_answer *ret_answer,
                                    struct error *reterr)
{
	char standby[sizeof(a->url)], leader[sizeof(a->url)], first[sizeof(a->url)];
	memcpy(first, a->url, sizeof(first));
	for (;;) {
		enum err_code err = send_once(a, call, ret_answer, reterr);
		bool elsewhere = err == ERR_CONNECT || (err == ERR_OK && ret_answer->status == 503);
		if (err == ERR_OK && leader_of(ret_answer, leader, sizeof(leader)) && strcmp(leader, a->url) != 0) {
			api_answer_done(ret_answer);
			memcpy(standby, a->url, sizeof(standby));
			memcpy(a->url, leader, sizeof(leader));
			err = send_once(a, call, ret_answer, reterr);
			if (err != ERR_CONNECT)
				return err;
			memcpy(a->url, standby, sizeof(standby));
			return error_wrap(reterr, ERR_AGAIN,
			                  "nobody leads just now: %s stands by, and its leader is gone", standby);
		}
		if (!elsewhere || !next_server(a) || strcmp(a->url, first) == 0)
			return err;
		if (err == ERR_OK)
			api_answer_done(ret_answer);
	}
}

enum err_code api_send(struct api *a, const struct api_call *call, struct api_answer *ret_answer, struct error *reterr)
{
	enum err_code err = send_to_leader(a, call, ret_answer, reterr);
	if (err == ERR_OK && ret_answer->status >= 400) {
		err = problem(a->url, ret_answer, reterr);
		api_answer_done(ret_answer);
	} else if (err == ERR_OK && !call->accept && !ret_answer->doc) {
		err = error_set(reterr, ERR_CORRUPT, "%s answered without a JSON document", a->url);
		api_answer_done(ret_answer);
	}
	return err;
}

PRINTF_LIKE(5, 0)
static enum err_code get(struct api *a, const char *accept, struct api_answer *ret_answer, struct error *reterr,
                         const char *path, va_list args)
{
	struct buf text;
	buf_init(&text, URL_BYTES_MAX);
	if (!buf_vprintf(&text, path, args)) {
		buf_done(&text);
		return error_set(reterr, ERR_INVALID, "the request is too long");
	}
	struct api_call call = { .method = "GET", .path = text.data, .accept = accept };
	enum err_code err = api_send(a, &call, ret_answer, reterr);
	buf_done(&text);
	return err;
}

enum err_code api_get(struct api *a, struct api_answer *ret_answer, struct error *reterr, const char *path, ...)
{
	va_list args;
	va_start(args, path);
	enum err_code err = get(a, NULL, ret_answer, reterr, path, args);
	va_end(args);
	return err;
}

enum err_code api_get_text(struct api *a, struct api_answer *ret_answer, struct error *reterr, const char *path, ...)
{
	va_list args;
	va_start(args, path);
	enum err_code err = get(a, "text/plain", ret_answer, reterr, path, args);
	va_end(args);
	return err;
}

void api_answer_done(struct api_answer *answer)
{
	json_free(answer->doc);
	mem_free(answer->memory);
	*answer = (struct api_answer){ 0 };
}
