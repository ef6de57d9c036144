/* http: samples a second from a worker's call to the committed, scored result, on an endpoint that answers at once.
 *
 * The programs as they are: `assay up` with one worker in a temporary home, a suite of SAMPLES items, one run; the time
 * is the run's own, from its first lease to its end. Floor: a bare loop of the HTTP client on the same endpoint with as
 * many calls under way, bodies of the same size, answers thrown away. */
#include "common/base/json.h"
#include "common/base/json_write.h"
#include "common/io/clock.h"
#include "common/io/fs.h"
#include "common/io/http_client.h"
#include "common/io/process.h"
#include "tests/bench/bench.h"
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SAMPLES = 20000, IN_FLIGHT = 64, OUTPUT_BYTES = 4 << 20, COMMAND_MS = 300000 };

struct lab {
	struct fs_path build, home;
	struct process *endpoint;
	unsigned port;
};

static struct fs_path beside(const char *name)
{
	struct fs_path self;
	if (fs_real_path("/proc/self/exe", &self, NULL) != ERR_OK)
		return fs_path("%s", "");
	for (int up = 0; up < 2; up++) { /* build/tests/bench */
		char *slash = strrchr(self.text, '/');
		if (slash)
			*slash = '\0';
	}
	return fs_path("%s/%s", self.text, name);
}

static enum err_code start_endpoint(struct lab *l, struct error *reterr)
{
	struct fs_path program = beside("tests/endpoint/endpoint");
	const char *argv[] = { program.text, NULL };
	struct process_spec spec = { .argv = argv,
		                     .stdout_to = PROCESS_OUTPUT_PIPE,
		                     .stderr_to = PROCESS_OUTPUT_INHERIT,
		                     .die_with_parent = true };
	char line[64] = "";
	enum err_code err = process_start(&spec, &l->endpoint, reterr);
	if (err != ERR_OK)
		return err;
	struct pollfd fd = { .fd = process_stdout(l->endpoint), .events = POLLIN };
	ssize_t n = poll(&fd, 1, 5000) == 1 ? read(fd.fd, line, sizeof(line) - 1) : -1;
	if (n <= 0 || sscanf(line, "listening %u", &l->port) != 1)
		return error_set(reterr, ERR_IO, "the endpoint did not say where it listens");
	return ERR_OK;
}

/* ---- the floor ---- */

static enum err_code post(struct http_client *c, const char *url, uint64_t tag, struct error *reterr)
{
	char body[700];
	int len = snprintf(
		body, sizeof(body),
		"{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"%0200llu\"}],\"temperature\":0,"
		"\"max_tokens\":8}",
		(unsigned long long)tag);
	static const char *const headers[] = { "Content-Type: application/json", NULL };
	struct http_request r = { .url = url,
		                  .headers = headers,
		                  .body = { body, (size_t)len },
		                  .timeout_ms = 30000,
		                  .response_bytes_max = 1 << 20 };
	return http_client_start(c, tag, &r, reterr);
}

