#include "coordinator/cli/installation.h"
#include "common/io/keys.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SETTINGS_BYTES_MAX = 64 << 10, ALLOWED_BYTES_MAX = 4 << 20, KEY_NAMES_MAX = 256 };

#define KEY_SUFFIX "_API_KEY"

struct fs_path installation_program(const char *program_path, const char *name)
{
	struct fs_path path = fs_path("%s", program_path);
	char *slash = strrchr(path.text, '/');
	if (slash)
		*slash = '\0';
	return fs_path("%s/%s", slash ? path.text : ".", name);
}

size_t installation_key_names(const char *const *environment, struct arena *arena, const char **out, size_t cap)
{
	size_t count = 0;
	for (size_t i = 0; environment[i] && count < cap; i++) {
		struct str entry = str_from(environment[i]);
		ptrdiff_t equals = str_find_char(entry, '=');
		struct str name = str_slice(entry, 0, equals < 0 ? 0 : (size_t)equals);
		bool plain = name.len > sizeof(KEY_SUFFIX) - 1 && str_ends(name, STR(KEY_SUFFIX));
		for (size_t k = 0; plain && k < name.len; k++)
			plain = (name.data[k] >= 'A' && name.data[k] <= 'Z') ||
			        (name.data[k] >= '0' && name.data[k] <= '9') || name.data[k] == '_';
		if (plain && (size_t)equals + 1 < entry.len)
			out[count++] = arena_c_str(arena, name);
	}
	return count;
}

struct str installation_alias(const char *variable, struct arena *arena)
{
	size_t len = strlen(variable) - (sizeof(KEY_SUFFIX) - 1);
	char *alias = arena_new(arena, len + 1, 1);
	for (size_t i = 0; i < len; i++) {
		char c = variable[i];
		alias[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c == '_' ? '-' : c;
	}
	return str_make(alias, len);
}

/* "NAME=value" of the variable in `started`; empty when it is not there. */
static struct str find_entry(struct str started, const char *name)
{
	struct str entry, wanted = str_from(name);
	while (str_split(&started, '\0', &entry))
		if (str_starts(entry, wanted) && entry.len > wanted.len && entry.data[wanted.len] == '=')
			return entry;
	return STR("");
}

size_t installation_key_changes(const char *const *environment, struct str started, struct arena *arena,
                                struct installation_key_change *out, size_t cap)
{
	const char *names[KEY_NAMES_MAX];
	size_t count = installation_key_names(environment, arena, names, KEY_NAMES_MAX), changes = 0;
	for (size_t i = 0; i < count && changes < cap; i++) {
		struct str then = find_entry(started, names[i]), now = STR("");
		for (size_t k = 0; environment[k] && !now.len; k++)
			now = find_entry(str_from(environment[k]), names[i]);
		if (!str_eq(then, now))
			out[changes++] = (struct installation_key_change){ names[i], then.len <= strlen(names[i]) + 1 };
	}
	return changes;
}

static enum err_code make_token(const struct home *h, struct error *reterr)
{
	struct fs_path path = home_path(h, "token");
	if (fs_exists(path.text))
		return ERR_OK;
	char token[KEYS_TOKEN_BYTES + 1];
	keys_token_new(token);
	size_t len = strlen(token);
	token[len] = '\n';
	return fs_write_atomic(path.text, str_make(token, len + 1), 0600, reterr);
}

static enum err_code make_keys(const struct home *h, unsigned workers, struct error *reterr)
{
	struct buf allowed;
	struct keys_pair pair = { 0 };
	char text[KEYS_TEXT_BYTES];
	buf_init(&allowed, SETTINGS_BYTES_MAX);
	enum err_code err = fs_make_dirs(home_path(h, "keys").text, 0700, reterr);
	if (err == ERR_OK)
		err = keys_pair_load_or_new(home_path(h, "keys/coordinator").text, &pair, reterr);
	if (err == ERR_OK) {
		keys_text(pair.public_key.bytes, text);
		err = fs_write_atomic(home_path(h, "keys/coordinator.public").text, str_from(text), 0644, reterr);
	}
	for (unsigned i = 1; err == ERR_OK && i <= workers; i++) {
		struct fs_path path = fs_path("%s/keys/worker-%u", h->root.text, i);
		err = keys_pair_load_or_new(path.text, &pair, reterr);
		keys_text(pair.public_key.bytes, text);
		(void)buf_printf(&allowed, "worker-%u %s\n", i, text); /* checked by its length below */
	}
	keys_pair_done(&pair);
	struct fs_path path = home_path(h, "keys/allowed");
	if (err == ERR_OK && !fs_exists(path.text))
		err = fs_write_atomic(path.text, buf_str(&allowed), 0600, reterr);
	else if (err == ERR_OK) {
		/* People may have added keys of other machines: ours are appended where they are missing, but where
		 * "# revoked NAME KEY" stands. */
		struct buf old;
		struct str rest = buf_str(&allowed), line;
		buf_init(&old, 1 << 20);
		err = fs_read(path.text, &old, reterr);
		bool changed = false;
		while (err == ERR_OK && str_split(&rest, '\n', &line))
			if (line.len && str_find(buf_str(&old), line) < 0)
				changed = buf_append_str(&old, line) && buf_append_char(&old, '\n');
		if (err == ERR_OK && changed)
			err = fs_write_atomic(path.text, buf_str(&old), 0600, reterr);
		buf_done(&old);
	}
	buf_done(&allowed);
	return err;
}

bool installation_refuses(const struct home *h, const char *worker)
{
	struct buf text;
	struct keys_pair pair = { 0 };
	char key[KEYS_TEXT_BYTES] = "";
	buf_init(&text, ALLOWED_BYTES_MAX);
	bool known = keys_pair_load(fs_path("%s/keys/%s", h->root.text, worker).text, &pair, NULL) == ERR_OK &&
	             fs_read(home_path(h, "keys/allowed").text, &text, NULL) == ERR_OK;
	bool allowed = false;
	if (known)
		keys_text(pair.public_key.bytes, key);
	struct str rest = buf_str(&text), line;
	while (known && !allowed && str_split(&rest, '\n', &line))
		allowed = !str_starts(str_trim(line), STR("#")) && str_ends(str_trim(line), str_from(key));
	keys_pair_done(&pair);
	buf_done(&text);
	return known && !allowed;
}

/* deploy/models/serve of a source tree (build/assay), or of an installed one (bin/assay). */
static bool find_serve(const char *program_path, struct fs_path *ret_path)
{
	static const char *const places[] = { "../deploy/models/serve", "../share/assay/models/serve" };
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		struct fs_path path = installation_program(program_path, places[i]);
		if (fs_exists(path.text) && fs_real_path(path.text, ret_path, NULL) == ERR_OK)
			return true;
	}
	return false;
}

