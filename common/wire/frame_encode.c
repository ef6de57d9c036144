#include "common/base/check.h"
#include "common/wire/frame.h"
#include "common/wire/shape.h"
#include "common/wire/writer.h"

/* The numbers are those of proto/assay.proto; a test holds the bytes to what protobuf-c packs. */

static void put_outbox(struct writer *w, uint32_t field, const struct outbox_id *id)
{
	writer_bytes(w, field, str_make(id->bytes, sizeof(id->bytes)));
}

static void put_lease_no(struct writer *w, struct lease_no number)
{
	writer_u64(w, 1, number.term);
	writer_u64(w, 2, number.n);
}

static void put_held_leases(struct writer *w, const struct msg_held_lease *leases, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct msg_held_lease *l = &leases[i];
		struct writer_mark mark = writer_begin(w, 20, 0);
		put_lease_no(w, l->number);
		writer_u64(w, 3, l->run_id);
		writer_u64(w, 4, l->retry_no);
		writer_u64(w, 5, l->scoring_no);
		writer_u64(w, 10, l->sample_count);
		if (l->sample_nos)
			writer_packed_u64(w, 11, l->sample_nos, l->sample_count, sizeof(uint64_t));
		writer_bytes(w, 12, l->held);
		writer_bytes(w, 13, l->started);
		writer_end(w, mark);
	}
}

static void put_abilities(struct writer *w, const struct msg_hello *m)
{
	for (size_t i = 0; i < m->provider_count; i++)
		writer_text_present(w, 11, m->providers[i]);
	for (size_t i = 0; i < m->alias_count; i++) {
		struct writer_mark mark = writer_begin(w, 12, 0);
		writer_text(w, 1, m->aliases[i].name);
		writer_hash(w, 2, &m->aliases[i].digest);
		writer_end(w, mark);
	}
	for (size_t i = 0; i < m->allowed_host_count; i++)
		writer_text_present(w, 13, m->allowed_hosts[i]);
	for (size_t i = 0; i < m->host_count; i++) {
		struct writer_mark mark = writer_begin(w, 14, 0);
		writer_text(w, 1, m->hosts[i].command);
		writer_u64(w, 2, m->hosts[i].slots);
		writer_end(w, mark);
	}
}

static void put_hello(struct writer *w, const struct msg_hello *m)
{
	writer_u64(w, 1, m->version_min);
	writer_u64(w, 2, m->version_max);
	writer_fixed64(w, 3, m->session);
	put_outbox(w, 4, &m->outbox);
	writer_text(w, 5, m->name);
	writer_text(w, 6, m->build);
	writer_u64(w, 7, m->term_seen);
	writer_bool(w, 8, m->draining);
	writer_u64(w, 10, m->slots);
	put_abilities(w, m);
	put_held_leases(w, m->leases, m->lease_count);
	if (m->answer_count == 0)
		return;
	size_t stride = sizeof(*m->answers);
	writer_packed_u64(w, 30, &m->answers->run_id, m->answer_count, stride);
	writer_packed_u64(w, 31, &m->answers->sample_no, m->answer_count, stride);
	writer_packed_fixed64(w, 32, &m->answers->ask_id, m->answer_count, stride);
	writer_packed_u32(w, 33, &m->answers->retry_no, m->answer_count, stride);
	writer_packed_u32(w, 34, &m->answers->scoring_no, m->answer_count, stride);
}

static void put_renew(struct writer *w, const struct msg_renew *m)
{
	writer_u64(w, 1, m->renew_no);
	writer_u64(w, 2, m->frame_seen);
	writer_u64(w, 3, m->wanted);
	for (size_t i = 0; i < m->route_count; i++) {
		struct writer_mark mark = writer_begin(w, 10, 0);
		writer_u64(w, 1, m->routes[i].route_id);
		writer_u64(w, 2, m->routes[i].slots);
		writer_u64(w, 3, m->routes[i].in_flight);
		writer_u64(w, 4, m->routes[i].wanted);
		writer_end(w, mark);
	}
	put_held_leases(w, m->leases, m->lease_count);
	writer_u64(w, 30, m->loop_lag_ms);
	writer_u64(w, 31, m->memory_bytes);
	writer_bool(w, 32, m->outbox_fails);
}

