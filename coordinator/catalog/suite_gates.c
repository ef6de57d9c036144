#include "coordinator/catalog/suite_parts.h"
#include "coordinator/catalog/words.h"

enum { NAME_BYTES_MAX = 64 };

static const char *const gate_keys[] = { "name",      "metric", "rule",          "by", "margin",
	                                 "threshold", "alpha",  "missing_share", NULL };

static enum err_code read_number(struct suite_reader *r, const struct yaml *gate, const char *field, const char *key,
                                 double min, double max, double fallback, double *ret_value)
{
	const struct yaml *v = yaml_get(gate, key);
	const char *inner;
	*ret_value = fallback;
	inner = suite_field(r, "%s.%s", field, key);
	enum err_code err = v ? yaml_want_num(r->doc, v, inner, min, max, ret_value, r->reterr) : ERR_OK;
	if (!err)
		json_write_field_num(&r->w, key, *ret_value);
	return err;
}

static enum err_code read_names(struct suite_reader *r, const struct yaml *v, const char *field, size_t i,
                                struct suite_gate *g)
{
	const struct yaml *name = yaml_get(v, "name"), *metric = yaml_get(v, "metric");
	const char *inner;
	struct suite *s = r->s;
	inner = suite_field(r, "%s.name", field);
	enum err_code err = yaml_want_str(r->doc, name, inner, &g->name, r->reterr);
	if (!err && !words_is_name(g->name, "._-", NAME_BYTES_MAX))
		err = yaml_fail(r->doc, name, r->reterr, "%s must have 1 to %d letters, digits, '.', '_' or '-'", inner,
		                NAME_BYTES_MAX);
	for (size_t other = 0; other < i && !err; other++)
		if (str_eq(s->gates[other].name, g->name))
			err = yaml_fail(r->doc, name, r->reterr, "%s: gates[%zu] is called '%.*s' already", inner,
			                other, STR_ARG(g->name));
	if (err)
		return err;
	g->name = arena_str(&s->arena, g->name);
	g->metric = s->metrics[0];
	if (!metric)
		return ERR_OK;
	const char *known[SUITE_SCORES_MAX + 1] = { NULL };
	for (size_t k = 0; k < s->metric_count; k++)
		known[k] = arena_c_str(&s->arena, s->metrics[k]);
	inner = suite_field(r, "%s.metric", field);
	err = suite_want_word(r, metric, inner, known, &g->metric);
	if (!err)
		g->metric = arena_str(&s->arena, g->metric);
	return err;
}

static enum err_code read_rule(struct suite_reader *r, const struct yaml *v, const char *field, struct suite_gate *g)
{
	static const char *const rules[] = { "not_worse", "at_least", NULL };
	static const char *const dimensions[] = { "task", "stratum", NULL };
	const char *inner;
	inner = suite_field(r, "%s.rule", field);
	enum err_code err = suite_want_word(r, yaml_get(v, "rule"), inner, rules, &g->rule);
	inner = suite_field(r, "%s.by", field);
	if (!err && yaml_get(v, "by"))
		err = suite_want_word(r, yaml_get(v, "by"), inner, dimensions, &g->by);
	if (err)
		return err;
	bool at_least = str_eq_c(g->rule, "at_least");
	g->rule = arena_str(&r->s->arena, g->rule);
	g->by = arena_str(&r->s->arena, g->by);
	const struct yaml *stray = yaml_get(v, at_least ? "margin" : "threshold");
	if (stray)
		return yaml_fail(r->doc, stray, r->reterr, "%s: rule %s has no %s", field,
		                 at_least ? "at_least" : "not_worse", at_least ? "margin" : "threshold");
	if (at_least && !yaml_get(v, "threshold"))
		return yaml_fail(r->doc, v, r->reterr, "%s: rule at_least needs a threshold", field);
	return ERR_OK;
}

static enum err_code read_gate(struct suite_reader *r, const struct yaml *v, size_t i)
{
	struct suite_gate *g = &r->s->gates[i];
	const char *field;
	field = suite_field(r, "gates[%zu]", i);
	enum err_code err = yaml_only_keys(r->doc, v, field, gate_keys, r->reterr);
	if (!err)
		err = read_names(r, v, field, i, g);
	if (!err)
		err = read_rule(r, v, field, g);
	if (err)
		return err;
	json_write_object(&r->w);
	json_write_field_str(&r->w, "name", g->name);
	json_write_field_str(&r->w, "metric", g->metric);
	json_write_field_str(&r->w, "rule", g->rule);
	if (g->by.len)
		json_write_field_str(&r->w, "by", g->by);
	if (str_eq_c(g->rule, "at_least"))
		err = read_number(r, v, field, "threshold", -1e300, 1e300, 0, &g->threshold);
	else
		err = read_number(r, v, field, "margin", 0, 1e300, 0, &g->margin);
	if (!err)
		err = read_number(r, v, field, "alpha", 1e-12, 0.5, 0.05, &g->alpha);
	if (!err)
		err = read_number(r, v, field, "missing_share", 0, 1, 0.02, &g->missing_share);
	if (!err)
		json_write_object_end(&r->w);
	return err;
}

enum err_code suite_gates_read(struct suite_reader *r, const struct yaml *v)
{
	enum err_code err = yaml_want_list(r->doc, v, "gates", r->reterr);
	if (!err && v->len > SUITE_GATES_MAX)
		err = yaml_fail(r->doc, v, r->reterr, "gates must hold at most %d", SUITE_GATES_MAX);
	if (err)
		return err;
	r->s->gates = arena_new(&r->s->arena, v->len, sizeof(*r->s->gates));
	r->s->gate_count = v->len;
	json_write_array(&r->w);
	for (size_t i = 0; i < v->len && !err; i++)
		err = read_gate(r, v->items[i], i);
	if (!err)
		json_write_array_end(&r->w);
	return err;
}
