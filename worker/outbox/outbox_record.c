#include "worker/outbox/outbox_record.h"
#include "common/base/check.h"
#include "common/wire/frame.h"
#include <string.h>

/* "AOB1" and "AOE1": a segment and an entry. Neither byte string is likely inside JSON or a frame; a checksum decides.
 */
enum { SEGMENT_MAGIC = 0x31424F41, ENTRY_MAGIC = 0x31454F41 };
enum { CHECKED_FROM = 12, ENTRY_VERSION = 1, RANGE_BYTES = 16 };
enum { SEARCH_BYTES_MAX = 512 << 20 }; /* checksummed in search of the next whole entry; then the rest is given up */

static void put(uint8_t *out, uint64_t value, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		out[i] = (uint8_t)(value >> (8 * i));
}

static uint64_t get(const char *in, size_t bytes)
{
	uint64_t value = 0;
	for (size_t i = 0; i < bytes; i++)
		value |= (uint64_t)(unsigned char)in[i] << (8 * i);
	return value;
}

/* ---- segment header: magic, version, segment_no, record_no_next, id, crc of these ---- */

void outbox_segment_write(const struct outbox_segment *s, struct buf *out)
{
	uint8_t h[OUTBOX_SEGMENT_HEADER_BYTES] = { 0 };
	put(h, (uint32_t)SEGMENT_MAGIC, 4);
	put(h + 4, OUTBOX_FORMAT_VERSION, 4);
	put(h + 8, s->segment_no, 8);
	put(h + 16, s->record_no_next, 8);
	memcpy(h + 24, s->id.bytes, WIRE_OUTBOX_ID_BYTES);
	put(h + 40, hash_crc32c(str_make(h, 40)), 4);
	(void)buf_append(out, h, sizeof(h)); /* the caller asks out->failed */
}

enum err_code outbox_segment_read(struct str bytes, struct outbox_segment *ret_segment, struct error *reterr)
{
	if (bytes.len < OUTBOX_SEGMENT_HEADER_BYTES || get(bytes.data, 4) != (uint32_t)SEGMENT_MAGIC)
		return error_set(reterr, ERR_CORRUPT, "not a segment of an outbox");
	if (get(bytes.data + 40, 4) != hash_crc32c(str_slice(bytes, 0, 40)))
		return error_set(reterr, ERR_CORRUPT, "its header is damaged");
	uint64_t version = get(bytes.data + 4, 4);
	if (version > OUTBOX_FORMAT_VERSION)
		return error_set(reterr, ERR_UNSUPPORTED, "written in format %llu, this program knows up to %d",
		                 (unsigned long long)version, OUTBOX_FORMAT_VERSION);
	struct outbox_segment s = { .segment_no = get(bytes.data + 8, 8), .record_no_next = get(bytes.data + 16, 8) };
	memcpy(s.id.bytes, bytes.data + 24, WIRE_OUTBOX_ID_BYTES);
	*ret_segment = s;
	return ERR_OK;
}

/* ---- entries ---- */

uint32_t outbox_salt(const struct outbox_segment *s)
{
	uint8_t bytes[8 + WIRE_OUTBOX_ID_BYTES];
	put(bytes, s->segment_no, 8);
	memcpy(bytes + 8, s->id.bytes, WIRE_OUTBOX_ID_BYTES);
	return hash_crc32c(str_make(bytes, sizeof(bytes)));
}

static bool entry_at(struct str bytes, size_t at, uint32_t salt, struct outbox_entry *ret_entry, size_t *read_bytes)
{
	const char *h = bytes.data + at;
	if (bytes.len - at < OUTBOX_ENTRY_HEADER_BYTES || get(h, 4) != (uint32_t)ENTRY_MAGIC)
		return false;
	uint64_t len = get(h + 4, 4);
	if (len > OUTBOX_PAYLOAD_BYTES_MAX || len > bytes.len - at - OUTBOX_ENTRY_HEADER_BYTES)
		return false;
	size_t end = at + OUTBOX_ENTRY_HEADER_BYTES + (size_t)len;
	*read_bytes += end - at;
	if ((hash_crc32c(str_slice(bytes, at + CHECKED_FROM, end)) ^ salt) != get(h + 8, 4))
		return false;
	*ret_entry = (struct outbox_entry){
		.kind = (enum outbox_kind)(unsigned char)h[12],
		.record_no = get(h + 16, 8),
		.payload = str_slice(bytes, at + OUTBOX_ENTRY_HEADER_BYTES, end),
		.at = at,
		.end = end,
	};
	return true;
}

