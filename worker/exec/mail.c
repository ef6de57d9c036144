#include "worker/exec/mail.h"
#include "common/base/mem.h"
#include <string.h>

struct mail *mail_new_texts(enum mail_kind kind, struct str text, struct str text2, struct str text3)
{
	const struct str in[] = { text, text2, text3 };
	struct mail *m = mem_new(1, sizeof(*m) + text.len + text2.len + text3.len + 1);
	struct str *const out[] = { &m->text, &m->text2, &m->text3 };
	char *at = (char *)(m + 1);
	m->kind = kind;
	for (size_t i = 0; i < ARRAY_LEN(in); i++) {
		if (in[i].len > 0)
			memcpy(at, in[i].data, in[i].len);
		*out[i] = str_make(at, in[i].len);
		at += in[i].len;
	}
	return m;
}

struct mail *mail_new(enum mail_kind kind)
{
	return mail_new_texts(kind, STR(""), STR(""), STR(""));
}

void mail_free(struct mail *m)
{
	if (!m)
		return;
	record_free(m->record);
	exec_context_unref(m->context);
	if (m->kind == MAIL_TRIM)
		mem_free(m->trim.ranges);
	mem_free(m);
}
