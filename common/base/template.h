/* common/base/template.h - prompts: text with {{name}} and nothing else.
 *
 * Names are [A-Za-z_][A-Za-z0-9_.-]*, white space inside the braces is allowed, "{{{{" stands for "{{". A value is put
 * in as it is and never read again as a template. Parsing reports the line and column of a bad or unclosed tag. */
#ifndef ASSAY_BASE_TEMPLATE_H
#define ASSAY_BASE_TEMPLATE_H

#include "common/base/buf.h"
#include "common/base/error.h"

/* Gives the value of a name; false when there is none. */
typedef bool template_lookup(void *context, struct str name, struct str *ret_value);

enum err_code template_check(struct str text, struct error *reterr) MUST_CHECK; /* syntax only */
/* Each name in order of appearance: for (size_t at = 0; template_next_name(text, &at, &name);). text must be checked.
 */
bool template_next_name(struct str text, size_t *at, struct str *ret_name);
/* An unknown name is ERR_NOT_FOUND and named; a full buffer is ERR_LIMIT. */
enum err_code template_render(struct str text, template_lookup *lookup, void *context, struct buf *out,
                              struct error *reterr) MUST_CHECK;

#endif
