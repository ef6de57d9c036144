/* tests/integration/wire - a peer that does not keep the rules of the wire, for test_hostile_wire.py.
 *
 *   wire_attack keygen FILE                            makes a key pair, prints its public key
 *   wire_attack WHAT ENDPOINT SERVER_KEY_FILE KEY_FILE  attacks, prints one line for each thing that came back
 *
 * WHAT is a name of `attacks` below. Lines: "refused CAUSE TEXT", "welcome", "renewed N" (N leases refused),
 * "committed FIRST-LAST", "lost" (the connection was cut), "denied" (the key), "no handshake", "quiet" when 300 ms
 * brought nothing.
 */
#include "common/base/check.h"
#include "common/io/clock.h"
#include "common/io/fs.h"
#include "common/io/keys.h"
#include "common/io/zsock.h"
#include "common/wire/frame.h"
#include <stdio.h>
#include <string.h>

enum { QUIET_MS = 300, LOUD_BYTES_MAX = 8 << 20, NESTING = 10000, SESSION = 4711, OVERSIZE_BYTES = 3 << 20 };

struct attack {
	struct zsock_context *context;
	struct zsock *sock, *monitor;
	struct outbox_id outbox;
	bool welcomed, over;
};

static void send_bytes(struct attack *a, struct str bytes)
{
	struct error e;
	uint64_t until = clock_now_ms() + 5000;
	enum err_code err;
	while ((err = zsock_send(a->sock, STR(""), bytes, &e)) == ERR_AGAIN && clock_now_ms() < until) {
		struct zsock_poll_item item = { .sock = a->sock, .want_write = true };
		size_t ready;
		check(zsock_poll(&item, 1, 100, &ready, &e) == ERR_OK);
	}
	if (err != ERR_OK)
		(void)printf("unsent %s\n", e.text);
}

static void send_msg(struct attack *a, const struct msg *m)
{
	struct buf out;
	struct error e = { 0 };
	buf_init(&out, WIRE_FRAME_BYTES_MAX);
	check_msg(frame_encode(m, &out, &e) == ERR_OK, "%s", e.text);
	send_bytes(a, buf_str(&out));
	buf_done(&out);
}

static void send_hello(struct attack *a, uint32_t version, uint64_t session)
{
	static const struct str providers[] = { STR_INIT("openai") };
	struct msg m = { .kind = MSG_HELLO, .session = session };
	m.hello = (struct msg_hello){ .version_min = version,
		                      .version_max = version,
		                      .session = session,
		                      .outbox = a->outbox,
		                      .name = STR("attacker"),
		                      .build = STR("tests"),
		                      .slots = 1,
		                      .providers = providers,
		                      .provider_count = 1 };
	send_msg(a, &m);
}

static void print_frame(struct attack *a, struct str body)
{
	struct arena arena;
	struct msg m;
	struct error e;
	arena_init(&arena, FRAME_ARENA_BYTES);
	if (frame_decode(body, &arena, &m, &e) != ERR_OK) {
		(void)printf("unreadable %s\n", e.text);
	} else if (m.kind == MSG_REFUSED) {
		(void)printf("refused %d %.*s\n", (int)m.refused.cause, STR_ARG(m.refused.text));
	} else if (m.kind == MSG_WELCOME) {
		(void)printf("welcome\n");
		a->welcomed = true;
	} else if (m.kind == MSG_RENEWED) {
		(void)printf("renewed %zu\n", m.renewed.refused_count);
	} else if (m.kind == MSG_COMMIT) {
		for (size_t i = 0; i < m.commit.range_count; i++)
			(void)printf("committed %llu-%llu\n", (unsigned long long)m.commit.ranges[i].first,
			             (unsigned long long)m.commit.ranges[i].last);
	} else {
		(void)printf("frame %s\n", msg_kind_name(m.kind));
	}
	arena_done(&arena);
}

static void print_event(struct attack *a, const struct zsock_event *ev)
{
	if (ev->kind == ZSOCK_EVENT_LOST) {
		(void)printf("lost\n");
		a->over = true;
	} else if (ev->kind == ZSOCK_EVENT_REFUSED) {
		(void)printf("denied\n");
		a->over = true;
	} else if (ev->kind == ZSOCK_EVENT_NO_HANDSHAKE) {
		(void)printf("no handshake\n");
		a->over = true;
	}
}

