#include "common/io/log.h"
#include "common/base/buf.h"
#include "common/base/check.h"
#include "common/base/unicode.h"
#include "common/io/clock.h"
#include "common/io/secrets.h"
#include "common/io/thread.h"
#include <errno.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *const level_names[] = { "error", "warn", "info", "debug" };

static atomic_int level_now = LOG_INFO;
static atomic_bool as_json;
static atomic_int out_fd = STDERR_FILENO;
static atomic_uint_least64_t lost_count;

enum err_code log_setup(struct str spec, struct error *reterr)
{
	int level = LOG_INFO;
	bool json = false;
	struct str rest = spec, word;
	while (spec.len && str_split(&rest, ',', &word)) {
		word = str_trim(word);
		if (str_eq_c(word, "json")) {
			json = true;
			continue;
		}
		int found = -1;
		for (size_t i = 0; i < ARRAY_LEN(level_names); i++)
			if (str_eq_c(word, level_names[i]))
				found = (int)i;
		if (found < 0)
			return error_set(reterr, ERR_INVALID,
			                 "log setting '%.*s': '%.*s' is none of error, warn, info, debug, json",
			                 STR_ARG(spec), STR_ARG(word));
		level = found;
	}
	atomic_store(&level_now, level);
	atomic_store(&as_json, json);
	return ERR_OK;
}

void log_to_fd(int fd)
{
	atomic_store(&out_fd, fd);
}

bool log_enabled(enum log_level level)
{
	return (int)level <= atomic_load_explicit(&level_now, memory_order_relaxed);
}

uint64_t log_lost_count(void)
{
	return atomic_load(&lost_count);
}

bool log_hide(struct str secret)
{
	return secrets_add(secret, NULL) == ERR_OK;
}

/* Where values must stop: what closes a line always fits behind it. */
enum { VALUES_END = LOG_LINE_BYTES_MAX - 32 };

struct line {
	char text[LOG_LINE_BYTES_MAX];
	size_t len;
	bool json, cut;
};

/* All or nothing; once something did not fit, nothing more goes in. */
static void put(struct line *l, const char *data, size_t len)
{
	if (!l->cut && len > VALUES_END - l->len)
		l->cut = true;
	if (l->cut)
		return;
	memcpy(l->text + l->len, data, len);
	l->len += len;
}

static void put_c(struct line *l, const char *text)
{
	put(l, text, strlen(text));
}

/* Into the part that is kept free for it. */
static void put_tail(struct line *l, const char *text)
{
	size_t len = strlen(text);
	check(len <= sizeof(l->text) - l->len);
	memcpy(l->text + l->len, text, len);
	l->len += len;
}

/* One character of a quoted value, whole or not at all; returns how many bytes of `s` it was. */
static size_t put_escaped(struct line *l, struct str s)
{
	unsigned char c = (unsigned char)s.data[0];
	char escaped[16];
	if (c == '"' || c == '\\') {
		put(l, (char[]){ '\\', (char)c }, 2);
		return 1;
	}
	if (c == '\n' || c == '\t' || c == '\r') {
		put(l, (char[]){ '\\', c == '\n' ? 'n' : c == '\t' ? 't' : 'r' }, 2);
		return 1;
	}
	if (c < 0x20 || c == 0x7f) {
		int len = snprintf(escaped, sizeof(escaped), "\\u%04x", c);
		put(l, escaped, (size_t)len);
		return 1;
	}
	if (c < 0x80) {
		put(l, s.data, 1);
		return 1;
	}
	size_t want = c >= 0xF0 ? 4 : c >= 0xE0 ? 3 : 2;
	struct str character = str_slice(s, 0, want);
	if (character.len < want || !unicode_valid(character)) {
		put_c(l, "\xEF\xBF\xBD"); /* U+FFFD */
		return 1;
	}
	bool hidden_control = c == 0xC2 && (unsigned char)s.data[1] < 0xA0; /* C1 controls move cursors too */
	bool bidi = c == 0xE2 && (unsigned char)s.data[1] == 0x80 && (unsigned char)s.data[2] >= 0xA8 &&
	            (unsigned char)s.data[2] <= 0xAE;
	bool isolate = c == 0xE2 && (unsigned char)s.data[1] == 0x81 && (unsigned char)s.data[2] >= 0xA6 &&
	               (unsigned char)s.data[2] <= 0xA9;
	if (!hidden_control && !bidi && !isolate) {
		put(l, s.data, want);
		return want;
	}
	unsigned point = want == 2 ? (c & 0x1FU) << 6 | ((unsigned char)s.data[1] & 0x3FU)
	                           : (c & 0x0FU) << 12 | ((unsigned char)s.data[1] & 0x3FU) << 6 |
	                                     ((unsigned char)s.data[2] & 0x3FU);
	int len = snprintf(escaped, sizeof(escaped), "\\u%04x", point);
	put(l, escaped, (size_t)len);
	return want;
}

