#include "coordinator/cli/list.h"

enum { ROW_BYTES_MAX = 512 << 20, CURSOR_BYTES = 512 };

struct showing {
	struct cli *c;
	const struct list *list;
	size_t count;
	bool cut;        /* `most` was reached before the end */
	int64_t last_id; /* of the last row that went out: what a cut list goes on from */
	char cursor[CURSOR_BYTES];
};

static enum err_code put_row(struct showing *s, const struct json *row, struct error *reterr)
{
	struct buf text;
	struct json_write w;
	buf_init(&text, ROW_BYTES_MAX);
	if (!s->c->jsonl && s->count)
		(void)buf_append_char(&text, ',');
	json_write_init(&w, &text, false);
	json_write_value(&w, row);
	if (s->c->jsonl)
		(void)buf_append_char(&text, '\n');
	enum err_code err =
		text.failed ? error_set(reterr, ERR_LIMIT, "a row is over %d bytes", ROW_BYTES_MAX) : ERR_OK;
	if (err == ERR_OK)
		cli_print(buf_str(&text));
	buf_done(&text);
	return err;
}

static enum err_code show_page(struct showing *s, const struct json *items, struct error *reterr)
{
	const struct list *l = s->list;
	enum err_code err = ERR_OK;
	for (size_t i = 0; err == ERR_OK && i < json_len(items) && !s->cut; i++) {
		const struct json *row = json_at(items, i);
		if (l->wanted && !l->wanted(s->c, row))
			continue;
		s->cut = l->most && s->count == l->most;
		if (s->cut)
			break;
		if (s->c->json || s->c->jsonl)
			err = put_row(s, row, reterr);
		else
			l->print(s->c, row, s->count == 0);
		s->last_id = json_i64_or(json_get(row, "id"), 0);
		s->count++;
	}
	return err;
}

/* The document's end. A list that was cut says where the rest begins. */
static void put_end(const struct showing *s)
{
	if (s->cut && s->last_id)
		cli_print_line("],\"next\":\"%lld\"}", (long long)s->last_id);
	else
		cli_print_line("],\"next\":null}");
}

enum err_code list_show(struct cli *c, struct api *a, const struct list *list, size_t *ret_count, struct error *reterr)
{
	struct showing s = { .c = c, .list = list };
	enum err_code err = ERR_OK;
	bool more = true, begun = false;
	while (err == ERR_OK && more && !s.cut) {
		struct api_answer page;
		struct str next;
		err = api_get(a, &page, reterr, "%s%s%s", list->path, *s.cursor ? "&cursor=" : "", s.cursor);
		if (err != ERR_OK)
			break;
		if (c->json && !c->jsonl && !begun) { /* an error before this is a document of its own */
			begun = true;
			struct buf head;
			buf_init(&head, 1024);
			(void)buf_printf(&head, "{\"schema\":\"%s\",\"items\":[", list->schema); /* a literal of ours */
			cli_print(buf_str(&head));
			buf_done(&head);
		}
		err = show_page(&s, json_get(json_root(page.doc), "items"), reterr);
		more = json_str(json_get(json_root(page.doc), "next"), &next);
		struct buf escaped;
		buf_init(&escaped, sizeof(s.cursor) - 1);
		if (more && !api_put_escaped(&escaped, next))
			err = error_set(reterr, ERR_CORRUPT, "the server's cursor is too long");
		(void)snprintf(s.cursor, sizeof(s.cursor), "%.*s", STR_ARG(buf_str(&escaped)));
		buf_done(&escaped);
		api_answer_done(&page);
	}
	if (err == ERR_OK && begun)
		put_end(&s);
	*ret_count = s.count;
	return err;
}
