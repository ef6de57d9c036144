#include "common/io/fs.h"
#include "coordinator/cli/commands.h"

struct starter {
	const char *name, *text;
};

static const struct starter starters[] = {
	{ "suite.yaml", "schema: assay.suite.v1\n"
	                "name: my-task\n"
	                "task: my.task                      # the user task that this measures\n"
	                "items: [items.jsonl]               # take them from production inputs first\n"
	                "generate:\n"
	                "  system: You sort messages that customers send to a shop.\n"
	                "  prompt: |-\n"
	                "    To which queue does this message belong?\n"
	                "    {{choices}}\n"
	                "    Message: {{input}}\n"
	                "    Answer with one letter.\n"
	                "  temperature: 0\n"
	                "  max_tokens: 8\n"
	                "scores:                            # the first is primary\n"
	                "  - {name: correct, type: choice}\n" },
	{ "items.jsonl",
	  "{\"id\": \"refund-1\", \"input\": \"Where is the money for the kettle that I sent back?\", \"choices\": "
	  "[\"refund\", "
	  "\"delivery\", \"account\"], \"target\": \"refund\", \"metadata\": {\"stratum\": \"refund\"}, \"source\": "
	  "{\"kind\": "
	  "\"synthetic\"}}\n"
	  "{\"id\": \"delivery-1\", \"input\": \"My parcel should have come on Monday.\", \"choices\": [\"refund\", "
	  "\"delivery\", "
	  "\"account\"], \"target\": \"delivery\", \"metadata\": {\"stratum\": \"delivery\"}, \"source\": {\"kind\": "
	  "\"synthetic\"}}\n"
	  "{\"id\": \"account-1\", \"input\": \"I cannot sign in any more.\", \"choices\": [\"refund\", \"delivery\", "
	  "\"account\"], \"target\": \"account\", \"metadata\": {\"stratum\": \"account\"}, \"source\": {\"kind\": "
	  "\"synthetic\"}}\n" },
	{ "models.yaml", "schema: assay.models.v1\n"
	                 "models:\n"
	                 "  - name: local-smol               # a small model that a worker starts by itself\n"
	                 "    provider: openai\n"
	                 "    host: {command: smollm2, health: /health, ready_s: 300, slots: 4}\n"
	                 "    model: smollm2\n"
	                 "    params: {temperature: 0}\n"
	                 "# - name: my-model                 # any OpenAI-compatible endpoint\n"
	                 "#   provider: openai\n"
	                 "#   base_url: https://api.openai.com/v1\n"
	                 "#   model: NAME\n"
	                 "#   key: openai                    # the alias of OPENAI_API_KEY as `assay up` found it\n" },
};

enum cli_exit cmd_init(struct cli *c)
{
	struct error e;
	for (size_t i = 0; i < ARRAY_LEN(starters); i++)
		if (fs_exists(starters[i].name))
			return cli_fail_text(c, CLI_USAGE, "%s is here already; nothing was written", starters[i].name);
	for (size_t i = 0; i < ARRAY_LEN(starters); i++) {
		if (fs_write_atomic(starters[i].name, str_from(starters[i].text), 0644, &e) != ERR_OK)
			return cli_fail(c, &e);
		cli_print_line("wrote %s", starters[i].name);
	}
	cli_note(c, "next: assay suite check suite.yaml | assay up | assay models add models.yaml | "
	            "assay run suite.yaml --model local-smol");
	return CLI_OK;
}
