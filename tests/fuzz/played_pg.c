/* A database that answers what the fuzzer says; see played.h. */
#include "common/base/check.h"
#include "common/base/mem.h"
#include "coordinator/store/pg.h"
#include "tests/fuzz/played.h"
#include <math.h>
#include <string.h>

enum { ROWS_MAX = 3, ELEMENTS_MAX = 4, SCRATCH_BYTES = 8 << 20 };

struct pg {
	enum pg_state state;
	size_t queued;
	size_t rows[PG_QUEUE_MAX];
	enum err_code failure;
	uint64_t input; /* in which it was connected: with a new one all are closed, so that each input stands alone */
};

static struct str answers;
static struct arena scratch;
static uint64_t input;

void played_database(struct str bytes)
{
	answers = bytes;
	input++;
	if (!scratch.budget_bytes)
		arena_init(&scratch, SCRATCH_BYTES);
	arena_reset(&scratch);
}

bool played_database_is_dry(void)
{
	return answers.len == 0;
}

static uint8_t draw(void)
{
	if (answers.len == 0)
		return 0;
	uint8_t byte = (uint8_t)answers.data[0];
	answers = str_slice(answers, 1, answers.len);
	return byte;
}

static uint64_t draw_u64(size_t bytes)
{
	uint64_t v = 0;
	for (size_t i = 0; i < bytes; i++)
		v = v << 8 | draw();
	return v;
}

/* Small as a rule; a tag chooses wider ones. None is negative: no count, time or number of the schema is (what is not
 * known is NULL). None is so large that items times epochs would take a second to be read. */
static int64_t draw_i64(void)
{
	uint8_t tag = draw();
	if (tag < 240)
		return tag % 32;
	return (int64_t)draw_u64(2) >> 6;
}

/* What columns of a real database hold and bytes by chance would not: a tag each. */
static const char *const texts[] = {
	"{\"schema\":\"assay.suite.v1\",\"name\":\"s\",\"task\":\"t.x\",\"items\":[\"items.jsonl\"],\"epochs\":2,"
	"\"generate\":{\"prompt\":\"{{input}}\",\"temperature\":0,\"max_tokens\":8},"
	"\"scores\":[{\"name\":\"correct\",\"type\":\"exact\",\"chance\":0.125},{\"name\":\"n\",\"type\":\"numeric\"}],"
	"\"gates\":[{\"metric\":\"correct\",\"rule\":\"not_worse\",\"margin\":0.02}]}",
	"{\"id\":\"q-1\",\"input\":\"Question\",\"target\":\"A\",\"choices\":[\"A\",\"B\"],\"metadata\":{\"stratum\":"
	"\"a\"}}",
	"{\"name\":\"m\",\"provider\":\"openai\",\"base_url\":\"http://h/"
	"v1\",\"model\":\"x\",\"params\":{\"temperature\":0},"
	"\"limits\":{\"concurrency\":4},\"price\":{\"input\":1,\"output\":2}}",
	"{\"providers\":[\"openai\"],\"aliases\":[\"k\"],\"allowed_hosts\":[\"*\"],\"hosts\":[]}",
	"correct",
	"stratum=a",
	"100",
	"a",
	"q-1",
};

static struct str draw_bytes(void)
{
	enum { TEXTS_FROM = 200, LONG_FROM = 250 };
	size_t len = draw();
	if (len >= TEXTS_FROM && len < LONG_FROM)
		return str_from(texts[len % ARRAY_LEN(texts)]);
	if (len >= LONG_FROM)
		len = (len - LONG_FROM + 1) * 200;
	struct str s = str_slice(answers, 0, len);
	answers = str_slice(answers, s.len, answers.len);
	return s;
}

/* ---- life ---- */

enum err_code pg_new(const struct pg_settings *settings, struct pg **ret_pg, struct error *reterr)
{
	(void)settings, (void)reterr;
	*ret_pg = mem_new(1, sizeof(**ret_pg));
	(*ret_pg)->state = PG_CLOSED;
	return ERR_OK;
}

