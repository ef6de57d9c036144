#include "worker/exec/exec_prompt.h"
#include "common/base/prompt.h"

static enum provider_role role_of(enum prompt_role role)
{
	switch (role) {
	case PROMPT_SYSTEM:
		return PROVIDER_ROLE_SYSTEM;
	case PROMPT_ASSISTANT:
		return PROVIDER_ROLE_ASSISTANT;
	case PROMPT_USER:
		break;
	}
	return PROVIDER_ROLE_USER;
}

/* Later epochs of a sample must not repeat the first: a seed that was asked for moves on with them. */
static void add_epoch_seed(const struct exec_run *run, uint64_t sample_no, struct provider_prompt *prompt)
{
	struct provider_params merged = provider_params_merge(&run->params, &run->model.params);
	uint64_t epoch = sample_no / run->suite_items;
	if (!(merged.given & PROVIDER_SEED) || epoch == 0)
		return;
	prompt->has_epoch_seed = true;
	prompt->epoch_seed = (uint64_t)merged.seed + epoch;
}

enum err_code exec_prompt_build(const struct exec_run *run, const struct json *item, uint64_t sample_no,
                                struct arena *a, struct provider_prompt *ret_prompt, struct error *reterr)
{
	struct prompt rendered;
	enum err_code err = prompt_render(run->generate, item, a, &rendered, reterr);
	if (err)
		return error_wrap(reterr, err, "prompt");
	struct provider_message *messages = arena_try_alloc(a, rendered.message_count, sizeof(*messages));
	if (!messages)
		return error_set(reterr, ERR_LIMIT, "prompt: too many messages");
	for (size_t i = 0; i < rendered.message_count; i++)
		messages[i] =
			(struct provider_message){ role_of(rendered.messages[i].role), rendered.messages[i].content };
	*ret_prompt = (struct provider_prompt){
		.system = rendered.system,
		.messages = messages,
		.message_count = rendered.message_count,
		.params = run->params,
	};
	add_epoch_seed(run, sample_no, ret_prompt);
	return ERR_OK;
}