static void put_scores(struct writer *w, const struct msg_record *r)
{
	for (size_t i = 0; i < r->score_count; i++) {
		const struct msg_score *s = &r->scores[i];
		struct writer_mark mark = writer_begin(w, 40, s->explanation.len);
		writer_u64(w, 1, s->metric);
		if (s->has_value)
			writer_double_present(w, 2, s->value);
		writer_text(w, 3, s->reason);
		writer_bytes(w, 4, s->explanation);
		writer_bytes(w, 5, s->extracted);
		writer_end(w, mark);
	}
}

static void put_record(struct writer *w, const struct msg_record *r)
{
	writer_u64(w, 1, r->kind);
	writer_u64(w, 2, r->record_no);
	writer_u64(w, 3, r->run_id);
	writer_u64(w, 4, r->sample_no);
	writer_fixed64(w, 5, r->ask_id);
	writer_u64(w, 6, r->retry_no);
	writer_u64(w, 7, r->scoring_no);
	writer_u64(w, 10, r->outcome);
	writer_u64(w, 11, r->flags);
	writer_u64(w, 12, r->error_class);
	writer_bool(w, 13, r->given_up);
	writer_u64(w, 14, r->attempt_count);
	writer_u64(w, 15, (uint32_t)r->http_status);
	if (r->retry_after_ms >= 0)
		writer_u64_present(w, 16, (uint64_t)r->retry_after_ms);
	writer_u64(w, 20, r->tokens_in);
	writer_u64(w, 21, r->tokens_cached);
	writer_u64(w, 22, r->tokens_out);
	writer_u64(w, 23, r->tokens_reasoning);
	if (r->cost_nanousd >= 0)
		writer_u64_present(w, 24, (uint64_t)r->cost_nanousd);
	writer_u64(w, 25, r->latency_ms);
	writer_u64(w, 26, r->first_byte_ms);
	writer_u64(w, 27, (uint64_t)r->at_ms);
	writer_text(w, 30, r->returned_model);
	writer_text(w, 31, r->fingerprint);
	writer_text(w, 32, r->request_id);
	writer_text(w, 33, r->stop_reason);
	put_scores(w, r);
	writer_bytes(w, 50, r->request);
	writer_bytes(w, 51, r->response);
	writer_bytes(w, 52, r->answer);
	writer_bytes(w, 53, r->evidence);
}

static void put_results(struct writer *w, const struct msg_results *m)
{
	for (size_t i = 0; i < m->record_count; i++) {
		struct writer_mark mark = writer_begin(w, 1, m->records[i].response.len);
		put_record(w, &m->records[i]);
		writer_end(w, mark);
	}
}

static void put_released(struct writer *w, const struct msg_released *m)
{
	put_lease_no(w, m->number);
	writer_u64(w, 3, m->cause);
	if (m->sample_count == 0)
		return;
	writer_packed_u32(w, 10, &m->samples->index, m->sample_count, sizeof(*m->samples));
	writer_packed_fixed64(w, 11, &m->samples->ask_id, m->sample_count, sizeof(*m->samples));
}

static void put_refused_leases(struct writer *w, const struct lease_no *refused, size_t count)
{
	if (count == 0)
		return;
	writer_packed_u64(w, 20, &refused->term, count, sizeof(*refused));
	writer_packed_u64(w, 21, &refused->n, count, sizeof(*refused));
}

