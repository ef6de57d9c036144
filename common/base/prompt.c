#include "common/base/prompt.h"
#include "common/base/json_write.h"
#include "common/base/template.h"
#include <string.h>

enum { LETTERS = 26 };

/* ---- roles ---- */

bool prompt_role_from_name(struct str name, enum prompt_role *ret_role)
{
	static const struct {
		const char *name;
		enum prompt_role role;
	} roles[] = {
		{ "user", PROMPT_USER },
		{ "assistant", PROMPT_ASSISTANT },
		{ "system", PROMPT_SYSTEM },
		{ "developer", PROMPT_SYSTEM },
	};
	for (size_t i = 0; i < ARRAY_LEN(roles); i++)
		if (str_eq_c(name, roles[i].name)) {
			*ret_role = roles[i].role;
			return true;
		}
	return false;
}

const char *prompt_role_name(enum prompt_role role)
{
	static const char *const names[] = { "system", "user", "assistant" };
	return (size_t)role < ARRAY_LEN(names) ? names[role] : "?";
}

/* ---- values of names ---- */

struct values {
	const struct json *item;
	struct buf *scratch; /* where values that are not text as they stand are written; NULL: only ask */
};

/* "a.b" of an object: the member of that name, else member b of member a, and so on. */
static const struct json *member(const struct json *object, struct str name)
{
	const struct json *v = json_get_str(object, name);
	for (ptrdiff_t dot; !v && (dot = str_find_char(name, '.')) >= 0;) {
		object = json_get_str(object, str_slice(name, 0, (size_t)dot));
		name = str_slice(name, (size_t)dot + 1, name.len);
		v = json_get_str(object, name);
	}
	return v;
}

static const struct json *find(const struct json *item, struct str name)
{
	const struct json *v = member(json_get(item, "vars"), name);
	if (v)
		return v;
	if (str_eq_c(name, "input"))
		return json_kind(json_get(item, "input")) == JSON_STR ? json_get(item, "input") : NULL;
	if (str_eq_c(name, "choices"))
		return json_get(item, "choices");
	if (str_starts(name, STR("metadata.")))
		return member(json_get(item, "metadata"), str_slice(name, 9, name.len));
	return NULL;
}

static void put_choices(struct buf *out, const struct json *choices)
{
	size_t count = json_len(choices);
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			(void)buf_append_char(out, '\n'); /* out->failed is asked by the caller; the same below */
		if (count <= LETTERS)
			(void)buf_printf(out, "%c. ", (char)('A' + i));
		else
			(void)buf_append_c(out, "- ");
		(void)buf_append_str(out, json_str_or(json_at(choices, i), STR("")));
	}
}

static bool is_choices(const struct values *v, const struct json *value)
{
	return json_kind(value) == JSON_ARRAY && value == json_get(v->item, "choices");
}

static bool lookup(void *context, struct str name, struct str *ret_value)
{
	struct values *v = context;
	const struct json *value = find(v->item, name);
	enum json_kind kind = json_kind(value);
	if (kind == JSON_ABSENT || kind == JSON_NULL)
		return false;
	if (json_str(value, ret_value) || !v->scratch)
		return true;
	buf_clear(v->scratch);
	if (is_choices(v, value))
		put_choices(v->scratch, value);
	else
		(void)json_write_canonical(value, v->scratch); /* failed is asked below */
	*ret_value = buf_str(v->scratch);
	return !v->scratch->failed;
}

/* ---- one text ---- */

struct job {
	struct values values;
	struct arena *arena; /* NULL: check only */
	struct buf scratch, text;
	struct error *reterr;
};

static enum err_code no_memory(struct job *j)
{
	return error_set(j->reterr, ERR_LIMIT, "the prompt is longer than memory allows");
}

static enum err_code check_names(struct job *j, struct str template)
{
	struct str name = STR(""), value;
	for (size_t at = 0; template_next_name(template, &at, &name);)
		if (!lookup(&j->values, name, &value))
			return error_set(j->reterr, ERR_NOT_FOUND, "no value for %.*s",
			                 (int)MIN_OF(name.len, (size_t)100), name.data);
	return ERR_OK;
}

static enum err_code render(struct job *j, struct str template, struct str *ret_text)
{
	if (!j->arena) {
		*ret_text = template;
		return check_names(j, template);
	}
	buf_clear(&j->text);
	enum err_code err = template_render(template, lookup, &j->values, &j->text, j->reterr);
	if (j->scratch.failed)
		return no_memory(j);
	if (err)
		return err;
	char *copy = arena_try_alloc(j->arena, j->text.len + 1, 1);
	if (!copy)
		return no_memory(j);
	memcpy(copy, buf_str(&j->text).data, j->text.len);
	copy[j->text.len] = '\0';
	*ret_text = str_make(copy, j->text.len);
	return ERR_OK;
}

