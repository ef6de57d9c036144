/* Goal: whichever call into libcurl or the heap fails, requests end in an error or an answer, once, and nothing leaks.
 */
#include "common/base/mem.h"
#include "common/io/http_client.h"
#include "tests/support/cmocka_all.h"
#include "tests/unit/io/http_server.h"
#include <curl/curl.h>
#include <stdio.h>
#include <string.h>

static unsigned fail_in; /* calls until one fails; 0: none does */
static bool info_failed, action_failed;
static struct {
	CURLM *multi;
	unsigned requests; /* added so far */
} taken[16];

static bool must_fail(void)
{
	return fail_in != 0 && --fail_in == 0;
}

CURL *__real_curl_easy_init(void);
CURL *__wrap_curl_easy_init(void);
CURL *__wrap_curl_easy_init(void)
{
	return must_fail() ? NULL : __real_curl_easy_init();
}

CURLM *__real_curl_multi_init(void);
CURLM *__wrap_curl_multi_init(void);
CURLM *__wrap_curl_multi_init(void)
{
	return must_fail() ? NULL : __real_curl_multi_init();
}

CURLSH *__real_curl_share_init(void);
CURLSH *__wrap_curl_share_init(void);
CURLSH *__wrap_curl_share_init(void)
{
	return must_fail() ? NULL : __real_curl_share_init();
}

/* The third argument is a long, a curl_off_t or a pointer: one machine word here. */
CURLcode __real_curl_easy_setopt(CURL *easy, CURLoption option, ...);
CURLcode __wrap_curl_easy_setopt(CURL *easy, CURLoption option, ...);
CURLcode __wrap_curl_easy_setopt(CURL *easy, CURLoption option, ...)
{
	va_list args;
	va_start(args, option);
	void *value = va_arg(args, void *);
	va_end(args);
	return must_fail() ? CURLE_OUT_OF_MEMORY : __real_curl_easy_setopt(easy, option, value);
}

CURLMcode __real_curl_multi_setopt(CURLM *multi, CURLMoption option, ...);
CURLMcode __wrap_curl_multi_setopt(CURLM *multi, CURLMoption option, ...);
CURLMcode __wrap_curl_multi_setopt(CURLM *multi, CURLMoption option, ...)
{
	va_list args;
	va_start(args, option);
	void *value = va_arg(args, void *);
	va_end(args);
	return must_fail() ? CURLM_OUT_OF_MEMORY : __real_curl_multi_setopt(multi, option, value);
}

CURLSHcode __real_curl_share_setopt(CURLSH *share, CURLSHoption option, ...);
CURLSHcode __wrap_curl_share_setopt(CURLSH *share, CURLSHoption option, ...);
CURLSHcode __wrap_curl_share_setopt(CURLSH *share, CURLSHoption option, ...)
{
	va_list args;
	va_start(args, option);
	int value = va_arg(args, int);
	va_end(args);
	return must_fail() ? CURLSHE_NOMEM : __real_curl_share_setopt(share, option, value);
}

CURLMcode __real_curl_multi_add_handle(CURLM *multi, CURL *easy);
CURLMcode __wrap_curl_multi_add_handle(CURLM *multi, CURL *easy);
CURLMcode __wrap_curl_multi_add_handle(CURLM *multi, CURL *easy)
{
	if (must_fail())
		return CURLM_OUT_OF_MEMORY;
	for (size_t i = 0; i < ARRAY_LEN(taken); i++)
		if (!taken[i].multi || taken[i].multi == multi) {
			taken[i].multi = multi;
			taken[i].requests++;
			break;
		}
	return __real_curl_multi_add_handle(multi, easy);
}

/* The third argument is a pointer. */
CURLcode __real_curl_easy_getinfo(CURL *easy, CURLINFO info, ...);
CURLcode __wrap_curl_easy_getinfo(CURL *easy, CURLINFO info, ...);
CURLcode __wrap_curl_easy_getinfo(CURL *easy, CURLINFO info, ...)
{
	va_list args;
	va_start(args, info);
	void *value = va_arg(args, void *);
	va_end(args);
	if (must_fail()) {
		info_failed = true;
		return CURLE_UNKNOWN_OPTION;
	}
	return __real_curl_easy_getinfo(easy, info, value);
}

CURLMcode __real_curl_multi_socket_action(CURLM *multi, curl_socket_t fd, int flags, int *ret_running);
CURLMcode __wrap_curl_multi_socket_action(CURLM *multi, curl_socket_t fd, int flags, int *ret_running);
CURLMcode __wrap_curl_multi_socket_action(CURLM *multi, curl_socket_t fd, int flags, int *ret_running)
{
	if (must_fail()) {
		action_failed = true;
		return CURLM_OUT_OF_MEMORY;
	}
	return __real_curl_multi_socket_action(multi, fd, flags, ret_running);
}

struct curl_slist *__real_curl_slist_append(struct curl_slist *list, const char *text);
struct curl_slist *__wrap_curl_slist_append(struct curl_slist *list, const char *text);
struct curl_slist *__wrap_curl_slist_append(struct curl_slist *list, const char *text)
{
	return must_fail() ? NULL : __real_curl_slist_append(list, text);
}