static bool is_plain(struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.data[i];
		if (c <= 0x20 || c >= 0x7f || c == '"' || c == '=' || c == '\\')
			return false;
	}
	return s.len > 0;
}

static void put_quoted(struct line *l, struct str s)
{
	size_t before = l->len;
	put_c(l, "\"");
	if (l->len == before)
		return;
	bool too_long = s.len > LOG_VALUE_BYTES_MAX;
	size_t limit = too_long ? LOG_VALUE_BYTES_MAX : s.len;
	for (size_t i = 0; i < limit && !l->cut;)
		i += put_escaped(l, str_slice(s, i, s.len));
	if (too_long)
		put_c(l, "...");
	put_tail(l, "\"");
}

/* Secrets go before anything is cut or escaped: half a secret must not slip through. */
static void put_text(struct line *l, struct str s)
{
	struct buf masked;
	buf_init(&masked, 1 << 20);
	if (secrets_present(s))
		s = secrets_mask(s, &masked) ? buf_str(&masked) : STR("[hidden]");
	if (!l->json && s.len <= LOG_VALUE_BYTES_MAX && is_plain(s))
		put(l, s.data, s.len);
	else
		put_quoted(l, s);
	buf_done(&masked);
}

static void put_value(struct line *l, const struct log_field *f)
{
	char number[40];
	switch (f->kind) {
	case LOG_KIND_STR:
		put_text(l, f->value.str);
		return;
	case LOG_KIND_I64:
		(void)snprintf(number, sizeof(number), "%lld", (long long)f->value.i64);
		break;
	case LOG_KIND_U64:
		(void)snprintf(number, sizeof(number), "%llu", (unsigned long long)f->value.u64);
		break;
	case LOG_KIND_NUM:
		(void)snprintf(number, sizeof(number), isfinite(f->value.num) ? "%.10g" : "null", f->value.num);
		break;
	case LOG_KIND_BOOL:
		(void)snprintf(number, sizeof(number), "%s", f->value.yes ? "true" : "false");
		break;
	case LOG_KIND_END:
		return;
	}
	put_c(l, number);
}

static void put_field(struct line *l, const struct log_field *f)
{
	size_t before = l->len;
	put_c(l, l->json ? ",\"" : " ");
	put_c(l, f->key);
	put_c(l, l->json ? "\":" : "=");
	size_t value_at = l->len;
	put_value(l, f);
	if (l->cut && l->len == value_at)
		l->len = before; /* no key without a value */
}

static void write_line(struct line *l)
{
	for (;;) {
		ssize_t n = write(atomic_load(&out_fd), l->text, l->len);
		if (n >= 0 || errno != EINTR) {
			if (n != (ssize_t)l->len)
				atomic_fetch_add(&lost_count, 1);
			return;
		}
	}
}

void log_write(enum log_level level, const char *message, const struct log_field *fields)
{
	if (!log_enabled(level))
		return;
	int saved_errno = errno;
	struct line l;
	l.len = 0;
	l.cut = false;
	l.json = atomic_load(&as_json);
	char at[CLOCK_TEXT_BYTES];
	clock_text(clock_wall_ms(), at);
	put_c(&l, l.json ? "{\"at\":\"" : "");
	put_c(&l, at);
	put_c(&l, l.json ? "\",\"level\":\"" : " ");
	put_c(&l, level_names[level]);
	put_c(&l, l.json ? "\"" : &"     "[strlen(level_names[level])]);
	put_field(&l, &(struct log_field){ "part", LOG_KIND_STR, { .str = str_from(thread_name()) } });
	put_field(&l, &(struct log_field){ "msg", LOG_KIND_STR, { .str = str_from(message) } });
	for (const struct log_field *f = fields; f->kind != LOG_KIND_END && !l.cut; f++)
		put_field(&l, f);
	if (l.cut)
		put_tail(&l, l.json ? ",\"cut\":true" : " cut=true");
	put_tail(&l, l.json ? "}\n" : "\n");
	write_line(&l);
	errno = saved_errno;
}
