#include "common/wire/shape.h"
#include "common/base/bits.h"
#include <math.h>

static enum err_code corrupt(struct error *reterr, const char *what)
{
	return error_set(reterr, ERR_CORRUPT, "%s", what);
}

static enum err_code count_within(size_t count, size_t max, const char *what, struct error *reterr)
{
	return count > max ? error_set(reterr, ERR_LIMIT, "%s: %zu, over %zu", what, count, max) : ERR_OK;
}

static enum err_code name_within(struct str name, const char *what, struct error *reterr)
{
	return name.len > WIRE_NAME_BYTES_MAX
	               ? error_set(reterr, ERR_LIMIT, "%s: %zu bytes, over %d", what, name.len, WIRE_NAME_BYTES_MAX)
	               : ERR_OK;
}

static enum err_code names_within(const struct str *names, size_t count, const char *what, struct error *reterr)
{
	enum err_code err = count_within(count, WIRE_ABILITIES_MAX, what, reterr);
	for (size_t i = 0; i < count && !err; i++)
		err = name_within(names[i], what, reterr);
	return err;
}

static bool enum_within(uint32_t value, uint32_t count)
{
	return value > 0 && value < count;
}

/* Empty stands for all clear; else exactly as long as the lease, and clear past its end. */
static bool bitmap_fits(struct str bitmap, size_t count)
{
	if (bitmap.len == 0)
		return true;
	if (bitmap.len != bits_byte_len(count))
		return false;
	for (size_t i = count; i < bitmap.len * 8; i++)
		if (bits_in(bitmap, i))
			return false;
	return true;
}

static enum err_code check_held(const struct msg_held_lease *leases, size_t count, bool names_samples,
                                struct error *reterr)
{
	enum err_code err = count_within(count, WIRE_HELD_LEASES_MAX, "leases", reterr);
	for (size_t i = 0; i < count && !err; i++) {
		const struct msg_held_lease *l = &leases[i];
		if (l->sample_count == 0 || (l->sample_nos != NULL) != names_samples)
			err = corrupt(reterr, names_samples ? "leases: one without its samples"
			                                    : "leases: one of no samples, or that lists them");
		else if (!bitmap_fits(l->held, l->sample_count) || !bitmap_fits(l->started, l->sample_count))
			err = corrupt(reterr, "leases: a bitmap that is not as long as its lease");
		else
			err = count_within(l->sample_count, WIRE_LEASE_SAMPLES_MAX, "samples of a lease", reterr);
	}
	return err;
}

static enum err_code check_hello(const struct msg_hello *m, struct error *reterr)
{
	enum err_code err = name_within(m->name, "name", reterr);
	if (!err)
		err = name_within(m->build, "build", reterr);
	if (!err)
		err = names_within(m->providers, m->provider_count, "providers", reterr);
	if (!err)
		err = names_within(m->allowed_hosts, m->allowed_host_count, "allowed_hosts", reterr);
	if (!err)
		err = count_within(m->alias_count, WIRE_ABILITIES_MAX, "aliases", reterr);
	for (size_t i = 0; i < m->alias_count && !err; i++)
		err = name_within(m->aliases[i].name, "aliases", reterr);
	if (!err)
		err = count_within(m->host_count, WIRE_ABILITIES_MAX, "hosts", reterr);
	for (size_t i = 0; i < m->host_count && !err; i++)
		err = name_within(m->hosts[i].command, "hosts", reterr);
	if (!err)
		err = count_within(m->answer_count, WIRE_HELD_ANSWERS_MAX, "answers", reterr);
	if (!err && (m->version_min == 0 || m->version_min > m->version_max))
		err = corrupt(reterr, "versions: the lowest is 0 or over the highest");
	return err ? err : check_held(m->leases, m->lease_count, true, reterr);
}

static enum err_code check_renew(const struct msg_renew *m, struct error *reterr)
{
	enum err_code err = count_within(m->route_count, WIRE_ROUTES_MAX, "routes", reterr);
	return err ? err : check_held(m->leases, m->lease_count, false, reterr);
}

static enum err_code check_scores(const struct msg_record *r, struct error *reterr)
{
	for (size_t i = 0; i < r->score_count; i++)
		if (r->scores[i].has_value && !isfinite(r->scores[i].value))
			return corrupt(reterr, "scores: a value that is not a finite number");
	return count_within(r->score_count, WIRE_SCORES_MAX, "scores", reterr);
}

enum err_code shape_check_record(const struct msg_record *r, struct error *reterr)
{
	if (!enum_within(r->kind, RECORD_RAW + 1))
		return corrupt(reterr, "kind: no record that this version knows");
	if ((uint32_t)r->outcome >= OUTCOME_COUNT || (uint32_t)r->error_class >= CLASS_COUNT)
		return corrupt(reterr, "outcome or error_class: none that this version knows");
	if (r->kind == RECORD_RESULT && r->outcome != OUTCOME_SCORED && r->outcome != OUTCOME_UNSCORED)
		return corrupt(reterr, "outcome: a result is scored or unscored");
	if (r->kind == RECORD_ATTEMPT && r->error_class == CLASS_NONE)
		return corrupt(reterr, "error_class: a failed attempt without its class");
	if (r->http_status < 0 || r->retry_after_ms < -1 || r->cost_nanousd < -1 || r->at_ms < 0)
		return corrupt(reterr, "http_status, retry_after_ms, cost_nanousd or at_ms: negative");
	return check_scores(r, reterr);
}