static void write_yaml_text(struct buf *out, struct str text)
{
	(void)buf_append_char(out, '"'); /* a path or a name: the caller asks buf.failed at the end */
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] == '"' || text.data[i] == '\\')
			(void)buf_append_char(out, '\\');
		(void)buf_append_char(out, text.data[i]);
	}
	(void)buf_append_char(out, '"');
}

static enum err_code make_worker(const struct home *h, unsigned number, const char *program_path,
                                 const char *const *names, size_t name_count, struct arena *arena, struct error *reterr)
{
	struct buf text;
	struct fs_path serve, folder = fs_path("%s/worker-%u", h->root.text, number);
	enum err_code err = fs_make_dirs(folder.text, 0700, reterr);
	if (err != ERR_OK)
		return err;
	buf_init(&text, SETTINGS_BYTES_MAX);
	(void)buf_append_c(&text, "# Written by `assay up`; the next one writes it anew.\nschema: assay.worker.v1\n"
	                          "allowed_hosts: [\"*\"]\nallow_private: true\n");
	if (name_count)
		(void)buf_append_c(&text, "keys:\n");
	for (size_t i = 0; i < name_count; i++)
		(void)buf_printf(&text, "  %.*s: {env: %s}\n", STR_ARG(installation_alias(names[i], arena)), names[i]);
	/* One machine runs one model server: only the first worker hosts. */
	if (number == 1 && find_serve(program_path, &serve)) {
		(void)buf_append_c(&text, "commands:\n  smollm2:\n    path: ");
		write_yaml_text(&text, str_from(serve.text));
		(void)buf_append_c(
			&text, "\n    args: [smollm2, --port, \"{port}\", --slots, \"{slots}\"]\n"
			       "    memory_mib: 4096\nhosts: [smollm2]\n"); /* eight times what it was seen to take */
	}
	err = text.failed ? error_set(reterr, ERR_LIMIT, "worker.yaml: too long")
	                  : fs_write_atomic(fs_path("%s/worker.yaml", folder.text).text, buf_str(&text), 0600, reterr);
	buf_done(&text);
	return err;
}

