#include "coordinator/cli/home.h"
#include "common/base/hash.h"
#include "common/base/json.h"
#include "common/base/json_write.h"
#include "common/io/clock.h"
#include <stdlib.h>
#include <string.h>

enum { STATUS_BYTES_MAX = 64 << 10 };

enum err_code home_find(bool create, struct home *ret_home, struct error *reterr)
{
	const char *named = getenv("ASSAY_HOME");
	struct fs_path path = fs_path("%s", named && *named ? named : "./.assay");
	enum err_code err = create ? fs_make_dirs(path.text, 0700, reterr) : ERR_OK;
	if (err == ERR_OK)
		err = fs_real_path(path.text, &ret_home->root, reterr);
	if (err == ERR_NOT_FOUND && !create)
		return error_set(reterr, err, "nothing was ever started in %s (assay up)", path.text);
	if (err != ERR_OK)
		return error_wrap(reterr, err == ERR_NOT_FOUND ? ERR_IO : err, "ASSAY_HOME");
	home_id(ret_home->root.text, ret_home->id);
	return ERR_OK;
}

void home_id(const char *root, char ret_id[17])
{
	char hex[HASH_HEX_BYTES + 1];
	hash_hex(hash_of(str_from(root)), hex);
	memcpy(ret_id, hex, 16);
	ret_id[16] = '\0';
}

struct fs_path home_path(const struct home *h, const char *name)
{
	return fs_path("%s/%s", h->root.text, name);
}

static void write_process(struct json_write *w, const struct home_process *p)
{
	char id[PROCESS_ID_TEXT_BYTES], since[CLOCK_TEXT_BYTES];
	process_id_text(&p->id, id);
	clock_text(p->since_ms, since);
	json_write_object(w);
	json_write_field_c(w, "name", p->name);
	json_write_field_c(w, "state", p->state);
	json_write_field_i64(w, "pid", p->id.pid);
	json_write_field_c(w, "id", id);
	json_write_field_i64(w, "restarts", (int64_t)p->restarts);
	json_write_field_c(w, "since", since);
	json_write_object_end(w);
}

bool home_status_to_json(const struct home *h, const struct home_status *s, bool running, struct buf *out)
{
	struct json_write w;
	char id[PROCESS_ID_TEXT_BYTES], started[CLOCK_TEXT_BYTES];
	process_id_text(&s->supervise, id);
	clock_text(s->started_ms, started);
	json_write_init(&w, out, true);
	json_write_object(&w);
	json_write_field_c(&w, "schema", "assay.status.v1");
	json_write_field_bool(&w, "running", running);
	json_write_field_c(&w, "home", h->root.text);
	json_write_field_c(&w, "url", s->url);
	json_write_field_c(&w, "endpoint", s->endpoint);
	json_write_field_c(&w, "dsn", s->dsn);
	json_write_field_c(&w, "started_at", started);
	json_write_field_c(&w, "supervise", id);
	json_write_key(&w, "processes");
	json_write_array(&w);
	for (size_t i = 0; i < s->process_count; i++)
		write_process(&w, &s->processes[i]);
	json_write_array_end(&w);
	json_write_object_end(&w);
	return buf_append_char(out, '\n');
}

enum err_code home_status_write(const struct home *h, const struct home_status *s, struct error *reterr)
{
	struct buf text;
	buf_init(&text, STATUS_BYTES_MAX);
	enum err_code err = ERR_LIMIT;
	if (home_status_to_json(h, s, true, &text))
		err = fs_write_atomic(home_path(h, "status.json").text, buf_str(&text), 0600, reterr);
	else
		(void)error_set(reterr, err, "status.json: too long");
	buf_done(&text);
	return err;
}

/* Copies a text member; what does not fit is corrupt. */
static bool take_text(const struct json *object, const char *key, char *out, size_t out_bytes)
{
	struct str text;
	if (!json_str(json_get(object, key), &text) || text.len >= out_bytes)
		return false;
	memcpy(out, text.data, text.len);
	out[text.len] = '\0';
	return true;
}

static bool take_id(const struct json *object, const char *key, struct process_id *ret_id)
{
	struct str text;
	return json_str(json_get(object, key), &text) && process_id_from_text(text, ret_id);
}

static bool read_process(const struct json *v, struct home_process *p)
{
	struct str since;
	*p = (struct home_process){ .restarts = (uint64_t)json_i64_or(json_get(v, "restarts"), 0) };
	return take_text(v, "name", p->name, sizeof(p->name)) && take_text(v, "state", p->state, sizeof(p->state)) &&
	       take_id(v, "id", &p->id) && json_str(json_get(v, "since"), &since) &&
	       clock_from_text(since, &p->since_ms);
}

static bool read_status(const struct json *root, struct home_status *s)
{
	struct str started;
	const struct json *list = json_get(root, "processes");
	*s = (struct home_status){ 0 };
	if (!take_text(root, "url", s->url, sizeof(s->url)) || !take_text(root, "dsn", s->dsn, sizeof(s->dsn)) ||
	    !take_text(root, "endpoint", s->endpoint, sizeof(s->endpoint)) ||
	    !take_id(root, "supervise", &s->supervise) || !json_str(json_get(root, "started_at"), &started) ||
	    !clock_from_text(started, &s->started_ms))
		return false;
	for (size_t i = 0; i < json_len(list); i++, s->process_count++)
		if (i >= HOME_PROCESSES_MAX || !read_process(json_at(list, i), &s->processes[i]))
			return false;
	return true;
}

enum err_code home_status_read(const struct home *h, struct home_status *ret_status, struct error *reterr)
{
	struct buf text;
	struct json_doc *doc = NULL;
	struct fs_path path = home_path(h, "status.json");
	buf_init(&text, STATUS_BYTES_MAX);
	enum err_code err = fs_read(path.text, &text, reterr);
	if (err == ERR_OK)
		err = json_parse(buf_str(&text), &doc, reterr);
	if (err == ERR_OK && !read_status(json_root(doc), ret_status))
		err = error_set(reterr, ERR_CORRUPT, "%s is not a status file of assay", path.text);
	json_free(doc);
	buf_done(&text);
	return err;
}