enum { REQUESTS = 3, TIMEOUT_MS = 1000 };

/* A client's whole life. Returns how many requests could be started, and how many of these brought an answer. */
static unsigned whole_life(const struct http_server *server, unsigned *ret_answers)
{
	struct http_client *c;
	struct error error;
	unsigned started = 0, back = 0;
	char url[64];
	const char *const headers[] = { "X-One: 1", NULL };
	snprintf(url, sizeof(url), "http://127.0.0.1:%d/echo", http_server_port(server));
	struct http_request r = { .url = url,
		                  .headers = headers,
		                  .body = STR("text"),
		                  .timeout_ms = TIMEOUT_MS,
		                  .response_bytes_max = 1000 };
	*ret_answers = 0;
	enum err_code err = http_client_new(NULL, &c, &error);
	if (err != ERR_OK) {
		assert_true(error.code == err && error.text[0] != '\0');
		return 0;
	}
	for (uint64_t i = 0; i < REQUESTS; i++) {
		err = http_client_start(c, i, &r, &error);
		started += err == ERR_OK;
		assert_true(err == ERR_OK || (err == ERR_NOMEM && error.text[0] != '\0'));
	}
	assert_int_equal(http_client_in_flight(c), started);
	while (back < started) {
		struct http_done done[REQUESTS];
		size_t count;
		assert_ok(http_client_poll(c, 10000, done, REQUESTS, &count, &error), &error);
		assert_true(count > 0);
		for (size_t i = 0; i < count; i++) {
			if (done[i].err != ERR_OK)
				assert_true(info_failed || action_failed ? done[i].text[0] != '\0'
				                                         : done[i].err == ERR_NOMEM);
			if (info_failed && done[i].err != ERR_OK)
				assert_true(done[i].sent); /* who cannot know must not ask again as if it were free */
			if (done[i].err == ERR_OK) {
				assert_str_equal_c(done[i].body, "text");
				++*ret_answers;
			}
			http_done_free(&done[i]);
		}
		back += (unsigned)count;
	}
	http_client_free(c);
	return started;
}

static void any_call_into_libcurl_may_fail(void **state)
{
	(void)state;
	struct http_server *server = http_server_start(NULL);
	unsigned nth = 1, answers, infos = 0, actions = 0;
	for (;; nth++) {
		info_failed = action_failed = false;
		fail_in = nth;
		unsigned started = whole_life(server, &answers);
		bool reached = fail_in == 0;
		fail_in = 0;
		infos += info_failed;
		actions += action_failed;
		if (!info_failed && !action_failed)
			assert_int_equal(answers, started);
		if (!reached)
			break;
		assert_int_equal(started < REQUESTS, !info_failed && !action_failed);
	}
	assert_true(nth > 80); /* each option of each request is a call */
	assert_true(infos >= 4 * REQUESTS && actions >= 4);
	http_server_stop(server);
}

static void a_multi_never_holds_more_than_its_share(void **state)
{
	(void)state;
	enum { MULTIS = 3, MANY = MULTIS * HTTP_CLIENT_SHARD_MAX - 1 };
	struct http_server *server = http_server_start(NULL);
	struct http_client *c;
	struct error error;
	char url[64];
	snprintf(url, sizeof(url), "http://127.0.0.1:%d/echo", http_server_port(server));
	struct http_request r = { .url = url, .timeout_ms = 60000, .response_bytes_max = 1000 };
	memset(taken, 0, sizeof(taken));
	assert_ok(http_client_new(NULL, &c, &error), &error);
	for (uint64_t i = 0; i < MANY; i++)
		assert_ok(http_client_start(c, i, &r, &error), &error);
	for (size_t i = 0; i < MULTIS; i++)
		assert_int_equal(taken[i].requests, i + 1 < MULTIS ? HTTP_CLIENT_SHARD_MAX : HTTP_CLIENT_SHARD_MAX - 1);
	assert_null(taken[MULTIS].multi);
	http_client_free(c);
	http_server_stop(server);
}

static void any_allocation_of_a_size_from_outside_may_fail(void **state)
{
	(void)state;
	struct http_server *server = http_server_start(NULL);
	unsigned answers = 0;
	for (uint64_t nth = 1; nth < 20 || answers < REQUESTS; nth++) {
		mem_fail_at(nth); /* of this thread */
		unsigned started = whole_life(server, &answers);
		mem_fail_at(0);
		assert_true(started >= REQUESTS - 1);
		assert_true(answers >= REQUESTS - 1);
		assert_true(nth > 3 || answers < REQUESTS);
	}
	http_server_stop(server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_call_into_libcurl_may_fail),
		cmocka_unit_test(a_multi_never_holds_more_than_its_share),
		cmocka_unit_test(any_allocation_of_a_size_from_outside_may_fail),
	};
	return cmocka_run_group_tests_name("http_faults", tests, NULL, NULL);
}
