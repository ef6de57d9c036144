#include "common/wire/decode.h"
#include <string.h>

static bool text_list(struct decode *d, char *const *texts, size_t count, const struct str **ret_list)
{
	struct str *list;
	if (!decode_list(d, count, sizeof(*list), &list))
		return false;
	for (size_t i = 0; i < count; i++)
		list[i] = str_from(texts[i]);
	*ret_list = list;
	return true;
}

static bool alias_list(struct decode *d, const Assay__Wire__Hello *p, struct msg_hello *m)
{
	struct msg_alias *list;
	if (!decode_list(d, p->n_aliases, sizeof(*list), &list))
		return false;
	for (size_t i = 0; i < p->n_aliases; i++) {
		list[i].name = str_from(p->aliases[i]->name);
		if (!decode_hash(d, p->aliases[i]->digest, "Hello.aliases: digest", &list[i].digest))
			return false;
	}
	m->aliases = list;
	m->alias_count = p->n_aliases;
	return true;
}

static bool host_list(struct decode *d, const Assay__Wire__Hello *p, struct msg_hello *m)
{
	struct msg_host *list;
	if (!decode_list(d, p->n_hosts, sizeof(*list), &list))
		return false;
	for (size_t i = 0; i < p->n_hosts; i++)
		list[i] = (struct msg_host){ str_from(p->hosts[i]->command), p->hosts[i]->slots };
	m->hosts = list;
	m->host_count = p->n_hosts;
	return true;
}

static bool held_list(struct decode *d, Assay__Wire__HeldLease *const *leases, size_t count,
                      const struct msg_held_lease **ret_list)
{
	struct msg_held_lease *list;
	if (!decode_list(d, count, sizeof(*list), &list))
		return false;
	for (size_t i = 0; i < count; i++) {
		const Assay__Wire__HeldLease *p = leases[i];
		if (p->n_sample_nos != 0 && p->n_sample_nos != p->sample_count)
			return decode_fail(d, ERR_CORRUPT, "leases: sample_nos and sample_count differ");
		list[i] = (struct msg_held_lease){
			.number = { p->term, p->n },
			.run_id = p->run_id,
			.retry_no = p->retry_no,
			.scoring_no = p->scoring_no,
			.sample_nos = p->n_sample_nos ? p->sample_nos : NULL,
			.sample_count = p->sample_count,
			.held = decode_bytes(p->held),
			.started = decode_bytes(p->started),
		};
	}
	*ret_list = list;
	return true;
}

static bool answer_list(struct decode *d, const Assay__Wire__Hello *p, struct msg_hello *m)
{
	size_t count = p->n_answer_run_ids;
	if (p->n_answer_sample_nos != count || p->n_answer_ask_ids != count || p->n_answer_retry_nos != count ||
	    p->n_answer_scoring_nos != count)
		return decode_fail(d, ERR_CORRUPT, "Hello.answer_*: columns of different length");
	struct msg_answer_ref *list;
	if (!decode_list(d, count, sizeof(*list), &list))
		return false;
	for (size_t i = 0; i < count; i++)
		list[i] = (struct msg_answer_ref){
			.run_id = p->answer_run_ids[i],
			.sample_no = p->answer_sample_nos[i],
			.ask_id = p->answer_ask_ids[i],
			.retry_no = p->answer_retry_nos[i],
			.scoring_no = p->answer_scoring_nos[i],
		};
	m->answers = list;
	m->answer_count = count;
	return true;
}

bool decode_hello(struct decode *d, const Assay__Wire__Hello *p, struct msg_hello *m)
{
	*m = (struct msg_hello){
		.version_min = p->version_min,
		.version_max = p->version_max,
		.session = p->session,
		.name = str_from(p->name),
		.build = str_from(p->build),
		.slots = p->slots,
		.provider_count = p->n_providers,
		.allowed_host_count = p->n_allowed_hosts,
		.lease_count = p->n_leases,
		.term_seen = p->term_seen,
		.draining = p->draining,
	};
	return decode_outbox(d, p->outbox, &m->outbox) && text_list(d, p->providers, p->n_providers, &m->providers) &&
	       text_list(d, p->allowed_hosts, p->n_allowed_hosts, &m->allowed_hosts) && alias_list(d, p, m) &&
	       host_list(d, p, m) && held_list(d, p->leases, p->n_leases, &m->leases) && answer_list(d, p, m);
}

