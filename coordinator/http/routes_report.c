#include "coordinator/analysis/run_samples.h"
#include "coordinator/evidence/report.h"
#include "coordinator/http/context.h"
#include "coordinator/http/part.h"
#include "coordinator/http/reason.h"
#include "coordinator/store/results.h"
#include <stdio.h>

enum { GATES_MAX = 64, NEXT_MAX = 4, MISSING_ROWS_MAX = 1000, CAUSES_MAX = 12 };

struct side { /* one run, read and summed up */
	struct run_samples rs;
	struct summary summary;
	struct run_sum *whole;
	struct report_run report;
	bool read;
};

static enum err_code read_side(struct context *c, uint64_t run_id, struct side *s, struct error *reterr)
{
	enum err_code err = run_samples_read(c->store, run_id, c->arena, &s->rs, reterr);
	if (err != ERR_OK)
		return err;
	s->read = true;
	err = summary_compute(c->arena, &s->rs.samples, 0.95, &s->summary, reterr);
	if (err == ERR_OK)
		err = runs_progress(c->store, &run_id, 1, c->arena, &s->whole, reterr);
	const struct run_row *run = s->rs.run;
	s->report = (struct report_run){ .id = run_id,
		                         .suite = arena_printf(c->arena, "%.*s@%d", STR_ARG(run->suite_name),
		                                               (int)run->suite_version),
		                         .model = run->model_name,
		                         .status = str_from(run_state_name(run->state)),
		                         .reason = err == ERR_OK ? reason_of(c, run, s->whole[0].n) : run->reason,
		                         .samples = &s->rs.samples,
		                         .summary = &s->summary };
	return err;
}

static struct gate read_gate(const struct json *v)
{
	struct gate g = gate_defaults();
	enum gate_rule rule;
	g.name = json_str_or(json_get(v, "name"), STR("gate"));
	g.metric = json_str_or(json_get(v, "metric"), STR(""));
	if (gate_rule_from_name(json_str_or(json_get(v, "rule"), STR("")), &rule))
		g.rule = rule;
	g.by = json_str_or(json_get(v, "by"), STR(""));
	g.margin = json_num_or(json_get(v, "margin"), g.margin);
	g.threshold = json_num_or(json_get(v, "threshold"), g.threshold);
	g.alpha = json_num_or(json_get(v, "alpha"), g.alpha);
	g.missing_share = json_num_or(json_get(v, "missing_share"), g.missing_share);
	return g;
}

/* Gates are asked only with a baseline (INTERFACES.md 2). `doc` keeps the names alive. */
static enum err_code check_gates(struct context *c, const struct side *base, const struct side *cand,
                                 const struct compare *comparison, struct json_doc *doc, struct report *r,
                                 struct error *reterr)
{
	const struct json *gates = json_get(json_root(doc), "gates");
	struct gate_result *results = arena_new(c->arena, GATES_MAX, sizeof(*results));
	for (size_t i = 0; i < json_len(gates) && i < GATES_MAX; i++) {
		struct gate g = read_gate(json_at(gates, i));
		enum err_code err =
			gate_check(c->arena, &g, &base->rs.samples, &cand->rs.samples, comparison, &results[i], reterr);
		if (err != ERR_OK)
			return error_wrap(reterr, err, "gate '%.*s'", STR_ARG(g.name));
		r->gate_count++;
	}
	r->gates = results;
	return ERR_OK;
}

static bool query_id(struct context *c, const char *name, uint64_t *ret_id)
{
	struct str text = server_query(c->request, name);
	*ret_id = 0;
	if (text.len == 0 || router_id(text, ret_id))
		return true;
	reply_problem(c, 422, "invalid", NULL, "%s must be the number of a run, not '%.*s'", name, STR_ARG(text));
	return false;
}

/* The first item worth a look: one that was lost, else one that scored lowest. */
static struct str item_to_show(const struct side *cand, const struct compare *comparison)
{
	const struct samples *s = &cand->rs.samples;
	if (comparison && comparison->flip_count)
		return s->item_id[comparison->flips[0].item_cand];
	size_t worst = 0;
	double lowest = 2e300;
	for (size_t i = 0; i < s->item_count && s->metric_count; i++) {
		struct number score = samples_item_score(s, 0, i);
		if (score.defined && score.value < lowest) {
			lowest = score.value;
			worst = i;
		}
	}
	return s->item_count ? s->item_id[worst] : STR("");
}

/* As a command names the very version that was measured: the newest by the bare name. */
static struct str suite_spec(struct context *c, const struct side *s)
{
	const struct run_row *run = s->rs.run;
	if (run->suite_version == s->rs.suite->version_count)
		return run->suite_name;
	return arena_printf(c->arena, "%.*s@%d", STR_ARG(run->suite_name), (int)run->suite_version);
}

