/* coordinator/catalog/suite_parts.h - the sections of suite.yaml, each checked and written as JSON. Private to this
 * folder: suite.c calls them in turn. Pure. */
#ifndef ASSAY_CATALOG_SUITE_PARTS_H
#define ASSAY_CATALOG_SUITE_PARTS_H

#include "common/base/json_write.h"
#include "common/base/yaml.h"
#include "coordinator/catalog/suite.h"

struct suite_reader {
	const struct yaml_doc *doc;
	struct json_write w; /* the definition, while it is written */
	struct suite *s;
	struct suite_item_rules rules; /* what the scores ask of items */
	struct error *reterr;
};

/* Each writes one value at the place where the writer stands. After an error nothing more may be written. */
enum err_code suite_generate_read(struct suite_reader *r, const struct yaml *v) MUST_CHECK;
enum err_code suite_scores_read(struct suite_reader *r, const struct yaml *v) MUST_CHECK;
enum err_code suite_extract_read(struct suite_reader *r, const struct yaml *v, const char *field) MUST_CHECK;
enum err_code suite_gates_read(struct suite_reader *r, const struct yaml *v) MUST_CHECK;

/* A text out of a closed list (NULL-terminated). */
enum err_code suite_want_word(struct suite_reader *r, const struct yaml *v, const char *field, const char *const *words,
                              struct str *ret_word) MUST_CHECK;

bool suite_regex_flags(struct str letters, unsigned *ret_flags); /* letters of "ims" */

/* How errors name a place ("scores[1].extract[0]"); lives as long as the suite. */
const char *suite_field(struct suite_reader *r, const char *format, ...) PRINTF_LIKE(2, 3);

#endif