bool decode_renew(struct decode *d, const Assay__Wire__Renew *p, struct msg_renew *m)
{
	struct msg_route_use *routes;
	if (!decode_list(d, p->n_routes, sizeof(*routes), &routes))
		return false;
	for (size_t i = 0; i < p->n_routes; i++) {
		const Assay__Wire__RouteUse *r = p->routes[i];
		routes[i] = (struct msg_route_use){ r->route_id, r->slots, r->in_flight, r->wanted };
	}
	*m = (struct msg_renew){
		.renew_no = p->renew_no,
		.frame_seen = p->frame_seen,
		.wanted = p->wanted,
		.routes = routes,
		.route_count = p->n_routes,
		.lease_count = p->n_leases,
		.loop_lag_ms = p->loop_lag_ms,
		.memory_bytes = p->memory_bytes,
		.outbox_fails = p->outbox_fails,
	};
	return held_list(d, p->leases, p->n_leases, &m->leases);
}

static bool score_list(struct decode *d, const Assay__Wire__Record *p, struct msg_record *m)
{
	struct msg_score *list;
	if (!decode_list(d, p->n_scores, sizeof(*list), &list))
		return false;
	for (size_t i = 0; i < p->n_scores; i++) {
		const Assay__Wire__Score *s = p->scores[i];
		bool has_value = s->has_value_case == ASSAY__WIRE__SCORE__HAS_VALUE_VALUE;
		list[i] = (struct msg_score){
			.metric = s->metric,
			.has_value = has_value,
			.value = has_value ? s->value : 0,
			.reason = str_from(s->reason),
			.explanation = decode_bytes(s->explanation),
			.extracted = decode_bytes(s->extracted),
		};
	}
	m->scores = list;
	m->score_count = p->n_scores;
	return true;
}

/* What is over INT64_MAX comes out as less than -1, which shape_check refuses. */
static int64_t or_unknown(bool is_there, uint64_t value)
{
	if (!is_there)
		return -1;
	return value > INT64_MAX ? INT64_MIN : (int64_t)value;
}

bool decode_record(struct decode *d, const Assay__Wire__Record *p, struct msg_record *m)
{
	*m = (struct msg_record){
		.kind = (enum record_kind)p->kind,
		.record_no = p->record_no,
		.run_id = p->run_id,
		.sample_no = p->sample_no,
		.ask_id = p->ask_id,
		.retry_no = p->retry_no,
		.scoring_no = p->scoring_no,
		.outcome = (enum outcome)p->outcome,
		.flags = p->flags,
		.error_class = (enum error_class)p->error_class,
		.given_up = p->given_up,
		.attempt_count = p->attempt_count,
		.http_status = p->http_status > INT32_MAX ? -1 : (int32_t)p->http_status,
		.tokens_in = p->tokens_in,
		.tokens_cached = p->tokens_cached,
		.tokens_out = p->tokens_out,
		.tokens_reasoning = p->tokens_reasoning,
		.latency_ms = p->latency_ms,
		.first_byte_ms = p->first_byte_ms,
		.at_ms = p->at_ms,
		.returned_model = str_from(p->returned_model),
		.fingerprint = str_from(p->fingerprint),
		.request_id = str_from(p->request_id),
		.stop_reason = str_from(p->stop_reason),
		.request = decode_bytes(p->request),
		.response = decode_bytes(p->response),
		.answer = decode_bytes(p->answer),
		.evidence = decode_bytes(p->evidence),
	};
	bool has_retry = p->has_retry_after_case == ASSAY__WIRE__RECORD__HAS_RETRY_AFTER_RETRY_AFTER_MS;
	m->retry_after_ms = or_unknown(has_retry, has_retry ? p->retry_after_ms : 0);
	bool has_cost = p->has_cost_case == ASSAY__WIRE__RECORD__HAS_COST_COST_NANOUSD;
	m->cost_nanousd = or_unknown(has_cost, has_cost ? p->cost_nanousd : 0);
	return score_list(d, p, m);
}

bool decode_results(struct decode *d, const Assay__Wire__Results *p, struct msg_results *m)
{
	struct msg_record *records;
	if (!decode_list(d, p->n_records, sizeof(*records), &records))
		return false;
	for (size_t i = 0; i < p->n_records; i++)
		if (!decode_record(d, p->records[i], &records[i]))
			return false;
	*m = (struct msg_results){ records, p->n_records };
	return true;
}

bool decode_released(struct decode *d, const Assay__Wire__Released *p, struct msg_released *m)
{
	if (p->n_indexes != p->n_ask_ids)
		return decode_fail(d, ERR_CORRUPT, "Released: indexes and ask_ids differ in length");
	struct msg_released_sample *samples;
	if (!decode_list(d, p->n_indexes, sizeof(*samples), &samples))
		return false;
	for (size_t i = 0; i < p->n_indexes; i++)
		samples[i] = (struct msg_released_sample){ p->indexes[i], p->ask_ids[i] };
	*m = (struct msg_released){ { p->term, p->n }, (enum release_cause)p->cause, samples, p->n_indexes };
	return true;
}