/* Never the very command that asked, and never one that would measure something else than this run did. */
static void suggest(struct context *c, const struct side *cand, uint32_t suite_epochs, struct report *r)
{
	struct str *next = arena_new(c->arena, NEXT_MAX, sizeof(*next));
	const struct run_row *run = cand->rs.run;
	unsigned long long id = cand->report.id;
	struct str item = item_to_show(cand, r->comparison);
	if (run->state == RUN_INCOMPLETE || run->state == RUN_CANCELLED)
		next[r->next_count++] = arena_printf(c->arena, "assay runs retry %llu", id);
	else if (!run_state_ended(run->state))
		next[r->next_count++] = arena_printf(c->arena, "assay runs watch %llu", id);
	if (r->comparison && !r->only_flipped)
		next[r->next_count++] =
			arena_printf(c->arena, "assay compare %llu %llu --by %.*s --only flipped",
		                     (unsigned long long)r->base->id, id, STR_ARG(r->by.len ? r->by : STR("stratum")));
	else if (!r->base)
		next[r->next_count++] =
			arena_printf(c->arena, "assay run %.*s --model %.*s%.*s --again", STR_ARG(suite_spec(c, cand)),
		                     STR_ARG(cand->report.model), STR_ARG(part_flags(c->arena, run, suite_epochs)));
	if (item.len)
		next[r->next_count++] = arena_printf(c->arena, "assay item show %llu %.*s", id, STR_ARG(item));
	next[r->next_count++] = arena_printf(c->arena, "assay runs export %llu", id);
	r->next = next;
}

static void mark_part(struct context *c, const struct side *s, uint32_t suite_epochs, struct report_run *run)
{
	struct str words = part_words(c->arena, s->rs.run, suite_epochs);
	if (words.len)
		run->suite = arena_printf(c->arena, "%.*s [%.*s]", STR_ARG(run->suite), STR_ARG(words));
}

static void fill_report(struct context *c, const struct side *cand, struct report *r)
{
	const struct run_row *run = cand->rs.run;
	r->run = cand->report;
	r->by = server_query(c->request, "by");
	r->only_flipped = str_eq_c(server_query(c->request, "only"), "flipped");
	if (run->started_at_ms && run->ended_at_ms > run->started_at_ms)
		r->elapsed_ms = (uint64_t)(run->ended_at_ms - run->started_at_ms);
	r->paid_twice = cand->whole[0].paid_twice;
	r->paid_twice_more_at_most = cand->whole[0].lost_open;
	r->after_end = cand->whole[0].after_end;
	r->cost_unknown = cand->whole[0].cost_unknown;
	r->no_cost_known = r->cost_unknown > 0 && cand->whole[0].cost_nanousd == 0; /* a free model has a known price */
}

/* The first line's beginning, not cut inside a character. */
static struct str excerpt(struct str evidence)
{
	ptrdiff_t line = str_find_char(evidence, '\n');
	struct str s = line < 0 ? evidence : str_slice(evidence, 0, (size_t)line);
	size_t len = MIN_OF(s.len, (size_t)REPORT_EVIDENCE_BYTES_MAX);
	while (len > 0 && len < s.len && ((unsigned char)s.data[len] & 0xC0) == 0x80)
		len--;
	return str_slice(s, 0, len);
}

struct causes {
	struct report_cause *list;
	size_t count;
	bool cut;
};

/* Why samples are missing, by outcome and class. */
static enum err_code read_causes(struct context *c, uint64_t run_id, struct causes *ret_causes, struct error *reterr)
{
	struct results_missing *rows = NULL;
	size_t count = 0;
	struct report_cause *list = arena_new(c->arena, CAUSES_MAX, sizeof(*list));
	enum err_code err = results_missing(c->store, run_id, MISSING_ROWS_MAX, c->arena, &rows, &count, reterr);
	*ret_causes = (struct causes){ .list = list, .cut = count == MISSING_ROWS_MAX };
	for (size_t i = 0; err == ERR_OK && i < count; i++) {
		size_t at = 0;
		while (at < ret_causes->count &&
		       (list[at].outcome != rows[i].outcome || list[at].error_class != rows[i].error_class))
			at++;
		if (at == CAUSES_MAX) {
			ret_causes->cut = true;
			continue;
		}
		if (at == ret_causes->count)
			list[ret_causes->count++] = (struct report_cause){ .outcome = rows[i].outcome,
				                                           .error_class = rows[i].error_class,
				                                           .evidence = excerpt(rows[i].evidence) };
		list[at].count++;
		if (list[at].item_count < REPORT_CAUSE_ITEMS_MAX)
			list[at].item_id[list[at].item_count++] = rows[i].item_id;
	}
	return err;
}