/* Prints what comes until all was quiet for a while, the connection is over, or (if asked) a Welcome has come. */
static void listen_on(struct attack *a, bool until_welcome)
{
	uint64_t heard_ms = clock_now_ms();
	while (!a->over && !(until_welcome && a->welcomed) && clock_now_ms() - heard_ms < QUIET_MS) {
		struct zsock_poll_item items[] = { { .sock = a->sock }, { .sock = a->monitor } };
		struct zsock_message *message;
		struct zsock_event ev;
		struct error e;
		size_t ready;
		check(zsock_poll(items, ARRAY_LEN(items), 50, &ready, &e) == ERR_OK);
		while (zsock_recv(a->sock, &message, &e) == ERR_OK) {
			print_frame(a, message->body);
			zsock_message_free(message);
			heard_ms = clock_now_ms();
		}
		while (zsock_monitor_next(a->monitor, &ev)) {
			print_event(a, &ev);
			heard_ms = clock_now_ms();
		}
	}
	if (!a->over && !(until_welcome && a->welcomed))
		(void)printf("quiet\n");
}

/* ---- the attacks ---- */

static void garbage(struct attack *a)
{
	char bytes[4096];
	keys_random(bytes, sizeof(bytes));
	send_bytes(a, str_make(bytes, sizeof(bytes)));
}

static void empty(struct attack *a)
{
	send_bytes(a, STR(""));
}

static void oversize(struct attack *a)
{
	struct buf bytes;
	buf_init(&bytes, OVERSIZE_BYTES);
	while (buf_append_char(&bytes, 'x'))
		;
	send_bytes(a, buf_str(&bytes));
	buf_done(&bytes);
}

static size_t put_varint(uint8_t *out, uint64_t value)
{
	size_t len = 0;
	for (; value >= 0x80; value >>= 7)
		out[len++] = (uint8_t)(value | 0x80);
	out[len++] = (uint8_t)value;
	return len;
}

/* Field 1 inside field 1 inside field 1 ...: what kills a decoder that calls itself for each. */
static void nesting(struct attack *a)
{
	enum { BYTES = NESTING * 4 };
	static uint8_t bytes[BYTES];
	size_t at = sizeof(bytes), len = 0;
	for (int depth = 0; depth < NESTING; depth++) {
		uint8_t head[12];
		size_t head_len = 1 + put_varint(head + 1, len);
		head[0] = 0x0a;
		if (head_len > at)
			break;
		at -= head_len;
		memcpy(bytes + at, head, head_len);
		len += head_len;
	}
	send_bytes(a, str_make(bytes + at, sizeof(bytes) - at));
}

static void version(struct attack *a)
{
	send_hello(a, 99, SESSION);
}

static void no_hello(struct attack *a)
{
	struct msg m = { .kind = MSG_RENEW, .session = SESSION, .renew = { .renew_no = 1 } };
	send_msg(a, &m);
}

static void welcome_first(struct attack *a)
{
	send_hello(a, WIRE_VERSION_MAX, SESSION);
	listen_on(a, true);
}

static void second_hello(struct attack *a)
{
	welcome_first(a);
	send_hello(a, WIRE_VERSION_MAX, SESSION);
}

static void other_session(struct attack *a)
{
	struct msg m = { .kind = MSG_RENEW, .session = SESSION + 1, .renew = { .renew_no = 1 } };
	welcome_first(a);
	send_msg(a, &m);
}

static void oversize_worker(struct attack *a)
{
	welcome_first(a);
	oversize(a);
}

/* A worker that plays coordinator: what it says was committed is somebody else's outbox. */
static void commit(struct attack *a)
{
	static const struct record_range ranges[] = { { 1, 1000000 } };
	struct msg m = { .kind = MSG_COMMIT, .session = SESSION, .commit = { .ranges = ranges, .range_count = 1 } };
	memset(m.commit.outbox.bytes, 0x77, sizeof(m.commit.outbox.bytes));
	welcome_first(a);
	send_msg(a, &m);
}

/* Renews a lease of a term that never was. */
static void stale(struct attack *a)
{
	struct msg_held_lease lease = { .number = { .term = 1, .n = 999999 },
		                        .run_id = 1,
		                        .sample_count = 8,
		                        .held = STR("\xff"),
		                        .started = STR("\x0f") };
	struct msg m = { .kind = MSG_RENEW, .session = SESSION };
	m.renew = (struct msg_renew){ .renew_no = 1, .leases = &lease, .lease_count = 1 };
	welcome_first(a);
	send_msg(a, &m);
}