static enum err_code check_results(const struct msg_results *m, struct error *reterr)
{
	enum err_code err = count_within(m->record_count, WIRE_RESULTS_RECORDS_MAX, "records", reterr);
	for (size_t i = 0; i < m->record_count && !err; i++) {
		err = shape_check_record(&m->records[i], reterr);
		if (err)
			(void)error_wrap(reterr, err, "record %zu", i); /* err is handed on below */
	}
	return err;
}

static enum err_code check_released(const struct msg_released *m, struct error *reterr)
{
	if (!enum_within(m->cause, RELEASE_ABANDONED + 1))
		return corrupt(reterr, "cause: none that this version knows");
	for (size_t i = 0; i < m->sample_count; i++)
		if (m->samples[i].index >= WIRE_LEASE_SAMPLES_MAX)
			return corrupt(reterr, "samples: an index that no lease can have");
	return count_within(m->sample_count, WIRE_LEASE_SAMPLES_MAX, "samples", reterr);
}

static enum err_code check_welcome(const struct msg_welcome *m, struct error *reterr)
{
	for (size_t i = 0; i < m->answer_count; i++)
		if (!enum_within(m->answers[i], ANSWER_DROP + 1))
			return corrupt(reterr, "answers: a verdict that this version does not know");
	enum err_code err = count_within(m->answer_count, WIRE_HELD_ANSWERS_MAX, "answers", reterr);
	return err ? err : count_within(m->refused_count, WIRE_HELD_LEASES_MAX, "refused", reterr);
}

static enum err_code check_refused(const struct msg_refused *m, struct error *reterr)
{
	if (!enum_within(m->cause, REFUSE_STOPPING + 1))
		return corrupt(reterr, "cause: none that this version knows");
	return name_within(m->leader, "leader", reterr);
}

static enum err_code check_lease(const struct msg_lease *m, struct error *reterr)
{
	uint32_t end = 0;
	if (m->sample_count == 0)
		return corrupt(reterr, "samples: none");
	for (size_t i = 0; i < m->sample_count; i++) {
		if (m->item_ends[i] < end || m->item_ends[i] > m->items.len)
			return corrupt(reterr, "item_ends: one lies before the last or past the items");
		end = m->item_ends[i];
	}
	if (end != m->items.len)
		return corrupt(reterr, "item_ends: the last one is not the end of the items");
	return count_within(m->sample_count, WIRE_LEASE_SAMPLES_MAX, "samples", reterr);
}

static enum err_code check_commit(const struct msg_commit *m, struct error *reterr)
{
	for (size_t i = 0; i < m->range_count; i++)
		if (m->ranges[i].first > m->ranges[i].last)
			return corrupt(reterr, "ranges: one ends before it begins");
	return count_within(m->range_count, WIRE_COMMIT_RANGES_MAX, "ranges", reterr);
}

static enum err_code check_release(const struct msg_release *m, struct error *reterr)
{
	for (size_t i = 0; i < m->index_count; i++)
		if (m->indexes[i] >= WIRE_LEASE_SAMPLES_MAX)
			return corrupt(reterr, "indexes: one that no lease can have");
	return count_within(m->index_count, WIRE_LEASE_SAMPLES_MAX, "indexes", reterr);
}

static enum err_code check_body(const struct msg *m, struct error *reterr)
{
	switch (m->kind) {
	case MSG_HELLO:
		return check_hello(&m->hello, reterr);
	case MSG_WELCOME:
		return check_welcome(&m->welcome, reterr);
	case MSG_REFUSED:
		return check_refused(&m->refused, reterr);
	case MSG_RENEW:
		return check_renew(&m->renew, reterr);
	case MSG_RENEWED:
		return count_within(m->renewed.refused_count, WIRE_HELD_LEASES_MAX, "refused", reterr);
	case MSG_LEASE:
		return check_lease(&m->lease, reterr);
	case MSG_RESULTS:
		return check_results(&m->results, reterr);
	case MSG_COMMIT:
		return check_commit(&m->commit, reterr);
	case MSG_RELEASED:
		return check_released(&m->released, reterr);
	case MSG_RELEASE:
		return check_release(&m->release, reterr);
	case MSG_BLOB:
		return count_within(m->blob.bytes.len, WIRE_BLOB_CHUNK_BYTES, "bytes", reterr);
	case MSG_REVOKE:
	case MSG_GRANT:
	case MSG_DRAIN:
	case MSG_BLOB_WANT:
		return ERR_OK;
	case MSG_KIND_COUNT:
		break;
	}
	return corrupt(reterr, "a kind that does not exist");
}

enum err_code shape_check(const struct msg *m, struct error *reterr)
{
	enum err_code err = check_body(m, reterr);
	return err ? error_wrap(reterr, err, "%s", msg_kind_name(m->kind)) : ERR_OK;
}