void pg_free(struct pg *pg)
{
	mem_free(pg);
}

void pg_close(struct pg *pg)
{
	pg->state = PG_CLOSED;
}

enum err_code pg_connect_start(struct pg *pg, uint64_t now_ms, struct error *reterr)
{
	(void)now_ms;
	return pg_run_connect(pg, reterr);
}

enum err_code pg_step(struct pg *pg, uint64_t now_ms, struct error *reterr)
{
	(void)pg, (void)now_ms, (void)reterr;
	return ERR_OK;
}

enum pg_state pg_state(const struct pg *pg)
{
	return pg->input == input ? pg->state : PG_CLOSED;
}

int pg_fd(const struct pg *pg)
{
	(void)pg;
	return -1;
}

short pg_events(const struct pg *pg)
{
	(void)pg;
	return 0;
}

uint64_t pg_next_deadline_ms(const struct pg *pg)
{
	(void)pg;
	return UINT64_MAX;
}

uint64_t pg_connection_no(const struct pg *pg)
{
	(void)pg;
	return input;
}

void pg_wait(const struct pg *pg, int wake_fd, int timeout_ms)
{
	(void)pg, (void)wake_fd, (void)timeout_ms;
}

/* ---- questions ---- */

enum err_code pg_queue(struct pg *pg, const struct pg_statement *statement, const struct pg_params *params,
                       struct error *reterr)
{
	check(pg_state(pg) != PG_CLOSED && statement->sql);
	if (pg->state == PG_DONE) {
		pg->state = PG_READY;
		pg->queued = 0;
	}
	check(pg->queued < PG_QUEUE_MAX);
	if (params && !pg_params_ok(params))
		return error_set(reterr, ERR_LIMIT, "too many parameters");
	pg->rows[pg->queued++] = 0;
	return ERR_OK;
}

enum err_code pg_submit(struct pg *pg, struct error *reterr)
{
	return pg_run(pg, 0, reterr);
}

enum err_code pg_outcome(const struct pg *pg, struct error *reterr)
{
	return pg->failure ? error_set(reterr, pg->failure, "as the fuzzer says") : ERR_OK;
}

const char *pg_sqlstate(const struct pg *pg)
{
	return pg->failure ? "XX000" : "";
}

const char *pg_server_text(const struct pg *pg)
{
	return pg->failure ? "as the fuzzer says" : "";
}

enum err_code pg_run_connect(struct pg *pg, struct error *reterr)
{
	if (draw() == 255)
		return error_set(reterr, ERR_CONNECT, "nobody is there");
	pg->state = PG_READY;
	pg->input = input;
	pg->queued = 0;
	return ERR_OK;
}

enum err_code pg_run(struct pg *pg, uint32_t timeout_ms, struct error *reterr)
{
	static const enum err_code failures[] = { ERR_CONNECT, ERR_AGAIN, ERR_CONFLICT, ERR_DATABASE, ERR_TIMEOUT };
	uint8_t how = draw();
	(void)timeout_ms;
	pg->state = PG_DONE;
	pg->failure = how >= 250 ? failures[how % ARRAY_LEN(failures)] : ERR_OK;
	for (size_t i = 0; i < pg->queued; i++)
		pg->rows[i] = pg->failure ? 0 : draw() % (ROWS_MAX + 1);
	if (pg->failure == ERR_CONNECT || pg->failure == ERR_TIMEOUT)
		pg->state = PG_CLOSED;
	return pg_outcome(pg, reterr);
}

enum err_code pg_exec(struct pg *pg, const struct pg_statement *statement, const struct pg_params *params,
                      uint32_t timeout_ms, struct error *reterr)
{
	enum err_code err = pg_queue(pg, statement, params, reterr);
	return err ? err : pg_run(pg, timeout_ms, reterr);
}

