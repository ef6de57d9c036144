/* The provider, and the texts that need not be: replies are a status and a letter. */
#include "tests/simulation/world.h"

uint64_t vendor_latency_ms(struct world *w, uint64_t run_id)
{
	const struct plan_route *r = &w->plan.routes[w->plan.runs[run_id - 1].route];
	uint64_t latency_ms = r->latency_ms / 2 + rng_below(&w->rng, r->latency_ms + 1);
	for (uint64_t worse = 8; world_chance(w, r->tail_per_mille) && worse <= 512; worse *= 8)
		latency_ms *= 8;
	return MIN_OF(MAX_OF(latency_ms, UINT64_C(1)), UINT64_C(60000));
}

static const struct plan_storm *storm_now(struct world *w, const struct plan_route *r)
{
	for (size_t i = 0; i < r->storm_count; i++) {
		const struct plan_storm *s = &r->storms[i];
		if (w->now_ms >= s->from_ms && w->now_ms < s->to_ms && world_chance(w, s->per_mille))
			return s;
	}
	return NULL;
}

static bool often(const struct exec_key *key, uint32_t per_mille)
{
	return rng_mix(key->sample_no ^ key->run_id << 32 ^ (uint64_t)key->retry_no << 48) % 1000 < per_mille;
}

void vendor_reply(struct world *w, const struct exec_key *key, struct provider_reply *reply)
{
	static const struct str seconds[] = { STR_INIT("0"), STR_INIT("1"), STR_INIT("2"), STR_INIT("3") };
	const struct plan_run *run = &w->plan.runs[key->run_id - 1];
	const struct plan_route *route = &w->plan.routes[run->route];
	const struct plan_storm *storm = storm_now(w, route);
	*reply = (struct provider_reply){ .status = 200, .body = STR("a") };
	if (storm) {
		reply->status = storm->status;
		if (storm->retry_after_ms >= 0)
			reply->headers = seconds[storm->retry_after_ms / 1000];
	} else if (oracle_sample(w, key->run_id, key->sample_no)->broken) {
		reply->status = key->sample_no % 2 ? 400 : 500;
	} else if (world_chance(w, route->fail_per_mille)) {
		if (world_chance(w, 500))
			reply->status = 500;
		else
			reply->transport = world_chance(w, 500) ? CLASS_TIMEOUT : CLASS_CONNECT;
	} else if (often(key, run->unscored_per_mille)) {
		reply->body = STR("u");
	}
}

static enum err_code build(const struct exec_key *key, struct buf *url, struct buf *headers, struct buf *body,
                           struct error *reterr)
{
	(void)key;
	(void)url;
	(void)headers;
	(void)body;
	(void)reterr;
	return ERR_OK;
}

static enum error_class class_of(const struct provider_reply *reply)
{
	if (reply->transport != CLASS_NONE)
		return reply->transport;
	switch (reply->status) {
	case 429:
		return CLASS_RATE_LIMITED;
	case 503:
		return CLASS_OVERLOADED;
	case 500:
		return CLASS_SERVER;
	case 400:
		return CLASS_BAD_REQUEST;
	default:
		return CLASS_NONE;
	}
}

static void read_reply(const struct exec_key *key, const struct provider_reply *reply, struct provider_answer *answer)
{
	(void)key;
	enum error_class class = class_of(reply);
	*answer = (struct provider_answer){ .answered = class == CLASS_NONE,
		                            .text = class == CLASS_NONE ? reply->body : STR(""),
		                            .stop = PROVIDER_STOP_STOP,
		                            .usage = { -1, -1, -1, -1 },
		                            .error_class = class,
		                            .error_text = class == CLASS_NONE ? STR("") : STR("failed"),
		                            .retry = error_class_retry(class),
		                            .retry_after_ms = -1 };
	if (reply->headers.len == 1)
		answer->retry_after_ms = (reply->headers.data[0] - '0') * 1000;
}

static void score(const struct exec_key *key, struct str answer, struct score *ret_score)
{
	(void)key;
	bool fine = str_eq(answer, STR("a"));
	*ret_score = (struct score){ .has_value = fine, .value = fine, .reason = fine ? STR("") : STR("no_target") };
}

const struct exec_content vendor_content = { build, read_reply, score };