static size_t next_magic(struct str bytes, size_t from)
{
	uint8_t magic[4];
	put(magic, (uint32_t)ENTRY_MAGIC, 4);
	ptrdiff_t at = str_find(str_slice(bytes, from, bytes.len), str_make(magic, 4));
	return at < 0 ? bytes.len : from + (size_t)at;
}

bool outbox_entry_next(struct str bytes, size_t *at, uint32_t salt, struct outbox_entry *ret_entry,
                       uint64_t *ret_damaged)
{
	size_t from = *at, read_bytes = 0;
	for (size_t try = from; try < bytes.len && read_bytes < SEARCH_BYTES_MAX; try = next_magic(bytes, try + 1)) {
		if (!entry_at(bytes, try, salt, ret_entry, &read_bytes))
			continue;
		if (try != from)
			(*ret_damaged)++;
		*at = ret_entry->end;
		return true;
	}
	return false;
}

static size_t entry_begin(struct buf *out)
{
	static const uint8_t room[OUTBOX_ENTRY_HEADER_BYTES] = { 0 };
	size_t mark = out->len;
	(void)buf_append(out, room, sizeof(room)); /* entry_end() asks out->failed */
	return mark;
}

static bool entry_end(struct buf *out, size_t mark, uint32_t salt, enum outbox_kind kind, uint64_t record_no)
{
	if (out->failed || out->len - mark - OUTBOX_ENTRY_HEADER_BYTES > OUTBOX_PAYLOAD_BYTES_MAX)
		return false;
	size_t len = out->len - mark - OUTBOX_ENTRY_HEADER_BYTES;
	uint8_t h[OUTBOX_ENTRY_HEADER_BYTES] = { 0 };
	put(h, (uint32_t)ENTRY_MAGIC, 4);
	put(h + 4, len, 4);
	h[12] = (uint8_t)kind;
	h[13] = ENTRY_VERSION;
	put(h + 16, record_no, 8);
	memcpy(out->data + mark, h, sizeof(h));
	struct str checked = str_make(out->data + mark + CHECKED_FROM, out->len - mark - CHECKED_FROM);
	put(h + 8, hash_crc32c(checked) ^ salt, 4);
	memcpy(out->data + mark, h, sizeof(h));
	return true;
}

bool outbox_write_context(const struct exec_context *c, uint32_t salt, struct buf *out)
{
	size_t mark = entry_begin(out);
	(void)buf_append(out, c->hash.bytes, HASH_BYTES); /* entry_end() asks out->failed */
	(void)buf_append_str(out, c->json);               /* as above */
	return entry_end(out, mark, salt, OUTBOX_CONTEXT, 0);
}

static bool append_frame(const struct record *r, struct buf *out)
{
	struct msg m = { .kind = MSG_RESULTS, .results = { &r->m, 1 } };
	struct error ignored; /* the only failure is a record that does not fit, which false says */
	return frame_encode(&m, out, &ignored) == ERR_OK;
}

bool outbox_write_record(const struct record *r, uint32_t salt, struct buf *out)
{
	size_t mark = entry_begin(out);
	if (!r->is_answer)
		return append_frame(r, out) &&
		       entry_end(out, mark, salt, r->m.kind == RECORD_ATTEMPT ? OUTBOX_ATTEMPT : OUTBOX_RESULT,
		                 r->m.record_no);
	uint8_t length[4] = { 0 };
	(void)buf_append(out, r->context->hash.bytes, HASH_BYTES); /* entry_end() asks out->failed */
	size_t length_at = out->len;
	(void)buf_append(out, length, sizeof(length)); /* as above */
	size_t frame_at = out->len;
	if (!append_frame(r, out))
		return false;
	put(length, out->len - frame_at, sizeof(length));
	memcpy(out->data + length_at, length, sizeof(length));
	(void)buf_append_str(out, r->item); /* as above */
	return entry_end(out, mark, salt, OUTBOX_ANSWER, r->m.record_no);
}