enum err_code pg_run_script(struct pg *pg, struct str sql, uint32_t timeout_ms, struct error *reterr)
{
	(void)sql;
	return pg_run(pg, timeout_ms, reterr);
}

/* ---- answers: each is drawn when it is read ---- */

size_t pg_rows(const struct pg *pg, size_t i)
{
	return i < pg->queued ? pg->rows[i] : 0;
}

static bool is_there(const struct pg *pg, size_t i, size_t row)
{
	return row < pg_rows(pg, i);
}

uint64_t pg_affected(const struct pg *pg, size_t i)
{
	return pg_rows(pg, i);
}

bool pg_is_null(const struct pg *pg, size_t i, size_t row, size_t column)
{
	(void)column;
	return !is_there(pg, i, row) || draw() % 8 == 7;
}

bool pg_bool(const struct pg *pg, size_t i, size_t row, size_t column)
{
	(void)column;
	return is_there(pg, i, row) && (answers.len == 0 || draw() & 1); /* dry: yes, it was the last */
}

int64_t pg_i64(const struct pg *pg, size_t i, size_t row, size_t column)
{
	(void)column;
	return is_there(pg, i, row) ? draw_i64() : 0;
}

double pg_f64(const struct pg *pg, size_t i, size_t row, size_t column)
{
	static const double odd[] = { 0.5, -1, 1e308, 1e-300, NAN, INFINITY, -INFINITY, 0.1 };
	uint8_t tag = is_there(pg, i, row) ? draw() : 0;
	(void)column;
	return tag < 200 ? tag / 10.0 : odd[tag % ARRAY_LEN(odd)];
}

struct str pg_bytes(const struct pg *pg, size_t i, size_t row, size_t column)
{
	(void)column;
	return is_there(pg, i, row) ? draw_bytes() : (struct str){ 0 };
}

bool pg_hash(const struct pg *pg, size_t i, size_t row, size_t column, struct hash *ret_hash)
{
	(void)column;
	if (!is_there(pg, i, row))
		return false;
	memset(ret_hash->bytes, draw(), sizeof(ret_hash->bytes));
	return true;
}

static void put32(char **at, uint32_t v)
{
	v = __builtin_bswap32(v);
	memcpy(*at, &v, sizeof(v));
	*at += sizeof(v);
}

/* A well-formed array; an element has 8 bytes (a number) or any. */
struct pg_list pg_list(const struct pg *pg, size_t i, size_t row, size_t column)
{
	enum { HEADER_BYTES = 20, ELEMENT_BYTES_MAX = 64 };
	size_t count = is_there(pg, i, row) ? draw() % (ELEMENTS_MAX + 1) : 0;
	char *bytes = arena_try_alloc(&scratch, HEADER_BYTES + count * (4 + ELEMENT_BYTES_MAX), 1), *at = bytes;
	(void)column;
	if (!bytes || count == 0)
		return pg_list_of((struct str){ 0 });
	put32(&at, 1);
	put32(&at, 1);
	put32(&at, 0);
	put32(&at, (uint32_t)count);
	put32(&at, 1);
	for (size_t n = 0; n < count; n++) {
		uint8_t tag = draw();
		if (tag == 255) {
			put32(&at, UINT32_MAX); /* NULL */
		} else if (tag < 128) {
			put32(&at, 8);
			put32(&at, 0);
			put32(&at, tag);
		} else {
			bool is_name = tag < 192; /* a metric's, a slice's */
			struct str s = is_name ? STR("correct") : str_slice(answers, 0, tag % ELEMENT_BYTES_MAX);
			answers = is_name ? answers : str_slice(answers, s.len, answers.len);
			put32(&at, (uint32_t)s.len);
			memcpy(at, s.data, s.len);
			at += s.len;
		}
	}
	return pg_list_of(str_make(bytes, (size_t)(at - bytes)));
}
