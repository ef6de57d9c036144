#include "common/base/error.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* A cut must not leave half a character behind: model text ends up in errors. */
static void trim_to_whole_character(char *text, size_t len)
{
	size_t at = len;
	while (at > 0 && len - at < 4 && ((unsigned char)text[at - 1] & 0xC0) == 0x80)
		at--;
	if (at == 0)
		return;
	unsigned char lead = (unsigned char)text[at - 1];
	size_t want = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1;
	if (want > len - at + 1)
		text[at - 1] = '\0';
}

PRINTF_LIKE(2, 0)
static void format_text(char *text, const char *format, va_list args)
{
	int len = vsnprintf(text, ERROR_TEXT_BYTES_MAX, format, args);
	if (len < 0)
		text[0] = '\0';
	else if (len >= ERROR_TEXT_BYTES_MAX)
		trim_to_whole_character(text, ERROR_TEXT_BYTES_MAX - 1);
}

enum err_code error_set(struct error *reterr, enum err_code code, const char *format, ...)
{
	if (!reterr)
		return code;
	char text[ERROR_TEXT_BYTES_MAX]; /* an argument may be the old text */
	va_list args;
	va_start(args, format);
	format_text(text, format, args);
	va_end(args);
	memcpy(reterr->text, text, sizeof(text));
	reterr->code = code;
	return code;
}

enum err_code error_wrap(struct error *reterr, enum err_code code, const char *format, ...)
{
	if (!reterr)
		return code;
	char context[ERROR_TEXT_BYTES_MAX], old[ERROR_TEXT_BYTES_MAX];
	va_list args;
	va_start(args, format);
	format_text(context, format, args);
	va_end(args);
	memcpy(old, reterr->text, sizeof(old));
	return error_set(reterr, code, "%s: %s", context, old);
}

const char *error_code_name(enum err_code code)
{
	static const char *const names[] = { "ok",        "invalid",     "nomem",    "limit",    "io",
		                             "not_found", "again",       "timeout",  "connect",  "denied",
		                             "corrupt",   "unsupported", "conflict", "database", "cancelled" };
	return (size_t)code < ARRAY_LEN(names) ? names[code] : "unknown";
}
