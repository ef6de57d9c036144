#include "coordinator/cli/withheld.h"

/* Text that a model or a provider wrote: withheld from --json unless it is asked for (INTERFACES.md 2). */
static bool is_content(struct str key)
{
	static const char *const names[] = { "content",  "answer",    "request",     "response",
		                             "evidence", "extracted", "explanation", "request_id" };
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (str_eq_c(key, names[i]))
			return true;
	return false;
}

static void write_value(struct json_write *w, const struct json *v);

static void write_members(struct json_write *w, const struct json *object)
{
	for (struct json_iter it = { 0 }; json_next(object, &it);) {
		if (is_content(it.key))
			continue;
		json_write_key_str(w, it.key);
		write_value(w, it.value);
	}
}

static void write_value(struct json_write *w, const struct json *v)
{
	if (json_kind(v) == JSON_OBJECT) {
		json_write_object(w);
		write_members(w, v);
		json_write_object_end(w);
	} else if (json_kind(v) == JSON_ARRAY) {
		json_write_array(w);
		for (size_t i = 0; i < json_len(v); i++)
			write_value(w, json_at(v, i));
		json_write_array_end(w);
	} else {
		json_write_value(w, v);
	}
}

void withheld_write(struct json_write *w, const struct json *object)
{
	json_write_object(w);
	write_members(w, object);
	json_write_field_bool(w, "content_withheld", true);
	json_write_object_end(w);
}
