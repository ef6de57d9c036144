/* tests/unit/provider/render.h - an answer as one line, so that tables compare text and failures show a diff. */
#ifndef ASSAY_TESTS_PROVIDER_RENDER_H
#define ASSAY_TESTS_PROVIDER_RENDER_H

#include "common/base/buf.h"
#include "worker/provider/provider.h"

static inline void render_flags(unsigned flags, struct buf *out)
{
	static const struct {
		unsigned bit;
		const char *name;
	} names[] = { { FLAG_REFUSED, "refused" },
		      { FLAG_TRUNCATED, "truncated" },
		      { FLAG_EMPTY, "empty" },
		      { FLAG_FILTERED, "filtered" },
		      { FLAG_REPAIRED, "repaired" } };
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (flags & names[i].bit)
			buf_printf(out, " %s", names[i].name);
}

static inline void render_count(const char *name, int64_t count, struct buf *out)
{
	if (count >= 0)
		buf_printf(out, " %s=%lld", name, (long long)count);
}

static inline void render_word(const char *name, struct str word, struct buf *out)
{
	if (word.len)
		buf_printf(out, " %s=%.*s", name, STR_ARG(word));
}

/* "ok 'Paris' stop/stop in=5 out=2 model=m" or "rate_limited paced wait=500 'slow down'" */
static inline void render_answer(const struct provider_answer *a, struct buf *out)
{
	static const char *const rules[] = { "final", "soon", "later", "paced" };
	buf_clear(out);
	if (a->answered) {
		buf_printf(out, "ok '%.*s' %s", STR_ARG(a->text), provider_stop_name(a->stop));
		buf_printf(out, "/%.*s", STR_ARG(a->stop_raw));
		render_flags(a->flags, out);
		if (a->reasoning.len)
			buf_printf(out, " thought='%.*s'", STR_ARG(a->reasoning));
	} else {
		buf_printf(out, "%s %s", error_class_name(a->error_class), rules[a->retry]);
		if (a->retry_after_ms >= 0)
			buf_printf(out, " wait=%lld", (long long)a->retry_after_ms);
		buf_printf(out, " '%.*s'", STR_ARG(a->error_text));
	}
	render_count("in", a->usage.input, out);
	render_count("cached", a->usage.cached, out);
	render_count("out", a->usage.output, out);
	render_count("reasoning", a->usage.reasoning, out);
	render_word("model", a->returned_model, out);
	render_word("fp", a->fingerprint, out);
	render_word("id", a->request_id, out);
}

static inline struct provider_model render_model(const char *provider)
{
	return (struct provider_model){ .name = STR_INIT("m"), .provider = str_from(provider), .model = STR_INIT("m") };
}

#endif
