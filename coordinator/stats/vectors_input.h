/* coordinator/stats/vectors_input.h - reads a case's input and writes a routine's answer, for the methods of vectors.
 *
 * A field that is missing or of the wrong type is remembered in `bad`, the getter hands back an empty value and the
 * case fails by that name. Arrays live in the arena. A null in an array of numbers is a NaN. */
#ifndef ASSAY_STATS_VECTORS_INPUT_H
#define ASSAY_STATS_VECTORS_INPUT_H

#include "common/base/arena.h"
#include "common/base/json_write.h"
#include "coordinator/stats/number.h"

struct vectors_input {
	struct arena *arena;
	const struct json *fields;
	const char *bad; /* the first field that could not be read; NULL: none */
};

typedef enum refusal vectors_function(struct vectors_input *in, struct json_write *out);

struct vectors_method {
	const char *name;
	unsigned version;
	vectors_function *run; /* writes the members of one object; must not write when it refuses */
};

const struct vectors_method *vectors_input_method(struct str name); /* NULL when unknown; in vectors_methods.c */

bool vectors_input_has(const struct vectors_input *in, const char *field); /* there and not null */
double vectors_input_num(struct vectors_input *in, const char *field);
uint64_t vectors_input_count(struct vectors_input *in, const char *field); /* a whole number, at least 0 */
double *vectors_input_nums(struct vectors_input *in, const char *field, size_t *ret_n);
struct number *vectors_input_numbers(struct vectors_input *in, const char *field, size_t *ret_n); /* null: undefined */
uint64_t *vectors_input_counts(struct vectors_input *in, const char *field, size_t *ret_n);
uint32_t *vectors_input_labels(struct vectors_input *in, const char *field, size_t *ret_n); /* dense, by appearance */
double *vectors_input_rows(struct vectors_input *in, const char *field, size_t **ret_lengths, size_t *ret_n);

void vectors_put_num(struct json_write *out, const char *field, double value);
void vectors_put(struct json_write *out, const char *field, struct number value);
void vectors_put_interval(struct json_write *out, const char *field, struct interval value);
void vectors_put_value(struct json_write *out, struct number value); /* an array's element */

#endif
