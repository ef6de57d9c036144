/* common/base/prompt.h - a suite's `generate` and one item become what a model is told. Used when a suite is checked
 * and when a sample is asked, so that the two cannot differ.
 *
 * `generate` says one of: `prompt` (a template, one user message), `messages` (a list of {role, content: template}), or
 * neither: then the item's `input` is what is said (text: one user message; a list of {role, content}: as it stands).
 * `system` is a template beside any of them. Names in templates, first match counts:
 *   1. a member of the item's `vars`
 *   2. `input`, when it is text
 *   3. `choices`: a line each, "A. text", with letters up to 26 choices and "- text" beyond
 *   4. `metadata.x`
 * In 1 and 4 "a.b" is the member "a.b", else member b of member a. Text goes in as it is; a number, true, false, and a
 * list or object as JSON; null and `target` have no value. A value is never read again as a template.
 * Template syntax is not checked here but where the suite is read (template_check).
 * Pure. Texts in results live in the arena or in the JSON documents. Any thread. */
#ifndef ASSAY_BASE_PROMPT_H
#define ASSAY_BASE_PROMPT_H

#include "common/base/arena.h"
#include "common/base/error.h"
#include "common/base/json.h"

enum { PROMPT_BYTES_MAX = 16 << 20, PROMPT_MESSAGES_MAX = 1000 };
enum prompt_role { PROMPT_SYSTEM, PROMPT_USER, PROMPT_ASSISTANT };

struct prompt_message {
	enum prompt_role role;
	struct str content;
};

struct prompt {
	struct str system; /* empty: none */
	const struct prompt_message *messages;
	size_t message_count; /* at least 1 */
};

/* Errors: ERR_NOT_FOUND, a template names what the item does not have; ERR_INVALID, `generate` or the item's input has
 * the wrong form; ERR_LIMIT, too long or over the arena's budget. */
enum err_code prompt_render(const struct json *generate, const struct json *item, struct arena *a,
                            struct prompt *ret_prompt, struct error *reterr) MUST_CHECK;

/* The same without the result: is every name of every template there, is the input's form right? Cheap. */
enum err_code prompt_check(const struct json *generate, const struct json *item, struct error *reterr) MUST_CHECK;

bool prompt_role_from_name(struct str name, enum prompt_role *ret_role); /* "developer" is system */
const char *prompt_role_name(enum prompt_role role);

#endif
