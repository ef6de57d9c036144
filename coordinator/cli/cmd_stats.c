#include "common/io/fs.h"
#include "coordinator/cli/commands.h"
#include "coordinator/stats/vectors.h"

enum { VECTOR_BYTES_MAX = 256 << 20, REPORT_BYTES_MAX = 4 << 20 };

struct checking {
	struct cli *c;
	struct json_write w;
	struct buf json;
	struct vectors_count total;
	bool broken;
};

static void write_counts(struct json_write *w, const struct vectors_count *count)
{
	json_write_field_i64(w, "cases", (int64_t)count->cases);
	json_write_field_i64(w, "passed", (int64_t)count->passed);
	json_write_field_i64(w, "failed", (int64_t)count->failed);
}

static void write_file(struct checking *k, const char *path, const struct vectors_count *count, struct str report,
                       const struct error *e)
{
	struct json_write *w = &k->w;
	struct str line;
	json_write_object(w);
	json_write_field_c(w, "file", path);
	write_counts(w, count);
	json_write_field_c(w, "error", e ? e->text : NULL);
	json_write_key(w, "findings");
	json_write_array(w);
	while (str_split(&report, '\n', &line))
		if (line.len)
			json_write_str(w, line);
	json_write_array_end(w);
	json_write_object_end(w);
}

/* One file; its lines of failure go out at once, or into the document. */
static void check_file(struct checking *k, const char *path)
{
	struct buf text, report;
	struct vectors_count count = { 0 };
	struct error e;
	buf_init(&text, VECTOR_BYTES_MAX);
	buf_init(&report, REPORT_BYTES_MAX);
	enum err_code err = fs_read(path, &text, &e);
	if (err == ERR_OK)
		err = vectors_check(buf_str(&text), path, &report, &count, &e);
	if (err != ERR_OK) {
		(void)fprintf(stderr, "assay: %s\n", e.text);
		k->broken = true;
	} else if (!k->c->json) {
		cli_print(buf_str(&report));
	}
	if (k->c->json)
		write_file(k, path, &count, buf_str(&report), err == ERR_OK ? NULL : &e);
	k->total.cases += count.cases;
	k->total.passed += count.passed;
	k->total.failed += count.failed;
	buf_done(&text);
	buf_done(&report);
}

static void close_up(struct checking *k)
{
	if (k->c->json) {
		json_write_array_end(&k->w);
		write_counts(&k->w, &k->total);
		json_write_object_end(&k->w);
		if (cli_print_json(&k->json) != CLI_OK)
			k->broken = true;
		return;
	}
	buf_done(&k->json);
	struct buf line;
	buf_init(&line, 256);
	vectors_write_count(&k->total, &line);
	cli_print(buf_str(&line));
	buf_done(&line);
}

enum cli_exit cmd_stats_check(struct cli *c)
{
	struct checking k = { .c = c };
	buf_init(&k.json, CLI_OUTPUT_BYTES_MAX);
	json_write_init(&k.w, &k.json, false);
	json_write_object(&k.w);
	json_write_field_c(&k.w, "schema", "assay.stats-check.v1");
	json_write_key(&k.w, "files");
	json_write_array(&k.w);
	for (size_t i = 0; i < config_operand_count(c->config); i++)
		check_file(&k, config_operand(c->config, i).data);
	close_up(&k);
	if (k.broken)
		return CLI_USAGE;
	return k.total.cases == 0 ? CLI_NOTHING : k.total.failed ? CLI_FAILED : CLI_OK;
}
