#include "common/base/unicode.h"
#include "common/io/signals.h"
#include "coordinator/cli/commands.h"
#include "coordinator/cli/home.h"
#include <poll.h>
#include <stdio.h>
#include <string.h>

enum { LOG_BYTES_MAX = 64 << 20, FOLLOW_MS = 200 };

/* With --json the lines stand in one document, with --jsonl each is one. */
static void put_json_line(const struct cli *c, struct str line, const char *name, bool first)
{
	struct buf text;
	struct json_write w;
	buf_init(&text, line.len * 8 + 1024);
	if (!c->jsonl && !first)
		(void)buf_append_char(&text, ',');
	json_write_init(&w, &text, false);
	json_write_object(&w);
	json_write_field_c(&w, "log", name);
	json_write_field_str(&w, "line", line);
	json_write_object_end(&w);
	if (c->jsonl)
		(void)buf_append_char(&text, '\n'); /* six bytes a character at most: it fits */
	cli_print(buf_str(&text));
	buf_done(&text);
}

/* Log lines hold text from anywhere; log.h escaped ours, PostgreSQL's own are made visible here. */
static void print_lines(const struct cli *c, struct str text, const char *name, bool with_name, size_t *printed)
{
	struct str line;
	while (str_split(&text, '\n', &line)) {
		struct buf shown;
		if (line.len == 0)
			continue;
		(*printed)++;
		if (c->json) {
			put_json_line(c, line, name, *printed == 1);
			continue;
		}
		buf_init(&shown, line.len * 8 + 64);
		if (unicode_visible(line, &shown))
			cli_print_line("%s%s%.*s", with_name ? name : "", with_name ? ": " : "",
			               STR_ARG(buf_str(&shown)));
		buf_done(&shown);
	}
}

static struct str last_lines(struct str all, int64_t lines)
{
	size_t from = all.len;
	if (from && all.data[from - 1] == '\n')
		from--;
	for (int64_t seen = 0; from > 0; from--)
		if (all.data[from - 1] == '\n' && ++seen == lines)
			break;
	return str_slice(all, from, all.len);
}

struct tail {
	char name[64];
	size_t shown;
};

static enum err_code show(const struct cli *c, const struct home *h, struct tail *t, bool with_name, size_t *printed,
                          struct error *reterr)
{
	int64_t lines = config_i64(c->config, "lines");
	struct buf text;
	buf_init(&text, LOG_BYTES_MAX);
	enum err_code err = fs_read(fs_path("%s/logs/%s.log", h->root.text, t->name).text, &text, reterr);
	if (err == ERR_OK) {
		struct str all = buf_str(&text);
		print_lines(c, t->shown ? str_slice(all, t->shown, all.len) : last_lines(all, lines), t->name,
		            with_name, printed);
		t->shown = all.len;
	}
	buf_done(&text);
	return err;
}

static enum err_code find_logs(const struct home *h, const struct cli *c, struct tail *tails, size_t cap,
                               size_t *ret_count, struct error *reterr)
{
	struct arena arena;
	struct str *names = NULL;
	size_t count = 0, kept = 0;
	struct str wanted = config_operand(c->config, 0);
	arena_init(&arena, 1 << 20);
	enum err_code err = fs_list(home_path(h, "logs").text, &arena, &names, &count, reterr);
	for (size_t i = 0; err == ERR_OK && i < count && kept < cap; i++) {
		struct str stem = str_slice(names[i], 0, names[i].len - MIN_OF(names[i].len, (size_t)4));
		if (!str_ends(names[i], STR(".log")) || (wanted.len && !str_eq(stem, wanted)) ||
		    stem.len >= sizeof(tails->name))
			continue;
		tails[kept] = (struct tail){ .shown = 0 };
		memcpy(tails[kept++].name, stem.data, stem.len);
	}
	arena_done(&arena);
	if (err == ERR_OK && kept == 0)
		err = error_set(reterr, ERR_NOT_FOUND, "no log of '%.*s' in %s/logs", STR_ARG(wanted), h->root.text);
	*ret_count = kept;
	return err;
}

enum cli_exit cmd_logs(struct cli *c)
{
	struct home h;
	struct tail tails[64];
	struct error e;
	size_t count = 0, printed = 0;
	bool follow = config_bool(c->config, "follow"), document = c->json && !c->jsonl;
	if (follow && document)
		return cli_fail_text(c, CLI_USAGE, "--follow has no end, and a document needs one: --jsonl");
	enum err_code err = home_find(false, &h, &e);
	if (err == ERR_OK)
		err = find_logs(&h, c, tails, ARRAY_LEN(tails), &count, &e);
	if (err == ERR_OK && document)
		cli_print(STR("{\"schema\":\"assay.logs.v1\",\"items\":["));
	do {
		for (size_t i = 0; err == ERR_OK && i < count; i++)
			err = show(c, &h, &tails[i], count > 1, &printed, &e);
		int number;
		struct pollfd wake = { .fd = c->signal_fd, .events = POLLIN };
		if (follow && err == ERR_OK && poll(&wake, 1, FOLLOW_MS) > 0 &&
		    signals_next(c->signal_fd, &number, NULL))
			return number == SIGTERM ? CLI_TERMINATED : CLI_INTERRUPTED;
		(void)fflush(stdout);
	} while (follow && err == ERR_OK);
	if (err == ERR_OK && document)
		cli_print(STR("],\"next\":null}\n"));
	return err == ERR_OK ? CLI_OK : cli_fail(c, &e);
}