/* Results of a run that is not there: kept apart, and answered, for they must not come again for ever. */
static void unknown_run(struct attack *a)
{
	struct msg_record record = { .kind = RECORD_RESULT,
		                     .record_no = 7,
		                     .run_id = 999999999,
		                     .sample_no = 3,
		                     .ask_id = 5,
		                     .outcome = OUTCOME_SCORED,
		                     .retry_after_ms = -1,
		                     .cost_nanousd = -1 };
	struct msg m = { .kind = MSG_RESULTS, .session = SESSION };
	m.results = (struct msg_results){ .records = &record, .record_count = 1 };
	welcome_first(a);
	send_msg(a, &m);
}

static void nothing(struct attack *a)
{
	(void)a;
}

static const struct {
	const char *name;
	void (*run)(struct attack *a);
} attacks[] = { { "garbage", garbage },
	        { "empty", empty },
	        { "oversize", oversize },
	        { "oversize-worker", oversize_worker },
	        { "nesting", nesting },
	        { "version", version },
	        { "no-hello", no_hello },
	        { "second-hello", second_hello },
	        { "other-session", other_session },
	        { "commit", commit },
	        { "stale", stale },
	        { "unknown-run", unknown_run },
	        { "unknown-key", nothing } };

static enum err_code open_attack(struct attack *a, const char *endpoint, const char *server_key_file,
                                 const char *key_file, struct error *reterr)
{
	struct keys_pair pair;
	struct buf text;
	struct zsock_options o = { .pair = &pair, .frame_bytes_max = LOUD_BYTES_MAX };
	buf_init(&text, 4096);
	enum err_code err = keys_pair_load(key_file, &pair, reterr);
	if (err == ERR_OK)
		err = fs_read(server_key_file, &text, reterr);
	if (err == ERR_OK && !keys_from_text(str_trim(buf_str(&text)), o.server_key.bytes))
		err = error_set(reterr, ERR_INVALID, "%s holds no key", server_key_file);
	buf_done(&text);
	if (err == ERR_OK)
		err = zsock_context_new(1, 0, &a->context, reterr);
	if (err == ERR_OK)
		err = zsock_dealer_new(a->context, &o, &a->sock, reterr);
	if (err == ERR_OK)
		err = zsock_monitor(a->sock, &a->monitor, reterr);
	if (err == ERR_OK)
		err = zsock_connect(a->sock, endpoint, reterr);
	keys_pair_done(&pair);
	return err;
}

static int attack(const char *name, const char *endpoint, const char *server_key_file, const char *key_file)
{
	struct attack a = { .over = false };
	struct error e;
	size_t which = 0;
	while (which < ARRAY_LEN(attacks) && strcmp(attacks[which].name, name) != 0)
		which++;
	if (which == ARRAY_LEN(attacks)) {
		(void)fprintf(stderr, "wire_attack: no attack '%s'\n", name);
		return 2;
	}
	if (open_attack(&a, endpoint, server_key_file, key_file, &e) != ERR_OK) {
		(void)fprintf(stderr, "wire_attack: %s\n", e.text);
		return 1;
	}
	keys_random(a.outbox.bytes, sizeof(a.outbox.bytes));
	attacks[which].run(&a);
	listen_on(&a, false);
	zsock_close(a.sock);
	zsock_context_free(a.context);
	return 0;
}

static int keygen(const char *path)
{
	struct keys_pair pair;
	struct error e;
	char text[KEYS_TEXT_BYTES];
	if (keys_pair_load_or_new(path, &pair, &e) != ERR_OK) {
		(void)fprintf(stderr, "wire_attack: %s\n", e.text);
		return 1;
	}
	keys_text(pair.public_key.bytes, text);
	(void)printf("%s\n", text);
	return 0;
}

int main(int argc, char **argv)
{
	struct error e;
	if (keys_init(&e) != ERR_OK)
		return 1;
	if (argc == 3 && strcmp(argv[1], "keygen") == 0)
		return keygen(argv[2]);
	if (argc == 5)
		return attack(argv[1], argv[2], argv[3], argv[4]);
	(void)fprintf(stderr, "use: wire_attack keygen FILE | wire_attack WHAT ENDPOINT SERVER_KEY_FILE KEY_FILE\n");
	return 2;
}
