#include "coordinator/http/context.h"
#include "coordinator/http/key_list.h"

static bool read_keys(struct context *c, struct buf *lines)
{
	struct error e;
	buf_init(lines, KEY_LIST_BYTES_MAX);
	if (c->control->keys_read(c->control->arg, lines, &e) == ERR_OK)
		return true;
	buf_done(lines);
	reply_error(c, &e);
	return false;
}

static void reply_keys(struct context *c, struct str lines)
{
	struct str name, key;
	struct json_write *w = reply_json(c, 200);
	json_write_object(w);
	json_write_field_c(w, "schema", "assay.worker-keys.v1");
	json_write_key(w, "items");
	json_write_array(w);
	while (key_list_next(&lines, &name, &key)) {
		json_write_object(w);
		json_write_field_str(w, "name", name);
		json_write_field_str(w, "key", key);
		json_write_object_end(w);
	}
	json_write_array_end(w);
	json_write_key(w, "next");
	json_write_null(w);
	json_write_object_end(w);
}

void route_keys(struct context *c)
{
	struct buf lines;
	if (!read_keys(c, &lines))
		return;
	reply_keys(c, buf_str(&lines));
	buf_done(&lines);
}

static void write_keys(struct context *c, struct buf *lines)
{
	struct error e;
	if (c->control->keys_write(c->control->arg, buf_str(lines), &e) == ERR_OK)
		reply_keys(c, buf_str(lines));
	else
		reply_error(c, &e);
}

void route_keys_add(struct context *c)
{
	struct json_doc *doc = NULL;
	struct buf lines;
	struct error e;
	if (json_parse(c->request->body, &doc, &e) != ERR_OK) {
		reply_error(c, &e);
		return;
	}
	struct str name = json_str_or(json_get(json_root(doc), "name"), STR(""));
	struct str key = json_str_or(json_get(json_root(doc), "key"), STR(""));
	if (read_keys(c, &lines)) {
		enum err_code err = key_list_add(&lines, name, key, &e);
		if (err == ERR_OK)
			write_keys(c, &lines);
		else if (err == ERR_CONFLICT)
			reply_problem(c, 409, "conflict", "assay workers keys", "%s", e.text);
		else
			reply_error(c, &e);
		buf_done(&lines);
	}
	json_free(doc);
}

void route_keys_remove(struct context *c)
{
	struct buf lines, kept;
	if (!read_keys(c, &lines))
		return;
	buf_init(&kept, KEY_LIST_BYTES_MAX + KEY_LIST_REVOKED_BYTES);
	if (key_list_remove(buf_str(&lines), c->match.params[0], &kept))
		write_keys(c, &kept);
	else
		reply_problem(c, 404, "not_found", "assay workers keys", "there is no worker key '%.*s'",
		              STR_ARG(c->match.params[0]));
	buf_done(&kept);
	buf_done(&lines);
}
