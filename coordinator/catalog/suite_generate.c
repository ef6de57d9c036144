#include "common/base/prompt.h"
#include "common/base/template.h"
#include "coordinator/catalog/suite_parts.h"

enum { STOPS_MAX = 16 };

static const char *const generate_keys[] = { "system",     "prompt", "messages", "temperature", "top_p",
	                                     "max_tokens", "seed",   "stop",     "epochs",      NULL };

static enum err_code read_template(struct suite_reader *r, const struct yaml *v, const char *field, const char *key)
{
	struct str text;
	struct error wrong = { .text = "" };
	enum err_code err = yaml_want_str(r->doc, v, field, &text, r->reterr);
	if (err)
		return err;
	if (template_check(text, &wrong) != ERR_OK)
		return yaml_fail(r->doc, v, r->reterr, "%s: %s", field, wrong.text);
	json_write_field_str(&r->w, key, text);
	return ERR_OK;
}

static enum err_code read_messages(struct suite_reader *r, const struct yaml *list)
{
	static const char *const keys[] = { "role", "content", NULL };
	enum err_code err = yaml_want_list(r->doc, list, "generate.messages", r->reterr);
	if (err)
		return err;
	if (list->len == 0 || list->len > PROMPT_MESSAGES_MAX)
		return yaml_fail(r->doc, list, r->reterr, "generate.messages must hold 1 to %d messages",
		                 PROMPT_MESSAGES_MAX);
	json_write_key(&r->w, "messages");
	json_write_array(&r->w);
	for (size_t i = 0; i < list->len && !err; i++) {
		const struct yaml *v = list->items[i], *role = yaml_get(v, "role");
		const char *field, *inner;
		struct str name = STR("");
		enum prompt_role known = PROMPT_USER;
		field = suite_field(r, "generate.messages[%zu]", i);
		inner = suite_field(r, "generate.messages[%zu].role", i);
		err = yaml_only_keys(r->doc, v, field, keys, r->reterr);
		if (!err)
			err = yaml_want_str(r->doc, role, inner, &name, r->reterr);
		if (!err && !prompt_role_from_name(name, &known))
			err = yaml_fail(r->doc, role, r->reterr, "%s must be system, user or assistant", inner);
		if (err)
			break;
		json_write_object(&r->w);
		json_write_field_c(&r->w, "role", prompt_role_name(known));
		inner = suite_field(r, "generate.messages[%zu].content", i);
		err = read_template(r, yaml_get(v, "content"), inner, "content");
		if (!err)
			json_write_object_end(&r->w);
	}
	if (!err)
		json_write_array_end(&r->w);
	return err;
}

static enum err_code read_stop(struct suite_reader *r, const struct yaml *v)
{
	bool is_list = v->kind == YAML_LIST;
	size_t count = is_list ? v->len : 1;
	enum err_code err = ERR_OK;
	if (count == 0 || count > STOPS_MAX)
		return yaml_fail(r->doc, v, r->reterr, "generate.stop must hold 1 to %d texts", STOPS_MAX);
	json_write_key(&r->w, "stop");
	json_write_array(&r->w);
	for (size_t i = 0; i < count && !err; i++) {
		const struct yaml *one = is_list ? v->items[i] : v;
		struct str text = STR("");
		err = yaml_want_str(r->doc, one, "generate.stop", &text, r->reterr);
		if (!err && text.len == 0)
			err = yaml_fail(r->doc, one, r->reterr, "generate.stop must not hold an empty text");
		if (!err)
			json_write_str(&r->w, text);
	}
	if (!err)
		json_write_array_end(&r->w);
	return err;
}

/* A number that may be null: "this model does not take it", never sent. */
static enum err_code read_number(struct suite_reader *r, const struct yaml *v, const char *field, const char *key,
                                 double max)
{
	double value;
	if (yaml_is_null(v)) {
		json_write_field_c(&r->w, key, NULL);
		return ERR_OK;
	}
	enum err_code err = yaml_want_num(r->doc, v, field, 0, max, &value, r->reterr);
	if (!err)
		json_write_field_num(&r->w, key, value);
	return err;
}

static enum err_code read_integer(struct suite_reader *r, const struct yaml *v, const char *field, const char *key,
                                  int64_t min, int64_t max)
{
	int64_t value;
	if (yaml_is_null(v)) {
		json_write_field_c(&r->w, key, NULL);
		return ERR_OK;
	}
	enum err_code err = yaml_want_i64(r->doc, v, field, min, max, &value, r->reterr);
	if (!err)
		json_write_field_i64(&r->w, key, value);
	return err;
}

static enum err_code read_parameters(struct suite_reader *r, const struct yaml *v)
{
	const struct yaml *temperature = yaml_get(v, "temperature"), *top_p = yaml_get(v, "top_p"),
			  *max_tokens = yaml_get(v, "max_tokens"), *seed = yaml_get(v, "seed"),
			  *stop = yaml_get(v, "stop");
	enum err_code err = ERR_OK;
	if (temperature)
		err = read_number(r, temperature, "generate.temperature", "temperature", 100);
	if (!err && top_p)
		err = read_number(r, top_p, "generate.top_p", "top_p", 1);
	if (!err && max_tokens)
		err = read_integer(r, max_tokens, "generate.max_tokens", "max_tokens", 1, 1000000000);
	if (!err && seed)
		err = read_integer(r, seed, "generate.seed", "seed", INT64_MIN, INT64_MAX);
	if (!err && stop && yaml_is_null(stop))
		json_write_field_c(&r->w, "stop", NULL);
	else if (!err && stop)
		err = read_stop(r, stop);
	return err;
}

static enum err_code read_words(struct suite_reader *r, const struct yaml *v)
{
	const struct yaml *system = yaml_get(v, "system"), *prompt = yaml_get(v, "prompt"),
			  *messages = yaml_get(v, "messages");
	enum err_code err = ERR_OK;
	if (prompt && messages)
		return yaml_fail(r->doc, messages, r->reterr,
		                 "generate.messages and generate.prompt exclude each other");
	if (system)
		err = read_template(r, system, "generate.system", "system");
	if (!err && prompt)
		err = read_template(r, prompt, "generate.prompt", "prompt");
	if (!err && messages)
		err = read_messages(r, messages);
	return err;
}

enum err_code suite_generate_read(struct suite_reader *r, const struct yaml *v)
{
	int64_t epochs = 1;
	enum err_code err = v ? yaml_only_keys(r->doc, v, "generate", generate_keys, r->reterr) : ERR_OK;
	if (!err && yaml_get(v, "epochs"))
		err = yaml_want_i64(r->doc, yaml_get(v, "epochs"), "generate.epochs", 1, SUITE_EPOCHS_MAX, &epochs,
		                    r->reterr);
	if (err)
		return err;
	r->s->epochs = (uint32_t)epochs;
	json_write_object(&r->w);
	json_write_field_i64(&r->w, "epochs", epochs);
	err = read_words(r, v);
	if (!err)
		err = read_parameters(r, v);
	if (!err)
		json_write_object_end(&r->w);
	return err;
}
