#include "common/wire/decode.h"

static bool lease_no_list(struct decode *d, const uint64_t *terms, size_t term_count, const uint64_t *ns,
                          size_t n_count, const struct lease_no **ret_list)
{
	if (term_count != n_count)
		return decode_fail(d, ERR_CORRUPT, "refused_terms and refused_ns differ in length");
	struct lease_no *list;
	if (!decode_list(d, n_count, sizeof(*list), &list))
		return false;
	for (size_t i = 0; i < n_count; i++)
		list[i] = (struct lease_no){ terms[i], ns[i] };
	*ret_list = list;
	return true;
}

bool decode_welcome(struct decode *d, const Assay__Wire__Welcome *p, struct msg_welcome *m)
{
	*m = (struct msg_welcome){
		.version = p->version,
		.term = p->term,
		.timeline = p->timeline,
		.session = p->session,
		.renew_ms = p->renew_ms,
		.lease_ms = p->lease_ms,
		.resend_ms = p->resend_ms,
		.window_frames = p->window_frames,
		.window_bytes = p->window_bytes,
		.refused_count = p->n_refused_ns,
		.answers = p->answers.len ? p->answers.data : NULL,
		.answer_count = p->answers.len,
	};
	return lease_no_list(d, p->refused_terms, p->n_refused_terms, p->refused_ns, p->n_refused_ns, &m->refused);
}

bool decode_renewed(struct decode *d, const Assay__Wire__Renewed *p, struct msg_renewed *m)
{
	*m = (struct msg_renewed){
		.renew_no = p->renew_no,
		.term = p->term,
		.timeline = p->timeline,
		.lease_ms = p->lease_ms,
		.refused_count = p->n_refused_ns,
	};
	return lease_no_list(d, p->refused_terms, p->n_refused_terms, p->refused_ns, p->n_refused_ns, &m->refused);
}

bool decode_lease(struct decode *d, const Assay__Wire__Lease *p, struct msg_lease *m)
{
	size_t count = p->n_sample_nos;
	if (p->n_attempts_left != count || p->n_time_left_ms != count || p->n_item_ends != count)
		return decode_fail(d, ERR_CORRUPT, "Lease: columns of different length");
	*m = (struct msg_lease){
		.number = { p->term, p->n },
		.deadline_ms = p->deadline_ms,
		.run_id = p->run_id,
		.route_id = p->route_id,
		.retry_no = p->retry_no,
		.scoring_no = p->scoring_no,
		.context = str_from(p->context),
		.alone = p->alone,
		.sample_count = count,
		.sample_nos = p->sample_nos,
		.attempts_left = p->attempts_left,
		.time_left_ms = p->time_left_ms,
		.item_ends = p->item_ends,
		.items = decode_bytes(p->items),
	};
	return decode_hash(d, p->context_hash, "Lease.context_hash", &m->context_hash);
}

bool decode_commit(struct decode *d, const Assay__Wire__Commit *p, struct msg_commit *m)
{
	if (p->n_firsts != p->n_lasts)
		return decode_fail(d, ERR_CORRUPT, "Commit: firsts and lasts differ in length");
	struct record_range *ranges;
	if (!decode_list(d, p->n_firsts, sizeof(*ranges), &ranges))
		return false;
	for (size_t i = 0; i < p->n_firsts; i++)
		ranges[i] = (struct record_range){ p->firsts[i], p->lasts[i] };
	m->ranges = ranges;
	m->range_count = p->n_firsts;
	return decode_outbox(d, p->outbox, &m->outbox);
}
