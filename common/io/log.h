/* common/io/log.h - one line for one event, on stderr: logfmt, or JSON with ASSAY_LOG=info,json.
 *
 *   log_warn("worker lost", log_str("worker", id), log_u64("leases", n), log_error_text(&error));
 *   2026-01-02T03:04:05.678Z warn  part=fleet msg="worker lost" worker=w-7 leases=3 error="timeout: no frame for 3 s"
 *
 * A line is one write(2) of at most LOG_LINE_BYTES_MAX bytes, so that lines of several processes on one pipe do not
 * mix; values over LOG_VALUE_BYTES_MAX are cut and marked. Values are text from anywhere: control characters and broken
 * UTF-8 are escaped, registered secrets (secrets.h) hidden. `part` is the thread's name. Libraries below the programs
 * never log; they return errors. Any thread; a line that cannot be written is counted and dropped. */
#ifndef ASSAY_IO_LOG_H
#define ASSAY_IO_LOG_H

#include "common/base/error.h"
#include "common/base/str.h"

enum { LOG_LINE_BYTES_MAX = 4096, LOG_VALUE_BYTES_MAX = 1024 };

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };
enum log_kind { LOG_KIND_END, LOG_KIND_STR, LOG_KIND_I64, LOG_KIND_U64, LOG_KIND_NUM, LOG_KIND_BOOL };

struct log_field {
	const char *key; /* lower case, digits, underscore: a literal */
	enum log_kind kind;
	union {
		struct str str;
		int64_t i64;
		uint64_t u64;
		double num;
		bool yes;
	} value;
};

/* `spec` is "LEVEL", "json" or "LEVEL,json" with error|warn|info|debug; empty is "info". Call before other threads. */
enum err_code log_setup(struct str spec, struct error *reterr) MUST_CHECK;
void log_to_fd(int fd); /* tests, and a daemon that logs into a file; 2 at start */
bool log_enabled(enum log_level level);
uint64_t log_lost_count(void);

/* Registers a value that must never be printed (see secrets.h, which it calls). False: too short or no room. */
bool log_hide(struct str secret) MUST_CHECK;

/* Ends with a field of LOG_KIND_END. Use the macros: they skip the arguments of a level that is off. */
void log_write(enum log_level level, const char *message, const struct log_field *fields);

#define log_error(...) LOG_LINE(LOG_ERROR, __VA_ARGS__, LOG_END)
#define log_warn(...) LOG_LINE(LOG_WARN, __VA_ARGS__, LOG_END)
#define log_info(...) LOG_LINE(LOG_INFO, __VA_ARGS__, LOG_END)
#define log_debug(...) LOG_LINE(LOG_DEBUG, __VA_ARGS__, LOG_END)

#define LOG_END ((struct log_field){ .kind = LOG_KIND_END })
#define LOG_LINE(level, message, ...)                                                                                  \
	(log_enabled(level) ? log_write(level, message, (const struct log_field[]){ __VA_ARGS__ }) : (void)0)

static inline struct log_field log_str(const char *key, struct str value)
{
	return (struct log_field){ key, LOG_KIND_STR, { .str = value } };
}

static inline struct log_field log_c(const char *key, const char *value)
{
	return (struct log_field){ key, LOG_KIND_STR, { .str = str_from(value) } };
}

static inline struct log_field log_i64(const char *key, int64_t value)
{
	return (struct log_field){ key, LOG_KIND_I64, { .i64 = value } };
}

static inline struct log_field log_u64(const char *key, uint64_t value)
{
	return (struct log_field){ key, LOG_KIND_U64, { .u64 = value } };
}

static inline struct log_field log_num(const char *key, double value)
{
	return (struct log_field){ key, LOG_KIND_NUM, { .num = value } };
}

static inline struct log_field log_bool(const char *key, bool value)
{
	return (struct log_field){ key, LOG_KIND_BOOL, { .yes = value } };
}

static inline struct log_field log_error_text(const struct error *error)
{
	return log_c("error", error->text);
}

#endif
