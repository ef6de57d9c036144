#include "worker/exec/record.h"
#include "common/base/check.h"
#include "common/base/mem.h"
#include <string.h>

enum { TEXT_COUNT = 8, SCORE_TEXT_COUNT = 3 };

static void list_texts(struct msg_record *m, struct str *out[TEXT_COUNT])
{
	struct str *const all[TEXT_COUNT] = { &m->returned_model, &m->fingerprint, &m->request_id, &m->stop_reason,
		                              &m->request,        &m->response,    &m->answer,     &m->evidence };
	memcpy(out, all, sizeof(all));
}

static size_t text_bytes(const struct msg_record *m)
{
	struct msg_record copy = *m;
	struct str *texts[TEXT_COUNT];
	list_texts(&copy, texts);
	size_t bytes = 0;
	for (size_t i = 0; i < TEXT_COUNT; i++)
		bytes += texts[i]->len;
	for (size_t i = 0; i < m->score_count; i++)
		bytes += m->scores[i].reason.len + m->scores[i].explanation.len + m->scores[i].extracted.len;
	return bytes;
}

static void copy_text(struct str *s, char **at)
{
	if (s->len > 0)
		memcpy(*at, s->data, s->len);
	s->data = *at;
	*at += s->len;
}

struct record *record_new(const struct msg_record *m, struct exec_context *context, struct str item)
{
	size_t scores_bytes = m->score_count * sizeof(struct msg_score);
	size_t item_bytes = context ? item.len : 0;
	struct record *r = mem_new(1, sizeof(*r) + scores_bytes + text_bytes(m) + item_bytes);
	struct msg_score *scores = (struct msg_score *)(void *)(r + 1);
	char *at = (char *)(r + 1) + scores_bytes;

	r->m = *m;
	struct str *texts[TEXT_COUNT];
	list_texts(&r->m, texts);
	for (size_t i = 0; i < TEXT_COUNT; i++)
		copy_text(texts[i], &at);
	for (size_t i = 0; i < m->score_count; i++) {
		scores[i] = m->scores[i];
		copy_text(&scores[i].reason, &at);
		copy_text(&scores[i].explanation, &at);
		copy_text(&scores[i].extracted, &at);
	}
	r->m.scores = m->score_count > 0 ? scores : NULL;
	r->is_answer = context != NULL;
	r->ends_sample = m->kind == RECORD_RESULT || (m->kind == RECORD_ATTEMPT && m->given_up);
	if (context) {
		r->context = exec_context_ref(context);
		r->item = item;
		copy_text(&r->item, &at);
	}
	return r;
}

void record_free(struct record *r)
{
	if (!r)
		return;
	exec_context_unref(r->context);
	mem_free(r);
}