static void put_welcome(struct writer *w, const struct msg_welcome *m)
{
	writer_u64(w, 1, m->version);
	writer_u64(w, 2, m->term);
	writer_u64(w, 3, m->timeline);
	writer_fixed64(w, 4, m->session);
	writer_u64(w, 10, m->renew_ms);
	writer_u64(w, 11, m->lease_ms);
	writer_u64(w, 12, m->resend_ms);
	writer_u64(w, 13, m->window_frames);
	writer_u64(w, 14, m->window_bytes);
	put_refused_leases(w, m->refused, m->refused_count);
	writer_bytes(w, 30, str_make(m->answers, m->answer_count));
}

static void put_refused(struct writer *w, const struct msg_refused *m)
{
	writer_u64(w, 1, m->cause);
	writer_text(w, 2, m->text);
	writer_text(w, 3, m->leader);
}

static void put_renewed(struct writer *w, const struct msg_renewed *m)
{
	writer_u64(w, 1, m->renew_no);
	writer_u64(w, 2, m->term);
	writer_u64(w, 3, m->timeline);
	writer_u64(w, 10, m->lease_ms);
	put_refused_leases(w, m->refused, m->refused_count);
}

static void put_lease(struct writer *w, const struct msg_lease *m)
{
	put_lease_no(w, m->number);
	writer_u64(w, 3, m->deadline_ms);
	writer_u64(w, 10, m->run_id);
	writer_u64(w, 11, m->route_id);
	writer_u64(w, 12, m->retry_no);
	writer_u64(w, 13, m->scoring_no);
	writer_hash(w, 14, &m->context_hash);
	writer_text(w, 15, m->context);
	writer_bool(w, 16, m->alone);
	writer_packed_u64(w, 20, m->sample_nos, m->sample_count, sizeof(uint64_t));
	writer_packed_u32(w, 21, m->attempts_left, m->sample_count, sizeof(uint32_t));
	writer_packed_u32(w, 22, m->time_left_ms, m->sample_count, sizeof(uint32_t));
	writer_packed_u32(w, 23, m->item_ends, m->sample_count, sizeof(uint32_t));
	writer_bytes(w, 24, m->items);
}

static void put_commit(struct writer *w, const struct msg_commit *m)
{
	put_outbox(w, 1, &m->outbox);
	if (m->range_count == 0)
		return;
	writer_packed_u64(w, 10, &m->ranges->first, m->range_count, sizeof(*m->ranges));
	writer_packed_u64(w, 11, &m->ranges->last, m->range_count, sizeof(*m->ranges));
}

static void put_release(struct writer *w, const struct msg_release *m)
{
	put_lease_no(w, m->number);
	writer_packed_u32(w, 10, m->indexes, m->index_count, sizeof(uint32_t));
}

static void put_revoke(struct writer *w, const struct msg_revoke *m)
{
	put_lease_no(w, m->number);
	writer_bool(w, 3, m->abandon);
}

static void put_grant(struct writer *w, const struct msg_grant *m)
{
	writer_u64(w, 1, m->route_id);
	writer_u64(w, 2, m->slots);
	writer_u64(w, 3, m->pause_ms);
}

static void put_blob_want(struct writer *w, const struct msg_blob_want *m)
{
	writer_hash(w, 1, &m->hash);
	writer_u64(w, 2, m->offset);
}

static void put_blob(struct writer *w, const struct msg_blob *m)
{
	writer_hash(w, 1, &m->hash);
	writer_u64(w, 2, m->offset);
	writer_bytes(w, 3, m->bytes);
	writer_bool(w, 4, m->last);
}

