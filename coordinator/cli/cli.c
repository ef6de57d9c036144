#include "coordinator/cli/cli.h"
#include "common/io/fs.h"
#include <stdarg.h>
#include <unistd.h>

static enum cli_exit exit_of(enum err_code code)
{
	switch (code) {
	case ERR_OK:
		return CLI_OK;
	case ERR_INVALID:
	case ERR_UNSUPPORTED:
		return CLI_USAGE;
	case ERR_CONNECT:
	case ERR_DENIED:
		return CLI_CONNECT;
	case ERR_NOT_FOUND:
		return CLI_NOTHING;
	default:
		return CLI_FAILED;
	}
}

enum cli_exit cli_fail(const struct cli *c, const struct error *e)
{
	return cli_fail_text(c, exit_of(e->code), "%s", e->text);
}

enum cli_exit cli_fail_text(const struct cli *c, enum cli_exit status, const char *format, ...)
{
	struct buf text, json;
	va_list args;
	buf_init(&text, 64 << 10);
	va_start(args, format);
	bool ok = buf_vprintf(&text, format, args);
	va_end(args);
	(void)fprintf(stderr, "assay: %.*s\n", STR_ARG(ok ? buf_str(&text) : STR("error")));
	if (c->json) {
		struct json_write w;
		buf_init(&json, 128 << 10);
		json_write_init(&w, &json, false);
		json_write_object(&w);
		json_write_field_c(&w, "schema", "assay.error.v1");
		json_write_field_i64(&w, "exit", status);
		json_write_field_str(&w, "error", buf_str(&text));
		json_write_object_end(&w);
		(void)cli_print_json(&json); /* the status below says it all */
	}
	buf_done(&text);
	return status;
}

void cli_note(const struct cli *c, const char *format, ...)
{
	va_list args;
	if (c->quiet)
		return;
	va_start(args, format);
	(void)vfprintf(stderr, format, args);
	va_end(args);
	(void)fputc('\n', stderr);
}

void cli_print(struct str text)
{
	if (fflush(stdout) == 0)
		IGNORE(fs_write_all(STDOUT_FILENO, text, NULL)); /* a reader that went away needs no message */
}

void cli_print_line(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	(void)vprintf(format, args);
	va_end(args);
	(void)putchar('\n');
}

enum cli_exit cli_print_json(struct buf *json)
{
	bool ok = buf_append_char(json, '\n');
	if (ok)
		cli_print(buf_str(json));
	else
		(void)fprintf(stderr, "assay: the answer is too large for one document\n");
	buf_done(json);
	return ok ? CLI_OK : CLI_FAILED;
}
