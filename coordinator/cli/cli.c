#include "coordinator/cli/cli.h"
#include "common/base/unicode.h"
#include "common/base/wrap.h"
#include "common/io/fs.h"
#include "common/io/signals.h"
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

static int output_errno; /* of the first write to stdout that failed; a reader that went away is none */

static void flush_stdout(void)
{
	if (fflush(stdout) != 0 && errno != EPIPE && output_errno == 0)
		output_errno = errno;
}

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
	int number;
	enum cli_exit status = exit_of(e->code);
	if (e->code == ERR_CANCELLED && c->signal_fd >= 0 && signals_next(c->signal_fd, &number, NULL))
		status = number == SIGTERM ? CLI_TERMINATED : CLI_INTERRUPTED;
	return cli_fail_text(c, status, "%s", e->text);
}

enum cli_exit cli_fail_text(const struct cli *c, enum cli_exit status, const char *format, ...)
{
	struct buf text, json;
	va_list args;
	buf_init(&text, 64 << 10);
	va_start(args, format);
	bool ok = buf_vprintf(&text, format, args);
	va_end(args);
	flush_stdout();
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
	flush_stdout(); /* what was said first is seen first */
	va_start(args, format);
	(void)vfprintf(stderr, format, args);
	va_end(args);
	(void)fputc('\n', stderr);
}

void cli_print(struct str text)
{
	flush_stdout();
	if (output_errno == 0 && fs_write_all(STDOUT_FILENO, text, NULL) == ERR_IO)
		output_errno = errno;
}

void cli_print_line(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	bool ok = vprintf(format, args) >= 0 && putchar('\n') != EOF;
	va_end(args);
	if (!ok && errno != EPIPE && output_errno == 0)
		output_errno = errno;
}

void cli_print_wrapped(const struct cli *c, const char *format, ...)
{
	struct buf text, shown, lines;
	va_list args;
	buf_init(&text, 1 << 20);
	buf_init(&shown, 8 << 20);
	buf_init(&lines, 16 << 20);
	va_start(args, format);
	(void)buf_vprintf(&text, format, args); /* a cut line is still worth showing */
	va_end(args);
	(void)unicode_visible(buf_str(&text), &shown);
	(void)wrap_text(buf_str(&shown), c->width, &lines);
	cli_print(buf_str(&lines));
	buf_done(&lines);
	buf_done(&shown);
	buf_done(&text);
}

enum cli_exit cli_finish(const struct cli *c, enum cli_exit status)
{
	flush_stdout();
	if (output_errno == 0)
		return status;
	const char *why = strerror(output_errno);
	enum cli_exit failed = c->json ? CLI_FAILED : cli_fail_text(c, CLI_FAILED, "cannot write the answer: %s", why);
	if (c->json) /* a document about it would be lost as well */
		(void)fprintf(stderr, "assay: cannot write the answer: %s\n", why);
	return status == CLI_OK ? failed : status;
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
