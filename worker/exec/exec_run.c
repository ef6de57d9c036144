#include "worker/exec/exec_run.h"
#include "common/base/check.h"
#include "common/base/mem.h"

enum { RUN_ARENA_BYTES = 4 << 20, ASK_TIMEOUT_MS = 600 * 1000, ASK_TIMEOUT_S_MAX = 3600 };

static enum err_code compile(struct exec_run *run, struct error *reterr)
{
	enum err_code err = json_parse(run->context->json, &run->doc, reterr);
	if (err)
		return err;
	const struct json *root = json_root(run->doc), *model = json_get(root, "model");
	run->generate = json_get(root, "generate");
	err = provider_model_parse(model, &run->arena, &run->model, reterr);
	if (!err)
		err = provider_params_parse(run->generate, "generate", &run->arena, &run->params, reterr);
	if (!err)
		err = score_compile(json_get(root, "scores"), &run->scores, reterr);
	if (err)
		return err;
	int64_t suite_items = json_i64_or(json_get(root, "suite_items"), 0);
	if (suite_items < 1)
		return error_set(reterr, ERR_INVALID, "suite_items: a positive integer is needed");
	run->suite_items = (uint64_t)suite_items;
	int64_t timeout_s = json_i64_or(json_get(model, "timeout_s"), 0);
	if (timeout_s > 0)
		run->ask_timeout_ms = (uint32_t)MIN_OF(timeout_s, (int64_t)ASK_TIMEOUT_S_MAX) * 1000;
	return ERR_OK;
}

static struct exec_run *run_new(struct exec_context *context)
{
	struct exec_run *run = mem_new(1, sizeof(*run));
	run->context = exec_context_ref(context);
	run->ask_timeout_ms = ASK_TIMEOUT_MS;
	arena_init(&run->arena, RUN_ARENA_BYTES);
	struct error error;
	enum err_code err = compile(run, &error);
	if (err) {
		run->broken = error;
		(void)error_wrap(&run->broken, err, "run context"); /* kept for whoever asks with this run */
	}
	return run;
}

static void run_free(struct exec_run *run)
{
	score_free(run->scores);
	arena_done(&run->arena);
	json_free(run->doc);
	exec_context_unref(run->context);
	mem_free(run);
}

void exec_runs_init(struct exec_runs *runs)
{
	*runs = (struct exec_runs){ 0 };
}

void exec_runs_done(struct exec_runs *runs)
{
	while (runs->first) {
		struct exec_run *run = runs->first;
		check_msg(run->users == 0, "a run context is in use by %u samples", run->users);
		runs->first = run->next;
		run_free(run);
	}
	*runs = (struct exec_runs){ 0 };
}

static void drop_oldest_unused(struct exec_runs *runs)
{
	struct exec_run **oldest = NULL;
	for (struct exec_run **at = &runs->first; *at; at = &(*at)->next)
		if ((*at)->users == 0 && (!oldest || (*at)->used_at < (*oldest)->used_at))
			oldest = at;
	if (!oldest)
		return;
	struct exec_run *run = *oldest;
	*oldest = run->next;
	runs->count--;
	run_free(run);
}

struct exec_run *exec_runs_get(struct exec_runs *runs, struct exec_context *context)
{
	struct exec_run *run = runs->first;
	while (run && !hash_eq(run->context->hash, context->hash))
		run = run->next;
	if (!run) {
		if (runs->count >= EXEC_RUNS_KEPT)
			drop_oldest_unused(runs);
		run = run_new(context);
		run->next = runs->first;
		runs->first = run;
		runs->count++;
	}
	run->users++;
	run->used_at = ++runs->clock;
	return run;
}

void exec_runs_put(struct exec_runs *runs, struct exec_run *run)
{
	(void)runs; /* the run stays in its list until another needs the place */
	check(run->users > 0);
	run->users--;
}