static enum err_code fill_causes(struct context *c, const struct side *base, const struct side *cand, struct report *r,
                                 struct error *reterr)
{
	struct causes causes;
	enum err_code err = read_causes(c, cand->report.id, &causes, reterr);
	r->causes = causes.list;
	r->cause_count = causes.count;
	r->causes_cut = causes.cut;
	if (err != ERR_OK || !base)
		return err;
	err = read_causes(c, base->report.id, &causes, reterr);
	r->base_causes = causes.list;
	r->base_cause_count = causes.count;
	return err;
}

static void reply_report(struct context *c, const struct report *r, bool comparison)
{
	struct report_style style = { .colour = str_eq_c(server_query(c->request, "color"), "1") };
	uint64_t width;
	if (str_to_u64(server_query(c->request, "width"), &width) && width >= 40 && width <= 400)
		style.width = (unsigned)width;
	buf_clear(&c->response->body);
	c->response->status = 200;
	if (context_wants_text(c)) {
		c->response->type = "text/plain; charset=utf-8";
		if (comparison)
			report_text_compare(r, style, &c->response->body);
		else
			report_text(r, style, &c->response->body);
		return;
	}
	c->response->type = "application/json";
	if (comparison)
		report_json_compare(r, &c->response->body);
	else
		report_json(r, &c->response->body);
}

static void answer_report(struct context *c, struct side *base, struct side *cand, bool must_pair)
{
	struct report r = { 0 };
	struct compare comparison;
	struct json_doc *doc = NULL;
	struct error e;
	enum err_code err = json_parse(cand->rs.suite->definition, &doc, &e);
	bool compared = false;
	if (err == ERR_OK && base) {
		err = compare_runs(c->arena, &base->rs.samples, &cand->rs.samples, compare_defaults(), &comparison, &e);
		compared = err == ERR_OK;
		if (err == ERR_NOT_FOUND && !must_pair) {
			r.not_compared = arena_str(c->arena, str_from(e.text));
			err = ERR_OK;
		} else if (err == ERR_NOT_FOUND) {
			err = error_set(&e, ERR_CONFLICT, "run %llu (%.*s) and run %llu (%.*s) cannot be compared: %s",
			                (unsigned long long)base->report.id, STR_ARG(base->report.suite),
			                (unsigned long long)cand->report.id, STR_ARG(cand->report.suite),
			                arena_str(c->arena, str_from(e.text)).data);
		}
	}
	fill_report(c, cand, &r);
	if (err == ERR_OK)
		err = fill_causes(c, base, cand, &r, &e);
	uint32_t suite_epochs = (uint32_t)json_i64_or(json_pointer(json_root(doc), STR("/generate/epochs")), 1);
	if (context_wants_text(c)) /* a document has these in the run */
		mark_part(c, cand, suite_epochs, &r.run);
	size_t dimension;
	if (err == ERR_OK && r.by.len && !samples_find_dimension(&cand->rs.samples, r.by, &dimension))
		err = error_set(&e, ERR_INVALID, "there is no dimension '%.*s'; there are task and stratum",
		                STR_ARG(r.by));
	if (base) {
		if (context_wants_text(c))
			mark_part(c, base, suite_epochs, &base->report);
		r.base = &base->report;
	}
	if (compared)
		r.comparison = &comparison;
	if (err == ERR_OK && base)
		err = check_gates(c, base, cand, r.comparison, doc, &r, &e);
	if (err == ERR_OK) {
		suggest(c, cand, suite_epochs, &r);
		reply_report(c, &r, must_pair);
	} else {
		reply_error(c, &e);
	}
	json_free(doc);
}

static void read_and_answer(struct context *c, uint64_t base_id, uint64_t cand_id, bool must_pair)
{
	struct side base = { .read = false }, cand = { .read = false };
	struct error e;
	enum err_code err = read_side(c, cand_id, &cand, &e);
	if (err == ERR_OK && base_id)
		err = read_side(c, base_id, &base, &e);
	if (err == ERR_OK)
		answer_report(c, base_id ? &base : NULL, &cand, must_pair);
	else
		reply_error(c, &e);
	if (base.read)
		run_samples_done(&base.rs);
	if (cand.read)
		run_samples_done(&cand.rs);
}

void route_runs_report(struct context *c)
{
	uint64_t cand_id, base_id;
	if (context_run_id(c, 0, &cand_id) && query_id(c, "baseline", &base_id))
		read_and_answer(c, base_id, cand_id, false);
}

void route_compare(struct context *c)
{
	uint64_t cand_id, base_id;
	if (!query_id(c, "base", &base_id) || !query_id(c, "cand", &cand_id))
		return;
	if (base_id == 0 || cand_id == 0)
		reply_problem(c, 422, "invalid", NULL, "name two runs: ?base=ID&cand=ID");
	else
		read_and_answer(c, base_id, cand_id, true);
}
