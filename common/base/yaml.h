/* common/base/yaml.h - reads YAML settings strictly, each value with its line and column.
 *
 * The only file pair that includes libyaml (events, from memory). Aliases, anchors, tags, tabs used as indentation,
 * duplicate keys, several documents and depth over 32 are errors that name file:line:column. Scalars stay text: the
 * reader asks for the type that a key wants, so `no` is a string where a string belongs. The document owns
 * everything; nodes are borrowed. Every getter accepts a NULL node. */
#ifndef ASSAY_BASE_YAML_H
#define ASSAY_BASE_YAML_H

#include "common/base/buf.h"
#include "common/base/error.h"

struct yaml_doc;

enum yaml_kind { YAML_SCALAR, YAML_LIST, YAML_MAP };

struct yaml { /* one node; visible so that callers can read and tests can print it */
	enum yaml_kind kind;
	uint32_t line, column;           /* from 1 */
	bool quoted;                     /* a quoted or block scalar: never null or a number by accident */
	struct str text;                 /* YAML_SCALAR */
	const struct yaml *const *items; /* YAML_LIST; YAML_MAP: the values */
	const struct str *keys;          /* YAML_MAP */
	const uint32_t *key_lines, *key_columns;
	size_t len;
};

/* `name` (a file's name) goes into errors. Text over 16 MiB is ERR_LIMIT, broken UTF-8 or a NUL ERR_INVALID. */
enum err_code yaml_parse(struct str text, const char *name, struct yaml_doc **ret_doc, struct error *reterr) MUST_CHECK;
/* libyaml exports a function of this name and calls it through the dynamic linker, hence another one for the linker. */
void yaml_free(struct yaml_doc *doc) __asm__("assay_yaml_free"); /* accepts NULL */
const struct yaml *yaml_root(const struct yaml_doc *doc);        /* NULL for an empty document */
const char *yaml_name(const struct yaml_doc *doc);

const struct yaml *yaml_get(const struct yaml *map, const char *key); /* NULL when absent */
bool yaml_is_null(const struct yaml *v);                              /* absent, or unquoted: empty, ~, null */

/* Each sets reterr to "file:line:column: <field> must be ..., not ..." and returns ERR_INVALID when the node is not of
 * that type; `field` is how the message names it ("generate.max_tokens"). */
enum err_code yaml_want_map(const struct yaml_doc *doc, const struct yaml *v, const char *field,
                            struct error *reterr) MUST_CHECK;
enum err_code yaml_want_list(const struct yaml_doc *doc, const struct yaml *v, const char *field,
                             struct error *reterr) MUST_CHECK;
enum err_code yaml_want_str(const struct yaml_doc *doc, const struct yaml *v, const char *field, struct str *ret_value,
                            struct error *reterr) MUST_CHECK;
enum err_code yaml_want_i64(const struct yaml_doc *doc, const struct yaml *v, const char *field, int64_t min,
                            int64_t max, int64_t *ret_value, struct error *reterr) MUST_CHECK;
enum err_code yaml_want_num(const struct yaml_doc *doc, const struct yaml *v, const char *field, double min, double max,
                            double *ret_value, struct error *reterr) MUST_CHECK; /* .nan and .inf are refused */
enum err_code yaml_want_bool(const struct yaml_doc *doc, const struct yaml *v, const char *field, bool *ret_value,
                             struct error *reterr) MUST_CHECK; /* true or false only */

/* Every key of `map` must be one of the NULL-terminated `known`; else the error names the key, its place, and the
 * nearest known one. */
enum err_code yaml_only_keys(const struct yaml_doc *doc, const struct yaml *map, const char *field,
                             const char *const *known, struct error *reterr) MUST_CHECK;

/* "file:line:column: " + text, for rules that are the caller's own. Returns ERR_INVALID. */
enum err_code yaml_fail(const struct yaml_doc *doc, const struct yaml *v, struct error *reterr, const char *format, ...)
	PRINTF_LIKE(4, 5);

/* The node as JSON with scalars read by YAML's core schema (true/false/null/int/float, else string; .inf and .nan,
 * which JSON lacks, stay text; integers keep all digits): for parts that Assay hands on unread, such as provider
 * parameters. False when `out` is full. */
bool yaml_to_json(const struct yaml *v, struct buf *out);

#endif
