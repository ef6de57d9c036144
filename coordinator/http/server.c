#include "coordinator/http/server.h"
#include "common/base/mem.h"
#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	REQUEST_ARENA_BYTES = 1 << 30,
	RESPONSE_BYTES_MAX = 512 << 20,
	CONNECTION_BYTES = 64 << 10,
	PATH_BYTES_MAX = 4096
};

struct server {
	struct server_settings settings;
	struct MHD_Daemon *daemon;
	uint16_t port;
};

struct exchange { /* one request while it comes in */
	struct arena arena;
	struct buf body;
	bool too_large;
};

static bool parse_listen(const char *text, struct sockaddr_storage *out, socklen_t *ret_len)
{
	struct str all = str_from(text);
	const char *colon = strrchr(text, ':');
	uint64_t port;
	if (!colon || !str_to_u64(str_from(colon + 1), &port) || port > 65535)
		return false;
	struct str host = str_slice(all, 0, (size_t)(colon - text));
	if (host.len >= 2 && host.data[0] == '[' && host.data[host.len - 1] == ']')
		host = str_slice(host, 1, host.len - 1);
	char name[INET6_ADDRSTRLEN];
	if (host.len >= sizeof(name))
		return false;
	memcpy(name, host.data, host.len);
	name[host.len] = '\0';
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port) };
	if (inet_pton(AF_INET, name, &v4.sin_addr) == 1) {
		memcpy(out, &v4, sizeof(v4));
		*ret_len = sizeof(v4);
		return true;
	}
	if (inet_pton(AF_INET6, name, &v6.sin6_addr) == 1) {
		memcpy(out, &v6, sizeof(v6));
		*ret_len = sizeof(v6);
		return true;
	}
	return false;
}

struct str server_query(const struct server_request *r, const char *name)
{
	struct MHD_Connection *c = r->connection;
	return str_from(MHD_lookup_connection_value(c, MHD_GET_ARGUMENT_KIND, name));
}

struct str server_header(const struct server_request *r, const char *name)
{
	struct MHD_Connection *c = r->connection;
	return str_from(MHD_lookup_connection_value(c, MHD_HEADER_KIND, name));
}

static enum MHD_Result queue(struct MHD_Connection *c, struct server_response *r)
{
	size_t len = 0;
	char *body = buf_take(&r->body, &len);
	if (!body) {
		buf_done(&r->body);
		r->status = 500;
		r->type = "text/plain";
		body = mem_new(1, 1);
	}
	struct MHD_Response *response = MHD_create_response_from_buffer(len, body, MHD_RESPMEM_MUST_COPY);
	mem_free(body);
	if (!response)
		return MHD_NO;
	enum MHD_Result ok = MHD_add_response_header(response, "Content-Type", r->type ? r->type : "application/json");
	if (ok == MHD_YES)
		ok = MHD_add_response_header(response, "Cache-Control", "no-store");
	if (ok == MHD_YES) /* how the command line tells us from whoever else answers at a URL */
		ok = MHD_add_response_header(response, "Assay-Version", ASSAY_VERSION);
	if (ok == MHD_YES)
		ok = MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
	if (ok == MHD_YES && r->retry_after)
		ok = MHD_add_response_header(response, "Retry-After", r->retry_after);
	if (ok == MHD_YES && r->status == 401)
		ok = MHD_add_response_header(response, "WWW-Authenticate", "Bearer");
	if (ok == MHD_YES)
		ok = MHD_queue_response(c, (unsigned)r->status, response);
	MHD_destroy_response(response);
	return ok;
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *c, const char *url, const char *method,
                                  const char *version, const char *data, size_t *data_len, void **state)
{
	struct server *s = arg;
	struct exchange *x = *state;
	(void)version;
	if (!x) { /* headers are here */
		x = mem_new(1, sizeof(*x));
		arena_init(&x->arena, REQUEST_ARENA_BYTES);
		struct server_request head = {
			.method = method, .path = str_from(url), .arena = &x->arena, .connection = c
		};
		buf_init(&x->body, s->settings.body_bytes_max(s->settings.arg, &head));
		*state = x;
		return MHD_YES;
	}
	if (*data_len) {
		x->too_large = x->too_large || !buf_append(&x->body, data, *data_len);
		if (x->too_large)
			buf_done(&x->body);
		*data_len = 0;
		return MHD_YES;
	}
	struct server_request request = { .method = method,
		                          .path = str_from(url),
		                          .body = buf_str(&x->body),
		                          .too_large = x->too_large,
		                          .arena = &x->arena,
		                          .connection = c };
	struct server_response response = { .status = 500, .type = "application/json" };
	buf_init(&response.body, RESPONSE_BYTES_MAX);
	s->settings.handle(s->settings.arg, &request, &response);
	return queue(c, &response);
}

static void on_completed(void *arg, struct MHD_Connection *c, void **state, enum MHD_RequestTerminationCode why)
{
	struct exchange *x = *state;
	(void)arg;
	(void)c;
	(void)why;
	if (!x)
		return;
	arena_done(&x->arena);
	buf_done(&x->body);
	mem_free(x);
	*state = NULL;
}

enum err_code server_start(const struct server_settings *settings, struct server **ret_server, struct error *reterr)
{
	struct sockaddr_storage address = { 0 };
	socklen_t len = 0;
	if (!parse_listen(settings->listen, &address, &len))
		return error_set(reterr, ERR_INVALID, "'%s' is not an address to listen on, such as 127.0.0.1:7451",
		                 settings->listen);
	struct server *s = mem_new(1, sizeof(*s));
	s->settings = *settings;
	unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | (address.ss_family == AF_INET6 ? MHD_USE_IPv6 : 0);
	errno = 0;
	s->daemon = MHD_start_daemon(flags, 0, NULL, NULL, on_request, s, MHD_OPTION_SOCK_ADDR, &address,
	                             MHD_OPTION_THREAD_POOL_SIZE, settings->threads, MHD_OPTION_CONNECTION_LIMIT,
	                             settings->connections_max, MHD_OPTION_CONNECTION_TIMEOUT, settings->idle_s,
	                             MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES,
	                             MHD_OPTION_LISTENING_ADDRESS_REUSE, 1u, MHD_OPTION_NOTIFY_COMPLETED, on_completed,
	                             s, MHD_OPTION_END);
	if (!s->daemon) {
		int number = errno;
		mem_free(s);
		return error_set(reterr, ERR_IO, "cannot listen on %s: %s", settings->listen,
		                 number ? strerror(number) : "the HTTP server did not start");
	}
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_BIND_PORT);
	s->port = info ? info->port : 0;
	*ret_server = s;
	return ERR_OK;
}

void server_stop(struct server *s)
{
	if (!s)
		return;
	MHD_stop_daemon(s->daemon);
	mem_free(s);
}

uint16_t server_port(const struct server *s)
{
	return s->port;
}