static enum err_code measure_floor(const struct lab *l, double *ret_rate, struct error *reterr)
{
	struct http_client *c;
	struct http_done done[64];
	char url[100];
	uint64_t next = 1, finished = 0, from = clock_now_us();
	(void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/v1/chat/completions", l->port);
	enum err_code err = http_client_new(NULL, &c, reterr);
	while (err == ERR_OK && finished < SAMPLES) {
		while (err == ERR_OK && next <= SAMPLES && http_client_in_flight(c) < IN_FLIGHT)
			err = post(c, url, next++, reterr);
		size_t n = 0;
		if (err == ERR_OK)
			err = http_client_poll(c, 1000, done, ARRAY_LEN(done), &n, reterr);
		for (size_t i = 0; i < n; i++) {
			if (done[i].status != 200 && err == ERR_OK)
				err = error_set(reterr, ERR_IO, "the endpoint answered %d: %s", done[i].status,
				                done[i].text);
			http_done_free(&done[i]);
		}
		finished += n;
	}
	*ret_rate = (double)finished / ((double)(clock_now_us() - from) / 1e6);
	http_client_free(c);
	return err;
}

/* ---- the value ---- */

static enum err_code assay(const struct lab *l, const char *const *args, struct buf *out, struct error *reterr)
{
	struct fs_path program = beside("assay"), home = fs_path("ASSAY_HOME=%s", l->home.text);
	const char *argv[24] = { program.text };
	for (size_t i = 0; args[i] && i + 2 < ARRAY_LEN(argv); i++)
		argv[i + 1] = args[i];
	const char *env[] = { home.text, NULL };
	struct process_spec spec = { .argv = argv, .env_set = env, .cwd = l->home.text };
	struct process_result result;
	enum err_code err = process_run(&spec, (struct str){ 0 }, COMMAND_MS, OUTPUT_BYTES, &result, reterr);
	if (err != ERR_OK)
		return err;
	if (!process_ok(result.status))
		err = error_set(reterr, ERR_IO, "assay %s: %.*s", args[0], (int)MIN_OF(result.err.len, (size_t)600),
		                result.err.data);
	else if (out && !buf_append_str(out, buf_str(&result.out)))
		err = error_set(reterr, ERR_LIMIT, "assay %s said too much", args[0]);
	process_result_done(&result);
	return err;
}

static enum err_code write_files(const struct lab *l, struct error *reterr)
{
	struct buf items;
	buf_init(&items, 64 << 20);
	for (int i = 0; i < SAMPLES; i++)
		(void)buf_printf(&items, "{\"id\":\"i%d\",\"input\":\"%0180d [[A]]\",\"target\":\"A\"}\n", i,
		                 i); /* asked below */
	struct fs_path models = fs_path("%s/models.yaml", l->home.text);
	enum err_code err = items.failed ? error_set(reterr, ERR_LIMIT, "items")
	                                 : fs_write_atomic(fs_path("%s/items.jsonl", l->home.text).text,
	                                                   buf_str(&items), 0600, reterr);
	buf_done(&items);
	if (err == ERR_OK)
		err = fs_write_atomic(
			fs_path("%s/suite.yaml", l->home.text).text,
			STR("schema: assay.suite.v1\nname: bench\ntask: bench.http\nitems: [items.jsonl]\ngenerate:\n"
		            "  prompt: \"{{input}}\"\n  temperature: 0\n  max_tokens: 8\nscores:\n"
		            "  - {name: correct, type: exact}\n"),
			0600, reterr);
	char text[400];
	int len = snprintf(text, sizeof(text),
	                   "schema: assay.models.v1\nmodels:\n  - name: m\n    provider: openai\n"
	                   "    base_url: http://127.0.0.1:%u/v1\n    model: m\n    limits: {concurrency: %d}\n",
	                   l->port, IN_FLIGHT);
	if (err == ERR_OK)
		err = fs_write_atomic(models.text, (struct str){ text, (size_t)len }, 0600, reterr);
	return err;
}

static enum err_code read_rate(struct str text, double *ret_rate, struct error *reterr)
{
	struct json_doc *doc;
	enum err_code err = json_parse(text, &doc, reterr);
	if (err != ERR_OK)
		return err;
	const struct json *run = json_root(doc);
	int64_t from, to, done = json_i64_or(json_pointer(run, STR("/progress/done")), 0);
	if (!clock_from_text(json_str_or(json_get(run, "started_at"), STR("")), &from) ||
	    !clock_from_text(json_str_or(json_get(run, "ended_at"), STR("")), &to) || done != SAMPLES || to <= from)
		err = error_set(reterr, ERR_IO, "the run did not end with %d samples", SAMPLES);
	else
		*ret_rate = (double)done / ((double)(to - from) / 1000);
	json_free(doc);
	return err;
}

static enum err_code measure_value(struct lab *l, double *ret_rate, struct error *reterr)
{
	static const char *const up[] = { "up", "--workers", "1", NULL }, *const down[] = { "down", NULL };
	static const char *const models[] = { "models", "add", "models.yaml", NULL };
	static const char *const run[] = { "run", "suite.yaml", "--model", "m", "--no-progress", NULL };
	static const char *const show[] = { "runs", "show", "1", "--json", NULL };
	struct buf out;
	struct error ignored;
	buf_init(&out, OUTPUT_BYTES);
	enum err_code err = write_files(l, reterr);
	if (err == ERR_OK)
		err = assay(l, up, NULL, reterr);
	bool is_up = err == ERR_OK;
	if (err == ERR_OK)
		err = assay(l, models, NULL, reterr);
	if (err == ERR_OK)
		err = assay(l, run, NULL, reterr);
	if (err == ERR_OK)
		err = assay(l, show, &out, reterr);
	if (err == ERR_OK)
		err = read_rate(buf_str(&out), ret_rate, reterr);
	if (is_up)
		IGNORE(assay(l, down, NULL, &ignored)); /* the figure is there already */
	buf_done(&out);
	return err;
}

enum err_code bench_http(struct bench_result *ret_result, struct error *reterr)
{
	struct lab l = { .endpoint = NULL };
	char home[] = "/tmp/assay-bench-XXXXXX";
	if (!mkdtemp(home))
		return error_set(reterr, ERR_IO, "no folder under /tmp");
	l.home = fs_path("%s", home);
	enum err_code err = start_endpoint(&l, reterr);
	if (err == ERR_OK)
		err = measure_floor(&l, &ret_result->floor, reterr);
	if (err == ERR_OK)
		err = measure_value(&l, &ret_result->value, reterr);
	ret_result->unit = "samples/s";
	(void)snprintf(ret_result->note, sizeof(ret_result->note),
	               "%d samples, %d under way, one worker, committed; floor: bare calls", SAMPLES, IN_FLIGHT);
	process_free(l.endpoint);
	IGNORE(fs_remove_tree(home, NULL)); /* the database's own folder is below /var/lib/assay when root */
	return err;
}