/* ---- messages ---- */

static enum err_code read_message(struct job *j, const struct json *v, const char *field, size_t i,
                                  struct prompt_message *ret_message)
{
	struct str role = STR("");
	*ret_message = (struct prompt_message){ PROMPT_USER, STR("") };
	if (!json_str(json_get(v, "role"), &role) || !json_str(json_get(v, "content"), &ret_message->content))
		return error_set(j->reterr, ERR_INVALID, "%s[%zu] must be an object with role and content, both text",
		                 field, i);
	if (!prompt_role_from_name(role, &ret_message->role))
		return error_set(j->reterr, ERR_INVALID, "%s[%zu].role must be system, user or assistant, not '%.*s'",
		                 field, i, (int)MIN_OF(role.len, (size_t)60), role.data);
	return ERR_OK;
}

/* `renders`: the contents are templates. */
static enum err_code read_messages(struct job *j, const struct json *list, const char *field, bool renders,
                                   struct prompt *p)
{
	size_t count = json_len(list);
	if (count == 0 || count > PROMPT_MESSAGES_MAX)
		return error_set(j->reterr, ERR_INVALID, "%s must hold 1 to %d messages, not %zu", field,
		                 PROMPT_MESSAGES_MAX, count);
	struct prompt_message one, *messages = j->arena ? arena_try_alloc(j->arena, count, sizeof(*messages)) : NULL;
	if (j->arena && !messages)
		return no_memory(j);
	for (size_t i = 0; i < count; i++) {
		struct prompt_message *m = messages ? &messages[i] : &one;
		enum err_code err = read_message(j, json_at(list, i), field, i, m);
		if (!err && renders)
			err = render(j, m->content, &m->content);
		if (err)
			return err;
	}
	p->messages = messages;
	p->message_count = count;
	return ERR_OK;
}

static enum err_code one_message(struct job *j, struct str content, struct prompt *p)
{
	struct prompt_message *message = j->arena ? arena_try_alloc(j->arena, 1, sizeof(*message)) : NULL;
	if (j->arena && !message)
		return no_memory(j);
	if (message)
		*message = (struct prompt_message){ PROMPT_USER, content };
	p->messages = message;
	p->message_count = 1;
	return ERR_OK;
}

static enum err_code say_input(struct job *j, struct prompt *p)
{
	const struct json *input = json_get(j->values.item, "input");
	struct str text;
	if (json_str(input, &text))
		return one_message(j, text, p);
	if (json_kind(input) == JSON_ARRAY)
		return read_messages(j, input, "input", false, p);
	return error_set(j->reterr, ERR_INVALID, "input must be text or a list of messages, not %s",
	                 json_kind_name(json_kind(input)));
}

static enum err_code build(struct job *j, const struct json *generate, struct prompt *p)
{
	struct str template = STR("");
	enum err_code err = ERR_OK;
	if (json_str(json_get(generate, "system"), &template))
		err = render(j, template, &p->system);
	if (err)
		return err;
	if (json_str(json_get(generate, "prompt"), &template)) {
		err = render(j, template, &template);
		return err ? err : one_message(j, template, p);
	}
	if (json_kind(json_get(generate, "messages")) == JSON_ARRAY)
		return read_messages(j, json_get(generate, "messages"), "generate.messages", true, p);
	return say_input(j, p);
}

enum err_code prompt_render(const struct json *generate, const struct json *item, struct arena *a,
                            struct prompt *ret_prompt, struct error *reterr)
{
	struct job j = { .values = { .item = item }, .arena = a, .reterr = reterr };
	struct prompt p = { .messages = NULL };
	buf_init(&j.scratch, PROMPT_BYTES_MAX);
	buf_init(&j.text, PROMPT_BYTES_MAX);
	j.values.scratch = &j.scratch;
	enum err_code err = build(&j, generate, &p);
	buf_done(&j.scratch);
	buf_done(&j.text);
	if (err == ERR_OK)
		*ret_prompt = p;
	return err;
}

enum err_code prompt_check(const struct json *generate, const struct json *item, struct error *reterr)
{
	struct job j = { .values = { .item = item }, .reterr = reterr };
	struct prompt p = { .messages = NULL };
	return build(&j, generate, &p);
}