enum err_code installation_prepare(const struct home *h, unsigned workers, const char *program_path,
                                   const char *const *environment, struct error *reterr)
{
	struct arena names_arena;
	const char *names[KEY_NAMES_MAX];
	arena_init(&names_arena, 1 << 20);
	size_t name_count = installation_key_names(environment, &names_arena, names, KEY_NAMES_MAX);
	enum err_code err = make_token(h, reterr);
	if (err == ERR_OK)
		err = make_keys(h, workers, reterr);
	if (err == ERR_OK)
		err = fs_make_dirs(home_path(h, "logs").text, 0700, reterr);
	for (unsigned i = 1; err == ERR_OK && i <= workers; i++)
		err = make_worker(h, i, program_path, names, name_count, &names_arena, reterr);
	arena_done(&names_arena);
	return err;
}

bool installation_moved(const struct home *h, struct fs_path *ret_before)
{
	struct buf text;
	buf_init(&text, FS_PATH_BYTES_MAX + 1);
	bool known = fs_read(home_path(h, "place").text, &text, NULL) == ERR_OK;
	struct str before = str_trim(buf_str(&text));
	bool moved = known && before.len && !str_eq_c(before, h->root.text);
	if (moved)
		*ret_before = fs_path("%.*s", STR_ARG(before));
	buf_done(&text);
	return moved;
}

enum err_code installation_settle(const struct home *h, struct error *reterr)
{
	struct buf text;
	buf_init(&text, FS_PATH_BYTES_MAX + 1);
	(void)buf_printf(&text, "%s\n", h->root.text); /* a path fits */
	enum err_code err = fs_write_atomic(home_path(h, "place").text, buf_str(&text), 0600, reterr);
	buf_done(&text);
	return err;
}

/* Binds and lets go again: 0 asks for any free port. 0 comes back when the port is taken. */
static uint16_t try_port(uint16_t port)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		                 .sin_port = htons(port),
		                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool ok = fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
	          bind(fd, (struct sockaddr *)&a, len) == 0 && getsockname(fd, (struct sockaddr *)&a, &len) == 0;
	if (fd >= 0)
		(void)close(fd);
	return ok ? ntohs(a.sin_port) : 0;
}

enum err_code installation_ports(const struct home *h, struct installation *in, struct error *reterr)
{
	struct buf text;
	struct str rest, fleet, http;
	uint64_t fleet_port = 0, http_port = 0;
	struct fs_path path = home_path(h, "ports");
	buf_init(&text, 64);
	if (fs_read(path.text, &text, NULL) == ERR_OK) {
		rest = str_trim(buf_str(&text));
		if (str_split(&rest, ' ', &fleet) && str_split(&rest, ' ', &http) && str_to_u64(fleet, &fleet_port) &&
		    str_to_u64(http, &http_port) && fleet_port < 65536 && http_port < 65536) {
			in->fleet_port = try_port((uint16_t)fleet_port);
			in->http_port = try_port((uint16_t)http_port);
		}
	}
	buf_done(&text);
	if (in->fleet_port && in->http_port)
		return ERR_OK;
	in->fleet_port = try_port(0);
	do
		in->http_port = try_port(0);
	while (in->http_port && in->http_port == in->fleet_port);
	if (!in->fleet_port || !in->http_port)
		return error_set(reterr, ERR_IO, "no free port on 127.0.0.1");
	buf_init(&text, 64);
	(void)buf_printf(&text, "%u %u\n", in->fleet_port, in->http_port); /* twelve bytes */
	enum err_code err = fs_write_atomic(path.text, buf_str(&text), 0600, reterr);
	buf_done(&text);
	return err;
}
