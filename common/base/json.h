/* common/base/json.h - reads JSON strictly: one document, exact integers, no duplicate keys, valid UTF-8.
 *
 * The only file pair that includes jansson. A document owns its whole tree; nodes are borrowed from it. Every getter
 * accepts NULL and answers "absent", so a path can be walked without checks between. Numbers that must be exact are
 * read as integers. \u0000 is kept: strings are struct str. Any thread, but one document in one thread. */
#ifndef ASSAY_BASE_JSON_H
#define ASSAY_BASE_JSON_H

#include "common/base/buf.h"
#include "common/base/error.h"

struct json;     /* a node */
struct json_doc; /* a parsed document */

enum json_kind { JSON_ABSENT, JSON_NULL, JSON_BOOL, JSON_INT, JSON_REAL, JSON_STR, JSON_ARRAY, JSON_OBJECT };
enum { JSON_DEPTH_MAX = 128, JSON_KEYS_MAX = 65536 };

void json_start(void); /* once in main and in every test: seeds jansson's hash with a constant */

/* The whole of `text` must be one document (any kind at the root). Errors name line and column. Deeper than
 * JSON_DEPTH_MAX, or one object of over JSON_KEYS_MAX keys, is ERR_LIMIT. */
enum err_code json_parse(struct str text, struct json_doc **ret_doc, struct error *reterr) MUST_CHECK;
void json_free(struct json_doc *doc); /* accepts NULL */
const struct json *json_root(const struct json_doc *doc);

enum json_kind json_kind(const struct json *v);
const char *json_kind_name(enum json_kind kind); /* "a string", "an integer", ... for messages */
size_t json_len(const struct json *v);           /* members of an array or object; else 0 */
const struct json *json_get(const struct json *object, const char *key);
const struct json *json_get_str(const struct json *object, struct str key);
const struct json *json_at(const struct json *array, size_t i);
const struct json *json_pointer(const struct json *v, struct str pointer); /* RFC 6901: "/a/0/b"; NULL when absent */
bool json_str(const struct json *v, struct str *ret_value); /* false unless it is of that kind; same below */
bool json_i64(const struct json *v, int64_t *ret_value);
bool json_num(const struct json *v, double *ret_value); /* integer or real */
bool json_bool(const struct json *v, bool *ret_value);
struct str json_str_or(const struct json *v, struct str fallback);
int64_t json_i64_or(const struct json *v, int64_t fallback);
double json_num_or(const struct json *v, double fallback);
bool json_bool_or(const struct json *v, bool fallback);

/* Members of an object in the order of the text: for (struct json_iter it = { 0 }; json_next(object, &it);) */
struct json_iter {
	void *at;
	bool begun;
	struct str key;
	const struct json *value;
};
bool json_next(const struct json *object, struct json_iter *it);

/* Copies `text` to `out` with lone surrogate escapes and broken UTF-8 replaced by U+FFFD, so that the strict parser
 * takes it; *ret_repairs counts them. A provider's answer goes through this first. False when `out` is full. */
bool json_repair(struct str text, struct buf *out, unsigned *ret_repairs);

#endif