/* Writes the body and says which field of Frame it is. */
static uint32_t put_body(struct writer *w, const struct msg *m)
{
	switch (m->kind) {
	case MSG_HELLO:
		put_hello(w, &m->hello);
		return 10;
	case MSG_RENEW:
		put_renew(w, &m->renew);
		return 11;
	case MSG_RESULTS:
		put_results(w, &m->results);
		return 12;
	case MSG_RELEASED:
		put_released(w, &m->released);
		return 13;
	case MSG_WELCOME:
		put_welcome(w, &m->welcome);
		return 20;
	case MSG_REFUSED:
		put_refused(w, &m->refused);
		return 21;
	case MSG_RENEWED:
		put_renewed(w, &m->renewed);
		return 22;
	case MSG_LEASE:
		put_lease(w, &m->lease);
		return 23;
	case MSG_COMMIT:
		put_commit(w, &m->commit);
		return 24;
	case MSG_RELEASE:
		put_release(w, &m->release);
		return 25;
	case MSG_REVOKE:
		put_revoke(w, &m->revoke);
		return 26;
	case MSG_GRANT:
		put_grant(w, &m->grant);
		return 27;
	case MSG_DRAIN:
		writer_text(w, 1, m->drain.reason);
		return 28;
	case MSG_BLOB_WANT:
		put_blob_want(w, &m->blob_want);
		return 40;
	case MSG_BLOB:
		put_blob(w, &m->blob);
		return 41;
	case MSG_KIND_COUNT:
		break;
	}
	check_msg(false, "shape_check let kind %d through", (int)m->kind);
	return 0;
}

static void put_envelope(struct writer *w, const struct msg *m, uint32_t body_field, size_t body_len)
{
	writer_u64(w, 1, WIRE_VERSION_MAX);
	writer_u64(w, 2, m->number);
	writer_fixed64(w, 3, m->session);
	writer_begin_sized(w, body_field, body_len);
}

/* Room for exactly `len` more bytes, or an error that leaves `out` as it was. */
static enum err_code make_room(struct buf *out, size_t len, struct error *reterr)
{
	if (out->failed || len > WIRE_FRAME_BYTES_MAX || len > out->max - out->len)
		return error_set(reterr, ERR_LIMIT, "%zu bytes do not fit into a frame", len);
	return buf_reserve(out, len) ? ERR_OK : error_set(reterr, ERR_NOMEM, "%zu bytes for a frame", len);
}

static void finish(struct buf *out, const struct writer *w, size_t len)
{
	check_msg(w->len == len, "counted %zu bytes, wrote %zu", len, w->len);
	out->len += len;
	out->data[out->len] = '\0';
}

enum err_code frame_encode(const struct msg *m, struct buf *out, struct error *reterr)
{
	enum err_code err = shape_check(m, reterr);
	if (err)
		return error_wrap(reterr, err == ERR_LIMIT ? ERR_LIMIT : ERR_INVALID, "cannot send");
	struct writer body = { 0 }, total = { 0 };
	uint32_t body_field = put_body(&body, m);
	put_envelope(&total, m, body_field, body.len);
	size_t len = total.len + body.len;
	err = make_room(out, len, reterr);
	if (err)
		return error_wrap(reterr, err, "cannot send %s", msg_kind_name(m->kind));
	struct writer w = { out->data + out->len, 0 };
	put_envelope(&w, m, body_field, body.len);
	(void)put_body(&w, m); /* the field is known from the count */
	finish(out, &w, len);
	return ERR_OK;
}

enum err_code frame_record_encode(const struct msg_record *r, struct buf *out, struct error *reterr)
{
	enum err_code err = shape_check_record(r, reterr);
	if (err)
		return error_wrap(reterr, err == ERR_LIMIT ? ERR_LIMIT : ERR_INVALID, "cannot keep a record");
	struct writer count = { 0 };
	put_record(&count, r);
	err = make_room(out, count.len, reterr);
	if (err)
		return err;
	struct writer w = { out->data + out->len, 0 };
	put_record(&w, r);
	finish(out, &w, count.len);
	return ERR_OK;
}

size_t frame_record_bytes(const struct msg_record *r)
{
	struct writer w = { 0 };
	struct writer_mark mark = writer_begin(&w, 1, r->response.len);
	put_record(&w, r);
	writer_end(&w, mark);
	return w.len;
}