bool outbox_write_trim(const struct record_range *ranges, size_t count, uint32_t salt, struct buf *out)
{
	size_t mark = entry_begin(out);
	for (size_t i = 0; i < count; i++) {
		uint8_t pair[RANGE_BYTES];
		put(pair, ranges[i].first, 8);
		put(pair + 8, ranges[i].last, 8);
		(void)buf_append(out, pair, sizeof(pair)); /* entry_end() asks out->failed */
	}
	return entry_end(out, mark, salt, OUTBOX_TRIM, 0);
}

bool outbox_write_reserve(uint64_t record_no_next, uint32_t salt, struct buf *out)
{
	size_t mark = entry_begin(out);
	uint8_t bytes[8];
	put(bytes, record_no_next, 8);
	(void)buf_append(out, bytes, sizeof(bytes)); /* entry_end() asks out->failed */
	return entry_end(out, mark, salt, OUTBOX_RESERVE, 0);
}

/* ---- payloads ---- */

static enum err_code read_frame(struct str frame, uint64_t record_no, struct arena *a,
                                const struct msg_record **ret_record, struct error *reterr)
{
	struct msg m;
	enum err_code err = frame_decode(frame, a, &m, reterr);
	if (err)
		return error_wrap(reterr, err, "record %llu", (unsigned long long)record_no);
	if (m.kind != MSG_RESULTS || m.results.record_count != 1 || m.results.records[0].record_no != record_no)
		return error_set(reterr, ERR_CORRUPT, "record %llu: its frame holds something else",
		                 (unsigned long long)record_no);
	*ret_record = &m.results.records[0];
	return ERR_OK;
}

enum err_code outbox_read_record(const struct outbox_entry *e, struct arena *a, const struct msg_record **ret_record,
                                 struct error *reterr)
{
	const struct msg_record *record = NULL;
	enum err_code err = read_frame(e->payload, e->record_no, a, &record, reterr);
	if (err)
		return err;
	check(record);
	if (record->kind != (e->kind == OUTBOX_ATTEMPT ? RECORD_ATTEMPT : RECORD_RESULT))
		return error_set(reterr, ERR_CORRUPT, "record %llu: not of its entry's kind",
		                 (unsigned long long)e->record_no);
	*ret_record = record;
	return ERR_OK;
}

enum err_code outbox_read_answer(const struct outbox_entry *e, struct arena *a, struct outbox_answer *ret_answer,
                                 struct error *reterr)
{
	size_t head = HASH_BYTES + 4;
	uint64_t frame_len = e->payload.len >= head ? get(e->payload.data + HASH_BYTES, 4) : 0;
	if (e->payload.len < head || frame_len > e->payload.len - head)
		return error_set(reterr, ERR_CORRUPT, "answer %llu: cut short", (unsigned long long)e->record_no);
	struct outbox_answer answer = { .item = str_slice(e->payload, head + (size_t)frame_len, e->payload.len) };
	memcpy(answer.context_hash.bytes, e->payload.data, HASH_BYTES);
	enum err_code err = read_frame(str_slice(e->payload, head, head + (size_t)frame_len), e->record_no, a,
	                               &answer.record, reterr);
	if (err)
		return err;
	check(answer.record);
	if (answer.record->kind != RECORD_RAW)
		return error_set(reterr, ERR_CORRUPT, "answer %llu: not of its entry's kind",
		                 (unsigned long long)e->record_no);
	*ret_answer = answer;
	return ERR_OK;
}

enum err_code outbox_read_context(const struct outbox_entry *e, struct hash *ret_hash, struct str *ret_json,
                                  struct error *reterr)
{
	if (e->payload.len < HASH_BYTES)
		return error_set(reterr, ERR_CORRUPT, "run context: cut short");
	memcpy(ret_hash->bytes, e->payload.data, HASH_BYTES);
	*ret_json = str_slice(e->payload, HASH_BYTES, e->payload.len);
	return ERR_OK;
}

size_t outbox_trim_count(const struct outbox_entry *e)
{
	return e->payload.len / RANGE_BYTES;
}

struct record_range outbox_trim_at(const struct outbox_entry *e, size_t i)
{
	const char *pair = e->payload.data + i * RANGE_BYTES;
	return (struct record_range){ get(pair, 8), get(pair + 8, 8) };
}

bool outbox_read_reserve(const struct outbox_entry *e, uint64_t *ret_record_no_next)
{
	if (e->payload.len != 8)
		return false;
	*ret_record_no_next = get(e->payload.data, 8);
	return true;
}
