#include "common/io/fs.h"
#include "coordinator/cli/commands.h"
#include "coordinator/stats/vectors.h"

enum { VECTOR_BYTES_MAX = 256 << 20, REPORT_BYTES_MAX = 4 << 20 };

/* One file; its lines of failure go out at once. */
static enum err_code check_file(const char *path, struct vectors_count *total, struct error *reterr)
{
	struct buf text, report;
	struct vectors_count count;
	buf_init(&text, VECTOR_BYTES_MAX);
	buf_init(&report, REPORT_BYTES_MAX);
	enum err_code err = fs_read(path, &text, reterr);
	if (err == ERR_OK)
		err = vectors_check(buf_str(&text), path, &report, &count, reterr);
	if (err == ERR_OK) {
		cli_print(buf_str(&report));
		total->cases += count.cases;
		total->passed += count.passed;
		total->failed += count.failed;
	}
	buf_done(&text);
	buf_done(&report);
	return err;
}

enum cli_exit cmd_stats_check(struct cli *c)
{
	struct vectors_count total = { 0 };
	struct buf line;
	struct error e;
	bool broken = false;
	for (size_t i = 0; i < config_operand_count(c->config); i++)
		if (check_file(config_operand(c->config, i).data, &total, &e) != ERR_OK) {
			(void)fprintf(stderr, "assay: %s\n", e.text);
			broken = true;
		}
	buf_init(&line, 256);
	vectors_write_count(&total, &line);
	cli_print(buf_str(&line));
	buf_done(&line);
	if (broken)
		return CLI_USAGE;
	return total.cases == 0 ? CLI_NOTHING : total.failed ? CLI_FAILED : CLI_OK;
}
