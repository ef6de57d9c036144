/* common/base/json_write.h - appends JSON to a bounded buffer; commas and escapes are its business.
 *
 * Strings go out as valid UTF-8: broken bytes become U+FFFD. Doubles are the shortest text that reads back equal; a
 * NaN or infinity is a bug in the caller (write null). Nesting errors are bugs. Ask buf.failed once at the end. */
#ifndef ASSAY_BASE_JSON_WRITE_H
#define ASSAY_BASE_JSON_WRITE_H

#include "common/base/buf.h"
#include "common/base/json.h"

struct json_write {
	struct buf *out;
	unsigned depth;
	bool need_comma, after_key, pretty;
	uint64_t object_bits[JSON_DEPTH_MAX /
	                     32]; /* by depth: inside an object? A parsed value fits below a writer's own */
};

void json_write_init(struct json_write *w, struct buf *out, bool pretty); /* pretty: two spaces, a line a member */
void json_write_object(struct json_write *w);                             /* { */
void json_write_object_end(struct json_write *w);
void json_write_array(struct json_write *w); /* [ */
void json_write_array_end(struct json_write *w);
void json_write_key(struct json_write *w, const char *key);
void json_write_key_str(struct json_write *w, struct str key);
void json_write_str(struct json_write *w, struct str s);
void json_write_c(struct json_write *w, const char *s); /* NULL writes null */
void json_write_i64(struct json_write *w, int64_t v);
void json_write_u64(struct json_write *w, uint64_t v);
void json_write_num(struct json_write *w, double v);
void json_write_bool(struct json_write *w, bool v);
void json_write_null(struct json_write *w);
void json_write_raw(struct json_write *w, struct str json);        /* already valid JSON */
void json_write_value(struct json_write *w, const struct json *v); /* keys in the order of the source */

/* Key and value at once, for the common cases. */
void json_write_field_str(struct json_write *w, const char *key, struct str s);
void json_write_field_c(struct json_write *w, const char *key, const char *s);
void json_write_field_i64(struct json_write *w, const char *key, int64_t v);
void json_write_field_num(struct json_write *w, const char *key, double v);
void json_write_field_bool(struct json_write *w, const char *key, bool v);

/* The canonical form, for hashing: no white space, keys sorted by bytes, integers exact, shortest doubles. */
bool json_write_canonical(const struct json *v, struct buf *out);

#endif
